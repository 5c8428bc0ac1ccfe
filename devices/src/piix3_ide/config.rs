//! PCI configuration registers of function 1: 82371SB (PIIX3), "IDE Configuration Registers".

use crate::pci_config::{PciConfig, Register};
use emu_core::{Access, BusFault, RestoreError, Width};

const PCICMD: u8 = 0x04;
const BMIBA: u8 = 0x20;
const IDETIM: u8 = 0x40;

const REGISTERS: &[Register] = &[
    Register::read_only(0x00, Width::Dword, 0x7010_8086),
    // IOSE and BME.
    Register::writable(PCICMD, Width::Word, 0x0000, 0x0005),
    // DEVSEL medium, fast back-to-back.
    Register::read_only(0x06, Width::Word, 0x0280),
    // IDE, prog-if 80h: bus master, both channels at the legacy addresses for good.
    Register::read_only(0x08, Width::Dword, 0x0101_8000),
    Register::writable(0x0D, Width::Byte, 0x00, 0xF0),
    // The data sheet wires bits 31:16 to 0, which PCI 2.1, 6.2.5.1 allows a 16-bit base to do; SeaBIOS then sees a
    // window of almost 4 GiB and gives up, so here they can be written, and do not count.
    Register::writable(BMIBA, Width::Dword, 0x0000_0001, 0xFFFF_FFF0),
    // IDETIM of both channels.
    Register::writable(IDETIM, Width::Dword, 0x0000_0000, 0xF3FF_F3FF),
    Register::writable(0x44, Width::Byte, 0x00, 0xFF),
];

/// The registers, and what they decide.
pub(super) struct Config(PciConfig);

impl Config {
    pub(super) fn new() -> Self {
        Self(PciConfig::new(REGISTERS))
    }

    pub(super) fn reset(&mut self) {
        self.0.reset();
    }

    pub(super) fn read(&self, at: Access) -> Result<u64, BusFault> {
        self.0.read(at)
    }

    pub(super) fn write(&mut self, at: Access, value: u64) -> Result<(), BusFault> {
        self.0.write(at, value)
    }

    pub(super) fn save(&self) -> Vec<u8> {
        self.0.save()
    }

    pub(super) fn restored(&self, bytes: &[u8]) -> Result<Self, RestoreError> {
        self.0.restored(bytes).map(Self)
    }

    /// IOSE and the channel's IDE decode enable bit.
    pub(super) fn decodes(&self, channel: usize) -> bool {
        self.is_io_on() && self.0.dword(IDETIM) >> (16 * channel) & 0x8000 != 0
    }

    fn is_io_on(&self) -> bool {
        self.0.byte(PCICMD) & 1 != 0
    }

    pub(super) fn is_bus_master(&self) -> bool {
        self.0.byte(PCICMD) & 4 != 0
    }

    /// Where the bus-master registers are. An address of 0 counts as "not yet given".
    pub(super) fn bus_master_base(&self) -> Option<u64> {
        let base = self.0.dword(BMIBA) & 0xFFF0;
        (self.is_io_on() && base != 0).then_some(base.into())
    }
}
