//! Portions of work, and what comes of them: plain data that crosses between processes.

use super::compare::Difference;
use super::program::{CodeSize, Program};
use super::state::Inputs;
use serde::{Deserialize, Serialize};

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A form, by its index in [`super::form::forms`].
    Form(usize),
    /// Sequences of two to eight instructions.
    Sequence(CodeSize),
}

/// Some vectors of one subject. Equal jobs of equal seeds are equal, vector by vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub subject: Subject,
    pub seed: u64,
    /// Counts the jobs of one subject.
    pub round: u64,
    /// Programs made.
    pub programs: u32,
    /// Inputs tried with each program.
    pub inputs: u32,
}

/// How many vectors came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub vectors: u64,
    /// Everything defined agrees.
    pub agreed: u64,
    /// Ended in an exception on silicon.
    pub exceptions: u64,
    /// Something is undefined by the manual (flags, mostly).
    pub undefined: u64,
    /// Of these, the undefined parts agree too.
    pub undefined_agreed: u64,
}

impl Tally {
    pub fn disagreed(&self) -> u64 {
        self.vectors - self.agreed
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.vectors += more.vectors;
        self.agreed += more.agreed;
        self.exceptions += more.exceptions;
        self.undefined += more.undefined;
        self.undefined_agreed += more.undefined_agreed;
    }
}

/// A vector whose outcomes differ, made as small as it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    pub job: Job,
    pub program: Program,
    pub inputs: Inputs,
    /// In what the engine differs from silicon; never empty.
    pub differences: Vec<Difference>,
}

/// What a job has come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    pub tally: Tally,
    /// The first of the job, if there are any.
    pub disagreement: Option<Disagreement>,
}
