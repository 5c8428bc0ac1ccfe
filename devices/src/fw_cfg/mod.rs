//! The firmware configuration device, through which the board hands files to firmware and kernels.
//!
//! Follows QEMU, "QEMU Firmware Configuration (fw_cfg) Device" (docs/specs/fw_cfg), the x86 I/O-port layout
//! with the DMA interface. Items are read-only: data-port writes are ignored, DMA writes report an error.
//!
//! Region 0 (ports 510h-51Bh): selector (16 bits, write) at +0, data (8 bits) at +1, DMA address at +4 (high
//! half) and +8 (low half, starts the transfer), both big-endian.

mod dma;
mod items;
mod state;
#[cfg(test)]
mod tests;

pub use items::{MAX_FILE_NAME, key};

use emu_core::{Access, BusFault, Cx, Device, Reset, RestoreError, Saved, Space, Width};
use items::Items;

/// What the two halves of the DMA address register read as: "QEMU CFG".
const DMA_SIGNATURE: [u32; 2] = [0x5145_4D55, 0x2043_4647];

/// The ports by name.
#[derive(Clone, Copy)]
enum Port {
    Selector,
    Data,
    DmaHigh,
    DmaLow,
}

impl Port {
    fn decode(at: Access) -> Result<Self, BusFault> {
        match (at.space, at.offset, at.width) {
            (Space::Port, 0, Width::Word) => Ok(Self::Selector),
            (Space::Port, 1, Width::Byte) => Ok(Self::Data),
            (Space::Port, 4, Width::Dword) => Ok(Self::DmaHigh),
            (Space::Port, 8, Width::Dword) => Ok(Self::DmaLow),
            _ => Err(BusFault),
        }
    }
}

/// The firmware configuration device.
pub struct FwCfg {
    items: Items,
    selector: u16,
    /// Position in the selected item; stops at its end.
    position: usize,
    dma_high: u32,
}

impl Default for FwCfg {
    fn default() -> Self {
        Self::new()
    }
}

impl FwCfg {
    /// Holds the signature, the interface version and an empty directory.
    pub fn new() -> Self {
        Self { items: Items::new(), selector: 0, position: 0, dma_high: 0 }
    }

    /// Adds an item under a key (see [`key`]), replacing an older one. Numbers are little-endian.
    pub fn add_item(&mut self, key: u16, data: Vec<u8>) {
        self.items.add(key, data);
    }

    /// Adds a named file, replacing an older one of that name. Names longer than [`MAX_FILE_NAME`] are cut.
    pub fn add_file(&mut self, name: &str, data: Vec<u8>) {
        self.items.add_file(name, data);
    }

    fn select(&mut self, selector: u16) {
        self.selector = selector;
        self.position = 0;
    }

    /// The next byte of the selected item; zero after its end.
    fn next_byte(&mut self) -> u8 {
        let byte = self.items.get(self.selector).get(self.position).copied();
        self.position += usize::from(byte.is_some());
        byte.unwrap_or(0)
    }
}

impl Device for FwCfg {
    fn name(&self) -> &'static str {
        "fw_cfg"
    }

    fn reset(&mut self, _how: Reset, _cx: &mut Cx<'_>) {
        self.select(0);
        self.dma_high = 0;
    }

    fn widest(&self, _region: u8) -> Width {
        Width::Dword
    }

    fn read(&mut self, at: Access, _cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        match Port::decode(at)? {
            Port::Selector => Err(BusFault),
            Port::Data => Ok(self.next_byte().into()),
            Port::DmaHigh => Ok(DMA_SIGNATURE[0].swap_bytes().into()),
            Port::DmaLow => Ok(DMA_SIGNATURE[1].swap_bytes().into()),
        }
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match Port::decode(at)? {
            Port::Selector => self.select(crate::bits::low16(value)),
            Port::Data => {}
            Port::DmaHigh => self.dma_high = crate::bits::low32(value).swap_bytes(),
            Port::DmaLow => {
                let low = crate::bits::low32(value).swap_bytes();
                let address = u64::from(std::mem::take(&mut self.dma_high)) << 32 | u64::from(low);
                self.transfer(address, cx.memory());
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
