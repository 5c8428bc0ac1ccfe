//! What goes into the drives for media that change, at the start and while the PC runs.

use crate::disk_light::DiskLight;
use crate::image::{self, Access, Chosen, Format};
use anyhow::{Context, Result};
use machine::{Disk, Machine, WriteProtected};
use std::path::{Path, PathBuf};

/// A drive whose medium can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bay {
    CdRom,
    /// Drive A.
    Floppy,
}

/// What a person does to a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Insert(Bay, PathBuf),
    Eject(Bay),
}

const DRIVE_A: usize = 0;

impl Change {
    /// Does it. False if the guest has locked the drive and keeps the disc for now: it was told.
    ///
    /// # Errors
    /// The image cannot be used, there is no such drive, or the guest has locked the drive that a disc is for.
    pub fn make(&self, machine: &mut Machine, light: &DiskLight) -> Result<bool> {
        match self {
            Self::Insert(Bay::CdRom, path) => {
                let inserted = machine.insert_cdrom(light.watch(cdrom(path)?));
                inserted.with_context(|| format!("cannot insert {}", path.display()))?;
            }
            Self::Insert(Bay::Floppy, path) => {
                let inserted = machine.insert_floppy(DRIVE_A, light.watch(floppy(&Chosen::new(path))?));
                inserted.with_context(|| format!("cannot insert {}", path.display()))?;
            }
            Self::Eject(Bay::CdRom) => match machine.eject_cdrom() {
                Err(locked) if locked.is_locked() => return Ok(false),
                ejected => drop(ejected?),
            },
            Self::Eject(Bay::Floppy) => drop(machine.eject_floppy(DRIVE_A)),
        }
        Ok(true)
    }
}

/// A CD or DVD: only read, by as many as like.
pub fn cdrom(path: &Path) -> Result<Box<dyn Disk>> {
    let chosen = Chosen { format: Some(Format::Raw), ..Chosen::new(path) };
    Ok(image::open(&chosen, Access::Read)?.disk)
}

/// A diskette; its write-protect tab is the file's permission.
pub fn floppy(chosen: &Chosen) -> Result<Box<dyn Disk>> {
    let protected =
        chosen.path.metadata().is_ok_and(|about| about.is_file() && about.permissions().readonly());
    if chosen.read_only || protected {
        return Ok(Box::new(WriteProtected(image::open(chosen, Access::Read)?.disk)));
    }
    Ok(image::open(chosen, Access::Write)?.disk)
}

#[cfg(test)]
mod tests {
    use super::{Chosen, cdrom, floppy};

    #[test]
    fn a_file_that_is_only_to_be_read_is_a_protected_diskette() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.img");
        std::fs::write(&path, [0; 1024]).unwrap();
        let chosen = Chosen::new(&path);
        assert!(!floppy(&chosen).unwrap().is_read_only());
        let mut permissions = path.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&path, permissions).unwrap();
        let mut protected = floppy(&chosen).unwrap();
        assert!(protected.is_read_only() && protected.write(0, &[0; 512]).is_err());
    }

    #[test]
    fn two_machines_read_one_disc() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.iso");
        std::fs::write(&path, [0; 4096]).unwrap();
        let _first = cdrom(&path).unwrap();
        assert_eq!(cdrom(&path).unwrap().sectors(), 8);
    }
}
