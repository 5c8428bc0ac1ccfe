//! The program that is being tried, and what memory holds before each of its runs.

use super::form::forms;
use super::generate::{self, Case};
use super::job::{Job, Subject};
use super::memory::{Content, Memory};
use super::program::Program;
use super::state::{Inputs, Patch};
use super::values::Rng;

/// One program, and its memory.
pub struct Stage {
    pub program: Program,
    /// What the pages hold without patches.
    plain: Content,
    /// What they hold with those of the last vector.
    content: Content,
}

impl Stage {
    pub fn new(program: &Program) -> Self {
        let plain = Content::of(program);
        Self { program: program.clone(), content: plain.clone(), plain }
    }

    /// Puts the program where a CPU will find it.
    pub fn install(&self, memory: &mut dyn Memory) {
        memory.set_code(&self.plain.code);
        memory.set_fixed(&self.plain.fixed);
    }

    /// Sets what memory holds before a run with these patches.
    pub fn prepare(&mut self, patches: &[Patch]) -> &Content {
        self.content.data.copy_from_slice(&*self.plain.data);
        self.content.stack.copy_from_slice(&*self.plain.stack);
        self.content.patch(patches);
        &self.content
    }
}

/// The vectors of a job: programs, each with its inputs, the same each time.
pub struct Vectors {
    random: Rng,
    job: Job,
    made: u32,
}

impl Vectors {
    pub fn of(job: &Job) -> Self {
        let subject = match job.subject {
            Subject::Form(n) => n as u64,
            Subject::Sequence(size) => u64::MAX - size as u64,
        };
        let mut random = Rng(job.seed);
        for part in [subject, job.round] {
            random = Rng(random.word() ^ part);
        }
        Self { random, job: *job, made: 0 }
    }

    /// The next program, if there is one more.
    pub fn case(&mut self) -> Option<Case> {
        if self.made == self.job.programs {
            return None;
        }
        self.made += 1;
        Some(match self.job.subject {
            Subject::Form(n) => generate::case(&forms()[n], &mut self.random),
            Subject::Sequence(size) => generate::sequence(size, &mut self.random),
        })
    }

    /// More inputs for the program.
    pub fn inputs(&mut self, case: &Case) -> Inputs {
        generate::inputs(case, &mut self.random)
    }
}
