//! Host and guest side by side: jobs in, tallies and disagreements out.

use super::compare::{self, Difference};
use super::engines::{self, UnknownEngine};
use super::form::forms;
use super::generate::{self, Case};
use super::guest::Guest;
use super::job::{Disagreement, Done, Job, Subject, Tally};
use super::layout::*;
use super::loose::{self, Allowed};
use super::memory::{Content, Memory};
use super::minimise::minimise;
use super::native::{Host, HostError};
use super::program::Program;
use super::state::{Inputs, Outcome, Patch};
use super::values::Rng;
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

/// Pages after a run.
struct Pages {
    data: Box<[u8; DATA_BYTES]>,
    stack: Box<[u8; STACK_BYTES]>,
}

impl Pages {
    fn new() -> Self {
        Self { data: Box::new([0; DATA_BYTES]), stack: Box::new([0; STACK_BYTES]) }
    }

    fn take(&mut self, memory: &dyn Memory) {
        memory.get(&mut self.data, &mut self.stack);
    }

    fn parts(&self) -> [&[u8]; 2] {
        [&self.data[..], &self.stack[..]]
    }
}

/// The two sides, with one program installed on both.
pub struct Bench {
    host: Host,
    guest: Guest,
    program: Program,
    /// What the pages hold without patches.
    plain: Content,
    /// What they hold with those of one vector.
    content: Content,
    expected: Pages,
    got: Pages,
}

/// How one vector came out.
struct Verdict {
    outcome: Outcome,
    differences: Vec<Difference>,
    /// Something is undefined; and whether it agrees all the same.
    undefined: Option<bool>,
}

impl Bench {
    /// Claims the host's window for an engine of this name.
    ///
    /// # Errors
    /// See [`SetUpError`].
    pub fn new(engine: &str) -> Result<Self, SetUpError> {
        let guest = Guest::new(engines::by_name(engine)?)?;
        let program = Program::default();
        let (plain, content) = (Content::of(&program), Content::of(&program));
        Ok(Self {
            host: Host::claim()?,
            guest,
            program,
            plain,
            content,
            expected: Pages::new(),
            got: Pages::new(),
        })
    }

    fn install(&mut self, program: &Program) {
        self.program = program.clone();
        self.plain = Content::of(program);
        self.content = self.plain.clone();
        for memory in [self.host.memory(), self.guest.memory()] {
            memory.set_code(&self.plain.code);
            memory.set_fixed(&self.plain.fixed);
        }
    }

    /// Runs the installed program on both sides.
    fn vector(&mut self, inputs: &Inputs) -> Verdict {
        self.content.patch(&inputs.patches);
        for memory in [self.host.memory(), self.guest.memory()] {
            memory.set(&self.content.data, &self.content.stack);
        }
        self.restore(&inputs.patches);
        let (size, start, end) = (self.program.size, self.program.start(), self.program.end());
        let expected = self.host.run(size, start, end, &inputs.registers);
        let got = self.guest.run(size, start, end, &inputs.registers);
        self.expected.take(self.host.memory());
        self.got.take(self.guest.memory());
        self.judge(inputs, expected, &got)
    }

    /// The same, and again if it disagrees: a switch to another process in the middle of a program changes what little
    /// the host's kernel cannot keep (x87 pointers on AMD's parts, null selectors).
    fn steady_vector(&mut self, inputs: &Inputs) -> Verdict {
        let first = self.vector(inputs);
        if first.differences.is_empty() { first } else { self.vector(inputs) }
    }

    fn restore(&mut self, patches: &[Patch]) {
        for patch in patches {
            self.content.copy_from(&self.plain, patch);
        }
    }

    fn judge(&self, inputs: &Inputs, expected: Outcome, got: &Outcome) -> Verdict {
        let (size, parts) = (self.program.size, (self.expected.parts(), self.got.parts()));
        let differences = |allowed: &Allowed| {
            if allowed.loose.covers(&expected, got) {
                return Vec::new();
            }
            let mut found = compare::outcomes(size, &expected, got, &allowed.loose);
            found.extend(compare::memories(parts.0, parts.1, &allowed.loose));
            found.extend(loose::beyond_bounds(allowed, &expected, got));
            found
        };
        let (defined, everything) = loose::allowed(&self.program, inputs, &expected);
        let differing = differences(&defined);
        let undefined = (defined != everything).then(|| differences(&everything).is_empty());
        Verdict { outcome: expected, differences: differing, undefined }
    }

    /// Works on a job.
    pub fn work(&mut self, job: &Job) -> Done {
        let mut done = Done::default();
        let mut random = rng(job);
        for _ in 0..job.programs {
            let case = case(job.subject, &mut random);
            self.install(&case.program);
            for _ in 0..job.inputs {
                let inputs = generate::inputs(&case, &mut random);
                let verdict = self.steady_vector(&inputs);
                count(&mut done.tally, &verdict);
                if !verdict.differences.is_empty() && done.disagreement.is_none() {
                    done.disagreement = Some(self.disagreement(job, &case, &inputs));
                    self.install(&case.program);
                }
            }
        }
        done
    }

    fn disagreement(&mut self, job: &Job, case: &Case, inputs: &Inputs) -> Disagreement {
        let (program, inputs) = minimise(&case.program, inputs, |program, inputs| {
            self.install(program);
            !self.steady_vector(inputs).differences.is_empty()
        });
        self.install(&program);
        let differences = self.steady_vector(&inputs).differences;
        Disagreement { job: *job, program, inputs, differences }
    }
}

fn rng(job: &Job) -> Rng {
    let subject = match job.subject {
        Subject::Form(n) => n as u64,
        Subject::Sequence(size) => u64::MAX - size as u64,
    };
    let mut mixed = Rng(job.seed);
    for part in [subject, job.round] {
        mixed = Rng(mixed.next() ^ part);
    }
    mixed
}

fn case(subject: Subject, random: &mut Rng) -> Case {
    match subject {
        Subject::Form(n) => generate::case(&forms()[n], random),
        Subject::Sequence(size) => generate::sequence(size, random),
    }
}

fn count(tally: &mut Tally, verdict: &Verdict) {
    tally.vectors += 1;
    tally.agreed += u64::from(verdict.differences.is_empty());
    tally.exceptions += u64::from(verdict.outcome.end != super::state::End::Through);
    if let Some(agrees) = verdict.undefined {
        tally.undefined += 1;
        tally.undefined_agreed += u64::from(agrees);
    }
}
