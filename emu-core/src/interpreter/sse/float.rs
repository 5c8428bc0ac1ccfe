//! Floating point: the table from mnemonics to functions, comparisons that set flags, conversions to and from general
//! and MMX registers.

use super::operand::{arithmetic, float, float_imm};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex, faulting};
use crate::interpreter::word::Scalar;
use crate::isa::simd::float::{self as f, Double, Single};
use crate::isa::simd::{convert as c, host};
use crate::vcpu::rflags;
use iced_x86::{Code, Mnemonic as M};
use std::cmp::Ordering;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    operation(d).or_else(|| conversion(d))
}

/// Operations between XMM registers.
fn operation(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        M::Addps => arithmetic::<Single, 4, false, _, _>(d, |a, b| a + b, host::addps),
        M::Addpd => arithmetic::<Double, 2, false, _, _>(d, |a, b| a + b, host::addpd),
        M::Addss => arithmetic::<Single, 1, false, _, _>(d, |a, b| a + b, host::addss),
        M::Addsd => arithmetic::<Double, 1, false, _, _>(d, |a, b| a + b, host::addsd),
        M::Subps => arithmetic::<Single, 4, false, _, _>(d, |a, b| a - b, host::subps),
        M::Subpd => arithmetic::<Double, 2, false, _, _>(d, |a, b| a - b, host::subpd),
        M::Subss => arithmetic::<Single, 1, false, _, _>(d, |a, b| a - b, host::subss),
        M::Subsd => arithmetic::<Double, 1, false, _, _>(d, |a, b| a - b, host::subsd),
        M::Mulps => arithmetic::<Single, 4, false, _, _>(d, |a, b| a * b, host::mulps),
        M::Mulpd => arithmetic::<Double, 2, false, _, _>(d, |a, b| a * b, host::mulpd),
        M::Mulss => arithmetic::<Single, 1, false, _, _>(d, |a, b| a * b, host::mulss),
        M::Mulsd => arithmetic::<Double, 1, false, _, _>(d, |a, b| a * b, host::mulsd),
        M::Divps => arithmetic::<Single, 4, false, _, _>(d, |a, b| a / b, host::divps),
        M::Divpd => arithmetic::<Double, 2, false, _, _>(d, |a, b| a / b, host::divpd),
        M::Divss => arithmetic::<Single, 1, false, _, _>(d, |a, b| a / b, host::divss),
        M::Divsd => arithmetic::<Double, 1, false, _, _>(d, |a, b| a / b, host::divsd),
        M::Sqrtps => arithmetic::<Single, 4, true, _, _>(d, |_, b| b.sqrt(), host::sqrtps),
        M::Sqrtpd => arithmetic::<Double, 2, true, _, _>(d, |_, b| b.sqrt(), host::sqrtpd),
        M::Sqrtss => arithmetic::<Single, 1, true, _, _>(d, |_, b| b.sqrt(), host::sqrtss),
        M::Sqrtsd => arithmetic::<Double, 1, true, _, _>(d, |_, b| b.sqrt(), host::sqrtsd),
        M::Minps => float::<16, _>(d, f::min::<Single, 4>),
        M::Minpd => float::<16, _>(d, f::min::<Double, 2>),
        M::Minss => float::<4, _>(d, f::min::<Single, 1>),
        M::Minsd => float::<8, _>(d, f::min::<Double, 1>),
        M::Maxps => float::<16, _>(d, f::max::<Single, 4>),
        M::Maxpd => float::<16, _>(d, f::max::<Double, 2>),
        M::Maxss => float::<4, _>(d, f::max::<Single, 1>),
        M::Maxsd => float::<8, _>(d, f::max::<Double, 1>),
        M::Addsubps => float::<16, _>(d, f::addsubps),
        M::Addsubpd => float::<16, _>(d, f::addsubpd),
        M::Haddps => float::<16, _>(d, f::haddps),
        M::Haddpd => float::<16, _>(d, f::haddpd),
        M::Hsubps => float::<16, _>(d, f::hsubps),
        M::Hsubpd => float::<16, _>(d, f::hsubpd),
        M::Cmpps => float_imm::<16, _>(d, f::cmp::<Single, 4>),
        M::Cmppd => float_imm::<16, _>(d, f::cmp::<Double, 2>),
        M::Cmpss => float_imm::<4, _>(d, f::cmp::<Single, 1>),
        M::Cmpsd if d.register(0) => float_imm::<8, _>(d, f::cmp::<Double, 1>), // else the string instruction
        M::Roundps => float_imm::<16, _>(d, f::roundf::<Single, 4>),
        M::Roundpd => float_imm::<16, _>(d, f::roundf::<Double, 2>),
        M::Roundss => float_imm::<4, _>(d, f::roundf::<Single, 1>),
        M::Roundsd => float_imm::<8, _>(d, f::roundf::<Double, 1>),
        M::Dpps => float_imm::<16, _>(d, f::dpps),
        M::Dppd => float_imm::<16, _>(d, f::dppd),
        M::Comiss => compare::<4, _>(d, f::comis::<Single, false>),
        M::Comisd => compare::<8, _>(d, f::comis::<Double, false>),
        M::Ucomiss => compare::<4, _>(d, f::comis::<Single, true>),
        M::Ucomisd => compare::<8, _>(d, f::comis::<Double, true>),
        M::Cvtps2pd => float::<8, _>(d, host::cvtps2pd),
        M::Cvtpd2ps => float::<16, _>(d, host::cvtpd2ps),
        M::Cvtss2sd => float::<4, _>(d, host::cvtss2sd),
        M::Cvtsd2ss => float::<8, _>(d, host::cvtsd2ss),
        M::Cvtdq2ps => float::<16, _>(d, host::cvtdq2ps),
        M::Cvtps2dq => float::<16, _>(d, c::cvtps2dq),
        M::Cvttps2dq => float::<16, _>(d, c::cvttps2dq),
        M::Cvtpd2dq => float::<16, _>(d, c::cvtpd2dq),
        M::Cvttpd2dq => float::<16, _>(d, c::cvttpd2dq),
        _ => return None,
    })
}

