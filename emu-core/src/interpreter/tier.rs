//! The seam for translators of hot code, which plug into the interpreter with *super-ops*.
//!
//! A [`Region`] is machine code for a few blocks. While it is installed, the entry op of the block where it begins has
//! another handler, which calls that code; everything else about the block stays, so the interpreter can always run it
//! instead. Compiled code does what it can do by itself and leaves for the rest (a device, a store to code, a fault, an
//! instruction it does not know, the end of the budget): registers and lazy flags are written back, RIP is that of the
//! first instruction it has not executed, and the retired ones are taken off the budget. So precise faults,
//! self-modifying code, interrupts and counting are the interpreter's in every case.
//!
//! Regions hand over to each other without coming back, through [`Link`]s and the jump cache.
//!
//! Profiling is by sampling: each time a slice is used up, the tier is told where execution stands. The hot path has no
//! counters.
#![allow(unsafe_code)] // the promise of compiled code

use super::Cpu;
use super::cpu::{MAX_BLOCK, Mode};
use super::op::OpRef;
use super::regions::install;
use super::run::Run;
use crate::memory::PAGE_MASK;
use crate::{Frame, MemoryMap};

pub use super::assist::{DONE, Single, fill, interpret, settle, status, transfer};
pub use super::cache::Key;
pub use super::regions::{Jump, Link, Seen};

/// A translator of hot code.
pub trait Tier: Send {
    /// Instructions from one sample to the next, at most; more than a block holds (64).
    fn slice(&self) -> i64;
    /// Execution stands at `place` after one more slice.
    fn sample(&mut self, place: &Place<'_>);
    /// There was no room for a region: everything has to go. Asked after each sample.
    fn is_full(&mut self) -> bool;
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
    /// Another one has taken its place.
    Replaced,
    /// It has left with [`Leave::Straddle`] too often.
    Straddles,
}

/// What compiled code answers: how to go on, and for what reason. RIP, registers, lazy flags and the budget are in the
/// [`Cpu`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Leave {
    /// Go on at RIP, in compiled code if there is some: a direct branch out of the region.
    Onward = 0,
    /// Go on at RIP: a branch to an address from a register or from memory.
    Indirect = 1,
    /// Go on at RIP, a loop head or the entry: what is left of the budget may not suffice for one more turn.
    Budget = 2,
    /// The interpreter must execute the instruction at RIP: the translator does not know it.
    Interpret = 3,
    /// The interpreter must execute the instruction at RIP: an access that the TLB does not cover.
    Miss = 4,
    /// The interpreter must execute the instruction at RIP, which may fault.
    Fault = 5,
    /// The region at RIP computes with SSE floats: the host's MXCSR must be the guest's. Nothing has been done yet.
    Float = 6,
    /// The other page of the region at RIP may have moved. Nothing has been done yet.
    Check = 7,
    /// The region at RIP has x87 instructions: the guest's x87 state must be in the host's unit. Nothing has been done
    /// yet.
    X87 = 8,
    /// The interpreter must execute the instruction at RIP: memory that the region has looked at as one lies in two
    /// pages.
    Straddle = 9,
    /// The run loop must look before the instruction at RIP: an interrupt may be pending.
    Boundary = 10,
}

impl Leave {
    /// How many there are.
    pub const COUNT: usize = 11;
    /// All of them by number, with what they are called.
    pub const ALL: [(Self, &str); Self::COUNT] = [
        (Self::Onward, "direct branch out"),
        (Self::Indirect, "indirect branch"),
        (Self::Budget, "end of the budget"),
        (Self::Interpret, "unknown instruction"),
        (Self::Miss, "TLB miss or device"),
        (Self::Fault, "possible fault"),
        (Self::Float, "rounding to load"),
        (Self::Check, "page to check"),
        (Self::X87, "x87 state to load"),
        (Self::Straddle, "window in two pages"),
        (Self::Boundary, "events to look for"),
    ];

    /// Nothing else is ever answered; if it were, the interpreter would be right.
    pub(super) fn from_answer(answer: u32) -> Self {
        Self::ALL.get(answer as usize).map_or(Self::Interpret, |(leave, _)| *leave)
    }
}

/// The machine code of a region, and the routine by which it is entered: it saves and restores what the host's C
/// convention asks for, and gives a [`Leave`].
#[derive(Clone, Copy)]
pub struct Code {
    pub(super) enter: unsafe extern "C" fn(*mut Cpu, *const u8) -> u32,
    pub(super) at: *const u8,
}

