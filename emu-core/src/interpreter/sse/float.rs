//! Floating point: the table from mnemonics to functions, comparisons that set flags, conversions to and from general
//! and MMX registers.

use super::operand::{SimdPath, arithmetic, consuming, float, float_imm, on_host};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex, two_paths};
use crate::interpreter::path::{Fast, Path, Slow};
use crate::interpreter::word::Word;
use crate::isa::simd::float as f;
use crate::isa::simd::format::{Double, Single};
use crate::isa::simd::{convert as c, host, mxcsr, ordinary};
use crate::vcpu::rflags;
use iced_x86::{Code, Mnemonic as M};
use std::cmp::Ordering;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    operation(d).or_else(|| conversion(d))
}

/// Operations between XMM registers.
fn operation(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        M::Addps => arithmetic::<16, _, _>(d, ordinary::addps, host::addps),
        M::Addpd => arithmetic::<16, _, _>(d, ordinary::addpd, host::addpd),
        M::Addss => {
            arithmetic::<4, _, _>(d, |a, b| f::natively::<Single, 1>(a, b, |a, b| a + b), host::addss)
        }
        M::Addsd => {
            arithmetic::<8, _, _>(d, |a, b| f::natively::<Double, 1>(a, b, |a, b| a + b), host::addsd)
        }
        M::Subps => arithmetic::<16, _, _>(d, ordinary::subps, host::subps),
        M::Subpd => arithmetic::<16, _, _>(d, ordinary::subpd, host::subpd),
        M::Subss => {
            arithmetic::<4, _, _>(d, |a, b| f::natively::<Single, 1>(a, b, |a, b| a - b), host::subss)
        }
        M::Subsd => {
            arithmetic::<8, _, _>(d, |a, b| f::natively::<Double, 1>(a, b, |a, b| a - b), host::subsd)
        }
        M::Mulps => arithmetic::<16, _, _>(d, ordinary::mulps, host::mulps),
        M::Mulpd => arithmetic::<16, _, _>(d, ordinary::mulpd, host::mulpd),
        M::Mulss => {
            arithmetic::<4, _, _>(d, |a, b| f::natively::<Single, 1>(a, b, |a, b| a * b), host::mulss)
        }
        M::Mulsd => {
            arithmetic::<8, _, _>(d, |a, b| f::natively::<Double, 1>(a, b, |a, b| a * b), host::mulsd)
        }
        M::Divps => arithmetic::<16, _, _>(d, ordinary::divps, host::divps),
        M::Divpd => arithmetic::<16, _, _>(d, ordinary::divpd, host::divpd),
        M::Divss => {
            arithmetic::<4, _, _>(d, |a, b| f::natively::<Single, 1>(a, b, |a, b| a / b), host::divss)
        }
        M::Divsd => {
            arithmetic::<8, _, _>(d, |a, b| f::natively::<Double, 1>(a, b, |a, b| a / b), host::divsd)
        }
        M::Sqrtps => arithmetic::<16, _, _>(d, ordinary::sqrtps, host::sqrtps),
        M::Sqrtpd => arithmetic::<16, _, _>(d, ordinary::sqrtpd, host::sqrtpd),
        M::Sqrtss => {
            arithmetic::<4, _, _>(d, |a, b| f::natively_unary::<Single, 1>(a, b, |b| b.sqrt()), host::sqrtss)
        }
        M::Sqrtsd => {
            arithmetic::<8, _, _>(d, |a, b| f::natively_unary::<Double, 1>(a, b, |b| b.sqrt()), host::sqrtsd)
        }
        M::Minps => arithmetic::<16, _, _>(d, ordinary::minps, f::min::<Single, 4>),
        M::Minpd => arithmetic::<16, _, _>(d, ordinary::minpd, f::min::<Double, 2>),
        M::Minss => float::<4, _>(d, f::min::<Single, 1>),
        M::Minsd => float::<8, _>(d, f::min::<Double, 1>),
        M::Maxps => arithmetic::<16, _, _>(d, ordinary::maxps, f::max::<Single, 4>),
        M::Maxpd => arithmetic::<16, _, _>(d, ordinary::maxpd, f::max::<Double, 2>),
        M::Maxss => float::<4, _>(d, f::max::<Single, 1>),
        M::Maxsd => float::<8, _>(d, f::max::<Double, 1>),
        M::Addsubps => on_host::<16, _>(d, f::addsubps),
        M::Addsubpd => on_host::<16, _>(d, f::addsubpd),
        M::Haddps => on_host::<16, _>(d, f::haddps),
        M::Haddpd => on_host::<16, _>(d, f::haddpd),
        M::Hsubps => on_host::<16, _>(d, f::hsubps),
        M::Hsubpd => on_host::<16, _>(d, f::hsubpd),
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
        M::Cvtps2pd => on_host::<8, _>(d, host::cvtps2pd),
        M::Cvtpd2ps => on_host::<16, _>(d, host::cvtpd2ps),
        M::Cvtss2sd => arithmetic::<4, _, _>(d, c::widen, host::cvtss2sd),
        M::Cvtsd2ss => arithmetic::<8, _, _>(d, c::narrow, host::cvtsd2ss),
        M::Cvtdq2ps => arithmetic::<16, _, _>(d, ordinary::cvtdq2ps, host::cvtdq2ps),
        M::Cvtps2dq => arithmetic::<16, _, _>(d, ordinary::cvtps2dq, c::cvtps2dq),
        M::Cvttps2dq => arithmetic::<16, _, _>(d, ordinary::cvttps2dq, c::cvttps2dq),
        M::Cvtpd2dq => float::<16, _>(d, c::cvtpd2dq),
        M::Cvttpd2dq => float::<16, _>(d, c::cvttpd2dq),
        _ => return None,
    })
}

