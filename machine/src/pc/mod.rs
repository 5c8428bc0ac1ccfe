//! The model `pc`: an i440FX host bridge, a PIIX3 south bridge with the PIIX4's power management, ISA VGA.

pub mod bios;
mod cmos;
pub mod firmware;
pub mod layout;
pub mod sockets;
pub mod wiring;
