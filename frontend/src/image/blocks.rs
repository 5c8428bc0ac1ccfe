//! An image that is read through a table: for each block of the disk, where it lies in the file. VDI and VHD have this
//! shape.

use super::{Format, Held, ImageError, SECTOR, host, offset};
use machine::{Disk, DiskError};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The longest table that is read: 16 Mi entries, with blocks of 1 MiB a disk of 16 TiB.
const LONGEST: u64 = 64 << 20;

/// The bytes of an entry.
const ENTRY: u64 = 4;

pub struct Blocks {
    file: File,
    sectors: u64,
    block: u64,
    table: Vec<u32>,
    place: Place,
}

/// From an entry of the table to a place in the file: `first + entry * stride + skip`.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub first: u64,
    pub stride: u64,
    pub skip: u64,
    /// Entries from this on say that the block is not in the file and reads as zeros.
    pub absent: u32,
}

impl Blocks {
    pub fn new(file: File, bytes: u64, block: u64, table: Vec<u32>, place: Place) -> Self {
        Self { file, sectors: bytes / SECTOR, block, table, place }
    }

    /// The place of a block; `None` where it reads as zeros.
    fn place(&self, block: u64) -> io::Result<Option<u64>> {
        let entry = usize::try_from(block).ok().and_then(|block| self.table.get(block));
        let Place { first, stride, skip, absent } = self.place;
        match *entry.ok_or_else(|| io::Error::other("the table of blocks is too short"))? {
            entry if entry >= absent => Ok(None),
            entry => {
                let place = u64::from(entry).checked_mul(stride).and_then(|place| place.checked_add(first));
                let place = place.and_then(|place| place.checked_add(skip));
                place.map(Some).ok_or_else(|| io::Error::other("a block lies beyond the end of all files"))
            }
        }
    }
}

/// Reads a table of so many entries.
pub fn table(held: &Held, format: Format, start: u64, entries: u64) -> Result<Vec<u8>, ImageError> {
    let bytes = entries.checked_mul(ENTRY).filter(|bytes| *bytes <= LONGEST);
    let inside = bytes.filter(|bytes| start.checked_add(*bytes).is_some_and(|end| end <= held.bytes));
    let Some(bytes) = inside else {
        let why = format!("its table of {entries} blocks does not fit into the file");
        return Err(ImageError::Damaged { name: held.name(), format, why });
    };
    let mut table = vec![0; usize::try_from(bytes).unwrap_or(0)];
    held.file.read_exact_at(&mut table, start).map_err(held.failed("read"))?;
    Ok(table)
}

impl Disk for Blocks {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, lba: u64, mut into: &mut [u8]) -> Result<(), DiskError> {
        let mut at = offset(lba, into.len(), self.sectors)?;
        while !into.is_empty() {
            let inside = at % self.block;
            let left = usize::try_from(self.block - inside).unwrap_or(usize::MAX);
            let (now, later) = into.split_at_mut(into.len().min(left));
            match self.place(at / self.block).map_err(host)? {
                Some(place) => self.file.read_exact_at(now, place.saturating_add(inside)).map_err(host)?,
                None => now.fill(0),
            }
            at += now.len() as u64;
            into = later;
        }
        Ok(())
    }

    fn write(&mut self, _lba: u64, _from: &[u8]) -> Result<(), DiskError> {
        Err(DiskError::ReadOnly)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn is_read_only(&self) -> bool {
        true
    }
}
