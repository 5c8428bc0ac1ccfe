//! Loads and stores of the interpreter: the TLB probe, and everything it does not cover.
#![allow(unsafe_code)] // host pointers to guest pages, from the memory map

use super::cache::Overwritten;
use super::exception::Why;
pub use super::limits::{canonical, in_limit};
use super::op::{Faulted, Op};
use super::tlb::{Bank, Entry};
use super::word::Scalar;
use super::{Cpu, exception::vector};
use crate::MemoryMap;
use crate::Width;
use crate::memory::{CODE, DIRTY, PAGE_MASK, PAGE_SIZE, PageView, Window};
use crate::mmu::{Intent, Privilege, Tables, Translation, walk};
use crate::vcpu::{cr0, rflags};

/// Stack segment, for fault classes.
pub const SS: u8 = 2;
/// "No segment": a system access.
pub const DS: u8 = 3;

impl Cpu {
    // ---- addresses -------------------------------------------------------------------------------------------

    /// The linear address of the memory operand, checked against its segment for `size` bytes.
    #[inline(always)]
    pub fn linear<const WRITE: bool>(&mut self, op: &Op, size: u64) -> Result<u64, Faulted> {
        if op.flat { Ok(self.flat_linear(op)) } else { self.linear_checked(op, size, WRITE) }
    }

    /// The linear address of a memory operand that needs no segment check.
    #[inline(always)]
    pub fn flat_linear(&self, op: &Op) -> u64 {
        self.r
            .get(op.base)
            .wrapping_add(self.r.get(op.index) << (op.scale & 3))
            .wrapping_add(op.disp)
            .wrapping_add(self.r.get(op.seg_slot))
            & self.addr_mask
    }

    /// The effective address (offset in its segment) of the memory operand, as LEA gives it before truncation to
    /// the operand size.
    #[inline(always)]
    pub fn effective(&self, op: &Op) -> u64 {
        let sum =
            self.r.get(op.base).wrapping_add(self.r.get(op.index) << (op.scale & 3)).wrapping_add(op.disp);
        match op.addr_bytes {
            8 => sum,
            4 => sum & 0xFFFF_FFFF,
            _ => sum & 0xFFFF,
        }
    }

    #[inline(never)]
    fn linear_checked(&mut self, op: &Op, size: u64, write: bool) -> Result<u64, Faulted> {
        let offset = self.effective(op);
        if self.mode.long {
            return Ok(offset.wrapping_add(self.r.get(op.seg_slot)));
        }
        self.segment_linear(op.seg, offset, size, write)
    }

    /// Segment checks of legacy modes (Intel SDM Vol. 3A 5.3, 5.5): the linear address of `size` bytes at `offset`.
    pub fn segment_linear(&mut self, seg: u8, offset: u64, size: u64, write: bool) -> Result<u64, Faulted> {
        let segment = self.s.seg[seg as usize];
        if self.mode.long {
            let base = if seg >= 4 { segment.base } else { 0 };
            return Ok(base.wrapping_add(offset));
        }
        let allowed = if write { segment.writable() } else { segment.readable() };
        // Real and V86 mode ignore the type, except that what a protected-mode program left there counts.
        if !segment.usable() || !allowed {
            return Err(self.segment_fault(seg));
        }
        if !in_limit(&segment, offset, size) {
            return Err(self.segment_fault(seg));
        }
        Ok(segment.base.wrapping_add(offset) & 0xFFFF_FFFF)
    }

    // ---- fast path -------------------------------------------------------------------------------------------

    /// Reads through the TLB; `None` on a miss.
    #[inline(always)]
    pub fn probe_and_read<T: Scalar>(&mut self, linear: u64) -> Option<T> {
        Self::read_by(self.tlb.read_entry(linear), linear)
    }

    #[inline(always)]
    pub(super) fn read_by<T: Scalar>(entry: Entry, linear: u64) -> Option<T> {
        if (linear ^ entry.tag) > PAGE_SIZE - T::SIZE {
            return None;
        }
        // SAFETY: a valid tag means that `linear + addend` is this page in a live host mapping (the memory map
        // outlives the run, and the TLB is flushed when the map changes), and the whole access is inside it.
        Some(unsafe { std::ptr::read_unaligned(linear.wrapping_add(entry.addend) as *const T) })
    }

