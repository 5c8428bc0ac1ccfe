//! Moves between registers and memory, whole and in part.

use super::operand::{SimdPath, sized, xmm};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex, faulting, two_paths};
use crate::interpreter::path::{Fast, Slow};
use crate::interpreter::word::{Scalar, Word};
use crate::isa::simd::packed::punpcklqdq;
use iced_x86::Code;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    use Code::*;
    Some(match d.instruction.code() {
        Movaps_xmm_xmmm128 | Movapd_xmm_xmmm128 | Movdqa_xmm_xmmm128 | Movntdqa_xmm_m128 => xmm(d, |_, b| b),
        Movups_xmm_xmmm128 | Movupd_xmm_xmmm128 | Movdqu_xmm_xmmm128 if d.register(1) => {
            two_paths(copy::<Fast>, copy::<Slow>)
        }
        Movups_xmm_xmmm128 | Movupd_xmm_xmmm128 | Movdqu_xmm_xmmm128 | Lddqu_xmm_m128 => {
            two_paths(load::<u128, Fast>, load::<u128, Slow>)
        }
        Movaps_xmmm128_xmm | Movapd_xmmm128_xmm | Movdqa_xmmm128_xmm if d.register(0) => {
            two_paths(copy::<Fast>, copy::<Slow>)
        }
        Movaps_xmmm128_xmm | Movapd_xmmm128_xmm | Movdqa_xmmm128_xmm => {
            two_paths(store_aligned::<Fast>, store_aligned::<Slow>)
        }
        Movntps_m128_xmm | Movntpd_m128_xmm | Movntdq_m128_xmm => {
            two_paths(store_aligned::<Fast>, store_aligned::<Slow>)
        }
        Movups_xmmm128_xmm | Movupd_xmmm128_xmm | Movdqu_xmmm128_xmm if d.register(0) => {
            two_paths(copy::<Fast>, copy::<Slow>)
        }
        Movups_xmmm128_xmm | Movupd_xmmm128_xmm | Movdqu_xmmm128_xmm => {
            two_paths(store::<u128, Fast>, store::<u128, Slow>)
        }

        Movss_xmm_xmmm32 if d.memory(1) => two_paths(load::<u32, Fast>, load::<u32, Slow>),
        Movss_xmmm32_xmm if d.memory(0) => two_paths(store::<u32, Fast>, store::<u32, Slow>),
        Movss_xmm_xmmm32 | Movss_xmmm32_xmm => two_paths(merge::<u32, Fast>, merge::<u32, Slow>),
        Movsd_xmm_xmmm64 | Movq_xmm_xmmm64 if d.memory(1) => two_paths(load::<u64, Fast>, load::<u64, Slow>),
        Movsd_xmmm64_xmm | Movq_xmmm64_xmm if d.memory(0) => {
            two_paths(store::<u64, Fast>, store::<u64, Slow>)
        }
        Movsd_xmm_xmmm64 | Movsd_xmmm64_xmm => two_paths(merge::<u64, Fast>, merge::<u64, Slow>),
        Movq_xmm_xmmm64 | Movq_xmmm64_xmm => two_paths(copy_low::<Fast>, copy_low::<Slow>),

        Movlps_xmm_m64 | Movlpd_xmm_m64 => sized::<8, _>(d, |a, b| a >> 64 << 64 | b),
        Movhps_xmm_m64 | Movhpd_xmm_m64 => sized::<8, _>(d, punpcklqdq),
        Movlps_m64_xmm | Movlpd_m64_xmm => two_paths(store::<u64, Fast>, store::<u64, Slow>),
        Movhps_m64_xmm | Movhpd_m64_xmm => two_paths(store_high::<Fast>, store_high::<Slow>),
        Movhlps_xmm_xmm => xmm(d, |a, b| a >> 64 << 64 | b >> 64),
        Movlhps_xmm_xmm => xmm(d, punpcklqdq),

        Movd_xmm_rm32 if d.memory(1) => two_paths(load::<u32, Fast>, load::<u32, Slow>),
        Movq_xmm_rm64 if d.memory(1) => two_paths(load::<u64, Fast>, load::<u64, Slow>),
        Movd_xmm_rm32 => two_paths(from_general::<u32, Fast>, from_general::<u32, Slow>),
        Movq_xmm_rm64 => two_paths(from_general::<u64, Fast>, from_general::<u64, Slow>),
        Movd_rm32_xmm if d.memory(0) => two_paths(store::<u32, Fast>, store::<u32, Slow>),
        Movq_rm64_xmm if d.memory(0) => two_paths(store::<u64, Fast>, store::<u64, Slow>),
        Movd_rm32_xmm => two_paths(to_general::<u32, Fast>, to_general::<u32, Slow>),
        Movq_rm64_xmm => two_paths(to_general::<u64, Fast>, to_general::<u64, Slow>),

        Movd_mm_rm32 if d.memory(1) => two_paths(load_mmx::<u32, Fast>, load_mmx::<u32, Slow>),
        Movq_mm_rm64 | Movq_mm_mmm64 if d.memory(1) => {
            two_paths(load_mmx::<u64, Fast>, load_mmx::<u64, Slow>)
        }
        Movd_mm_rm32 => two_paths(mmx_from_general::<u32, Fast>, mmx_from_general::<u32, Slow>),
        Movq_mm_rm64 => two_paths(mmx_from_general::<u64, Fast>, mmx_from_general::<u64, Slow>),
        Movd_rm32_mm if d.memory(0) => two_paths(store_mmx::<u32, Fast>, store_mmx::<u32, Slow>),
        Movq_rm64_mm | Movq_mmm64_mm if d.memory(0) => {
            two_paths(store_mmx::<u64, Fast>, store_mmx::<u64, Slow>)
        }
        Movntq_m64_mm => two_paths(store_mmx::<u64, Fast>, store_mmx::<u64, Slow>),
        Movd_rm32_mm => two_paths(mmx_to_general::<u32, Fast>, mmx_to_general::<u32, Slow>),
        Movq_rm64_mm => two_paths(mmx_to_general::<u64, Fast>, mmx_to_general::<u64, Slow>),
        Movq_mm_mmm64 | Movq_mmm64_mm => two_paths(copy_mmx::<Fast>, copy_mmx::<Slow>),
        Movq2dq_xmm_mm => faulting(mmx_to_xmm),
        Movdq2q_mm_xmm => faulting(xmm_to_mmx),

        Maskmovdqu_rDI_xmm_xmm => complex(maskmovdqu),
        Maskmovq_rDI_mm_mm => complex(maskmovq),
        _ => return None,
    })
}

