//! F16C: VCVTPH2PS and VCVTPS2PH.

use super::convert::widening;
use super::operand::{Vector, Ymm, is_wide};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex};
use crate::interpreter::path::Slow;
use crate::interpreter::sse::operand::SimdPath;
use crate::interpreter::word::Scalar;
use crate::isa::simd::{half, mxcsr};
use iced_x86::Mnemonic as M;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    Some(match (d.instruction.mnemonic(), is_wide(d), d.memory(0)) {
        (M::Vcvtph2ps, ..) => widening(d, |b, _| half::vcvtph2ps(b)),
        (M::Vcvtps2ph, false, false) => complex(to_register::<u128>),
        (M::Vcvtps2ph, true, false) => complex(to_register::<Ymm>),
        (M::Vcvtps2ph, false, true) => complex(to_memory),
        (M::Vcvtps2ph, true, true) => complex(to_memory_wide),
        _ => return None,
    })
}

/// 64 bits for each 128-bit lane of the source, and the exceptions of all lanes.
fn narrowed<V: Vector>(cpu: &Cpu, op: &Op) -> (u128, u32) {
    let source = V::get(cpu, op.b);
    let (mut value, mut raised) = (0, 0);
    let _ = source.zip(source, |n, lane, _| {
        let (bits, flags) = half::vcvtps2ph(lane, op.imm as u8, cpu.s.mxcsr);
        value |= u128::from(bits) << (64 * n);
        raised |= flags;
        lane
    });
    (value, raised)
}

fn to_register<V: Vector>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    let (value, raised) = narrowed::<V>(cpu, op);
    cpu.accept(raised).map_err(|raised| Slow::unmasked(cpu, raised))?;
    cpu.set_vex(op.a, value);
    Ok(())
}

/// The flags come after the store, which may fault. If one of them is unmasked nothing is stored, but a fault that the
/// store would meet comes first, as on AMD's processors.
fn store<T: Scalar>(cpu: &mut Cpu, op: &Op, value: T, raised: u32) -> Result<(), Faulted> {
    if mxcsr::unmasked(cpu.s.mxcsr, raised) == 0 {
        cpu.store(op, value)?;
    } else {
        let linear = cpu.linear::<true>(op, T::SIZE)?;
        cpu.probe_write(linear, T::SIZE, op.seg)?;
    }
    cpu.accept(raised).map_err(|raised| Slow::unmasked(cpu, raised))
}

fn to_memory(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    let (value, raised) = narrowed::<u128>(cpu, op);
    store(cpu, op, value as u64, raised)
}

fn to_memory_wide(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    let (value, raised) = narrowed::<Ymm>(cpu, op);
    store(cpu, op, value, raised)
}
