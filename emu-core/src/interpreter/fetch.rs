//! Finding code: from RIP to a decoded block, through the jump cache, the code TLB and the block cache.

use super::cache::{self, Block, CodePage};
use super::cpu::{Cpu, MAX_BLOCK, Mode};
use super::lower::{Outcome, lower_block};
use super::memory::canonical;
use super::op::{Faulted, OpRef};
use super::run::Run;
use super::word::RIP_BASE;
use crate::memory::{PAGE_MASK, PAGE_SIZE};
use crate::mmu::{Intent, Privilege, Tables, Translation, walk};
use crate::vcpu::SegmentName;
use crate::{Frame, MemoryMap};
use std::cell::Cell;

/// No memory: code fetched from the bus.
const NO_FRAME: Frame = Frame(u32::MAX);

impl Run<'_> {
    /// The block at RIP.
    pub(super) fn enter(&mut self) -> Result<OpRef, Faulted> {
        let from = std::mem::replace(&mut self.cpu.link_from, OpRef::NONE);
        let cpu = &mut *self.cpu;
        if cpu.mode.flat_code {
            let op = cpu.cache.jump(cpu.rip, cpu.generation);
            if !op.is_none() {
                let base = cpu.rip & !PAGE_MASK;
                cpu.r.set(RIP_BASE, base);
                link(cpu, from, op);
                return Ok(op);
            }
        }
        self.enter_slowly(from)
    }

    fn enter_slowly(&mut self, from: OpRef) -> Result<OpRef, Faulted> {
        self.check_rip()?;
        let linear = self.linear_rip();
        let page = self.code_page(linear & !PAGE_MASK)?;
        let cpu = &mut *self.cpu;
        let offset = linear & PAGE_MASK;
        let base = cpu.rip.wrapping_sub(offset);
        cpu.r.set(RIP_BASE, base);
        cpu.page_in_limit = cpu.mode.flat_code
            || (base <= cpu.rip
                && base.wrapping_add(PAGE_MASK) <= u64::from(cpu.segment(SegmentName::Cs).limit));
        let key = cache::key(page.frame, offset, cpu.generation as u8);
        if let Some(block) = cpu.cache.block(key) {
            let (op, second) = (block.entry(), block.second);
            if second.is_none() {
                if cpu.mode.flat_code {
                    cpu.cache.remember_jump(cpu.rip, cpu.generation, op);
                }
                link(cpu, from, op);
                return Ok(op);
            }
            let next = self.second_page(linear)?.frame;
            if second == Some(next) {
                if page.frame != NO_FRAME && next != NO_FRAME {
                    self.remember_crossing(op);
                }
                return Ok(op);
            }
        }
        self.decode(key, page, linear, from)
    }

    /// RIP must be canonical, or inside CS.
    fn check_rip(&mut self) -> Result<(), Faulted> {
        let cpu = &mut *self.cpu;
        let bad = if cpu.mode.long {
            !canonical(cpu.rip)
        } else {
            !cpu.mode.flat_code && cpu.rip > u64::from(cpu.segment(SegmentName::Cs).limit)
        };
        if bad { Err(cpu.gp(0)) } else { Ok(()) }
    }

    /// The page of code at a linear page address, from the code TLB or by a walk.
    fn code_page(&mut self, linear_page: u64) -> Result<CodePage, Faulted> {
        let cpu = &mut *self.cpu;
        if let Some(page) = cpu.cache.code_page(linear_page, cpu.generation) {
            return Ok(page);
        }
        let privilege = if cpu.cpl == 3 { Privilege::User } else { Privilege::Supervisor { ac: false } };
        let translation = walk(&cpu.paging, cpu.memory(), linear_page, Intent::Fetch, privilege)
            .map_err(|fault| cpu.pf(fetch_address(cpu.rip, linear_page, cpu), fault.0))?;
        let page = cpu.code_page_at(linear_page, &translation);
        if page.frame != NO_FRAME {
            cpu.remember_code(page, &translation);
        }
        Ok(page)
    }

    /// The page behind that of `linear`, into which the instruction at RIP goes on. Its segment's limit comes before
    /// its page (Intel SDM Vol. 3A 6.9: code-segment limit violation, code page fault).
    fn second_page(&mut self, linear: u64) -> Result<CodePage, Faulted> {
        let cpu = &mut *self.cpu;
        let first = cpu.rip.wrapping_add(PAGE_SIZE - (linear & PAGE_MASK));
        if !cpu.mode.flat_code && first > u64::from(cpu.segment(SegmentName::Cs).limit) {
            return Err(cpu.gp(0));
        }
        let next = next_page(cpu, linear);
        self.code_page(next)
    }

    /// Decodes the block at `linear` and puts it into the cache.
    fn decode(
        &mut self,
        key: cache::Key,
        page: CodePage,
        linear: u64,
        from: OpRef,
    ) -> Result<OpRef, Faulted> {
        let mode = self.cpu.mode;
        let offset = linear & PAGE_MASK;
        let mut bytes = [0u8; 1024];
        let len = (PAGE_SIZE - offset).min(1024) as usize;
        self.fetch(page, offset, &mut bytes[..len]);
        // What the guest patches is a block by itself.
        let plain = self.cpu.cache.unpatched(page.frame, offset, len as u64) as usize;
        let outcome = match lower_block(&bytes[..plain], offset as u16, mode, MAX_BLOCK as usize) {
            Outcome::Truncated if plain < len => patched(&bytes[..len], offset as u16, mode),
            outcome => outcome,
        };
        match outcome {
            Outcome::Block { ops, bytes } => {
                let block = Block { ops: ops.into_boxed_slice(), second: None };
                let op = self.keep(key, block, &[(page.frame, offset, bytes)]);
                let cpu = &mut *self.cpu;
                if page.frame == NO_FRAME {
                    return Ok(op);
                }
                if mode.flat_code {
                    cpu.cache.remember_jump(cpu.rip, cpu.generation, op);
                }
                link(cpu, from, op);
                Ok(op)
            }
            Outcome::Truncated => {
                let next = self.second_page(linear)?;
                let mut both = [0u8; 30];
                both[..len].copy_from_slice(&bytes[..len]);
                self.fetch(next, 0, &mut both[len..len + 15]);
                let Outcome::Block { ops, bytes } = lower_block(&both[..len + 15], offset as u16, mode, 1)
                else {
                    return Err(self.cpu.ud());
                };
                let second = Some(next.frame);
                let spans =
                    [(page.frame, offset, len as u64), (next.frame, 0, bytes.saturating_sub(len as u64))];
                let op = self.keep(key, Block { ops: ops.into_boxed_slice(), second }, &spans);
                if page.frame != NO_FRAME && next.frame != NO_FRAME {
                    self.remember_crossing(op);
                }
                Ok(op)
            }
        }
    }

    /// Execution comes to an instruction that lies in two pages, both of which have been seen in this generation.
    fn remember_crossing(&mut self, op: OpRef) {
        let cpu = &mut *self.cpu;
        if cpu.mode.flat_code {
            cpu.cache.remember_jump(cpu.rip, cpu.generation, op);
        }
    }

    /// Stores a block and marks its frames as code, so that stores to them are seen.
    fn keep(&mut self, key: cache::Key, mut block: Block, spans: &[(Frame, u64, u64)]) -> OpRef {
        let cpu = &mut *self.cpu;
        block.sign(spans[0].0);
        for (frame, ..) in spans {
            if *frame != NO_FRAME {
                cpu.guard_code(*frame);
            }
        }
        let replaces = cpu.cache.block(key).is_some();
        let op = cpu.cache.insert(key, block, spans);
        if replaces {
            cpu.new_epoch(); // the jump cache may know the old one
        }
        op
    }

    /// Copies code bytes out of a page; a page of no memory reads from the bus.
    fn fetch(&mut self, page: CodePage, offset: u64, into: &mut [u8]) {
        if page.frame == NO_FRAME {
            // Execution from a device or from nowhere: what a floating bus gives.
            into.fill(0xFF);
        } else {
            self.cpu.memory().read_frame(page.frame, offset, into);
        }
    }
}

