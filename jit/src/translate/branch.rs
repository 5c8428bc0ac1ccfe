//! The ends of blocks: Jcc, JMP, CALL, RET.

use super::{Emit, Translator};
use crate::flags::{Shape, condition_of};
use crate::region::{End, Goal};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use emu_core::interpreter::Mode;
use emu_core::interpreter::tier::Leave;
use iced_x86::{Code, FlowControl, Instruction, OpKind};

/// Transfers that end a block; [`Translator::finish`] translates them.
pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    transfer_known(i, mode).then_some(|_, _| {})
}

/// Whether a transfer is one that may end a block of a region.
pub fn transfer_known(i: &Instruction, mode: Mode) -> bool {
    let stack = mode.wide_stack && (mode.long || mode.flat >> 2 & 1 != 0);
    // With a 16-bit operand the target is cut to 16 bits.
    let whole = i.op0_kind() == if mode.long { OpKind::NearBranch64 } else { OpKind::NearBranch32 };
    match i.flow_control() {
        FlowControl::ConditionalBranch => whole && i.is_jcc_short_or_near(),
        FlowControl::UnconditionalBranch => whole && i.is_jmp_short_or_near(),
        FlowControl::Call => whole && stack && i.is_call_near(),
        FlowControl::IndirectCall => stack && i.is_call_near_indirect() && own_width(i, mode),
        FlowControl::IndirectBranch => i.is_jmp_near_indirect() && own_width(i, mode),
        FlowControl::Return => {
            let code = i.code();
            stack
                && match mode.long {
                    true => matches!(code, Code::Retnq | Code::Retnq_imm16),
                    false => matches!(code, Code::Retnd | Code::Retnd_imm16),
                }
        }
        _ => false,
    }
}

/// An indirect target of the mode's own width.
fn own_width(i: &Instruction, mode: Mode) -> bool {
    let bytes = if i.op0_kind() == iced_x86::OpKind::Register {
        i.op0_register().size()
    } else {
        i.memory_size().size()
    };
    bytes == if mode.long { 8 } else { 4 }
}

impl Translator<'_> {
    /// Ends a block. The instruction of a transfer has been counted, though it may still leave.
    pub fn finish(&mut self, n: usize) {
        let region = self.region;
        let last = region.blocks[n].insns.last().map(|insn| insn.instruction);
        match (region.blocks[n].end, last) {
            (End::Goto(goal), _) => self.edge(n, goal),
            (End::Interpret(off), _) => self.leave(off, Leave::Interpret),
            (End::Branch { taken, next }, Some(i)) => {
                let condition = self.condition(condition_of(&i).unwrap_or(0));
                self.fork(condition, |t| t.edge(n, taken), |t| t.edge(n, next));
            }
            (End::Call { target, back }, _) => {
                self.uncounted(|t| {
                    let back = t.rip(back);
                    let back = t.truncate(back, t.slot_width());
                    t.push(back);
                });
                self.edge(n, target);
            }
            (End::Return, Some(i)) => self.ret(n, &i),
            (End::Indirect, Some(i)) => self.indirect(n, &i),
            (End::System, _) => self.refused = true, // nothing that this translator knows
            (_, None) => self.refuse(),
        }
    }

    /// What of a transfer may leave: then it has not retired.
    fn uncounted<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        self.done -= 1;
        let r = f(self);
        self.done += 1;
        r
    }

    /// Two ways to go on. The first does not come back; behind this comes what follows on the second.
    fn fork(&mut self, condition: Value, yes: impl FnOnce(&mut Self), no: impl FnOnce(&mut Self)) {
        let (then, or) = (self.fb.create_block(), self.fb.create_block());
        self.fb.ins().brif(condition, then, &[], or, &[]);
        self.fb.switch_to_block(then);
        self.fb.seal_block(then);
        yes(self);
        self.fb.switch_to_block(or);
        self.fb.seal_block(or);
        no(self);
    }

    /// From the end of block `from` to where it goes.
    fn edge(&mut self, from: usize, goal: Goal) {
        let to = match goal {
            Goal::Outside(off) => return self.leave(off, Leave::Onward),
            Goal::Block(to) => to,
        };
        let budget = self.budget_now();
        if self.facts.leads_back(from, to) {
            self.look_at_budget(budget, to);
        }
        self.fb.def_var(self.budget, budget);
        if self.facts.predecessors[to] <= 1 {
            self.inherited[to] = Some(self.flags.clone());
        } else if self.facts.flags_wanted[to] {
            self.pass_flags(self.facts.shape[to]);
        }
        self.fb.ins().jump(self.blocks[to], &[]);
    }

    /// Leaves at the start of block `to` unless the budget suffices for a turn.
    fn look_at_budget(&mut self, budget: Value, to: usize) {
        let need = self.constant(I64, self.facts.need as u64);
        let short = self.fb.ins().icmp(IntCC::SignedLessThan, budget, need);
        self.leave_if(short, self.region.blocks[to].off, Leave::Budget);
        self.fb.ins().sequence_point();
    }

    fn pass_flags(&mut self, shape: Shape) {
        if shape == Shape::Memory {
            return self.store_flags();
        }
        match self.flags_as(shape) {
            Some(values) => {
                for (part, value) in self.parts.into_iter().zip(values) {
                    self.fb.def_var(part, value);
                }
            }
            None => self.refuse(),
        }
    }

    /// RET: to the calls of the region by comparison, else out of it.
    fn ret(&mut self, n: usize, i: &Instruction) {
        let popped = if i.op_count() == 1 { i64::from(i.immediate16()) } else { 0 };
        let target = self.uncounted(|t| {
            let target = t.top();
            let target = t.extend(target, I64, false);
            t.must_be_canonical(target);
            t.drop_stack(popped);
            target
        });
        let region = self.region;
        for (back, block) in &region.returns {
            let rip = self.rip(*back);
            let here = self.fb.ins().icmp(IntCC::Equal, target, rip);
            self.fork(here, |t| t.edge(n, Goal::Block(*block)), |_| {});
        }
        self.leave_to(target, Leave::Indirect);
    }

    /// JMP or CALL to a computed address.
    fn indirect(&mut self, n: usize, i: &Instruction) {
        let back = self.region.blocks[n].insns.last().map_or(0, |insn| insn.end());
        let target = self.uncounted(|t| {
            let target = t.read(i, 0, t.slot_width());
            let target = t.extend(target, I64, false);
            t.must_be_canonical(target);
            if i.flow_control() == FlowControl::IndirectCall {
                let back = t.rip(back);
                let back = t.truncate(back, t.slot_width());
                t.push(back);
            }
            target
        });
        self.leave_to(target, Leave::Indirect);
    }

    /// Leaves #GP of a non-canonical target to the interpreter.
    fn must_be_canonical(&mut self, target: Value) {
        if !self.region.mode.long {
            return;
        }
        let by = self.constant(I64, 16);
        let up = self.fb.ins().ishl(target, by);
        let back = self.fb.ins().sshr(up, by);
        let bad = self.fb.ins().icmp(IntCC::NotEqual, back, target);
        self.interpret_if(bad);
    }
}
