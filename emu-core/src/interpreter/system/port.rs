//! IN, OUT, INS, OUTS (Intel SDM Vol. 1 chapter 19; Vol. 2).

use super::tss;
use crate::Width;
use crate::interpreter::Cpu;
use crate::interpreter::op::{Faulted, Op};
use crate::interpreter::word::Word;
use crate::vcpu::rflags;

const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RSI: u8 = 6;
const RDI: u8 = 7;
const ES: u8 = 0;

/// The port of an IN or OUT: `c` tells whether it is in DX.
fn port(cpu: &Cpu, op: &Op) -> u16 {
    if op.c == 0 { op.imm as u16 } else { cpu.reg::<u16>(RDX) }
}

/// Protected mode asks IOPL and then the TSS's bitmap; V86 mode asks the bitmap alone.
fn check(cpu: &mut Cpu, port: u16, size: u64) -> Result<(), Faulted> {
    if !cpu.protected() || (!cpu.v86() && cpu.cpl <= cpu.iopl()) {
        return Ok(());
    }
    if tss::io_allowed(cpu, port, size)? { Ok(()) } else { Err(cpu.gp(0)) }
}

fn width<T: Word>() -> Width {
    match T::SIZE {
        1 => Width::Byte,
        2 => Width::Word,
        _ => Width::Dword,
    }
}

/// IN.
pub fn port_in<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let port = port(cpu, op);
    check(cpu, port, T::SIZE)?;
    let value = cpu.synced_bus().port_read(port, width::<T>());
    cpu.set_reg(RAX, T::low(value));
    Ok(())
}

/// OUT.
pub fn port_out<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let port = port(cpu, op);
    check(cpu, port, T::SIZE)?;
    let value = cpu.reg::<T>(RAX).zext();
    cpu.synced_bus().port_write(port, width::<T>(), value);
    Ok(())
}

fn mask(op: &Op) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(op.addr_bytes))
}

fn set_index(cpu: &mut Cpu, op: &Op, register: u8, value: u64) {
    match op.addr_bytes {
        2 => cpu.set_reg(register, value as u16),
        4 => cpu.set_reg(register, value as u32),
        _ => cpu.r.set(register, value),
    }
}

/// Moves an index register by one element, as DF says.
fn advance<T: Word>(cpu: &mut Cpu, op: &Op, register: u8) {
    let step = if cpu.s.rflags & rflags::DF != 0 { 0u64.wrapping_sub(T::SIZE) } else { T::SIZE };
    let value = cpu.r.get(register).wrapping_add(step);
    set_index(cpu, op, register, value);
}

/// One iteration of INS or OUTS. With REP (`sub`), the instruction is left only when the count is used up: each
/// iteration counts as one instruction, and interrupts are taken between them.
fn iterate(
    cpu: &mut Cpu,
    op: &Op,
    one: impl FnOnce(&mut Cpu, &Op) -> Result<(), Faulted>,
) -> Result<(), Faulted> {
    if op.sub == 0 {
        return one(cpu, op);
    }
    let count = cpu.r.get(RCX) & mask(op);
    if count == 0 {
        return Ok(());
    }
    one(cpu, op)?;
    set_index(cpu, op, RCX, count - 1);
    if count > 1 {
        cpu.rip = cpu.start_rip;
    }
    Ok(())
}

/// INSB, INSW, INSD.
pub fn ins<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    iterate(cpu, op, |cpu, op| {
        let port = cpu.reg::<u16>(RDX);
        check(cpu, port, T::SIZE)?;
        let linear = cpu.segment_linear(ES, cpu.r.get(RDI) & mask(op), T::SIZE, true)?;
        // The port must not be read before the store is known to succeed.
        cpu.probe_write(linear, T::SIZE, ES)?;
        let value = cpu.synced_bus().port_read(port, width::<T>());
        cpu.write(linear, T::low(value), ES)?;
        advance::<T>(cpu, op, RDI);
        Ok(())
    })
}

/// OUTSB, OUTSW, OUTSD.
pub fn outs<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    iterate(cpu, op, |cpu, op| {
        let port = cpu.reg::<u16>(RDX);
        check(cpu, port, T::SIZE)?;
        let linear = cpu.segment_linear(op.seg, cpu.r.get(RSI) & mask(op), T::SIZE, false)?;
        let value = cpu.read::<T>(linear, op.seg)?;
        cpu.synced_bus().port_write(port, width::<T>(), value.zext());
        advance::<T>(cpu, op, RSI);
        Ok(())
    })
}
