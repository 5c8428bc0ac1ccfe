//! The command packets: SFF-8020i and MMC-3. Twelve bytes, the first is the operation code.

use super::sector::Parts;

/// Bytes of a command packet.
pub(super) const PACKET: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    TestUnitReady,
    RequestSense,
    Inquiry,
    StartStopUnit,
    PreventAllow,
    ReadCapacity,
    Read10,
    Read12,
    ReadCd,
    ReadCdMsf,
    Seek,
    ReadSubChannel,
    ReadToc,
    GetConfiguration,
    GetEventStatus,
    ReadDiscInformation,
    ReadTrackInformation,
    ReadDvdStructure,
    ModeSelect,
    ModeSense,
    MechanismStatus,
    SetCdSpeed,
    StopPlayScan,
}

/// What must be before a command is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// It is carried out even while the drive has a unit attention to tell of.
    Nothing,
    /// The unit attention was told.
    Attention,
    /// That, and a disc is in.
    Disc,
}

/// One row a command.
const TABLE: [(u8, Command, Needs); 23] = [
    (0x00, Command::TestUnitReady, Needs::Disc),
    (0x03, Command::RequestSense, Needs::Nothing),
    (0x12, Command::Inquiry, Needs::Nothing),
    (0x1B, Command::StartStopUnit, Needs::Attention),
    (0x1E, Command::PreventAllow, Needs::Attention),
    (0x25, Command::ReadCapacity, Needs::Disc),
    (0x28, Command::Read10, Needs::Disc),
    (0x2B, Command::Seek, Needs::Disc),
    (0x42, Command::ReadSubChannel, Needs::Disc),
    (0x43, Command::ReadToc, Needs::Disc),
    (0x46, Command::GetConfiguration, Needs::Nothing),
    (0x4A, Command::GetEventStatus, Needs::Nothing),
    (0x4E, Command::StopPlayScan, Needs::Disc),
    (0x51, Command::ReadDiscInformation, Needs::Disc),
    (0x52, Command::ReadTrackInformation, Needs::Disc),
    (0x55, Command::ModeSelect, Needs::Attention),
    (0x5A, Command::ModeSense, Needs::Attention),
    (0xA8, Command::Read12, Needs::Disc),
    (0xAD, Command::ReadDvdStructure, Needs::Disc),
    (0xB9, Command::ReadCdMsf, Needs::Disc),
    (0xBB, Command::SetCdSpeed, Needs::Attention),
    (0xBD, Command::MechanismStatus, Needs::Attention),
    (0xBE, Command::ReadCd, Needs::Disc),
];

/// A command packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet(pub(super) [u8; PACKET]);

impl Packet {
    pub(super) fn command(&self) -> Option<(Command, Needs)> {
        let row = TABLE.iter().find(|(code, ..)| *code == self.0[0])?;
        Some((row.1, row.2))
    }

    pub(super) fn is_request_sense(&self) -> bool {
        self.command().is_some_and(|(command, _)| command == Command::RequestSense)
    }

    pub(super) fn byte(&self, at: usize) -> u8 {
        self.0[at]
    }

    pub(super) fn bit(&self, at: usize, bit: u8) -> bool {
        self.0[at] & (1 << bit) != 0
    }

    /// Big-endian, like all numbers of SCSI.
    pub(super) fn u16(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    pub(super) fn u24(&self, at: usize) -> u32 {
        u32::from_be_bytes([0, self.0[at], self.0[at + 1], self.0[at + 2]])
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    /// The address in minutes, seconds and frames at `at`, as a block; `None` if there is none.
    pub(super) fn msf(&self, at: usize) -> Option<u32> {
        let [m, s, f] = [self.0[at], self.0[at + 1], self.0[at + 2]].map(u32::from);
        ((m * 60 + s) * 75 + f).checked_sub(PREGAP)
    }

    /// READ CD: which parts of a sector the host wants.
    pub(super) fn parts(&self) -> Parts {
        Parts::from_bits(self.0[9] & Parts::ALL)
    }
}

/// The two seconds before block 0 (ECMA-130, 20).
const PREGAP: u32 = 150;

/// A block as an address: four bytes, in minutes, seconds and frames or as a number.
pub(super) fn address(block: u32, msf: bool) -> [u8; 4] {
    if !msf {
        return block.to_be_bytes();
    }
    let [m, s, f] = minutes(block);
    [0, m, s, f]
}

/// Minutes, seconds, frames; a DVD has more minutes than fit.
pub(super) fn minutes(block: u32) -> [u8; 3] {
    let frames = block.saturating_add(PREGAP);
    let low = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
    [low(frames / 75 / 60), low(frames / 75 % 60), low(frames % 75)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_each_command_has_one() {
        assert!(TABLE.windows(2).all(|two| two[0].0 < two[1].0));
        for (n, (_, command, _)) in TABLE.iter().enumerate() {
            assert!(TABLE[..n].iter().all(|(_, other, _)| other != command), "{command:?}");
        }
    }

    #[test]
    fn minutes_begin_after_two_seconds() {
        assert_eq!((minutes(0), minutes(4350)), ([0, 2, 0], [1, 0, 0]));
        let packet = |m, s, f| Packet([0xB9, 0, 0, m, s, f, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            (packet(0, 2, 0).msf(3), packet(1, 0, 0).msf(3), packet(0, 1, 74).msf(3)),
            (Some(0), Some(4350), None)
        );
    }
}
