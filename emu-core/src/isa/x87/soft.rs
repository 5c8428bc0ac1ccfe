//! The portable [`Unit`]: IEEE 754 on 64-bit significands in integers, for hosts without an x87.
//!
//! Sums, products, quotients, square roots, comparisons, remainders, scaling, conversions and their flags equal the
//! silicon's bit for bit (the tests compare them). The transcendental functions go through `f64` and are good to
//! about 50 bits only, with PE always set; FSIN and its like reduce large arguments with `f64`'s pi.

mod remainder;
mod store;
mod unary;

use remainder::*;
use store::*;
use unary::*;

use super::f80::{BIAS, INTEGER, MAX_EXPONENT, QUIET, SIGN};
use super::status::{C0, C1, C2, C3, DE, EXCEPTIONS, IE, OE, PE, UE, ZE};
use super::{Binary, Class, Env, Format, Outcome, Pair, Split, Stored, Unary, Unit, control};
use crate::vcpu::F80;
use std::cmp::Ordering;

/// The unit without silicon.
pub struct Soft;

/// How far OE and UE, unmasked, move the exponent of a register result (Intel SDM Vol. 1 8.5.4).
const UNMASKED_BIAS: i32 = 24576;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounding {
    Nearest,
    Down,
    Up,
    Zero,
}

impl Env {
    fn rounding(self) -> Rounding {
        match (self.control >> control::RC_SHIFT) & 3 {
            0 => Rounding::Nearest,
            1 => Rounding::Down,
            2 => Rounding::Up,
            _ => Rounding::Zero,
        }
    }

    /// Significand bits.
    fn precision(self) -> u32 {
        match (self.control >> control::PC_SHIFT) & 3 {
            0 => 24,
            2 => 53,
            _ => 64,
        }
    }

    fn masked(self, exception: u16) -> bool {
        self.control & exception != 0
    }
}

/// A finite value other than zero: `significand` x 2^(exponent - BIAS - 63), integer bit set.
#[derive(Clone, Copy)]
struct Finite {
    negative: bool,
    exponent: i32,
    significand: u64,
}

impl Finite {
    /// Of a normal or denormal number.
    fn of(value: &F80) -> Self {
        let shift = value.significand.leading_zeros();
        Self {
            negative: value.negative(),
            exponent: i32::from(value.biased()).max(1) - shift as i32,
            significand: value.significand << shift,
        }
    }

    fn wide(self) -> Wide {
        Wide {
            negative: self.negative,
            exponent: self.exponent,
            significand: u128::from(self.significand) << 64,
        }
    }
}

/// A result before rounding: 64 more bits, the lowest of them sticky. The top bit is set.
#[derive(Clone, Copy)]
struct Wide {
    negative: bool,
    exponent: i32,
    significand: u128,
}

impl Wide {
    /// Moves the leading one to the top.
    fn normalized(negative: bool, exponent: i32, significand: u128) -> Self {
        let shift = significand.leading_zeros();
        Self { negative, exponent: exponent - shift as i32, significand: significand << shift }
    }
}

/// Right shift that keeps a trace of what falls off.
fn shift_sticky(value: u128, by: u32) -> u128 {
    match by {
        0 => value,
        1..=127 => value >> by | u128::from(value << (128 - by) != 0),
        _ => u128::from(value != 0),
    }
}

/// Significand, carry out of the top bit, inexact, rounded away from zero.
struct Rounded {
    significand: u64,
    carry: bool,
    inexact: bool,
    up: bool,
}

/// Rounds the top `precision` bits of a 128-bit significand, which need not be normalised.
fn round_at(significand: u128, precision: u32, negative: bool, rounding: Rounding) -> Rounded {
    let dropped = 128 - precision;
    let unit = 1u128 << dropped;
    let rest = significand & (unit - 1);
    let half = unit >> 1;
    let kept = significand - rest;
    let up = rest != 0
        && match rounding {
            Rounding::Nearest => rest > half || (rest == half && kept & unit != 0),
            Rounding::Down => negative,
            Rounding::Up => !negative,
            Rounding::Zero => false,
        };
    let (sum, carry) = kept.overflowing_add(if up { unit } else { 0 });
    Rounded { significand: (sum >> 64) as u64, carry, inexact: rest != 0, up }
}

fn image(negative: bool, exponent: i32, significand: u64) -> F80 {
    F80::new(if negative { SIGN } else { 0 } | (exponent as u16 & MAX_EXPONENT), significand)
}

fn infinity(negative: bool) -> F80 {
    image(negative, i32::from(MAX_EXPONENT), INTEGER)
}

fn zero(negative: bool) -> F80 {
    image(negative, 0, 0)
}

fn done(value: F80, status: u16) -> Outcome {
    Outcome { value, status }
}

