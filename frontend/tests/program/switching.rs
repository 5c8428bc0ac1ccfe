//! A guest that is handed from engine to engine cannot tell.

use crate::posada::guest;
use emu_core::Engine;
use emu_core::interpreter::Interpreter;
use jit::{Jit, Options};
use machine::{Cpu, Linux, Machine, MachineConfig, RunLimit, TimeMode};

/// Instructions that the guest runs: into its decompressor and beyond.
const LENGTH: u64 = 20_000_000;

fn machine() -> Machine {
    let cpu = Cpu::from_model(emu_core::isa::cpuid::DEFAULT);
    let mut config = MachineConfig::new(96 << 20, cpu, TimeMode::Deterministic);
    config.linux = Some(Linux {
        kernel: std::fs::read(guest("amd64/vmlinuz")).unwrap(),
        initrd: Vec::new(),
        command_line: "console=ttyS0 earlyprintk=serial".into(),
    });
    Machine::new(config, Box::new(Interpreter::new())).unwrap()
}

fn run(machine: &mut Machine, instructions: u64) {
    let end = machine.retired() + instructions;
    while machine.retired() < end {
        machine.run(RunLimit::instructions(end - machine.retired()));
        machine.take_requests();
    }
}

/// The engines in turn; the last one compiles all that it sees twice.
fn engine(n: u64) -> Box<dyn Engine> {
    const ARENA: usize = 8 << 20;
    match n % 4 {
        0 | 2 => Box::new(Interpreter::new()),
        1 => Box::new(Jit::new(Options { arena: ARENA, ..Options::AUTO })),
        _ => Box::new(Jit::new(Options { arena: ARENA, ..Options::AT_ONCE })),
    }
}

#[test]
fn switching_engines_changes_nothing() {
    let mut whole = machine();
    run(&mut whole, LENGTH);
    let mut switched = machine();
    // From 1 to some ten thousand, odd and even.
    let mut steps = [1, 4099, 2000, 17, 10_007, 63, 8192, 64].into_iter().cycle();
    let mut switches = 0;
    while switched.retired() < LENGTH {
        let step = steps.next().unwrap_or(1) + switches * 31 % 4096;
        switched.set_engine(engine(switches)).unwrap();
        let left = LENGTH - switched.retired();
        run(&mut switched, step.min(left));
        switches += 1;
    }
    assert!(switches > 2500, "{switches}");
    assert_eq!((switched.retired(), switched.now()), (whole.retired(), whole.now()));
    assert!(switched.cpu() == whole.cpu(), "the CPUs differ");
    assert_eq!(switched.state_hash(), whole.state_hash());
}
