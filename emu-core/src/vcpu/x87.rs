//! The x87 register file.

use serde::{Deserialize, Serialize};

/// An 80-bit floating-point register as its bits: 64-bit significand (explicit integer bit), then sign and exponent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct F80 {
    pub significand: u64,
    /// Bit 15 sign, bits 0-14 biased exponent.
    pub exponent: u16,
}

/// The x87 state. Registers are in *physical* order (R0 to R7); ST(i) is `r[(top + i) & 7]`.
/// An MMX register MMi is the significand of Ri.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct X87 {
    pub r: [F80; 8],
    pub control: u16,
    /// The status word, TOP included in bits 11-13.
    pub status: u16,
    /// Bit i set: physical register Ri is empty (the abridged complement is what FXSAVE stores).
    pub empty: u8,
    pub opcode: u16,
    pub ip: u64,
    pub cs: u16,
    pub dp: u64,
    pub ds: u16,
}

impl Default for X87 {
    /// FNINIT (Intel SDM Vol. 2, "FINIT/FNINIT").
    fn default() -> Self {
        Self {
            r: [F80::default(); 8],
            control: 0x037F,
            status: 0,
            empty: 0xFF,
            opcode: 0,
            ip: 0,
            cs: 0,
            dp: 0,
            ds: 0,
        }
    }
}

impl X87 {
    pub const fn top(&self) -> u8 {
        ((self.status >> 11) & 7) as u8
    }

    pub const fn set_top(&mut self, top: u8) {
        self.status = (self.status & !(7 << 11)) | ((top as u16 & 7) << 11);
    }
}
