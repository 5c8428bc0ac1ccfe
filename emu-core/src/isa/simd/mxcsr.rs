//! MXCSR and how SIMD floating-point exceptions are resolved (Intel SDM Vol. 1 10.2.3, 11.5).

/// Invalid operation.
pub const IE: u32 = 1 << 0;
/// Denormal operand.
pub const DE: u32 = 1 << 1;
/// Division by zero.
pub const ZE: u32 = 1 << 2;
/// Overflow.
pub const OE: u32 = 1 << 3;
/// Underflow.
pub const UE: u32 = 1 << 4;
/// Precision: the result is inexact.
pub const PE: u32 = 1 << 5;
/// The six sticky flags.
pub const FLAGS: u32 = 0x3F;
/// Denormal operands count as zeros.
pub const DAZ: u32 = 1 << 6;
/// The six masks.
pub const MASKS: u32 = FLAGS << 7;
/// Rounding control.
pub const RC: u32 = 3 << 13;
/// Tiny results become zero while underflow is masked.
pub const FTZ: u32 = 1 << 15;
/// Bits that may be set: MXCSR_MASK in the FXSAVE area.
pub const WRITABLE: u32 = 0xFFFF;
/// After reset and FINIT-like initialisation.
pub const INITIAL: u32 = 0x1F80;

/// Known before the result is computed: an unmasked one of them hides the others.
const BEFORE: u32 = IE | DE | ZE;

/// Rounding modes by their encoding in RC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    NearestEven,
    Down,
    Up,
    Zero,
}

impl Rounding {
    /// From a two-bit field.
    #[inline]
    pub const fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            0 => Self::NearestEven,
            1 => Self::Down,
            2 => Self::Up,
            _ => Self::Zero,
        }
    }

    #[inline]
    pub const fn of(mxcsr: u32) -> Self {
        Self::from_bits(mxcsr >> 13)
    }
}

/// Flags of steps of an instruction that are over, in `raised`: shifted left by this. They stay even if a later step
/// is trapped, and were all masked.
pub const OVER: u32 = 16;

/// All sticky flags that `raised` sets.
#[inline(always)]
pub const fn sticky(raised: u32) -> u32 {
    (raised | raised >> OVER) & FLAGS
}

/// Those of the exceptions in `raised` that `mxcsr` does not mask.
#[inline]
pub const fn unmasked(mxcsr: u32, raised: u32) -> u32 {
    raised & !(mxcsr >> 7) & FLAGS
}

/// MXCSR after an operation raised `raised`, as `Err` if an exception must be taken: then the result is not written.
///
/// # Errors
/// At least one raised exception is unmasked. If it is one that comes before the computation, flags of those that
/// come after it are not set (Intel SDM Vol. 1 11.5.2).
#[inline]
pub const fn settle(mxcsr: u32, raised: u32) -> Result<u32, u32> {
    match unmasked(mxcsr, raised) {
        0 => Ok(mxcsr | sticky(raised)),
        before if before & BEFORE != 0 => Err(mxcsr | sticky(raised & !FLAGS | raised & BEFORE)),
        _ => Err(mxcsr | sticky(raised)),
    }
}

/// Rounding to nearest, all masked, no FTZ or DAZ, and PE already sticky: an operation on ordinary numbers with an
/// ordinary result then cannot change MXCSR, nor does MXCSR change its result. The invariant of the native path.
#[inline(always)]
pub const fn ordinary(mxcsr: u32) -> bool {
    mxcsr & (MASKS | RC | FTZ | DAZ | PE) == (MASKS | PE)
}
