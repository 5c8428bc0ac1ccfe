//! Saved state of the mouse, part of the 8042's.

use super::{CLICKS, Expect, IDS, MOVEMENT, Mouse, PACKET, RATES, REPLIES};
use emu_core::{RestoreError, Tick};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct MouseV1 {
    expect: ExpectV1,
    remote: bool,
    wrap: bool,
    reporting: bool,
    scaling_2_to_1: bool,
    resolution: u8,
    rate: u8,
    earlier_rates: [u8; 2],
    id: u8,
    buttons: u8,
    clicked: bool,
    dx: i32,
    dy: i32,
    dz: i32,
    next_sample: Tick,
    replies: Vec<u8>,
    packet: Vec<u8>,
    last_sent: u8,
}

#[derive(Serialize, Deserialize)]
enum ExpectV1 {
    Command,
    Resolution,
    Rate,
}

/// Knows every click, the fourth and fifth button, and whether movement was lost.
#[derive(Serialize, Deserialize)]
pub(crate) struct MouseV2 {
    expect: ExpectV1,
    remote: bool,
    wrap: bool,
    reporting: bool,
    scaling_2_to_1: bool,
    resolution: u8,
    rate: u8,
    earlier_rates: [u8; 2],
    id: u8,
    buttons: u8,
    clicks: Vec<u8>,
    dx: i32,
    dy: i32,
    dz: i32,
    overflow: [bool; 2],
    next_sample: Tick,
    replies: Vec<u8>,
    packet: Vec<u8>,
    last_sent: u8,
}

impl From<MouseV1> for MouseV2 {
    fn from(state: MouseV1) -> Self {
        let MouseV1 {
            expect,
            remote,
            wrap,
            reporting,
            scaling_2_to_1,
            resolution,
            rate,
            earlier_rates,
            id,
            buttons,
            clicked,
            dx,
            dy,
            dz,
            next_sample,
            replies,
            packet,
            last_sent,
        } = state;
        Self {
            expect,
            remote,
            wrap,
            reporting,
            scaling_2_to_1,
            resolution,
            rate,
            earlier_rates,
            id,
            buttons,
            clicks: if clicked { vec![buttons] } else { vec![] },
            dx,
            dy,
            dz,
            overflow: [false; 2],
            next_sample,
            replies,
            packet,
            last_sent,
        }
    }
}

#[cfg(test)]
impl MouseV2 {
    /// What version 1 would have saved.
    pub(crate) fn into_version_1(self, clicked: bool) -> MouseV1 {
        let Self {
            expect,
            remote,
            wrap,
            reporting,
            scaling_2_to_1,
            resolution,
            rate,
            earlier_rates,
            id,
            buttons,
            clicks: _,
            dx,
            dy,
            dz,
            overflow: _,
            next_sample,
            replies,
            packet,
            last_sent,
        } = self;
        MouseV1 {
            expect,
            remote,
            wrap,
            reporting,
            scaling_2_to_1,
            resolution,
            rate,
            earlier_rates,
            id,
            buttons,
            clicked,
            dx,
            dy,
            dz,
            next_sample,
            replies,
            packet,
            last_sent,
        }
    }
}

impl Mouse {
    pub(crate) fn save(&self) -> MouseV2 {
        let Self {
            expect,
            remote,
            wrap,
            reporting,
            scaling_2_to_1,
            resolution,
            rate,
            earlier_rates,
            id,
            buttons,
            clicks,
            dx,
            dy,
            dz,
            overflow,
            next_sample,
            replies,
            packet,
            last_sent,
        } = self;
        MouseV2 {
            expect: match expect {
                Expect::Command => ExpectV1::Command,
                Expect::Resolution => ExpectV1::Resolution,
                Expect::Rate => ExpectV1::Rate,
            },
            remote: *remote,
            wrap: *wrap,
            reporting: *reporting,
            scaling_2_to_1: *scaling_2_to_1,
            resolution: *resolution,
            rate: *rate,
            earlier_rates: *earlier_rates,
            id: *id,
            buttons: *buttons,
            clicks: clicks.iter().copied().collect(),
            dx: *dx,
            dy: *dy,
            dz: *dz,
            overflow: *overflow,
            next_sample: *next_sample,
            replies: replies.iter().copied().collect(),
            packet: packet.iter().copied().collect(),
            last_sent: *last_sent,
        }
    }

    pub(crate) fn restored(state: MouseV2) -> Result<Self, RestoreError> {
        let MouseV2 {
            expect,
            remote,
            wrap,
            reporting,
            scaling_2_to_1,
            resolution,
            rate,
            earlier_rates,
            id,
            buttons,
            clicks,
            dx,
            dy,
            dz,
            overflow,
            next_sample,
            replies,
            packet,
            last_sent,
        } = state;
        if replies.len() > REPLIES || packet.len() > PACKET || clicks.len() > CLICKS {
            return Err(RestoreError::Value("more bytes than the mouse has room for"));
        }
        if [dx, dy, dz].iter().any(|n| !(-MOVEMENT..=MOVEMENT).contains(n)) {
            return Err(RestoreError::Value("mouse movement"));
        }
        if clicks.iter().any(|&buttons| buttons > 0x1F) {
            return Err(RestoreError::Value("mouse buttons"));
        }
        if resolution > 3 || !RATES.contains(&rate) || !IDS.contains(&id) || buttons > 0x1F {
            return Err(RestoreError::Value("mouse setting"));
        }
        Ok(Self {
            expect: match expect {
                ExpectV1::Command => Expect::Command,
                ExpectV1::Resolution => Expect::Resolution,
                ExpectV1::Rate => Expect::Rate,
            },
            remote,
            wrap,
            reporting,
            scaling_2_to_1,
            resolution,
            rate,
            earlier_rates,
            id,
            buttons,
            clicks: clicks.into(),
            dx,
            dy,
            dz,
            overflow,
            next_sample,
            replies: replies.into(),
            packet: packet.into(),
            last_sent,
        })
    }
}
