//! What a session runs: one machine, or more of them that look like one.

use crate::disk_light::DiskLight;
use crate::ending::Ending;
use crate::engines::{EngineChoice, Engines};
use crate::media::Change;
use anyhow::Result;
use emu_core::{HostEvent, HostRequest, Tick};
use machine::{Handle, Machine, RunLimit, RunOutcome};
use std::collections::VecDeque;

/// How a turn ended.
pub enum Turn {
    Ran(RunOutcome),
    /// The subject has come to its own end.
    Over(Ending),
}

/// The machine of a session, as far as a session changes it.
pub trait Subject {
    /// The machine to show.
    fn machine(&self) -> &Machine;
    /// For the screen, the serial port's room and the trace: looks that change nothing the guest could notice.
    fn machine_mut(&mut self) -> &mut Machine;
    /// What ends a turn early, from other threads.
    fn handle(&self) -> Handle;
    fn run(&mut self, until: Tick) -> Result<Turn>;
    fn take_requests(&mut self) -> VecDeque<HostRequest>;
    fn post(&mut self, event: HostEvent);
    fn reset(&mut self) -> Result<()>;
    /// The engine that runs, if there is one to choose.
    fn engine(&self) -> Option<EngineChoice>;
    /// # Errors
    /// There is no choice here, or the machine cannot run under this engine.
    fn set_engine(&mut self, choice: EngineChoice) -> Result<()>;
    /// Changes a medium. False if the guest keeps it for now: it was told.
    ///
    /// # Errors
    /// The medium cannot be used, or media cannot be changed here.
    fn change(&mut self, change: &Change) -> Result<bool>;
    /// How often a disk was used so far, where somebody counts.
    fn disk_uses(&self) -> Option<u64>;
    /// How it is doing, in one line.
    fn status(&self) -> String;
    /// The table of `--stats`.
    fn stats(&self) -> String;
    /// A last look at the end, when the terminal is as it was: another ending, if that one is not the whole truth.
    fn last_look(&mut self) -> Result<Option<Ending>>;
}

/// One machine.
pub struct Single {
    pub machine: Machine,
    pub engines: Engines,
    pub choice: EngineChoice,
    pub light: DiskLight,
}

impl Subject for Single {
    fn machine(&self) -> &Machine {
        &self.machine
    }

    fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn handle(&self) -> Handle {
        self.machine.handle()
    }

    fn run(&mut self, until: Tick) -> Result<Turn> {
        Ok(Turn::Ran(self.machine.run(RunLimit::until(until))))
    }

    fn take_requests(&mut self) -> VecDeque<HostRequest> {
        self.machine.take_requests()
    }

    fn post(&mut self, event: HostEvent) {
        self.machine.handle().post(event);
    }

    fn reset(&mut self) -> Result<()> {
        Ok(self.machine.reset()?)
    }

    fn engine(&self) -> Option<EngineChoice> {
        Some(self.choice)
    }

    fn set_engine(&mut self, choice: EngineChoice) -> Result<()> {
        self.machine.set_engine(self.engines.make(choice))?;
        self.choice = choice;
        Ok(())
    }

    fn change(&mut self, change: &Change) -> Result<bool> {
        change.make(&mut self.machine, &self.light)
    }

    fn disk_uses(&self) -> Option<u64> {
        Some(self.light.uses())
    }

    fn status(&self) -> String {
        self.engines.short()
    }

    fn stats(&self) -> String {
        self.engines.stats()
    }

    fn last_look(&mut self) -> Result<Option<Ending>> {
        Ok(None)
    }
}
