//! An engine against recorded vectors: what the bench does, with silicon's part read from a recording.

use super::engines;
use super::guest::Guest;
use super::job::{Disagreement, Done};
use super::recording::{Recorded, RecordingError};
use super::stage::{Stage, Vectors};
use super::verdict::{Pages, Verdict};
use emu_core::memory::MemoryError;

/// Why a recording cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Engine(#[from] engines::UnknownEngine),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// The engine's side.
pub struct Replay {
    guest: Guest,
    expected: Pages,
    got: Pages,
}

impl Replay {
    /// # Errors
    /// There is no such engine, or no memory.
    pub fn new(engine: &str) -> Result<Self, ReplayError> {
        let guest = Guest::new(engines::by_name(engine)?)?;
        Ok(Self { guest, expected: Pages::new(), got: Pages::new() })
    }

    /// Runs the vectors of one recorded job. Disagreements are told as they are: without silicon they cannot be made
    /// smaller.
    ///
    /// # Errors
    /// The recording is of another generator.
    pub fn work(&mut self, recorded: &Recorded) -> Result<Done, ReplayError> {
        let job = recorded.job()?;
        let mut done = Done::default();
        let mut vectors = Vectors::of(&job);
        let mut outcomes = recorded.vectors.iter();
        while let Some(case) = vectors.case() {
            let mut stage = Stage::new(&case.program);
            stage.install(self.guest.memory());
            for _ in 0..job.inputs {
                let inputs = vectors.inputs(&case);
                let vector = outcomes.next().ok_or(RecordingError::Generator)?;
                let content = stage.prepare(&inputs.patches);
                self.expected.data.copy_from_slice(&*content.data);
                self.expected.stack.copy_from_slice(&*content.stack);
                self.guest.memory().set(&content.data, &content.stack);
                let code = &case.program.code;
                let Pages { data, stack } = &mut self.expected;
                let expected = vector.replay(code, &inputs, data, stack)?;
                let (start, end) = (case.program.start(), case.program.end());
                let got = self.guest.run(case.program.size, start, end, &inputs.registers);
                self.got.take(self.guest.memory());
                let verdict =
                    Verdict::of(&case.program, &inputs, (expected, &self.expected), (&got, &self.got));
                verdict.count(&mut done.tally);
                if !verdict.agrees() && done.disagreement.is_none() {
                    let differences = verdict.differences;
                    let program = case.program.clone();
                    done.disagreement = Some(Disagreement { job, program, inputs, differences });
                }
            }
        }
        Ok(done)
    }
}
