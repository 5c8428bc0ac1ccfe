//! The differentiated system description table: what the model has that a guest cannot find by probing.

use super::{OEM_ID, OEM_REVISION, OEM_TABLE_ID, PIRQ, fixed, ports};
use crate::pc::layout::LOW_END;
use acpi_tables::aml::{
    AddressSpace, AddressSpaceCacheable, Device, EISAName, IO, Memory32Fixed, Name, Package, PackageBuilder,
    Path, ResourceTemplate, Scope,
};
use acpi_tables::sdt::Sdt;
use acpi_tables::{Aml, AmlSink};

/// A small IRQ descriptor: edge triggered, active high, not shared (ACPI 6.5, 6.4.2.1, "IRQ Descriptor").
struct Irq(u8);

impl Aml for Irq {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.byte(0x22);
        sink.word(1 << self.0);
    }
}

/// A device on the ISA bus: name, hardware ID, port ranges (first port, count), interrupt.
struct IsaDevice {
    name: &'static str,
    hid: &'static str,
    ports: &'static [(u16, u8)],
    irq: Option<u8>,
}

const fn isa(
    name: &'static str,
    hid: &'static str,
    ports: &'static [(u16, u8)],
    irq: Option<u8>,
) -> IsaDevice {
    IsaDevice { name, hid, ports, irq }
}

/// The mouse has no ports of its own; the motherboard resources keep others away from ports of no device.
const ISA: &[IsaDevice] = &[
    isa("PIC_", "PNP0000", &[(0x20, 2), (0xA0, 2), (0x4D0, 2)], Some(2)),
    isa("TIMR", "PNP0100", &[(0x40, 4)], Some(0)),
    isa("DMAC", "PNP0200", &[(0x00, 16), (0x80, 16), (0xC0, 32)], None),
    isa("KBD_", "PNP0303", &[(0x60, 1), (0x64, 1)], Some(1)),
    isa("MOU_", "PNP0F13", &[], Some(12)),
    isa("SPKR", "PNP0800", &[(0x61, 1)], None),
    isa("RTC_", "PNP0B00", &[(0x70, 2)], Some(8)),
    isa("COM1", "PNP0501", &[(0x3F8, 8)], Some(4)),
    isa(
        "MBRD",
        "PNP0C02",
        &[
            (0x92, 1),
            (ports::SMI_COMMAND, 2),
            (0x402, 1),
            (0x501, 4),
            (0x510, 12),
            (ports::PM, ports::PM_LEN),
            (ports::GPE0, ports::GPE0_LEN),
        ],
        None,
    ),
];

impl Aml for IsaDevice {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let ports: Vec<IO> =
            self.ports.iter().map(|&(first, count)| IO::new(first, first, 1, count)).collect();
        let irq = self.irq.map(Irq);
        let mut resources: Vec<&dyn Aml> = ports.iter().map(|io| io as &dyn Aml).collect();
        resources.extend(irq.as_ref().map(|irq| irq as &dyn Aml));
        let hid = Name::new("_HID".into(), &EISAName::new(self.hid));
        let resources = Name::new("_CRS".into(), &ResourceTemplate::new(resources));
        Device::new(Path::new(self.name), vec![&hid, &resources]).to_aml_bytes(sink);
    }
}

/// `_PRT`: every pin of every slot, rotated as on all PCs with a PIIX3, straight to the interrupt it is routed to.
fn interrupt_routes() -> PackageBuilder {
    let mut routes = PackageBuilder::new();
    for device in 1..32u32 {
        for pin in 0..4u8 {
            let line = (device - 1 + u32::from(pin)) % 4;
            let gsi = PIRQ[usize::try_from(line).expect("one of four")];
            let address = (device << 16) | 0xFFFF;
            routes.add_element(&Package::new(vec![&address, &pin, &0u8, &gsi]));
        }
    }
    routes
}

/// What the host bridge passes to PCI: all ports but its own, VGA memory, and everything between RAM and IOAPIC.
fn bridge_resources() -> Name {
    let memory = AddressSpaceCacheable::NotCacheable;
    let low_end = u32::try_from(LOW_END).expect("below 4 GiB");
    Name::new(
        "_CRS".into(),
        &ResourceTemplate::new(vec![
            &AddressSpace::new_bus_number(0u16, 0xFF),
            &IO::new(0xCF8, 0xCF8, 1, 8),
            &AddressSpace::new_io(0u16, 0xCF7, None),
            &AddressSpace::new_io(0xD00u16, 0xFFFF, None),
            &AddressSpace::new_memory(memory, true, 0xA_0000u32, 0xB_FFFF, None),
            &AddressSpace::new_memory(memory, true, low_end, 0xFEBF_FFFF, None),
        ]),
    )
}

fn host_bridge(sink: &mut dyn AmlSink) {
    let hid = Name::new("_HID".into(), &EISAName::new("PNP0A03"));
    let uid = Name::new("_UID".into(), &0u8);
    let resources = bridge_resources();
    let routes = Name::new("_PRT".into(), &interrupt_routes());
    let address = Name::new("_ADR".into(), &0x0001_0000u32);
    let mut isa: Vec<&dyn Aml> = vec![&address];
    isa.extend(ISA.iter().map(|device| device as &dyn Aml));
    let isa = Device::new("ISA_".into(), isa);
    Device::new("PCI0".into(), vec![&hid, &uid, &resources, &routes, &isa]).to_aml_bytes(sink);
}

fn hpet(sink: &mut dyn AmlSink) {
    let hid = Name::new("_HID".into(), &EISAName::new("PNP0103"));
    let uid = Name::new("_UID".into(), &0u8);
    let window = Memory32Fixed::new(false, fixed::HPET, fixed::HPET_LEN);
    let resources = Name::new("_CRS".into(), &ResourceTemplate::new(vec![&window]));
    Device::new("HPET".into(), vec![&hid, &uid, &resources]).to_aml_bytes(sink);
}

/// The whole table.
pub(super) fn dsdt() -> Vec<u8> {
    let mut bus = Vec::new();
    host_bridge(&mut bus);
    hpet(&mut bus);
    // PIIX4, "PMCNTRL": SLP_TYP 0 is soft-off.
    let soft_off = Name::new("_S5_".into(), &Package::new(vec![&0u8, &0u8, &0u8, &0u8]));

    let mut table = Sdt::new(*b"DSDT", 36, 2, OEM_ID, OEM_TABLE_ID, OEM_REVISION);
    table.append_slice(&Scope::raw("_SB_".into(), bus));
    let mut tail = Vec::new();
    soft_off.to_aml_bytes(&mut tail);
    table.append_slice(&tail);
    table.as_slice().to_vec()
}
