//! Single elements: insert, extract, and sign masks.

use super::operand::consuming;
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, faulting};
use crate::interpreter::word::Word;
use crate::isa::simd::packed::{extract, insert, insertps};
use crate::isa::simd::packed::{movmskpd, movmskps, pmovmskb};
use iced_x86::{Code, Mnemonic as M};

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    let mmx = d.instruction.op0_register().is_mm() || d.instruction.op1_register().is_mm();
    Some(match d.instruction.mnemonic() {
        M::Pinsrb => inserting::<u8>(d),
        M::Pinsrw if mmx && d.memory(1) => faulting(pinsrw_mmx_load),
        M::Pinsrw if mmx => faulting(pinsrw_mmx),
        M::Pinsrw => inserting::<u16>(d),
        M::Pinsrd => inserting::<u32>(d),
        M::Pinsrq => inserting::<u64>(d),
        M::Pextrb => extracting::<u8>(d),
        M::Pextrw if mmx => faulting(pextrw_mmx),
        M::Pextrw => extracting::<u16>(d),
        M::Pextrd | M::Extractps => extracting::<u32>(d),
        M::Pextrq => extracting::<u64>(d),
        M::Insertps if d.memory(1) => faulting(insertps_load),
        M::Insertps => faulting(insertps_register),
        M::Pmovmskb if mmx => faulting(pmovmskb_mmx),
        M::Pmovmskb => mask(pmovmskb),
        M::Movmskps => mask(movmskps),
        M::Movmskpd => mask(movmskpd),
        _ => return ptest(d),
    })
}

/// PINSRx: operand 1 is a register, of which the low part is taken, or memory of the element's size.
fn inserting<T: Word>(d: &Decoded<'_>) -> Handler {
    if d.memory(1) { faulting(insert_load::<T>) } else { faulting(insert_register::<T>) }
}

fn insert_load<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    let value = cpu.load::<T>(op)?;
    cpu.set_xmm(op.a, insert(cpu.xmm(op.a), value.zext(), T::BITS, op.imm as u8));
    Ok(())
}

fn insert_register<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    cpu.set_xmm(op.a, insert(cpu.xmm(op.a), cpu.reg::<u64>(op.b), T::BITS, op.imm as u8));
    Ok(())
}

/// PEXTRx: to a register zero-extended, or to memory of the element's size.
fn extracting<T: Word>(d: &Decoded<'_>) -> Handler {
    if d.memory(0) { faulting(extract_store::<T>) } else { faulting(extract_register::<T>) }
}

fn extract_store<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    cpu.store(op, T::low(extract(cpu.xmm(op.b), T::BITS, op.imm as u8)))
}

fn extract_register<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    cpu.set_reg::<u64>(op.a, extract(cpu.xmm(op.b), T::BITS, op.imm as u8));
    Ok(())
}

/// Four words: two bits of `imm` choose.
fn pinsrw_into_mmx(cpu: &mut Cpu, op: &Op, value: u16) {
    cpu.enter_mmx();
    cpu.set_mm(op.a, insert(cpu.mm(op.a).into(), value.into(), 16, op.imm as u8 & 3) as u64);
}

fn pinsrw_mmx_load(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.mmx_guard()?;
    let value = cpu.load::<u16>(op)?;
    pinsrw_into_mmx(cpu, op, value);
    Ok(())
}

fn pinsrw_mmx(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.mmx_guard()?;
    pinsrw_into_mmx(cpu, op, cpu.reg::<u16>(op.b));
    Ok(())
}

fn pextrw_mmx(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.mmx_guard()?;
    cpu.enter_mmx();
    cpu.set_reg::<u64>(op.a, extract(cpu.mm(op.b).into(), 16, op.imm as u8 & 3));
    Ok(())
}

fn insertps_load(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    let value = cpu.load::<u32>(op)?;
    cpu.set_xmm(op.a, insertps(cpu.xmm(op.a), value, op.imm as u8));
    Ok(())
}

fn insertps_register(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    let value = extract(cpu.xmm(op.b), 32, op.imm as u8 >> 6) as u32;
    cpu.set_xmm(op.a, insertps(cpu.xmm(op.a), value, op.imm as u8));
    Ok(())
}

fn mask<F: Fn(u128) -> u64 + Copy>(f: F) -> Handler {
    faulting(move |cpu: &mut Cpu, op: &Op| {
        cpu.sse_guard()?;
        cpu.set_reg::<u64>(op.a, f(cpu.xmm(op.b)));
        Ok(())
    })
}

fn pmovmskb_mmx(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.mmx_guard()?;
    cpu.enter_mmx();
    cpu.set_reg::<u64>(op.a, pmovmskb(cpu.mm(op.b).into()));
    Ok(())
}

/// ZF: no bit of the operands in common; CF: the second has no bit that the first has not.
fn test(cpu: &mut Cpu, a: u128, b: u128) {
    use crate::vcpu::rflags::{CF, ZF};
    cpu.flags.known(if a & b == 0 { ZF } else { 0 } | if !a & b == 0 { CF } else { 0 });
}

fn ptest(d: &Decoded<'_>) -> Option<Handler> {
    if d.instruction.code() != Code::Ptest_xmm_xmmm128 {
        return None;
    }
    Some(consuming::<16, _>(d, |cpu: &mut Cpu, op: &Op, b| {
        test(cpu, cpu.xmm(op.a), b);
        Ok(())
    }))
}
