//! The Bochs VBE extensions ("DISPI"): mode, virtual screen, bank and offsets, behind an index and a data port.
//!
//! Follows Bochs' "VBE Display Adapter" interface, ID B0C5h, with the widths as QEMU takes them (multiples of
//! eight). The resolution may be changed while a mode is on. Bank granularity is always 64 KiB.

use super::linear::Depth;
use serde::{Deserialize, Serialize};

/// Bytes of display memory that VBE modes have.
pub const VIDEO_MEMORY: u64 = 64 << 20;
/// The largest mode.
pub const MAX_WIDTH: u16 = 3840;
pub const MAX_HEIGHT: u16 = 2160;
/// The widest virtual screen.
const MAX_VIRTUAL_WIDTH: u16 = 0x3FF8;
/// 64 KiB banks.
const BANKS: u16 = 1024;

const ID_FIRST: u16 = 0xB0C0;
const ID_LAST: u16 = 0xB0C5;

/// Bits of the enable register.
const ENABLED: u16 = 1 << 0;
const GET_CAPABILITIES: u16 = 1 << 1;
const EIGHT_BIT_DAC: u16 = 1 << 5;
const LINEAR: u16 = 1 << 6;
const NO_CLEAR: u16 = 1 << 7;

/// The registers by name.
#[derive(Clone, Copy)]
pub(super) enum Register {
    Id,
    Width,
    Height,
    BitsPerPixel,
    Enable,
    Bank,
    VirtualWidth,
    VirtualHeight,
    XOffset,
    YOffset,
    /// Display memory in units of 64 KiB.
    Memory,
}

/// In the order of their index.
const REGISTERS: [Register; 11] = [
    Register::Id,
    Register::Width,
    Register::Height,
    Register::BitsPerPixel,
    Register::Enable,
    Register::Bank,
    Register::VirtualWidth,
    Register::VirtualHeight,
    Register::XOffset,
    Register::YOffset,
    Register::Memory,
];

/// How a pixel is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// 4 bits, one in each plane.
    Planes,
    Linear(Depth),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vbe {
    pub(super) index: u16,
    id: u16,
    pub(super) width: u16,
    pub(super) height: u16,
    bits_per_pixel: u16,
    enable: u16,
    bank: u16,
    pub(super) virtual_width: u16,
    pub(super) x_offset: u16,
    pub(super) y_offset: u16,
}

impl Default for Vbe {
    fn default() -> Self {
        Self {
            index: 0,
            id: ID_LAST,
            width: 640,
            height: 480,
            bits_per_pixel: 8,
            enable: 0,
            bank: 0,
            virtual_width: 640,
            x_offset: 0,
            y_offset: 0,
        }
    }
}

impl Vbe {
    /// The register of an index.
    pub(super) fn register(index: u16) -> Option<Register> {
        REGISTERS.get(usize::from(index)).copied()
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enable & ENABLED != 0
    }

    /// There is something to show.
    pub(super) fn has_size(&self) -> bool {
        self.width > 0 && self.height > 0
    }

    /// The DAC has eight bits for each component.
    pub(super) fn widens_dac(&self) -> bool {
        self.is_enabled() && self.enable & EIGHT_BIT_DAC != 0
    }

    /// The offset of the bank that appears at A0000h.
    pub(super) fn bank_start(&self) -> u64 {
        u64::from(self.bank) << 16
    }

    pub(super) fn layout(&self) -> Layout {
        match self.bits_per_pixel {
            4 => Layout::Planes,
            15 => Layout::Linear(Depth::Fifteen),
            16 => Layout::Linear(Depth::Sixteen),
            24 => Layout::Linear(Depth::TwentyFour),
            32 => Layout::Linear(Depth::ThirtyTwo),
            _ => Layout::Linear(Depth::Eight),
        }
    }

