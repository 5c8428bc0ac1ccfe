//! FCOM, FUCOM, FICOM, FTST, FCOMI, FUCOMI and FXAM.

use super::arith::with_denormal;
use super::register::StackFault;
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, faulting};
use crate::interpreter::word::Scalar;
use crate::isa::x87::status::{C0, C1, C2, C3, CONDITIONS, IE};
use crate::isa::x87::{Double, Fpu, Int16, Int32, Operand, Single, Unit};
use crate::vcpu::{F80, rflags};
use iced_x86::Mnemonic;

const UNORDERED: u16 = C3 | C2 | C0;

fn pop_times(cpu: &mut Cpu, times: u8) {
    for _ in 0..times {
        cpu.pop();
    }
}

/// An empty register compares as unordered, masked or not.
#[cold]
#[inline(never)]
fn empty(cpu: &mut Cpu, pops: u8) {
    let masked = cpu.stack_fault(StackFault::Underflow);
    cpu.s.x87.status |= UNORDERED;
    if masked {
        pop_times(cpu, pops);
    }
}

/// FCOM and FUCOM of ST(0) with ST(b).
#[inline(never)]
fn registers<const QUIET: bool, const POPS: u8>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let (top, other) = (cpu.st(0), cpu.st(op.b));
    if cpu.either_empty(top, other) {
        empty(cpu, POPS);
        return Ok(());
    }
    let env = cpu.env();
    let raised = Fpu::compare(QUIET, env, &cpu.s.x87.r[top], &cpu.s.x87.r[other]);
    if cpu.settle_conditions(env, raised) {
        pop_times(cpu, POPS);
    }
    Ok(())
}

/// FCOM and FICOM of ST(0) with memory.
#[inline(never)]
fn memory<M: Operand, const POPS: u8>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted>
where
    M::Raw: Scalar,
{
    cpu.fpu_guard()?;
    let raw = cpu.load::<M::Raw>(op)?;
    cpu.note_memory(op);
    let top = cpu.st(0);
    if cpu.is_empty(top) {
        empty(cpu, POPS);
        return Ok(());
    }
    let (env, denormal) = (cpu.env(), M::denormal(raw));
    let run_env = if denormal { env.exact() } else { env };
    let mut raised = Fpu::compare(false, run_env, &cpu.s.x87.r[top], &M::widen(raw));
    if denormal {
        let conditions = raised & CONDITIONS;
        raised = with_denormal(raised, &cpu.s.x87.r[top], env.control) | conditions;
    }
    if cpu.settle_conditions(env, raised) {
        pop_times(cpu, POPS);
    }
    Ok(())
}

fn test(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let top = cpu.st(0);
    if cpu.is_empty(top) {
        empty(cpu, 0);
        return Ok(());
    }
    let env = cpu.env();
    let raised = Fpu::compare(false, env, &cpu.s.x87.r[top], &F80::ZERO);
    cpu.settle_conditions(env, raised);
    Ok(())
}

/// FCOMI and FUCOMI: ZF, PF and CF stand where C3, C2 and C0 would; OF, SF and AF are cleared.
#[inline(never)]
fn to_flags<const QUIET: bool, const POPS: u8>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let (top, other) = (cpu.st(0), cpu.st(op.b));
    let env = cpu.env();
    let (raised, done) = if cpu.either_empty(top, other) {
        (UNORDERED | IE, cpu.stack_fault(StackFault::Underflow))
    } else {
        let raised = Fpu::compare(QUIET, env, &cpu.s.x87.r[top], &cpu.s.x87.r[other]);
        (raised, cpu.settle(env, raised & !C1))
    };
    if raised & IE & !env.control == 0 {
        let bit = |condition: u16, flag: u64| if raised & condition != 0 { flag } else { 0 };
        cpu.flags.known(bit(C3, rflags::ZF) | bit(C2, rflags::PF) | bit(C0, rflags::CF));
    }
    if done {
        pop_times(cpu, POPS);
    }
    Ok(())
}

fn examine(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let top = cpu.st(0);
    let value = cpu.get(top);
    let class = if cpu.is_empty(top) { C3 | C0 } else { value.class().conditions() };
    let sign = if value.negative() { C1 } else { 0 };
    cpu.s.x87.status = (cpu.s.x87.status & !CONDITIONS) | class | sign;
    Ok(())
}

macro_rules! forms {
    ($d:expr, $pops:literal) => {
        match ($d.memory(0), $d.size(0)) {
            (true, 4) => faulting(memory::<Single, $pops>),
            (true, _) => faulting(memory::<Double, $pops>),
            (false, _) => faulting(registers::<false, $pops>),
        }
    };
}

macro_rules! integer {
    ($d:expr, $pops:literal) => {
        if $d.size(0) == 2 { faulting(memory::<Int16, $pops>) } else { faulting(memory::<Int32, $pops>) }
    };
}

pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        Mnemonic::Fcom => forms!(d, 0),
        Mnemonic::Fcomp => forms!(d, 1),
        Mnemonic::Fcompp => {
            op.b = 1;
            faulting(registers::<false, 2>)
        }
        Mnemonic::Ficom => integer!(d, 0),
        Mnemonic::Ficomp => integer!(d, 1),
        Mnemonic::Fucom => faulting(registers::<true, 0>),
        Mnemonic::Fucomp => faulting(registers::<true, 1>),
        Mnemonic::Fucompp => {
            op.b = 1;
            faulting(registers::<true, 2>)
        }
        Mnemonic::Fcomi => faulting(to_flags::<false, 0>),
        Mnemonic::Fcomip => faulting(to_flags::<false, 1>),
        Mnemonic::Fucomi => faulting(to_flags::<true, 0>),
        Mnemonic::Fucomip => faulting(to_flags::<true, 1>),
        Mnemonic::Ftst => faulting(test),
        Mnemonic::Fxam => faulting(examine),
        _ => return None,
    })
}
