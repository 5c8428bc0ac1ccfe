//! The interpreter's working view of one vCPU: hot registers and derived state around the architectural state.
#![allow(unsafe_code)] // the board's pointers are held for the time of one `run`

use super::cache::CodeCache;
use super::exception::Why;
use super::op::{Faulted, Op, OpRef};
use super::regions::{Link, Seen};
use super::tlb::{Bank, Tlb};
use super::word::{RIP_BASE, Regs, SEG_BASE, Word};
use crate::isa::cpuid::component;
use crate::isa::flags::{Deferred, LazyFlags};
use crate::memory::Window;
use crate::mmu::Paging;
use crate::vcpu::{Segment, SegmentName, Shadow, VcpuState, cr0, cr4, efer, rflags};
use crate::{Bus, MemoryMap};

/// The most instructions a block may hold.
pub const MAX_BLOCK: i64 = 64;

/// How code is decoded and how addresses are formed: the part of the state that is baked into ops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mode {
    /// 64-bit mode (EFER.LMA and CS.L).
    pub long: bool,
    /// CS.D: default operand and address size is 32 bits (false in 64-bit mode).
    pub code32: bool,
    /// Bit n: segment register n needs no check for data accesses.
    pub flat: u8,
    /// The code segment covers the whole address space of its size: fetches need no limit check.
    pub flat_code: bool,
    /// VEX prefixes are recognised: protected mode, but not V86 mode (Intel SDM Vol. 2A 2.3.1).
    pub vex: bool,
    /// The stack pointer is as wide as addresses are.
    pub wide_stack: bool,
    /// The CPU model, which says what instructions there are.
    pub model: u8,
}

