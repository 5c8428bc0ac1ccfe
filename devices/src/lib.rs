//! The chips of the PC, one module per chip, named by part number. Safe code only.
//!
//! A chip knows its data sheet and nothing else: not its address, not its neighbours, not the host.

#![forbid(unsafe_code)]
// The bench and a few conversions in tests cast on purpose.
#![cfg_attr(test, allow(dead_code))]

#[cfg(test)]
mod bench;
mod bits;
mod bytes;
#[cfg(test)]
mod lazy_disk;
mod pci_config;

pub mod debugcon;
pub mod disk;
pub mod fw_cfg;
pub mod hpet;
pub mod i440fx;
pub mod i8042;
pub mod i82077aa;
pub mod i82093aa;
pub mod i8237a;
pub mod i8254;
pub mod i8259a;
pub mod isa_debug_exit;
pub mod lapic;
pub mod mc146818;
pub mod ns16550a;
pub mod piix3;
pub mod piix3_ide;
pub mod piix4_pm;
pub mod port92;
pub mod ps2_keyboard;
pub mod ps2_mouse;
pub mod vga;
pub mod virtio;