/// Conversions with a general or MMX register.
fn conversion(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.code() {
        Code::Cvtsi2ss_xmm_rm32 => from_general::<u32, _, _>(d, c::cvtsi2ss_r32, host::cvtsi2ss_r32),
        Code::Cvtsi2ss_xmm_rm64 => from_general::<u64, _, _>(d, c::cvtsi2ss_r64, host::cvtsi2ss_r64),
        Code::Cvtsi2sd_xmm_rm32 => {
            from_general::<u32, _, _>(d, c::cvtsi2sd_r32, |a, b, _| (c::cvtsi2sd_r32(a, b as u32), 0))
        }
        Code::Cvtsi2sd_xmm_rm64 => from_general::<u64, _, _>(d, c::cvtsi2sd_r64, host::cvtsi2sd_r64),
        Code::Cvtss2si_r32_xmmm32 => to_general::<4, _>(d, c::cvtss2si_r32),
        Code::Cvtss2si_r64_xmmm32 => to_general::<4, _>(d, c::cvtss2si_r64),
        Code::Cvttss2si_r32_xmmm32 => to_general::<4, _>(d, c::cvttss2si_r32),
        Code::Cvttss2si_r64_xmmm32 => to_general::<4, _>(d, c::cvttss2si_r64),
        Code::Cvtsd2si_r32_xmmm64 => to_general::<8, _>(d, c::cvtsd2si_r32),
        Code::Cvtsd2si_r64_xmmm64 => to_general::<8, _>(d, c::cvtsd2si_r64),
        Code::Cvttsd2si_r32_xmmm64 => to_general::<8, _>(d, c::cvttsd2si_r32),
        Code::Cvttsd2si_r64_xmmm64 => to_general::<8, _>(d, c::cvttsd2si_r64),
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
pub fn comparison_flags(order: Option<Ordering>) -> u64 {
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
    consuming::<BYTES, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        let (order, raised) = f(cpu.xmm(op.a), b, cpu.s.mxcsr);
        cpu.accept(raised)?;
        cpu.flags.known(comparison_flags(order));
        Ok(())
    })
}