    /// Writes through the TLB; `None` on a miss.
    #[inline(always)]
    pub fn probe_and_write<T: Scalar>(&mut self, linear: u64, value: T) -> Option<()> {
        let entry = self.tlb.write_entry(linear);
        if (linear ^ entry.tag) > PAGE_SIZE - T::SIZE {
            return None;
        }
        // SAFETY: as for reads; write tags are valid only for RAM that is writable, dirty and holds no code.
        unsafe { std::ptr::write_unaligned(linear.wrapping_add(entry.addend) as *mut T, value) };
        Some(())
    }

    /// Read-modify-write of a host address that a write probe has given.
    #[inline(always)]
    pub(super) fn modify_at<T: Scalar>(&mut self, host: u64, f: impl FnOnce(&mut Self, T) -> T) {
        let host = host as *mut T;
        // SAFETY: the caller has probed for writing; a page that is writable through the TLB is readable too.
        unsafe {
            let old = std::ptr::read_unaligned(host);
            let new = f(self, old);
            std::ptr::write_unaligned(host, new);
        }
    }

    /// Loads from a linear address with the current privilege. `seg` only chooses the fault class.
    #[inline(always)]
    pub fn read<T: Scalar>(&mut self, linear: u64, seg: u8) -> Result<T, Faulted> {
        match self.probe_and_read(linear) {
            Some(value) => Ok(value),
            None => self.read_slow(linear, T::SIZE, seg).map(T::from_wide),
        }
    }

    /// Stores to a linear address with the current privilege.
    #[inline(always)]
    pub fn write<T: Scalar>(&mut self, linear: u64, value: T, seg: u8) -> Result<(), Faulted> {
        match self.probe_and_write(linear, value) {
            Some(()) => Ok(()),
            None => self.write_slow(linear, T::SIZE, value.to_wide(), seg),
        }
    }

    /// The memory operand's value.
    #[inline(always)]
    pub fn load<T: Scalar>(&mut self, op: &Op) -> Result<T, Faulted> {
        let linear = self.linear::<false>(op, T::SIZE)?;
        self.read(linear, op.seg)
    }

    #[inline(always)]
    pub fn store<T: Scalar>(&mut self, op: &Op, value: T) -> Result<(), Faulted> {
        let linear = self.linear::<true>(op, T::SIZE)?;
        self.write(linear, value, op.seg)
    }

    /// Read-modify-write of the memory operand: checks for writing first, commits flags (in `f`) only when both
    /// accesses are known to succeed.
    #[inline(always)]
    pub fn modify<T: Scalar>(&mut self, op: &Op, f: impl FnOnce(&mut Self, T) -> T) -> Result<(), Faulted> {
        let linear = self.linear::<true>(op, T::SIZE)?;
        let entry = self.tlb.write_entry(linear);
        if (linear ^ entry.tag) <= PAGE_SIZE - T::SIZE {
            self.modify_at(linear.wrapping_add(entry.addend), f);
            Ok(())
        } else {
            self.probe_write(linear, T::SIZE, op.seg)?;
            let old = self.read(linear, op.seg)?;
            let new = f(self, old);
            self.write(linear, new, op.seg)
        }
    }

    // ---- runs of bytes ---------------------------------------------------------------------------------------

    /// Host address of a byte that the TLB says may be read (or written) directly, and how many bytes follow in
    /// its page.
    #[inline(always)]
    fn direct(&self, linear: u64, write: bool) -> Option<(u64, u64)> {
        let entry = if write { self.tlb.write_entry(linear) } else { self.tlb.read_entry(linear) };
        let hit = (linear ^ entry.tag) < PAGE_SIZE;
        hit.then(|| (linear.wrapping_add(entry.addend), PAGE_SIZE - (linear & PAGE_MASK)))
    }

