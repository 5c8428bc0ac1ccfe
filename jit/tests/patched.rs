//! Programs that write into their own code all the time, against an engine that forgets all code after each instruction.

mod flat;
mod numbers;

use emu_core::interpreter::Interpreter;
use emu_core::vcpu::{Segment, VcpuState, cr0};
use emu_core::{Engine, Forget, Stop};
use flat::FlatBus;
use jit::{Jit, Options};
use numbers::Numbers;
use std::sync::atomic::Ordering::Relaxed;

const RAM: u64 = 1 << 16;
/// Slots of eight bytes, each with an instruction, in three pages; one in 512 lies in two of them.
const CODE: u64 = 0x2FFC;
const SLOTS: u64 = 3 * 512 - 8;
const SLOT: u64 = 8;
const STACK: u64 = 0xF000;
/// Slots that the program goes through most: few, so that they are hot.
const HOT: u64 = 24;

/// How the instructions of one operand size are encoded.
struct Encoding {
    bits: u32,
    /// Of an immediate or a distance, in bytes.
    wide: u64,
}

impl Encoding {
    fn with(&self, opcode: &[u8], value: u64) -> Vec<u8> {
        [opcode, &value.to_le_bytes()[..self.wide as usize]].concat()
    }

    fn branch(&self, opcode: &[u8], slot: u64, target: u64) -> Vec<u8> {
        let end = slot * SLOT + opcode.len() as u64 + self.wide;
        self.with(opcode, (target * SLOT).wrapping_sub(end))
    }
}

/// ADD, OR, ADC, SBB, AND, SUB, XOR and CMP of the accumulator with an immediate.
const ALU: [u8; 8] = [0x05, 0x0D, 0x15, 0x1D, 0x25, 0x2D, 0x35, 0x3D];

/// What the instruction of a slot is; only that of [`Role::Alu`] is ever written to.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Alu,
    Other,
}

struct Program {
    bytes: Vec<u8>,
}

impl Program {
    /// Slots near each other around a few places, some in each page and some where two pages meet.
    fn place(numbers: &mut Numbers) -> u64 {
        let around = [0, 500, 1012, 1400][numbers.below(4) as usize];
        if numbers.one_in(40) { numbers.below(SLOTS) } else { around + numbers.below(HOT) }
    }

    fn new(numbers: &mut Numbers, encoding: &Encoding) -> Self {
        let roles: Vec<Role> =
            (0..SLOTS).map(|_| if numbers.one_in(2) { Role::Alu } else { Role::Other }).collect();
        let mut bytes = Vec::new();
        for slot in 0..SLOTS {
            let mut code = match roles[slot as usize] {
                Role::Alu => encoding.with(&[ALU[numbers.below(8) as usize]], numbers.next()),
                Role::Other => Self::other(numbers, encoding, &roles, slot),
            };
            code.resize(SLOT as usize, 0x90);
            bytes.extend(code);
        }
        // The last slot leads back.
        let back = encoding.branch(&[0xE9], SLOTS - 1, 0);
        let at = bytes.len() - SLOT as usize;
        bytes[at..at + back.len()].copy_from_slice(&back);
        Self { bytes }
    }

    fn other(numbers: &mut Numbers, encoding: &Encoding, roles: &[Role], slot: u64) -> Vec<u8> {
        let target = Self::place(numbers);
        match numbers.below(8) {
            0 => encoding.branch(&[0xE9], slot, target),
            1 => encoding.branch(&[0xE8], slot, target), // CALL: what it pushes is never popped
            2 | 3 => encoding.branch(&[0x0F, 0x80 | numbers.below(16) as u8], slot, target),
            4 => vec![0x40 | numbers.below(8) as u8 & !4], // INC or so, but of no stack pointer
            _ => Self::store(numbers, encoding, roles),
        }
    }

