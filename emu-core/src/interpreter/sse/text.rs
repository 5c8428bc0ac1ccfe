//! PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. Their memory operand need not be aligned.

use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex};
use crate::isa::simd::string::{Comparison, explicit, implicit};
use iced_x86::Code;

const AX: u8 = 0;
const CX: u8 = 1;
const DX: u8 = 2;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    use Code::*;
    let memory = d.memory(1);
    Some(match d.instruction.code() {
        Pcmpistri_xmm_xmmm128_imm8 => form(memory, implicitly, index),
        Pcmpistrm_xmm_xmmm128_imm8 => form(memory, implicitly, mask),
        Pcmpestri_xmm_xmmm128_imm8 => form(memory, explicitly, index),
        Pcmpestrm_xmm_xmmm128_imm8 => form(memory, explicitly, mask),
        Pcmpestri64_xmm_xmmm128_imm8 => form(memory, explicitly_64, index),
        Pcmpestrm64_xmm_xmmm128_imm8 => form(memory, explicitly_64, mask),
        _ => return None,
    })
}

fn form<F, R>(memory: bool, compare: F, result: R) -> Handler
where
    F: Fn(&Cpu, &Op, u128) -> Comparison + Copy,
    R: Fn(&mut Cpu, &Op, &Comparison) + Copy,
{
    let finish = move |cpu: &mut Cpu, op: &Op, b: u128| -> Result<(), Faulted> {
        let comparison = compare(cpu, op, b);
        cpu.flags.known(comparison.flags);
        result(cpu, op, &comparison);
        Ok(())
    };
    if memory {
        complex(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.load::<u128>(op)?;
            finish(cpu, op, b)
        })
    } else {
        complex(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            finish(cpu, op, cpu.xmm(op.b))
        })
    }
}

pub fn implicitly(cpu: &Cpu, op: &Op, b: u128) -> Comparison {
    implicit(cpu.xmm(op.a), b, op.imm as u8)
}

/// Lengths in EAX and EDX.
pub fn explicitly(cpu: &Cpu, op: &Op, b: u128) -> Comparison {
    let length = |register| i64::from(cpu.reg::<u32>(register) as i32);
    explicit(cpu.xmm(op.a), b, op.imm as u8, length(AX), length(DX))
}

/// Lengths in RAX and RDX.
pub fn explicitly_64(cpu: &Cpu, op: &Op, b: u128) -> Comparison {
    let length = |register| cpu.reg::<u64>(register) as i64;
    explicit(cpu.xmm(op.a), b, op.imm as u8, length(AX), length(DX))
}

pub fn index(cpu: &mut Cpu, op: &Op, comparison: &Comparison) {
    cpu.set_reg::<u32>(CX, comparison.index(op.imm as u8));
}

fn mask(cpu: &mut Cpu, op: &Op, comparison: &Comparison) {
    cpu.set_xmm(0, comparison.mask(op.imm as u8));
}