/// The interpreter's view of a vCPU.
///
/// While it runs, general registers are in `r`, status flags in `flags`, RIP in `rip` (between blocks) or derived
/// from the op; `s` holds everything else and is authoritative for it. Change what `s` says about modes only
/// together with [`Cpu::update_mode`] or [`Cpu::flush_tlb`].
#[repr(C)]
pub struct Cpu {
    // The order is that of the hot path: what most handlers and compiled code touch is within a byte's displacement.
    pub flags: LazyFlags,
    /// Instructions that may still retire before control must be back in the run loop, less a reserve of one block.
    pub budget: i64,
    /// Identity of the current linear address space and decoding mode: links across pages hold for one generation.
    pub generation: u64,
    /// What of the flags compiled code has left to do, see [`Deferred`]; nothing while Rust code runs.
    pub deferred: u8,
    pub r: Regs,
    pub tlb: Tlb,
    /// All ones in 64-bit mode, else 32 bits: linear addresses wrap here.
    pub addr_mask: u64,
    /// SS.B: all ones, 32 or 16 bits.
    pub sp_mask: u64,
    /// The stack segment needs no check.
    pub stack_flat: bool,
    /// Current privilege level.
    pub cpl: u8,
    /// The instruction that is running was not to be single-stepped after all (INT n and the like cleared TF).
    pub step_suppressed: bool,
    /// Every offset of the page being executed is inside CS (legacy modes with a small limit).
    pub page_in_limit: bool,
    /// x87 and MMX instructions need a check first: CR0.EM or TS, or an unmasked x87 exception is pending.
    pub fpu_trap: bool,
    /// SSE instructions need a check first: CR0.EM, TS, or no CR4.OSFXSR.
    pub sse_trap: bool,
    /// VEX-encoded vector instructions need a check first: CR0.TS, no CR4.OSXSAVE, SSE or AVX not in XCR0, or a mode
    /// without VEX.
    pub avx_trap: bool,
    /// The branch that left its block, to be linked to where it goes.
    pub link_from: OpRef,
    pub why: Why,
    /// The link that compiled code has left through.
    pub link: *const Link,
    /// Of the region that compiled code has left with [`super::tier::Leave::Straddle`].
    pub straddler: *const Seen,
    /// Compiled code has come to the block at RIP often enough, and there is none for it.
    pub wanted: bool,
    /// The host's MXCSR is the guest's, see [`Cpu::load_float`].
    pub float_loaded: bool,
    /// The host's x87 unit holds the guest's registers, see [`Cpu::load_x87`].
    pub x87_loaded: bool,
    /// Address of the next instruction, when no op is running.
    pub rip: u64,
    /// Address of the instruction that is running, for serializing instructions.
    pub start_rip: u64,
    /// One instruction runs by itself: device accesses and stores to code are allowed.
    pub one_shot: bool,
    pub mode: Mode,
    pub paging: Paging,
    pub cache: CodeCache,
    /// `budget` when `retired` was last brought up to date.
    pub budget_mark: i64,
    /// The allowance, as of the last mark.
    pub left: i64,
    /// Linear pages (hashed) from which code was fetched in this epoch.
    pub code_pages: [u64; 64],
    /// Instructions retired since the engine was made, as of the last mark.
    pub retired: u64,
    /// Instructions that compiled code had the interpreter execute.
    pub called_out: u64,
    /// Accesses that the TLB did not cover and page tables had to be asked for.
    pub tlb_misses: u64,
    pub s: VcpuState,
    /// The plain RAM that was last used; empty after every change of the memory map.
    pub(super) window: Window,
    bus: Option<*mut (dyn Bus + 'static)>,
    memory: *const MemoryMap,
}

// SAFETY: the raw pointers are only set during `run`, on the thread that runs; at rest they are empty, and the links
// of the code cache point into allocations the cache owns.
unsafe impl Send for Cpu {}

impl Cpu {
    pub fn new() -> Self {
        let s = VcpuState::at_reset(0, 0);
        Self {
            r: Regs::default(),
            flags: LazyFlags::default(),
            budget: 0,
            deferred: Deferred::NONE,
            addr_mask: u64::from(u32::MAX),
            sp_mask: 0xFFFF,
            stack_flat: false,
            cpl: 0,
            step_suppressed: false,
            page_in_limit: false,
            fpu_trap: false,
            sse_trap: true,
            avx_trap: true,
            tlb: Tlb::new(),
            generation: 0,
            link_from: OpRef::NONE,
            why: Why::Lookup,
            link: std::ptr::null(),
            straddler: std::ptr::null(),
            wanted: false,
            float_loaded: false,
            x87_loaded: false,
            rip: 0,
            start_rip: 0,
            one_shot: false,
            mode: Mode::default(),
            paging: Paging::of(&s),
            cache: CodeCache::default(),
            budget_mark: 0,
            left: 0,
            code_pages: [0; 64],
            retired: 0,
            called_out: 0,
            tlb_misses: 0,
            s,
            window: Window::NONE,
            bus: None,
            memory: std::ptr::null(),
        }
    }

    /// Takes the board for the time of one run. The caller keeps `bus` alive and untouched until [`Cpu::detach`].
    pub(super) fn attach(&mut self, bus: &mut dyn Bus) {
        self.memory = bus.memory();
        // SAFETY: only the lifetime is erased; `detach` is called before `run`, which holds the borrow, returns.
        self.bus = Some(unsafe { std::mem::transmute::<*mut (dyn Bus + '_), *mut (dyn Bus + 'static)>(bus) });
    }

    pub(super) fn detach(&mut self) {
        self.bus = None;
        self.memory = std::ptr::null();
        self.window = Window::NONE;
    }

    /// The board. Tell it of retired instructions first: use [`Cpu::synced_bus`].
    pub(super) fn raw_bus(&mut self) -> &mut dyn Bus {
        let bus = self.bus.expect("instructions run only inside `run`");
        // SAFETY: set by `attach` from a borrow that outlives the run; `&mut self` makes this the only use.
        unsafe { &mut *bus }
    }

