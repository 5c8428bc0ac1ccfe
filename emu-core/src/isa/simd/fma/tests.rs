//! The integer implementation against the host's instructions: results, NaN payloads and flags, under every MXCSR.

use super::KERNELS;
use crate::isa::simd::mxcsr::{DAZ, FTZ, INITIAL, RC, UE};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    /// A number of a format with `exponent` and `fraction` bits: edges, neighbours of them, few or many bits set.
    fn number(&mut self, exponent: u32, fraction: u32) -> u64 {
        let most = (1u64 << exponent) - 1;
        let bias = most >> 1;
        let e = match self.below(8) {
            0 => 0,
            1 => most,
            2 => 1 + self.below(3),
            3 => most - 1 - self.below(3),
            4 => bias / 2 + self.below(u64::from(fraction)),
            5 => self.below(most),
            _ => bias - 30 + self.below(60),
        };
        let mask = (1u64 << fraction) - 1;
        let f = match self.below(6) {
            0 => 0,
            1 => 1 << self.below(fraction.into()),
            2 => mask,
            3 => mask << self.below(fraction.into()) & mask,
            _ => self.next() & mask,
        };
        (self.next() & 1) << (exponent + fraction) | e << fraction | f
    }

    fn vector(&mut self, single: bool) -> u128 {
        if single {
            (0..4).fold(0, |v, _| v << 32 | u128::from(self.number(8, 23)))
        } else {
            u128::from(self.number(11, 52)) << 64 | u128::from(self.number(11, 52))
        }
    }
}

/// A z that nearly cancels x * y, lane by lane.
fn opposite(x: u128, y: u128, single: bool) -> u128 {
    if single {
        let lane = |v: u128, n: u32| f32::from_bits((v >> (32 * n)) as u32);
        (0..4).fold(0, |r, n| r | u128::from((-lane(x, n) * lane(y, n)).to_bits()) << (32 * n))
    } else {
        let lane = |v: u128, n: u32| f64::from_bits((v >> (64 * n)) as u64);
        (0..2).fold(0, |r, n| r | u128::from((-lane(x, n) * lane(y, n)).to_bits()) << (64 * n))
    }
}

#[test]
fn integers_agree_with_the_instructions() {
    if !is_x86_feature_detected!("fma") {
        return;
    }
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for (name, native, soft) in KERNELS {
        let single = name.ends_with("ps") || name.ends_with("ss");
        for _ in 0..50_000 {
            let (x, y) = (random.vector(single), random.vector(single));
            let z = if random.below(4) == 0 { opposite(x, y, single) } else { random.vector(single) };
            let mxcsr = INITIAL ^ (random.next() as u32 & (RC | FTZ | DAZ | UE << 7));
            let (expected, got) = (native(x, y, z, mxcsr), soft(x, y, z, mxcsr));
            assert_eq!(
                got, expected,
                "{name} x {x:032X} y {y:032X} z {z:032X} mxcsr {mxcsr:X}: {:032X} {:032X}",
                got.0, expected.0
            );
        }
    }
}

#[test]
fn what_is_decided_at_once_is_right() {
    use super::{ordinary, soft};
    use crate::isa::simd::mxcsr::PE;
    if !is_x86_feature_detected!("fma") {
        return;
    }
    let mut random = Random(7);
    let mut decided = 0;
    for n in 0..200_000u32 {
        let single = n & 1 != 0;
        // Equal lanes: all of them are decided, or none.
        let mut vector = || match random.below(4) {
            0 => random.vector(single),
            _ if single => {
                (random.next() as u128 & 0x8007_FFFF | 0x3F80_0000) * ((1 << 96 | 1 << 64) + (1 << 32 | 1))
            }
            _ => (random.next() as u128 & 0x800F_FFFF_FFFF_FFFF | 0x3FF0_0000_0000_0000) * (1 << 64 | 1),
        };
        let (x, y, z) = (vector(), vector(), vector());
        let (swift, exact) = if single {
            (ordinary::vfnmadd231ps(x, y, z), soft::vfnmadd231ps(x, y, z, INITIAL))
        } else {
            (ordinary::vfmsubadd231pd(x, y, z), soft::vfmsubadd231pd(x, y, z, INITIAL))
        };
        if let Some(result) = swift {
            assert_eq!((result, 0), (exact.0, exact.1 & !PE), "x {x:032X} y {y:032X} z {z:032X}");
            decided += 1;
        }
    }
    assert!(decided > 10_000, "decided {decided} times");
}
