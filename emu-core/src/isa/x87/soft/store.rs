//! Stores: to the IEEE formats of memory, and to integers.

use super::*;

/// Fraction bits below the integer bit, and the largest biased exponent.
pub(super) struct Binary754 {
    pub(super) fraction: u32,
    pub(super) max: i32,
}

pub(super) fn store_float(env: Env, a: &F80, to: &Binary754) -> Stored<u64> {
    let sign = u64::from(a.negative()) << (to.fraction + to.max.count_ones());
    let infinite = (to.max as u64) << to.fraction;
    let stored = |bits: u64, status: u16| Stored { bits, status };
    match a.class() {
        Class::Unsupported => return stored(infinite | 1 << (to.fraction - 1) | infinite_sign(to), IE),
        Class::Nan => {
            let status = if a.is_signaling() { IE } else { 0 };
            let payload = (a.significand | QUIET) << 1 >> (64 - to.fraction);
            return stored(sign | infinite | payload, status);
        }
        Class::Infinity => return stored(sign | infinite, 0),
        Class::Zero => return stored(sign, 0),
        Class::Normal | Class::Denormal => {}
    }
    let x = Finite::of(a);
    let exponent = x.exponent - BIAS + (to.max >> 1);
    let wide = u128::from(x.significand) << 64;
    let rounded = round_at(wide, to.fraction + 1, x.negative, env.rounding());
    let final_exponent = exponent + i32::from(rounded.carry);
    if final_exponent >= to.max {
        let away = match env.rounding() {
            Rounding::Nearest => true,
            Rounding::Down => x.negative,
            Rounding::Up => !x.negative,
            Rounding::Zero => false,
        };
        if !env.masked(OE) {
            return stored(0, OE);
        }
        return stored(
            sign | if away { infinite } else { infinite - 1 },
            OE | PE | if away { C1 } else { 0 },
        );
    }
    if exponent >= 1 {
        let significand = if rounded.carry { INTEGER } else { rounded.significand };
        let fraction = significand << 1 >> (64 - to.fraction);
        return stored(sign | (final_exponent as u64) << to.fraction | fraction, inexact(&rounded));
    }
    if final_exponent < 1 && !env.masked(UE) {
        return stored(0, UE);
    }
    let small = shift_sticky(wide, (1 - exponent) as u32);
    let denormal = round_at(small, to.fraction + 1, x.negative, env.rounding());
    let tiny = final_exponent < 1 && denormal.inexact;
    let bits = denormal.significand >> (63 - to.fraction);
    stored(sign | bits, inexact(&denormal) | if tiny { UE } else { 0 })
}

/// The default NaN is negative.
pub(super) fn infinite_sign(to: &Binary754) -> u64 {
    1 << (to.fraction + to.max.count_ones())
}

/// Rounded to a signed integer of `bits` bits, or None.
pub(super) fn to_integer(env: Env, a: &F80, bits: u32, truncate: bool) -> Option<(i64, u16)> {
    match a.class() {
        Class::Zero => return Some((0, 0)),
        Class::Normal | Class::Denormal => {}
        Class::Unsupported | Class::Nan | Class::Infinity => return None,
    }
    let x = Finite::of(a);
    let rounding = if truncate { Rounding::Zero } else { env.rounding() };
    let (magnitude, status) = integer(x, rounding)?;
    let limit = 1u64 << (bits - 1);
    match (x.negative, magnitude) {
        (true, m) if m <= limit => Some(((m as i64).wrapping_neg(), status)),
        (false, m) if m < limit => Some((m as i64, status)),
        _ => None,
    }
}

pub(super) fn store_integer(env: Env, a: &F80, bits: u32, truncate: bool) -> Stored<u64> {
    let mask = u64::MAX >> (64 - bits);
    match to_integer(env, a, bits, truncate) {
        Some((value, status)) => Stored { bits: value as u64 & mask, status },
        None => Stored { bits: 1 << (bits - 1), status: IE },
    }
}
