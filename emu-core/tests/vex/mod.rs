//! VEX-encoded instructions on the host and on ours: the whole AVX state, general registers, flags and memory.
#![allow(dead_code)] // each test file uses its part

use crate::flat::{FlatBus, long_mode_state};
use crate::random::Random;
use emu_core::engine::{Engine, Stop};
use emu_core::interpreter::Interpreter;
use emu_core::isa::cpuid;
use emu_core::vcpu::{VcpuState, cr4};
use iced_x86::{CpuidFeature, Decoder, DecoderOptions, EncodingKind, Instruction};

const STATUS: u64 = 0x8D5;
const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
const RSP: usize = 4;
const RDI: usize = 7;

// Offsets in the native pages.
const PAGES: usize = 0x2000;
const GENERAL: usize = 0x400;
const GUEST: usize = 0x800;
const HOST: usize = 0xC00;
const BUFFER: usize = 0x1000;
// Offsets in the XSAVE area.
const MXCSR: usize = 24;
const XMM: usize = 160;
const XSTATE_BV: usize = 512;
const YMM_HIGH: usize = 576;

/// What an instruction may change. RDI points to `memory`; RSP is left alone.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    pub gpr: [u64; 16],
    pub flags: u64,
    pub mxcsr: u32,
    pub xmm: [u128; 16],
    pub ymm_high: [u128; 16],
    pub memory: [u128; 4],
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "gpr {:X?} flags {:X} mxcsr {:X}", self.gpr, self.flags, self.mxcsr)?;
        for n in 0..16 {
            writeln!(f, "ymm{n} {:032X} {:032X}", self.ymm_high[n], self.xmm[n])?;
        }
        writeln!(f, "memory {:032X?}", self.memory)
    }
}

impl State {
    pub fn random(random: &mut Random) -> Self {
        let mut xmm: [u128; 16] = std::array::from_fn(|_| random.vector());
        let mut ymm_high: [u128; 16] = std::array::from_fn(|_| random.vector());
        if random.below(4) == 0 {
            (xmm[1], ymm_high[1]) = (xmm[0], ymm_high[0]);
        }
        let mxcsr = match random.below(4) {
            0 | 1 => 0x1FA0,
            2 => 0x1F80,
            _ => 0x1F80 | (random.next() as u32 & 0xE07F),
        };
        Self {
            gpr: std::array::from_fn(|_| if random.below(2) == 0 { random.next() } else { random.below(20) }),
            flags: random.next() & STATUS,
            mxcsr,
            xmm,
            ymm_high,
            memory: std::array::from_fn(|_| random.vector()),
        }
    }
}

/// Pages of executable memory: code, register slots, an XSAVE area for the guest, an FXSAVE area for the host, data.
pub struct Native {
    page: *mut u8,
}

impl Native {
    pub fn new() -> Self {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let access = ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC;
        // SAFETY: a fresh private mapping.
        let page = unsafe { mmap_anonymous(std::ptr::null_mut(), PAGES, access, MapFlags::PRIVATE) };
        Self { page: page.expect("memory").cast() }
    }

    /// Puts one instruction in place that touches no RSP and no memory but the buffer.
    pub fn install(&self, bytes: &[u8]) {
        let mut code: Vec<u8> = vec![0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57];
        let at = |code: &mut Vec<u8>, opcode: &[u8], reg: u8, offset: usize| {
            code.extend_from_slice(opcode);
            code.push(reg << 3 | 5);
            let next = code.len() + 4;
            code.extend_from_slice(&(offset as i32 - next as i32).to_le_bytes());
        };
        const SEVEN: &[u8] = &[0xB8, 7, 0, 0, 0, 0x31, 0xD2]; // mov eax, 7; xor edx, edx
        at(&mut code, &[0x48, 0x0F, 0xAE], 0, HOST); // fxsave64
        code.extend_from_slice(SEVEN);
        at(&mut code, &[0x48, 0x0F, 0xAE], 5, GUEST); // xrstor64
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
        code.extend_from_slice(SEVEN);
        at(&mut code, &[0x48, 0x0F, 0xAE], 4, GUEST); // xsave64
        code.extend_from_slice(&[0xC5, 0xF8, 0x77]); // vzeroupper
        at(&mut code, &[0x48, 0x0F, 0xAE], 1, HOST); // fxrstor64
        code.extend_from_slice(&[0xFC, 0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3]);
        assert!(code.len() < GENERAL);
        // SAFETY: inside the pages, and nothing of it is running.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), self.page, code.len()) };
    }

