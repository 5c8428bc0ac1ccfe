//! From a region's instructions straight to machine code of an x86-64 host: guest instructions are encoded again with
//! other registers and the address of their operand in this process.
//!
//! It costs a tenth of what Cranelift does, and keeps the host's flags where they are the guest's. Nothing of an
//! instruction is committed before its last possible exit, so an exit always finds the state before its instruction.

mod asm;
mod branch;
mod callout;
mod exit;
mod family;
mod generic;
mod lazy;
mod memory;
mod recode;
mod registers;
mod routines;
mod special;
mod sse;
mod stack;
mod system;
mod window;
mod x87;

use crate::facts::Facts;
use crate::observe::Mark;
use crate::region::{Known, Region};
use asm::{Asm, Label, Reg, Width};
use emu_core::interpreter::Mode;
use emu_core::interpreter::tier::{Link, Seen, Single};
use emu_core::isa::x87::opcode;
use exit::Stub;
use iced_x86::{FlowControl, Instruction};
use lazy::Lazy;
use registers::{Lodger, Pins};
use std::sync::Arc;
use window::{Access, Window};
use x87::Note;

pub use asm::Routine;
pub use exit::LinkJump;
pub use recode::host_has;
pub use routines::{Routines, before_function};

/// Translates one instruction.
type Emit = fn(&mut Direct<'_>, &Instruction);

/// Whether, and how, an instruction can be part of a direct region.
pub fn know(i: &Instruction, bytes: &[u8], off: i64, mode: Mode) -> Option<Known> {
    let native = pick(i, mode).is_some();
    let always = native && !generic::only_if_dead(i);
    let page_offset = u16::try_from(off.rem_euclid(4096)).ok().filter(|_| !always);
    let transfer = page_offset.and_then(|off| Single::transfer(bytes, off, mode));
    let transfers = transfer.is_some();
    // What else is a transfer goes on where it leads, not behind it.
    let behind = page_offset.filter(|_| i.flow_control() == FlowControl::Next);
    let single = transfer.or_else(|| Single::new(bytes, behind?, mode)).map(Arc::new);
    (always || single.is_some()).then(|| Known { native, single, transfers, fop: opcode(bytes) })
}

/// How the instruction is translated, if it is known.
fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    if !generic::offered(i, mode) {
        return special::pick(i, mode);
    }
    branch::pick(i, mode)
        .or_else(|| stack::pick(i, mode))
        .or_else(|| special::pick(i, mode))
        .or_else(|| system::pick(i, mode))
        .or_else(|| x87::pick(i, mode))
        .or_else(|| generic::pick(i, mode))
}

/// What a region has become.
pub struct Translated {
    pub code: Vec<u8>,
    /// Where in it the part begins that runs rarely, and distances between the parts.
    pub cold: usize,
    pub crossing: Vec<usize>,
    pub relocations: Vec<(usize, Routine)>,
    /// The links, and where in the code they are.
    pub links: Vec<Link>,
    pub jumps: Vec<LinkJump>,
    pub seen: Box<Seen>,
    /// Empty unless they were asked for.
    pub marks: Vec<Mark>,
}

/// A region in translation.
pub struct Direct<'a> {
    region: &'a Region,
    facts: &'a Facts,
    asm: Asm,
    pins: [Option<Reg>; 16],
    vectors: [Option<Reg>; 16],
    lodgers: Vec<Lodger>,
    window_register: Option<Reg>,
    window: Option<Window>,
    accesses: Vec<Vec<Option<Access>>>,
    /// Block and number of the instruction that is being translated.
    place: (usize, usize),
    written: u16,
    vector_written: u16,
    lazy: Lazy,
    /// Which of the host's flags are the guest's now, see [`lazy::held`].
    held: u8,
    /// The flags are wanted after the current instruction.
    live: bool,
    /// The current block is part of a loop.
    in_loop: bool,
    blocks: Vec<Label>,
    /// The flags, and the window, at the start of blocks that only one other leads to.
    inherited: Vec<Option<(Lazy, u8, Option<Window>)>>,
    stubs: Vec<Stub>,
    /// Where all exits go in the end, if there is more to it than the routine does.
    out: Option<Label>,
    /// Their addresses are constants of the code: none is moved before the code is done.
    links: Vec<Link>,
    /// For each of them where its jump is, and what it does at first.
    jumps: Vec<(usize, Option<Label>)>,
    seen: Box<Seen>,
    /// Instructions of the block that have retired and are not yet off the budget in its register.
    done: i64,
    /// Offset of the instruction that is being translated, and its FOP.
    off: i64,
    fop: u16,
    note: Note,
    refused: bool,
    /// What the host code was made for, if somebody wants to know.
    marks: Option<Vec<Mark>>,
}

