//! The adapter as a PCI function, and its registers in memory.
//!
//! Follows QEMU's "QEMU Standard VGA" (docs/specs/standard-vga), which Linux' bochs-drm and the VGA BIOSes know:
//! BAR 0 is the linear frame buffer; BAR 2 has the EDID at 0, ports 3C0h-3DFh at 400h and the VBE registers at 500h.
//! Left out: the ROM BAR (the firmware is given the VGA BIOS in another way) and the byte order register.

use super::vbe::{VIDEO_MEMORY, Vbe};
use super::{Vga, edid};
use crate::bits::{low8, low16, low32};
use crate::pci_config::Register;
use emu_core::{Access, BusFault, Cx, Tick, Width};

/// The registers in memory are this region, and so long.
pub const REGISTERS: u8 = 3;
pub const REGISTERS_LEN: u64 = 0x1000;
/// The linear frame buffer is this region, [`super::VIDEO_MEMORY`] long: video memory itself, which the board maps.
pub const FRAME_BUFFER: u8 = 4;

const COMMAND: u8 = 0x04;
const BAR0: u8 = 0x10;
const BAR2: u8 = 0x18;
/// The address bits of a BAR.
const BAR0_ADDRESS: u32 = !(low32(VIDEO_MEMORY) - 1);
const BAR2_ADDRESS: u32 = !(low32(REGISTERS_LEN) - 1);

/// PCI Local Bus Specification 2.1, 6.1: vendor 1234h, device 1111h; class "VGA compatible".
pub(super) const CONFIG: &[Register] = &[
    Register::read_only(0x00, Width::Dword, 0x1111_1234),
    // I/O space and memory space.
    Register::writable(COMMAND, Width::Word, 0x0000, 0x0003),
    Register::read_only(0x08, Width::Dword, 0x0300_0000),
    // Prefetchable, 32 bits.
    Register::writable(BAR0, Width::Dword, 0x0000_0008, BAR0_ADDRESS),
    Register::writable(BAR2, Width::Dword, 0x0000_0000, BAR2_ADDRESS),
    Register::read_only(0x2C, Width::Dword, 0x1100_1AF4),
    Register::writable(0x3C, Width::Byte, 0x00, 0xFF),
];

impl Vga {
    /// Where a BAR is, if memory space is on and it has an address.
    fn bar(&self, at: u8, address: u32) -> Option<u64> {
        /// Command register, bit 1.
        const MEMORY_SPACE: u8 = 1 << 1;
        let base = self.config.dword(at) & address;
        (self.config.byte(COMMAND) & MEMORY_SPACE != 0 && base != 0).then_some(base.into())
    }

    /// Puts both regions where the BARs say.
    pub(super) fn place_bars(&self, cx: &mut Cx<'_>) {
        cx.window(FRAME_BUFFER, self.bar(BAR0, BAR0_ADDRESS));
        cx.window(REGISTERS, self.bar(BAR2, BAR2_ADDRESS));
    }

    /// Bytes or words.
    pub(super) fn read_register(&mut self, at: Access, now: Tick) -> u64 {
        let offset = at.offset;
        let bytes = match offset {
            0..0x400 => {
                let block = edid::block(self.preferred.0, self.preferred.1);
                let byte = |at: u64| usize::try_from(at).ok().and_then(|at| block.get(at)).copied();
                [0, 1].map(|by| byte(offset + by).unwrap_or(0))
            }
            0x400..0x420 => {
                let mut byte = |by| match self.decode(offset - 0x400 + 0x10 + by) {
                    Ok(port) if by < at.width.bytes() => self.read_port(port, now),
                    _ => 0xFF,
                };
                [byte(0), byte(1)]
            }
            0x500..0x600 => {
                let register = Vbe::register(low16(offset - 0x500) / 2);
                let [low, high] = register.map_or(0, |register| self.vbe.read(register)).to_le_bytes();
                if offset & 1 == 0 { [low, high] } else { [high, 0] }
            }
            _ => [0, 0],
        };
        u64::from(u16::from_le_bytes(bytes)) & at.width.mask()
    }

    /// The VBE registers take words.
    pub(super) fn write_register(&mut self, at: Access, value: u64, cx: &Cx<'_>) -> Result<(), BusFault> {
        let offset = at.offset;
        match offset {
            0x400..0x420 => {
                for by in 0..at.width.bytes() {
                    let port = self.decode(offset - 0x400 + 0x10 + by)?;
                    self.write_port(port, low8(value >> (8 * by)), cx.now());
                }
                Ok(())
            }
            0x500..0x600 if at.width == Width::Word && offset & 1 == 0 => {
                if let Some(register) = Vbe::register(low16(offset - 0x500) / 2) {
                    self.write_vbe(register, low16(value), cx.memory());
                }
                Ok(())
            }
            _ => Err(BusFault),
        }
    }
}
