//! What firmware gets from the board, and what the board does where there is none.

use super::layout::{E820, Layout};
use super::sockets;
use crate::acpi::{self, PIRQ, ports};
use crate::board::Board;
use crate::boot::SetupHeader;
use crate::config::{Linux, MachineConfig};
use devices::fw_cfg::key;
use emu_core::{Bus, Width};

/// The VGA BIOS as the expansion ROM of the display adapter: SeaBIOS takes a ROM of this name for the PCI function
/// 1234:1111 and tells it where its BARs are (SeaBIOS, docs/Runtime_config, "pciXXXX,YYYY.rom").
const VGA_ROM: &str = "pci1234,1111.rom";

/// What the firmware configuration device holds.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) keys: Vec<(u16, Vec<u8>)>,
    pub(crate) files: Vec<(&'static str, Vec<u8>)>,
}

/// All items of a machine (QEMU, docs/specs/fw_cfg).
pub(crate) fn items(config: &MachineConfig, layout: &Layout) -> Items {
    let one = 1u16.to_le_bytes().to_vec();
    let mut items = Items {
        keys: vec![
            (key::RAM_SIZE, config.memory.to_le_bytes().to_vec()),
            (key::CPUS, one.clone()),
            (key::MAX_CPUS, one),
            (key::NUMA, vec![0; 16]),
            // IRQ0 comes to IOAPIC input 2.
            (key::IRQ0_OVERRIDE, vec![1]),
        ],
        files: vec![("etc/e820", e820(&layout.e820_for_firmware()))],
    };
    items.files.extend(acpi::Tables::new(config.cpu.apic).files());
    if let Some(firmware) = &config.firmware {
        items.files.extend(firmware.vga_bios.clone().map(|bios| (VGA_ROM, bios)));
        match &config.linux {
            Some(linux) => items.keys.extend(kernel(linux, layout)),
            // A person may want to choose what to boot.
            None => items.keys.push((key::BOOT_MENU, 1u16.to_le_bytes().to_vec())),
        }
    }
    items
}

fn e820(rows: &[E820]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for row in rows {
        bytes.extend_from_slice(&row.start.to_le_bytes());
        bytes.extend_from_slice(&row.len.to_le_bytes());
        bytes.extend_from_slice(&(row.kind as u32).to_le_bytes());
    }
    bytes
}

/// Where a firmware that follows these items puts the real-mode part and the command line.
const SETUP_AT: u32 = 0x1_0000;
const COMMAND_LINE_AT: u32 = 0x2_0000;
const KERNEL_AT: u32 = 0x10_0000;
/// Room for the ACPI tables that the firmware puts at the top of memory.
const TOP_RESERVE: u64 = 0x10_0000;

/// A kernel offered to the firmware. One that is no bzImage is not offered.
fn kernel(linux: &Linux, layout: &Layout) -> Vec<(u16, Vec<u8>)> {
    let Ok(header) = SetupHeader::parse(&linux.kernel) else { return Vec::new() };
    let (setup, kernel) = linux.kernel.split_at(header.payload_start());
    let number = |value: u32| value.to_le_bytes().to_vec();
    let size = |bytes: &[u8]| number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let top = header.initrd_end().min(layout.low_end().saturating_sub(TOP_RESERVE));
    let initrd_at = top.saturating_sub(linux.initrd.len() as u64) & !0xFFF;
    let command_line = [linux.command_line.as_bytes(), &[0]].concat();
    vec![
        (key::SETUP_ADDRESS, number(SETUP_AT)),
        (key::SETUP_SIZE, size(setup)),
        (key::SETUP_DATA, setup.to_vec()),
        (key::KERNEL_ADDRESS, number(KERNEL_AT)),
        (key::KERNEL_SIZE, size(kernel)),
        (key::KERNEL_DATA, kernel.to_vec()),
        (key::INITRD_ADDRESS, number(u32::try_from(initrd_at).unwrap_or(u32::MAX))),
        (key::INITRD_SIZE, size(&linux.initrd)),
        (key::INITRD_DATA, linux.initrd.clone()),
        (key::COMMAND_LINE_ADDRESS, number(COMMAND_LINE_AT)),
        (key::COMMAND_LINE_SIZE, size(&command_line)),
        (key::COMMAND_LINE_DATA, command_line),
    ]
}

/// A write to a PCI configuration register.
struct ConfigWrite {
    devfn: u32,
    register: u32,
    width: Width,
    value: u64,
}

const fn config(device: u32, function: u32, register: u32, width: Width, value: u64) -> ConfigWrite {
    ConfigWrite { devfn: device << 3 | function, register, width, value }
}

const COMMAND: u32 = 0x04;
const IO_SPACE: u64 = 1;
const MEMORY_SPACE: u64 = 2;

/// Where the display adapter's BARs go: above all RAM below 4 GiB.
const FRAME_BUFFER_AT: u64 = 0xE000_0000;
const VGA_REGISTERS_AT: u64 = 0xFEBF_0000;

/// PIIX3, "PIRQRCx", "IDETIM" (decode enable); PIIX4, "PMBA", "PMREGMISC"; the display adapter's BARs.
const CHIPSET: &[ConfigWrite] = &[
    config(1, 0, 0x60, Width::Dword, u32::from_le_bytes(PIRQ) as u64),
    config(1, 1, COMMAND, Width::Word, IO_SPACE),
    config(1, 1, 0x40, Width::Dword, 0x8000_8000),
    config(1, 3, COMMAND, Width::Word, IO_SPACE),
    config(1, 3, 0x40, Width::Dword, ports::PM as u64 | 1),
    config(1, 3, 0x80, Width::Byte, 1),
    config(2, 0, 0x10, Width::Dword, FRAME_BUFFER_AT),
    config(2, 0, 0x18, Width::Dword, VGA_REGISTERS_AT),
    config(2, 0, COMMAND, Width::Word, IO_SPACE | MEMORY_SPACE),
];

/// Port writes: all interrupts masked until the kernel takes over, PIRQs level triggered, A20 open.
const PORTS: &[(u16, u8)] = &[(0x21, 0xFF), (0xA1, 0xFF), (0x4D0, 0x00), (0x4D1, 0x0C), (0x92, 0x02)];

/// Does what a firmware would have done to the chipset before it starts a kernel.
pub(crate) fn stand_in(board: &mut Board) {
    for &ConfigWrite { devfn, register, width, value } in CHIPSET {
        let address = 0x8000_0000 | devfn << 8 | (register & !3);
        board.port_write(0xCF8, Width::Dword, address.into());
        let lane = u16::try_from(register & 3).expect("one of four lanes");
        board.port_write(0xCFC + lane, width, value);
    }
    for &(port, value) in PORTS {
        board.port_write(port, Width::Byte, value.into());
    }
    sockets::set_up_for_kernel(board);
}
