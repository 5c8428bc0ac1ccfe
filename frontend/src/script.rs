//! Scripted runs: a person at the PC, written down. Everything waits on guest time, so a script gives the same run
//! on a slow host and on a fast one.

use crate::engines::EngineChoice;
use crate::golden::{Golden, Mask};
use crate::media::{Bay, Change};
use crate::quantity::span;
use crate::screen::keyboard::KeyboardLayout;
use crate::screen::{cp437, keys, paint};
use crate::watch::Watch;
use clap::ValueEnum;
use emu_core::{HostEvent, Tick};
use machine::{Picture, TextScreen};
use std::collections::VecDeque;
use std::path::PathBuf;

/// How long a line waits for what it expects, until `within` says otherwise.
const PATIENCE: Tick = Tick::SECOND.times(120);

/// Guest time between two strokes: a fast typist.
const BETWEEN_KEYS: Tick = Tick::MILLISECOND.times(30);

/// The mouse's left button.
const LEFT: u8 = 1;

/// Output nobody has looked at yet; older output is forgotten.
const UNREAD: usize = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Expect(String),
    Screen(String),
    Send(String),
    Key(Vec<HostEvent>),
    Mouse(HostEvent),
    Wait(Tick),
    Within(Tick),
    Save(PathBuf),
    Screenshot(PathBuf),
    Golden(Box<Golden>),
    PowerButton,
    Reset,
    Engine(EngineChoice),
    Change(Change),
    Off,
}

/// The PC as the script sees it.
pub trait Desk {
    /// The text screen, if text is on it.
    fn screen(&mut self) -> Option<TextScreen>;
    /// The screen in pixels, and whether it has changed since it was last asked for.
    fn picture(&mut self) -> (&Picture, bool);
    /// Whether a key pressed now will not be lost.
    fn takes_keys(&mut self) -> bool;
}

/// What the script wants done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Post(Vec<HostEvent>),
    Save(PathBuf),
    Screenshot(PathBuf),
    Reset,
    Engine(EngineChoice),
    Change(Change),
}

/// Where the script stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    Act(Action),
    Waiting,
    Done,
    Failed(String),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {what}")]
pub struct ScriptError {
    pub line: usize,
    pub what: String,
}

struct Line {
    number: usize,
    text: String,
    step: Step,
}

impl Line {
    /// It did not happen in time: what is wrong.
    fn late(&self, difference: Option<&str>, desk: &mut dyn Desk) -> String {
        let late = format!("script line {}, `{}`: not in time", self.number, self.text);
        match (&self.step, difference) {
            (Step::Golden(golden), Some(difference)) => {
                format!("{late}: {difference}; {}", golden.keep(desk.picture().0))
            }
            _ => late,
        }
    }
}

/// A script and how far it has come.
pub struct Script {
    lines: VecDeque<Line>,
    watch: Option<Watch>,
    unread: Vec<u8>,
    patience: Tick,
    /// When the present line began; `None` before its first look.
    since: Option<Tick>,
    /// How the screen differs from the golden one of the present line, when it was last compared.
    difference: Option<String>,
}

impl Script {
    /// Reads a script: one step per line; empty lines and lines that begin with # say nothing.
    ///
    /// # Errors
    /// The first line that is not a step.
    pub fn parse(text: &str, layout: KeyboardLayout) -> Result<Self, ScriptError> {
        let mut lines = VecDeque::new();
        for (index, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let number = index + 1;
            let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            let steps =
                steps(word, rest.trim(), layout).map_err(|what| ScriptError { line: number, what })?;
            lines.extend(steps.into_iter().map(|step| Line { number, text: text.to_owned(), step }));
        }
        Ok(Self { lines, watch: None, unread: Vec::new(), patience: PATIENCE, since: None, difference: None })
    }

    /// A script that waits for a text, as long as it takes.
    pub fn until(text: &str) -> Self {
        let line = Line { number: 1, text: format!("expect {text}"), step: Step::Expect(text.to_owned()) };
        let lines = VecDeque::from([line]);
        Self { lines, watch: None, unread: Vec::new(), patience: Tick::NEVER, since: None, difference: None }
    }

    /// The serial port has said more.
    pub fn heard(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let excess = self.unread.len().saturating_sub(UNREAD);
        self.unread.drain(..excess);
    }

