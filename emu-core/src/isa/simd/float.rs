//! Floating point that is computed here rather than by the host: comparisons, MIN and MAX, rounding to integral
//! values, the reciprocal estimates, and instructions made of several additions.

use super::format::{Format, Layout};
use super::host;
use super::lanes::split;
use super::mxcsr::{DAZ, DE, IE, OVER, PE, Rounding, unmasked};
use super::shuffle::{shufpd, shufps};
use std::cmp::Ordering;

/// Lane `i` of `v`.
#[inline(always)]
pub fn lane<F: Layout>(v: u128, i: u32) -> u64 {
    (v >> (i * F::BITS)) as u64 & F::ALL
}

/// `a` with its lowest `LANES` lanes replaced by `f` of the lanes of `a` and `b`, and the exceptions of all of them.
#[inline(always)]
fn each<F: Layout, const LANES: u32>(a: u128, b: u128, f: impl Fn(u64, u64) -> (u64, u32)) -> (u128, u32) {
    let mut value = above::<F, LANES>(a);
    let mut raised = 0;
    for i in 0..LANES {
        let (lane, flags) = f(lane::<F>(a, i), lane::<F>(b, i));
        value |= u128::from(lane) << (i * F::BITS);
        raised |= flags;
    }
    (value, raised)
}

/// Denormals as MXCSR.DAZ wants them seen.
#[inline(always)]
pub fn seen<F: Layout>(bits: u64, mxcsr: u32) -> u64 {
    if mxcsr & DAZ != 0 && F::is_denormal(bits) { bits & F::SIGN } else { bits }
}

/// `f` of the lowest `LANES` lanes as the host computes it, if operands and results are all ordinary. Right for a
/// guest whose MXCSR is [`super::mxcsr::ordinary`].
#[inline(always)]
pub fn natively<F: Format, const LANES: u32>(
    a: u128,
    b: u128,
    f: impl Fn(F::Native, F::Native) -> F::Native,
) -> Option<u128> {
    let mut value = above::<F, LANES>(a);
    let mut ordinary = true;
    for i in 0..LANES {
        let (x, y) = (lane::<F>(a, i), lane::<F>(b, i));
        let result = F::bits(f(F::native(x), F::native(y)));
        ordinary &= F::is_ordinary(x) & F::is_ordinary(y) & F::is_ordinary(result);
        value |= u128::from(result) << (i * F::BITS);
    }
    ordinary.then_some(value)
}

/// The same for a function of `b` alone.
#[inline(always)]
pub fn natively_unary<F: Format, const LANES: u32>(
    a: u128,
    b: u128,
    f: impl Fn(F::Native) -> F::Native,
) -> Option<u128> {
    let value = natively::<F, LANES>(b, b, |x, _| f(x))?;
    Some(if LANES == F::LANES { value } else { above::<F, LANES>(a) | u128::from(lane::<F>(value, 0)) })
}

/// What a scalar operation leaves of its destination; nothing for a packed one.
#[inline(always)]
fn above<F: Layout, const LANES: u32>(a: u128) -> u128 {
    if LANES == F::LANES { 0 } else { a >> F::BITS << F::BITS }
}

// ---- comparisons ---------------------------------------------------------------------------------------------

/// How `a` compares to `b` (`None`: unordered), and what that raises. `quiet` comparisons accept quiet NaNs.
#[inline(always)]
fn order<F: Format>(a: u64, b: u64, mxcsr: u32, quiet: bool) -> (Option<Ordering>, u32) {
    if F::is_nan(a) || F::is_nan(b) {
        let invalid = !quiet || F::is_signaling(a) || F::is_signaling(b);
        return (None, if invalid { IE } else { 0 });
    }
    let (a, b) = (seen::<F>(a, mxcsr), seen::<F>(b, mxcsr));
    let denormal = F::is_denormal(a) || F::is_denormal(b);
    (F::to_f64(a).partial_cmp(&F::to_f64(b)), if denormal { DE } else { 0 })
}

/// COMISS, COMISD (`QUIET` false), UCOMISS, UCOMISD (true).
#[inline]
pub fn comis<F: Format, const QUIET: bool>(a: u128, b: u128, mxcsr: u32) -> (Option<Ordering>, u32) {
    order::<F>(lane::<F>(a, 0), lane::<F>(b, 0), mxcsr, QUIET)
}

