//! The installed regions, the links between them, and how one is entered and left.
#![allow(unsafe_code)] // calls into compiled code

use super::Cpu;
use super::cache::{Key, frame_of_key};
use super::op::{Handler, OpRef};
use super::tier::{Code, Leave, Region, Retired, Span};
use super::word::RIP_BASE;
use crate::Frame;
use crate::memory::{CODE, PAGE_MASK};
use std::cell::{Cell, RefCell};

/// "No region" in [`super::op::Op::region`].
pub const NO_REGION: u32 = u32::MAX;

/// A way out of a region to an address that is known when it is compiled: a jump in its code. It leads to the code of
/// another region, or at first to code that leaves and notes the link in [`Cpu::link`].
#[derive(Debug)]
#[repr(C)]
pub struct Link {
    /// For a goal in another page: the generation and the RIP of byte 0 of the source's page for which the link holds.
    generation: Cell<u64>,
    base: Cell<u64>,
    /// The goal, from byte 0 of the page of the source region's entry.
    off: i64,
    /// The frame of that page.
    frame: Cell<Frame>,
    /// The region it leads to.
    to: Cell<u32>,
    jump: Jump,
}

/// The distance of a jump in machine code.
#[derive(Clone, Copy, Debug)]
pub struct Jump {
    /// Where its 32 bits can be written.
    pub distance: *mut i32,
    /// What it counts from, where the code is executed: the end of the jump.
    pub end: *const u8,
    /// Where it leads while it leads to no region.
    pub unlinked: *const u8,
}

impl Link {
    pub const GENERATION: usize = std::mem::offset_of!(Self, generation);
    pub const BASE: usize = std::mem::offset_of!(Self, base);
    pub const OFF: usize = std::mem::offset_of!(Self, off);

    /// The goal, from byte 0 of the page of the source region's entry.
    pub fn off(&self) -> i64 {
        self.off
    }

    /// A link that leads nowhere yet, and has no jump.
    pub fn new(off: i64) -> Self {
        let none = Cell::new(u64::MAX);
        let (distance, nowhere) = (std::ptr::null_mut(), std::ptr::null());
        let jump = Jump { distance, end: nowhere, unlinked: nowhere };
        let frame = Cell::new(Frame(u32::MAX));
        Self { generation: none.clone(), base: none, off, frame, to: Cell::new(NO_REGION), jump }
    }

    /// Gives it its jump.
    ///
    /// # Safety
    /// As long as the link lives, the 32 bits at `distance` may be written when no compiled code runs, and are the
    /// distance of a jump that ends at `end` and is within 2 GiB of all regions' code. At `unlinked`, compiled code
    /// leaves and notes this link.
    pub unsafe fn place(&mut self, jump: Jump) {
        self.jump = jump;
    }

    /// It holds for ever if its goal is in the page, so that must not be another frame by now (see `fetch::link`).
    fn may_lead_to(&self, goal: Frame) -> bool {
        self.off as u64 & !PAGE_MASK != 0 || self.frame.get() == goal
    }

    fn lead_to(&self, target: *const u8) {
        let distance = (target as i64).wrapping_sub(self.jump.end as i64);
        // SAFETY: see `place`; the field may be at any address.
        unsafe { self.jump.distance.write_unaligned(distance as i32) };
    }

    fn unlink(&self) {
        self.lead_to(self.jump.unlinked);
        self.generation.set(u64::MAX);
        self.to.set(NO_REGION);
    }
}

/// For which generation and page of the entry a region's other pages were last seen where they must be. Compiled code
/// compares, and leaves with [`Leave::Check`] if it does not know.
#[derive(Debug)]
#[repr(C)]
pub struct Seen {
    pub(super) generation: Cell<u64>,
    pub(super) base: Cell<u64>,
    /// The region's own slot, and how often it has left with [`Leave::Straddle`].
    slot: Cell<u32>,
    straddled: Cell<u32>,
}

