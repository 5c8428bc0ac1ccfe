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

pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let handler = arith::lower(d)
        .or_else(|| transfer::lower(d, op))
        .or_else(|| compare::lower(d, op))
        .or_else(|| math::lower(d))
        .or_else(|| control::lower(d))?;
    op.imm = u64::from(opcode(d.bytes));
    Some(Lowered::straight(handler))
}

/// FOP: the low three bits of the first opcode byte and the second byte (Intel SDM Vol. 1 8.1.9).
fn opcode(bytes: &[u8]) -> u16 {
    let mut rest = bytes.iter().skip_while(|byte| !(0xD8..=0xDF).contains(*byte));
    let first = rest.next().copied().unwrap_or(0);
    let second = rest.next().copied().unwrap_or(0);
    u16::from(first & 7) << 8 | u16::from(second)
}
