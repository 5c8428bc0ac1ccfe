//! Diskette formats, and the drives that hold them.

use crate::disk::{Disk, DiskError, SECTOR};

/// A data rate as CCR and DSR select it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    Kbps500,
    Kbps300,
    Kbps250,
    Mbps1,
}

impl Rate {
    /// 82077AA, "Data Rate Select Register": bits 1-0.
    pub(super) fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Kbps500,
            1 => Self::Kbps300,
            2 => Self::Kbps250,
            _ => Self::Mbps1,
        }
    }
}

/// The kinds of diskette drives, as CMOS register 10h numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriveType {
    /// 5.25", 360 KB.
    F360K = 1,
    /// 5.25", 1.2 MB.
    F1200K = 2,
    /// 3.5", 720 KB.
    F720K = 3,
    /// 3.5", 1.44 MB.
    F1440K = 4,
    /// 3.5", 2.88 MB.
    F2880K = 5,
}

impl DriveType {
    /// The drive that takes a diskette image of this many sectors; `None` if no format has room for them.
    pub fn for_image(sectors: u64) -> Option<Self> {
        Format::with_room(sectors).map(|format| format.drive)
    }

    const fn kilobytes(self) -> u16 {
        match self {
            Self::F360K => 360,
            Self::F1200K => 1200,
            Self::F720K => 720,
            Self::F1440K => 1440,
            Self::F2880K => 2880,
        }
    }

    /// The nibble for CMOS register 10h.
    pub const fn cmos(self) -> u8 {
        self as u8
    }

    pub(super) const fn from_cmos(nibble: u8) -> Option<Self> {
        match nibble {
            1 => Some(Self::F360K),
            2 => Some(Self::F1200K),
            3 => Some(Self::F720K),
            4 => Some(Self::F1440K),
            5 => Some(Self::F2880K),
            _ => None,
        }
    }

    /// Whether a diskette of this format can be read in the drive. 3.5" drives take 5.25" formats too: images have no
    /// size, and people keep both.
    fn takes(self, format: &Format) -> bool {
        match self {
            Self::F360K => format.drive == Self::F360K,
            Self::F720K => matches!(format.drive, Self::F360K | Self::F720K),
            Self::F1200K => matches!(format.drive, Self::F360K | Self::F1200K),
            Self::F1440K => format.drive != Self::F2880K,
            Self::F2880K => true,
        }
    }

    /// How far out the head goes: a few cylinders more than are formatted.
    const fn last_track(self) -> u8 {
        match self {
            Self::F360K => 41,
            Self::F1200K | Self::F720K | Self::F1440K | Self::F2880K => 83,
        }
    }
}

/// How a diskette is laid out. All sectors have 512 bytes (N = 2), MFM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) cylinders: u8,
    pub(super) heads: u8,
    pub(super) sectors: u8,
    pub(super) rate: Rate,
    pub(super) drive: DriveType,
}

const fn format(cylinders: u8, heads: u8, sectors: u8, rate: Rate, drive: DriveType) -> Format {
    Format { cylinders, heads, sectors, rate, drive }
}

/// The formats by size: IBM's, the DMF of 1.68 MB and its 82-cylinder cousin.
const FORMATS: [Format; 11] = [
    format(40, 1, 8, Rate::Kbps250, DriveType::F360K),
    format(40, 1, 9, Rate::Kbps250, DriveType::F360K),
    format(40, 2, 8, Rate::Kbps250, DriveType::F360K),
    format(40, 2, 9, Rate::Kbps250, DriveType::F360K),
    format(80, 2, 9, Rate::Kbps250, DriveType::F720K),
    format(80, 2, 15, Rate::Kbps500, DriveType::F1200K),
    format(80, 2, 18, Rate::Kbps500, DriveType::F1440K),
    format(80, 2, 21, Rate::Kbps500, DriveType::F1440K),
    format(82, 2, 21, Rate::Kbps500, DriveType::F1440K),
    format(83, 2, 21, Rate::Kbps500, DriveType::F1440K),
    format(80, 2, 36, Rate::Mbps1, DriveType::F2880K),
];

/// Whether a whole diskette of some format has this many sectors.
pub fn is_whole_diskette(sectors: u64) -> bool {
    Format::of(sectors).is_some()
}

