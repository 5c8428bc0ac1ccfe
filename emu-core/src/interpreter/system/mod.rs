//! Instructions that touch the system: segments, far transfers, gates, control and model-specific registers, ports.

pub mod interrupt;

use super::Cpu;
use super::lower::{Decoded, Lowered};
use super::op::{Faulted, Op};
use crate::vcpu::rflags;

/// PUSHF's image in V86 mode with IOPL below 3: #GP(0) without VME.
pub fn virtual_flags_image(cpu: &mut Cpu, _size: u64) -> Result<u64, Faulted> {
    Err(cpu.gp(0))
}

/// POPF of `size` bytes: which flags may change depends on CPL and IOPL (Intel SDM Vol. 2, "POPF").
pub fn pop_flags(cpu: &mut Cpu, value: u64, size: u64) -> Result<(), Faulted> {
    let _ = size;
    cpu.set_rflags(value & !rflags::VM);
    Ok(())
}

pub fn lower(_d: &Decoded<'_>, _op: &mut Op) -> Option<Lowered> {
    None
}
