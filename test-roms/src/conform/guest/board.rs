//! A board with nothing on it but RAM.

use super::tables::RAM_BYTES;
use emu_core::memory::{MemoryMap, Range, Target};
use emu_core::{Bus, Tick, Width};
use std::sync::atomic::AtomicU32;

pub struct Board {
    pub memory: MemoryMap,
    pub left: u64,
    attention: AtomicU32,
    retired: u64,
}

impl Board {
    pub fn new() -> Result<Self, emu_core::memory::MemoryError> {
        let mut memory = MemoryMap::new();
        let block = memory.add_block("ram", RAM_BYTES)?;
        let ram = Target::Block { block, offset: 0 };
        memory.map(Range { start: 0, len: RAM_BYTES, read: ram, write: ram });
        Ok(Self { memory, left: 0, attention: AtomicU32::new(0), retired: 0 })
    }
}

impl Bus for Board {
    fn allowance(&mut self) -> u64 {
        self.left
    }
    fn retire(&mut self, n: u64) {
        self.left = self.left.saturating_sub(n);
        self.retired += n;
    }
    fn port_read(&mut self, _: u16, width: Width) -> u64 {
        width.mask()
    }
    fn port_write(&mut self, _: u16, _: Width, _: u64) {}
    fn memory_read(&mut self, _: u64, width: Width) -> u64 {
        width.mask()
    }
    fn memory_write(&mut self, _: u64, _: Width, _: u64) {}
    fn msr_read(&mut self, _: u32) -> Option<u64> {
        None
    }
    fn msr_write(&mut self, _: u32, _: u64) -> Option<()> {
        None
    }
    fn cr8(&mut self) -> u8 {
        0
    }
    fn set_cr8(&mut self, _: u8) {}
    fn now(&mut self) -> Tick {
        Tick(self.retired)
    }
    fn attention(&self) -> &AtomicU32 {
        &self.attention
    }
    fn acknowledge(&mut self) -> u8 {
        0xFF
    }
    fn memory(&self) -> &MemoryMap {
        &self.memory
    }
}
