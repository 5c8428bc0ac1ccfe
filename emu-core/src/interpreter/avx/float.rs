//! Floating point: arithmetic, comparisons, rounding, dot products.

use super::operand::{Consumer, Part, Vector, Whole, Ymm, either, either_width, is_wide};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Handler, Op};
use crate::interpreter::sse::comparison_flags;
use crate::interpreter::sse::operand::Unmasked;
use crate::isa::simd::float as f;
use crate::isa::simd::format::{Double, Single};
use crate::isa::simd::{host, mxcsr, ordinary};
use iced_x86::Mnemonic as M;
use std::cmp::Ordering;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    arithmetic(d).or_else(|| other(d))
}

fn arithmetic(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        M::Vaddps => packed(d, ordinary::addps, host::addps),
        M::Vaddpd => packed(d, ordinary::addpd, host::addpd),
        M::Vaddss => scalar::<4, _, _>(d, |a, b| f::natively::<Single, 1>(a, b, |a, b| a + b), host::addss),
        M::Vaddsd => scalar::<8, _, _>(d, |a, b| f::natively::<Double, 1>(a, b, |a, b| a + b), host::addsd),
        M::Vsubps => packed(d, ordinary::subps, host::subps),
        M::Vsubpd => packed(d, ordinary::subpd, host::subpd),
        M::Vsubss => scalar::<4, _, _>(d, |a, b| f::natively::<Single, 1>(a, b, |a, b| a - b), host::subss),
        M::Vsubsd => scalar::<8, _, _>(d, |a, b| f::natively::<Double, 1>(a, b, |a, b| a - b), host::subsd),
        M::Vmulps => packed(d, ordinary::mulps, host::mulps),
        M::Vmulpd => packed(d, ordinary::mulpd, host::mulpd),
        M::Vmulss => scalar::<4, _, _>(d, |a, b| f::natively::<Single, 1>(a, b, |a, b| a * b), host::mulss),
        M::Vmulsd => scalar::<8, _, _>(d, |a, b| f::natively::<Double, 1>(a, b, |a, b| a * b), host::mulsd),
        M::Vdivps => packed(d, ordinary::divps, host::divps),
        M::Vdivpd => packed(d, ordinary::divpd, host::divpd),
        M::Vdivss => scalar::<4, _, _>(d, |a, b| f::natively::<Single, 1>(a, b, |a, b| a / b), host::divss),
        M::Vdivsd => scalar::<8, _, _>(d, |a, b| f::natively::<Double, 1>(a, b, |a, b| a / b), host::divsd),
        M::Vsqrtps => packed(d, ordinary::sqrtps, host::sqrtps),
        M::Vsqrtpd => packed(d, ordinary::sqrtpd, host::sqrtpd),
        M::Vsqrtss => {
            scalar::<4, _, _>(d, |a, b| f::natively_unary::<Single, 1>(a, b, |b| b.sqrt()), host::sqrtss)
        }
        M::Vsqrtsd => {
            scalar::<8, _, _>(d, |a, b| f::natively_unary::<Double, 1>(a, b, |b| b.sqrt()), host::sqrtsd)
        }
        _ => return None,
    })
}

