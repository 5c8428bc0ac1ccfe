//! PUSH, POP, LEAVE, of the mode's own width.

use super::asm::*;
use super::registers::number;
use super::{Direct, Emit, memory};
use emu_core::interpreter::{Mode, layout};
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};

pub const SP: usize = 4;
const BP: usize = 5;

impl Direct<'_> {
    pub fn slot_bytes(&self) -> i32 {
        if self.long() { 8 } else { 4 }
    }

    /// The value on top of the stack into RAX.
    pub fn load_top(&mut self) {
        let w = self.address_width();
        let place = self.reach().unwrap_or_else(|| {
            self.get(w, RAX, SP);
            self.probe(self.slot_bytes() as u32, false, SP);
            at(RAX, 0)
        });
        self.asm.load(w, RAX, place);
    }

    /// Where the next push goes, in this process. Changes RAX, RCX and RDX.
    pub fn below_top(&mut self) -> Mem {
        if let Some(place) = self.reach() {
            return place;
        }
        let (w, bytes) = (self.address_width(), self.slot_bytes());
        match self.pins[SP] {
            Some(pin) => self.asm.lea(w, RAX, beside(pin, -bytes)),
            None => {
                self.get(Width::Q, RAX, SP);
                self.asm.lea(w, RAX, beside(RAX, -bytes));
            }
        }
        self.probe(bytes as u32, true, SP);
        at(RAX, 0)
    }

    /// Pushes RIP at an offset of the region.
    pub fn push_rip(&mut self, off: i64) {
        self.rescue(SP);
        let place = self.below_top();
        self.rip(RCX, off);
        let w = self.address_width();
        self.asm.store(w, place, RCX);
        self.move_by(SP, -self.slot_bytes());
    }
}

fn push(d: &mut Direct<'_>, i: &Instruction) {
    let w = d.address_width();
    d.rescue_if_live(&[SP]);
    match i.op0_kind() {
        OpKind::Register => {
            let place = d.below_top();
            let slot = number(i.op0_register());
            match d.pins[slot] {
                Some(pin) => d.asm.store(w, place, pin),
                None => {
                    d.get(Width::Q, RCX, slot);
                    d.asm.store(w, place, RCX);
                }
            }
        }
        OpKind::Memory => {
            d.address(i);
            d.probe(d.slot_bytes() as u32, false, memory::cell_of(i));
            d.asm.load(w, RAX, at(RAX, 0));
            d.asm.store(Width::Q, of_cpu(layout::RIP), RAX);
            let place = d.below_top();
            d.asm.load(Width::Q, RCX, of_cpu(layout::RIP));
            d.asm.store(w, place, RCX);
        }
        _ => {
            let place = d.below_top();
            d.asm.constant(RCX, i.immediate(0));
            d.asm.store(w, place, RCX);
        }
    }
    d.move_by(SP, -d.slot_bytes());
}

fn pop(d: &mut Direct<'_>, i: &Instruction) {
    let slot = number(i.op0_register());
    d.rescue_if_live(&[SP, slot]);
    d.load_top();
    d.move_by(SP, d.slot_bytes());
    d.set(slot, RAX); // after the stack pointer: POP ESP loads ESP
}

fn leave(d: &mut Direct<'_>, _: &Instruction) {
    let w = d.address_width();
    d.rescue_if_live(&[SP, BP]);
    d.get(w, RAX, BP);
    d.probe(d.slot_bytes() as u32, false, BP);
    d.asm.load(w, RAX, at(RAX, 0));
    d.get(w, RCX, BP);
    d.asm.lea(w, RCX, beside(RCX, d.slot_bytes()));
    d.set(SP, RCX);
    d.set(BP, RAX);
}

pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    let bytes = if mode.long { 8 } else { 4 };
    let flat = mode.wide_stack && (mode.long || mode.flat >> 2 & 1 != 0);
    let own = flat && i.stack_pointer_increment().unsigned_abs() == bytes;
    let general = i.op_count() == 1 && i.op0_kind() == OpKind::Register && i.op0_register().is_gpr();
    let immediate = i.op_count() == 1
        && !matches!(i.op0_kind(), OpKind::Register | OpKind::Memory)
        && i.op0_register() == Register::None;
    let operand = memory::has(i) && memory::known(i, mode);
    Some(match i.mnemonic() {
        Mnemonic::Push if own && (general || immediate || operand) => push,
        Mnemonic::Pop if own && general => pop,
        Mnemonic::Leave if flat && matches!(i.code(), Code::Leaved | Code::Leaveq) => leave,
        _ => return None,
    })
    .filter(|_| !memory::has(i) || operand)
}
