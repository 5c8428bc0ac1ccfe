//! Instructions that the interpreter executes in the middle of a region.

use super::Direct;
use super::asm::*;
use super::lazy::Lazy;
use super::registers::BUDGET;
use emu_core::interpreter::layout;
use emu_core::interpreter::tier::{DONE, Single};
use iced_x86::Instruction;

impl Direct<'_> {
    /// Has the interpreter execute an instruction, and goes on behind it.
    pub fn call_out(&mut self, single: &Single, i: &Instruction) {
        self.flush_note();
        let ahead = self.hand_over(single);
        self.asm.constant(RDX, super::x87::concerns(i).into());
        self.asm.call_routine(Routine::Interpret);
        self.asm.alu_imm(Width::D, Alu::Cmp, RAX, DONE as i32);
        let go_on = self.asm.label();
        self.asm.jcc(cc::E, go_on);
        self.asm.ret(); // with the answer
        self.asm.bind(go_on);
        if ahead != 0 {
            let w = self.address_width();
            self.asm.alu_to_mem(w, Alu::Add, of_cpu(layout::RIP_BASE), ahead.wrapping_neg());
        }
        self.check_in();
        // The block's instructions are paid for at its end; these have been already.
        self.asm.lea(Width::Q, BUDGET, beside(BUDGET, self.done as i32 + 1));
        self.set_lazy(Lazy::Memory, 0);
        self.window = None;
    }

    /// Has the interpreter execute the transfer at the end of block `n`, and goes on where it leads.
    pub fn transfer(&mut self, n: usize) {
        let single = self.region.blocks[n].insns.last().and_then(|insn| insn.known.single.clone());
        let Some(single) = single else { return self.refuse() };
        self.hand_over(&single);
        self.asm.jmp_routine(Routine::Transfer);
    }

    /// Makes ready for a routine that has the interpreter execute the current instruction, and names it in RAX; how far
    /// RIP_BASE has moved: the interpreter counts offsets from the instruction's own page.
    fn hand_over(&mut self, single: &Single) -> i32 {
        let lazy = self.lazy.clone();
        self.store_flags(&lazy);
        self.charge(self.done);
        self.check_out();
        let ahead = (self.off & !4095) as i32;
        if ahead != 0 {
            let w = self.address_width();
            self.asm.alu_to_mem(w, Alu::Add, of_cpu(layout::RIP_BASE), ahead);
        }
        self.asm.constant(RAX, single.address());
        ahead
    }
}
