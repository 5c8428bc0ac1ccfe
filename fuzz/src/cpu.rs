//! Bytes as code, in every mode, on a machine of 256 KiB that has nothing but a CPU.

mod board;
mod machine;

use crate::input::Input;
use board::Board;
use emu_core::interpreter::Interpreter;
use emu_core::vcpu::{Activity, efer, rflags};
use emu_core::{Engine, Exit, Forget, Stop, VcpuState};
use jit::{Jit, Options};
use machine::Guest;

/// Instructions that a guest may run.
const INSTRUCTIONS: u64 = 1500;

/// What a guest has come to.
#[derive(Debug, PartialEq)]
struct Outcome {
    state: VcpuState,
    retired: u64,
    memory: Vec<u8>,
}

/// How an engine is driven.
#[derive(Clone, Copy)]
enum Drive {
    /// As far as it may go.
    AtOnce,
    /// A few instructions at a time, and now and then without anything it may have remembered.
    InSteps { seed: u64 },
}

/// Translates as early as can be, on this thread.
const EAGER: Options = Options { slice: 65, arena: 1 << 20, ..Options::AT_ONCE };

/// Runs `data` as a guest, at once, compiled, and in small steps.
///
/// # Panics
/// An engine has a bug: it panicked, ran beyond its allowance, left a state no CPU has, or came to another end when it
/// compiled code or was interrupted on the way.
pub fn fuzz_cpu(data: &[u8]) {
    compiled_by(data);
}

/// As [`fuzz_cpu`]; the number of instructions that compiled code has retired.
fn compiled_by(data: &[u8]) -> u64 {
    let input = &mut Input::new(data);
    let seed = input.u64();
    let guest = Guest::new(input);
    let mut jit = Jit::new(EAGER);
    let at_once = run(&guest, Drive::AtOnce, &mut Interpreter::new());
    let compiled = run(&guest, Drive::AtOnce, &mut jit);
    // Where a guest changes its own page tables, an engine that has remembered less may rightly see more.
    if !guest.is_paged() {
        compare(&at_once, &compiled, "interpreted and compiled");
        let in_steps = Drive::InSteps { seed };
        compare(&at_once, &run(&guest, in_steps, &mut Interpreter::new()), "at once and in steps");
        compare(&at_once, &run(&guest, in_steps, &mut jit), "at once and compiled in steps");
    }
    jit.work().0
}

fn compare(a: &Outcome, b: &Outcome, how: &str) {
    assert_eq!(a.retired, b.retired, "instructions, {how}");
    let fields = differences(&a.state, &b.state);
    assert!(fields.is_empty(), "the CPU's state, {how}: {fields:#?}");
    let differs = (0..a.memory.len()).find(|n| a.memory[*n] != b.memory[*n]);
    assert_eq!(differs, None, "the first byte of memory that is not the same, {how}");
}

/// The fields that are not the same.
fn differences(a: &VcpuState, b: &VcpuState) -> Vec<String> {
    let fields =
        |state: &VcpuState| -> Vec<String> { format!("{state:#x?}").lines().map(str::to_owned).collect() };
    fields(a).into_iter().zip(fields(b)).filter(|(a, b)| a != b).map(|(a, b)| format!("{a} {b}")).collect()
}

fn run(guest: &Guest, drive: Drive, engine: &mut dyn Engine) -> Outcome {
    let mut board = Board::new(&guest.memory, guest.salt);
    let mut state = guest.state.clone();
    engine.forget(Forget::All);
    let mut events = guest.events.iter().peekable();
    loop {
        let event = events.peek().map_or(INSTRUCTIONS, |event| event.at.min(INSTRUCTIONS));
        board.limit = match drive {
            Drive::AtOnce => event,
            Drive::InSteps { seed } => {
                let step = seed.rotate_left(board.retired as u32 & 63);
                if step & 0x70 == 0 {
                    engine.forget(Forget::All);
                }
                event.min(board.retired + 1 + (step & 7))
            }
        };
        let exit = engine.run(&mut state, &mut board, &Stop::default());
        check(&state, &board);
        match exit {
            Exit::Stopped => {}
            Exit::Halted => assert_ne!(state.activity, Activity::Running, "halted"),
            Exit::Shutdown => break,
            Exit::Debug(_) | Exit::Foreign => panic!("the reference engine stopped for {exit:?}"),
        }
        if board.retired >= INSTRUCTIONS {
            break;
        }
        let is_due = |at: u64| at <= board.retired || exit == Exit::Halted;
        match events.next_if(|event| is_due(event.at)) {
            Some(event) => board.signal(event.signal, event.vector),
            None if exit == Exit::Halted => break,
            None => {}
        }
    }
    Outcome { state, retired: board.retired, memory: board.contents() }
}

/// What holds for every CPU at rest.
fn check(state: &VcpuState, board: &Board) {
    assert!(board.retired <= board.limit, "{} instructions of {}", board.retired, board.limit);
    let reserved = 1 << 3 | 1 << 5 | 1 << 15 | !0u64 << 22;
    assert_eq!(state.rflags & (rflags::FIXED | reserved), rflags::FIXED, "reserved bits of RFLAGS");
    let long = state.efer & efer::LMA != 0;
    assert!(long || state.rip <= u64::from(u32::MAX), "RIP {:#x} outside long mode", state.rip);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    #[test]
    fn guests_get_compiled() {
        static COMPILED: AtomicU64 = AtomicU64::new(0);
        let target = |data: &[u8]| {
            COMPILED.fetch_add(compiled_by(data), Relaxed);
        };
        let report = driver::run(target, 3, |inputs| inputs == 100, |_| ());
        assert!(report.finding.is_none(), "{:?}", report.finding.map(|finding| finding.panic));
        assert!(COMPILED.load(Relaxed) > 1000, "{COMPILED:?} instructions in compiled code");
    }
}
