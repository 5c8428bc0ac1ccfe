//! A board with nothing on it but RAM, for tests of the engine alone.

use emu_core::isa::cpuid;
use emu_core::memory::{MemoryMap, Range, Target};
use emu_core::vcpu::{Segment, VcpuState, cr0, cr4, efer};
use emu_core::{Bus, Tick, Width};
use std::sync::atomic::AtomicU32;

#[allow(dead_code)] // each test file uses its part
pub struct FlatBus {
    pub memory: MemoryMap,
    pub attention: AtomicU32,
    pub left: u64,
    pub retired: u64,
    /// The count of retired instructions at each device access.
    pub accesses: Vec<u64>,
}

impl FlatBus {
    pub fn new(bytes: u64) -> Self {
        let mut memory = MemoryMap::new();
        let block = memory.add_block("ram", bytes).expect("memory");
        let ram = Target::Block { block, offset: 0 };
        memory.map(Range { start: 0, len: bytes, read: ram, write: ram });
        Self { memory, attention: AtomicU32::new(0), left: 0, retired: 0, accesses: Vec::new() }
    }
}

impl Bus for FlatBus {
    fn allowance(&mut self) -> u64 {
        self.left
    }
    fn retire(&mut self, n: u64) {
        self.left -= n;
        self.retired += n;
    }
    fn port_read(&mut self, _: u16, width: Width) -> u64 {
        width.mask()
    }
    fn port_write(&mut self, _: u16, _: Width, _: u64) {}
    fn memory_read(&mut self, _: u64, width: Width) -> u64 {
        self.accesses.push(self.retired);
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

/// 64-bit mode at CPL 0 with the first GiB identity-mapped by one 1 GiB page (tables at 2000h and 3000h).
#[allow(dead_code)]
pub fn long_mode_state(memory: &MemoryMap) -> VcpuState {
    memory.write(0x2000, &0x3003u64.to_le_bytes());
    memory.write(0x3000, &0x83u64.to_le_bytes());
    let mut cpu = VcpuState::at_reset(cpuid::by_name("max").expect("a model of the table"), 0);
    cpu.cr0 = cr0::PE | cr0::PG | cr0::ET | cr0::NE;
    cpu.cr4 = cr4::PAE | cr4::OSFXSR | cr4::OSXMMEXCPT;
    cpu.cr3 = 0x2000;
    cpu.efer = efer::LME | efer::LMA;
    let data = Segment { selector: 16, rights: 0xC093, limit: u32::MAX, base: 0 };
    cpu.seg = [data; 6];
    cpu.seg[1] = Segment { selector: 8, rights: 0xA09B, limit: u32::MAX, base: 0 };
    cpu
}
