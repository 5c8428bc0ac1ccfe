//! Two machines in lockstep as the subject of a session.

use super::options::Compare;
use super::recipe::Guests;
use super::report;
use crate::ending::Ending;
use crate::engines::EngineChoice;
use crate::media::Change;
use crate::options::Run;
use crate::quantity::{seconds, shown_count};
use crate::session::{Subject, Turn};
use anyhow::{Result, bail};
use emu_core::{HostEvent, HostRequest, Tick};
use machine::lockstep::{Pace, Pair, Ran, Side};
use machine::{Handle, Machine};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Time of the host between two lines that say how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

pub(super) struct Together<'a> {
    pair: Pair<Guests<'a>>,
    engines: [EngineChoice; 2],
    instructions: Option<u64>,
    quiet: bool,
    start: Instant,
    told: Instant,
}

impl<'a> Together<'a> {
    pub(super) fn new(run: &'a Run, compare: &Compare) -> Result<(Self, String)> {
        let guests = Guests::open(run, compare)?;
        let [tested, reference] = [guests.first(Side::Tested)?, guests.first(Side::Reference)?];
        let engines = Side::BOTH.map(|side| guests.choice(side));
        let summary = format!("{} against {} in lockstep, {}", engines[0], engines[1], reference.summary);
        let pace = Pace { every: compare.every, memory: compare.memory_every };
        let pair = Pair::new([tested.machine, reference.machine], guests, pace)?;
        let (now, instructions) = (Instant::now(), compare.instructions);
        let quiet = run.console.quiet;
        Ok((Self { pair, engines, instructions, quiet, start: now, told: now }, summary))
    }

    fn progress(&mut self) {
        if !self.quiet && self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            eprintln!("posada: {}\r", self.status());
        }
    }

    /// Looks for the place, and tells it.
    fn apart(&self) -> Result<Ending> {
        eprintln!("posada: the engines differ; running again from the last saved state to see where");
        let finding = self.pair.narrow()?;
        crate::terminal::write_all(report::text(&finding, self.engines).as_bytes());
        Ok(Ending::Apart(report::sentence(&finding, self.engines)))
    }
}

impl Subject for Together<'_> {
    fn machine(&self) -> &Machine {
        self.pair.reference()
    }

    fn machine_mut(&mut self) -> &mut Machine {
        self.pair.reference_mut()
    }

    /// Nobody may stop one of two machines in the middle of a turn: nobody listens to this one.
    fn handle(&self) -> Handle {
        Handle::default()
    }

    fn run(&mut self, until: Tick) -> Result<Turn> {
        let ran = self.pair.run(until)?;
        self.progress();
        let enough = self.instructions.is_some_and(|enough| self.machine().retired() >= enough);
        Ok(match ran {
            // The last look says where.
            Ran::Apart => Turn::Over(Ending::Apart("the engines differ".into())),
            Ran::Together(_) if enough => Turn::Over(Ending::Quit),
            Ran::Together(outcome) => Turn::Ran(outcome),
        })
    }

    fn take_requests(&mut self) -> VecDeque<HostRequest> {
        self.pair.take_requests()
    }

    fn post(&mut self, event: HostEvent) {
        self.pair.post(event);
    }

    fn reset(&mut self) -> Result<()> {
        Ok(self.pair.reset()?)
    }

    fn engine(&self) -> Option<EngineChoice> {
        None
    }

    fn set_engine(&mut self, _choice: EngineChoice) -> Result<()> {
        bail!("in lockstep the engines stay as they are")
    }

    fn change(&mut self, _change: &Change) -> Result<bool> {
        bail!("in lockstep the media stay as they are")
    }

    fn disk_uses(&self) -> Option<u64> {
        None
    }

    fn status(&self) -> String {
        let retired = self.machine().retired();
        let micros = self.start.elapsed().as_micros().max(1);
        let speed = u128::from(retired) / micros;
        format!(
            "{} instructions in lockstep, {speed} million a second, {} s of guest time",
            shown_count(retired),
            seconds(self.machine().now())
        )
    }

    fn stats(&self) -> String {
        format!("{}\n", self.status())
    }

    fn last_look(&mut self) -> Result<Option<Ending>> {
        if self.pair.agree() {
            if !self.quiet {
                eprintln!("posada: {}; no difference", self.status());
            }
            return Ok(None);
        }
        self.apart().map(Some)
    }
}
