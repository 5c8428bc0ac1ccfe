//! The run loop: instruction boundaries, events, and finding the next block.

use super::branch::stop_op;
use super::counters::Counters;
use super::cpu::{Cpu, MAX_BLOCK};
use super::exception::{Exception, Why, vector};
use super::op::{Faulted, Op, OpRef};
use super::regions::is_wanted;
use super::system::interrupt::{self, Event, Source};
use super::tier::Tier;
use crate::vcpu::{Activity, SegmentName, Shadow, VcpuState, rflags};
use crate::{Attention, Bus, Caps, DebugStop, Engine, Exit, Forget, Stop};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The most instructions between two visits to the run loop (see the module documentation of `op`).
const SLICE: i64 = 8192;
/// As [`SLICE`], while compiled code runs.
const LONG_SLICE: i64 = 4 * SLICE;
/// DR6.BS: single step.
const BS: u64 = 1 << 14;

/// The reference engine.
pub struct Interpreter {
    cpu: Box<Cpu>,
    map_generation: u64,
    tier: Option<Box<dyn Tier>>,
    counters: Arc<Counters>,
}

impl Interpreter {
    pub fn new() -> Self {
        Self { cpu: Box::default(), map_generation: 0, tier: None, counters: Arc::default() }
    }

    /// With a translator for hot code.
    pub fn with_tier(tier: Box<dyn Tier>) -> Self {
        Self { tier: Some(tier), ..Self::new() }
    }

    /// What it has done so far.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Instructions that the tier's code has retired, and how often it was entered.
    pub fn tier_work(&self) -> (u64, u64) {
        self.cpu.cache.regions.work()
    }
}

impl Default for Interpreter {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine for Interpreter {
    fn caps(&self) -> Caps {
        Caps { counts: true }
    }

    fn run(&mut self, state: &mut VcpuState, bus: &mut dyn Bus, stop: &Stop) -> Exit {
        let cpu = &mut *self.cpu;
        cpu.attach(bus);
        cpu.enter_state(state);
        if self.map_generation != cpu.memory().generation() {
            self.map_generation = cpu.memory().generation();
            cpu.flush_tlb(false);
        }
        let slice = self.tier.as_ref().map_or(SLICE, |tier| tier.slice().clamp(MAX_BLOCK + 1, SLICE));
        let exit = Run {
            cpu,
            stop: *stop,
            map_generation: &mut self.map_generation,
            done: 0,
            counted: 0,
            held: 0,
            tier: self.tier.as_deref_mut(),
            slice,
            next_slice: slice,
            used_up: false,
            wanted: false,
        }
        .go();
        let cpu = &mut *self.cpu;
        self.counters.update(cpu);
        cpu.leave_state(state);
        cpu.detach();
        exit
    }

    fn forget(&mut self, what: Forget) {
        self.map_generation = u64::MAX;
        if what == Forget::All {
            // Frames keep their CODE flag until somebody writes them: harmless, the flag only makes stores look.
            self.cpu.cache.clear();
            self.cpu.cache.bury();
        }
    }
}

pub(super) struct Run<'a> {
    pub(super) cpu: &'a mut Cpu,
    stop: Stop,
    pub(super) map_generation: &'a mut u64,
    /// Instructions run since the start, for [`Stop::after`].
    done: u64,
    /// [`Cpu::retired`], and what it does not know yet, when `done` was brought up to date.
    counted: u64,
    /// Debug traps that the instruction before this one has left pending (MOV SS).
    held: u64,
    pub(super) tier: Option<&'a mut (dyn Tier + 'static)>,
    slice: i64,
    /// Longer while compiled code does the work.
    next_slice: i64,
    /// The last slice was used up: it is time for a sample.
    used_up: bool,
    /// Or compiled code has come here often.
    pub(super) wanted: bool,
}

