//! The meaning of instructions as pure functions, apart from the plumbing that moves operands.

pub mod flags;
pub mod simd;