    /// Copies up to `count` elements of `size` bytes, ascending, as far as both pages go. 0 if either is not directly accessible yet, or if
    /// the destination overlaps the source from above (then each element must be seen by the next).
    pub fn copy_in_page(&mut self, to: u64, from: u64, count: u64, size: u64) -> u64 {
        let (Some((target, room)), Some((source, left))) = (self.direct(to, true), self.direct(from, false))
        else {
            return 0;
        };
        let done = count.min(room / size).min(left / size);
        let run = done * size;
        if target > source && target - source < run {
            return 0;
        }
        // SAFETY: both runs lie inside live host pages (see `read`); `copy` allows the remaining kind of overlap.
        unsafe { std::ptr::copy(source as *const u8, target as *mut u8, run as usize) };
        done
    }

    /// As [`Self::direct`] for stores, over the pages that follow in linear addresses and in this process alike, until
    /// there are `wanted` bytes.
    fn direct_run(&self, linear: u64, wanted: u64) -> Option<(u64, u64)> {
        let (host, mut room) = self.direct(linear, true)?;
        while room < wanted {
            let next = linear.wrapping_add(room) & self.addr_mask;
            match self.direct(next, true) {
                Some((follows, page)) if follows == host + room && next > linear => room += page,
                _ => break,
            }
        }
        Some((host, room))
    }

    /// Stores `value` up to `count` times, ascending, as far as pages are directly accessible; how many times.
    pub fn fill_pages<T: Scalar>(&mut self, to: u64, value: T, count: u64) -> u64 {
        let Some((target, room)) = self.direct_run(to, count.saturating_mul(T::SIZE)) else { return 0 };
        let run = count.min(room / T::SIZE);
        // SAFETY: inside live host pages, as in `write`.
        unsafe { super::fill::fill(target as *mut T, value, run as usize) };
        run
    }

    // ---- slow path -------------------------------------------------------------------------------------------

    pub(super) fn privilege(&self) -> Privilege {
        if self.cpl == 3 {
            Privilege::User
        } else {
            Privilege::Supervisor { ac: self.s.rflags & rflags::AC != 0 }
        }
    }

    /// Outside of the canonical addresses or, through a segment of 4 GiB, partly beyond its limit. (Intel's manual lets
    /// the latter wrap around or fault, Intel SDM Vol. 3A 5.3; AMD's parts fault.)
    fn crosses_the_end(&self, linear: u64, size: u64, seg: u8) -> bool {
        let last = linear.wrapping_add(size - 1);
        if self.mode.long {
            return !canonical(linear) || !canonical(last);
        }
        last > 0xFFFF_FFFF && self.s.seg[seg as usize].base == 0
    }

    /// Checks that do not depend on translation: canonical address, alignment.
    pub(super) fn check_address(&mut self, linear: u64, size: u64, seg: u8) -> Result<(), Faulted> {
        if self.crosses_the_end(linear, size, seg) {
            return Err(self.segment_fault(seg));
        }
        // Areas of several items (FSAVE, FSTENV) need the alignment of their items; the largest one is that of 16 bytes
        // (Intel SDM Vol. 3A table 6-7; MOVUPS on silicon).
        let natural = (size & size.wrapping_neg()).min(16);
        let aligned = linear & (natural - 1) == 0;
        if !aligned && self.cpl == 3 && self.s.rflags & rflags::AC != 0 && self.s.cr0 & cr0::AM != 0 {
            return Err(self.raise(vector::AC, Some(0)));
        }
        Ok(())
    }

    /// Translates one byte's address for `privilege`, raising #PF.
    fn translate(
        &mut self,
        linear: u64,
        intent: Intent,
        privilege: Privilege,
    ) -> Result<Translation, Faulted> {
        let tables = Windowed { memory: self.memory(), window: self.window };
        walk(&self.paging, &tables, linear, intent, privilege).map_err(|fault| self.pf(linear, fault.0))
    }

    /// How a page answers; plain RAM without asking the memory map again.
    #[inline]
    pub(super) fn page(&mut self, gpa: u64) -> PageView {
        if let Some(page) = self.window.page(gpa) {
            return PageView { read: Some(page), write: Some(page) };
        }
        if let Some(window) = self.memory().window(gpa) {
            self.window = window;
        }
        self.memory().page(gpa)
    }

