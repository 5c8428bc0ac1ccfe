//! Wherever these functions decide, the exact ones give the same and raise nothing but PE; and they do decide.

use super::*;
use crate::isa::simd::mxcsr::{INITIAL, PE};
use crate::isa::simd::{convert, float, host};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Mostly in the middle, with zeros, and the two ends of the range.
    fn lane(&mut self, exponent: u32, fraction: u32) -> u64 {
        let most = (1u64 << exponent) - 1;
        let e = match self.next() >> 32 & 31 {
            0 => return (self.next() & 1) << (exponent + fraction),
            1 => self.next() % 4,
            2 => most - self.next() % 4,
            3 => most / 2 - u64::from(fraction),
            _ => most / 2 - 8 + self.next() % 16,
        };
        (self.next() & 1) << (exponent + fraction) | e << fraction | self.next() & ((1 << fraction) - 1)
    }

    fn vector<F: Layout>(&mut self) -> u128 {
        let exponent = F::BITS - 1 - F::FRACTION;
        (0..F::LANES).fold(0, |v, n| v | u128::from(self.lane(exponent, F::FRACTION)) << (n * F::BITS))
    }
}

type Swift = fn(u128, u128) -> Option<u128>;
type Exact = fn(u128, u128, u32) -> (u128, u32);

/// Checks one pair of functions on 20 000 random vectors.
fn agree<F: Layout>(name: &str, swift: Swift, exact: Exact) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut decided = 0;
    for _ in 0..20_000 {
        let (a, b) = (random.vector::<F>(), random.vector::<F>());
        if let Some(result) = swift(a, b) {
            let (expected, raised) = exact(a, b, INITIAL);
            assert_eq!(result, expected, "{name} {a:032X} {b:032X}");
            assert_eq!(raised & !PE, 0, "{name} {a:032X} {b:032X}");
            decided += 1;
        }
    }
    assert!(decided > 1000, "{name} decided {decided} times");
}

#[test]
fn singles_agree_with_the_exact_functions() {
    let cases: [(&str, Swift, Exact); 10] = [
        ("addps", addps, host::addps),
        ("subps", subps, host::subps),
        ("mulps", mulps, host::mulps),
        ("divps", divps, host::divps),
        ("sqrtps", sqrtps, host::sqrtps),
        ("minps", minps, float::min::<Single, 4>),
        ("maxps", maxps, float::max::<Single, 4>),
        ("cvtdq2ps", cvtdq2ps, host::cvtdq2ps),
        ("cvtps2dq", cvtps2dq, convert::cvtps2dq),
        ("cvttps2dq", cvttps2dq, convert::cvttps2dq),
    ];
    for (name, swift, exact) in cases {
        agree::<Single>(name, swift, exact);
    }
}

#[test]
fn doubles_agree_with_the_exact_functions() {
    let cases: [(&str, Swift, Exact); 7] = [
        ("addpd", addpd, host::addpd),
        ("subpd", subpd, host::subpd),
        ("mulpd", mulpd, host::mulpd),
        ("divpd", divpd, host::divpd),
        ("sqrtpd", sqrtpd, host::sqrtpd),
        ("minpd", minpd, float::min::<Double, 2>),
        ("maxpd", maxpd, float::max::<Double, 2>),
    ];
    for (name, swift, exact) in cases {
        agree::<Double>(name, swift, exact);
    }
}

#[test]
fn comparisons_agree_with_the_exact_function() {
    let mut random = Random(1);
    for n in 0..20_000 {
        let (a, imm) = (random.vector::<Single>(), n as u8 & 31);
        let b = if n & 32 != 0 { a } else { random.vector::<Single>() };
        if let Some(result) = cmpps(a, b, imm) {
            assert_eq!((result, 0), float::vcmp::<Single, 4>(a, b, imm, INITIAL), "{a:032X} {b:032X} {imm}");
        }
        let (a, b) = (random.vector::<Double>(), random.vector::<Double>());
        if let Some(result) = cmppd(a, b, imm) {
            assert_eq!((result, 0), float::vcmp::<Double, 2>(a, b, imm, INITIAL), "{a:032X} {b:032X} {imm}");
        }
    }
}
