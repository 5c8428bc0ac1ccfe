//! Ways in and out of a region: the checks at its entry, and the cold code of its exits elsewhere.

use super::Direct;
use super::asm::*;
use super::lazy::Lazy;
use super::registers::BUDGET;
use super::x87::{self, Note};
use emu_core::interpreter::layout;
use emu_core::interpreter::tier::{Leave, Link, Seen};
use iced_x86::Instruction;

/// The jump of a link in the code.
pub struct LinkJump {
    /// Where its distance is.
    pub at: usize,
    /// Where code is that leaves and notes the link; the routine that does so, if there is none.
    pub unlinked: Option<usize>,
}

/// State to leave with.
#[derive(Clone)]
pub struct Exit {
    /// RIP, from byte 0 of the page of the entry.
    off: i64,
    how: Leave,
    /// To be taken off the budget.
    done: i64,
    lazy: Lazy,
    note: Note,
}

/// Cold code.
pub enum Stub {
    Exit {
        label: Label,
        exit: Exit,
    },
    /// Leaves at the entry, with everything as it was.
    TurnAway {
        label: Label,
        off: i64,
        how: Leave,
    },
    /// At the entry: the host's MXCSR is not the guest's.
    LoadFloat {
        label: Label,
        loaded: Label,
        off: i64,
    },
    /// A link to the same page that leads nowhere.
    Unlinked {
        label: Label,
        link: *const Link,
    },
    /// No code is known for the address in RAX.
    Unknown {
        label: Label,
        exit: Exit,
        /// What the stack pointer moves by, if the address is on the stack.
        popped: i32,
    },
    /// A cell does not know the page of a window, or not all of it lies there: RAX is the linear address.
    NoWindow {
        label: Label,
        found: Label,
        cell: usize,
        size: u32,
        /// Probes for one byte.
        probe: Routine,
        exit: Exit,
    },
    /// A cell that does not know the page: RAX is the linear address.
    Miss {
        label: Label,
        found: Label,
        cell: usize,
        size: u32,
        write: bool,
        exit: Exit,
    },
}

