//! The ACPI tables of the model `pc` (ACPI 6.5, chapter 5), made once and linked twice: by us for a directly started
//! kernel, or by a firmware that follows our linker script (QEMU, "bios-linker-loader").

mod dsdt;
mod fixed;
mod linker;

pub use linker::{Linked, Tables};

/// Port addresses that the tables and the chipset must agree on.
pub mod ports {
    /// Power-management I/O, where firmware puts PMBASE.
    pub const PM: u16 = 0x600;
    pub const PM1_EVENT: u16 = PM;
    pub const PM1_CONTROL: u16 = PM + 4;
    pub const PM_TIMER: u16 = PM + 8;
    pub const PM_LEN: u8 = 0x40;
    pub const GPE0: u16 = 0xAFE0;
    pub const GPE0_LEN: u8 = 4;
    pub const SMI_COMMAND: u16 = 0xB2;
    pub const RESET: u16 = 0xCF9;
}

/// What written to the SMI command port switches ACPI mode on and off.
pub const ACPI_ENABLE: u8 = 0xF1;
pub const ACPI_DISABLE: u8 = 0xF0;

/// The interrupt of ACPI events.
pub const SCI: u8 = 9;
/// Interrupts that the PIIX3's PIRQA-D are routed to.
pub const PIRQ: [u8; 4] = [10, 10, 11, 11];

const OEM_ID: [u8; 6] = *b"POSADA";
const OEM_TABLE_ID: [u8; 8] = *b"POSADAPC";
const OEM_REVISION: u32 = 1;
