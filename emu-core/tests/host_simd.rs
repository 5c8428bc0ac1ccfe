//! MMX and SSE instructions against the host CPU: every encoding of the three opcode maps that decodes to one of
//! them, in register and memory forms, with the whole x87/MMX/SSE state, general registers, flags and memory compared.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // runs generated code natively

mod flat;
mod random;

use emu_core::engine::{Engine, Stop};
use emu_core::interpreter::Interpreter;
use emu_core::vcpu::{F80, VcpuState};
use flat::{FlatBus, long_mode_state};
use iced_x86::{CpuidFeature, Decoder, DecoderOptions, Instruction, Mnemonic};
use random::Random;

const STATUS: u64 = 0x8D5;
const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
const RDI: usize = 7;

// Offsets in the native page.
const GENERAL: usize = 0x400;
const GUEST: usize = 0x800;
const HOST: usize = 0xA00;
const BUFFER: usize = 0xC00;

/// A page of executable memory: code, register slots, two FXSAVE areas, a data buffer.
struct Native {
    page: *mut u8,
}

/// What an instruction may change.
#[derive(Clone, PartialEq, Eq)]
struct State {
    gpr: [u64; 16],
    flags: u64,
    mxcsr: u32,
    x87_status: u16,
    empty: u8,
    r: [F80; 8],
    xmm: [u128; 16],
    memory: [u128; 2],
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "ax {:X} cx {:X} dx {:X} bx {:X}", self.gpr[0], self.gpr[1], self.gpr[2], self.gpr[3])?;
        writeln!(
            f,
            "flags {:X} mxcsr {:X} fsw {:X} empty {:X}",
            self.flags, self.mxcsr, self.x87_status, self.empty
        )?;
        writeln!(f, "xmm {:032X?}", &self.xmm[..4])?;
        writeln!(f, "r {:X?}", &self.r)?;
        writeln!(f, "memory {:032X?}", self.memory)
    }
}

impl Native {
    fn new() -> Self {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let access = ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC;
        // SAFETY: a fresh private mapping.
        let page = unsafe { mmap_anonymous(std::ptr::null_mut(), 4096, access, MapFlags::PRIVATE) };
        Self { page: page.expect("memory").cast() }
    }

    fn buffer(&self) -> u64 {
        self.page as u64 + BUFFER as u64
    }

    /// Puts one instruction in place that touches no RSP and no memory but the buffer.
    fn install(&self, bytes: &[u8]) {
        let mut code: Vec<u8> = vec![0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57];
        let at = |code: &mut Vec<u8>, opcode: &[u8], reg: u8, offset: usize| {
            code.extend_from_slice(opcode);
            code.push(reg << 3 | 5);
            let next = code.len() + 4;
            code.extend_from_slice(&(offset as i32 - next as i32).to_le_bytes());
        };
        at(&mut code, &[0x48, 0x0F, 0xAE], 0, HOST); // fxsave64
        at(&mut code, &[0x48, 0x0F, 0xAE], 1, GUEST); // fxrstor64
        at(&mut code, &[0xFF], 6, GENERAL + 128); // push [flags]
        code.push(0x9D);
        for r in (0..16u8).filter(|r| *r != 4) {
            at(&mut code, &[0x48 | (r >> 3) << 2, 0x8B], r & 7, GENERAL + 8 * r as usize);
        }
        code.extend_from_slice(bytes);
        for r in (0..16u8).filter(|r| *r != 4) {
            at(&mut code, &[0x48 | (r >> 3) << 2, 0x89], r & 7, GENERAL + 8 * r as usize);
        }
        code.push(0x9C);
        at(&mut code, &[0x8F], 0, GENERAL + 128);
        at(&mut code, &[0x48, 0x0F, 0xAE], 0, GUEST);
        at(&mut code, &[0x48, 0x0F, 0xAE], 1, HOST);
        code.extend_from_slice(&[0xFC, 0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3]);
        assert!(code.len() < GENERAL);
        // SAFETY: inside the page, and nothing of it is running.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), self.page, code.len()) };
    }

