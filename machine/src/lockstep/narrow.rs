//! From "they differ" to the instruction: the run is repeated from the last saved state, always with the same steps
//! up to the last one, whose length is halved until it cannot be made shorter.
//!
//! A compiled region is left for the interpreter when the budget does not suffice for it, so close before the end of a
//! run nothing is compiled: the shortest run that shows the difference ends *behind* the mistake. Therefore the last
//! instruction is also tried alone, and what the reference engine executed before it is recorded.

use super::difference::{Difference, alike, differences, same};
use super::tape::Step;
use super::trace::{self, Executed};
use super::{LockstepError, Pair, Recipe, Side};
use crate::machine::Machine;
use crate::run::RunLimit;

/// Instructions that are recorded before the place where the difference shows.
const RECORD: u64 = 400;

/// How well a difference could be located.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The instruction alone, from a state that was the same, makes the difference.
    Alone,
    /// Runs that end earlier show no difference, but the instruction alone makes none: the mistake is in code that is
    /// compiled as a whole.
    InCompany,
    /// The difference did not come again when the run was repeated.
    Vanished,
}

/// Where two runs part.
#[derive(Clone, Debug)]
pub struct Finding {
    pub sight: Sight,
    /// Instructions retired since power-on: the same up to the first, different at the second.
    pub window: [u64; 2],
    /// As seen at the end of the window.
    pub differences: Vec<Difference>,
    /// What the reference engine executed up to the end of the window; the last is the one that was found.
    pub executed: Vec<Executed>,
}

impl Finding {
    /// The last recorded instruction that changed what differs, as its place in [`Self::executed`].
    pub fn changed_last(&self, difference: &Difference) -> Option<usize> {
        self.executed.iter().rposition(|executed| executed.changed.contains(&difference.what))
    }
}

impl<R: Recipe> Pair<R> {
    /// Looks for the first difference, by repeating the run from where both machines were last saved.
    ///
    /// # Errors
    /// A machine cannot be restored.
    pub fn narrow(&self) -> Result<Finding, LockstepError> {
        let Some(step) = self.first_bad_step()? else { return Ok(self.vanished()) };
        let Some(Step::Run(limit)) = self.tape.steps.get(step).cloned() else { return Ok(self.vanished()) };
        let before = &self.tape.steps[..step];
        let [from, to] = self.counts(before, limit)?;
        let shortest = |n: u64| Step::Run(RunLimit { instructions: n, ..limit });
        let n = search(to - from, |n| Ok(!same(refs(&self.play(before, &[shortest(n)])?))))?;
        let machines = self.play(before, &[shortest(n)])?;
        let found = differences(refs(&machines));
        let alone = n > 0 && self.differs_alone(before, &shortest(n - 1))?;
        Ok(Finding {
            sight: if alone { Sight::Alone } else { Sight::InCompany },
            window: [from + n.saturating_sub(1), from + n],
            executed: self.record(before, limit, n, &found)?,
            differences: found,
        })
    }

    fn vanished(&self) -> Finding {
        Finding {
            sight: Sight::Vanished,
            window: [self.tape.retired, self.reference.retired().max(self.tested.retired())],
            differences: differences(self.machines()),
            executed: Vec::new(),
        }
    }

    /// Both machines from the saved state, after some steps.
    fn play(&self, steps: &[Step], more: &[Step]) -> Result<[Machine; 2], LockstepError> {
        Ok([self.play_one(Side::Tested, steps, more)?, self.play_one(Side::Reference, steps, more)?])
    }

    fn play_one(&self, side: Side, steps: &[Step], more: &[Step]) -> Result<Machine, LockstepError> {
        let mut machine = self.recipe.restore(side, &self.tape.start).map_err(LockstepError::Again)?;
        for step in steps.iter().chain(more) {
            step.apply(&mut machine)?;
        }
        Ok(machine)
    }

    /// The first step after which the machines differ, when all is done again in the same way.
    fn first_bad_step(&self) -> Result<Option<usize>, LockstepError> {
        let Some(last) = self.first_visible_step()? else { return Ok(None) };
        // Chips and memory may have differed before it showed in the CPU.
        let steps = &self.tape.steps;
        let n = search(last as u64 + 1, |n| Ok(!same(refs(&self.play(&steps[..index(n)], &[])?))))?;
        Ok(Some(index(n) - 1))
    }

    /// The first step after which the CPUs differ, or the last one if it is only chips and memory.
    fn first_visible_step(&self) -> Result<Option<usize>, LockstepError> {
        let mut machines = self.play(&[], &[])?;
        for (n, step) in self.tape.steps.iter().enumerate() {
            let [tested, reference] = &mut machines;
            let answers = [step.apply(tested)?, step.apply(reference)?];
            if answers[0] != answers[1] || !alike(refs(&machines)) {
                return Ok(Some(n));
            }
        }
        Ok(if same(refs(&machines)) { None } else { self.tape.steps.len().checked_sub(1) })
    }

    /// Instructions retired before and after one more run, on the side that gets further.
    fn counts(&self, before: &[Step], limit: RunLimit) -> Result<[u64; 2], LockstepError> {
        let mut machines = self.play(before, &[])?;
        let from = machines[1].retired();
        for machine in &mut machines {
            machine.run(limit);
        }
        let to = machines[0].retired().max(machines[1].retired());
        Ok([from, to.max(from)])
    }

    /// Whether one instruction makes the difference, by engines that have seen nothing before.
    fn differs_alone(&self, before: &[Step], last: &Step) -> Result<bool, LockstepError> {
        let mut state = Vec::new();
        self.play_one(Side::Reference, before, std::slice::from_ref(last))?.save(&mut state)?;
        let mut machines = Vec::new();
        for side in Side::BOTH {
            let mut machine = self.recipe.restore(side, &state).map_err(LockstepError::Again)?;
            machine.run(RunLimit::instructions(1));
            machines.push(machine);
        }
        Ok(!same([&machines[0], &machines[1]]))
    }

    /// What the reference engine executes in the last of `n` instructions after `before`.
    fn record(
        &self,
        before: &[Step],
        limit: RunLimit,
        n: u64,
        found: &[Difference],
    ) -> Result<Vec<Executed>, LockstepError> {
        let skip = n.saturating_sub(RECORD);
        let lead = Step::Run(RunLimit { instructions: skip, ..limit });
        let lead = if skip == 0 { &[][..] } else { std::slice::from_ref(&lead) };
        let mut machine = self.play_one(Side::Reference, before, lead)?;
        Ok(trace::record(&mut machine, limit, n - skip, found))
    }
}

fn refs(machines: &[Machine; 2]) -> [&Machine; 2] {
    [&machines[0], &machines[1]]
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The smallest of 1 to `most` for which `bad` holds, if it holds for `most` and for all from the smallest on.
fn search(most: u64, mut bad: impl FnMut(u64) -> Result<bool, LockstepError>) -> Result<u64, LockstepError> {
    let (mut good, mut known) = (0, most);
    while known - good > 1 {
        let middle = good + (known - good) / 2;
        if bad(middle)? {
            known = middle;
        } else {
            good = middle;
        }
    }
    Ok(known)
}
