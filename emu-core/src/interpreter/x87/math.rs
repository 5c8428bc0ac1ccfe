//! FSQRT, FABS, FCHS, FRNDINT, FSCALE, FPREM, FXTRACT and the transcendental instructions.

use super::register::StackFault;
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, faulting};
use crate::isa::x87::status::{C1, C2};
use crate::isa::x87::{Binary, Env, Fpu, Split, Unary, Unit};
use crate::vcpu::F80;
use iced_x86::Mnemonic;

fn sign<const CHANGE: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let top = cpu.st(0);
    if cpu.is_empty(top) {
        if cpu.stack_fault(StackFault::Underflow) {
            cpu.put(top, F80::INDEFINITE);
        }
        return Ok(());
    }
    cpu.s.x87.status &= !C1;
    let exponent = &mut cpu.s.x87.r[top].exponent;
    *exponent = if CHANGE { *exponent ^ 0x8000 } else { *exponent & 0x7FFF };
    Ok(())
}

/// Which condition codes an instruction leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Conditions {
    /// C1 only.
    Rounding,
    /// C2: the operand was out of range, or the reduction is incomplete.
    Partial,
    /// All four.
    All,
}

fn settle(cpu: &mut Cpu, env: Env, raised: u16, conditions: Conditions) -> bool {
    match conditions {
        Conditions::Rounding => cpu.settle(env, raised),
        Conditions::Partial => cpu.settle_partial(env, raised),
        Conditions::All => cpu.settle_conditions(env, raised),
    }
}

/// A stack fault; C2 is cleared by what may set it. Whether the masked response is to follow.
#[cold]
fn fault(cpu: &mut Cpu, fault: StackFault, conditions: Conditions) -> bool {
    if conditions != Conditions::Rounding {
        cpu.s.x87.status &= !C2;
    }
    cpu.stack_fault(fault)
}

/// ST(0) = op ST(0).
fn unary(cpu: &mut Cpu, op: &Op, operation: Unary, conditions: Conditions) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let top = cpu.st(0);
    let (value, write) = if cpu.is_empty(top) {
        (F80::INDEFINITE, fault(cpu, StackFault::Underflow, conditions))
    } else {
        let env = cpu.env();
        let outcome = Fpu::unary(operation, env, &cpu.s.x87.r[top]);
        (outcome.value, settle(cpu, env, outcome.status, conditions))
    };
    if write {
        cpu.put(top, value);
    }
    Ok(())
}

/// ST(0) op ST(1) to ST(0); or to ST(1), and pop.
fn binary(
    cpu: &mut Cpu,
    op: &Op,
    operation: Binary,
    pop: bool,
    conditions: Conditions,
) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let (top, next) = (cpu.st(0), cpu.st(1));
    let (value, write) = if cpu.either_empty(top, next) {
        (F80::INDEFINITE, fault(cpu, StackFault::Underflow, conditions))
    } else {
        let (env, r) = (cpu.env(), &cpu.s.x87.r);
        let outcome = Fpu::binary(operation, env, &r[top], &r[next]);
        (outcome.value, settle(cpu, env, outcome.status, conditions))
    };
    if write && pop {
        cpu.put(next, value);
        cpu.pop();
    } else if write {
        cpu.put(top, value);
    }
    Ok(())
}

/// Replaces ST(0) and pushes.
fn split(cpu: &mut Cpu, op: &Op, operation: Split, conditions: Conditions) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let (top, pushed) = (cpu.st(0), cpu.st(7));
    if cpu.is_empty(top) || !cpu.is_empty(pushed) {
        split_fault(cpu, top, pushed, conditions);
        return Ok(());
    }
    let env = cpu.env();
    let pair = Fpu::split(operation, env, &cpu.s.x87.r[top]);
    if !settle(cpu, env, pair.status, conditions) {
        return Ok(());
    }
    if conditions == Conditions::Partial && pair.status & C2 != 0 {
        cpu.put(top, pair.top);
        return Ok(());
    }
    cpu.put(top, pair.next);
    cpu.s.x87.set_top(pushed as u8);
    cpu.put(pushed, pair.top);
    Ok(())
}

#[cold]
fn split_fault(cpu: &mut Cpu, top: usize, pushed: usize, conditions: Conditions) {
    let which = if cpu.is_empty(top) { StackFault::Underflow } else { StackFault::Overflow };
    if fault(cpu, which, conditions) {
        cpu.put(top, F80::INDEFINITE);
        cpu.s.x87.set_top(pushed as u8);
        cpu.put(pushed, F80::INDEFINITE);
    }
}

macro_rules! handler {
    ($f:ident($($argument:expr),*)) => {{
        #[inline(never)]
        fn run(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
            $f(cpu, op, $($argument),*)
        }
        faulting(run)
    }};
}

pub fn lower(d: &Decoded<'_>) -> Option<Handler> {
    use Conditions::{All, Partial, Rounding};
    Some(match d.instruction.mnemonic() {
        Mnemonic::Fchs => faulting(sign::<true>),
        Mnemonic::Fabs => faulting(sign::<false>),
        Mnemonic::Fsqrt => handler!(unary(Unary::Sqrt, Rounding)),
        Mnemonic::Frndint => handler!(unary(Unary::RoundToInteger, Rounding)),
        Mnemonic::F2xm1 => handler!(unary(Unary::Exp2m1, Rounding)),
        Mnemonic::Fsin => handler!(unary(Unary::Sin, Partial)),
        Mnemonic::Fcos => handler!(unary(Unary::Cos, Partial)),
        Mnemonic::Fscale => handler!(binary(Binary::Scale, false, Rounding)),
        Mnemonic::Fprem => handler!(binary(Binary::Remainder, false, All)),
        Mnemonic::Fprem1 => handler!(binary(Binary::IeeeRemainder, false, All)),
        Mnemonic::Fyl2x => handler!(binary(Binary::YLog2X, true, Rounding)),
        Mnemonic::Fyl2xp1 => handler!(binary(Binary::YLog2Xp1, true, Rounding)),
        Mnemonic::Fpatan => handler!(binary(Binary::Atan, true, Rounding)),
        Mnemonic::Fxtract => handler!(split(Split::Extract, Rounding)),
        Mnemonic::Fptan => handler!(split(Split::Tan, Partial)),
        Mnemonic::Fsincos => handler!(split(Split::SinCos, Partial)),
        _ => return None,
    })
}
