//! The translator and the interpreter step by step: equal state, memory and count at every stop.

mod flat;
mod numbers;
mod program;

use emu_core::interpreter::Interpreter;
use emu_core::interpreter::tier::Leave;
use emu_core::vcpu::{Segment, VcpuState, cr0, cr4};
use emu_core::{Attention, Engine, Exit, Stop};
use flat::{FlatBus, long_mode_state};
use jit::{Jit, Options};
use numbers::Numbers;
use program::{Kind, Program, richest};
use std::sync::atomic::Ordering::Relaxed;

const RAM: u64 = 1 << 18;
const CODE: u64 = 0x8000;
const DATA: u64 = 0x1_0000;
const STACK: u64 = 0x2_0000;

/// Samples as often as can be, and has Cranelift check what it is given.
const OPTIMISED: Options =
    Options { slice: 65, direct: false, optimise: 1, verify: true, arena: 16 << 20, ..Options::AT_ONCE };
const DIRECT: Options = Options { direct: true, optimise: u32::MAX, ..OPTIMISED };

struct Machine<E> {
    engine: E,
    bus: FlatBus,
    cpu: VcpuState,
}

impl<E: Engine> Machine<E> {
    fn new(engine: E, bits: u32, code: &[u8], at: u64, numbers: &mut Numbers) -> Self {
        let bus = FlatBus::new(RAM);
        let mut cpu = match bits {
            64 => long_mode_state(&bus.memory),
            32 => flat32(),
            _ => segments16(),
        };
        bus.memory.write(at, code);
        for gpr in &mut cpu.gpr {
            *gpr = numbers.next() >> (64 - bits);
        }
        (cpu.gpr[3], cpu.gpr[6], cpu.gpr[7]) = (DATA + 0x80, DATA + 0x100, DATA + 0xFFE);
        (cpu.gpr[4], cpu.gpr[5]) = (STACK, 3000);
        cpu.rip = at;
        if numbers.below(4) == 0 {
            cpu.gpr[6] = RAM - 0x20; // and on to where devices are
        }
        if bits == 16 {
            // Relative to the segments.
            (cpu.gpr[3], cpu.gpr[6], cpu.gpr[7], cpu.gpr[4]) = (0x80, 0x100, 0xFFE, 0x8000);
        }
        cpu.x87 = program::x87::state(numbers);
        cpu.seg[4].base = 0x40;
        let data = match numbers.below(2) {
            0 => (0..0x2000).map(|_| numbers.next() as u8).collect(),
            _ => program::x87::data(numbers, 0x2000),
        };
        bus.memory.write(DATA, &data);
        Self { engine, bus, cpu }
    }

    fn run(&mut self, instructions: u64) -> Exit {
        self.bus.left = instructions;
        self.engine.run(&mut self.cpu, &mut self.bus, &Stop::default())
    }

    fn contents(&self) -> Vec<u8> {
        let mut bytes = vec![0; RAM as usize];
        self.bus.memory.read(0, &mut bytes);
        bytes
    }
}

fn flat32() -> VcpuState {
    let mut cpu = VcpuState::at_reset(emu_core::isa::cpuid::DEFAULT, 0);
    cpu.cr0 |= cr0::PE;
    let flat = |rights| Segment { selector: 8, rights, limit: u32::MAX, base: 0 };
    cpu.seg = [flat(0xC093); 6];
    cpu.seg[1] = flat(0xC09B);
    cpu
}

/// 16-bit code in low memory, with segments for data and stack.
fn segments16() -> VcpuState {
    let mut cpu = flat32();
    let segment = |rights, base| Segment { selector: 8, rights, limit: 0xFFFF, base };
    cpu.seg = [segment(0x0093, DATA); 6];
    cpu.seg[1] = segment(0x009B, 0);
    cpu.seg[2] = segment(0x0093, STACK - 0x8000);
    cpu
}