/// For which orders the predicates of VCMPPS hold, by the low four bits of their number: bit 0 less, 1 equal,
/// 2 greater, 3 unordered (Intel SDM Vol. 2, "CMPPD", table 3-1).
const PREDICATES: [u8; 16] = [
    0b0010, // EQ
    0b0001, // LT
    0b0011, // LE
    0b1000, // UNORD
    0b1101, // NEQ
    0b1110, // NLT
    0b1100, // NLE
    0b0111, // ORD
    0b1010, // EQ, or unordered
    0b1001, // NGE
    0b1011, // NGT
    0b0000, // FALSE
    0b0101, // NEQ, and ordered
    0b0110, // GE
    0b0100, // GT
    0b1111, // TRUE
];

/// For which orders predicate `imm[4:0]` holds, see above.
#[inline(always)]
pub fn predicate(imm: u8) -> u8 {
    PREDICATES[usize::from(imm & 15)]
}

/// VCMPPS and so on: lanes of ones where predicate `imm[4:0]` holds. In every four predicates the first and the last
/// accept quiet NaNs; with bit 4 the other two do.
#[inline]
pub fn vcmp<F: Format, const LANES: u32>(a: u128, b: u128, imm: u8, mxcsr: u32) -> (u128, u32) {
    let quiet = matches!(imm & 3, 0 | 3) != (imm & 16 != 0);
    let holds = predicate(imm);
    each::<F, LANES>(a, b, |a, b| {
        let (order, raised) = order::<F>(a, b, mxcsr, quiet);
        let bit = order.map_or(3, |order| (order as i8 + 1) as u8);
        (if holds >> bit & 1 != 0 { F::ALL } else { 0 }, raised)
    })
}

/// CMPPS and so on: the first eight predicates.
#[inline]
pub fn cmp<F: Format, const LANES: u32>(a: u128, b: u128, imm: u8, mxcsr: u32) -> (u128, u32) {
    vcmp::<F, LANES>(a, b, imm & 7, mxcsr)
}

/// The second operand unless the first is strictly `wanted`: so for NaNs and for two zeros too.
#[inline(always)]
fn extremum<F: Format, const LANES: u32>(a: u128, b: u128, mxcsr: u32, wanted: Ordering) -> (u128, u32) {
    each::<F, LANES>(a, b, |a, b| {
        let (order, raised) = order::<F>(a, b, mxcsr, false);
        (seen::<F>(if order == Some(wanted) { a } else { b }, mxcsr), raised)
    })
}

#[inline]
pub fn min<F: Format, const LANES: u32>(a: u128, b: u128, mxcsr: u32) -> (u128, u32) {
    extremum::<F, LANES>(a, b, mxcsr, Ordering::Less)
}

#[inline]
pub fn max<F: Format, const LANES: u32>(a: u128, b: u128, mxcsr: u32) -> (u128, u32) {
    extremum::<F, LANES>(a, b, mxcsr, Ordering::Greater)
}

// ---- rounding ------------------------------------------------------------------------------------------------

/// `x`, which must be inside the range of `i64`, rounded to an integer, and whether that changed it.
#[inline(always)]
pub fn round(x: f64, rounding: Rounding) -> (i64, bool) {
    let whole = x as i64;
    let rest = x - whole as f64; // exact, with the sign of x
    let away = match rounding {
        Rounding::NearestEven => rest.abs() > 0.5 || (rest.abs() == 0.5 && whole & 1 != 0),
        Rounding::Down => rest < 0.0,
        Rounding::Up => rest > 0.0,
        Rounding::Zero => false,
    };
    let step = if rest < 0.0 { -1 } else { 1 };
    (if away { whole + step } else { whole }, rest != 0.0)
}

