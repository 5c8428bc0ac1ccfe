//! Raw disk images in files of the host.

use anyhow::{Context, Result, bail};
use machine::{Disk, DiskError};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::Path;

const SECTOR: u64 = 512;

/// An image file, held locked so that no second machine writes to it.
pub struct FileDisk {
    file: File,
    sectors: u64,
}

impl FileDisk {
    /// # Errors
    /// Not a readable and writable file of whole sectors, or in use by another machine.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_as(path, "reading and writing", true)
    }

    /// An image that is only read, by as many as like.
    ///
    /// # Errors
    /// Not a readable file of whole sectors, or a machine is writing to it.
    pub fn open_to_read(path: &Path) -> Result<Self> {
        Self::open_as(path, "reading", false)
    }

    fn open_as(path: &Path, purpose: &str, write: bool) -> Result<Self> {
        let name = path.display();
        let file = OpenOptions::new().read(true).write(write).open(path);
        let file = file.with_context(|| format!("cannot open the disk image {name} for {purpose}"))?;
        let about = file.metadata().with_context(|| format!("cannot look at {name}"))?;
        if !about.is_file() {
            bail!("{name} is not a file, so it cannot be a disk image");
        }
        if about.len() == 0 || about.len() % SECTOR != 0 {
            bail!("{name} is {} bytes long; a raw disk image is a multiple of {SECTOR} bytes", about.len());
        }
        match if write { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => Ok(Self { file, sectors: about.len() / SECTOR }),
            Err(TryLockError::WouldBlock) => bail!("the disk image {name} is in use by another machine"),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {name}")),
        }
    }

    /// The offset of a run of sectors that lies on the disk.
    fn offset(&self, lba: u64, len: usize) -> Result<u64, DiskError> {
        let sectors = (len as u64).div_ceil(SECTOR);
        match lba.checked_add(sectors) {
            Some(end) if end <= self.sectors => Ok(lba * SECTOR),
            _ => Err(DiskError::OutOfRange { lba, sectors: self.sectors }),
        }
    }
}

fn host(error: std::io::Error) -> DiskError {
    DiskError::Host(error.to_string())
}

impl Disk for FileDisk {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let offset = self.offset(lba, into.len())?;
        self.file.read_exact_at(into, offset).map_err(host)
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        let offset = self.offset(lba, from.len())?;
        self.file.write_all_at(from, offset).map_err(host)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(host)
    }

    fn is_read_only(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::FileDisk;
    use machine::Disk;

    #[test]
    fn sectors_come_back_and_the_end_is_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        std::fs::write(&path, [0; 1024]).unwrap();
        let mut disk = FileDisk::open(&path).unwrap();
        disk.write(1, &[7; 512]).unwrap();
        let mut sector = [0; 512];
        disk.read(1, &mut sector).unwrap();
        assert_eq!((disk.sectors(), sector), (2, [7; 512]));
        assert!(disk.read(2, &mut sector).is_err() && disk.read(u64::MAX, &mut sector).is_err());
    }

    #[test]
    fn what_is_not_a_disk_image_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("odd.img");
        std::fs::write(&odd, [0; 700]).unwrap();
        assert!(FileDisk::open(&odd).is_err());
        assert!(FileDisk::open(folder.path()).is_err());
        assert!(FileDisk::open(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn one_image_serves_one_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        std::fs::write(&path, [0; 512]).unwrap();
        let _first = FileDisk::open(&path).unwrap();
        let error = FileDisk::open(&path).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("in use"), "{error}");
    }
}
