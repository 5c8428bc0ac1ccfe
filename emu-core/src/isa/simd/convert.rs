//! Conversions from floating point to integers, and the exact ones from integers (Intel SDM Vol. 1 11.5.2.1).

use super::float::{lane, round};
use super::format::{Double, Format, Layout, Single};
use super::lanes::{join, split};
use super::mxcsr::{DAZ, IE, PE, Rounding};

/// The values of `i64` are those from minus this up to, but not including, this.
const RANGE: f64 = 9_223_372_036_854_775_808.0;

/// The value of `F` in `bits` as a signed integer of `width` bits. What does not fit is invalid and gives the integer
/// indefinite value, the most negative one.
#[inline(always)]
fn to_integer<F: Format>(bits: u64, width: u32, rounding: Rounding, mxcsr: u32) -> (i64, u32) {
    let least = i64::MIN >> (64 - width);
    if mxcsr & DAZ != 0 && F::is_denormal(bits) {
        return (0, 0);
    }
    let x = F::to_f64(bits);
    if !(-RANGE..RANGE).contains(&x) {
        return (least, IE); // NaNs too
    }
    let (whole, inexact) = round(x, rounding);
    if whole < least || whole > !least {
        return (least, IE);
    }
    (whole, if inexact { PE } else { 0 })
}

macro_rules! scalars {
    ($($rounded:ident, $truncated:ident: $format:ty, $width:literal;)*) => {$(
        /// As MXCSR rounds.
        #[inline]
        pub fn $rounded(b: u128, mxcsr: u32) -> (u64, u32) {
            let (value, raised) = to_integer::<$format>(lane::<$format>(b, 0), $width, Rounding::of(mxcsr), mxcsr);
            (value as u64 & u64::MAX >> (64 - $width), raised)
        }

        /// Towards zero.
        #[inline]
        pub fn $truncated(b: u128, mxcsr: u32) -> (u64, u32) {
            let (value, raised) = to_integer::<$format>(lane::<$format>(b, 0), $width, Rounding::Zero, mxcsr);
            (value as u64 & u64::MAX >> (64 - $width), raised)
        }
    )*};
}

scalars! {
    cvtss2si_r32, cvttss2si_r32: Single, 32;
    cvtss2si_r64, cvttss2si_r64: Single, 64;
    cvtsd2si_r32, cvttsd2si_r32: Double, 32;
    cvtsd2si_r64, cvttsd2si_r64: Double, 64;
}

/// The first `LANES` lanes of `b` as double-words.
#[inline(always)]
fn packed<F: Format, const LANES: u32>(b: u128, rounding: Rounding, mxcsr: u32) -> (u128, u32) {
    let (mut value, mut raised) = (0, 0);
    for i in 0..LANES {
        let (integer, flags) = to_integer::<F>(lane::<F>(b, i), 32, rounding, mxcsr);
        value |= u128::from(integer as u32) << (32 * i);
        raised |= flags;
    }
    (value, raised)
}

macro_rules! packeds {
    ($($rounded:ident, $truncated:ident: $format:ty, $lanes:literal;)*) => {$(
        /// As MXCSR rounds.
        #[inline]
        pub fn $rounded(_: u128, b: u128, mxcsr: u32) -> (u128, u32) {
            packed::<$format, $lanes>(b, Rounding::of(mxcsr), mxcsr)
        }

        /// Towards zero.
        #[inline]
        pub fn $truncated(_: u128, b: u128, mxcsr: u32) -> (u128, u32) {
            packed::<$format, $lanes>(b, Rounding::Zero, mxcsr)
        }
    )*};
}

packeds! {
    cvtps2dq, cvttps2dq: Single, 4;
    cvtps2pi, cvttps2pi: Single, 2;
    cvtpd2dq, cvttpd2dq: Double, 2;
}

/// Exact.
#[inline]
pub fn cvtdq2pd(_: u128, b: u128) -> u128 {
    let [low, high, _, _] = split::<i32, 4>(b);
    join([f64::from(low), f64::from(high)])
}

/// Exact; the upper half stays.
#[inline]
pub fn cvtsi2sd_r32(a: u128, b: u32) -> u128 {
    low_double(a, f64::from(b as i32))
}

// ---- under an ordinary MXCSR (see `mxcsr::ordinary`) ---------------------------------------------------------

#[inline]
pub fn cvtsi2sd_r64(a: u128, b: u64) -> u128 {
    low_double(a, b as i64 as f64)
}

#[inline]
pub fn cvtsi2ss_r32(a: u128, b: u32) -> u128 {
    low_single(a, b as i32 as f32)
}

#[inline]
pub fn cvtsi2ss_r64(a: u128, b: u64) -> u128 {
    low_single(a, b as i64 as f32)
}

/// CVTSS2SD of an ordinary number: exact.
#[inline]
pub fn widen(a: u128, b: u128) -> Option<u128> {
    let x = lane::<Single>(b, 0);
    Single::is_ordinary(x).then(|| low_double(a, Single::native(x).into()))
}

/// CVTSD2SS of an ordinary number to another.
#[inline]
pub fn narrow(a: u128, b: u128) -> Option<u128> {
    let x = lane::<Double>(b, 0);
    let value = Double::native(x) as f32;
    let ordinary = Double::is_ordinary(x) && Single::is_ordinary(Single::bits(value));
    ordinary.then(|| low_single(a, value))
}

#[inline(always)]
fn low_single(a: u128, value: f32) -> u128 {
    a >> 32 << 32 | u128::from(value.to_bits())
}

#[inline(always)]
fn low_double(a: u128, value: f64) -> u128 {
    a >> 64 << 64 | u128::from(value.to_bits())
}