fn copy<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::sse_guard(cpu)?;
    cpu.set_xmm(op.a, cpu.xmm(op.b));
    Ok(())
}

/// The upper half is cleared.
fn copy_low<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::sse_guard(cpu)?;
    cpu.set_xmm(op.a, u128::from(cpu.xmm(op.b) as u64));
    Ok(())
}

/// The rest of the destination stays.
fn merge<T: Scalar, P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::sse_guard(cpu)?;
    cpu.merge_xmm(op.a, T::from_wide(cpu.xmm(op.b)));
    Ok(())
}

/// Zero-extended.
fn load<T: Scalar, P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::sse_guard(cpu)?;
    let value = P::load::<T>(cpu, op)?;
    cpu.set_xmm(op.a, value.to_wide());
    Ok(())
}

fn store<T: Scalar, P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::sse_guard(cpu)?;
    let value = T::from_wide(cpu.xmm(op.b));
    P::store(cpu, op, value)
}

fn store_high<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::sse_guard(cpu)?;
    let value = (cpu.xmm(op.b) >> 64) as u64;
    P::store(cpu, op, value)
}

fn store_aligned<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::sse_guard(cpu)?;
    let linear = P::aligned::<true>(cpu, op)?;
    let value = cpu.xmm(op.b);
    P::write(cpu, linear, value, op.seg)
}

fn from_general<T: Word, P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::sse_guard(cpu)?;
    cpu.set_xmm(op.a, cpu.reg::<T>(op.b).to_wide());
    Ok(())
}

fn to_general<T: Word, P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::sse_guard(cpu)?;
    cpu.set_reg(op.a, T::from_wide(cpu.xmm(op.b)));
    Ok(())
}

fn load_mmx<T: Word, P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::mmx_guard(cpu)?;
    let value = P::load::<T>(cpu, op)?;
    cpu.enter_mmx();
    cpu.set_mm(op.a, value.zext());
    Ok(())
}

fn store_mmx<T: Word, P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::mmx_guard(cpu)?;
    let value = T::low(cpu.mm(op.b));
    P::store(cpu, op, value)?;
    cpu.enter_mmx();
    Ok(())
}

fn mmx_from_general<T: Word, P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::mmx_guard(cpu)?;
    cpu.enter_mmx();
    cpu.set_mm(op.a, cpu.reg::<T>(op.b).zext());
    Ok(())
}

fn mmx_to_general<T: Word, P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::mmx_guard(cpu)?;
    cpu.enter_mmx();
    cpu.set_reg(op.a, T::low(cpu.mm(op.b)));
    Ok(())
}

fn copy_mmx<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::mmx_guard(cpu)?;
    cpu.enter_mmx();
    cpu.set_mm(op.a, cpu.mm(op.b));
    Ok(())
}

fn mmx_to_xmm(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    cpu.pending_guard()?;
    cpu.enter_mmx();
    cpu.set_xmm(op.a, cpu.mm(op.b).into());
    Ok(())
}

fn xmm_to_mmx(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    cpu.pending_guard()?;
    cpu.enter_mmx();
    cpu.set_mm(op.a, cpu.xmm(op.b) as u64);
    Ok(())
}

/// The bytes of `value` whose byte in `mask` has its top bit set, to the `size` bytes at rDI. With no byte chosen
/// nothing is accessed.
pub fn masked_store(cpu: &mut Cpu, op: &Op, value: u128, mask: u128, size: u64) -> Result<(), Faulted> {
    const DI: u8 = 7;
    let offset = match op.addr_bytes {
        2 => cpu.r.get(DI) & 0xFFFF,
        4 => cpu.r.get(DI) & 0xFFFF_FFFF,
        _ => cpu.r.get(DI),
    };
    let chosen = |i: &u64| mask >> (8 * i + 7) & 1 != 0;
    let (Some(first), Some(last)) = ((0..size).find(chosen), (0..size).rfind(chosen)) else { return Ok(()) };
    let linear = cpu.segment_linear(op.seg, offset, size, true)?;
    cpu.probe_write(linear.wrapping_add(first) & cpu.addr_mask, 1, op.seg)?;
    cpu.probe_write(linear.wrapping_add(last) & cpu.addr_mask, 1, op.seg)?;
    // Should a store in the middle hit code and have the instruction run again, storing twice does no harm.
    for i in (first..=last).filter(chosen) {
        cpu.write(linear.wrapping_add(i) & cpu.addr_mask, (value >> (8 * i)) as u8, op.seg)?;
    }
    Ok(())
}

fn maskmovdqu(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    masked_store(cpu, op, cpu.xmm(op.b), cpu.xmm(op.c), 16)
}

fn maskmovq(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.mmx_guard()?;
    masked_store(cpu, op, cpu.mm(op.b).into(), cpu.mm(op.c).into(), 8)?;
    cpu.enter_mmx();
    Ok(())
}
