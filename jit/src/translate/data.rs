//! Moves and exchanges: MOV, MOVZX, MOVSX, LEA, XCHG, XADD, CMPXCHG, CMOVcc, SETcc, sign extensions, BSWAP, CLC, STC,
//! CMC.

use super::{Emit, Translator};
use crate::flags::{Flag, Flags, Late, condition_of};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use iced_x86::{Instruction, Mnemonic, OpKind};
use std::rc::Rc;

const AX: usize = 0;
const DX: usize = 2;

fn mov(t: &mut Translator<'_>, i: &Instruction) {
    let width = t.operand_width(i, 0);
    let value = t.read(i, 1, width);
    t.write(i, value);
}

fn move_extended(t: &mut Translator<'_>, i: &Instruction, signed: bool) {
    let (to, from) = (t.operand_width(i, 0), t.operand_width(i, 1));
    let value = t.read(i, 1, from);
    let value = if from.bits() > to.bits() { t.truncate(value, to) } else { t.extend(value, to, signed) };
    t.write(i, value);
}

fn lea(t: &mut Translator<'_>, i: &Instruction) {
    let address = t.effective(i);
    let value = t.truncate(address, t.operand_width(i, 0));
    t.write(i, value);
}

/// The register that takes part in an exchange with operand 0, wherever the decoder puts memory.
fn xchg(t: &mut Translator<'_>, i: &Instruction) {
    let (a, b) = (i.op0_kind() == OpKind::Memory, i.op1_kind() == OpKind::Memory);
    if !a && !b {
        let (x, y) = (t.reg(i.op0_register()), t.reg(i.op1_register()));
        t.set_reg(i.op0_register(), y);
        return t.set_reg(i.op1_register(), x);
    }
    let register = if a { i.op1_register() } else { i.op0_register() };
    let new = t.reg(register);
    let linear = t.address(i);
    let width = t.width(new);
    let host = t.probe_write(linear, width);
    let old = t.load_host(host, width);
    t.store_host(host, new);
    t.set_reg(register, old);
}

fn xadd(t: &mut Translator<'_>, i: &Instruction) {
    let b = t.reg(i.op1_register());
    let mut old = b;
    if i.op0_kind() == OpKind::Register {
        let a = t.reg(i.op0_register());
        let r = t.fb.ins().iadd(a, b);
        t.flags = Flags::Add { a, b, r };
        t.set_reg(i.op1_register(), a);
        return t.set_reg(i.op0_register(), r);
    }
    t.modify(i, |t, a| {
        old = a;
        let r = t.fb.ins().iadd(a, b);
        t.flags = Flags::Add { a, b, r };
        r
    });
    t.set_reg(i.op1_register(), old);
}

/// CMPXCHG on memory, which is written in both cases (Intel SDM Vol. 2, "CMPXCHG"). A 32-bit accumulator keeps its upper
/// half if they were equal.
fn cmpxchg(t: &mut Translator<'_>, i: &Instruction) {
    let new = t.reg(i.op1_register());
    let width = t.width(new);
    let before = t.full(AX);
    let accumulator = t.truncate(before, width);
    let mut seen = accumulator;
    t.modify(i, |t, old| {
        seen = old;
        super::alu::sub(t, accumulator, old);
        let equal = t.fb.ins().icmp(IntCC::Equal, accumulator, old);
        t.fb.ins().select(equal, new, old)
    });
    let equal = t.fb.ins().icmp(IntCC::Equal, accumulator, seen);
    t.set_part(AX, seen);
    let after = t.full(AX);
    let kept = t.fb.ins().select(equal, before, after);
    t.set_full(AX, kept);
}

fn cmov(t: &mut Translator<'_>, i: &Instruction) {
    let width = t.operand_width(i, 0);
    let new = t.read(i, 1, width);
    let old = t.read(i, 0, width);
    let condition = t.condition(condition_of(i).unwrap_or(0));
    let value = t.fb.ins().select(condition, new, old);
    t.write(i, value);
}

fn set(t: &mut Translator<'_>, i: &Instruction) {
    let condition = t.condition(condition_of(i).unwrap_or(0));
    t.write(i, condition);
}

