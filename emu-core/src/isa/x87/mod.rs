//! The x87 floating-point unit as pure functions on 80-bit images (Intel SDM Vol. 1 chapter 8).
//!
//! A [`Unit`] computes: operands, rounding and precision control in, result and raised flags out. On x86-64 that is
//! the host's own x87 (`host`), so every bit of a result is silicon's; `soft` is the portable one, and the
//! check on the first. What registers, tags, masks and deferred exceptions make of a result is the interpreter's.
//!
//! Transcendentals differ in their last bit between vendors, so a run that executes them is reproducible only on
//! hosts of one vendor; everything else here is defined by IEEE 754 and the SDM to the last bit.

mod f80;
#[cfg(target_arch = "x86_64")]
mod host;
#[cfg(target_arch = "x86_64")]
pub(crate) mod image;
mod soft;
#[cfg(test)]
mod tests;

pub use f80::{Class, Double, Int16, Int32, Int64, Operand, Single};
#[cfg(target_arch = "x86_64")]
pub use host::Host;
pub use soft::Soft;

use crate::vcpu::F80;

/// The unit that the interpreter computes with.
#[cfg(target_arch = "x86_64")]
pub type Fpu = Host;
#[cfg(not(target_arch = "x86_64"))]
pub type Fpu = Soft;

/// Bits of the status word (Intel SDM Vol. 1 8.1.3).
pub mod status {
    pub const IE: u16 = 1 << 0;
    pub const DE: u16 = 1 << 1;
    pub const ZE: u16 = 1 << 2;
    pub const OE: u16 = 1 << 3;
    pub const UE: u16 = 1 << 4;
    pub const PE: u16 = 1 << 5;
    pub const SF: u16 = 1 << 6;
    pub const ES: u16 = 1 << 7;
    pub const C0: u16 = 1 << 8;
    pub const C1: u16 = 1 << 9;
    pub const C2: u16 = 1 << 10;
    pub const C3: u16 = 1 << 14;
    pub const B: u16 = 1 << 15;
    /// The six exceptions; the control word masks them by the same bits.
    pub const EXCEPTIONS: u16 = IE | DE | ZE | OE | UE | PE;
    pub const CONDITIONS: u16 = C0 | C1 | C2 | C3;
}

/// Fields of the control word (Intel SDM Vol. 1 8.1.5).
pub mod control {
    /// Precision: 0 single, 2 double, 3 extended (1 is reserved and means extended).
    pub const PC_SHIFT: u16 = 8;
    /// Rounding: 0 nearest, 1 down, 2 up, 3 toward zero.
    pub const RC_SHIFT: u16 = 10;
    pub const PC: u16 = 3 << PC_SHIFT;
    pub const RC: u16 = 3 << RC_SHIFT;
    pub const MASKS: u16 = super::status::EXCEPTIONS;
    /// Bit 6 reads as one, bit 12 (infinity control) is storage, the other reserved bits read as zero.
    pub const WRITABLE: u16 = 0x1F3F;
    pub const FIXED: u16 = 0x0040;
}

/// FOP of an instruction: the low three bits of the first opcode byte and the second byte (Intel SDM Vol. 1 8.1.9).
pub fn opcode(bytes: &[u8]) -> u16 {
    let mut rest = bytes.iter().skip_while(|byte| !(0xD8..=0xDF).contains(*byte));
    let first = rest.next().copied().unwrap_or(0);
    let second = rest.next().copied().unwrap_or(0);
    u16::from(first & 7) << 8 | u16::from(second)
}

/// What an operation depends on besides its operands.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    pub control: u16,
    /// The status word before. Its exception flags are sticky, so a unit need not say again what already stands
    /// here; flags beyond it are exact.
    pub status: u16,
}

impl Env {
    /// For who looks at flags himself: all that are reported will be the operation's own.
    pub const fn exact(self) -> Self {
        Self { control: self.control, status: 0 }
    }
}

/// A result, and the status bits (exceptions and condition codes) that go with it. If the control word leaves
/// IE, DE or ZE of `status` unmasked there is no result and `value` means nothing; if it leaves OE or UE unmasked
/// the exponent is biased by 24576 (Intel SDM Vol. 1 8.5.4, 8.5.5). Condition codes are those that the instruction
/// defines, the rest may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub value: F80,
    pub status: u16,
}

/// Two results: the new top of the stack, and the register below it. FPTAN and FSINCOS with C2 set have only `top`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub top: F80,
    pub next: F80,
    pub status: u16,
}

/// A value for memory, in the low bits. With IE, OE or UE unmasked and set there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    pub bits: T,
    pub status: u16,
}

/// Operations of one operand, ST(0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Sqrt,
    RoundToInteger,
    /// 2^x - 1.
    Exp2m1,
    Sin,
    Cos,
}

/// Operations of two operands, `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    /// a - b.
    Sub,
    Mul,
    /// a / b.
    Div,
    /// a x 2^trunc(b).
    Scale,
    /// FPREM: a rem b, quotient truncated.
    Remainder,
    /// FPREM1: a rem b, quotient rounded to nearest.
    IeeeRemainder,
    /// b x log2(a).
    YLog2X,
    /// b x log2(a + 1).
    YLog2Xp1,
    /// arctan(b / a).
    Atan,
}

/// Operations that replace ST(0) by two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Significand on top of the exponent.
    Extract,
    /// One on top of the tangent.
    Tan,
    /// Cosine on top of the sine.
    SinCos,
}

/// Memory formats that need rounding or a range check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    F32,
    F64,
    I16,
    I32,
    I64,
    /// FISTTP: toward zero whatever the rounding control says.
    Truncated16,
    Truncated32,
    Truncated64,
}

/// Something that computes as an x87 does.
pub trait Unit {
    fn unary(op: Unary, env: Env, a: &F80) -> Outcome;
    fn binary(op: Binary, env: Env, a: &F80, b: &F80) -> Outcome;
    fn split(op: Split, env: Env, a: &F80) -> Pair;
    /// C3, C2, C0 and flags of FCOM (`quiet` false) or FUCOM.
    fn compare(quiet: bool, env: Env, a: &F80, b: &F80) -> u16;
    fn store(format: Format, env: Env, a: &F80) -> Stored<u64>;
    /// FBSTP: 18 packed decimal digits and a sign byte.
    fn store_bcd(env: Env, a: &F80) -> Stored<u128>;
}
