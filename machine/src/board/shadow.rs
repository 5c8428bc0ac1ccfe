//! The 256 KiB below 1 MiB, where RAM lies behind ROM (82441FX, "PAM - Programmable Attribute Map Registers").

use emu_core::memory::{BlockId, MemoryMap, PAGE_SIZE, Range, Target};
use serde::{Deserialize, Serialize};

/// First address of the area.
pub const START: u64 = 0xC_0000;
/// Bytes in the area.
pub const LEN: u64 = 0x4_0000;
const PAGES: u64 = LEN / PAGE_SIZE;

/// What answers in the shadow area, page by page: bit 0 of each mask is the page at C0000h.
#[derive(Debug)]
pub(crate) struct ShadowArea {
    ram: BlockId,
    rom: BlockId,
    /// Pages of the area that hold ROM; the others read from the bus.
    rom_pages: u64,
    enabled: Enabled,
}

/// Where reads and writes go to RAM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enabled {
    read_ram: u64,
    write_ram: u64,
}

impl ShadowArea {
    /// `ram` holds the RAM from address 0 on; `rom` is an image of the whole area.
    pub(crate) fn new(ram: BlockId, rom: BlockId, rom_pages: u64) -> Self {
        Self { ram, rom, rom_pages, enabled: Enabled::default() }
    }

    /// Sends reads and writes of the pages wholly or partly inside `start..start+len` to RAM or not.
    pub(crate) fn set(&mut self, memory: &MemoryMap, start: u64, len: u64, read_ram: bool, write_ram: bool) {
        let pages = mask(start, len);
        let apply = |old: u64, on: bool| if on { old | pages } else { old & !pages };
        let enabled = Enabled {
            read_ram: apply(self.enabled.read_ram, read_ram),
            write_ram: apply(self.enabled.write_ram, write_ram),
        };
        if enabled != self.enabled {
            self.enabled = enabled;
            self.map(memory);
        }
    }

    /// Everything from ROM, writes nowhere: what the PAM registers say after reset.
    pub(crate) fn reset(&mut self, memory: &MemoryMap) {
        self.restore(memory, Enabled::default());
    }

    pub(crate) fn save(&self) -> Enabled {
        self.enabled
    }

    pub(crate) fn restore(&mut self, memory: &MemoryMap, enabled: Enabled) {
        self.enabled = enabled;
        self.map(memory);
    }

    fn targets(&self, page: u64) -> (Target, Target) {
        let on = |mask: u64| mask & (1 << page) != 0;
        let ram = Target::Block { block: self.ram, offset: START + page * PAGE_SIZE };
        let rom = Target::Block { block: self.rom, offset: page * PAGE_SIZE };
        let behind = if on(self.rom_pages) { rom } else { Target::Bus };
        let read = if on(self.enabled.read_ram) { ram } else { behind };
        let write = if on(self.enabled.write_ram) { ram } else { Target::Bus };
        (read, write)
    }

    /// Maps runs of pages that answer alike as one range each.
    fn map(&self, memory: &MemoryMap) {
        let kind = |page: u64| {
            [self.rom_pages, self.enabled.read_ram, self.enabled.write_ram].map(|mask| (mask >> page) & 1)
        };
        let mut page = 0;
        while page < PAGES {
            let run = (page..PAGES).take_while(|&next| kind(next) == kind(page)).count() as u64;
            let (read, write) = self.targets(page);
            memory.map(Range { start: START + page * PAGE_SIZE, len: run * PAGE_SIZE, read, write });
            page += run;
        }
    }
}

/// The pages of the area that `start..start+len` touches.
pub(crate) fn mask(start: u64, len: u64) -> u64 {
    let end = start.saturating_add(len);
    (0..PAGES)
        .filter(|page| {
            let at = START + page * PAGE_SIZE;
            start < at + PAGE_SIZE && at < end
        })
        .fold(0, |mask, page| mask | 1 << page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area() -> (MemoryMap, ShadowArea) {
        let mut memory = MemoryMap::new();
        let ram = memory.add_block("ram", 0x10_0000).expect("memory");
        let rom = memory.add_block("rom", LEN).expect("memory");
        memory.fill_block(rom, 0, &vec![0xAA; LEN as usize]);
        memory.fill_block(ram, START, &vec![0x55; LEN as usize]);
        let mut area = ShadowArea::new(ram, rom, mask(0xE_0000, 0x2_0000));
        area.reset(&memory);
        (memory, area)
    }

    #[test]
    fn rom_then_copy_through_then_ram() {
        let (memory, mut area) = area();
        assert_eq!(memory.read_array(0xF_FFF0), [0xAA]);
        assert_eq!(memory.read_array(0xC_0000), [0xFF], "no ROM there: the bus");
        area.set(&memory, 0xF_0000, 0x1_0000, false, true);
        memory.write(0xF_FFF0, &[1]);
        assert_eq!(memory.read_array(0xF_FFF0), [0xAA], "writes go to RAM, reads still come from ROM");
        area.set(&memory, 0xF_0000, 0x1_0000, true, false);
        assert_eq!(memory.read_array(0xF_FFF0), [1]);
        memory.write(0xF_FFF0, &[2]);
        assert_eq!(memory.read_array(0xF_FFF0), [1], "write protected");
    }

    #[test]
    fn only_the_named_segment_changes() {
        let (memory, mut area) = area();
        area.set(&memory, 0xC_8000, 0x4000, true, true);
        assert_eq!(memory.read_array(0xC_7FFF), [0xFF]);
        assert_eq!(memory.read_array(0xC_8000), [0x55]);
        assert_eq!(memory.read_array(0xC_BFFF), [0x55]);
        assert_eq!(memory.read_array(0xC_C000), [0xFF]);
        area.set(&memory, u64::MAX, u64::MAX, true, true);
        assert_eq!(memory.read_array(0xC_C000), [0xFF], "outside the area nothing happens");
    }
}
