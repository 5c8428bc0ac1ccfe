//! VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ, VMASKMOVDQU: elements that are masked off are not accessed, so they
//! cannot fault either.

use super::operand::{Vector, Ymm, is_wide};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex};
use crate::interpreter::sse::moves::masked_store;
use crate::interpreter::word::Word;
use iced_x86::Mnemonic as M;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        M::Vmaskmovps | M::Vpmaskmovd => moving::<u32>(d),
        M::Vmaskmovpd | M::Vpmaskmovq => moving::<u64>(d),
        M::Vmaskmovdqu => complex(vmaskmovdqu),
        _ => return None,
    })
}

fn moving<T: Word>(d: &Decoded<'_>) -> Handler {
    match (d.memory(0), is_wide(d)) {
        (false, false) => complex(load::<T, u128>),
        (false, true) => complex(load::<T, Ymm>),
        (true, false) => complex(store::<T, u128>),
        (true, true) => complex(store::<T, Ymm>),
    }
}

/// Elements of `T` in 128 bits.
const fn per_lane<T: Word>() -> u32 {
    128 / T::BITS
}

/// Element `n` of a vector.
pub fn element<T: Word, V: Vector>(v: V, n: u32) -> T {
    T::from_wide(v.lane(n / per_lane::<T>()) >> (n % per_lane::<T>() * T::BITS))
}

/// `v` with another element `n`.
pub fn with_element<T: Word, V: Vector>(v: V, n: u32, value: T) -> V {
    let at = n % per_lane::<T>() * T::BITS;
    let ones = u128::MAX >> (128 - T::BITS) << at;
    v.zip(
        v,
        |lane, old, _| {
            if lane == n / per_lane::<T>() { old & !ones | value.to_wide() << at } else { old }
        },
    )
}

/// Whether element `n` of a mask has its top bit set.
pub fn is_chosen<T: Word, V: Vector>(mask: V, n: u32) -> bool {
    element::<T, V>(mask, n).zext() & T::SIGN != 0
}

/// The elements that a mask chooses, lowest first.
fn chosen<T: Word, V: Vector>(mask: V) -> impl Iterator<Item = u32> {
    (0..(V::BYTES / T::SIZE) as u32).filter(move |n| is_chosen::<T, V>(mask, *n))
}

/// The linear address of element `n` of the memory operand.
fn address<T: Word, const WRITE: bool>(cpu: &mut Cpu, op: &Op, n: u32) -> Result<u64, Faulted> {
    let mut at = op.clone();
    at.disp = op.disp.wrapping_add(u64::from(n) * T::SIZE);
    cpu.linear::<WRITE>(&at, T::SIZE)
}

/// Masked-off elements become zero.
fn load<T: Word, V: Vector>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    let mask = V::get(cpu, op.b);
    let mut value = mask.zip(mask, |_, _, _| 0);
    for n in chosen::<T, V>(mask) {
        let linear = address::<T, false>(cpu, op, n)?;
        value = with_element::<T, V>(value, n, cpu.read(linear, op.seg)?);
    }
    value.set(cpu, op.a);
    Ok(())
}

/// Operand 1 is the mask, operand 2 the value.
fn store<T: Word, V: Vector>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    let (mask, value) = (V::get(cpu, op.b), V::get(cpu, op.c));
    for n in chosen::<T, V>(mask) {
        let linear = address::<T, true>(cpu, op, n)?;
        cpu.probe_write(linear, T::SIZE, op.seg)?;
    }
    for n in chosen::<T, V>(mask) {
        let linear = address::<T, true>(cpu, op, n)?;
        cpu.write(linear, element::<T, V>(value, n), op.seg)?;
    }
    Ok(())
}

fn vmaskmovdqu(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    masked_store(cpu, op, cpu.xmm(op.b), cpu.xmm(op.c), 16)
}