    /// Runs the installed instruction.
    pub fn run(&self, s: &mut State) {
        // SAFETY: all slots are inside the pages; the code keeps what the ABI asks for.
        unsafe {
            let general = self.page.add(GENERAL).cast::<u64>();
            for (n, value) in s.gpr.iter().enumerate() {
                general.add(n).write(*value);
            }
            let buffer = self.page.add(BUFFER);
            general.add(RDI).write(buffer as u64);
            general.add(16).write(s.flags & STATUS | 2);
            let area = self.page.add(GUEST);
            area.add(XSTATE_BV).cast::<[u64; 8]>().write([6, 0, 0, 0, 0, 0, 0, 0]);
            area.add(MXCSR).cast::<u32>().write(s.mxcsr);
            area.add(XMM).cast::<[u128; 16]>().write(s.xmm);
            area.add(YMM_HIGH).cast::<[u128; 16]>().write(s.ymm_high);
            buffer.cast::<[u128; 4]>().write(s.memory);
            let f: extern "C" fn() = std::mem::transmute(self.page);
            f();
            for (n, value) in s.gpr.iter_mut().enumerate().filter(|(n, _)| *n != RDI && *n != RSP) {
                *value = general.add(n).read();
            }
            s.flags = general.add(16).read() & STATUS;
            // What is not in use has its initial state, whatever the area holds.
            let in_use = area.add(XSTATE_BV).read();
            s.mxcsr = area.add(MXCSR).cast::<u32>().read();
            s.xmm = if in_use & 2 != 0 { area.add(XMM).cast::<[u128; 16]>().read() } else { [0; 16] };
            s.ymm_high =
                if in_use & 4 != 0 { area.add(YMM_HIGH).cast::<[u128; 16]>().read() } else { [0; 16] };
            s.memory = buffer.cast::<[u128; 4]>().read();
        }
    }
}

/// The interpreter, as the model `max` with AVX enabled.
pub struct Ours {
    bus: FlatBus,
    engine: Interpreter,
    pub base: VcpuState,
    len: u64,
}

impl Ours {
    pub fn new() -> Self {
        let bus = FlatBus::new(1 << 20);
        let mut base = long_mode_state(&bus.memory);
        base.model = cpuid::by_name("max").expect("a model of the table");
        base.cr4 |= cr4::OSXSAVE;
        base.xcr0 = 7;
        Self { bus, engine: Interpreter::new(), base, len: 0 }
    }

    pub fn install(&mut self, bytes: &[u8]) {
        self.bus.memory.write(CODE, bytes);
        self.len = bytes.len() as u64;
    }

    /// Runs the installed instruction; false if it raised an exception.
    pub fn run(&mut self, s: &mut State) -> bool {
        let mut cpu = self.base.clone();
        cpu.gpr = s.gpr;
        cpu.gpr[RDI] = DATA;
        cpu.rflags = s.flags & STATUS | 2;
        cpu.rip = CODE;
        cpu.mxcsr = s.mxcsr;
        (cpu.xmm, cpu.ymm_high) = (s.xmm, s.ymm_high);
        for (n, word) in s.memory.iter().enumerate() {
            self.bus.memory.write(DATA + 16 * n as u64, &word.to_le_bytes());
        }
        self.bus.left = 1 << 40;
        self.engine.run(&mut cpu, &mut self.bus, &Stop { at: None, after: Some(1) });
        let kept = (s.gpr[RDI], s.gpr[RSP]);
        s.gpr = cpu.gpr;
        (s.gpr[RDI], s.gpr[RSP]) = kept;
        s.flags = cpu.rflags & STATUS;
        s.mxcsr = cpu.mxcsr;
        (s.xmm, s.ymm_high) = (cpu.xmm, cpu.ymm_high);
        s.memory =
            std::array::from_fn(|n| u128::from_le_bytes(self.bus.memory.read_array(DATA + 16 * n as u64)));
        cpu.rip == CODE + self.len
    }
}

// ---- encodings -----------------------------------------------------------------------------------------------