/// Paging structures that are looked at, and not changed.
struct Untouched<'a> {
    memory: &'a MemoryMap,
    /// An accessed flag would have to be set.
    changes: Cell<bool>,
}

impl Tables for Untouched<'_> {
    fn entry(&self, gpa: u64, wide: bool) -> u64 {
        self.memory.entry(gpa, wide)
    }

    fn update(&self, _: u64, _: u64, _: bool) {
        self.changes.set(true);
    }
}

impl Cpu {
    /// The linear page `pages` further on from one.
    pub(super) fn page_beyond(&self, base: u64, pages: i64) -> u64 {
        base.wrapping_add((pages as u64).wrapping_mul(PAGE_SIZE)) & self.addr_mask
    }

    fn code_page_at(&self, linear: u64, translation: &Translation) -> CodePage {
        let host = self.memory().page(translation.gpa).read;
        CodePage {
            linear,
            generation: self.generation,
            frame: host.map_or(NO_FRAME, |h| h.frame),
            host: host.map_or(0, |h| h.ptr as u64),
        }
    }

    fn remember_code(&mut self, page: CodePage, translation: &Translation) {
        let hash = (page.linear >> 12) as usize & 4095;
        self.code_pages[hash >> 6] |= 1 << (hash & 63);
        self.cache.remember_code_page(page);
        self.tlb.note_size(page.linear, translation.offset_mask);
        self.cache.local_code |= !translation.global && self.cpl != 3;
    }

