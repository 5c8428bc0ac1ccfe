//! Legacy-encoded MMX, SSE to SSE4.2, AES, PCLMULQDQ and SHA; the instructions on general registers that came with
//! them; and the save areas for their state. The meaning is in `isa::simd`; here are operands, guards and faults.
//!
//! VEX- and EVEX-encoded forms have mnemonics of their own and are not known here.

mod area;
pub mod control;
mod element;
mod float;
mod general;
mod integer;
pub mod moves;
pub mod operand;
pub mod text;

#[cfg(test)]
mod tests;

pub use float::comparison_flags;

use super::lower::{Decoded, Lowered};
use super::op::Op;

/// Handlers of the MMX and SSE instructions.
pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    moves::pick(d)
        .or_else(|| integer::pick(d))
        .or_else(|| float::pick(d))
        .or_else(|| element::pick(d))
        .or_else(|| text::pick(d))
        .or_else(|| general::pick(d))
        .or_else(|| control::pick(d))
        .or_else(|| area::pick(d, op))
        .map(Lowered::straight)
}
