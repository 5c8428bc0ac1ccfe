//! Random operands for a form.

use super::address;
use crate::conform::form::Form;
use crate::conform::layout::*;
use crate::conform::program::CodeSize;
use crate::conform::values::{Rng, integer};
use iced_x86::{Code, Instruction, OpCodeOperandKind, OpKind, Register};

/// Where an instruction is going to lie.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    pub size: CodeSize,
    /// The linear address of its first byte.
    pub at: u64,
    /// Which registers hold what.
    pub pool: Pool,
}

impl Site {
    /// Its offset in the code segment.
    pub fn ip(&self) -> u64 {
        self.at - self.size.base()
    }

    /// How many general registers there are.
    fn registers(&self) -> u64 {
        if self.size == CodeSize::Bits64 { 16 } else { 8 }
    }
}

/// Which general registers operands may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    Any,
    /// A sequence: pointers stay what they are, so that every instruction's memory operand is where it should be.
    Split,
}

/// General registers of sequences that are written and read, by number.
const DATA_REGISTERS: [u64; 7] = [0, 1, 2, 8, 9, 10, 11];

impl Site {
    fn general(&self, rng: &mut Rng) -> u32 {
        let n = match self.pool {
            Pool::Any => rng.below(self.registers()),
            Pool::Split => rng.pick(&DATA_REGISTERS[..if self.registers() == 16 { 7 } else { 3 }]),
        };
        n as u32
    }

    /// An 8-bit register: AL to BH, and in 64-bit code SPL to R15L.
    fn byte(&self, rng: &mut Rng) -> Register {
        match self.pool {
            Pool::Any if self.registers() == 16 => Register::AL + rng.below(20) as u32,
            Pool::Any => Register::AL + rng.below(8) as u32,
            Pool::Split => Register::AL + rng.pick(&[0, 1, 2, 4, 5, 6]),
        }
    }
}

/// A form's instruction with operands; none if the form has an operand that is not made here.
pub fn instruction(form: &Form, site: &Site, rng: &mut Rng) -> Option<Instruction> {
    let mut instruction = Instruction::default();
    instruction.set_code(form.code);
    for (n, &kind) in (0u32..).zip(form.info().op_kinds()) {
        if memory(kind) && !(register_too(kind) && rng.chance(50)) {
            instruction.try_set_op_kind(n, OpKind::Memory).ok()?;
            address::choose(&mut instruction, address::index_kind(kind), site, rng);
        } else if let Some(register) = register(kind, site, rng) {
            instruction.try_set_op_kind(n, OpKind::Register).ok()?;
            instruction.try_set_op_register(n, register).ok()?;
        } else {
            other(&mut instruction, n, kind, site, rng)?;
        }
    }
    let info = form.info();
    if info.can_use_rep_prefix() && rng.chance(50) {
        instruction.set_has_rep_prefix(true);
    } else if info.can_use_repne_prefix() && rng.chance(50) {
        instruction.set_has_repne_prefix(true);
    }
    if info.can_use_lock_prefix() && instruction.op0_kind() == OpKind::Memory && rng.chance(25) {
        instruction.set_has_lock_prefix(true);
    }
    Some(instruction)
}

/// Whether it may be in memory, by ModRM.
fn memory(kind: OpCodeOperandKind) -> bool {
    use OpCodeOperandKind::*;
    register_too(kind) || matches!(kind, mem | mem_vsib32x | mem_vsib64x | mem_vsib32y | mem_vsib64y)
}

/// Whether it may be in a register as well as in memory.
fn register_too(kind: OpCodeOperandKind) -> bool {
    use OpCodeOperandKind::*;
    matches!(kind, r8_or_mem | r16_or_mem | r32_or_mem | r64_or_mem | mm_or_mem | xmm_or_mem | ymm_or_mem)
}