    /// A page of code by a walk that changes nothing; `None` if there is none, or fetching from it would set an accessed
    /// flag.
    fn walk_untouched(&self, linear: u64) -> Option<(CodePage, Translation)> {
        if self.mode.long && !canonical(linear) {
            return None;
        }
        let tables = Untouched { memory: self.memory(), changes: Cell::new(false) };
        let privilege = if self.cpl == 3 { Privilege::User } else { Privilege::Supervisor { ac: false } };
        let translation = walk(&self.paging, &tables, linear, Intent::Fetch, privilege).ok()?;
        let page = self.code_page_at(linear, &translation);
        (page.frame != NO_FRAME && !tables.changes.get()).then_some((page, translation))
    }

    /// A page of code, as far as it can be known without an effect that the guest could see.
    pub(super) fn peek_code_page(&self, linear: u64) -> Option<CodePage> {
        let known = self.cache.code_page(linear, self.generation);
        known.or_else(|| self.walk_untouched(linear).map(|(page, _)| page))
    }

    /// The frame of such a page, which is known from now on.
    pub(super) fn known_code_page(&mut self, linear: u64) -> Option<Frame> {
        if let Some(page) = self.cache.code_page(linear, self.generation) {
            return Some(page.frame);
        }
        let (page, translation) = self.walk_untouched(linear)?;
        self.remember_code(page, &translation);
        Some(page.frame)
    }
}

fn next_page(cpu: &Cpu, linear: u64) -> u64 {
    ((linear & !PAGE_MASK).wrapping_add(PAGE_SIZE)) & cpu.addr_mask
}

/// CR2 for a failed fetch: the first byte that could not be fetched.
fn fetch_address(rip: u64, linear_page: u64, cpu: &Cpu) -> u64 {
    let base = if cpu.mode.long { 0 } else { cpu.segment(SegmentName::Cs).base };
    let linear = base.wrapping_add(rip) & cpu.addr_mask;
    if linear & !PAGE_MASK == linear_page { linear } else { linear_page }
}

