//! A disk in the host's memory.

use machine::{Disk, DiskError};
use std::collections::BTreeSet;

const SECTOR: usize = 512;

pub struct Ram {
    bytes: Vec<u8>,
    read_only: bool,
}

impl Ram {
    pub fn of(bytes: Vec<u8>) -> Box<dyn Disk> {
        Box::new(Self { bytes, read_only: false })
    }

    pub fn read_only(bytes: Vec<u8>) -> Box<dyn Disk> {
        Box::new(Self { bytes, read_only: true })
    }

    /// Every sector begins with its number.
    pub fn numbered(sectors: u32) -> Vec<u8> {
        (0..sectors).flat_map(|n| [&n.to_le_bytes()[..], &[0x5A; SECTOR - 4]].concat()).collect()
    }

    fn range(&mut self, lba: u64, len: usize) -> Result<&mut [u8], DiskError> {
        let sectors = self.sectors();
        let start = usize::try_from(lba).unwrap_or(usize::MAX).saturating_mul(SECTOR);
        let out = DiskError::OutOfRange { lba, sectors };
        self.bytes.get_mut(start..start.saturating_add(len)).ok_or(out)
    }
}

impl Disk for Ram {
    fn sectors(&self) -> u64 {
        (self.bytes.len() / SECTOR) as u64
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        into.copy_from_slice(self.range(lba, into.len())?);
        Ok(())
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        if self.read_only {
            return Err(DiskError::ReadOnly);
        }
        self.range(lba, from.len())?.copy_from_slice(from);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn is_read_only(&self) -> bool {
        self.read_only
    }
}

/// A read-only disk that must be asked twice: the first read from a sector on fails.
pub struct Scratched {
    disk: Ram,
    met: BTreeSet<u64>,
}

impl Scratched {
    pub fn of(bytes: Vec<u8>) -> Box<dyn Disk> {
        Box::new(Self { disk: Ram { bytes, read_only: true }, met: BTreeSet::new() })
    }
}

impl Disk for Scratched {
    fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        if self.met.insert(lba) {
            return Err(DiskError::Host("a scratch".into()));
        }
        self.disk.read(lba, into)
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        self.disk.write(lba, from)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.disk.flush()
    }

    fn is_read_only(&self) -> bool {
        true
    }
}