impl Seen {
    pub const GENERATION: usize = std::mem::offset_of!(Self, generation);
    pub const BASE: usize = std::mem::offset_of!(Self, base);
}

impl Default for Seen {
    fn default() -> Self {
        let (slot, straddled) = (Cell::new(NO_REGION), Cell::new(0));
        Self { generation: Cell::new(u64::MAX), base: Cell::new(0), slot, straddled }
    }
}

struct Installed {
    code: Code,
    need: i64,
    other_pages: Box<[(i64, Frame)]>,
    seen: Box<Seen>,
    links: Vec<Link>,
    /// Links of other regions that lead here.
    incoming: RefCell<Vec<*const Link>>,
    /// The entry op's handler without the region.
    original: Handler,
    key: Key,
    frames: Vec<Frame>,
    id: u64,
}

/// The installed regions, by the number that their entry ops hold.
pub struct Regions {
    slots: Vec<Option<Installed>>,
    free: Vec<u32>,
    /// See [`Region::nowhere`]; null before the first region.
    pub(super) nowhere: *const u8,
    /// The tier has not heard of these yet.
    pub(super) retired: Vec<(u64, Retired)>,
    /// Instructions retired, and calls.
    ran: u64,
    entered: u64,
    /// Why compiled code came back, by [`Leave`].
    left: [u64; Leave::COUNT],
}

impl Default for Regions {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            nowhere: std::ptr::null(),
            retired: Vec::new(),
            ran: 0,
            entered: 0,
            left: [0; Leave::COUNT],
        }
    }
}

impl Regions {
    fn get(&self, slot: u32) -> Option<&Installed> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The tier's number for the region in a slot.
    pub(super) fn id(&self, slot: u32) -> Option<u64> {
        self.get(slot).map(|region| region.id)
    }

    /// The handler that runs `op` without its region.
    fn original(&self, op: OpRef) -> Handler {
        let op = op.get();
        self.get(op.region.get()).map_or(op.handler.get(), |region| region.original)
    }

    /// Where the code of the region of an op is, or that of the routine for ops without one.
    pub(super) fn code_at(&self, op: OpRef) -> *const u8 {
        self.get(op.get().region.get()).map_or(self.nowhere, |region| region.code.at)
    }

    fn add(&mut self, installed: Installed) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(installed);
                slot
            }
            None => {
                self.slots.push(Some(installed));
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// Takes a region out, and all links to it and from it; where it began, what runs there instead, and the frames it
    /// was made from.
    pub(super) fn remove(&mut self, slot: u32, why: Retired) -> Option<(Key, Handler, Vec<Frame>)> {
        let installed = self.slots.get_mut(slot as usize)?.take()?;
        for link in installed.incoming.take() {
            // SAFETY: a region that goes takes its links off these lists (below), so this one is alive.
            unsafe { (*link).unlink() };
        }
        for link in &installed.links {
            if let Some(target) = self.get(link.to.get()) {
                target.incoming.borrow_mut().retain(|other| !std::ptr::eq(*other, link));
            }
        }
        self.free.push(slot);
        self.retired.push((installed.id, why));
        Some((installed.key, installed.original, installed.frames))
    }

    pub(super) fn any_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Instructions retired by compiled code, and how often it was entered.
    pub fn work(&self) -> (u64, u64) {
        (self.ran, self.entered)
    }

    /// How often compiled code has come back, by [`Leave`].
    pub fn left(&self) -> [u64; Leave::COUNT] {
        self.left
    }

    /// The link that was followed to `rip` in vain leads to the region of `op` from now on, if there is one.
    fn join(&self, link: *const Link, op: OpRef, generation: u64, base: u64) {
        let slot = op.get().region.get();
        let (Some(target), false) = (self.get(slot), link.is_null()) else { return };
        // SAFETY: compiled code has just left through this link, and no region was taken out since.
        let link = unsafe { &*link };
        if !link.may_lead_to(frame_of_key(target.key)) {
            return;
        }
        if link.to.get() != slot {
            if let Some(before) = self.get(link.to.get()) {
                before.incoming.borrow_mut().retain(|other| !std::ptr::eq(*other, link));
            }
            target.incoming.borrow_mut().push(link);
            link.to.set(slot);
            link.lead_to(target.code.at);
        }
        link.generation.set(generation);
        link.base.set(base.wrapping_sub(link.off as u64 & !PAGE_MASK));
    }
}

