//! ADD, ADC, SUB, SBB, AND, OR, XOR, CMP, TEST, INC, DEC, NEG, NOT.

use super::Cpu;
use super::lower::{Decoded, Lowered};
use super::op::{Faulted, Handler, Op, plain, two_paths};
use super::path::{Fast, Path, Simple, Slow};
use super::word::Word;
use crate::isa::flags::LazyFlags;
use crate::vcpu::rflags;
use iced_x86::Mnemonic;

/// A two-operand operation with its flags.
pub trait Alu {
    /// Whether the result replaces the first operand.
    const WRITES: bool = true;
    fn apply<T: Word>(flags: &mut LazyFlags, a: T, b: T) -> T;
}

struct Add;
struct Adc;
struct Sub;
struct Sbb;
struct And;
struct Or;
struct Xor;
pub struct Cmp;
pub struct Test;

impl Alu for Add {
    #[inline(always)]
    fn apply<T: Word>(flags: &mut LazyFlags, a: T, b: T) -> T {
        let r = T::low(a.zext().wrapping_add(b.zext()));
        flags.add(a.sext(), b.sext(), r.sext());
        r
    }
}

/// CF, AF and OF of a + b + carry (or of a - b - borrow) from the carry out of each bit position.
#[inline(always)]
fn carry_flags<T: Word>(carries: u64, a: u64, b: u64, r: u64, overflow: u64) -> u64 {
    let cf = if carries & T::SIGN != 0 { rflags::CF } else { 0 };
    let of = if overflow & T::SIGN != 0 { rflags::OF } else { 0 };
    cf | of | ((a ^ b ^ r) & rflags::AF)
}

impl Alu for Adc {
    #[inline(always)]
    fn apply<T: Word>(flags: &mut LazyFlags, a: T, b: T) -> T {
        let (x, y) = (a.zext(), b.zext());
        let r = T::low(x.wrapping_add(y).wrapping_add(u64::from(flags.cf())));
        let z = r.zext();
        let carries = (x & y) | ((x | y) & !z);
        flags.result(r.sext(), carry_flags::<T>(carries, x, y, z, (x ^ z) & (y ^ z)));
        r
    }
}

impl Alu for Sub {
    #[inline(always)]
    fn apply<T: Word>(flags: &mut LazyFlags, a: T, b: T) -> T {
        let r = T::low(a.zext().wrapping_sub(b.zext()));
        flags.sub(a.sext(), b.sext(), r.sext());
        r
    }
}

impl Alu for Sbb {
    #[inline(always)]
    fn apply<T: Word>(flags: &mut LazyFlags, a: T, b: T) -> T {
        let (x, y) = (a.zext(), b.zext());
        let r = T::low(x.wrapping_sub(y).wrapping_sub(u64::from(flags.cf())));
        let z = r.zext();
        let borrows = (!x & y) | ((!x | y) & z);
        flags.result(r.sext(), carry_flags::<T>(borrows, x, y, z, (x ^ y) & (x ^ z)));
        r
    }
}

macro_rules! logic {
    ($name:ident, |$a:ident, $b:ident| $r:expr) => {
        impl Alu for $name {
            #[inline(always)]
            fn apply<T: Word>(flags: &mut LazyFlags, a: T, b: T) -> T {
                let ($a, $b) = (a.zext(), b.zext());
                let r = T::low($r);
                flags.logic(r.sext());
                r
            }
        }
    };
}
logic!(And, |a, b| a & b);
logic!(Or, |a, b| a | b);
logic!(Xor, |a, b| a ^ b);

impl Alu for Cmp {
    const WRITES: bool = false;
    #[inline(always)]
    fn apply<T: Word>(flags: &mut LazyFlags, a: T, b: T) -> T {
        Sub::apply(flags, a, b)
    }
}

impl Alu for Test {
    const WRITES: bool = false;
    #[inline(always)]
    fn apply<T: Word>(flags: &mut LazyFlags, a: T, b: T) -> T {
        And::apply(flags, a, b)
    }
}

#[inline(always)]
fn reg_with<O: Alu, T: Word>(cpu: &mut Cpu, op: &Op, b: T) {
    let a = cpu.reg::<T>(op.a);
    let r = O::apply(&mut cpu.flags, a, b);
    if O::WRITES {
        cpu.set_reg(op.a, r);
    }
}

fn reg_reg<O: Alu, T: Word>(cpu: &mut Cpu, op: &Op) {
    let b = cpu.reg::<T>(op.b);
    reg_with::<O, T>(cpu, op, b);
}

fn reg_imm<O: Alu, T: Word>(cpu: &mut Cpu, op: &Op) {
    reg_with::<O, T>(cpu, op, T::low(op.imm));
}

fn reg_mem<O: Alu, T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let b = P::load::<T>(cpu, op)?;
    reg_with::<O, T>(cpu, op, b);
    Ok(())
}

#[inline(always)]
fn mem_with<O: Alu, T: Word, P: Path>(cpu: &mut Cpu, op: &Op, b: T) -> Result<(), Faulted> {
    if O::WRITES {
        P::modify(cpu, op, |cpu, a| O::apply(&mut cpu.flags, a, b))
    } else {
        let a = P::load::<T>(cpu, op)?;
        O::apply(&mut cpu.flags, a, b);
        Ok(())
    }
}

