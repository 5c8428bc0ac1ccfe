//! The local APIC timer, in closed form: nothing counts, every value is computed from guest time.
//!
//! Intel SDM Vol. 3A 11.5.4. The bus clock is 1 GHz ([`Tick::TSC`]).

use super::registers::TimerMode;
use emu_core::Tick;
use serde::{Deserialize, Serialize};

/// The count was `from` at `since`, and goes down by one every [`Timer::unit`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timer {
    /// Divide configuration register: bits 3, 1 and 0.
    pub(super) divide: u8,
    pub(super) initial: u32,
    pub(super) from: u32,
    pub(super) since: Tick,
    /// IA32_TSC_DEADLINE; 0 is disarmed.
    pub(super) deadline: u64,
}

impl Timer {
    pub(super) const DIVIDE_WRITABLE: u32 = 0b1011;

    /// One step of the count.
    fn unit(&self) -> Tick {
        // Intel SDM Vol. 3A figure 11-10: 000b divides by 2, ..., 110b by 128, 111b by 1.
        let code = (self.divide & 3) | (self.divide >> 1 & 4);
        Tick::TSC.times(1 << ((code + 1) & 7))
    }

    pub(super) fn current(&self, mode: TimerMode, now: Tick) -> u32 {
        let elapsed = now.saturating_sub(self.since).periods(self.unit());
        let from = u64::from(self.from);
        let count = match mode {
            TimerMode::TscDeadline | TimerMode::Reserved => 0,
            TimerMode::OneShot | TimerMode::Periodic if from == 0 => 0,
            TimerMode::OneShot | TimerMode::Periodic if elapsed < from => from - elapsed,
            TimerMode::Periodic if self.initial != 0 => {
                u64::from(self.initial) - (elapsed - from) % u64::from(self.initial)
            }
            TimerMode::OneShot | TimerMode::Periodic => 0,
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Starts counting from `initial`; zero stops.
    pub(super) fn start(&mut self, initial: u32, now: Tick) {
        self.initial = initial;
        self.from = initial;
        self.since = now;
    }

    /// Changes the divider; the count goes on from where it is.
    pub(super) fn set_divide(&mut self, divide: u8, mode: TimerMode, now: Tick) {
        self.from = self.current(mode, now);
        self.since = now;
        self.divide = divide;
    }

    /// Changes the mode; the count goes on, except to and from TSC-deadline mode, which disarms the timer.
    /// Intel SDM Vol. 3A 11.5.4.1.
    pub(super) fn set_mode(&mut self, old: TimerMode, new: TimerMode, now: Tick) {
        if old == new {
            return;
        }
        let counts = |mode| matches!(mode, TimerMode::OneShot | TimerMode::Periodic);
        if counts(old) && counts(new) {
            self.from = self.current(old, now);
            self.since = now;
        } else {
            self.start(0, now);
            self.deadline = 0;
        }
    }

    /// The first expiry later than `now`, if there is one.
    pub(super) fn next_expiry(&self, mode: TimerMode, now: Tick) -> Option<Tick> {
        match mode {
            TimerMode::Reserved => None,
            TimerMode::TscDeadline => self.deadline_tick().filter(|at| *at > now),
            TimerMode::OneShot | TimerMode::Periodic if self.from == 0 => None,
            TimerMode::OneShot | TimerMode::Periodic => {
                let first = self.since + self.unit().times(self.from.into());
                if first > now {
                    return Some(first);
                }
                let repeats = mode == TimerMode::Periodic && self.initial != 0;
                repeats.then(|| {
                    let period = self.unit().times(self.initial.into());
                    first + period.times((now - first).periods(period).saturating_add(1))
                })
            }
        }
    }

    /// When the deadline in IA32_TSC_DEADLINE is reached.
    pub(super) fn deadline_tick(&self) -> Option<Tick> {
        (self.deadline != 0).then(|| Tick::TSC.times(self.deadline))
    }

    /// IA32_TSC_DEADLINE as software reads it: zero once the deadline has passed.
    pub(super) fn deadline_msr(&self, now: Tick) -> u64 {
        if self.deadline_tick().is_some_and(|at| at > now) { self.deadline } else { 0 }
    }
}