impl Direct<'_> {
    /// The entry: the guest's registers are at home, RIP_BASE is set, everything else is in the `Cpu`.
    pub fn enter(&mut self) {
        let off = self.region.blocks[self.region.entry].off;
        self.asm.alu_imm(Width::Q, Alu::Cmp, BUDGET, self.facts.need as i32);
        self.turn_away(cc::L, off, Leave::Budget);
        if !self.region.other_pages.is_empty() {
            self.check_other_pages(off);
        }
        if self.vectors.iter().any(Option::is_some) {
            self.asm.cmp_byte(of_cpu(layout::SSE_TRAP), 0);
            self.turn_away(cc::NE, off, Leave::Fault);
        }
        let any = |wanted: fn(&Instruction) -> bool| {
            let mut insns = self.region.blocks.iter().flat_map(|block| &block.insns);
            insns.any(|insn| insn.known.native && wanted(&insn.instruction))
        };
        let (float, x87) = (any(super::sse::is_float), any(x87::is_native));
        if float {
            self.asm.cmp_byte(of_cpu(layout::FLOAT_LOADED), 0);
            let label = self.asm.label();
            self.asm.jcc(cc::E, label);
            let loaded = self.asm.here();
            self.stubs.push(Stub::LoadFloat { label, loaded, off });
        }
        if x87 {
            self.asm.cmp_byte(of_cpu(layout::FPU_TRAP), 0);
            self.turn_away(cc::NE, off, Leave::Interpret);
            self.asm.cmp_byte(of_cpu(layout::X87_LOADED), 0);
            self.turn_away(cc::E, off, Leave::X87);
        }
        self.check_in();
        self.inherited[self.region.entry] = Some((Lazy::Memory, 0, None));
        if self.facts.order.first() != Some(&self.region.entry) {
            self.refuse(); // the entry's code follows
        }
    }

    fn check_other_pages(&mut self, off: i64) {
        self.asm.constant(RAX, &raw const *self.seen as u64);
        self.asm.load(Width::Q, RCX, of_cpu(layout::GENERATION));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RCX, at(RAX, Seen::GENERATION));
        self.turn_away(cc::NE, off, Leave::Check);
        self.asm.load(Width::Q, RCX, of_cpu(layout::RIP_BASE));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RCX, at(RAX, Seen::BASE));
        self.turn_away(cc::NE, off, Leave::Check);
    }

    /// Leaves at the entry, with everything as it was, if the condition holds.
    fn turn_away(&mut self, condition: u8, off: i64, how: Leave) {
        let label = self.asm.label();
        self.asm.jcc(condition, label);
        self.stubs.push(Stub::TurnAway { label, off, how });
    }

    fn write_turn_away(&mut self, off: i64, how: Leave) {
        self.asm.constant(RCX, off as u64);
        self.asm.constant(RAX, how as u64);
        self.asm.jmp_routine(Routine::Out);
    }

    /// RIP at an offset of the region into a register. Flags stay.
    pub fn rip(&mut self, to: Reg, off: i64) {
        self.asm.load(Width::Q, to, of_cpu(layout::RIP_BASE));
        let w = self.address_width();
        self.asm.lea(w, to, beside(to, off as i32));
    }

    fn exit(&self, how: Leave) -> Exit {
        Exit { off: self.off, how, done: self.done, lazy: self.lazy.clone(), note: self.note }
    }

    /// Leaves the current instruction, which may fault, to the interpreter if the condition holds.
    pub fn interpret_if(&mut self, condition: u8) {
        self.leave_if(condition, self.off, Leave::Fault);
    }

    /// Leaves for an offset of the region if the condition holds.
    pub fn leave_if(&mut self, condition: u8, off: i64, how: Leave) {
        let label = self.asm.label();
        self.asm.jcc(condition, label);
        let exit = Exit { off, ..self.exit(how) };
        self.stubs.push(Stub::Exit { label, exit });
    }

    /// Leaves, for good.
    pub fn leave(&mut self, off: i64, how: Leave) {
        let exit = Exit { off, ..self.exit(how) };
        self.write_exit(&exit);
    }

    /// Leaves to the interpreter what the TLB does not cover.
    pub fn miss_if(&mut self, condition: u8) {
        self.leave_if(condition, self.off, Leave::Miss);
    }

    pub fn no_window(&mut self, label: Label, found: Label, cell: usize, size: u32, probe: Routine) {
        let exit = self.exit(Leave::Miss);
        self.stubs.push(Stub::NoWindow { label, found, cell, size, probe, exit });
    }

    pub fn miss(&mut self, label: Label, found: Label, cell: usize, size: u32, write: bool) {
        let exit = self.exit(Leave::Miss);
        self.stubs.push(Stub::Miss { label, found, cell, size, write, exit });
    }

    /// Takes retired instructions off the budget. Flags stay.
    pub fn charge(&mut self, done: i64) {
        if done != 0 {
            self.asm.lea(Width::Q, BUDGET, beside(BUDGET, -(done as i32)));
        }
    }

    fn write_exit(&mut self, exit: &Exit) {
        self.store_flags(&exit.lazy);
        self.write_note(exit.note);
        self.charge(exit.done);
        self.asm.constant(RCX, exit.off as u64);
        self.asm.constant(RAX, exit.how as u64);
        match self.out {
            Some(out) => self.asm.jmp(out),
            None => self.asm.jmp_routine(Routine::Out),
        }
    }

    /// The end of all exits, if there is more to it than the routine does.
    fn write_out(&mut self) {
        if let Some(out) = self.out {
            self.asm.bind(out);
            self.check_out();
            self.asm.jmp_routine(Routine::Out);
        }
    }

    /// Leaves through a link.
    pub fn leave_linked(&mut self, off: i64) {
        let lazy = self.lazy.clone();
        self.store_flags(&lazy);
        self.charge(self.done);
        self.check_out();
        if self.links.len() == self.links.capacity() {
            return self.refuse(); // the others would move
        }
        self.links.push(Link::new(off));
        let Some(link) = self.links.last().map(|link| &raw const *link) else { return };
        if (0..4096).contains(&off) {
            let label = self.asm.label();
            self.asm.jmp(label);
            self.stubs.push(Stub::Unlinked { label, link });
            self.jumps.push((self.asm.code.len() - 4, Some(label)));
        } else {
            self.check_link(link, off);
            self.asm.jmp_routine(Routine::Unlinked);
            self.jumps.push((self.asm.code.len() - 4, None));
        }
    }

    /// A link to a goal in another page must hold for this address space; RIP_BASE goes there.
    fn check_link(&mut self, link: *const Link, off: i64) {
        self.asm.constant(RAX, link as u64);
        self.asm.load(Width::Q, RCX, of_cpu(layout::GENERATION));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RCX, at(RAX, Link::GENERATION));
        self.asm.jcc_routine(cc::NE, Routine::Unlinked);
        self.asm.load(Width::Q, RCX, of_cpu(layout::RIP_BASE));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RCX, at(RAX, Link::BASE));
        self.asm.jcc_routine(cc::NE, Routine::Unlinked);
        let w = self.address_width();
        self.asm.lea(w, RCX, beside(RCX, (off & !4095) as i32));
        self.asm.store(Width::Q, of_cpu(layout::RIP_BASE), RCX);
    }

    /// Goes to the address in RAX by the interpreter's jump cache. The last instruction, which is on its way, has popped so
    /// many bytes. (The jump is at each place by itself: the host predicts jumps by where they are.)
    pub fn jump_by_cache(&mut self, popped: i32) {
        let lazy = self.lazy.clone();
        self.store_flags_beside_rax(&lazy);
        self.set_lazy(Lazy::Memory, 0);
        let label = self.asm.label();
        self.asm.call_routine(Routine::Lookup);
        self.asm.jcc(cc::NE, label);
        let exit = Exit { done: self.done - 1, ..self.exit(Leave::Fault) };
        self.stubs.push(Stub::Unknown { label, exit, popped });
        self.depart(popped);
        self.asm.jmp_reg(RDX);
    }

    /// The transfer is sure. Changes RCX at most.
    fn depart(&mut self, popped: i32) {
        if popped != 0 {
            self.move_by(super::stack::SP, popped);
        }
        self.charge(self.done);
        self.check_out();
    }

    /// The address in RAX: not canonical is the interpreter's, anything else it will find code for.
    fn write_unknown(&mut self, exit: &Exit, popped: i32) {
        let canonical = self.asm.label();
        if self.long() {
            self.asm.mov(Width::Q, RCX, RAX);
            self.asm.shift(Width::Q, Shift::Shl, RCX, 16);
            self.asm.shift(Width::Q, Shift::Sar, RCX, 16);
            self.asm.alu(Width::Q, Alu::Cmp, RCX, RAX);
            self.asm.jcc(cc::E, canonical);
            self.write_exit(exit);
        }
        self.asm.bind(canonical);
        self.done = exit.done + 1;
        self.asm.store(Width::Q, of_cpu(layout::RIP), RAX);
        self.depart(popped);
        self.asm.constant(RAX, Leave::Indirect as u64);
        self.asm.ret();
    }

    fn write_no_window(&mut self, found: Label, cell: usize, size: u32, probe: Routine, exit: &Exit) {
        let whole = self.asm.label();
        self.asm.mov(Width::D, RCX, RAX);
        self.asm.alu_imm(Width::D, Alu::And, RCX, 4095);
        self.asm.alu_imm(Width::D, Alu::Cmp, RCX, 4096 - size as i32);
        self.asm.jcc(cc::BE, whole);
        self.asm.constant(RCX, &raw const *self.seen as u64);
        self.asm.store(Width::Q, of_cpu(layout::STRADDLER), RCX);
        self.write_exit(&Exit { how: Leave::Straddle, ..exit.clone() });
        self.asm.bind(whole);
        self.asm.lea(Width::Q, RDX, of_cpu(cell));
        self.asm.call_routine(probe);
        self.asm.jcc(cc::NE, found);
        self.write_exit(exit);
    }

    pub fn write_stubs(&mut self) {
        self.asm.cold = self.asm.code.len();
        self.write_out();
        for stub in std::mem::take(&mut self.stubs) {
            let start = self.asm.code.len();
            let off = match stub {
                Stub::Exit { label, exit } => {
                    self.asm.bind(label);
                    self.write_exit(&exit);
                    exit.off
                }
                Stub::TurnAway { label, off, how } => {
                    self.asm.bind(label);
                    self.write_turn_away(off, how);
                    off
                }
                Stub::LoadFloat { label, loaded, off } => {
                    self.asm.bind(label);
                    self.asm.call_routine(Routine::LoadFloat);
                    self.asm.jcc(cc::E, loaded);
                    self.write_turn_away(off, Leave::Float);
                    off
                }
                Stub::Unlinked { label, link } => {
                    self.asm.bind(label);
                    self.asm.constant(RAX, link as u64);
                    self.asm.jmp_routine(Routine::Unlinked);
                    self.off
                }
                Stub::Unknown { label, exit, popped } => {
                    self.asm.bind(label);
                    self.write_unknown(&exit, popped);
                    exit.off
                }
                Stub::NoWindow { label, found, cell, size, probe, exit } => {
                    self.asm.bind(label);
                    self.write_no_window(found, cell, size, probe, &exit);
                    exit.off
                }
                Stub::Miss { label, found, cell, size, write, exit } => {
                    self.asm.bind(label);
                    self.asm.lea(Width::Q, RDX, of_cpu(cell));
                    self.asm.call_routine(Routine::Probe { size: size as u8, write });
                    self.asm.jcc(cc::NE, found);
                    self.write_exit(&exit);
                    exit.off
                }
            };
            self.mark(start, off);
        }
    }

    /// The host's flags are no longer the guest's.
    pub fn lose_flags(&mut self) {
        self.held = 0;
    }
}
