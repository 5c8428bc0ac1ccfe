//! SHL, SHR, SAR, ROL, ROR, SHLD, SHRD. The formulas are those of `emu_core::isa::shift`.

use super::{Emit, Translator};
use crate::flags::{Flag, Flags, Late};
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use iced_x86::{Instruction, Mnemonic, OpKind};
use std::rc::Rc;

/// A shifted value, and how to get at its CF and OF.
struct Shifted {
    value: Value,
    cf: Late,
    of: Late,
}

type Shift = fn(&mut Translator<'_>, Value, Value) -> Shifted;

impl Translator<'_> {
    /// Bit `at` of a value, as a byte.
    fn bit(&mut self, value: Value, at: u64) -> Value {
        let shifted = self.shr_imm(value, at);
        let low = self.truncate(shifted, I8);
        self.and_imm(low, 1)
    }

    fn top_bit(&mut self, value: Value) -> Value {
        self.is_negative(value)
    }

    fn top_two_differ(&mut self, value: Value) -> Value {
        let shifted = self.shl_imm(value, 1);
        let apart = self.fb.ins().bxor(value, shifted);
        self.is_negative(apart)
    }
}

/// The type in which a shift by up to 31 or 63 places loses nothing that counts.
fn room(width: Type) -> Type {
    if width == I8 || width == I16 { I64 } else { width }
}

/// CF of a shift to the left: the last bit that went out at the top.
fn out_at_top(t: &mut Translator<'_>, a: Value, n: Value) -> Value {
    let width = t.width(a);
    if room(width) != width {
        let wide = t.extend(a, I64, false);
        let shifted = t.fb.ins().ishl(wide, n);
        return t.bit(shifted, u64::from(width.bits()));
    }
    let minus = t.fb.ins().ineg(n);
    let last = t.fb.ins().ushr(a, minus); // the count is taken modulo the width
    let low = t.truncate(last, I8);
    t.and_imm(low, 1)
}

/// OF of a shift to the left: the sign is not CF.
fn sign_is_not(value: Value, cf: &Late) -> Late {
    let cf = cf.clone();
    Rc::new(move |t| {
        let (top, carry) = (t.top_bit(value), cf(t));
        t.fb.ins().bxor(top, carry)
    })
}

fn shl(t: &mut Translator<'_>, a: Value, n: Value) -> Shifted {
    let width = t.width(a);
    let wide = t.extend(a, room(width), false);
    let shifted = t.fb.ins().ishl(wide, n);
    let value = t.truncate(shifted, width);
    let cf: Late = Rc::new(move |t| out_at_top(t, a, n));
    Shifted { value, of: sign_is_not(value, &cf), cf }
}

/// CF of a shift to the right: the last bit that went out at the bottom.
fn out_at_bottom(t: &mut Translator<'_>, wide: Value, n: Value, signed: bool) -> Value {
    let one_less = t.add_imm(n, u64::MAX);
    let before = if signed { t.fb.ins().sshr(wide, one_less) } else { t.fb.ins().ushr(wide, one_less) };
    let low = t.truncate(before, I8);
    t.and_imm(low, 1)
}

fn shr(t: &mut Translator<'_>, a: Value, n: Value) -> Shifted {
    let width = t.width(a);
    let wide = t.extend(a, room(width), false);
    let shifted = t.fb.ins().ushr(wide, n);
    let value = t.truncate(shifted, width);
    let cf: Late = Rc::new(move |t| out_at_bottom(t, wide, n, false));
    Shifted { value, cf, of: Rc::new(move |t| t.top_two_differ(value)) }
}

fn sar(t: &mut Translator<'_>, a: Value, n: Value) -> Shifted {
    let width = t.width(a);
    let wide = t.extend(a, room(width), true);
    let shifted = t.fb.ins().sshr(wide, n);
    let value = t.truncate(shifted, width);
    let cf: Late = Rc::new(move |t| out_at_bottom(t, wide, n, true));
    Shifted { value, cf, of: Rc::new(|t| t.constant(I8, 0)) }
}

fn rol(t: &mut Translator<'_>, a: Value, n: Value) -> Shifted {
    let value = t.fb.ins().rotl(a, n);
    let cf: Late = Rc::new(move |t| t.bit(value, 0));
    Shifted { value, of: sign_is_not(value, &cf), cf }
}

