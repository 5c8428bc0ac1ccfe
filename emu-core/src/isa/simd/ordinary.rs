//! Packed floating point under an ordinary MXCSR (see [`super::mxcsr::ordinary`]) by the host's instructions, whose own
//! MXCSR is the same but for the flags: `None` wherever an exception other than PE is possible.
#![allow(unsafe_code)] // intrinsics of SSE2, which is part of x86-64

use super::float::predicate;
use super::format::{Double, Layout, Single};
use std::arch::x86_64::*;

#[inline(always)]
fn vector(v: u128) -> __m128i {
    // SAFETY: both are 16 bytes in which every bit pattern is valid.
    unsafe { std::mem::transmute::<u128, __m128i>(v) }
}

#[inline(always)]
fn value(v: __m128i) -> u128 {
    // SAFETY: as in `vector`.
    unsafe { std::mem::transmute::<__m128i, u128>(v) }
}

#[inline(always)]
fn all(mask: __m128i) -> bool {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_movemask_epi8(mask) == 0xFFFF }
}

#[inline(always)]
fn and(a: __m128i, b: __m128i) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_and_si128(a, b) }
}

#[inline(always)]
fn or(a: __m128i, b: __m128i) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_or_si128(a, b) }
}

/// Tests of all lanes of a vector at once, as masks.
pub trait Packed: Layout {
    /// The unit of [`Packed::magnitudes`]: the least normal number.
    const UNIT: i32;
    /// The magnitude of infinity.
    const INFINITE: i32;
    /// Double-words that order as the lanes' magnitudes, as far as their exponents go.
    fn magnitudes(v: __m128i) -> __m128i;
    fn zero(v: __m128i) -> __m128i;

    /// See [`Layout::is_ordinary`].
    #[inline(always)]
    fn ordinary(v: __m128i) -> __m128i {
        between(Self::magnitudes(v), 2 * Self::UNIT - 1, Self::INFINITE - 2 * Self::UNIT)
    }

    /// Zero or normal: as an operand it raises nothing by itself.
    #[inline(always)]
    fn tame(v: __m128i) -> __m128i {
        or(Self::zero(v), between(Self::magnitudes(v), Self::UNIT - 1, Self::INFINITE))
    }

    /// Neither infinite nor NaN.
    #[inline(always)]
    fn finite(v: __m128i) -> __m128i {
        between(Self::magnitudes(v), -1, Self::INFINITE)
    }
}

/// Both ends are exclusive.
#[inline(always)]
fn between(v: __m128i, low: i32, high: i32) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { and(_mm_cmpgt_epi32(v, _mm_set1_epi32(low)), _mm_cmpgt_epi32(_mm_set1_epi32(high), v)) }
}

impl Packed for Single {
    const UNIT: i32 = 1 << Self::FRACTION;
    const INFINITE: i32 = Self::INFINITY as i32;

    #[inline(always)]
    fn magnitudes(v: __m128i) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        and(v, unsafe { _mm_set1_epi32(i32::MAX) })
    }

    #[inline(always)]
    fn zero(v: __m128i) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_cmpeq_epi32(Self::magnitudes(v), _mm_setzero_si128()) }
    }
}

impl Packed for Double {
    const UNIT: i32 = 1 << (Self::FRACTION - 32);
    const INFINITE: i32 = (Self::INFINITY >> 32) as i32;

    /// The upper halves, twice each: the exponents are there.
    #[inline(always)]
    fn magnitudes(v: __m128i) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { and(_mm_shuffle_epi32::<0b1111_0101>(v), _mm_set1_epi32(i32::MAX)) }
    }

    #[inline(always)]
    fn zero(v: __m128i) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_castpd_si128(_mm_cmpeq_pd(pd(v), _mm_setzero_pd())) }
    }
}

/// Whether x * y + z is `result` with PE at most: a zero may have underflowed.
#[inline(always)]
pub fn fused<F: Packed>(x: u128, y: u128, z: u128, result: u128) -> bool {
    let operands = and(F::tame(vector(x)), and(F::tame(vector(y)), F::tame(vector(z))));
    all(and(operands, F::ordinary(vector(result))))
}

macro_rules! operations {
    ($good:ident; $($name:ident: $format:ty, |$a:ident, $b:ident| $result:expr;)*) => {$(
        #[inline(always)]
        pub fn $name(a: u128, b: u128) -> Option<u128> {
            let ($a, $b) = (vector(a), vector(b));
            // SAFETY: SSE2 is part of x86-64.
            let result = unsafe { $result };
            all($good::<$format>($a, $b, result)).then(|| value(result))
        }
    )*};
}

/// A sum of such numbers is exact if it is below the normal range.
#[inline(always)]
fn sum<F: Packed>(a: __m128i, b: __m128i, result: __m128i) -> __m128i {
    and(and(F::tame(a), F::tame(b)), F::finite(result))
}

/// A product is zero because a factor is, or has underflowed.
#[inline(always)]
fn product<F: Packed>(a: __m128i, b: __m128i, result: __m128i) -> __m128i {
    let zero = and(F::zero(result), or(F::zero(a), F::zero(b)));
    and(and(F::tame(a), F::tame(b)), or(F::ordinary(result), zero))
}

#[inline(always)]
fn quotient<F: Packed>(a: __m128i, b: __m128i, result: __m128i) -> __m128i {
    let zero = and(F::zero(result), F::zero(a));
    and(and(F::tame(a), F::tame(b)), or(F::ordinary(result), zero))
}

