//! FADD, FSUB, FMUL, FDIV and their reversed, popping and integer forms.

use super::register::StackFault;
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, faulting};
use crate::interpreter::word::Scalar;
use crate::isa::x87::status::{DE, IE, ZE};
use crate::isa::x87::{Binary, Double, Env, Fpu, Int16, Int32, Operand, Outcome, Single, Unit};
use crate::vcpu::F80;
use iced_x86::Mnemonic;

/// One of the six operations, chosen at compile time.
trait Arithmetic: 'static {
    fn run(env: Env, destination: &F80, source: &F80) -> Outcome;
}

macro_rules! arithmetic {
    ($($name:ident: |$d:ident, $s:ident| $op:ident($a:ident, $b:ident);)*) => {$(
        struct $name;
        impl Arithmetic for $name {
            #[inline(always)]
            fn run(env: Env, $d: &F80, $s: &F80) -> Outcome {
                Fpu::binary(Binary::$op, env, $a, $b)
            }
        }
    )*};
}
arithmetic! {
    Add: |d, s| Add(d, s);
    Sub: |d, s| Sub(d, s);
    SubR: |d, s| Sub(s, d);
    Mul: |d, s| Mul(d, s);
    Div: |d, s| Div(d, s);
    DivR: |d, s| Div(s, d);
}

/// ST(a) = ST(a) op ST(b), and pop.
#[inline(never)]
fn registers<A: Arithmetic, const POP: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let (destination, source) = (cpu.st(op.a), cpu.st(op.b));
    let (value, write) = if cpu.either_empty(destination, source) {
        (F80::INDEFINITE, cpu.stack_fault(StackFault::Underflow))
    } else {
        let (env, r) = (cpu.env(), &cpu.s.x87.r);
        let outcome = A::run(env, &r[destination], &r[source]);
        (outcome.value, cpu.settle(env, outcome.status))
    };
    if write {
        cpu.put(destination, value);
        if POP {
            cpu.pop();
        }
    }
    Ok(())
}

/// ST(0) = ST(0) op memory.
#[inline(never)]
fn memory<A: Arithmetic, M: Operand>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted>
where
    M::Raw: Scalar,
{
    cpu.fpu_guard()?;
    let raw = cpu.load::<M::Raw>(op)?;
    cpu.note_memory(op);
    let top = cpu.st(0);
    let (value, write) = if cpu.is_empty(top) {
        (F80::INDEFINITE, cpu.stack_fault(StackFault::Underflow))
    } else {
        let (env, denormal) = (cpu.env(), M::denormal(raw));
        let run_env = if denormal { env.exact() } else { env };
        let mut outcome = A::run(run_env, &cpu.s.x87.r[top], &M::widen(raw));
        if denormal {
            outcome.status = with_denormal(outcome.status, &cpu.s.x87.r[top], env.control);
        }
        (outcome.value, cpu.settle(env, outcome.status))
    };
    if write {
        cpu.put(top, value);
    }
    Ok(())
}

/// Adds DE for a denormal memory operand, unless something of higher priority came first (Intel SDM Vol. 1 8.7,
/// 4.9.2: invalid operation, QNaN operand, divide by zero, denormal, then the rest).
#[cold]
pub(super) fn with_denormal(raised: u16, other: &F80, control: u16) -> u16 {
    match (raised & (IE | ZE) != 0 || other.is_nan(), control & DE != 0) {
        (true, _) => raised,
        (false, true) => raised | DE,
        (false, false) => DE,
    }
}

macro_rules! forms {
    ($d:expr, $a:ty) => {
        match ($d.memory(0), $d.size(0)) {
            (true, 4) => faulting(memory::<$a, Single>),
            (true, _) => faulting(memory::<$a, Double>),
            (false, _) => faulting(registers::<$a, false>),
        }
    };
}

macro_rules! integer {
    ($d:expr, $a:ty) => {
        match $d.size(0) {
            2 => faulting(memory::<$a, Int16>),
            _ => faulting(memory::<$a, Int32>),
        }
    };
}

pub fn lower(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        Mnemonic::Fadd => forms!(d, Add),
        Mnemonic::Fsub => forms!(d, Sub),
        Mnemonic::Fsubr => forms!(d, SubR),
        Mnemonic::Fmul => forms!(d, Mul),
        Mnemonic::Fdiv => forms!(d, Div),
        Mnemonic::Fdivr => forms!(d, DivR),
        Mnemonic::Faddp => faulting(registers::<Add, true>),
        Mnemonic::Fsubp => faulting(registers::<Sub, true>),
        Mnemonic::Fsubrp => faulting(registers::<SubR, true>),
        Mnemonic::Fmulp => faulting(registers::<Mul, true>),
        Mnemonic::Fdivp => faulting(registers::<Div, true>),
        Mnemonic::Fdivrp => faulting(registers::<DivR, true>),
        Mnemonic::Fiadd => integer!(d, Add),
        Mnemonic::Fisub => integer!(d, Sub),
        Mnemonic::Fisubr => integer!(d, SubR),
        Mnemonic::Fimul => integer!(d, Mul),
        Mnemonic::Fidiv => integer!(d, Div),
        Mnemonic::Fidivr => integer!(d, DivR),
        _ => return None,
    })
}
