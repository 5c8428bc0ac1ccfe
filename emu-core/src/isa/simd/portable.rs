//! The stand-in for `host` where the host is no x86-64: the same functions on Rust's `f32` and `f64`.
//!
//! Not exact: rounding is always to nearest, FTZ and DAZ are ignored, NaN payloads are the host's, and no exceptions
//! are reported. Guests compute correctly as long as they keep the default MXCSR and look at no flags.

use super::lanes::{join, split};

macro_rules! arithmetic {
    ($($ps:ident, $pd:ident, $ss:ident, $sd:ident: $op:tt;)*) => {$(
        pub fn $ps(a: u128, b: u128, _: u32) -> (u128, u32) {
            let (a, b) = (split::<f32, 4>(a), split::<f32, 4>(b));
            (join::<f32, 4>(std::array::from_fn(|i| a[i] $op b[i])), 0)
        }

        pub fn $pd(a: u128, b: u128, _: u32) -> (u128, u32) {
            let (a, b) = (split::<f64, 2>(a), split::<f64, 2>(b));
            (join([a[0] $op b[0], a[1] $op b[1]]), 0)
        }

        pub fn $ss(a: u128, b: u128, _: u32) -> (u128, u32) {
            single(a, split::<f32, 4>(a)[0] $op split::<f32, 4>(b)[0])
        }

        pub fn $sd(a: u128, b: u128, _: u32) -> (u128, u32) {
            double(a, split::<f64, 2>(a)[0] $op split::<f64, 2>(b)[0])
        }
    )*};
}

arithmetic! {
    addps, addpd, addss, addsd: +;
    subps, subpd, subss, subsd: -;
    mulps, mulpd, mulss, mulsd: *;
    divps, divpd, divss, divsd: /;
}

/// `a` with its lowest lane replaced.
fn single(a: u128, value: f32) -> (u128, u32) {
    (a >> 32 << 32 | u128::from(value.to_bits()), 0)
}

/// `a` with its low half replaced.
fn double(a: u128, value: f64) -> (u128, u32) {
    (a >> 64 << 64 | u128::from(value.to_bits()), 0)
}

pub fn sqrtps(_: u128, b: u128, _: u32) -> (u128, u32) {
    (join(split::<f32, 4>(b).map(f32::sqrt)), 0)
}

pub fn sqrtpd(_: u128, b: u128, _: u32) -> (u128, u32) {
    (join(split::<f64, 2>(b).map(f64::sqrt)), 0)
}

pub fn sqrtss(a: u128, b: u128, _: u32) -> (u128, u32) {
    single(a, split::<f32, 4>(b)[0].sqrt())
}

pub fn sqrtsd(a: u128, b: u128, _: u32) -> (u128, u32) {
    double(a, split::<f64, 2>(b)[0].sqrt())
}

pub fn cvtps2pd(_: u128, b: u128, _: u32) -> (u128, u32) {
    let [low, high, _, _] = split::<f32, 4>(b);
    (join([f64::from(low), f64::from(high)]), 0)
}

pub fn cvtpd2ps(_: u128, b: u128, _: u32) -> (u128, u32) {
    let [low, high] = split::<f64, 2>(b);
    (join([low as f32, high as f32, 0.0, 0.0]), 0)
}

pub fn cvtss2sd(a: u128, b: u128, _: u32) -> (u128, u32) {
    double(a, split::<f32, 4>(b)[0].into())
}

pub fn cvtsd2ss(a: u128, b: u128, _: u32) -> (u128, u32) {
    single(a, split::<f64, 2>(b)[0] as f32)
}

pub fn cvtdq2ps(_: u128, b: u128, _: u32) -> (u128, u32) {
    (join(split::<i32, 4>(b).map(|v| v as f32)), 0)
}

pub fn cvtsi2ss_r32(a: u128, b: u64, _: u32) -> (u128, u32) {
    single(a, b as i32 as f32)
}

pub fn cvtsi2ss_r64(a: u128, b: u64, _: u32) -> (u128, u32) {
    single(a, b as i64 as f32)
}

pub fn cvtsi2sd_r64(a: u128, b: u64, _: u32) -> (u128, u32) {
    double(a, b as i64 as f64)
}
