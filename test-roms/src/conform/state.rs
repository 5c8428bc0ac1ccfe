//! What an instruction of user mode reads and writes, apart from memory.

use emu_core::vcpu::X87;
use serde::{Deserialize, Serialize};

/// The registers, before or after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registers {
    /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 ... R15. Outside 64-bit code: the low 32 bits of the first eight.
    pub gpr: [u64; 16],
    pub rflags: u64,
    /// 64-bit code only.
    pub fs_base: u64,
    /// 64-bit code only.
    pub gs_base: u64,
    pub x87: X87,
    pub mxcsr: u32,
    pub xmm: [u128; 16],
    /// Upper halves of YMM0 to YMM15; zero where the host has no AVX.
    pub ymm_high: [u128; 16],
}

/// Bytes to put into the data or stack pages before a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Linear address, inside `DATA` or `STACK` with all its bytes.
    pub at: u64,
    pub bytes: Vec<u8>,
}

/// One vector's inputs. Memory that no patch names holds what [`super::program::Program::seed`] makes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    pub registers: Registers,
    pub patches: Vec<Patch>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Past the last instruction.
    Through,
    /// By an exception or a trap, INT3 of the filling included. `rip` is what the handler would see as an offset
    /// (outside 64-bit code: EIP).
    Exception { vector: u8, error: u32, rip: u64, cr2: Option<u64> },
    /// Not at all, or with the CPU shut down: an engine's defect.
    Lost,
    /// On the host, not within a second of CPU time: its hypervisor takes some faults again and again.
    Endless,
}

/// What a run left behind, apart from memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub end: End,
    pub registers: Registers,
    /// ES, CS, SS, DS, FS, GS.
    pub selectors: [u16; 6],
}
