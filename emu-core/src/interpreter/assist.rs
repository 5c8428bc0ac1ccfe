//! What compiled code asks of the interpreter without leaving: a page walk, one instruction, the status flags; and what it
//! computes with: the guest's SIMD rounding and masks in the host's MXCSR, and the guest's x87 state in the host's unit.
//!
//! Every function here takes the running [`Cpu`] by pointer and follows the host's C convention. Before the call the
//! compiled code has written to it whatever the function's documentation names.
#![allow(unsafe_code)] // called from machine code, with the `Cpu` that is running

use super::Cpu;
use super::branch::stop_op;
use super::cpu::Mode;
use super::exception::Why;
use super::lower::{Outcome, lower_block, mnemonic};
use super::memory::canonical;
use super::op::{Op, OpRef};
use super::run::run_ops;
use super::tier::Leave;
use super::tlb::Bank;
use super::word::RIP_BASE;
use crate::isa::flags::Deferred;
use crate::isa::simd::mxcsr;
use crate::isa::x87::control;
use crate::isa::x87::status::{B, ES};
use crate::memory::{PAGE_MASK, PAGE_SIZE};
use crate::mmu::Intent;
use crate::vcpu::{Activity, Shadow, rflags};
use iced_x86::Mnemonic;
use std::sync::atomic::Ordering::Relaxed;

/// One instruction for [`interpret`], decoded. Its address may be a constant of machine code while this lives.
pub struct Single(Box<[Op; 2]>);

// SAFETY: the links of both ops are empty, and only the thread that runs the `Cpu` looks into them; others only pass the
// address on.
unsafe impl Send for Single {}
// SAFETY: as above.
unsafe impl Sync for Single {}

impl Single {
    /// From the bytes of an instruction at an offset of its page; `None` if it does not lie in the page, ends its block
    /// (it may change modes or RIP, or reach the bus), or is STI: by itself that holds interrupts for one instruction,
    /// and then somebody must look for them, which compiled code does not.
    pub fn new(bytes: &[u8], off: u16, mode: Mode) -> Option<Self> {
        if mnemonic(bytes, mode) == Mnemonic::Sti {
            return None;
        }
        Self::lower(bytes, off, mode).filter(|single| !single.0[0].ends)
    }

    /// For [`transfer`]: an instruction after which somebody may have to look before the next one, but mostly need not;
    /// `None` if it is none of those, or does not lie in the page.
    pub fn transfer(bytes: &[u8], off: u16, mode: Mode) -> Option<Self> {
        use Mnemonic::{Iretd, Iretq, Rdtsc, Rdtscp, Sti, Syscall, Sysret, Sysretq};
        let known = mnemonic(bytes, mode);
        matches!(known, Syscall | Sysret | Sysretq | Iretd | Iretq | Rdtsc | Rdtscp | Sti)
            .then(|| Self::lower(bytes, off, mode))?
    }

    fn lower(bytes: &[u8], off: u16, mode: Mode) -> Option<Self> {
        let Outcome::Block { ops, bytes: len } = lower_block(bytes, off, mode, 1) else { return None };
        let op = ops.into_iter().next().filter(|op| op.len != 0)?;
        let end = off.checked_add(len as u16)?;
        Some(Self(Box::new([op, stop_op(end, 1)])))
    }

    /// For machine code: the second argument of [`interpret`].
    pub fn address(&self) -> u64 {
        &raw const *self.0 as u64
    }
}

/// What [`interpret`] and the like answer if compiled code may go on.
pub const DONE: u32 = u32::MAX;

