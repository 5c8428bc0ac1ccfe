//! BT, BTS, BTR, BTC, BSF, BSR, TZCNT, LZCNT, POPCNT.

use super::Cpu;
use super::lower::{Decoded, Lowered};
use super::op::{Faulted, Handler, Op, faulting, plain};
use super::word::Word;
use crate::isa::bits::{self, Bits};
use crate::isa::cpuid::feature;
use crate::vcpu::rflags;
use iced_x86::Mnemonic;

/// What happens to the selected bit.
trait Bit {
    const WRITES: bool = true;
    fn apply(value: u64, bit: u64) -> u64;
}

macro_rules! bit {
    ($($name:ident $writes:literal |$v:ident, $b:ident| $r:expr;)*) => {$(
        struct $name;
        impl Bit for $name {
            const WRITES: bool = $writes;
            #[inline(always)]
            fn apply($v: u64, $b: u64) -> u64 { $r }
        }
    )*};
}

bit! {
    Bt  false |value, _bit| value;
    Bts true  |value, bit| value | bit;
    Btr true  |value, bit| value & !bit;
    Btc true  |value, bit| value ^ bit;
}

/// CF is the old bit; the other flags keep their values (ZF by definition, the rest as silicon does).
#[inline(always)]
fn set_carry(cpu: &mut Cpu, carry: bool) {
    let status = cpu.flags.status() & !rflags::CF;
    cpu.flags.known(status | u64::from(carry));
}

fn reg<O: Bit, T: Word, const IMM: bool>(cpu: &mut Cpu, op: &Op) {
    let index = if IMM { op.imm } else { cpu.reg::<T>(op.b).zext() } % u64::from(T::BITS);
    let value = cpu.reg::<T>(op.a).zext();
    set_carry(cpu, value >> index & 1 != 0);
    if O::WRITES {
        cpu.set_reg(op.a, T::low(O::apply(value, 1 << index)));
    }
}

/// A register index into memory reaches beyond the operand: the address moves by whole operands, signed
/// (Intel SDM Vol. 2, "BT").
fn mem<O: Bit, T: Word, const IMM: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let index = if IMM { op.imm % u64::from(T::BITS) } else { cpu.reg::<T>(op.b).sext() };
    let words = (index as i64) >> T::BITS.trailing_zeros();
    let bit = index % u64::from(T::BITS);
    if IMM || words == 0 {
        return at::<O, T>(cpu, op, bit);
    }
    let mut moved = op.clone();
    moved.disp = op.disp.wrapping_add((words as u64).wrapping_mul(T::SIZE));
    at::<O, T>(cpu, &moved, bit)
}

#[inline(always)]
fn at<O: Bit, T: Word>(cpu: &mut Cpu, op: &Op, bit: u64) -> Result<(), Faulted> {
    if O::WRITES {
        cpu.modify::<T>(op, |cpu, value| {
            set_carry(cpu, value.zext() >> bit & 1 != 0);
            T::low(O::apply(value.zext(), 1 << bit))
        })
    } else {
        let value = cpu.load::<T>(op)?.zext();
        set_carry(cpu, value >> bit & 1 != 0);
        Ok(())
    }
}

fn pick<O: Bit, T: Word>(d: &Decoded<'_>) -> Handler {
    match (d.memory(0), d.immediate(1)) {
        (true, true) => faulting(mem::<O, T, true>),
        (true, false) => super::op::complex(mem::<O, T, false>),
        (false, true) => plain(reg::<O, T, true>),
        (false, false) => plain(reg::<O, T, false>),
    }
}

fn sized<O: Bit>(d: &Decoded<'_>) -> Handler {
    match d.size(0) {
        2 => pick::<O, u16>(d),
        4 => pick::<O, u32>(d),
        _ => pick::<O, u64>(d),
    }
}

/// A function of one source operand, written to a register.
trait Scan {
    /// `None` leaves the destination as it is, upper half included.
    fn apply<T: Word>(cpu: &mut Cpu, source: T) -> Option<T>;
}

struct Bsf;
struct Bsr;
struct Tzcnt;
struct Lzcnt;
struct Popcnt;

