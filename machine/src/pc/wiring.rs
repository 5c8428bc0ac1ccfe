//! The wiring table of the model `pc`.

use crate::board::wiring::{Decode, End, Function, Region, Wire, Wiring};
use devices::virtio::{BARS, INTA};
use devices::{
    hpet, i8042, i8254, i8259a, i82077aa, i82093aa, lapic, mc146818, ns16550a, piix3, piix3_ide, piix4_pm,
    port92, vga,
};
use emu_core::{DiskController, HostEvent, Level, Pin};

const PIC: &str = "i8259a";
const LAPIC: &str = "lapic";
const IOAPIC: &str = "i82093aa";
const HPET: &str = "hpet";
const DMA: &str = "i8237a";
const FLOPPY: &str = "i82077aa";
const KEYBOARD: &str = "i8042";
const RTC: &str = "mc146818";
const COM1: &str = "ns16550a";
const PM: &str = "piix4_pm";
const IDE: &str = "piix3_ide";
const VGA: &str = "vga";

const fn port(device: &'static str, region: u8, base: u64, len: u64) -> Region {
    Region { device, region, decode: Decode::Port, base: Some(base), len }
}

const fn mmio(device: &'static str, region: u8, base: u64, len: u64) -> Region {
    Region { device, region, decode: Decode::Memory, base: Some(base), len }
}

/// A region that answers where software puts it.
const fn movable(device: &'static str, region: u8, len: u64) -> Region {
    Region { device, region, decode: Decode::Port, base: None, len }
}

/// IBM PC/AT Technical Reference, "I/O Address Map"; 82371SB (PIIX3) and 82371AB (PIIX4) data sheets.
const REGIONS: &[Region] = &[
    port(PIC, 0, 0x20, 2),
    port(PIC, 1, 0xA0, 2),
    port(PIC, 2, 0x4D0, 2),
    port("i8254", 0, 0x40, 4),
    port("i8254", 1, 0x61, 1),
    port(RTC, 0, 0x70, 2),
    port(KEYBOARD, 0, 0x60, 1),
    port(KEYBOARD, 1, 0x64, 1),
    port("port92", 0, 0x92, 1),
    port(COM1, 0, 0x3F8, 8),
    port("debugcon", 0, 0x402, 1),
    port("isa_debug_exit", 0, 0x501, 4),
    port(DMA, 0, 0x00, 16),
    port(DMA, 1, 0xC0, 32),
    port(DMA, 2, 0x80, 16),
    port(FLOPPY, 0, 0x3F0, 6),
    port(FLOPPY, 1, 0x3F7, 1),
    port(IDE, 0, 0x1F0, 8),
    port(IDE, 1, 0x3F6, 1),
    port(IDE, 2, 0x170, 8),
    port(IDE, 3, 0x376, 1),
    movable(IDE, 4, 16),
    port("piix3", 0, 0xCF9, 1),
    movable(PM, 0, 64),
    port(PM, 1, 0xB2, 2),
    port(PM, 2, piix4_pm::GPE0_BASE as u64, 4),
    port("fw_cfg", 0, 0x510, 12),
    port(VGA, 0, vga::PORTS as u64, 48),
    port(VGA, 2, 0x1CE, 4),
    mmio(VGA, 1, vga::WINDOW, 0x2_0000),
    Region {
        device: VGA,
        region: vga::REGISTERS,
        decode: Decode::Memory,
        base: None,
        len: vga::REGISTERS_LEN,
    },
    Region {
        device: VGA,
        region: vga::FRAME_BUFFER,
        decode: Decode::FrameBuffer,
        base: None,
        len: vga::VIDEO_MEMORY,
    },
    mmio(LAPIC, 0, lapic::BASE, 0x1000),
    mmio(IOAPIC, 0, i82093aa::BASE, 0x1000),
    mmio(HPET, 0, hpet::BASE, 0x400),
];

const FUNCTIONS: &[Function] = &[
    Function { device: 0, function: 0, name: "i440fx" },
    Function { device: 1, function: 0, name: "piix3" },
    Function { device: 1, function: 1, name: IDE },
    Function { device: 1, function: 3, name: PM },
    Function { device: 2, function: 0, name: VGA },
];

/// Virtio block devices, and the slot of the first.
pub(crate) const VIRTIO_DISKS: [&str; 4] = ["virtio_blk0", "virtio_blk1", "virtio_blk2", "virtio_blk3"];
const VIRTIO_SLOT: u8 = 4;

/// The virtio block devices with their slots.
fn virtio_slots() -> impl Iterator<Item = (u8, &'static str)> {
    (VIRTIO_SLOT..).zip(VIRTIO_DISKS)
}

/// Software puts all BARs in their places.
fn regions() -> Vec<Region> {
    let bars = virtio_slots().flat_map(|(_, device)| {
        BARS.into_iter().map(move |bar| Region {
            device,
            region: bar.number,
            decode: if bar.is_io { Decode::Port } else { Decode::Memory },
            base: None,
            len: bar.len,
        })
    });
    REGIONS.iter().copied().chain(bars).collect()
}

fn functions() -> Vec<Function> {
    let virtio = virtio_slots().map(|(device, name)| Function { device, function: 0, name });
    FUNCTIONS.iter().copied().chain(virtio).collect()
}