/// What an encoding has but its registers and immediate.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    map: u8,
    prefix: u8,
    w: u8,
    l: u8,
    opcode: u8,
    /// The first source is a register, not 1111b.
    first: bool,
    operand: Operand,
}

#[derive(Clone, Copy, Debug)]
enum Operand {
    Register,
    /// [RDI]
    Memory,
    /// [RDI + vector * 8 + 32]
    Vector,
    /// A register, with this opcode extension; or memory.
    Group(u8, bool),
}

/// Every form of the three maps.
pub fn forms() -> Vec<Form> {
    let mut all = Vec::new();
    for n in 0..3 * 4 * 2 * 2 * 256 * 2u32 {
        let (map, prefix, w, l) = (1 + (n >> 12) as u8 / 4 % 3, (n >> 12) as u8 % 4, n >> 9 & 1, n >> 8 & 1);
        let form = Form {
            map,
            prefix,
            w: w as u8,
            l: l as u8,
            opcode: n as u8,
            first: n >> 10 & 1 != 0,
            operand: Operand::Register,
        };
        if n >> 11 & 1 != 0 {
            continue;
        }
        match (map, form.opcode) {
            (1, 0x71..=0x73 | 0xAE) | (2, 0xF3) => {
                for extension in 0..8 {
                    all.push(Form { operand: Operand::Group(extension, false), ..form });
                    all.push(Form { operand: Operand::Group(extension, true), ..form });
                }
            }
            (2, 0x90..=0x93) => all.push(Form { operand: Operand::Vector, ..form }),
            _ => {
                all.push(form);
                all.push(Form { operand: Operand::Memory, ..form });
            }
        }
    }
    all
}

impl Form {
    /// The encoding with random registers (none of them RSP or RDI) and a random immediate, if there is such an
    /// instruction.
    pub fn encode(&self, random: &mut Random) -> Option<(Vec<u8>, Instruction)> {
        let mut register = || [0, 1, 2, 3, 8, 9, 10, 15][random.below(8) as usize];
        let (reg, rm, index) = (register(), register(), register());
        let first = if self.first { register() } else { 0 };
        let (reg, rm, index, tail): (u8, u8, u8, Vec<u8>) = match self.operand {
            Operand::Register => (reg, rm, 0, vec![0xC0 | (reg & 7) << 3 | rm & 7]),
            Operand::Memory => (reg, 0, 0, vec![(reg & 7) << 3 | 7]),
            Operand::Vector => (reg, 0, index, vec![0x44 | (reg & 7) << 3, 0xC7 | (index & 7) << 3, 32]),
            Operand::Group(n, true) => (0, 0, 0, vec![n << 3 | 7]),
            Operand::Group(n, false) => (0, rm, 0, vec![0xC0 | n << 3 | rm & 7]),
        };
        let high = |r: u8| (r >> 3 ^ 1) & 1;
        let last = |w: u8| w << 7 | (!first & 15) << 3 | self.l << 2 | self.prefix;
        let short = self.map == 1 && self.w == 0 && rm < 8 && index < 8 && random.below(2) == 0;
        let mut bytes = if short {
            vec![0xC5, high(reg) << 7 | last(0)]
        } else {
            vec![0xC4, high(reg) << 7 | high(index) << 6 | high(rm) << 5 | self.map, last(self.w)]
        };
        bytes.push(self.opcode);
        bytes.extend(tail);
        bytes.push(random.next() as u8);
        let i = Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE).decode();
        if i.is_invalid() || i.encoding() != EncodingKind::VEX {
            return None;
        }
        bytes.truncate(i.len());
        Some((bytes, i))
    }
}

/// Whether the host has all that the instruction needs.
pub fn host_has(i: &Instruction) -> bool {
    use CpuidFeature as F;
    i.cpuid_features().iter().all(|f| match f {
        F::AVX => is_x86_feature_detected!("avx"),
        F::AVX2 => is_x86_feature_detected!("avx2"),
        F::FMA => is_x86_feature_detected!("fma"),
        F::F16C => is_x86_feature_detected!("f16c"),
        F::AES => is_x86_feature_detected!("aes"),
        F::PCLMULQDQ => is_x86_feature_detected!("pclmulqdq"),
        F::VAES => is_x86_feature_detected!("vaes"),
        F::VPCLMULQDQ => is_x86_feature_detected!("vpclmulqdq"),
        _ => false,
    })
}
