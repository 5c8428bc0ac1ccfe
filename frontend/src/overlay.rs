//! A disk image that is only read: what a guest writes stays in memory and is forgotten at the end.

use crate::disk::FileDisk;
use anyhow::Result;
use machine::{Disk, DiskError};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const SECTOR: usize = 512;

/// Sectors that a guest has written.
type Changes = BTreeMap<u64, [u8; SECTOR]>;

/// An image under several overlays.
#[derive(Clone)]
pub struct Image(Arc<Mutex<FileDisk>>);

/// One guest's view of an [`Image`].
pub struct Overlay {
    image: Image,
    changes: Arc<Mutex<Changes>>,
}

impl Image {
    /// # Errors
    /// Not a readable file of whole sectors, or a machine is writing to it.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self(Arc::new(Mutex::new(FileDisk::open_to_read(path)?))))
    }

    /// The image as it is.
    pub fn overlay(&self) -> Overlay {
        Overlay { image: self.clone(), changes: Arc::default() }
    }

    fn with<R>(&self, f: impl FnOnce(&mut FileDisk) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Overlay {
    /// The same disk, seen by somebody else: what one writes, the other reads.
    pub fn shared(&self) -> Self {
        Self { image: self.image.clone(), changes: self.changes.clone() }
    }

    /// Another disk that holds the same now.
    pub fn copy(&self) -> Self {
        let changes = self.with(|changes| changes.clone());
        Self { image: self.image.clone(), changes: Arc::new(Mutex::new(changes)) }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Changes) -> R) -> R {
        f(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Disk for Overlay {
    fn sectors(&self) -> u64 {
        self.image.with(|disk| disk.sectors())
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.image.with(|disk| disk.read(lba, into))?;
        self.with(|changes| {
            for (n, sector) in (lba..).zip(into.chunks_mut(SECTOR)) {
                if let Some(changed) = changes.get(&n) {
                    sector.copy_from_slice(&changed[..sector.len()]);
                }
            }
        });
        Ok(())
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        let sectors = self.sectors();
        let count = from.len().div_ceil(SECTOR) as u64;
        if lba.checked_add(count).is_none_or(|end| end > sectors) {
            return Err(DiskError::OutOfRange { lba, sectors });
        }
        self.with(|changes| {
            for (n, sector) in (lba..).zip(from.chunks(SECTOR)) {
                changes.entry(n).or_insert([0; SECTOR])[..sector.len()].copy_from_slice(sector);
            }
        });
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn is_read_only(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_stay_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        std::fs::write(&path, [1; 1024]).unwrap();
        let image = Image::open(&path).unwrap();
        let (mut one, mut other) = (image.overlay(), image.overlay());
        one.write(1, &[7; 512]).unwrap();
        let mut copy = one.copy();
        one.write(0, &[8; 512]).unwrap();
        let read = |disk: &mut Overlay| {
            let mut bytes = [0; 1024];
            disk.read(0, &mut bytes).unwrap();
            [bytes[0], bytes[1023]]
        };
        assert_eq!([read(&mut one), read(&mut other), read(&mut copy)], [[8, 7], [1, 1], [1, 7]]);
        assert_eq!(read(&mut one.shared()), [8, 7]);
        assert!(one.write(2, &[0; 512]).is_err() && one.write(u64::MAX, &[0; 512]).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), [1; 1024]);
    }
}
