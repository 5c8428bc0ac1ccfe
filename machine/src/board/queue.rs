//! The event queue: armed timers, earliest first, ties in arming order.

use super::Socket;
use emu_core::{Tick, TimerId};
use serde::{Deserialize, Serialize};

/// One armed timer of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    pub(crate) at: Tick,
    pub(crate) socket: Socket,
    pub(crate) timer: TimerId,
}

/// Armed timers. A machine has a few dozen at most: a sorted vector beats a heap and cancels for free.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Latest first; among equals the one armed last comes first, so that the next to fire is at the end.
    armed: Vec<Deadline>,
}

/// A deadline as it is saved: devices by index in the saved device list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedDeadline {
    at: Tick,
    socket: u8,
    timer: u8,
}

impl Queue {
    /// Arms a timer in place of its earlier deadline. [`Tick::NEVER`] only disarms.
    pub(crate) fn arm(&mut self, deadline: Deadline) {
        self.disarm(deadline.socket, deadline.timer);
        if deadline.at < Tick::NEVER {
            let place = self.armed.partition_point(|other| other.at > deadline.at);
            self.armed.insert(place, deadline);
        }
    }

    pub(crate) fn disarm(&mut self, socket: Socket, timer: TimerId) {
        if let Some(place) = self.armed.iter().position(|d| d.socket == socket && d.timer == timer) {
            self.armed.remove(place);
        }
    }

    /// When the next timer fires.
    pub(crate) fn next(&self) -> Tick {
        self.armed.last().map_or(Tick::NEVER, |deadline| deadline.at)
    }

    /// Takes the next timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Tick) -> Option<Deadline> {
        self.armed.pop_if(|deadline| deadline.at <= now)
    }

    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    /// The armed timers in firing order.
    pub(crate) fn save(&self) -> Vec<SavedDeadline> {
        self.armed
            .iter()
            .rev()
            .map(|&Deadline { at, socket, timer }| SavedDeadline { at, socket: socket.0, timer: timer.0 })
            .collect()
    }

    /// The queue that fires `saved` in that order; `None` if a device is not one of `devices`.
    pub(crate) fn restored(saved: &[SavedDeadline], devices: usize) -> Option<Self> {
        let mut queue = Self::default();
        for &SavedDeadline { at, socket, timer } in saved {
            if usize::from(socket) >= devices {
                return None;
            }
            queue.arm(Deadline { at, socket: Socket(socket), timer: TimerId(timer) });
        }
        Some(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline(at: u64, timer: u8) -> Deadline {
        Deadline { at: Tick(at), socket: Socket(0), timer: TimerId(timer) }
    }

    fn fired(queue: &mut Queue) -> Vec<u8> {
        std::iter::from_fn(|| queue.pop_due(Tick(u64::MAX - 1))).map(|d| d.timer.0).collect()
    }

    #[test]
    fn earliest_first_and_ties_in_arming_order() {
        let mut queue = Queue::default();
        for (at, timer) in [(30, 0), (10, 1), (20, 2), (10, 3), (10, 4)] {
            queue.arm(deadline(at, timer));
        }
        assert_eq!(queue.next(), Tick(10));
        assert_eq!(fired(&mut queue), [1, 3, 4, 2, 0]);
    }

    #[test]
    fn arming_again_moves_and_disarming_removes() {
        let mut queue = Queue::default();
        for (at, timer) in [(10, 0), (10, 1), (20, 2)] {
            queue.arm(deadline(at, timer));
        }
        queue.arm(deadline(10, 0));
        queue.disarm(Socket(0), TimerId(2));
        queue.arm(Deadline { at: Tick::NEVER, ..deadline(0, 3) });
        assert_eq!(fired(&mut queue), [1, 0]);
    }

    #[test]
    fn nothing_fires_early() {
        let mut queue = Queue::default();
        queue.arm(deadline(10, 0));
        assert_eq!(queue.pop_due(Tick(9)), None);
        assert_eq!(queue.pop_due(Tick(10)), Some(deadline(10, 0)));
    }

    #[test]
    fn save_keeps_the_order_of_ties() {
        let mut queue = Queue::default();
        for timer in [5, 3, 4] {
            queue.arm(deadline(10, timer));
        }
        let saved = queue.save();
        let mut back = Queue::restored(&saved, 1).expect("one device");
        assert_eq!(back.save(), saved);
        assert_eq!(fired(&mut back), [5, 3, 4]);
        assert!(Queue::restored(&saved, 0).is_none());
    }
}
