//! A disk image that is only read: what a guest writes is kept apart and forgotten at the end.

use super::spill::{PIECE, Pieces};
use super::{Access, Chosen, ImageError, host, offset};
use machine::{Disk, DiskError};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// An image under several overlays.
#[derive(Clone)]
pub struct Image(Arc<Mutex<Box<dyn Disk>>>);

/// One guest's view of an [`Image`].
pub struct Overlay {
    image: Image,
    changes: Arc<Mutex<Pieces>>,
}

/// What goes wrong below an overlay.
struct Below(DiskError);

impl From<io::Error> for Below {
    fn from(error: io::Error) -> Self {
        Self(host(error))
    }
}

impl Image {
    /// # Errors
    /// Not a readable image, or a machine is writing to it.
    pub fn open(chosen: &Chosen) -> Result<Self, ImageError> {
        let opened = super::open(chosen, Access::Read)?;
        Ok(Self(Arc::new(Mutex::new(opened.disk))))
    }

    /// The image as it is.
    pub fn overlay(&self) -> Overlay {
        Overlay { image: self.clone(), changes: Arc::default() }
    }

    fn with<R>(&self, f: impl FnOnce(&mut dyn Disk) -> R) -> R {
        f(self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
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

    fn with<R>(&self, f: impl FnOnce(&mut Pieces) -> R) -> R {
        f(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Image {
    /// What the image holds in a piece; zeros beyond its end.
    fn piece(&self, number: u64, into: &mut [u8]) -> Result<(), Below> {
        let sectors_of_piece = (PIECE / super::SECTOR_LEN) as u64;
        self.with(|disk| {
            let lba = number * sectors_of_piece;
            let left = usize::try_from(disk.sectors().saturating_sub(lba)).unwrap_or(usize::MAX);
            let len = into.len().min(left.saturating_mul(super::SECTOR_LEN));
            disk.read(lba, &mut into[..len]).map_err(Below)
        })
    }
}

/// The piece in which a byte lies, and where in it.
fn split(at: u64) -> (u64, usize) {
    let piece = PIECE as u64;
    (at / piece, usize::try_from(at % piece).unwrap_or(0))
}

impl Disk for Overlay {
    fn sectors(&self) -> u64 {
        self.image.with(|disk| disk.sectors())
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let mut at = offset(lba, into.len(), self.sectors())?;
        self.image.with(|disk| disk.read(lba, into))?;
        let mut rest = into;
        while !rest.is_empty() {
            let (number, inside) = split(at);
            let (now, later) = rest.split_at_mut(rest.len().min(PIECE - inside));
            self.with(|changes| changes.read(number, inside, now)).map_err(host)?;
            at += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        let mut at = offset(lba, from.len(), self.sectors())?;
        let mut rest = from;
        while !rest.is_empty() {
            let (number, inside) = split(at);
            let (now, later) = rest.split_at(rest.len().min(PIECE - inside));
            let under = |content: &mut [u8]| self.image.piece(number, content);
            self.with(|changes| changes.write(number, inside, now, under)).map_err(|Below(error)| error)?;
            at += now.len() as u64;
            rest = later;
        }
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
    fn writes_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        // The last piece is not a whole one.
        let bytes = vec![1; PIECE + 1024];
        std::fs::write(&path, &bytes).unwrap();
        let image = Image::open(&Chosen::new(&path)).unwrap();
        let (mut one, mut other) = (image.overlay(), image.overlay());
        let last = one.sectors() - 1;
        // Across the border of two pieces.
        one.write(127, &[7; 1024]).unwrap();
        let mut copy = one.copy();
        one.write(last, &[8; 512]).unwrap();
        let read = |disk: &mut Overlay| {
            let mut read = vec![0; bytes.len()];
            disk.read(0, &mut read).unwrap();
            [read[0], read[PIECE - 1], read[PIECE], read[PIECE + 1023]]
        };
        assert_eq!([read(&mut one), read(&mut other), read(&mut copy)], [[1, 7, 7, 8], [1; 4], [1, 7, 7, 1]]);
        assert_eq!(read(&mut one.shared()), [1, 7, 7, 8]);
        assert!(one.write(last, &[0; 1024]).is_err() && one.write(u64::MAX, &[0; 512]).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}