    /// Runs the installed instruction.
    fn run(&self, s: &mut State) {
        // SAFETY: all slots are inside the page; the code keeps what the ABI asks for.
        unsafe {
            let general = self.page.add(GENERAL).cast::<u64>();
            for (n, value) in s.gpr.iter().enumerate() {
                general.add(n).write(*value);
            }
            general.add(RDI).write(self.buffer());
            general.add(16).write(s.flags & STATUS | 2);
            let area = self.page.add(GUEST);
            area.cast::<u16>().write(0x37F);
            area.cast::<u16>().add(1).write(s.x87_status);
            area.add(4).write(!s.empty);
            area.add(24).cast::<u32>().write(s.mxcsr);
            let top = usize::from(s.x87_status >> 11 & 7);
            for i in 0..8 {
                let register = s.r[(top + i) & 7];
                area.add(32 + 16 * i).cast::<u64>().write(register.significand);
                area.add(40 + 16 * i).cast::<u64>().write(register.exponent.into());
            }
            area.add(160).cast::<[u128; 16]>().write(s.xmm);
            self.page.add(BUFFER).cast::<[u128; 2]>().write(s.memory);
            let f: extern "C" fn() = std::mem::transmute(self.page);
            f();
            for (n, value) in s.gpr.iter_mut().enumerate().filter(|(n, _)| *n != RDI && *n != 4) {
                *value = general.add(n).read();
            }
            s.flags = general.add(16).read() & STATUS;
            s.x87_status = area.cast::<u16>().add(1).read();
            s.empty = !area.add(4).read();
            s.mxcsr = area.add(24).cast::<u32>().read();
            let top = usize::from(s.x87_status >> 11 & 7);
            for i in 0..8 {
                s.r[(top + i) & 7] = F80 {
                    significand: area.add(32 + 16 * i).cast::<u64>().read(),
                    exponent: area.add(40 + 16 * i).cast::<u16>().read(),
                };
            }
            s.xmm = area.add(160).cast::<[u128; 16]>().read();
            s.memory = self.page.add(BUFFER).cast::<[u128; 2]>().read();
        }
    }
}

struct Ours {
    bus: FlatBus,
    engine: Interpreter,
    base: VcpuState,
    len: u64,
}

impl Ours {
    fn new() -> Self {
        let bus = FlatBus::new(1 << 20);
        let base = long_mode_state(&bus.memory);
        Self { bus, engine: Interpreter::new(), base, len: 0 }
    }

    fn install(&mut self, bytes: &[u8]) {
        self.bus.memory.write(CODE, bytes);
        self.len = bytes.len() as u64;
    }

    /// Runs the installed instruction; false if it raised an exception.
    fn run(&mut self, s: &mut State) -> bool {
        let mut cpu = self.base.clone();
        cpu.gpr = s.gpr;
        cpu.gpr[RDI] = DATA;
        cpu.rflags = s.flags & STATUS | 2;
        cpu.rip = CODE;
        cpu.mxcsr = s.mxcsr;
        cpu.x87.control = 0x37F;
        cpu.x87.status = s.x87_status;
        cpu.x87.empty = s.empty;
        cpu.x87.r = s.r;
        cpu.xmm = s.xmm;
        for (n, word) in s.memory.iter().enumerate() {
            self.bus.memory.write(DATA + 16 * n as u64, &word.to_le_bytes());
        }
        self.bus.left = 1 << 40;
        self.engine.run(&mut cpu, &mut self.bus, &Stop { at: None, after: Some(1) });
        let kept = (s.gpr[RDI], s.gpr[4]);
        s.gpr = cpu.gpr;
        (s.gpr[RDI], s.gpr[4]) = kept;
        s.flags = cpu.rflags & STATUS;
        s.mxcsr = cpu.mxcsr;
        s.x87_status = cpu.x87.status;
        s.empty = cpu.x87.empty;
        s.r = cpu.x87.r;
        s.xmm = cpu.xmm;
        s.memory = [0, 1].map(|n| u128::from_le_bytes(self.bus.memory.read_array(DATA + 16 * n)));
        cpu.rip == CODE + self.len
    }
}

fn state(random: &mut Random) -> State {
    let mut xmm: [u128; 16] = std::array::from_fn(|_| random.vector());
    if random.below(4) == 0 {
        xmm[1] = xmm[0];
    }
    let mxcsr = match random.below(4) {
        0 | 1 => 0x1FA0,
        2 => 0x1F80,
        _ => 0x1F80 | (random.next() as u32 & 0xE07F),
    };
    let top = random.below(8) as u16;
    let r =
        std::array::from_fn(|_| F80 { significand: random.vector() as u64, exponent: random.next() as u16 });
    let memory = [random.vector(), random.vector()];
    let mut gpr =
        std::array::from_fn(|_| if random.below(2) == 0 { random.next() } else { random.below(20) });
    if random.below(3) == 0 {
        gpr[0] = memory[0] as u64;
        gpr[2] = if random.below(2) == 0 { (memory[0] >> 64) as u64 } else { gpr[0] >> 32 };
    }
    State {
        gpr,
        flags: random.next() & STATUS,
        mxcsr,
        x87_status: top << 11,
        empty: random.next() as u8,
        r,
        xmm,
        memory,
    }
}

/// Whether the host has what the instruction needs, and it is one of ours.
fn ours(i: &Instruction) -> bool {
    use CpuidFeature as F;
    let features = i.cpuid_features();
    let simd = features.iter().any(|f| {
        matches!(
            f,
            F::MMX
                | F::SSE
                | F::SSE2
                | F::SSE3
                | F::SSSE3
                | F::SSE4_1
                | F::SSE4_2
                | F::AES
                | F::PCLMULQDQ
                | F::SHA
                | F::CX8
                | F::CMPXCHG16B
        )
    });
    simd && i.encoding() == iced_x86::EncodingKind::Legacy && !i.mnemonic_is_x87()
}

