//! One run of a machine, from its start to its [`Ending`]: moves bytes, keys, pictures and wishes between the
//! machine and the person (or the script) in front of it.

mod console;
mod desk;
mod host;
mod pace;
mod subject;
mod typing;

pub use subject::{Subject, Turn};

use crate::ending::Ending;
use crate::engines::{EngineChoice, Engines};
use crate::files;
use crate::golden::png;
use crate::guest::{self, Built, Media};
use crate::inbox::{Happening, Inbox};
use crate::options::{Display, Run, Serial};
use crate::quantity::{seconds, shown_count};
use crate::screen::keyboard::KeyboardLayout;
use crate::script::{Action, Progress, Script};
use crate::serial::Cable;
use crate::terminal;
use crate::window::{self, Glass, Looks, Now};
use anyhow::{Context, Result, bail};
use console::Console;
use desk::AtTheDesk;
use emu_core::{HostEvent, Tick};
use host::HostSide;
use machine::{Picture, RunOutcome};
use pace::Pace;
use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use subject::Single;
use typing::Typing;

/// How far the machine runs until its requests and the screen are looked at: often enough for a person, and for a
/// script the grain of its waits.
const TURN: Tick = Tick::MILLISECOND.times(10);

/// A panicked kernel still prints the rest of its last line.
const LAST_WORDS: Tick = Tick::MILLISECOND.times(200);

/// How long to wait for a person when nothing in the machine will ever happen by itself.
const ASLEEP: Duration = Duration::from_secs(1);

/// Runs a machine as the command line says, and says how it ended.
pub fn run(run: &Run) -> Result<ExitCode> {
    run_subject(run, || {
        let choice = run.pc.engine.unwrap_or(EngineChoice::Auto);
        let media = Media::open(run)?;
        let light = media.light();
        let Built { mut machine, summary } = guest::build(run, choice.plain(false), media)?;
        // The engine that is watched comes when all input has been found right: watching opens outputs.
        let mut engines = Engines::open(&run.observe)?;
        machine.set_engine(engines.make(choice))?;
        Ok((Box::new(Single { machine, engines, choice, light }), summary))
    })
}

/// Runs what `make` makes once the rest of the input has been found right.
pub fn run_subject<'a>(run: &'a Run, make: impl FnOnce() -> Result<Made<'a>> + Send) -> Result<ExitCode> {
    match run.console.display {
        Display::None | Display::Text => hold(run, None, make),
        Display::Window => {
            let looks = Looks { name: name(run), host_key: run.console.host_key };
            window::around(looks, move |glass| hold(run, Some(glass), make))
        }
    }
}

/// One session, on whatever thread.
fn hold<'a>(run: &'a Run, glass: Option<Glass>, make: impl FnOnce() -> Result<Made<'a>>) -> Result<ExitCode> {
    let mut session = Session::open(run, glass, make)?;
    if !run.console.quiet {
        eprintln!("posada: {}", session.introduction());
    }
    session.console.enter(session.inbox.poster())?;
    let ending = session.run();
    session.console.leave();
    let ending = ending?;
    let ending = session.subject.last_look()?.unwrap_or(ending);
    session.close(&ending);
    Ok((&ending).into())
}

/// A subject, and a line that says what it is.
pub type Made<'a> = (Box<dyn Subject + 'a>, String);

struct Session<'a> {
    options: &'a Run,
    subject: Box<dyn Subject + 'a>,
    summary: String,
    script: Option<Script>,
    host: HostSide,
    console: Console,
    inbox: Inbox,
    /// Keys on their way to the keyboard.
    typing: Typing,
    paused: bool,
    pace: Pace,
    /// What a script sees.
    picture: Picture,
    /// Bytes on their way into the serial port, which takes only so many at a time.
    to_serial: VecDeque<u8>,
    /// Not yet reached.
    save_at: Option<Tick>,
}

