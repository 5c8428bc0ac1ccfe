//! Lockstep on a small guest, with engines that have a mistake in them.

use super::{Pace, Pair, Ran, Recipe, Side, Sight};
use crate::clock::TimeMode;
use crate::config::{Firmware, MachineConfig, test_cpu};
use crate::machine::Machine;
use emu_core::interpreter::Interpreter;
use emu_core::{Bus, Caps, DebugStop, Engine, Exit, Forget, Stop, Tick, VcpuState};
use std::error::Error;

/// Where the program begins, in segment F000h.
const START: usize = 0xE000;
/// Offset of the ADD.
const ADD: u64 = START as u64 + 1;

/// A program for real mode that never ends.
#[rustfmt::skip]
const PROGRAM: [u8; 11] = [
    0x40,                   // inc ax
    0x01, 0xC3,             // add bx, ax
    0x89, 0x1E, 0x34, 0x12, // mov [1234h], bx
    0x89, 0xCA,             // mov dx, cx
    0xEB, 0xF5,             // jmp to the start
];

/// What the mistake is.
#[derive(Clone, Copy)]
enum Mistake {
    /// None.
    Right,
    /// The ADD gives a wrong BX when AX is this.
    Sum(u64),
    /// The ADD also stores into memory that nobody reads when AX is this.
    Store(u64),
    /// BX is wrong when a run of at least this many instructions ends, once AX is at least this: what a region does that
    /// a short run does not enter.
    Long(u64, u64),
}

/// An interpreter with a mistake.
struct Planted(Interpreter, Mistake);

impl Planted {
    fn spoil(&self, cpu: &mut VcpuState, bus: &mut dyn Bus) {
        match self.1 {
            Mistake::Sum(ax) if cpu.gpr[0] & 0xFFFF == ax => cpu.gpr[3] ^= 0x40,
            Mistake::Store(ax) if cpu.gpr[0] & 0xFFFF == ax => bus.memory().write(0x5_4321, &[7]),
            _ => {}
        }
    }

    /// Stops at every ADD to spoil what it gives.
    fn run_watched(&mut self, cpu: &mut VcpuState, bus: &mut dyn Bus) -> Exit {
        loop {
            if cpu.rip == ADD {
                match self.0.run(cpu, bus, &Stop { at: None, after: Some(1) }) {
                    Exit::Debug(DebugStop::Count) => self.spoil(cpu, bus),
                    other => return other,
                }
            }
            let at = Some(cpu.seg[1].base + ADD);
            match self.0.run(cpu, bus, &Stop { at, after: None }) {
                Exit::Debug(DebugStop::Address(_)) => {}
                other => return other,
            }
        }
    }
}

impl Engine for Planted {
    fn caps(&self) -> Caps {
        self.0.caps()
    }

    fn run(&mut self, cpu: &mut VcpuState, bus: &mut dyn Bus, stop: &Stop) -> Exit {
        match self.1 {
            Mistake::Right => self.0.run(cpu, bus, stop),
            Mistake::Long(length, ax) => {
                let long = bus.allowance() >= length;
                let exit = self.0.run(cpu, bus, stop);
                if long && cpu.gpr[0] & 0xFFFF >= ax {
                    cpu.gpr[3] ^= 0x40;
                }
                exit
            }
            Mistake::Sum(_) | Mistake::Store(_) => self.run_watched(cpu, bus),
        }
    }

    fn forget(&mut self, what: Forget) {
        self.0.forget(what);
    }
}

struct Test(Mistake);

fn config() -> MachineConfig {
    let mut image = vec![0xF4; 64 << 10];
    image[START..START + PROGRAM.len()].copy_from_slice(&PROGRAM);
    image[0xFFF0..0xFFF5].copy_from_slice(&[0xEA, 0x00, 0xE0, 0x00, 0xF0]);
    let mut config = MachineConfig::new(1 << 20, test_cpu(), TimeMode::Deterministic);
    config.firmware = Some(Firmware { image, vga_bios: None });
    config
}

