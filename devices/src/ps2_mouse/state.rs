//! Saved state of the mouse, part of the 8042's.

use super::{Expect, MOVEMENT, Mouse, PACKET, RATES, REPLIES, WHEEL_ID};
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

impl Mouse {
    pub(crate) fn save(&self) -> MouseV1 {
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
            clicked,
            dx,
            dy,
            dz,
            next_sample,
            replies,
            packet,
            last_sent,
        } = self;
        MouseV1 {
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
            clicked: *clicked,
            dx: *dx,
            dy: *dy,
            dz: *dz,
            next_sample: *next_sample,
            replies: replies.iter().copied().collect(),
            packet: packet.iter().copied().collect(),
            last_sent: *last_sent,
        }
    }

    pub(crate) fn restored(state: MouseV1) -> Result<Self, RestoreError> {
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
        if replies.len() > REPLIES || packet.len() > PACKET {
            return Err(RestoreError::Value("more bytes than the mouse has room for"));
        }
        if [dx, dy, dz].iter().any(|n| !(-MOVEMENT..=MOVEMENT).contains(n)) {
            return Err(RestoreError::Value("mouse movement"));
        }
        if resolution > 3 || !RATES.contains(&rate) || ![0, WHEEL_ID].contains(&id) || buttons > 7 {
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
            clicked,
            dx,
            dy,
            dz,
            next_sample,
            replies: replies.into(),
            packet: packet.into(),
            last_sent,
        })
    }
}
