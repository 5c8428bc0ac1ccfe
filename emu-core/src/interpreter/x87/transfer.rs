//! FLD, FST, FXCH, FILD, FIST, FISTTP, FBLD, FBSTP, FCMOVcc and the constants.

use super::register::StackFault;
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex, faulting};
use crate::interpreter::word::Scalar;
use crate::isa::x87::status::{C1, DE, IE, OE, UE};
use crate::isa::x87::{Double, Format, Fpu, Int16, Int32, Int64, Operand, Single, Stored, Unit, control};
use crate::vcpu::F80;
use iced_x86::Mnemonic;

// ---- loads -----------------------------------------------------------------------------------------------------

/// FLD m32, m64 and FILD.
fn load<M: Operand>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted>
where
    M::Raw: Scalar,
{
    cpu.fpu_guard()?;
    let raw = cpu.load::<M::Raw>(op)?;
    cpu.note_memory(op);
    let value = M::widen(raw);
    if M::denormal(raw) || value.is_signaling() {
        load_special(cpu, value);
    } else {
        cpu.push_value(value);
    }
    Ok(())
}

/// A denormal or a signaling NaN of a memory format.
#[cold]
#[inline(never)]
fn load_special(cpu: &mut Cpu, value: F80) {
    if !cpu.is_empty(cpu.st(7)) {
        return cpu.push_overflow();
    }
    // DE does not keep the value from being loaded, not even unmasked.
    if !value.is_nan() {
        cpu.settle(cpu.env(), DE);
        cpu.push_value(value);
    } else if cpu.settle(cpu.env(), IE) {
        cpu.push_value(value.quieted());
    }
}

fn load_m80(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    let value = cpu.load_ten(op)?;
    cpu.note_memory(op);
    cpu.push_value(value);
    Ok(())
}

fn load_bcd(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    let ten = cpu.load_ten(op)?;
    cpu.note_memory(op);
    cpu.push_value(F80::from_bcd(u128::from(ten.exponent) << 64 | u128::from(ten.significand)));
    Ok(())
}

fn load_register(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let source = cpu.st(op.a);
    if cpu.is_empty(source) {
        load_empty(cpu);
    } else {
        cpu.push_value(cpu.get(source));
    }
    Ok(())
}

#[cold]
fn load_empty(cpu: &mut Cpu) {
    if cpu.stack_fault(StackFault::Underflow) {
        let register = cpu.st(7);
        cpu.s.x87.set_top(register as u8);
        cpu.put(register, F80::INDEFINITE);
    }
}

/// FLD1, FLDL2T, ... (`op.sub` is the low three bits of the opcode), rounded as the control word says.
fn load_constant(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let rounding = (cpu.s.x87.control & control::RC) >> control::RC_SHIFT;
    cpu.push_value(constant(op.sub, rounding));
    Ok(())
}

/// The significands are cut off, with what to add when rounding to nearest and up.
fn constant(number: u8, rounding: u16) -> F80 {
    let (exponent, significand, nearest) = match number {
        0 => return F80::ONE,
        1 => (0x4000, 0xD49A_784B_CD1B_8AFE, 0), // log2(10)
        2 => (0x3FFF, 0xB8AA_3B29_5C17_F0BB, 1), // log2(e)
        3 => (0x4000, 0xC90F_DAA2_2168_C234, 1), // pi
        4 => (0x3FFD, 0x9A20_9A84_FBCF_F798, 1), // log10(2)
        5 => (0x3FFE, 0xB172_17F7_D1CF_79AB, 1), // ln(2)
        _ => return F80::ZERO,
    };
    let add = match rounding {
        0 => nearest,
        2 => 1,
        _ => 0,
    };
    F80::new(exponent, significand + add)
}

// ---- stores ----------------------------------------------------------------------------------------------------

/// A memory format of FST and FIST.
trait Target: 'static {
    type Raw: Scalar;
    const FORMAT: Format;
    /// What the masked response to a stack underflow stores.
    const INDEFINITE: u64;
}

