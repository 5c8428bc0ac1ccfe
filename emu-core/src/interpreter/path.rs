//! Two ways through memory for hot instructions.
//!
//! [`Fast`] is the TLB probe and nothing else: whatever it does not cover gives up without a trace. [`Slow`] is the
//! complete path. A hot handler is compiled once for each; the fast one calls nothing, so it needs no stack frame,
//! and hands over to the slow one, from the start of the instruction, when it gives up.

use super::Cpu;
use super::memory::{SS, canonical};
use super::op::{Faulted, Op};
use super::word::{Scalar, Word, ZERO};
use crate::memory::PAGE_SIZE;

/// How an instruction reaches memory. On an error of [`Fast`] nothing has happened; on one of [`Slow`] an exception
/// has been raised.
pub trait Path: Copy + 'static {
    fn linear<const WRITE: bool>(cpu: &mut Cpu, op: &Op, size: u64) -> Result<u64, Faulted>;
    fn read<T: Scalar>(cpu: &mut Cpu, linear: u64, seg: u8) -> Result<T, Faulted>;
    fn write<T: Scalar>(cpu: &mut Cpu, linear: u64, value: T, seg: u8) -> Result<(), Faulted>;
    fn modify<T: Scalar>(cpu: &mut Cpu, op: &Op, f: impl FnOnce(&mut Cpu, T) -> T) -> Result<(), Faulted>;
    fn stack_linear(cpu: &mut Cpu, offset: u64, size: u64, write: bool) -> Result<u64, Faulted>;
    /// A near branch target must be inside the code segment, or canonical.
    fn check_target(cpu: &mut Cpu, rip: u64) -> Result<(), Faulted>;

    /// The memory operand's value.
    #[inline(always)]
    fn load<T: Scalar>(cpu: &mut Cpu, op: &Op) -> Result<T, Faulted> {
        let linear = Self::linear::<false>(cpu, op, T::SIZE)?;
        Self::read(cpu, linear, op.seg)
    }

    #[inline(always)]
    fn store<T: Scalar>(cpu: &mut Cpu, op: &Op, value: T) -> Result<(), Faulted> {
        let linear = Self::linear::<true>(cpu, op, T::SIZE)?;
        Self::write(cpu, linear, value, op.seg)
    }

    /// Pushes; RSP changes only if the store succeeds.
    #[inline(always)]
    fn push<T: Word>(cpu: &mut Cpu, value: T) -> Result<(), Faulted> {
        let sp = cpu.sp().wrapping_sub(T::SIZE) & cpu.sp_mask;
        let linear = Self::stack_linear(cpu, sp, T::SIZE, true)?;
        Self::write(cpu, linear, value, SS)?;
        cpu.set_sp(sp);
        Ok(())
    }

    /// The value `depth` bytes above the top of the stack, left in place.
    #[inline(always)]
    fn stack_read<T: Word>(cpu: &mut Cpu, depth: u64) -> Result<T, Faulted> {
        let sp = cpu.sp().wrapping_add(depth) & cpu.sp_mask;
        let linear = Self::stack_linear(cpu, sp, T::SIZE, false)?;
        Self::read(cpu, linear, SS)
    }
}

#[derive(Clone, Copy)]
pub struct Fast;

/// [`Fast`] for a memory operand that is base and displacement only, in a segment without a base.
#[derive(Clone, Copy)]
pub struct Simple;

#[derive(Clone, Copy)]
pub struct Slow;

impl Simple {
    /// Whether the memory operand has the form this path takes.
    pub fn fits(op: &Op) -> bool {
        op.flat && op.index == ZERO && op.seg_slot == ZERO
    }
}

impl Path for Simple {
    #[inline(always)]
    fn linear<const WRITE: bool>(cpu: &mut Cpu, op: &Op, _: u64) -> Result<u64, Faulted> {
        Ok(cpu.r.get(op.base).wrapping_add(op.disp) & cpu.addr_mask)
    }

    #[inline(always)]
    fn read<T: Scalar>(cpu: &mut Cpu, linear: u64, seg: u8) -> Result<T, Faulted> {
        Fast::read(cpu, linear, seg)
    }

