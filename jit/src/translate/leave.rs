//! Leaving a region: everything that is held in values goes back to the interpreter's state.

use super::Translator;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use emu_core::interpreter::layout;
use emu_core::interpreter::tier::Leave;

impl Translator<'_> {
    /// Leaves with RIP at an offset of the region.
    pub fn leave(&mut self, off: i64, how: Leave) {
        let rip = self.rip(off);
        self.leave_to(rip, how);
    }

    /// Leaves; `done` instructions of the block have retired.
    pub fn leave_to(&mut self, rip: Value, how: Leave) {
        self.store_flags();
        for n in 0..16 {
            if self.changed >> n & 1 != 0 {
                let value = self.fb.use_var(self.registers[n]);
                self.store_cpu(value, layout::REGISTERS + 8 * n);
            }
        }
        let budget = self.budget_now();
        let how = self.constant(I32, how as u64);
        self.fb.ins().jump(self.out, &[rip.into(), budget.into(), how.into()]);
    }

    /// The budget, less what of the block has retired.
    pub fn budget_now(&mut self) -> Value {
        let budget = self.fb.use_var(self.budget);
        self.add_imm(budget, self.done.wrapping_neg() as u64)
    }

    /// Lets the interpreter execute the current instruction, which may fault, if the condition holds.
    pub fn interpret_if(&mut self, condition: Value) {
        self.leave_if(condition, self.off, Leave::Fault);
    }

    /// Leaves the instruction at `off` to the interpreter if the condition holds.
    pub fn leave_if(&mut self, condition: Value, off: i64, why: Leave) {
        let exit = self.fb.create_block();
        let inside = self.fb.create_block();
        self.fb.set_cold_block(exit);
        self.fb.ins().brif(condition, exit, &[], inside, &[]);
        self.fb.switch_to_block(exit);
        self.fb.seal_block(exit);
        self.leave(off, why);
        self.fb.switch_to_block(inside);
        self.fb.seal_block(inside);
    }

    /// Leaves at the entry, with everything as it was, if the condition holds.
    pub fn turn_away_if(&mut self, condition: Value, how: Leave) {
        let exit = self.fb.create_block();
        let inside = self.fb.create_block();
        self.fb.set_cold_block(exit);
        self.fb.ins().brif(condition, exit, &[], inside, &[]);
        self.fb.switch_to_block(exit);
        self.fb.seal_block(exit);
        let rip = self.rip(self.region.blocks[self.region.entry].off);
        self.store_cpu(rip, layout::RIP);
        let how = self.constant(I32, how as u64);
        self.fb.ins().return_(&[how]);
        self.fb.switch_to_block(inside);
        self.fb.seal_block(inside);
    }

    /// The end of all exits.
    pub fn write_out(&mut self) {
        let rip = self.fb.append_block_param(self.out, I64);
        let budget = self.fb.append_block_param(self.out, I64);
        let how = self.fb.append_block_param(self.out, I32);
        self.fb.set_cold_block(self.out);
        self.fb.switch_to_block(self.out);
        self.store_cpu(rip, layout::RIP);
        self.store_cpu(budget, layout::BUDGET);
        self.fb.ins().return_(&[how]);
    }
}
