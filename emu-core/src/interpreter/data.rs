//! Moves and exchanges: MOV, MOVZX, MOVSX, LEA, XCHG, XADD, CMPXCHG, CMOVcc, SETcc, sign extensions, BSWAP, MOVBE,
//! XLAT, and the instructions that set or copy single flags.

use super::Cpu;
use super::branch::condition_of;
use super::lower::{Decoded, Lowered};
use super::op::{Faulted, Handler, Op, complex, faulting, plain, two_paths};
use super::path::{Fast, Path, Simple, Slow};
use super::word::Word;
use crate::vcpu::rflags;
use iced_x86::{Mnemonic, OpKind};

fn mov_reg_reg<T: Word>(cpu: &mut Cpu, op: &Op) {
    let value = cpu.reg::<T>(op.b);
    cpu.set_reg(op.a, value);
}

fn mov_reg_imm<T: Word>(cpu: &mut Cpu, op: &Op) {
    cpu.set_reg(op.a, T::low(op.imm));
}

fn mov_reg_mem<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = P::load::<T>(cpu, op)?;
    cpu.set_reg(op.a, value);
    Ok(())
}

fn mov_mem_reg<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = cpu.reg::<T>(op.b);
    P::store(cpu, op, value)
}

fn mov_mem_imm<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::store(cpu, op, T::low(op.imm))
}

fn extend_reg<S: Word, D: Word, const SIGNED: bool>(cpu: &mut Cpu, op: &Op) {
    let value = cpu.reg::<S>(op.b);
    cpu.set_reg(op.a, D::low(if SIGNED { value.sext() } else { value.zext() }));
}

fn extend_mem<S: Word, D: Word, P: Path, const SIGNED: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = P::load::<S>(cpu, op)?;
    cpu.set_reg(op.a, D::low(if SIGNED { value.sext() } else { value.zext() }));
    Ok(())
}

fn lea<T: Word>(cpu: &mut Cpu, op: &Op) {
    let address = cpu.effective(op);
    cpu.set_reg(op.a, T::low(address));
}

/// LEA with 64-bit addressing: no truncation of the sum.
fn lea_wide<T: Word>(cpu: &mut Cpu, op: &Op) {
    let sum = cpu.r.get(op.base).wrapping_add(cpu.r.get(op.index) << (op.scale & 3)).wrapping_add(op.disp);
    cpu.set_reg(op.a, T::low(sum));
}

fn xchg_reg<T: Word>(cpu: &mut Cpu, op: &Op) {
    let (a, b) = (cpu.reg::<T>(op.a), cpu.reg::<T>(op.b));
    cpu.set_reg(op.a, b);
    cpu.set_reg(op.b, a);
}

fn xchg_mem<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let register = memory_partner(op);
    let new = cpu.reg::<T>(register);
    let mut old = new;
    cpu.modify::<T>(op, |_, value| {
        old = value;
        new
    })?;
    cpu.set_reg(register, old);
    Ok(())
}

/// The register operand beside the memory operand of XCHG, whichever comes first (`lower` puts it into `c`).
fn memory_partner(op: &Op) -> u8 {
    op.c
}

fn add_flags<T: Word>(cpu: &mut Cpu, a: T, b: T) -> T {
    let r = T::low(a.zext().wrapping_add(b.zext()));
    cpu.flags.add(a.sext(), b.sext(), r.sext());
    r
}

fn xadd_reg<T: Word>(cpu: &mut Cpu, op: &Op) {
    let (a, b) = (cpu.reg::<T>(op.a), cpu.reg::<T>(op.b));
    let sum = add_flags(cpu, a, b);
    cpu.set_reg(op.b, a);
    cpu.set_reg(op.a, sum);
}

fn xadd_mem<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let b = cpu.reg::<T>(op.b);
    let mut old = b;
    cpu.modify::<T>(op, |cpu, a| {
        old = a;
        add_flags(cpu, a, b)
    })?;
    cpu.set_reg(op.b, old);
    Ok(())
}

/// Compares with the accumulator as CMP does; the value to store, and whether they were equal.
#[inline(always)]
fn compare_exchange<T: Word>(cpu: &mut Cpu, old: T, new: T) -> (T, bool) {
    let accumulator = cpu.reg::<T>(0);
    let r = T::low(accumulator.zext().wrapping_sub(old.zext()));
    cpu.flags.sub(accumulator.sext(), old.sext(), r.sext());
    if accumulator == old { (new, true) } else { (old, false) }
}