impl Run<'_> {
    fn go(mut self) -> Exit {
        if let Some(exit) = self.wake() {
            return exit;
        }
        self.cpu.left = 0;
        self.cpu.budget_mark = self.cpu.budget;
        self.counted = self.cpu.retired;
        loop {
            self.refresh();
            if let Some(exit) = self.boundary() {
                self.cpu.synced_bus();
                return exit;
            }
        }
    }

    /// A halted CPU goes on only for an interrupt it will take.
    fn wake(&mut self) -> Option<Exit> {
        match self.cpu.s.activity {
            Activity::Running => return None,
            Activity::Shutdown => return Some(Exit::Shutdown),
            Activity::WaitForSipi => return Some(Exit::Halted),
            Activity::Halted => {}
        }
        let attention = self.attention();
        let maskable = attention & Attention::INTR != 0 && self.cpu.s.rflags & rflags::IF != 0;
        let nmi = attention & Attention::NMI != 0 && !self.cpu.s.nmi_blocked;
        if maskable || nmi || self.cpu.s.pending_debug != 0 {
            self.cpu.s.activity = Activity::Running;
            return None;
        }
        Some(Exit::Halted)
    }

    fn attention(&mut self) -> u32 {
        self.cpu.raw_bus().attention().load(Relaxed)
    }

    /// One instruction boundary: takes a pending event, or runs code.
    fn boundary(&mut self) -> Option<Exit> {
        match self.cpu.s.activity {
            Activity::Running => {}
            Activity::Shutdown => return Some(Exit::Shutdown),
            // HLT under TF: its debug trap wakes it at once.
            Activity::Halted if self.cpu.s.pending_debug != 0 => self.cpu.s.activity = Activity::Running,
            Activity::Halted | Activity::WaitForSipi => return Some(Exit::Halted),
        }
        let attention = self.attention();
        if attention & (Attention::STOP | Attention::INIT | Attention::SIPI) != 0 {
            return Some(Exit::Stopped);
        }
        self.cpu.ask_allowance();
        let left = match self.steps_left() {
            Ok(left) => left,
            Err(exit) => return Some(exit),
        };
        let shadow = self.cpu.s.shadow;
        if self.cpu.s.pending_debug != 0 && shadow != Shadow::MovSs {
            self.debug_trap();
            return None;
        }
        if attention != 0 && shadow == Shadow::None && self.take_interrupt(attention) {
            return None;
        }
        if self.stop.at.is_some_and(|at| at == self.linear_rip() && self.done > 0) {
            return Some(Exit::Debug(DebugStop::Address(self.linear_rip())));
        }
        self.execute(left, shadow);
        None
    }

    /// How many instructions may run, or why none.
    fn steps_left(&self) -> Result<i64, Exit> {
        let after = self.stop.after.map_or(u64::MAX, |after| after.saturating_sub(self.done));
        match self.cpu.left.min(i64::try_from(after).unwrap_or(i64::MAX)) {
            _ if after == 0 => Err(Exit::Debug(DebugStop::Count)),
            ..=0 => Err(Exit::Stopped),
            left => Ok(left),
        }
    }

    pub(super) fn linear_rip(&self) -> u64 {
        let cs = self.cpu.segment(SegmentName::Cs).base;
        let base = if self.cpu.mode.long { 0 } else { cs };
        base.wrapping_add(self.cpu.rip) & self.cpu.addr_mask
    }

    fn debug_trap(&mut self) {
        let cpu = &mut *self.cpu;
        cpu.s.dr6 |= std::mem::take(&mut cpu.s.pending_debug);
        self.raise(Event { vector: vector::DB, error: None, source: Source::Trap });
    }

    fn take_interrupt(&mut self, attention: u32) -> bool {
        let cpu = &mut *self.cpu;
        if attention & Attention::NMI != 0 && !cpu.s.nmi_blocked {
            cpu.raw_bus().attention().fetch_and(!Attention::NMI, Relaxed);
            cpu.s.nmi_blocked = true;
            self.raise(Event { vector: vector::NMI, error: None, source: Source::Nmi });
            return true;
        }
        if attention & Attention::INTR != 0 && cpu.s.rflags & rflags::IF != 0 {
            let vector = cpu.synced_bus().acknowledge();
            self.raise(Event { vector, error: None, source: Source::External });
            return true;
        }
        false
    }

    /// Runs up to `left` instructions, one at a time where something must be checked after each.
    fn execute(&mut self, left: i64, shadow: Shadow) {
        let tf = self.cpu.s.rflags & rflags::TF != 0;
        let breakpoints = self.code_breakpoints();
        let watched = breakpoints || self.cpu.data_breakpoints();
        let single = shadow != Shadow::None || tf || watched || self.stop.at.is_some();
        self.cpu.s.shadow = Shadow::None;
        self.cpu.step_suppressed = false;
        // Not behind MOV SS and POP SS (Intel SDM Vol. 3A 6.8.3).
        if breakpoints && shadow != Shadow::MovSs && self.hit_breakpoint() {
            return;
        }
        self.held = self.cpu.s.pending_debug;
        // RF holds for one instruction; nothing looks at it before the next boundary.
        self.cpu.s.rflags &= !rflags::RF;
        let before = self.cpu.budget_mark - self.cpu.budget;
        debug_assert_eq!(before, 0, "the count is up to date at a boundary");
        let entry = match self.enter() {
            Ok(entry) => entry,
            Err(Faulted) => return self.settle(),
        };
        // What comes after instructions that the run loop must see is reached from here only.
        if self.tier.is_some() && is_wanted(entry) {
            (self.wanted, self.used_up) = (true, true);
        }
        if std::mem::take(&mut self.used_up) {
            self.consult(entry);
        }
        let limited = !self.cpu.mode.flat_code && !self.cpu.page_in_limit;
        let count = if single || limited { 1 } else { left.min(self.next_slice) };
        if count <= MAX_BLOCK {
            self.run_exactly(entry, count, limited);
        } else {
            self.cpu.budget = count - MAX_BLOCK;
            self.cpu.budget_mark = self.cpu.budget;
            let before_work = self.cpu.cache.regions.work().0;
            run_ops(self.cpu, entry);
            let wanted = std::mem::take(&mut self.cpu.wanted);
            self.used_up = self.tier.is_some() && (self.cpu.budget <= 0 || wanted);
            self.wanted = wanted;
            if !wanted {
                self.adapt(before_work);
            }
        }
        let ran = self.count();
        let ok = self.cpu.why == Why::Lookup;
        self.settle();
        if tf && ok && ran == 1 && !self.cpu.step_suppressed {
            self.cpu.s.pending_debug |= BS;
        }
    }

    /// The next slice is long if nearly all of this one was compiled code, which neither needs samples nor uses the stack.
    fn adapt(&mut self, before: u64) {
        let (all, compiled) =
            (self.cpu.budget_mark - self.cpu.budget, self.cpu.cache.regions.work().0 - before);
        let mostly = compiled as i64 >= all - all / 16;
        self.next_slice = if mostly { LONG_SLICE } else { self.slice };
    }

    /// Brings the counts up to date; how many instructions ran since the last time. (Some of them the board may have
    /// heard of already: instructions that ask it for the time.)
    fn count(&mut self) -> u64 {
        let all = self.cpu.retired.wrapping_add((self.cpu.budget_mark - self.cpu.budget) as u64);
        let ran = all.wrapping_sub(self.counted);
        self.counted = all;
        self.done += ran;
        ran
    }

    /// Runs at most `count` instructions of the block at `entry`, and no other block.
    fn run_exactly(&mut self, entry: OpRef, count: i64, check_limit: bool) {
        let mut scratch: Vec<Op> = Vec::with_capacity(count as usize + 1);
        let mut at = entry;
        for _ in 0..count {
            let op = at.get();
            if op.len == 0 {
                break; // the terminator of the block
            }
            scratch.push(alone(op));
            if op.ends {
                break;
            }
            at = at.next();
        }
        let last = &scratch[scratch.len() - 1];
        let (end, idx) = (last.off + u16::from(last.len), scratch.len() as u8);
        if check_limit && self.cpu.rip.wrapping_add(u64::from(scratch[0].len) - 1) > self.code_limit() {
            self.cpu.gp(0);
            return;
        }
        scratch.push(stop_op(end, idx));
        self.cpu.budget = 0;
        self.cpu.budget_mark = 0;
        run_ops(self.cpu, OpRef::new(&scratch[0]));
        if self.cpu.why == Why::OneShot && self.cpu.budget == 0 {
            // It is the first op that wants to run by itself: do it here.
            self.cpu.why = Why::Lookup;
            self.one_shot(&scratch[0]);
        }
        self.cpu.link_from = OpRef::NONE;
    }

    fn code_limit(&self) -> u64 {
        u64::from(self.cpu.segment(SegmentName::Cs).limit)
    }

    /// Runs one instruction with device accesses and stores to code allowed.
    fn one_shot(&mut self, op: &Op) {
        let mut alone = alone(op);
        alone.idx = 0;
        let end = stop_op(op.off + u16::from(op.len), 1);
        let scratch = [alone, end];
        self.cpu.one_shot = true;
        run_ops(self.cpu, OpRef::new(&scratch[0]));
        self.cpu.one_shot = false;
        self.cpu.link_from = OpRef::NONE;
    }

    /// Deals with the reason why ops stopped running.
    fn settle(&mut self) {
        match std::mem::replace(&mut self.cpu.why, Why::Lookup) {
            Why::Lookup => {}
            Why::Exception(exception) => self.raise_exception(exception),
            Why::OneShot => self.retry_alone(),
        }
    }

    /// The instruction at RIP again, by itself.
    fn retry_alone(&mut self) {
        self.cpu.synced_bus();
        if let Ok(entry) = self.enter() {
            self.cpu.budget = 0;
            self.cpu.budget_mark = 0;
            self.one_shot(entry.get());
            self.count();
        }
        if let Why::Exception(exception) = std::mem::replace(&mut self.cpu.why, Why::Lookup) {
            self.raise_exception(exception);
        }
    }

    // ---- events ----------------------------------------------------------------------------------------------

    fn raise_exception(&mut self, exception: Exception) {
        // Accesses of an instruction that has not completed are no hits of data breakpoints.
        self.cpu.s.pending_debug = self.held;
        self.raise(Event { vector: exception.vector, error: exception.error, source: Source::Fault });
    }

    /// Delivers an event, and what goes wrong on the way (Intel SDM Vol. 3A 6.15, table 6-5).
    fn raise(&mut self, first: Event) {
        let mut event = first;
        self.cpu.one_shot = true;
        loop {
            match interrupt::deliver(self.cpu, &event) {
                Ok(()) => break,
                Err(Faulted) => {
                    let Why::Exception(next) = std::mem::replace(&mut self.cpu.why, Why::Lookup) else {
                        break;
                    };
                    if event.vector == vector::DF && event.source == Source::Fault {
                        self.cpu.s.activity = Activity::Shutdown;
                        break;
                    }
                    event = escalate(&event, next);
                }
            }
        }
        self.cpu.one_shot = false;
        self.cpu.link_from = OpRef::NONE;
        self.cpu.why = Why::Lookup;
        if matches!(first.source, Source::Fault | Source::Breakpoint) {
            // A fault counts as the instruction that did not retire: else a handler that faults at once would hold
            // guest time, and this engine, for ever.
            self.cpu.budget -= 1;
            self.count();
        }
    }

    /// Some breakpoint in DR7 watches instruction fetches.
    fn code_breakpoints(&self) -> bool {
        let dr7 = self.cpu.s.dr7;
        dr7 & 0xFF != 0 && (0..4).any(|n| dr7 >> (2 * n) & 3 != 0 && dr7 >> (16 + 4 * n) & 3 == 0)
    }

    /// Instruction breakpoints are faults before the instruction, unless RF is set (Intel SDM Vol. 3B 17.3.1.1).
    fn hit_breakpoint(&mut self) -> bool {
        let rip = self.linear_rip();
        let cpu = &mut *self.cpu;
        if cpu.s.rflags & rflags::RF != 0 {
            return false;
        }
        let hits = (0..4)
            .filter(|n| cpu.s.dr7 >> (2 * n) & 3 != 0 && cpu.s.dr7 >> (16 + 4 * n) & 3 == 0)
            .filter(|n| cpu.s.dr[*n as usize] == rip)
            .fold(0u64, |bits, n| bits | 1 << n);
        if hits == 0 {
            return false;
        }
        cpu.s.dr6 |= hits;
        self.raise(Event { vector: vector::DB, error: None, source: Source::Breakpoint });
        true
    }
}

