//! The divider chain and the taps of the periodic interrupt.

use emu_core::Tick;

/// Ticks in 64 crystal periods of 1/32 768 s.
const TICKS_PER_64_PERIODS: u128 = 123_046_875;

/// Whole crystal periods in a span of time.
pub(super) fn crystal_periods(span: Tick) -> u128 {
    u128::from(span.0) * 64 / TICKS_PER_64_PERIODS
}

/// Crystal periods between two periodic interrupts ("Table 5, Periodic Interrupt Rate").
fn period(rs: u8) -> Option<u128> {
    match rs {
        0 => None,
        1 => Some(128),
        2 => Some(256),
        _ => Some(1 << (rs - 1)),
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Divider {
    /// When the chain last started from zero; `None` while it is held in reset.
    pub(super) start: Option<Tick>,
    /// Crystal periods since then up to which periodic interrupts have been accounted for.
    pub(super) seen: u64,
}

impl Divider {
    pub(super) fn started(now: Tick) -> Self {
        Self { start: Some(now), seen: 0 }
    }

    pub(super) fn held() -> Self {
        Self { start: None, seen: 0 }
    }

    fn periods(&self, now: Tick) -> u64 {
        let span = now.saturating_sub(self.start.unwrap_or(now));
        u64::try_from(crystal_periods(span)).unwrap_or(u64::MAX)
    }

    /// Accounts for the time up to `now`: has a periodic interrupt come in it?
    pub(super) fn passed(&mut self, rs: u8, now: Tick) -> bool {
        let before = self.seen;
        self.seen = self.periods(now).max(before);
        period(rs).is_some_and(|period| u128::from(self.seen) / period > u128::from(before) / period)
    }

    /// A new rate applies from now on.
    pub(super) fn skip(&mut self, rs: u8, now: Tick) {
        let _old_rate_ends_here = self.passed(rs, now);
    }

    /// The next periodic interrupt after the time accounted for.
    pub(super) fn next(&self, rs: u8) -> Option<Tick> {
        let period = period(rs)?;
        let periods = (u128::from(self.seen) / period + 1) * period;
        let ticks = (periods * TICKS_PER_64_PERIODS).div_ceil(64);
        Some(self.start? + Tick(u64::try_from(ticks).unwrap_or(u64::MAX)))
    }
}
