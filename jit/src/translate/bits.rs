//! BT, BTS, BTR, BTC, BSF, BSR, TZCNT, LZCNT, POPCNT.

use super::{Emit, Translator};
use crate::flags::{Flag, Flags, Late};
use cranelift_codegen::ir::types::I8;
use cranelift_codegen::ir::{InstBuilder, Value};
use emu_core::interpreter::Mode;
use emu_core::isa::cpuid::{feature, model};
use iced_x86::{Instruction, Mnemonic, OpKind};
use std::rc::Rc;

fn only(t: &mut Translator<'_>, flag: Flag, value: Late) {
    t.flags = Flags::Only { flag, value, before: Rc::new(t.flags.clone()) };
}

fn clear(t: &mut Translator<'_>, flags: &[Flag]) {
    for flag in flags {
        only(t, *flag, Rc::new(|t| t.constant(I8, 0)));
    }
}

/// The value of the operand with its bit changed by `f`; CF is the old bit.
fn bit(t: &mut Translator<'_>, i: &Instruction, f: fn(&mut Translator<'_>, Value, Value) -> Value) {
    let width = t.operand_width(i, 0);
    let index = t.read(i, 1, width);
    let index = t.and_imm(index, u64::from(width.bits() - 1));
    t.modify(i, |t, value| {
        old_bit(t, value, index);
        let one = t.constant(width, 1);
        let mask = t.fb.ins().ishl(one, index);
        f(t, value, mask)
    });
}

fn old_bit(t: &mut Translator<'_>, value: Value, index: Value) {
    let carry = move |t: &mut Translator<'_>| {
        let shifted = t.fb.ins().ushr(value, index);
        let low = t.truncate(shifted, I8);
        t.and_imm(low, 1)
    };
    only(t, Flag::Cf, Rc::new(carry));
}

fn bt(t: &mut Translator<'_>, i: &Instruction) {
    let width = t.operand_width(i, 0);
    let index = t.read(i, 1, width);
    let index = t.and_imm(index, u64::from(width.bits() - 1));
    let value = t.read(i, 0, width);
    old_bit(t, value, index);
}

/// BSF or BSR: the destination keeps its value, upper half included, if the source is zero.
fn scan(t: &mut Translator<'_>, i: &Instruction, up: bool) {
    let width = t.operand_width(i, 0);
    let source = t.read(i, 1, width);
    let zero = t.is_zero(source);
    let position = if up {
        t.fb.ins().ctz(source)
    } else {
        let leading = t.fb.ins().clz(source);
        t.xor_imm(leading, u64::from(width.bits() - 1))
    };
    let slot = i.op0_register().full_register().number();
    let before = t.full(slot);
    t.set_reg(i.op0_register(), position);
    let after = t.full(slot);
    let value = t.fb.ins().select(zero, before, after);
    t.set_full(slot, value);
    only(t, Flag::Zf, Rc::new(move |_| zero));
}

/// TZCNT, LZCNT: CF if the source is zero, ZF if the count is; SF, PF and AF clear, OF stays.
fn count(t: &mut Translator<'_>, i: &Instruction, up: bool) {
    let width = t.operand_width(i, 0);
    let source = t.read(i, 1, width);
    let value = if up { t.fb.ins().ctz(source) } else { t.fb.ins().clz(source) };
    clear(t, &[Flag::Sf, Flag::Pf, Flag::Af]);
    only(t, Flag::Cf, Rc::new(move |t| t.is_zero(source)));
    only(t, Flag::Zf, Rc::new(move |t| t.is_zero(value)));
    t.set_reg(i.op0_register(), value);
}

fn popcnt(t: &mut Translator<'_>, i: &Instruction) {
    let width = t.operand_width(i, 0);
    let source = t.read(i, 1, width);
    let value = t.fb.ins().popcnt(source);
    clear(t, &[Flag::Cf, Flag::Of, Flag::Sf, Flag::Pf, Flag::Af]);
    only(t, Flag::Zf, Rc::new(move |t| t.is_zero(source)));
    t.set_reg(i.op0_register(), value);
}

pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    let has = |feature| model(mode.model).features.has(feature);
    // A register index into memory reaches beyond the operand.
    let near = i.op_count() == 2 && (i.op0_kind() == OpKind::Register || i.op1_kind() != OpKind::Register);
    Some(match i.mnemonic() {
        Mnemonic::Bt if near => bt,
        Mnemonic::Bts if near => |t, i| bit(t, i, |t, value, mask| t.fb.ins().bor(value, mask)),
        Mnemonic::Btr if near => |t, i| bit(t, i, |t, value, mask| t.fb.ins().band_not(value, mask)),
        Mnemonic::Btc if near => |t, i| bit(t, i, |t, value, mask| t.fb.ins().bxor(value, mask)),
        Mnemonic::Tzcnt if has(feature::BMI1) => |t, i| count(t, i, true),
        Mnemonic::Lzcnt if has(feature::LZCNT) => |t, i| count(t, i, false),
        Mnemonic::Bsf | Mnemonic::Tzcnt => |t, i| scan(t, i, true),
        Mnemonic::Bsr | Mnemonic::Lzcnt => |t, i| scan(t, i, false),
        Mnemonic::Popcnt => popcnt,
        _ => return None,
    })
}
