//! MUL, IMUL, DIV, IDIV, and the decimal adjustments.

use super::Cpu;
use super::lower::{Decoded, Lowered};
use super::op::{Faulted, Handler, Op, complex, faulting, plain};
use super::word::Word;
use crate::isa::bcd;
use crate::vcpu::rflags;
use iced_x86::Mnemonic;

/// CF = OF = the product does not fit; SF, ZF and PF from the low half (undefined in the manual).
#[inline(always)]
fn product_flags<T: Word>(cpu: &mut Cpu, low: T, overflow: bool) {
    let bits = if overflow { rflags::CF | rflags::OF } else { 0 };
    cpu.flags.result(low.sext(), bits);
}

fn signed_fits<T: Word>(product: i128) -> bool {
    i128::from(T::low(product as u64).sext() as i64) == product
}

/// The double-width accumulator: AX, DX:AX, EDX:EAX or RDX:RAX.
fn set_wide<T: Word>(cpu: &mut Cpu, value: u128) {
    if T::BITS == 8 {
        cpu.set_reg(0, value as u16);
    } else {
        cpu.set_reg(0, T::low(value as u64));
        cpu.set_reg(2, T::low((value >> T::BITS) as u64));
    }
}

fn wide<T: Word>(cpu: &Cpu) -> u128 {
    if T::BITS == 8 {
        u128::from(cpu.reg::<u16>(0))
    } else {
        u128::from(cpu.reg::<T>(0).zext()) | u128::from(cpu.reg::<T>(2).zext()) << T::BITS
    }
}

fn mul<T: Word>(cpu: &mut Cpu, b: T) {
    let product = u128::from(cpu.reg::<T>(0).zext()) * u128::from(b.zext());
    set_wide::<T>(cpu, product);
    product_flags(cpu, T::low(product as u64), product >> T::BITS != 0);
}

fn imul<T: Word>(cpu: &mut Cpu, b: T) {
    let product = i128::from(cpu.reg::<T>(0).sext() as i64) * i128::from(b.sext() as i64);
    set_wide::<T>(cpu, product as u128);
    product_flags(cpu, T::low(product as u64), !signed_fits::<T>(product));
}

/// IMUL with two or three operands: the truncated product.
#[inline(always)]
fn imul_to<T: Word>(cpu: &mut Cpu, register: u8, a: T, b: T) {
    let product = i128::from(a.sext() as i64) * i128::from(b.sext() as i64);
    let low = T::low(product as u64);
    product_flags(cpu, low, !signed_fits::<T>(product));
    cpu.set_reg(register, low);
}

/// DIV: #DE if the divisor is zero or the quotient does not fit.
fn div<T: Word>(cpu: &mut Cpu, b: T) -> Result<(), Faulted> {
    if b.zext() == 0 {
        return Err(cpu.de());
    }
    let (dividend, divisor) = (wide::<T>(cpu), u128::from(b.zext()));
    let (quotient, remainder) = if dividend >> 64 == 0 {
        // The common case: one host division.
        let (n, d) = (dividend as u64, b.zext());
        (u128::from(n / d), n % d)
    } else {
        (dividend / divisor, (dividend % divisor) as u64)
    };
    if quotient >> T::BITS != 0 {
        return Err(cpu.de());
    }
    set_quotient::<T>(cpu, quotient as u64, remainder);
    Ok(())
}

fn idiv<T: Word>(cpu: &mut Cpu, b: T) -> Result<(), Faulted> {
    let shift = 128 - 2 * T::BITS;
    let dividend = (wide::<T>(cpu) << shift) as i128 >> shift;
    let divisor = i128::from(b.sext() as i64);
    let (Some(quotient), Some(remainder)) = (dividend.checked_div(divisor), dividend.checked_rem(divisor))
    else {
        return Err(cpu.de());
    };
    if !signed_fits::<T>(quotient) {
        return Err(cpu.de());
    }
    set_quotient::<T>(cpu, quotient as u64, remainder as u64);
    Ok(())
}

fn set_quotient<T: Word>(cpu: &mut Cpu, quotient: u64, remainder: u64) {
    if T::BITS == 8 {
        cpu.set_reg(0, (quotient & 0xFF) as u16 | (remainder as u16) << 8);
    } else {
        cpu.set_reg(0, T::low(quotient));
        cpu.set_reg(2, T::low(remainder));
    }
}

macro_rules! one_operand {
    ($reg:ident, $mem:ident, $f:ident, infallible) => {
        fn $reg<T: Word>(cpu: &mut Cpu, op: &Op) {
            let b = cpu.reg::<T>(op.a);
            $f(cpu, b);
        }
        fn $mem<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
            let b = cpu.load::<T>(op)?;
            $f(cpu, b);
            Ok(())
        }
    };
    ($reg:ident, $mem:ident, $f:ident) => {
        fn $reg<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
            let b = cpu.reg::<T>(op.a);
            $f(cpu, b)
        }
        fn $mem<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
            let b = cpu.load::<T>(op)?;
            $f(cpu, b)
        }
    };
}

