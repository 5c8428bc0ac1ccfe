//! Guest time. The only module of the crate that looks at the host's clock.
//!
//! *Deterministic*: guest time is retired instructions times [`INSTRUCTION`]; an idle guest jumps to its next
//! deadline. *Paced*: guest time follows the host's monotonic clock; an idle guest sleeps. A chip cannot tell which.

use emu_core::Tick;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Guest time per retired instruction in deterministic mode: 2 ns, a 500 MIPS machine, about what the reference
/// interpreter does on a present-day host.
pub const INSTRUCTION: Tick = Tick(126);

/// At most this many instructions run before the host is looked at.
pub const SLICE: u64 = 200_000;

/// A paced slice is not made shorter than this for a near deadline: it would cost more than it gains.
const SHORTEST_SLICE: u64 = 256;

/// When the host has not let us look at its clock for this long, it was stopped or suspended (or we were paused):
/// guest time then goes on from where it was.
const STALL: Duration = Duration::from_secs(1);

/// A guest that is awake sees time move by no more than this at once: on a host that gave us no time, the ticks that it
/// missed come one after the other and not as one edge, and it catches up with the host over the next looks.
const LEAP: Tick = Tick::MILLISECOND.times(5);

/// No sleep is longer than this, so that sleeping is never taken for a stall.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// 2026-01-01 00:00 UTC: what the RTC of a deterministic machine shows at power-on unless told otherwise.
pub const DETERMINISTIC_RTC: i64 = 1_767_225_600;

/// What guest time follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeMode {
    Deterministic,
    #[default]
    Paced,
}

/// Where guest and host time were seen together, and when the host clock was last read.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    host: Instant,
    guest: Tick,
    seen: Instant,
}

/// The clock of one machine.
#[derive(Debug)]
pub struct Clock {
    mode: TimeMode,
    now: Tick,
    retired: u64,
    anchor: Option<Anchor>,
    /// Paced: instructions that may still retire before the host's clock is looked at.
    unseen: u64,
    /// Paced: the guest sleeps until then.
    asleep_until: Tick,
}

impl Clock {
    /// A clock that shows `now` after `retired` instructions.
    pub(crate) fn new(mode: TimeMode, now: Tick, retired: u64) -> Self {
        Self { mode, now, retired, anchor: None, unseen: 0, asleep_until: now }
    }

    pub fn mode(&self) -> TimeMode {
        self.mode
    }

    /// Guest time as last seen. It never goes back.
    pub fn now(&self) -> Tick {
        self.now
    }

    /// Instructions retired since power-on.
    pub fn retired(&self) -> u64 {
        self.retired
    }

    pub(crate) fn retire(&mut self, n: u64) {
        self.retired = self.retired.wrapping_add(n);
        match self.mode {
            TimeMode::Deterministic => self.now += INSTRUCTION.times(n),
            TimeMode::Paced => self.unseen = self.unseen.saturating_sub(n),
        }
    }

    /// Looks at the host's clock, in paced mode.
    pub(crate) fn sample(&mut self) {
        match self.mode {
            TimeMode::Deterministic => {}
            TimeMode::Paced => self.sample_at(Instant::now()),
        }
    }

    fn sample_at(&mut self, host: Instant) {
        let fresh = Anchor { host, guest: self.now, seen: host };
        let anchor = self.anchor.get_or_insert(fresh);
        if host.saturating_duration_since(anchor.seen) > STALL {
            *anchor = fresh;
        }
        anchor.seen = host;
        let span = nanos(host.saturating_duration_since(anchor.host));
        let furthest = Tick(self.now.max(self.asleep_until).0.saturating_add(LEAP.0));
        self.now = self.now.max((anchor.guest + Tick::from_nanos(span)).min(furthest));
        self.asleep_until = self.now;
        self.unseen = SLICE;
    }

