//! What crosses lanes or chooses elements by a vector: permutations, 128-bit halves, shifts by element.

use super::operand::{AvxPath, Part, across, consuming, lanes, lanes_imm};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, two_paths};
use crate::interpreter::path::{Fast, Slow};
use crate::isa::simd::packed as p;
use crate::isa::simd::permute as x;
use iced_x86::Mnemonic as M;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        M::Vpermilps if d.immediate(2) => lanes_imm::<0, _>(d, p::pshufd),
        M::Vpermilpd if d.immediate(2) => lanes_imm::<2, _>(d, |_, b, imm| p::shufpd(b, b, imm)),
        M::Vpermilps => lanes(d, x::vpermilps),
        M::Vpermilpd => lanes(d, x::vpermilpd),
        M::Vperm2f128 | M::Vperm2i128 => across(d, x::vperm2x128),
        M::Vpermd | M::Vpermps => across(d, |index, table, _| x::vpermd(index, table)),
        M::Vpermq | M::Vpermpd => across(d, |_, table, imm| x::vpermq(table, imm)),

        M::Vpsllvd => lanes(d, x::vpsllvd),
        M::Vpsllvq => lanes(d, x::vpsllvq),
        M::Vpsrlvd => lanes(d, x::vpsrlvd),
        M::Vpsrlvq => lanes(d, x::vpsrlvq),
        M::Vpsravd => lanes(d, x::vpsravd),

        M::Vinsertf128 | M::Vinserti128 => consuming::<Part<16>, _>(d, |cpu: &mut Cpu, op: &Op, half| {
            let mut value = cpu.ymm(op.b);
            value[(op.imm & 1) as usize] = half;
            cpu.set_ymm(op.a, value);
            Ok(())
        }),
        M::Vextractf128 | M::Vextracti128 if d.memory(0) => two_paths(store_half::<Fast>, store_half::<Slow>),
        M::Vextractf128 | M::Vextracti128 => two_paths(extract_half::<Fast>, extract_half::<Slow>),
        _ => return None,
    })
}

fn half(cpu: &Cpu, op: &Op) -> u128 {
    cpu.ymm(op.b)[(op.imm & 1) as usize]
}

fn store_half<P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    let value = half(cpu, op);
    P::store(cpu, op, value)
}

fn extract_half<P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    cpu.set_vex(op.a, half(cpu, op));
    Ok(())
}