/// The handler of a region's entry op: runs compiled code until the interpreter is wanted.
fn run_region(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let mut at = at;
    loop {
        let Some(code) = admitted(cpu, at) else {
            cpu.unload();
            return (cpu.cache.regions.original(at))(cpu, at);
        };
        let leave = enter(cpu, code);
        let link = std::mem::replace(&mut cpu.link, std::ptr::null());
        let looks = cpu.budget <= 0 || leave == Leave::Boundary;
        at = if looks { OpRef::NONE } else { cpu.cache.jump(cpu.rip, cpu.generation) };
        if at.is_none() {
            cpu.unload();
            return at;
        }
        let base = cpu.rip & !PAGE_MASK;
        cpu.r.set(RIP_BASE, base);
        match leave {
            Leave::Onward | Leave::Indirect | Leave::Budget => {
                cpu.cache.regions.join(link, at, cpu.generation, base);
                if is_wanted(at) {
                    cpu.unload();
                    return want(cpu);
                }
                if at.get().region.get() == NO_REGION {
                    cpu.unload();
                    return at;
                }
            }
            Leave::Check => {}
            Leave::Float if cpu.load_float() => {}
            Leave::X87 if cpu.load_x87() => {}
            Leave::Interpret
            | Leave::Boundary
            | Leave::Miss
            | Leave::Straddle
            | Leave::Fault
            | Leave::Float
            | Leave::X87 => {
                if leave == Leave::Straddle {
                    count_straddle(cpu);
                }
                cpu.unload();
                return (cpu.cache.regions.original(at))(cpu, at);
            }
        }
    }
}

/// Times that a region may leave with [`Leave::Straddle`] until it is given up.
const STRADDLES: u32 = 32;

/// A region has looked at memory on both sides of the end of a page at once. If it does so often, it must not.
#[cold]
fn count_straddle(cpu: &mut Cpu) {
    let seen = std::mem::replace(&mut cpu.straddler, std::ptr::null());
    if seen.is_null() {
        return;
    }
    // SAFETY: the region that compiled code has just left has set it, and none was taken out since.
    let seen = unsafe { &*seen };
    seen.straddled.set(seen.straddled.get() + 1);
    if seen.straddled.get() == STRADDLES {
        cpu.cache.drop_region(seen.slot.get(), Retired::Straddles);
    }
}

/// Times that compiled code or the run loop comes to a block without a region until the tier is asked for one, and until
/// it is asked again.
const WANTED: u8 = 12;
const WANTED_AGAIN: u8 = 240;

/// Execution has come to a block once more: whether that was often enough to ask for a region, if it has none.
#[inline]
pub(super) fn is_wanted(at: OpRef) -> bool {
    if at.get().region.get() != NO_REGION {
        return false;
    }
    let missed = &at.get().missed;
    missed.set(missed.get() + 1);
    if missed.get() == WANTED_AGAIN {
        missed.set(WANTED);
    }
    missed.get() == WANTED
}

/// Back to the run loop, which consults the tier for the block at RIP.
fn want(cpu: &mut Cpu) -> OpRef {
    cpu.wanted = true;
    OpRef::NONE
}

