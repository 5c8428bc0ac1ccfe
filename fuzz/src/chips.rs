//! Every chip, and where it answers. One row a region, as the board's wiring has them.

use devices::disk::{Disk, MemoryDisk};
use devices::{
    debugcon, fw_cfg, hpet, i440fx, i8042, i8237a, i8254, i8259a, i82077aa, i82093aa, isa_debug_exit, lapic,
    mc146818, ns16550a, piix3, piix3_ide, piix4_pm, port92, vga,
};
use emu_core::memory::BlockId;
use emu_core::{Device, Space, Width};

/// A region: its space, number, first offset and length.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    pub(crate) space: Space,
    pub(crate) number: u8,
    pub(crate) start: u64,
    pub(crate) len: u64,
}

/// A write: space, region, offset, width, value.
pub(crate) type Write = (Space, u8, u64, Width, u64);

/// A chip to be fuzzed.
pub(crate) struct Chip {
    pub(crate) new: fn() -> Box<dyn Device>,
    pub(crate) regions: &'static [Region],
    /// What drivers do, where random bytes would take too long to find it.
    pub(crate) scripts: &'static [&'static [Write]],
}

const fn at(space: Space, number: u8, start: u64, len: u64) -> Region {
    Region { space, number, start, len }
}

const fn port(number: u8, len: u64) -> Region {
    at(Space::Port, number, 0, len)
}

const fn memory(number: u8, len: u64) -> Region {
    at(Space::Memory, number, 0, len)
}

const CONFIG: Region = at(Space::Config, 0, 0, 256);

const fn outb(region: u8, offset: u64, value: u64) -> Write {
    (Space::Port, region, offset, Width::Byte, value)
}

const fn set_config(offset: u64, value: u64) -> Write {
    (Space::Config, 0, offset, Width::Dword, value)
}

/// The block of video memory in the socket.
pub(crate) const VIDEO: BlockId = BlockId(1);

const fn vbe(index: u64, value: u64) -> Write {
    (Space::Memory, vga::REGISTERS, 0x500 + 2 * index, Width::Word, value)
}

/// 800x600 with 16 and with 4 bits.
const VBE_PACKED: &[Write] = &[vbe(4, 0), vbe(1, 800), vbe(2, 600), vbe(3, 16), vbe(4, 0x41)];
const VBE_PLANES: &[Write] = &[vbe(4, 0), vbe(1, 800), vbe(2, 600), vbe(3, 4), vbe(4, 1)];

/// Out of reset with motor and DMA gate; SPECIFY for DMA; recalibrate.
const FLOPPY_ON: &[Write] = &[
    outb(0, 2, 0x3C),
    outb(1, 0, 0),
    outb(0, 5, 3),
    outb(0, 5, 0xAF),
    outb(0, 5, 2),
    outb(0, 5, 7),
    outb(0, 5, 0),
];
const FLOPPY_PIO: &[Write] = &[outb(0, 5, 3), outb(0, 5, 0xAF), outb(0, 5, 3)];
const FLOPPY_READ: &[Write] = &[
    outb(0, 5, 0xE6),
    outb(0, 5, 0),
    outb(0, 5, 0),
    outb(0, 5, 0),
    outb(0, 5, 17),
    outb(0, 5, 2),
    outb(0, 5, 18),
    outb(0, 5, 0x1B),
    outb(0, 5, 0xFF),
];
const FLOPPY_WRITE: &[Write] = &[
    outb(0, 5, 0xC5),
    outb(0, 5, 0),
    outb(0, 5, 0),
    outb(0, 5, 0),
    outb(0, 5, 17),
    outb(0, 5, 2),
    outb(0, 5, 18),
    outb(0, 5, 0x1B),
    outb(0, 5, 0xFF),
];
const FLOPPY_FORMAT: &[Write] =
    &[outb(0, 5, 0x4D), outb(0, 5, 0), outb(0, 5, 2), outb(0, 5, 18), outb(0, 5, 0x1B), outb(0, 5, 0xF6)];

const IDE_ON: &[Write] = &[set_config(4, 5), set_config(0x40, 0x8000_8000), set_config(0x20, 0xC000)];
/// Blocks of 8 sectors, then READ MULTIPLE.
const IDE_READ: &[Write] =
    &[outb(0, 6, 0xE0), outb(0, 2, 8), outb(0, 7, 0xC6), outb(0, 2, 20), outb(0, 7, 0xC4)];
