//! The tray: what lies in it, and who may open it.

use super::sector::{DATA, Parts};
use super::sense::Sense;
use crate::disk::{Disk, DiskError, SECTOR};

/// A disc with more blocks than a hundred minutes have is a DVD.
const MOST_CD_BLOCKS: u32 = 100 * 60 * 75;

/// Sectors of a [`Disk`] in one block of a disc.
const SECTORS: u64 = (DATA / SECTOR) as u64;

/// Blocks read from the disc in one go.
const CHUNK: u32 = 64;

/// The MMC-3 profile of a disc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    CdRom = 0x08,
    DvdRom = 0x10,
}

/// What GET EVENT STATUS NOTIFICATION has not told yet (MMC-3, "Media Event").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Event {
    #[default]
    None = 0,
    EjectRequest = 1,
    NewMedia = 2,
    MediaRemoval = 3,
}

/// Why blocks do not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadError {
    /// The disc calls when it may be asked again.
    NotReady,
    Refused(Sense),
}

impl From<Sense> for ReadError {
    fn from(sense: Sense) -> Self {
        Self::Refused(sense)
    }
}

pub(in crate::piix3_ide) struct Tray {
    /// A disc lies in the tray, also while it is open.
    pub(super) disc: Option<Box<dyn Disk>>,
    pub(super) open: bool,
    /// PREVENT ALLOW MEDIUM REMOVAL: the button does nothing.
    pub(super) locked: bool,
    pub(super) event: Event,
    /// Unit attention: another disc may be in.
    pub(super) changed: bool,
}

impl Tray {
    pub(super) fn new(disc: Option<Box<dyn Disk>>) -> Self {
        Self { disc, open: false, locked: false, event: Event::None, changed: false }
    }

    /// The disc that can be read, or why there is none.
    fn readable(&mut self) -> Result<&mut Box<dyn Disk>, Sense> {
        if self.open {
            return Err(Sense::TRAY_OPEN);
        }
        self.disc.as_mut().ok_or(Sense::NO_DISC)
    }

    /// Blocks of the disc that can be read.
    pub(super) fn blocks(&mut self) -> Result<u32, Sense> {
        self.readable().map(|disc| u32::try_from(disc.sectors().div_ceil(SECTORS)).unwrap_or(u32::MAX))
    }

    pub(super) fn profile(&mut self) -> Option<Profile> {
        let blocks = self.blocks().ok()?;
        Some(if blocks > MOST_CD_BLOCKS { Profile::DvdRom } else { Profile::CdRom })
    }

    /// Appends some of the `count` blocks from `lba` on, at least one, and says how many.
    pub(super) fn read(
        &mut self,
        lba: u32,
        count: u32,
        parts: Parts,
        to: &mut Vec<u8>,
    ) -> Result<u32, ReadError> {
        let disc = self.readable()?;
        let blocks = count.min(CHUNK);
        let mut bytes = vec![0; blocks as usize * DATA];
        let start = u64::from(lba) * SECTORS;
        // An image may end within a block: the rest of that is zero.
        let there = disc.sectors().saturating_sub(start).saturating_mul(SECTOR as u64);
        let len = usize::try_from(there).unwrap_or(usize::MAX).min(bytes.len());
        if len == 0 {
            return Err(Sense::UNRECOVERED_READ_ERROR.into());
        }
        match disc.read(start, &mut bytes[..len]) {
            Ok(()) => {}
            Err(DiskError::NotReady) => return Err(ReadError::NotReady),
            Err(_) => return Err(Sense::UNRECOVERED_READ_ERROR.into()),
        }
        for (block, data) in (lba..).zip(bytes.chunks_exact(DATA)) {
            parts.append(block, data, to);
        }
        Ok(blocks)
    }

    /// Nobody will ask again for the blocks that the disc was not ready with.
    pub(super) fn give_up(&mut self) {
        if let Some(disc) = &mut self.disc {
            disc.give_up();
        }
    }

    /// The guest or a person opens it.
    pub(super) fn open(&mut self) {
        if !self.open {
            self.open = true;
            self.event = Event::MediaRemoval;
        }
    }

    pub(super) fn close(&mut self) {
        if self.open {
            self.open = false;
            self.disc_is_in();
        }
    }

    fn disc_is_in(&mut self) {
        if self.disc.is_some() {
            (self.event, self.changed) = (Event::NewMedia, true);
        }
    }

    /// A person takes the disc out, and closes the tray.
    pub(super) fn take_out(&mut self) -> Option<Box<dyn Disk>> {
        let disc = self.disc.take();
        self.open = false;
        if disc.is_some() {
            (self.event, self.changed) = (Event::MediaRemoval, true);
        }
        disc
    }

    /// A person puts a disc in, for the one that was there, and closes the tray.
    pub(super) fn put_in(&mut self, disc: Box<dyn Disk>) {
        self.disc = Some(disc);
        self.open = false;
        self.disc_is_in();
    }
}
