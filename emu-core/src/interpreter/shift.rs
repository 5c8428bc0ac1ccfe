//! SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD.

use super::Cpu;
use super::lower::{Decoded, Lowered};
use super::op::{Faulted, Handler, Op, faulting, plain};
use super::word::Word;
use crate::isa::flags::LazyFlags;
use crate::isa::shift::{self, Shifted};
use crate::vcpu::rflags;
use iced_x86::Mnemonic;

/// A shift or rotate by a count that is not zero.
trait Shift {
    fn apply<T: Word>(flags: &mut LazyFlags, a: T, count: u32) -> T;
}

/// Shifts set all flags from the result.
#[inline(always)]
fn shifted<T: Word>(flags: &mut LazyFlags, s: Shifted) -> T {
    let r = T::low(s.value);
    flags.result(r.sext(), carry_bits(s));
    r
}

/// Rotates change CF and OF only.
#[inline(always)]
fn rotated<T: Word>(flags: &mut LazyFlags, s: Shifted) -> T {
    let kept = flags.status() & !(rflags::CF | rflags::OF);
    flags.known(kept | carry_bits(s));
    T::low(s.value)
}

#[inline(always)]
fn carry_bits(s: Shifted) -> u64 {
    u64::from(s.cf) | u64::from(s.of) << 11
}

macro_rules! shifts {
    ($($name:ident: |$flags:ident, $a:ident, $n:ident, $bits:ident| $value:expr;)*) => {$(
        struct $name;
        impl Shift for $name {
            #[inline(always)]
            fn apply<T: Word>($flags: &mut LazyFlags, a: T, $n: u32) -> T {
                let ($a, $bits) = (a.zext(), T::BITS);
                $value
            }
        }
    )*};
}

shifts! {
    Shl: |flags, a, n, bits| shifted(flags, shift::shl(a, n, bits));
    Shr: |flags, a, n, bits| shifted(flags, shift::shr(a, n, bits));
    Sar: |flags, a, n, bits| shifted(flags, shift::sar(a, n, bits));
    Rol: |flags, a, n, bits| rotated(flags, shift::rol(a, n, bits));
    Ror: |flags, a, n, bits| rotated(flags, shift::ror(a, n, bits));
    Rcl: |flags, a, n, bits| { let cf = flags.cf(); rotated(flags, shift::rcl(a, cf, n, bits)) };
    Rcr: |flags, a, n, bits| { let cf = flags.cf(); rotated(flags, shift::rcr(a, cf, n, bits)) };
}

/// The count is masked to 5 bits, or 6 for 64-bit operands.
#[inline(always)]
fn masked<T: Word>(count: u64) -> u32 {
    (count & if T::BITS == 64 { 63 } else { 31 }) as u32
}

#[inline(always)]
fn count<T: Word, const CL: bool>(cpu: &Cpu, op: &Op) -> u32 {
    masked::<T>(if CL { u64::from(cpu.reg::<u8>(8)) } else { op.imm })
}

fn reg<O: Shift, T: Word, const CL: bool>(cpu: &mut Cpu, op: &Op) {
    let n = count::<T, CL>(cpu, op);
    let a = cpu.reg::<T>(op.a);
    let r = if n == 0 { a } else { O::apply(&mut cpu.flags, a, n) };
    cpu.set_reg(op.a, r); // a 32-bit shift by zero still clears the upper half
}

fn mem<O: Shift, T: Word, const CL: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let n = count::<T, CL>(cpu, op);
    cpu.modify::<T>(op, |cpu, a| if n == 0 { a } else { O::apply(&mut cpu.flags, a, n) })
}

fn pick<O: Shift, T: Word>(d: &Decoded<'_>) -> Handler {
    match (d.memory(0), d.register(1)) {
        (true, true) => faulting(mem::<O, T, true>),
        (true, false) => faulting(mem::<O, T, false>),
        (false, true) => plain(reg::<O, T, true>),
        (false, false) => plain(reg::<O, T, false>),
    }
}

fn sized<O: Shift>(d: &Decoded<'_>) -> Handler {
    match d.size(0) {
        1 => pick::<O, u8>(d),
        2 => pick::<O, u16>(d),
        4 => pick::<O, u32>(d),
        _ => pick::<O, u64>(d),
    }
}

/// SHLD or SHRD with flags.
#[inline(always)]
fn double<T: Word, const LEFT: bool>(flags: &mut LazyFlags, a: T, b: T, n: u32) -> T {
    let f = if LEFT { shift::shld } else { shift::shrd };
    shifted(flags, f(a.zext(), b.zext(), n, T::BITS))
}

fn double_reg<T: Word, const LEFT: bool, const CL: bool>(cpu: &mut Cpu, op: &Op) {
    let n = count::<T, CL>(cpu, op);
    let (a, b) = (cpu.reg::<T>(op.a), cpu.reg::<T>(op.b));
    let r = if n == 0 { a } else { double::<T, LEFT>(&mut cpu.flags, a, b, n) };
    cpu.set_reg(op.a, r);
}

fn double_mem<T: Word, const LEFT: bool, const CL: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let n = count::<T, CL>(cpu, op);
    let b = cpu.reg::<T>(op.b);
    cpu.modify::<T>(op, |cpu, a| if n == 0 { a } else { double::<T, LEFT>(&mut cpu.flags, a, b, n) })
}

fn pick_double<T: Word, const LEFT: bool>(d: &Decoded<'_>) -> Handler {
    match (d.memory(0), d.register(2)) {
        (true, true) => faulting(double_mem::<T, LEFT, true>),
        (true, false) => faulting(double_mem::<T, LEFT, false>),
        (false, true) => plain(double_reg::<T, LEFT, true>),
        (false, false) => plain(double_reg::<T, LEFT, false>),
    }
}

fn sized_double<const LEFT: bool>(d: &Decoded<'_>) -> Handler {
    match d.size(0) {
        2 => pick_double::<u16, LEFT>(d),
        4 => pick_double::<u32, LEFT>(d),
        _ => pick_double::<u64, LEFT>(d),
    }
}

/// Handlers of the shifts and rotates.
pub fn lower(d: &Decoded<'_>, _: &mut Op) -> Option<Lowered> {
    Some(Lowered::straight(match d.instruction.mnemonic() {
        Mnemonic::Shl | Mnemonic::Sal => sized::<Shl>(d),
        Mnemonic::Shr => sized::<Shr>(d),
        Mnemonic::Sar => sized::<Sar>(d),
        Mnemonic::Rol => sized::<Rol>(d),
        Mnemonic::Ror => sized::<Ror>(d),
        Mnemonic::Rcl => sized::<Rcl>(d),
        Mnemonic::Rcr => sized::<Rcr>(d),
        Mnemonic::Shld => sized_double::<true>(d),
        Mnemonic::Shrd => sized_double::<false>(d),
        _ => return None,
    }))
}