fn cmpxchg_reg<T: Word>(cpu: &mut Cpu, op: &Op) {
    let (old, new) = (cpu.reg::<T>(op.a), cpu.reg::<T>(op.b));
    let (value, equal) = compare_exchange(cpu, old, new);
    if equal {
        cpu.set_reg(op.a, value);
    } else {
        cpu.set_reg(0, old);
    }
}

/// The destination is written in both cases (Intel SDM Vol. 2, "CMPXCHG").
fn cmpxchg_mem<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let new = cpu.reg::<T>(op.b);
    let mut seen = None;
    cpu.modify::<T>(op, |cpu, old| {
        let (value, equal) = compare_exchange(cpu, old, new);
        if !equal {
            seen = Some(old);
        }
        value
    })?;
    if let Some(old) = seen {
        cpu.set_reg(0, old);
    }
    Ok(())
}

fn cmov_reg<T: Word>(cpu: &mut Cpu, op: &Op) {
    let value = if cpu.flags.condition(op.sub) { cpu.reg::<T>(op.b) } else { cpu.reg::<T>(op.a) };
    cpu.set_reg(op.a, value); // a 32-bit CMOV clears the upper half in either case
}

fn cmov_mem<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let loaded = cpu.load::<T>(op)?;
    let value = if cpu.flags.condition(op.sub) { loaded } else { cpu.reg::<T>(op.a) };
    cpu.set_reg(op.a, value);
    Ok(())
}

fn set_reg(cpu: &mut Cpu, op: &Op) {
    let value = u8::from(cpu.flags.condition(op.sub));
    cpu.set_reg(op.a, value);
}

fn set_mem(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = u8::from(cpu.flags.condition(op.sub));
    cpu.store(op, value)
}

/// CBW, CWDE, CDQE.
fn extend_accumulator<S: Word, D: Word>(cpu: &mut Cpu, _: &Op) {
    let value = cpu.reg::<S>(0).sext();
    cpu.set_reg(0, D::low(value));
}

/// CWD, CDQ, CQO.
fn sign_to_data<T: Word>(cpu: &mut Cpu, _: &Op) {
    let sign = (cpu.reg::<T>(0).sext() as i64 >> 63) as u64;
    cpu.set_reg(2, T::low(sign));
}

fn bswap32(cpu: &mut Cpu, op: &Op) {
    let value = cpu.reg::<u32>(op.a).swap_bytes();
    cpu.set_reg(op.a, value);
}

fn bswap64(cpu: &mut Cpu, op: &Op) {
    let value = cpu.reg::<u64>(op.a).swap_bytes();
    cpu.set_reg(op.a, value);
}

/// BSWAP of a 16-bit register is undefined; silicon clears it.
fn bswap16(cpu: &mut Cpu, op: &Op) {
    cpu.set_reg(op.a, 0u16);
}

fn swapped<T: Word>(value: T) -> T {
    T::low(value.zext().swap_bytes() >> (64 - T::BITS))
}

fn movbe_load<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = cpu.load::<T>(op)?;
    cpu.set_reg(op.a, swapped(value));
    Ok(())
}

fn movbe_store<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = cpu.reg::<T>(op.b);
    cpu.store(op, swapped(value))
}

/// XLAT: AL = [rBX + AL].
fn xlat(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let mask = u64::MAX >> (64 - 8 * u32::from(op.addr_bytes));
    let offset = cpu.r.get(3).wrapping_add(u64::from(cpu.reg::<u8>(0))) & mask;
    let linear = cpu.segment_linear(op.seg, offset, 1, false)?;
    let value = cpu.read::<u8>(linear, op.seg)?;
    cpu.set_reg(0, value);
    Ok(())
}

fn nop(_: &mut Cpu, _: &Op) {}

/// SALC: AL = CF ? FFh : 0.
fn salc(cpu: &mut Cpu, _: &Op) {
    let value = if cpu.flags.cf() { 0xFFu8 } else { 0 };
    cpu.set_reg(0, value);
}

