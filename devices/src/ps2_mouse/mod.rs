//! PS/2 mouse with wheel and five buttons, as the 8042 sees it at the end of its cable.
//!
//! Follows IBM PS/2 Hardware Interface Technical Reference, "Auxiliary Device (Mouse)", and Microsoft, "Compatibility
//! of Type 2 Pointing Devices with MS IntelliMouse": the sample rates 200, 100, 80 in a row turn the wheel on (identity
//! 3), then 200, 200, 80 the fourth and fifth button (identity 4). Movement comes in screen directions (y grows
//! downward, the wheel is positive away from the user) and goes out in the mouse's. One count is one pixel of the
//! host at every resolution, so that the pointers of host and guest keep step. Movement that a packet has no room
//! for goes into the next one; overflow says that some was lost.

mod state;
#[cfg(test)]
mod tests;

pub(crate) use state::{MouseV1, MouseV2};

use emu_core::Tick;
use std::collections::VecDeque;

/// Room for answers: the longest is ACK and a packet of four.
const REPLIES: usize = 16;
/// The longest packet.
const PACKET: usize = 4;
/// Movement that has not been reported yet is kept up to here.
const MOVEMENT: i32 = 0x7FFF;
/// Changes of the buttons that have not been reported yet are kept up to here.
const CLICKS: usize = 16;

const ACK: u8 = 0xFA;
const RESEND: u8 = 0xFE;
const BAT_OK: u8 = 0xAA;
/// The identities: a plain mouse, with a wheel, with a wheel and five buttons.
const PLAIN: u8 = 0;
const WHEEL: u8 = 3;
const FIVE_BUTTONS: u8 = 4;
const IDS: [u8; 3] = [PLAIN, WHEEL, FIVE_BUTTONS];
const RATES: [u8; 7] = [10, 20, 40, 60, 80, 100, 200];

/// The command whose parameter comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Command,
    Resolution,
    Rate,
}

#[derive(Debug)]
pub(crate) struct Mouse {
    expect: Expect,
    remote: bool,
    wrap: bool,
    reporting: bool,
    scaling_2_to_1: bool,
    resolution: u8,
    rate: u8,
    /// The two sample rates set before this one: the knocks for wheel and buttons.
    earlier_rates: [u8; 2],
    id: u8,
    buttons: u8,
    /// What the buttons were after each change since the last packet: a quick click is two packets.
    clicks: VecDeque<u8>,
    dx: i32,
    dy: i32,
    dz: i32,
    /// Movement along x, along y has been lost since the last packet.
    overflow: [bool; 2],
    /// No packet before this time (sample rate).
    next_sample: Tick,
    replies: VecDeque<u8>,
    packet: VecDeque<u8>,
    last_sent: u8,
}

impl Mouse {
    pub(crate) fn new() -> Self {
        Self {
            expect: Expect::Command,
            remote: false,
            wrap: false,
            reporting: false,
            scaling_2_to_1: false,
            resolution: 2,
            rate: 100,
            earlier_rates: [0; 2],
            id: PLAIN,
            buttons: 0,
            clicks: VecDeque::new(),
            dx: 0,
            dy: 0,
            dz: 0,
            overflow: [false; 2],
            next_sample: Tick::ZERO,
            replies: VecDeque::new(),
            packet: VecDeque::new(),
            last_sent: 0,
        }
    }

    fn streams(&self) -> bool {
        self.reporting && !self.remote && !self.wrap
    }

    fn has_moved(&self) -> bool {
        !self.clicks.is_empty() || self.dx != 0 || self.dy != 0 || self.dz != 0
    }

    /// When the mouse has a byte to send, not before `now`.
    pub(crate) fn ready_at(&self, now: Tick) -> Option<Tick> {
        if !self.replies.is_empty() || !self.packet.is_empty() {
            Some(now)
        } else if self.streams() && self.has_moved() {
            Some(self.next_sample.max(now))
        } else {
            None
        }
    }

    /// The next byte to the controller.
    pub(crate) fn take(&mut self, now: Tick) -> Option<u8> {
        if self.replies.is_empty()
            && self.packet.is_empty()
            && self.streams()
            && self.has_moved()
            && self.next_sample <= now
        {
            self.next_sample = now + Tick(Tick::SECOND.0 / u64::from(self.rate.max(1)));
            self.packet = self.make_packet(self.scaling_2_to_1);
        }
        let byte = self.replies.pop_front().or_else(|| self.packet.pop_front())?;
        self.last_sent = byte;
        Some(byte)
    }

    /// The mouse is moved, turned or clicked (bits 0 left, 1 right, 2 middle, 3 fourth, 4 fifth button).
    pub(crate) fn movement(&mut self, dx: i16, dy: i16, wheel: i8, buttons: u8) {
        let buttons = buttons & if self.id == FIVE_BUTTONS { 0x1F } else { 0x07 };
        let clicked = buttons != self.buttons;
        self.buttons = buttons;
        if !self.streams() && !self.remote {
            return;
        }
        if clicked {
            if self.clicks.len() == CLICKS {
                self.clicks.pop_back();
            }
            self.clicks.push_back(buttons);
        }
        self.overflow[0] |= add(&mut self.dx, dx.into());
        self.overflow[1] |= add(&mut self.dy, -i32::from(dy));
        if self.id != PLAIN {
            let _lost = add(&mut self.dz, -i32::from(wheel));
        }
    }

