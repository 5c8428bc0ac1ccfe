//! What reaches the session from outside the machine: typing, cables, signals. Each has a thread of its own; all of
//! them put what happened into one channel and make the machine's run return.

use crate::escape::Wish;
use crate::media::Change;
use crate::serial::Cable;
use crate::terminal;
use anyhow::{Context, Result};
use emu_core::HostEvent;
use machine::Handle;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

#[derive(Debug, PartialEq, Eq)]
pub enum Happening {
    /// From the terminal (or whatever standard input is).
    Typed(Vec<u8>),
    /// From the far end of a serial cable.
    Received(Vec<u8>),
    /// The program should end.
    Signal(i32),
    /// From the window: a key, or the mouse.
    Host(HostEvent),
    /// From the window: what the person there wants.
    Wish(Wish),
    /// From the window: stop the machine, or let it go on.
    Pause,
    /// From the window: a medium for a drive.
    Change(Change),
    /// A text to be typed at the keyboard.
    Paste(String),
    /// Something that a person asked for has not come about, and why.
    Trouble(String),
    /// The terminal has another size, or was used by another program.
    Repaint,
}

/// The sending side: wakes the machine after each letter.
#[derive(Clone)]
pub struct Poster {
    to: Sender<Happening>,
    machine: Handle,
}

impl Poster {
    /// False when nobody listens any more.
    pub fn post(&self, happening: Happening) -> bool {
        let listening = self.to.send(happening).is_ok();
        self.machine.stop();
        listening
    }
}

/// The receiving side.
pub struct Inbox {
    from: Receiver<Happening>,
    poster: Poster,
}

impl Inbox {
    /// Starts listening: to signals, to the cable, and with `typing` to standard input.
    pub fn open(machine: Handle, cable: &Cable, typing: bool) -> Result<Self> {
        let (to, from) = channel();
        let poster = Poster { to, machine };
        listen_to_signals(poster.clone()).context("cannot listen to signals")?;
        cable.listen(poster.clone())?;
        if typing {
            let poster = poster.clone();
            thread::spawn(move || listen_to_input(&poster));
        }
        Ok(Self { from, poster })
    }

    /// For those who have something to post.
    pub fn poster(&self) -> Poster {
        self.poster.clone()
    }

    pub fn next(&self) -> Option<Happening> {
        self.from.try_recv().ok()
    }

    /// Waits for something to happen, when the machine has nothing to do.
    pub fn wait(&self, longest: Duration) -> Option<Happening> {
        self.from.recv_timeout(longest).ok()
    }
}

fn listen_to_signals(poster: Poster) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let happening = match signal {
                SIGWINCH | SIGCONT => Happening::Repaint,
                signal => Happening::Signal(signal),
            };
            if !poster.post(happening) {
                return;
            }
        }
    });
    Ok(())
}

fn listen_to_input(poster: &Poster) {
    let mut buffer = [0; 4096];
    while let Some(count) = terminal::read(&mut buffer) {
        if !poster.post(Happening::Typed(buffer[..count].to_vec())) {
            return;
        }
    }
}
