//! PE beside an overflow or underflow that is not masked. The trapped response rounds to the format's precision with
//! no bound on the exponent, and PE tells whether that was exact (Intel SDM Vol. 1 4.9.1.4, 4.9.1.5); the host's
//! flags, from a run with all exceptions masked, tell of the bounded result. No result is needed: none is written.

use super::exact::Exact;
use super::float::{lane, seen};
use super::format::{Double, Layout, Single};
use super::mxcsr::{PE, Rounding};

/// PE if `f` of one of the lowest `LANES` lanes is inexact. Where an operand is zero, infinite or NaN there is nothing
/// to round.
fn lanes<F: Layout, const LANES: u32>(
    a: u128,
    b: u128,
    mxcsr: u32,
    f: impl Fn(Exact, Exact) -> Option<Exact>,
) -> u32 {
    let finite = |v: u128, n: u32| {
        let bits = seen::<F>(lane::<F>(v, n), mxcsr);
        if bits & F::INFINITY == F::INFINITY { None } else { Exact::of::<F>(bits) }
    };
    let raised = |n| {
        let result = finite(a, n).zip(finite(b, n)).and_then(|(a, b)| f(a, b));
        result.map_or(0, |result| result.round::<F>(Rounding::of(mxcsr), mxcsr).1)
    };
    (0..LANES).fold(0, |all, n| all | raised(n)) & PE
}

pub fn sum<F: Layout, const LANES: u32>(a: u128, b: u128, mxcsr: u32) -> u32 {
    lanes::<F, LANES>(a, b, mxcsr, Exact::plus)
}

pub fn difference<F: Layout, const LANES: u32>(a: u128, b: u128, mxcsr: u32) -> u32 {
    lanes::<F, LANES>(a, b, mxcsr, |a, b| a.plus(b.signed(!b.negative())))
}

pub fn product<F: Layout, const LANES: u32>(a: u128, b: u128, mxcsr: u32) -> u32 {
    lanes::<F, LANES>(a, b, mxcsr, |a, b| Some(a.times(b)))
}

pub fn quotient<F: Layout, const LANES: u32>(a: u128, b: u128, mxcsr: u32) -> u32 {
    lanes::<F, LANES>(a, b, mxcsr, |a, b| Some(a.over(b)))
}

/// Double precision to single.
pub fn narrowing<F: Layout, const LANES: u32>(_: u128, b: u128, mxcsr: u32) -> u32 {
    let raised = |n| {
        let bits = seen::<Double>(lane::<Double>(b, n), mxcsr);
        let value =
            if bits & Double::INFINITY == Double::INFINITY { None } else { Exact::of::<Double>(bits) };
        value.map_or(0, |value| value.round::<Single>(Rounding::of(mxcsr), mxcsr).1)
    };
    (0..LANES).fold(0, |all, n| all | raised(n)) & PE
}

/// For operations that neither overflow nor underflow.
pub fn nothing<F: Layout, const LANES: u32>(_: u128, _: u128, _: u32) -> u32 {
    0
}