/// Has the interpreter execute one instruction. Registers, lazy flags, vector registers and the budget are in the `Cpu`
/// before and after. [`DONE`], or a [`Leave`] with which compiled code must leave at once, changing nothing: RIP and the
/// budget are as they must be. What the host's floating-point units hold, they hold again if it is done; with `x87` 0
/// the x87 unit is not touched.
///
/// # Safety
/// `cpu` is the running one, in the mode that the [`Single`] at `op` was made for, and the page of the region's entry
/// is the page of the instruction. If `x87` is 0, the instruction neither looks at x87 or MMX state nor changes it.
pub unsafe extern "C" fn interpret(cpu: *mut Cpu, op: *const Op, x87: u32) -> u32 {
    // SAFETY: see above; compiled code holds no reference to the `Cpu`, and the `Single` outlives the region's code.
    let (cpu, op) = unsafe { (&mut *cpu, OpRef::new(&*op)) };
    cpu.called_out += 1;
    cpu.settle_flags();
    let (float, x87) = (cpu.float_loaded, cpu.x87_loaded && x87 != 0);
    cpu.unload_float();
    if x87 {
        cpu.unload_x87();
    }
    let end = cpu.rip_at(u64::from(op.get().off) + u64::from(op.get().len));
    run_ops(cpu, op);
    let leave = match std::mem::replace(&mut cpu.why, Why::Lookup) {
        Why::Lookup if cpu.rip == end => DONE,
        Why::Lookup => Leave::Onward as u32,
        // It happens again, and is raised, where nothing is compiled.
        Why::Exception(_) => Leave::Fault as u32,
        Why::OneShot => Leave::Interpret as u32,
    };
    let again = |cpu: &mut Cpu| (!float || cpu.load_float()) && (!x87 || cpu.load_x87());
    if leave == DONE && !again(cpu) { Leave::Onward as u32 } else { leave }
}

/// Has the interpreter execute an instruction of [`Single::transfer`], which may change modes. Registers, lazy flags, vector
/// registers and the budget are in the `Cpu` before and after. The answer is the code to go on with, if there is some and
/// nobody else has to look before the next instruction, and then RIP_BASE is that of its page; or it is a [`Leave`], as
/// that of [`interpret`].
///
/// # Safety
/// As for [`interpret`].
pub unsafe extern "C" fn transfer(cpu: *mut Cpu, op: *const Op) -> usize {
    // SAFETY: as in `interpret`.
    let (cpu, op) = unsafe { (&mut *cpu, OpRef::new(&*op)) };
    cpu.called_out += 1;
    cpu.settle_flags();
    run_ops(cpu, op);
    match std::mem::replace(&mut cpu.why, Why::Lookup) {
        Why::Lookup => {}
        Why::Exception(_) => return Leave::Fault as usize,
        Why::OneShot => return Leave::Interpret as usize,
    }
    if cpu.budget <= 0 || !cpu.nothing_pends() {
        return Leave::Boundary as usize;
    }
    match cpu.cache.jump_code(cpu.rip, cpu.generation) {
        Some(code) => {
            cpu.r.set(RIP_BASE, cpu.rip & !PAGE_MASK);
            code as usize
        }
        None => Leave::Onward as usize,
    }
}

/// Translates an address that the TLB has missed; 1 if it hits now, 0 if the interpreter must see to the access. The
/// access of `size` bytes (at most a page) is about to be made, with nothing before it that could still fault.
///
/// # Safety
/// `cpu` is the running one.
pub unsafe extern "C" fn fill(cpu: *mut Cpu, linear: u64, size: u64, write: u32) -> u32 {
    // SAFETY: see above.
    let cpu = unsafe { &mut *cpu };
    let bank = cpu.tlb.bank();
    let straddles = (linear & PAGE_MASK) + size > PAGE_SIZE;
    if straddles || bank == Bank::Never || (cpu.mode.long && !canonical(linear)) {
        return 0;
    }
    let intent = if write != 0 { Intent::Write } else { Intent::Read };
    let privilege = cpu.privilege();
    if cpu.translate_and_fill(linear, intent, bank, privilege).is_err() {
        cpu.why = Why::Lookup;
        return 0;
    }
    let entry = if write != 0 { cpu.tlb.write_entry(linear) } else { cpu.tlb.read_entry(linear) };
    let hit = (linear ^ entry.tag) <= PAGE_SIZE - size;
    // What the interpreter must see to, it counts.
    cpu.tlb_misses += u64::from(hit);
    u32::from(hit)
}

/// The six status flags as RFLAGS bits, from the lazy flags.
///
/// # Safety
/// `cpu` is the running one.
pub unsafe extern "C" fn status(cpu: *mut Cpu) -> u64 {
    // SAFETY: see above.
    let cpu = unsafe { &mut *cpu };
    cpu.settle_flags();
    cpu.flags.status()
}

