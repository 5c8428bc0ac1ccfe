//! The medium behind a disk controller: a row of 512-byte sectors. Where the bytes live (a file, an overlay, memory)
//! is the frontend's business; a controller sees only this.

/// Bytes in a sector.
pub const SECTOR: usize = 512;

/// Why a disk could not do what was asked. Controllers turn it into the guest's own kind of I/O error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    #[error("sector {lba} is beyond the end of a disk of {sectors} sectors")]
    OutOfRange { lba: u64, sectors: u64 },
    #[error("the disk is read-only")]
    ReadOnly,
    #[error("the host could not do it: {0}")]
    Host(String),
    /// Not an error: see [`Disk`].
    #[error("the disk is not ready yet")]
    NotReady,
}

/// A disk or diskette. Buffers are a whole number of sectors long.
///
/// It may work in the background. It then answers [`DiskError::NotReady`], and tells the machine when it is
/// done ([`emu_core::HostEvent::DiskReady`]). The controller asks for the same again then, and has the result; or it
/// [gives up](Self::give_up). So a controller that waits has nothing to save but what it is about to ask: a restored one
/// asks anew, and to do the same read, write, flush or discard twice does no harm.
pub trait Disk: Send {
    /// Size in sectors of 512 bytes; does not change while the disk is attached.
    fn sectors(&self) -> u64;

    /// # Errors
    /// The range is not on the disk, or the host failed.
    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError>;

    /// # Errors
    /// The range is not on the disk, the disk is read-only, or the host failed.
    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError>;

    /// Makes everything written so far survive a crash of the host.
    ///
    /// # Errors
    /// The host failed.
    fn flush(&mut self) -> Result<(), DiskError>;

    /// Says that these sectors are of no use any more; what they hold afterwards is not defined. A hint: a disk that
    /// cannot make use of it does nothing.
    ///
    /// # Errors
    /// The range is not on the disk, the disk is read-only, or the host failed.
    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), DiskError> {
        let on_disk = lba.checked_add(sectors).is_some_and(|end| end <= self.sectors());
        match (on_disk, self.is_read_only()) {
            (false, _) => Err(DiskError::OutOfRange { lba, sectors: self.sectors() }),
            (true, true) => Err(DiskError::ReadOnly),
            (true, false) => Ok(()),
        }
    }

    /// Nobody will ask again for what the disk was not ready with. What was to be written may be written or not.
    fn give_up(&mut self) {}

    fn is_read_only(&self) -> bool;
}

/// A disk whose sectors live in host memory: for tests, and for images built on the fly.
#[derive(Clone, Debug)]
pub struct MemoryDisk {
    bytes: Vec<u8>,
    read_only: bool,
    bad: Option<u64>,
}

impl MemoryDisk {
    /// A disk of `sectors` sectors, all zero.
    pub fn zeroed(sectors: usize) -> Self {
        Self { bytes: vec![0; sectors.saturating_mul(SECTOR)], read_only: false, bad: None }
    }

    /// A disk with this content, filled up with zeros to a whole sector.
    pub fn from_bytes(mut bytes: Vec<u8>) -> Self {
        bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
        Self { bytes, read_only: false, bad: None }
    }

    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Makes one sector fail in every read and write, as a damaged medium does.
    #[must_use]
    pub fn with_bad_sector(mut self, lba: u64) -> Self {
        self.bad = Some(lba);
        self
    }

    /// Where the range lies in `bytes`, if it is on the disk.
    fn range(&self, lba: u64, len: usize) -> Result<std::ops::Range<usize>, DiskError> {
        let outside = DiskError::OutOfRange { lba, sectors: self.sectors() };
        let start = usize::try_from(lba).ok().and_then(|lba| lba.checked_mul(SECTOR));
        let range = start.and_then(|start| Some(start..start.checked_add(len)?));
        let range = range.filter(|range| range.end <= self.bytes.len()).ok_or(outside)?;
        let sectors = (len / SECTOR) as u64;
        if self.bad.is_some_and(|bad| (lba..lba + sectors).contains(&bad)) {
            return Err(DiskError::Host("damaged sector".into()));
        }
        Ok(range)
    }
}

impl Disk for MemoryDisk {
    fn sectors(&self) -> u64 {
        (self.bytes.len() / SECTOR) as u64
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let range = self.range(lba, into.len())?;
        into.copy_from_slice(&self.bytes[range]);
        Ok(())
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        if self.read_only {
            return Err(DiskError::ReadOnly);
        }
        let range = self.range(lba, from.len())?;
        self.bytes[range].copy_from_slice(from);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn is_read_only(&self) -> bool {
        self.read_only
    }
}

/// A disk that is not to be written to: the tab of a diskette, or an image that several machines read.
pub struct WriteProtected(pub Box<dyn Disk>);

impl Disk for WriteProtected {
    fn sectors(&self) -> u64 {
        self.0.sectors()
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.0.read(lba, into)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_written_and_stays_inside() {
        let mut disk = MemoryDisk::zeroed(4);
        disk.write(3, &[7; SECTOR]).expect("last sector");
        let mut back = [0; SECTOR];
        disk.read(3, &mut back).expect("last sector");
        assert_eq!(back, [7; SECTOR]);
        for lba in [4, u64::MAX / 512, u64::MAX] {
            assert_eq!(disk.read(lba, &mut back), Err(DiskError::OutOfRange { lba, sectors: 4 }));
        }
        assert!(disk.write(3, &[0; 2 * SECTOR]).is_err());
        assert!(
            disk.discard(3, 1).is_ok() && disk.discard(3, 2).is_err() && disk.discard(u64::MAX, 1).is_err()
        );
    }

    #[test]
    fn read_only_and_damaged_media_refuse() {
        let mut disk = MemoryDisk::from_bytes(vec![1; 700]).with_bad_sector(1).read_only();
        assert_eq!(disk.sectors(), 2);
        assert_eq!(disk.write(0, &[0; SECTOR]), Err(DiskError::ReadOnly));
        assert!(disk.read(0, &mut [0; SECTOR]).is_ok());
        assert!(disk.read(0, &mut [0; 2 * SECTOR]).is_err());
    }

    #[test]
    fn a_protected_disk_is_read_but_not_written() {
        let mut disk = WriteProtected(Box::new(MemoryDisk::from_bytes(vec![5; SECTOR])));
        let mut back = [0; SECTOR];
        disk.read(0, &mut back).expect("the only sector");
        assert_eq!((disk.sectors(), disk.is_read_only(), back), (1, true, [5; SECTOR]));
        assert_eq!(disk.write(0, &back), Err(DiskError::ReadOnly));
    }
}