trait X87 {
    fn mnemonic_is_x87(&self) -> bool;
}

impl X87 for Instruction {
    fn mnemonic_is_x87(&self) -> bool {
        matches!(self.mnemonic(), Mnemonic::Fisttp)
    }
}

fn host_has(i: &Instruction) -> bool {
    use CpuidFeature as F;
    i.cpuid_features().iter().all(|f| match f {
        F::SSE3 => is_x86_feature_detected!("sse3"),
        F::SSSE3 => is_x86_feature_detected!("ssse3"),
        F::SSE4_1 => is_x86_feature_detected!("sse4.1"),
        F::SSE4_2 => is_x86_feature_detected!("sse4.2"),
        F::AES => is_x86_feature_detected!("aes"),
        F::PCLMULQDQ => is_x86_feature_detected!("pclmulqdq"),
        F::SHA => is_x86_feature_detected!("sha"),
        F::CMPXCHG16B => is_x86_feature_detected!("cmpxchg16b"),
        _ => true,
    })
}

/// Estimates differ from host to host; what LDMXCSR loads must be valid; PREFETCHW is not checked for.
fn comparable(i: &Instruction) -> bool {
    use Mnemonic as M;
    !matches!(i.mnemonic(), M::Rcpps | M::Rcpss | M::Rsqrtps | M::Rsqrtss | M::Ldmxcsr)
}

/// Every encoding with ModRM naming registers 0 to 2 (and some of 8 to 15) or [RDI], without its immediate.
fn encodings() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for prefix in [&[][..], &[0x66], &[0xF2], &[0xF3], &[0x66, 0xF2]] {
        for rex in [None, Some(0x48), Some(0x4D)] {
            for map in [&[0x0F][..], &[0x0F, 0x38], &[0x0F, 0x3A]] {
                for opcode in 0..=255u8 {
                    let forms: Vec<u8> = match (map.len(), opcode) {
                        (1, 0x38 | 0x3A | 0x0F) => Vec::new(),
                        // Groups: all extensions.
                        (1, 0x71..=0x73 | 0xAE | 0xC7 | 0x18) => {
                            (0..8).flat_map(|n| [0xC1 | n << 3, 0x07 | n << 3]).collect()
                        }
                        _ => vec![0xC1, 0xCA, 0xC0, 0x07, 0x0F],
                    };
                    for modrm in forms {
                        if rex == Some(0x4D) && modrm & 0xC0 == 0 {
                            continue; // [R15] is not the buffer
                        }
                        let head = prefix.iter().copied().chain(rex).chain(map.iter().copied());
                        all.push(head.chain([opcode, modrm]).collect());
                    }
                }
            }
        }
    }
    all
}

/// The encoding with immediate `imm`, if it is one of the instructions under test.
fn complete(head: &[u8], imm: u8) -> Option<(Vec<u8>, Instruction)> {
    let mut bytes = head.to_vec();
    bytes.extend([imm; 13]);
    let i = Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE).decode();
    if i.is_invalid() || !ours(&i) || i.len() < head.len() {
        return None;
    }
    bytes.truncate(i.len());
    Some((bytes, i))
}

#[test]
fn every_encoding_agrees_with_the_host() {
    let native = Native::new();
    let mut emulated = Ours::new();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut compared, mut codes) = (0u64, std::collections::HashSet::new());
    let mut failures: Vec<String> = Vec::new();
    for head in encodings() {
        let Some((bytes, _)) = complete(&head, 0) else { continue };
        let with_immediate = bytes.len() > head.len();
        let (immediates, runs) = if with_immediate { (48, 12) } else { (1, 250) };
        'encoding: for _ in 0..immediates {
            let imm = random.next() as u8;
            let Some((bytes, i)) = complete(&head, imm) else { continue };
            if !comparable(&i) {
                continue;
            }
            emulated.install(&bytes);
            native.install(&bytes);
            for _ in 0..runs {
                let before = state(&mut random);
                let (mut ours, mut theirs) = (before.clone(), before.clone());
                if !emulated.run(&mut ours) {
                    failures.push(format!("{:?} {bytes:02X?} raises an exception", i.code()));
                    break 'encoding;
                }
                if !host_has(&i) {
                    break 'encoding;
                }
                native.run(&mut theirs);
                if ours != theirs {
                    failures.push(format!(
                        "{:?} {bytes:02X?}\nbefore {before:?}ours {ours:?}host {theirs:?}",
                        i.code()
                    ));
                    break 'encoding;
                }
                compared += 1;
                codes.insert(i.code());
            }
        }
    }
    println!("{compared} vectors, {} instructions", codes.len());
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    assert!(codes.len() > 400, "only {} instructions were seen", codes.len());
}