/// A copy of an op that runs just its own instruction.
fn alone(op: &Op) -> Op {
    Op { handler: Cell::new(op.alone), ..op.clone() }
}

/// Runs ops until one asks for the run loop.
pub(super) fn run_ops(cpu: &mut Cpu, entry: OpRef) {
    let mut op = entry;
    while !op.is_none() {
        op = (op.get().handler.get())(cpu, op);
    }
}

#[derive(PartialEq, Eq)]
enum Class {
    Benign,
    Contributory,
    PageFault,
}

fn class(event_vector: u8, source: Source) -> Class {
    match (source, event_vector) {
        (Source::Fault, vector::PF) => Class::PageFault,
        (Source::Fault, vector::DE | vector::TS | vector::NP | vector::SS | vector::GP) => {
            Class::Contributory
        }
        _ => Class::Benign,
    }
}

/// What to deliver when delivering `first` raised `next`.
fn escalate(first: &Event, next: Exception) -> Event {
    let (a, b) = (class(first.vector, first.source), class(next.vector, Source::Fault));
    let double = matches!(
        (a, b),
        (Class::Contributory, Class::Contributory)
            | (Class::PageFault, Class::Contributory | Class::PageFault)
    );
    if double || (first.vector == vector::DF && first.source == Source::Fault) {
        Event { vector: vector::DF, error: Some(0), source: Source::Fault }
    } else {
        Event { vector: next.vector, error: next.error, source: Source::Fault }
    }
}
