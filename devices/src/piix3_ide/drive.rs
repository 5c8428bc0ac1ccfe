//! A device on the cable, as the channel sees it: registers, an interrupt, and data that moves word by word or by the
//! bus master. What the commands mean is the disk's and the CD-ROM drive's own business.

use super::ata_disk::AtaDisk;
use super::cdrom::CdRom;
use super::task_file::TaskFile;
use bitfield_struct::bitfield;
use std::ops::RangeInclusive;

/// SET FEATURES transfer mode values (ATA/ATAPI-6, Table 44).
pub(super) const XFER_PIO: RangeInclusive<u8> = 0x08..=0x0C;
pub(super) const XFER_MWDMA: RangeInclusive<u8> = 0x20..=0x22;

/// The Status register.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub(super) struct Status {
    /// ERR; CHK of a packet device.
    pub(super) err: bool,
    #[bits(2)]
    __: u8,
    pub(super) drq: bool,
    /// Seek complete.
    pub(super) dsc: bool,
    pub(super) df: bool,
    pub(super) drdy: bool,
    pub(super) bsy: bool,
}

/// Bits of the Error register.
pub(super) mod error {
    pub(crate) const ABRT: u8 = 0x04;
    pub(crate) const IDNF: u8 = 0x10;
    pub(crate) const UNC: u8 = 0x40;
    /// Diagnostic code "no error detected".
    pub(crate) const PASSED: u8 = 0x01;
}

/// What every device shows the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) regs: TaskFile,
    pub(super) err: bool,
    pub(super) error: u8,
    /// The device wants to interrupt.
    pub(super) interrupt: bool,
}

impl Front {
    pub(super) fn new() -> Self {
        Self { regs: TaskFile::default(), err: false, error: error::PASSED, interrupt: false }
    }

    /// After a reset: the diagnostic has passed.
    pub(super) fn reset(&mut self) {
        (self.err, self.error, self.interrupt) = (false, error::PASSED, false);
    }

    /// A command begins.
    pub(super) fn clear(&mut self) {
        (self.err, self.error, self.interrupt) = (false, 0, false);
    }
}

/// What a device waits for the bus master with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) to_memory: bool,
    /// More than none.
    pub(super) bytes: u64,
}

pub(super) trait AtaDevice {
    fn front(&self) -> &Front;
    fn front_mut(&mut self) -> &mut Front;
    fn status(&self) -> Status;
    /// The RESET- pin: settings go back as well.
    fn hardware_reset(&mut self);
    /// SRST and EXECUTE DEVICE DIAGNOSTIC: the command ends, the diagnostic passes, the signature is shown.
    fn software_reset(&mut self);
    /// Starts a command. EXECUTE DEVICE DIAGNOSTIC concerns both devices and does not come here.
    fn command(&mut self, code: u8);
    /// Whether the command is taken while the device is busy or moves data.
    fn is_taken_when_busy(&self, code: u8) -> bool;
    /// A word from the data register; ones if there is none to read.
    fn read_data(&mut self) -> u16;
    /// A word to the data register.
    fn write_data(&mut self, word: u16);
    /// What the device wants moved by the bus master.
    fn wish(&self) -> Option<Wish>;
    /// The bus master is ready for `bytes` of the wish: calls `memory` with each piece, in order. For data to the
    /// device `memory` fills the piece.
    fn move_dma(&mut self, bytes: u64, memory: &mut dyn FnMut(&mut [u8])) -> Moved;
    /// The medium may be asked again for what it was not ready with.
    fn ready(&mut self);
}

/// What came of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// So many bytes; the medium is not ready with the rest.
    Until(u64),
    /// As much as the bus master was ready for; more is wanted.
    Some,
    /// The command has ended.
    All,
}

/// One of the devices there are.
pub(super) enum Drive {
    Disk(AtaDisk),
    CdRom(CdRom),
}

impl Drive {
    pub(super) fn device(&self) -> &dyn AtaDevice {
        match self {
            Self::Disk(disk) => disk,
            Self::CdRom(cdrom) => cdrom,
        }
    }

    pub(super) fn device_mut(&mut self) -> &mut dyn AtaDevice {
        match self {
            Self::Disk(disk) => disk,
            Self::CdRom(cdrom) => cdrom,
        }
    }
}