impl Code {
    /// # Safety
    /// Until the tier is told that the region has retired, `enter` may be called with any `Cpu` that is running and
    /// stands at the region's entry, and with `at`; code of other regions may jump to `at`. It changes of the `Cpu` only
    /// what [`super::layout`] names, keeps to the contract of a side exit (see the module), and touches no other memory
    /// than what the TLB gives.
    pub unsafe fn new(enter: unsafe extern "C" fn(*mut Cpu, *const u8) -> u32, at: *const u8) -> Self {
        Self { enter, at }
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
    /// The pages besides the entry's own: how many pages further on, and what they must be.
    pub other_pages: Vec<(i64, Frame)>,
    pub spans: Vec<Span>,
    pub code: Code,
    /// What the code refers to by address.
    pub seen: Box<Seen>,
    pub links: Vec<Link>,
    /// Where the jump cache leads from addresses that have no region: the same for all regions.
    pub nowhere: *const u8,
}

impl Region {
    /// Instructions that may retire between two looks at the budget for this [`Region::need`].
    pub const RESERVE: i64 = MAX_BLOCK;
}

/// Which block a region replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    pub(super) key: Key,
    pub(super) era: u64,
}

/// Where execution stands: the start of a block.
pub struct Place<'a> {
    pub site: Site,
    pub mode: Mode,
    pub frame: Frame,
    /// Offset of the block in its page.
    pub offset: u64,
    /// The tier's number of the region that begins here.
    pub region: Option<u64>,
    /// Compiled code has come here often, and found none.
    pub wanted: bool,
    /// The current privilege level is 3.
    pub user: bool,
    /// RIP.
    pub linear: u64,
    run: &'a Cpu,
}

impl Place<'_> {
    /// The site of a block elsewhere that is executed in the same mode.
    pub fn site_at(&self, frame: Frame, offset: u64) -> Site {
        let key = super::cache::key(frame, offset, self.site.key as u8);
        Site { key, era: self.site.era }
    }

    pub fn memory(&self) -> &MemoryMap {
        self.run.memory()
    }

    /// Whether the guest writes into this instruction again and again: it is no part of a region.
    pub fn is_patched(&self, frame: Frame, offset: u64, size: u64) -> bool {
        self.run.cache.unpatched(frame, offset, size) < size
    }

    /// The frame of code `pages` further on in linear addresses, if code could be fetched from it with no effect that a
    /// guest could see.
    pub fn page(&self, pages: i64) -> Option<Frame> {
        let linear = self.run.page_beyond(self.linear & !PAGE_MASK, pages);
        self.run.peek_code_page(linear).map(|page| page.frame)
    }
}

impl Run<'_> {
    /// A slice was used up before `entry`: tells the tier, and installs what it has finished.
    #[cold]
    pub(super) fn consult(&mut self, entry: OpRef) {
        let linear = self.linear_rip();
        let Some(tier) = self.tier.as_deref_mut() else { return };
        let cpu = &mut *self.cpu;
        install_finished(cpu, tier);
        let page = cpu.peek_code_page(linear & !PAGE_MASK);
        let (Some(page), true) = (page, cpu.mode.flat_code) else { return };
        let offset = linear & PAGE_MASK;
        let key = super::cache::key(page.frame, offset, cpu.generation as u8);
        if cpu.cache.block(key).is_none_or(|block| block.entry() != entry) {
            return;
        }
        let site = Site { key, era: cpu.cache.era };
        let region = cpu.cache.regions.id(entry.get().region.get());
        let (user, wanted) = (cpu.cpl == 3, std::mem::take(&mut self.wanted));
        tier.sample(&Place {
            site,
            user,
            wanted,
            mode: cpu.mode,
            frame: page.frame,
            offset,
            region,
            linear,
            run: cpu,
        });
        install_finished(cpu, tier);
        cpu.cache.overflows |= tier.is_full();
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

fn install_finished(cpu: &mut Cpu, tier: &mut (dyn Tier + 'static)) {
    while let Some(region) = tier.finished() {
        let id = region.id;
        if !install(cpu, region) {
            tier.retired(id, Retired::Stale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_total() {
        for (n, (leave, _)) in Leave::ALL.iter().enumerate() {
            assert_eq!(*leave as usize, n);
            assert_eq!(Leave::from_answer(n as u32), *leave);
        }
        for answer in [Leave::COUNT as u32, u32::MAX] {
            assert_eq!(Leave::from_answer(answer), Leave::Interpret);
        }
    }
}