fn mem_reg<O: Alu, T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let b = cpu.reg::<T>(op.b);
    mem_with::<O, T, P>(cpu, op, b)
}

fn mem_imm<O: Alu, T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    mem_with::<O, T, P>(cpu, op, T::low(op.imm))
}

/// A one-operand operation with its flags.
trait Unary {
    fn apply<T: Word>(flags: &mut LazyFlags, a: T) -> T;
}

struct Inc;
struct Dec;
struct Neg;
struct Not;

/// INC and DEC leave CF alone.
#[inline(always)]
fn keep_carry<T: Word>(flags: &mut LazyFlags, r: T, af: bool, of: bool) {
    let kept = if flags.cf() { rflags::CF } else { 0 };
    let af = if af { rflags::AF } else { 0 };
    let of = if of { rflags::OF } else { 0 };
    flags.result(r.sext(), kept | af | of);
}

impl Unary for Inc {
    #[inline(always)]
    fn apply<T: Word>(flags: &mut LazyFlags, a: T) -> T {
        let r = T::low(a.zext().wrapping_add(1));
        keep_carry(flags, r, r.zext() & 0xF == 0, r.zext() == T::SIGN);
        r
    }
}

impl Unary for Dec {
    #[inline(always)]
    fn apply<T: Word>(flags: &mut LazyFlags, a: T) -> T {
        let r = T::low(a.zext().wrapping_sub(1));
        keep_carry(flags, r, a.zext() & 0xF == 0, a.zext() == T::SIGN);
        r
    }
}

impl Unary for Neg {
    #[inline(always)]
    fn apply<T: Word>(flags: &mut LazyFlags, a: T) -> T {
        Sub::apply(flags, T::low(0), a)
    }
}

impl Unary for Not {
    #[inline(always)]
    fn apply<T: Word>(_: &mut LazyFlags, a: T) -> T {
        T::low(!a.zext())
    }
}

fn reg<O: Unary, T: Word>(cpu: &mut Cpu, op: &Op) {
    let a = cpu.reg::<T>(op.a);
    let r = O::apply(&mut cpu.flags, a);
    cpu.set_reg(op.a, r);
}

fn mem<O: Unary, T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::modify::<T>(cpu, op, |cpu, a| O::apply(&mut cpu.flags, a))
}

fn binary<O: Alu, T: Word>(d: &Decoded<'_>, op: &Op) -> Option<Handler> {
    if d.memory(1) && Simple::fits(op) {
        return Some(two_paths(reg_mem::<O, T, Simple>, reg_mem::<O, T, Slow>));
    }
    Some(match (d.register(0), d.register(1), d.memory(0), d.memory(1)) {
        (true, true, ..) => plain(reg_reg::<O, T>),
        (true, _, _, true) => two_paths(reg_mem::<O, T, Fast>, reg_mem::<O, T, Slow>),
        (true, ..) => plain(reg_imm::<O, T>),
        (_, true, true, _) => two_paths(mem_reg::<O, T, Fast>, mem_reg::<O, T, Slow>),
        (_, _, true, _) => two_paths(mem_imm::<O, T, Fast>, mem_imm::<O, T, Slow>),
        _ => return None,
    })
}

fn unary<O: Unary, T: Word>(d: &Decoded<'_>) -> Handler {
    if d.memory(0) { two_paths(mem::<O, T, Fast>, mem::<O, T, Slow>) } else { plain(reg::<O, T>) }
}

fn sized_binary<O: Alu>(d: &Decoded<'_>, op: &Op) -> Option<Handler> {
    match d.size(0) {
        1 => binary::<O, u8>(d, op),
        2 => binary::<O, u16>(d, op),
        4 => binary::<O, u32>(d, op),
        _ => binary::<O, u64>(d, op),
    }
}

fn sized_unary<O: Unary>(d: &Decoded<'_>) -> Handler {
    match d.size(0) {
        1 => unary::<O, u8>(d),
        2 => unary::<O, u16>(d),
        4 => unary::<O, u32>(d),
        _ => unary::<O, u64>(d),
    }
}

/// Handlers of the arithmetic and logic instructions.
pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    Some(Lowered::straight(match d.instruction.mnemonic() {
        Mnemonic::Add => sized_binary::<Add>(d, op)?,
        Mnemonic::Adc => sized_binary::<Adc>(d, op)?,
        Mnemonic::Sub => sized_binary::<Sub>(d, op)?,
        Mnemonic::Sbb => sized_binary::<Sbb>(d, op)?,
        Mnemonic::And => sized_binary::<And>(d, op)?,
        Mnemonic::Or => sized_binary::<Or>(d, op)?,
        Mnemonic::Xor => sized_binary::<Xor>(d, op)?,
        Mnemonic::Cmp => sized_binary::<Cmp>(d, op)?,
        Mnemonic::Test => sized_binary::<Test>(d, op)?,
        Mnemonic::Inc => sized_unary::<Inc>(d),
        Mnemonic::Dec => sized_unary::<Dec>(d),
        Mnemonic::Neg => sized_unary::<Neg>(d),
        Mnemonic::Not => sized_unary::<Not>(d),
        _ => return None,
    }))
}