impl Recipe for Test {
    fn engine(&self, side: Side) -> Box<dyn Engine> {
        let mistake = if side == Side::Tested { self.0 } else { Mistake::Right };
        Box::new(Planted(Interpreter::new(), mistake))
    }

    fn restore(&self, side: Side, state: &[u8]) -> Result<Machine, Box<dyn Error + Send + Sync>> {
        Ok(Machine::restore(&mut &state[..], config(), self.engine(side))?)
    }

    fn remember(&mut self) {}
}

const PACE: Pace = Pace { every: 1000, memory: 10_000 };

fn pair(mistake: Mistake) -> Pair<Test> {
    let test = Test(mistake);
    let machines = Side::BOTH.map(|side| Machine::new(config(), test.engine(side)).expect("a machine"));
    Pair::new(machines, test, PACE).expect("two machines")
}

/// Runs to the end, or until the machines differ.
fn run(pair: &mut Pair<Test>, turns: u64) -> Ran {
    let ends = (1..=turns).map(|turn| Tick::MICROSECOND.times(7 * turn));
    for end in ends {
        if pair.run(end).expect("it runs") == Ran::Apart {
            return Ran::Apart;
        }
    }
    if pair.agree() { Ran::Together(crate::RunOutcome::Stopped) } else { Ran::Apart }
}

#[test]
fn equal_engines_stay_together() {
    let mut pair = pair(Mistake::Right);
    assert!(matches!(run(&mut pair, 100), Ran::Together(_)));
    assert!(pair.reference().retired() > 100_000);
}

#[test]
fn a_wrong_register_is_found_at_its_instruction() {
    let mut pair = pair(Mistake::Sum(0x4321));
    assert_eq!(run(&mut pair, 100), Ran::Apart);
    let finding = pair.narrow().expect("it can be repeated");
    assert_eq!(finding.sight, Sight::Alone);
    let last = finding.executed.last().expect("an instruction");
    assert_eq!((last.rip, last.linear, last.bits), (ADD, 0xF_0000 + ADD, 16));
    assert_eq!(last.bytes[..2], PROGRAM[1..3]);
    // One far jump, then five instructions a turn.
    assert_eq!(finding.window, [0x4321 * 5 - 3, 0x4321 * 5 - 2]);
    assert_eq!(last.count, finding.window[0]);
    let names: Vec<&str> = finding.differences.iter().map(|difference| difference.what.as_str()).collect();
    assert_eq!(names, ["rbx"]);
    assert_eq!(finding.changed_last(&finding.differences[0]), Some(finding.executed.len() - 1));
}

#[test]
fn memory_that_nobody_reads_is_found_too() {
    let mut pair = pair(Mistake::Store(0x0777));
    assert_eq!(run(&mut pair, 100), Ran::Apart);
    let finding = pair.narrow().expect("it can be repeated");
    assert_eq!((finding.sight, finding.window[1]), (Sight::Alone, 0x777 * 5 - 2));
    assert_eq!(finding.differences.len(), 1);
    assert_eq!(finding.differences[0].what, "memory 54320h");
    assert_eq!(finding.differences[0].values[0], "0007000000000000");
}

#[test]
fn what_a_short_run_does_not_show_is_told_with_its_company() {
    let mut pair = pair(Mistake::Long(300, 0x1000));
    assert_eq!(run(&mut pair, 100), Ran::Apart);
    let finding = pair.narrow().expect("it can be repeated");
    assert_eq!(finding.sight, Sight::InCompany);
    assert_eq!(finding.window[1] - finding.window[0], 1);
    assert_eq!(finding.executed.len(), 400.min(finding.executed.len()));
    let suspect = finding.changed_last(&finding.differences[0]).expect("the ADD");
    assert_eq!(finding.executed[suspect].rip, ADD);
}