type Gate = Option<(&'static str, Pin, Level)>;

/// HPET specification 1.0a, 2.3.5: with legacy replacement the HPET takes the places of the 8254 and the RTC.
const LEGACY_OFF: Gate = Some((HPET, hpet::LEGACY, Level::Low));
const LEGACY_ON: Gate = Some((HPET, hpet::LEGACY, Level::High));

/// Outputs that are ISA interrupt lines: pin, IRQ, gate.
const ISA_IRQS: &[((&str, Pin), u8, Gate)] = &[
    (("i8254", i8254::OUT0), 0, LEGACY_OFF),
    ((KEYBOARD, i8042::IRQ1), 1, None),
    ((COM1, ns16550a::IRQ), 4, None),
    ((FLOPPY, i82077aa::IRQ), 6, None),
    ((RTC, mc146818::IRQ), 8, LEGACY_OFF),
    ((PM, piix4_pm::SCI), 9, None),
    ((KEYBOARD, i8042::IRQ12), 12, None),
    ((IDE, piix3_ide::IRQ14), 14, None),
    ((IDE, piix3_ide::IRQ15), 15, None),
];

/// The IOAPIC input of an ISA interrupt: IRQ0 comes to input 2, because input 0 is the 8259A (82093AA, "Interrupt
/// Inputs", and the MADT).
const fn io_apic_input(irq: u8) -> Pin {
    Pin(if irq == 0 { 2 } else { irq })
}

/// One ISA interrupt line, to both interrupt controllers.
fn isa_irq(from: (&'static str, Pin), irq: u8, when: Gate) -> [Wire; 2] {
    [
        Wire { from, to: End::Pin(PIC, Pin(irq)), when },
        Wire { from, to: End::Pin(IOAPIC, io_apic_input(irq)), when },
    ]
}

fn wires(apic: bool) -> Vec<Wire> {
    let always = |from, to| Wire { from, to, when: None };
    let mut wires = Vec::new();
    for &(from, irq, when) in ISA_IRQS {
        wires.extend(isa_irq(from, irq, when));
    }
    // IRQ2 is the cascade: no device can be routed to it (PIIX3, "PIRQRCx").
    for irq in (0..16).filter(|irq| *irq != 2) {
        wires.extend(isa_irq(("piix3", piix3::irq(irq)), irq, None));
    }
    // INTA# of a slot comes to the PIRQ that the DSDT's _PRT says.
    for (device, name) in virtio_slots() {
        wires.push(always((name, INTA), End::Pin("piix3", piix3::PIRQ[usize::from(device - 1) % 4])));
    }
    for input in 0..hpet::OUTPUTS {
        wires.push(always((HPET, Pin(input)), End::Pin(IOAPIC, Pin(input))));
    }
    wires.push(Wire { from: (HPET, Pin(2)), to: End::Pin(PIC, Pin(0)), when: LEGACY_ON });
    wires.push(Wire { from: (HPET, Pin(8)), to: End::Pin(PIC, Pin(8)), when: LEGACY_ON });
    wires.push(always((FLOPPY, i82077aa::DREQ), End::Pin(DMA, Pin(2))));
    if apic {
        wires.push(always((PIC, i8259a::INTR), End::Pin(LAPIC, lapic::LINT0)));
        wires.push(always((LAPIC, lapic::INTR), End::Intr));
    } else {
        wires.push(always((PIC, i8259a::INTR), End::Intr));
    }
    wires.push(always((KEYBOARD, i8042::A20), End::A20));
    wires.push(always(("port92", port92::A20), End::A20));
    wires
}

/// Whom a host event is for.
fn host(event: &HostEvent) -> &'static str {
    match event {
        HostEvent::Serial(_) => COM1,
        HostEvent::Key { .. } | HostEvent::Mouse { .. } => KEYBOARD,
        HostEvent::PowerButton => PM,
        HostEvent::WallClock(_) => RTC,
        HostEvent::DiskReady(DiskController::Ide) => IDE,
        HostEvent::DiskReady(DiskController::Floppy) => FLOPPY,
        HostEvent::DiskReady(DiskController::Virtio(number)) => {
            VIRTIO_DISKS.get(usize::from(*number)).copied().unwrap_or_default()
        }
    }
}

/// The model's wiring, for a CPU with or without a local APIC.
pub fn wiring(apic: bool) -> Wiring {
    Wiring {
        regions: regions(),
        wires: wires(apic),
        functions: functions(),
        local_apic: LAPIC,
        pic: PIC,
        io_apics: &[IOAPIC],
        host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_given_once_and_their_interrupts_go_around() {
        let wiring = wiring(true);
        let slots: Vec<_> = wiring.functions.iter().map(|at| (at.device, at.function)).collect();
        assert!((1..slots.len()).all(|n| !slots[..n].contains(&slots[n])), "{slots:?}");
        let pirq = |name| wiring.wires.iter().find(|wire| wire.from == (name, INTA)).map(|wire| wire.to);
        // Device 4 has INTA# at PIRQD#, the next one at PIRQA#.
        assert_eq!(pirq("virtio_blk0"), Some(End::Pin("piix3", piix3::PIRQ[3])));
        assert_eq!(pirq("virtio_blk1"), Some(End::Pin("piix3", piix3::PIRQ[0])));
    }
}