/// r = f(xmm/m, MXCSR), zero-extended, with a memory operand of `BYTES`.
fn to_general<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u32) -> (u64, u32) + Copy,
{
    consuming::<BYTES, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        let (value, raised) = f(b, cpu.s.mxcsr);
        cpu.accept(raised)?;
        cpu.set_reg::<u64>(op.a, value);
        Ok(())
    })
}

// ---- from general registers ----------------------------------------------------------------------------------

/// Operand 1: a general register or memory.
#[inline(always)]
fn general<P: Path, T: Word, const MEMORY: bool>(cpu: &mut Cpu, op: &Op) -> Result<T, Faulted> {
    if MEMORY { P::load::<T>(cpu, op) } else { Ok(cpu.reg::<T>(op.b)) }
}

#[inline(always)]
fn native_from_general<T: Word, const MEMORY: bool, N>(
    cpu: &mut Cpu,
    op: &Op,
    native: N,
) -> Result<(), Faulted>
where
    N: Fn(u128, T) -> u128,
{
    Fast::sse_guard(cpu)?;
    let b = general::<Fast, T, MEMORY>(cpu, op)?;
    if !mxcsr::ordinary(cpu.s.mxcsr) {
        return Err(Faulted);
    }
    cpu.set_xmm(op.a, native(cpu.xmm(op.a), b));
    Ok(())
}

#[inline(always)]
fn exact_from_general<T: Word, const MEMORY: bool, E>(cpu: &mut Cpu, op: &Op, exact: E) -> Result<(), Faulted>
where
    E: Fn(u128, u64, u32) -> (u128, u32),
{
    cpu.sse_guard()?;
    let b = general::<Slow, T, MEMORY>(cpu, op)?;
    let (value, raised) = exact(cpu.xmm(op.a), b.zext(), cpu.s.mxcsr);
    cpu.accept(raised).map_err(|raised| Slow::unmasked(cpu, raised))?;
    cpu.set_xmm(op.a, value);
    Ok(())
}

/// xmm1 = f(xmm1, r/m, MXCSR): `native` under an ordinary MXCSR, which it cannot change, else `exact`.
fn from_general<T: Word, N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, T) -> u128 + Copy,
    E: Fn(u128, u64, u32) -> (u128, u32) + Copy,
{
    if d.memory(1) {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| native_from_general::<T, true, N>(cpu, op, native),
            move |cpu: &mut Cpu, op: &Op| exact_from_general::<T, true, E>(cpu, op, exact),
        )
    } else {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| native_from_general::<T, false, N>(cpu, op, native),
            move |cpu: &mut Cpu, op: &Op| exact_from_general::<T, false, E>(cpu, op, exact),
        )
    }
}

// ---- MMX registers -------------------------------------------------------------------------------------------

/// xmm = f(xmm, mm/m64, MXCSR). A memory operand leaves the x87 state alone (Intel SDM Vol. 2, "CVTPI2PD"; AMD's
/// processors do the same for CVTPI2PS).
fn from_mmx<F: Fn(u128, u64, u32) -> (u128, u32) + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    let finish = move |cpu: &mut Cpu, op: &Op, b: u64| -> Result<(), Faulted> {
        let (value, raised) = f(cpu.xmm(op.a), b, cpu.s.mxcsr);
        cpu.accept(raised).map_err(|raised| Slow::unmasked(cpu, raised))?;
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
            cpu.enter_mmx(); // on silicon, also where the conversion then faults
            finish(cpu, op, cpu.mm(op.b))
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
        cpu.enter_mmx(); // on silicon, also where the conversion then faults
        cpu.accept(raised).map_err(|raised| Slow::unmasked(cpu, raised))?;
        cpu.set_mm(op.a, value as u64);
        Ok(())
    };
    if d.memory(1) {
        complex(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            cpu.pending_guard()?;
            let b = Slow::source::<BYTES>(cpu, op)?;
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
