//! The person at the terminal: what they see, and what they type.

use super::{Session, typing};
use crate::ending::Ending;
use crate::escape::{self, Escape, Typed, Wish};
use crate::inbox::Poster;
use crate::media::Change;
use crate::options::Display;
use crate::quantity::{seconds, shown_count};
use crate::screen::keys;
use crate::screen::paint::Painter;
use crate::terminal::{self, Raw};
use crate::window::{Glass, Now};
use anyhow::{Context, Result};
use emu_core::HostEvent;
use machine::Machine;

/// The size of a terminal that does not say it.
const USUAL_SIZE: (u16, u16) = (80, 25);

pub(super) struct Console {
    display: Display,
    /// Standard input goes to the guest, and is a terminal with a person at it.
    pub(super) person: bool,
    raw: Option<Raw>,
    escape: Escape,
    painter: Painter,
    /// The window, if there is one.
    glass: Option<Glass>,
}

impl Console {
    pub(super) fn new(display: Display, person: bool, glass: Option<Glass>) -> Self {
        let (escape, painter) = (Escape::default(), Painter::default());
        Self { display, person, raw: None, escape, painter, glass }
    }

    /// Makes the terminal raw, if there is a person, and opens the window, if there is to be one.
    pub(super) fn enter(&mut self, poster: Poster) -> Result<()> {
        if self.person {
            let raw = Raw::enter(self.display == Display::Text);
            self.raw = Some(raw.context("cannot switch the terminal to raw mode")?);
        }
        self.glass.as_mut().map_or(Ok(()), |glass| glass.open(poster))
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

    /// An idle machine's window is not looked at as often.
    pub(super) fn draw(&mut self, machine: &mut Machine, idle: bool) {
        match self.display {
            Display::None => {}
            Display::Text => {
                let size = terminal::size().unwrap_or(USUAL_SIZE);
                let out = self.painter.paint(machine.text_screen().as_ref(), size);
                if !out.is_empty() {
                    terminal::write_all(out.as_bytes());
                }
            }
            Display::Window => self.glass.iter_mut().for_each(|glass| glass.draw(machine, idle)),
        }
    }

    /// Draws even if that was done just now: nothing may follow for long.
    pub(super) fn draw_now(&mut self, machine: &mut Machine) {
        match &mut self.glass {
            Some(glass) => glass.draw_now(machine),
            None => self.draw(machine, false),
        }
    }

    /// Tells the window how the machine is doing.
    pub(super) fn tell(&mut self, now: Now<'_>, machine: &mut Machine) {
        if let Some(glass) = &mut self.glass {
            glass.tell(now, machine);
        }
    }

    /// What the window has cost, for `--stats`.
    pub(super) fn stats(&self) -> Option<String> {
        self.glass.as_ref().map(Glass::stats)
    }

    /// Says something to the person without disturbing what the guest shows more than needed.
    pub(super) fn say(&mut self, text: &str) {
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
            Display::Window => self.glass.iter().for_each(|glass| glass.say(text)),
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
            Display::None | Display::Window => {
                self.post(bytes.iter().map(|&byte| HostEvent::Serial(byte)));
            }
            Display::Text => self.typing.add(keys::of_input(self.options.console.keyboard_layout, bytes)),
        }
    }

    /// Types a text at the keyboard.
    pub(super) fn paste(&mut self, text: &str) {
        let layout = self.options.console.keyboard_layout;
        let (strokes, missing) = typing::strokes(layout, text);
        self.typing.add(strokes);
        if missing > 0 {
            self.console
                .say(&format!("{missing} characters of the text are not on a keyboard of layout {layout}"));
        }
    }

    /// Changes a medium, and says what came of it.
    pub(super) fn change(&mut self, change: &Change) {
        let said = match self.subject.change(change) {
            Ok(true) => "the medium has been changed".into(),
            Ok(false) => "the guest has locked the drive, and was told that somebody wants the disc".into(),
            Err(error) => format!("{error:#}"),
        };
        self.console.say(&said);
    }

    pub(super) fn wish(&mut self, wish: Wish) -> Result<Option<Ending>> {
        if wish == Wish::Quit {
            return Ok(Some(Ending::Quit));
        }
        self.fulfil(wish)?;
        Ok(None)
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
