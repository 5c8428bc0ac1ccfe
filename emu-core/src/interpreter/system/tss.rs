//! What the current task-state segment is read for outside of task switches: inner stacks and the I/O bitmap
//! (Intel SDM Vol. 3A 7.2.1, 7.7; Vol. 1 19.5.2).

use super::frame::Stack;
use super::lookup::Blame;
use super::segment;
use crate::interpreter::Cpu;
use crate::interpreter::exception::vector;
use crate::interpreter::memory::canonical;
use crate::interpreter::op::Faulted;
use crate::interpreter::word::Scalar;
use crate::isa::descriptor::{Selector, system};

/// Offset of the I/O map base in a 32-bit or 64-bit TSS.
const IO_MAP_BASE: u64 = 0x66;
/// Offset of the interrupt redirection bitmap, counted back from the I/O map (Intel SDM Vol. 3A 20.3.3).
const REDIRECTION_BYTES: u64 = 32;

/// A field of the current TSS; outside its limit #TS(TR).
fn field<T: Scalar>(cpu: &mut Cpu, offset: u64, ext: u32) -> Result<T, Faulted> {
    if offset + T::SIZE - 1 > u64::from(cpu.s.tr.limit) {
        let tr = Selector(cpu.s.tr.selector);
        return Err(cpu.blame(Blame::ts(ext), tr));
    }
    cpu.read_sys(cpu.s.tr.base.wrapping_add(offset))
}

fn is_wide(cpu: &Cpu) -> bool {
    cpu.s.tr.kind() & system::BITS32 != 0
}

/// The stack for privilege level `cpl` of legacy protected mode, checked (Intel SDM Vol. 2A, "INT n",
/// INTER-PRIVILEGE-LEVEL-INTERRUPT).
pub fn inner_stack(cpu: &mut Cpu, cpl: u8, ext: u32) -> Result<Stack, Faulted> {
    let level = u64::from(cpl);
    let (top, selector) = if is_wide(cpu) {
        let selector = field::<u16>(cpu, 8 * level + 8, ext)?;
        (u64::from(field::<u32>(cpu, 8 * level + 4, ext)?), selector)
    } else {
        let selector = field::<u16>(cpu, 4 * level + 4, ext)?;
        (u64::from(field::<u16>(cpu, 4 * level + 2, ext)?), selector)
    };
    let segment = segment::stack(cpu, Selector(selector), cpl, Blame::ts(ext))?;
    Ok(Stack::inner(segment, top, ext))
}

/// A stack pointer of the 64-bit TSS; not canonical is #SS(0).
fn pointer(cpu: &mut Cpu, offset: u64, ext: u32) -> Result<u64, Faulted> {
    let rsp = field::<u64>(cpu, offset, ext)?;
    if canonical(rsp) { Ok(rsp) } else { Err(cpu.raise(vector::SS, Some(ext))) }
}

/// RSP0, RSP1 or RSP2.
pub fn rsp(cpu: &mut Cpu, cpl: u8, ext: u32) -> Result<u64, Faulted> {
    pointer(cpu, 4 + 8 * u64::from(cpl), ext)
}

/// IST1 to IST7.
pub fn ist(cpu: &mut Cpu, n: u64, ext: u32) -> Result<u64, Faulted> {
    pointer(cpu, 0x1C + 8 * n, ext)
}

/// The I/O map base, if there is a TSS that can have one.
fn io_map(cpu: &mut Cpu) -> Result<Option<u64>, Faulted> {
    let limit = u64::from(cpu.s.tr.limit);
    if !cpu.s.tr.usable() || !is_wide(cpu) || limit < IO_MAP_BASE + 1 {
        return Ok(None);
    }
    cpu.read_sys::<u16>(cpu.s.tr.base.wrapping_add(IO_MAP_BASE)).map(|base| Some(u64::from(base)))
}

/// Whether the I/O permission bitmap allows `size` ports from `port` on. Two bytes are always read, so the map must
/// end in a byte of ones inside the limit.
pub fn io_allowed(cpu: &mut Cpu, port: u16, size: u64) -> Result<bool, Faulted> {
    let Some(map) = io_map(cpu)? else {
        return Ok(false);
    };
    let at = map + u64::from(port >> 3);
    if at + 1 > u64::from(cpu.s.tr.limit) {
        return Ok(false);
    }
    let bits = cpu.read_sys::<u16>(cpu.s.tr.base.wrapping_add(at))?;
    let mask = ((1u16 << size) - 1) << (port & 7);
    Ok(bits & mask == 0)
}

/// Whether the redirection bitmap leaves INT `n` to the 8086 program (its bit is clear).
pub fn redirected(cpu: &mut Cpu, n: u8) -> Result<bool, Faulted> {
    let Some(map) = io_map(cpu)? else {
        return Ok(false);
    };
    let at = map.wrapping_sub(REDIRECTION_BYTES).wrapping_add(u64::from(n >> 3));
    if map < REDIRECTION_BYTES || at > u64::from(cpu.s.tr.limit) {
        return Err(cpu.gp(0));
    }
    let bits = cpu.read_sys::<u8>(cpu.s.tr.base.wrapping_add(at))?;
    Ok(bits >> (n & 7) & 1 == 0)
}
