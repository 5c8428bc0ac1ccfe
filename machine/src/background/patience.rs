//! Whether a disk is worth waiting for.
//!
//! What the host has in its memory is read in the time that it takes to wake a thread: then the guest does best if its
//! CPU waits. What has to come from a medium, or to go to one, takes a thousand times as long. A disk is what it was the
//! last few times.

use std::time::Duration;

/// How long a CPU may wait for any work, and for each KiB moved besides.
const FOR_ANY: Duration = Duration::from_micros(150);
const FOR_KIB: Duration = Duration::from_nanos(500);

/// As often as this a disk has to be fast before it is waited for again.
const MOST: u32 = 16;

/// Work that is done in place after a failure, so that a controller can find out sector by sector how far the disk goes:
/// as many sectors as one command moves (ATA/ATAPI-6, 48-bit addressing).
const AFTER_FAILURE: u32 = 65_536;

/// What was seen of one kind of work of one disk.
#[derive(Debug)]
pub(super) struct Patience {
    /// How often it has yet to be fast.
    slow: u32,
}

impl Patience {
    /// For work that is thought to be fast.
    pub(super) const FAST: Self = Self { slow: 0 };
    /// For work that is thought to be slow.
    pub(super) const SLOW: Self = Self { slow: MOST };

    pub(super) fn is_fast(&self) -> bool {
        self.slow == 0
    }

    /// Work that moves `bytes` bytes took so long.
    pub(super) fn learn(&mut self, took: Duration, bytes: usize) {
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        let allowed = FOR_ANY.saturating_add(FOR_KIB.saturating_mul(kib));
        let times = u32::try_from(took.as_nanos() / allowed.as_nanos()).unwrap_or(u32::MAX);
        self.slow =
            if times == 0 { self.slow.saturating_sub(1) } else { self.slow.saturating_add(times).min(MOST) };
    }
}

/// How much of the work that follows a failure is still to be done in place.
#[derive(Debug, Default)]
pub(super) struct Caution(u32);

impl Caution {
    pub(super) fn failed(&mut self) {
        self.0 = AFTER_FAILURE;
    }

    pub(super) fn is_on(&self) -> bool {
        self.0 > 0
    }

    /// Whether the next piece of work is to be done in place.
    pub(super) fn take(&mut self) -> bool {
        let careful = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        careful
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_slow_is_slow_until_it_was_fast_often() {
        let mut patience = Patience::FAST;
        patience.learn(Duration::from_micros(140), 0);
        patience.learn(Duration::from_micros(600), 1 << 20);
        assert!(patience.is_fast(), "a long transfer may take longer");
        patience.learn(Duration::from_micros(160), 4096);
        assert!(!patience.is_fast());
        patience.learn(Duration::from_micros(10), 4096);
        assert!(patience.is_fast());
        patience.learn(Duration::from_secs(3600), 0);
        for _ in 0..MOST {
            assert!(!patience.is_fast());
            patience.learn(Duration::ZERO, 0);
        }
        assert!(patience.is_fast());
    }

    #[test]
    fn a_failure_is_looked_into_in_place() {
        let mut caution = Caution::default();
        assert!(!caution.take());
        caution.failed();
        assert!((0..AFTER_FAILURE).all(|_| caution.take()) && !caution.take());
    }
}
