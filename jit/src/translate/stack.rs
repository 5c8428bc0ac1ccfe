//! PUSH, POP, LEAVE, of the mode's own width.

use super::{Emit, Translator};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Type, Value};
use emu_core::interpreter::Mode;
use iced_x86::{Code, Instruction, Mnemonic, OpKind};

const SP: usize = 4;
const BP: usize = 5;

impl Translator<'_> {
    /// The width of a stack slot.
    pub fn slot_width(&self) -> Type {
        if self.region.mode.long { I64 } else { I32 }
    }

    /// The stack pointer moved by `by` bytes.
    pub fn stack_at(&mut self, by: i64) -> Value {
        let sp = self.full(SP);
        let at = self.add_imm(sp, by as u64);
        self.wrap(at)
    }

    pub fn push(&mut self, value: Value) {
        let width = self.slot_width();
        let sp = self.stack_at(-i64::from(width.bytes()));
        let host = self.probe_write(sp, width);
        self.store_host(host, value);
        self.set_full(SP, sp);
    }

    /// The value on top of the stack.
    pub fn top(&mut self) -> Value {
        let at = self.stack_at(0);
        self.load(at, self.slot_width())
    }

    /// Moves the stack pointer up by a slot, and `more` bytes.
    pub fn drop_stack(&mut self, more: i64) {
        let sp = self.stack_at(i64::from(self.slot_width().bytes()) + more);
        self.set_full(SP, sp);
    }
}

fn push(t: &mut Translator<'_>, i: &Instruction) {
    let value = t.read(i, 0, t.slot_width());
    t.push(value);
}

fn pop(t: &mut Translator<'_>, i: &Instruction) {
    let value = t.top();
    t.drop_stack(0);
    t.set_reg(i.op0_register(), value); // after the stack pointer: POP ESP loads ESP
}

fn leave(t: &mut Translator<'_>, _: &Instruction) {
    let bp = t.full(BP);
    let frame = t.wrap(bp);
    let width = t.slot_width();
    let value = t.load(frame, width);
    let sp = t.add_imm(frame, u64::from(width.bytes()));
    let sp = t.wrap(sp);
    t.set_full(SP, sp);
    t.set_part(BP, value);
}

pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    let bytes = if mode.long { 8 } else { 4 };
    let flat = mode.wide_stack && (mode.long || mode.flat >> 2 & 1 != 0);
    let own = flat && i.stack_pointer_increment().unsigned_abs() == bytes;
    Some(match i.mnemonic() {
        Mnemonic::Push if own => push,
        Mnemonic::Pop if own && i.op0_kind() == OpKind::Register => pop,
        Mnemonic::Leave if flat && matches!(i.code(), Code::Leaved | Code::Leaveq) => leave,
        _ => return None,
    })
}