/// ROUNDPS and so on.
#[inline]
pub fn roundf<F: Format, const LANES: u32>(a: u128, b: u128, imm: u8, mxcsr: u32) -> (u128, u32) {
    let rounding = if imm & 4 != 0 { Rounding::of(mxcsr) } else { Rounding::from_bits(imm.into()) };
    let precision = if imm & 8 != 0 { 0 } else { PE };
    each::<F, LANES>(a, b, |_, b| {
        if F::is_nan(b) {
            return (b | F::QUIET, if F::is_signaling(b) { IE } else { 0 });
        }
        let b = seen::<F>(b, mxcsr);
        let x = F::to_f64(b);
        if x.abs() >= (1u64 << F::FRACTION) as f64 {
            return (b, 0);
        }
        let (whole, inexact) = round(x, rounding);
        let rounded = F::from_f64(whole as f64) & !F::SIGN | b & F::SIGN;
        (rounded, if inexact { precision } else { 0 })
    })
}

// ---- estimates -----------------------------------------------------------------------------------------------

const INFINITY: u32 = 0x7F80_0000;
const SIGN: u32 = 0x8000_0000;
const QUIET: u32 = 0x0040_0000;

/// Sign, biased exponent and a significand of 13 bits (the top one is implied, or the value is a power of two), put
/// together; a result below the normal range is flushed to zero.
fn estimate(sign: u32, exponent: i32, significand: u32) -> u32 {
    if exponent <= 0 { sign } else { sign | (((exponent as u32 - 1) << 23).wrapping_add(significand << 11)) }
}

/// 1/x to 13 bits: relative error at most 2^-13, where RCPSS promises 1.5 * 2^-12 (Intel SDM Vol. 2, "RCPPS").
/// The same on every host, unlike the instruction.
fn reciprocal(x: u32) -> u32 {
    let (sign, exponent) = (x & SIGN, (x >> 23 & 0xFF) as i32);
    let significand = u64::from(x & 0x007F_FFFF | 0x0080_0000);
    match x & !SIGN {
        nan if nan > INFINITY => x | QUIET,
        INFINITY => sign,
        _ if exponent == 0 => sign | INFINITY,
        _ => {
            let quotient = ((1 << 36) + significand / 2) / significand; // 2^12 to 2^13
            estimate(sign, 253 - exponent + (quotient >> 13) as i32, normalised(quotient as u32))
        }
    }
}

/// 1/sqrt(x) to 13 bits, likewise.
fn reciprocal_root(x: u32) -> u32 {
    let exponent = (x >> 23 & 0xFF) as i32;
    match x {
        nan if nan & !SIGN > INFINITY => x | QUIET,
        INFINITY => 0,
        _ if exponent == 0 => x & SIGN | INFINITY,
        _ if x & SIGN != 0 => SIGN | INFINITY | QUIET,
        _ => {
            let odd = (exponent - 127) & 1;
            let significand = u64::from(x & 0x007F_FFFF | 0x0080_0000) << odd;
            let root = ((1u64 << 51) / significand).isqrt().div_ceil(2); // 2^12 to 2^13
            let half = (exponent - 127 - odd) / 2;
            estimate(0, 126 - half + (root >> 13) as i32, normalised(root as u32))
        }
    }
}

/// 2^13 stands for twice 2^12.
fn normalised(significand: u32) -> u32 {
    if significand >> 13 != 0 { significand >> 1 } else { significand }
}

macro_rules! estimates {
    ($($packed:ident, $scalar:ident: $f:ident;)*) => {$(
        #[inline]
        pub fn $packed(_: u128, b: u128) -> u128 {
            super::lanes::map::<u32, 4>(b, $f)
        }

        #[inline]
        pub fn $scalar(a: u128, b: u128) -> u128 {
            a >> 32 << 32 | u128::from($f(b as u32))
        }
    )*};
}

estimates! {
    rcpps, rcpss: reciprocal;
    rsqrtps, rsqrtss: reciprocal_root;
}

// ---- several additions ---------------------------------------------------------------------------------------

pub fn haddps(a: u128, b: u128, mxcsr: u32) -> (u128, u32) {
    host::addps(shufps(a, b, 0x88), shufps(a, b, 0xDD), mxcsr)
}

pub fn hsubps(a: u128, b: u128, mxcsr: u32) -> (u128, u32) {
    host::subps(shufps(a, b, 0x88), shufps(a, b, 0xDD), mxcsr)
}

