//! VGA: IBM PS/2 Video Subsystem with 256 KiB of display memory.
//!
//! Follows the "IBM Personal System/2 Hardware Interface Technical Reference", "Video Subsystem" (1988), and
//! where that is silent the FreeVGA project's "VGA/SVGA Video Programming Information". The picture is offered
//! as pixels ([`Vga::draw`]), in text modes also as cells ([`Vga::text_screen`], without a split screen). The
//! overscan border, cursor and display enable skew, and the shift load rates are left out.
//!
//! Beside that it has the Bochs VBE modes, and is a PCI function: see `vbe` and `function`. VBE modes with packed
//! pixels have a memory of their own, a block of guest memory: they leave the planes alone.
//!
//! Region 0: ports 3B0h-3DFh. Region 1 ([`Space::Memory`]): A0000h-BFFFFh. Region 2: the VBE index and data ports
//! 1CEh and 1CFh. Regions 3 and 4: [`REGISTERS`] and [`FRAME_BUFFER`]. [`Space::Config`]: the configuration registers.

mod colours;
mod dac;
mod dots;
mod draw;
mod edid;
mod function;
mod linear;
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
mod vbe;
mod window;

use crate::bits::low8;
use crate::pci_config::PciConfig;
use dac::Dac;
use emu_core::memory::BlockId;
use emu_core::{Access, BusFault, Cx, Device, Reset, RestoreError, Saved, Space, Tick, Width};
use memory::Memory;
use picture::Writes;
use registers::{Attribute, Crtc, Graphics, Sequencer};
use timing::HeldStart;
use vbe::Vbe;

pub use function::{FRAME_BUFFER, REGISTERS, REGISTERS_LEN};
pub use picture::{Drawn, Picture};
pub use text::{Cell, Cursor, TextScreen};
pub use vbe::{MAX_HEIGHT, MAX_WIDTH, VIDEO_MEMORY};

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

/// The regions; [`REGISTERS`] and [`FRAME_BUFFER`] follow.
const PORTS_REGION: u8 = 0;
const WINDOW_REGION: u8 = 1;
const VBE_REGION: u8 = 2;

/// What the monitor prefers, unless somebody says otherwise.
pub const DEFAULT_MODE: (u16, u16) = (1024, 768);

/// The adapter.
pub struct Vga {
    video_memory: BlockId,
    /// Width and height that the monitor prefers.
    preferred: (u16, u16),
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
    vbe: Vbe,
    config: PciConfig,
    writes: Writes,
}

impl Vga {
    /// An adapter whose video memory is this block of [`VIDEO_MEMORY`] bytes.
    pub fn new(video_memory: BlockId) -> Self {
        Self {
            video_memory,
            preferred: DEFAULT_MODE,
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
            vbe: Vbe::default(),
            config: PciConfig::new(function::CONFIG),
            writes: Writes::default(),
        }
    }

    /// The same with a monitor that prefers this mode, or the nearest one that there is.
    pub fn with_monitor(self, (width, height): (u16, u16)) -> Self {
        Self { preferred: (width.clamp(8, MAX_WIDTH), height.clamp(1, MAX_HEIGHT)), ..self }
    }

    fn is_mode((width, height): (u16, u16)) -> bool {
        (8..=MAX_WIDTH).contains(&width) && (1..=MAX_HEIGHT).contains(&height)
    }

    /// Miscellaneous output register, bit 0: CRTC and status at 3Dxh, not 3Bxh.
    fn is_colour(&self) -> bool {
        self.miscellaneous & 1 != 0
    }

    /// `offset` is from [`PORTS`].
    fn decode(&self, offset: u64) -> Result<Port, BusFault> {
        let port = match (offset, self.is_colour()) {
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
            Port::DacData => self.dac.read(self.vbe.widens_dac()),
            Port::FeatureRead => self.feature,
            Port::MiscellaneousRead => self.miscellaneous,
            Port::GraphicsIndex => self.graphics.index,
            Port::GraphicsData => self.graphics.read(),
        }
    }

    fn write_port(&mut self, port: Port, value: u8, now: Tick) {
        self.writes.count();
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
            Port::DacData => self.dac.write(value, self.vbe.widens_dac()),
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

    fn reset(&mut self, how: Reset, cx: &mut Cx<'_>) {
        let fresh = Self::new(self.video_memory).with_monitor(self.preferred);
        let memory = match how {
            Reset::PowerOn => fresh.memory,
            Reset::Hard => std::mem::replace(&mut self.memory, Memory::new()),
        };
        *self = Self { memory, ..fresh };
        self.place_bars(cx);
    }

    fn widest(&self, region: u8) -> Width {
        match region {
            WINDOW_REGION => Width::Qword,
            VBE_REGION | REGISTERS => Width::Word,
            _ => Width::Byte,
        }
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        match (at.space, at.region) {
            (Space::Port, PORTS_REGION) => {
                let port = self.decode(at.offset)?;
                Ok(self.read_port(port, cx.now()).into())
            }
            (Space::Port, VBE_REGION) => self.read_vbe_port(at),
            (Space::Memory, WINDOW_REGION) => Ok(self.read_window(at, cx.memory())),
            (Space::Memory, REGISTERS) => Ok(self.read_register(at, cx.now())),
            (Space::Config, _) => self.config.read(at),
            _ => Err(BusFault),
        }
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match (at.space, at.region) {
            (Space::Port, PORTS_REGION) => {
                let port = self.decode(at.offset)?;
                self.write_port(port, low8(value), cx.now());
            }
            (Space::Port, VBE_REGION) => self.write_vbe_port(at, value, cx)?,
            (Space::Memory, WINDOW_REGION) => self.write_window(at, value, cx.memory()),
            (Space::Memory, REGISTERS) => self.write_register(at, value, cx)?,
            (Space::Config, _) => {
                self.config.write(at, value)?;
                self.place_bars(cx);
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
