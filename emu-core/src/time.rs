//! Guest time in units of 1/63 ns.
//!
//! In this unit the periods of all classic PC clocks are whole numbers, so nobody adds up a rounded period:
//! 1 ns = 63, the 14.31818 MHz crystal = 4400, the 8254 (crystal / 12) = 52 800, the ACPI PM timer
//! (crystal / 4) = 17 600, PCI at 33 1/3 MHz = 1890, ISA at 8 1/3 MHz = 7560.

use serde::{Deserialize, Serialize};
use std::ops::{Add, AddAssign, Sub};

/// A point in guest time, or a span of it, in units of 1/63 ns since power-on. A `u64` holds 9.3 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tick(pub u64);

impl Tick {
    pub const ZERO: Self = Self(0);
    /// "Never": later than any deadline.
    pub const NEVER: Self = Self(u64::MAX);
    pub const NANOSECOND: Self = Self(63);
    pub const MICROSECOND: Self = Self(63_000);
    pub const MILLISECOND: Self = Self(63_000_000);
    pub const SECOND: Self = Self(63_000_000_000);
    /// One period of the 14.31818 MHz crystal.
    pub const CRYSTAL: Self = Self(4_400);
    /// One period of the 8254's 1.193182 MHz input.
    pub const PIT: Self = Self(52_800);
    /// One period of the 3.579545 MHz ACPI PM timer.
    pub const PM_TIMER: Self = Self(17_600);
    /// One period of the 1 GHz time-stamp counter and of the LAPIC timer's bus clock.
    pub const TSC: Self = Self::NANOSECOND;

    /// The span of `n` nanoseconds; saturates after 9.3 years.
    pub const fn from_nanos(n: u64) -> Self {
        Self(n.saturating_mul(63))
    }

    /// Whole nanoseconds in this span, rounded down.
    pub const fn as_nanos(self) -> u64 {
        self.0 / 63
    }

    /// `n` periods of `self`; saturates.
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }

    /// How many whole periods of `period` fit into this span. `period` is one of the constants above, never zero.
    pub const fn periods(self, period: Self) -> u64 {
        self.0 / period.0
    }

    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Tick {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Tick {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Tick {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::Tick;

    #[test]
    fn pc_clocks_are_whole_numbers_of_ticks() {
        assert_eq!(Tick::CRYSTAL.times(12), Tick::PIT);
        assert_eq!(Tick::CRYSTAL.times(4), Tick::PM_TIMER);
        // 14.31818 MHz is 315/22 MHz: 315 000 000 / 22 periods in one second.
        assert_eq!(Tick::CRYSTAL.times(315_000_000), Tick::SECOND.times(22));
    }
}
