//! The oracle: programs run by the host's own CPU, in this process, at the window's addresses.
//!
//! One program under test can wreck the process it runs in only by a defect of ours or of the kernel: it holds no
//! pointer to anything but the window. All the same, `posada conform` keeps it in a child process.
#![allow(unsafe_code)] // enters generated code

mod area;
mod arena;
mod control;
mod signal;
mod trampoline;

use super::layout::selector;
use super::memory::Memory;
use super::program::CodeSize;
use super::state::{End, Outcome, Registers};
use arena::Arena;
use control::{CONTROL, Control};
use trampoline::Trampolines;

/// The host's CPU, ready to run programs.
pub struct Host {
    arena: Arena,
    enter: [u64; 3],
}

/// Why the host cannot be the oracle.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("this host's CPU has no {0}, which running programs natively needs")]
    Lacks(&'static str),
    #[error("cannot set up memory for native runs: {0}")]
    System(#[from] std::io::Error),
}

/// Linux, AT_HWCAP2: user mode may use RDFSBASE and its like.
const HWCAP2_FSGSBASE: u64 = 1 << 1;
/// The vector of INT3.
const BP: u8 = 3;
const PF: u8 = 14;

impl Host {
    /// Claims the window in this process. Possible once.
    ///
    /// # Errors
    /// The CPU lacks XSAVE, AVX or FSGSBASE; or the system refuses the mappings.
    pub fn claim() -> Result<Self, HostError> {
        if !std::arch::is_x86_feature_detected!("xsave") || !std::arch::is_x86_feature_detected!("avx") {
            return Err(HostError::Lacks("AVX"));
        }
        // SAFETY: reads a value of the auxiliary vector.
        if unsafe { libc::getauxval(libc::AT_HWCAP2) } & HWCAP2_FSGSBASE == 0 {
            return Err(HostError::Lacks("FSGSBASE for user mode"));
        }
        let trampolines = Trampolines::assemble().map_err(std::io::Error::other)?;
        let mut arena = Arena::new(&trampolines.code)?;
        let control = arena.control();
        // SAFETY: FSGSBASE is there.
        unsafe {
            std::arch::asm!("rdfsbase {}", out(reg) control.host_fs_base, options(nomem, nostack, preserves_flags));
            std::arch::asm!("rdgsbase {}", out(reg) control.host_gs_base, options(nomem, nostack, preserves_flags));
        }
        signal::install(trampolines.leave)?;
        Ok(Self { arena, enter: trampolines.enter })
    }

    /// The window's pages.
    pub fn memory(&mut self) -> &mut dyn Memory {
        &mut self.arena
    }

    /// Runs code at linear address `start` until it ends in an exception; an INT3 at `end` is the regular one.
    pub fn run(&mut self, size: CodeSize, start: u64, end: u64, registers: &Registers) -> Outcome {
        prepare(self.arena.control(), size, start, registers);
        let enter = self.enter[size as usize];
        // SAFETY: the trampoline keeps what the ABI asks for and comes back through the signal handler. The control
        // block it uses is not borrowed meanwhile.
        unsafe {
            let enter: extern "sysv64" fn() = std::mem::transmute::<u64, extern "sysv64" fn()>(enter);
            enter();
        }
        collect(self.arena.control(), size, end, registers)
    }
}

/// The host CPU's brand string.
pub fn brand() -> String {
    use std::arch::x86_64::__cpuid;
    let words = (0x8000_0002..=0x8000_0004).flat_map(|leaf| {
        let part = __cpuid(leaf);
        [part.eax, part.ebx, part.ecx, part.edx]
    });
    let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn prepare(control: &mut Control, size: CodeSize, start: u64, registers: &Registers) {
    area::store(registers, &mut control.area);
    control.gpr = registers.gpr;
    control.rflags = registers.rflags | 0x202;
    control.fs_base = registers.fs_base;
    control.gs_base = registers.gs_base;
    let (code, data) = match size {
        CodeSize::Bits16 => (selector::CODE_16, selector::DATA_16),
        CodeSize::Bits32 => (selector::CODE_32, selector::DATA),
        CodeSize::Bits64 => (selector::CODE_64, selector::DATA),
    };
    let offset = start - size.base();
    control.target = if size == CodeSize::Bits64 { offset } else { offset | u64::from(code) << 32 };
    control.selectors = [data, code, data, data, selector::FS, selector::GS, 0, 0];
    control.run += 1;
    control.running = 1;
}

fn collect(control: &mut Control, size: CodeSize, end: u64, before: &Registers) -> Outcome {
    let mut registers = before.clone();
    area::load(&control.area, &mut registers);
    registers.gpr = control.gpr;
    let trap = control.trap;
    registers.rflags = trap.rflags;
    if size == CodeSize::Bits64 {
        (registers.fs_base, registers.gs_base) = (control.fs_base, control.gs_base);
    }
    let vector = trap.vector as u8;
    if trap.vector == signal::ENDLESS {
        let [es, _, _, ds, fs, gs, ..] = control.selectors;
        return Outcome { end: End::Endless, registers, selectors: [es, trap.cs, trap.ss, ds, fs, gs] };
    }
    let through = vector == BP && trap.rip == end + 1 - size.base();
    let end = if through {
        End::Through
    } else {
        let cr2 = (vector == PF).then_some(trap.cr2);
        End::Exception { vector, error: trap.error as u32, rip: trap.rip, cr2 }
    };
    let [es, _, _, ds, fs, gs, ..] = control.selectors;
    Outcome { end, registers, selectors: [es, trap.cs, trap.ss, ds, fs, gs] }
}

const _: () = assert!(CONTROL < 1 << 31, "code of any size can name the control block");