impl Format {
    /// Formats that an image of unusual size is read as: those that every BIOS boots from a 3.5" drive.
    const USUAL: [&'static Self; 2] = [&FORMATS[6], &FORMATS[10]];

    pub(super) fn of(sectors: u64) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.total() == sectors)
    }

    /// The format of this size, or the smallest usual one that holds so many sectors.
    fn with_room(sectors: u64) -> Option<&'static Self> {
        let usual = || Self::USUAL.into_iter().find(|format| (1..=format.total()).contains(&sectors));
        Self::of(sectors).or_else(usual)
    }

    fn total(&self) -> u64 {
        u64::from(self.cylinders) * u64::from(self.heads) * u64::from(self.sectors)
    }

    /// A 40-cylinder diskette turns faster in a 1.2 MB drive, where it needs 300 kbit/s.
    pub(super) fn is_read_at(&self, rate: Rate) -> bool {
        rate == self.rate || (self.drive == DriveType::F360K && rate == Rate::Kbps300)
    }
}

/// Why a diskette was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FloppyError {
    #[error("there is no floppy drive {0}")]
    NoDrive(usize),
    #[error("no diskette has room for {0} sectors of 512 bytes")]
    NoFormat(u64),
    #[error("a diskette of {} KB cannot be read in a drive for {drive} KB", sectors / 2)]
    Unfit { sectors: u64, drive: u16 },
}

/// A diskette in a drive. Where its image ends too early the rest reads as zeros, and it is write-protected: the
/// user's file must not grow.
pub(super) struct Medium {
    disk: Box<dyn Disk>,
    pub(super) format: &'static Format,
}

impl Medium {
    pub(super) fn new(disk: Box<dyn Disk>) -> Result<Self, FloppyError> {
        let sectors = disk.sectors();
        let format = Format::with_room(sectors).ok_or(FloppyError::NoFormat(sectors))?;
        Ok(Self { disk, format })
    }

    pub(super) fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.disk.is_read_only() || self.sectors() < self.format.total()
    }

    /// The sector number, if the format has this track, head and sector (from 1).
    pub(super) fn lba(&self, track: u8, head: u8, sector: u8) -> Option<u64> {
        let f = self.format;
        let exists = track < f.cylinders && head < f.heads && (1..=f.sectors).contains(&sector);
        let before = (u64::from(track) * u64::from(f.heads) + u64::from(head)) * u64::from(f.sectors);
        exists.then(|| before + u64::from(sector) - 1)
    }

    pub(super) fn read(&mut self, lba: u64) -> Result<[u8; SECTOR], DiskError> {
        let mut bytes = [0; SECTOR];
        if lba < self.sectors() {
            self.disk.read(lba, &mut bytes)?;
        }
        Ok(bytes)
    }

    pub(super) fn write(&mut self, lba: u64, bytes: &[u8; SECTOR]) -> Result<(), DiskError> {
        self.disk.write(lba, bytes)
    }

    pub(super) fn give_up(&mut self) {
        self.disk.give_up();
    }

    pub(super) fn into_disk(mut self) -> Box<dyn Disk> {
        self.give_up();
        self.disk
    }
}

/// One drive on the cable.
pub(super) struct Drive {
    pub(super) kind: DriveType,
    pub(super) medium: Option<Medium>,
    /// Where the head stands.
    pub(super) track: u8,
    /// The DSKCHG line: a diskette was taken out, and no step pulse has come since one is in.
    pub(super) changed: bool,
}

impl Drive {
    pub(super) fn empty(kind: DriveType) -> Self {
        Self { kind, medium: None, track: 0, changed: true }
    }

    /// Puts a diskette in; gives back the one that was there.
    pub(super) fn insert(&mut self, medium: Medium) -> Result<Option<Medium>, FloppyError> {
        if !self.kind.takes(medium.format) {
            return Err(FloppyError::Unfit { sectors: medium.sectors(), drive: self.kind.kilobytes() });
        }
        self.changed = true;
        Ok(self.medium.replace(medium))
    }

    /// The cylinder under the head. A 1.2 MB drive has twice as many tracks as a diskette of 40 cylinders, so that
    /// software steps twice.
    pub(super) fn cylinder(&self) -> u8 {
        let wide = |medium: &Medium| medium.format.drive == DriveType::F360K;
        if self.kind == DriveType::F1200K && self.medium.as_ref().is_some_and(wide) {
            self.track / 2
        } else {
            self.track
        }
    }

    /// Step pulses, negative towards track 0.
    pub(super) fn step(&mut self, pulses: i16) {
        let to = i16::from(self.track).saturating_add(pulses).clamp(0, self.kind.last_track().into());
        self.track = u8::try_from(to).unwrap_or(0);
        if pulses != 0 && self.medium.is_some() {
            self.changed = false;
        }
    }
}
