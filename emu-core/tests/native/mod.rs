//! One instruction on the host CPU and on the interpreter, from the same registers, flags, MXCSR and memory.

use super::flat::{FlatBus, long_mode_state};
use emu_core::engine::{Engine, Stop};
use emu_core::interpreter::Interpreter;
use emu_core::isa::cpuid;
use emu_core::vcpu::{VcpuState, cr4};

pub const STATUS: u64 = 0x8D5;
const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
/// RSP and RDI are not the instruction's: RDI holds the address of the memory operand.
const RSP: usize = 4;
pub const RDI: usize = 7;

// Offsets in the native page.
const GENERAL: usize = 0x600;
const FLAGS: usize = GENERAL + 128;
const MXCSR: usize = GENERAL + 136;
const HOST_MXCSR: usize = GENERAL + 144;
const VECTORS: usize = 0x800;
const BUFFER: usize = 0xC00;

/// What an instruction may change.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    pub gpr: [u64; 16],
    pub flags: u64,
    pub mxcsr: u32,
    /// Low and high half of each YMM register.
    pub ymm: [[u128; 2]; 16],
    pub memory: [u128; 2],
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "gpr {:X?} flags {:X} mxcsr {:X}", self.gpr, self.flags, self.mxcsr)?;
        for (n, [low, high]) in self.ymm.iter().enumerate().filter(|(_, ymm)| **ymm != [0; 2]) {
            writeln!(f, "ymm{n} {high:032X} {low:032X}")?;
        }
        writeln!(f, "memory {:032X} {:032X}", self.memory[1], self.memory[0])
    }
}

/// A page of executable memory: code, register slots, a data buffer.
pub struct Native {
    page: *mut u8,
    vectors: bool,
}

impl Native {
    pub fn new() -> Self {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let access = ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC;
        // SAFETY: a fresh private mapping.
        let page = unsafe { mmap_anonymous(std::ptr::null_mut(), 4096, access, MapFlags::PRIVATE) };
        Self { page: page.expect("memory").cast(), vectors: is_x86_feature_detected!("avx") }
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
        let vectors = |code: &mut Vec<u8>, opcode: u8| {
            for r in (0..16u8).filter(|_| self.vectors) {
                let vex = if r < 8 { 0xFE } else { 0x7E };
                at(code, &[0xC5, vex, opcode], r & 7, VECTORS + 32 * r as usize); // vmovdqu
            }
        };
        let general = |code: &mut Vec<u8>, opcode: u8| {
            for r in (0..16u8).filter(|r| *r != 4) {
                at(code, &[0x48 | (r >> 3) << 2, opcode], r & 7, GENERAL + 8 * r as usize); // mov
            }
        };
        at(&mut code, &[0x0F, 0xAE], 3, HOST_MXCSR); // stmxcsr
        vectors(&mut code, 0x6F);
        at(&mut code, &[0x0F, 0xAE], 2, MXCSR); // ldmxcsr
        at(&mut code, &[0xFF], 6, FLAGS); // push [flags]
        code.push(0x9D); // popfq
        general(&mut code, 0x8B);
        code.extend_from_slice(bytes);
        general(&mut code, 0x89);
        code.push(0x9C); // pushfq
        at(&mut code, &[0x8F], 0, FLAGS); // pop [flags]
        at(&mut code, &[0x0F, 0xAE], 3, MXCSR);
        at(&mut code, &[0x0F, 0xAE], 2, HOST_MXCSR);
        vectors(&mut code, 0x7F);
        if self.vectors {
            code.extend_from_slice(&[0xC5, 0xF8, 0x77]); // vzeroupper
        }
        code.extend_from_slice(&[0xFC, 0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3]);
        assert!(code.len() < GENERAL);
        // SAFETY: inside the page, and nothing of it is running.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), self.page, code.len()) };
    }

    /// Runs the installed instruction; all exceptions must be masked.
    pub fn run(&self, s: &mut State) {
        // SAFETY: all slots are inside the page and aligned; the code keeps what the ABI asks for.
        unsafe {
            let general = self.page.add(GENERAL).cast::<[u64; 16]>();
            general.write(s.gpr);
            general.cast::<u64>().add(RDI).write(self.page as u64 + BUFFER as u64);
            self.page.add(FLAGS).cast::<u64>().write(s.flags & STATUS | 2);
            self.page.add(MXCSR).cast::<u32>().write(s.mxcsr);
            self.page.add(VECTORS).cast::<[[u128; 2]; 16]>().write(s.ymm);
            self.page.add(BUFFER).cast::<[u128; 2]>().write(s.memory);
            let f: extern "C" fn() = std::mem::transmute(self.page);
            f();
            let kept = (s.gpr[RSP], s.gpr[RDI]);
            s.gpr = general.read();
            (s.gpr[RSP], s.gpr[RDI]) = kept;
            s.flags = self.page.add(FLAGS).cast::<u64>().read() & STATUS;
            s.mxcsr = self.page.add(MXCSR).cast::<u32>().read();
            s.ymm = self.page.add(VECTORS).cast::<[[u128; 2]; 16]>().read();
            s.memory = self.page.add(BUFFER).cast::<[u128; 2]>().read();
        }
    }
}

/// The same on the interpreter, as the CPU model `max` in 64-bit mode with AVX enabled.
pub struct Ours {
    bus: FlatBus,
    engine: Interpreter,
    base: VcpuState,
    len: u64,
}

impl Ours {
    pub fn new() -> Self {
        let bus = FlatBus::new(1 << 20);
        let mut base = long_mode_state(&bus.memory);
        base.model = cpuid::by_name("max").expect("the model with everything");
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
        cpu.xmm = s.ymm.map(|[low, _]| low);
        cpu.ymm_high = s.ymm.map(|[_, high]| high);
        for (n, word) in s.memory.iter().enumerate() {
            self.bus.memory.write(DATA + 16 * n as u64, &word.to_le_bytes());
        }
        self.bus.left = 1 << 40;
        self.engine.run(&mut cpu, &mut self.bus, &Stop { at: None, after: Some(1) });
        let kept = (s.gpr[RSP], s.gpr[RDI]);
        s.gpr = cpu.gpr;
        (s.gpr[RSP], s.gpr[RDI]) = kept;
        s.flags = cpu.rflags & STATUS;
        s.mxcsr = cpu.mxcsr;
        s.ymm = std::array::from_fn(|n| [cpu.xmm[n], cpu.ymm_high[n]]);
        s.memory = [0, 1].map(|n| u128::from_le_bytes(self.bus.memory.read_array(DATA + 16 * n)));
        cpu.rip == CODE + self.len
    }
}

pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    /// One of `choices`.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}
