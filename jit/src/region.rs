//! Finding a region: the instructions that direct branches reach from a hot block, as basic blocks.
//!
//! Offsets count from the start of the page of the entry; they may be negative or beyond it. Nothing in a region depends
//! on the linear address of that page, so it serves every mapping of its frame.

use crate::opcode;
use emu_core::Frame;
use emu_core::interpreter::Mode;
use emu_core::interpreter::tier::{Place, Single, Site, Span};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

const PAGE: i64 = 4096;
/// The longest instruction (Intel SDM Vol. 2A 2.3.11).
const MAX_INSN: usize = 15;
/// Instructions that are worth a call without a loop.
const SMALL: usize = 5;

/// How a translator knows an instruction.
#[derive(Clone)]
pub struct Known {
    /// It has code for it, at least where nobody wants the flags.
    pub native: bool,
    /// For the interpreter.
    pub single: Option<Arc<Single>>,
    /// That is a transfer, which ends its block.
    pub transfers: bool,
    /// What an x87 instruction leaves in FOP.
    pub fop: u16,
}

/// What a translator can do.
pub struct Rules {
    /// Instructions in a region.
    pub limit: usize,
    /// Pages that they lie in.
    pub pages: usize,
    /// What is called becomes a part of the region.
    pub calls: bool,
    /// Whether an instruction with these bytes, at an offset of the region, can be part of one.
    pub know: fn(&Instruction, &[u8], i64, Mode) -> Option<Known>,
}

/// An instruction that the translator knows.
#[derive(Clone)]
pub struct Insn {
    pub instruction: Instruction,
    pub off: i64,
    pub known: Known,
    /// General registers that it may write, a bit each.
    pub writes: u16,
}

impl Insn {
    /// Offset of the instruction after it.
    pub fn end(&self) -> i64 {
        self.off + self.instruction.len() as i64
    }
}

/// Where control goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A block of the region.
    Block(usize),
    /// This offset, which is not in the region.
    Outside(i64),
}

/// How a block ends. The instruction of a transfer is the last of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Goto(Goal),
    /// Jcc.
    Branch {
        taken: Goal,
        next: Goal,
    },
    /// CALL with a direct target.
    Call {
        target: Goal,
        back: i64,
    },
    Return,
    /// JMP or CALL to an address in a register or in memory.
    Indirect,
    /// A transfer that the interpreter executes.
    System,
    /// The interpreter must execute the instruction here.
    Interpret(i64),
}

/// A basic block.
#[derive(Clone)]
pub struct Block {
    pub off: i64,
    pub insns: Vec<Insn>,
    pub end: End,
}

/// The code of a region.
pub struct Region {
    pub mode: Mode,
    /// At privilege level 3.
    pub user: bool,
    pub blocks: Vec<Block>,
    /// The block where it is entered; nothing in the region leads there.
    pub entry: usize,
    /// Offsets behind the calls that stay inside the region, with the blocks there.
    pub returns: Vec<(i64, usize)>,
    /// Pages besides the entry's own, and their frames.
    pub other_pages: Vec<(i64, Frame)>,
}

impl Region {
    /// Blocks that control may reach from `block` without leaving the region.
    pub fn successors(&self, block: usize) -> impl DoubleEndedIterator<Item = usize> + use<'_> {
        let inside = |goal: Goal| match goal {
            Goal::Block(n) => Some(n),
            Goal::Outside(_) => None,
        };
        let (one, other, returns) = match self.blocks[block].end {
            End::Goto(goal) | End::Call { target: goal, .. } => (inside(goal), None, &[][..]),
            End::Branch { taken, next } => {
                let (a, b) = (inside(taken), inside(next));
                (a, b.filter(|_| a != b), &[][..])
            }
            End::Return => (None, None, &self.returns[..]),
            End::Indirect | End::System | End::Interpret(_) => (None, None, &[][..]),
        };
        one.into_iter().chain(other).chain(returns.iter().map(|(_, block)| *block))
    }

    /// Entering and leaving would cost more than the region saves: a few instructions, and no loop.
    pub fn is_small(&self) -> bool {
        let loops = |n: usize| self.successors(n).any(|to| self.blocks[to].off <= self.blocks[n].off);
        self.instructions() < SMALL && !(0..self.blocks.len()).any(loops)
    }

    /// Execution comes to an instruction that the translator does not know.
    pub fn is_cut_short(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block.end, End::Interpret(_)))
    }

    /// What the interpreter executes in it.
    pub fn singles(&self) -> Vec<Arc<Single>> {
        let insns = self.blocks.iter().flat_map(|block| &block.insns);
        insns.filter_map(|insn| insn.known.single.clone()).collect()
    }

    pub fn instructions(&self) -> usize {
        self.blocks.iter().map(|block| block.insns.len()).sum()
    }
}

struct Page {
    pages: i64,
    frame: Frame,
    bytes: Vec<u8>,
}