    /// A store to an operand, or of an opcode, somewhere.
    fn store(numbers: &mut Numbers, encoding: &Encoding, roles: &[Role]) -> Vec<u8> {
        let target = (0..64).map(|_| Self::place(numbers)).find(|slot| roles[*slot as usize] == Role::Alu);
        let Some(target) = target else { return vec![0x90] };
        let opcode = CODE + target * SLOT;
        match numbers.below(4) {
            0 => {
                let direct = if encoding.bits == 32 { 5 } else { 6 };
                let mut code = encoding.with(&[0xC6, direct], opcode); // MOV byte, imm8
                code.push(ALU[numbers.below(8) as usize]);
                code
            }
            1 => encoding.with(&[0xA2], opcode + 1 + numbers.below(encoding.wide)), // MOV byte, AL
            _ => encoding.with(&[0xA3], opcode + 1),                                // MOV word, (E)AX
        }
    }
}

fn start(encoding: &Encoding, numbers: &mut Numbers) -> VcpuState {
    let mut cpu = VcpuState::at_reset(emu_core::isa::cpuid::DEFAULT, 0);
    if encoding.bits == 32 {
        cpu.cr0 |= cr0::PE;
        cpu.seg = [Segment { selector: 8, rights: 0xC093, limit: u32::MAX, base: 0 }; 6];
        cpu.seg[1].rights = 0xC09B;
    } else {
        cpu.seg = [Segment::real(0); 6];
    }
    for gpr in &mut cpu.gpr {
        *gpr = numbers.next() & 0xFFFF;
    }
    cpu.gpr[4] = STACK;
    cpu.rip = CODE;
    cpu
}

struct Machine<E> {
    engine: E,
    bus: FlatBus,
    cpu: VcpuState,
}

impl<E: Engine> Machine<E> {
    fn new(engine: E, cpu: &VcpuState, program: &Program) -> Self {
        let bus = FlatBus::new(RAM);
        bus.memory.write(CODE, &program.bytes);
        Self { engine, bus, cpu: cpu.clone() }
    }

    fn run(&mut self, instructions: u64) {
        self.bus.left = instructions;
        self.cpu.gpr[4] = STACK;
        self.engine.run(&mut self.cpu, &mut self.bus, &Stop::default());
    }

    fn contents(&self) -> Vec<u8> {
        let mut bytes = vec![0; RAM as usize];
        self.bus.memory.read(0, &mut bytes);
        bytes
    }
}

/// As many instructions, each by an engine that knows nothing.
fn run_forgetfully(machine: &mut Machine<Interpreter>, instructions: u64) {
    let stack = STACK;
    machine.cpu.gpr[4] = stack;
    for _ in 0..instructions {
        machine.bus.left = 1;
        machine.engine.forget(Forget::All);
        machine.engine.run(&mut machine.cpu, &mut machine.bus, &Stop::default());
    }
}

fn compare(encoding: &Encoding) {
    const AT_ONCE: Options = Options { slice: 65, verify: false, arena: 16 << 20, ..Options::AT_ONCE };
    let mut compiled = 0;
    for seed in 0..40 {
        let numbers = &mut Numbers::new(seed);
        let program = Program::new(numbers, encoding);
        let cpu = start(encoding, numbers);
        let mut oracle = Machine::new(Interpreter::new(), &cpu, &program);
        let mut interpreter = Machine::new(Interpreter::new(), &cpu, &program);
        let mut translator = Machine::new(Jit::new(AT_ONCE), &cpu, &program);
        for step in 0..40 {
            let instructions = 1 + numbers.below(600);
            run_forgetfully(&mut oracle, instructions);
            interpreter.run(instructions);
            translator.run(instructions);
            let context = format!("seed {seed}, {} bits, step {step}", encoding.bits);
            assert_eq!(interpreter.cpu, oracle.cpu, "interpreter, {context}");
            assert_eq!(translator.cpu, oracle.cpu, "translator, {context}");
            assert!(interpreter.contents() == oracle.contents(), "memory of the interpreter, {context}");
            assert!(translator.contents() == oracle.contents(), "memory of the translator, {context}");
        }
        compiled += translator.engine.counters().compiled.load(Relaxed);
    }
    assert!(compiled > 0 || encoding.bits == 16, "nothing was compiled");
}

#[test]
fn code_of_16_bits_that_is_patched() {
    compare(&Encoding { bits: 16, wide: 2 });
}

#[test]
fn code_of_32_bits_that_is_patched() {
    compare(&Encoding { bits: 32, wide: 4 });
}