fn register(kind: OpCodeOperandKind, site: &Site, rng: &mut Rng) -> Option<Register> {
    use OpCodeOperandKind::*;
    let vector = rng.below(site.registers()) as u32;
    Some(match kind {
        r8_or_mem | r8_reg | r8_opcode => site.byte(rng),
        r16_or_mem | r16_reg | r16_reg_mem | r16_rm | r16_opcode => Register::AX + site.general(rng),
        r32_or_mem | r32_reg | r32_reg_mem | r32_rm | r32_opcode | r32_vvvv => {
            Register::EAX + site.general(rng)
        }
        r64_or_mem | r64_reg | r64_reg_mem | r64_rm | r64_opcode | r64_vvvv => {
            Register::RAX + site.general(rng)
        }
        mm_or_mem | mm_reg | mm_rm => Register::MM0 + rng.below(8) as u32,
        xmm_or_mem | xmm_reg | xmm_rm | xmm_vvvv | xmm_is4 => Register::XMM0 + vector,
        ymm_or_mem | ymm_reg | ymm_rm | ymm_vvvv | ymm_is4 => Register::YMM0 + vector,
        seg_reg => Register::ES + rng.below(6) as u32,
        cr_reg => Register::CR0 + rng.pick(&[0, 2, 3, 4, 8]),
        dr_reg => Register::DR0 + rng.below(8) as u32,
        sti_opcode => Register::ST0 + rng.below(8) as u32,
        es => Register::ES,
        cs => Register::CS,
        ss => Register::SS,
        ds => Register::DS,
        fs => Register::FS,
        gs => Register::GS,
        al => Register::AL,
        cl => Register::CL,
        ax => Register::AX,
        dx => Register::DX,
        eax => Register::EAX,
        rax => Register::RAX,
        st0 => Register::ST0,
        _ => return Option::None,
    })
}

/// Immediates, branch targets, implied memory operands.
fn other(i: &mut Instruction, n: u32, kind: OpCodeOperandKind, site: &Site, rng: &mut Rng) -> Option<()> {
    use OpCodeOperandKind::*;
    match kind {
        mem_offs => {
            i.try_set_op_kind(n, OpKind::Memory).ok()?;
            address::choose_offset(i, site, rng);
        }
        imm8 if n > 0 && i.op_kind(n - 1) == OpKind::Immediate16 => {
            i.try_set_op_kind(n, OpKind::Immediate8_2nd).ok()?;
            i.set_immediate8_2nd(rng.pick(&[0, 0, 1, 2, 3, 5, 31, 32, 33, 0xFF]));
        }
        imm8 if i.code() == Code::Int_imm8 => immediate(i, n, OpKind::Immediate8, vector(rng))?,
        imm8 => immediate(i, n, OpKind::Immediate8, integer(rng, 8))?,
        imm8_const_1 => immediate(i, n, OpKind::Immediate8, 1)?,
        imm8sex16 => immediate(i, n, OpKind::Immediate8to16, integer(rng, 8) as i8 as u64)?,
        imm8sex32 => immediate(i, n, OpKind::Immediate8to32, integer(rng, 8) as i8 as u64)?,
        imm8sex64 => immediate(i, n, OpKind::Immediate8to64, integer(rng, 8) as i8 as u64)?,
        imm16 => immediate(i, n, OpKind::Immediate16, integer(rng, 16))?,
        imm32 => immediate(i, n, OpKind::Immediate32, integer(rng, 32))?,
        imm32sex64 => immediate(i, n, OpKind::Immediate32to64, integer(rng, 32) as i32 as u64)?,
        imm64 => immediate(i, n, OpKind::Immediate64, integer(rng, 64))?,
        br16_1 | br32_1 | br64_1 => near(i, n, kind, site.ip() + 2, rng.word() as i8 as i64)?,
        br16_2 | br32_4 | br64_4 => {
            let target = landing(site.at, site.at + 16, rng) - site.size.base();
            near(i, n, kind, target, 0)?;
        }
        farbr2_2 | farbr4_2 => far(i, n, kind, site, rng)?,
        seg_rSI | es_rDI | seg_rDI => address::string(i, n, kind, site, rng)?,
        seg_rBX_al => {
            i.try_set_op_kind(n, OpKind::Memory).ok()?;
            address::choose_table(i, site, rng);
        }
        _ => return Option::None,
    }
    Some(())
}

