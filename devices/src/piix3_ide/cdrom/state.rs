//! Saved state of the CD-ROM drive, as of version 2 of the function; before version 4 it had no [`Activity::Fetch`]. A
//! disc is not part of it, only its size.

use super::mode_pages::ModePages;
use super::packet::PACKET;
use super::sense::Sense;
use super::tray::{Event, Tray};
use super::{Activity, CdRom};
use crate::piix3_ide::drive::{XFER_MWDMA, XFER_PIO};
use crate::piix3_ide::state::{FrontV2, check};
use emu_core::RestoreError;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::piix3_ide) struct CdRomV2 {
    front: FrontV2,
    /// Size of the disc that is in.
    sectors: Option<u64>,
    open: bool,
    locked: bool,
    event: Event,
    changed: bool,
    activity: Activity,
    ready: bool,
    transfer_mode: u8,
    standby: bool,
    sense: Sense,
    power_on: bool,
    error_recovery: [u8; 8],
    audio_control: [u8; 16],
}

impl From<&CdRom> for CdRomV2 {
    fn from(live: &CdRom) -> Self {
        let CdRom {
            number: _, // given by the board
            tray: Tray { disc, open, locked, event, changed },
            front,
            activity,
            waits: _, // a restored drive asks the disc anew
            ready,
            transfer_mode,
            standby,
            sense,
            power_on,
            pages: ModePages { error_recovery, audio_control },
        } = live;
        Self {
            front: front.into(),
            sectors: disc.as_ref().map(|disc| disc.sectors()),
            open: *open,
            locked: *locked,
            event: *event,
            changed: *changed,
            activity: activity.clone(),
            ready: *ready,
            transfer_mode: *transfer_mode,
            standby: *standby,
            sense: *sense,
            power_on: *power_on,
            error_recovery: *error_recovery,
            audio_control: *audio_control,
        }
    }
}

impl CdRomV2 {
    /// Whether a drive with the disc of `live` can be in this state.
    pub(in crate::piix3_ide) fn check(&self, live: &CdRom) -> Result<(), RestoreError> {
        let sectors = live.tray.disc.as_ref().map(|disc| disc.sectors());
        check(self.sectors == sectors, "piix3_ide: another disc is in the CD-ROM drive")?;
        let mode = self.transfer_mode;
        check(
            XFER_PIO.contains(&mode) || XFER_MWDMA.contains(&mode),
            "piix3_ide: a transfer mode that cannot be set",
        )?;
        let pages = ModePages { error_recovery: self.error_recovery, audio_control: self.audio_control };
        check(pages.are_possible(), "piix3_ide: a mode page that cannot be set")?;
        check(is_possible(&self.activity), "piix3_ide: a packet command that cannot be")
    }

    /// Takes a checked state over.
    pub(in crate::piix3_ide) fn apply(self, live: &mut CdRom) {
        let Self {
            front,
            sectors: _, // checked
            open,
            locked,
            event,
            changed,
            activity,
            ready,
            transfer_mode,
            standby,
            sense,
            power_on,
            error_recovery,
            audio_control,
        } = self;
        live.give_up();
        (live.tray.open, live.tray.locked) = (open, locked);
        (live.tray.event, live.tray.changed) = (event, changed);
        (live.front, live.activity, live.ready) = (front.into(), activity, ready);
        (live.transfer_mode, live.standby) = (transfer_mode, standby);
        (live.sense, live.power_on) = (sense, power_on);
        live.pages = ModePages { error_recovery, audio_control };
    }
}

fn is_possible(activity: &Activity) -> bool {
    match activity {
        Activity::Idle => true,
        Activity::Packet { bytes, dma: _ } => bytes.len() < PACKET && bytes.len().is_multiple_of(2),
        Activity::DataIn { feed, block, limit } => {
            *limit >= 2 && (1..=usize::from(*limit)).contains(block) && feed.is_possible(*block)
        }
        Activity::Identify { feed } => feed.is_possible(1),
        Activity::DataOut { list, len, block, limit } => {
            let left = len.checked_sub(list.len());
            *limit >= 2
                && *len <= usize::from(u16::MAX)
                && (1..=usize::from(*limit)).contains(block)
                && left.is_some_and(|left| *block <= left)
        }
        Activity::DmaIn { feed } => feed.is_possible(0) && feed.left() > 0,
        Activity::DmaOut { list, len } => list.len() < *len && *len <= usize::from(u16::MAX),
        Activity::Fetch { feed, limit } => *limit >= 2 && feed.is_possible(0) && feed.reads_disc(),
    }
}
