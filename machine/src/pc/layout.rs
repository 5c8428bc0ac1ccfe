//! Where memory appears (82441FX, "System Address Map").

use crate::board::{Blocks, SHADOW_LEN};
use emu_core::MemoryMap;
use emu_core::memory::{BlockId, MemoryError, PAGE_SIZE, Range, Target};

/// RAM below 4 GiB ends here at the latest; above lie PCI memory and the interrupt controllers.
pub const LOW_END: u64 = 0xC000_0000;
/// The rest of RAM starts here.
pub const HIGH_START: u64 = 1 << 32;
/// Conventional memory ends here; A0000h-BFFFFh is VGA memory.
pub const CONVENTIONAL_END: u64 = 0xA_0000;
/// The extended BIOS data area: the last kilobyte of conventional memory.
pub const EBDA: u64 = 0x9_FC00;
/// Where the firmware appears below 1 MiB.
pub const BIOS_START: u64 = 0xE_0000;
/// The first address above the legacy area.
pub const MEGABYTE: u64 = 0x10_0000;
/// At the top of low RAM, when a kernel is started directly: our ACPI tables.
pub const ACPI_LEN: u64 = 0x1_0000;

/// What a range of addresses is for (ACPI 6.5, table 15.4, "Address Range Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum RangeType {
    Memory = 1,
    Reserved = 2,
    AcpiReclaim = 3,
    AcpiNvs = 4,
}

/// One row of the memory map a guest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct E820 {
    pub start: u64,
    pub len: u64,
    pub kind: RangeType,
}

impl E820 {
    const fn new(start: u64, end: u64, kind: RangeType) -> Self {
        Self { start, len: end - start, kind }
    }
}

/// How much RAM there is, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    memory: u64,
}

impl Layout {
    pub const fn new(memory: u64) -> Self {
        Self { memory }
    }

    /// Bytes of RAM.
    pub const fn memory(&self) -> u64 {
        self.memory
    }

    /// The end of RAM below 4 GiB.
    pub fn low_end(&self) -> u64 {
        self.memory.min(LOW_END)
    }

    /// Bytes of RAM above 4 GiB.
    pub fn high(&self) -> u64 {
        self.memory.saturating_sub(LOW_END)
    }

    fn high_row(&self) -> Option<E820> {
        let row = E820 { start: HIGH_START, len: self.high(), kind: RangeType::Memory };
        (row.len > 0).then_some(row)
    }

    /// What firmware is told: RAM by its address, nothing carved out (QEMU, docs/specs/fw_cfg, `etc/e820`).
    pub fn e820_for_firmware(&self) -> Vec<E820> {
        let low = E820::new(0, self.low_end(), RangeType::Memory);
        [Some(low), self.high_row()].into_iter().flatten().collect()
    }

    /// Where the ACPI tables of a directly started kernel lie.
    pub fn acpi(&self) -> u64 {
        self.low_end().saturating_sub(ACPI_LEN)
    }

    /// What a directly started kernel is told, as a firmware would have said it.
    pub fn e820_for_kernel(&self) -> Vec<E820> {
        use RangeType::{AcpiNvs, AcpiReclaim, Memory, Reserved};
        let (acpi, end) = (self.acpi(), self.low_end());
        let mut rows = vec![
            E820::new(0, EBDA, Memory),
            E820::new(EBDA, CONVENTIONAL_END, Reserved),
            E820::new(BIOS_START, MEGABYTE, Reserved),
        ];
        if acpi > MEGABYTE {
            rows.push(E820::new(MEGABYTE, acpi, Memory));
            rows.push(E820::new(acpi, acpi + PAGE_SIZE, AcpiNvs));
            rows.push(E820::new(acpi + PAGE_SIZE, end, AcpiReclaim));
        }
        // The interrupt controllers and the firmware flash.
        rows.push(E820::new(0xFEC0_0000, 0xFEC0_1000, Reserved));
        rows.push(E820::new(0xFED0_0000, 0xFED0_0400, Reserved));
        rows.push(E820::new(0xFEE0_0000, 0xFEE0_1000, Reserved));
        rows.push(E820::new(0xFFFC_0000, HIGH_START, Reserved));
        rows.extend(self.high_row());
        rows
    }

