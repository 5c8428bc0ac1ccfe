//! Loads and stores: effective addresses, and the TLB probe in line.

use super::Direct;
use super::asm::*;
use super::registers::number;
use crate::translate::operand::memory_known;
use emu_core::interpreter::{Mode, layout};
use iced_x86::{Instruction, OpKind, Register};

const PAGE: i32 = 4096;

/// Cells besides those of the sixteen registers.
const RIP_RELATIVE: usize = 16;
const INDEX_ONLY: usize = 17;
const THROUGH_FS: usize = 18;
const THROUGH_GS: usize = 19;

/// Which cell knows the page that an operand's address leads to.
pub fn cell_of(i: &Instruction) -> usize {
    match (i.memory_segment(), i.memory_base(), i.memory_index()) {
        (Register::FS, ..) => THROUGH_FS,
        (Register::GS, ..) => THROUGH_GS,
        (_, Register::None, Register::None) | (_, Register::RIP, _) => RIP_RELATIVE,
        (_, Register::None, _) => INDEX_ONLY,
        (_, base, _) => number(base),
    }
}

/// Whether the address of the memory operand can be computed here.
pub fn known(i: &Instruction, mode: Mode) -> bool {
    memory_known(i, mode) && !i.is_vsib()
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
                self.asm.load(Width::Q, RAX, of_cpu(layout::RIP_BASE));
                self.asm.lea(w, to, beside(RAX, short));
            }
            (base, Register::None) => {
                let base = place(self, base, RAX);
                if short == 0 {
                    self.asm.mov(w, to, base);
                } else {
                    self.asm.lea(w, to, beside(base, short));
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
            let base = of_cpu(layout::SEGMENT_BASES + 8 * segment.number());
            self.asm.alu_mem(w, Alu::Add, RAX, base);
            self.lose_flags();
        }
    }

    /// From the linear address in RAX to that in this process; leaves if `size` bytes cannot be accessed there. Changes
    /// RCX and RDX.
    ///
    /// Stack, RIP-relative operands, and addresses from one register in a loop tend to lead to the same page as last time:
    /// a cell knows it, and only behind it comes the TLB itself. For other addresses it is the TLB at once, by a call.
    pub fn probe(&mut self, size: u32, write: bool, cell: usize) {
        if cell < 16 && cell != super::stack::SP && !self.in_loop {
            self.asm.call_routine(Routine::Tlb { size: size as u8, write });
            self.lose_flags();
            return self.miss_if(cc::E);
        }
        let (miss, found, cell) = self.ask_cell(size, write, cell);
        self.miss(miss, found, cell, size, write);
    }

    /// As [`Self::probe`], for all `size` bytes of a window. If it is written to, that may be done by the current
    /// instruction (`now`) or by later ones.
    pub fn probe_window(&mut self, size: u32, write: bool, now: bool, cell: usize) {
        let probe = if write && !now { Routine::Foresee } else { Routine::Probe { size: 1, write } };
        let (miss, found, cell) = self.ask_cell(size, write, cell);
        self.no_window(miss, found, cell, size, probe);
    }

    /// Where to go if the cell does not know the page, and from there; and where the cell is.
    fn ask_cell(&mut self, size: u32, write: bool, cell: usize) -> (Label, Label, usize) {
        let cell = layout::cell(self.region.user, write, cell);
        self.asm.mov(Width::Q, RDX, RAX);
        self.asm.alu_mem(Width::Q, Alu::Xor, RDX, of_cpu(cell + layout::TLB_TAG));
        self.asm.alu_imm(Width::Q, Alu::Cmp, RDX, PAGE - size as i32);
        self.lose_flags();
        let miss = self.asm.label();
        self.asm.jcc(cc::A, miss);
        self.asm.alu_mem(Width::Q, Alu::Add, RAX, of_cpu(cell + layout::TLB_ADDEND));
        (miss, self.asm.here(), cell)
    }
}
