//! The ends of blocks: Jcc, JMP, CALL, RET.

use super::asm::*;
use super::lazy::{Lazy, Loc, looks_at};
use super::registers::{BUDGET, FA, FB};
use super::{Direct, Emit, memory};
use crate::flags::{Shape, condition_of};
use crate::region::{End, Goal, Region};
use crate::translate::branch::transfer_known;
use cranelift_codegen::ir::Type;
use cranelift_codegen::ir::types::{I8, I16, I32};
use emu_core::interpreter::tier::Leave;
use emu_core::interpreter::{Mode, layout};
use iced_x86::{FlowControl, Instruction};

/// Transfers that end a block; [`Direct::finish`] translates them.
pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    let known = transfer_known(i, mode) && (!memory::has(i) || memory::known(i, mode));
    known.then_some(|_, _| {})
}

/// The most links that a region can have.
pub fn max_links(region: &Region) -> usize {
    2 * region.blocks.len()
}

fn width_of(ty: Type) -> Width {
    match ty {
        I8 => Width::B,
        I16 => Width::W,
        I32 => Width::D,
        _ => Width::Q,
    }
}

impl Direct<'_> {
    /// Ends a block; the code of block `next` comes behind it. The instruction of a transfer has been counted, though it
    /// may still leave.
    pub fn finish(&mut self, n: usize, next: Option<usize>) {
        let region = self.region;
        let last = region.blocks[n].insns.last().map(|insn| insn.instruction);
        match (region.blocks[n].end, last) {
            (End::Goto(goal), _) => {
                self.pay();
                self.edge(n, goal, next);
            }
            (End::Interpret(off), _) => self.leave(off, Leave::Interpret),
            (End::Branch { taken, next: other }, Some(i)) => self.fork(n, &i, taken, other, next),
            (End::Call { target, back }, _) => {
                self.uncounted(|direct| direct.push_rip(back));
                self.window = None;
                self.pay();
                self.edge(n, target, next);
            }
            (End::Return, Some(i)) => self.ret(n, &i),
            (End::Indirect, Some(i)) => self.indirect(n, &i),
            (End::System, Some(_)) => self.uncounted(|direct| direct.transfer(n)),
            (_, None) => self.refuse(),
        }
    }

    /// Takes what has retired off the budget. Flags stay.
    fn pay(&mut self) {
        let done = std::mem::take(&mut self.done);
        self.charge(done);
    }

    /// What of a transfer may leave: then it has not retired.
    fn uncounted(&mut self, f: impl FnOnce(&mut Self)) {
        self.done -= 1;
        f(self);
        self.done += 1;
    }

    fn fork(&mut self, n: usize, i: &Instruction, taken: Goal, other: Goal, next: Option<usize>) {
        let condition = condition_of(i).unwrap_or(0);
        let wanted = looks_at(condition);
        self.hold(wanted);
        self.pay();
        // If what is taken comes next, the other one jumps.
        let swap = Some(taken) == next.map(Goal::Block) && other != taken;
        let (condition, far, near) =
            if swap { (condition ^ 1, other, taken) } else { (condition, taken, other) };
        match far {
            Goal::Block(to) if self.is_plain(n, far) => {
                let label = self.blocks[to];
                self.asm.jcc(condition, label);
                self.inherit(to);
                self.edge(n, near, next);
            }
            _ => {
                let way = self.asm.label();
                self.asm.jcc(condition, way);
                let (lazy, held) = (self.lazy.clone(), self.held);
                self.edge(n, near, None);
                self.asm.bind(way);
                self.set_lazy(lazy, held);
                self.edge(n, far, next);
            }
        }
    }

    /// The edge is a jump and nothing else.
    fn is_plain(&self, from: usize, goal: Goal) -> bool {
        let Goal::Block(to) = goal else { return false };
        let passes = self.facts.predecessors[to] > 1 && self.facts.flags_wanted[to];
        !self.facts.leads_back(from, to) && !passes
    }

    fn inherit(&mut self, to: usize) {
        if self.facts.predecessors[to] <= 1 {
            self.inherited[to] = Some((self.lazy.clone(), self.held, self.window));
        }
    }

    /// From the end of block `from` to where it goes; the code of block `next` comes behind it.
    fn edge(&mut self, from: usize, goal: Goal, next: Option<usize>) {
        let to = match goal {
            Goal::Outside(off) => return self.leave_linked(off),
            Goal::Block(to) => to,
        };
        if self.facts.leads_back(from, to) {
            self.asm.alu_imm(Width::Q, Alu::Cmp, BUDGET, self.facts.need as i32);
            self.lose_flags();
            self.leave_if(cc::L, self.region.blocks[to].off, Leave::Budget);
        }
        self.inherit(to);
        if self.facts.predecessors[to] > 1 && self.facts.flags_wanted[to] {
            self.pass_flags(self.facts.shape[to]);
        }
        if next != Some(to) {
            let label = self.blocks[to];
            self.asm.jmp(label);
        }
    }

    /// The flags at the start of a block where several others lead.
    pub fn merged(&self, n: usize) -> Lazy {
        let pair = |sub, ty| Lazy::Result { sub, w: width_of(ty), r: Loc::Host(FA), b: Loc::Host(FB) };
        match self.facts.shape[n] {
            Shape::Memory => Lazy::Memory,
            Shape::Add(ty) => pair(false, ty),
            Shape::Sub(ty) => pair(true, ty),
            Shape::Logic(ty) => Lazy::Logic { w: width_of(ty), r: Loc::Host(FA) },
            Shape::Step { .. } => Lazy::Known,
        }
    }

    fn pass_flags(&mut self, shape: Shape) {
        match shape {
            Shape::Memory => {
                let lazy = self.lazy.clone();
                self.store_flags(&lazy);
            }
            Shape::Step { .. } => self.know(),
            Shape::Add(ty) => self.pass_pair(false, width_of(ty)),
            Shape::Sub(ty) => self.pass_pair(true, width_of(ty)),
            Shape::Logic(ty) => match self.lazy.clone() {
                Lazy::Logic { w, r } if w == width_of(ty) => self.copy(r, FA),
                _ => self.refuse(),
            },
        }
    }

    /// Both operands of a sum or difference, or its result and an operand, as result and operand in FA and FB.
    fn pass_pair(&mut self, wanted_sub: bool, width: Width) {
        match self.lazy.clone() {
            Lazy::Result { sub, w, r, b } if (sub, w) == (wanted_sub, width) => self.pass_both(r, b),
            Lazy::Operands { sub, w, a, b } if (sub, w) == (wanted_sub, width) => {
                self.pass_both(a, b);
                let op = if sub { Alu::Sub } else { Alu::Add };
                self.asm.alu(Width::Q, op, FA, FB);
                self.lose_flags();
            }
            _ => self.refuse(),
        }
    }

    /// Two values into FA and FB, wherever they are.
    fn pass_both(&mut self, a: Loc, b: Loc) {
        if b == Loc::Host(FA) {
            self.copy(b, RAX);
            self.copy(a, FA);
            self.asm.mov(Width::Q, FB, RAX);
        } else if a == Loc::Host(FB) {
            self.copy(a, FA); // before FB is lost
            self.copy(b, FB);
        } else {
            self.copy(b, FB);
            self.copy(a, FA);
        }
    }

    /// RET: to the calls of the region by comparison, else out of it.
    fn ret(&mut self, n: usize, i: &Instruction) {
        let popped = if i.op_count() == 1 { i32::from(i.immediate16()) } else { 0 };
        let popped = popped + if self.long() { 8 } else { 4 };
        self.rescue(super::stack::SP);
        self.uncounted(Self::load_top);
        let region = self.region;
        for (back, block) in &region.returns {
            self.rip(RCX, *back);
            self.asm.alu(Width::Q, Alu::Cmp, RCX, RAX);
            self.lose_flags();
            let elsewhere = self.asm.label();
            self.asm.jcc(cc::NE, elsewhere);
            let (lazy, done) = (self.lazy.clone(), self.done);
            self.move_by(super::stack::SP, popped);
            self.window = None;
            self.pay();
            self.edge(n, Goal::Block(*block), None);
            self.set_lazy(lazy, 0);
            self.done = done;
            self.asm.bind(elsewhere);
        }
        self.jump_by_cache(popped);
    }

    /// JMP or CALL to a computed address.
    fn indirect(&mut self, n: usize, i: &Instruction) {
        let back = self.region.blocks[n].insns.last().map_or(0, |insn| insn.end());
        self.uncounted(|direct| {
            direct.load_target(i);
            if i.flow_control() == FlowControl::IndirectCall {
                direct.must_be_canonical();
                direct.asm.store(Width::Q, of_cpu(layout::RIP), RAX);
                direct.push_rip(back);
                direct.asm.load(Width::Q, RAX, of_cpu(layout::RIP));
            }
        });
        self.jump_by_cache(0);
    }

    fn load_target(&mut self, i: &Instruction) {
        let w = self.address_width();
        if i.op0_kind() == iced_x86::OpKind::Register {
            return self.get(w, RAX, super::registers::number(i.op0_register()));
        }
        self.address(i);
        self.probe(if self.long() { 8 } else { 4 }, false, memory::cell_of(i));
        self.asm.load(w, RAX, at(RAX, 0));
    }

    /// Leaves #GP of a non-canonical target, in RAX, to the interpreter.
    fn must_be_canonical(&mut self) {
        if !self.long() {
            return;
        }
        self.asm.mov(Width::Q, RCX, RAX);
        self.asm.shift(Width::Q, Shift::Shl, RCX, 16);
        self.asm.shift(Width::Q, Shift::Sar, RCX, 16);
        self.asm.alu(Width::Q, Alu::Cmp, RCX, RAX);
        self.lose_flags();
        self.interpret_if(cc::NE);
    }
}
