//! VGA: IBM PS/2 Video Subsystem with 256 KiB of display memory.
//!
//! Follows the "IBM Personal System/2 Hardware Interface Technical Reference", "Video Subsystem" (1988), and
//! where that is silent the FreeVGA project's "VGA/SVGA Video Programming Information". The picture is offered
//! as pixels ([`Vga::draw`]), in text modes also as cells ([`Vga::text_screen`], without a split screen). The
//! overscan border, cursor and display enable skew, and the shift load rates are left out.
//!
//! Region 0: ports 3B0h-3DFh. Region 1 ([`Space::Memory`]): A0000h-BFFFFh. Region 2, the Bochs VBE index and
//! data ports, does not answer: there are no VBE modes, and SeaVGABIOS takes the silence as "standard VGA".

mod colours;
mod dac;
mod dots;
mod draw;
mod look;
mod memory;
mod picture;
mod raster;
mod registers;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod text_line;
mod timing;

use crate::bits::low8;
use dac::Dac;
use emu_core::{Access, BusFault, Cx, Device, Reset, RestoreError, Saved, Space, Tick, Width};
use memory::Memory;
use registers::{Attribute, Crtc, Graphics, Sequencer};
use timing::HeldStart;

pub use picture::{Drawn, Picture};
pub use text::{Cell, Cursor, TextScreen};

/// The port of region 0's start.
pub const PORTS: u16 = 0x3B0;
/// The address of region 1's start.
pub const WINDOW: u64 = 0xA_0000;

/// The ports by name.
#[derive(Clone, Copy)]
enum Port {
    CrtcIndex,
    CrtcData,
    /// Input status 1 when read, feature control when written.
    Status1,
    Attribute,
    AttributeData,
    /// Input status 0 when read, miscellaneous output when written.
    Miscellaneous,
    SubsystemEnable,
    SequencerIndex,
    SequencerData,
    DacMask,
    /// DAC state when read.
    DacReadIndex,
    DacWriteIndex,
    DacData,
    FeatureRead,
    MiscellaneousRead,
    GraphicsIndex,
    GraphicsData,
}

/// The adapter.
pub struct Vga {
    miscellaneous: u8,
    feature: u8,
    subsystem_enable: u8,
    sequencer: Sequencer,
    crtc: Crtc,
    graphics: Graphics,
    attribute: Attribute,
    dac: Dac,
    memory: Memory,
    held_start: Option<HeldStart>,
}

impl Default for Vga {
    fn default() -> Self {
        Self::new()
    }
}

impl Vga {
    pub fn new() -> Self {
        Self {
            miscellaneous: 0,
            feature: 0,
            subsystem_enable: 1,
            sequencer: Sequencer::default(),
            crtc: Crtc::default(),
            graphics: Graphics::default(),
            attribute: Attribute::default(),
            dac: Dac::new(),
            memory: Memory::new(),
            held_start: None,
        }
    }

    /// Miscellaneous output register, bit 0: CRTC and status at 3Dxh, not 3Bxh.
    fn is_colour(&self) -> bool {
        self.miscellaneous & 1 != 0
    }

    fn decode(&self, at: Access) -> Result<Port, BusFault> {
        let port = match (at.offset, self.is_colour()) {
            (0x04, false) | (0x24, true) => Port::CrtcIndex,
            (0x05, false) | (0x25, true) => Port::CrtcData,
            (0x0A, false) | (0x2A, true) => Port::Status1,
            (0x10, _) => Port::Attribute,
            (0x11, _) => Port::AttributeData,
            (0x12, _) => Port::Miscellaneous,
            (0x13, _) => Port::SubsystemEnable,
            (0x14, _) => Port::SequencerIndex,
            (0x15, _) => Port::SequencerData,
            (0x16, _) => Port::DacMask,
            (0x17, _) => Port::DacReadIndex,
            (0x18, _) => Port::DacWriteIndex,
            (0x19, _) => Port::DacData,
            (0x1A, _) => Port::FeatureRead,
            (0x1C, _) => Port::MiscellaneousRead,
            (0x1E, _) => Port::GraphicsIndex,
            (0x1F, _) => Port::GraphicsData,
            _ => return Err(BusFault),
        };
        Ok(port)
    }

