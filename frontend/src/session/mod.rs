//! One run of a machine, from its start to its [`Ending`]: moves bytes, keys, pictures and wishes between the
//! machine and the person (or the script) in front of it.

mod console;
mod host;

use crate::ending::Ending;
use crate::files;
use crate::guest;
use crate::inbox::{Happening, Inbox};
use crate::options::{Display, Run, Serial};
use crate::quantity::{seconds, shown_count};
use crate::script::{Action, Progress, Script};
use crate::serial::Cable;
use crate::terminal;
use anyhow::{Context, Result, bail};
use console::Console;
use emu_core::{HostEvent, Tick};
use host::HostSide;
use machine::{Machine, RunLimit, RunOutcome};
use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How far the machine runs until its requests and the screen are looked at: often enough for a person, and for a
/// script the grain of its waits.
const TURN: Tick = Tick::MILLISECOND.times(10);

/// A panicked kernel still prints the rest of its last line.
const LAST_WORDS: Tick = Tick::MILLISECOND.times(200);

/// How long to wait for a person when nothing in the machine will ever happen by itself.
const ASLEEP: Duration = Duration::from_secs(1);

/// Runs a machine as the command line says, and says how it ended.
pub fn run(run: &Run) -> Result<ExitCode> {
    let mut session = Session::open(run)?;
    if !run.console.quiet {
        eprintln!("posada: {}", session.introduction());
    }
    session.console.enter().context("cannot switch the terminal to raw mode")?;
    let ending = session.run();
    session.console.leave();
    let ending = ending?;
    session.close(&ending);
    Ok((&ending).into())
}

struct Session<'a> {
    options: &'a Run,
    machine: Machine,
    summary: String,
    script: Option<Script>,
    host: HostSide,
    console: Console,
    inbox: Inbox,
    /// Bytes on their way into the serial port, which takes only so many at a time.
    to_serial: VecDeque<u8>,
    /// Not yet reached.
    save_at: Option<Tick>,
}

impl<'a> Session<'a> {
    /// Reads and checks everything, then opens the outputs: a wrong input leaves no trace.
    fn open(options: &'a Run) -> Result<Self> {
        let serial = serial(options)?;
        let script = options.console.script.as_deref().map(read_script).transpose()?;
        if let Some(path) = &options.state.save {
            files::check_writable("saved state", path)?;
        }
        let guest::Built { machine, summary } = guest::build(options)?;
        let cable = Cable::open(&serial)?;
        let typing =
            script.is_none() && (serial == Serial::Stdio || options.console.display == Display::Text);
        let inbox = Inbox::open(machine.handle(), &cable, typing)?;
        let console = Console::new(options.console.display, typing && terminal::is_one());
        let host = HostSide::open(options, cable)?;
        let (to_serial, save_at) = (VecDeque::new(), options.state.save_at);
        Ok(Self { options, machine, summary, script, host, console, inbox, to_serial, save_at })
    }

    fn introduction(&self) -> String {
        let place = self.host.cable.place();
        let keys = if self.console.person { "; Ctrl-A x quits, Ctrl-A h lists the keys" } else { "" };
        format!("{}; serial port: {place}{keys}", self.summary)
    }

    fn run(&mut self) -> Result<Ending> {
        loop {
            while let Some(happening) = self.inbox.next() {
                if let Some(ending) = self.happened(happening)? {
                    return Ok(ending);
                }
            }
            if let Some(ending) = self.play()? {
                return Ok(ending);
            }
            self.feed_serial();
            let outcome = self.machine.run(RunLimit::until(self.turn_end()));
            self.host.take_requests(&mut self.machine, self.script.as_mut());
            self.console.draw(&mut self.machine);
            if let Some(ending) = self.ended(outcome)? {
                return Ok(ending);
            }
            self.host.follow_resets(&self.machine);
        }
    }

    /// The end of this turn: not beyond anything that must happen at a certain guest time.
    fn turn_end(&self) -> Tick {
        let now = self.machine.now();
        // Whole turns since power-on, so that a restored run has the same ones.
        let end = Tick((now.0 / TURN.0 + 1) * TURN.0);
        let moments = [self.save_at, self.options.time.timeout];
        moments.into_iter().flatten().filter(|&moment| moment > now).fold(end, Tick::min)
    }

    fn ended(&mut self, outcome: RunOutcome) -> Result<Option<Ending>> {
        let now = self.machine.now();
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
            RunOutcome::PowerOff => Some(self.powered_off()),
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
        let over = self.machine.now() >= limit;
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
        }
        Ok(None)
    }

    fn post(&mut self, events: impl IntoIterator<Item = HostEvent>) {
        let handle = self.machine.handle();
        for event in events {
            match event {
                HostEvent::Serial(byte) => self.to_serial.push_back(byte),
                other => handle.post(other),
            }
        }
    }

    fn feed_serial(&mut self) {
        if !self.to_serial.is_empty() {
            let count = self.machine.serial_room().min(self.to_serial.len());
            let handle = self.machine.handle();
            self.to_serial.drain(..count).for_each(|byte| handle.post(HostEvent::Serial(byte)));
        }
    }

    /// Plays the script as far as it goes now.
    fn play(&mut self) -> Result<Option<Ending>> {
        loop {
            let Some(script) = &mut self.script else { return Ok(None) };
            let now = self.machine.now();
            match script.next(now, || self.machine.text_screen()) {
                Progress::Waiting => return Ok(None),
                Progress::Done => return Ok(Some(Ending::ScriptDone)),
                Progress::Failed(why) => return Ok(Some(Ending::TooLate(why))),
                Progress::Act(Action::Post(events)) => self.post(events),
                Progress::Act(Action::Save(path)) => self.save_to(&path)?,
                Progress::Act(Action::Reset) => self.machine.reset()?,
            }
        }
    }

    fn save(&mut self) -> Result<()> {
        let path = self.options.state.save.as_deref();
        self.save_to(path.context("give --save FILE at the start to be able to save")?)
    }

    fn save_to(&mut self, path: &Path) -> Result<()> {
        Ok(self.machine.save_to_file(path)?)
    }

    fn close(&mut self, ending: &Ending) {
        if self.options.state.hash {
            let hash = self.machine.state_hash();
            println!("{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
        let quiet = self.options.console.quiet && ending.code() == 0;
        if !quiet {
            let (time, instructions) = (seconds(self.machine.now()), shown_count(self.machine.retired()));
            let end = ending.line().map_or_else(String::new, |line| format!("{line}, "));
            eprintln!("posada: {end}after {time} s of guest time and {instructions} instructions");
        }
    }
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
        (None, Display::Text) => Ok(Serial::None),
        (None, Display::None) => Ok(Serial::Stdio),
    }
}

fn read_script(path: &Path) -> Result<Script> {
    let text = String::from_utf8(files::read("script", path)?);
    let text = text.with_context(|| format!("the script {} is not text", path.display()))?;
    Script::parse(&text).with_context(|| format!("the script {}", path.display()))
}
