//! FMA: three forms of each instruction, which differ in the operands' parts, by one function.

use super::float::{Undecided, undecided};
use super::operand::{Consumer, Part, Vector, either, either_width};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Handler, Op};
use crate::interpreter::sse::operand::Unmasked;
use crate::isa::simd::{fma, mxcsr};
use iced_x86::Mnemonic as M;

/// The operands of form 132, 213 or 231 as (x, y, z): digits one and two are the factors, digit three the addend.
#[inline(always)]
fn order<const FORM: u32>(one: u128, two: u128, three: u128) -> (u128, u128, u128) {
    match FORM {
        132 => (one, three, two),
        213 => (two, one, three),
        _ => (two, three, one),
    }
}

/// Rows of an instruction's three forms: how many lanes, and the function.
macro_rules! forms {
    ($d:expr; $($m132:ident $m213:ident $m231:ident: $shape:ident $kernel:ident;)*) => {
        match $d.instruction.mnemonic() {
            $(
                M::$m132 => $shape::<132, _, _>($d, fma::ordinary::$kernel, fma::$kernel),
                M::$m213 => $shape::<213, _, _>($d, fma::ordinary::$kernel, fma::$kernel),
                M::$m231 => $shape::<231, _, _>($d, fma::ordinary::$kernel, fma::$kernel),
            )*
            _ => return None,
        }
    };
}

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    Some(forms! { d;
        Vfmadd132ps Vfmadd213ps Vfmadd231ps: packed vfmadd231ps;
        Vfmadd132pd Vfmadd213pd Vfmadd231pd: packed vfmadd231pd;
        Vfmadd132ss Vfmadd213ss Vfmadd231ss: single vfmadd231ss;
        Vfmadd132sd Vfmadd213sd Vfmadd231sd: double vfmadd231sd;
        Vfmsub132ps Vfmsub213ps Vfmsub231ps: packed vfmsub231ps;
        Vfmsub132pd Vfmsub213pd Vfmsub231pd: packed vfmsub231pd;
        Vfmsub132ss Vfmsub213ss Vfmsub231ss: single vfmsub231ss;
        Vfmsub132sd Vfmsub213sd Vfmsub231sd: double vfmsub231sd;
        Vfnmadd132ps Vfnmadd213ps Vfnmadd231ps: packed vfnmadd231ps;
        Vfnmadd132pd Vfnmadd213pd Vfnmadd231pd: packed vfnmadd231pd;
        Vfnmadd132ss Vfnmadd213ss Vfnmadd231ss: single vfnmadd231ss;
        Vfnmadd132sd Vfnmadd213sd Vfnmadd231sd: double vfnmadd231sd;
        Vfnmsub132ps Vfnmsub213ps Vfnmsub231ps: packed vfnmsub231ps;
        Vfnmsub132pd Vfnmsub213pd Vfnmsub231pd: packed vfnmsub231pd;
        Vfnmsub132ss Vfnmsub213ss Vfnmsub231ss: single vfnmsub231ss;
        Vfnmsub132sd Vfnmsub213sd Vfnmsub231sd: double vfnmsub231sd;
        Vfmaddsub132ps Vfmaddsub213ps Vfmaddsub231ps: packed vfmaddsub231ps;
        Vfmaddsub132pd Vfmaddsub213pd Vfmaddsub231pd: packed vfmaddsub231pd;
        Vfmsubadd132ps Vfmsubadd213ps Vfmsubadd231ps: packed vfmsubadd231ps;
        Vfmsubadd132pd Vfmsubadd213pd Vfmsubadd231pd: packed vfmsubadd231pd;
    })
}

#[derive(Clone, Copy)]
struct Native<const FORM: u32, N>(N);

