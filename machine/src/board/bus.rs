//! The board as the vCPU's engine sees it.

use super::{Board, access::Side};
use emu_core::{Access, Attention, Bus, MemoryMap, Space, Tick, Width};
use std::sync::atomic::{AtomicU32, Ordering};

/// CR8 in the local APIC's MSR space: the contract's own number, outside the architectural ranges.
const CR8: u64 = 0x1_0808;

/// What the CPU takes when nobody gives a vector: a floating bus.
const NO_VECTOR: u8 = 0xFF;

impl Board {
    fn msr(&self, number: u64) -> Access {
        Access { space: Space::Msr, region: 0, offset: number, width: Width::Qword }
    }

    /// One bus cycle of the CPU: time is brought up to date before it, its effects happen after it.
    fn cycle<R>(&mut self, cycle: impl FnOnce(&mut Self) -> R) -> R {
        self.catch_up();
        let result = cycle(self);
        self.settle();
        result
    }

    fn vector(&mut self) -> u8 {
        let at = Access { space: Space::IntAck, region: 0, offset: 0, width: Width::Byte };
        let from_apic = self.local_apic.and_then(|apic| self.device_read(apic, at).ok());
        let vector = from_apic.or_else(|| self.pic.and_then(|pic| self.device_read(pic, at).ok()));
        vector.map_or(NO_VECTOR, |vector| vector.to_le_bytes()[0])
    }
}

impl Bus for Board {
    fn allowance(&mut self) -> u64 {
        if self.attention.load(Ordering::Acquire) & Attention::STOP != 0 || self.limit_reached() {
            return 0;
        }
        self.clock.allowance(self.next_moment()).min(self.limit.instructions)
    }

    fn retire(&mut self, n: u64) {
        self.clock.retire(n);
        self.limit.instructions = self.limit.instructions.saturating_sub(n);
    }

    fn port_read(&mut self, port: u16, width: Width) -> u64 {
        self.cycle(|board| board.read_at(Side::Port, port.into(), width))
    }

    fn port_write(&mut self, port: u16, width: Width, value: u64) {
        self.cycle(|board| board.write_at(Side::Port, port.into(), width, value));
    }

    fn memory_read(&mut self, gpa: u64, width: Width) -> u64 {
        self.cycle(|board| board.read_at(Side::Memory, gpa, width))
    }

    fn memory_write(&mut self, gpa: u64, width: Width, value: u64) {
        self.cycle(|board| board.write_at(Side::Memory, gpa, width, value));
    }

    fn msr_read(&mut self, msr: u32) -> Option<u64> {
        let apic = self.local_apic?;
        let at = self.msr(msr.into());
        self.cycle(|board| board.device_read(apic, at)).ok()
    }

    fn msr_write(&mut self, msr: u32, value: u64) -> Option<()> {
        let apic = self.local_apic?;
        let at = self.msr(msr.into());
        self.cycle(|board| board.device_write(apic, at, value)).ok()
    }

    fn cr8(&mut self) -> u8 {
        let at = self.msr(CR8);
        let apic = self.local_apic;
        let priority = apic.and_then(|apic| self.cycle(|board| board.device_read(apic, at)).ok());
        priority.map_or(0, |priority| priority.to_le_bytes()[0] & 0xF)
    }

    fn set_cr8(&mut self, priority: u8) {
        let at = self.msr(CR8);
        if let Some(apic) = self.local_apic {
            let _always_taken = self.cycle(|board| board.device_write(apic, at, (priority & 0xF).into()));
        }
    }

    fn now(&mut self) -> Tick {
        self.clock.sample();
        self.clock.now()
    }

    fn attention(&self) -> &AtomicU32 {
        &self.attention
    }

    fn acknowledge(&mut self) -> u8 {
        self.cycle(Self::vector)
    }

    fn memory(&self) -> &MemoryMap {
        &self.memory
    }
}
