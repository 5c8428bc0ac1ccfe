//! Host and guest side by side: jobs in, tallies and disagreements out.

use super::compare::Difference;
use super::engines::{self, UnknownEngine};
use super::explain;
use super::generate::Case;
use super::guest::Guest;
use super::job::{Disagreement, Done, Job, Subject};
use super::minimise::minimise;
use super::native::{Host, HostError};
use super::program::Program;
use super::recording::{Recorded, Vector};
use super::stage::{Stage, Vectors};
use super::state::{Inputs, Outcome};
use super::verdict::{Pages, Verdict};
use emu_core::Engine;
use emu_core::memory::MemoryError;

/// Why there can be no comparison.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Engine(#[from] UnknownEngine),
}

/// The two sides, with one program installed on both.
pub struct Bench {
    host: Host,
    guest: Guest,
    stage: Stage,
    expected: Pages,
    got: Pages,
}

impl Bench {
    /// Claims the host's window for an engine of this name.
    ///
    /// # Errors
    /// See [`SetUpError`].
    pub fn new(engine: &str) -> Result<Self, SetUpError> {
        Self::with(engines::by_name(engine)?)
    }

    /// The same for any engine.
    ///
    /// # Errors
    /// See [`SetUpError`].
    pub fn with(engine: Box<dyn Engine>) -> Result<Self, SetUpError> {
        let guest = Guest::new(engine)?;
        let stage = Stage::new(&Program::default());
        Ok(Self { host: Host::claim()?, guest, stage, expected: Pages::new(), got: Pages::new() })
    }

    fn install(&mut self, program: &Program) {
        self.stage = Stage::new(program);
        self.stage.install(self.host.memory());
        self.stage.install(self.guest.memory());
    }

    /// Runs the installed program on silicon.
    fn silicon(&mut self, inputs: &Inputs) -> Outcome {
        let content = self.stage.prepare(&inputs.patches);
        self.host.memory().set(&content.data, &content.stack);
        let program = &self.stage.program;
        let outcome = self.host.run(program.size, program.start(), program.end(), &inputs.registers);
        self.expected.take(self.host.memory());
        outcome
    }

    /// Runs the installed program on both sides.
    fn vector(&mut self, inputs: &Inputs) -> Verdict {
        let expected = self.silicon(inputs);
        let content = self.stage.prepare(&inputs.patches);
        self.guest.memory().set(&content.data, &content.stack);
        let program = &self.stage.program;
        let got = self.guest.run(program.size, program.start(), program.end(), &inputs.registers);
        self.got.take(self.guest.memory());
        Verdict::of(program, inputs, (expected, &self.expected), (&got, &self.got))
    }

    /// The same, and again if it disagrees: a switch to another process in the middle of a program changes what little
    /// the host's kernel cannot keep (x87 pointers on AMD's parts, null selectors).
    fn steady_vector(&mut self, inputs: &Inputs) -> Verdict {
        let first = self.vector(inputs);
        if first.agrees() { first } else { self.vector(inputs) }
    }

    /// Works on a job.
    pub fn work(&mut self, job: &Job) -> Done {
        let mut done = Done::default();
        let mut vectors = Vectors::of(job);
        while let Some(case) = vectors.case() {
            self.install(&case.program);
            for _ in 0..job.inputs {
                let inputs = vectors.inputs(&case);
                let verdict = self.steady_vector(&inputs);
                verdict.count(&mut done.tally);
                if !verdict.agrees() && done.disagreement.is_none() {
                    done.disagreement = Some(self.disagreement(job, &case, inputs, verdict.differences));
                    self.install(&case.program);
                }
            }
        }
        done
    }

    /// Makes the case small; as it was found, if an engine that has run it before does not fail again (it may have
    /// compiled the program meanwhile).
    fn disagreement(
        &mut self,
        job: &Job,
        case: &Case,
        inputs: Inputs,
        differences: Vec<Difference>,
    ) -> Disagreement {
        let (program, small) = minimise(&case.program, &inputs, |program, inputs| {
            self.install(program);
            !self.steady_vector(inputs).agrees()
        });
        self.install(&program);
        let again = self.steady_vector(&small).differences;
        if again.is_empty() {
            return Disagreement { job: *job, program: case.program.clone(), inputs, differences };
        }
        Disagreement { job: *job, program, inputs: small, differences: again }
    }

    /// Records what silicon makes of a job.
    pub fn record(&mut self, job: &Job) -> Recorded {
        let mut recorded = Vec::new();
        let mut vectors = Vectors::of(job);
        while let Some(case) = vectors.case() {
            self.install(&case.program);
            for _ in 0..job.inputs {
                let inputs = vectors.inputs(&case);
                let outcome = self.silicon(&inputs);
                let content = self.stage.prepare(&inputs.patches);
                let before = [&content.data[..], &content.stack[..]];
                recorded.push(Vector::record(
                    &case.program.code,
                    &inputs,
                    &outcome,
                    before,
                    self.expected.parts(),
                ));
            }
        }
        let (code, size) = match job.subject {
            Subject::Form(_) => (explain::code(job.subject), explain::size(job.subject)),
            Subject::Sequence(size) => (None, size),
        };
        let Job { seed, round, programs, inputs, .. } = *job;
        Recorded { code, size, seed, round, programs, inputs, vectors: recorded }
    }
}
