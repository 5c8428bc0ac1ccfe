//! The meaning of MMX, SSE to SSE4.2, AES, PCLMULQDQ, SHA, FMA and F16C instructions, as pure functions on values of
//! 128 bits; most AVX instructions are two of them side by side.
//!
//! Follows Intel SDM Vol. 2. Functions take (destination, source) as `u128`, MMX forms where they differ as `u64`;
//! floating point also takes the guest's MXCSR and returns the exceptions raised, see [`mxcsr`].
//! Arithmetic that rounds runs on the host's own SSE unit (`host`, x86-64 hosts only); comparisons, conversions to
//! integers and from and to half precision, rounding to integral values and the reciprocal estimates are computed
//! here, the same on every host, and so is FMA where the host lacks it.

pub mod aes;
pub mod convert;
pub mod crc;
pub mod exact;
pub mod float;
pub mod fma;
pub mod format;
pub mod half;
#[cfg(target_arch = "x86_64")]
pub mod host;
#[cfg(not(target_arch = "x86_64"))]
#[path = "portable.rs"]
pub mod host;
pub mod integer;
pub mod lanes;
pub mod mxcsr;
#[cfg(target_arch = "x86_64")]
pub mod ordinary;
#[cfg(not(target_arch = "x86_64"))]
#[path = "unordinary.rs"]
pub mod ordinary;
#[cfg(target_arch = "x86_64")]
pub mod packed;
#[cfg(not(target_arch = "x86_64"))]
pub mod packed {
    //! The portable functions under the name that handlers use.
    pub use super::{aes::*, crc::*, integer::*, shift::*, shuffle::*};
}
pub mod permute;
pub mod sha;
pub mod shift;
pub mod shuffle;
pub mod string;
pub mod trapped;

#[cfg(test)]
mod tests;
