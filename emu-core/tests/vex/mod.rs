//! VEX-encoded instructions on the host and on ours: the whole AVX state, general registers, flags and memory.
#![allow(dead_code)] // each test file uses its part

use crate::flat::{FlatBus, long_mode_state};
use crate::random::Random;
use emu_core::engine::{Engine, Stop};
use emu_core::interpreter::Interpreter;
use emu_core::isa::cpuid;
use emu_core::vcpu::{TableRegister, VcpuState, cr4};
use iced_x86::{CpuidFeature, Decoder, DecoderOptions, EncodingKind, Instruction};
use std::cell::Cell;

pub const STATUS: u64 = 0x8D5;
const GDT: u64 = 0x1000;
const IDT: u64 = 0x6000;
/// HLT for every vector, 16 bytes apart.
const HANDLERS: u64 = 0x7000;
const STACK: u64 = 0x9000;
const CODE: u64 = 0x1_0000;
/// The end of a page; the next one is not present.
const DATA: u64 = 0x2_1000 - size_of::<Memory>() as u64;
const RSP: usize = 4;
const RDI: usize = 7;

// Offsets in the native pages.
const PAGE: usize = 0x1000;
const PAGES: usize = 2 * PAGE;
const GENERAL: usize = 0x400;
const GUEST: usize = 0x800;
const HOST: usize = 0xC00;
/// As `DATA`: what follows is not accessible.
const BUFFER: usize = PAGES - size_of::<Memory>();
// Offsets in the XSAVE area.
const MXCSR: usize = 24;
const XMM: usize = 160;
const XSTATE_BV: usize = 512;
const YMM_HIGH: usize = 576;

type Memory = [u128; 4];

thread_local! {
    /// Where the native code goes on after a fault, and the vector of that fault.
    static RESUME: Cell<(u64, u8)> = const { Cell::new((0, 0)) };
}

/// SIGILL, SIGSEGV and SIGFPE: note the vector and leave the instruction, with all registers as it left them.
extern "C" fn on_fault(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over a live context.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let (resume, _) = RESUME.get();
    if resume == 0 {
        std::process::abort();
    }
    RESUME.set((resume, registers[libc::REG_TRAPNO as usize] as u8));
    registers[libc::REG_RIP as usize] = resume as i64;
}

fn catch_faults() {
    // SAFETY: the handler touches the context and a thread-local cell only.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        for signal in [libc::SIGILL, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE] {
            assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
        }
    }
}

/// What an instruction may change. RDI points to `memory`; RSP is left alone.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    pub gpr: [u64; 16],
    pub flags: u64,
    pub mxcsr: u32,
    pub xmm: [u128; 16],
    pub ymm_high: [u128; 16],
    pub memory: Memory,
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
    /// Offset of what follows the instruction.
    resume: Cell<usize>,
}