macro_rules! target {
    ($($name:ident: $raw:ty, $format:ident, $indefinite:literal;)*) => {$(
        struct $name;
        impl Target for $name {
            type Raw = $raw;
            const FORMAT: Format = Format::$format;
            const INDEFINITE: u64 = $indefinite;
        }
    )*};
}
target! {
    ToF32: u32, F32, 0xFFC0_0000;
    ToF64: u64, F64, 0xFFF8_0000_0000_0000;
    ToI16: u16, I16, 0x8000;
    ToI32: u32, I32, 0x8000_0000;
    ToI64: u64, I64, 0x8000_0000_0000_0000;
    Truncated16: u16, Truncated16, 0x8000;
    Truncated32: u32, Truncated32, 0x8000_0000;
    Truncated64: u64, Truncated64, 0x8000_0000_0000_0000;
}

#[inline(never)]
fn store<T: Target, const POP: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    let top = cpu.st(0);
    let stored = if cpu.is_empty(top) {
        Stored { bits: T::INDEFINITE, status: IE }
    } else {
        Fpu::store(T::FORMAT, cpu.env(), &cpu.s.x87.r[top])
    };
    if prevents_store(stored.status, cpu.s.x87.control) {
        cpu.probe_store::<T::Raw>(op)?;
    } else {
        cpu.store(op, T::Raw::from_wide(u128::from(stored.bits)))?;
    }
    finish_store::<POP>(cpu, op, top, stored.status);
    Ok(())
}

#[inline(always)]
fn prevents_store(raised: u16, control: u16) -> bool {
    raised & (IE | OE | UE) & !control != 0
}

/// Commits flags after the store; the memory access can no longer fault.
#[inline(always)]
fn finish_store<const POP: bool>(cpu: &mut Cpu, op: &Op, top: usize, raised: u16) {
    cpu.note_memory(op);
    let done = if cpu.is_empty(top) {
        cpu.stack_fault(StackFault::Underflow)
    } else {
        cpu.settle_store(cpu.env(), raised)
    };
    if POP && done {
        cpu.pop();
    }
}

fn store_m80(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    let top = cpu.st(0);
    let empty = cpu.is_empty(top);
    if empty && prevents_store(IE, cpu.s.x87.control) {
        cpu.probe_store_ten(op)?;
    } else {
        cpu.store_ten(op, if empty { F80::INDEFINITE } else { cpu.get(top) })?;
    }
    finish_store::<true>(cpu, op, top, 0);
    Ok(())
}

fn store_bcd(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    /// The packed BCD indefinite (Intel SDM Vol. 1 table 4-10).
    const INDEFINITE: u128 = 0xFFFF_C000_0000_0000_0000;
    cpu.fpu_guard()?;
    let top = cpu.st(0);
    let stored = if cpu.is_empty(top) {
        Stored { bits: INDEFINITE, status: IE }
    } else {
        Fpu::store_bcd(cpu.env(), &cpu.s.x87.r[top])
    };
    if prevents_store(stored.status, cpu.s.x87.control) {
        cpu.probe_store_ten(op)?;
    } else {
        cpu.store_ten(op, F80::new((stored.bits >> 64) as u16, stored.bits as u64))?;
    }
    finish_store::<true>(cpu, op, top, stored.status);
    Ok(())
}

/// FST and FSTP to a register.
fn store_register<const POP: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let (top, destination) = (cpu.st(0), cpu.st(op.a));
    let value = if cpu.is_empty(top) {
        if !cpu.stack_fault(StackFault::Underflow) {
            return Ok(());
        }
        F80::INDEFINITE
    } else {
        cpu.s.x87.status &= !C1;
        cpu.get(top)
    };
    cpu.put(destination, value);
    if POP {
        cpu.pop();
    }
    Ok(())
}

/// FSTPNCE (D9 D8h): FSTP without stack faults; an empty ST(0) is popped and not stored.
fn store_unchecked(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let (top, destination) = (cpu.st(0), cpu.st(op.a));
    cpu.s.x87.status &= !C1;
    if !cpu.is_empty(top) {
        cpu.put(destination, cpu.get(top));
    }
    cpu.pop();
    Ok(())
}

// ---- between registers -----------------------------------------------------------------------------------------

fn exchange(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let (a, b) = (cpu.st(op.a), cpu.st(op.b));
    if cpu.either_empty(a, b) {
        exchange_empty(cpu, a, b);
        return Ok(());
    }
    cpu.s.x87.status &= !C1;
    let (x, y) = (cpu.get(a), cpu.get(b));
    cpu.s.x87.r[a] = y;
    cpu.s.x87.r[b] = x;
    Ok(())
}

