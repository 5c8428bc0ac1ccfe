//! Probes before several stores, system accesses whatever the CPL, and data breakpoints.

use super::Cpu;
use super::op::Faulted;
use super::tlb::Bank;
use super::word::Scalar;
use crate::memory::{PAGE_MASK, PAGE_SIZE};
use crate::mmu::{Intent, Privilege};
use crate::vcpu::cr4;

/// R/W fields of DR7 (Intel SDM Vol. 3B 17.2.4).
const WRITE: u64 = 1;
const PORT: u64 = 2;
const READ_WRITE: u64 = 3;

impl Cpu {
    /// Makes sure that a later write of `size` bytes (any size up to a page) will not fault. Part of what makes
    /// faults precise: instructions with several stores probe them all first.
    pub fn probe_write(&mut self, linear: u64, size: u64, seg: u8) -> Result<(), Faulted> {
        self.check_address(linear, size, seg)?;
        let (bank, privilege) = (self.tlb.bank(), self.privilege());
        self.probe(linear, size, Intent::Write, bank, privilege)
    }

    /// Makes sure that a later read of `size` bytes (any size up to a page) will not fault.
    pub fn probe_read(&mut self, linear: u64, size: u64, seg: u8) -> Result<(), Faulted> {
        self.check_address(linear, size, seg)?;
        let (bank, privilege) = (self.tlb.bank(), self.privilege());
        self.probe(linear, size, Intent::Read, bank, privilege)
    }

    fn probe(
        &mut self,
        linear: u64,
        size: u64,
        intent: Intent,
        bank: Bank,
        p: Privilege,
    ) -> Result<(), Faulted> {
        let first = (PAGE_SIZE - (linear & PAGE_MASK)).min(size);
        let next = self.wrapped(linear, first);
        let gpa = self.translate_and_fill(linear, intent, bank, p)?;
        if first < size {
            let gpa2 = self.translate_and_fill(next, intent, bank, p)?;
            self.plain_or_one_shot(gpa2, size - first, intent)?;
        }
        self.plain_or_one_shot(gpa, first, intent)
    }

    fn plain_or_one_shot(&mut self, gpa: u64, size: u64, intent: Intent) -> Result<(), Faulted> {
        if intent == Intent::Write {
            self.writable_now(gpa, size)
        } else if self.memory().page(gpa).read.is_none() {
            self.need_one_shot()
        } else {
            Ok(())
        }
    }

    /// Supervisor read whatever the CPL: descriptor tables, TSS, interrupt stacks.
    pub fn read_sys<T: Scalar>(&mut self, linear: u64) -> Result<T, Faulted> {
        let linear = linear & self.system_mask();
        match Self::read_by(self.tlb.read_entry_of(Bank::Supervisor, linear), linear) {
            Some(value) => Ok(value),
            None => {
                self.read_through(linear, T::SIZE, Bank::Supervisor, Privilege::Implicit).map(T::from_wide)
            }
        }
    }

    /// Supervisor write whatever the CPL.
    pub fn write_sys<T: Scalar>(&mut self, linear: u64, value: T) -> Result<(), Faulted> {
        let linear = linear & self.system_mask();
        self.write_through(linear, T::SIZE, value.to_wide(), Bank::Supervisor, Privilege::Implicit)
    }

    /// Whether the TLB knows that a system write of `size` bytes will not fault.
    pub fn holds_sys(&self, linear: u64, size: u64) -> bool {
        let linear = linear & self.system_mask();
        let entry = self.tlb.write_entry_of(Bank::Supervisor, linear);
        (linear ^ entry.tag) <= PAGE_SIZE - size
    }

    /// Makes sure that later system writes of `size` bytes will not fault.
    pub fn probe_sys(&mut self, linear: u64, size: u64) -> Result<(), Faulted> {
        if self.holds_sys(linear, size) {
            return Ok(());
        }
        let linear = linear & self.system_mask();
        self.probe(linear, size, Intent::Write, Bank::Supervisor, Privilege::Implicit)
    }

    /// The address `by` bytes further on. System structures of long mode may lie beyond the addresses of the code
    /// that is running.
    pub(super) fn wrapped(&self, linear: u64, by: u64) -> u64 {
        linear.wrapping_add(by) & if linear > self.addr_mask { u64::MAX } else { self.addr_mask }
    }

    /// In long mode system structures live at 64-bit addresses even while compatibility code runs.
    fn system_mask(&self) -> u64 {
        if self.long_mode() { u64::MAX } else { u64::from(u32::MAX) }
    }

    /// Reads guest-physical memory directly (A20 applied); not for devices.
    pub fn read_gpa<const N: usize>(&self, gpa: u64) -> [u8; N] {
        self.memory().read_array(gpa & self.paging.a20_mask)
    }

    /// Data breakpoints: a hit is a trap after the instruction.
    pub(super) fn watch(&mut self, linear: u64, size: u64, write: bool) {
        self.note_hits(linear, size, |kind| kind == READ_WRITE || (kind == WRITE && write));
    }

    /// Port breakpoints, which need CR4.DE.
    pub(super) fn watch_port(&mut self, port: u16, size: u64) {
        if self.s.cr4 & cr4::DE != 0 {
            self.note_hits(u64::from(port), size, |kind| kind == PORT);
        }
    }

    /// Breakpoints of some kinds whose bytes overlap an access (Intel SDM Vol. 3B 17.2.5).
    fn note_hits(&mut self, at: u64, size: u64, counts: impl Fn(u64) -> bool) {
        if self.s.dr7 & 0xFF == 0 {
            return;
        }
        for n in 0..4 {
            let enabled = self.s.dr7 >> (2 * n) & 3 != 0;
            if !enabled || !counts(self.s.dr7 >> (16 + 4 * n) & 3) {
                continue;
            }
            let len = [1, 2, 8, 4][(self.s.dr7 >> (18 + 4 * n) & 3) as usize];
            let start = self.s.dr[n as usize] & !(len - 1);
            if at < start.wrapping_add(len) && start < at.wrapping_add(size) {
                self.s.pending_debug |= 1 << n;
            }
        }
    }
}
