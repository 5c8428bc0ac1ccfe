//! The board a case runs on: 16 MiB of RAM, and ports and pages that raise interrupts.

use emu_core::memory::{MemoryError, MemoryMap, Range, Target};
use emu_core::{Attention, Bus, Tick, Width};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of RAM from address 0 on.
pub const RAM: u64 = 16 << 20;
/// Above 4 GiB the upper half of the RAM is seen again, for PSE-36 and PAE.
pub const HIGH: u64 = 1 << 32;

/// A write of vector v raises INTR; the acknowledge cycle gives v and takes it back.
pub const INTR_PORT: u16 = 0xE0;
/// A write raises an NMI.
pub const NMI_PORT: u16 = 0xE1;
/// A read of this page raises a maskable interrupt of [`MEMORY_VECTOR`], one of the next page an NMI.
pub const INTR_MEMORY: u64 = 0xE000_0000;
pub const NMI_MEMORY: u64 = INTR_MEMORY + 0x1000;
pub const MEMORY_VECTOR: u8 = 0x21;
/// What those pages read as: the selector of flat data.
pub const MEMORY_VALUE: u64 = 0x10;

/// What every port reads as, truncated to its width.
pub const PORT_VALUE: u64 = 0x8765_4321;

/// IA32_APIC_BASE: CPUID wants to know whether the local APIC is on.
const APIC_BASE: u32 = 0x1B;
const APIC_BASE_VALUE: u64 = 0xFEE0_0900;

/// One write to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortWrite {
    pub port: u16,
    pub bytes: u64,
    pub value: u64,
}

pub struct Board {
    memory: MemoryMap,
    attention: AtomicU32,
    vector: u8,
    retired: u64,
    left: u64,
    /// How often the engine may still ask for its allowance.
    patience: u64,
    pub written: Vec<PortWrite>,
}

impl Board {
    /// A board whose engine may retire `left` instructions.
    ///
    /// # Errors
    /// The host cannot give the memory.
    pub fn new(left: u64) -> Result<Self, MemoryError> {
        let mut memory = MemoryMap::new();
        let block = memory.add_block("ram", RAM)?;
        let ram = |offset| Target::Block { block, offset };
        memory.map(Range { start: 0, len: RAM, read: ram(0), write: ram(0) });
        memory.map(Range { start: HIGH, len: RAM / 2, read: ram(RAM / 2), write: ram(RAM / 2) });
        let attention = AtomicU32::new(0);
        Ok(Self { memory, attention, vector: 0, retired: 0, left, patience: left, written: Vec::new() })
    }

    /// Raises a maskable interrupt of `vector`.
    pub fn interrupt(&mut self, vector: u8) {
        self.vector = vector;
        self.attention.fetch_or(Attention::INTR, Relaxed);
    }

    /// Raises an NMI.
    pub fn nmi(&mut self) {
        self.attention.fetch_or(Attention::NMI, Relaxed);
    }

    /// Some interrupt waits.
    pub fn wants_attention(&self) -> bool {
        self.attention.load(Relaxed) != 0
    }

    /// The little-endian value of up to eight bytes of RAM.
    pub fn peek(&self, at: u64, bytes: u64) -> u64 {
        u64::from_le_bytes(self.memory.read_array(at)) & (u64::MAX >> (64 - 8 * bytes.clamp(1, 8)))
    }
}

impl Bus for Board {
    fn allowance(&mut self) -> u64 {
        self.patience = self.patience.saturating_sub(1);
        if self.patience == 0 { 0 } else { self.left }
    }
    fn retire(&mut self, n: u64) {
        self.retired += n;
        self.left = self.left.saturating_sub(n);
    }
    fn port_read(&mut self, _: u16, width: Width) -> u64 {
        PORT_VALUE & width.mask()
    }
    fn port_write(&mut self, port: u16, width: Width, value: u64) {
        self.written.push(PortWrite { port, bytes: width.bytes(), value: value & width.mask() });
        match port {
            INTR_PORT => self.interrupt(value as u8),
            NMI_PORT => self.nmi(),
            _ => {}
        }
    }
    fn memory_read(&mut self, gpa: u64, width: Width) -> u64 {
        match gpa & !0xFFF {
            INTR_MEMORY => self.interrupt(MEMORY_VECTOR),
            NMI_MEMORY => self.nmi(),
            _ => return width.mask(),
        }
        MEMORY_VALUE & width.mask()
    }
    fn memory_write(&mut self, _: u64, _: Width, _: u64) {}
    fn msr_read(&mut self, msr: u32) -> Option<u64> {
        (msr == APIC_BASE).then_some(APIC_BASE_VALUE)
    }
    fn msr_write(&mut self, _: u32, _: u64) -> Option<()> {
        None
    }
    fn cr8(&mut self) -> u8 {
        0
    }
    fn set_cr8(&mut self, _: u8) {}
    fn now(&mut self) -> Tick {
        Tick::TSC.times(self.retired)
    }
    fn attention(&self) -> &AtomicU32 {
        &self.attention
    }
    fn acknowledge(&mut self) -> u8 {
        self.attention.fetch_and(!Attention::INTR, Relaxed);
        self.vector
    }
    fn memory(&self) -> &MemoryMap {
        &self.memory
    }
}