#[inline(always)]
fn root<F: Packed>(_: __m128i, b: __m128i, result: __m128i) -> __m128i {
    and(F::tame(b), or(F::ordinary(result), F::zero(b)))
}

#[inline(always)]
fn comparison<F: Packed>(a: __m128i, b: __m128i, _: __m128i) -> __m128i {
    and(F::tame(a), F::tame(b))
}

#[inline(always)]
fn ps(v: __m128i) -> __m128 {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_castsi128_ps(v) }
}

#[inline(always)]
fn pd(v: __m128i) -> __m128d {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_castsi128_pd(v) }
}

operations! { sum;
    addps: Single, |a, b| _mm_castps_si128(_mm_add_ps(ps(a), ps(b)));
    addpd: Double, |a, b| _mm_castpd_si128(_mm_add_pd(pd(a), pd(b)));
    subps: Single, |a, b| _mm_castps_si128(_mm_sub_ps(ps(a), ps(b)));
    subpd: Double, |a, b| _mm_castpd_si128(_mm_sub_pd(pd(a), pd(b)));
}

operations! { product;
    mulps: Single, |a, b| _mm_castps_si128(_mm_mul_ps(ps(a), ps(b)));
    mulpd: Double, |a, b| _mm_castpd_si128(_mm_mul_pd(pd(a), pd(b)));
}

operations! { quotient;
    divps: Single, |a, b| _mm_castps_si128(_mm_div_ps(ps(a), ps(b)));
    divpd: Double, |a, b| _mm_castpd_si128(_mm_div_pd(pd(a), pd(b)));
}

operations! { root;
    sqrtps: Single, |_a, b| _mm_castps_si128(_mm_sqrt_ps(ps(b)));
    sqrtpd: Double, |_a, b| _mm_castpd_si128(_mm_sqrt_pd(pd(b)));
}

operations! { comparison;
    minps: Single, |a, b| _mm_castps_si128(_mm_min_ps(ps(a), ps(b)));
    minpd: Double, |a, b| _mm_castpd_si128(_mm_min_pd(pd(a), pd(b)));
    maxps: Single, |a, b| _mm_castps_si128(_mm_max_ps(ps(a), ps(b)));
    maxpd: Double, |a, b| _mm_castpd_si128(_mm_max_pd(pd(a), pd(b)));
}

/// Lanes where `a` is less than, equal to and greater than `b`, put together as predicate `imm` says.
#[inline(always)]
fn select(imm: u8, less: __m128i, equal: __m128i, greater: __m128i) -> u128 {
    let holds = |n: u32| if predicate(imm) >> n & 1 != 0 { u128::MAX } else { 0 };
    value(less) & holds(0) | value(equal) & holds(1) | value(greater) & holds(2)
}

/// See [`super::float::vcmp`].
#[inline(always)]
pub fn cmpps(a: u128, b: u128, imm: u8) -> Option<u128> {
    let (x, y) = (ps(vector(a)), ps(vector(b)));
    // SAFETY: SSE2 is part of x86-64.
    let (less, equal, greater) = unsafe { (_mm_cmplt_ps(x, y), _mm_cmpeq_ps(x, y), _mm_cmpgt_ps(x, y)) };
    // SAFETY: as above.
    let [less, equal, greater] = [less, equal, greater].map(|mask| unsafe { _mm_castps_si128(mask) });
    all(comparison::<Single>(vector(a), vector(b), less)).then(|| select(imm, less, equal, greater))
}

#[inline(always)]
pub fn cmppd(a: u128, b: u128, imm: u8) -> Option<u128> {
    let (x, y) = (pd(vector(a)), pd(vector(b)));
    // SAFETY: SSE2 is part of x86-64.
    let (less, equal, greater) = unsafe { (_mm_cmplt_pd(x, y), _mm_cmpeq_pd(x, y), _mm_cmpgt_pd(x, y)) };
    // SAFETY: as above.
    let [less, equal, greater] = [less, equal, greater].map(|mask| unsafe { _mm_castpd_si128(mask) });
    all(comparison::<Double>(vector(a), vector(b), less)).then(|| select(imm, less, equal, greater))
}

/// Raises PE at most.
#[inline(always)]
pub fn cvtdq2ps(_: u128, b: u128) -> Option<u128> {
    // SAFETY: SSE2 is part of x86-64.
    Some(value(unsafe { _mm_castps_si128(_mm_cvtepi32_ps(vector(b))) }))
}

/// The integer indefinite value may stand for something invalid.
#[inline(always)]
fn definite(integers: __m128i) -> Option<u128> {
    // SAFETY: SSE2 is part of x86-64.
    let indefinite = unsafe { _mm_movemask_epi8(_mm_cmpeq_epi32(integers, _mm_set1_epi32(i32::MIN))) };
    (indefinite == 0).then(|| value(integers))
}

#[inline(always)]
pub fn cvtps2dq(_: u128, b: u128) -> Option<u128> {
    // SAFETY: SSE2 is part of x86-64.
    definite(unsafe { _mm_cvtps_epi32(ps(vector(b))) })
}

#[inline(always)]
pub fn cvttps2dq(_: u128, b: u128) -> Option<u128> {
    // SAFETY: SSE2 is part of x86-64.
    definite(unsafe { _mm_cvttps_epi32(ps(vector(b))) })
}

#[cfg(test)]
mod tests;