fn lahf(cpu: &mut Cpu, _: &Op) {
    let value = (cpu.flags.status() & 0xD5) as u8 | 2;
    cpu.set_reg(1, value); // AH
}

fn sahf(cpu: &mut Cpu, _: &Op) {
    let ah = u64::from(cpu.reg::<u8>(1));
    let of = cpu.flags.status() & rflags::OF;
    cpu.flags.known((ah & 0xD5) | of);
}

fn set_carry(cpu: &mut Cpu, f: impl FnOnce(bool) -> bool) {
    let status = cpu.flags.status();
    let carry = f(status & rflags::CF != 0);
    cpu.flags.known(status & !rflags::CF | u64::from(carry));
}

fn clc(cpu: &mut Cpu, _: &Op) {
    set_carry(cpu, |_| false);
}

fn stc(cpu: &mut Cpu, _: &Op) {
    set_carry(cpu, |_| true);
}

fn cmc(cpu: &mut Cpu, _: &Op) {
    set_carry(cpu, |carry| !carry);
}

fn cld(cpu: &mut Cpu, _: &Op) {
    cpu.s.rflags &= !rflags::DF;
}

fn std(cpu: &mut Cpu, _: &Op) {
    cpu.s.rflags |= rflags::DF;
}

macro_rules! by_size {
    ($size:expr, $kind:ident, $f:ident) => {
        match $size {
            1 => $kind($f::<u8>),
            2 => $kind($f::<u16>),
            4 => $kind($f::<u32>),
            _ => $kind($f::<u64>),
        }
    };
}

macro_rules! hot {
    ($op:expr, $size:expr, $f:ident) => {
        match ($size, Simple::fits($op)) {
            (1, true) => two_paths($f::<u8, Simple>, $f::<u8, Slow>),
            (2, true) => two_paths($f::<u16, Simple>, $f::<u16, Slow>),
            (4, true) => two_paths($f::<u32, Simple>, $f::<u32, Slow>),
            (_, true) => two_paths($f::<u64, Simple>, $f::<u64, Slow>),
            (1, false) => two_paths($f::<u8, Fast>, $f::<u8, Slow>),
            (2, false) => two_paths($f::<u16, Fast>, $f::<u16, Slow>),
            (4, false) => two_paths($f::<u32, Fast>, $f::<u32, Slow>),
            (_, false) => two_paths($f::<u64, Fast>, $f::<u64, Slow>),
        }
    };
}

macro_rules! by_wide_size {
    ($size:expr, $kind:ident, $f:ident) => {
        match $size {
            2 => $kind($f::<u16>),
            4 => $kind($f::<u32>),
            _ => $kind($f::<u64>),
        }
    };
}

fn mov(d: &Decoded<'_>, op: &Op) -> Option<Handler> {
    let general = |n: u32| !d.register(n) || d.instruction.op_register(n).is_gpr();
    if !general(0) || !general(1) {
        return None; // segment, control and debug registers: `system`
    }
    let size = d.size(0);
    Some(match (d.memory(0), d.memory(1), d.register(1)) {
        (true, _, true) => hot!(op, size, mov_mem_reg),
        (true, ..) => hot!(op, size, mov_mem_imm),
        (_, true, _) => hot!(op, size, mov_reg_mem),
        (_, _, true) => by_size!(size, plain, mov_reg_reg),
        _ => by_size!(size, plain, mov_reg_imm),
    })
}

fn extend<const SIGNED: bool>(d: &Decoded<'_>) -> Handler {
    macro_rules! pair {
        ($s:ty, $t:ty) => {
            if d.memory(1) {
                two_paths(extend_mem::<$s, $t, Fast, SIGNED>, extend_mem::<$s, $t, Slow, SIGNED>)
            } else {
                plain(extend_reg::<$s, $t, SIGNED>)
            }
        };
    }
    match (d.size(1), d.size(0)) {
        (1, 2) => pair!(u8, u16),
        (1, 4) => pair!(u8, u32),
        (1, _) => pair!(u8, u64),
        (2, 2) => pair!(u16, u16),
        (2, 4) => pair!(u16, u32),
        (2, _) => pair!(u16, u64),
        (_, 2) => pair!(u32, u16),
        (_, 4) => pair!(u32, u32),
        _ => pair!(u32, u64),
    }
}

