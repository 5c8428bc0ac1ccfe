//! Saved state of the block device, version 1. A disk is not part of it, only its size.

use super::Blk;
use super::request::{Direction, Transfer};
use crate::disk::SECTOR;
use crate::virtio::queue::SIZE_MAX;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlkV1 {
    sectors: u64,
    features: u64,
    writeback: bool,
    transfer: Option<Transfer>,
}

pub(super) fn save(live: &Blk) -> Saved {
    let Blk {
        id: _, // given by the board
        disk,
        buffer: _, // empty between calls
        agreed,
        writeback,
        transfer,
    } = live;
    let (features, writeback) = (*agreed, *writeback);
    Saved::pack(VERSION, &BlkV1 { sectors: disk.sectors(), features, writeback, transfer: transfer.clone() })
}

pub(super) fn restore(live: &mut Blk, saved: &Saved) -> Result<(), RestoreError> {
    let BlkV1 { sectors, features, writeback, transfer } = saved.unpack(VERSION)?;
    if sectors != live.disk.sectors() {
        return Err(RestoreError::Value("virtio_blk: a disk of another size"));
    }
    if transfer.as_ref().is_some_and(|transfer| !is_possible(live, transfer)) {
        return Err(RestoreError::Value("virtio_blk: a transfer that cannot be"));
    }
    (live.agreed, live.writeback, live.transfer) = (features, writeback, transfer);
    Ok(())
}

fn is_possible(live: &Blk, transfer: &Transfer) -> bool {
    let Transfer { head, direction, sector, sectors, data, status_at: _, written } = transfer;
    let bytes = if *direction == Direction::Zeroes { Some(0) } else { sectors.checked_mul(SECTOR as u64) };
    *head < SIZE_MAX
        && live.has(*sector, *sectors)
        && data.count() <= 2 * usize::from(SIZE_MAX)
        && data.is_possible()
        && bytes == Some(data.bytes())
        && *written <= u64::MAX >> 1
}
