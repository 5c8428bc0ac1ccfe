//! Arithmetic on the host's SSE unit, under the guest's MXCSR: results, NaN selection and flags are exact for free.
//!
//! Every function takes the destination, the source and the guest's MXCSR, and returns the result and the exceptions
//! raised, as if all were masked. With underflow unmasked, an exact tiny result underflows too and FTZ has no effect
//! (Intel SDM Vol. 1 11.5.2.5), and PE is another one (see `trapped`); all of that is seen to here.
//!
//! Invariant: outside the `asm!` blocks the host's MXCSR has the control bits that Rust assumes.
#![allow(unsafe_code)] // instructions that run under another MXCSR exist only as `asm!`

use super::float::lane;
use super::format::{Double, Layout, Single};
use super::mxcsr::{FLAGS, FTZ, INITIAL, MASKS, OE, PE, UE, unmasked};
use super::ordinary::{self, Packed};
use super::trapped;
use std::arch::asm;
use std::arch::x86_64::__m128i;

/// What the host's MXCSR is outside these functions, apart from flags.
static HOST: u32 = INITIAL;

/// The MXCSR to run under: the guest's rounding, DAZ and FTZ, all masked, no flags.
#[inline(always)]
fn executed(mxcsr: u32) -> u32 {
    let flush = if mxcsr & UE << 7 == 0 { FTZ } else { 0 };
    (mxcsr | MASKS) & !(FLAGS | flush)
}

/// What underflow adds where it is unmasked: any tiny result counts.
#[inline(always)]
fn underflow<F: Layout, const LANES: u32>(value: u128, mxcsr: u32) -> u32 {
    let tiny = || (0..LANES).any(|i| F::is_denormal(lane::<F>(value, i)));
    if mxcsr & UE << 7 == 0 && tiny() { UE } else { 0 }
}

#[inline(always)]
fn vector(v: u128) -> __m128i {
    // SAFETY: both are 16 bytes in which every bit pattern is valid.
    unsafe { std::mem::transmute::<u128, __m128i>(v) }
}

#[inline(always)]
fn value(v: __m128i) -> u128 {
    // SAFETY: as in `vector`.
    unsafe { std::mem::transmute::<__m128i, u128>(v) }
}

macro_rules! kernels {
    ($($name:ident: $format:ty, $lanes:literal, $trapped:ident;)*) => {$(
        pub fn $name(a: u128, b: u128, mxcsr: u32) -> (u128, u32) {
            let (x, y) = (a, b);
            let (mut a, b, mut control) = (vector(a), vector(b), executed(mxcsr));
            // SAFETY: SSE2 is part of x86-64. All exceptions are masked. Memory is touched only at `control`, and at
            // `host` for reading; the host's control bits are back in MXCSR when the block ends.
            unsafe {
                asm!(
                    "ldmxcsr [{control}]",
                    concat!(stringify!($name), " {a}, {b}"),
                    "stmxcsr [{control}]",
                    "ldmxcsr [{host}]",
                    control = in(reg) &raw mut control,
                    host = in(reg) &raw const HOST,
                    a = inout(xmm_reg) a,
                    b = in(xmm_reg) b,
                    options(nostack),
                );
            }
            let a = value(a);
            let raised = control & FLAGS | underflow::<$format, $lanes>(a, mxcsr);
            if unmasked(mxcsr, raised) & (OE | UE) == 0 {
                return (a, raised);
            }
            (a, raised & !PE | trapped::$trapped::<$format, $lanes>(x, y, mxcsr))
        }
    )*};
}

// The format and number of the lanes whose results may be tiny; how PE follows from an unmasked exception.
kernels! {
    addps: Single, 4, sum;
    addpd: Double, 2, sum;
    addss: Single, 1, sum;
    addsd: Double, 1, sum;
    subps: Single, 4, difference;
    subpd: Double, 2, difference;
    subss: Single, 1, difference;
    subsd: Double, 1, difference;
    mulps: Single, 4, product;
    mulpd: Double, 2, product;
    mulss: Single, 1, product;
    mulsd: Double, 1, product;
    divps: Single, 4, quotient;
    divpd: Double, 2, quotient;
    divss: Single, 1, quotient;
    divsd: Double, 1, quotient;
    sqrtps: Single, 0, nothing;
    sqrtpd: Double, 0, nothing;
    sqrtss: Single, 0, nothing;
    sqrtsd: Double, 0, nothing;
    cvtps2pd: Double, 0, nothing;
    cvtpd2ps: Single, 2, narrowing;
    cvtss2sd: Double, 0, nothing;
    cvtsd2ss: Single, 1, narrowing;
    cvtdq2ps: Single, 0, nothing;
}

