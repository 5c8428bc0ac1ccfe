//! Random choices, reproducible from a seed, and the values that instructions are tried with: the edges of each
//! format more often than chance would have them.

use emu_core::vcpu::F80;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// 64 random bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// 0 to `bound` - 1; `bound` is at most 2³² and not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((self.word() >> 32) * bound) >> 32
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, which are not empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.word()) << 64 | u128::from(self.word())
    }
}

/// What a register or memory operand is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// An integer of this many bytes: 1, 2, 4, 8.
    Int(u8),
    F16,
    F32,
    F64,
    F80,
    /// 18 packed decimal digits and a sign.
    Bcd,
    /// Bytes of a small alphabet, zero among them.
    Text,
}

impl Element {
    /// In bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Int(size) => usize::from(size),
            Self::F16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::F80 | Self::Bcd => 10,
            Self::Text => 1,
        }
    }

    /// A value, in the low bits.
    pub fn value(self, rng: &mut Rng) -> u128 {
        match self {
            Self::Int(size) => u128::from(integer(rng, u32::from(size) * 8)),
            Self::F16 => u128::from(float(rng, 5, 10)),
            Self::F32 => u128::from(float(rng, 8, 23)),
            Self::F64 => u128::from(float(rng, 11, 52)),
            Self::F80 => bits80(f80(rng)),
            Self::Bcd => bcd(rng),
            Self::Text => u128::from(rng.pick(b"\0abbc\x80\xFFz")),
        }
    }

    /// 16 bytes of elements. Formats that do not pack appear once, above them anything.
    pub fn vector(self, rng: &mut Rng) -> u128 {
        let bits = 8 * self.size() as u32;
        if bits == 80 {
            return self.value(rng) | rng.wide() << 80;
        }
        (0..128 / bits).fold(0, |vector, n| vector | self.value(rng) << (n * bits))
    }
}

/// The low `bits` bits set.
pub fn mask(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

/// An integer of `bits` bits.
pub fn integer(rng: &mut Rng, bits: u32) -> u64 {
    let value = match rng.below(16) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => 1 << (bits - 1),
        4 => mask(bits - 1),
        5 => rng.below(130),
        6 => 1 << rng.below(u64::from(bits)),
        7 => boundary(rng),
        8 => rng.word() >> rng.below(64),
        9 => (rng.word() as i64 >> rng.below(64)) as u64,
        _ => rng.word(),
    };
    value & mask(bits)
}

/// A sign boundary of some width, or next to one.
fn boundary(rng: &mut Rng) -> u64 {
    let power = 1u64 << rng.pick(&[7, 8, 15, 16, 31, 32, 63]);
    power.wrapping_add(rng.below(5)).wrapping_sub(2)
}

/// A binary interchange format (IEEE 754-2008 3.4) with an exponent of `exponent` bits and `fraction` bits below the
/// implied one.
pub fn float(rng: &mut Rng, exponent: u32, fraction: u32) -> u64 {
    let bias = mask(exponent - 1);
    let top = mask(exponent);
    let random = rng.word();
    let sign = random >> 63;
    let quiet = 1 << (fraction - 1);
    let anything = random & mask(fraction);
    let (e, f) = match rng.below(32) {
        0 => (0, 0),
        1 => (0, 1),
        2 => (0, mask(fraction)),
        3 => (0, anything),
        4 => (1, 0),
        5 => (1, anything),
        6 => (top - 1, mask(fraction)),
        7 => (top - 1, anything),
        8 => (top, 0),
        9 => (top, quiet),
        10 => (top, quiet | anything),
        11 => (top, (anything & !quiet).max(1)),
        12 => (bias, 0),
        13 => (bias, rng.below(4)),
        14 => (bias - 1, mask(fraction) - rng.below(4)),
        15 => (
            bias + 1 + rng.below(u64::from(fraction)),
            anything & !mask(rng.below(u64::from(fraction)) as u32),
        ),
        16 => (bias + 29 + rng.below(4).min(top - bias - 30), anything),
        17 => (bias.saturating_add(62 + rng.below(4)).min(top - 1), anything),
        18 => (1 + rng.below(top - 1), anything),
        19 => (bias.saturating_sub(u64::from(fraction) + rng.below(4)), anything),
        20..26 => (bias - 8 + rng.below(16), anything),
        26 => (bias - 2 + rng.below(4), anything & !mask(fraction - 4)),
        _ => (bias / 2 + rng.below(bias), anything),
    };
    sign << (exponent + fraction) | (e & top) << fraction | f
}

