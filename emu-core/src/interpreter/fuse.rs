//! CMP or TEST together with the conditional jump after it: one hand-over for two instructions, and the condition
//! straight from the operands. The jump keeps its own op, with its link and its count; only the handler of the
//! comparison changes, and [`Op::alone`] still runs the comparison by itself.

use super::Cpu;
use super::alu::{Alu, Cmp, Test};
use super::branch::{condition_of, conditional};
use super::lower::Decoded;
use super::op::{Faulted, Handler, Op, OpRef, branch};
use super::path::{Fast, Path, Slow};
use super::word::Word;
use iced_x86::{Instruction, Mnemonic, OpKind};

/// Where the two operands of the comparison are.
trait Operands {
    fn get<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(T, T), Faulted>;
}

struct RegReg;
struct RegImm;
struct RegMem;
struct MemReg;
struct MemImm;

macro_rules! operands {
    ($($name:ident |$cpu:ident, $op:ident| $pair:expr;)*) => {$(
        impl Operands for $name {
            #[inline(always)]
            fn get<T: Word, P: Path>($cpu: &mut Cpu, $op: &Op) -> Result<(T, T), Faulted> { $pair }
        }
    )*};
}

operands! {
    RegReg |cpu, op| Ok((cpu.reg(op.a), cpu.reg(op.b)));
    RegImm |cpu, op| Ok((cpu.reg(op.a), T::low(op.imm)));
    RegMem |cpu, op| { let b = P::load(cpu, op)?; Ok((cpu.reg(op.a), b)) };
    MemReg |cpu, op| { let a = P::load(cpu, op)?; Ok((a, cpu.reg(op.b))) };
    MemImm |cpu, op| { let a = P::load(cpu, op)?; Ok((a, T::low(op.imm))) };
}

fn compare_and_jump<A: Alu, F: Operands, T: Word, const CC: u8>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    match F::get::<T, Fast>(cpu, at.get()) {
        Ok((a, b)) => {
            A::apply(&mut cpu.flags, a, b);
            let taken = cpu.flags.condition(CC);
            conditional(cpu, at.next(), taken)
        }
        Err(Faulted) => compare_slowly::<A, F, T>(cpu, at),
    }
}

/// The comparison by itself; the jump follows as an op of its own.
#[cold]
#[inline(never)]
fn compare_slowly<A: Alu, F: Operands, T: Word>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    match F::get::<T, Slow>(cpu, at.get()) {
        Ok((a, b)) => {
            A::apply(&mut cpu.flags, a, b);
            at.next()
        }
        Err(Faulted) => cpu.abandon(at.get()),
    }
}

macro_rules! by_condition {
    ($cc:expr, $a:ty, $f:ty, $t:ty; $($n:literal)*) => {
        match $cc {
            $($n => branch(compare_and_jump::<$a, $f, $t, $n>),)*
            _ => return None,
        }
    };
}

fn sized<A: Alu, F: Operands>(size: u64, cc: u8) -> Option<Handler> {
    Some(match size {
        1 => by_condition!(cc, A, F, u8; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
        4 => by_condition!(cc, A, F, u32; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
        8 => by_condition!(cc, A, F, u64; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
        _ => return None,
    })
}

fn pick<A: Alu>(i: &Instruction, size: u64, cc: u8) -> Option<Handler> {
    match (i.op0_kind(), i.op1_kind()) {
        (OpKind::Register, OpKind::Register) => sized::<A, RegReg>(size, cc),
        (OpKind::Register, OpKind::Memory) => sized::<A, RegMem>(size, cc),
        (OpKind::Memory, OpKind::Register) => sized::<A, MemReg>(size, cc),
        (OpKind::Register, _) => sized::<A, RegImm>(size, cc),
        (OpKind::Memory, _) => sized::<A, MemImm>(size, cc),
        _ => None,
    }
}

/// Fuses `before` (decoded from `first`) with the jump `d`, if they are such a pair.
pub fn pair(before: &mut Op, first: &Instruction, d: &Decoded<'_>) {
    let jump = d.instruction;
    let direct = !matches!(jump.op0_kind(), OpKind::NearBranch16);
    if !jump.is_jcc_short_or_near() || !direct || !d.mode.flat_code || before.ends {
        return;
    }
    let size = Decoded { instruction: first, bytes: &[], mode: d.mode }.size(0);
    let handler = match (first.mnemonic(), condition_of(d)) {
        (Mnemonic::Cmp, Some(cc)) => pick::<Cmp>(first, size, cc),
        (Mnemonic::Test, Some(cc)) => pick::<Test>(first, size, cc),
        _ => None,
    };
    if let Some(handler) = handler {
        before.handler.set(handler);
    }
}