/// The code to enter at `at`, if there is some, and the budget and the other pages allow it.
fn admitted(cpu: &mut Cpu, at: OpRef) -> Option<Code> {
    let slot = at.get().region.get();
    let region = cpu.cache.regions.get(slot).filter(|region| cpu.budget >= region.need)?;
    let (code, base) = (region.code, cpu.r.get(RIP_BASE));
    let seen = region.seen.generation.get() == cpu.generation && region.seen.base.get() == base;
    (region.other_pages.is_empty() || seen || stands(cpu, slot, base)).then_some(code)
}

fn enter(cpu: &mut Cpu, code: Code) -> Leave {
    let before = cpu.budget;
    // SAFETY: the region is installed, and execution stands at its entry; see `Code::new`.
    let answer = unsafe { (code.enter)(cpu, code.at) };
    cpu.settle_flags();
    let leave = Leave::from_answer(answer);
    let regions = &mut cpu.cache.regions;
    regions.ran += (before - cpu.budget) as u64;
    regions.entered += 1;
    regions.left[leave as usize] += 1;
    leave
}

/// Whether the region's other pages are still where they were, seen from the entry's page at `base`.
#[cold]
fn stands(cpu: &mut Cpu, slot: u32, base: u64) -> bool {
    let Some(region) = cpu.cache.regions.get(slot) else { return false };
    for (pages, frame) in region.other_pages.clone() {
        let linear = cpu.page_beyond(base, pages);
        if cpu.known_code_page(linear) != Some(frame) {
            return false;
        }
    }
    if let Some(region) = cpu.cache.regions.get(slot) {
        region.seen.generation.set(cpu.generation);
        region.seen.base.set(base);
    }
    true
}

/// The page that the entry's first instruction goes on into, if it does, is one that the region asks for.
fn knows_second(region: &Region, second: Option<Frame>) -> bool {
    second.is_none_or(|second| region.other_pages.contains(&(1, second)))
}

/// Puts a region in place, over an older one of the same block, if the block is there, and the code is what it was when
/// the region was made.
pub(super) fn install(cpu: &mut Cpu, region: Region) -> bool {
    let entry = match cpu.cache.block(region.site.key) {
        Some(block) if region.site.era == cpu.cache.era && knows_second(&region, block.second) => {
            block.entry()
        }
        _ => return false,
    };
    let same = |span: &Span| {
        let mut now = vec![0; span.bytes.len()];
        cpu.memory().read_frame(span.frame, span.offset, &mut now);
        now == span.bytes
    };
    if !region.spans.iter().all(same) {
        return false;
    }
    let old = entry.get().region.get();
    if old != NO_REGION {
        cpu.cache.drop_region(old, Retired::Replaced);
    }
    cpu.cache.set_nowhere(region.nowhere);
    region.links.iter().for_each(|link| link.frame.set(frame_of_key(region.site.key)));
    let mut frames: Vec<Frame> = region.spans.iter().map(|span| span.frame).collect();
    frames.sort_unstable();
    frames.dedup();
    let slot = cpu.cache.regions.add(Installed {
        code: region.code,
        need: region.need,
        other_pages: region.other_pages.into_boxed_slice(),
        seen: region.seen,
        links: region.links,
        incoming: RefCell::default(),
        original: entry.get().handler.get(),
        key: region.site.key,
        frames,
        id: region.id,
    });
    if let Some(installed) = cpu.cache.regions.get(slot) {
        installed.seen.slot.set(slot);
    }
    for span in &region.spans {
        cpu.guard_code(span.frame);
        cpu.cache.cover(span.frame, span.offset, span.bytes.len() as u64, slot);
    }
    entry.get().region.set(slot);
    entry.get().handler.set(run_region);
    cpu.cache.region_changed(entry);
    true
}

impl Cpu {
    /// Marks a frame as code, so that stores to it are seen.
    pub(super) fn guard_code(&mut self, frame: Frame) {
        if self.memory().flags(frame) & CODE == 0 {
            self.memory().set_flags(frame, CODE);
            let host = self.memory().frame_address(frame);
            self.tlb.protect(host);
        }
    }
}
