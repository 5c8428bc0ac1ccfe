//! The seam for a second tier: a translator of hot code that plugs into the interpreter as a *super-op*.
//!
//! A [`Region`] is machine code for a few blocks. While it is installed, the entry op of the block where it begins has
//! another handler, which calls that code; everything else about the block stays, so the interpreter can always run it
//! instead. Compiled code does what it can do by itself and leaves for the rest (a TLB miss, a device, a store to code,
//! a fault, an instruction it does not know, the end of the budget): registers and lazy flags are written back, RIP is
//! that of the first instruction it has not executed, and the retired ones are taken off the budget. So precise faults,
//! self-modifying code, interrupts and counting are the interpreter's in every case.
//!
//! Profiling is by sampling: each time a slice is used up, the tier is told where execution stands. The hot path has no
//! counters.
#![allow(unsafe_code)] // calls into compiled code

use super::Cpu;
use super::cache::{Key, granules};
use super::cpu::{MAX_BLOCK, Mode};
use super::op::{Handler, OpRef};
use super::run::Run;
use super::word::RIP_BASE;
use crate::memory::{CODE, PAGE_MASK, PAGE_SIZE};
use crate::{Frame, MemoryMap};
use std::cell::Cell;

/// A translator of hot code.
pub trait Tier: Send {
    /// Instructions from one sample to the next, at most; more than a block holds (64).
    fn slice(&self) -> i64;
    /// Execution stands at `place`, which is not compiled, after one more slice.
    fn sample(&mut self, place: &Place<'_>);
    /// A region to install, if one is ready.
    fn finished(&mut self) -> Option<Region>;
    /// The region of this number is not installed, and will not be: nothing enters its code any more.
    fn retired(&mut self, id: u64, why: Retired);
}

/// Why a region is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// The code it was made from has changed, or everything was dropped.
    Stale,
    /// It left so early each time that the interpreter alone is faster.
    Useless,
}

/// What compiled code answers: whether to go on at RIP in compiled code if there is some (even numbers), or the
/// interpreter must execute the instruction there (odd ones), and for what reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Leave {
    /// A direct branch out of the region.
    Onward = 0,
    /// The translator does not know the instruction.
    Interpret = 1,
    /// A branch to an address from a register or from memory.
    Indirect = 2,
    /// An access that the TLB does not cover.
    Miss = 3,
    /// The instruction may fault.
    Fault = 5,
    /// What is left of the budget may not suffice for one more turn.
    Budget = 7,
}

impl Leave {
    /// Answers are smaller than this.
    pub const COUNT: usize = 8;
    /// The answers there are, with what they are called.
    pub const ALL: [(Self, &str); 6] = [
        (Self::Onward, "direct branch out"),
        (Self::Indirect, "indirect branch"),
        (Self::Interpret, "unknown instruction"),
        (Self::Miss, "TLB miss or device"),
        (Self::Fault, "possible fault"),
        (Self::Budget, "end of the budget"),
    ];

    /// Whether the interpreter must execute the instruction at RIP.
    const fn interprets(answer: u32) -> bool {
        answer & 1 != 0
    }
}

/// The machine code of a region. It answers a [`Leave`].
#[derive(Clone, Copy)]
pub struct Code(unsafe extern "C" fn(*mut Cpu) -> u32);

impl Code {
    /// # Safety
    /// Until the tier is told that the region has retired, `code` may be called with any `Cpu` that is running and
    /// stands at the region's entry. It changes of the `Cpu` only what [`super::layout`] names, keeps to the contract
    /// of a side exit (see the module), and touches no other memory than what the TLB gives.
    pub unsafe fn new(code: unsafe extern "C" fn(*mut Cpu) -> u32) -> Self {
        Self(code)
    }
}

/// Bytes of a frame that a region was made from.
pub struct Span {
    pub frame: Frame,
    /// Of the first byte in the page.
    pub offset: u64,
    pub bytes: Vec<u8>,
}

/// Compiled code, to be installed where it was sampled.
pub struct Region {
    /// The tier's own number for it.
    pub id: u64,
    pub site: Site,
    /// It is not entered with a smaller budget: the most instructions it retires between two looks at the budget, less
    /// the interpreter's reserve of one block.
    pub need: i64,
    /// The page besides the entry's own: how many pages further on, and what it must be.
    pub other_page: Option<(i64, Frame)>,
    pub spans: Vec<Span>,
    pub code: Code,
}

