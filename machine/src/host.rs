//! The side of a machine that other threads hold: a mailbox for host events and a stop button.

use emu_core::{Attention, HostEvent};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[derive(Debug, Default)]
struct Mail {
    events: VecDeque<HostEvent>,
    stop: bool,
}

#[derive(Debug, Default)]
struct Mailbox {
    mail: Mutex<Mail>,
    arrived: Condvar,
    attention: Arc<AtomicU32>,
}

/// Posts events to a machine and stops its run, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Handle {
    mailbox: Arc<Mailbox>,
}

impl Handle {
    /// The machine takes the event, and stamps it with guest time, at its next instruction boundary.
    pub fn post(&self, event: HostEvent) {
        self.deliver(|mail| mail.events.push_back(event));
    }

    /// Makes the present (or else the next) [`crate::Machine::run`] return.
    pub fn stop(&self) {
        self.deliver(|mail| mail.stop = true);
    }

    fn deliver(&self, change: impl FnOnce(&mut Mail)) {
        change(&mut self.mailbox.mail.lock());
        self.mailbox.attention.fetch_or(Attention::STOP, Ordering::Release);
        self.mailbox.arrived.notify_all();
    }

    /// The word in which STOP tells a running engine of mail.
    pub(crate) fn attention(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.mailbox.attention)
    }

    /// Takes all mail: the events, and whether somebody pressed stop. Mail that comes later sets STOP again.
    pub(crate) fn take(&self) -> (VecDeque<HostEvent>, bool) {
        let mut mail = self.mailbox.mail.lock();
        self.mailbox.attention.fetch_and(!Attention::STOP, Ordering::AcqRel);
        (std::mem::take(&mut mail.events), std::mem::take(&mut mail.stop))
    }

    /// Sleeps until there is mail, or for `span`.
    pub(crate) fn wait(&self, span: Duration) {
        let mut mail = self.mailbox.mail.lock();
        if mail.events.is_empty() && !mail.stop {
            let _timed_out = self.mailbox.arrived.wait_for(&mut mail, span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_raises_stop_until_taken() {
        let handle = Handle::default();
        let attention = handle.attention();
        handle.post(HostEvent::PowerButton);
        handle.stop();
        assert_eq!(attention.load(Ordering::Acquire), Attention::STOP);
        let (events, stop) = handle.take();
        assert_eq!((events.len(), stop), (1, true));
        assert_eq!(attention.load(Ordering::Acquire), 0);
        assert_eq!(handle.take(), (VecDeque::new(), false));
    }

    #[test]
    fn waiting_ends_with_mail() {
        let handle = Handle::default();
        let other = handle.clone();
        let thread = std::thread::spawn(move || other.post(HostEvent::PowerButton));
        handle.wait(Duration::from_secs(60));
        thread.join().expect("the poster");
        handle.wait(Duration::from_secs(60));
        assert_eq!(handle.take().0.len(), 1);
    }
}
