//! From iced-x86's instructions to ops: operands first, the same way for all, then the family picks a handler.

use super::op::{Faulted, Handler, Op, complex};
use super::word::{RIP_BASE, SEG_BASE, ZERO};
use super::{
    Cpu, alu, avx, bits, bmi, branch, cpu::MAX_BLOCK, cpu::Mode, data, fuse, muldiv, shift, sse, stack,
    string, system, x87,
};
use iced_x86::{Code, Decoder, DecoderError, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// An instruction with what the families need to know to pick a handler.
pub struct Decoded<'a> {
    pub instruction: &'a Instruction,
    /// Its bytes, prefixes first.
    pub bytes: &'a [u8],
    pub mode: Mode,
}

impl Decoded<'_> {
    /// Operand size in bytes of a near indirect transfer or return.
    pub fn near_size(&self) -> Option<u64> {
        Some(match self.instruction.code() {
            Code::Retnw | Code::Retnw_imm16 => 2,
            Code::Retnd | Code::Retnd_imm16 => 4,
            Code::Retnq | Code::Retnq_imm16 => 8,
            _ => self.size(0),
        })
    }

    /// Whether operand `n` is in memory.
    pub fn memory(&self, n: u32) -> bool {
        self.instruction.op_count() > n && self.instruction.op_kind(n) == OpKind::Memory
    }

    /// Whether operand `n` is a register.
    pub fn register(&self, n: u32) -> bool {
        self.instruction.op_count() > n && self.instruction.op_kind(n) == OpKind::Register
    }

    /// Whether operand `n` is an immediate.
    pub fn immediate(&self, n: u32) -> bool {
        self.instruction.op_count() > n && is_immediate(self.instruction.op_kind(n))
    }

    /// Size in bytes of operand `n`: of the register, or of the memory operand.
    pub fn size(&self, n: u32) -> u64 {
        match self.instruction.op_kind(n) {
            OpKind::Register => self.instruction.op_register(n).size() as u64,
            _ => self.instruction.memory_size().size() as u64,
        }
    }
}

/// The handler a family has picked.
pub struct Lowered {
    pub handler: Handler,
    /// Nothing of the block follows.
    pub ends: bool,
}

impl Lowered {
    /// Execution may go on with the next instruction.
    pub fn straight(handler: Handler) -> Self {
        Self { handler, ends: false }
    }

    /// Control always goes elsewhere, or back to the run loop.
    pub fn ends(handler: Handler) -> Self {
        Self { handler, ends: true }
    }
}

fn is_immediate(kind: OpKind) -> bool {
    use OpKind::*;
    matches!(
        kind,
        Immediate8
            | Immediate8_2nd
            | Immediate16
            | Immediate32
            | Immediate64
            | Immediate8to16
            | Immediate8to32
            | Immediate8to64
            | Immediate32to64
    )
}

/// A register operand as ops name it: see [`super::word::Word`] for 8-bit registers; otherwise its number.
fn register_number(register: Register) -> u8 {
    if register.is_gpr8() {
        let n = register as u8 - Register::AL as u8;
        return match n {
            0..=3 => n * 8,
            4..=7 => (n - 4) * 8 + 1, // AH, CH, DH, BH
            _ => (n - 8 + 4) * 8,     // SPL, BPL, SIL, DIL, R8L ...
        };
    }
    register.number() as u8
}

/// Fills the memory-operand fields.
fn fill_memory(i: &Instruction, mode: Mode, op: &mut Op) {
    let base = i.memory_base();
    let mut index = i.memory_index();
    if index.is_vector_register() {
        op.sub = index.number() as u8; // a gather adds it by itself
        index = Register::None;
    }
    let slot = |r: Register| if r == Register::None { ZERO } else { r.number() as u8 };
    op.base = if base.is_ip() { RIP_BASE } else { slot(base) };
    op.index = slot(index);
    op.scale = i.memory_index_scale().trailing_zeros() as u8;
    op.disp = i.memory_displacement64();
    op.addr_bytes = address_bytes(i, mode, base, index);
    fill_segment(segment_of(i, mode), mode, op);
    op.flat &= op.addr_bytes == if mode.long { 8 } else { 4 };
}

