//! The receiver: the line from the host, and the receiver FIFO.

use super::{CHARACTER, TIMEOUT};
use emu_core::{Cx, Tick, TimerId};
use std::collections::VecDeque;

/// The size of the receiver FIFO.
pub(super) const FIFO: usize = 16;
/// What the host may have sent ahead of the line; more is lost.
pub(super) const QUEUE: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Receiver {
    /// Bytes that the host has sent and that are not yet on the line.
    pub(super) queue: VecDeque<u8>,

    /// FIFO mode; otherwise RBR holds one character.
    pub(super) fifo: bool,
    pub(super) trigger: u8,
    pub(super) data: VecDeque<u8>,
    /// What RBR showed last.
    pub(super) rbr: u8,
    /// The character on the line will be complete at this time.
    pub(super) arrives: Option<Tick>,
    /// The last time that a character came in or was read.
    pub(super) active: Tick,
    /// The character timeout comes at this time.
    pub(super) times_out: Option<Tick>,
    pub(super) timed_out: bool,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            fifo: false,
            trigger: 1,
            data: VecDeque::new(),
            rbr: 0,
            arrives: None,
            active: Tick::ZERO,
            times_out: None,
            timed_out: false,
        }
    }
}

impl Receiver {
    pub(super) fn fifo(&self) -> bool {
        self.fifo
    }

    pub(super) fn has_data(&self) -> bool {
        !self.data.is_empty()
    }

    pub(super) fn reached_trigger(&self) -> bool {
        self.data.len() >= usize::from(self.trigger)
    }

    pub(super) fn timed_out(&self) -> bool {
        self.timed_out
    }

    fn has_room(&self) -> bool {
        self.data.len() < if self.fifo { FIFO } else { 1 }
    }

    /// As after power-on, but with what the host has sent.
    pub(super) fn after_reset(&mut self, cx: &mut Cx<'_>) -> Self {
        cx.disarm(CHARACTER);
        cx.disarm(TIMEOUT);
        Self { queue: std::mem::take(&mut self.queue), ..Self::default() }
    }

    pub(super) fn room(&self) -> usize {
        QUEUE.saturating_sub(self.queue.len())
    }

    /// The host sends a byte.
    pub(super) fn queue(&mut self, byte: u8) {
        if self.room() > 0 {
            self.queue.push_back(byte);
        }
    }

    /// A character is complete. False if there was no room: FIFO full loses the new one, RBR the old one.
    pub(super) fn receive(&mut self, byte: u8) -> bool {
        let room = self.has_room();
        if room {
            self.data.push_back(byte);
        } else if !self.fifo {
            self.data.clear();
            self.data.push_back(byte);
        }
        room
    }

    /// A character has come in or was read: the four character times begin anew.
    pub(super) fn restart_timeout(&mut self, now: Tick) {
        self.active = now;
        self.timed_out = false;
    }

    pub(super) fn character_arrives(&mut self, now: Tick) {
        self.arrives = None;
        if self.has_room()
            && let Some(byte) = self.queue.pop_front()
        {
            self.receive(byte);
            self.restart_timeout(now);
        }
    }

    pub(super) fn time_out(&mut self) {
        self.times_out = None;
        self.timed_out = self.fifo && self.has_data();
    }

    pub(super) fn read(&mut self, now: Tick) -> u8 {
        if let Some(byte) = self.data.pop_front() {
            self.rbr = byte;
            self.restart_timeout(now);
        }
        self.rbr
    }

    /// "Resetting, or changing to and from FIFO mode, clears the FIFOs."
    pub(super) fn clear(&mut self) {
        self.data.clear();
        self.timed_out = false;
    }

    pub(super) fn set_fifo(&mut self, fifo: bool) {
        self.fifo = fifo;
        self.trigger = 1;
        self.clear();
    }

    pub(super) fn set_trigger(&mut self, trigger: u8) {
        self.trigger = trigger;
    }

    /// Arms for the next character, if the host has one and there is room, and for the timeout, if it could come.
    pub(super) fn arm(&mut self, connected: bool, character: Tick, cx: &mut Cx<'_>) {
        let receiving = connected && self.has_room() && !self.queue.is_empty();
        let arrives = receiving.then(|| self.arrives.unwrap_or(cx.now() + character));
        rearm(CHARACTER, &mut self.arrives, arrives, cx);
        let waiting = self.fifo && self.has_data() && !self.timed_out;
        let times_out = waiting.then(|| self.active + character.times(4));
        rearm(TIMEOUT, &mut self.times_out, times_out, cx);
    }
}

/// Arms or disarms, unless the timer is that way already.
fn rearm(timer: TimerId, deadline: &mut Option<Tick>, wanted: Option<Tick>, cx: &mut Cx<'_>) {
    if *deadline == wanted {
        return;
    }
    *deadline = wanted;
    match wanted {
        Some(at) => cx.arm(timer, at),
        None => cx.disarm(timer),
    }
}
