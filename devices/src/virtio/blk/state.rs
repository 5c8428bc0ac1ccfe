//! Saved state of the block device, version 2. A disk is not part of it, only its size. Version 1 had the same shape,
//! but flushes and discards were never under way.

use super::Blk;
use super::request::{Transfer, Work};
use crate::virtio::queue::SIZE_MAX;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 2;
const VERSION_1: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlkV2 {
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
        waits: _, // a restored device asks the disk anew
    } = live;
    let (features, writeback) = (*agreed, *writeback);
    Saved::pack(VERSION, &BlkV2 { sectors: disk.sectors(), features, writeback, transfer: transfer.clone() })
}

pub(super) fn restore(live: &mut Blk, saved: &Saved) -> Result<(), RestoreError> {
    let BlkV2 { sectors, features, writeback, transfer } = match saved.version {
        VERSION_1 => saved.unpack(VERSION_1)?,
        _ => saved.unpack(VERSION)?,
    };
    if sectors != live.disk.sectors() {
        return Err(RestoreError::Value("virtio_blk: a disk of another size"));
    }
    if transfer.as_ref().is_some_and(|transfer| !is_possible(live, transfer)) {
        return Err(RestoreError::Value("virtio_blk: a transfer that cannot be"));
    }
    live.disk.give_up();
    (live.agreed, live.writeback, live.transfer, live.waits) = (features, writeback, transfer, false);
    Ok(())
}

fn is_possible(live: &Blk, transfer: &Transfer) -> bool {
    let Transfer { head, work, sector, sectors, data, status_at: _, written } = transfer;
    *head < SIZE_MAX
        && live.has(*sector, *sectors)
        && (*work != Work::Flush || *sectors == 0)
        && data.count() <= 2 * usize::from(SIZE_MAX)
        && data.is_possible()
        && transfer.bytes().is_none_or(|bytes| bytes == data.bytes())
        && *written <= u64::MAX >> 1
}