/// Conversions with a general or MMX register.
fn conversion(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.code() {
        Code::Cvtsi2ss_xmm_rm32 => from_general::<u32, _>(d, |a, b, m| host::cvtsi2ss_r32(a, b.into(), m)),
        Code::Cvtsi2ss_xmm_rm64 => from_general::<u64, _>(d, host::cvtsi2ss_r64),
        Code::Cvtsi2sd_xmm_rm32 => from_general::<u32, _>(d, |a, b, _| (c::cvtsi2sd_r32(a, b), 0)),
        Code::Cvtsi2sd_xmm_rm64 => from_general::<u64, _>(d, host::cvtsi2sd_r64),
        Code::Cvtss2si_r32_xmmm32 => to_general::<u32, _>(d, c::cvtss2si_r32),
        Code::Cvtss2si_r64_xmmm32 => to_general::<u32, _>(d, c::cvtss2si_r64),
        Code::Cvttss2si_r32_xmmm32 => to_general::<u32, _>(d, c::cvttss2si_r32),
        Code::Cvttss2si_r64_xmmm32 => to_general::<u32, _>(d, c::cvttss2si_r64),
        Code::Cvtsd2si_r32_xmmm64 => to_general::<u64, _>(d, c::cvtsd2si_r32),
        Code::Cvtsd2si_r64_xmmm64 => to_general::<u64, _>(d, c::cvtsd2si_r64),
        Code::Cvttsd2si_r32_xmmm64 => to_general::<u64, _>(d, c::cvttsd2si_r32),
        Code::Cvttsd2si_r64_xmmm64 => to_general::<u64, _>(d, c::cvttsd2si_r64),
        Code::Cvtpi2ps_xmm_mmm64 => from_mmx(d, |a, b, mxcsr| {
            let (low, raised) = host::cvtdq2ps(0, b.into(), mxcsr);
            (a >> 64 << 64 | u128::from(low as u64), raised)
        }),
        Code::Cvtpi2pd_xmm_mmm64 => from_mmx(d, |_, b, _| (c::cvtdq2pd(0, b.into()), 0)),
        Code::Cvtps2pi_mm_xmmm64 => to_mmx::<8, _>(d, c::cvtps2pi),
        Code::Cvttps2pi_mm_xmmm64 => to_mmx::<8, _>(d, c::cvttps2pi),
        Code::Cvtpd2pi_mm_xmmm128 => to_mmx::<16, _>(d, c::cvtpd2dq),
        Code::Cvttpd2pi_mm_xmmm128 => to_mmx::<16, _>(d, c::cvttpd2dq),
        _ => return None,
    })
}

