//! 80-bit images: classes, tags, and the exact conversions into them.

use super::status::{C0, C2, C3};
use crate::vcpu::F80;

/// The classes of FXAM (Intel SDM Vol. 2, "FXAM").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Unnormals, pseudo-NaNs and pseudo-infinities: invalid since the 387 (Intel SDM Vol. 1 8.2.2).
    Unsupported,
    Nan,
    Normal,
    Infinity,
    Zero,
    /// Pseudo-denormals are among them.
    Denormal,
}

impl Class {
    /// C3, C2 and C0 as FXAM sets them.
    pub const fn conditions(self) -> u16 {
        match self {
            Self::Unsupported => 0,
            Self::Nan => C0,
            Self::Normal => C2,
            Self::Infinity => C2 | C0,
            Self::Zero => C3,
            Self::Denormal => C3 | C2,
        }
    }

    /// The two tag bits of FSTENV (Intel SDM Vol. 1 8.1.7).
    pub const fn tag(self) -> u16 {
        match self {
            Self::Normal => 0,
            Self::Zero => 1,
            Self::Unsupported | Self::Nan | Self::Infinity | Self::Denormal => 2,
        }
    }
}

/// The integer bit, explicit in this format.
pub const INTEGER: u64 = 1 << 63;
/// The bit that makes a NaN quiet.
pub const QUIET: u64 = 1 << 62;
pub const SIGN: u16 = 1 << 15;
pub const MAX_EXPONENT: u16 = 0x7FFF;
pub const BIAS: i32 = 16383;

impl F80 {
    pub const ZERO: Self = Self::new(0, 0);
    pub const ONE: Self = Self::new(0x3FFF, INTEGER);
    /// The default NaN ("real indefinite", Intel SDM Vol. 1 4.8.3.7).
    pub const INDEFINITE: Self = Self::new(0xFFFF, INTEGER | QUIET);

    pub const fn new(exponent: u16, significand: u64) -> Self {
        Self { significand, exponent }
    }

    pub const fn negative(&self) -> bool {
        self.exponent & SIGN != 0
    }

    /// The biased exponent without the sign.
    pub const fn biased(&self) -> u16 {
        self.exponent & MAX_EXPONENT
    }

    pub const fn class(&self) -> Class {
        match (self.biased(), self.significand) {
            (0, 0) => Class::Zero,
            (0, _) => Class::Denormal,
            (MAX_EXPONENT, INTEGER) => Class::Infinity,
            (MAX_EXPONENT, s) if s & INTEGER != 0 => Class::Nan,
            (MAX_EXPONENT, _) => Class::Unsupported,
            (_, s) if s & INTEGER != 0 => Class::Normal,
            _ => Class::Unsupported,
        }
    }

    pub const fn is_nan(&self) -> bool {
        matches!(self.class(), Class::Nan)
    }

    pub const fn is_signaling(&self) -> bool {
        self.is_nan() && self.significand & QUIET == 0
    }

    /// A NaN made quiet, anything else unchanged.
    pub const fn quieted(self) -> Self {
        if self.is_nan() { Self::new(self.exponent, self.significand | QUIET) } else { self }
    }

    /// A signed integer, exactly.
    #[inline(always)]
    pub const fn from_i64(value: i64) -> Self {
        if value == 0 {
            return Self::ZERO;
        }
        let sign = if value < 0 { SIGN } else { 0 };
        Self::from_magnitude(sign, value.unsigned_abs())
    }

    /// `sign` is the sign bit in place.
    const fn from_magnitude(sign: u16, magnitude: u64) -> Self {
        if magnitude == 0 {
            return Self::new(sign, 0);
        }
        let shift = magnitude.leading_zeros();
        Self::new(sign | (BIAS as u16 + 63 - shift as u16), magnitude << shift)
    }

    /// Single precision, exactly: NaNs keep their payload and stay signaling.
    #[inline(always)]
    pub const fn from_f32(bits: u32) -> Self {
        let fraction = ((bits & 0x7F_FFFF) as u64) << 40;
        Self::widened((bits >> 31) as u16, (bits >> 23 & 0xFF) as u16, 0xFF, fraction)
    }

    /// Double precision, exactly: NaNs keep their payload and stay signaling.
    #[inline(always)]
    pub const fn from_f64(bits: u64) -> Self {
        let fraction = (bits & 0xF_FFFF_FFFF_FFFF) << 11;
        Self::widened((bits >> 63) as u16, (bits >> 52 & 0x7FF) as u16, 0x7FF, fraction)
    }

    /// `fraction` is aligned below the integer bit, `max` the largest exponent of the source format.
    #[inline(always)]
    const fn widened(sign: u16, exponent: u16, max: u16, fraction: u64) -> Self {
        let (sign, bias) = (sign << 15, max >> 1);
        if exponent.wrapping_sub(1) < max - 1 {
            return Self::new(sign | (exponent + (BIAS as u16 - bias)), INTEGER | fraction);
        }
        if exponent == max {
            return Self::new(sign | MAX_EXPONENT, INTEGER | fraction);
        }
        if fraction == 0 {
            return Self::new(sign, 0);
        }
        let shift = fraction.leading_zeros();
        Self::new(sign | (BIAS as u16 - bias + 1 - shift as u16), fraction << shift)
    }

    /// 18 packed decimal digits and a sign in bit 79 (Intel SDM Vol. 1 4.7). Digits above nine count as they stand.
    pub fn from_bcd(bcd: u128) -> Self {
        let magnitude = (0..18)
            .rev()
            .fold(0u64, |sum, digit| sum.wrapping_mul(10).wrapping_add((bcd >> (4 * digit)) as u64 & 0xF));
        Self::from_magnitude((bcd >> 64) as u16 & SIGN, magnitude)
    }
}

/// A memory operand of an arithmetic instruction.
pub trait Operand: Copy + 'static {
    type Raw: Copy;
    fn widen(raw: Self::Raw) -> F80;
    /// A denormal of the memory format raises DE, though it is a normal number once widened.
    fn denormal(raw: Self::Raw) -> bool;
}

#[derive(Clone, Copy)]
pub struct Single;
#[derive(Clone, Copy)]
pub struct Double;
#[derive(Clone, Copy)]
pub struct Int16;
#[derive(Clone, Copy)]
pub struct Int32;
#[derive(Clone, Copy)]
pub struct Int64;

impl Operand for Single {
    type Raw = u32;
    #[inline(always)]
    fn widen(raw: u32) -> F80 {
        F80::from_f32(raw)
    }
    #[inline(always)]
    fn denormal(raw: u32) -> bool {
        (raw & 0x7FFF_FFFF).wrapping_sub(1) < 0x7F_FFFF
    }
}

impl Operand for Double {
    type Raw = u64;
    #[inline(always)]
    fn widen(raw: u64) -> F80 {
        F80::from_f64(raw)
    }
    #[inline(always)]
    fn denormal(raw: u64) -> bool {
        (raw & (u64::MAX >> 1)).wrapping_sub(1) < 0xF_FFFF_FFFF_FFFF
    }
}

macro_rules! integer {
    ($name:ident, $raw:ty, $signed:ty) => {
        impl Operand for $name {
            type Raw = $raw;
            #[inline(always)]
            fn widen(raw: $raw) -> F80 {
                F80::from_i64(raw as $signed as i64)
            }
            #[inline(always)]
            fn denormal(_: $raw) -> bool {
                false
            }
        }
    };
}
integer!(Int16, u16, i16);
integer!(Int32, u32, i32);
integer!(Int64, u64, i64);
