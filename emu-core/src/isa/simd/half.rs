//! F16C: conversions between half and single precision (Intel SDM Vol. 2, "VCVTPH2PS", "VCVTPS2PH"), four lanes at a
//! time, in integers on every host.

use super::exact::Exact;
use super::float::{lane, seen};
use super::format::{Half, Layout, Single};
use super::mxcsr::{DE, FTZ, IE, Rounding};

/// A NaN of one format in another, quiet: the payload keeps its high end.
fn nan<F: Layout, T: Layout>(bits: u64) -> (u64, u32) {
    let payload = bits & F::FRACTION_MASK;
    let payload = if T::FRACTION > F::FRACTION {
        payload << (T::FRACTION - F::FRACTION)
    } else {
        payload >> (F::FRACTION - T::FRACTION)
    };
    let sign = if bits & F::SIGN != 0 { T::SIGN } else { 0 };
    (sign | T::INFINITY | T::QUIET | payload, if F::is_signaling(bits) { IE } else { 0 })
}

/// Exact, whatever the rounding. DAZ does not apply, and a denormal raises nothing.
fn widen(bits: u64) -> (u64, u32) {
    let sign = if bits & Half::SIGN != 0 { Single::SIGN } else { 0 };
    match bits & !Half::SIGN {
        Half::INFINITY => (sign | Single::INFINITY, 0),
        _ if Half::is_nan(bits) => nan::<Half, Single>(bits),
        _ => Exact::of::<Half>(bits).map_or((sign, 0), |value| value.round::<Single>(Rounding::Zero, 0)),
    }
}

/// DAZ applies, FTZ does not.
fn narrow(bits: u64, rounding: Rounding, mxcsr: u32) -> (u64, u32) {
    let sign = if bits & Single::SIGN != 0 { Half::SIGN } else { 0 };
    let seen = seen::<Single>(bits, mxcsr);
    let denormal = if Single::is_denormal(seen) { DE } else { 0 };
    match seen & !Single::SIGN {
        Single::INFINITY => (sign | Half::INFINITY, 0),
        _ if Single::is_nan(seen) => nan::<Single, Half>(seen),
        _ => {
            let rounded = Exact::of::<Single>(seen).map(|value| value.round::<Half>(rounding, mxcsr & !FTZ));
            let (bits, raised) = rounded.unwrap_or((sign, 0));
            (bits, raised | denormal)
        }
    }
}

/// VCVTPH2PS of the low 64 bits.
pub fn vcvtph2ps(b: u128) -> (u128, u32) {
    (0..4).fold((0, 0), |(value, raised), n| {
        let (bits, flags) = widen(lane::<Half>(b, n));
        (value | u128::from(bits) << (32 * n), raised | flags)
    })
}

/// VCVTPS2PH: 64 bits. `imm` names the rounding, or MXCSR's.
pub fn vcvtps2ph(b: u128, imm: u8, mxcsr: u32) -> (u64, u32) {
    let rounding = if imm & 4 != 0 { Rounding::of(mxcsr) } else { Rounding::from_bits(imm.into()) };
    (0..4).fold((0, 0), |(value, raised), n| {
        let (bits, flags) = narrow(lane::<Single>(b, n), rounding, mxcsr);
        (value | bits << (16 * n), raised | flags)
    })
}
