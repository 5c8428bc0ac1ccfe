//! Bytes as code, in every mode, on a machine of 256 KiB that has nothing but a CPU.

mod board;
mod machine;

use crate::input::Input;
use board::Board;
use emu_core::interpreter::Interpreter;
use emu_core::vcpu::{Activity, efer, rflags};
use emu_core::{Engine, Exit, Forget, Stop, VcpuState};
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

/// Runs `data` as a guest, at once and in small steps.
///
/// # Panics
/// The interpreter has a bug: it panicked, ran beyond its allowance, left a state no CPU has, or came to another end
/// when it was interrupted on the way.
pub fn fuzz_cpu(data: &[u8]) {
    let input = &mut Input::new(data);
    let seed = input.u64();
    let guest = Guest::new(input);
    let at_once = run(&guest, Drive::AtOnce);
    // Where a guest changes its own page tables, an engine that has remembered less may rightly see more.
    if !guest.is_paged() {
        let in_steps = run(&guest, Drive::InSteps { seed });
        assert_eq!(at_once.retired, in_steps.retired, "instructions, at once and in steps");
        assert_eq!(at_once.state, in_steps.state, "the CPU's state, at once and in steps");
        let differs = (0..at_once.memory.len()).find(|n| at_once.memory[*n] != in_steps.memory[*n]);
        assert_eq!(differs, None, "the first byte of memory that is not the same");
    }
}

fn run(guest: &Guest, drive: Drive) -> Outcome {
    let mut board = Board::new(&guest.memory, guest.salt);
    let mut state = guest.state.clone();
    let mut engine = Interpreter::new();
    let mut events = guest.events.iter().peekable();
    loop {
        let event = events.peek().map_or(INSTRUCTIONS, |event| event.at.min(INSTRUCTIONS));
        board.limit = match drive {
            Drive::AtOnce => event,
            Drive::InSteps { seed } => {
                let step = seed.rotate_left(board.retired as u32 & 63);
                if step & 0x3F00 == 0 {
                    engine = Interpreter::new();
                } else if step & 0x70 == 0 {
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