/// Whether the lowest `LANES` lanes of x * y + z are those of `result` and raise PE at most.
#[inline(always)]
fn settled<F: Packed, const LANES: u32>(x: u128, y: u128, z: u128, result: u128) -> bool {
    if LANES == F::LANES {
        ordinary::fused::<F>(x, y, z, result)
    } else {
        [x, y, z, result].into_iter().all(|v| F::is_ordinary(lane::<F>(v, 0)))
    }
}

macro_rules! fused {
    ($($name:ident: $format:ty, $lanes:literal;)*) => {
    $(
        /// Only where the host has FMA: `z` = +-x * y +- z. PE beside an unmasked exception is left to the caller.
        pub fn $name(x: u128, y: u128, z: u128, mxcsr: u32) -> (u128, u32) {
            debug_assert!(is_x86_feature_detected!("fma"));
            let (x, y, mut z, mut control) = (vector(x), vector(y), vector(z), executed(mxcsr));
            // SAFETY: as above. A host without FMA would raise #UD, which is no memory unsafety, and callers check.
            unsafe {
                asm!(
                    "ldmxcsr [{control}]",
                    concat!(stringify!($name), " {z}, {x}, {y}"),
                    "stmxcsr [{control}]",
                    "ldmxcsr [{host}]",
                    control = in(reg) &raw mut control,
                    host = in(reg) &raw const HOST,
                    x = in(xmm_reg) x,
                    y = in(xmm_reg) y,
                    z = inout(xmm_reg) z,
                    options(nostack),
                );
            }
            let z = value(z);
            (z, control & FLAGS | underflow::<$format, $lanes>(z, mxcsr))
        }
    )*

        /// The same under the host's own MXCSR, which is that of a guest whose MXCSR is
        /// [`super::mxcsr::ordinary`]: `None` if an exception other than PE is possible.
        pub mod fused {
            use super::*;
            $(
                #[inline(always)]
                pub fn $name(x: u128, y: u128, z: u128) -> Option<u128> {
                    let (a, b, mut c) = (vector(x), vector(y), vector(z));
                    // SAFETY: registers only; a host without FMA would raise #UD, and callers check.
                    unsafe {
                        asm!(
                            concat!(stringify!($name), " {c}, {a}, {b}"),
                            a = in(xmm_reg) a,
                            b = in(xmm_reg) b,
                            c = inout(xmm_reg) c,
                            options(pure, nomem, nostack),
                        );
                    }
                    let result = value(c);
                    settled::<$format, $lanes>(x, y, z, result).then_some(result)
                }
            )*
        }
    };
}

fused! {
    vfmadd231ps: Single, 4;
    vfmadd231pd: Double, 2;
    vfmadd231ss: Single, 1;
    vfmadd231sd: Double, 1;
    vfmsub231ps: Single, 4;
    vfmsub231pd: Double, 2;
    vfmsub231ss: Single, 1;
    vfmsub231sd: Double, 1;
    vfnmadd231ps: Single, 4;
    vfnmadd231pd: Double, 2;
    vfnmadd231ss: Single, 1;
    vfnmadd231sd: Double, 1;
    vfnmsub231ps: Single, 4;
    vfnmsub231pd: Double, 2;
    vfnmsub231ss: Single, 1;
    vfnmsub231sd: Double, 1;
    vfmaddsub231ps: Single, 4;
    vfmaddsub231pd: Double, 2;
    vfmsubadd231ps: Single, 4;
    vfmsubadd231pd: Double, 2;
}

macro_rules! from_integer {
    ($($name:ident: $integer:ty, $instruction:literal;)*) => {$(
        /// The source is an integer; the lanes above the result stay.
        pub fn $name(a: u128, b: u64, mxcsr: u32) -> (u128, u32) {
            let (mut a, b, mut control) = (vector(a), b as $integer, executed(mxcsr));
            // SAFETY: as above.
            unsafe {
                asm!(
                    "ldmxcsr [{control}]",
                    $instruction,
                    "stmxcsr [{control}]",
                    "ldmxcsr [{host}]",
                    control = in(reg) &raw mut control,
                    host = in(reg) &raw const HOST,
                    a = inout(xmm_reg) a,
                    b = in(reg) b,
                    options(nostack),
                );
            }
            (value(a), control & FLAGS)
        }
    )*};
}

from_integer! {
    cvtsi2ss_r32: u32, "cvtsi2ss {a}, {b:e}";
    cvtsi2ss_r64: u64, "cvtsi2ss {a}, {b}";
    cvtsi2sd_r64: u64, "cvtsi2sd {a}, {b}";
}