    /// The next thing to do at guest time `now`; asked again until it is `Waiting`, `Done` or `Failed`.
    pub fn next(&mut self, now: Tick, desk: &mut dyn Desk) -> Progress {
        while let Some(line) = self.lines.front() {
            let waited = now.saturating_sub(*self.since.get_or_insert(now));
            let watch = &mut self.watch;
            let (fulfilled, action) = match &line.step {
                Step::Expect(text) => {
                    (watch.get_or_insert_with(|| Watch::new(text.clone())).read(&mut self.unread), None)
                }
                Step::Screen(text) => (desk.screen().is_some_and(|screen| shows(&screen, text)), None),
                Step::Wait(span) => (waited >= *span, None),
                Step::Off => (false, None),
                Step::Within(span) => {
                    self.patience = *span;
                    (true, None)
                }
                Step::Key(events) => {
                    let ready = waited >= BETWEEN_KEYS && desk.takes_keys();
                    (ready, Some(Action::Post(events.clone())))
                }
                Step::Mouse(event) => (waited >= BETWEEN_KEYS, Some(Action::Post(vec![event.clone()]))),
                Step::Send(text) => (true, Some(Action::Post(text.bytes().map(HostEvent::Serial).collect()))),
                Step::PowerButton => (true, Some(Action::Post(vec![HostEvent::PowerButton]))),
                Step::Golden(golden) => {
                    let (picture, changed) = desk.picture();
                    if changed || self.difference.is_none() {
                        self.difference = golden.compare(picture).err();
                    }
                    (self.difference.is_none(), None)
                }
                Step::Screenshot(path) => (true, Some(Action::Screenshot(path.clone()))),
                Step::Save(path) => (true, Some(Action::Save(path.clone()))),
                Step::Reset => (true, Some(Action::Reset)),
                Step::Engine(choice) => (true, Some(Action::Engine(*choice))),
                Step::Change(change) => (true, Some(Action::Change(change.clone()))),
            };
            if !fulfilled {
                let in_time = waited < self.patience || matches!(line.step, Step::Wait(_));
                return match in_time {
                    true => Progress::Waiting,
                    false => Progress::Failed(line.late(self.difference.as_deref(), desk)),
                };
            }
            self.advance();
            if let Some(action) = action {
                return Progress::Act(action);
            }
        }
        Progress::Done
    }

    /// The guest has powered off: whether the script was waiting for that or is at its end, else what is missing.
    pub fn powered_off(&self) -> Result<(), String> {
        match self.lines.front() {
            None | Some(Line { step: Step::Off, .. }) => Ok(()),
            Some(line) => {
                Err(format!("the guest powered off before script line {}, `{}`", line.number, line.text))
            }
        }
    }

    fn advance(&mut self) {
        self.lines.pop_front();
        self.watch = None;
        self.since = None;
        self.difference = None;
    }
}

impl Watch {
    /// Takes from `unread` up to and including the text; everything if it is not there yet.
    fn read(&mut self, unread: &mut Vec<u8>) -> bool {
        let found = self.take(unread);
        unread.drain(..found.unwrap_or(unread.len()));
        found.is_some()
    }
}

fn steps(word: &str, rest: &str, layout: KeyboardLayout) -> Result<Vec<Step>, String> {
    let text = || match rest {
        "" => Err(format!("`{word}` needs a text")),
        rest => Ok(rest.to_owned()),
    };
    let bare = |step| match rest {
        "" => Ok(vec![step]),
        _ => Err(format!("`{word}` takes nothing behind it")),
    };
    Ok(match word {
        "expect" => vec![Step::Expect(text()?)],
        "screen" => vec![Step::Screen(text()?)],
        "send" => vec![Step::Send(format!("{rest}\r"))],
        "type" => vec![Step::Send(text()?)],
        "key" => keys_named(layout, &text()?)?,
        "keyboard" => keys_of(layout, &text()?)?,
        "mouse" => vec![Step::Mouse(movement(rest)?)],
        "click" => bare(Step::Mouse(button(LEFT)))?.into_iter().chain([Step::Mouse(button(0))]).collect(),
        "wait" => vec![Step::Wait(span(rest)?)],
        "within" => vec![Step::Within(span(rest)?)],
        "save" => vec![Step::Save(text()?.into())],
        "screenshot" => vec![Step::Screenshot(text()?.into())],
        "golden" => vec![Step::Golden(Box::new(golden(&text()?)?))],
        "power-button" => bare(Step::PowerButton)?,
        "engine" => vec![Step::Engine(engine(rest)?)],
        "cdrom" => vec![Step::Change(Change::Insert(Bay::CdRom, text()?.into()))],
        "floppy" => vec![Step::Change(Change::Insert(Bay::Floppy, text()?.into()))],
        "eject" => vec![Step::Change(Change::Eject(bay(rest)?))],
        "reset" => bare(Step::Reset)?,
        "off" => bare(Step::Off)?,
        _ => {
            return Err(format!(
                "`{word}` is not a step; the steps are expect, screen, send, type, key, keyboard, mouse, click, wait, within, save, screenshot, golden, engine, cdrom, floppy, eject, power-button, reset and off"
            ));
        }
    })
}

