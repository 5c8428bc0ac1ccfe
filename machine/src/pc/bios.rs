//! Our own BIOS for one machine: what it must know of it, as `bios` wants to be told.

use super::layout::{Layout, MEGABYTE};
use crate::acpi::{self, PIRQ, ports};
use crate::config::{Cpu, Firmware};
use bios::system::{Acpi, AddressRange, Configuration};
use emu_core::isa::cpuid::{self, Live};

pub use bios::system::{BootDevice, RomError};

/// Our own video BIOS, for any firmware that looks for option ROMs.
pub fn video_bios() -> Vec<u8> {
    bios::video::rom()
}

/// What a person says about booting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootPlan {
    /// Kinds of drives in the order in which they are tried.
    pub order: Vec<BootDevice>,
    /// Ask first.
    pub menu: bool,
}

impl Default for BootPlan {
    fn default() -> Self {
        Self { order: vec![BootDevice::Diskette, BootDevice::Cd, BootDevice::Disk], menu: false }
    }
}

impl Firmware {
    /// Our own BIOS for a PC with so many bytes of memory and this CPU; `video` is its video BIOS.
    ///
    /// # Errors
    /// The video BIOS is too large.
    pub fn posada(memory: u64, cpu: &Cpu, video: Vec<u8>, plan: &BootPlan) -> Result<Self, RomError> {
        let image = bios::system::rom(&configuration(&Layout::new(memory), cpu, video, plan))?;
        Ok(Self { image, vga_bios: None })
    }
}

fn configuration(layout: &Layout, cpu: &Cpu, video: Vec<u8>, plan: &BootPlan) -> Configuration {
    let range =
        |row: &super::layout::E820| AddressRange { start: row.start, len: row.len, kind: row.kind as u32 };
    let [signature, _, _, features] = cpuid::cpuid(cpuid::model(cpu.model), 1, 0, Live::default());
    Configuration {
        low_end: layout.low_end(),
        high: layout.high(),
        memory_map: layout.e820_for_kernel().iter().map(range).collect(),
        cpu: bios::system::Cpu { name: cpu.name.clone(), signature, features, apic: cpu.apic },
        acpi: tables(layout, cpu.apic),
        pirq: PIRQ,
        pm_base: ports::PM,
        video,
        boot_order: plan.order.clone(),
        boot_menu: plan.menu,
    }
}

/// The ACPI tables for the top of memory below 4 GiB, where the memory map has a place for them.
fn tables(layout: &Layout, apic: bool) -> Option<Acpi> {
    let at = layout.acpi();
    let acpi::Linked { tables, rsdp } = acpi::Tables::new(apic).link(at);
    let address = u32::try_from(at).expect("below 3 GiB");
    (at > MEGABYTE).then_some(Acpi { address, tables, rsdp })
}

#[cfg(test)]
mod tests;
