//! The person at the terminal: what they see, and what they type.

use super::Session;
use crate::ending::Ending;
use crate::escape::{self, Escape, Typed, Wish};
use crate::options::Display;
use crate::quantity::{seconds, shown_count};
use crate::screen::keys::{self, Stroke};
use crate::screen::paint::Painter;
use crate::terminal::{self, Raw};
use anyhow::{Context, Result};
use emu_core::{HostEvent, Tick};
use machine::Machine;

/// Guest time between two strokes, so that pasted text does not overrun the keyboard's buffer.
const BETWEEN_KEYS: Tick = Tick::MILLISECOND.times(5);

/// The size of a terminal that does not say it.
const USUAL_SIZE: (u16, u16) = (80, 25);

pub(super) struct Console {
    display: Display,
    /// Standard input goes to the guest, and is a terminal with a person at it.
    pub(super) person: bool,
    raw: Option<Raw>,
    escape: Escape,
    painter: Painter,
    next_key: Tick,
}

impl Console {
    pub(super) fn new(display: Display, person: bool) -> Self {
        let (escape, painter) = (Escape::default(), Painter::default());
        Self { display, person, raw: None, escape, painter, next_key: Tick::ZERO }
    }

    /// Makes the terminal raw, if there is a person.
    pub(super) fn enter(&mut self) -> std::io::Result<()> {
        if self.person {
            self.raw = Some(Raw::enter(self.display == Display::Text)?);
        }
        Ok(())
    }

    /// Gives the terminal back.
    pub(super) fn leave(&mut self) {
        self.raw = None;
    }

    pub(super) fn repaint(&mut self) {
        if let Some(raw) = &self.raw {
            raw.again();
        }
        self.painter.forget();
    }

    pub(super) fn draw(&mut self, machine: &mut Machine) {
        match self.display {
            Display::None => {}
            Display::Text => {
                let size = terminal::size().unwrap_or(USUAL_SIZE);
                let out = self.painter.paint(machine.text_screen().as_ref(), size);
                if !out.is_empty() {
                    terminal::write_all(out.as_bytes());
                }
            }
        }
    }

    /// Says something to the person without disturbing what the guest shows more than needed.
    fn say(&mut self, text: &str) {
        match self.display {
            Display::None => {
                let lines: String = text.lines().map(|line| format!("\r\nposada: {line}")).collect();
                eprint!("{lines}\r\n");
            }
            Display::Text => {
                let row = terminal::size().unwrap_or(USUAL_SIZE).1;
                let line = text.lines().collect::<Vec<_>>().join("   ");
                terminal::write_all(format!("\x1b[{row};1H\x1b[0;7m{line}\x1b[0m\x1b[K").as_bytes());
            }
        }
    }
}

impl Session<'_> {
    pub(super) fn typed(&mut self, bytes: &[u8]) -> Result<Option<Ending>> {
        // Without a terminal there is no person: bytes from a file or pipe are the guest's, Ctrl-A included.
        if self.console.raw.is_none() {
            self.give(bytes);
            return Ok(None);
        }
        let mut plain = Vec::new();
        for &byte in bytes {
            match self.console.escape.take(byte) {
                None => {}
                Some(Typed::Byte(byte)) => plain.push(byte),
                Some(Typed::Wish(Wish::Quit)) => return Ok(Some(Ending::Quit)),
                Some(Typed::Wish(wish)) => self.fulfil(wish)?,
            }
        }
        self.give(&plain);
        Ok(None)
    }

    /// Typed bytes go to the keyboard of the screen, or to the serial port.
    fn give(&mut self, bytes: &[u8]) {
        match self.console.display {
            Display::None => self.post(bytes.iter().map(|&byte| HostEvent::Serial(byte))),
            Display::Text => keys::of_input(bytes).into_iter().for_each(|stroke| self.press(stroke)),
        }
    }

    fn press(&mut self, stroke: Stroke) {
        let at = self.console.next_key.max(self.now());
        self.console.next_key = at + BETWEEN_KEYS;
        for event in stroke.events() {
            self.subject.schedule(at, event);
        }
    }

    fn fulfil(&mut self, wish: Wish) -> Result<()> {
        match wish {
            Wish::Quit => {}
            Wish::Help => self.console.say(escape::HELP),
            Wish::PowerButton => self.post([HostEvent::PowerButton]),
            Wish::Reset => self.subject.reset()?,
            Wish::Status => {
                let status = self.status();
                self.console.say(&status);
            }
            Wish::NextEngine => {
                let said = self.next_engine().unwrap_or_else(|error| format!("{error:#}"));
                self.console.say(&said);
            }
            Wish::Save => {
                let said = self.save().map_or_else(|error| format!("{error:#}"), |()| "state saved".into());
                self.console.say(&said);
            }
        }
        Ok(())
    }

    /// Lets the guest go on under the next engine, and says which one that is.
    fn next_engine(&mut self) -> Result<String> {
        let engine = self.subject.engine().context("there is no other engine here")?.next();
        self.subject.set_engine(engine)?;
        Ok(format!("engine {engine}"))
    }

    fn status(&self) -> String {
        let machine = self.subject.machine();
        let (rip, now) = (machine.cpu().rip, seconds(machine.now()));
        let count = shown_count(machine.retired());
        let more = self.subject.status();
        format!("{now} s of guest time, {count} instructions, RIP {rip:#x}\n{more}")
    }
}
