//! The board of the tiny machine: RAM, and devices that are a hash function.

use emu_core::memory::{BlockId, Range, Target};
use emu_core::{Attention, Bus, MemoryMap, Tick, Width};
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of RAM; the bus answers above.
pub(super) const RAM: usize = 1 << 18;

pub(super) struct Board {
    memory: MemoryMap,
    block: BlockId,
    salt: u64,
    vector: u8,
    cr8: u8,
    pub(super) attention: AtomicU32,
    pub(super) retired: u64,
    /// How far [`Self::retired`] may go.
    pub(super) limit: u64,
}

impl Board {
    pub(super) fn new(content: &[u8], salt: u64) -> Self {
        let mut memory = MemoryMap::new();
        let block = memory.add_block("fuzz", RAM as u64).expect("host memory");
        let ram = Target::Block { block, offset: 0 };
        memory.map(Range { start: 0, len: RAM as u64, read: ram, write: ram });
        memory.fill_block(block, 0, content);
        Self { memory, block, salt, vector: 0, cr8: 0, attention: AtomicU32::new(0), retired: 0, limit: 0 }
    }

    pub(super) fn signal(&mut self, signal: u32, vector: u8) {
        self.vector = vector;
        self.attention.fetch_or(signal, Ordering::Relaxed);
    }

    pub(super) fn contents(&self) -> Vec<u8> {
        let mut bytes = vec![0; RAM];
        self.memory.block(self.block).read(0, &mut bytes);
        bytes
    }

    /// What a device answers: it depends on when it is asked, so the count must be exact.
    fn answer(&self, what: u64, width: Width) -> u64 {
        let mut z = self.salt ^ what.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.retired.rotate_left(40);
        z = (z ^ (z >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        (z ^ (z >> 32)) & width.mask()
    }
}

impl Bus for Board {
    fn allowance(&mut self) -> u64 {
        self.limit.saturating_sub(self.retired)
    }

    fn retire(&mut self, n: u64) {
        self.retired += n;
        assert!(self.retired <= self.limit, "never beyond the allowance");
    }

    fn port_read(&mut self, port: u16, width: Width) -> u64 {
        self.answer(port.into(), width)
    }

    fn port_write(&mut self, _port: u16, width: Width, value: u64) {
        assert_eq!(value & !width.mask(), 0, "a value wider than the access");
    }

    fn memory_read(&mut self, gpa: u64, width: Width) -> u64 {
        assert!(gpa >> 52 == 0 && gpa % 8 + width.bytes() <= 8, "one access inside an 8-byte word: {gpa:#x}");
        self.answer(gpa, width)
    }

    fn memory_write(&mut self, gpa: u64, width: Width, value: u64) {
        assert!(gpa >> 52 == 0 && gpa % 8 + width.bytes() <= 8, "one access inside an 8-byte word: {gpa:#x}");
        assert_eq!(value & !width.mask(), 0, "a value wider than the access");
    }

    fn msr_read(&mut self, msr: u32) -> Option<u64> {
        (msr == 0x1B).then_some(0xFEE0_0900)
    }

    fn msr_write(&mut self, msr: u32, _value: u64) -> Option<()> {
        (msr == 0x1B).then_some(())
    }

    fn cr8(&mut self) -> u8 {
        self.cr8
    }

    fn set_cr8(&mut self, priority: u8) {
        self.cr8 = priority & 0xF;
    }

    fn now(&mut self) -> Tick {
        Tick::TSC.times(self.retired)
    }

    fn attention(&self) -> &AtomicU32 {
        &self.attention
    }

    fn acknowledge(&mut self) -> u8 {
        self.attention.fetch_and(!Attention::INTR, Ordering::Relaxed);
        self.vector
    }

    fn memory(&self) -> &MemoryMap {
        &self.memory
    }
}
