//! What was done to both machines since they were last saved: enough to do it again.

use crate::boot::BootError;
use crate::machine::Machine;
use crate::run::{RunLimit, RunOutcome};
use emu_core::{HostEvent, HostRequest, Tick};
use std::collections::VecDeque;

/// One thing done to a machine from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Post(HostEvent),
    Schedule(Tick, HostEvent),
    Reset,
    Run(RunLimit),
    /// The host took the requests.
    Take,
}

/// What a machine answered to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    Ran(RunOutcome),
    Requests(VecDeque<HostRequest>),
}

impl Step {
    pub(super) fn apply(&self, machine: &mut Machine) -> Result<Answer, BootError> {
        match self {
            Self::Post(event) => machine.handle().post(event.clone()),
            Self::Schedule(at, event) => machine.schedule(*at, event.clone()),
            Self::Reset => machine.reset()?,
            Self::Run(limit) => return Ok(Answer::Ran(machine.run(*limit))),
            Self::Take => return Ok(Answer::Requests(machine.take_requests())),
        }
        Ok(Answer::Nothing)
    }
}

/// A saved machine and the steps from there.
#[derive(Default)]
pub(super) struct Tape {
    /// The machine, which was the same on both sides.
    pub(super) start: Vec<u8>,
    /// Instructions that had retired then.
    pub(super) retired: u64,
    pub(super) steps: Vec<Step>,
}