const BIAS_80: u64 = 0x3FFF;
const INTEGER_BIT: u64 = 1 << 63;
const QUIET_80: u64 = 1 << 62;

/// The double extended format, encodings that the 387 and later call invalid among them (Intel SDM Vol. 1 8.2.2).
pub fn f80(rng: &mut Rng) -> F80 {
    let random = rng.word();
    let normal = random | INTEGER_BIT;
    let (e, significand) = match rng.below(48) {
        0 => (0, 0),
        1 => (0, 1),
        2 => (0, random & !INTEGER_BIT),
        3 => (0, normal),
        4 => (0, INTEGER_BIT),
        5 => (1, normal),
        6 => (0x7FFE, u64::MAX),
        7 => (0x7FFE, normal),
        8 => (0x7FFF, INTEGER_BIT),
        9 => (0x7FFF, INTEGER_BIT | QUIET_80),
        10 => (0x7FFF, normal | QUIET_80),
        11 => (0x7FFF, (normal & !QUIET_80) | 1),
        12 => (0x7FFF, 0),
        13 => (0x7FFF, random & !INTEGER_BIT),
        14 => (1 + rng.below(0x7FFE), random & !INTEGER_BIT),
        15 => (BIAS_80, INTEGER_BIT),
        16 => (BIAS_80, INTEGER_BIT | rng.below(4)),
        17 => (BIAS_80 - 1, u64::MAX - rng.below(4)),
        18 | 19 => (BIAS_80 + rng.below(64), INTEGER_BIT | random & !mask(rng.below(64) as u32)),
        20 => (BIAS_80 + 14 + rng.below(3), normal),
        21 => (BIAS_80 + 30 + rng.below(3), normal),
        22 => (BIAS_80 + 61 + rng.below(5), normal),
        // Just outside and at the edges of single and double precision.
        23 => (BIAS_80 - 127 - 26 + rng.below(30), normal),
        24 => (BIAS_80 + 126 + rng.below(4), normal),
        25 => (BIAS_80 - 1023 - 55 + rng.below(60), normal),
        26 => (BIAS_80 + 1022 + rng.below(4), normal),
        27 => (1 + rng.below(0x7FFE), normal),
        28 => (BIAS_80 + 24 + rng.below(16), normal & !mask(11)),
        29 => (BIAS_80 - 1 - rng.below(70), normal),
        30 => (BIAS_80 - 2 + rng.below(4), normal & !mask(40)),
        _ => (BIAS_80 - 16 + rng.below(32), normal),
    };
    F80 { significand, exponent: (e as u16 & 0x7FFF) | (rng.below(2) as u16) << 15 }
}

pub fn bits80(f: F80) -> u128 {
    u128::from(f.exponent) << 64 | u128::from(f.significand)
}

fn bcd(rng: &mut Rng) -> u128 {
    if rng.chance(10) {
        return rng.wide() & ((1 << 80) - 1);
    }
    let digits = rng.below(19) as u32;
    let value = (0..digits).fold(0, |value, n| value | u128::from(rng.below(10)) << (4 * n));
    value | u128::from(rng.below(2)) << 79
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_values() {
        let take = |seed| {
            let mut rng = Rng(seed);
            [Element::Int(8), Element::F64, Element::F80, Element::Bcd, Element::Text]
                .map(|e| e.value(&mut rng))
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }

    #[test]
    fn values_fit_their_format() {
        let mut rng = Rng(1);
        for element in
            [Element::Int(1), Element::Int(4), Element::F16, Element::F32, Element::F80, Element::Bcd]
        {
            for _ in 0..10_000 {
                let value = element.value(&mut rng);
                assert_eq!(value >> (8 * element.size()), 0, "{element:?} {value:X}");
            }
        }
    }
}
