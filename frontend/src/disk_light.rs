//! The disk light: counts what the PC does with its disks, for the window to show.

use machine::{Disk, DiskError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One light for all disks of a PC.
#[derive(Clone, Debug, Default)]
pub struct DiskLight(Arc<AtomicU64>);

/// A disk that the light watches.
struct Watched {
    disk: Box<dyn Disk>,
    light: DiskLight,
}

impl DiskLight {
    pub fn watch(&self, disk: Box<dyn Disk>) -> Box<dyn Disk> {
        Box::new(Watched { disk, light: self.clone() })
    }

    /// How often a disk was used so far.
    pub fn uses(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn used(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Disk for Watched {
    fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.light.used();
        self.disk.read(lba, into)
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        self.light.used();
        self.disk.write(lba, from)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.light.used();
        self.disk.flush()
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), DiskError> {
        self.light.used();
        self.disk.discard(lba, sectors)
    }

    fn is_read_only(&self) -> bool {
        self.disk.is_read_only()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Access, Chosen, open};

    #[test]
    fn one_light_shines_for_all_disks_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        std::fs::write(&path, [0; 1024]).unwrap();
        let light = DiskLight::default();
        let mut disk = light.watch(open(&Chosen::new(&path), Access::Write).unwrap().disk);
        std::fs::write(folder.path().join("other.img"), [0; 512]).unwrap();
        let chosen = Chosen { read_only: true, ..Chosen::new(&folder.path().join("other.img")) };
        let mut other = light.watch(open(&chosen, Access::Read).unwrap().disk);
        disk.write(1, &[7; 512]).unwrap();
        let mut sector = [0; 512];
        disk.read(1, &mut sector).unwrap();
        assert_eq!((sector, light.uses(), disk.sectors()), ([7; 512], 2, 2));
        assert!(other.is_read_only() && other.write(0, &sector).is_err());
        disk.flush().unwrap();
        assert!(disk.discard(2, 1).is_err());
        assert_eq!(light.uses(), 5);
    }
}