/// Everything that the richest model has is switched on.
fn enrich(cpu: &mut VcpuState) {
    cpu.model = richest();
    cpu.cr4 |= cr4::OSFXSR | cr4::OSXMMEXCPT | cr4::OSXSAVE;
    cpu.xcr0 = 7;
}

/// Runs code under the interpreter and each translator in steps of the given lengths; the least number of instructions
/// that compiled code retired.
fn compare(bits: u32, code: &[u8], at: u64, seed: u64, steps: impl Iterator<Item = u64> + Clone) -> u64 {
    let case = Case { bits, kind: Kind::General, code, at, seed };
    let [direct, optimised] = [DIRECT, OPTIMISED].map(|options| case.compare(options, steps.clone()).0);
    direct.min(optimised)
}

/// A program, and what it begins with.
#[derive(Clone, Copy)]
struct Case<'a> {
    bits: u32,
    kind: Kind,
    code: &'a [u8],
    at: u64,
    seed: u64,
}

impl Case<'_> {
    fn machine<E: Engine>(&self, engine: E) -> Machine<E> {
        let Self { bits, kind, code, at, seed } = *self;
        let mut machine = Machine::new(engine, bits, code, at, &mut Numbers::new(seed));
        if kind == Kind::Any {
            enrich(&mut machine.cpu);
        }
        machine
    }

    /// As [`compare`], with one translator: the number of instructions, and how often compiled code has left, by [`Leave`].
    fn compare(&self, options: Options, steps: impl Iterator<Item = u64>) -> (u64, [u64; Leave::COUNT]) {
        let Self { bits, code, seed, .. } = *self;
        let mut reference = self.machine(Interpreter::new());
        let mut judged = self.machine(Jit::new(options));
        for (n, step) in steps.enumerate() {
            let exits = (reference.run(step), judged.run(step));
            let context = || {
                format!(
                    "direct {}, seed {seed}, {bits} bits, step {n} of {step}, code {code:02x?}",
                    options.direct
                )
            };
            assert_eq!(exits.0, exits.1, "{}", context());
            assert_eq!(reference.bus.retired, judged.bus.retired, "{}", context());
            if reference.cpu != judged.cpu {
                let fields = |cpu: &VcpuState| format!("{cpu:#x?}");
                let (a, b) = (fields(&reference.cpu), fields(&judged.cpu));
                let apart: Vec<_> = a.lines().zip(b.lines()).filter(|(a, b)| a != b).collect();
                panic!("{}: interpreter against translator: {apart:#?}", context());
            }
            if exits.0 == Exit::Shutdown {
                break;
            }
        }
        let (a, b) = (reference.contents(), judged.contents());
        let apart = (0..a.len()).find(|n| a[*n] != b[*n]);
        assert_eq!(apart, None, "memory; seed {seed}, {bits} bits, code {code:02x?}");
        assert_eq!(reference.bus.accesses, judged.bus.accesses, "seed {seed}");
        let left = std::array::from_fn(|n| judged.engine.counters().left[n].load(Relaxed));
        (judged.engine.work().0, left)
    }
}

/// Seeds to try, from the environment where a longer run is wanted.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("POSADA_SEED").unwrap_or(0);
    first..first + number("POSADA_SEEDS").unwrap_or(150)
}

fn random_loops(bits: u32, kind: Kind) {
    let (mut compiled, mut loaded) = (0, 0);
    for seed in seeds() {
        let numbers = &mut Numbers::new(seed);
        let code = Program::new(numbers, bits, kind).looping();
        // Some loops lie across the end of a page.
        let at = if seed % 3 == 0 { CODE + 0x1000 - 1 - numbers.below(code.len() as u64) } else { CODE };
        let mut steps = Numbers::new(seed ^ 0x5555);
        let steps: Vec<u64> = (0..400)
            .map(|_| match steps.below(4) {
                0 => 1 + steps.below(100),
                1 => 70 + steps.below(60),
                _ => 100 + steps.below(600),
            })
            .collect();
        if kind == Kind::General {
            compiled += compare(bits, &code, at, seed, steps.into_iter());
            continue;
        }
        let (entered, left) = Case { bits, kind, code: &code, at, seed }.compare(DIRECT, steps.into_iter());
        (compiled, loaded) = (compiled + entered, loaded + left[Leave::X87 as usize]);
    }
    // 16-bit code is interpreted.
    assert!(compiled > 0 || bits == 16, "nothing was compiled");
    assert!(loaded > 0 || kind != Kind::X87, "no x87 instruction was compiled");
    eprintln!("{bits} bits: {compiled} instructions in compiled code, x87 state loaded {loaded} times");
}