impl Region {
    /// Instructions that may retire between two looks at the budget for this [`Region::need`].
    pub const RESERVE: i64 = MAX_BLOCK;
}

/// Which block a region replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    key: Key,
    era: u64,
}

/// Where execution stands: the start of a block.
pub struct Place<'a> {
    pub site: Site,
    pub mode: Mode,
    pub frame: Frame,
    /// Offset of the block in its page.
    pub offset: u64,
    run: &'a Cpu,
    linear: u64,
}

impl Place<'_> {
    /// The linear address at which it is being executed.
    pub fn linear(&self) -> u64 {
        self.linear
    }

    pub fn memory(&self) -> &MemoryMap {
        self.run.memory()
    }

    /// The frame of code `pages` further on in linear addresses, if code of it has been executed lately. Looking has no
    /// effect that a guest could see.
    pub fn page(&self, pages: i64) -> Option<Frame> {
        page_from(self.run, self.linear & !PAGE_MASK, pages)
    }
}

fn page_from(cpu: &Cpu, base: u64, pages: i64) -> Option<Frame> {
    let linear = base.wrapping_add((pages as u64).wrapping_mul(PAGE_SIZE)) & cpu.addr_mask;
    cpu.cache.code_page(linear, cpu.generation).map(|page| page.frame)
}

/// "No region" in [`super::op::Op::region`].
pub const NO_REGION: u32 = u32::MAX;

struct Installed {
    code: Code,
    need: i64,
    other_page: Option<(i64, Frame)>,
    /// The generation and page of the entry for which `other_page` was last seen to hold.
    checked: Cell<(u64, u64)>,
    /// The entry op's handler without the region.
    original: Handler,
    key: Key,
    frames: Vec<Frame>,
    id: u64,
    /// Calls, and instructions retired by them, in this trial.
    entered: u64,
    ran: u64,
}

/// Calls after which a region is judged, again and again.
const TRIAL: u64 = 4096;
/// Instructions per call that are worth one: entering and leaving costs about as much as interpreting five.
const WORTH: u64 = 6;

/// The installed regions, by the number that their entry ops hold.
#[derive(Default)]
pub struct Regions {
    slots: Vec<Option<Installed>>,
    free: Vec<u32>,
    /// The tier has not heard of these yet.
    retired: Vec<(u64, Retired)>,
    /// Instructions retired, and calls.
    ran: u64,
    entered: u64,
    /// Calls by their answer.
    left: [u64; Leave::COUNT],
}