    /// Guest memory.
    #[inline(always)]
    pub fn memory<'a>(&self) -> &'a MemoryMap {
        debug_assert!(!self.memory.is_null());
        // SAFETY: set by `attach`; the map lives as long as the board, which outlives the run. The returned
        // reference is used inside one handler only.
        unsafe { &*self.memory }
    }

    /// The board, after telling it of all retired instructions; the allowance is asked again afterwards.
    pub fn synced_bus(&mut self) -> &mut dyn Bus {
        let retired = self.take_retired();
        let bus = self.raw_bus();
        if retired != 0 {
            bus.retire(retired);
        }
        bus
    }

    /// Instructions retired since the last call; `left` goes down by as many.
    pub(super) fn take_retired(&mut self) -> u64 {
        let retired = self.budget_mark - self.budget;
        self.budget_mark = self.budget;
        self.left -= retired;
        self.retired = self.retired.wrapping_add(retired as u64);
        retired as u64
    }

    /// After a bus call: what may still run. Called by the run loop before the next instruction.
    pub(super) fn ask_allowance(&mut self) {
        let retired = self.take_retired();
        let bus = self.raw_bus();
        if retired != 0 {
            bus.retire(retired);
        }
        self.left = i64::try_from(bus.allowance()).unwrap_or(i64::MAX);
    }

    /// Gives an instruction up: RIP back to its start, the count exact, control to the run loop.
    #[cold]
    #[inline(never)]
    pub fn abandon(&mut self, op: &Op) -> OpRef {
        self.rip = self.rip_at(i64::from(op.off) as u64);
        self.budget -= i64::from(op.idx);
        OpRef::NONE
    }

    /// RIP for an offset from the start of the current page.
    #[inline(always)]
    pub fn rip_at(&self, page_offset: u64) -> u64 {
        self.r.get(RIP_BASE).wrapping_add(page_offset) & self.addr_mask
    }

    /// RIP of the instruction after `op`.
    #[inline(always)]
    pub fn next_rip(&self, op: &Op) -> u64 {
        self.rip_at(u64::from(op.off) + u64::from(op.len))
    }

    #[inline(never)]
    pub fn begin_serializing(&mut self, op: &Op) {
        self.budget -= i64::from(op.idx);
        self.start_rip = self.rip_at(u64::from(op.off));
        self.rip = self.next_rip(op);
    }

    // ---- registers -------------------------------------------------------------------------------------------

    #[inline(always)]
    pub fn reg<T: Word>(&self, register: u8) -> T {
        T::reg(&self.r, register)
    }

    #[inline(always)]
    pub fn set_reg<T: Word>(&mut self, register: u8, value: T) {
        T::set_reg(&mut self.r, register, value);
    }

    /// RFLAGS with the status flags materialised.
    pub fn rflags(&self) -> u64 {
        (self.s.rflags & !rflags::STATUS) | self.flags.status() | rflags::FIXED
    }

    /// Sets all of RFLAGS and what depends on it.
    pub fn set_rflags(&mut self, value: u64) {
        let changed = self.s.rflags ^ value;
        self.flags.known(value & rflags::STATUS);
        self.s.rflags = value & !rflags::STATUS | rflags::FIXED;
        if changed & rflags::VM != 0 {
            self.update_mode();
        } else if changed & rflags::AC != 0 {
            self.update_bank();
        }
    }

    pub fn segment(&self, name: SegmentName) -> &Segment {
        &self.s.seg[name as usize]
    }

    pub fn protected(&self) -> bool {
        self.s.cr0 & cr0::PE != 0
    }

    pub fn v86(&self) -> bool {
        self.s.rflags & rflags::VM != 0
    }

    pub fn long_mode(&self) -> bool {
        self.s.efer & efer::LMA != 0
    }

    pub fn iopl(&self) -> u8 {
        ((self.s.rflags >> 12) & 3) as u8
    }

    // ---- derived state ---------------------------------------------------------------------------------------

