//! One counter: control logic, count register and latches around the counting element.

use super::control::{Control, Mode, Rw};
use super::element::Element;

/// A load of the count register into the counting element at a CLK pulse to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// The clock of that pulse; `None` waits for GATE.
    pub(super) at: Option<u64>,
    /// Mode 3: the half cycle that begins then is low.
    pub(super) low_half: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    pub(super) gate: bool,
    pub(super) control: Control,
    /// Count register (CR), and whether a whole count has been written since the control word.
    pub(super) cr: u16,
    pub(super) cr_whole: bool,
    pub(super) load: Option<Load>,
    /// The counting element; `None` while it stands still because no count has been loaded.
    pub(super) element: Option<Element>,
    /// What the CE showed when it stopped.
    pub(super) stopped_at: u16,
    pub(super) null_count: bool,
    /// The next byte of a two-byte count is the second, when written and when read.
    pub(super) write_msb: bool,
    pub(super) read_msb: bool,
    /// Output latch (OL) and status latch.
    pub(super) ol: Option<u16>,
    pub(super) status_latch: Option<u8>,
}

/// Clock numbers stay far below 2^63: guest time is a u64 of Ticks, and a clock is 52 800 of them.
fn signed(clock: u64) -> i64 {
    i64::try_from(clock).unwrap_or(i64::MAX)
}

/// Flips the flag and gives its old value.
fn toggle(flag: &mut bool) -> bool {
    *flag = !*flag;
    !*flag
}

impl Counter {
    pub(super) fn new(gate: bool) -> Self {
        Self {
            gate,
            control: Control::from_bits(0x30),
            cr: 0,
            cr_whole: false,
            load: None,
            element: None,
            stopped_at: 0,
            null_count: false,
            write_msb: false,
            read_msb: false,
            ol: None,
            status_latch: None,
        }
    }

    fn mode(&self) -> Mode {
        self.control.mode()
    }

    pub(super) fn modulus(&self) -> u32 {
        if self.control.bcd() { 10_000 } else { 0x1_0000 }
    }

    /// The count that CR stands for; zero is the largest. A BCD digit above 9 counts as what its bits say.
    fn count(&self) -> u32 {
        let count = if self.control.bcd() {
            [1000, 100, 10, 1]
                .iter()
                .zip([12, 8, 4, 0])
                .map(|(weight, shift)| weight * (u32::from(self.cr) >> shift & 0xF))
                .sum::<u32>()
        } else {
            self.cr.into()
        };
        match count % self.modulus() {
            0 => self.modulus(),
            n => n,
        }
    }

    /// Carries out the load that is due by `clock`.
    pub(super) fn settle(&mut self, clock: u64) {
        let Some(Load { at: Some(at), low_half }) = self.load else { return };
        if at > clock {
            return;
        }
        self.load = None;
        self.null_count = false;
        let mut element = Element { start: signed(at), count: self.count(), held: None, low_half };
        if !self.gate && self.gate_holds() {
            element.hold(signed(at));
        }
        self.element = Some(element);
    }

    /// GATE low stops the count in these modes ("GATE Pin Operations Summary").
    fn gate_holds(&self) -> bool {
        match self.mode() {
            Mode::InterruptOnTerminalCount
            | Mode::RateGenerator
            | Mode::SquareWave
            | Mode::SoftwareStrobe => true,
            Mode::OneShot | Mode::HardwareStrobe => false,
        }
    }

    pub(super) fn out(&self, clock: u64) -> bool {
        match self.element {
            Some(element) => element.out(self.mode(), signed(clock)),
            None => self.mode() != Mode::InterruptOnTerminalCount,
        }
    }

    /// Clocks until OUT changes or a count is loaded, at least 1.
    pub(super) fn until_event(&self, clock: u64) -> Option<u64> {
        let edge = self.element.and_then(|element| element.until_edge(self.mode(), signed(clock)));
        let load = self.load.and_then(|load| load.at).map(|at| at.saturating_sub(clock).max(1));
        match (edge, load) {
            (Some(edge), Some(load)) => Some(edge.min(load)),
            (edge, load) => edge.or(load),
        }
    }

    /// The count as a read of the CE gives it.
    fn value(&self, clock: u64) -> u16 {
        let Some(element) = self.element else { return self.stopped_at };
        let modulus = u64::from(self.modulus());
        let value = element.value(self.mode(), modulus, signed(clock)) % modulus;
        let value = if self.control.bcd() {
            [1000, 100, 10, 1].iter().fold(0, |bcd, weight| (bcd << 4) | (value / weight % 10))
        } else {
            value
        };
        u16::try_from(value).unwrap_or(0)
    }

