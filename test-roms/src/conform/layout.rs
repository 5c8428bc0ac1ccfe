//! Where things are in the test window: 64 KiB of linear addresses, the same natively and in the guest.
//!
//! Everything not listed is unmapped, so pages that matter have a guard page on either side.

/// The window's linear address. Below 2 GiB: 32-bit code and RIP-relative operands reach it.
pub const WINDOW: u64 = 0x1000_0000;

/// Two pages that hold the program; user code may read and execute them. What is not program is filled with INT3.
pub const CODE: u64 = WINDOW + 0x2000;
pub const CODE_BYTES: usize = 0x2000;

/// Two pages of data, readable and writable.
pub const DATA: u64 = WINDOW + 0x8000;
pub const DATA_BYTES: usize = 0x2000;

/// One page that may only be read.
pub const FIXED: u64 = WINDOW + 0xB000;
pub const FIXED_BYTES: usize = 0x1000;

/// One page of stack, readable and writable.
pub const STACK: u64 = WINDOW + 0xD000;
pub const STACK_BYTES: usize = 0x1000;

/// FS and GS bases in 64-bit code, and the bases of the segments that FS and GS hold in other code.
pub const FS_BASE: u64 = DATA + 0x100;
pub const GS_BASE: u64 = DATA + 0xF00;

/// Selectors. GDT ones are Linux's own for user mode.
pub mod selector {
    pub const CODE_64: u16 = 0x33;
    pub const CODE_32: u16 = 0x23;
    /// Flat, 32-bit.
    pub const DATA: u16 = 0x2B;
    /// LDT: code, 16-bit, base `WINDOW`, limit FFFFh.
    pub const CODE_16: u16 = 0x07;
    /// LDT: data, 16-bit, base `WINDOW`, limit FFFFh. DS, ES and SS of 16-bit code.
    pub const DATA_16: u16 = 0x0F;
    /// LDT: data, base `FS_BASE`, limit FFFh. FS of 32- and 16-bit code.
    pub const FS: u16 = 0x17;
    /// LDT: data, base `GS_BASE`, limit FFFh. GS of 32- and 16-bit code.
    pub const GS: u16 = 0x1F;
    /// LDT: data, read-only, base `DATA`, limit FFFh.
    pub const READ_ONLY: u16 = 0x27;
    /// LDT: data, expand-down, base `DATA`, limit FFFh: offsets 1000h to FFFFh are inside.
    pub const EXPAND_DOWN: u16 = 0x2F;
}