    /// Translates and remembers: after this the TLB hits, if the page is plain memory.
    pub(super) fn translate_and_fill(
        &mut self,
        linear: u64,
        intent: Intent,
        bank: Bank,
        p: Privilege,
    ) -> Result<u64, Faulted> {
        self.tlb_misses += 1;
        let t = self.translate(linear, intent, p)?;
        let view = self.page(t.gpa);
        if let Some(read) = view.read {
            let flags = self.memory().flags(read.frame);
            let same = view.write.is_some_and(|w| w.frame == read.frame);
            let write = (t.writable && same && flags & CODE == 0).then_some(read.ptr as u64);
            if write.is_some() && flags & DIRTY == 0 {
                self.memory().set_flags(read.frame, DIRTY);
            }
            self.tlb.fill(bank, linear, Some(read.ptr as u64), write, t.global);
            self.tlb.note_size(linear, t.offset_mask);
        }
        Ok(t.gpa)
    }

    #[cold]
    #[inline(never)]
    fn read_slow(&mut self, linear: u64, size: u64, seg: u8) -> Result<u128, Faulted> {
        self.check_address(linear, size, seg)?;
        let (bank, privilege) = (self.tlb.bank(), self.privilege());
        let value = self.read_through(linear, size, bank, privilege)?;
        self.watch(linear, size, false);
        Ok(value)
    }

    pub(super) fn read_through(
        &mut self,
        linear: u64,
        size: u64,
        bank: Bank,
        p: Privilege,
    ) -> Result<u128, Faulted> {
        let gpa = self.translate_and_fill(linear, Intent::Read, bank, p)?;
        let first = (PAGE_SIZE - (linear & PAGE_MASK)).min(size);
        if first == size {
            return self.read_physical(gpa, size);
        }
        let next = self.wrapped(linear, first);
        let gpa2 = self.translate_and_fill(next, Intent::Read, bank, p)?;
        let low = self.read_physical(gpa, first)?;
        Ok(low | self.read_physical(gpa2, size - first)? << (8 * first))
    }

