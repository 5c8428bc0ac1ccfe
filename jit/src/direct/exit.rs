//! Ways in and out of a region: the checks at its entry, and the cold code of its exits behind it.

use super::Direct;
use super::asm::*;
use super::lazy::Lazy;
use super::registers::{BUDGET, CPU};
use super::x87::{self, Note};
use emu_core::interpreter::layout;
use emu_core::interpreter::tier::{Leave, Link, Seen};
use iced_x86::Instruction;

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
    /// The entry: RDI is the `Cpu`, RIP_BASE is set, everything else is in the `Cpu`.
    pub fn enter(&mut self) {
        let off = self.region.blocks[self.region.entry].off;
        self.asm.load(Width::Q, BUDGET, at(CPU, layout::BUDGET));
        self.asm.alu_imm(Width::Q, Alu::Cmp, BUDGET, self.facts.need as i32);
        self.turn_away(cc::L, off, Leave::Budget);
        if !self.region.other_pages.is_empty() {
            self.check_other_pages(off);
        }
        if self.vectors.iter().any(Option::is_some) {
            self.asm.cmp_byte(at(CPU, layout::SSE_TRAP), 0);
            self.turn_away(cc::NE, off, Leave::Fault);
        }
        let any = |wanted: fn(&Instruction) -> bool| {
            let mut insns = self.region.blocks.iter().flat_map(|block| &block.insns);
            insns.any(|insn| insn.known.native && wanted(&insn.instruction))
        };
        let (float, x87) = (any(super::sse::is_float), any(x87::is_native));
        if float {
            self.asm.cmp_byte(at(CPU, layout::FLOAT_LOADED), 0);
            self.turn_away(cc::E, off, Leave::Float);
        }
        if x87 {
            self.asm.cmp_byte(at(CPU, layout::FPU_TRAP), 0);
            self.turn_away(cc::NE, off, Leave::Interpret);
            self.asm.cmp_byte(at(CPU, layout::X87_LOADED), 0);
            self.turn_away(cc::E, off, Leave::X87);
        }
        self.reload();
        self.inherited[self.region.entry] = Some((Lazy::Memory, 0));
        if self.facts.order.first() != Some(&self.region.entry) {
            self.refuse(); // the entry's code follows
        }
    }

    fn check_other_pages(&mut self, off: i64) {
        self.asm.constant(RAX, &raw const *self.seen as u64);
        self.asm.load(Width::Q, RCX, at(CPU, layout::GENERATION));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RCX, at(RAX, Seen::GENERATION));
        self.turn_away(cc::NE, off, Leave::Check);
        self.asm.load(Width::Q, RCX, at(CPU, layout::RIP_BASE));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RCX, at(RAX, Seen::BASE));
        self.turn_away(cc::NE, off, Leave::Check);
    }

    /// Leaves at the entry, with everything as it was.
    fn turn_away(&mut self, condition: u8, off: i64, how: Leave) {
        let go_on = self.asm.label();
        self.asm.jcc(condition ^ 1, go_on);
        self.store_rip(off);
        self.asm.constant(RAX, how as u64);
        self.asm.ret();
        self.asm.bind(go_on);
    }

    /// RIP at an offset of the region into a register. Flags stay.
    pub fn rip(&mut self, to: Reg, off: i64) {
        self.asm.load(Width::Q, to, at(CPU, layout::RIP_BASE));
        let w = self.address_width();
        self.asm.lea(w, to, Mem { base: to, disp: off as i32 });
    }

    fn store_rip(&mut self, off: i64) {
        self.rip(RCX, off);
        self.asm.store(Width::Q, at(CPU, layout::RIP), RCX);
    }

    fn exit(&self, how: Leave) -> Exit {
        Exit { off: self.off, how, done: self.done, lazy: self.lazy.clone(), note: self.note }
    }

    /// Leaves the current instruction, which may fault, to the interpreter if the condition holds.
    pub fn interpret_if(&mut self, condition: u8) {
        let label = self.asm.label();
        self.asm.jcc(condition, label);
        let exit = self.exit(Leave::Fault);
        self.stubs.push(Stub::Exit { label, exit });
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

    pub fn miss(&mut self, label: Label, found: Label, cell: usize, size: u32, write: bool) {
        let exit = self.exit(Leave::Miss);
        self.stubs.push(Stub::Miss { label, found, cell, size, write, exit });
    }

    /// Everything into the `Cpu` but RIP.
    pub fn settle(&mut self, lazy: &Lazy, done: i64) {
        self.store_flags(lazy);
        if done != 0 {
            self.asm.lea(Width::Q, BUDGET, Mem { base: BUDGET, disp: -(done as i32) });
        }
        self.asm.store(Width::Q, at(CPU, layout::BUDGET), BUDGET);
        self.spill();
    }

    fn write_exit(&mut self, exit: &Exit) {
        self.store_flags(&exit.lazy);
        self.write_note(exit.note);
        self.asm.constant(RCX, exit.off as u64);
        self.asm.constant(RAX, exit.how as u64);
        if exit.done != 0 {
            self.asm.lea(Width::Q, BUDGET, Mem { base: BUDGET, disp: -(exit.done as i32) });
        }
        let out = self.out;
        self.asm.jmp(out);
    }

    /// The end of all exits. RCX: the offset; RAX: how.
    fn write_out(&mut self) {
        let out = self.out;
        self.asm.bind(out);
        let w = self.address_width();
        self.asm.alu_mem(w, Alu::Add, RCX, at(CPU, layout::RIP_BASE));
        self.asm.store(Width::Q, at(CPU, layout::RIP), RCX);
        self.asm.store(Width::Q, at(CPU, layout::BUDGET), BUDGET);
        self.spill();
        self.asm.ret();
    }

    /// Leaves through a link.
    pub fn leave_linked(&mut self, off: i64) {
        let lazy = self.lazy.clone();
        self.settle(&lazy, self.done);
        let Some(link) = self.links.iter().find(|link| link.off() == off) else { return self.refuse() };
        let address: *const Link = link;
        self.asm.constant(RAX, address as u64);
        if !(0..4096).contains(&off) {
            self.check_link(off);
        }
        self.asm.jmp_mem(at(RAX, Link::TARGET));
    }

    /// RAX: a link to a goal in another page, which must hold for this address space; RIP_BASE goes there. (All of this,
    /// and the jump above all, at each exit by itself: the host predicts jumps by where they are.)
    fn check_link(&mut self, off: i64) {
        self.asm.load(Width::Q, RCX, at(CPU, layout::GENERATION));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RCX, at(RAX, Link::GENERATION));
        self.asm.jcc_routine(cc::NE, Routine::Unlinked);
        self.asm.load(Width::Q, RCX, at(CPU, layout::RIP_BASE));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RCX, at(RAX, Link::BASE));
        self.asm.jcc_routine(cc::NE, Routine::Unlinked);
        let w = self.address_width();
        self.asm.lea(w, RCX, Mem { base: RCX, disp: (off & !4095) as i32 });
        self.asm.store(Width::Q, at(CPU, layout::RIP_BASE), RCX);
    }

    /// Goes to the address in RAX by the interpreter's jump cache: see [`layout::JUMP_CACHE`].
    pub fn jump_by_cache(&mut self) {
        self.asm.mov(Width::Q, RCX, RAX);
        self.asm.shift(Width::Q, Shift::Shr, RCX, 12);
        self.asm.alu(Width::D, Alu::Xor, RCX, RAX);
        self.asm.alu_imm(Width::D, Alu::And, RCX, layout::JUMPS as i32 - 1);
        self.asm.shift(Width::D, Shift::Shl, RCX, layout::JUMP_BYTES.trailing_zeros() as u8);
        self.asm.alu_mem(Width::Q, Alu::Add, RCX, at(CPU, layout::JUMP_CACHE));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RAX, at(RCX, layout::JUMP_LINEAR));
        self.asm.jcc_routine(cc::NE, Routine::Unknown);
        self.asm.load(Width::Q, RDX, at(CPU, layout::GENERATION));
        self.asm.alu_mem(Width::Q, Alu::Cmp, RDX, at(RCX, layout::JUMP_GENERATION));
        self.asm.jcc_routine(cc::NE, Routine::Unknown);
        self.asm.load(Width::Q, RDX, at(RCX, layout::JUMP_CODE));
        self.asm.test(Width::Q, RDX, RDX);
        self.asm.jcc_routine(cc::E, Routine::Unknown);
        self.asm.alu_imm(Width::Q, Alu::And, RAX, -4096);
        self.asm.store(Width::Q, at(CPU, layout::RIP_BASE), RAX);
        self.asm.jmp_reg(RDX);
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
                Stub::Miss { label, found, cell, size, write, exit } => {
                    self.asm.bind(label);
                    self.asm.lea(Width::Q, RDX, at(CPU, cell));
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