/// In 64-bit mode the prefixes of ES, CS, SS and DS count for nothing (Intel SDM Vol. 1 3.3.7.1), not even for
/// whether a fault is #SS or #GP.
fn segment_of(i: &Instruction, mode: Mode) -> Register {
    let named = i.memory_segment();
    if !mode.long || matches!(named, Register::FS | Register::GS) {
        return named;
    }
    let base = i.memory_base().full_register();
    if matches!(base, Register::RSP | Register::RBP) { Register::SS } else { Register::DS }
}

fn fill_segment(segment: Register, mode: Mode, op: &mut Op) {
    let number = segment.number() as u8;
    op.seg = number;
    op.flat = mode.long || mode.flat >> number & 1 != 0;
    op.seg_slot = if op.flat && number < 4 { ZERO } else { SEG_BASE + number };
}

fn address_bytes(i: &Instruction, mode: Mode, base: Register, index: Register) -> u8 {
    let named = if base == Register::None { index } else { base };
    match named {
        Register::RIP => 8,
        Register::EIP => 4,
        Register::None => match i.memory_displ_size() {
            8 => 8,
            4 if mode.long => 4,
            size => size.max(2) as u8,
        },
        register => register.size() as u8,
    }
}

/// The implied string operands (rSI with a segment, ES:rDI) carry the address size.
fn fill_string(i: &Instruction, kind: OpKind, mode: Mode, op: &mut Op) {
    use OpKind::*;
    op.addr_bytes = match kind {
        MemorySegSI | MemorySegDI | MemoryESDI => 2,
        MemorySegESI | MemorySegEDI | MemoryESEDI => 4,
        _ => 8,
    };
    if matches!(kind, MemorySegSI | MemorySegESI | MemorySegRSI | MemorySegDI | MemorySegEDI | MemorySegRDI) {
        fill_segment(segment_of(i, mode), mode, op);
    }
}

/// Fills the operand fields of `op`.
fn fill_operands(i: &Instruction, mode: Mode, op: &mut Op) {
    let mut string = false;
    for n in 0..i.op_count() {
        match i.op_kind(n) {
            OpKind::Register => {
                let number = register_number(i.op_register(n));
                match n {
                    0 => op.a = number,
                    1 => op.b = number,
                    2 => op.c = number,
                    _ => op.sub = number,
                }
            }
            OpKind::Memory => fill_memory(i, mode, op),
            OpKind::Immediate8_2nd => op.disp = i.immediate(n), // ENTER, EXTRQ: the second immediate
            kind if is_immediate(kind) => op.imm = i.immediate(n),
            kind => {
                let source =
                    matches!(kind, OpKind::MemorySegSI | OpKind::MemorySegESI | OpKind::MemorySegRSI);
                if !string || source {
                    fill_string(i, kind, mode, op);
                }
                string = true;
            }
        }
    }
}

fn undefined(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    Err(cpu.ud())
}

/// An instruction longer than 15 bytes.
fn length_fault(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    Err(cpu.gp(0))
}

fn pick(d: &Decoded<'_>, op: &mut Op) -> Lowered {
    handler(d, op).filter(|_| d.offered()).unwrap_or_else(|| Lowered::ends(complex(undefined)))
}

fn handler(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    data::lower(d, op)
        .or_else(|| alu::lower(d, op))
        .or_else(|| branch::lower(d, op))
        .or_else(|| stack::lower(d, op))
        .or_else(|| shift::lower(d, op))
        .or_else(|| bits::lower(d, op))
        .or_else(|| bmi::lower(d))
        .or_else(|| muldiv::lower(d, op))
        .or_else(|| string::lower(d, op))
        .or_else(|| sse::lower(d, op))
        .or_else(|| x87::lower(d, op))
        .or_else(|| system::lower(d, op))
        .or_else(|| avx::lower(d, op))
}

/// What decoding at one address gave.
pub enum Outcome {
    /// At least one instruction; the bytes they were decoded from.
    Block { ops: Vec<Op>, bytes: u64 },
    /// The first instruction goes on beyond the given bytes.
    Truncated,
}

fn bitness(mode: Mode) -> u32 {
    match (mode.long, mode.code32) {
        (true, _) => 64,
        (false, true) => 32,
        (false, false) => 16,
    }
}