fn inexact(rounded: &Rounded) -> u16 {
    let (inexact, up) = (if rounded.inexact { PE } else { 0 }, if rounded.up { C1 } else { 0 });
    inexact | up
}

/// Rounds to the precision in the control word, with overflow and underflow.
fn finish(env: Env, wide: Wide) -> Outcome {
    finish_at(env, wide, env.precision())
}

fn finish_at(env: Env, wide: Wide, precision: u32) -> Outcome {
    let negative = wide.negative;
    let rounded = round_at(wide.significand, precision, negative, env.rounding());
    let exponent = wide.exponent + i32::from(rounded.carry);
    let significand = if rounded.carry { INTEGER } else { rounded.significand };
    let status = inexact(&rounded);
    if exponent >= i32::from(MAX_EXPONENT) {
        return overflow(env, negative, exponent, significand, status, precision);
    }
    if exponent >= 1 && wide.exponent >= 1 {
        return done(image(negative, exponent, significand), status);
    }
    if exponent < 1 && !env.masked(UE) {
        return biased(negative, exponent, significand, status | UE);
    }
    let small = shift_sticky(wide.significand, (1 - wide.exponent) as u32);
    let denormal = round_at(small, precision, negative, env.rounding());
    let normal = denormal.significand & INTEGER != 0;
    let tiny = exponent < 1 && denormal.inexact;
    let value = image(negative, i32::from(normal), denormal.significand);
    done(value, inexact(&denormal) | if tiny { UE } else { 0 })
}

/// The result of OE or UE unmasked. FSCALE can exceed even the bias (Intel SDM Vol. 1 8.5.4, 8.5.5).
fn biased(negative: bool, exponent: i32, significand: u64, status: u16) -> Outcome {
    let moved = if status & UE != 0 { exponent + UNMASKED_BIAS } else { exponent - UNMASKED_BIAS };
    if moved >= i32::from(MAX_EXPONENT) {
        return done(infinity(negative), status | PE | C1);
    }
    if moved < 1 {
        return done(zero(negative), status | PE);
    }
    done(image(negative, moved, significand), status)
}

fn overflow(
    env: Env,
    negative: bool,
    exponent: i32,
    significand: u64,
    status: u16,
    precision: u32,
) -> Outcome {
    if !env.masked(OE) {
        return biased(negative, exponent, significand, status | OE);
    }
    let away = match env.rounding() {
        Rounding::Nearest => true,
        Rounding::Down => negative,
        Rounding::Up => !negative,
        Rounding::Zero => false,
    };
    if away {
        return done(infinity(negative), OE | PE | C1);
    }
    let largest = u64::MAX << (64 - precision);
    done(image(negative, i32::from(MAX_EXPONENT) - 1, largest), OE | PE)
}

fn invalid() -> Outcome {
    done(F80::INDEFINITE, IE)
}

// ---- operands --------------------------------------------------------------------------------------------------

/// The result if an operand is a NaN or unsupported (Intel SDM Vol. 1 table 4-7).
fn special(a: &F80, b: &F80) -> Option<Outcome> {
    if a.class() == Class::Unsupported || b.class() == Class::Unsupported {
        return Some(invalid());
    }
    let value = match (a.is_nan(), b.is_nan()) {
        (false, false) => return None,
        (true, false) => *a,
        (false, true) => *b,
        (true, true) => choose_nan(a, b),
    };
    let signal = a.is_signaling() || b.is_signaling();
    Some(done(value.quieted(), if signal { IE } else { 0 }))
}

/// A quiet NaN before a signaling one, then the larger significand, then the positive one.
fn choose_nan(a: &F80, b: &F80) -> F80 {
    match (a.is_signaling(), b.is_signaling()) {
        (true, false) => return *b,
        (false, true) => return *a,
        _ => {}
    }
    match a.significand.cmp(&b.significand) {
        Ordering::Greater => *a,
        Ordering::Less => *b,
        Ordering::Equal => F80::new(a.exponent & b.exponent, a.significand),
    }
}

fn denormal_flag(a: &F80, b: &F80) -> u16 {
    if a.class() == Class::Denormal || b.class() == Class::Denormal { DE } else { 0 }
}

/// Adds the denormal-operand flag. Unmasked it comes before any result.
fn after_denormal(env: Env, flag: u16, result: impl FnOnce() -> Outcome) -> Outcome {
    if flag != 0 && !env.masked(DE) {
        return done(F80::INDEFINITE, DE);
    }
    let mut outcome = result();
    outcome.status |= flag;
    outcome
}

fn negated(value: &F80) -> F80 {
    F80::new(value.exponent ^ SIGN, value.significand)
}

fn is_zero(value: &F80) -> bool {
    value.class() == Class::Zero
}

fn is_infinite(value: &F80) -> bool {
    value.class() == Class::Infinity
}

