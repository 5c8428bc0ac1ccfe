//! The host's x87 as a [`Unit`].
//!
//! Every operation is one asm block: operands from 80-bit images, the instruction, the status word, the result back.
//! The register stack is empty before and after (the ABIs of x86-64 promise it and the clobbers claim it).
//!
//! *Fast*: all exceptions masked, host flags left as they are. Host flags are sticky, so what they say is exact only
//! if the guest's own sticky flags already include it; otherwise the operation is run again
//! *exactly*: flags cleared first, the guest's masks in force. (So it is with UE unmasked: an exact denormal result
//! raises it only then.) An unmasked exception stays pending in the host's
//! unit until the FNCLEX right after the operation; only non-waiting instructions run in between, so the host
//! takes no fault, and suppressed and biased results are silicon's too.
#![allow(unsafe_code)] // inline assembly is the point of this module

use super::image::HOST_CONTROL;
use super::status::{C0, C3, CONDITIONS, DE, EXCEPTIONS, IE, UE};
use super::{Binary, Env, Format, Outcome, Pair, Split, Stored, Unary, Unit, control};
use crate::vcpu::F80;
use std::arch::asm;

/// The host's x87.
pub struct Host;

const PRECISION_AND_ROUNDING: u16 = control::PC | control::RC;
const USUAL: u16 = HOST_CONTROL & PRECISION_AND_ROUNDING;

/// Keeps the second run away from the first: FNCLEX and FNINIT cost the processor a hundred cycles even where it only
/// guesses that it will come to them.
#[cold]
#[inline(never)]
fn exactly(run: impl FnOnce() -> u16) -> u16 {
    run()
}

/// `fnstsw` stands between `op` and `store`, so that moving the result out does not disturb C1.
macro_rules! run {
    ($env:expr, [$($load:literal),*], $op:literal, [$($store:literal),*], $($operand:tt)*) => {{
        let env: Env = $env;
        let mut status: u16;
        if env.control & PRECISION_AND_ROUNDING == USUAL {
            // SAFETY: the block reads and writes only the images it is given; the x87 stack is empty at both ends.
            unsafe {
                asm!($($load,)* $op, "fnstsw ax", $($store,)* $($operand)*,
                    out("ax") status, out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                    out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _, options(nostack));
            }
        } else {
            let masked = env.control & PRECISION_AND_ROUNDING | control::MASKS | control::FIXED;
            // SAFETY: as above; the host's control word is back at the end.
            unsafe {
                asm!("fldcw word ptr [{masked}]", $($load,)* $op, "fnstsw ax", $($store,)*
                    "fldcw word ptr [{usual}]", $($operand)*, masked = in(reg) &masked, usual = in(reg) &HOST_CONTROL,
                    out("ax") status, out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                    out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _, options(nostack));
            }
        }
        if status & EXCEPTIONS & !env.status != 0 || env.control & UE == 0 {
            status = exactly(|| {
                let guest = env.control & (PRECISION_AND_ROUNDING | control::MASKS) | control::FIXED;
                let status: u16;
                // SAFETY: as above. FNCLEX drops a pending exception before the next waiting instruction; FNINIT
                // empties the stack, whose depth depends on what was suppressed.
                unsafe {
                    asm!("fnclex", "fldcw word ptr [{guest}]", $($load,)* $op, "fnstsw ax", "fnclex",
                        "fldcw word ptr [{usual}]", $($store,)* "fninit", "fldcw word ptr [{usual}]", $($operand)*,
                        guest = in(reg) &guest, usual = in(reg) &HOST_CONTROL,
                        out("ax") status, out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                        out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _, options(nostack));
                }
                status
            });
        }
        status & (EXCEPTIONS | CONDITIONS)
    }};
}

/// Copies what FSTP has just stored with loads of the size of its stores: one of 16 bytes would have to wait for them
/// to reach the cache.
#[inline(always)]
fn by_parts(value: &F80) -> F80 {
    F80 { significand: value.significand, exponent: value.exponent }
}

macro_rules! unary {
    ($env:expr, $a:expr, $op:literal) => {{
        let mut value = F80::ZERO;
        let status = run!($env, ["fld tbyte ptr [{a}]"], $op, ["fstp tbyte ptr [{value}]"],
            a = in(reg) $a, value = in(reg) &mut value);
        Outcome { value: by_parts(&value), status }
    }};
}

/// ST(0) is `a`, ST(1) is `b`; the result is in ST(0), the other operand still below it.
macro_rules! binary {
    ($env:expr, $a:expr, $b:expr, $op:literal) => {{
        let mut value = F80::ZERO;
        let status = run!($env, ["fld tbyte ptr [{b}]", "fld tbyte ptr [{a}]"], $op,
            ["fstp tbyte ptr [{value}]", "fstp st(0)"],
            a = in(reg) $a, b = in(reg) $b, value = in(reg) &mut value);
        Outcome { value: by_parts(&value), status }
    }};
}