fn engine(name: &str) -> Result<EngineChoice, String> {
    EngineChoice::from_str(name, true)
        .map_err(|_| "`engine` needs the name of one: interpreter, auto or jit".to_owned())
}

fn bay(name: &str) -> Result<Bay, String> {
    match name {
        "cdrom" => Ok(Bay::CdRom),
        "floppy" => Ok(Bay::Floppy),
        _ => Err("`eject` needs the name of a drive: cdrom or floppy".to_owned()),
    }
}

/// A picture or a line of a list, then masks.
fn golden(text: &str) -> Result<Golden, String> {
    let mut parts = text.split(" mask ");
    let what = parts.next().unwrap_or_default().trim();
    let masks = parts.map(|mask| mask.trim().parse()).collect::<Result<Vec<Mask>, _>>()?;
    Golden::named(what, masks).map_err(|error| format!("{error:#}"))
}

fn keys_named(layout: KeyboardLayout, names: &str) -> Result<Vec<Step>, String> {
    let stroke = |name: &str| keys::of_name(layout, name).ok_or_else(|| format!("`{name}` is not a key"));
    names.split_whitespace().map(|name| Ok(Step::Key(stroke(name)?.events()))).collect()
}

fn keys_of(layout: KeyboardLayout, text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for character in text.chars() {
        let strokes = keys::of_character(layout, character);
        if strokes.is_empty() {
            return Err(format!("there is no key for `{character}` in the layout {layout}"));
        }
        steps.extend(strokes.into_iter().map(|stroke| Step::Key(stroke.events())));
    }
    Ok(steps)
}

/// Counts to the right and down.
fn movement(text: &str) -> Result<HostEvent, String> {
    let parse = || {
        let (right, down) = text.split_once(',')?;
        Some((right.trim().parse().ok()?, down.trim().parse().ok()?))
    };
    let (dx, dy) = parse().ok_or("`mouse` needs how far to the right and down: 30,-20")?;
    Ok(HostEvent::Mouse { dx, dy, wheel: 0, buttons: 0 })
}

fn button(buttons: u8) -> HostEvent {
    HostEvent::Mouse { dx: 0, dy: 0, wheel: 0, buttons }
}

