//! The command bytes: 82077AA, "Command Set/Descriptions".

use bitfield_struct::bitfield;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    ReadTrack,
    Specify,
    SenseDriveStatus,
    WriteData,
    ReadData,
    Recalibrate,
    SenseInterruptStatus,
    WriteDeletedData,
    ReadId,
    ReadDeletedData,
    FormatTrack,
    DumpReg,
    Seek,
    Version,
    PerpendicularMode,
    Configure,
    Lock,
    Verify,
    RelativeSeek,
    Invalid,
}

/// One row a command: the bits of the first byte that select it, their value, and how many bytes the command has.
const TABLE: [(u8, u8, usize, Command); 19] = [
    (0xBF, 0x02, 9, Command::ReadTrack),
    (0xFF, 0x03, 3, Command::Specify),
    (0xFF, 0x04, 2, Command::SenseDriveStatus),
    (0x3F, 0x05, 9, Command::WriteData),
    (0x1F, 0x06, 9, Command::ReadData),
    (0xFF, 0x07, 2, Command::Recalibrate),
    (0xFF, 0x08, 1, Command::SenseInterruptStatus),
    (0x3F, 0x09, 9, Command::WriteDeletedData),
    (0xBF, 0x0A, 2, Command::ReadId),
    (0x1F, 0x0C, 9, Command::ReadDeletedData),
    (0xBF, 0x0D, 6, Command::FormatTrack),
    (0xFF, 0x0E, 1, Command::DumpReg),
    (0xFF, 0x0F, 3, Command::Seek),
    (0xFF, 0x10, 1, Command::Version),
    (0xFF, 0x12, 2, Command::PerpendicularMode),
    (0xFF, 0x13, 4, Command::Configure),
    (0x7F, 0x14, 1, Command::Lock),
    (0x1F, 0x16, 9, Command::Verify),
    (0xBF, 0x8F, 3, Command::RelativeSeek),
];

impl Command {
    /// The command that a first byte starts, and its length in bytes.
    pub(super) fn decode(first: u8) -> (Self, usize) {
        TABLE
            .iter()
            .find(|(mask, value, ..)| first & mask == *value)
            .map_or((Self::Invalid, 1), |&(_, _, len, command)| (command, len))
    }
}

/// The first byte of the data commands.
#[bitfield(u8)]
pub(super) struct Opcode {
    #[bits(5)]
    __: u8,
    /// SK: pass over sectors with the other address mark.
    pub(super) skip: bool,
    pub(super) mfm: bool,
    /// MT; the direction in RELATIVE SEEK; the lock bit in LOCK.
    pub(super) multi_track: bool,
}

/// The second byte: which drive and head.
#[bitfield(u8)]
pub(super) struct UnitByte {
    #[bits(2)]
    pub(super) drive: u8,
    pub(super) head: bool,
    #[bits(4)]
    __: u8,
    /// EC of VERIFY.
    pub(super) enable_count: bool,
}

/// 82077AA, "Status Register 0" to "3": the bits that this model sets.
pub(super) mod status {
    pub(crate) const ST0_ABNORMAL: u8 = 0x40;
    pub(crate) const ST0_INVALID: u8 = 0x80;
    /// Ready line changed: the four interrupts after a reset.
    pub(crate) const ST0_POLL: u8 = 0xC0;
    pub(crate) const ST0_SEEK_END: u8 = 0x20;
    pub(crate) const ST0_EQUIPMENT_CHECK: u8 = 0x10;
    pub(crate) const ST1_END_OF_CYLINDER: u8 = 0x80;
    pub(crate) const ST1_DATA_ERROR: u8 = 0x20;
    pub(crate) const ST1_NO_DATA: u8 = 0x04;
    pub(crate) const ST1_NOT_WRITABLE: u8 = 0x02;
    pub(crate) const ST1_MISSING_ADDRESS_MARK: u8 = 0x01;
    pub(crate) const ST2_CONTROL_MARK: u8 = 0x40;
    pub(crate) const ST2_DATA_ERROR_IN_DATA: u8 = 0x20;
    pub(crate) const ST2_WRONG_CYLINDER: u8 = 0x10;
    /// Bits 5 and 3 are always 1.
    pub(crate) const ST3: u8 = 0x28;
    pub(crate) const ST3_WRITE_PROTECT: u8 = 0x40;
    pub(crate) const ST3_TRACK_0: u8 = 0x10;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_decode_as_the_datasheet_lists_them() {
        let cases = [
            (0xE6, Command::ReadData, 9),
            (0xC5, Command::WriteData, 9),
            (0x4A, Command::ReadId, 2),
            (0x4D, Command::FormatTrack, 6),
            (0x0F, Command::Seek, 3),
            (0x8F, Command::RelativeSeek, 3),
            (0xCF, Command::RelativeSeek, 3),
            (0x94, Command::Lock, 1),
            (0x14, Command::Lock, 1),
            (0x18, Command::Invalid, 1),
            (0x87, Command::Invalid, 1),
            (0x00, Command::Invalid, 1),
        ];
        for (first, command, len) in cases {
            assert_eq!(Command::decode(first), (command, len), "{first:#x}");
        }
    }

    #[test]
    fn no_first_byte_matches_two_rows() {
        for first in 0..=255u8 {
            assert!(
                TABLE.iter().filter(|(mask, value, ..)| first & mask == *value).count() <= 1,
                "{first:#x}"
            );
        }
    }
}