pub fn haddpd(a: u128, b: u128, mxcsr: u32) -> (u128, u32) {
    host::addpd(shufpd(a, b, 0), shufpd(a, b, 3), mxcsr)
}

pub fn hsubpd(a: u128, b: u128, mxcsr: u32) -> (u128, u32) {
    host::subpd(shufpd(a, b, 0), shufpd(a, b, 3), mxcsr)
}

/// Both halves of ADDSUB with the other lanes zero, where neither raises anything.
type Kernel = fn(u128, u128, u32) -> (u128, u32);

fn addsub(a: u128, b: u128, mxcsr: u32, even: u128, add: Kernel, sub: Kernel) -> (u128, u32) {
    let (sums, sum_flags) = add(a & !even, b & !even, mxcsr);
    let (differences, difference_flags) = sub(a & even, b & even, mxcsr);
    (sums & !even | differences & even, sum_flags | difference_flags)
}

pub fn addsubps(a: u128, b: u128, mxcsr: u32) -> (u128, u32) {
    addsub(a, b, mxcsr, 0x0000_0000_FFFF_FFFF_0000_0000_FFFF_FFFF, host::addps, host::subps)
}

pub fn addsubpd(a: u128, b: u128, mxcsr: u32) -> (u128, u32) {
    addsub(a, b, mxcsr, u64::MAX.into(), host::addpd, host::subpd)
}

/// Lanes of ones for the low four bits of `imm`.
fn lane_mask(imm: u8, lanes: u32) -> u128 {
    let ones = u128::MAX >> (128 - 128 / lanes);
    (0..lanes).filter(|i| imm >> i & 1 != 0).fold(0, |r, i| r | ones << (i * 128 / lanes))
}

/// `f` of every pair, and the exceptions of all.
fn together<const N: usize>(
    pairs: [(u128, u128); N],
    f: impl Fn(u128, u128) -> (u128, u32),
) -> ([u128; N], u32) {
    let mut raised = 0;
    let values = pairs.map(|(a, b)| {
        let (value, flags) = f(a, b);
        raised |= flags;
        value
    });
    (values, raised)
}

/// DPPS and its likes of `N` times 128 bits: products of the lanes in `imm[7:4]`, summed by pairs, stored to the lanes
/// in `imm[3:0]`. Exceptions of the products come before those of the sums (Intel SDM Vol. 2, "DPPS").
pub fn dot_products<const N: usize>(pairs: [(u128, u128); N], imm: u8, mxcsr: u32) -> ([u128; N], u32) {
    let chosen = lane_mask(imm >> 4, 4);
    let (products, first) = together(pairs, |a, b| host::mulps(a & chosen, b & chosen, mxcsr));
    if unmasked(mxcsr, first) != 0 {
        return ([0; N], first);
    }
    let halves = products.map(|products| {
        let [p0, p1, p2, p3] = split::<u32, 4>(products).map(u128::from);
        (p0 | p2 << 32, p1 | p3 << 32)
    });
    let (sums, second) = together(halves, |a, b| host::addps(a, b, mxcsr));
    if unmasked(mxcsr, second) != 0 {
        return ([0; N], first << OVER | second);
    }
    let halves = sums.map(|sums| (sums & 0xFFFF_FFFF, sums >> 32 & 0xFFFF_FFFF));
    let (sums, third) = together(halves, |a, b| host::addss(a, b, mxcsr));
    (sums.map(|sum| shufps(sum, sum, 0) & lane_mask(imm, 4)), (first | second) << OVER | third)
}

pub fn dpps(a: u128, b: u128, imm: u8, mxcsr: u32) -> (u128, u32) {
    let ([value], raised) = dot_products([(a, b)], imm, mxcsr);
    (value, raised)
}

pub fn dppd(a: u128, b: u128, imm: u8, mxcsr: u32) -> (u128, u32) {
    let chosen = lane_mask(imm >> 4, 2);
    let (products, first) = host::mulpd(a & chosen, b & chosen, mxcsr);
    if unmasked(mxcsr, first) != 0 {
        return (0, first);
    }
    let (sum, second) = host::addsd(products & u128::from(u64::MAX), products >> 64, mxcsr);
    (shufpd(sum, sum, 0) & lane_mask(imm, 2), first << OVER | second)
}