impl<const FORM: u32, N> Consumer for Native<FORM, N>
where
    N: Fn(u128, u128, u128) -> Option<u128> + Copy + 'static,
{
    #[inline(always)]
    fn consume<V: Vector>(self, cpu: &mut Cpu, op: &Op, last: V) -> Result<(), Unmasked> {
        let first = V::get(cpu, op.a);
        let mut decided = mxcsr::ordinary(cpu.s.mxcsr);
        let value = V::get(cpu, op.b).zip(last, |n, two, three| {
            let (x, y, z) = order::<FORM>(first.lane(n), two, three);
            let lane = (self.0)(x, y, z);
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

#[derive(Clone, Copy)]
struct Exactly<const FORM: u32, E>(E);

impl<const FORM: u32, E> Consumer for Exactly<FORM, E>
where
    E: Fn(u128, u128, u128, u32) -> (u128, u32) + Copy + 'static,
{
    #[inline(always)]
    fn consume<V: Vector>(self, cpu: &mut Cpu, op: &Op, last: V) -> Result<(), Unmasked> {
        let (first, mxcsr, mut raised) = (V::get(cpu, op.a), cpu.s.mxcsr, 0);
        let value = V::get(cpu, op.b).zip(last, |n, two, three| {
            let (x, y, z) = order::<FORM>(first.lane(n), two, three);
            let (lane, flags) = (self.0)(x, y, z, mxcsr);
            raised |= flags;
            lane
        });
        cpu.accept(raised)?;
        value.set(cpu, op.a);
        Ok(())
    }
}

/// Packed: `native` on ordinary numbers if the host can, `exact` on all.
fn packed<const FORM: u32, N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, u128, u128) -> Option<u128> + Copy + 'static,
    E: Fn(u128, u128, u128, u32) -> (u128, u32) + Copy + 'static,
{
    if fma::on_host() {
        either_width(d, Native::<FORM, N>(native), Exactly::<FORM, E>(exact))
    } else {
        either_width(d, Undecided, Exactly::<FORM, E>(exact))
    }
}

/// The lowest `BYTES` of a result; those above are the destination's.
#[inline(always)]
fn merge<const BYTES: u32>(cpu: &mut Cpu, op: &Op, value: u128) {
    let mask = u128::MAX >> (128 - 8 * BYTES);
    cpu.set_vex(op.a, cpu.xmm(op.a) & !mask | value & mask);
}

fn scalar<const FORM: u32, const BYTES: u32, N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, u128, u128) -> Option<u128> + Copy,
    E: Fn(u128, u128, u128, u32) -> (u128, u32) + Copy,
{
    let fast = move |cpu: &mut Cpu, op: &Op, last| {
        if !mxcsr::ordinary(cpu.s.mxcsr) {
            return Err(Unmasked::UNDECIDED);
        }
        let (x, y, z) = order::<FORM>(cpu.xmm(op.a), cpu.xmm(op.b), last);
        let value = native(x, y, z).ok_or(Unmasked::UNDECIDED)?;
        merge::<BYTES>(cpu, op, value);
        Ok(())
    };
    let slow = move |cpu: &mut Cpu, op: &Op, last| {
        let (x, y, z) = order::<FORM>(cpu.xmm(op.a), cpu.xmm(op.b), last);
        let (value, raised) = exact(x, y, z, cpu.s.mxcsr);
        cpu.accept(raised)?;
        merge::<BYTES>(cpu, op, value);
        Ok(())
    };
    if fma::on_host() {
        either::<Part<BYTES>, _, _>(d, fast, slow)
    } else {
        either::<Part<BYTES>, _, _>(d, undecided, slow)
    }
}

fn single<const FORM: u32, N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, u128, u128) -> Option<u128> + Copy,
    E: Fn(u128, u128, u128, u32) -> (u128, u32) + Copy,
{
    scalar::<FORM, 4, N, E>(d, native, exact)
}

fn double<const FORM: u32, N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, u128, u128) -> Option<u128> + Copy,
    E: Fn(u128, u128, u128, u32) -> (u128, u32) + Copy,
{
    scalar::<FORM, 8, N, E>(d, native, exact)
}