fn other(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        M::Vminps => packed(d, ordinary::minps, f::min::<Single, 4>),
        M::Vminpd => packed(d, ordinary::minpd, f::min::<Double, 2>),
        M::Vminss => computed_scalar::<4, _>(d, |a, b, _, mxcsr| f::min::<Single, 1>(a, b, mxcsr)),
        M::Vminsd => computed_scalar::<8, _>(d, |a, b, _, mxcsr| f::min::<Double, 1>(a, b, mxcsr)),
        M::Vmaxps => packed(d, ordinary::maxps, f::max::<Single, 4>),
        M::Vmaxpd => packed(d, ordinary::maxpd, f::max::<Double, 2>),
        M::Vmaxss => computed_scalar::<4, _>(d, |a, b, _, mxcsr| f::max::<Single, 1>(a, b, mxcsr)),
        M::Vmaxsd => computed_scalar::<8, _>(d, |a, b, _, mxcsr| f::max::<Double, 1>(a, b, mxcsr)),
        M::Vcmpps => packed_imm(d, ordinary::cmpps, f::vcmp::<Single, 4>),
        M::Vcmppd => packed_imm(d, ordinary::cmppd, f::vcmp::<Double, 2>),
        M::Vcmpss => computed_scalar::<4, _>(d, f::vcmp::<Single, 1>),
        M::Vcmpsd => computed_scalar::<8, _>(d, f::vcmp::<Double, 1>),
        M::Vroundps => slow(d, f::roundf::<Single, 4>),
        M::Vroundpd => slow(d, f::roundf::<Double, 2>),
        M::Vroundss => computed_scalar::<4, _>(d, f::roundf::<Single, 1>),
        M::Vroundsd => computed_scalar::<8, _>(d, f::roundf::<Double, 1>),
        M::Vaddsubps => slow(d, |a, b, _, mxcsr| f::addsubps(a, b, mxcsr)),
        M::Vaddsubpd => slow(d, |a, b, _, mxcsr| f::addsubpd(a, b, mxcsr)),
        M::Vhaddps => slow(d, |a, b, _, mxcsr| f::haddps(a, b, mxcsr)),
        M::Vhaddpd => slow(d, |a, b, _, mxcsr| f::haddpd(a, b, mxcsr)),
        M::Vhsubps => slow(d, |a, b, _, mxcsr| f::hsubps(a, b, mxcsr)),
        M::Vhsubpd => slow(d, |a, b, _, mxcsr| f::hsubpd(a, b, mxcsr)),
        M::Vdpps if is_wide(d) => dot_products(d),
        M::Vdpps => slow(d, f::dpps),
        M::Vdppd => slow(d, f::dppd),
        M::Vcomiss => compare::<4, _>(d, f::comis::<Single, false>),
        M::Vcomisd => compare::<8, _>(d, f::comis::<Double, false>),
        M::Vucomiss => compare::<4, _>(d, f::comis::<Single, true>),
        M::Vucomisd => compare::<8, _>(d, f::comis::<Double, true>),
        _ => return None,
    })
}

// ---- consumers -----------------------------------------------------------------------------------------------

/// Leaves everything to the slow path.
#[derive(Clone, Copy)]
pub struct Undecided;

impl Consumer for Undecided {
    #[inline(always)]
    fn consume<V: Vector>(self, _: &mut Cpu, _: &Op, _: V) -> Result<(), Unmasked> {
        Err(Unmasked::UNDECIDED)
    }
}

/// What `native` makes of each 128-bit lane where MXCSR is [`mxcsr::ordinary`] and `native` succeeds: MXCSR then does
/// not change.
#[derive(Clone, Copy)]
struct Native<N>(N);

impl<N: Fn(u128, u128, u8) -> Option<u128> + Copy + 'static> Consumer for Native<N> {
    #[inline(always)]
    fn consume<V: Vector>(self, cpu: &mut Cpu, op: &Op, last: V) -> Result<(), Unmasked> {
        let mut decided = mxcsr::ordinary(cpu.s.mxcsr);
        let value = V::get(cpu, op.b).zip(last, |_, a, b| {
            let lane = (self.0)(a, b, op.imm as u8);
            decided &= lane.is_some();
            lane.unwrap_or(0)
        });
        if !decided {
            return Err(Unmasked::UNDECIDED);
        }
        value.set(cpu, op.a);
        Ok(())
    }
}

/// What `f` makes of each 128-bit lane, imm8 and MXCSR, with the exceptions of all lanes together.
#[derive(Clone, Copy)]
struct Exactly<F>(F);

impl<F: Fn(u128, u128, u8, u32) -> (u128, u32) + Copy + 'static> Consumer for Exactly<F> {
    #[inline(always)]
    fn consume<V: Vector>(self, cpu: &mut Cpu, op: &Op, last: V) -> Result<(), Unmasked> {
        let (mxcsr, mut raised) = (cpu.s.mxcsr, 0);
        let value = V::get(cpu, op.b).zip(last, |_, a, b| {
            let (lane, flags) = (self.0)(a, b, op.imm as u8, mxcsr);
            raised |= flags;
            lane
        });
        cpu.accept(raised)?;
        value.set(cpu, op.a);
        Ok(())
    }
}

