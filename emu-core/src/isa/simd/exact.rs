//! Numbers in full, on their way to a format: products, sums and rounding in integers, the same on every host
//! (Intel SDM Vol. 1 4.8.4, 11.5.2).

use super::format::Layout;
use super::mxcsr::{FTZ, OE, PE, Rounding, UE};

/// The place of a normalised significand's highest bit: one below the top, so that a sum fits.
const TOP: u32 = 126;

/// A number other than zero: significand x 2^exponent. Where bits had to be dropped, the lowest one stands for them:
/// an odd significand means "about this much", which is as good as the number itself once it is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact {
    negative: bool,
    exponent: i32,
    /// Its highest bit is bit [`TOP`].
    significand: u128,
}

const fn bias<F: Layout>() -> i32 {
    (1 << (F::BITS - F::FRACTION - 2)) - 1
}

/// `v` divided by 2^n; dropped bits set the lowest one.
const fn jam(v: u128, n: u32) -> u128 {
    match n {
        0 => v,
        1..=127 => v >> n | (v << (128 - n) != 0) as u128,
        _ => (v != 0) as u128,
    }
}

impl Exact {
    /// `significand`, which is less than 2^127, times 2^exponent; `None` for zero.
    fn new(negative: bool, exponent: i32, significand: u128) -> Option<Self> {
        if significand == 0 {
            return None;
        }
        let shift = significand.leading_zeros() - (127 - TOP);
        Some(Self { negative, exponent: exponent - shift as i32, significand: significand << shift })
    }

    /// The value of finite `bits`; `None` for zero.
    pub fn of<F: Layout>(bits: u64) -> Option<Self> {
        let fraction = bits & F::FRACTION_MASK;
        let exponent = ((bits & F::INFINITY) >> F::FRACTION) as i32;
        let implied = if exponent == 0 { 0 } else { 1 << F::FRACTION };
        let least = 1 - bias::<F>() - F::FRACTION as i32;
        Self::new(bits & F::SIGN != 0, least + exponent.max(1) - 1, (fraction | implied).into())
    }

    pub fn negative(self) -> bool {
        self.negative
    }

    /// The same magnitude with this sign.
    pub fn signed(self, negative: bool) -> Self {
        Self { negative, ..self }
    }

    /// Exact for factors that came from a format of 64 bits or less: their significands have 53 bits at most.
    pub fn times(self, other: Self) -> Self {
        let drop = TOP - 62; // below it both are zero
        let product = (self.significand >> drop) * (other.significand >> drop);
        let exponent = self.exponent + other.exponent + 2 * drop as i32;
        // The factors' highest bits are bit 62, so the product's is bit 124 or 125.
        let shift = product.leading_zeros() - (127 - TOP);
        Self {
            negative: self.negative != other.negative,
            exponent: exponent - shift as i32,
            significand: product << shift,
        }
    }

    /// For numbers that came from a format of 64 bits or less: 73 bits of the quotient, and whether more follow.
    pub fn over(self, other: Self) -> Self {
        let drop = TOP - 52; // below it the divisor is zero
        let divisor = other.significand >> drop;
        let (quotient, rest) = (self.significand / divisor, self.significand % divisor);
        let exponent = self.exponent - other.exponent - drop as i32 - 1;
        let significand = quotient << 1 | u128::from(rest != 0);
        let shift = significand.leading_zeros() - (127 - TOP);
        Self {
            negative: self.negative != other.negative,
            exponent: exponent - shift as i32,
            significand: significand << shift,
        }
    }

    /// `None` for zero. Both have at least 20 zeros at their low end, so that what is dropped when they are far apart
    /// is far below any place of rounding.
    pub fn plus(self, other: Self) -> Option<Self> {
        let key = |n: &Self| (n.exponent, n.significand);
        let (large, small) = if key(&self) < key(&other) { (other, self) } else { (self, other) };
        let aligned = jam(small.significand, (large.exponent - small.exponent) as u32);
        if large.negative != small.negative {
            return Self::new(large.negative, large.exponent, large.significand - aligned);
        }
        let sum = large.significand + aligned;
        let carry = sum >> (TOP + 1) != 0;
        let significand = jam(sum, carry.into());
        Some(Self { exponent: large.exponent + i32::from(carry), significand, ..large })
    }

