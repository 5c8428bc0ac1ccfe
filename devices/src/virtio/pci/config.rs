//! PCI configuration space: header, virtio capabilities (VIRTIO 4.1.4), MSI-X capability (PCI 3.0, 6.8.2).

use super::msix::{self, Control};
use super::{BARS, Bar};
use crate::bits::{low8, low16};
use crate::pci_config::{PciConfig, Register};
use emu_core::{Access, BusFault, RestoreError, Space, Width};

const COMMAND: u8 = 0x04;
const STATUS: u8 = 0x06;
const BAR0: u8 = 0x10;
const CAPABILITIES: u32 = 0x40;
/// VIRTIO 4.1.4.9, "PCI configuration access capability".
const ACCESS: u8 = 0x84;
const ACCESS_BAR: u8 = ACCESS + 4;
const ACCESS_OFFSET: u8 = ACCESS + 8;
const ACCESS_LEN: u8 = ACCESS + 12;
const ACCESS_DATA: u8 = ACCESS + 16;
const MSIX: u8 = 0x98;

/// Bits of COMMAND. PCI 3.0, 6.2.2.
const IO_SPACE: u8 = 1 << 0;
const MEMORY_SPACE: u8 = 1 << 1;
const INTERRUPT_DISABLE_HIGH: u8 = 1 << 2;
/// Bit of STATUS: the function wants its INTx line asserted.
const INTERRUPT_STATUS: u64 = 1 << 3;

/// Where the structures lie in BAR 4.
pub(super) const COMMON: u32 = 0x0000;
pub(super) const ISR: u32 = 0x1000;
pub(super) const DEVICE: u32 = 0x2000;
pub(super) const NOTIFY: u32 = 0x3000;
/// Room for each.
pub(super) const STRUCTURE: u32 = 0x1000;
/// Distance of the notification addresses of two queues.
pub(super) const NOTIFY_MULTIPLIER: u32 = 4;

/// What tells one type of device from another in its configuration space.
pub(in crate::virtio) struct Identity {
    /// The transitional PCI device ID. VIRTIO 4.1.2.1.
    pub(in crate::virtio) pci_device: u16,
    /// The virtio device ID. VIRTIO 5.
    pub(in crate::virtio) device: u16,
    /// Class code, subclass, interface.
    pub(in crate::virtio) class: u32,
}

const fn byte(at: u8, value: u32) -> Register {
    Register::read_only(at, Width::Byte, value)
}

const fn dword(at: u8, value: u32) -> Register {
    Register::read_only(at, Width::Dword, value)
}

const fn writable(at: u8, reset: u32, mask: u32) -> Register {
    Register::writable(at, Width::Dword, reset, mask)
}

/// The first dword of `struct virtio_pci_cap`: vendor-specific, the next capability, length, type.
const fn head(at: u8, next: u32, len: u32, kind: u32) -> Register {
    dword(at, 0x09 | next << 8 | len << 16 | kind << 24)
}