one_operand!(mul_reg, mul_mem, mul, infallible);
one_operand!(imul_reg, imul_mem, imul, infallible);
one_operand!(div_reg, div_mem, div);
one_operand!(idiv_reg, idiv_mem, idiv);

fn imul2_reg<T: Word>(cpu: &mut Cpu, op: &Op) {
    let (a, b) = (cpu.reg::<T>(op.a), cpu.reg::<T>(op.b));
    imul_to(cpu, op.a, a, b);
}

fn imul2_mem<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let b = cpu.load::<T>(op)?;
    let a = cpu.reg::<T>(op.a);
    imul_to(cpu, op.a, a, b);
    Ok(())
}

fn imul3_reg<T: Word>(cpu: &mut Cpu, op: &Op) {
    let a = cpu.reg::<T>(op.b);
    imul_to(cpu, op.a, a, T::low(op.imm));
}

fn imul3_mem<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let a = cpu.load::<T>(op)?;
    imul_to(cpu, op.a, a, T::low(op.imm));
    Ok(())
}

/// A decimal adjustment of AX: see `isa::bcd`.
fn adjust(cpu: &mut Cpu, f: fn(u16, u64) -> (u16, u64)) {
    let (ax, status) = f(cpu.reg::<u16>(0), cpu.flags.status());
    cpu.set_reg(0, ax);
    cpu.flags.known(status);
}

fn aaa(cpu: &mut Cpu, _: &Op) {
    adjust(cpu, bcd::aaa);
}

fn aas(cpu: &mut Cpu, _: &Op) {
    adjust(cpu, bcd::aas);
}

fn daa(cpu: &mut Cpu, _: &Op) {
    adjust(cpu, bcd::daa);
}

fn das(cpu: &mut Cpu, _: &Op) {
    adjust(cpu, bcd::das);
}

fn aam(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let base = op.imm as u8;
    if base == 0 {
        return Err(cpu.de());
    }
    let al = cpu.reg::<u8>(0);
    let low = al % base;
    cpu.set_reg(0, u16::from(al / base) << 8 | u16::from(low));
    cpu.flags.logic(low.sext());
    Ok(())
}

fn aad(cpu: &mut Cpu, op: &Op) {
    let (al, ah) = (cpu.reg::<u8>(0), cpu.reg::<u8>(1));
    let low = al.wrapping_add(ah.wrapping_mul(op.imm as u8));
    cpu.set_reg(0, u16::from(low));
    cpu.flags.logic(low.sext());
}

macro_rules! by_size {
    ($d:expr, $reg_kind:ident $reg:ident, $mem:ident) => {
        match ($d.size(0), $d.memory(0)) {
            (1, false) => $reg_kind($reg::<u8>),
            (2, false) => $reg_kind($reg::<u16>),
            (4, false) => $reg_kind($reg::<u32>),
            (_, false) => $reg_kind($reg::<u64>),
            (1, true) => faulting($mem::<u8>),
            (2, true) => faulting($mem::<u16>),
            (4, true) => faulting($mem::<u32>),
            (_, true) => faulting($mem::<u64>),
        }
    };
}

macro_rules! imul_by_size {
    ($d:expr, $reg:ident, $mem:ident) => {
        match ($d.size(0), $d.memory(1)) {
            (2, false) => plain($reg::<u16>),
            (4, false) => plain($reg::<u32>),
            (_, false) => plain($reg::<u64>),
            (2, true) => faulting($mem::<u16>),
            (4, true) => faulting($mem::<u32>),
            (_, true) => faulting($mem::<u64>),
        }
    };
}

fn lower_imul(d: &Decoded<'_>) -> Handler {
    match d.instruction.op_count() {
        1 => by_size!(d, plain imul_reg, imul_mem),
        2 => imul_by_size!(d, imul2_reg, imul2_mem),
        _ => imul_by_size!(d, imul3_reg, imul3_mem),
    }
}

/// Handlers of multiplication, division and decimal adjustment.
pub fn lower(d: &Decoded<'_>, _: &mut Op) -> Option<Lowered> {
    Some(Lowered::straight(match d.instruction.mnemonic() {
        Mnemonic::Mul => by_size!(d, plain mul_reg, mul_mem),
        Mnemonic::Imul => lower_imul(d),
        Mnemonic::Div => by_size!(d, faulting div_reg, div_mem),
        Mnemonic::Idiv => by_size!(d, faulting idiv_reg, idiv_mem),
        Mnemonic::Aaa => plain(aaa),
        Mnemonic::Aas => plain(aas),
        Mnemonic::Daa => plain(daa),
        Mnemonic::Das => plain(das),
        Mnemonic::Aam => complex(aam),
        Mnemonic::Aad => plain(aad),
        _ => return None,
    }))
}
