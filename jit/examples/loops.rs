//! Nanoseconds per guest instruction of a few small loops, interpreted and compiled: a first look, without a board.

use emu_core::engine::{Engine, Stop};
use emu_core::interpreter::Interpreter;
use emu_core::memory::{MemoryMap, Range, Target};
use emu_core::vcpu::{Segment, VcpuState, cr0};
use emu_core::{Bus, Tick, Width};
use jit::{Jit, OptLevel, Options, Work};
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

struct Flat {
    memory: MemoryMap,
    attention: AtomicU32,
    left: u64,
    retired: u64,
}

impl Bus for Flat {
    fn allowance(&mut self) -> u64 {
        self.left
    }
    fn retire(&mut self, n: u64) {
        self.left -= n;
        self.retired += n;
    }
    fn port_read(&mut self, _: u16, _: Width) -> u64 {
        0
    }
    fn port_write(&mut self, _: u16, _: Width, _: u64) {}
    fn memory_read(&mut self, _: u64, _: Width) -> u64 {
        u64::MAX
    }
    fn memory_write(&mut self, _: u64, _: Width, _: u64) {}
    fn msr_read(&mut self, _: u32) -> Option<u64> {
        None
    }
    fn msr_write(&mut self, _: u32, _: u64) -> Option<()> {
        None
    }
    fn cr8(&mut self) -> u8 {
        0
    }
    fn set_cr8(&mut self, _: u8) {}
    fn now(&mut self) -> Tick {
        Tick::ZERO
    }
    fn attention(&self) -> &AtomicU32 {
        &self.attention
    }
    fn acknowledge(&mut self) -> u8 {
        0
    }
    fn memory(&self) -> &MemoryMap {
        &self.memory
    }
}

/// Calls through a table of eight, in the order of a linear congruential generator with this factor; factor 0 always
/// calls the same one. The difference is what the host's branch predictor cannot know.
///
/// l: imul edx,edx,factor; add edx,1013904223; mov esi,edx; shr esi,29; mov edi,eax; call [esi*4+4000h]; dec ecx;
/// jnz l; jmp $
fn calls(factor: u32) -> Vec<u8> {
    let [a, b, c, d] = factor.to_le_bytes();
    vec![
        0x69, 0xD2, a, b, c, d, 0x81, 0xC2, 0x5F, 0xF3, 0x6E, 0x3C, 0x89, 0xD6, 0xC1, 0xEE, 0x1D, 0x89, 0xC7,
        0xFF, 0x14, 0xB5, 0x00, 0x40, 0, 0, 0x49, 0x75, 0xE3, 0xEB, 0xFE,
    ]
}

/// What they call: mov eax,edi, a step, ret.
const STEPS: [&[u8]; 8] = [
    &[0x40],                         // inc eax
    &[0x6B, 0xC0, 0x03],             // imul eax,eax,3
    &[0x35, 0x55, 0x55, 0x00, 0x00], // xor eax,5555h
    &[0xC1, 0xC0, 0x07],             // rol eax,7
    &[0x2D, 0x39, 0x30, 0x00, 0x00], // sub eax,12345
    &[0xF7, 0xD0],                   // not eax
    &[0xD1, 0xC8],                   // ror eax,1
    &[0x0F, 0xC8],                   // bswap eax
];

/// What this thread has used of a CPU: others may keep the host busy.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

fn main() {
    let loops: &[(&str, &[u8])] = &[
        // xor eax,eax; l: add eax,ecx; dec ecx; jnz l; jmp $
        ("add-dec-jnz", &[0x31, 0xC0, 0x01, 0xC8, 0x49, 0x75, 0xFB, 0xEB, 0xFE]),
        // mov esi,10000h; l: mov eax,[esi+ebx*4]; add [esi],eax; cmp eax,5; je +0; dec ecx; jnz l; jmp $
        (
            "load-rmw-cmp",
            &[
                0xBE, 0, 0, 1, 0, 0x8B, 0x04, 0x9E, 0x01, 0x06, 0x83, 0xF8, 0x05, 0x74, 0x00, 0x49, 0x75,
                0xF3, 0xEB, 0xFE,
            ],
        ),
        // l: call f; dec ecx; jnz l; jmp $; f: push ebx; pop ebx; ret
        ("call-ret", &[0xE8, 0x05, 0, 0, 0, 0x49, 0x75, 0xF8, 0xEB, 0xFE, 0x53, 0x5B, 0xC3]),
        ("call-indirect", &calls(1_664_525)),
        ("call-one-of-them", &calls(0)),
    ];
    for (name, code) in loops {
        let interpreted = run(name, code, &mut Interpreter::new());
        let mut results = Vec::new();
        for level in [OptLevel::None, OptLevel::Speed] {
            let mut engine = Jit::new(Options { level, background: false, ..Options::AUTO });
            let ns = run(name, code, &mut engine);
            let report = engine.report();
            let sum = |of: fn(&Work) -> u64| of(&report.direct) + of(&report.optimised);
            let (count, bytes) =
                (sum(|work| work.instructions.load(Relaxed)), report.code_bytes.load(Relaxed));
            let us = sum(|work| work.time.load(Relaxed)) as f64 / 1000.0 / count.max(1) as f64;
            let (ran, entered) = engine.work();
            results.push(format!(
                "{level:?} {ns:.2} ({count} insns, {us:.1} us each, {bytes} B, ran {ran}, entered {entered})"
            ));
        }
        println!("{name:16} ns/insn: interpreter {interpreted:.2}, {}", results.join(", "));
    }
}

/// Nanoseconds per instruction.
fn run(name: &str, code: &[u8], engine: &mut dyn Engine) -> f64 {
    let mut memory = MemoryMap::new();
    let block = memory.add_block("ram", 1 << 20).expect("memory");
    let ram = Target::Block { block, offset: 0 };
    memory.map(Range { start: 0, len: 1 << 20, read: ram, write: ram });
    memory.write(0x1000, code);
    for (n, step) in STEPS.iter().enumerate() {
        let at = 0x2000 + 32 * n as u64;
        memory.write(at, &[&[0x89, 0xF8], *step, &[0xC3]].concat());
        memory.write(0x4000 + 4 * n as u64, &(at as u32).to_le_bytes());
    }
    let mut bus = Flat { memory, attention: AtomicU32::new(0), left: 300_000_000, retired: 0 };
    let mut cpu = VcpuState::at_reset(emu_core::isa::cpuid::DEFAULT, 0);
    cpu.cr0 |= cr0::PE;
    let flat = |rights| Segment { selector: 8, rights, limit: u32::MAX, base: 0 };
    cpu.seg = [flat(0xC093); 6];
    cpu.seg[1] = flat(0xC09B);
    cpu.rip = 0x1000;
    cpu.gpr[1] = u64::from(u32::MAX);
    cpu.gpr[4] = 0x8_0000;
    let start = cpu_time();
    let exit = engine.run(&mut cpu, &mut bus, &Stop::default());
    assert_eq!(exit, emu_core::Exit::Stopped, "{name}");
    (cpu_time() - start).as_nanos() as f64 / bus.retired as f64
}
