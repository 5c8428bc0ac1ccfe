//! VEX-encoded instructions on vector registers: AVX, AVX2, FMA, F16C and the VEX forms of AES and PCLMULQDQ. What
//! they mean per 128-bit lane is in `isa::simd`; here are operands, guards, faults, and what crosses lanes.

mod control;
mod convert;
mod element;
mod float;
mod fma;
mod gather;
mod half;
mod integer;
mod mask;
mod moves;
pub mod operand;
mod permute;
mod wide;

#[cfg(test)]
mod tests;

use super::lower::{Decoded, Lowered};
use super::op::Op;
use iced_x86::EncodingKind;

/// Handlers of the VEX-encoded instructions.
pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    if d.instruction.encoding() != EncodingKind::VEX {
        return None;
    }
    operand::arrange(d, op);
    moves::pick(d)
        .or_else(|| integer::pick(d))
        .or_else(|| permute::pick(d))
        .or_else(|| element::pick(d))
        .or_else(|| mask::pick(d))
        .or_else(|| gather::pick(d))
        .or_else(|| control::pick(d))
        .or_else(|| float::pick(d))
        .or_else(|| convert::pick(d))
        .or_else(|| fma::pick(d))
        .or_else(|| half::pick(d))
        .map(Lowered::straight)
}