// ---- the four operations ---------------------------------------------------------------------------------------

/// `b` has the sign that counts; NaNs are dealt with.
fn add(env: Env, a: &F80, b: &F80) -> Outcome {
    match (is_infinite(a), is_infinite(b)) {
        (true, true) if a.negative() != b.negative() => return invalid(),
        (true, false) if !is_infinite(b) => {
            return after_denormal(env, denormal_flag(a, b), || done(*a, 0));
        }
        (true, _) => return done(*a, 0),
        (false, true) => return after_denormal(env, denormal_flag(a, b), || done(*b, 0)),
        (false, false) => {}
    }
    after_denormal(env, denormal_flag(a, b), || match (is_zero(a), is_zero(b)) {
        (true, true) if a.negative() == b.negative() => done(*a, 0),
        (true, true) => done(zero(env.rounding() == Rounding::Down), 0),
        (true, false) => finish(env, Finite::of(b).wide()),
        (false, true) => finish(env, Finite::of(a).wide()),
        (false, false) => add_finite(env, Finite::of(a), Finite::of(b)),
    })
}

fn add_finite(env: Env, a: Finite, b: Finite) -> Outcome {
    let (large, small) =
        if (a.exponent, a.significand) >= (b.exponent, b.significand) { (a, b) } else { (b, a) };
    let wide = u128::from(large.significand) << 63;
    let distance = large.exponent.abs_diff(small.exponent);
    let aligned = shift_sticky(u128::from(small.significand) << 63, distance);
    let sum = if large.negative == small.negative { wide + aligned } else { wide - aligned };
    if sum == 0 {
        return done(zero(env.rounding() == Rounding::Down), 0);
    }
    finish(env, Wide::normalized(large.negative, large.exponent + 1, sum))
}

fn multiply(env: Env, a: &F80, b: &F80) -> Outcome {
    let negative = a.negative() != b.negative();
    let (zeros, infinities) = (is_zero(a) || is_zero(b), is_infinite(a) || is_infinite(b));
    if zeros && infinities {
        return invalid();
    }
    after_denormal(env, denormal_flag(a, b), || {
        if infinities {
            return done(infinity(negative), 0);
        }
        if zeros {
            return done(zero(negative), 0);
        }
        let (x, y) = (Finite::of(a), Finite::of(b));
        let product = u128::from(x.significand) * u128::from(y.significand);
        finish(env, Wide::normalized(negative, x.exponent + y.exponent - BIAS + 1, product))
    })
}

fn divide(env: Env, a: &F80, b: &F80) -> Outcome {
    let negative = a.negative() != b.negative();
    match (is_infinite(a), is_infinite(b), is_zero(a), is_zero(b)) {
        (true, true, ..) | (_, _, true, true) => return invalid(),
        (false, _, false, true) => return done(infinity(negative), ZE),
        _ => {}
    }
    after_denormal(env, denormal_flag(a, b), || {
        if is_infinite(a) {
            return done(infinity(negative), 0);
        }
        if is_zero(a) || is_infinite(b) {
            return done(zero(negative), 0);
        }
        let (x, y) = (Finite::of(a), Finite::of(b));
        let below = x.significand < y.significand;
        let divisor = u128::from(y.significand);
        let dividend = u128::from(x.significand) << (63 + u32::from(below));
        let (high, rest) = (dividend / divisor, (dividend % divisor) << 64);
        let sticky = u128::from(rest % divisor != 0);
        let significand = (high << 64) | (rest / divisor) | sticky;
        let exponent = x.exponent - y.exponent + BIAS - i32::from(below);
        finish(env, Wide { negative, exponent, significand })
    })
}

// ---- transcendentals -------------------------------------------------------------------------------------------

/// Nearest `f64`, for functions that are computed there.
fn to_f64(a: &F80) -> f64 {
    let env = Env { control: 0x037F, status: 0 };
    f64::from_bits(store_float(env, a, &DOUBLE).bits)
}

const SINGLE: Binary754 = Binary754 { fraction: 23, max: 0xFF };
const DOUBLE: Binary754 = Binary754 { fraction: 52, max: 0x7FF };

/// Wraps a function that goes through `f64`: NaNs, DE, and PE unless the result is exact by definition.
fn approximate(env: Env, a: &F80, b: &F80, f: impl FnOnce(f64, f64) -> f64) -> Outcome {
    if let Some(outcome) = special(a, b) {
        return outcome;
    }
    after_denormal(env, denormal_flag(a, b), || {
        let value = f(to_f64(a), to_f64(b));
        if value.is_nan() {
            return invalid();
        }
        let exact = value == 0.0 || value.is_infinite();
        done(F80::from_f64(value.to_bits()), if exact { 0 } else { PE })
    })
}

