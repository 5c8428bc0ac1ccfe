//! Control transfers inside the code segment: JMP, Jcc, CALL, RET, LOOP, JCXZ.
//!
//! A branch that stays in its page follows its link without any check but the budget: the page is the same
//! whatever its address. One that leaves the page follows its link while the generation holds.

use super::lower::{Decoded, Lowered};
use super::op::{Faulted, Op, OpRef, branch, dispatch};
use super::path::{Fast, Path, Slow};
use super::word::{RIP_BASE, Word};
use super::{Cpu, memory::canonical};
use iced_x86::{Code, Mnemonic, OpKind};

/// Leaves the block for `cpu.rip`, through the run loop, which will link `from` if it is a direct branch.
#[inline(always)]
fn leave(cpu: &mut Cpu, rip: u64, from: OpRef) -> OpRef {
    cpu.rip = rip;
    cpu.link_from = from;
    OpRef::NONE
}

/// Where a direct branch goes, in the code segment. `size` 2 truncates to IP.
#[inline(always)]
fn target(cpu: &Cpu, op: &Op) -> u64 {
    let rip = cpu.rip_at(op.imm);
    if op.size == 2 { rip & 0xFFFF } else { rip }
}

/// Follows a direct branch that stays in its page. `counted` instructions of the block have retired.
#[inline(always)]
fn follow_near(cpu: &mut Cpu, at: OpRef, counted: i64) -> OpRef {
    let op = at.get();
    cpu.budget -= counted;
    let link = op.link.get();
    if cpu.budget > 0 && !link.is_none() { dispatch(cpu, link) } else { leave_direct(cpu, at) }
}

/// Follows a direct branch into another page.
#[inline(always)]
fn follow_far(cpu: &mut Cpu, at: OpRef, counted: i64) -> OpRef {
    let op = at.get();
    cpu.budget -= counted;
    if cpu.budget > 0 && op.link_generation.get() == cpu.generation {
        let base = cpu.r.get(RIP_BASE).wrapping_add(op.imm & !0xFFF);
        cpu.r.set(RIP_BASE, base);
        dispatch(cpu, op.link.get())
    } else {
        leave_direct(cpu, at)
    }
}

/// Follows a direct branch where CS has a small limit: the page must lie inside it, and the target must not wrap.
#[inline(always)]
fn follow_limited(cpu: &mut Cpu, at: OpRef, counted: i64) -> OpRef {
    let op = at.get();
    let unwrapped = cpu.r.get(RIP_BASE).wrapping_add(op.imm);
    if cpu.page_in_limit && op.imm < 0x1000 && unwrapped <= 0xFFFF {
        follow_near(cpu, at, counted)
    } else {
        leave_limited(cpu, op, counted)
    }
}

/// A target outside CS is #GP(0) on the branch itself.
#[cold]
#[inline(never)]
fn leave_limited(cpu: &mut Cpu, op: &Op, counted: i64) -> OpRef {
    let rip = target(cpu, op);
    if op.len != 0 && check_target(cpu, rip).is_err() {
        return cpu.abandon(op);
    }
    cpu.budget -= counted;
    leave(cpu, rip, OpRef::NONE)
}

#[cold]
#[inline(never)]
fn leave_direct(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let rip = target(cpu, at.get());
    leave(cpu, rip, at)
}

/// How a direct branch reaches its target.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Reach {
    Near,
    Far,
    Limited,
}

#[inline(always)]
fn follow<const REACH: u8>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let counted = i64::from(at.get().idx) + 1;
    match REACH {
        0 => follow_near(cpu, at, counted),
        1 => follow_far(cpu, at, counted),
        _ => follow_limited(cpu, at, counted),
    }
}

/// Takes or passes the Jcc at `at`, whose condition has been worked out by the fused instruction before it.
#[inline(always)]
pub fn conditional(cpu: &mut Cpu, at: OpRef, taken: bool) -> OpRef {
    if !taken {
        dispatch(cpu, at.next())
    } else if at.get().imm < 0x1000 {
        follow::<0>(cpu, at)
    } else {
        follow::<1>(cpu, at)
    }
}

/// Goes to an address computed at run time. The caller has checked it (limit, canonical form).
#[inline(always)]
fn indirect(cpu: &mut Cpu, op: &Op, rip: u64) -> OpRef {
    cpu.budget -= i64::from(op.idx) + 1;
    if cpu.mode.flat_code && cpu.budget > 0 {
        let link = cpu.cache.jump(rip, cpu.generation);
        if !link.is_none() {
            cpu.r.set(RIP_BASE, rip & !0xFFF);
            return dispatch(cpu, link);
        }
    }
    leave(cpu, rip, OpRef::NONE)
}

