//! The block of memory through which the host's program, the trampolines and the signal handler speak to each other.
//!
//! It lies at a fixed address below 2 GiB, so that code of any size and with any registers can name it.

use std::mem::offset_of;

/// Where the block lies: further from the window than the bit offset of a BT reaches, which is an eighth of 2 GiB.
pub const CONTROL: u64 = 0x6000_0000;
pub const CONTROL_BYTES: usize = 0x2000;

/// The trampolines' code.
pub const TRAMPOLINES: u64 = CONTROL + 0x1_0000;
pub const TRAMPOLINE_BYTES: usize = 0x1000;

/// Bytes of the XSAVE image: legacy area, header, AVX component.
pub const AREA_BYTES: usize = 832;

/// What the signal handler has seen.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Trap {
    pub vector: u64,
    pub error: u64,
    pub rip: u64,
    pub rflags: u64,
    pub cr2: u64,
    pub cs: u16,
    pub ss: u16,
}

#[repr(C, align(64))]
pub struct Control {
    /// The XSAVE image, before and after.
    pub area: [u8; AREA_BYTES],
    pub gpr: [u64; 16],
    pub rflags: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    /// Offset and selector of a far pointer m16:32, or the whole address in 64-bit code.
    pub target: u64,
    pub target_selector: u64,
    /// ES, CS, SS, DS, FS, GS. Before: what non-64-bit code gets.
    pub selectors: [u16; 8],
    pub trap: Trap,
    /// Not zero between the trampolines: a signal then belongs to the program under test.
    pub running: u64,
    /// Counts the runs.
    pub run: u64,
    /// The run that the last tick of the watchdog has seen.
    pub ticked: u64,
    pub host_rsp: u64,
    pub host_fs_base: u64,
    pub host_gs_base: u64,
    /// MXCSR that Rust expects.
    pub host_mxcsr: u64,
    /// A few words of stack for moving flags.
    pub scratch: [u64; 8],
}

/// The address of a field.
macro_rules! address {
    ($field:ident) => {
        CONTROL + std::mem::offset_of!(Control, $field) as u64
    };
}
pub(super) use address;

/// The address of general register `n`'s slot.
pub fn gpr(n: u64) -> u64 {
    address!(gpr) + 8 * n
}

/// The address of segment register `n`'s slot.
pub fn selector(n: u64) -> u64 {
    address!(selectors) + 2 * n
}

/// One past the scratch stack.
pub const SCRATCH_TOP: u64 = CONTROL + offset_of!(Control, scratch) as u64 + 64;

const _: () = assert!(size_of::<Control>() <= CONTROL_BYTES);
