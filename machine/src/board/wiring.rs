//! The words in which a model's wiring table is written.

use emu_core::{HostEvent, Level, Pin};

/// The address space of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decode {
    Port,
    Memory,
    /// Memory that is the block of video memory itself: the engine reaches it without asking the chip.
    FrameBuffer,
}

/// Where one region of one device answers. A device moves its region with [`emu_core::Effect::Window`].
#[derive(Clone, Copy, Debug)]
pub struct Region {
    pub device: &'static str,
    pub region: u8,
    pub decode: Decode,
    /// The first address at power-on; `None` for nowhere.
    pub base: Option<u64>,
    pub len: u64,
}

/// The far end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Pin(&'static str, Pin),
    /// The interrupt request of the CPU.
    Intr,
    /// The A20 gate.
    A20,
}

/// One wire from an output to an input. Several wires to one end are wired-OR.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    pub from: (&'static str, Pin),
    pub to: End,
    /// The wire conducts only while this output has this level.
    pub when: Option<(&'static str, Pin, Level)>,
}

/// A PCI function on bus 0.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub device: u8,
    pub function: u8,
    pub name: &'static str,
}

/// All that makes chips into a board. Rows that name a device which is not on the board are left out.
#[derive(Clone, Debug)]
pub struct Wiring {
    pub regions: Vec<Region>,
    pub wires: Vec<Wire>,
    pub functions: Vec<Function>,
    /// Takes interrupt messages, board MSRs and CR8, and gives the vector of an acknowledge cycle.
    pub local_apic: &'static str,
    /// Gives the vector where the local APIC does not (ExtINT) or is absent.
    pub pic: &'static str,
    /// Hear end-of-interrupt broadcasts.
    pub io_apics: &'static [&'static str],
    /// Which device a host event is for.
    pub host: fn(&HostEvent) -> &'static str,
}