    /// Rows of the virtual screen that there is memory for.
    fn virtual_height(&self) -> u16 {
        let row = match self.layout() {
            Layout::Planes => u64::from(self.virtual_width) / 8,
            Layout::Linear(depth) => u64::from(self.virtual_width) * depth.bytes() as u64,
        };
        let memory = match self.layout() {
            Layout::Planes => super::memory::PLANE as u64,
            Layout::Linear(_) => VIDEO_MEMORY,
        };
        u16::try_from(memory / row.max(1)).unwrap_or(u16::MAX)
    }

    pub(super) fn read(&self, register: Register) -> u16 {
        let capabilities = self.enable & GET_CAPABILITIES != 0;
        match register {
            Register::Id => self.id,
            Register::Width if capabilities => MAX_WIDTH,
            Register::Width => self.width,
            Register::Height if capabilities => MAX_HEIGHT,
            Register::Height => self.height,
            Register::BitsPerPixel if capabilities => 32,
            Register::BitsPerPixel => self.bits_per_pixel,
            Register::Enable => self.enable,
            Register::Bank => self.bank,
            Register::VirtualWidth => self.virtual_width,
            Register::VirtualHeight => self.virtual_height(),
            Register::XOffset => self.x_offset,
            Register::YOffset => self.y_offset,
            Register::Memory => u16::try_from(VIDEO_MEMORY >> 16).unwrap_or(u16::MAX),
        }
    }

    /// `true` if display memory is to be cleared.
    pub(super) fn write(&mut self, register: Register, value: u16) -> bool {
        match register {
            Register::Id if (ID_FIRST..=ID_LAST).contains(&value) => self.id = value,
            Register::Width => self.width = value.min(MAX_WIDTH) & !7,
            Register::Height => self.height = value.min(MAX_HEIGHT),
            // "0 means 8", from before there were other depths.
            Register::BitsPerPixel if value == 0 => self.bits_per_pixel = 8,
            Register::BitsPerPixel if matches!(value, 4 | 8 | 15 | 16 | 24 | 32) => {
                self.bits_per_pixel = value;
            }
            Register::Enable => return self.set_enable(value),
            Register::Bank => self.bank = value % BANKS,
            Register::VirtualWidth => self.virtual_width = value.min(MAX_VIRTUAL_WIDTH) & !7,
            Register::XOffset => self.x_offset = value,
            Register::YOffset => self.y_offset = value,
            Register::Id | Register::BitsPerPixel | Register::VirtualHeight | Register::Memory => {}
        }
        self.fit();
        false
    }

    /// Switching a mode on sets its virtual screen to its size.
    fn set_enable(&mut self, value: u16) -> bool {
        let begins = value & ENABLED != 0 && !self.is_enabled();
        self.enable = value & (ENABLED | GET_CAPABILITIES | EIGHT_BIT_DAC | LINEAR | NO_CLEAR);
        if begins {
            (self.virtual_width, self.x_offset, self.y_offset, self.bank) = (self.width, 0, 0, 0);
        }
        begins && value & NO_CLEAR == 0
    }

    /// The screen lies inside the virtual screen.
    fn fit(&mut self) {
        self.virtual_width = self.virtual_width.max(self.width);
        self.x_offset = self.x_offset.min(self.virtual_width - self.width);
        self.y_offset = self.y_offset.min(self.virtual_height().saturating_sub(self.height));
    }

    pub(super) fn is_legal(&self) -> bool {
        let mut fitted = self.clone();
        fitted.fit();
        let sizes = self.width <= MAX_WIDTH && self.height <= MAX_HEIGHT && self.width & 7 == 0;
        let virtual_width = self.virtual_width <= MAX_VIRTUAL_WIDTH && self.virtual_width & 7 == 0;
        let depth = matches!(self.bits_per_pixel, 4 | 8 | 15 | 16 | 24 | 32);
        fitted == *self && sizes && virtual_width && depth && self.bank < BANKS
    }
}
