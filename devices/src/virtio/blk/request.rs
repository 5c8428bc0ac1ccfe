//! What a request is made of: VIRTIO 5.2.6, "Device Operation".

use crate::disk::SECTOR;
use crate::virtio::queue::Segments;
use emu_core::MemoryMap;
use serde::{Deserialize, Serialize};

/// The request types, out of `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    In,
    Out,
    Flush,
    GetId,
    Discard,
    WriteZeroes,
    Unknown,
}

impl Kind {
    fn decode(value: u32) -> Self {
        match value {
            0 => Self::In,
            1 => Self::Out,
            4 => Self::Flush,
            8 => Self::GetId,
            11 => Self::Discard,
            13 => Self::WriteZeroes,
            _ => Self::Unknown,
        }
    }
}

/// The status byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    Ok = 0,
    IoError = 1,
    Unsupported = 2,
}

/// `type`, a reserved dword, `sector`.
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) sector: u64,
}

impl Header {
    /// `None` if it is not all there, or not in memory.
    pub(super) fn take(readable: &mut Segments, memory: &MemoryMap) -> Option<Self> {
        let bits = u128::from_le_bytes(take(readable, memory)?);
        let [t0, t1, t2, t3, _, _, _, _, sector @ ..] = bits.to_le_bytes();
        let kind = Kind::decode(u32::from_le_bytes([t0, t1, t2, t3]));
        Some(Self { kind, sector: u64::from_le_bytes(sector) })
    }
}

/// `struct virtio_blk_discard_write_zeroes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) sector: u64,
    pub(super) sectors: u32,
    /// Bit 0: unmap.
    pub(super) flags: u32,
}

impl Range {
    /// No sectors.
    pub(super) const NONE: Self = Self { sector: 0, sectors: 0, flags: 0 };

    /// `None` unless there is exactly one.
    pub(super) fn take(readable: &mut Segments, memory: &MemoryMap) -> Option<Self> {
        let [s0, s1, s2, s3, s4, s5, s6, s7, n0, n1, n2, n3, flags @ ..]: [u8; 16] = take(readable, memory)?;
        readable.is_empty().then_some(Self {
            sector: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            sectors: u32::from_le_bytes([n0, n1, n2, n3]),
            flags: u32::from_le_bytes(flags),
        })
    }
}

/// VIRTIO 2.7.4: how the driver cuts its buffers says nothing.
fn take(readable: &mut Segments, memory: &MemoryMap) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let whole = readable.bytes() >= bytes.len() as u64;
    (whole && readable.read(memory, &mut bytes).is_ok()).then_some(bytes)
}

/// What a request has the disk do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Work {
    /// From the disk.
    In,
    /// To the disk.
    Out,
    /// Zeros to the disk.
    Zeroes,
    Flush,
    Discard,
}

/// A request that the disk works on, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transfer {
    pub(super) head: u16,
    #[serde(rename = "direction")]
    pub(super) work: Work,
    /// The next sector, and how many are left.
    pub(super) sector: u64,
    pub(super) sectors: u64,
    /// The memory that is left.
    pub(super) data: Segments,
    pub(super) status_at: u64,
    /// Bytes written to memory.
    pub(super) written: u64,
}

impl Transfer {
    /// Moves all sectors that `data` has room for.
    pub(super) fn new(head: u16, work: Work, sector: u64, data: Segments, status_at: u64) -> Self {
        let sectors = data.bytes() / SECTOR as u64;
        Self { head, work, sector, sectors, data, status_at, written: 0 }
    }

    /// The length of data that belongs to the sectors that are left.
    pub(super) fn bytes(&self) -> Option<u64> {
        match self.work {
            Work::In | Work::Out => self.sectors.checked_mul(SECTOR as u64),
            Work::Zeroes | Work::Flush | Work::Discard => None,
        }
    }

    pub(super) fn pass(&mut self, sectors: u64) {
        self.sector += sectors;
        self.sectors -= sectors;
        if self.work == Work::In {
            self.written += sectors * SECTOR as u64;
        }
    }
}
