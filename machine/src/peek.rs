//! A debugger's look at guest memory by linear address: nothing the guest could notice changes.

use crate::machine::Machine;
use emu_core::memory::{PAGE_MASK, PAGE_SIZE};
use emu_core::mmu::{Intent, Paging, Privilege, Tables, walk};
use emu_core::{MemoryMap, VcpuState};

/// Paging structures that are only read: a look sets no accessed flags.
struct Untouched<'a>(&'a MemoryMap);

impl Tables for Untouched<'_> {
    fn entry(&self, gpa: u64, wide: bool) -> u64 {
        self.0.entry(gpa, wide)
    }

    fn update(&self, _gpa: u64, _value: u64, _wide: bool) {}
}

impl Machine {
    /// Copies memory at a linear address, as far as it is mapped and plain memory; how many bytes that were.
    pub fn peek(&self, linear: u64, into: &mut [u8]) -> usize {
        let mut done = 0;
        while done < into.len() {
            let at = linear.wrapping_add(done as u64);
            let room = usize::try_from(PAGE_SIZE - (at & PAGE_MASK)).unwrap_or(0).min(into.len() - done);
            let Some(gpa) = self.physical(at).filter(|gpa| self.memory().page(*gpa).read.is_some()) else {
                break;
            };
            self.memory().read(gpa, &mut into[done..done + room]);
            done += room;
        }
        done
    }

    fn physical(&self, linear: u64) -> Option<u64> {
        let tables = Untouched(self.memory());
        // With AC set, SMAP does not hide the pages of a program (Intel SDM Vol. 3A 4.6.1).
        let anything = Privilege::Supervisor { ac: true };
        walk(&Paging::of(self.cpu()), &tables, linear, Intent::Read, anything).ok().map(|found| found.gpa)
    }
}

/// The linear address of the next instruction.
pub fn linear_rip(cpu: &VcpuState) -> u64 {
    match code_bits(cpu) {
        64 => cpu.rip,
        _ => cpu.seg[1].base.wrapping_add(cpu.rip) & 0xFFFF_FFFF,
    }
}

/// The size of the code being executed: 16, 32 or 64 (Intel SDM Vol. 3A 3.4.5, "L flag", "D/B flag").
pub fn code_bits(cpu: &VcpuState) -> u32 {
    use emu_core::vcpu::{Segment, efer};
    let cs = cpu.seg[1];
    match (cpu.efer & efer::LMA != 0 && cs.is(Segment::L), cs.is(Segment::DB)) {
        (true, _) => 64,
        (false, true) => 32,
        (false, false) => 16,
    }
}