/// Brings the flags that compiled code has left into the interpreter's form.
///
/// # Safety
/// `cpu` is the running one.
pub unsafe extern "C" fn settle(cpu: *mut Cpu) {
    // SAFETY: see above.
    unsafe { (*cpu).settle_flags() };
}

impl Cpu {
    /// Brings the flags that compiled code has left into the interpreter's form.
    #[inline]
    pub fn settle_flags(&mut self) {
        let deferred = std::mem::replace(&mut self.deferred, Deferred::NONE);
        if deferred != Deferred::NONE {
            self.flags.settle(deferred);
        }
    }

    /// There is nothing that the run loop would have to do before the next instruction, which is in flat code.
    fn nothing_pends(&mut self) -> bool {
        let s = &self.s;
        let quiet = s.rflags & (rflags::TF | rflags::RF) == 0
            && s.pending_debug == 0
            && s.shadow != Shadow::MovSs
            && s.activity == Activity::Running;
        let quiet = quiet && self.mode.flat_code && self.raw_bus().attention().load(Relaxed) == 0;
        if quiet {
            // STI holds interrupts until the next instruction has run. There is none, and nobody looks before.
            self.s.shadow = Shadow::None;
        }
        quiet
    }

    /// Gives the host's MXCSR the guest's value, for compiled code; false if the guest has unmasked an exception.
    /// Until [`Self::unload_float`] the sticky flags of compiled code's instructions are in the host's register.
    pub fn load_float(&mut self) -> bool {
        if self.s.mxcsr & mxcsr::MASKS != mxcsr::MASKS || !host::AVAILABLE {
            return false;
        }
        host::set_mxcsr(self.s.mxcsr);
        self.float_loaded = true;
        true
    }

    /// Takes the sticky flags over, and gives the host's MXCSR back to Rust.
    #[inline]
    pub fn unload_float(&mut self) {
        if std::mem::take(&mut self.float_loaded) {
            self.s.mxcsr |= host::mxcsr() & mxcsr::FLAGS;
            host::set_mxcsr(mxcsr::INITIAL);
        }
    }

    /// Gives the host's x87 unit the guest's state, for compiled code; false if the guest has unmasked an exception, or
    /// x87 instructions trap. Until [`Self::unload_x87`] the registers, tags and the status word are in the host's unit
    /// only; the control word and the pointers to the last instruction are in the `Cpu` all the time.
    pub fn load_x87(&mut self) -> bool {
        let x87 = &self.s.x87;
        let masked = x87.control & control::MASKS == control::MASKS && x87.status & (ES | B) == 0;
        if !masked || self.fpu_trap || !host::AVAILABLE {
            return false;
        }
        host::load_x87(x87);
        self.x87_loaded = true;
        true
    }

    /// Takes the x87 state back.
    #[inline(never)]
    pub fn unload_x87(&mut self) {
        host::store_x87(&mut self.s.x87);
        self.x87_loaded = false;
    }

    /// Before Rust code that may look at, or compute with, what compiled code keeps in the host's floating-point units.
    #[inline]
    pub fn unload(&mut self) {
        self.unload_float();
        if self.x87_loaded {
            self.unload_x87();
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod host {
    use std::arch::asm;

    pub use crate::isa::x87::image::{load as load_x87, store as store_x87};

    pub const AVAILABLE: bool = true;

    pub fn mxcsr() -> u32 {
        let mut value = 0u32;
        // SAFETY: stores the register; nothing else changes.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
        value
    }

    /// Between this and giving [`super::mxcsr::INITIAL`] back, no Rust code computes with floats.
    pub fn set_mxcsr(value: u32) {
        // SAFETY: the value has no reserved bits: a guest cannot set them.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack, preserves_flags)) };
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod host {
    pub const AVAILABLE: bool = false;

    pub fn mxcsr() -> u32 {
        super::mxcsr::INITIAL
    }

    pub fn set_mxcsr(_: u32) {}

    pub fn load_x87(_: &crate::vcpu::X87) {}

    pub fn store_x87(_: &mut crate::vcpu::X87) {}
}
