//! A disk for tests that is never ready at the first asking, as one that works in the background.

use crate::disk::{Disk, DiskError, MemoryDisk};

/// Does what it is asked for the second time in a row.
pub(crate) struct LazyDisk {
    disk: MemoryDisk,
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Read(u64, usize),
    Write(u64, usize),
    Flush,
    Discard(u64, u64),
}

impl LazyDisk {
    pub(crate) fn new(disk: MemoryDisk) -> Self {
        Self { disk, asked: None }
    }

    fn ask(&mut self, asked: Asked) -> Result<(), DiskError> {
        if self.asked.take() == Some(asked) {
            return Ok(());
        }
        self.asked = Some(asked);
        Err(DiskError::NotReady)
    }
}

impl Disk for LazyDisk {
    fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.ask(Asked::Read(lba, into.len()))?;
        self.disk.read(lba, into)
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        self.ask(Asked::Write(lba, from.len()))?;
        self.disk.write(lba, from)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.ask(Asked::Flush)?;
        self.disk.flush()
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), DiskError> {
        self.ask(Asked::Discard(lba, sectors))?;
        self.disk.discard(lba, sectors)
    }

    fn give_up(&mut self) {
        self.asked = None;
    }

    fn is_read_only(&self) -> bool {
        self.disk.is_read_only()
    }
}