fn shows(screen: &TextScreen, text: &str) -> bool {
    paint::lines(screen)
        .any(|line| line.iter().map(|cell| cp437::to_unicode(cell.ch)).collect::<String>().contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::png;

    fn parse(text: &str) -> Result<Script, ScriptError> {
        Script::parse(text, KeyboardLayout::Us)
    }

    /// A PC that shows a white dot and no text; whether it takes keys.
    struct Dot(bool, Picture);

    fn dot(takes_keys: bool) -> Dot {
        Dot(takes_keys, picture(0xFF_FFFF))
    }

    impl Desk for Dot {
        fn screen(&mut self) -> Option<TextScreen> {
            None
        }

        fn picture(&mut self) -> (&Picture, bool) {
            (&self.1, false)
        }

        fn takes_keys(&mut self) -> bool {
            self.0
        }
    }

    fn picture(colour: u32) -> Picture {
        let mut picture = Picture::new();
        (picture.width, picture.height, picture.pixels) = (1, 1, vec![colour]);
        picture
    }

    #[test]
    fn a_golden_picture_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let [white, black] = ["white.png", "black.png"].map(|name| folder.path().join(name));
        png::write(&white, &picture(0xFF_FFFF)).unwrap();
        png::write(&black, &picture(0)).unwrap();
        let text = format!(
            "golden {0}\nscreenshot {0}\ngolden {1} mask 9,9,1,1 mask 0,0,1,1\nwithin 1s\ngolden {1}",
            white.display(),
            black.display()
        );
        let mut script = parse(&text).unwrap();
        assert_eq!(script.next(Tick(0), &mut dot(true)), Progress::Act(Action::Screenshot(white)));
        assert_eq!(script.next(Tick(0), &mut dot(true)), Progress::Waiting);
        let Progress::Failed(why) = script.next(Tick::SECOND, &mut dot(true)) else {
            panic!("it is not black")
        };
        assert!(why.contains("1 pixels differ") && why.contains("black.actual.png"), "{why}");
        assert!(parse("golden /none.png").is_err() && parse("screenshot").is_err());
    }

    #[test]
    fn expect_then_send() {
        let mut script = parse("# a comment\nexpect login:\nsend root\n\nexpect #").unwrap();
        assert_eq!(script.next(Tick(0), &mut dot(true)), Progress::Waiting);
        script.heard(b"Debian log");
        assert_eq!(script.next(Tick(1), &mut dot(true)), Progress::Waiting);
        script.heard(b"in: # ");
        let root = b"root\r".iter().map(|&byte| HostEvent::Serial(byte)).collect();
        assert_eq!(script.next(Tick(2), &mut dot(true)), Progress::Act(Action::Post(root)));
        assert_eq!(
            script.next(Tick(2), &mut dot(true)),
            Progress::Done,
            "what came after `login:` was not lost"
        );
    }

    #[test]
    fn an_engine_is_chosen() {
        let mut script = parse("engine jit").unwrap();
        assert_eq!(script.next(Tick(0), &mut dot(true)), Progress::Act(Action::Engine(EngineChoice::Jit)));
    }

    #[test]
    fn keys_wait_until_the_guest_takes_them() {
        let mut script = parse("within 1s\nkeyboard aB").unwrap();
        let ms = |n| Tick::MILLISECOND.times(n);
        assert_eq!(script.next(ms(0), &mut dot(true)), Progress::Waiting, "a typist is not that fast");
        assert_eq!(script.next(ms(500), &mut dot(false)), Progress::Waiting);
        let posted = |progress| match progress {
            Progress::Act(Action::Post(events)) => events.len(),
            _ => 0,
        };
        assert_eq!(posted(script.next(ms(600), &mut dot(true))), 2);
        assert_eq!(script.next(ms(600), &mut dot(true)), Progress::Waiting);
        assert_eq!(posted(script.next(ms(630), &mut dot(true))), 4, "with Shift");
        assert_eq!(script.next(ms(630), &mut dot(true)), Progress::Done);
        let mut script = parse("within 1s\nkey a").unwrap();
        script.next(ms(0), &mut dot(false));
        assert!(matches!(script.next(ms(1000), &mut dot(false)), Progress::Failed(_)));
        assert!(parse("keyboard \u{e4}").is_err());
    }

    #[test]
    fn the_mouse_moves_and_clicks() {
        let mut script = parse("mouse 30, -20\nclick").unwrap();
        for (dx, dy, buttons) in [(30, -20, 0), (0, 0, 1), (0, 0, 0)] {
            assert_eq!(script.next(Tick(0), &mut dot(true)), Progress::Waiting);
            let event = HostEvent::Mouse { dx, dy, wheel: 0, buttons };
            let posted = Progress::Act(Action::Post(vec![event]));
            assert_eq!(script.next(BETWEEN_KEYS, &mut dot(true)), posted);
        }
        assert!(parse("mouse 30").is_err() && parse("click right").is_err());
    }

    #[test]
    fn media_are_changed() {
        let mut script = parse("eject floppy\ncdrom second disc.iso").unwrap();
        let mut next = || script.next(Tick(0), &mut dot(true));
        assert_eq!(next(), Progress::Act(Action::Change(Change::Eject(Bay::Floppy))));
        let second = Change::Insert(Bay::CdRom, "second disc.iso".into());
        assert_eq!(next(), Progress::Act(Action::Change(second)));
        assert!(parse("eject pizza").is_err() && parse("cdrom").is_err());
    }

    #[test]
    fn a_text_may_take_its_time() {
        let mut script = Script::until("x");
        assert_eq!(script.next(Tick(0), &mut dot(true)), Progress::Waiting);
        assert_eq!(script.next(Tick::SECOND.times(1 << 20), &mut dot(true)), Progress::Waiting);
        script.heard(b"x");
        assert_eq!(script.next(Tick::SECOND.times(1 << 20), &mut dot(true)), Progress::Done);
    }

    #[test]
    fn patience_is_guest_time() {
        let mut script = parse("within 5s\nexpect never").unwrap();
        assert_eq!(script.next(Tick::SECOND, &mut dot(true)), Progress::Waiting);
        assert_eq!(script.next(Tick::SECOND.times(5), &mut dot(true)), Progress::Waiting);
        let failed = Progress::Failed("script line 2, `expect never`: not in time".into());
        assert_eq!(script.next(Tick::SECOND.times(6), &mut dot(true)), failed);
    }

    #[test]
    fn power_off_is_success_only_where_it_is_expected() {
        assert!(parse("off").unwrap().powered_off().is_ok());
        assert!(parse("expect x").unwrap().powered_off().is_err());
    }

    #[test]
    fn wrong_lines_are_named() {
        let error = |text| parse(text).err().map(|error| error.to_string()).unwrap();
        assert!(error("wait 1s\nfrobnicate").starts_with("line 2: `frobnicate` is not a step"));
        assert!(error("key hyper").contains("not a key") && error("expect").contains("needs a text"));
        assert!(error("engine warp").contains("interpreter, auto or jit"));
        assert!(error("off now").contains("nothing behind it"));
    }
}
