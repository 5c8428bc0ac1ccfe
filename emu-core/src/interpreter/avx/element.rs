//! Single elements and what is read off all of them: insert, extract, sign masks, tests, string comparisons.

use super::operand::{AvxPath, Part, Vector, Whole, Ymm, consuming, is_wide, sized_imm, source};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex, faulting, two_paths};
use crate::interpreter::path::{Fast, Slow};
use crate::interpreter::sse::text;
use crate::interpreter::word::Word;
use crate::isa::simd::packed::{extract, insert, insertps, movmskpd, movmskps, pmovmskb};
use crate::isa::simd::string::Comparison;
use crate::vcpu::rflags::{CF, ZF};
use iced_x86::Mnemonic as M;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        M::Vpinsrb => inserting::<u8>(d),
        M::Vpinsrw => inserting::<u16>(d),
        M::Vpinsrd => inserting::<u32>(d),
        M::Vpinsrq => inserting::<u64>(d),
        M::Vpextrb => extracting::<u8>(d),
        M::Vpextrw => extracting::<u16>(d),
        M::Vpextrd | M::Vextractps => extracting::<u32>(d),
        M::Vpextrq => extracting::<u64>(d),
        M::Vinsertps if d.memory(2) => sized_imm::<4, _>(d, |a, b, imm| insertps(a, b as u32, imm)),
        M::Vinsertps => sized_imm::<4, _>(d, |a, b, imm| insertps(a, extract(b, 32, imm >> 6) as u32, imm)),

        M::Vpmovmskb => mask::<16, _>(d, pmovmskb),
        M::Vmovmskps => mask::<4, _>(d, movmskps),
        M::Vmovmskpd => mask::<2, _>(d, movmskpd),

        M::Vptest => test::<{ u128::MAX }>(d),
        M::Vtestps => test::<0x8000_0000_8000_0000_8000_0000_8000_0000>(d),
        M::Vtestpd => test::<0x8000_0000_0000_0000_8000_0000_0000_0000>(d),

        M::Vpcmpistri => comparison(text::implicitly, text::index),
        M::Vpcmpistrm => comparison(text::implicitly, string_mask),
        M::Vpcmpestri => comparison(text::explicitly, text::index),
        M::Vpcmpestrm => comparison(text::explicitly, string_mask),
        M::Vpcmpestri64 => comparison(text::explicitly_64, text::index),
        M::Vpcmpestrm64 => comparison(text::explicitly_64, string_mask),
        _ => return None,
    })
}

/// VPINSRx: the last source is a general register, of which the low part is taken, or memory of the element's size.
fn inserting<T: Word>(d: &Decoded<'_>) -> Handler {
    if d.memory(2) {
        two_paths(insert_load::<T, Fast>, insert_load::<T, Slow>)
    } else {
        two_paths(insert_register::<T, Fast>, insert_register::<T, Slow>)
    }
}

fn insert_load<T: Word, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    let value = P::load::<T>(cpu, op)?;
    cpu.set_vex(op.a, insert(cpu.xmm(op.b), value.zext(), T::BITS, op.imm as u8));
    Ok(())
}

fn insert_register<T: Word, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    cpu.set_vex(op.a, insert(cpu.xmm(op.b), cpu.reg::<u64>(op.c), T::BITS, op.imm as u8));
    Ok(())
}

/// VPEXTRx: to a register zero-extended, or to memory of the element's size.
fn extracting<T: Word>(d: &Decoded<'_>) -> Handler {
    if d.memory(0) {
        two_paths(extract_store::<T, Fast>, extract_store::<T, Slow>)
    } else {
        two_paths(extract_register::<T, Fast>, extract_register::<T, Slow>)
    }
}

fn extract_store<T: Word, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    let value = T::low(extract(cpu.xmm(op.b), T::BITS, op.imm as u8));
    P::store(cpu, op, value)
}

fn extract_register<T: Word, P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::avx_guard(cpu)?;
    cpu.set_reg::<u64>(op.a, extract(cpu.xmm(op.b), T::BITS, op.imm as u8));
    Ok(())
}

/// `f` gives one bit for each of the `LANES` elements of 128 bits.
fn mask<const LANES: u32, F: Fn(u128) -> u64 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    if is_wide(d) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.avx_guard()?;
            let [low, high] = cpu.ymm(op.b);
            cpu.set_reg::<u64>(op.a, f(low) | f(high) << LANES);
            Ok(())
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.avx_guard()?;
            cpu.set_reg::<u64>(op.a, f(cpu.xmm(op.b)));
            Ok(())
        })
    }
}

/// ZF: no bit of the operands in common; CF: the second has no bit that the first has not. Only bits in `BITS` count.
fn test<const BITS: u128>(d: &Decoded<'_>) -> Handler {
    if is_wide(d) { test_width::<Ymm, BITS>(d) } else { test_width::<u128, BITS>(d) }
}

fn test_width<V: Vector, const BITS: u128>(d: &Decoded<'_>) -> Handler {
    consuming::<Whole<V>, _>(d, |cpu: &mut Cpu, op: &Op, last| {
        let (mut common, mut lacking) = (0, 0);
        V::get(cpu, op.a).zip(last, |_, a, b| {
            common |= a & b & BITS;
            lacking |= !a & b & BITS;
            a
        });
        cpu.flags.known(if common == 0 { ZF } else { 0 } | if lacking == 0 { CF } else { 0 });
        Ok(())
    })
}

/// VPCMPxSTRx.
fn comparison<F, R>(compare: F, result: R) -> Handler
where
    F: Fn(&Cpu, &Op, u128) -> Comparison + Copy,
    R: Fn(&mut Cpu, &Op, &Comparison) + Copy,
{
    complex(move |cpu: &mut Cpu, op: &Op| {
        cpu.avx_guard()?;
        let b = source::<Part<16>>(cpu, op)?;
        let comparison = compare(cpu, op, b);
        cpu.flags.known(comparison.flags);
        result(cpu, op, &comparison);
        Ok(())
    })
}

fn string_mask(cpu: &mut Cpu, op: &Op, comparison: &Comparison) {
    cpu.set_vex(0, comparison.mask(op.imm as u8));
}
