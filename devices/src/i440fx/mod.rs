//! Intel 82441FX PCI and Memory Controller (PMC) of the 440FX PCIset: the host bridge, function 0:0.0.
//!
//! Follows the data sheet "Intel 440FX PCIset 82441FX PCI and Memory Controller (PMC)", order number 290549.
//! The programmable attribute map decides what answers between C0000h and FFFFFh. Timing, error and SMRAM
//! registers are kept and have no effect: memory has no timing here and there is no system-management mode.
//! The Turbo Reset Control register is left out.
//!
//! [`Space::Config`]: the configuration registers of function 0:0.0.
//!
//! [`Space::Config`]: emu_core::Space::Config

mod state;
#[cfg(test)]
mod tests;

use crate::pci_config::{PciConfig, Register};
use emu_core::{Access, BusFault, Cx, Device, Reset, RestoreError, Saved, Width};

/// Data sheet, "PCI Configuration Space Mapped Registers".
const REGISTERS: &[Register] = &[
    Register::read_only(0x00, Width::Dword, 0x1237_8086),
    // Memory access and bus master are hardwired on.
    Register::writable(0x04, Width::Word, 0x0006, 0x0140),
    Register::read_only(0x06, Width::Word, 0x0280),
    // Revision 2, class "host bridge".
    Register::read_only(0x08, Width::Dword, 0x0600_0002),
    Register::writable(0x0D, Width::Byte, 0x00, 0xF8),
    // The subsystem by which SeaBIOS and Linux know the platform with fw_cfg (QEMU, docs/specs/pci-ids).
    Register::read_only(0x2C, Width::Dword, 0x1100_1AF4),
    Register::writable(0x50, Width::Word, 0x0000, 0xFFFF),
    Register::writable(0x53, Width::Byte, 0x80, 0x80),
    Register::writable(0x57, Width::Byte, 0x01, 0x3F),
    Register::writable(0x58, Width::Byte, 0x10, 0x7F),
    Register::writable(PAM0, Width::Byte, 0x00, 0x30),
    Register::writable(0x5A, Width::Dword, 0x0000_0000, 0x3333_3333),
    Register::writable(0x5E, Width::Word, 0x0000, 0x3333),
    Register::writable(0x60, Width::Dword, 0x0101_0101, 0xFFFF_FFFF),
    Register::writable(0x64, Width::Dword, 0x0101_0101, 0xFFFF_FFFF),
    Register::writable(0x68, Width::Byte, 0x00, 0xC0),
    Register::writable(0x70, Width::Byte, 0x00, 0xFF),
    Register::writable(0x71, Width::Byte, 0x10, 0xFF),
    Register::writable(0x72, Width::Byte, 0x02, 0x78),
    Register::writable(0x90, Width::Byte, 0x00, 0xFF),
];

/// Programmable attribute map registers 59h to 5Fh.
const PAM0: u8 = 0x59;

/// One segment of the attribute map: where its attributes are, and what it covers.
struct Segment {
    register: u8,
    shift: u8,
    start: u64,
    len: u64,
}

const fn segment(register: u8, shift: u8, start: u64, len: u64) -> Segment {
    Segment { register, shift, start, len }
}

/// Data sheet, "PAM - Programmable Attribute Map Registers (PAM\[6:0\])".
const SEGMENTS: [Segment; 13] = [
    segment(0x59, 4, 0xF_0000, 0x1_0000),
    segment(0x5A, 0, 0xC_0000, 0x4000),
    segment(0x5A, 4, 0xC_4000, 0x4000),
    segment(0x5B, 0, 0xC_8000, 0x4000),
    segment(0x5B, 4, 0xC_C000, 0x4000),
    segment(0x5C, 0, 0xD_0000, 0x4000),
    segment(0x5C, 4, 0xD_4000, 0x4000),
    segment(0x5D, 0, 0xD_8000, 0x4000),
    segment(0x5D, 4, 0xD_C000, 0x4000),
    segment(0x5E, 0, 0xE_0000, 0x4000),
    segment(0x5E, 4, 0xE_4000, 0x4000),
    segment(0x5F, 0, 0xE_8000, 0x4000),
    segment(0x5F, 4, 0xE_C000, 0x4000),
];

/// The host bridge.
pub struct I440fx {
    config: PciConfig,
}

impl Default for I440fx {
    fn default() -> Self {
        Self::new()
    }
}

impl I440fx {
    pub fn new() -> Self {
        Self { config: PciConfig::new(REGISTERS) }
    }

    /// The attribute nibble of a segment.
    fn attributes(&self, segment: &Segment) -> u8 {
        self.config.byte(segment.register) >> segment.shift & 3
    }

    fn apply(&self, segment: &Segment, cx: &mut Cx<'_>) {
        /// Bits of the nibble: read enable and write enable; clear means the cycle goes to PCI.
        const RE: u8 = 1 << 0;
        const WE: u8 = 1 << 1;
        let attributes = self.attributes(segment);
        cx.shadow(segment.start, segment.len, attributes & RE != 0, attributes & WE != 0);
    }
}

impl Device for I440fx {
    fn name(&self) -> &'static str {
        "i440fx"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        self.config.reset();
        for segment in &SEGMENTS {
            self.apply(segment, cx);
        }
    }

    fn widest(&self, _region: u8) -> Width {
        Width::Dword
    }

    fn read(&mut self, at: Access, _cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        self.config.read(at)
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let old = SEGMENTS.each_ref().map(|segment| self.attributes(segment));
        self.config.write(at, value)?;
        for (segment, old) in SEGMENTS.iter().zip(old) {
            if self.attributes(segment) != old {
                self.apply(segment, cx);
            }
        }
        Ok(())
    }

    fn save(&self) -> Saved {
        state::save(self)
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        state::restore(self, saved)
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
