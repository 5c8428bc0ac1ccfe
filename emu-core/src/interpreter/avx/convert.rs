//! Conversions between formats and integers. (VCVTDQ2PD raises nothing and is in `integer`; half precision in `half`.)

use super::float::{packed, scalar, undecided};
use super::operand::{AvxPath, Part, Whole, Ymm, either, in_memory, is_wide};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, two_paths};
use crate::interpreter::path::{Fast, Path, Slow};
use crate::interpreter::sse::operand::SimdPath;
use crate::interpreter::word::Word;
use crate::isa::simd::{convert as c, host, mxcsr, ordinary};
use iced_x86::{Code, Mnemonic as M};

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        M::Vcvtdq2ps => packed(d, ordinary::cvtdq2ps, host::cvtdq2ps),
        M::Vcvtps2dq => packed(d, ordinary::cvtps2dq, c::cvtps2dq),
        M::Vcvttps2dq => packed(d, ordinary::cvttps2dq, c::cvttps2dq),
        M::Vcvtpd2dq => narrowing(d, |b, mxcsr| c::cvtpd2dq(0, b, mxcsr)),
        M::Vcvttpd2dq => narrowing(d, |b, mxcsr| c::cvttpd2dq(0, b, mxcsr)),
        M::Vcvtpd2ps => narrowing(d, |b, mxcsr| host::cvtpd2ps(0, b, mxcsr)),
        M::Vcvtps2pd => widening(d, |b, mxcsr| host::cvtps2pd(0, b, mxcsr)),
        M::Vcvtss2sd => scalar::<4, _, _>(d, c::widen, host::cvtss2sd),
        M::Vcvtsd2ss => scalar::<8, _, _>(d, c::narrow, host::cvtsd2ss),
        _ => return general(d),
    })
}

/// Conversions with a general register.
fn general(d: &Decoded<'_>) -> Option<Handler> {
    use Code::*;
    Some(match d.instruction.code() {
        VEX_Vcvtsi2ss_xmm_xmm_rm32 => from_general::<u32, _, _>(d, c::cvtsi2ss_r32, host::cvtsi2ss_r32),
        VEX_Vcvtsi2ss_xmm_xmm_rm64 => from_general::<u64, _, _>(d, c::cvtsi2ss_r64, host::cvtsi2ss_r64),
        VEX_Vcvtsi2sd_xmm_xmm_rm32 => {
            from_general::<u32, _, _>(d, c::cvtsi2sd_r32, |a, b, _| (c::cvtsi2sd_r32(a, b as u32), 0))
        }
        VEX_Vcvtsi2sd_xmm_xmm_rm64 => from_general::<u64, _, _>(d, c::cvtsi2sd_r64, host::cvtsi2sd_r64),
        VEX_Vcvtss2si_r32_xmmm32 => to_general::<4, _>(d, c::cvtss2si_r32),
        VEX_Vcvtss2si_r64_xmmm32 => to_general::<4, _>(d, c::cvtss2si_r64),
        VEX_Vcvttss2si_r32_xmmm32 => to_general::<4, _>(d, c::cvttss2si_r32),
        VEX_Vcvttss2si_r64_xmmm32 => to_general::<4, _>(d, c::cvttss2si_r64),
        VEX_Vcvtsd2si_r32_xmmm64 => to_general::<8, _>(d, c::cvtsd2si_r32),
        VEX_Vcvtsd2si_r64_xmmm64 => to_general::<8, _>(d, c::cvtsd2si_r64),
        VEX_Vcvttsd2si_r32_xmmm64 => to_general::<8, _>(d, c::cvttsd2si_r32),
        VEX_Vcvttsd2si_r64_xmmm64 => to_general::<8, _>(d, c::cvttsd2si_r64),
        _ => return None,
    })
}

/// xmm1 = f of the 128-bit lanes of v2/m, each giving 64 bits; the rest is cleared.
fn narrowing<F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u32) -> (u128, u32) + Copy,
{
    if !is_wide(d) {
        return either::<Part<16>, _, _>(d, undecided, move |cpu: &mut Cpu, op: &Op, b| {
            let (value, raised) = f(b, cpu.s.mxcsr);
            cpu.accept(raised)?;
            cpu.set_vex(op.a, value);
            Ok(())
        });
    }
    either::<Whole<Ymm>, _, _>(d, undecided, move |cpu: &mut Cpu, op: &Op, [low, high]| {
        let (low, high) = (f(low, cpu.s.mxcsr), f(high, cpu.s.mxcsr));
        cpu.accept(low.1 | high.1)?;
        cpu.set_vex(op.a, low.0 | high.0 << 64);
        Ok(())
    })
}

/// v1 = f of 64 bits of xmm2/m for each 128-bit lane.
pub fn widening<F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u32) -> (u128, u32) + Copy,
{
    if !is_wide(d) {
        return either::<Part<8>, _, _>(d, undecided, move |cpu: &mut Cpu, op: &Op, b| {
            let (value, raised) = f(b, cpu.s.mxcsr);
            cpu.accept(raised)?;
            cpu.set_vex(op.a, value);
            Ok(())
        });
    }
    either::<Part<16>, _, _>(d, undecided, move |cpu: &mut Cpu, op: &Op, b| {
        let (low, high) = (f(b, cpu.s.mxcsr), f(b >> 64, cpu.s.mxcsr));
        cpu.accept(low.1 | high.1)?;
        cpu.set_ymm(op.a, [low.0, high.0]);
        Ok(())
    })
}

/// r = f(xmm/m, MXCSR), zero-extended, with a memory operand of `BYTES`.
fn to_general<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u32) -> (u64, u32) + Copy,
{
    let apply = move |cpu: &mut Cpu, op: &Op, b| {
        let (value, raised) = f(b, cpu.s.mxcsr);
        cpu.accept(raised)?;
        cpu.set_reg::<u64>(op.a, value);
        Ok(())
    };
    either::<Part<BYTES>, _, _>(d, apply, apply)
}

/// The last source: a general register or memory.
#[inline(always)]
fn integer<P: Path, T: Word, const MEMORY: bool>(cpu: &mut Cpu, op: &Op) -> Result<T, Faulted> {
    if MEMORY { P::load::<T>(cpu, op) } else { Ok(cpu.reg::<T>(op.c)) }
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
    Fast::avx_guard(cpu)?;
    let b = integer::<Fast, T, MEMORY>(cpu, op)?;
    if !mxcsr::ordinary(cpu.s.mxcsr) {
        return Err(Faulted);
    }
    cpu.set_vex(op.a, native(cpu.xmm(op.b), b));
    Ok(())
}

#[inline(always)]
fn exact_from_general<T: Word, const MEMORY: bool, E>(cpu: &mut Cpu, op: &Op, exact: E) -> Result<(), Faulted>
where
    E: Fn(u128, u64, u32) -> (u128, u32),
{
    Slow::avx_guard(cpu)?;
    let b = integer::<Slow, T, MEMORY>(cpu, op)?;
    let (value, raised) = exact(cpu.xmm(op.b), b.zext(), cpu.s.mxcsr);
    cpu.accept(raised).map_err(|raised| Slow::unmasked(cpu, raised))?;
    cpu.set_vex(op.a, value);
    Ok(())
}

/// xmm1 = f(xmm2, r/m, MXCSR): `native` under an ordinary MXCSR, which it cannot change, else `exact`.
fn from_general<T: Word, N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, T) -> u128 + Copy,
    E: Fn(u128, u64, u32) -> (u128, u32) + Copy,
{
    if in_memory(d) {
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
