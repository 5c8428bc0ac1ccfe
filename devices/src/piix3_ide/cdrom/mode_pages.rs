//! The mode pages: MMC-3, 5.5 "Mode Select/Sense Parameters", and SFF-8020i, 10.8.6.

use super::sense::Sense;
use super::tray::{Profile, Tray};

/// The header before the pages.
const HEADER: usize = 8;
const ERROR_RECOVERY: u8 = 0x01;
const AUDIO_CONTROL: u8 = 0x0E;
const CAPABILITIES: u8 = 0x2A;
const ALL_PAGES: u8 = 0x3F;

/// Read retries: 1.
const ERROR_RECOVERY_DEFAULT: [u8; 8] = [ERROR_RECOVERY, 6, 0, 1, 0, 0, 0, 0];
/// The parameter and the retry count can be set; an image needs neither.
const ERROR_RECOVERY_MASK: [u8; 8] = [ERROR_RECOVERY, 6, 0xFF, 0xFF, 0, 0, 0, 0];
/// Both ports at full volume.
const AUDIO_CONTROL_DEFAULT: [u8; 16] = [AUDIO_CONTROL, 14, 4, 0, 0, 0, 0, 0, 1, 255, 2, 255, 0, 0, 0, 0];
const AUDIO_CONTROL_MASK: [u8; 16] = [AUDIO_CONTROL, 14, 0, 0, 0, 0, 0, 0, 15, 255, 15, 255, 0, 0, 0, 0];

/// 24 times the speed of an audio CD, in kB/s.
const SPEED: u16 = 4234;

/// Which values MODE SENSE asks for: the PC field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    Current,
    Changeable,
    Default,
}

/// The pages that can be set. Each begins with its code and the length of the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModePages {
    pub(super) error_recovery: [u8; 8],
    pub(super) audio_control: [u8; 16],
}

impl ModePages {
    pub(super) const DEFAULT: Self =
        Self { error_recovery: ERROR_RECOVERY_DEFAULT, audio_control: AUDIO_CONTROL_DEFAULT };

    /// Whether only what can be set differs from the default.
    pub(super) fn are_possible(&self) -> bool {
        let possible = |page: &[u8], default: &[u8], mask: &[u8]| {
            (2..page.len()).all(|n| (page[n] ^ default[n]) & !mask[n] == 0) && page[..2] == default[..2]
        };
        possible(&self.error_recovery, &ERROR_RECOVERY_DEFAULT, &ERROR_RECOVERY_MASK)
            && possible(&self.audio_control, &AUDIO_CONTROL_DEFAULT, &AUDIO_CONTROL_MASK)
    }

    /// The reply to MODE SENSE for a page code with the PC field above it.
    pub(super) fn sense(&self, page: u8, tray: &mut Tray) -> Result<Vec<u8>, Sense> {
        let values = match page >> 6 {
            0 => Values::Current,
            1 => Values::Changeable,
            2 => Values::Default,
            _ => return Err(Sense::SAVING_NOT_SUPPORTED),
        };
        let mut reply = vec![0, 0, medium_type(tray), 0, 0, 0, 0, 0];
        let page = page & ALL_PAGES;
        for code in [ERROR_RECOVERY, AUDIO_CONTROL, CAPABILITIES] {
            if page == code || page == ALL_PAGES {
                reply.extend(self.page(code, values, tray));
            }
        }
        if reply.len() == HEADER {
            return Err(Sense::INVALID_FIELD);
        }
        let len = u16::try_from(reply.len() - 2).unwrap_or(u16::MAX);
        reply[..2].copy_from_slice(&len.to_be_bytes());
        Ok(reply)
    }

    fn page(&self, code: u8, values: Values, tray: &Tray) -> Vec<u8> {
        match (code, values) {
            (ERROR_RECOVERY, Values::Current) => self.error_recovery.to_vec(),
            (ERROR_RECOVERY, Values::Changeable) => ERROR_RECOVERY_MASK.to_vec(),
            (ERROR_RECOVERY, Values::Default) => ERROR_RECOVERY_DEFAULT.to_vec(),
            (AUDIO_CONTROL, Values::Current) => self.audio_control.to_vec(),
            (AUDIO_CONTROL, Values::Changeable) => AUDIO_CONTROL_MASK.to_vec(),
            (AUDIO_CONTROL, Values::Default) => AUDIO_CONTROL_DEFAULT.to_vec(),
            (_, Values::Changeable) => [&[CAPABILITIES, 18][..], &[0; 18]].concat(),
            (_, Values::Current | Values::Default) => capabilities(tray.locked).to_vec(),
        }
    }

    /// MODE SELECT: takes a parameter list over, or nothing of it.
    pub(super) fn select(&mut self, list: &[u8]) -> Result<(), Sense> {
        let mut pages = self.clone();
        if list.is_empty() {
            return Ok(());
        }
        let mut rest = list.get(HEADER..).ok_or(Sense::PARAMETER_LIST_LENGTH)?;
        // No block descriptors.
        if list[6..HEADER] != [0, 0] {
            return Err(Sense::INVALID_PARAMETER);
        }
        while let [code, len, ..] = *rest {
            let (page, after) =
                rest.split_at_checked(usize::from(len) + 2).ok_or(Sense::PARAMETER_LIST_LENGTH)?;
            pages.set(code & ALL_PAGES, page)?;
            rest = after;
        }
        *self = pages;
        Ok(())
    }

    fn set(&mut self, code: u8, page: &[u8]) -> Result<(), Sense> {
        let (current, mask): (&mut [u8], &[u8]) = match code {
            ERROR_RECOVERY => (&mut self.error_recovery, &ERROR_RECOVERY_MASK),
            AUDIO_CONTROL => (&mut self.audio_control, &AUDIO_CONTROL_MASK),
            _ => return Err(Sense::INVALID_PARAMETER),
        };
        if page.len() != current.len() {
            return Err(Sense::INVALID_PARAMETER);
        }
        for ((current, mask), wanted) in current.iter_mut().zip(mask).zip(page).skip(2) {
            *current = (*current & !mask) | (wanted & mask);
        }
        Ok(())
    }
}

/// The CD-ROM Capabilities & Mechanical Status page as SFF-8020i has it: reads CD-R, CD-RW and DVD-ROM; tray, lock and
/// eject; no audio.
fn capabilities(locked: bool) -> [u8; 20] {
    let mut page = [0; 20];
    (page[0], page[1], page[2]) = (CAPABILITIES, 18, 0x0B);
    page[6] = 0x29 | if locked { 0x02 } else { 0 };
    page[8..10].copy_from_slice(&SPEED.to_be_bytes());
    page[12..14].copy_from_slice(&512u16.to_be_bytes()); // kB of buffer
    page[14..16].copy_from_slice(&SPEED.to_be_bytes());
    page
}

/// SFF-8020i, "Medium Type Code".
fn medium_type(tray: &mut Tray) -> u8 {
    match tray.profile() {
        _ if tray.open => 0x71,
        None => 0x70,
        Some(Profile::CdRom) => 0x01,
        // Later drives do not say what they hold here.
        Some(Profile::DvdRom) => 0x00,
    }
}
