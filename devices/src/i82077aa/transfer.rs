//! The execution phase of the data commands: sector after sector under the head, until terminal count, the end of
//! the cylinder or an error.

use super::command::{Opcode, UnitByte, status};
use super::medium::{Drive, Medium, Rate};
use crate::disk::{DiskError, SECTOR};
use serde::{Deserialize, Serialize};

/// The sector size code of 512 bytes.
const N_512: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Read,
    /// Our media hold no deleted data: every sector carries the other address mark.
    ReadDeleted,
    ReadTrack,
    Write,
    Verify,
    Format,
    ReadId,
}

impl Kind {
    /// Whether the host reads the data.
    pub(super) fn is_to_host(self) -> bool {
        match self {
            Self::Read | Self::ReadDeleted | Self::ReadTrack => true,
            Self::Write | Self::Verify | Self::Format | Self::ReadId => false,
        }
    }

    fn writes_medium(self) -> bool {
        matches!(self, Self::Write | Self::Format)
    }
}

/// How a command ends: ST1 and ST2, and whether the interrupt code is "abnormal termination".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) abnormal: bool,
    pub(super) st1: u8,
    pub(super) st2: u8,
}

impl End {
    const NORMAL: Self = Self { abnormal: false, st1: 0, st2: 0 };

    const fn error(st1: u8, st2: u8) -> Self {
        Self { abnormal: true, st1, st2 }
    }

    pub(super) const MISSING_ADDRESS_MARK: Self = Self::error(status::ST1_MISSING_ADDRESS_MARK, 0);
    const NO_DATA: Self = Self::error(status::ST1_NO_DATA, 0);
    const DAMAGED: Self = Self::error(status::ST1_DATA_ERROR, status::ST2_DATA_ERROR_IN_DATA);
}

/// What happens after a piece of the execution phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The host must move [`Transfer::buffer`].
    Data,
    /// The next sector comes under the head.
    Sector,
    /// The medium calls when it may be asked again.
    NotReady,
    End(End),
}

impl From<End> for Next {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<DiskError> for Next {
    fn from(why: DiskError) -> Self {
        match why {
            DiskError::NotReady => Self::NotReady,
            DiskError::OutOfRange { .. } | DiskError::ReadOnly | DiskError::Host(_) => {
                Self::End(End::DAMAGED)
            }
        }
    }
}

/// A data command in its execution phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transfer {
    pub(super) kind: Kind,
    pub(super) multi_track: bool,
    pub(super) skip: bool,
    pub(super) mfm: bool,
    pub(super) drive: u8,
    pub(super) head: bool,
    pub(super) c: u8,
    pub(super) h: u8,
    pub(super) r: u8,
    pub(super) n: u8,
    pub(super) eot: u8,
    /// Sectors left, for FORMAT TRACK (SC) and VERIFY with EC (DTL).
    pub(super) sectors_left: Option<u8>,
    /// FORMAT TRACK: the data byte.
    pub(super) fill: u8,
    /// Bytes that the host is to take or give; empty while the disk turns. At most a sector.
    pub(super) buffer: Vec<u8>,
    /// How many of them it has.
    pub(super) at: usize,
}

impl Transfer {
    /// A command of nine bytes, all read but the opcode's number.
    pub(super) fn with_address(kind: Kind, bytes: &[u8; 9]) -> Self {
        let [opcode, unit, c, h, r, n, eot, _gpl, dtl] = *bytes;
        let sectors_left = (kind == Kind::Verify && UnitByte::from_bits(unit).enable_count()).then_some(dtl);
        let r = if kind == Kind::ReadTrack { 1 } else { r };
        Self { c, h, r, n, eot, sectors_left, ..Self::on_track(kind, opcode, unit) }
    }

    /// FORMAT TRACK.
    pub(super) fn format(bytes: &[u8; 6]) -> Self {
        let [opcode, unit, n, sectors, _gpl, fill] = *bytes;
        Self { n, fill, sectors_left: Some(sectors), ..Self::on_track(Kind::Format, opcode, unit) }
    }