/// A block of one instruction into which the guest writes again and again.
fn patched(bytes: &[u8], offset: u16, mode: Mode) -> Outcome {
    let mut outcome = lower_block(bytes, offset, mode, 1);
    if let Outcome::Block { ops, .. } = &mut outcome {
        ops[0].patched = true;
    }
    outcome
}

/// Links a direct branch to the block it has just led to; but not to an instruction in two pages, of which the second may
/// be another one next time. A link inside the page holds for ever, so it must not follow a translation that has changed
/// behind the branch's back (the guest owes an INVLPG): it would outlive the block that it leads to.
fn link(cpu: &Cpu, from: OpRef, to: OpRef) {
    let first = to.get();
    let straddles = u64::from(first.off) + u64::from(first.len) > PAGE_SIZE;
    if from.is_none() || straddles || first.patched {
        return;
    }
    let branch = from.get();
    if branch.imm >= PAGE_SIZE {
        first.reached.set(true);
        branch.link_generation.set(cpu.generation);
    } else if cache::frame_of(from) != cache::frame_of(to) {
        return;
    }
    branch.link.set(to);
}

#[cfg(test)]
mod tests {
    use crate::Exit;
    use crate::interpreter::testbed::Testbed;
    use crate::vcpu::cr0;

    /// Page directory, and the tables of the first 4 MiB and of those after them.
    const DIRECTORY: u64 = 0x8_0000;
    const LOW: u64 = 0x8_1000;
    const HIGH: u64 = 0x8_2000;
    /// What 40_0000h is at first, and later; and what 50_0000h is.
    const FIRST: u64 = 0x4_0000;
    const LATER: u64 = 0x4_1000;
    const CHANGER: u64 = 0x4_2000;

    /// A page's translation changes without an INVLPG; two pages that share a place in the code TLB. The branch inside the
    /// first page finds the later page's code, as it may; but the first page, seen from elsewhere, keeps its own.
    #[test]
    fn a_link_inside_a_page_stays_in_its_frame() {
        let mut bed = Testbed::protected("x86-64-v2");
        bed.poke32(DIRECTORY, LOW as u32 | 3);
        bed.poke32(DIRECTORY + 4, HIGH as u32 | 3);
        for page in 0..256 {
            bed.poke32(LOW + 4 * page, (page as u32) << 12 | 3);
        }
        bed.poke32(HIGH, FIRST as u32 | 3); // 40_0000h
        bed.poke32(HIGH + 4, FIRST as u32 | 3); // 40_1000h
        bed.poke32(HIGH + 0x400, CHANGER as u32 | 3); // 50_0000h
        // 40_0020h: dec ecx; jnz 50_0000h; jmp 40_0040h
        bed.poke(FIRST + 0x20, &[0x49, 0x0F, 0x85, 0xD9, 0xFF, 0x0F, 0, 0xEB, 0x17]);
        // 40_0040h: mov edx, 1; hlt
        bed.poke(FIRST + 0x40, &[0xBA, 1, 0, 0, 0, 0xF4]);
        // 50_0000h: mov dword [HIGH], LATER | 3; jmp 40_0020h
        let change = [0xC7, 0x05, 0, 0x20, 8, 0, 3, 0x10, 4, 0, 0xE9, 0x11, 0, 0xF0, 0xFF];
        bed.poke(CHANGER, &change);
        // 40_0040h, later: mov ecx, 1; mov edx, 2; jmp 40_1020h
        let later = [0xB9, 1, 0, 0, 0, 0xBA, 2, 0, 0, 0, 0xE9, 0xD1, 0x0F, 0, 0];
        bed.poke(LATER + 0x40, &later);
        bed.cpu.cr3 = DIRECTORY;
        bed.cpu.cr0 |= cr0::PG;
        bed.cpu.rip = 0x40_0020;
        bed.cpu.gpr[1] = 2;
        assert_eq!(bed.step(100), Exit::Halted);
        assert_eq!((bed.cpu.gpr[2], bed.cpu.rip), (1, 0x40_1046));
    }
}