    /// A control word for this counter: "all Control Logic is immediately reset and OUT goes to a known initial
    /// state; no CLK pulses are required".
    pub(super) fn program(&mut self, control: Control, clock: u64) {
        let stopped_at = self.value(clock);
        *self = Self { control: control.kept(), stopped_at, null_count: true, ..Self::new(self.gate) };
    }

    fn stop(&mut self, clock: u64) {
        self.stopped_at = self.value(clock);
        self.element = None;
        self.load = None;
    }

    pub(super) fn write(&mut self, value: u8, clock: u64) {
        let [low, high] = self.cr.to_le_bytes();
        let msb = match self.control.rw() {
            Rw::Lsb => false,
            Rw::Msb => true,
            Rw::Word | Rw::Latch => toggle(&mut self.write_msb),
        };
        self.cr = u16::from_le_bytes(if msb { [low, value] } else { [value, high] });
        self.null_count = true;
        // "Mode 0: writing the first byte disables counting; OUT is set low immediately."
        if self.mode() == Mode::InterruptOnTerminalCount {
            self.stop(clock);
        }
        if self.write_msb {
            self.cr_whole = false;
        } else {
            self.cr_whole = true;
            self.count_written(clock);
        }
    }

    /// A whole count is in CR: when does the CE take it?
    fn count_written(&mut self, clock: u64) {
        let next = Load { at: Some(clock.saturating_add(1)), low_half: false };
        self.load = match (self.mode(), self.element) {
            (Mode::InterruptOnTerminalCount | Mode::SoftwareStrobe, _) => Some(next),
            // At the next trigger; a load that a trigger has already caused takes the new count.
            (Mode::OneShot | Mode::HardwareStrobe, _) => self.load,
            (Mode::RateGenerator | Mode::SquareWave, None) => Some(next),
            (Mode::RateGenerator | Mode::SquareWave, Some(element)) => self.load.or_else(|| {
                let (clocks, low_half) = element.until_reload(self.mode(), signed(clock))?;
                Some(match element.held {
                    Some(_) => Load { at: None, low_half: false },
                    None => Load { at: Some(clock.saturating_add(clocks)), low_half },
                })
            }),
        };
    }

    pub(super) fn set_gate(&mut self, gate: bool, clock: u64) {
        let rising = gate && !self.gate;
        let falling = !gate && self.gate;
        self.gate = gate;
        if rising {
            self.gate_rises(clock);
        } else if falling && self.gate_holds() {
            self.gate_falls(clock);
        }
    }

    fn gate_falls(&mut self, clock: u64) {
        let Some(element) = &mut self.element else { return };
        element.hold(signed(clock));
        // A reload at the end of the cycle cannot come about now; the trigger brings it.
        if matches!(self.control.mode(), Mode::RateGenerator | Mode::SquareWave) && self.load.is_some() {
            self.load = Some(Load { at: None, low_half: false });
        }
    }

    fn gate_rises(&mut self, clock: u64) {
        match self.mode() {
            Mode::InterruptOnTerminalCount | Mode::SoftwareStrobe => {
                let (mode, modulus) = (self.mode(), self.modulus());
                if let Some(element) = &mut self.element {
                    element.resume(mode, modulus, signed(clock));
                }
            }
            // "A trigger reloads the Counter with the initial count on the next CLK pulse."
            Mode::OneShot | Mode::RateGenerator | Mode::SquareWave | Mode::HardwareStrobe => {
                if self.cr_whole || self.element.is_some() {
                    self.load = Some(Load { at: Some(clock.saturating_add(1)), low_half: false });
                }
            }
        }
    }

    pub(super) fn latch_count(&mut self, clock: u64) {
        // "Subsequent latch commands are ignored until the count is read."
        self.ol = self.ol.or_else(|| Some(self.value(clock)));
    }

    pub(super) fn latch_status(&mut self, clock: u64) {
        let status =
            u8::from(self.out(clock)) << 7 | u8::from(self.null_count) << 6 | self.control.into_bits();
        self.status_latch.get_or_insert(status);
    }

    pub(super) fn read(&mut self, clock: u64) -> u8 {
        // "If both count and status are latched, the first read returns the status."
        if let Some(status) = self.status_latch.take() {
            return status;
        }
        let [low, high] = self.ol.unwrap_or_else(|| self.value(clock)).to_le_bytes();
        let msb = match self.control.rw() {
            Rw::Lsb => false,
            Rw::Msb => true,
            Rw::Word | Rw::Latch => toggle(&mut self.read_msb),
        };
        if !self.read_msb {
            self.ol = None;
        }
        if msb { high } else { low }
    }
}