    /// "Data Report": what has been moved, as far as a packet has room for it.
    fn make_packet(&mut self, scaling: bool) -> VecDeque<u8> {
        let limit = if scaling { 127 } else { 255 };
        let x = take_up_to(&mut self.dx, limit);
        let y = take_up_to(&mut self.dy, limit);
        let [x, y] = if scaling { [scale(x), scale(y)] } else { [x, y] };
        let buttons = self.clicks.pop_front().unwrap_or(self.buttons);
        let [x_overflow, y_overflow] = std::mem::take(&mut self.overflow).map(u8::from);
        let signs = u8::from(x < 0) << 4 | u8::from(y < 0) << 5;
        let first = x_overflow << 6 | y_overflow << 7 | signs | 0x08 | buttons & 7;
        let mut packet = VecDeque::from([first, x.to_le_bytes()[0], y.to_le_bytes()[0]]);
        match self.id {
            WHEEL => packet.push_back(take_up_to(&mut self.dz, 7).to_le_bytes()[0]),
            // "5-Button IntelliMouse Z-Mode": Z in bits 0-3, the buttons in bits 4 and 5.
            FIVE_BUTTONS => {
                let z = take_up_to(&mut self.dz, 7).to_le_bytes()[0];
                packet.push_back(z & 0x0F | buttons >> 3 << 4);
            }
            _ => {}
        }
        packet
    }

    fn reply(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            if self.replies.len() < REPLIES {
                self.replies.push_back(byte);
            }
        }
    }

    /// A byte from the controller.
    pub(crate) fn write(&mut self, byte: u8) {
        // "If the mouse is sending when it gets a command, it stops and discards the report."
        self.packet.clear();
        match std::mem::replace(&mut self.expect, Expect::Command) {
            _ if self.wrap && byte != 0xEC && byte != 0xFF => self.reply([byte]),
            Expect::Command => self.command(byte),
            Expect::Resolution if byte <= 3 => {
                self.resolution = byte;
                self.reply([ACK]);
            }
            Expect::Rate if RATES.contains(&byte) => {
                self.set_rate(byte);
                self.reply([ACK]);
            }
            Expect::Resolution | Expect::Rate if byte >= 0xE6 => self.command(byte),
            Expect::Resolution | Expect::Rate => self.reply([RESEND]),
        }
    }

    fn set_rate(&mut self, rate: u8) {
        match [self.earlier_rates[0], self.earlier_rates[1], rate] {
            [200, 100, 80] if self.id == PLAIN => self.id = WHEEL,
            [200, 200, 80] if self.id == WHEEL => self.id = FIVE_BUTTONS,
            _ => {}
        }
        self.earlier_rates = [self.earlier_rates[1], rate];
        self.rate = rate;
    }

    /// "Mouse Commands".
    fn command(&mut self, byte: u8) {
        match byte {
            0xE6 | 0xE7 => {
                self.scaling_2_to_1 = byte == 0xE7;
                self.reply([ACK]);
            }
            0xE8 => self.acknowledge_and_expect(Expect::Resolution),
            0xE9 => self.reply([ACK, self.status(), self.resolution, self.rate]),
            0xEA | 0xF0 => {
                self.remote = byte == 0xF0;
                self.forget_movement();
                self.reply([ACK]);
            }
            0xEB => {
                self.reply([ACK]);
                let packet = self.make_packet(false);
                self.reply(packet);
            }
            0xEC | 0xEE => {
                self.wrap = byte == 0xEE;
                self.reply([ACK]);
            }
            0xF2 => self.reply([ACK, self.id]),
            0xF3 => self.acknowledge_and_expect(Expect::Rate),
            0xF4 | 0xF5 => {
                self.reporting = byte == 0xF4;
                self.forget_movement();
                self.reply([ACK]);
            }
            0xF6 => {
                self.set_defaults();
                self.reply([ACK]);
            }
            0xFE => self.reply([self.last_sent]),
            0xFF => {
                *self = Self { buttons: self.buttons, ..Self::new() };
                self.reply([ACK, BAT_OK, self.id]);
            }
            _ => self.reply([RESEND]),
        }
    }

    fn acknowledge_and_expect(&mut self, expect: Expect) {
        self.expect = expect;
        self.reply([ACK]);
    }

    fn forget_movement(&mut self) {
        (self.dx, self.dy, self.dz) = (0, 0, 0);
        self.overflow = [false; 2];
        self.clicks.clear();
    }

    /// "Set Default": the identity stays.
    fn set_defaults(&mut self) {
        let replies = std::mem::take(&mut self.replies);
        *self = Self {
            id: self.id,
            buttons: self.buttons,
            earlier_rates: self.earlier_rates,
            last_sent: self.last_sent,
            replies,
            ..Self::new()
        };
    }

    /// "Status Request", byte 1: the buttons are the other way round than in a report.
    fn status(&self) -> u8 {
        let [left, right, middle] = [0, 1, 2].map(|bit| self.buttons >> bit & 1);
        u8::from(self.remote) << 6
            | u8::from(self.reporting) << 5
            | u8::from(self.scaling_2_to_1) << 4
            | left << 2
            | middle << 1
            | right
    }
}

/// Adds to a sum that has a bound; whether some of it was lost.
fn add(sum: &mut i32, n: i32) -> bool {
    let whole = *sum + n;
    *sum = whole.clamp(-MOVEMENT, MOVEMENT);
    *sum != whole
}

/// Takes a part of at most `limit` from a sum.
fn take_up_to(sum: &mut i32, limit: i32) -> i32 {
    let part = (*sum).clamp(-limit, limit);
    *sum -= part;
    part
}

/// "Set Scaling 2:1": the table of input and output counts.
fn scale(n: i32) -> i32 {
    let scaled = match n.abs() {
        0 => 0,
        1 | 2 => 1,
        3 => 3,
        4 => 6,
        5 => 9,
        n => 2 * n,
    };
    scaled * n.signum()
}