    /// A command that only names a drive and head: READ ID, and the base of the others.
    pub(super) fn on_track(kind: Kind, opcode: u8, unit: u8) -> Self {
        let (opcode, unit) = (Opcode::from_bits(opcode), UnitByte::from_bits(unit));
        Self {
            kind,
            multi_track: opcode.multi_track(),
            skip: opcode.skip(),
            mfm: opcode.mfm(),
            drive: unit.drive(),
            head: unit.head(),
            c: 0,
            h: 0,
            r: 0,
            n: 0,
            eot: 0,
            sectors_left: None,
            fill: 0,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// Whether the host is to move a byte now.
    pub(super) fn requests_data(&self) -> bool {
        self.at < self.buffer.len()
    }

    /// The next byte for the host.
    pub(super) fn take(&mut self) -> Option<u8> {
        let byte = self.kind.is_to_host().then(|| self.buffer.get(self.at).copied()).flatten()?;
        self.at += 1;
        Some(byte)
    }

    /// The next byte from the host; `None` if none is wanted.
    pub(super) fn put(&mut self, byte: u8) -> Option<()> {
        let at = (!self.kind.is_to_host()).then(|| self.buffer.get_mut(self.at)).flatten()?;
        *at = byte;
        self.at += 1;
        Some(())
    }

    /// The medium that turns under the head at this data rate, and the track the head is on.
    fn under_head<'d>(&self, drive: Option<&'d mut Drive>, rate: Rate) -> Option<(&'d mut Medium, u8)> {
        let drive = drive?;
        let (cylinder, medium) = (drive.cylinder(), drive.medium.as_mut()?);
        let legible = self.mfm && medium.format.is_read_at(rate);
        (legible && medium.lba(cylinder, self.head.into(), 1).is_some()).then_some((medium, cylinder))
    }

    /// The disk has turned to the next sector. `drive` is the addressed one, if it exists and its motor is on.
    pub(super) fn sector(&mut self, drive: Option<&mut Drive>, rate: Rate) -> Next {
        self.try_sector(drive, rate).unwrap_or_else(|other| other)
    }

    fn try_sector(&mut self, drive: Option<&mut Drive>, rate: Rate) -> Result<Next, Next> {
        // The chip would wait for ever for index pulses that do not come; ending is kinder and drivers know it.
        let (medium, track) = self.under_head(drive, rate).ok_or(End::MISSING_ADDRESS_MARK)?;
        if self.kind.writes_medium() && medium.is_read_only() {
            return Err(End::error(status::ST1_NOT_WRITABLE, 0).into());
        }
        match self.kind {
            Kind::ReadId => {
                (self.c, self.h, self.r, self.n) = (track, self.head.into(), 1, N_512);
                Err(End::NORMAL.into())
            }
            Kind::Format if self.sectors_left == Some(0) => Err(End::NORMAL.into()),
            Kind::Format => Ok(self.request(vec![0; 4])),
            Kind::Write => {
                self.find(medium, track)?;
                Ok(self.request(vec![0; SECTOR]))
            }
            Kind::ReadDeleted if self.skip => {
                self.find(medium, track)?;
                Ok(self.advance(false))
            }
            Kind::Read | Kind::ReadDeleted | Kind::ReadTrack => {
                let lba = self.find(medium, track)?;
                let bytes = medium.read(lba)?;
                Ok(self.request(bytes.to_vec()))
            }
            Kind::Verify => {
                let lba = self.find(medium, track)?;
                medium.read(lba)?;
                Ok(self.advance(false))
            }
        }
    }

    fn request(&mut self, buffer: Vec<u8>) -> Next {
        (self.buffer, self.at) = (buffer, 0);
        Next::Data
    }

    /// Looks for the ID field that the command names; READ TRACK takes what comes.
    fn find(&self, medium: &Medium, track: u8) -> Result<u64, End> {
        let here = medium.lba(track, self.head.into(), self.r);
        if self.kind == Kind::ReadTrack {
            return here.ok_or(End::NO_DATA);
        }
        if self.c != track {
            return Err(End::error(status::ST1_NO_DATA, status::ST2_WRONG_CYLINDER));
        }
        here.filter(|_| self.h == u8::from(self.head) && self.n == N_512).ok_or(End::NO_DATA)
    }

    /// The host has moved all of the buffer, or said terminal count. If the medium is not ready with it, it stays.
    pub(super) fn moved(&mut self, drive: Option<&mut Drive>, rate: Rate, terminal_count: bool) -> Next {
        let buffer = std::mem::take(&mut self.buffer);
        let written = match self.kind {
            Kind::Write => self.write_sector(&buffer, drive, rate),
            Kind::Format => self.format_sector(&buffer, drive, rate),
            Kind::Read | Kind::ReadDeleted | Kind::ReadTrack | Kind::Verify | Kind::ReadId => Ok(()),
        };
        self.at = 0;
        match written {
            Ok(()) => self.advance(terminal_count),
            Err(Next::NotReady) => {
                (self.at, self.buffer) = (buffer.len(), buffer);
                Next::NotReady
            }
            Err(other) => other,
        }
    }

    /// Writes a sector; bytes that the host did not give are zero (82077AA, "WRITE DATA").
    fn write_sector(&self, buffer: &[u8], drive: Option<&mut Drive>, rate: Rate) -> Result<(), Next> {
        let (medium, track) = self.under_head(drive, rate).ok_or(End::MISSING_ADDRESS_MARK)?;
        let lba = self.find(medium, track)?;
        let bytes = buffer.try_into().map_err(|_| End::DAMAGED)?;
        Ok(medium.write(lba, bytes)?)
    }

    /// Fills the sector whose ID the host gave. An image has no room for odd IDs: those are lost.
    fn format_sector(&self, id: &[u8], drive: Option<&mut Drive>, rate: Rate) -> Result<(), Next> {
        let (medium, track) = self.under_head(drive, rate).ok_or(End::MISSING_ADDRESS_MARK)?;
        let &[c, h, r, n] = id else { return Ok(()) };
        let ours = c == track && h == u8::from(self.head) && n == N_512;
        match medium.lba(track, self.head.into(), r).filter(|_| ours) {
            Some(lba) => Ok(medium.write(lba, &[self.fill; SECTOR])?),
            None => Ok(()),
        }
    }

    /// Goes on to the next sector, or ends.
    fn advance(&mut self, terminal_count: bool) -> Next {
        if self.kind == Kind::Format {
            return self.count_down(terminal_count);
        }
        let more = self.next_address();
        // 82077AA, "READ DELETED DATA": with SK = 0 a sector with the other mark is the last one.
        let other_mark = self.kind == Kind::ReadDeleted;
        let st2 = if other_mark { status::ST2_CONTROL_MARK } else { 0 };
        if terminal_count || (other_mark && !self.skip) {
            return Next::End(End { st2, ..End::NORMAL });
        }
        if self.sectors_left.is_some() {
            return self.count_down(!more);
        }
        match (more, self.kind) {
            (true, _) => Next::Sector,
            // 82077AA, "VERIFY": without EC the end of the cylinder is the regular end.
            (false, Kind::Verify) => Next::End(End::NORMAL),
            (false, _) => Next::End(End::error(status::ST1_END_OF_CYLINDER, st2)),
        }
    }

    fn count_down(&mut self, last: bool) -> Next {
        let left = self.sectors_left.unwrap_or(0).saturating_sub(1);
        self.sectors_left = Some(left);
        if last || left == 0 { Next::End(End::NORMAL) } else { Next::Sector }
    }

    /// Moves C, H, R on as the table in 82077AA, "Result Phase", says; false at the end of the cylinder.
    fn next_address(&mut self) -> bool {
        if self.r != self.eot {
            self.r = self.r.wrapping_add(1);
            return true;
        }
        self.r = 1;
        let other_side = self.multi_track && !self.head;
        if self.multi_track {
            self.head = !self.head;
            self.h ^= 1;
        }
        if !other_side {
            self.c = self.c.wrapping_add(1);
        }
        other_side
    }
}