/// The target of an indirect near branch must be canonical or inside CS, else #GP(0) on the branch itself.
#[inline(always)]
pub fn check_target(cpu: &mut Cpu, rip: u64) -> Result<(), Faulted> {
    if cpu.mode.flat_code && (!cpu.mode.long || canonical(rip)) {
        Ok(())
    } else {
        check_target_slow(cpu, rip)
    }
}

#[cold]
#[inline(never)]
fn check_target_slow(cpu: &mut Cpu, rip: u64) -> Result<(), Faulted> {
    let bad = if cpu.mode.long { !canonical(rip) } else { rip > u64::from(cpu.s.seg[1].limit) };
    if bad { Err(cpu.gp(0)) } else { Ok(()) }
}

fn jmp<const REACH: u8>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    follow::<REACH>(cpu, at)
}

fn jcc<const CC: u8, const REACH: u8>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    if cpu.flags.condition(CC) { follow::<REACH>(cpu, at) } else { dispatch(cpu, at.next()) }
}

fn call<T: Word, const REACH: u8>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let op = at.get();
    let back = cpu.next_rip(op);
    if REACH == Reach::Limited as u8 || Fast::push(cpu, T::low(back)).is_err() {
        return call_slowly::<T>(cpu, at);
    }
    follow::<REACH>(cpu, at)
}

#[cold]
#[inline(never)]
fn call_slowly<T: Word>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let op = at.get();
    let (back, rip) = (cpu.next_rip(op), target(cpu, op));
    match check_target(cpu, rip).and_then(|()| cpu.push(T::low(back))) {
        Ok(()) => follow_by_table(cpu, at),
        Err(Faulted) => cpu.abandon(op),
    }
}

/// An indirect transfer: where it goes, by either path through memory; everything but RIP is done.
trait Indirect {
    fn go<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<u64, Faulted>;
}

struct CallReg;
struct CallMem;
struct JmpReg;
struct JmpMem;
struct Ret;

#[inline(always)]
fn call_to<T: Word, P: Path>(cpu: &mut Cpu, op: &Op, rip: u64) -> Result<u64, Faulted> {
    P::check_target(cpu, rip)?;
    let back = cpu.next_rip(op);
    P::push(cpu, T::low(back))?;
    Ok(rip)
}

impl Indirect for CallReg {
    #[inline(always)]
    fn go<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<u64, Faulted> {
        let rip = cpu.reg::<T>(op.a).zext();
        call_to::<T, P>(cpu, op, rip)
    }
}

impl Indirect for CallMem {
    #[inline(always)]
    fn go<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<u64, Faulted> {
        let rip = P::load::<T>(cpu, op)?.zext();
        call_to::<T, P>(cpu, op, rip)
    }
}

impl Indirect for JmpReg {
    #[inline(always)]
    fn go<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<u64, Faulted> {
        let rip = cpu.reg::<T>(op.a).zext();
        P::check_target(cpu, rip).map(|()| rip)
    }
}

impl Indirect for JmpMem {
    #[inline(always)]
    fn go<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<u64, Faulted> {
        let rip = P::load::<T>(cpu, op)?.zext();
        P::check_target(cpu, rip).map(|()| rip)
    }
}

/// RET and RET imm16.
impl Indirect for Ret {
    #[inline(always)]
    fn go<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<u64, Faulted> {
        let rip = P::stack_read::<T>(cpu, 0)?.zext();
        P::check_target(cpu, rip)?;
        cpu.drop_stack(T::SIZE.wrapping_add(op.imm));
        Ok(rip)
    }
}

fn transfer<I: Indirect, T: Word>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    match I::go::<T, Fast>(cpu, at.get()) {
        Ok(rip) => indirect(cpu, at.get(), rip),
        Err(Faulted) => transfer_slowly::<I, T>(cpu, at),
    }
}

#[cold]
#[inline(never)]
fn transfer_slowly<I: Indirect, T: Word>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    match I::go::<T, Slow>(cpu, at.get()) {
        Ok(rip) => indirect(cpu, at.get(), rip),
        Err(Faulted) => cpu.abandon(at.get()),
    }
}