/// ZF, PF and CF as COMISD sets them; OF, SF and AF are cleared.
#[inline(always)]
fn comparison_flags(order: Option<Ordering>) -> u64 {
    match order {
        None => rflags::ZF | rflags::PF | rflags::CF,
        Some(Ordering::Less) => rflags::CF,
        Some(Ordering::Equal) => rflags::ZF,
        Some(Ordering::Greater) => 0,
    }
}

fn compare<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u32) -> (Option<Ordering>, u32) + Copy,
{
    let finish = move |cpu: &mut Cpu, op: &Op, b: u128| {
        let (order, raised) = f(cpu.xmm(op.a), b, cpu.s.mxcsr);
        cpu.settle_simd(raised)?;
        cpu.flags.known(comparison_flags(order));
        Ok(())
    };
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.source::<BYTES>(op)?;
            finish(cpu, op, b)
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            finish(cpu, op, cpu.xmm(op.b))
        })
    }
}

/// xmm1 = f(xmm1, r/m, MXCSR).
fn from_general<T: crate::interpreter::word::Word, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, T, u32) -> (u128, u32) + Copy,
{
    let finish = move |cpu: &mut Cpu, op: &Op, b: T| {
        let (value, raised) = f(cpu.xmm(op.a), b, cpu.s.mxcsr);
        cpu.settle_simd(raised)?;
        cpu.set_xmm(op.a, value);
        Ok(())
    };
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.load::<T>(op)?;
            finish(cpu, op, b)
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            finish(cpu, op, cpu.reg::<T>(op.b))
        })
    }
}

/// r = f(xmm/m, MXCSR), zero-extended, with a memory operand of type `T`.
fn to_general<T: Scalar, F: Fn(u128, u32) -> (u64, u32) + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    let finish = move |cpu: &mut Cpu, op: &Op, b: u128| {
        let (value, raised) = f(b, cpu.s.mxcsr);
        cpu.settle_simd(raised)?;
        cpu.set_reg::<u64>(op.a, value);
        Ok(())
    };
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.load::<T>(op)?.to_wide();
            finish(cpu, op, b)
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            finish(cpu, op, cpu.xmm(op.b))
        })
    }
}

/// xmm = f(xmm, mm/m64, MXCSR). A memory operand leaves the x87 state alone (Intel SDM Vol. 2, "CVTPI2PD"; AMD's
/// processors do the same for CVTPI2PS).
fn from_mmx<F: Fn(u128, u64, u32) -> (u128, u32) + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    let finish = move |cpu: &mut Cpu, op: &Op, b: u64| -> Result<(), Faulted> {
        let (value, raised) = f(cpu.xmm(op.a), b, cpu.s.mxcsr);
        cpu.settle_simd(raised)?;
        cpu.set_xmm(op.a, value);
        Ok(())
    };
    if d.memory(1) {
        complex(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.load::<u64>(op)?;
            finish(cpu, op, b)
        })
    } else {
        complex(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            cpu.pending_guard()?;
            finish(cpu, op, cpu.mm(op.b))?;
            cpu.enter_mmx();
            Ok(())
        })
    }
}

/// mm = f(_, xmm/m, MXCSR), with a memory operand of `BYTES`.
fn to_mmx<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u32) -> (u128, u32) + Copy,
{
    let finish = move |cpu: &mut Cpu, op: &Op, b: u128| {
        let (value, raised) = f(0, b, cpu.s.mxcsr);
        cpu.settle_simd(raised)?;
        cpu.enter_mmx();
        cpu.set_mm(op.a, value as u64);
        Ok(())
    };
    if d.memory(1) {
        complex(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            cpu.pending_guard()?;
            let b = cpu.source::<BYTES>(op)?;
            finish(cpu, op, b)
        })
    } else {
        complex(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            cpu.pending_guard()?;
            finish(cpu, op, cpu.xmm(op.b))
        })
    }
}
