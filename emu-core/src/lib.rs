//! The vocabulary of Posada and its reference engine.
//!
//! Everything that the chips, the motherboard and the engines agree on lives here: time, guest memory, the bus,
//! lines, the state of a virtual CPU as plain data, and the two seams [`Device`] and [`Engine`]. The instruction
//! set, the MMU and the interpreter, which defines what every other engine must do, live here too.
//! This crate depends on nothing else of ours.

pub mod bus;
pub mod device;
pub mod engine;
pub mod interpreter;
pub mod isa;
pub mod memory;
pub mod mmu;
pub mod saved;
pub mod time;
pub mod vcpu;

pub use bus::{Access, Attention, Bus, BusFault, Space, Width};
pub use device::{
    CpuSignal, Cx, Device, DiskController, Effect, HostEvent, HostRequest, Level, Pin, Power, Reset, TimerId,
};
pub use engine::{Caps, DebugStop, Engine, Exit, Forget, Stop};
pub use memory::{Frame, MemoryMap};
pub use saved::{RestoreError, Saved};
pub use time::Tick;
pub use vcpu::VcpuState;
