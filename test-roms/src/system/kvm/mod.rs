//! Linux's KVM as the oracle of the suite: the cases' programs in a virtual machine of the host.
//!
//! A `Vm` is an engine like ours, so [`super::run`] compares what it does as it compares any engine. What KVM does
//! not take, does not finish or does not know how to say is not judged: it says nothing of the case.

mod alarm;
mod known;
mod state;
mod vm;

use super::{Case, Disagreement, run};
use kvm_ioctls::Kvm;
use vm::Vm;

/// What KVM has to say of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does what the case expects.
    Agreed,
    Disagreed(Disagreement),
    /// It disagrees, and it is wrong: why.
    Mistaken(&'static str),
    /// It disagrees, but in a way by which this KVM tells that it cannot do what the case needs: what that is.
    SetAside(&'static str),
    /// It could not run the case: why.
    NotJudged(String),
}

/// The host has no KVM that we may use.
#[derive(Debug, thiserror::Error)]
#[error("cannot use /dev/kvm, which judging by KVM needs: {0}")]
pub struct NoKvm(std::io::Error);

/// Judges cases by KVM.
pub struct KvmJudge {
    vm: Vm,
}

impl KvmJudge {
    /// # Errors
    /// There is no KVM here, or none that this user may open.
    pub fn new() -> Result<Self, NoKvm> {
        let failed = |e: kvm_ioctls::Error| NoKvm(e.into());
        let kvm = Kvm::new().map_err(failed)?;
        let cpuid = kvm.get_supported_cpuid(kvm_bindings::KVM_MAX_CPUID_ENTRIES).map_err(failed)?;
        Ok(Self { vm: Vm::new(kvm, cpuid) })
    }

    pub fn judge(&mut self, case: &Case) -> Verdict {
        let result = run(case, &mut self.vm);
        match (self.vm.gave_up.take(), result) {
            (Some(why), _) => Verdict::NotJudged(why),
            (None, Ok(())) => Verdict::Agreed,
            (None, Err(found)) => match (known::incapable(case, &found), known::mistake(case)) {
                (Some(why), _) => Verdict::SetAside(why),
                (None, Some(why)) => Verdict::Mistaken(why),
                (None, None) => Verdict::Disagreed(found),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::cases;

    /// Every fifth case; `posada conform --system --oracle kvm` takes all.
    #[test]
    fn kvm_agrees_where_it_can_judge() {
        let mut judge = match KvmJudge::new() {
            Ok(judge) => judge,
            Err(e) => return println!("SKIPPED: {e}"),
        };
        let verdicts: Vec<Verdict> = cases().iter().step_by(5).map(|case| judge.judge(case)).collect();
        let agreed = verdicts.iter().filter(|verdict| **verdict == Verdict::Agreed).count();
        let disagreed: Vec<String> = verdicts
            .iter()
            .filter_map(|verdict| match verdict {
                Verdict::Disagreed(disagreement) => Some(disagreement.to_string()),
                _ => None,
            })
            .collect();
        println!("{agreed} of {} cases agreed", verdicts.len());
        assert!(disagreed.is_empty(), "{}", disagreed.join("\n"));
        assert!(agreed > 500, "{agreed}");
    }
}
