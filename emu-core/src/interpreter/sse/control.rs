//! LDMXCSR, STMXCSR, EMMS.

use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, faulting};
use crate::isa::simd::mxcsr;
use iced_x86::Code;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.code() {
        Code::Ldmxcsr_m32 => faulting(ldmxcsr),
        Code::Stmxcsr_m32 => faulting(stmxcsr),
        Code::Emms => faulting(emms),
        _ => return None,
    })
}

fn ldmxcsr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    load_mxcsr(cpu, op)
}

fn stmxcsr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.sse_guard()?;
    store_mxcsr(cpu, op)
}

/// Flags that are loaded set raise nothing (Intel SDM Vol. 1 11.5.3).
pub fn load_mxcsr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = cpu.load::<u32>(op)?;
    if value & !mxcsr::WRITABLE != 0 {
        return Err(cpu.gp(0));
    }
    cpu.s.mxcsr = value;
    Ok(())
}

pub fn store_mxcsr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.store(op, cpu.s.mxcsr)
}

/// All registers empty, TOP = 0 (Intel SDM Vol. 3A table 12-3).
fn emms(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.mmx_guard()?;
    cpu.s.x87.set_top(0);
    cpu.s.x87.empty = 0xFF;
    Ok(())
}