/// ZF for a zero source, and then the destination keeps its value (as silicon does; the manual leaves it undefined).
#[inline(always)]
fn scanned<T: Word>(cpu: &mut Cpu, source: T, position: u32) -> Option<T> {
    let zero = source.zext() == 0;
    let kept = cpu.flags.status() & !rflags::ZF;
    cpu.flags.known(kept | if zero { rflags::ZF } else { 0 });
    (!zero).then(|| T::low(u64::from(position)))
}

impl Scan for Bsf {
    #[inline(always)]
    fn apply<T: Word>(cpu: &mut Cpu, source: T) -> Option<T> {
        scanned(cpu, source, source.zext().trailing_zeros())
    }
}

impl Scan for Bsr {
    #[inline(always)]
    fn apply<T: Word>(cpu: &mut Cpu, source: T) -> Option<T> {
        scanned(cpu, source, 63u32.wrapping_sub(source.zext().leading_zeros()))
    }
}

/// CF: the source was zero; ZF: the count is. The others are undefined: AMD's Zen clears SF, PF and AF and leaves OF.
#[inline(always)]
fn counted<T: Word>(cpu: &mut Cpu, count: Bits) -> Option<T> {
    let of = if cpu.flags.of() { rflags::OF } else { 0 };
    let cf = if count.cf { rflags::CF } else { 0 };
    let zf = if count.value == 0 { rflags::ZF } else { 0 };
    cpu.flags.known(of | cf | zf);
    Some(T::low(count.value))
}

impl Scan for Tzcnt {
    #[inline(always)]
    fn apply<T: Word>(cpu: &mut Cpu, source: T) -> Option<T> {
        counted(cpu, bits::tzcnt(source.zext(), T::BITS))
    }
}

impl Scan for Lzcnt {
    #[inline(always)]
    fn apply<T: Word>(cpu: &mut Cpu, source: T) -> Option<T> {
        counted(cpu, bits::lzcnt(source.zext(), T::BITS))
    }
}

impl Scan for Popcnt {
    #[inline(always)]
    fn apply<T: Word>(cpu: &mut Cpu, source: T) -> Option<T> {
        cpu.flags.known(if source.zext() == 0 { rflags::ZF } else { 0 });
        Some(T::low(u64::from(source.zext().count_ones())))
    }
}

fn scan_reg<O: Scan, T: Word>(cpu: &mut Cpu, op: &Op) {
    let source = cpu.reg::<T>(op.b);
    if let Some(r) = O::apply(cpu, source) {
        cpu.set_reg(op.a, r);
    }
}

fn scan_mem<O: Scan, T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let source = cpu.load::<T>(op)?;
    if let Some(r) = O::apply(cpu, source) {
        cpu.set_reg(op.a, r);
    }
    Ok(())
}

fn scan<O: Scan>(d: &Decoded<'_>) -> Handler {
    match (d.size(0), d.memory(1)) {
        (2, false) => plain(scan_reg::<O, u16>),
        (2, true) => faulting(scan_mem::<O, u16>),
        (4, false) => plain(scan_reg::<O, u32>),
        (4, true) => faulting(scan_mem::<O, u32>),
        (_, false) => plain(scan_reg::<O, u64>),
        (_, true) => faulting(scan_mem::<O, u64>),
    }
}

/// Handlers of the bit instructions. Without BMI1 and LZCNT their encodings are BSF and BSR with an ignored prefix
/// (Intel SDM Vol. 2, "TZCNT", "LZCNT").
pub fn lower(d: &Decoded<'_>, _: &mut Op) -> Option<Lowered> {
    Some(Lowered::straight(match d.instruction.mnemonic() {
        Mnemonic::Bt => sized::<Bt>(d),
        Mnemonic::Bts => sized::<Bts>(d),
        Mnemonic::Btr => sized::<Btr>(d),
        Mnemonic::Btc => sized::<Btc>(d),
        Mnemonic::Tzcnt if d.has(feature::BMI1) => scan::<Tzcnt>(d),
        Mnemonic::Lzcnt if d.has(feature::LZCNT) => scan::<Lzcnt>(d),
        Mnemonic::Bsf | Mnemonic::Tzcnt => scan::<Bsf>(d),
        Mnemonic::Bsr | Mnemonic::Lzcnt => scan::<Bsr>(d),
        Mnemonic::Popcnt => scan::<Popcnt>(d),
        _ => return None,
    }))
}