fn conditional(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let cc = condition_of(d)?;
    let size = d.size(0);
    let handler = match d.instruction.op0_kind() {
        OpKind::Register | OpKind::Memory if d.instruction.op_count() == 2 => {
            if d.memory(1) {
                by_wide_size!(size, faulting, cmov_mem)
            } else {
                by_wide_size!(size, plain, cmov_reg)
            }
        }
        OpKind::Register => plain(set_reg),
        OpKind::Memory => faulting(set_mem),
        _ => return None, // Jcc
    };
    op.sub = cc;
    Some(Lowered::straight(handler))
}

/// F3 90 with REX.B is no PAUSE for silicon but XCHG of the accumulator with R8 (the decoder says PAUSE); its operand
/// size.
fn exchange_under_rep(d: &Decoded<'_>) -> Option<u64> {
    let [prefixes @ .., rex, _] = d.bytes.get(..d.instruction.len())? else { return None };
    let extended = d.mode.long && matches!(rex, 0x40..=0x4F) && rex & 1 != 0;
    let size = match (rex & 8 != 0, prefixes.contains(&0x66)) {
        (true, _) => 8,
        (false, true) => 2,
        (false, false) => 4,
    };
    extended.then_some(size)
}

/// Handlers of the data-movement instructions.
pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let size = || d.size(0);
    let mem0 = d.memory(0);
    Some(Lowered::straight(match d.instruction.mnemonic() {
        Mnemonic::Mov => mov(d, op)?,
        Mnemonic::Movzx => extend::<false>(d),
        Mnemonic::Movsx | Mnemonic::Movsxd => extend::<true>(d),
        Mnemonic::Lea if op.addr_bytes == 8 => by_wide_size!(size(), plain, lea_wide),
        Mnemonic::Lea => by_wide_size!(size(), plain, lea),
        Mnemonic::Xchg if mem0 || d.memory(1) => {
            op.c = if mem0 { op.b } else { op.a };
            by_size!(size(), faulting, xchg_mem)
        }
        Mnemonic::Xchg => by_size!(size(), plain, xchg_reg),
        Mnemonic::Xadd if mem0 => by_size!(size(), faulting, xadd_mem),
        Mnemonic::Xadd => by_size!(size(), plain, xadd_reg),
        Mnemonic::Cmpxchg if mem0 => by_size!(size(), faulting, cmpxchg_mem),
        Mnemonic::Cmpxchg => by_size!(size(), plain, cmpxchg_reg),
        Mnemonic::Cbw => plain(extend_accumulator::<u8, u16>),
        Mnemonic::Cwde => plain(extend_accumulator::<u16, u32>),
        Mnemonic::Cdqe => plain(extend_accumulator::<u32, u64>),
        Mnemonic::Cwd => plain(sign_to_data::<u16>),
        Mnemonic::Cdq => plain(sign_to_data::<u32>),
        Mnemonic::Cqo => plain(sign_to_data::<u64>),
        Mnemonic::Bswap => match size() {
            2 => plain(bswap16),
            4 => plain(bswap32),
            _ => plain(bswap64),
        },
        Mnemonic::Movbe if mem0 => by_wide_size!(size(), faulting, movbe_store),
        Mnemonic::Movbe => by_wide_size!(size(), faulting, movbe_load),
        Mnemonic::Xlatb => {
            op.addr_bytes = d.instruction.memory_base().size() as u8;
            complex(xlat)
        }
        Mnemonic::Pause if let Some(size) = exchange_under_rep(d) => {
            (op.a, op.b) = (0, 8);
            by_size!(size, plain, xchg_reg)
        }
        Mnemonic::Nop | Mnemonic::Pause | Mnemonic::Endbr64 | Mnemonic::Endbr32 => plain(nop),
        Mnemonic::Salc => plain(salc),
        Mnemonic::Lahf => plain(lahf),
        Mnemonic::Sahf => plain(sahf),
        Mnemonic::Clc => plain(clc),
        Mnemonic::Stc => plain(stc),
        Mnemonic::Cmc => plain(cmc),
        Mnemonic::Cld => plain(cld),
        Mnemonic::Std => plain(std),
        _ => return conditional(d, op),
    }))
}
