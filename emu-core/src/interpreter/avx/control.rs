//! VZEROUPPER, VZEROALL, VLDMXCSR, VSTMXCSR.

use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, faulting};
use crate::interpreter::sse::control::{load_mxcsr, store_mxcsr};
use iced_x86::Mnemonic as M;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    Some(match d.instruction.mnemonic() {
        M::Vzeroupper => faulting(vzeroupper),
        M::Vzeroall => faulting(vzeroall),
        M::Vldmxcsr => faulting(vldmxcsr),
        M::Vstmxcsr => faulting(vstmxcsr),
        _ => return None,
    })
}

/// Registers that the current mode can name; the others stay as they are.
fn registers(cpu: &Cpu) -> usize {
    if cpu.mode.long { 16 } else { 8 }
}

fn vzeroupper(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    let count = registers(cpu);
    cpu.s.ymm_high[..count].fill(0);
    Ok(())
}

fn vzeroall(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    vzeroupper(cpu, op)?;
    let count = registers(cpu);
    cpu.s.xmm[..count].fill(0);
    Ok(())
}

fn vldmxcsr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    load_mxcsr(cpu, op)
}

fn vstmxcsr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    store_mxcsr(cpu, op)
}
