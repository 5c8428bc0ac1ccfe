//! ADD, ADC, SUB, SBB, AND, OR, XOR, CMP, TEST, INC, DEC, NEG, NOT.

use super::{Emit, Translator};
use crate::flags::{Flag, Flags};
use cranelift_codegen::ir::{InstBuilder, Value};
use iced_x86::{Instruction, Mnemonic};
use std::rc::Rc;

/// The result of two operands, after setting the flags.
type Operation = fn(&mut Translator<'_>, Value, Value) -> Value;

fn add(t: &mut Translator<'_>, a: Value, b: Value) -> Value {
    let r = t.fb.ins().iadd(a, b);
    t.flags = Flags::Add { a, b, r };
    r
}

pub fn sub(t: &mut Translator<'_>, a: Value, b: Value) -> Value {
    let r = t.fb.ins().isub(a, b);
    t.flags = Flags::Sub { a, b, r };
    r
}

/// CF of the flags before, in the width of an operand.
fn carry_in(t: &mut Translator<'_>, like: Value) -> Value {
    let flags = t.flags.clone();
    let carry = t.flag(&flags, Flag::Cf);
    t.extend(carry, t.width(like), false)
}

fn adc(t: &mut Translator<'_>, a: Value, b: Value) -> Value {
    let carry = carry_in(t, a);
    let sum = t.fb.ins().iadd(a, b);
    let r = t.fb.ins().iadd(sum, carry);
    t.flags = Flags::Carry { a, b, r, sub: false };
    r
}

fn sbb(t: &mut Translator<'_>, a: Value, b: Value) -> Value {
    let carry = carry_in(t, a);
    let difference = t.fb.ins().isub(a, b);
    let r = t.fb.ins().isub(difference, carry);
    t.flags = Flags::Carry { a, b, r, sub: true };
    r
}

fn and(t: &mut Translator<'_>, a: Value, b: Value) -> Value {
    let r = t.fb.ins().band(a, b);
    t.flags = Flags::Logic { r };
    r
}

fn or(t: &mut Translator<'_>, a: Value, b: Value) -> Value {
    let r = t.fb.ins().bor(a, b);
    t.flags = Flags::Logic { r };
    r
}

fn xor(t: &mut Translator<'_>, a: Value, b: Value) -> Value {
    let r = if a == b { t.constant(t.width(a), 0) } else { t.fb.ins().bxor(a, b) };
    t.flags = Flags::Logic { r };
    r
}

fn binary(t: &mut Translator<'_>, i: &Instruction, f: Operation) {
    let width = t.operand_width(i, 0);
    let b = t.read(i, 1, width);
    t.modify(i, |t, a| f(t, a, b));
}

/// Without writing the result.
fn compare(t: &mut Translator<'_>, i: &Instruction, f: Operation) {
    let width = t.operand_width(i, 0);
    let b = t.read(i, 1, width);
    let a = t.read(i, 0, width);
    f(t, a, b);
}

fn step(t: &mut Translator<'_>, i: &Instruction, down: bool) {
    t.modify(i, |t, a| {
        let r = t.add_imm(a, if down { u64::MAX } else { 1 });
        t.flags = Flags::Step { r, down, before: Rc::new(t.flags.clone()) };
        r
    });
}

fn neg(t: &mut Translator<'_>, i: &Instruction) {
    t.modify(i, |t, b| {
        let zero = t.constant(t.width(b), 0);
        sub(t, zero, b)
    });
}

fn not(t: &mut Translator<'_>, i: &Instruction) {
    t.modify(i, |t, a| t.fb.ins().bnot(a));
}

pub fn pick(i: &Instruction) -> Option<Emit> {
    Some(match i.mnemonic() {
        Mnemonic::Add => |t, i| binary(t, i, add),
        Mnemonic::Adc => |t, i| binary(t, i, adc),
        Mnemonic::Sub => |t, i| binary(t, i, sub),
        Mnemonic::Sbb => |t, i| binary(t, i, sbb),
        Mnemonic::And => |t, i| binary(t, i, and),
        Mnemonic::Or => |t, i| binary(t, i, or),
        Mnemonic::Xor => |t, i| binary(t, i, xor),
        Mnemonic::Cmp => |t, i| compare(t, i, sub),
        Mnemonic::Test => |t, i| compare(t, i, and),
        Mnemonic::Inc => |t, i| step(t, i, false),
        Mnemonic::Dec => |t, i| step(t, i, true),
        Mnemonic::Neg => neg,
        Mnemonic::Not => not,
        _ => return None,
    })
}
