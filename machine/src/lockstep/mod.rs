//! Two machines in lockstep: the same guest under two engines, compared as they go.
//!
//! Both get the same input at the same instant of deterministic time. Every few instructions the CPUs, the counts and
//! the clocks are compared, now and then also chips and memory. At such a full comparison the machines, which are the
//! same, are saved once, and both engines are made anew: from there on, whatever happens can be made to happen again,
//! with the same steps and therefore the same compiled code. [`Pair::narrow`] does that to find where two runs part.

mod difference;
mod narrow;
mod tape;
#[cfg(test)]
mod tests;
mod trace;

pub use difference::{Difference, cpu_differences, differences};
pub use narrow::{Finding, Sight};
pub use trace::Executed;

use crate::boot::BootError;
use crate::machine::{Machine, MachineError};
use crate::run::{RunLimit, RunOutcome};
use crate::snapshot::SaveError;
use difference::{alike, same};
use emu_core::{Engine, HostEvent, HostRequest, Tick};
use std::collections::VecDeque;
use std::error::Error;
use tape::{Answer, Step, Tape};

/// Which of the two machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The engine under test.
    Tested,
    Reference,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Tested, Self::Reference];
}

/// How the machines of a pair are made, as often as needed.
pub trait Recipe {
    /// A new engine of this side; engines that compile must do it the same way each time.
    fn engine(&self, side: Side) -> Box<dyn Engine>;

    /// A machine with a new engine of this side, from a saved state; its disks hold what they held at the last
    /// [`Recipe::remember`].
    ///
    /// # Errors
    /// The state or the disks cannot be used any more.
    fn restore(&self, side: Side, state: &[u8]) -> Result<Machine, Box<dyn Error + Send + Sync>>;

    /// Keeps what the disks hold now, for [`Recipe::restore`].
    fn remember(&mut self);
}

/// Why a pair could not go on. What the guest does is no reason.
#[derive(Debug, thiserror::Error)]
pub enum LockstepError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error(transparent)]
    Save(#[from] SaveError),
    #[error("a machine could not be made again: {0}")]
    Again(Box<dyn Error + Send + Sync>),
}

/// How often to look, in instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two comparisons of the CPUs.
    pub every: u64,
    /// Between two comparisons of everything.
    pub memory: u64,
}

/// How a run of both ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    Together(RunOutcome),
    /// They differ: see [`Pair::narrow`].
    Apart,
}

/// Steps after which the machines are saved again, however few instructions they ran.
const LONGEST_TAPE: usize = 20_000;

/// Two machines and how to make them again.
pub struct Pair<R> {
    tested: Machine,
    reference: Machine,
    recipe: R,
    pace: Pace,
    tape: Tape,
    requests: VecDeque<HostRequest>,
    apart: bool,
}

impl<R: Recipe> Pair<R> {
    /// Two machines that are the same. Time is deterministic on both.
    ///
    /// # Errors
    /// They cannot be saved.
    pub fn new([tested, reference]: [Machine; 2], recipe: R, pace: Pace) -> Result<Self, LockstepError> {
        let pace = Pace { every: pace.every.max(1), ..pace };
        let requests = VecDeque::new();
        let tape = Tape::default();
        let mut pair = Self { tested, reference, recipe, pace, tape, requests, apart: false };
        pair.apart = !same(pair.machines());
        pair.rewind()?;
        Ok(pair)
    }

    /// The machine under the reference engine: the one to show.
    pub fn reference(&self) -> &Machine {
        &self.reference
    }

    /// For looks at the screen and the like; whatever changes the machine must be done to both.
    pub fn reference_mut(&mut self) -> &mut Machine {
        &mut self.reference
    }

    fn machines(&self) -> [&Machine; 2] {
        [&self.tested, &self.reference]
    }

    pub fn post(&mut self, event: HostEvent) {
        // A letter into two mailboxes fails in neither.
        let _ = self.both(Step::Post(event));
    }

    pub fn schedule(&mut self, at: Tick, event: HostEvent) {
        let _ = self.both(Step::Schedule(at, event));
    }

    /// Presses both reset buttons.
    ///
    /// # Errors
    /// The kernel cannot be started.
    pub fn reset(&mut self) -> Result<(), LockstepError> {
        self.both(Step::Reset).map(drop)
    }

    /// What the guest asked of the host since the last call.
    pub fn take_requests(&mut self) -> VecDeque<HostRequest> {
        std::mem::take(&mut self.requests)
    }

    /// Runs both until a guest time, or until something else ends the run.
    ///
    /// # Errors
    /// The machines could not be saved.
    pub fn run(&mut self, until: Tick) -> Result<Ran, LockstepError> {
        let outcome = loop {
            let before = self.reference.retired();
            let limit = RunLimit { until, instructions: self.pace.every, at: None };
            let answer = self.both(Step::Run(limit))?;
            if self.apart || !alike(self.machines()) {
                self.apart = true;
                return Ok(Ran::Apart);
            }
            let used_up = self.reference.retired() - before >= self.pace.every;
            match answer {
                Answer::Ran(RunOutcome::Stopped) if used_up && self.reference.now() < until => {}
                Answer::Ran(outcome) => break outcome,
                Answer::Nothing | Answer::Requests(_) => break RunOutcome::Stopped,
            }
        };
        if let Answer::Requests(requests) = self.both(Step::Take)? {
            self.requests.extend(requests);
        }
        if !self.apart && self.is_time_for_all() {
            self.apart = !same(self.machines());
            if !self.apart {
                self.rewind()?;
            }
        }
        Ok(if self.apart { Ran::Apart } else { Ran::Together(outcome) })
    }

    /// Compares everything, at the end; whether it is the same.
    pub fn agree(&mut self) -> bool {
        self.apart |= !same(self.machines());
        !self.apart
    }

    fn is_time_for_all(&self) -> bool {
        let since = self.reference.retired().saturating_sub(self.tape.retired);
        since >= self.pace.memory || self.tape.steps.len() >= LONGEST_TAPE
    }

    /// Does something to both machines, and takes note of it.
    fn both(&mut self, step: Step) -> Result<Answer, LockstepError> {
        let answers = [step.apply(&mut self.tested)?, step.apply(&mut self.reference)?];
        self.tape.steps.push(step);
        let [tested, reference] = answers;
        self.apart |= tested != reference;
        Ok(reference)
    }

    /// Saves the machines, which are the same, and lets new engines go on.
    fn rewind(&mut self) -> Result<(), LockstepError> {
        self.tape.steps.clear();
        self.tape.start.clear();
        self.tape.retired = self.reference.retired();
        self.reference.save(&mut self.tape.start)?;
        self.recipe.remember();
        self.tested.set_engine(self.recipe.engine(Side::Tested))?;
        self.reference.set_engine(self.recipe.engine(Side::Reference))?;
        Ok(())
    }
}
