//! The meaning of instructions as pure functions, apart from the plumbing that moves operands.

pub mod bcd;
pub mod bits;
pub mod cpuid;
pub mod descriptor;
pub mod flags;
pub mod shift;
pub mod simd;
pub mod x87;