/// Builds the code of a region, with `windows` or without; with `marks`, and notes which of it is for which instruction. `None` if something about
/// the region was not as foreseen.
pub fn translate(region: &Region, facts: &Facts, windows: bool, marks: bool) -> Option<Translated> {
    let accesses = window::accesses(region);
    let weight = |n| if facts.in_loop[n] { 4 } else { 1 };
    let savings = if windows { window::savings(region, &accesses, weight) } else { 0 };
    let Pins { general, lodgers, window, vector, written, vector_written } = Pins::of(region, facts, savings);
    let mut asm = Asm::new();
    let blocks: Vec<Label> = region.blocks.iter().map(|_| asm.label()).collect();
    let mut direct = Direct {
        region,
        facts,
        asm,
        pins: general,
        vectors: vector,
        lodgers,
        window_register: window,
        window: None,
        accesses,
        place: (0, 0),
        written,
        vector_written,
        lazy: Lazy::Memory,
        held: 0,
        live: true,
        in_loop: false,
        inherited: vec![None; blocks.len()],
        blocks,
        stubs: Vec::new(),
        out: None,
        links: Vec::with_capacity(branch::max_links(region)),
        jumps: Vec::new(),
        seen: Box::default(),
        done: 0,
        off: 0,
        fop: 0,
        note: Note::default(),
        refused: false,
        marks: marks.then(Vec::new),
    };
    direct.out = (!direct.is_at_home()).then(|| direct.asm.label());
    direct.enter();
    for (place, block) in facts.order.iter().enumerate() {
        direct.block(*block, facts.order.get(place + 1).copied());
    }
    direct.write_stubs();
    direct.asm.link()?;
    let jumps = direct
        .jumps
        .iter()
        .map(|(at, stub)| LinkJump { at: *at, unlinked: stub.and_then(|stub| direct.asm.place_of(stub)) });
    let jumps = jumps.collect();
    (!direct.refused).then(|| Translated {
        code: std::mem::take(&mut direct.asm.code),
        cold: direct.asm.cold,
        crossing: std::mem::take(&mut direct.asm.crossing),
        relocations: std::mem::take(&mut direct.asm.relocations),
        links: std::mem::take(&mut direct.links),
        jumps,
        seen: std::mem::take(&mut direct.seen),
        marks: direct.marks.take().unwrap_or_default(),
    })
}

impl Direct<'_> {
    /// Translates a block; `next` is the one whose code comes after it.
    fn block(&mut self, n: usize, next: Option<usize>) {
        let label = self.blocks[n];
        self.asm.bind(label);
        self.done = 0;
        (self.lazy, self.held, self.window) = self.start_of(n);
        let region = self.region;
        let block = &region.blocks[n];
        let live = self.facts.live_flags(region, n);
        self.in_loop = self.facts.in_loop[n];
        for (at, (insn, live)) in block.insns.iter().zip(live).enumerate() {
            self.place = (n, at);
            let start = self.asm.code.len();
            (self.off, self.fop) = (insn.off, insn.known.fop);
            self.live = live;
            let i = &insn.instruction;
            match (&insn.known, pick(i, region.mode)) {
                (Known { native: true, .. }, Some(emit)) if !live || !generic::only_if_dead(i) => {
                    emit(self, i)
                }
                (Known { transfers: true, .. }, _) => {} // at the end of the block
                (Known { single: Some(single), .. }, _) => self.call_out(single, i),
                _ => self.refuse(),
            }
            self.done += 1;
            self.follow_window(insn);
            self.mark(start, insn.off);
        }
        self.flush_note();
        let start = self.asm.code.len();
        self.finish(n, next);
        self.mark(start, self.off);
    }

    /// Notes that the code from `start` on was made for the instruction at `off`.
    fn mark(&mut self, start: usize, off: i64) {
        let end = self.asm.code.len();
        if let (Some(marks), true) = (&mut self.marks, end > start) {
            marks.push(Mark { start: start as u32, end: end as u32, guest: off });
        }
    }

    /// The flags and the window at the start of a block.
    fn start_of(&mut self, n: usize) -> (Lazy, u8, Option<Window>) {
        if self.facts.predecessors[n] <= 1 {
            return self.inherited[n].take().unwrap_or((Lazy::Dead, 0, None));
        }
        if !self.facts.flags_wanted[n] {
            return (Lazy::Dead, 0, None);
        }
        (self.merged(n), 0, None)
    }

    /// Gives the translation up; what has been built so far is thrown away.
    fn refuse(&mut self) {
        self.refused = true;
    }

    fn long(&self) -> bool {
        self.region.mode.long
    }

    /// Width of addresses and stack slots.
    fn address_width(&self) -> Width {
        if self.long() { Width::Q } else { Width::D }
    }
}