/// Bytes of the longest instruction (Intel SDM Vol. 2A 2.3.11).
const LONGEST: usize = 15;

/// F3 0F 09 is WBINVD: no model has WBNOINVD.
const OPTIONS: u32 = DecoderOptions::NO_WBNOINVD;

/// What the first instruction of `code` is called.
pub fn mnemonic(code: &[u8], mode: Mode) -> Mnemonic {
    Decoder::new(bitness(mode), code, OPTIONS).decode().mnemonic()
}

/// Decodes from `code`, which starts at offset `off` of its page, up to a branch that always leaves, the end of the
/// bytes, or the block limit (`limit` instructions at most).
pub fn lower_block(code: &[u8], off: u16, mode: Mode, limit: usize) -> Outcome {
    // The decoder is told that the page starts at address 0: direct targets and RIP-relative addresses come out as
    // offsets from the start of the page.
    let mut decoder = Decoder::with_ip(bitness(mode), code, u64::from(off), OPTIONS);
    let mut instruction = Instruction::default();
    let mut previous = Instruction::default();
    let mut ops: Vec<Op> = Vec::with_capacity(16);
    let mut at = u64::from(off);
    // Whether there is an instruction can hang on bytes behind it.
    let mut beyond = 0;
    while ops.len() < limit.min(MAX_BLOCK as usize) && decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let short = decoder.last_error() == DecoderError::NoMoreBytes;
        let left = code.len() as u64 - (at - u64::from(off));
        if short && left < 15 {
            break;
        }
        let mut op = Op::new(complex(undefined));
        op.off = at as u16;
        op.idx = ops.len() as u8;
        op.len = instruction.len() as u8;
        op.ends = true;
        if instruction.is_invalid() {
            beyond = left.min(2 * LONGEST as u64).saturating_sub(instruction.len() as u64);
            if too_long(&code[(at - u64::from(off)) as usize..], mode) {
                op.runs(complex(length_fault));
            }
        } else {
            fill_operands(&instruction, mode, &mut op);
            let bytes = &code[(at - u64::from(off)) as usize..];
            let decoded = Decoded { instruction: &instruction, bytes, mode };
            let lowered = pick(&decoded, &mut op);
            op.ends = lowered.ends;
            op.runs(lowered.handler);
            if let Some(before) = ops.last_mut() {
                fuse::pair(before, &previous, &decoded);
            }
        }
        previous = instruction;
        at += instruction.len() as u64;
        let ends = op.ends;
        ops.push(op);
        if ends {
            break;
        }
    }
    if ops.is_empty() {
        return Outcome::Truncated;
    }
    // Also behind an op that ends the block: no handler can run past the last op, whatever it returns.
    let idx = ops.len() as u8;
    ops.push(branch::fall_through(at as u16, idx, mode.flat_code));
    Outcome::Block { ops, bytes: at + beyond - u64::from(off) }
}

/// Whether the instruction is invalid only because it would be longer than 15 bytes (Intel SDM Vol. 3A 6.15, #GP):
/// whether it is valid, and how long it is, without the prefixes that are there more than once.
fn too_long(code: &[u8], mode: Mode) -> bool {
    let code = &code[..code.len().min(2 * LONGEST)];
    let mut needed: Vec<u8> = Vec::with_capacity(LONGEST);
    let (mut prefixes, mut rex) = (0, None);
    for byte in code {
        match byte {
            0x26 | 0x2E | 0x36 | 0x3E | 0x64..=0x67 | 0xF0 | 0xF2 | 0xF3 => {
                rex = None;
                if !needed.contains(byte) {
                    needed.push(*byte);
                }
            }
            0x40..=0x4F if mode.long => rex = Some(*byte),
            _ => break,
        }
        prefixes += 1;
    }
    let kept = needed.len() + usize::from(rex.is_some());
    needed.extend(rex);
    needed.extend(&code[prefixes..]);
    if prefixes >= LONGEST {
        return true;
    }
    let mut decoder = Decoder::new(bitness(mode), &needed, OPTIONS);
    let shorter = decoder.decode();
    if decoder.last_error() == DecoderError::NoMoreBytes {
        return true; // there were 15: the caller waits for them
    }
    !shorter.is_invalid() && shorter.len() - kept + prefixes > LONGEST
}