    #[inline(always)]
    fn write<T: Scalar>(cpu: &mut Cpu, linear: u64, value: T, seg: u8) -> Result<(), Faulted> {
        Fast::write(cpu, linear, value, seg)
    }

    #[inline(always)]
    fn modify<T: Scalar>(cpu: &mut Cpu, op: &Op, f: impl FnOnce(&mut Cpu, T) -> T) -> Result<(), Faulted> {
        Fast::modify(cpu, op, f)
    }

    #[inline(always)]
    fn stack_linear(cpu: &mut Cpu, offset: u64, size: u64, write: bool) -> Result<u64, Faulted> {
        Fast::stack_linear(cpu, offset, size, write)
    }

    #[inline(always)]
    fn check_target(cpu: &mut Cpu, rip: u64) -> Result<(), Faulted> {
        Fast::check_target(cpu, rip)
    }
}

impl Path for Fast {
    #[inline(always)]
    fn linear<const WRITE: bool>(cpu: &mut Cpu, op: &Op, _: u64) -> Result<u64, Faulted> {
        if op.flat { Ok(cpu.flat_linear(op)) } else { Err(Faulted) }
    }

    #[inline(always)]
    fn read<T: Scalar>(cpu: &mut Cpu, linear: u64, _: u8) -> Result<T, Faulted> {
        cpu.probe_and_read(linear).ok_or(Faulted)
    }

    #[inline(always)]
    fn write<T: Scalar>(cpu: &mut Cpu, linear: u64, value: T, _: u8) -> Result<(), Faulted> {
        cpu.probe_and_write(linear, value).ok_or(Faulted)
    }

    #[inline(always)]
    fn modify<T: Scalar>(cpu: &mut Cpu, op: &Op, f: impl FnOnce(&mut Cpu, T) -> T) -> Result<(), Faulted> {
        let linear = Self::linear::<true>(cpu, op, T::SIZE)?;
        let entry = cpu.tlb.write_entry(linear);
        if (linear ^ entry.tag) > PAGE_SIZE - T::SIZE {
            return Err(Faulted);
        }
        cpu.modify_at(linear.wrapping_add(entry.addend), f);
        Ok(())
    }

    #[inline(always)]
    fn stack_linear(cpu: &mut Cpu, offset: u64, _: u64, _: bool) -> Result<u64, Faulted> {
        if cpu.stack_flat { Ok(offset & cpu.addr_mask) } else { Err(Faulted) }
    }

    #[inline(always)]
    fn check_target(cpu: &mut Cpu, rip: u64) -> Result<(), Faulted> {
        if cpu.mode.flat_code && canonical(rip) { Ok(()) } else { Err(Faulted) }
    }
}

impl Path for Slow {
    #[inline(always)]
    fn linear<const WRITE: bool>(cpu: &mut Cpu, op: &Op, size: u64) -> Result<u64, Faulted> {
        cpu.linear::<WRITE>(op, size)
    }

    #[inline(always)]
    fn read<T: Scalar>(cpu: &mut Cpu, linear: u64, seg: u8) -> Result<T, Faulted> {
        cpu.read(linear, seg)
    }

    #[inline(always)]
    fn write<T: Scalar>(cpu: &mut Cpu, linear: u64, value: T, seg: u8) -> Result<(), Faulted> {
        cpu.write(linear, value, seg)
    }

    #[inline(always)]
    fn modify<T: Scalar>(cpu: &mut Cpu, op: &Op, f: impl FnOnce(&mut Cpu, T) -> T) -> Result<(), Faulted> {
        cpu.modify(op, f)
    }

    #[inline(always)]
    fn stack_linear(cpu: &mut Cpu, offset: u64, size: u64, write: bool) -> Result<u64, Faulted> {
        cpu.stack_linear(offset, size, write)
    }

    fn check_target(cpu: &mut Cpu, rip: u64) -> Result<(), Faulted> {
        super::branch::check_target(cpu, rip)
    }
}