impl Native {
    pub fn new() -> Self {
        use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
        let access = MprotectFlags::READ | MprotectFlags::WRITE | MprotectFlags::EXEC;
        catch_faults();
        // SAFETY: a fresh private mapping, of which the last page stays inaccessible.
        let page = unsafe {
            let at = std::ptr::null_mut();
            let page =
                mmap_anonymous(at, PAGES + PAGE, ProtFlags::empty(), MapFlags::PRIVATE).expect("memory");
            mprotect(page, PAGES, access).expect("memory");
            page
        };
        Self { page: page.cast(), resume: Cell::new(0) }
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
        self.resume.set(code.len());
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

    /// Runs the installed instruction; the vector of the exception it raised.
    pub fn run(&self, s: &mut State) -> Option<u8> {
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
            buffer.cast::<Memory>().write(s.memory);
            let f: extern "C" fn() = std::mem::transmute(self.page);
            RESUME.set((self.page as u64 + self.resume.get() as u64, u8::MAX));
            f();
            let (_, vector) = RESUME.replace((0, 0));
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
            s.memory = buffer.cast::<Memory>().read();
            (vector != u8::MAX).then_some(vector)
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
        let put = |at: u64, value: u64| bus.memory.write(at, &value.to_le_bytes());
        put(0x3000, 0x4003); // below what `long_mode_state` has made
        put(0x4000, 0x5003);
        for page in (0..256).filter(|page| page << 12 != DATA + size_of::<Memory>() as u64) {
            put(0x5000 + 8 * page, page << 12 | 3);
        }
        put(GDT + 8, 0x00AF_9B00_0000_FFFF);
        for vector in 0..32 {
            put(IDT + 16 * vector, 0x0000_8E00_0008_0000 | (HANDLERS + 16 * vector));
            bus.memory.write(HANDLERS + 16 * vector, &[0xF4]);
        }
        base.gdtr = TableRegister { base: GDT, limit: 15 };
        base.idtr = TableRegister { base: IDT, limit: 511 };
        base.model = cpuid::by_name("max").expect("a model of the table");
        base.cr4 |= cr4::OSXSAVE;
        base.xcr0 = 7;
        Self { bus, engine: Interpreter::new(), base, len: 0 }
    }

    pub fn install(&mut self, bytes: &[u8]) {
        self.bus.memory.write(CODE, bytes);
        self.len = bytes.len() as u64;
    }

    /// Runs the installed instruction; the vector of the exception it raised.
    pub fn run(&mut self, s: &mut State) -> Option<u8> {
        let mut cpu = self.base.clone();
        cpu.gpr = s.gpr;
        cpu.gpr[RSP] = STACK;
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
        (cpu.rip != CODE + self.len).then(|| ((cpu.rip - HANDLERS) / 16) as u8)
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
    /// [RDI + displacement]
    Memory(i8),
    /// [RDI + vector * 8 + 32]
    Vector,
    /// A register, with this opcode extension; or memory.
    Group(u8, bool),
}

/// Every form of the three maps.
pub fn forms() -> Vec<Form> {
    let mut all = Vec::new();
    // Opcode, then L, W, whether there is a first source, prefix, map.
    for n in 0..3 << 13u32 {
        let form = Form {
            map: 1 + (n >> 13) as u8,
            prefix: (n >> 11) as u8 & 3,
            w: (n >> 9) as u8 & 1,
            l: (n >> 8) as u8 & 1,
            opcode: n as u8,
            first: n >> 10 & 1 != 0,
            operand: Operand::Register,
        };
        match (form.map, form.opcode) {
            (1, 0x71..=0x73 | 0xAE) | (2, 0xF3) => {
                for extension in 0..8 {
                    all.push(Form { operand: Operand::Group(extension, false), ..form });
                    all.push(Form { operand: Operand::Group(extension, true), ..form });
                }
            }
            (2, 0x90..=0x93) => all.push(Form { operand: Operand::Vector, ..form }),
            _ => {
                all.push(form);
                all.push(Form { operand: Operand::Memory(0), ..form });
            }
        }
    }
    all
}

impl Form {
    /// The same with another address; none if it has no plain memory operand.
    pub fn displaced(self, by: i8) -> Option<Self> {
        matches!(self.operand, Operand::Memory(_)).then_some(Self { operand: Operand::Memory(by), ..self })
    }

    /// VPERMQ and VPERMPD with VEX.W = 0: AMD's processors take them, Intel's manual does not.
    pub fn ignores_w(&self) -> bool {
        matches!((self.map, self.opcode, self.w), (3, 0 | 1, 0))
    }

    /// AVX-512's instructions between opmask registers.
    pub fn names_opmasks(&self) -> bool {
        matches!((self.map, self.opcode), (1, 0x41..=0x4B | 0x90..=0x93 | 0x98..=0x99) | (3, 0x30..=0x33))
    }

    pub fn gathers(&self) -> bool {
        matches!(self.operand, Operand::Vector)
    }

    /// The encoding with random registers (none of them RSP or RDI) and a random immediate, if there is such an
    /// instruction.
    pub fn encode(&self, random: &mut Random) -> Option<(Vec<u8>, Instruction)> {
        let mut bytes = self.bytes(random);
        let i = decode(&bytes);
        if i.is_invalid() || i.encoding() != EncodingKind::VEX {
            return None;
        }
        bytes.truncate(i.len());
        Some((bytes, i))
    }

    /// The same, whether there is such an instruction or not.
    pub fn bytes(&self, random: &mut Random) -> Vec<u8> {
        let mut register = || [0, 1, 2, 3, 8, 9, 10, 15][random.below(8) as usize];
        let (reg, rm, index) = (register(), register(), register());
        let first = if self.first { register() } else { 0 };
        let (reg, rm, index, tail): (u8, u8, u8, Vec<u8>) = match self.operand {
            Operand::Register => (reg, rm, 0, vec![0xC0 | (reg & 7) << 3 | rm & 7]),
            Operand::Memory(disp) => (reg, 0, 0, vec![0x47 | (reg & 7) << 3, disp as u8]),
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
        bytes
    }
}

pub fn decode(bytes: &[u8]) -> Instruction {
    Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode()
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
