//! The MP table (Intel "MultiProcessor Specification" 1.4): one processor, one IOAPIC, and who interrupts where.

use super::configuration::Configuration;
use super::image::checksum;

const LOCAL_APIC: u32 = 0xFEE0_0000;
const IO_APIC: u32 = 0xFEC0_0000;
/// What the ID register holds after reset, as in the MADT. It is the processor's too, but they share no APIC bus.
const IO_APIC_ID: u8 = 0;
const VERSION_LOCAL: u8 = 0x14;
const VERSION_IO: u8 = 0x11;
const HEADER: usize = 44;
const PCI: u8 = 0;
const ISA: u8 = 1;
/// Interrupt types.
const INT: u8 = 0;
const NMI: u8 = 1;
const EXT_INT: u8 = 3;
/// Flags: as the bus has it; active low and level.
const CONFORMS: u16 = 0;
const LOW_LEVEL: u16 = 0x000F;

pub(super) fn floating_pointer(table: u32) -> Vec<u8> {
    let mut pointer = b"_MP_".to_vec();
    pointer.extend_from_slice(&table.to_le_bytes());
    pointer.extend_from_slice(&[1, 4, 0, 0, 0, 0, 0, 0]);
    pointer[10] = checksum(&pointer);
    pointer
}

/// Type 3 and 4 entries: an interrupt, and where it goes.
struct Interrupt {
    entry: u8,
    kind: u8,
    flags: u16,
    bus: u8,
    irq: u8,
    apic: u8,
    pin: u8,
}

fn interrupts(pirq: [u8; 4]) -> Vec<Interrupt> {
    let to_io =
        |kind, flags, bus, irq, pin| Interrupt { entry: 3, kind, flags, bus, irq, apic: IO_APIC_ID, pin };
    let mut all = Vec::new();
    for irq in (0..16).filter(|irq| *irq != 2 && !pirq.contains(irq)) {
        // IRQ 0 comes to input 2.
        all.push(to_io(INT, CONFORMS, ISA, irq, if irq == 0 { 2 } else { irq }));
    }
    for device in 1..32u8 {
        for pin in 0..4u8 {
            let line = pirq[usize::from((device - 1 + pin) % 4)];
            all.push(to_io(INT, LOW_LEVEL, PCI, device << 2 | pin, line));
        }
    }
    let local = |kind, pin| Interrupt { entry: 4, kind, flags: CONFORMS, bus: ISA, irq: 0, apic: 0xFF, pin };
    all.push(local(EXT_INT, 0));
    all.push(local(NMI, 1));
    all
}

pub(super) fn configuration_table(configuration: &Configuration) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut count = 0u16;
    let mut add = |bytes: &[u8]| {
        entries.extend_from_slice(bytes);
        count += 1;
    };
    let cpu = &configuration.cpu;
    let mut processor = vec![0, 0, VERSION_LOCAL, 3]; // enabled, the boot processor
    processor.extend_from_slice(&cpu.signature.to_le_bytes());
    processor.extend_from_slice(&cpu.features.to_le_bytes());
    processor.resize(20, 0);
    add(&processor);
    add(&[&[1, PCI][..], b"PCI   "].concat());
    add(&[&[1, ISA][..], b"ISA   "].concat());
    add(&[&[2, IO_APIC_ID, VERSION_IO, 1][..], &IO_APIC.to_le_bytes()].concat());
    for Interrupt { entry, kind, flags, bus, irq, apic, pin } in interrupts(configuration.pirq) {
        let [low, high] = flags.to_le_bytes();
        add(&[entry, kind, low, high, bus, irq, apic, pin]);
    }
    let mut table = b"PCMP".to_vec();
    let size = u16::try_from(HEADER + entries.len()).expect("less than 2 KiB");
    table.extend_from_slice(&size.to_le_bytes());
    table.extend_from_slice(&[4, 0]);
    table.extend_from_slice(b"POSADA  PC          ");
    table.extend_from_slice(&[0; 6]); // no OEM table
    table.extend_from_slice(&count.to_le_bytes());
    table.extend_from_slice(&LOCAL_APIC.to_le_bytes());
    table.resize(HEADER, 0);
    table.extend_from_slice(&entries);
    table[7] = checksum(&table);
    table
}