/// FSIN, FCOS, FPTAN: arguments of 2^63 and more are left alone, with C2 set.
fn out_of_range(a: &F80) -> bool {
    matches!(a.class(), Class::Normal) && i32::from(a.biased()) - BIAS >= 63
}

fn circular(env: Env, a: &F80, f: impl FnOnce(f64) -> f64) -> Outcome {
    if out_of_range(a) { done(*a, C2) } else { approximate(env, a, &F80::ZERO, |x, _| f(x)) }
}

impl Unit for Soft {
    fn unary(op: Unary, env: Env, a: &F80) -> Outcome {
        match op {
            Unary::Sqrt => special(a, &F80::ZERO).unwrap_or_else(|| square_root(env, a)),
            Unary::RoundToInteger => special(a, &F80::ZERO).unwrap_or_else(|| round_to_integer(env, a)),
            Unary::Exp2m1 => approximate(env, a, &F80::ZERO, |x, _| (x * std::f64::consts::LN_2).exp_m1()),
            Unary::Sin => circular(env, a, f64::sin),
            Unary::Cos => circular(env, a, f64::cos),
        }
    }

    fn binary(op: Binary, env: Env, a: &F80, b: &F80) -> Outcome {
        match op {
            Binary::YLog2X => approximate(env, a, b, |x, y| y * x.log2()),
            Binary::YLog2Xp1 => approximate(env, a, b, |x, y| y * (x.ln_1p() / std::f64::consts::LN_2)),
            Binary::Atan => approximate(env, a, b, |x, y| y.atan2(x)),
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div => {
                special(a, b).unwrap_or_else(|| match op {
                    Binary::Add => add(env, a, b),
                    Binary::Sub => add(env, a, &negated(b)),
                    Binary::Mul => multiply(env, a, b),
                    _ => divide(env, a, b),
                })
            }
            Binary::Scale => special(a, b).unwrap_or_else(|| scale(env, a, b)),
            Binary::Remainder => any_remainder(env, a, b, false),
            Binary::IeeeRemainder => any_remainder(env, a, b, true),
        }
    }

    fn split(op: Split, env: Env, a: &F80) -> Pair {
        let with = |top: F80, next: Outcome| Pair { top, next: next.value, status: next.status };
        match op {
            Split::Extract => extract(env, a),
            _ if out_of_range(a) => Pair { top: *a, next: *a, status: C2 },
            Split::Tan => {
                let tangent = circular(env, a, f64::tan);
                with(if tangent.value.is_nan() { tangent.value } else { F80::ONE }, tangent)
            }
            Split::SinCos => with(circular(env, a, f64::cos).value, circular(env, a, f64::sin)),
        }
    }

    fn compare(quiet: bool, _: Env, a: &F80, b: &F80) -> u16 {
        if let Some(outcome) = special(a, b) {
            return C3 | C2 | C0 | if quiet { outcome.status & EXCEPTIONS } else { IE };
        }
        let order = match order(a).cmp(&order(b)) {
            Ordering::Greater => 0,
            Ordering::Less => C0,
            Ordering::Equal => C3,
        };
        order | denormal_flag(a, b)
    }

    fn store(format: Format, env: Env, a: &F80) -> Stored<u64> {
        match format {
            Format::F32 => store_float(env, a, &SINGLE),
            Format::F64 => store_float(env, a, &DOUBLE),
            Format::I16 => store_integer(env, a, 16, false),
            Format::I32 => store_integer(env, a, 32, false),
            Format::I64 => store_integer(env, a, 64, false),
            Format::Truncated16 => store_integer(env, a, 16, true),
            Format::Truncated32 => store_integer(env, a, 32, true),
            Format::Truncated64 => store_integer(env, a, 64, true),
        }
    }

    fn store_bcd(env: Env, a: &F80) -> Stored<u128> {
        const INDEFINITE: u128 = 0xFFFF_C000_0000_0000_0000;
        const LIMIT: u64 = 1_000_000_000_000_000_000;
        let Some((value, status)) = to_integer(env, a, 64, false).filter(|(v, _)| v.unsigned_abs() < LIMIT)
        else {
            return Stored { bits: INDEFINITE, status: IE };
        };
        let mut left = value.unsigned_abs();
        let digits = (0..18).fold(0u128, |bcd, digit| {
            let bcd = bcd | u128::from(left % 10) << (4 * digit);
            left /= 10;
            bcd
        });
        Stored { bits: digits | u128::from(a.negative()) << 79, status }
    }
}

/// A key that orders all numbers; both zeros are equal.
fn order(value: &F80) -> i128 {
    let magnitude = match value.class() {
        Class::Zero => 0,
        Class::Infinity => i128::MAX,
        _ => {
            let x = Finite::of(value);
            i128::from(x.exponent + 64) << 64 | i128::from(x.significand)
        }
    };
    if value.negative() { -magnitude } else { magnitude }
}