impl Regions {
    fn get(&self, slot: u32) -> Option<&Installed> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The handler that runs `op` without its region.
    fn original(&self, op: OpRef) -> Handler {
        let op = op.get();
        self.get(op.region.get()).map_or(op.handler.get(), |region| region.original)
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

    /// Takes a region out; where it began, what runs there instead, and the frames it was made from.
    pub(super) fn remove(&mut self, slot: u32, why: Retired) -> Option<(Key, Handler, Vec<Frame>)> {
        let installed = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        self.retired.push((installed.id, why));
        Some((installed.key, installed.original, installed.frames))
    }

    /// Takes note of a call; false if the region has turned out useless.
    fn account(&mut self, slot: u32, retired: u64) -> bool {
        self.ran += retired;
        self.entered += 1;
        let Some(Some(region)) = self.slots.get_mut(slot as usize) else { return true };
        region.ran += retired;
        region.entered += 1;
        if region.entered < TRIAL {
            return true;
        }
        let worth = region.ran >= TRIAL * WORTH;
        (region.entered, region.ran) = (0, 0);
        worth
    }

    pub(super) fn any_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Instructions retired by compiled code, and how often it was entered.
    pub fn work(&self) -> (u64, u64) {
        (self.ran, self.entered)
    }

    /// Calls by their answer, a [`Leave`].
    pub(super) fn left(&self) -> &[u64; Leave::COUNT] {
        &self.left
    }

    fn note_leave(&mut self, answer: u32) {
        if let Some(count) = self.left.get_mut(answer as usize) {
            *count += 1;
        }
    }
}

/// The handler of a region's entry op.
fn run_region(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let slot = at.get().region.get();
    let Some(region) = cpu.cache.regions.get(slot) else { return OpRef::NONE };
    let before = cpu.budget;
    if before < region.need || cpu.sp_mask != cpu.addr_mask || !stands(cpu, region) {
        return (region.original)(cpu, at);
    }
    // SAFETY: the region is installed, and this op is its entry; see `Code::new`.
    let leave = unsafe { (region.code.0)(cpu) };
    cpu.cache.regions.note_leave(leave);
    if !cpu.cache.regions.account(slot, (before - cpu.budget) as u64) {
        cpu.cache.drop_region(slot, Retired::Useless);
    }
    resume(cpu, Leave::interprets(leave))
}

/// Whether the region's other page is still where it was.
#[inline(always)]
fn stands(cpu: &Cpu, region: &Installed) -> bool {
    let Some((pages, frame)) = region.other_page else { return true };
    let here = (cpu.generation, cpu.r.get(RIP_BASE));
    region.checked.get() == here || {
        let same = page_from(cpu, here.1, pages) == Some(frame);
        if same {
            region.checked.set(here);
        }
        same
    }
}

/// Goes on at RIP; the interpreter executes at least one instruction there if it must.
fn resume(cpu: &mut Cpu, interpret: bool) -> OpRef {
    if cpu.budget <= 0 {
        return OpRef::NONE;
    }
    let link = cpu.cache.jump(cpu.rip, cpu.generation);
    if link.is_none() {
        return link;
    }
    let base = cpu.rip & !PAGE_MASK;
    cpu.r.set(RIP_BASE, base);
    if interpret { (cpu.cache.regions.original(link))(cpu, link) } else { link }
}

impl Run<'_> {
    /// A slice was used up before `entry`: tells the tier, and installs what it has finished.
    #[cold]
    pub(super) fn consult(&mut self, entry: OpRef) {
        let linear = self.linear_rip();
        let Some(tier) = self.tier.as_deref_mut() else { return };
        let cpu = &mut *self.cpu;
        while let Some(region) = tier.finished() {
            let id = region.id;
            if !install(cpu, region) {
                tier.retired(id, Retired::Stale);
            }
        }
        let page = cpu.cache.code_page(linear & !PAGE_MASK, cpu.generation);
        let (Some(page), NO_REGION, true) = (page, entry.get().region.get(), cpu.mode.flat_code) else {
            return;
        };
        let offset = linear & PAGE_MASK;
        let key = super::cache::key(page.frame, offset, cpu.generation as u8);
        if cpu.cache.block(key).is_some_and(|block| block.entry() == entry) {
            let site = Site { key, era: cpu.cache.era };
            tier.sample(&Place { site, mode: cpu.mode, frame: page.frame, offset, run: cpu, linear });
        }
    }

    /// Tells the tier of regions that are gone. No compiled code is running.
    pub(super) fn report_retired(&mut self) {
        for (id, why) in std::mem::take(&mut self.cpu.cache.regions.retired) {
            if let Some(tier) = self.tier.as_deref_mut() {
                tier.retired(id, why);
            }
        }
    }
}

/// Puts a region in place, if the block is there, and the code is what it was when the region was made.
fn install(cpu: &mut Cpu, region: Region) -> bool {
    let entry = match cpu.cache.block(region.site.key) {
        Some(block) if block.second.is_none() && region.site.era == cpu.cache.era => block.entry(),
        _ => return false,
    };
    let same = |span: &Span| {
        let mut now = vec![0; span.bytes.len()];
        cpu.memory().read_frame(span.frame, span.offset, &mut now);
        now == span.bytes
    };
    if entry.get().region.get() != NO_REGION || !region.spans.iter().all(same) {
        return false;
    }
    let mut frames: Vec<Frame> = region.spans.iter().map(|span| span.frame).collect();
    frames.sort_unstable();
    frames.dedup();
    let slot = cpu.cache.regions.add(Installed {
        code: region.code,
        need: region.need,
        other_page: region.other_page,
        checked: Cell::new((u64::MAX, 0)),
        original: entry.get().handler.get(),
        key: region.site.key,
        frames,
        id: region.id,
        entered: 0,
        ran: 0,
    });
    for span in &region.spans {
        cpu.guard_code(span.frame);
        cpu.cache.cover(span.frame, granules(span.offset, span.bytes.len() as u64), slot);
    }
    entry.get().region.set(slot);
    entry.get().handler.set(run_region);
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