#[test]
fn random_loops_of_32_bits() {
    random_loops(32, Kind::General);
}

#[test]
fn random_loops_of_64_bits() {
    random_loops(64, Kind::General);
}

#[test]
fn random_x87_loops_of_32_bits() {
    random_loops(32, Kind::X87);
}

#[test]
fn random_x87_loops_of_64_bits() {
    random_loops(64, Kind::X87);
}

#[test]
fn random_loops_of_any_16_bit_code() {
    random_loops(16, Kind::Any);
}

#[test]
fn random_loops_of_any_32_bit_code() {
    random_loops(32, Kind::Any);
}

#[test]
fn random_loops_of_any_64_bit_code() {
    random_loops(64, Kind::Any);
}

/// At each boundary of a compiled loop an interrupt ends the run in the same state: no table says where to go.
#[test]
fn an_interrupt_may_come_at_every_instruction_of_a_compiled_loop() {
    // sti; l: add eax,[ebx]; adc [esi],eax; push eax; pop edx; inc ecx; test cl,7; jz m; shl eax,3; m: dec ebp; jnz l; jmp $
    let code = [
        0xFB, 0x03, 0x03, 0x11, 0x06, 0x50, 0x5A, 0x41, 0xF6, 0xC1, 0x07, 0x74, 0x03, 0xC1, 0xE0, 0x03, 0x4D,
        0x75, 0xEE, 0xEB, 0xFE,
    ];
    for (options, at) in
        [DIRECT, OPTIMISED].into_iter().flat_map(|options| (0..40).map(move |n| (options, n)))
    {
        let case = Case { bits: 32, kind: Kind::General, code: &code, at: CODE, seed: 9 };
        let (mut reference, mut judged) = (case.machine(Interpreter::new()), case.machine(Jit::new(options)));
        let warm = 12_000 + at;
        assert_eq!((reference.run(warm), judged.run(warm)), (Exit::Stopped, Exit::Stopped));
        assert_eq!(reference.cpu, judged.cpu, "direct {}, {at}", options.direct);
        assert!(judged.engine.work().0 > 4_000, "the loop is compiled");
        for bus in [&reference.bus, &judged.bus] {
            bus.attention.store(Attention::INTR, Relaxed);
        }
        assert_eq!((reference.run(5000), judged.run(5000)), (Exit::Shutdown, Exit::Shutdown), "{at}");
        assert_eq!(reference.bus.retired, judged.bus.retired, "direct {}, {at}", options.direct);
        assert_eq!(reference.cpu, judged.cpu, "direct {}, {at}", options.direct);
    }
}

#[test]
fn the_budget_may_end_at_every_instruction_of_a_compiled_loop() {
    // l: add eax,[ebx]; adc [esi],eax; inc ecx; dec ebp; jnz l; jmp $
    let code = [0x03, 0x03, 0x11, 0x06, 0x41, 0x4D, 0x75, 0xF8, 0xEB, 0xFE];
    let compiled = compare(32, &code, CODE, 1, (0..400).map(|n| if n < 20 { 100 } else { 65 + n % 23 }));
    assert!(compiled > 4_000, "{compiled}");
}