impl<'a> Session<'a> {
    /// Reads and checks everything, then opens the outputs: a wrong input leaves no trace.
    fn open(options: &'a Run, glass: Option<Glass>, make: impl FnOnce() -> Result<Made<'a>>) -> Result<Self> {
        let serial = serial(options)?;
        let script = script(options)?;
        if let Some(path) = &options.state.save {
            files::check_writable("saved state", path)?;
        }
        let (subject, summary) = make()?;
        let cable = Cable::open(&serial)?;
        let typing =
            script.is_none() && (serial == Serial::Stdio || options.console.display == Display::Text);
        let inbox = Inbox::open(subject.handle(), &cable, typing)?;
        let console = Console::new(options.console.display, typing && terminal::is_one(), glass);
        let host = HostSide::open(options, cable)?;
        let (to_serial, save_at) = (VecDeque::new(), options.state.save_at);
        let (typing, paused) = (Typing::default(), false);
        let pace = Pace::new(!options.time.deterministic && script.is_none());
        Ok(Self {
            options,
            subject,
            summary,
            script,
            host,
            console,
            inbox,
            typing,
            paused,
            pace,
            picture: Picture::new(),
            to_serial,
            save_at,
        })
    }

    fn introduction(&self) -> String {
        let place = self.host.cable.place();
        let keys = if self.console.person { "; Ctrl-A x quits, Ctrl-A h lists the keys" } else { "" };
        format!("{}; serial port: {place}{keys}", self.summary)
    }

    fn run(&mut self) -> Result<Ending> {
        loop {
            if let Some(ending) = self.open_letters()? {
                return Ok(ending);
            }
            if let Some(ending) = self.play()? {
                return Ok(ending);
            }
            self.feed_serial();
            self.type_on();
            let turn = self.subject.run(self.turn_end())?;
            let requests = self.subject.take_requests();
            let busy = !(requests.is_empty() && self.to_serial.is_empty() && self.typing.is_empty());
            self.pace.turned(self.subject.machine().retired(), busy);
            self.host.answer(requests, self.subject.machine_mut(), self.script.as_mut());
            self.show();
            let ending = match turn {
                Turn::Ran(outcome) => self.ended(outcome)?,
                Turn::Over(ending) => Some(ending),
            };
            if let Some(ending) = ending {
                return Ok(ending);
            }
            self.host.follow_resets(self.subject.machine());
        }
    }

    /// What has happened outside since the last turn; while the machine is paused, waits for more.
    fn open_letters(&mut self) -> Result<Option<Ending>> {
        loop {
            let letter = if self.paused { self.inbox.wait(ASLEEP) } else { self.inbox.next() };
            match letter {
                Some(happening) => {
                    if let Some(ending) = self.happened(happening)? {
                        return Ok(Some(ending));
                    }
                }
                None if !self.paused => return Ok(None),
                None => {}
            }
            if self.paused {
                self.show();
            }
        }
    }

    fn show(&mut self) {
        let engine = self.subject.engine().map_or_else(String::new, |engine| engine.to_string());
        let disk_uses = self.subject.disk_uses().unwrap_or(0);
        let machine = self.subject.machine_mut();
        self.console.draw(machine, self.pace.is_idle());
        self.console.tell(Now { engine: &engine, paused: self.paused, disk_uses }, machine);
    }

    fn now(&self) -> Tick {
        self.subject.machine().now()
    }

    /// The end of this turn: not beyond anything that must happen at a certain guest time.
    fn turn_end(&self) -> Tick {
        let now = self.now();
        // Whole turns since power-on, so that a restored run has the same ones.
        let turn = self.pace.turn();
        let end = Tick((now.0 / turn.0 + 1) * turn.0);
        let moments = [self.save_at, self.options.time.timeout];
        moments.into_iter().flatten().filter(|&moment| moment > now).fold(end, Tick::min)
    }

