//! Why a packet command ended with CHECK CONDITION: SPC-2, "Sense key and sense code definitions", and MMC-3,
//! Annex F.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sense {
    pub(super) key: u8,
    pub(super) code: u8,
    pub(super) qualifier: u8,
}

const fn sense(key: u8, code: u8, qualifier: u8) -> Sense {
    Sense { key, code, qualifier }
}

const NOT_READY: u8 = 2;
const MEDIUM_ERROR: u8 = 3;
const ILLEGAL_REQUEST: u8 = 5;
const UNIT_ATTENTION: u8 = 6;
const ABORTED_COMMAND: u8 = 0xB;

impl Sense {
    pub(super) const NONE: Self = sense(0, 0x00, 0x00);
    pub(super) const NO_DISC: Self = sense(NOT_READY, 0x3A, 0x01);
    pub(super) const TRAY_OPEN: Self = sense(NOT_READY, 0x3A, 0x02);
    pub(super) const UNRECOVERED_READ_ERROR: Self = sense(MEDIUM_ERROR, 0x11, 0x00);
    pub(super) const PARAMETER_LIST_LENGTH: Self = sense(ILLEGAL_REQUEST, 0x1A, 0x00);
    pub(super) const NO_SUCH_COMMAND: Self = sense(ILLEGAL_REQUEST, 0x20, 0x00);
    pub(super) const BLOCK_OUT_OF_RANGE: Self = sense(ILLEGAL_REQUEST, 0x21, 0x00);
    pub(super) const INVALID_FIELD: Self = sense(ILLEGAL_REQUEST, 0x24, 0x00);
    pub(super) const INVALID_PARAMETER: Self = sense(ILLEGAL_REQUEST, 0x26, 0x00);
    pub(super) const INCOMPATIBLE_MEDIUM: Self = sense(ILLEGAL_REQUEST, 0x30, 0x00);
    pub(super) const SAVING_NOT_SUPPORTED: Self = sense(ILLEGAL_REQUEST, 0x39, 0x00);
    pub(super) const REMOVAL_PREVENTED: Self = sense(ILLEGAL_REQUEST, 0x53, 0x02);
    pub(super) const ILLEGAL_MODE_FOR_THIS_TRACK: Self = sense(ILLEGAL_REQUEST, 0x64, 0x00);
    pub(super) const MEDIUM_CHANGED: Self = sense(UNIT_ATTENTION, 0x28, 0x00);
    pub(super) const POWER_ON: Self = sense(UNIT_ATTENTION, 0x29, 0x00);

    /// The Error register: the sense key, and ABRT if the device gave up.
    pub(super) fn error(self) -> u8 {
        let aborted = matches!(self.key, ILLEGAL_REQUEST | ABORTED_COMMAND);
        self.key << 4 | if aborted { super::error::ABRT } else { 0 }
    }

    /// What REQUEST SENSE answers: fixed format, current error.
    pub(super) fn reply(self) -> Vec<u8> {
        let Self { key, code, qualifier } = self;
        vec![0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, qualifier, 0, 0, 0, 0]
    }
}
