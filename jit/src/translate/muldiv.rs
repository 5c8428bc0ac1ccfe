//! MUL, IMUL, DIV, IDIV. 8-bit forms and 16-bit divisions are the interpreter's.

use super::{Emit, Translator};
use crate::flags::{Flags, Late};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use iced_x86::{Instruction, Mnemonic, OpKind};
use std::rc::Rc;

const AX: usize = 0;
const DX: usize = 2;

fn low_half(t: &mut Translator<'_>, a: Value, b: Value) -> Value {
    t.fb.ins().imul(a, b)
}

fn high_half(t: &mut Translator<'_>, a: Value, b: Value, signed: bool) -> Value {
    let width = t.width(a);
    if width == I64 {
        return if signed { t.fb.ins().smulhi(a, b) } else { t.fb.ins().umulhi(a, b) };
    }
    let (x, y) = (t.extend(a, I64, signed), t.extend(b, I64, signed));
    let full = t.fb.ins().imul(x, y);
    let upper = t.shr_imm(full, u64::from(width.bits()));
    t.truncate(upper, width)
}

/// CF = OF = the product does not fit into the low half.
fn set_flags(t: &mut Translator<'_>, a: Value, b: Value, low: Value, signed: bool) {
    let overflow: Late = Rc::new(move |t| {
        let width = t.width(low);
        let high = high_half(t, a, b, signed);
        let fits = sign_of(t, low, width, signed);
        t.fb.ins().icmp(IntCC::NotEqual, high, fits)
    });
    t.flags = Flags::Result { r: low, cf: overflow.clone(), of: overflow };
}

/// The high half that belongs to a low one which holds all of a number.
fn sign_of(t: &mut Translator<'_>, low: Value, width: Type, signed: bool) -> Value {
    if !signed {
        return t.constant(width, 0);
    }
    let by = t.constant(width, u64::from(width.bits() - 1));
    t.fb.ins().sshr(low, by)
}

fn imul_to(t: &mut Translator<'_>, i: &Instruction) {
    let width = t.operand_width(i, 0);
    let (x, y) = if i.op_count() == 2 { (0, 1) } else { (1, 2) };
    let b = t.read(i, y, width);
    let a = t.read(i, x, width);
    let low = low_half(t, a, b);
    set_flags(t, a, b, low, true);
    t.set_reg(i.op0_register(), low);
}

fn wide(t: &mut Translator<'_>, i: &Instruction, signed: bool) {
    let width = t.operand_width(i, 0);
    let b = t.read(i, 0, width);
    let a = t.part(AX, width);
    let low = low_half(t, a, b);
    let high = high_half(t, a, b, signed);
    set_flags(t, a, b, low, signed);
    t.set_part(AX, low);
    t.set_part(DX, high);
}

/// DIV and IDIV of 32 and 64 bits: #DE, and dividends that the host cannot divide at once, are the interpreter's.
fn divide(t: &mut Translator<'_>, i: &Instruction, signed: bool) {
    let width = t.operand_width(i, 0);
    let divisor = t.read(i, 0, width);
    // Neither 0 nor, if signed, -1, with which the quotient may not fit.
    let bad = if signed {
        let next = t.add_imm(divisor, 1);
        let one = t.constant(width, 1);
        t.fb.ins().icmp(IntCC::UnsignedLessThanOrEqual, next, one)
    } else {
        t.is_zero(divisor)
    };
    t.interpret_if(bad);
    let (quotient, remainder) =
        if width == I64 { divide_64(t, divisor, signed) } else { divide_32(t, divisor, signed) };
    t.set_part(AX, quotient);
    t.set_part(DX, remainder);
}

fn host_divide(t: &mut Translator<'_>, a: Value, b: Value, signed: bool) -> (Value, Value) {
    let quotient = if signed { t.fb.ins().sdiv(a, b) } else { t.fb.ins().udiv(a, b) };
    let whole = t.fb.ins().imul(quotient, b);
    (quotient, t.fb.ins().isub(a, whole))
}

fn divide_64(t: &mut Translator<'_>, divisor: Value, signed: bool) -> (Value, Value) {
    let (low, high) = (t.full(AX), t.full(DX));
    let fits = sign_of(t, low, I64, signed);
    let bad = t.fb.ins().icmp(IntCC::NotEqual, high, fits);
    t.interpret_if(bad);
    host_divide(t, low, divisor, signed)
}

fn divide_32(t: &mut Translator<'_>, divisor: Value, signed: bool) -> (Value, Value) {
    let (low, high) = (t.part(AX, I32), t.full(DX));
    let low = t.extend(low, I64, false);
    let high = t.shl_imm(high, 32);
    let dividend = t.fb.ins().bor(high, low);
    let divisor = t.extend(divisor, I64, signed);
    let (quotient, remainder) = host_divide(t, dividend, divisor, signed);
    let short = t.truncate(quotient, I32);
    let again = t.extend(short, I64, signed);
    let bad = t.fb.ins().icmp(IntCC::NotEqual, again, quotient);
    t.interpret_if(bad);
    (short, t.truncate(remainder, I32))
}

fn width(i: &Instruction) -> Type {
    let bytes = match i.op0_kind() {
        OpKind::Register => i.op0_register().size(),
        _ => i.memory_size().size(),
    };
    super::operand::width_of_bytes(bytes)
}

pub fn pick(i: &Instruction) -> Option<Emit> {
    let wide_enough = matches!(i.mnemonic(), Mnemonic::Mul | Mnemonic::Imul | Mnemonic::Div | Mnemonic::Idiv)
        && [I16, I32, I64].contains(&width(i));
    if !wide_enough {
        return None;
    }
    let divides = width(i) != I16;
    Some(match i.mnemonic() {
        Mnemonic::Mul => |t, i| wide(t, i, false),
        Mnemonic::Imul if i.op_count() == 1 => |t, i| wide(t, i, true),
        Mnemonic::Imul => imul_to,
        Mnemonic::Div if divides => |t, i| divide(t, i, false),
        Mnemonic::Idiv if divides => |t, i| divide(t, i, true),
        _ => return None,
    })
}