    fn ended(&mut self, outcome: RunOutcome) -> Result<Option<Ending>> {
        let now = self.now();
        if self.save_at.is_some_and(|moment| now >= moment) {
            self.save_at = None;
            self.save()?;
            return Ok(Some(Ending::Quit));
        }
        if self.host.panicked_at.is_some_and(|since| now >= since + LAST_WORDS) {
            return Ok(Some(Ending::KernelPanic));
        }
        Ok(match outcome {
            RunOutcome::Stopped => self.out_of_time(),
            // What it said last may be what the script waits for.
            RunOutcome::PowerOff => Some(self.play()?.unwrap_or_else(|| self.powered_off())),
            RunOutcome::Reset if self.host.panic_seen => Some(Ending::KernelPanic),
            RunOutcome::Reset => Some(Ending::Reset),
            RunOutcome::Exit(value) => Some(Ending::GuestExit(value)),
            RunOutcome::Asleep => self.asleep()?,
            RunOutcome::Debug(_) | RunOutcome::Foreign => {
                bail!("the engine stopped without a reason ({outcome:?})")
            }
        })
    }

    fn out_of_time(&self) -> Option<Ending> {
        let limit = self.options.time.timeout?;
        let over = self.now() >= limit;
        over.then(|| Ending::TooLate(format!("--timeout: {} s of guest time have passed", seconds(limit))))
    }

    fn powered_off(&self) -> Ending {
        let missing = self.script.as_ref().and_then(|script| script.powered_off().err());
        missing.map_or(Ending::PowerOff, Ending::TooLate)
    }

    /// Nothing in the machine will happen by itself.
    fn asleep(&mut self) -> Result<Option<Ending>> {
        if self.host.panic_seen {
            return Ok(Some(Ending::KernelPanic));
        }
        if self.script.is_some() {
            return Ok(Some(Ending::TooLate("the guest sleeps for ever".into())));
        }
        self.console.draw_now(self.subject.machine_mut());
        match self.inbox.wait(ASLEEP) {
            Some(happening) => self.happened(happening),
            None => Ok(self.out_of_time()),
        }
    }

    fn happened(&mut self, happening: Happening) -> Result<Option<Ending>> {
        match happening {
            Happening::Signal(number) => return Ok(Some(Ending::Signal(number))),
            Happening::Repaint => self.console.repaint(),
            Happening::Received(bytes) => self.post(bytes.into_iter().map(HostEvent::Serial)),
            Happening::Typed(bytes) => return self.typed(&bytes),
            // What a paused machine is told, it would only see when it goes on: all at once, and too late.
            Happening::Host(event) if self.paused && !is_release(&event) => {}
            Happening::Host(event) => self.post([event]),
            Happening::Wish(wish) => return self.wish(wish),
            Happening::Pause => self.paused = !self.paused,
            Happening::Change(change) => self.change(&change),
            Happening::Paste(text) => self.paste(&text),
            Happening::Trouble(what) => self.console.say(&what),
        }
        Ok(None)
    }

    fn post(&mut self, events: impl IntoIterator<Item = HostEvent>) {
        self.pace.stir();
        for event in events {
            match event {
                HostEvent::Serial(byte) => self.to_serial.push_back(byte),
                other => self.subject.post(other),
            }
        }
    }

    fn feed_serial(&mut self) {
        if !self.to_serial.is_empty() {
            let count = self.subject.machine_mut().serial_room().min(self.to_serial.len());
            self.to_serial.drain(..count).for_each(|byte| self.subject.post(HostEvent::Serial(byte)));
        }
    }

    fn type_on(&mut self) {
        if let Some(stroke) = self.typing.next(self.subject.machine_mut()) {
            self.post(stroke.events());
        }
    }

