//! Operands: registers of all widths, immediates, effective addresses.

use super::Translator;
use cranelift_codegen::ir::types::{I8, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use emu_core::interpreter::{Mode, layout};
use iced_x86::{Instruction, OpKind, Register};

/// Whether all operands are of the kinds that are translated: general registers, immediates, and memory in segments
/// that need no check, with addresses of the mode's width.
pub fn known(i: &Instruction, mode: Mode) -> bool {
    !i.has_rep_prefix()
        && !i.has_repne_prefix()
        && (0..i.op_count()).all(|n| match i.op_kind(n) {
            OpKind::Register => i.op_register(n).is_gpr(),
            OpKind::Memory => memory_known(i, mode),
            OpKind::NearBranch32 => !mode.long,
            OpKind::NearBranch64 => true,
            kind => is_immediate(kind),
        })
}

/// An immediate that is a value to compute with.
pub fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

/// Whether the address of the memory operand can be computed by a translator: the mode's own address size, in a segment
/// that needs no check.
pub fn memory_known(i: &Instruction, mode: Mode) -> bool {
    let (base, index) = (i.memory_base(), i.memory_index());
    let bytes = if mode.long { 8 } else { 4 };
    let fits = |r: Register| r == Register::None || r == Register::RIP || (r.is_gpr() && r.size() == bytes);
    let absolute = base == Register::None && index == Register::None;
    let wide = !absolute || i.memory_displ_size() as usize == bytes;
    let segment = mode.long || mode.flat >> i.memory_segment().number() & 1 != 0;
    fits(base) && fits(index) && wide && segment
}

/// Slot of a general register.
fn slot(register: Register) -> usize {
    register.full_register().number()
}

fn is_high_byte(register: Register) -> bool {
    matches!(register, Register::AH | Register::CH | Register::DH | Register::BH)
}

impl Translator<'_> {
    /// All 64 bits of a register by its number.
    pub fn full(&mut self, slot: usize) -> Value {
        self.fb.use_var(self.registers[slot])
    }

    pub fn set_full(&mut self, slot: usize, value: Value) {
        self.changed |= 1 << slot;
        self.fb.def_var(self.registers[slot], value);
    }

    pub fn reg(&mut self, register: Register) -> Value {
        let full = self.full(slot(register));
        let placed = if is_high_byte(register) { self.shr_imm(full, 8) } else { full };
        self.truncate(placed, width_of_register(register))
    }

    /// Writes a register; 32-bit writes clear the upper half (Intel SDM Vol. 1 3.4.1.1).
    pub fn set_reg(&mut self, register: Register, value: Value) {
        let n = slot(register);
        let wide = self.extend(value, I64, false);
        let merged = match register.size() {
            4 | 8 => wide,
            size => {
                let shift = if is_high_byte(register) { 8 } else { 0 };
                let mask = (u64::MAX >> (64 - 8 * size)) << shift;
                let old = self.full(n);
                let kept = self.and_imm(old, !mask);
                let placed = if shift == 0 { wide } else { self.shl_imm(wide, shift) };
                self.fb.ins().bor(kept, placed)
            }
        };
        self.set_full(n, merged);
    }

    /// The part of a numbered register that has this width.
    pub fn part(&mut self, slot: usize, width: Type) -> Value {
        let full = self.full(slot);
        self.truncate(full, width)
    }

    /// Width of operand `n`.
    pub fn operand_width(&self, i: &Instruction, n: u32) -> Type {
        match i.op_kind(n) {
            OpKind::Register => width_of_register(i.op_register(n)),
            OpKind::Memory => width_of_bytes(i.memory_size().size()),
            _ => I64,
        }
    }

    /// The value of operand `n`; immediates take the width `width`.
    pub fn read(&mut self, i: &Instruction, n: u32, width: Type) -> Value {
        match i.op_kind(n) {
            OpKind::Register => self.reg(i.op_register(n)),
            OpKind::Memory => {
                let linear = self.address(i);
                self.load(linear, width)
            }
            _ => self.constant(width, i.immediate(n)),
        }
    }

    /// The linear address of the memory operand.
    pub fn address(&mut self, i: &Instruction) -> Value {
        let offset = self.effective(i);
        match i.memory_segment() {
            segment @ (Register::FS | Register::GS) => {
                let base = self.load_cpu(I64, layout::SEGMENT_BASES + 8 * segment.number());
                let linear = self.fb.ins().iadd(offset, base);
                self.wrap(linear)
            }
            _ => offset,
        }
    }

    /// The effective address, zero-extended.
    pub fn effective(&mut self, i: &Instruction) -> Value {
        let ty = if self.region.mode.long { I64 } else { I32 };
        let mut sum = match i.memory_base() {
            Register::None => None,
            Register::RIP => Some(self.load_cpu(I64, layout::RIP_BASE)),
            base => Some(self.reg(base)),
        };
        if i.memory_index() != Register::None {
            let index = self.reg(i.memory_index());
            let scale = u64::from(i.memory_index_scale().trailing_zeros());
            let scaled = if scale == 0 { index } else { self.shl_imm(index, scale) };
            sum = Some(sum.map_or(scaled, |sum| self.fb.ins().iadd(sum, scaled)));
        }
        let disp = i.memory_displacement64();
        let address = match sum {
            Some(sum) => self.add_imm(sum, disp),
            None => self.constant(ty, disp),
        };
        self.extend(address, I64, false)
    }
}

fn width_of_register(register: Register) -> Type {
    width_of_bytes(register.size())
}

pub fn width_of_bytes(bytes: usize) -> Type {
    Type::int(8 * bytes as u16).unwrap_or(I8)
}
