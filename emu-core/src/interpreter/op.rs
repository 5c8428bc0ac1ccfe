//! Pre-decoded instructions and how one hands over to the next.
//!
//! A block is a run of [`Op`]s that lie in one page. In optimised builds a handler ends by calling the next op's
//! handler in tail position, which the compiler turns into a jump; in debug builds it returns the next op to the
//! loop in `run`. Correctness never depends on the tail call: the run loop hands out at most a few thousand
//! instructions at a time, so even a handler that kept its frame could not exhaust the stack.
#![allow(unsafe_code)] // raw links between ops; the block cache keeps every linked op alive (see `cache`)

use super::Cpu;
use std::cell::Cell;

/// A handler runs one op and everything after it, until something needs the run loop.
pub type Handler = fn(&mut Cpu, OpRef) -> OpRef;

/// The exception, or other reason to stop, is in [`Cpu`]; nothing of the instruction has been committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faulted;

/// One pre-decoded instruction.
#[derive(Clone)]
#[repr(C)]
pub struct Op {
    pub handler: Cell<Handler>,
    /// The handler for this instruction alone, where `handler` also runs the one after it (see `fuse`).
    pub alone: Handler,
    /// Immediate, zero- or sign-extended as the instruction defines. Direct branches: the target as an offset from
    /// the start of this op's page (may be negative or beyond the page).
    pub imm: u64,
    /// Displacement of the memory operand.
    pub disp: u64,
    /// Direct branches: the op at the target, once known.
    pub link: Cell<OpRef>,
    /// The translation generation for which `link` holds, for branches that leave the page.
    pub link_generation: Cell<u64>,
    /// The region that begins here, see `regions`.
    pub region: Cell<u32>,
    /// How often compiled code came here and found no region.
    pub missed: Cell<u8>,
    /// A link from another page may lead here.
    pub reached: Cell<bool>,
    /// Offset of the instruction in its page.
    pub off: u16,
    /// How many instructions of the block come before this one.
    pub idx: u8,
    /// Length in bytes.
    pub len: u8,
    /// First register operand (operand 0 if it is a register), as [`super::word::Word`] names it.
    pub a: u8,
    /// Register of operand 1.
    pub b: u8,
    /// Register of operand 2.
    pub c: u8,
    /// Memory operand: base register slot, or `ZERO`, or `RIP_BASE`.
    pub base: u8,
    /// Index register slot, or `ZERO`.
    pub index: u8,
    /// Shift count of the index, 0 to 3.
    pub scale: u8,
    /// Slot of the segment base, or `ZERO` where the base is zero by definition.
    pub seg_slot: u8,
    /// The segment register by its encoding (0 to 5), for fault classes and checks.
    pub seg: u8,
    /// No segment check is needed: 64-bit mode, or a flat segment.
    pub flat: bool,
    /// Width of the effective address in bytes: 2, 4 or 8.
    pub addr_bytes: u8,
    /// Operand size in bytes where a handler serves several: 2, 4 or 8.
    pub size: u8,
    /// Nothing of its block comes after it: control always goes elsewhere.
    pub ends: bool,
    /// F2/F3 prefix of a string instruction, see `string`; other families may use it for their own sub-code.
    pub sub: u8,
    /// The guest writes into this instruction again and again, so it is a block by itself, to which no link leads.
    pub patched: bool,
}

impl Op {
    /// An op with no operands that runs `handler`.
    pub fn new(handler: Handler) -> Self {
        Self {
            handler: Cell::new(handler),
            alone: handler,
            imm: 0,
            disp: 0,
            link: Cell::new(OpRef::NONE),
            link_generation: Cell::new(0),
            region: Cell::new(super::regions::NO_REGION),
            missed: Cell::new(0),
            reached: Cell::new(false),
            off: 0,
            idx: 0,
            len: 0,
            a: 0,
            b: 0,
            c: 0,
            base: super::word::ZERO,
            index: super::word::ZERO,
            scale: 0,
            seg_slot: super::word::ZERO,
            seg: 3,
            flat: true,
            addr_bytes: 8,
            size: 0,
            ends: false,
            sub: 0,
            patched: false,
        }
    }

    /// Sets what runs this op, alone or not.
    pub fn runs(&mut self, handler: Handler) {
        self.handler.set(handler);
        self.alone = handler;
    }
}

/// A link to an op, or none ("back to the run loop").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpRef(*const Op);

impl OpRef {
    pub const NONE: Self = Self(std::ptr::null());

    pub fn new(op: &Op) -> Self {
        Self(op)
    }

