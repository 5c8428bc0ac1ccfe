//! How closely a session looks at its machine. One that does next to nothing is left alone for longer, so that an idle
//! guest costs the host next to nothing too; whatever comes from outside ends its turn at once.

use super::TURN;
use emu_core::Tick;
use std::time::{Duration, Instant};

/// A turn of a machine that does nothing.
const LONG_TURN: Tick = Tick::MILLISECOND.times(50);

/// A guest that retires fewer instructions in a turn waits for something: its ticks, and a cursor that blinks.
const NEXT_TO_NOTHING: u64 = 50_000;

/// Somebody who has pressed a key looks at the screen for so long.
const ATTENTION: Duration = Duration::from_millis(300);

pub(super) struct Pace {
    /// Turns may be longer: nothing depends on where they end.
    free: bool,
    idle: bool,
    retired: u64,
    stirred: Option<Instant>,
}

impl Pace {
    pub(super) fn new(free: bool) -> Self {
        Self { free, idle: false, retired: 0, stirred: None }
    }

    /// Somebody has done something to the machine.
    pub(super) fn stir(&mut self) {
        (self.idle, self.stirred) = (false, Some(Instant::now()));
    }

    /// A turn has ended, with so many instructions since power-on; whether something was asked for or is waiting.
    pub(super) fn turned(&mut self, retired: u64, busy: bool) {
        let few = retired.wrapping_sub(self.retired) < NEXT_TO_NOTHING;
        let unobserved = self.stirred.is_none_or(|at| at.elapsed() > ATTENTION);
        self.retired = retired;
        self.idle = self.free && few && unobserved && !busy;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle
    }

    pub(super) fn turn(&self) -> Tick {
        if self.idle { LONG_TURN } else { TURN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_machine_that_does_nothing_is_left_alone() {
        let mut pace = Pace::new(true);
        pace.turned(1_000_000, false);
        assert!(!pace.is_idle(), "a million instructions in a turn");
        pace.turned(1_000_100, false);
        assert_eq!((pace.is_idle(), pace.turn()), (true, LONG_TURN));
        pace.turned(1_000_200, true);
        assert!(!pace.is_idle(), "it has asked for something");
        pace.turned(1_000_300, false);
        pace.stir();
        assert_eq!((pace.is_idle(), pace.turn()), (false, TURN));
        pace.turned(1_000_400, false);
        assert!(!pace.is_idle(), "somebody looks");
    }

    #[test]
    fn turns_that_something_depends_on_stay_as_they_are() {
        let mut pace = Pace::new(false);
        pace.turned(1, false);
        pace.turned(2, false);
        assert_eq!(pace.turn(), TURN);
    }
}
