//! Loads and stores: effective addresses, and the TLB probe in line.

use super::Direct;
use super::asm::*;
use super::registers::{CPU, number};
use emu_core::interpreter::{Mode, layout};
use iced_x86::{Instruction, OpKind, Register};

const PAGE: i32 = 4096;
const PAGE_SHIFT: u32 = 12;

/// Whether the address of the memory operand can be computed here: the mode's own address size, in a segment that needs
/// no check.
pub fn known(i: &Instruction, mode: Mode) -> bool {
    let (base, index) = (i.memory_base(), i.memory_index());
    let bytes = if mode.long { 8 } else { 4 };
    let fits = |r: Register| r == Register::None || r == Register::RIP || (r.is_gpr() && r.size() == bytes);
    let absolute = base == Register::None && index == Register::None;
    let wide = !absolute || i.memory_displ_size() as usize == bytes;
    let segment = mode.long || mode.flat >> i.memory_segment().number() & 1 != 0;
    fits(base) && fits(index) && wide && segment && !i.is_vsib()
}

/// Whether an operand is in memory.
pub fn has(i: &Instruction) -> bool {
    (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Memory)
}

impl Direct<'_> {
    /// The effective address of the memory operand, or its lower half, into `to`. May change RAX and RCX. Flags stay.
    pub fn effective(&mut self, i: &Instruction, to: Reg, w: Width) {
        let disp = i.memory_displacement64();
        let short = if self.long() { disp as i64 as i32 } else { disp as u32 as i32 };
        let scale = i.memory_index_scale().trailing_zeros() as u8;
        let place = |direct: &mut Self, register: Register, spare: Reg| match direct.pins[number(register)] {
            Some(pin) => pin,
            None => {
                direct.get(Width::Q, spare, number(register));
                spare
            }
        };
        match (i.memory_base(), i.memory_index()) {
            (Register::None, Register::None) => {
                self.asm.constant(to, if w == Width::Q { disp } else { u64::from(disp as u32) });
            }
            (Register::RIP, _) => {
                self.asm.load(Width::Q, RAX, at(CPU, layout::RIP_BASE));
                self.asm.lea(w, to, Mem { base: RAX, disp: short });
            }
            (base, Register::None) => {
                let base = place(self, base, RAX);
                if short == 0 {
                    self.asm.mov(w, to, base);
                } else {
                    self.asm.lea(w, to, Mem { base, disp: short });
                }
            }
            (Register::None, index) => {
                let index = place(self, index, RCX);
                self.asm.lea_indexed(w, to, None, index, scale, short);
            }
            (base, index) => {
                let base = place(self, base, RAX);
                let index = place(self, index, RCX);
                self.asm.lea_indexed(w, to, Some(base), index, scale, short);
            }
        }
    }

    /// The linear address of the memory operand into RAX.
    pub fn address(&mut self, i: &Instruction) {
        let w = self.address_width();
        self.effective(i, RAX, w);
        if let segment @ (Register::FS | Register::GS) = i.memory_segment() {
            let base = at(CPU, layout::SEGMENT_BASES + 8 * segment.number());
            self.asm.alu_mem(w, Alu::Add, RAX, base);
            self.lose_flags();
        }
    }

    /// From the linear address in RAX to that in this process; leaves if `size` bytes cannot be accessed there. Changes
    /// RCX and RDX.
    pub fn probe(&mut self, size: u32, write: bool) {
        self.probe_hit(size, write);
        self.add_addend();
    }

    /// The first half: the access is possible, RAX is still the linear address.
    pub fn probe_hit(&mut self, size: u32, write: bool) {
        let table = if write { layout::TLB_WRITE } else { layout::TLB_READ };
        let entry = layout::TLB_ENTRY_BYTES.trailing_zeros();
        let retry = self.asm.here();
        self.asm.mov(Width::D, RCX, RAX);
        self.asm.shift(Width::D, Shift::Shr, RCX, (PAGE_SHIFT - entry) as u8);
        self.asm.alu_imm(Width::D, Alu::And, RCX, ((layout::TLB_ENTRIES - 1) << entry) as i32);
        self.asm.alu_mem(Width::Q, Alu::Add, RCX, at(CPU, table));
        self.asm.mov(Width::Q, RDX, RAX);
        self.asm.alu_mem(Width::Q, Alu::Xor, RDX, at(RCX, layout::TLB_TAG));
        self.asm.alu_imm(Width::Q, Alu::Cmp, RDX, PAGE - size as i32);
        self.lose_flags();
        let miss = self.asm.label();
        self.asm.jcc(cc::A, miss);
        self.miss(miss, retry, size, write);
    }

    /// The second half: from the linear address in RAX to that in this process. RCX is as the first half left it.
    pub fn add_addend(&mut self) {
        self.asm.alu_mem(Width::Q, Alu::Add, RAX, at(RCX, layout::TLB_ADDEND));
    }
}