    /// Takes a complete architectural state over.
    pub fn enter_state(&mut self, state: &VcpuState) {
        self.s.clone_from(state);
        self.r.0[..16].copy_from_slice(&state.gpr);
        self.rip = state.rip;
        self.flags.known(state.rflags & rflags::STATUS);
        self.s.rflags &= !rflags::STATUS;
        self.why = Why::Lookup;
        self.link_from = OpRef::NONE;
        let paging = Paging::of(&self.s);
        let same = self.paging.root == paging.root
            && self.paging.mode == paging.mode
            && (self.paging.pse, self.paging.nx, self.paging.wp, self.paging.smep, self.paging.smap)
                == (paging.pse, paging.nx, paging.wp, paging.smep, paging.smap)
            && self.paging.pdpte == paging.pdpte
            && self.paging.a20_mask == paging.a20_mask;
        if !same {
            self.flush_tlb(false);
        }
        self.update_mode();
        self.update_fpu();
    }

    /// Gives the complete architectural state back.
    pub fn leave_state(&self, state: &mut VcpuState) {
        state.clone_from(&self.s);
        state.gpr.copy_from_slice(&self.r.0[..16]);
        state.rip = self.rip;
        state.rflags = self.rflags();
    }

    /// Recomputes what segment registers, CPL, CR0.PE, EFER.LMA and RFLAGS.VM/AC imply. The CPL is SS.DPL.
    pub fn update_mode(&mut self) {
        let cs = self.s.seg[SegmentName::Cs as usize];
        let ss = self.s.seg[SegmentName::Ss as usize];
        self.cpl = match (self.protected(), self.v86()) {
            (false, _) => 0,
            (true, true) => 3,
            (true, false) => ss.dpl(),
        };
        let long = self.long_mode() && cs.is(Segment::L);
        self.addr_mask = if long { u64::MAX } else { u64::from(u32::MAX) };
        self.sp_mask = match (long, ss.is(Segment::DB)) {
            (true, _) => u64::MAX,
            (false, true) => u64::from(u32::MAX),
            (false, false) => 0xFFFF,
        };
        let mut flat = 0;
        for (i, segment) in self.s.seg.iter().enumerate() {
            let name_base = if long && i < 4 { 0 } else { segment.base };
            self.r.set(SEG_BASE + i as u8, name_base);
            // Those that have no base in 64-bit mode count as flat only without one, so that their ops need none.
            let based = i < 4 && segment.base != 0;
            if long
                || (segment.usable()
                    && !based
                    && segment.limit == u32::MAX
                    && segment.writable()
                    && !segment.expands_down())
            {
                flat |= 1 << i;
            }
        }
        self.stack_flat = flat & (1 << SegmentName::Ss as u8) != 0;
        let flat_code = long || (cs.limit == u32::MAX && cs.base == 0);
        let code32 = !long && cs.is(Segment::DB);
        let vex = self.protected() && !self.v86();
        let wide_stack = self.sp_mask == self.addr_mask;
        let mode = Mode { long, code32, flat, flat_code, vex, wide_stack, model: self.s.model };
        self.mode = mode;
        self.generation = self.cache.generation_for(mode, self.cpl == 3);
        self.update_bank();
        self.update_avx();
    }

    /// Chooses the TLB bank: privilege, SMAP, alignment checks, data breakpoints.
    pub fn update_bank(&mut self) {
        let user = self.cpl == 3;
        let ac = self.s.rflags & rflags::AC != 0;
        let alignment = user && ac && self.s.cr0 & cr0::AM != 0;
        let bank = if alignment || self.data_breakpoints() {
            Bank::Never
        } else if user {
            Bank::User
        } else if ac && self.s.cr4 & cr4::SMAP != 0 {
            Bank::SupervisorAc
        } else {
            Bank::Supervisor
        };
        self.tlb.choose(bank);
    }

    /// Recomputes the floating-point guards from CR0, CR4 and the x87 status.
    pub fn update_fpu(&mut self) {
        let blocked = self.s.cr0 & (cr0::EM | cr0::TS) != 0;
        let pending = self.s.x87.status & 0x80 != 0;
        self.fpu_trap = blocked || pending;
        self.sse_trap = blocked || self.s.cr4 & cr4::OSFXSR == 0;
        self.update_avx();
    }

