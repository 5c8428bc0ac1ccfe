//! The system-mode conformance suite: small guest programs, each with what the manual says must happen.
//!
//! A case starts from a complete CPU state and memory ([`guest`]), or from reset, and runs on a bare board of RAM
//! and two interrupt ports ([`board`]), so that it judges an engine and nothing else. The handler of every vector
//! is a HLT: the host looks at what delivery has left on the stack and in the registers, compares it field by field
//! with the case's expectation ([`verdict`]), and lets the handler return if the case goes on. Any
//! [`emu_core::Engine`] can be judged, and every case is independent of the others.
//!
//! Section numbers are those the rest of the project uses; where editions differ, the title counts.

pub mod board;
pub mod case;
pub mod encode;
pub mod guest;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod kvm;
pub mod verdict;

mod breakpoint;
mod canonical;
mod coprocessor;
mod double;
mod flags;
mod gate;
mod interrupt;
mod interrupt64;
mod limit;
mod mode;
mod modify;
mod paging;
mod paging_entry;
mod port;
mod query;
mod registers;
mod restart;
mod returns;
mod segment;
mod shadow;
mod step;
mod syscall;
mod task;
mod task_fault;
mod tlb;
mod v86;

pub use case::{Case, Citation};
pub use verdict::{Details, Disagreement, run};

/// All cases, in the order of their families.
pub fn cases() -> Vec<Case> {
    let families: [fn() -> Vec<Case>; 26] = [
        segment::cases,
        query::cases,
        limit::cases,
        gate::cases,
        interrupt::cases,
        returns::cases,
        flags::cases,
        double::cases,
        paging::cases,
        task::cases,
        v86::cases,
        step::cases,
        breakpoint::cases,
        shadow::cases,
        tlb::cases,
        modify::cases,
        port::cases,
        syscall::cases,
        canonical::cases,
        restart::cases,
        coprocessor::cases,
        registers::cases,
        mode::cases,
        paging_entry::cases,
        interrupt64::cases,
        task_fault::cases,
    ];
    families.iter().flat_map(|family| family()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use emu_core::interpreter::Interpreter;
    use std::collections::HashSet;

    #[test]
    fn the_interpreter_agrees_with_every_case() {
        let mut engine = Interpreter::new();
        let cases = cases();
        let failures: Vec<String> =
            cases.iter().filter_map(|case| run(case, &mut engine).err()).map(|d| d.to_string()).collect();
        println!("{} cases", cases.len());
        assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
    }

    #[test]
    fn names_are_unique() {
        let mut seen = HashSet::new();
        for case in cases() {
            assert!(seen.insert((case.family, case.name.clone())), "{}: {}", case.family, case.name);
        }
    }

    /// Every seventh check of the suite, turned into its opposite, is noticed, and so is a step that is not there.
    #[test]
    fn no_check_is_idle() {
        let mut engine = Interpreter::new();
        let mut n = 0usize;
        for case in cases() {
            let steps = case.steps.len();
            let sizes: Vec<usize> = case.steps.iter().map(|step| step.checks.len()).collect();
            for (place, size) in sizes.into_iter().chain([case.checks.len()]).enumerate() {
                for check in 0..size {
                    n += 1;
                    if !n.is_multiple_of(7) {
                        continue;
                    }
                    let mut wrong = case.clone();
                    let checks =
                        if place < steps { &mut wrong.steps[place].checks } else { &mut wrong.checks };
                    checks[check].expected ^= 1 << 3;
                    assert!(run(&wrong, &mut engine).is_err(), "{}: {}: {check}", case.family, case.name);
                }
            }
        }
        assert!(n > 10_000, "{n} checks");
    }

    #[test]
    fn a_wrong_ending_is_a_disagreement() {
        let mut case = cases().swap_remove(0);
        case.steps.clear();
        case.ending = case::Ending::Shutdown;
        let disagreement = run(&case, &mut Interpreter::new()).expect_err("it does not shut down");
        assert_eq!(disagreement.case, case.name);
    }

    #[test]
    fn a_run_can_be_repeated_and_leaves_nothing_behind() {
        let mut engine = Interpreter::new();
        let cases = cases();
        for case in cases.iter().rev().step_by(11) {
            assert_eq!(run(case, &mut engine), run(case, &mut Interpreter::new()), "{}", case.name);
        }
    }
}