fn immediate(i: &mut Instruction, n: u32, kind: OpKind, value: u64) -> Option<()> {
    i.try_set_op_kind(n, kind).ok()?;
    i.try_set_immediate_u64(n, value).ok()
}

fn near(i: &mut Instruction, n: u32, kind: OpCodeOperandKind, from: u64, delta: i64) -> Option<()> {
    use OpCodeOperandKind::*;
    let target = from.wrapping_add(delta as u64);
    let (kind, target) = match kind {
        br16_1 | br16_2 => (OpKind::NearBranch16, target & 0xFFFF),
        br32_1 | br32_4 => (OpKind::NearBranch32, target & 0xFFFF_FFFF),
        _ => (OpKind::NearBranch64, target),
    };
    i.try_set_op_kind(n, kind).ok()?;
    i.set_near_branch64(target);
    Some(())
}

fn far(i: &mut Instruction, n: u32, kind: OpCodeOperandKind, site: &Site, rng: &mut Rng) -> Option<()> {
    let (selector, target) = far_landing(site.at, site.at + 16, rng);
    let target = target as u32;
    if kind == OpCodeOperandKind::farbr2_2 {
        i.try_set_op_kind(n, OpKind::FarBranch16).ok()?;
        i.set_far_branch16(target as u16);
    } else {
        i.try_set_op_kind(n, OpKind::FarBranch32).ok()?;
        i.set_far_branch32(target);
    }
    i.set_far_branch_selector(selector);
    Some(())
}

/// A linear address to jump to: outside of the program, which lies from `start` to `end`, or right behind it.
///
/// Everything there is INT3, not executable, or not there.
pub fn landing(start: u64, end: u64, rng: &mut Rng) -> u64 {
    let code = CODE + rng.below(CODE_BYTES as u64);
    match rng.below(16) {
        0 => DATA + rng.below(16),
        1 => FIXED + rng.below(16),
        2 => CODE - 1 - rng.below(16),
        3 => CODE + CODE_BYTES as u64 + rng.below(16),
        4..8 => end,
        _ if code < start || code >= end => code,
        _ => end,
    }
}

/// A selector and an offset to go to: as [`landing`], in code of any size, or with a selector that stops it.
pub fn far_landing(start: u64, end: u64, rng: &mut Rng) -> (u16, u64) {
    let linear = landing(start, end, rng);
    if rng.chance(40) {
        return (no_code_selector(rng), linear);
    }
    let (selector, size) = rng.pick(&[
        (selector::CODE_64, CodeSize::Bits64),
        (selector::CODE_32, CodeSize::Bits32),
        (selector::CODE_16, CodeSize::Bits16),
    ]);
    // A far jump may ask for any privilege level, a return for no other.
    let level = if rng.chance(15) { rng.below(4) as u16 } else { 3 };
    (selector & !3 | level, linear - size.base())
}

/// A selector that no far transfer gets through with: null, data, or outside of the tables.
pub fn no_code_selector(rng: &mut Rng) -> u16 {
    match rng.below(4) {
        0 => rng.below(4) as u16,
        1 => rng.pick(&[selector::DATA, selector::DATA_16, selector::FS, selector::EXPAND_DOWN]),
        _ => beyond(rng),
    }
}

/// A selector outside of both tables: Linux's GDT has 16 entries, the LDT 6.
pub fn beyond(rng: &mut Rng) -> u16 {
    let index = 16 + rng.below(0x2000 - 16) as u16;
    index << 3 | rng.below(8) as u16
}

/// Any vector but the one that enters Linux.
fn vector(rng: &mut Rng) -> u64 {
    const SYSTEM_CALL: u64 = 0x80;
    let vector = integer(rng, 8);
    if vector == SYSTEM_CALL { SYSTEM_CALL + 1 } else { vector }
}
