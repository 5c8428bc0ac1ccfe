//! Guest programs, assembled from Rust: what they are is read here, and no external assembler is needed.
//!
//! - [`boot_sector`]: a boot sector for a diskette or disk, to be started by a firmware;
//! - [`mode_rom`]: a 64 KiB ROM that takes the CPU from the reset vector through every mode to long mode.
//!
//! These two end through the isa-debug-exit port with a value of [`exit`].
//!
//! - [`system`]: the system-mode conformance suite: thousands of small programs with what the manual says of them.

#![forbid(unsafe_code)]

pub mod boot_sector;
pub mod mode_rom;
pub mod system;

/// The ports that the programs write to.
pub mod port {
    /// COM1's transmitter holding register; its line status register is 5 further on.
    pub const COM1: u16 = 0x3F8;
    pub const DEBUG_CONSOLE: u16 = 0x402;
    pub const DEBUG_EXIT: u16 = 0x501;
}

/// The values that the programs leave with.
pub mod exit {
    /// Everything was as it should be.
    pub const PASSED: u8 = 0x31;
    /// [`super::boot_sector`]: INT 13h reported an error, three times.
    pub const READ_ERROR: u8 = 0x32;
    /// [`super::boot_sector`]: the second sector is not what it should be.
    pub const WRONG_CONTENT: u8 = 0x33;
    /// [`super::mode_rom`]: an exception that should not have been.
    pub const EXCEPTION: u8 = 0x34;
    /// [`super::mode_rom`]: paging shows the wrong page.
    pub const WRONG_PAGE: u8 = 0x35;
    /// [`super::mode_rom`]: passed, and this CPU has no long mode.
    pub const PASSED_32_BIT: u8 = 0x36;
}
