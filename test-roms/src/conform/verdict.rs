//! How one vector came out.

use super::compare::{self, Difference};
use super::job::Tally;
use super::layout::*;
use super::loose::{self, Allowed};
use super::memory::Memory;
use super::program::Program;
use super::state::{End, Inputs, Outcome};

/// Pages after a run.
pub struct Pages {
    pub data: Box<[u8; DATA_BYTES]>,
    pub stack: Box<[u8; STACK_BYTES]>,
}

impl Pages {
    pub fn new() -> Self {
        Self { data: Box::new([0; DATA_BYTES]), stack: Box::new([0; STACK_BYTES]) }
    }

    pub fn take(&mut self, memory: &dyn Memory) {
        memory.get(&mut self.data, &mut self.stack);
    }

    pub fn parts(&self) -> [&[u8]; 2] {
        [&self.data[..], &self.stack[..]]
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self::new()
    }
}

/// What a comparison has come to.
pub struct Verdict {
    /// Silicon's.
    pub outcome: Outcome,
    /// Of what is defined.
    pub differences: Vec<Difference>,
    /// Something is undefined; and whether it agrees all the same.
    pub undefined: Option<bool>,
}

impl Verdict {
    /// Compares what silicon did with what an engine did.
    pub fn of(
        program: &Program,
        inputs: &Inputs,
        silicon: (Outcome, &Pages),
        engine: (&Outcome, &Pages),
    ) -> Self {
        let ((expected, expected_pages), (got, got_pages)) = (silicon, engine);
        let differences = |allowed: &Allowed| {
            if allowed.loose.covers(&expected, got) {
                return Vec::new();
            }
            let mut found = compare::outcomes(program.size, &expected, got, &allowed.loose);
            found.extend(compare::memories(expected_pages.parts(), got_pages.parts(), &allowed.loose));
            found.extend(loose::beyond_bounds(allowed, &expected, got));
            found
        };
        let (defined, everything) = loose::allowed(program, inputs, &expected);
        let differing = differences(&defined);
        let open = defined.loose.concerns(&expected) && defined != everything;
        let undefined = open.then(|| differences(&everything).is_empty());
        Self { outcome: expected, differences: differing, undefined }
    }

    pub fn agrees(&self) -> bool {
        self.differences.is_empty()
    }

    /// Adds the vector to a tally.
    pub fn count(&self, tally: &mut Tally) {
        tally.vectors += 1;
        tally.agreed += u64::from(self.agrees());
        tally.exceptions += u64::from(self.outcome.end != End::Through);
        if let Some(agrees) = self.undefined {
            tally.undefined += 1;
            tally.undefined_agreed += u64::from(agrees);
        }
    }
}