fn ror(t: &mut Translator<'_>, a: Value, n: Value) -> Shifted {
    let value = t.fb.ins().rotr(a, n);
    let cf: Late = Rc::new(move |t| t.top_bit(value));
    Shifted { value, cf, of: Rc::new(move |t| t.top_two_differ(value)) }
}

/// The masked count, as a byte; a constant count that is not zero is marked.
fn count(t: &mut Translator<'_>, i: &Instruction, width: Type) -> (Value, Option<u64>) {
    let mask = if width == I64 { 63 } else { 31 };
    let last = i.op_count() - 1;
    if i.op_kind(last) == OpKind::Register {
        let cl = t.reg(i.op_register(last));
        return (t.and_imm(cl, mask), None);
    }
    let n = i.immediate(last) & mask;
    (t.constant(I8, n), Some(n))
}

/// Shifts set all flags, rotates CF and OF; neither touches them if the count is zero.
fn emit(t: &mut Translator<'_>, i: &Instruction, f: Shift, rotate: bool) {
    let width = t.operand_width(i, 0);
    let (n, known) = count(t, i, width);
    t.modify(i, |t, a| {
        if known == Some(0) {
            return a;
        }
        let shifted = f(t, a, n);
        set_flags(t, &shifted, rotate, known.is_none().then_some(n));
        shifted.value
    });
}

fn set_flags(t: &mut Translator<'_>, s: &Shifted, rotate: bool, maybe_zero: Option<Value>) {
    let before = Rc::new(t.flags.clone());
    let after = if rotate {
        let cf = Flags::Only { flag: Flag::Cf, value: s.cf.clone(), before: before.clone() };
        Flags::Only { flag: Flag::Of, value: s.of.clone(), before: Rc::new(cf) }
    } else {
        Flags::Result { r: s.value, cf: s.cf.clone(), of: s.of.clone() }
    };
    t.flags = match maybe_zero {
        None => after,
        Some(n) => Flags::Choice { keep: Rc::new(move |t| t.is_zero(n)), before, after: Rc::new(after) },
    };
}

/// SHLD and SHRD of 32 and 64 bits.
fn double(t: &mut Translator<'_>, i: &Instruction, left: bool) {
    let width = t.operand_width(i, 0);
    let b = t.reg(i.op1_register());
    let (n, known) = count(t, i, width);
    t.modify(i, |t, a| {
        if known == Some(0) {
            return a;
        }
        let back = t.fb.ins().ineg(n);
        let s = if left { double_left(t, a, b, n, back) } else { double_right(t, a, b, n, back) };
        set_flags(t, &s, false, known.is_none().then_some(n));
        if known.is_some() {
            return s.value;
        }
        let zero = t.is_zero(n);
        t.fb.ins().select(zero, a, s.value)
    });
}

fn double_left(t: &mut Translator<'_>, a: Value, b: Value, n: Value, back: Value) -> Shifted {
    let (high, low) = (t.fb.ins().ishl(a, n), t.fb.ins().ushr(b, back));
    let value = t.fb.ins().bor(high, low);
    let of: Late = Rc::new(move |t| {
        let apart = t.fb.ins().bxor(value, a);
        t.top_bit(apart)
    });
    Shifted { value, cf: Rc::new(move |t| out_at_top(t, a, n)), of }
}

fn double_right(t: &mut Translator<'_>, a: Value, b: Value, n: Value, back: Value) -> Shifted {
    let (low, high) = (t.fb.ins().ushr(a, n), t.fb.ins().ishl(b, back));
    let value = t.fb.ins().bor(high, low);
    let cf: Late = Rc::new(move |t| out_at_bottom(t, a, n, false));
    Shifted { value, cf, of: Rc::new(move |t| t.top_two_differ(value)) }
}

pub fn pick(i: &Instruction) -> Option<Emit> {
    let wide = |i: &Instruction| {
        let bytes = i.op1_register().size();
        bytes == I32.bytes() as usize || bytes == I64.bytes() as usize
    };
    Some(match i.mnemonic() {
        Mnemonic::Shl | Mnemonic::Sal => |t, i| emit(t, i, shl, false),
        Mnemonic::Shr => |t, i| emit(t, i, shr, false),
        Mnemonic::Sar => |t, i| emit(t, i, sar, false),
        Mnemonic::Rol => |t, i| emit(t, i, rol, true),
        Mnemonic::Ror => |t, i| emit(t, i, ror, true),
        Mnemonic::Shld if wide(i) => |t, i| double(t, i, true),
        Mnemonic::Shrd if wide(i) => |t, i| double(t, i, false),
        _ => return None,
    })
}
