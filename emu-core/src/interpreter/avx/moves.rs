//! Moves between registers and memory, whole and in part.

use super::operand::{AvxPath, Part, Vector, Ymm, consuming, is_wide, lanes, sized};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, two_paths};
use crate::interpreter::path::{Fast, Slow};
use crate::interpreter::word::{Scalar, Word};
use crate::isa::simd::packed::{movddup, punpcklqdq};
use iced_x86::Mnemonic as M;

/// A function for 128 bits, or the same for 256.
macro_rules! by_width {
    ($d:expr, $f:ident) => {
        if is_wide($d) {
            two_paths($f::<Ymm, Fast>, $f::<Ymm, Slow>)
        } else {
            two_paths($f::<u128, Fast>, $f::<u128, Slow>)
        }
    };
}

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    let general = d.instruction.op0_register().is_gpr() || d.instruction.op1_register().is_gpr();
    Some(match d.instruction.mnemonic() {
        M::Vmovaps | M::Vmovapd | M::Vmovdqa | M::Vmovups | M::Vmovupd | M::Vmovdqu
            if d.register(0) && d.register(1) =>
        {
            copy(d)
        }
        M::Vmovaps | M::Vmovapd | M::Vmovdqa | M::Vmovntdqa if d.register(0) => by_width!(d, load_aligned),
        M::Vmovaps | M::Vmovapd | M::Vmovdqa | M::Vmovntps | M::Vmovntpd | M::Vmovntdq => {
            by_width!(d, store_aligned)
        }
        M::Vmovups | M::Vmovupd | M::Vmovdqu | M::Vlddqu if d.register(0) => copy(d),
        M::Vmovups | M::Vmovupd | M::Vmovdqu => by_width!(d, store),

        M::Vmovd if d.memory(0) => two_paths(store_low::<u32, Fast>, store_low::<u32, Slow>),
        M::Vmovd if d.memory(1) => sized::<4, _>(d, |_, b| b),
        M::Vmovd if d.instruction.op0_register().is_gpr() => {
            two_paths(to_general::<u32, Fast>, to_general::<u32, Slow>)
        }
        M::Vmovd => two_paths(from_general::<u32, Fast>, from_general::<u32, Slow>),
        M::Vmovq if d.memory(0) => two_paths(store_low::<u64, Fast>, store_low::<u64, Slow>),
        M::Vmovq if d.memory(1) || !general => sized::<8, _>(d, |_, b| u128::from(b as u64)),
        M::Vmovq if d.instruction.op0_register().is_gpr() => {
            two_paths(to_general::<u64, Fast>, to_general::<u64, Slow>)
        }
        M::Vmovq => two_paths(from_general::<u64, Fast>, from_general::<u64, Slow>),

        M::Vmovss if d.memory(0) => two_paths(store_low::<u32, Fast>, store_low::<u32, Slow>),
        M::Vmovss if d.memory(1) => sized::<4, _>(d, |_, b| b),
        M::Vmovss => sized::<4, _>(d, |a, b| a >> 32 << 32 | u128::from(b as u32)),
        M::Vmovsd if d.memory(0) => two_paths(store_low::<u64, Fast>, store_low::<u64, Slow>),
        M::Vmovsd if d.memory(1) => sized::<8, _>(d, |_, b| b),
        M::Vmovsd => sized::<8, _>(d, |a, b| a >> 64 << 64 | u128::from(b as u64)),
        M::Vmovlps | M::Vmovlpd if d.memory(0) => two_paths(store_low::<u64, Fast>, store_low::<u64, Slow>),
        M::Vmovlps | M::Vmovlpd => sized::<8, _>(d, |a, b| a >> 64 << 64 | b),
        M::Vmovhps | M::Vmovhpd if d.memory(0) => two_paths(store_high::<Fast>, store_high::<Slow>),
        M::Vmovhps | M::Vmovhpd | M::Vmovlhps => sized::<8, _>(d, punpcklqdq),
        M::Vmovhlps => sized::<8, _>(d, |a, b| a >> 64 << 64 | b >> 64),
        M::Vmovddup if is_wide(d) => lanes(d, movddup),
        M::Vmovddup => sized::<8, _>(d, movddup),

        M::Vbroadcastss | M::Vpbroadcastd => broadcast::<4>(d),
        M::Vbroadcastsd | M::Vpbroadcastq => broadcast::<8>(d),
        M::Vbroadcastf128 | M::Vbroadcasti128 => broadcast::<16>(d),
        M::Vpbroadcastb => broadcast::<1>(d),
        M::Vpbroadcastw => broadcast::<2>(d),
        _ => return None,
    })
}

/// Also an unaligned load.
fn copy(d: &Decoded<'_>) -> Handler {
    lanes(d, |_, b| b)
}

fn load_aligned<V: Vector, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    let linear = P::aligned_vector::<V, false>(cpu, op)?;
    V::read::<P>(cpu, linear, op.seg)?.set(cpu, op.a);
    Ok(())
}

fn store_aligned<V: Vector, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    let linear = P::aligned_vector::<V, true>(cpu, op)?;
    V::get(cpu, op.b).write::<P>(cpu, linear, op.seg)
}

fn store<V: Vector, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    let linear = P::linear::<true>(cpu, op, V::BYTES)?;
    V::get(cpu, op.b).write::<P>(cpu, linear, op.seg)
}

fn store_low<T: Scalar, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    let value = T::from_wide(cpu.xmm(op.b));
    P::store(cpu, op, value)
}

fn store_high<P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    let value = (cpu.xmm(op.b) >> 64) as u64;
    P::store(cpu, op, value)
}

fn from_general<T: Word, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    cpu.set_vex(op.a, cpu.reg::<T>(op.b).to_wide());
    Ok(())
}

fn to_general<T: Word, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    cpu.set_reg(op.a, T::from_wide(cpu.xmm(op.b)));
    Ok(())
}

/// The low `BYTES` of `v`, again and again.
#[inline(always)]
fn repeated<const BYTES: u32>(v: u128) -> u128 {
    const ONES: [u128; 4] = [
        0x0101_0101_0101_0101_0101_0101_0101_0101,
        0x0001_0001_0001_0001_0001_0001_0001_0001,
        0x0000_0001_0000_0001_0000_0001_0000_0001,
        0x0000_0000_0000_0001_0000_0000_0000_0001,
    ];
    match BYTES {
        1 => u128::from(v as u8) * ONES[0],
        2 => u128::from(v as u16) * ONES[1],
        4 => u128::from(v as u32) * ONES[2],
        8 => u128::from(v as u64) * ONES[3],
        _ => v,
    }
}

fn broadcast<const BYTES: u32>(d: &Decoded<'_>) -> Handler {
    if is_wide(d) {
        consuming::<Part<BYTES>, _>(d, |cpu: &mut Cpu, op: &Op, b| {
            let lane = repeated::<BYTES>(b);
            cpu.set_ymm(op.a, [lane, lane]);
            Ok(())
        })
    } else {
        sized::<BYTES, _>(d, |_, b| repeated::<BYTES>(b))
    }
}