/// The registers of a transitional device: VIRTIO 4.1.2 (identity), 4.1.4 (capabilities).
pub(in crate::virtio) const fn registers(of: &Identity) -> [Register; 37] {
    const VENDOR: u32 = 0x1AF4;
    const BAR: u32 = 4;
    [
        dword(0x00, VENDOR | (of.pci_device as u32) << 16),
        // I/O space, memory space, bus master, parity, SERR#, interrupt disable. DMA does not ask for bus master:
        // old drivers never set it.
        Register::writable(COMMAND, Width::Word, 0x0000, 0x0547),
        // Capabilities list.
        Register::read_only(STATUS, Width::Word, 0x0010),
        // A transitional device has revision 0.
        dword(0x08, of.class << 8),
        Register::writable(0x0C, Width::Word, 0x0000, 0xFFFF),
        writable(BAR0, 0x0000_0001, 0xFFFF_FF80),
        writable(0x14, 0x0000_0000, 0xFFFF_F000),
        // 64 bits, prefetchable.
        writable(0x20, 0x0000_000C, 0xFFFF_C000),
        writable(0x24, 0x0000_0000, 0xFFFF_FFFF),
        dword(0x2C, VENDOR | (of.device as u32) << 16),
        byte(0x34, CAPABILITIES),
        Register::writable(0x3C, Width::Byte, 0x00, 0xFF),
        // INTA#.
        byte(0x3D, 1),
        // VIRTIO_PCI_CAP_COMMON_CFG.
        head(0x40, 0x50, 16, 1),
        dword(0x44, BAR),
        dword(0x48, COMMON),
        dword(0x4C, STRUCTURE),
        // VIRTIO_PCI_CAP_NOTIFY_CFG.
        head(0x50, 0x64, 20, 2),
        dword(0x54, BAR),
        dword(0x58, NOTIFY),
        dword(0x5C, STRUCTURE),
        dword(0x60, NOTIFY_MULTIPLIER),
        // VIRTIO_PCI_CAP_ISR_CFG.
        head(0x64, 0x74, 16, 3),
        dword(0x68, BAR),
        dword(0x6C, ISR),
        dword(0x70, STRUCTURE),
        // VIRTIO_PCI_CAP_DEVICE_CFG.
        head(0x74, ACCESS as u32, 16, 4),
        dword(0x78, BAR),
        dword(0x7C, DEVICE),
        dword(0x80, STRUCTURE),
        // VIRTIO_PCI_CAP_PCI_CFG.
        head(ACCESS, MSIX as u32, 20, 5),
        Register::writable(ACCESS_BAR, Width::Byte, 0, 0xFF),
        writable(ACCESS_OFFSET, 0, 0xFFFF_FFFF),
        writable(ACCESS_LEN, 0, 0xFFFF_FFFF),
        // Table size, and in the high half message control.
        writable(MSIX, 0x0000_0011 | (msix::VECTORS as u32 - 1) << 16, 0xC000_0000),
        // The table and the pending bits are in BAR 1.
        dword(MSIX + 4, msix::TABLE | 1),
        dword(MSIX + 8, msix::PENDING | 1),
    ]
}

/// The registers, and what they decide.
pub(super) struct Config(PciConfig);

impl Config {
    pub(super) fn new(registers: &'static [Register]) -> Self {
        Self(PciConfig::new(registers))
    }

    pub(super) fn reset(&mut self) {
        self.0.reset();
    }

    /// Reads; `interrupt` is whether the function wants its line asserted.
    pub(super) fn read(&self, at: Access, interrupt: bool) -> Result<u64, BusFault> {
        let value = self.0.read(at)?;
        let status = u64::from(STATUS);
        let shown = interrupt && (at.offset..at.offset + at.width.bytes()).contains(&status);
        Ok(if shown { value | INTERRUPT_STATUS << (8 * (status - at.offset)) } else { value })
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

    /// Where a BAR answers: its space is on, and it has been given an address.
    pub(super) fn base(&self, bar: Bar) -> Option<u64> {
        let enable = if bar.is_io { IO_SPACE } else { MEMORY_SPACE };
        let low = self.0.dword(BAR0 + 4 * bar.number);
        let flags = if bar.is_io { 0x3 } else { 0xF };
        let high = if bar.is_64_bit { self.0.dword(BAR0 + 4 * bar.number + 4) } else { 0 };
        let base = u64::from(low & !flags) | u64::from(high) << 32;
        (self.0.byte(COMMAND) & enable != 0 && base != 0).then_some(base)
    }

    pub(super) fn may_interrupt(&self) -> bool {
        self.0.byte(COMMAND + 1) & INTERRUPT_DISABLE_HIGH == 0
    }

    pub(super) fn msix(&self) -> Control {
        Control::from_bits(low16((self.0.dword(MSIX) >> 16).into()))
    }

    /// The access that a configuration cycle at `pci_cfg_data` stands for, if it is one and names a place that
    /// exists. VIRTIO 4.1.4.9.1: the length is 1, 2 or 4, the offset a multiple of it.
    pub(super) fn window(&self, at: Access) -> Option<Access> {
        let width =
            Width::from_bytes(self.0.dword(ACCESS_LEN).into()).filter(|width| *width <= Width::Dword)?;
        let offset = u64::from(self.0.dword(ACCESS_OFFSET));
        let bar = BARS.iter().find(|bar| bar.number == self.0.byte(ACCESS_BAR))?;
        let fits = offset.is_multiple_of(width.bytes()) && offset + width.bytes() <= bar.len;
        let space = if bar.is_io { Space::Port } else { Space::Memory };
        (at.offset == u64::from(ACCESS_DATA) && fits).then_some(Access {
            space,
            region: low8(bar.number.into()),
            offset,
            width,
        })
    }
}