/// The code around a place, as far as it has been looked at.
struct Scan<'a> {
    place: &'a Place<'a>,
    begins: &'a dyn Fn(Site) -> bool,
    rules: &'a Rules,
    pages: Vec<Page>,
    insns: BTreeMap<i64, Insn>,
    leaders: BTreeSet<i64>,
    unknown: BTreeSet<i64>,
    queue: VecDeque<i64>,
}

/// The target of a direct branch, as an offset.
fn target(i: &Instruction) -> i64 {
    match i.op0_kind() {
        OpKind::NearBranch32 => i64::from(i.near_branch32() as i32),
        _ => i.near_branch64() as i64,
    }
}

/// General registers that an instruction may write.
fn written(i: &Instruction) -> u16 {
    let mut bits = 0;
    opcode::each_register(i, |register, writes| {
        bits |= u16::from(writes && register.is_gpr()) << (register.full_register().number() & 15);
    });
    bits
}

/// The region at a hot place, and the bytes it was read from; `None` if not even its first instruction is known.
///
/// Where another region begins, of which `begins` knows, this one ends, or each would hold copies of others.
pub fn form(place: &Place<'_>, rules: &Rules, begins: &dyn Fn(Site) -> bool) -> Option<(Region, Vec<Span>)> {
    let start = place.offset as i64;
    let mut scan = Scan {
        place,
        begins,
        rules,
        pages: Vec::new(),
        insns: BTreeMap::new(),
        leaders: BTreeSet::new(),
        unknown: BTreeSet::new(),
        queue: VecDeque::new(),
    };
    scan.lead(start);
    while let Some(off) = scan.queue.pop_front() {
        scan.follow(off);
    }
    if !scan.insns.contains_key(&start) {
        return None;
    }
    let spans = scan.spans();
    Some((scan.into_region(start), spans))
}

