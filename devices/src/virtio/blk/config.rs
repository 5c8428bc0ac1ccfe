//! `struct virtio_blk_config`: VIRTIO 5.2.4.

use crate::bits::{low8, low16};
use crate::disk::SECTOR;
use crate::virtio::queue::SIZE_MAX;

/// Offset of `writeback`.
pub(super) const WRITEBACK: usize = 32;
/// The most sectors of one DISCARD or WRITE ZEROES: 4 MiB.
pub(super) const RANGE_MAX: u32 = 8192;

const HEADS: u64 = 16;
const SECTORS: u64 = 63;
const CYLINDERS_MAX: u64 = 16383;

/// The configuration of a disk of `sectors` sectors.
pub(super) fn config(sectors: u64, writeback: bool) -> Vec<u8> {
    let block = u32::try_from(SECTOR).expect("512");
    let cylinders = low16((sectors / (HEADS * SECTORS)).clamp(1, CYLINDERS_MAX));
    let fields: [&[u8]; 18] = [
        &sectors.to_le_bytes(),
        // size_max: not offered.
        &0u32.to_le_bytes(),
        // seg_max: a chain less header and status.
        &(u32::from(SIZE_MAX) - 2).to_le_bytes(),
        &cylinders.to_le_bytes(),
        &[low8(HEADS)],
        &[low8(SECTORS)],
        &block.to_le_bytes(),
        // Topology: one block is one physical block, aligned; no wish for a size.
        &[0, 0],
        &0u16.to_le_bytes(),
        &0u32.to_le_bytes(),
        &[writeback.into()],
        &[0],
        // num_queues.
        &1u16.to_le_bytes(),
        // DISCARD: size, segments, alignment.
        &RANGE_MAX.to_le_bytes(),
        &1u32.to_le_bytes(),
        &1u32.to_le_bytes(),
        // WRITE ZEROES: size, segments.
        &RANGE_MAX.to_le_bytes(),
        &1u32.to_le_bytes(),
    ];
    // write_zeroes_may_unmap, and three bytes unused.
    [fields.concat(), vec![0; 4]].concat()
}