/// As `binary`, but the instruction pops.
macro_rules! popping {
    ($env:expr, $a:expr, $b:expr, $op:literal) => {{
        let mut value = F80::ZERO;
        let status = run!($env, ["fld tbyte ptr [{b}]", "fld tbyte ptr [{a}]"], $op, ["fstp tbyte ptr [{value}]"],
            a = in(reg) $a, b = in(reg) $b, value = in(reg) &mut value);
        Outcome { value: by_parts(&value), status }
    }};
}

macro_rules! split {
    ($env:expr, $a:expr, $op:literal) => {{
        let (mut top, mut next) = (F80::ZERO, F80::ZERO);
        let status = run!($env, ["fld tbyte ptr [{a}]"], $op,
            ["fstp tbyte ptr [{top}]", "fstp tbyte ptr [{next}]"],
            a = in(reg) $a, top = in(reg) &mut top, next = in(reg) &mut next);
        Pair { top: by_parts(&top), next: by_parts(&next), status }
    }};
}

macro_rules! compare {
    ($env:expr, $a:expr, $b:expr, $op:literal) => {
        run!($env, ["fld tbyte ptr [{b}]", "fld tbyte ptr [{a}]"], $op, [], a = in(reg) $a, b = in(reg) $b)
    };
}

/// The instruction pops, and its store is the result.
macro_rules! store {
    ($env:expr, $a:expr, $op:literal) => {{
        let mut bits = 0;
        let status =
            run!($env, ["fld tbyte ptr [{a}]"], $op, [], a = in(reg) $a, bits = in(reg) &mut bits);
        Stored { bits, status }
    }};
}

/// FPREM with a NaN as its result, or with none, leaves C3 and C0 alone: they are the guest's, not the host's.
fn quotient(env: Env, mut outcome: Outcome) -> Outcome {
    let no_result = outcome.status & (IE | DE) & !env.control != 0;
    if no_result || outcome.value.is_nan() {
        outcome.status = outcome.status & !(C3 | C0) | env.status & (C3 | C0);
    }
    outcome
}

impl Unit for Host {
    #[inline(always)]
    fn unary(op: Unary, env: Env, a: &F80) -> Outcome {
        match op {
            Unary::Sqrt => unary!(env, a, "fsqrt"),
            Unary::RoundToInteger => unary!(env, a, "frndint"),
            Unary::Exp2m1 => unary!(env, a, "f2xm1"),
            Unary::Sin => unary!(env, a, "fsin"),
            Unary::Cos => unary!(env, a, "fcos"),
        }
    }

    #[inline(always)]
    fn binary(op: Binary, env: Env, a: &F80, b: &F80) -> Outcome {
        match op {
            Binary::Add => binary!(env, a, b, "fadd st(0), st(1)"),
            Binary::Sub => binary!(env, a, b, "fsub st(0), st(1)"),
            Binary::Mul => binary!(env, a, b, "fmul st(0), st(1)"),
            Binary::Div => binary!(env, a, b, "fdiv st(0), st(1)"),
            Binary::Scale => binary!(env, a, b, "fscale"),
            Binary::Remainder => quotient(env, binary!(env, a, b, "fprem")),
            Binary::IeeeRemainder => quotient(env, binary!(env, a, b, "fprem1")),
            Binary::YLog2X => popping!(env, a, b, "fyl2x"),
            Binary::YLog2Xp1 => popping!(env, a, b, "fyl2xp1"),
            Binary::Atan => popping!(env, a, b, "fpatan"),
        }
    }

    #[inline(always)]
    fn split(op: Split, env: Env, a: &F80) -> Pair {
        match op {
            Split::Extract => split!(env, a, "fxtract"),
            Split::Tan => split!(env, a, "fptan"),
            Split::SinCos => split!(env, a, "fsincos"),
        }
    }

    #[inline(always)]
    fn compare(quiet: bool, env: Env, a: &F80, b: &F80) -> u16 {
        if quiet { compare!(env, a, b, "fucompp") } else { compare!(env, a, b, "fcompp") }
    }

    #[inline(always)]
    fn store(format: Format, env: Env, a: &F80) -> Stored<u64> {
        match format {
            Format::F32 => store!(env, a, "fstp dword ptr [{bits}]"),
            Format::F64 => store!(env, a, "fstp qword ptr [{bits}]"),
            Format::I16 => store!(env, a, "fistp word ptr [{bits}]"),
            Format::I32 => store!(env, a, "fistp dword ptr [{bits}]"),
            Format::I64 => store!(env, a, "fistp qword ptr [{bits}]"),
            Format::Truncated16 => store!(env, a, "fisttp word ptr [{bits}]"),
            Format::Truncated32 => store!(env, a, "fisttp dword ptr [{bits}]"),
            Format::Truncated64 => store!(env, a, "fisttp qword ptr [{bits}]"),
        }
    }

    fn store_bcd(env: Env, a: &F80) -> Stored<u128> {
        store!(env, a, "fbstp tbyte ptr [{bits}]")
    }
}
