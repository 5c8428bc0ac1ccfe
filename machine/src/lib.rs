//! The motherboard: wiring, memory layout, run loop, boot loaders and saved machines.
//!
//! This crate is the only one that names both devices and engines. A [`board::Board`] carries out what the chips
//! do to the world and is the bus an engine sees; a [`Machine`] owns the board, the vCPU and its engine, and runs.

#![forbid(unsafe_code)]
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]
#![cfg_attr(test, allow(clippy::cast_possible_truncation))]

pub mod acpi;
mod background;
pub mod board;
pub mod boot;
pub mod clock;
mod config;
mod host;
pub mod lockstep;
mod machine;
mod media;
pub mod pc;
mod peek;
mod run;
pub mod snapshot;
#[cfg(test)]
mod tests;

pub use clock::TimeMode;
pub use config::{ConfigError, Cpu, Firmware, Linux, MachineConfig};
pub use host::Handle;
pub use machine::{Machine, MachineError};
pub use media::{MediaError, is_diskette};
pub use pc::bios::{BootDevice, BootPlan, video_bios};
pub use peek::{code_bits, linear_rip};
pub use run::{RunLimit, RunOutcome};
pub use snapshot::{RestoreMachineError, SaveError, SavedMachine};

/// What the host side of a machine has to name of the chips.
pub use devices::disk::{Disk, DiskError, WriteProtected};
pub use devices::vga::{Cell, Cursor, Drawn, Picture, TextScreen};