    fn update_avx(&mut self) {
        self.avx_trap = self.s.cr0 & cr0::TS != 0 || !self.avx_enabled();
    }

    /// VEX-encoded vector instructions exist in this mode, and the operating system has enabled them (Intel SDM
    /// Vol. 2 2.4, the #UD rows of the exception classes).
    fn avx_enabled(&self) -> bool {
        const STATE: u64 = component::SSE | component::AVX;
        self.protected() && !self.v86() && self.s.cr4 & cr4::OSXSAVE != 0 && self.s.xcr0 & STATE == STATE
    }

    /// Some enabled breakpoint in DR7 watches data (Intel SDM Vol. 3B 17.2.4).
    pub fn data_breakpoints(&self) -> bool {
        let dr7 = self.s.dr7;
        dr7 & 0xFF != 0 && (0..4).any(|n| dr7 >> (2 * n) & 3 != 0 && dr7 >> (16 + 4 * n) & 1 != 0)
    }

    /// Forgets translations after a change of the paging registers (or of memory under them).
    pub fn flush_tlb(&mut self, keep_global: bool) {
        self.paging = Paging::of(&self.s);
        self.window = Window::NONE;
        self.tlb.flush(keep_global);
        self.switch_space(true);
        self.new_epoch();
    }

    /// CR3 has changed: another address space, of which what is remembered still holds if `keep` says so.
    pub fn switch_space(&mut self, keep: bool) {
        self.paging = Paging::of(&self.s);
        let enabled = self.s.cr4 & cr4::PCIDE != 0;
        let pcid = if enabled { self.s.cr3 & 0xFFF } else { 0 };
        let (space, kept) = self.tlb.switch(pcid, keep);
        self.cache.switch(space, kept);
        self.generation = self.cache.generation_for(self.mode, self.cpl == 3);
    }

    /// Forgets an address space that is not the current one, or a page of it.
    pub fn forget_other_space(&mut self, pcid: u64, page: Option<u64>) {
        if let Some(space) = self.tlb.flush_other(pcid, page) {
            self.cache.forget_space(space);
        }
    }

    /// Forgets the translation of one page.
    pub fn flush_page(&mut self, linear: u64) {
        let large = self.tlb.flush_page(linear);
        let hash = (linear >> 12) as usize & 4095;
        if large || self.code_pages[hash >> 6] >> (hash & 63) & 1 != 0 {
            self.new_epoch();
        }
    }

    /// Breaks all links that depend on translations.
    pub fn new_epoch(&mut self) {
        self.code_pages = [0; 64];
        self.cache.new_epoch();
        self.generation = self.cache.generation_for(self.mode, self.cpl == 3);
    }

    /// Interrupts are held for one instruction.
    pub fn set_shadow(&mut self, shadow: Shadow) {
        self.s.shadow = shadow;
    }

    // ---- floating-point guards -------------------------------------------------------------------------------

    /// To be called first by every SSE instruction.
    #[inline(always)]
    pub fn sse_guard(&mut self) -> Result<(), Faulted> {
        if self.sse_trap { Err(self.sse_blocked()) } else { Ok(()) }
    }

    /// To be called first by every VEX-encoded vector instruction.
    #[inline(always)]
    pub fn avx_guard(&mut self) -> Result<(), Faulted> {
        if self.avx_trap { Err(self.avx_blocked()) } else { Ok(()) }
    }

    #[cold]
    fn avx_blocked(&mut self) -> Faulted {
        if self.avx_enabled() { self.nm() } else { self.ud() }
    }

    #[cold]
    fn sse_blocked(&mut self) -> Faulted {
        if self.s.cr0 & cr0::EM != 0 || self.s.cr4 & cr4::OSFXSR == 0 { self.ud() } else { self.nm() }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}