// ---- packed --------------------------------------------------------------------------------------------------

/// v1 = f(v2, v3/m, imm8): `native` on ordinary numbers, `exact` on all.
fn packed_imm<N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, u128, u8) -> Option<u128> + Copy + 'static,
    E: Fn(u128, u128, u8, u32) -> (u128, u32) + Copy + 'static,
{
    either_width(d, Native(native), Exactly(exact))
}

/// The same without imm8.
pub fn packed<N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, u128) -> Option<u128> + Copy + 'static,
    E: Fn(u128, u128, u32) -> (u128, u32) + Copy + 'static,
{
    packed_imm(d, move |a, b, _| native(a, b), move |a, b, _, mxcsr| exact(a, b, mxcsr))
}

/// v1 = f(v2, v3/m, imm8, MXCSR), always on the slow path.
pub fn slow<F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u8, u32) -> (u128, u32) + Copy + 'static,
{
    either_width(d, Undecided, Exactly(f))
}

/// VDPPS of 256 bits: an exception of a step in one half keeps the next steps of the other from happening.
fn dot_products(d: &Decoded<'_>) -> Handler {
    either::<Whole<Ymm>, _, _>(d, undecided, |cpu: &mut Cpu, op: &Op, [low, high]| {
        let [first, second] = cpu.ymm(op.b);
        let (value, raised) = f::dot_products([(first, low), (second, high)], op.imm as u8, cpu.s.mxcsr);
        cpu.accept(raised)?;
        cpu.set_ymm(op.a, value);
        Ok(())
    })
}

// ---- scalar --------------------------------------------------------------------------------------------------

/// [`Undecided`] for one width.
#[inline(always)]
pub fn undecided<T>(_: &mut Cpu, _: &Op, _: T) -> Result<(), Unmasked> {
    Err(Unmasked::UNDECIDED)
}

#[inline(always)]
fn exactly<F>(cpu: &mut Cpu, op: &Op, b: u128, f: F) -> Result<(), Unmasked>
where
    F: Fn(u128, u128, u8, u32) -> (u128, u32),
{
    let (value, raised) = f(cpu.xmm(op.b), b, op.imm as u8, cpu.s.mxcsr);
    cpu.accept(raised)?;
    cpu.set_vex(op.a, value);
    Ok(())
}

/// xmm1 = xmm2 op xmm3/m, with a memory operand of `BYTES`: `native` on ordinary numbers, `exact` on all.
pub fn scalar<const BYTES: u32, N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, u128) -> Option<u128> + Copy,
    E: Fn(u128, u128, u32) -> (u128, u32) + Copy,
{
    either::<Part<BYTES>, _, _>(
        d,
        move |cpu: &mut Cpu, op: &Op, b| {
            if !mxcsr::ordinary(cpu.s.mxcsr) {
                return Err(Unmasked::UNDECIDED);
            }
            let value = native(cpu.xmm(op.b), b).ok_or(Unmasked::UNDECIDED)?;
            cpu.set_vex(op.a, value);
            Ok(())
        },
        move |cpu: &mut Cpu, op: &Op, b| exactly(cpu, op, b, |a, b, _, mxcsr| exact(a, b, mxcsr)),
    )
}

/// xmm1 = f(xmm2, xmm3/m, imm8, MXCSR), with a memory operand of `BYTES`.
fn computed_scalar<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u8, u32) -> (u128, u32) + Copy,
{
    let apply = move |cpu: &mut Cpu, op: &Op, b| exactly(cpu, op, b, f);
    either::<Part<BYTES>, _, _>(d, apply, apply)
}

/// Flags from xmm1 and xmm2/m, with a memory operand of `BYTES`.
fn compare<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u32) -> (Option<Ordering>, u32) + Copy,
{
    let apply = move |cpu: &mut Cpu, op: &Op, b| {
        let (order, raised) = f(cpu.xmm(op.a), b, cpu.s.mxcsr);
        cpu.accept(raised)?;
        cpu.flags.known(comparison_flags(order));
        Ok(())
    };
    either::<Part<BYTES>, _, _>(d, apply, apply)
}

#[cfg(test)]
mod tests;
