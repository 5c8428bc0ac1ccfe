//! The glass between the session and the window: pictures, messages and the status pass through it one way, letters
//! to the session's inbox the other.

use super::cost::Meter;
use super::frame::Frame;
use crate::inbox::Poster;
use anyhow::{Result, anyhow};
use machine::{Drawn, Machine, Picture};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use winit::event_loop::EventLoopProxy;

/// The machine's picture is not looked at more often than this.
pub const BETWEEN_PICTURES: Duration = Duration::from_millis(17);

/// The same for one that does next to nothing: to see whether a large picture has changed costs a look at all of it.
const BETWEEN_IDLE_PICTURES: Duration = Duration::from_millis(100);

/// How often the status is told.
const BETWEEN_STATUS: Duration = Duration::from_secs(1);

/// How long the disk light stays on after a disk was used.
const GLOW: Duration = Duration::from_millis(150);

/// How the machine is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub engine: String,
    /// Million instructions in the last second of the host.
    pub mips: u64,
    /// Guest time.
    pub seconds: u64,
    /// Scroll Lock, Num Lock and Caps Lock in bits 0 to 2.
    pub leds: u8,
    pub paused: bool,
    /// A disk is being used.
    pub disk: bool,
}

/// How it is doing at this moment, as far as the session knows.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    pub engine: &'a str,
    pub paused: bool,
    /// How often a disk was used so far.
    pub disk_uses: u64,
}

/// What the session tells the window.
pub enum Signal {
    /// The machine is ready; here letters are to be posted.
    Ready(Poster),
    /// The shared frame has changed.
    Picture,
    Status(Status),
    Say(String),
    /// The session is over.
    Over,
}

#[derive(Default)]
struct Shared {
    frame: Mutex<Frame>,
    /// A [`Signal::Picture`] is on its way.
    told: AtomicBool,
    meter: Meter,
}

impl Shared {
    fn frame(&self) -> MutexGuard<'_, Frame> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The window's side.
pub struct Pane(Arc<Shared>);

impl Pane {
    /// Takes over what has changed of the picture.
    pub fn look(&self, frame: &mut Frame) -> Drawn {
        self.0.told.store(false, Ordering::Release);
        frame.catch_up(&mut self.0.frame())
    }

    /// A picture has been presented.
    pub fn presented(&self) {
        self.0.meter.presented();
    }
}

/// The session's side.
pub struct Glass {
    shared: Arc<Shared>,
    window: EventLoopProxy<Signal>,
    picture: Picture,
    opened: Option<Instant>,
    drawn: Option<Instant>,
    /// When the figures were told, and the instructions until then.
    told: Option<(Instant, u64)>,
    disk_uses: u64,
    disk_used: Option<Instant>,
    status: Status,
}

/// Both sides of one glass.
pub fn pair(window: EventLoopProxy<Signal>) -> (Glass, Pane) {
    let shared = Arc::new(Shared::default());
    let pane = Pane(Arc::clone(&shared));
    let glass = Glass {
        shared,
        window,
        picture: Picture::new(),
        opened: None,
        drawn: None,
        told: None,
        disk_uses: 0,
        disk_used: None,
        status: Status::default(),
    };
    (glass, pane)
}

impl Glass {
    /// Has the window opened; its keys and wishes go to `poster`.
    ///
    /// # Errors
    /// The window system has gone.
    pub fn open(&mut self, poster: Poster) -> Result<()> {
        self.opened = Some(Instant::now());
        self.window.send_event(Signal::Ready(poster)).map_err(|_| anyhow!("the window system has gone"))
    }

    /// Shows what the machine's monitor shows, if that was not done just now.
    pub fn draw(&mut self, machine: &mut Machine, idle: bool) {
        let between = if idle { BETWEEN_IDLE_PICTURES } else { BETWEEN_PICTURES };
        if self.drawn.is_none_or(|at| at.elapsed() >= between) {
            self.draw_now(machine);
        }
    }

    /// Shows what the machine's monitor shows.
    pub fn draw_now(&mut self, machine: &mut Machine) {
        self.drawn = Some(Instant::now());
        let is_new = self.shared.meter.conversion(|| {
            let drawn = machine.draw(&mut self.picture);
            if !drawn.is_empty() {
                self.shared.frame().draw(&self.picture, &drawn);
            }
            !drawn.is_empty()
        });
        if is_new && !self.shared.told.swap(true, Ordering::AcqRel) {
            self.send(Signal::Picture);
        }
    }

    /// For `--stats`: what the pictures have cost since the window was opened; nothing if it was not.
    pub fn stats(&self) -> String {
        self.opened.map_or_else(String::new, |at| self.shared.meter.cost(at.elapsed()).to_string())
    }

    pub fn say(&self, text: &str) {
        self.send(Signal::Say(text.to_owned()));
    }

    /// Tells how the machine is doing, once a second and where something has changed.
    pub fn tell(&mut self, now: Now<'_>, machine: &mut Machine) {
        let mut status =
            Status { paused: now.paused, disk: self.glows(now.disk_uses), ..self.status.clone() };
        if status.engine != now.engine {
            now.engine.clone_into(&mut status.engine);
        }
        let told = self.told.is_some_and(|(at, _)| at.elapsed() < BETWEEN_STATUS);
        if told && status == self.status {
            return;
        }
        if !told {
            let (at, retired) = (Instant::now(), machine.retired());
            let (since, before) = self.told.replace((at, retired)).unwrap_or((at, retired));
            let micros = u64::try_from(at.saturating_duration_since(since).as_micros()).unwrap_or(u64::MAX);
            status.mips = retired.wrapping_sub(before) / micros.max(1);
            status.seconds = machine.now().0 / emu_core::Tick::SECOND.0;
            status.leds = machine.keyboard_leds();
        }
        if status != self.status {
            self.status = status.clone();
            self.send(Signal::Status(status));
        }
    }

    /// Whether the disk light is on.
    fn glows(&mut self, uses: u64) -> bool {
        if uses != self.disk_uses {
            (self.disk_uses, self.disk_used) = (uses, Some(Instant::now()));
        }
        self.disk_used.is_some_and(|at| at.elapsed() < GLOW)
    }

    /// A window that has gone sees nothing more; it has said so in a letter.
    fn send(&self, signal: Signal) {
        let _ = self.window.send_event(signal);
    }
}
