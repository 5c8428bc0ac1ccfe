//! Operations on one operand: square root, rounding to integer, extraction.

use super::*;

pub(super) fn square_root(env: Env, a: &F80) -> Outcome {
    match a.class() {
        Class::Zero => return done(*a, 0),
        _ if a.negative() => return invalid(),
        Class::Infinity => return done(*a, 0),
        _ => {}
    }
    after_denormal(env, denormal_flag(a, a), || {
        let x = Finite::of(a);
        let odd = (x.exponent - BIAS).rem_euclid(2);
        let radicand = u128::from(x.significand) << (63 + odd);
        let root = radicand.isqrt();
        let rest = radicand - root * root;
        // The next bit of the root is set if the radicand is above (root + 1/2)^2.
        let below = match (rest, rest > root) {
            (0, _) => 0,
            (_, false) => 1,
            (_, true) => 3 << 62,
        };
        let exponent = (x.exponent - BIAS - odd) / 2 + BIAS;
        finish(env, Wide { negative: false, exponent, significand: root << 64 | below })
    })
}

/// Magnitude rounded to an integer, if it is below 2^64.
pub(super) fn integer(x: Finite, rounding: Rounding) -> Option<(u64, u16)> {
    let above = x.exponent - BIAS - 63;
    if above > 0 {
        return None;
    }
    let aligned = shift_sticky(u128::from(x.significand) << 64, above.unsigned_abs());
    let rounded = round_at(aligned, 64, x.negative, rounding);
    if rounded.carry { None } else { Some((rounded.significand, inexact(&rounded))) }
}

pub(super) fn round_to_integer(env: Env, a: &F80) -> Outcome {
    if is_zero(a) || is_infinite(a) {
        return done(*a, 0);
    }
    after_denormal(env, denormal_flag(a, a), || {
        let x = Finite::of(a);
        if x.exponent - BIAS >= 63 {
            return done(*a, 0);
        }
        let Some((magnitude, status)) = integer(x, env.rounding()) else { return done(*a, 0) };
        let value = F80::from_i64(magnitude as i64);
        let value = if magnitude >> 63 != 0 { F80::new((BIAS + 63) as u16, magnitude) } else { value };
        let sign = if x.negative { SIGN } else { 0 };
        done(F80::new(value.biased() | sign, value.significand), status)
    })
}

pub(super) fn extract(env: Env, a: &F80) -> Pair {
    let both = |top: F80, next: F80, status| Pair { top, next, status };
    match a.class() {
        Class::Unsupported => return both(F80::INDEFINITE, F80::INDEFINITE, IE),
        Class::Nan => {
            let status = if a.is_signaling() { IE } else { 0 };
            return both(a.quieted(), a.quieted(), status);
        }
        Class::Infinity => return both(*a, infinity(false), 0),
        Class::Zero => return both(*a, infinity(true), ZE),
        Class::Normal | Class::Denormal => {}
    }
    if a.class() == Class::Denormal && !env.masked(DE) {
        return both(*a, *a, DE);
    }
    let x = Finite::of(a);
    let exponent = F80::from_i64(i64::from(x.exponent - BIAS));
    both(image(x.negative, BIAS, x.significand), exponent, denormal_flag(a, a))
}
