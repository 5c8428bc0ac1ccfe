//! What the suite makes of an engine with a bug in it: a disagreement, made small.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use emu_core::interpreter::Interpreter;
use emu_core::vcpu::VcpuState;
use emu_core::{Bus, Caps, Engine, Exit, Forget, Stop};
use iced_x86::Code;
use test_roms::conform::bench::{Bench, SetUpError};
use test_roms::conform::compare::Field;
use test_roms::conform::explain;
use test_roms::conform::form;
use test_roms::conform::job::{Job, Subject};
use test_roms::conform::program::CodeSize;

/// An interpreter that flips a bit of RSI when RBX ends in six ones.
struct Planted(Interpreter);

impl Engine for Planted {
    fn caps(&self) -> Caps {
        self.0.caps()
    }

    fn run(&mut self, cpu: &mut VcpuState, bus: &mut dyn Bus, stop: &Stop) -> Exit {
        let wrong = cpu.gpr[3] & 0x3F == 0x3F;
        let exit = self.0.run(cpu, bus, stop);
        if wrong {
            cpu.gpr[6] ^= 1 << 20;
        }
        exit
    }

    fn forget(&mut self, what: Forget) {
        self.0.forget(what);
    }
}

#[test]
fn a_planted_bug_is_found_and_made_small() {
    let mut bench = match Bench::with(Box::new(Planted(Interpreter::new()))) {
        Ok(bench) => bench,
        Err(SetUpError::Host(reason)) => return println!("skipped: {reason}"),
        Err(error) => panic!("{error}"),
    };
    let add = form::index(Code::Add_rm64_r64, CodeSize::Bits64).expect("ADD has this form");
    let job = |subject| Job { subject, seed: 1, round: 0, programs: 64, inputs: 64 };
    for subject in [Subject::Form(add), Subject::Sequence(CodeSize::Bits64)] {
        let done = bench.work(&job(subject));
        assert!(done.tally.disagreed() > 0 && done.tally.agreed > 0, "{:?}", done.tally);
        let found = done.disagreement.expect("a disagreement");
        assert!(
            found.differences.iter().any(|difference| difference.field == Field::General(6)),
            "{found:?}"
        );
        assert_eq!(found.inputs.registers.gpr[3] & 0x3F, 0x3F);
        assert_eq!(found.inputs.registers.xmm, [0; 16], "what does not matter is gone");
        let text = explain::disagreement(&found, "planted");
        assert!(text.contains("rsi: expected") && text.contains("again: posada conform"), "{text}");
        // The same job finds the same again.
        assert_eq!(bench.work(&job(subject)).disagreement.as_ref(), Some(&found));
    }
}