impl Scan<'_> {
    /// Another region begins at `off`.
    fn is_taken(&mut self, off: i64) -> bool {
        if off == self.place.offset as i64 {
            return false;
        }
        let Some(page) = self.page(off.div_euclid(PAGE)) else { return false };
        let frame = page.frame;
        (self.begins)(self.place.site_at(frame, off.rem_euclid(PAGE) as u64))
    }

    /// A branch goes to `off`.
    fn lead(&mut self, off: i64) {
        if self.leaders.insert(off) {
            self.queue.push_back(off);
        }
    }

    /// Decodes from `off` on, until control goes elsewhere.
    fn follow(&mut self, start: i64) {
        let mut off = start;
        loop {
            if self.insns.contains_key(&off) {
                self.leaders.insert(off);
                return;
            }
            if self.insns.len() >= self.rules.limit || self.is_taken(off) {
                return;
            }
            let Some(insn) = self.decode(off) else {
                self.unknown.insert(off);
                return;
            };
            let (next, instruction, transfers) = (insn.end(), insn.instruction, insn.known.transfers);
            self.insns.insert(off, insn);
            if transfers {
                return;
            }
            match instruction.flow_control() {
                FlowControl::Next => off = next,
                FlowControl::ConditionalBranch => {
                    self.lead(next);
                    self.lead(target(&instruction));
                    return;
                }
                FlowControl::UnconditionalBranch => return self.lead(target(&instruction)),
                FlowControl::Call if self.rules.calls => {
                    self.lead(target(&instruction));
                    self.lead(next);
                    return;
                }
                _ => return,
            }
        }
    }

    /// The instruction at `off`, if it lies in the pages and the translator knows it.
    fn decode(&mut self, off: i64) -> Option<Insn> {
        let rest = &self.page(off.div_euclid(PAGE))?.bytes[off.rem_euclid(PAGE) as usize..];
        let bytes = rest[..rest.len().min(MAX_INSN)].to_vec();
        if bytes.len() >= MAX_INSN {
            return self.decode_from(off, &bytes);
        }
        // The pages are fetched together only if the instruction lies in both.
        self.decode_from(off, &bytes).or_else(|| {
            let second = self.page(off.div_euclid(PAGE) + 1)?.bytes[..MAX_INSN].to_vec();
            self.decode_from(off, &[bytes, second].concat()).filter(|insn| insn.known.native)
        })
    }

    fn decode_from(&self, off: i64, bytes: &[u8]) -> Option<Insn> {
        let mode = self.place.mode;
        let bits = if mode.long { 64 } else { 32 };
        let instruction = Decoder::with_ip(bits, bytes, off as u64, DecoderOptions::NONE).decode();
        if instruction.is_invalid() {
            return None;
        }
        if self.is_patched(off, instruction.len() as i64) {
            return None;
        }
        let known = (self.rules.know)(&instruction, &bytes[..instruction.len()], off, mode)?;
        let writes = written(&instruction);
        Some(Insn { instruction, off, known, writes })
    }

    /// The guest writes into the instruction at `off` again and again.
    fn is_patched(&self, off: i64, size: i64) -> bool {
        let here = |page: &Page| {
            let start = page.pages * PAGE;
            let (first, end) = (off.max(start), (off + size).min(start + PAGE));
            first < end && self.place.is_patched(page.frame, (first - start) as u64, (end - first) as u64)
        };
        self.pages.iter().any(here)
    }

    fn page(&mut self, pages: i64) -> Option<&Page> {
        if let Some(n) = self.pages.iter().position(|page| page.pages == pages) {
            return Some(&self.pages[n]);
        }
        if self.pages.len() == self.rules.pages {
            return None;
        }
        let frame = if pages == 0 { self.place.frame } else { self.place.page(pages)? };
        if self.pages.iter().any(|page| page.frame == frame) {
            return None;
        }
        let mut bytes = vec![0; PAGE as usize];
        self.place.memory().read_frame(frame, 0, &mut bytes);
        self.pages.push(Page { pages, frame, bytes });
        self.pages.last()
    }

    /// The bytes of all instructions, in runs that lie in a page each.
    fn spans(&self) -> Vec<Span> {
        let mut runs: Vec<(i64, i64)> = Vec::new();
        let mut add = |start: i64, stop: i64| match runs.last_mut() {
            Some((_, end)) if start <= *end && start.rem_euclid(PAGE) != 0 => *end = stop.max(*end),
            _ => runs.push((start, stop)),
        };
        for insn in self.insns.values() {
            let page_end = (insn.off.div_euclid(PAGE) + 1) * PAGE;
            add(insn.off, insn.end().min(page_end));
            if insn.end() > page_end {
                add(page_end, insn.end());
            }
        }
        let span = |(start, end): (i64, i64)| {
            let page = self.pages.iter().find(|page| page.pages == start.div_euclid(PAGE))?;
            let at = start.rem_euclid(PAGE) as usize;
            let bytes = page.bytes[at..at + (end - start) as usize].to_vec();
            Some(Span { frame: page.frame, offset: at as u64, bytes })
        };
        runs.into_iter().filter_map(span).collect()
    }

    fn into_region(self, start: i64) -> Region {
        let starts: Vec<i64> =
            self.leaders.iter().copied().filter(|off| self.insns.contains_key(off)).collect();
        let mut blocks: Vec<Block> = starts.iter().map(|off| self.block(*off, &starts)).collect();
        let mut returns = Vec::new();
        for block in &blocks {
            if let End::Call { target: Goal::Block(_), back } = block.end
                && let Ok(n) = starts.binary_search(&back)
                && !returns.contains(&(back, n))
            {
                returns.push((back, n));
            }
        }
        returns.truncate(MAX_RETURNS);
        let mut entry = starts.binary_search(&start).unwrap_or(0);
        let others = self.pages.iter().filter(|page| page.pages != 0);
        let other_pages = others.map(|page| (page.pages, page.frame)).collect();
        let again = |block: &Block| -> bool {
            let goals = match block.end {
                End::Goto(goal) | End::Call { target: goal, .. } => [Some(goal), None],
                End::Branch { taken, next } => [Some(taken), Some(next)],
                _ => [None, None],
            };
            goals.contains(&Some(Goal::Block(entry)))
        };
        if blocks.iter().any(again) || returns.iter().any(|(_, block)| *block == entry) {
            // The entry apart from the loop: what is known of the flags in the loop does not hold here.
            let copy = blocks[entry].clone();
            entry = blocks.len();
            blocks.push(copy);
        }
        Region { mode: self.place.mode, user: self.place.user, blocks, entry, returns, other_pages }
    }

    fn goal(&self, off: i64, starts: &[i64]) -> Goal {
        starts.binary_search(&off).map_or(Goal::Outside(off), Goal::Block)
    }

    fn block(&self, start: i64, starts: &[i64]) -> Block {
        let mut insns = Vec::new();
        let mut off = start;
        let end = loop {
            let Some(insn) = self.insns.get(&off) else {
                break if self.unknown.contains(&off) {
                    End::Interpret(off)
                } else {
                    End::Goto(Goal::Outside(off))
                };
            };
            insns.push(insn.clone());
            off = insn.end();
            let goal = |off| self.goal(off, starts);
            match insn.instruction.flow_control() {
                _ if insn.known.transfers => break End::System,
                FlowControl::Next if starts.binary_search(&off).is_ok() => break End::Goto(goal(off)),
                FlowControl::Next => {}
                FlowControl::ConditionalBranch => {
                    break End::Branch { taken: goal(target(&insn.instruction)), next: goal(off) };
                }
                FlowControl::UnconditionalBranch => break End::Goto(goal(target(&insn.instruction))),
                FlowControl::Call => break End::Call { target: goal(target(&insn.instruction)), back: off },
                FlowControl::Return => break End::Return,
                _ => break End::Indirect,
            }
        };
        Block { off: start, insns, end }
    }
}

/// Places that a RET of the region is tried for.
const MAX_RETURNS: usize = 4;