    /// Whether the magnitude goes up when `rest` (of `whole`) is dropped below a last bit that is `odd`.
    fn goes_up(self, odd: bool, rest: u128, whole: u128, rounding: Rounding) -> bool {
        match rounding {
            Rounding::NearestEven => rest > whole / 2 || (rest == whole / 2 && odd),
            Rounding::Down => rest != 0 && self.negative,
            Rounding::Up => rest != 0 && !self.negative,
            Rounding::Zero => false,
        }
    }

    /// Rounded to the significand of `F`, after it was moved down by `shift` more bits; and whether that is inexact.
    fn round_at<F: Layout>(self, shift: u32, rounding: Rounding) -> (u64, bool) {
        let drop = TOP - F::FRACTION;
        let significand = jam(self.significand, shift);
        let (kept, rest) = ((significand >> drop) as u64, significand & ((1 << drop) - 1));
        let up = self.goes_up(kept & 1 != 0, rest, 1 << drop, rounding);
        (kept + u64::from(up), rest != 0)
    }

    /// The bits in `F` and the exceptions raised. Tininess is detected after rounding. Masked overflow is always inexact;
    /// masked underflow only comes with inexact results, and FTZ counts for it alone. Where one of the two is unmasked
    /// PE tells of rounding without a bound on the exponent (Intel SDM Vol. 1 4.9.1.4, 4.9.1.5).
    pub fn round<F: Layout>(self, rounding: Rounding, mxcsr: u32) -> (u64, u32) {
        let sign = if self.negative { F::SIGN } else { 0 };
        let (significand, inexact) = self.round_at::<F>(0, rounding);
        let before = self.exponent + TOP as i32 + bias::<F>();
        let carried = significand >> (F::FRACTION + 1) != 0;
        let biased = before + i32::from(carried);
        let precision = if inexact { PE } else { 0 };
        if biased < 1 {
            let (bits, raised) = self.tiny::<F>(1 - before, rounding, mxcsr);
            return if raised & UE & !(mxcsr >> 7) == 0 { (bits, raised) } else { (bits, UE | precision) };
        }
        if biased >= (F::INFINITY >> F::FRACTION) as i32 {
            let precision = if mxcsr & OE << 7 != 0 { PE } else { precision };
            return (sign | self.overflowed::<F>(rounding), OE | precision);
        }
        // The implied bit adds one to the exponent, a carry into the place above it two.
        let exponent = (i64::from(before) - 1) << F::FRACTION;
        (sign | (exponent as u64).wrapping_add(significand), precision)
    }

    /// Infinity or the largest number.
    fn overflowed<F: Layout>(self, rounding: Rounding) -> u64 {
        let outward = match rounding {
            Rounding::NearestEven => true,
            Rounding::Down => self.negative,
            Rounding::Up => !self.negative,
            Rounding::Zero => false,
        };
        if outward { F::INFINITY } else { F::INFINITY - 1 }
    }

    /// A result below the normal range by `shift` binary places.
    fn tiny<F: Layout>(self, shift: i32, rounding: Rounding, mxcsr: u32) -> (u64, u32) {
        let sign = if self.negative { F::SIGN } else { 0 };
        let masked = mxcsr & UE << 7 != 0;
        if masked && mxcsr & FTZ != 0 {
            return (sign, UE | PE);
        }
        let (significand, inexact) = self.round_at::<F>(shift as u32, rounding);
        let underflow = if inexact || !masked { UE } else { 0 };
        (sign | significand, underflow | if inexact { PE } else { 0 })
    }
}