/// Room for a region or two.
#[test]
fn a_full_arena_starts_anew() {
    let small = Options { arena: 4 << 12, ..DIRECT };
    let mut entered = 0;
    for seed in 0..20 {
        let numbers = &mut Numbers::new(seed);
        let code = Program::new(numbers, 32, Kind::General).looping();
        let case = Case { bits: 32, kind: Kind::General, code: &code, at: CODE, seed };
        let (compiled, _) = case.compare(small, std::iter::repeat_n(500, 60));
        entered += compiled;
    }
    assert!(entered > 10_000, "{entered}");
}

#[test]
fn a_compiled_loop_that_rewrites_itself() {
    // l: add eax,1; inc edx; test dl,dl; jnz m; inc byte [CODE+2] (the immediate); m: dec ebp; jnz l; jmp $
    let code = [
        0x83, 0xC0, 0x01, 0x42, 0x84, 0xD2, 0x75, 0x06, 0xFE, 0x05, 0x02, 0x80, 0, 0, 0x4D, 0x75, 0xEF, 0xEB,
        0xFE,
    ];
    let compiled = compare(32, &code, CODE, 2, std::iter::repeat_n(500, 40));
    assert!(compiled > 10_000, "{compiled}");
}

/// An interrupt that has waited for STI is taken behind the instruction after it, in compiled code too. No table says
/// where to go, so that ends the run.
#[test]
fn an_interrupt_comes_right_behind_sti() {
    // l: inc ecx; inc edx; sti; inc ecx; inc edx; inc ecx; cli; inc eax; dec ebp; jnz l; jmp $
    let code = [0x41, 0x42, 0xFB, 0x41, 0x42, 0x41, 0xFA, 0x40, 0x4D, 0x75, 0xF5, 0xEB, 0xFE];
    // With long slices much of the budget is left, and only STI itself sends to the run loop.
    let long = Options { slice: 4096, ..DIRECT };
    for (options, early) in
        [DIRECT, OPTIMISED, long].into_iter().flat_map(|options| (0..10).map(move |n| (options, n)))
    {
        let numbers = || Numbers::new(4);
        let mut reference = Machine::new(Interpreter::new(), 32, &code, CODE, &mut numbers());
        let mut judged = Machine::new(Jit::new(options), 32, &code, CODE, &mut numbers());
        let warm = 20_000 + early;
        assert_eq!((reference.run(warm), judged.run(warm)), (Exit::Stopped, Exit::Stopped));
        for bus in [&reference.bus, &judged.bus] {
            bus.attention.store(Attention::INTR, Relaxed);
        }
        let exits = (reference.run(5000), judged.run(5000));
        assert_eq!(exits, (Exit::Shutdown, Exit::Shutdown), "{early}");
        assert_eq!(reference.bus.retired, judged.bus.retired, "direct {}, {early}", options.direct);
        assert_eq!(reference.cpu, judged.cpu, "direct {}, {early}", options.direct);
    }
}

#[test]
fn calls_and_returns_inside_a_region() {
    // l: call f; dec ebp; jnz l; jmp $; f: push ebx; pop edx; ret
    let code = [0xE8, 5, 0, 0, 0, 0x4D, 0x75, 0xF8, 0xEB, 0xFE, 0x53, 0x5A, 0xC3];
    let compiled = compare(32, &code, CODE, 3, std::iter::repeat_n(500, 30));
    assert!(compiled > 10_000, "{compiled}");
}
/// DIV leaves the flags as they were: ADC takes its carry from the turn before.
#[test]
fn flags_pass_a_division() {
    // l: div dword [edi+4Ch]; adc dl,[esi+0Fh]; dec ebp; jnz l; jmp $
    let code =
        [0xF7, 0x77, 0x4C, 0x12, 0x56, 0x0F, 0xFF, 0xCD, 0x0F, 0x85, 0xF2, 0xFF, 0xFF, 0xFF, 0xEB, 0xFE];
    let compiled = compare(32, &code, CODE, 101_480, std::iter::repeat_n(100, 40));
    assert!(compiled > 1000, "{compiled}");
}
