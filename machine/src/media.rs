//! Changing what is in the drives, between two runs.

use crate::machine::Machine;
use crate::pc::sockets;
use devices::disk::{Disk, SECTOR};
use devices::i82077aa::{FloppyError, I82077aa, is_whole_diskette};
use devices::piix3_ide::{CdRomError, Piix3Ide};
use emu_core::{DiskController, HostEvent};

/// Why a medium was not changed. The guest has not noticed anything but, where it says so, a wish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    #[error(transparent)]
    CdRom(#[from] CdRomError),
    #[error(transparent)]
    Floppy(#[from] FloppyError),
}

/// Whether a whole diskette of some format has so many bytes.
pub fn is_diskette(bytes: u64) -> bool {
    let sector = SECTOR as u64;
    bytes.is_multiple_of(sector) && is_whole_diskette(bytes / sector)
}

impl MediaError {
    /// Whether the guest keeps the disc for now, and was told that somebody wants it.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::CdRom(CdRomError::Locked))
    }
}

impl Machine {
    /// A medium for a drive on this controller.
    fn medium(&self, disk: Box<dyn Disk>, controller: DiskController) -> Box<dyn Disk> {
        sockets::medium(disk, controller, self.board.clock().mode(), &self.handle)
    }

    /// Puts a disc into the CD-ROM drive, in place of the one that was there.
    ///
    /// # Errors
    /// The PC has no such drive, or the guest has locked it.
    pub fn insert_cdrom(&mut self, disc: Box<dyn Disk>) -> Result<(), MediaError> {
        let disc = self.medium(disc, DiskController::Ide);
        let inserted = self.board.on_chip(|ide: &mut Piix3Ide, cx| ide.insert_disc(disc, cx));
        Ok(inserted.unwrap_or(Err(CdRomError::NoDrive))?)
    }

    /// Takes the disc out of the CD-ROM drive, if there is one.
    ///
    /// # Errors
    /// The PC has no such drive, or the guest has locked it.
    pub fn eject_cdrom(&mut self) -> Result<Option<Box<dyn Disk>>, MediaError> {
        let ejected = self.board.on_chip(Piix3Ide::eject_disc);
        Ok(ejected.unwrap_or(Err(CdRomError::NoDrive))?)
    }

    /// Puts a diskette into a floppy drive (0 is A); gives back the one that was there.
    ///
    /// # Errors
    /// The PC has no such drive, no format has room for this size, or the drive is not for this format.
    pub fn insert_floppy(
        &mut self,
        drive: usize,
        disk: Box<dyn Disk>,
    ) -> Result<Option<Box<dyn Disk>>, MediaError> {
        let disk = self.medium(disk, DiskController::Floppy);
        let inserted = self.board.on_chip(|floppy: &mut I82077aa, _| floppy.insert(drive, disk));
        self.call_floppy();
        Ok(inserted.unwrap_or(Err(FloppyError::NoDrive(drive)))?)
    }

    /// Takes the diskette out of a floppy drive (0 is A), if there is one.
    pub fn eject_floppy(&mut self, drive: usize) -> Option<Box<dyn Disk>> {
        let ejected = self.board.on_chip(|floppy: &mut I82077aa, _| floppy.eject(drive));
        self.call_floppy();
        ejected.flatten()
    }

    /// A transfer that waited for the diskette that was there ends.
    fn call_floppy(&self) {
        self.handle.post(HostEvent::DiskReady(DiskController::Floppy));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{MachineConfig, test_cpu};
    use crate::{Machine, MachineError, TimeMode};
    use devices::disk::MemoryDisk;

    fn machine(disks: usize, disc: bool) -> Result<Machine, MachineError> {
        let mut config = MachineConfig::new(8 << 20, test_cpu(), TimeMode::Deterministic);
        let kernel = crate::boot::test_image(0x400);
        config.linux = Some(crate::Linux { kernel, ..crate::Linux::default() });
        for slot in config.disks.iter_mut().take(disks) {
            *slot = Some(Box::new(MemoryDisk::zeroed(8)));
        }
        config.cdrom = disc.then(|| Box::new(MemoryDisk::zeroed(16)) as Box<_>);
        Machine::new(config, Box::new(crate::tests::Fake(&[])))
    }

    #[test]
    fn the_cdrom_drive_has_the_place_that_disks_leave() {
        for disks in 0..4 {
            let mut machine = machine(disks, true).expect("a machine");
            assert!(machine.eject_cdrom().expect("a drive").is_some());
            assert!(machine.eject_cdrom().expect("a drive").is_none());
            machine.insert_cdrom(Box::new(MemoryDisk::zeroed(4))).expect("a drive");
        }
        let error = machine(4, true).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("with four hard disks there is no place for a CD-ROM drive"));
        assert!(machine(4, false).expect("a machine").eject_cdrom().is_err());
    }

    #[test]
    fn diskettes_come_and_go() {
        let mut machine = machine(0, false).expect("a machine");
        assert!(machine.eject_floppy(0).is_none());
        assert!(machine.insert_floppy(0, Box::new(MemoryDisk::zeroed(1440))).expect("it fits").is_none());
        let error =
            machine.insert_floppy(0, Box::new(MemoryDisk::zeroed(5760))).err().expect("it does not fit");
        assert_eq!(error.to_string(), "a diskette of 2880 KB cannot be read in a drive for 1440 KB");
        assert_eq!(machine.eject_floppy(0).map(|disk| disk.sectors()), Some(1440));
        assert!(machine.insert_floppy(1, Box::new(MemoryDisk::zeroed(1440))).is_err(), "there is no drive B");
    }
}