/// LOOP, LOOPE, LOOPNE by condition: the counter has the address size.
fn loop_while(cpu: &mut Cpu, at: OpRef, condition: fn(&Cpu) -> bool) -> OpRef {
    let op = at.get();
    let mask = address_mask(op);
    let count = cpu.r.get(1).wrapping_sub(1) & mask;
    let taken = count != 0 && condition(cpu);
    if taken && !cpu.mode.flat_code {
        let rip = target(cpu, op);
        if check_target(cpu, rip).is_err() {
            return cpu.abandon(op);
        }
    }
    set_counter(cpu, op, count);
    if taken { follow_by_table(cpu, at) } else { at.next() }
}

fn set_counter(cpu: &mut Cpu, op: &Op, count: u64) {
    match op.addr_bytes {
        2 => cpu.set_reg(1, count as u16),
        4 => cpu.set_reg(1, count as u32),
        _ => cpu.r.set(1, count),
    }
}

fn address_mask(op: &Op) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(op.addr_bytes))
}

/// For rarer branches: the reach stands in `sub`.
fn follow_by_table(cpu: &mut Cpu, at: OpRef) -> OpRef {
    match at.get().sub {
        0 => follow::<0>(cpu, at),
        1 => follow::<1>(cpu, at),
        _ => follow::<2>(cpu, at),
    }
}

fn loop_always(cpu: &mut Cpu, at: OpRef) -> OpRef {
    loop_while(cpu, at, |_| true)
}

fn loop_equal(cpu: &mut Cpu, at: OpRef) -> OpRef {
    loop_while(cpu, at, |cpu| cpu.flags.zf())
}

fn loop_not_equal(cpu: &mut Cpu, at: OpRef) -> OpRef {
    loop_while(cpu, at, |cpu| !cpu.flags.zf())
}

fn jcxz(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let op = at.get();
    if cpu.r.get(1) & address_mask(op) == 0 { follow_by_table(cpu, at) } else { at.next() }
}

/// The end of a block that does not end in a branch: goes on at the next address.
fn fall_through_near(cpu: &mut Cpu, at: OpRef) -> OpRef {
    follow_near(cpu, at, i64::from(at.get().idx))
}

fn fall_through_far(cpu: &mut Cpu, at: OpRef) -> OpRef {
    follow_far(cpu, at, i64::from(at.get().idx))
}

fn fall_through_limited(cpu: &mut Cpu, at: OpRef) -> OpRef {
    follow_limited(cpu, at, i64::from(at.get().idx))
}

/// Ends a run of ops that must not go on by itself.
fn stop(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let op = at.get();
    cpu.budget -= i64::from(op.idx);
    let rip = cpu.rip_at(u64::from(op.off));
    leave(cpu, rip, OpRef::NONE)
}

/// The op that ends a block after `idx` instructions at page offset `off`.
pub fn fall_through(off: u16, idx: u8, flat_code: bool) -> Op {
    let handler = match (flat_code, off >= 0x1000) {
        (false, _) => branch(fall_through_limited),
        (true, false) => branch(fall_through_near),
        (true, true) => branch(fall_through_far),
    };
    let mut op = Op::new(handler);
    (op.off, op.idx, op.imm, op.ends) = (off, idx, u64::from(off), true);
    op
}

/// The op that returns to the run loop after `idx` instructions, with RIP at page offset `off`.
pub fn stop_op(off: u16, idx: u8) -> Op {
    let mut op = Op::new(branch(stop));
    (op.off, op.idx, op.ends) = (off, idx, true);
    op
}

fn reach(d: &Decoded<'_>, op: &Op) -> Reach {
    if !d.mode.flat_code || op.size == 2 {
        Reach::Limited
    } else if op.imm < 0x1000 {
        Reach::Near
    } else {
        Reach::Far
    }
}

macro_rules! by_reach {
    ($reach:expr, $f:ident $(, $t:tt)*) => {
        match $reach {
            Reach::Near => branch($f::<$($t,)* 0>),
            Reach::Far => branch($f::<$($t,)* 1>),
            Reach::Limited => branch($f::<$($t,)* 2>),
        }
    };
}

macro_rules! by_size {
    ($size:expr, $kind:ty) => {
        match $size {
            2 => branch(transfer::<$kind, u16>),
            4 => branch(transfer::<$kind, u32>),
            _ => branch(transfer::<$kind, u64>),
        }
    };
}