    #[inline(always)]
    pub fn is_none(self) -> bool {
        self.0.is_null()
    }

    /// The op. Never called on `NONE`.
    #[inline(always)]
    pub fn get<'a>(self) -> &'a Op {
        debug_assert!(!self.is_none());
        // SAFETY: links are made only by the block cache, to ops in live blocks. Blocks that are dropped from the
        // cache stay allocated until the run loop is between blocks (`cache::Graveyard`), so a link that is being
        // followed is always live. Ops are not moved and only their `Cell`s change.
        unsafe { &*self.0 }
    }

    /// The op after this one in its block. Every block ends in an op that never asks for the next.
    #[inline(always)]
    pub fn next(self) -> Self {
        // SAFETY: the last op of every block is a terminator (`lower` appends one), so `next` stays inside it.
        Self(unsafe { self.0.add(1) })
    }
}

/// Hands over to `op`: a jump in optimised builds, back to the loop in debug builds.
#[inline(always)]
pub fn dispatch(cpu: &mut Cpu, op: OpRef) -> OpRef {
    if cfg!(debug_assertions) { op } else { (op.get().handler.get())(cpu, op) }
}

/// A zero-sized function item, by its type alone: handlers are chosen at compile time, without a pointer.
#[inline(always)]
fn item<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "only function items and captureless closures") };
    // SAFETY: F is zero-sized (checked above) and Copy, and the caller was handed a value of it, so it is inhabited:
    // there are no bytes to read.
    unsafe { std::ptr::NonNull::<F>::dangling().read() }
}

/// A hot instruction that cannot fault.
pub fn plain<F: Fn(&mut Cpu, &Op) + Copy>(_: F) -> Handler {
    |cpu, op| {
        item::<F>()(cpu, op.get());
        dispatch(cpu, op.next())
    }
}

/// A hot instruction that may fault; it commits nothing before its last possible fault.
pub fn faulting<F: Fn(&mut Cpu, &Op) -> Result<(), Faulted> + Copy>(_: F) -> Handler {
    |cpu, op| match item::<F>()(cpu, op.get()) {
        Ok(()) => dispatch(cpu, op.next()),
        Err(Faulted) => cpu.abandon(op.get()),
    }
}

/// A hot instruction compiled for both paths through memory (see `path`): `fast` gives up without a trace where it
/// is not enough, and `slow` runs instead.
pub fn two_paths<F, S>(_: F, _: S) -> Handler
where
    F: Fn(&mut Cpu, &Op) -> Result<(), Faulted> + Copy,
    S: Fn(&mut Cpu, &Op) -> Result<(), Faulted> + Copy,
{
    |cpu, op| match item::<F>()(cpu, op.get()) {
        Ok(()) => dispatch(cpu, op.next()),
        Err(Faulted) => slow_path::<S>(cpu, op),
    }
}

#[cold]
#[inline(never)]
fn slow_path<S: Fn(&mut Cpu, &Op) -> Result<(), Faulted> + Copy>(cpu: &mut Cpu, op: OpRef) -> OpRef {
    match item::<S>()(cpu, op.get()) {
        Ok(()) => op.next(),
        Err(Faulted) => cpu.abandon(op.get()),
    }
}

/// A larger instruction: the same as [`faulting`], but it returns to the loop, so it may use the stack freely.
pub fn complex<F: Fn(&mut Cpu, &Op) -> Result<(), Faulted> + Copy>(_: F) -> Handler {
    |cpu, op| match item::<F>()(cpu, op.get()) {
        Ok(()) => op.next(),
        Err(Faulted) => cpu.abandon(op.get()),
    }
}

/// An instruction that may touch anything: the bus, modes, RIP. It ends its block.
///
/// When it runs, `cpu.rip` is the next instruction's address (it may set another one), `cpu.start_rip` its own, and
/// the count of retired instructions is exact.
pub fn serializing<F: Fn(&mut Cpu, &Op) -> Result<(), Faulted> + Copy>(_: F) -> Handler {
    |cpu, op| {
        let op = op.get();
        cpu.begin_serializing(op);
        match item::<F>()(cpu, op) {
            Ok(()) => cpu.budget -= 1,
            Err(Faulted) => cpu.rip = cpu.start_rip,
        }
        OpRef::NONE
    }
}

/// A control transfer: returns the op to go on with, see `branch`.
pub fn branch<F: Fn(&mut Cpu, OpRef) -> OpRef + Copy>(_: F) -> Handler {
    |cpu, op| item::<F>()(cpu, op)
}
