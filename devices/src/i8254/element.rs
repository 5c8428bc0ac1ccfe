//! The counting element (CE) in closed form.

use super::control::Mode;

/// A count that has been loaded, and what has become of it as a function of the clock number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// The clock at which the count was loaded; moved on by the time that GATE has held the count.
    pub(super) start: i64,
    /// Count loaded: 1 to 65 536, or 1 to 10 000 in BCD.
    pub(super) count: u32,
    /// GATE holds the count since this clock (modes 0, 2, 3 and 4).
    pub(super) held: Option<i64>,
    /// Mode 3: the half cycle that began at `start` is the low one.
    pub(super) low_half: bool,
}

impl Element {
    /// Clocks counted since the load.
    fn elapsed(&self, clock: i64) -> u64 {
        u64::try_from(self.held.unwrap_or(clock).wrapping_sub(self.start)).unwrap_or(0)
    }

    /// Lengths of the half cycles of mode 3, the one at `start` first ("Mode 3: Square Wave Mode").
    fn halves(&self) -> (u64, u64) {
        let high = u64::from(self.count.div_ceil(2));
        let low = u64::from(self.count / 2);
        if self.low_half { (low, high) } else { (high, low) }
    }

    /// Mode 3: clocks into the present half cycle, whether it is high, and its length.
    fn half(&self, clock: i64) -> (u64, bool, u64) {
        let (first, second) = self.halves();
        let position = self.elapsed(clock) % (first + second);
        if position < first {
            (position, !self.low_half, first)
        } else {
            (position - first, self.low_half, second)
        }
    }

    /// What the CE holds; a full count shows as `modulus`.
    pub(super) fn value(&self, mode: Mode, modulus: u64, clock: i64) -> u64 {
        let count = u64::from(self.count);
        let elapsed = self.elapsed(clock);
        match mode {
            Mode::RateGenerator => count - elapsed % count,
            // An odd count is loaded less one, and both are decremented by two.
            Mode::SquareWave => (count & !1).saturating_sub(2 * self.half(clock).0),
            Mode::InterruptOnTerminalCount | Mode::OneShot | Mode::SoftwareStrobe | Mode::HardwareStrobe => {
                (count + modulus - elapsed % modulus) % modulus
            }
        }
    }

    pub(super) fn out(&self, mode: Mode, clock: i64) -> bool {
        let count = u64::from(self.count);
        let elapsed = self.elapsed(clock);
        match mode {
            Mode::InterruptOnTerminalCount | Mode::OneShot => elapsed >= count,
            // "If GATE goes low during an output pulse, OUT is set high immediately."
            Mode::RateGenerator => self.held.is_some() || elapsed % count != count - 1,
            Mode::SquareWave => self.held.is_some() || self.half(clock).1,
            Mode::SoftwareStrobe => elapsed != count || self.held.is_some_and(|held| held != clock),
            Mode::HardwareStrobe => elapsed != count,
        }
    }

    /// Clocks until OUT next changes, at least 1; `None` if it will not.
    pub(super) fn until_edge(&self, mode: Mode, clock: i64) -> Option<u64> {
        let count = u64::from(self.count);
        let elapsed = self.elapsed(clock);
        match mode {
            Mode::SoftwareStrobe if self.held == Some(clock) && elapsed == count => Some(1),
            _ if self.held.is_some() => None,
            Mode::InterruptOnTerminalCount | Mode::OneShot => count.checked_sub(elapsed).filter(|&n| n > 0),
            Mode::SoftwareStrobe | Mode::HardwareStrobe => match elapsed {
                e if e < count => Some(count - e),
                e if e == count => Some(1),
                _ => None,
            },
            // A count of 1 is illegal in mode 2 and has no low half in mode 3: OUT does not move.
            Mode::RateGenerator | Mode::SquareWave if count == 1 => None,
            Mode::RateGenerator => match elapsed % count {
                e if e == count - 1 => Some(1),
                e => Some(count - 1 - e),
            },
            Mode::SquareWave => {
                let (position, _, length) = self.half(clock);
                Some(length - position)
            }
        }
    }

    /// Clocks until the CE takes a new count by itself (modes 2 and 3), at least 1, and whether the half cycle
    /// that begins then is low.
    pub(super) fn until_reload(&self, mode: Mode, clock: i64) -> Option<(u64, bool)> {
        match mode {
            Mode::RateGenerator => {
                let count = u64::from(self.count);
                Some((count - self.elapsed(clock) % count, false))
            }
            Mode::SquareWave => {
                let (position, high, length) = self.half(clock);
                // With a count of 1 there is no low half to begin.
                Some((length - position, high && self.count > 1))
            }
            Mode::InterruptOnTerminalCount | Mode::OneShot | Mode::SoftwareStrobe | Mode::HardwareStrobe => {
                None
            }
        }
    }

    /// GATE falls: the count stands still.
    pub(super) fn hold(&mut self, clock: i64) {
        self.held.get_or_insert(clock);
    }

    /// GATE rises in mode 0 or 4: the count goes on where it stood.
    pub(super) fn resume(&mut self, mode: Mode, modulus: u32, clock: i64) {
        let Some(held) = self.held.take() else { return };
        self.start = self.start.wrapping_add(clock.wrapping_sub(held));
        // The strobe of mode 4 comes once: if it is over, count from one wrap further on.
        let over = held != clock && self.elapsed(clock) == u64::from(self.count);
        if mode == Mode::SoftwareStrobe && over {
            self.start = self.start.wrapping_sub(i64::from(modulus));
        }
    }
}
