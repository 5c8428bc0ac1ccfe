//! Stack frames that are pushed as a whole or not at all.

use crate::interpreter::Cpu;
use crate::interpreter::memory::{SS, canonical, in_limit};
use crate::interpreter::op::Faulted;
use crate::isa::descriptor::Selector;
use crate::memory::{PAGE_MASK, PAGE_SIZE};
use crate::vcpu::Segment;

const SP: u8 = 4;
/// Nine words of a V86 interrupt and an error code, or a call gate's 31 parameters and four words.
const MOST: usize = 36;

/// A stack to push on: the current one, or one that is about to become current.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    pub segment: Segment,
    /// The stack pointer before the push.
    pub top: u64,
    /// All ones in the width of the stack pointer.
    pub mask: u64,
    /// A 64-bit stack: no segment, canonical addresses.
    pub long: bool,
    /// Accesses have user privilege.
    pub user: bool,
    /// Error code of the #SS if it is too small.
    pub error: u32,
}

impl Stack {
    /// The current stack. Too small: #SS(0), with EXT.
    pub fn current(cpu: &Cpu, ext: u32) -> Self {
        Self {
            segment: cpu.s.seg[SS as usize],
            top: cpu.sp(),
            mask: cpu.sp_mask,
            long: cpu.mode.long,
            user: cpu.cpl == 3,
            error: ext,
        }
    }

    /// The current stack as code in segment `code` sees it. Too small: #SS(0).
    pub fn seen_from(cpu: &Cpu, code: &Segment) -> Self {
        let segment = cpu.s.seg[SS as usize];
        let long = cpu.long_mode() && code.is(Segment::L);
        let mask = match (long, segment.is(Segment::DB)) {
            (true, _) => u64::MAX,
            (false, true) => u64::from(u32::MAX),
            (false, false) => 0xFFFF,
        };
        Self { segment, top: cpu.r.get(SP) & mask, mask, long, user: cpu.cpl == 3, error: 0 }
    }

    /// A stack of inner privilege in a legacy segment.
    pub fn inner(segment: Segment, top: u64, ext: u32) -> Self {
        let mask = if segment.is(Segment::DB) { u64::from(u32::MAX) } else { 0xFFFF };
        let error = Selector(segment.selector).error() | ext;
        Self { segment, top: top & mask, mask, long: false, user: false, error }
    }

    /// A 64-bit stack of inner privilege: SS is null with the new CPL as its RPL (Intel SDM Vol. 3A 6.14.2).
    pub fn long(cpl: u8, top: u64, user: bool, ext: u32) -> Self {
        Self { segment: null_ss(cpl), top, mask: u64::MAX, long: true, user, error: ext }
    }

    fn linear(&self, offset: u64) -> u64 {
        if self.long { offset } else { self.segment.base.wrapping_add(offset) & 0xFFFF_FFFF }
    }

    fn allows(&self, offset: u64, size: u64) -> bool {
        if self.long {
            canonical(offset) && canonical(offset.wrapping_add(size - 1))
        } else {
            self.segment.usable() && self.segment.writable() && in_limit(&self.segment, offset, size)
        }
    }
}

/// A null stack selector of 64-bit mode. The DPL stays valid: it is where the CPL is kept.
pub const fn null_ss(cpl: u8) -> Segment {
    Segment { selector: cpl as u16, rights: (cpl as u16) << 5, limit: 0, base: 0 }
}

/// Values to be pushed, the first one deepest.
pub struct Frame {
    values: [u64; MOST],
    len: usize,
    /// Bytes per value: 2, 4 or 8.
    size: u64,
}

impl Frame {
    pub fn new(size: u64) -> Self {
        Self { values: [0; MOST], len: 0, size }
    }

    /// Adds a value; truncated to the frame's size.
    pub fn push(&mut self, value: u64) {
        self.values[self.len] = value;
        self.len += 1;
    }

    /// Adds several values, the first one deepest.
    pub fn extend(&mut self, values: &[u64]) {
        values.iter().for_each(|value| self.push(*value));
    }

    fn offset(&self, stack: &Stack, n: usize) -> u64 {
        stack.top.wrapping_sub((n as u64 + 1) * self.size) & stack.mask
    }

    /// The stack pointer after the push.
    pub fn sp(&self, stack: &Stack) -> u64 {
        stack.top.wrapping_sub(self.len as u64 * self.size) & stack.mask
    }

    /// Makes sure that [`Frame::store`] will succeed.
    pub fn probe(&self, cpu: &mut Cpu, stack: &Stack) -> Result<(), Faulted> {
        for n in 0..self.len {
            if !stack.allows(self.offset(stack, n), self.size) {
                return Err(cpu.ss(stack.error));
            }
        }
        let (start, total) = (self.sp(stack), self.len as u64 * self.size);
        let contiguous = start.checked_add(total - 1).is_some_and(|last| last <= stack.mask);
        if contiguous && !stack.user && cpu.holds_sys(stack.linear(start), total) {
            return Ok(());
        }
        // In the order of the pushes: CR2 is that of the first one that fails.
        for n in 0..self.len {
            let linear = stack.linear(self.offset(stack, n));
            if stack.user {
                cpu.probe_write(linear, self.size, SS)?;
            } else {
                probe_pages(cpu, linear, self.size)?;
            }
        }
        Ok(())
    }

    /// Writes the values with the current privilege, which is that of the stack by now. The stack pointer is left to
    /// the caller.
    pub fn store(&self, cpu: &mut Cpu, stack: &Stack) -> Result<(), Faulted> {
        for n in 0..self.len {
            let linear = stack.linear(self.offset(stack, n));
            let value = self.values[n];
            match self.size {
                2 => cpu.write(linear, value as u16, SS)?,
                4 => cpu.write(linear, value as u32, SS)?,
                _ => cpu.write(linear, value, SS)?,
            }
        }
        Ok(())
    }

    /// Probes, writes and moves the stack pointer, for a stack that is current and stays so.
    pub fn push_now(&self, cpu: &mut Cpu, stack: &Stack) -> Result<(), Faulted> {
        self.probe(cpu, stack)?;
        self.store(cpu, stack)?;
        cpu.set_sp(self.sp(stack));
        Ok(())
    }
}

/// Supervisor write probe of at most a page, in pieces that do not cross one: the address may be wider than those
/// of the mode that is still current.
fn probe_pages(cpu: &mut Cpu, linear: u64, size: u64) -> Result<(), Faulted> {
    let first = (PAGE_SIZE - (linear & PAGE_MASK)).min(size);
    if first < size {
        cpu.probe_sys(linear.wrapping_add(first), size - first)?;
    }
    cpu.probe_sys(linear, first)
}
