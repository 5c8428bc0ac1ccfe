//! The engine seam: interpreter, JIT and hardware engine are interchangeable views of one vCPU state.

use crate::Bus;
use crate::vcpu::VcpuState;

/// What an engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Counts retired instructions exactly and never runs beyond the allowance. Deterministic mode needs it.
    pub counts: bool,
}

/// Where else than at the allowance an engine is to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// Stop before the instruction at this linear address.
    pub at: Option<u64>,
    /// Stop after this many instructions.
    pub after: Option<u64>,
}

/// A stop for the debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugStop {
    /// The address in [`Stop::at`] has been reached.
    Address(u64),
    /// [`Stop::after`] instructions have retired.
    Count,
}

/// Why an engine returned. The vCPU state is complete and architectural in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The allowance is used up, or the board asked for a stop.
    Stopped,
    /// The CPU waits for an interrupt (HLT or MWAIT).
    Halted,
    /// Triple fault.
    Shutdown,
    Debug(DebugStop),
    /// This engine cannot run the next instruction; the reference interpreter can.
    Foreign,
}

/// Derived state to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Address translations: the memory map, A20 or the paging registers changed from outside.
    Map,
    /// Everything, code included.
    All,
}

/// An engine runs a vCPU. At rest it is stateless: whatever it keeps between runs is derived and may be forgotten.
///
/// The contract (ARCHITECTURE.md, "The engine contract"): exact count at every bus call; never beyond the
/// allowance; precise faults in the SDM's priority order; stores to code are seen before the next instruction
/// fetched from them; no host time, no randomness, no I/O inside.
pub trait Engine: Send {
    fn caps(&self) -> Caps;
    fn run(&mut self, cpu: &mut VcpuState, bus: &mut dyn Bus, stop: &Stop) -> Exit;
    fn forget(&mut self, what: Forget);
}