    fn read_port(&mut self, port: Port, now: Tick) -> u8 {
        /// Input status 0, bit 4: the sense line finds a colour monitor.
        const SWITCH_SENSE: u8 = 1 << 4;
        match port {
            Port::CrtcIndex => self.crtc.index,
            Port::CrtcData => self.crtc.read(),
            Port::Status1 => {
                self.attribute.expects_data = false;
                self.status_1(now)
            }
            Port::Attribute => self.attribute.index,
            Port::AttributeData => self.attribute.read(),
            Port::Miscellaneous => SWITCH_SENSE,
            Port::SubsystemEnable => self.subsystem_enable,
            Port::SequencerIndex => self.sequencer.index,
            Port::SequencerData => self.sequencer.read(),
            Port::DacMask => self.dac.mask,
            Port::DacReadIndex => self.dac.state(),
            Port::DacWriteIndex => self.dac.write_index(),
            Port::DacData => self.dac.read(),
            Port::FeatureRead => self.feature,
            Port::MiscellaneousRead => self.miscellaneous,
            Port::GraphicsIndex => self.graphics.index,
            Port::GraphicsData => self.graphics.read(),
        }
    }

    fn write_port(&mut self, port: Port, value: u8, now: Tick) {
        match port {
            Port::CrtcIndex => self.crtc.index = value & Crtc::INDEX,
            Port::CrtcData => {
                if self.crtc.is_start_address() {
                    self.hold_start(now);
                }
                self.crtc.write(value);
            }
            Port::Status1 => self.feature = value & 3,
            Port::Attribute => self.attribute.write(value),
            Port::Miscellaneous => self.miscellaneous = value & 0xEF,
            Port::SubsystemEnable => self.subsystem_enable = value & 1,
            Port::SequencerIndex => self.sequencer.index = value & Sequencer::INDEX,
            Port::SequencerData => self.sequencer.write(value),
            Port::DacMask => self.dac.mask = value,
            Port::DacReadIndex => self.dac.set_read_index(value),
            Port::DacWriteIndex => self.dac.set_write_index(value),
            Port::DacData => self.dac.write(value),
            Port::GraphicsIndex => self.graphics.index = value & Graphics::INDEX,
            Port::GraphicsData => self.graphics.write(value),
            Port::AttributeData | Port::FeatureRead | Port::MiscellaneousRead => {}
        }
    }
}

impl Device for Vga {
    fn name(&self) -> &'static str {
        "vga"
    }

    fn reset(&mut self, how: Reset, _cx: &mut Cx<'_>) {
        let fresh = Self::new();
        let memory = match how {
            Reset::PowerOn => fresh.memory,
            Reset::Hard => std::mem::replace(&mut self.memory, Memory::new()),
        };
        *self = Self { memory, ..fresh };
    }

    fn widest(&self, region: u8) -> Width {
        if region == 1 { Width::Qword } else { Width::Byte }
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        match (at.space, at.region) {
            (Space::Port, 0) => {
                let port = self.decode(at)?;
                Ok(self.read_port(port, cx.now()).into())
            }
            (Space::Memory, 1) => {
                let mut value = 0;
                for index in 0..at.width.bytes() {
                    let byte = self.read_memory(at.offset.wrapping_add(index)).unwrap_or(0xFF);
                    value |= u64::from(byte) << (8 * index);
                }
                Ok(value)
            }
            _ => Err(BusFault),
        }
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match (at.space, at.region) {
            (Space::Port, 0) => {
                let port = self.decode(at)?;
                self.write_port(port, low8(value), cx.now());
            }
            (Space::Memory, 1) => {
                for index in 0..at.width.bytes() {
                    self.write_memory(at.offset.wrapping_add(index), low8(value >> (8 * index)));
                }
            }
            _ => return Err(BusFault),
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