#[cold]
fn exchange_empty(cpu: &mut Cpu, a: usize, b: usize) {
    if cpu.stack_fault(StackFault::Underflow) {
        let filled = |cpu: &Cpu, n| if cpu.is_empty(n) { F80::INDEFINITE } else { cpu.get(n) };
        let (x, y) = (filled(cpu, a), filled(cpu, b));
        cpu.put(a, y);
        cpu.put(b, x);
    }
}

/// FCMOVcc; `op.sub` is the condition as Jcc encodes it. Both registers must be valid, moved or not. C1 stays as it is.
fn conditional(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let (destination, source) = (cpu.st(op.a), cpu.st(op.b));
    if cpu.either_empty(destination, source) {
        if cpu.stack_fault(StackFault::Underflow) {
            cpu.put(destination, F80::INDEFINITE);
        }
        return Ok(());
    }
    if cpu.flags.condition(op.sub) {
        cpu.put(destination, cpu.get(source));
    }
    Ok(())
}

// ---- lowering --------------------------------------------------------------------------------------------------

macro_rules! sized_store {
    ($size:expr, $pop:literal, $two:ident, $four:ident, $eight:ident) => {
        match $size {
            2 => faulting(store::<$two, $pop>),
            4 => faulting(store::<$four, $pop>),
            _ => faulting(store::<$eight, $pop>),
        }
    };
}

fn condition(mnemonic: Mnemonic) -> Option<u8> {
    Some(match mnemonic {
        Mnemonic::Fcmovb => 2,
        Mnemonic::Fcmovnb => 3,
        Mnemonic::Fcmove => 4,
        Mnemonic::Fcmovne => 5,
        Mnemonic::Fcmovbe => 6,
        Mnemonic::Fcmovnbe => 7,
        Mnemonic::Fcmovu => 10,
        Mnemonic::Fcmovnu => 11,
        _ => return None,
    })
}

fn constant_number(mnemonic: Mnemonic) -> Option<u8> {
    Some(match mnemonic {
        Mnemonic::Fld1 => 0,
        Mnemonic::Fldl2t => 1,
        Mnemonic::Fldl2e => 2,
        Mnemonic::Fldpi => 3,
        Mnemonic::Fldlg2 => 4,
        Mnemonic::Fldln2 => 5,
        Mnemonic::Fldz => 6,
        _ => return None,
    })
}

pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Handler> {
    let mnemonic = d.instruction.mnemonic();
    if let Some(cc) = condition(mnemonic) {
        op.sub = cc;
        return Some(faulting(conditional));
    }
    if let Some(number) = constant_number(mnemonic) {
        op.sub = number;
        return Some(faulting(load_constant));
    }
    let (memory, size) = (d.memory(0), if d.instruction.op_count() > 0 { d.size(0) } else { 0 });
    Some(match mnemonic {
        Mnemonic::Fld if !memory => faulting(load_register),
        Mnemonic::Fld if size == 4 => faulting(load::<Single>),
        Mnemonic::Fld if size == 8 => faulting(load::<Double>),
        Mnemonic::Fld => faulting(load_m80),
        Mnemonic::Fild if size == 2 => faulting(load::<Int16>),
        Mnemonic::Fild if size == 4 => faulting(load::<Int32>),
        Mnemonic::Fild => faulting(load::<Int64>),
        Mnemonic::Fbld => complex(load_bcd),
        Mnemonic::Fst if !memory => faulting(store_register::<false>),
        Mnemonic::Fst => sized_store!(size, false, ToI16, ToF32, ToF64),
        Mnemonic::Fstp if !memory => faulting(store_register::<true>),
        Mnemonic::Fstp if size == 10 => faulting(store_m80),
        Mnemonic::Fstp => sized_store!(size, true, ToI16, ToF32, ToF64),
        Mnemonic::Fstpnce => faulting(store_unchecked),
        Mnemonic::Fist => sized_store!(size, false, ToI16, ToI32, ToI64),
        Mnemonic::Fistp => sized_store!(size, true, ToI16, ToI32, ToI64),
        Mnemonic::Fisttp => sized_store!(size, true, Truncated16, Truncated32, Truncated64),
        Mnemonic::Fbstp => complex(store_bcd),
        Mnemonic::Fxch => faulting(exchange),
        _ => return None,
    })
}
