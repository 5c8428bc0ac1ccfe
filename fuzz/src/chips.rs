//! Every chip, and where it answers. One row a region, as the board's wiring has them.

use devices::disk::{Disk, MemoryDisk};
use devices::{
    debugcon, fw_cfg, hpet, i440fx, i8042, i8237a, i8254, i8259a, i82077aa, i82093aa, isa_debug_exit, lapic,
    mc146818, ns16550a, piix3, piix3_ide, piix4_pm, port92, vga,
};
use emu_core::{Device, Space};

/// A region: its space, number and length.
pub(crate) type Region = (Space, u8, u64);

/// A chip to be fuzzed.
pub(crate) struct Chip {
    pub(crate) new: fn() -> Box<dyn Device>,
    pub(crate) regions: &'static [Region],
}

const fn port(number: u8, len: u64) -> Region {
    (Space::Port, number, len)
}

const fn memory(number: u8, len: u64) -> Region {
    (Space::Memory, number, len)
}

const CONFIG: Region = (Space::Config, 0, 256);

fn chip<D: Device + 'static>(device: D) -> Box<dyn Device> {
    Box::new(device)
}

fn disk(sectors: usize) -> Option<Box<dyn Disk>> {
    Some(Box::new(MemoryDisk::zeroed(sectors).with_bad_sector(17)))
}

fn floppy_controller() -> Box<dyn Device> {
    let mut controller =
        i82077aa::I82077aa::new([Some(i82077aa::DriveType::F1440K), Some(i82077aa::DriveType::F360K)]);
    let _fits = controller.insert(0, Box::new(MemoryDisk::zeroed(2880).with_bad_sector(40)));
    let _fits = controller.insert(1, Box::new(MemoryDisk::zeroed(320).read_only()));
    chip(controller)
}

fn ide() -> Box<dyn Device> {
    let read_only: Box<dyn Disk> = Box::new(MemoryDisk::zeroed(64).read_only());
    chip(piix3_ide::Piix3Ide::new([disk(2000), Some(read_only), None, disk(100)]))
}

fn firmware_configuration() -> Box<dyn Device> {
    let mut device = fw_cfg::FwCfg::new();
    device.add_item(0x8000, vec![1, 2, 3]);
    device.add_file("etc/fuzz", (0..200).collect());
    chip(device)
}

pub(crate) const CHIPS: &[Chip] = &[
    Chip { new: || chip(debugcon::Debugcon::new()), regions: &[port(0, 1)] },
    Chip { new: firmware_configuration, regions: &[port(0, 12)] },
    Chip { new: || chip(hpet::Hpet::new()), regions: &[memory(0, 0x400)] },
    Chip { new: || chip(i440fx::I440fx::new()), regions: &[CONFIG] },
    Chip { new: || chip(i8042::I8042::new()), regions: &[port(0, 1), port(1, 1)] },
    Chip { new: floppy_controller, regions: &[port(0, 6), port(1, 1), (Space::Dma, 2, 2)] },
    Chip { new: || chip(i82093aa::I82093aa::new()), regions: &[memory(0, 0x40), (Space::Eoi, 0, 1)] },
    Chip {
        new: || chip(i8237a::I8237aPair::new()),
        regions: &[port(0, 16), port(1, 32), port(2, 16), (Space::Dma, 2, 1), (Space::Dma, 5, 1)],
    },
    Chip { new: || chip(i8254::I8254::new()), regions: &[port(0, 4), port(1, 1)] },
    Chip {
        new: || chip(i8259a::I8259aPair::new()),
        regions: &[port(0, 2), port(1, 2), port(2, 2), (Space::IntAck, 0, 1)],
    },
    Chip { new: || chip(isa_debug_exit::IsaDebugExit::new()), regions: &[port(0, 4)] },
    Chip {
        new: || chip(lapic::Lapic::new(0)),
        regions: &[
            memory(0, 0x400),
            (Space::Msr, 0, 0x900),
            (Space::Message, 0, 0x10_0000),
            (Space::IntAck, 0, 1),
        ],
    },
    Chip { new: || chip(mc146818::Mc146818::new()), regions: &[port(0, 2)] },
    Chip { new: || chip(ns16550a::Ns16550a::new(0)), regions: &[port(0, 8)] },
    Chip { new: || chip(piix3::Piix3::new()), regions: &[CONFIG, port(0, 1)] },
    Chip { new: ide, regions: &[port(0, 8), port(1, 1), port(2, 8), port(3, 1), port(4, 16), CONFIG] },
    Chip { new: || chip(piix4_pm::Piix4Pm::new()), regions: &[CONFIG, port(0, 64), port(1, 2), port(2, 4)] },
    Chip { new: || chip(port92::Port92::new()), regions: &[port(0, 1)] },
    Chip { new: || chip(vga::Vga::new()), regions: &[port(0, 48), memory(1, 0x2_0000), port(2, 4)] },
];