    /// Reads inside one page.
    fn read_physical(&mut self, gpa: u64, size: u64) -> Result<u128, Faulted> {
        if let Some(page) = self.page(gpa).read {
            let mut bytes = [0; 16];
            // SAFETY: `page` is a live host page of the memory map and the bytes lie inside it.
            unsafe {
                let from = page.ptr.add((gpa & PAGE_MASK) as usize);
                std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), size as usize);
            }
            return Ok(u128::from_le_bytes(bytes));
        }
        self.need_one_shot()?;
        let mut value = 0;
        for (at, width) in pieces(gpa, size) {
            let part = self.synced_bus().memory_read(at, width) & width.mask();
            value |= u128::from(part) << (8 * (at - gpa));
        }
        Ok(value)
    }

    #[cold]
    #[inline(never)]
    fn write_slow(&mut self, linear: u64, size: u64, value: u128, seg: u8) -> Result<(), Faulted> {
        self.check_address(linear, size, seg)?;
        let (bank, privilege) = (self.tlb.bank(), self.privilege());
        self.write_through(linear, size, value, bank, privilege)?;
        self.watch(linear, size, true);
        Ok(())
    }

    pub(super) fn write_through(
        &mut self,
        linear: u64,
        size: u64,
        value: u128,
        bank: Bank,
        privilege: Privilege,
    ) -> Result<(), Faulted> {
        let gpa = self.translate_and_fill(linear, Intent::Write, bank, privilege)?;
        let first = (PAGE_SIZE - (linear & PAGE_MASK)).min(size);
        if first == size {
            self.writable_now(gpa, size)?;
            self.write_physical(gpa, size, value);
            return Ok(());
        }
        let next = self.wrapped(linear, first);
        let gpa2 = self.translate_and_fill(next, Intent::Write, bank, privilege)?;
        self.writable_now(gpa, first)?;
        self.writable_now(gpa2, size - first)?;
        self.write_physical(gpa, first, value);
        self.write_physical(gpa2, size - first, value >> (8 * first));
        Ok(())
    }

    /// A store to a device or onto decoded code must run by itself.
    pub(super) fn writable_now(&mut self, gpa: u64, size: u64) -> Result<(), Faulted> {
        let view = self.page(gpa);
        match view.write {
            None if view.read.is_some() => Ok(()), // ROM: swallowed
            None => self.need_one_shot(),
            Some(page) => {
                let hit = self.memory().flags(page.frame) & CODE != 0
                    && self.cache.holds_code(page.frame, gpa & PAGE_MASK, size);
                if hit { self.need_one_shot() } else { Ok(()) }
            }
        }
    }

    pub(super) fn need_one_shot(&mut self) -> Result<(), Faulted> {
        if self.one_shot {
            return Ok(());
        }
        self.why = Why::OneShot;
        Err(Faulted)
    }

    /// Writes inside one page.
    fn write_physical(&mut self, gpa: u64, size: u64, value: u128) {
        let view = self.page(gpa);
        let Some(page) = view.write else {
            if view.read.is_none() {
                for (at, width) in pieces(gpa, size) {
                    let part = (value >> (8 * (at - gpa))) as u64 & width.mask();
                    self.synced_bus().memory_write(at, width, part);
                }
            }
            return;
        };
        let offset = (gpa & PAGE_MASK) as usize;
        let bytes = value.to_le_bytes();
        let new = &bytes[..size as usize];
        let mut old = [0; 16];
        // SAFETY: `page` is a live host page of the memory map and the bytes, at most 16, lie inside it.
        unsafe {
            let place = page.ptr.add(offset);
            std::ptr::copy_nonoverlapping(place, old.as_mut_ptr(), new.len());
            std::ptr::copy_nonoverlapping(new.as_ptr(), place, new.len());
        }
        let flags = self.memory().flags(page.frame);
        if flags & DIRTY == 0 {
            self.memory().set_flags(page.frame, DIRTY);
        }
        // Code that writes the same number into an instruction over and over (GRUB calls the BIOS so) loses nothing.
        let changes = old[..new.len()] != *new;
        if changes && flags & CODE != 0 && self.cache.holds_code(page.frame, gpa & PAGE_MASK, size) {
            self.overwrite_code(page.frame, gpa & PAGE_MASK, size);
        }
    }

    /// Bytes that were decoded have changed.
    fn overwrite_code(&mut self, frame: crate::Frame, offset: u64, size: u64) {
        match self.cache.overwrite(frame, offset, size) {
            Overwritten::Frame => {
                self.memory().clear_flags(frame, CODE);
                self.new_epoch();
            }
            Overwritten::Linked => self.new_epoch(),
            Overwritten::Blocks => {}
        }
    }

    /// Forgets everything decoded from a frame.
    pub fn drop_code(&mut self, frame: crate::Frame) {
        self.cache.drop_frame(frame);
        self.memory().clear_flags(frame, CODE);
        self.new_epoch();
    }
}

/// The paging structures, most of which lie in plain RAM.
struct Windowed<'a> {
    memory: &'a MemoryMap,
    window: Window,
}

impl Tables for Windowed<'_> {
    #[inline]
    fn entry(&self, gpa: u64, wide: bool) -> u64 {
        let Some(page) = self.window.page(gpa) else { return self.memory.entry(gpa, wide) };
        // SAFETY: a live host page of the memory map; entries are aligned to their size, so they lie inside it.
        unsafe {
            let at = page.ptr.add((gpa & PAGE_MASK) as usize);
            if wide {
                at.cast::<u64>().read_unaligned()
            } else {
                u64::from(at.cast::<u32>().read_unaligned())
            }
        }
    }

    fn update(&self, gpa: u64, value: u64, wide: bool) {
        self.memory.update(gpa, value, wide);
    }
}

/// Naturally aligned pieces of an access to the bus.
fn pieces(gpa: u64, size: u64) -> impl Iterator<Item = (u64, Width)> {
    let mut at = gpa;
    let end = gpa + size;
    std::iter::from_fn(move || {
        let left = end.checked_sub(at).filter(|left| *left > 0)?;
        let aligned = if at == 0 { 8 } else { 1 << at.trailing_zeros().min(3) };
        let bytes = [8, 4, 2, 1].into_iter().find(|b| *b <= left && *b <= aligned)?;
        let piece = (at, Width::from_bytes(bytes)?);
        at += bytes;
        Some(piece)
    })
}
