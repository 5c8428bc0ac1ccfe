//! Handlers of the x87 family: D8h to DFh and FWAIT (Intel SDM Vol. 1 chapter 8, Vol. 2).
//!
//! `isa::x87` computes; here are operands, the register stack, masks and deferred exceptions. Each instruction first
//! passes the guard (#NM, pending #MF), then reads its memory operand, and only then changes anything.
//!
//! `op.a` and `op.b` are ST numbers, `op.imm` is the eleven-bit opcode for FOP.
//! With CR0.NE clear a pending exception still is #MF here; FERR# and IRQ 13 are not modelled.

mod arith;
mod compare;
mod control;
mod math;
mod register;
#[cfg(test)]
mod tests;
mod transfer;

use super::lower::{Decoded, Lowered};
use super::op::Op;
use crate::isa::x87::opcode;

pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let handler = arith::lower(d)
        .or_else(|| transfer::lower(d, op))
        .or_else(|| compare::lower(d, op))
        .or_else(|| math::lower(d))
        .or_else(|| control::lower(d))?;
    op.imm = u64::from(opcode(d.bytes));
    Some(Lowered::straight(handler))
}
