//! Fused multiply-add: x * y + z with one rounding, and its variants by sign (Intel SDM Vol. 2, "VFMADD132PD/..."; Vol. 1
//! 14.5.2 on NaNs).
//!
//! The three forms of an instruction differ only in which operand is which: 132 is (op1, op3, op2) as (x, y, z), 213
//! (op2, op1, op3), 231 (op2, op3, op1). On x86-64 hosts that have the instructions they run there; elsewhere the
//! integer implementation below runs, which gives the same bits and flags, and which also tells of PE where an overflow
//! or underflow is unmasked (see `trapped`).

use super::exact::Exact;
use super::float::{lane, seen};
use super::format::{Double, Layout, Single};
#[cfg(target_arch = "x86_64")]
use super::host;
use super::mxcsr::{DE, IE, OE, Rounding, UE, unmasked};

/// x * y + z with these signs changed.
#[derive(Clone, Copy, Debug)]
struct Signs {
    /// The product's.
    product: bool,
    /// The addend's, bit n for lane n.
    addends: u32,
}

/// The first NaN, quiet, and what it raises. The order is that of the factors, then the addend.
fn nan<F: Layout>(x: u64, y: u64, z: u64) -> Option<(u64, u32)> {
    let first = [x, y, z].into_iter().find(|bits| F::is_nan(*bits))?;
    let signaling = [x, y, z].into_iter().any(F::is_signaling);
    Some((first | F::QUIET, if signaling { IE } else { 0 }))
}

/// Whether the host has the instructions.
pub fn on_host() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// One lane; `product` and `addend`: whether the sign is changed.
fn fused<F: Layout>(x: u64, y: u64, z: u64, mxcsr: u32, product: bool, addend: bool) -> (u64, u32) {
    if let Some(nan) = nan::<F>(x, y, z) {
        return nan;
    }
    let [x, y, z] = [x, y, z].map(|bits| seen::<F>(bits, mxcsr));
    let magnitude = |bits| bits & !F::SIGN;
    let sign = (x ^ y) & F::SIGN ^ if product { F::SIGN } else { 0 };
    let z = if addend { z ^ F::SIGN } else { z };
    let denormal = if [x, y, z].into_iter().any(F::is_denormal) { DE } else { 0 };
    let infinite = |bits| magnitude(bits) == F::INFINITY;
    if infinite(x) || infinite(y) {
        let zero = magnitude(x) == 0 || magnitude(y) == 0;
        let opposed = infinite(z) && z & F::SIGN != sign;
        return if zero || opposed {
            (F::SIGN | F::INFINITY | F::QUIET, IE)
        } else {
            (sign | F::INFINITY, denormal)
        };
    }
    if infinite(z) {
        return (z, denormal);
    }
    let rounding = Rounding::of(mxcsr);
    let product = Exact::of::<F>(x).zip(Exact::of::<F>(y)).map(|(x, y)| x.times(y).signed(sign != 0));
    let sum = match (product, Exact::of::<F>(z)) {
        (Some(product), Some(z)) => product.plus(z),
        (product, z) => product.or(z),
    };
    let Some(sum) = sum else {
        // Zeros of one sign keep it; a difference that vanishes is negative only when rounding down.
        let same = product.is_none() && magnitude(z) == 0 && sign == z & F::SIGN;
        let zero = if rounding == Rounding::Down { F::SIGN } else { 0 };
        return (if same { sign } else { zero }, denormal);
    };
    let (bits, raised) = sum.round::<F>(rounding, mxcsr);
    (bits, raised | denormal)
}

/// The lowest `LANES` lanes; those above are of `z`.
fn lanes<F: Layout, const LANES: u32>(x: u128, y: u128, z: u128, mxcsr: u32, signs: Signs) -> (u128, u32) {
    let (mut value, mut raised) = (z, 0);
    for n in 0..LANES {
        let [x, y, z] = [x, y, z].map(|v| lane::<F>(v, n));
        let (bits, flags) = fused::<F>(x, y, z, mxcsr, signs.product, signs.addends >> n & 1 != 0);
        let shift = n * F::BITS;
        value = value & !(u128::from(F::ALL) << shift) | u128::from(bits) << shift;
        raised |= flags;
    }
    (value, raised)
}

/// A name, the function and its integer implementation.
#[cfg(test)]
type Pair = (&'static str, Kernel, Kernel);

/// (x, y, z, MXCSR) to the result, with the lanes above a scalar those of z, and the exceptions raised.
pub type Kernel = fn(u128, u128, u128, u32) -> (u128, u32);

macro_rules! kernels {
    ($($name:ident: $format:ty, $lanes:literal, $product:literal, $addends:literal;)*) => {
        mod soft {
            use super::*;
            $(
                pub(super) fn $name(x: u128, y: u128, z: u128, mxcsr: u32) -> (u128, u32) {
                    const SIGNS: Signs = Signs { product: $product, addends: $addends };
                    lanes::<$format, $lanes>(x, y, z, mxcsr, SIGNS)
                }
            )*
        }

        $(
            pub fn $name(x: u128, y: u128, z: u128, mxcsr: u32) -> (u128, u32) {
                #[cfg(target_arch = "x86_64")]
                if on_host() {
                    let (value, raised) = host::$name(x, y, z, mxcsr);
                    if unmasked(mxcsr, raised) & (OE | UE) == 0 {
                        return (value, raised);
                    }
                }
                soft::$name(x, y, z, mxcsr)
            }
        )*

        /// For ordinary numbers under an ordinary MXCSR, on hosts that have FMA.
        #[cfg(target_arch = "x86_64")]
        pub use host::fused as ordinary;

        #[cfg(not(target_arch = "x86_64"))]
        pub mod ordinary {
            $(
                pub fn $name(_: u128, _: u128, _: u128) -> Option<u128> {
                    None
                }
            )*
        }

        #[cfg(test)]
        const KERNELS: &[Pair] = &[$((stringify!($name), $name, soft::$name),)*];
    };
}

// The format and number of lanes; whether the product's sign changes, and those of which addends.
kernels! {
    vfmadd231ps: Single, 4, false, 0b0000;
    vfmadd231pd: Double, 2, false, 0b00;
    vfmadd231ss: Single, 1, false, 0b0;
    vfmadd231sd: Double, 1, false, 0b0;
    vfmsub231ps: Single, 4, false, 0b1111;
    vfmsub231pd: Double, 2, false, 0b11;
    vfmsub231ss: Single, 1, false, 0b1;
    vfmsub231sd: Double, 1, false, 0b1;
    vfnmadd231ps: Single, 4, true, 0b0000;
    vfnmadd231pd: Double, 2, true, 0b00;
    vfnmadd231ss: Single, 1, true, 0b0;
    vfnmadd231sd: Double, 1, true, 0b0;
    vfnmsub231ps: Single, 4, true, 0b1111;
    vfnmsub231pd: Double, 2, true, 0b11;
    vfnmsub231ss: Single, 1, true, 0b1;
    vfnmsub231sd: Double, 1, true, 0b1;
    vfmaddsub231ps: Single, 4, false, 0b0101;
    vfmaddsub231pd: Double, 2, false, 0b01;
    vfmsubadd231ps: Single, 4, false, 0b1010;
    vfmsubadd231pd: Double, 2, false, 0b10;
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
