//! The main counter and its comparators, in closed form: nothing counts, matches are computed from guest
//! time.

use super::{PERIOD, ROUTES};
use bitfield_struct::bitfield;
use emu_core::Tick;
use serde::{Deserialize, Serialize};

/// The shortest period that is served one by one: 1 us.
const SHORTEST: u64 = 100;

/// The main counter: `base` at `since`, and from there one count every [`PERIOD`] while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    base: u64,
    since: Tick,
    runs: bool,
}

impl Counter {
    pub(super) fn value(&self, now: Tick) -> u64 {
        let counts = if self.runs { now.saturating_sub(self.since).periods(PERIOD) } else { 0 };
        self.base.wrapping_add(counts)
    }

    pub(super) fn set(&mut self, value: u64, now: Tick) {
        self.base = value;
        self.since = now;
    }

    pub(super) fn run(&mut self, runs: bool, now: Tick) {
        if runs != self.runs {
            self.set(self.value(now), now);
            self.runs = runs;
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.runs
    }

    /// When the count will have gone on by `counts`; `None` beyond the end of time.
    fn reaches(&self, now: Tick, counts: u64) -> Option<Tick> {
        let done = now.saturating_sub(self.since).periods(PERIOD);
        let at = self.since + PERIOD.times(done.checked_add(counts)?);
        (at != Tick::NEVER).then_some(at)
    }
}

/// Timer configuration register. Specification 2.3.8.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub(super) struct TimerConfig {
    __: bool,
    pub level: bool,
    pub interrupts: bool,
    pub periodic: bool,
    #[bits(2)]
    __: u8,
    pub sets_value: bool,
    __: bool,
    pub is_32_bit: bool,
    #[bits(5)]
    pub route: u8,
    #[bits(50)]
    __: u64,
}

impl TimerConfig {
    pub(super) const WRITABLE: u64 = 0x3F4E;
}

/// One timer of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparator {
    pub(super) config: TimerConfig,
    pub(super) comparator: u64,
    pub(super) period: u64,
    /// When the comparator matches next.
    pub(super) next_match: Option<Tick>,
    /// The deadline now armed; only a match that would be seen is.
    pub(super) armed: Option<Tick>,
    /// The level of an edge-triggered output.
    pub(super) edge_high: bool,
}

impl Comparator {
    /// Specification 2.3.9: the comparators come up all ones.
    pub(super) const RESET: Self = Self {
        config: TimerConfig::new(),
        comparator: u64::MAX,
        period: 0,
        next_match: None,
        armed: None,
        edge_high: false,
    };

    /// The configuration register with its capability bits: periodic, 64 bits, and the possible routes.
    pub(super) fn configuration(&self) -> u64 {
        self.config.into_bits() | 0x30 | u64::from(ROUTES) << 32
    }

    pub(super) fn configure(&mut self, value: u64) {
        let mut new = TimerConfig::from_bits(value & TimerConfig::WRITABLE);
        if ROUTES >> new.route() & 1 == 0 {
            // Specification 2.3.8: software reads back that the route was not taken.
            new.set_route(self.config.route());
        }
        self.config = new;
        self.edge_high &= new.interrupts() && !new.level();
        self.comparator &= self.modulus_mask();
        self.period &= self.modulus_mask();
    }

    /// Specification 2.3.9: in periodic mode a write sets the period, and with Tn_VAL_SET_CNF the next match
    /// too.
    pub(super) fn write_comparator(&mut self, value: u64, mask: u64) {
        let mask = mask & self.modulus_mask();
        if !self.config.periodic() || self.config.sets_value() {
            self.comparator = self.comparator & !mask | value & mask;
        }
        if self.config.periodic() {
            self.period = self.period & !mask | value & mask;
        }
        self.config.set_sets_value(false);
    }

    /// The bits that are compared.
    pub(super) fn modulus_mask(&self) -> u64 {
        if self.config.is_32_bit() { u32::MAX.into() } else { u64::MAX }
    }

    /// Moves a periodic comparator beyond `count`, which has reached it.
    pub(super) fn pass(&mut self, count: u64) {
        if !self.config.periodic() || self.period == 0 {
            return;
        }
        let step = self.period.saturating_mul(SHORTEST.div_ceil(self.period)).min(self.modulus_mask());
        let elapsed = count.wrapping_sub(self.comparator) & self.modulus_mask();
        let by = (elapsed / step).wrapping_add(1).wrapping_mul(step);
        self.comparator = self.comparator.wrapping_add(by) & self.modulus_mask();
    }

    /// Computes the next match, later than now.
    pub(super) fn schedule(&mut self, counter: &Counter, now: Tick) {
        let distance = self.comparator.wrapping_sub(counter.value(now)) & self.modulus_mask();
        let counts = match distance {
            0 => self.modulus_mask().checked_add(1),
            _ => Some(distance),
        };
        self.next_match =
            counts.filter(|_| counter.is_running()).and_then(|counts| counter.reaches(now, counts));
    }
}