/// The condition number of a Jcc, SETcc or CMOVcc.
pub fn condition_of(d: &Decoded<'_>) -> Option<u8> {
    use iced_x86::ConditionCode as C;
    Some(match d.instruction.condition_code() {
        C::None => return None,
        C::o => 0,
        C::no => 1,
        C::b => 2,
        C::ae => 3,
        C::e => 4,
        C::ne => 5,
        C::be => 6,
        C::a => 7,
        C::s => 8,
        C::ns => 9,
        C::p => 10,
        C::np => 11,
        C::l => 12,
        C::ge => 13,
        C::le => 14,
        C::g => 15,
    })
}

macro_rules! by_condition {
    ($cc:expr, $reach:expr, $f:ident; $($n:tt)*) => {
        match $cc {
            $($n => by_reach!($reach, $f, $n),)*
            _ => return None,
        }
    };
}

fn lower_jcc(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let cc = condition_of(d)?;
    let reach = reach(d, op);
    Some(Lowered::straight(by_condition!(cc, reach, jcc; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)))
}

/// Bytes of the counter of LOOP, LOOPcc and JrCXZ: the address size.
fn counter_bytes(code: Code) -> Option<u8> {
    use Code::*;
    Some(match code {
        Jcxz_rel8_16 | Jcxz_rel8_32 => 2,
        Loop_rel8_16_CX | Loope_rel8_16_CX | Loopne_rel8_16_CX => 2,
        Loop_rel8_32_CX | Loope_rel8_32_CX | Loopne_rel8_32_CX => 2,
        Jecxz_rel8_16 | Jecxz_rel8_32 | Jecxz_rel8_64 => 4,
        Loop_rel8_16_ECX | Loope_rel8_16_ECX | Loopne_rel8_16_ECX => 4,
        Loop_rel8_32_ECX | Loope_rel8_32_ECX | Loopne_rel8_32_ECX => 4,
        Loop_rel8_64_ECX | Loope_rel8_64_ECX | Loopne_rel8_64_ECX => 4,
        Jrcxz_rel8_16 | Jrcxz_rel8_64 => 8,
        Loop_rel8_16_RCX | Loope_rel8_16_RCX | Loopne_rel8_16_RCX => 8,
        Loop_rel8_64_RCX | Loope_rel8_64_RCX | Loopne_rel8_64_RCX => 8,
        _ => return None,
    })
}

/// Handlers of the control transfers; direct targets are offsets from the start of the page.
pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let i = d.instruction;
    if i.is_jmp_far() || i.is_jmp_far_indirect() || i.is_call_far() || i.is_call_far_indirect() {
        return None; // far transfers: `system`
    }
    let direct = matches!(i.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64);
    if direct {
        op.imm = match i.op0_kind() {
            OpKind::NearBranch16 => u64::from(i.near_branch16()),
            OpKind::NearBranch32 => u64::from(i.near_branch32()),
            _ => i.near_branch64(),
        };
        op.size = match i.op0_kind() {
            OpKind::NearBranch16 => 2,
            OpKind::NearBranch32 => 4,
            _ => 8,
        };
        op.sub = reach(d, op) as u8;
    }
    if let Some(bytes) = counter_bytes(i.code()) {
        op.addr_bytes = bytes;
    }
    let memory = i.op0_kind() == OpKind::Memory;
    let reach = reach(d, op);
    Some(match i.mnemonic() {
        Mnemonic::Jmp if direct => Lowered::ends(by_reach!(reach, jmp)),
        Mnemonic::Call if direct => Lowered::ends(match op.size {
            2 => by_reach!(reach, call, u16),
            4 => by_reach!(reach, call, u32),
            _ => by_reach!(reach, call, u64),
        }),
        Mnemonic::Jmp if memory => Lowered::ends(by_size!(d.near_size()?, JmpMem)),
        Mnemonic::Jmp => Lowered::ends(by_size!(d.near_size()?, JmpReg)),
        Mnemonic::Call if memory => Lowered::ends(by_size!(d.near_size()?, CallMem)),
        Mnemonic::Call => Lowered::ends(by_size!(d.near_size()?, CallReg)),
        Mnemonic::Ret => Lowered::ends(by_size!(d.near_size()?, Ret)),
        Mnemonic::Loop => Lowered::straight(branch(loop_always)),
        Mnemonic::Loope => Lowered::straight(branch(loop_equal)),
        Mnemonic::Loopne => Lowered::straight(branch(loop_not_equal)),
        Mnemonic::Jcxz | Mnemonic::Jecxz | Mnemonic::Jrcxz => Lowered::straight(branch(jcxz)),
        _ => return lower_jcc(d, op),
    })
}
