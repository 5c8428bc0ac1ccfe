//! The command codes of a disk: ATA/ATAPI-6, 8 "Command descriptions" and Annex B; the retired ones as in ATA-3.

use super::task_file::Addressing::{self, Bits28, Bits48};

/// The one command that both devices of a channel carry out.
pub(super) const EXECUTE_DEVICE_DIAGNOSTIC: u8 = 0x90;

/// How the data of a command moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// PIO, one sector an interrupt.
    Single,
    /// PIO, as many sectors an interrupt as SET MULTIPLE MODE has set.
    Multiple,
    /// Bus-master DMA.
    Dma,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Read(Protocol, Addressing),
    Write(Protocol, Addressing),
    ReadVerify(Addressing),
    Recalibrate,
    Seek,
    InitializeDeviceParameters,
    IdentifyDevice,
    SetFeatures,
    SetMultipleMode,
    FlushCache,
    Standby,
    Idle,
    CheckPowerMode,
    /// ABRT: packet commands, SMART, security and all that is not here.
    Unsupported,
}

impl Command {
    pub(super) fn decode(code: u8) -> Self {
        match code {
            0x10..=0x1F => Self::Recalibrate,
            0x20 | 0x21 => Self::Read(Protocol::Single, Bits28),
            0x24 => Self::Read(Protocol::Single, Bits48),
            0x25 => Self::Read(Protocol::Dma, Bits48),
            0x29 => Self::Read(Protocol::Multiple, Bits48),
            0x30 | 0x31 => Self::Write(Protocol::Single, Bits28),
            0x34 => Self::Write(Protocol::Single, Bits48),
            // WRITE VERIFY: every write is as good as read back.
            0x3C => Self::Write(Protocol::Single, Bits28),
            0x35 => Self::Write(Protocol::Dma, Bits48),
            0x39 => Self::Write(Protocol::Multiple, Bits48),
            0x40 | 0x41 => Self::ReadVerify(Bits28),
            0x42 => Self::ReadVerify(Bits48),
            0x70..=0x7F => Self::Seek,
            0x91 => Self::InitializeDeviceParameters,
            0x94 | 0x96 | 0x99 | 0xE0 | 0xE2 | 0xE6 => Self::Standby,
            0x95 | 0x97 | 0xE1 | 0xE3 => Self::Idle,
            0x98 | 0xE5 => Self::CheckPowerMode,
            0xC4 => Self::Read(Protocol::Multiple, Bits28),
            0xC5 => Self::Write(Protocol::Multiple, Bits28),
            0xC6 => Self::SetMultipleMode,
            0xC8 | 0xC9 => Self::Read(Protocol::Dma, Bits28),
            0xCA | 0xCB => Self::Write(Protocol::Dma, Bits28),
            0xE7 | 0xEA => Self::FlushCache,
            0xEC => Self::IdentifyDevice,
            0xEF => Self::SetFeatures,
            _ => Self::Unsupported,
        }
    }
}
