//! Raw images: the sectors one after the other.

use super::{Access, Held, ImageError, host, length, offset, probe};
use machine::{Disk, DiskError};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt;

pub struct RawDisk {
    file: File,
    sectors: u64,
    read_only: bool,
    /// It is raw because of its content, so the guest may not make the content say something else.
    guarded: bool,
}

impl RawDisk {
    /// # Errors
    /// Not whole sectors.
    pub fn new(held: Held, access: Access, guarded: bool) -> Result<Self, ImageError> {
        if !probe::is_whole_sectors(held.bytes) {
            return Err(ImageError::Length { name: held.name(), bytes: held.bytes });
        }
        let sectors = held.bytes / super::SECTOR;
        Ok(Self { file: held.file, sectors, read_only: access == Access::Read, guarded })
    }

    /// A file that somebody has cut would be grown again by a write, with the rest of its content gone.
    fn still_whole(&self) -> Result<(), DiskError> {
        let bytes = length(&self.file)?;
        if bytes / super::SECTOR < self.sectors {
            return Err(host("the file of the image has become shorter"));
        }
        Ok(())
    }
}

impl Disk for RawDisk {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let offset = offset(lba, into.len(), self.sectors)?;
        self.file.read_exact_at(into, offset).map_err(host)
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        let offset = offset(lba, from.len(), self.sectors)?;
        if self.read_only {
            return Err(DiskError::ReadOnly);
        }
        if self.guarded && lba == 0 && probe::container(from).is_some() {
            return Err(host(
                "with this first sector the image would not be taken for a raw one again: say format=raw",
            ));
        }
        self.still_whole()?;
        self.file.write_all_at(from, offset).map_err(host)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(host)
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), DiskError> {
        let end = lba.checked_add(sectors).filter(|end| *end <= self.sectors);
        let Some(end) = end else { return Err(DiskError::OutOfRange { lba, sectors: self.sectors }) };
        if self.read_only {
            return Err(DiskError::ReadOnly);
        }
        let (start, len) = (lba * super::SECTOR, (end - lba) * super::SECTOR);
        if len == 0 {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, start, len) {
            // Discarding is a hint, and this file system does not take it.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(host(error)),
        }
    }

    fn is_read_only(&self) -> bool {
        self.read_only
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Chosen, open};

    #[test]
    fn sectors_come_back_and_the_end_is_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        std::fs::write(&path, [0; 1024]).unwrap();
        let mut disk = open(&Chosen::new(&path), Access::Write).unwrap().disk;
        disk.write(1, &[7; 512]).unwrap();
        let mut sector = [0; 512];
        disk.read(1, &mut sector).unwrap();
        assert_eq!((disk.sectors(), sector), (2, [7; 512]));
        assert!(disk.read(2, &mut sector).is_err() && disk.read(u64::MAX, &mut sector).is_err());
        disk.discard(1, 1).unwrap();
        assert!(disk.discard(1, 2).is_err() && disk.discard(u64::MAX, 2).is_err());
    }

    #[test]
    fn a_file_that_was_cut_is_not_grown_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        std::fs::write(&path, [0; 1024]).unwrap();
        let mut disk = open(&Chosen::new(&path), Access::Write).unwrap().disk;
        File::options().write(true).open(&path).unwrap().set_len(512).unwrap();
        assert!(disk.read(1, &mut [0; 512]).is_err() && disk.write(1, &[0; 512]).is_err());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 512);
    }

    #[test]
    fn a_guest_cannot_make_a_raw_image_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        std::fs::write(&path, [0; 1024]).unwrap();
        let mut header = [0; 512];
        header[..4].copy_from_slice(b"QFI\xFB");
        let mut chosen = Chosen::new(&path);
        assert!(open(&chosen, Access::Write).unwrap().disk.write(0, &header).is_err());
        chosen.format = Some(crate::image::Format::Raw);
        open(&chosen, Access::Write).unwrap().disk.write(0, &header).unwrap();
    }
}