    /// Plays the script as far as it goes now.
    fn play(&mut self) -> Result<Option<Ending>> {
        loop {
            let now = self.now();
            let Some(script) = &mut self.script else { return Ok(None) };
            let mut desk = AtTheDesk { machine: self.subject.machine_mut(), picture: &mut self.picture };
            match script.next(now, &mut desk) {
                Progress::Waiting => return Ok(None),
                Progress::Done => return Ok(Some(Ending::ScriptDone)),
                Progress::Failed(why) => return Ok(Some(Ending::TooLate(why))),
                Progress::Act(Action::Post(events)) => self.post(events),
                Progress::Act(Action::Save(path)) => self.save_to(&path)?,
                Progress::Act(Action::Screenshot(path)) => {
                    self.subject.machine_mut().draw(&mut self.picture);
                    png::write(&path, &self.picture)?;
                }
                Progress::Act(Action::Reset) => self.subject.reset()?,
                Progress::Act(Action::Engine(engine)) => self.subject.set_engine(engine)?,
                Progress::Act(Action::Change(change)) => {
                    // If the guest keeps the medium, it knows now that somebody wants it.
                    let _given = self.subject.change(&change)?;
                }
            }
        }
    }

    fn save(&mut self) -> Result<()> {
        let path = self.options.state.save.as_deref();
        self.save_to(path.context("give --save FILE at the start to be able to save")?)
    }

    fn save_to(&mut self, path: &Path) -> Result<()> {
        Ok(self.subject.machine().save_to_file(path)?)
    }

    fn close(&mut self, ending: &Ending) {
        if self.options.state.hash {
            let hash = self.subject.machine().state_hash();
            println!("{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
        if self.options.observe.stats {
            eprint!("{}{}", self.subject.stats(), self.console.stats().unwrap_or_default());
        }
        let quiet = self.options.console.quiet && ending.code() == 0;
        if !quiet {
            let (time, instructions) = (seconds(self.now()), shown_count(self.subject.machine().retired()));
            let end = ending.line().map_or_else(String::new, |line| format!("{line}, "));
            eprintln!("posada: {end}after {time} s of guest time and {instructions} instructions");
        }
    }
}

fn is_release(event: &HostEvent) -> bool {
    matches!(
        event,
        HostEvent::Key { pressed: false, .. } | HostEvent::Mouse { buttons: 0, dx: 0, dy: 0, wheel: 0 }
    )
}

/// What a person calls this PC: as its first disk, diskette or kernel is called.
fn name(options: &Run) -> String {
    let guest = &options.guest;
    let images = guest.disk.iter().chain(&guest.virtio_disk).chain(&guest.floppy).map(|chosen| &chosen.path);
    let named = images.chain(&guest.cdrom).chain(&guest.kernel).chain(&options.state.restore).next();
    let stem = named.and_then(|path| path.file_stem());
    stem.map_or_else(|| "PC".into(), |stem| stem.to_string_lossy().into_owned())
}

/// Where the serial port goes: the terminal can be used for one thing only.
fn serial(options: &Run) -> Result<Serial> {
    match (&options.console.serial, options.console.display) {
        (Some(Serial::Stdio), Display::Text) => {
            bail!(
                "the terminal cannot be both the screen (--display text) and the serial port (--serial stdio)"
            )
        }
        (Some(serial), _) => Ok(serial.clone()),
        (None, Display::Text | Display::Window) => Ok(Serial::None),
        (None, Display::None) => Ok(Serial::Stdio),
    }
}

/// What plays instead of a person.
fn script(options: &Run) -> Result<Option<Script>> {
    match (&options.console.script, &options.console.until_text) {
        (Some(path), _) => read_script(path, options.console.keyboard_layout).map(Some),
        (None, Some(text)) if text.is_empty() => bail!("--until-text needs a text"),
        (None, until) => Ok(until.as_deref().map(Script::until)),
    }
}

fn read_script(path: &Path, layout: KeyboardLayout) -> Result<Script> {
    let text = String::from_utf8(files::read("script", path)?);
    let text = text.with_context(|| format!("the script {} is not text", path.display()))?;
    Script::parse(&text, layout).with_context(|| format!("the script {}", path.display()))
}
