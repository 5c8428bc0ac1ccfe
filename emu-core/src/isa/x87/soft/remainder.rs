//! FSCALE, FPREM, FPREM1.

use super::*;

pub(super) fn scale(env: Env, a: &F80, b: &F80) -> Outcome {
    let up = !b.negative();
    if is_infinite(b) {
        match (a.class(), up) {
            (Class::Zero, true) | (Class::Infinity, false) => return invalid(),
            _ => {}
        }
        return after_denormal(env, denormal_flag(a, b), || {
            done(if up { infinity(a.negative()) } else { zero(a.negative()) }, 0)
        });
    }
    after_denormal(env, denormal_flag(a, b), || {
        if is_zero(a) || is_infinite(a) {
            return done(*a, 0);
        }
        let mut wide = Finite::of(a).wide();
        if !is_zero(b) {
            let y = Finite::of(b);
            // Beyond 2^17 every result overflows or underflows.
            let by = match y.exponent - BIAS {
                above @ 0..=16 => (y.significand >> (63 - above)) as i32,
                ..0 => 0,
                _ => 1 << 17,
            };
            wide.exponent += if y.negative { -by } else { by };
        }
        finish_at(env, wide, 64)
    })
}

/// Quotient bits in C0 (Q2), C3 (Q1) and C1 (Q0).
pub(super) fn quotient_bits(quotient: u64) -> u16 {
    let bit = |n: u32, condition: u16| if quotient >> n & 1 != 0 { condition } else { 0 };
    bit(2, C0) | bit(1, C3) | bit(0, C1)
}

pub(super) fn remainder(env: Env, a: &F80, b: &F80, nearest: bool) -> Outcome {
    if is_infinite(a) || is_zero(b) {
        return invalid();
    }
    after_denormal(env, denormal_flag(a, b), || {
        if is_zero(a) {
            return done(*a, 0);
        }
        if is_infinite(b) {
            return exact(env, Finite::of(a), 0);
        }
        let (x, y) = (Finite::of(a), Finite::of(b));
        let distance = x.exponent - y.exponent;
        if distance >= 64 {
            // Reduce by 32 to 63 bits and say that it is not finished (Intel SDM Vol. 2, "FPREM").
            let step = (distance as u32 % 32) + 32;
            let (_, rest) = divide_bits(x.significand, y.significand, step);
            return sized(env, x.negative, rest, x.exponent - step as i32, C2);
        }
        if distance < -1 || (distance < 0 && !nearest) {
            return exact(env, x, 0);
        }
        complete(env, x, y, distance, nearest)
    })
}

pub(super) fn any_remainder(env: Env, a: &F80, b: &F80, nearest: bool) -> Outcome {
    let mut outcome = special(a, b).unwrap_or_else(|| remainder(env, a, b, nearest));
    if outcome.value.is_nan() {
        outcome.status |= env.status & (C3 | C0); // left as they were
    }
    outcome
}

/// Quotient (its low 64 bits) and remainder of (a x 2^shift) / b.
pub(super) fn divide_bits(a: u64, b: u64, shift: u32) -> (u64, u64) {
    let divisor = u128::from(b);
    let dividend = u128::from(a) << shift;
    ((dividend / divisor) as u64, (dividend % divisor) as u64)
}

pub(super) fn complete(env: Env, x: Finite, y: Finite, distance: i32, nearest: bool) -> Outcome {
    // In units of the smaller exponent's last place: distance is -1 (nearest only) or 0 to 63.
    let (quotient, rest, divisor) = if distance < 0 {
        (0, u128::from(x.significand), u128::from(y.significand) << 1)
    } else {
        let (quotient, rest) = divide_bits(x.significand, y.significand, distance as u32);
        (quotient, u128::from(rest), u128::from(y.significand))
    };
    let exponent = x.exponent.min(y.exponent);
    let above = rest * 2 > divisor || (rest * 2 == divisor && quotient & 1 != 0);
    let (quotient, rest, negative) = if nearest && above {
        (quotient.wrapping_add(1), divisor - rest, !x.negative)
    } else {
        (quotient, rest, x.negative)
    };
    sized(env, negative, rest as u64, exponent, quotient_bits(quotient))
}

/// `rest` x 2^(exponent - BIAS - 63), exactly.
pub(super) fn sized(env: Env, negative: bool, rest: u64, exponent: i32, status: u16) -> Outcome {
    if rest == 0 {
        return done(zero(negative), status);
    }
    let shift = rest.leading_zeros();
    exact(env, Finite { negative, exponent: exponent - shift as i32, significand: rest << shift }, status)
}

/// An exact result at full precision; C1 is a quotient bit, not a rounding.
pub(super) fn exact(env: Env, x: Finite, status: u16) -> Outcome {
    let mut outcome = finish_at(env, x.wide(), 64);
    outcome.status |= status;
    outcome
}