/// CBW, CWDE, CDQE.
fn extend_accumulator(t: &mut Translator<'_>, from: Type, to: Type) {
    let value = t.part(AX, from);
    let value = t.fb.ins().sextend(to, value);
    t.set_part(AX, value);
}

/// CWD, CDQ, CQO.
fn sign_to_data(t: &mut Translator<'_>, width: Type) {
    let value = t.part(AX, width);
    let by = t.constant(width, u64::from(width.bits() - 1));
    let sign = t.fb.ins().sshr(value, by);
    t.set_part(DX, sign);
}

impl Translator<'_> {
    /// Writes the part of a numbered register that has the width of `value`, as a write by name does.
    pub fn set_part(&mut self, slot: usize, value: Value) {
        let merged = match self.width(value) {
            I8 | I16 => {
                let old = self.full(slot);
                let mask = u64::MAX >> (64 - self.width(value).bits());
                let kept = self.and_imm(old, !mask);
                let wide = self.extend(value, I64, false);
                self.fb.ins().bor(kept, wide)
            }
            _ => self.extend(value, I64, false),
        };
        self.set_full(slot, merged);
    }
}

fn bswap(t: &mut Translator<'_>, i: &Instruction) {
    let value = t.reg(i.op0_register());
    let value = t.fb.ins().bswap(value);
    t.set_reg(i.op0_register(), value);
}

fn set_carry(t: &mut Translator<'_>, value: Late) {
    t.flags = Flags::Only { flag: Flag::Cf, value, before: Rc::new(t.flags.clone()) };
}

fn clc(t: &mut Translator<'_>, _: &Instruction) {
    set_carry(t, Rc::new(|t| t.constant(I8, 0)));
}

fn stc(t: &mut Translator<'_>, _: &Instruction) {
    set_carry(t, Rc::new(|t| t.constant(I8, 1)));
}

fn cmc(t: &mut Translator<'_>, _: &Instruction) {
    let before = t.flags.clone();
    set_carry(
        t,
        Rc::new(move |t| {
            let carry = t.flag(&before, Flag::Cf);
            t.xor_imm(carry, 1)
        }),
    );
}

/// Instructions that do nothing, whatever their operands. F3 90 with a REX prefix may be XCHG.
pub fn idle(i: &Instruction) -> Option<Emit> {
    match i.mnemonic() {
        Mnemonic::Nop | Mnemonic::Endbr64 | Mnemonic::Endbr32 => Some(|_, _| {}),
        Mnemonic::Pause if i.len() == 2 => Some(|_, _| {}),
        _ => None,
    }
}

pub fn pick(i: &Instruction) -> Option<Emit> {
    Some(match i.mnemonic() {
        Mnemonic::Mov => mov,
        Mnemonic::Movzx => |t, i| move_extended(t, i, false),
        Mnemonic::Movsx | Mnemonic::Movsxd => |t, i| move_extended(t, i, true),
        Mnemonic::Lea => lea,
        Mnemonic::Xchg => xchg,
        Mnemonic::Xadd => xadd,
        Mnemonic::Cmpxchg if i.op0_kind() == OpKind::Memory => cmpxchg,
        Mnemonic::Cbw => |t, _| extend_accumulator(t, I8, I16),
        Mnemonic::Cwde => |t, _| extend_accumulator(t, I16, I32),
        Mnemonic::Cdqe => |t, _| extend_accumulator(t, I32, I64),
        Mnemonic::Cwd => |t, _| sign_to_data(t, I16),
        Mnemonic::Cdq => |t, _| sign_to_data(t, I32),
        Mnemonic::Cqo => |t, _| sign_to_data(t, I64),
        Mnemonic::Bswap if i.op0_register().size() > 2 => bswap,
        Mnemonic::Clc => clc,
        Mnemonic::Stc => stc,
        Mnemonic::Cmc => cmc,
        _ if condition_of(i).is_some() && i.op_count() == 2 => cmov,
        _ if condition_of(i).is_some() && !i.is_jcc_short_or_near() && i.op_count() == 1 => set,
        _ => return None,
    })
}
