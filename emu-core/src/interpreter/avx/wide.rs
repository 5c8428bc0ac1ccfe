//! Loads and stores of 32 bytes: one access as to faults, whatever it crosses.
#![allow(unsafe_code)] // host pointers to guest pages, from the TLB

use super::operand::Ymm;
use crate::interpreter::Cpu;
use crate::interpreter::op::Faulted;
use crate::memory::PAGE_SIZE;

pub const BYTES: u64 = size_of::<Ymm>() as u64;

impl Cpu {
    /// Reads through the TLB; `None` on a miss.
    #[inline(always)]
    pub fn probe_and_read_ymm(&mut self, linear: u64) -> Option<Ymm> {
        let entry = self.tlb.read_entry(linear);
        if (linear ^ entry.tag) > PAGE_SIZE - BYTES {
            return None;
        }
        // SAFETY: a valid tag means that `linear + addend` is this page in a live host mapping (the memory map
        // outlives the run, and the TLB is flushed when the map changes), and the whole access is inside it.
        Some(unsafe { std::ptr::read_unaligned(linear.wrapping_add(entry.addend) as *const Ymm) })
    }

    /// Writes through the TLB; `None` on a miss.
    #[inline(always)]
    pub fn probe_and_write_ymm(&mut self, linear: u64, value: Ymm) -> Option<()> {
        let entry = self.tlb.write_entry(linear);
        if (linear ^ entry.tag) > PAGE_SIZE - BYTES {
            return None;
        }
        // SAFETY: as for reads; write tags are valid only for RAM that is writable, dirty and holds no code.
        unsafe { std::ptr::write_unaligned(linear.wrapping_add(entry.addend) as *mut Ymm, value) };
        Some(())
    }

    #[inline(never)]
    pub fn read_ymm(&mut self, linear: u64, seg: u8) -> Result<Ymm, Faulted> {
        self.probe_read(linear, BYTES, seg)?;
        let low = self.read(linear, seg)?;
        Ok([low, self.read(self.wrapped(linear, 16), seg)?])
    }

    #[inline(never)]
    pub fn write_ymm(&mut self, linear: u64, value: Ymm, seg: u8) -> Result<(), Faulted> {
        self.probe_write(linear, BYTES, seg)?;
        self.write(linear, value[0], seg)?;
        self.write(self.wrapped(linear, 16), value[1], seg)
    }
}