    /// The mapped memory of a machine, all zero, with `firmware` bytes of ROM below 4 GiB.
    ///
    /// # Errors
    /// The host cannot give the memory.
    pub fn build(&self, firmware: u64) -> Result<Memory, MemoryError> {
        let mut map = MemoryMap::new();
        let ram = map.add_block("ram", self.memory)?;
        let rom = map.add_block("rom", SHADOW_LEN)?;
        let video = map.add_block("video", devices::vga::VIDEO_MEMORY)?;
        let flash = if firmware > 0 { Some(map.add_block("firmware", firmware)?) } else { None };
        let both = |start, len, block, offset| {
            let target = Target::Block { block, offset };
            map.map(Range { start, len, read: target, write: target });
        };
        both(0, CONVENTIONAL_END, ram, 0);
        if self.low_end() > MEGABYTE {
            both(MEGABYTE, self.low_end() - MEGABYTE, ram, MEGABYTE);
        }
        if self.high() > 0 {
            both(HIGH_START, self.high(), ram, LOW_END);
        }
        if let Some(block) = flash {
            let (start, read) = (HIGH_START - firmware, Target::Block { block, offset: 0 });
            map.map(Range { start, len: firmware, read, write: Target::Bus });
        }
        let rom_at = (BIOS_START, MEGABYTE - BIOS_START);
        Ok(Memory { map, blocks: Blocks { ram, rom, rom_at, video }, flash })
    }
}

/// A machine's memory and its blocks.
#[derive(Debug)]
pub struct Memory {
    pub map: MemoryMap,
    pub blocks: Blocks,
    pub flash: Option<BlockId>,
}

/// Burns a firmware image: the flash, and its last 128 KiB below 1 MiB, where `rom` is the image of the shadow area.
pub fn burn(map: &MemoryMap, rom: BlockId, flash: Option<BlockId>, image: &[u8]) {
    let area = usize::try_from(MEGABYTE - BIOS_START).expect("128 KiB");
    if let Some(flash) = flash {
        map.fill_block(flash, 0, image);
    }
    let tail = &image[image.len().saturating_sub(area)..];
    map.fill_block(rom, SHADOW_LEN - tail.len() as u64, tail);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_gibibytes_go_around_the_hole() {
        let layout = Layout::new(5 << 30);
        let memory = layout.build(0x2_0000).expect("memory is only reserved").map;
        memory.write(LOW_END - 1, &[1]);
        memory.write(LOW_END, &[2]);
        memory.write(HIGH_START, &[3]);
        memory.write(HIGH_START + (2 << 30) - 1, &[4]);
        memory.write(HIGH_START + (2 << 30), &[5]);
        let read = |gpa| memory.read_array::<1>(gpa)[0];
        assert_eq!(read(LOW_END - 1), 1);
        assert_eq!(read(LOW_END), 0xFF);
        assert_eq!(read(HIGH_START), 3);
        assert_eq!(read(HIGH_START + (2 << 30) - 1), 4);
        assert_eq!(read(HIGH_START + (2 << 30)), 0xFF);
        assert_eq!(read(0xB_8000), 0xFF, "VGA memory is the bus's");
    }

    #[test]
    fn rows_are_sorted_and_do_not_overlap() {
        for mebibytes in [1, 2, 16, 3071, 3072, 3073, 5120] {
            let layout = Layout::new(mebibytes << 20);
            for rows in [layout.e820_for_kernel(), layout.e820_for_firmware()] {
                for pair in rows.windows(2) {
                    assert!(pair[0].start + pair[0].len <= pair[1].start, "{mebibytes} MiB: {pair:x?}");
                }
                assert!(rows.iter().all(|row| row.len > 0));
            }
        }
    }

    #[test]
    fn a_firmware_ends_at_both_tops() {
        let memory = Layout::new(1 << 20).build(0x4_0000).expect("memory");
        let mut image = vec![0; 0x4_0000];
        image[0x4_0000 - 16] = 0xEA;
        burn(&memory.map, memory.blocks.rom, memory.flash, &image);
        assert_eq!(memory.map.read_array(0xFFFF_FFF0), [0xEA]);
        memory.map.write(0xFFFF_FFF0, &[1]);
        assert_eq!(memory.map.read_array(0xFFFF_FFF0), [0xEA], "read-only");
        let mut low = [0];
        memory.map.block(memory.blocks.rom).read(0xF_FFF0 - crate::board::SHADOW_START, &mut low);
        assert_eq!(low, [0xEA]);
    }
}