    /// How many instructions may run until the guest must see `until`; 0 if that is now. In paced mode this is a
    /// guess: when it is used up, the host's clock is looked at again.
    pub(crate) fn allowance(&mut self, until: Tick) -> u64 {
        if self.unseen == 0 {
            self.sample();
        }
        let left = until.saturating_sub(self.now).0.div_ceil(INSTRUCTION.0);
        match self.mode {
            _ if left == 0 => 0,
            TimeMode::Deterministic => left.min(SLICE),
            TimeMode::Paced => {
                self.unseen = self.unseen.min(left.max(SHORTEST_SLICE));
                self.unseen
            }
        }
    }

    /// Nothing happens until `at`: a deterministic clock goes there.
    pub(crate) fn skip_to(&mut self, at: Tick) {
        match self.mode {
            TimeMode::Deterministic => self.now = self.now.max(at),
            TimeMode::Paced => {}
        }
    }

    /// How long a paced machine may sleep when nothing happens until `at`.
    pub(crate) fn sleep(&mut self, at: Tick) -> Duration {
        self.asleep_until = at;
        Duration::from_nanos(at.saturating_sub(self.now).as_nanos()).min(LONGEST_SLEEP)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The host's wall-clock time in seconds since 1970-01-01 00:00 UTC.
pub(crate) fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deterministic_time_is_instructions() {
        let mut clock = Clock::new(TimeMode::Deterministic, Tick::ZERO, 0);
        clock.retire(500_000_000);
        assert_eq!(clock.now(), Tick::SECOND);
        assert_eq!(clock.allowance(Tick::SECOND + Tick(127)), 2);
        assert_eq!(clock.allowance(Tick::SECOND), 0);
        clock.skip_to(Tick::SECOND.times(3));
        clock.skip_to(Tick::ZERO);
        assert_eq!(clock.now(), Tick::SECOND.times(3));
    }

    #[test]
    fn paced_time_follows_the_host_and_forgets_stalls() {
        let mut clock = Clock::new(TimeMode::Paced, Tick::SECOND, 0);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        clock.sample_at(start);
        clock.sleep(Tick::SECOND + Tick::MILLISECOND.times(10));
        clock.sample_at(at(10));
        assert_eq!(clock.now(), Tick::SECOND + Tick::MILLISECOND.times(10));
        clock.sample_at(at(60_000));
        assert_eq!(clock.now(), Tick::SECOND + Tick::MILLISECOND.times(10), "a stall is not guest time");
        clock.sample_at(at(60_005));
        assert_eq!(clock.now(), Tick::SECOND + Tick::MILLISECOND.times(15));
        clock.sample_at(at(60_001));
        assert_eq!(clock.now(), Tick::SECOND + Tick::MILLISECOND.times(15), "never back");
    }

    #[test]
    fn a_guest_that_is_awake_catches_up_in_small_steps() {
        let mut clock = Clock::new(TimeMode::Paced, Tick::ZERO, 0);
        let start = Instant::now();
        clock.sample_at(start);
        let late = start + Duration::from_millis(12);
        for seen in [5, 10, 12, 12] {
            clock.sample_at(late);
            assert_eq!(clock.now(), Tick::MILLISECOND.times(seen));
        }
        clock.sleep(Tick::MILLISECOND.times(100));
        clock.sample_at(start + Duration::from_millis(400));
        assert_eq!(clock.now(), Tick::MILLISECOND.times(105), "awake again");
    }

    #[test]
    fn a_paced_guest_that_only_computes_sees_time_move() {
        let mut clock = Clock::new(TimeMode::Paced, Tick::ZERO, 0);
        let end = Tick::MILLISECOND.times(3);
        let mut looks = 0;
        while clock.allowance(end) > 0 {
            clock.retire(1000);
            looks += 1;
        }
        assert!(clock.now() >= end && looks > 0);
    }

    #[test]
    fn sleeps_are_shorter_than_stalls() {
        let mut clock = Clock::new(TimeMode::Paced, Tick::ZERO, 0);
        assert_eq!(clock.sleep(Tick::MILLISECOND), Duration::from_millis(1));
        assert!(clock.sleep(Tick::NEVER) < STALL);
    }
}