const IDE_WRITE: &[Write] = &[outb(0, 6, 0xE0), outb(0, 2, 3), outb(0, 3, 1), outb(0, 7, 0x30)];
const IDE_DMA: &[Write] = &[
    (Space::Port, 4, 4, Width::Dword, 0x1000),
    outb(0, 6, 0xE0),
    outb(0, 2, 0),
    outb(0, 7, 0xC8),
    outb(4, 0, 9),
];

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
    let [first, last] = [disk(2000), disk(100)].map(|disk| disk.map(piix3_ide::Unit::Disk));
    let disc = piix3_ide::Unit::CdRom(disk(400));
    chip(piix3_ide::Piix3Ide::new([first, Some(piix3_ide::Unit::Disk(read_only)), Some(disc), last]))
}

fn firmware_configuration() -> Box<dyn Device> {
    let mut device = fw_cfg::FwCfg::new();
    device.add_item(0x8000, vec![1, 2, 3]);
    device.add_file("etc/fuzz", (0..200).collect());
    chip(device)
}

pub(crate) const CHIPS: &[Chip] = &[
    Chip { new: || chip(debugcon::Debugcon::new()), regions: &[port(0, 1)], scripts: &[] },
    Chip { new: firmware_configuration, regions: &[port(0, 12)], scripts: &[] },
    Chip { new: || chip(hpet::Hpet::new()), regions: &[memory(0, 0x400)], scripts: &[] },
    Chip { new: || chip(i440fx::I440fx::new()), regions: &[CONFIG], scripts: &[] },
    Chip { new: || chip(i8042::I8042::new()), regions: &[port(0, 1), port(1, 1)], scripts: &[] },
    Chip {
        new: floppy_controller,
        regions: &[port(0, 6), port(1, 1), at(Space::Dma, 2, 0, 2)],
        scripts: &[FLOPPY_ON, FLOPPY_PIO, FLOPPY_READ, FLOPPY_WRITE, FLOPPY_FORMAT],
    },
    Chip {
        new: || chip(i82093aa::I82093aa::new()),
        regions: &[memory(0, 0x40), at(Space::Eoi, 0, 0, 1)],
        scripts: &[],
    },
    Chip {
        new: || chip(i8237a::I8237aPair::new()),
        regions: &[port(0, 16), port(1, 32), port(2, 16), at(Space::Dma, 2, 0, 1), at(Space::Dma, 5, 0, 1)],
        scripts: &[],
    },
    Chip { new: || chip(i8254::I8254::new()), regions: &[port(0, 4), port(1, 1)], scripts: &[] },
    Chip {
        new: || chip(i8259a::I8259aPair::new()),
        regions: &[port(0, 2), port(1, 2), port(2, 2), at(Space::IntAck, 0, 0, 1)],
        scripts: &[],
    },
    Chip { new: || chip(isa_debug_exit::IsaDebugExit::new()), regions: &[port(0, 4)], scripts: &[] },
    Chip {
        new: || chip(lapic::Lapic::new(0)),
        regions: &[
            memory(0, 0x400),
            at(Space::Msr, 0, 0x800, 0x40),
            at(Space::Msr, 0, 0x1B, 1),
            at(Space::Msr, 0, 0x6E0, 1),
            at(Space::Msr, 0, 0x1_0808, 1),
            at(Space::Message, 0, 0, 0x10_0000),
            at(Space::IntAck, 0, 0, 1),
        ],
        scripts: &[],
    },
    Chip { new: || chip(mc146818::Mc146818::new()), regions: &[port(0, 2)], scripts: &[] },
    Chip { new: || chip(ns16550a::Ns16550a::new(0)), regions: &[port(0, 8)], scripts: &[] },
    Chip { new: || chip(piix3::Piix3::new()), regions: &[CONFIG, port(0, 1)], scripts: &[] },
    Chip {
        new: ide,
        regions: &[port(0, 8), port(1, 1), port(2, 8), port(3, 1), port(4, 16), CONFIG],
        scripts: &[IDE_ON, IDE_READ, IDE_WRITE, IDE_DMA],
    },
    Chip {
        new: || chip(piix4_pm::Piix4Pm::new()),
        regions: &[CONFIG, port(0, 64), port(1, 2), port(2, 4)],
        scripts: &[],
    },
    Chip { new: || chip(port92::Port92::new()), regions: &[port(0, 1)], scripts: &[] },
    Chip {
        new: || chip(vga::Vga::new(VIDEO)),
        regions: &[
            CONFIG,
            port(0, 48),
            memory(1, 0x2_0000),
            port(2, 4),
            memory(vga::REGISTERS, vga::REGISTERS_LEN),
        ],
        scripts: &[VBE_PACKED, VBE_PLANES],
    },
];
