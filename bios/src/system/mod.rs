//! The system BIOS of an IBM PC/AT with PCI, PnP tables and ACPI.
//!
//! Follows IBM "PC/AT Technical Reference" and "PS/2 and PC BIOS Interface Technical Reference", Phoenix "Enhanced Disk
//! Drive Specification" 3.0, "El Torito" 1.0, "PCI BIOS Specification" 2.1, and ACPI 6.5 chapter 15. The services are
//! in the `.asm` files beside this one, one file a service; what depends on the machine is computed here and put
//! into the image. Left out: APM, PnP BIOS, SMM, SMP start-up, cassette.

mod configuration;
mod image;
mod mp;
mod pir;
mod smbios;
#[cfg(test)]
mod tests;

pub use configuration::{Acpi, AddressRange, BootDevice, Configuration, Cpu};
pub use image::{RomError, rom};
