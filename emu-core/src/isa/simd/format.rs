//! The binary interchange formats of IEEE 754; values are handled as their bits in a `u64`.

/// Where the parts of a format are.
pub trait Layout: Copy + 'static {
    const BITS: u32;
    /// Stored bits of the significand.
    const FRACTION: u32;

    const LANES: u32 = 128 / Self::BITS;
    const ALL: u64 = u64::MAX >> (64 - Self::BITS);
    const SIGN: u64 = 1 << (Self::BITS - 1);
    const FRACTION_MASK: u64 = (1 << Self::FRACTION) - 1;
    const QUIET: u64 = 1 << (Self::FRACTION - 1);
    const INFINITY: u64 = Self::ALL & !Self::SIGN & !Self::FRACTION_MASK;

    #[inline(always)]
    fn is_nan(bits: u64) -> bool {
        bits & !Self::SIGN > Self::INFINITY
    }

    #[inline(always)]
    fn is_signaling(bits: u64) -> bool {
        Self::is_nan(bits) && bits & Self::QUIET == 0
    }

    #[inline(always)]
    fn is_denormal(bits: u64) -> bool {
        bits & Self::INFINITY == 0 && bits & Self::FRACTION_MASK != 0
    }

    /// Neither zero, denormal, infinite nor NaN, nor within a factor of two of the ends of the normal range: an
    /// operation with such operands and such a result raises nothing but PE.
    #[inline(always)]
    fn is_ordinary(bits: u64) -> bool {
        let unit = 1 << Self::FRACTION;
        (bits & !Self::SIGN).wrapping_sub(2 * unit) < Self::INFINITY - 4 * unit
    }
}

/// A format that the host computes in.
pub trait Format: Layout {
    /// The host's type.
    type Native: Copy;
    fn native(bits: u64) -> Self::Native;
    fn bits(value: Self::Native) -> u64;
    /// Exact.
    fn to_f64(bits: u64) -> f64;
    /// Exact for the values it is used for.
    fn from_f64(value: f64) -> u64;
}

/// 16 bits: for storage only.
#[derive(Clone, Copy)]
pub struct Half;

#[derive(Clone, Copy)]
pub struct Single;

#[derive(Clone, Copy)]
pub struct Double;

impl Layout for Half {
    const BITS: u32 = 16;
    const FRACTION: u32 = 10;
}

impl Layout for Single {
    const BITS: u32 = 32;
    const FRACTION: u32 = 23;
}

impl Layout for Double {
    const BITS: u32 = 64;
    const FRACTION: u32 = 52;
}

impl Format for Single {
    type Native = f32;

    #[inline(always)]
    fn native(bits: u64) -> f32 {
        f32::from_bits(bits as u32)
    }

    #[inline(always)]
    fn bits(value: f32) -> u64 {
        u64::from(value.to_bits())
    }

    #[inline(always)]
    fn to_f64(bits: u64) -> f64 {
        f64::from(f32::from_bits(bits as u32))
    }

    #[inline(always)]
    fn from_f64(value: f64) -> u64 {
        u64::from((value as f32).to_bits())
    }
}

impl Format for Double {
    type Native = f64;

    #[inline(always)]
    fn native(bits: u64) -> f64 {
        f64::from_bits(bits)
    }

    #[inline(always)]
    fn bits(value: f64) -> u64 {
        value.to_bits()
    }

    #[inline(always)]
    fn to_f64(bits: u64) -> f64 {
        f64::from_bits(bits)
    }

    #[inline(always)]
    fn from_f64(value: f64) -> u64 {
        value.to_bits()
    }
}
