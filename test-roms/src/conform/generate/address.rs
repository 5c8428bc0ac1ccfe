//! Memory operands: all the ways to address, their operands chosen at random.

use super::operand::{Pool, Site};
use super::place;
use crate::conform::layout::*;
use crate::conform::program::CodeSize;
use crate::conform::values::Rng;
use iced_x86::{Instruction, OpCodeOperandKind, OpKind, Register};

/// The registers that an index of memory operand `kind` is one of; none for a general register.
pub fn index_kind(kind: OpCodeOperandKind) -> Option<Register> {
    use OpCodeOperandKind::*;
    match kind {
        mem_vsib32x | mem_vsib64x => Some(Register::XMM0),
        mem_vsib32y | mem_vsib64y => Some(Register::YMM0),
        _ => Option::None,
    }
}

/// Bytes of an address: usually those of the code segment.
fn address_bytes(site: &Site, rng: &mut Rng) -> u32 {
    // In 32-bit code a 16-bit address leads nowhere but through FS and GS, which sequences do not use.
    let usual = !rng.chance(12) || site.pool == Pool::Split && site.size == CodeSize::Bits32;
    match (site.size, usual) {
        (CodeSize::Bits64, true) => 8,
        (CodeSize::Bits64, false) | (CodeSize::Bits32, true) | (CodeSize::Bits16, false) => 4,
        (CodeSize::Bits32, false) | (CodeSize::Bits16, true) => 2,
    }
}

/// Chooses the memory operand of `i`.
pub fn choose(i: &mut Instruction, vector: Option<Register>, site: &Site, rng: &mut Rng) {
    segment(i, site, rng);
    match (vector, address_bytes(site, rng)) {
        (Some(first), _) => vector_indexed(i, first, site, rng),
        (Option::None, 2) => word(i, site, rng),
        (Option::None, bytes) => wide(i, bytes, site, rng),
    }
}

fn segment(i: &mut Instruction, site: &Site, rng: &mut Rng) {
    if site.pool == Pool::Any && rng.chance(20) {
        i.set_segment_prefix(Register::ES + rng.below(6) as u32);
    }
}

/// The base of `segment` in code of `size`.
pub fn segment_base(size: CodeSize, segment: Register) -> u64 {
    match segment {
        Register::FS => FS_BASE,
        Register::GS => GS_BASE,
        _ => size.base(),
    }
}

/// An offset that is part of the instruction. Where its segment is not known to be another, the default is DS.
fn offset(i: &Instruction, site: &Site, rng: &mut Rng) -> u64 {
    let address = place::constant(rng);
    address.wrapping_sub(segment_base(site.size, i.segment_prefix()))
}

/// Sets the displacement, as an address of `bytes` bytes holds it; `encoded` is how many bytes it has in the
/// instruction.
fn displacement(i: &mut Instruction, value: u64, bytes: u32, encoded: u32) {
    i.set_memory_displacement64(if bytes == 8 { value } else { value & ((1 << (8 * bytes)) - 1) });
    i.set_memory_displ_size(encoded);
}

/// 16-bit addressing (Intel SDM Vol. 2A table 2-1).
fn word(i: &mut Instruction, site: &Site, rng: &mut Rng) {
    use Register::*;
    const PAIRS: [(Register, Register); 8] =
        [(BX, SI), (BX, DI), (BP, SI), (BP, DI), (SI, None), (DI, None), (BP, None), (BX, None)];
    // Pointers of sequences do not add up.
    let pairs = if site.pool == Pool::Any { &PAIRS[..] } else { &PAIRS[4..] };
    if site.pool == Pool::Any && rng.chance(12) {
        let offset = offset(i, site, rng);
        return displacement(i, offset, 2, 2);
    }
    let (base, index) = rng.pick(pairs);
    i.set_memory_base(base);
    i.set_memory_index(index);
    match rng.below(3) {
        0 if base != BP => displacement(i, 0, 2, 0),
        1 if site.pool == Pool::Any => displacement(i, rng.word(), 2, 2),
        _ => displacement(i, small(site, rng), 2, 1),
    }
}

/// A displacement of one byte. Sequences keep close to where the pointer points.
fn small(site: &Site, rng: &mut Rng) -> u64 {
    let byte = rng.word() as i8;
    match site.pool {
        Pool::Any => byte as u64,
        Pool::Split if rng.chance(60) => (byte & !15) as u64,
        Pool::Split => (byte / 2) as u64,
    }
}

fn named(bytes: u32, n: u64) -> Register {
    (if bytes == 8 { Register::RAX } else { Register::EAX }) + n as u32
}

/// Registers of sequences that point: RBX, RBP, RSI, RDI.
const POINTERS: [u64; 4] = [3, 5, 6, 7];

fn count(site: &Site) -> u64 {
    if site.size == CodeSize::Bits64 { 16 } else { 8 }
}

/// 32- and 64-bit addressing (Intel SDM Vol. 2A tables 2-2 and 2-3).
fn wide(i: &mut Instruction, bytes: u32, site: &Site, rng: &mut Rng) {
    if site.pool == Pool::Split {
        i.set_memory_base(named(bytes, rng.pick(&POINTERS)));
        return displacement(i, small(site, rng), bytes, 1);
    }
    let style = rng.below(20);
    if style < 2 && site.size == CodeSize::Bits64 {
        i.set_memory_base(if bytes == 8 { Register::RIP } else { Register::EIP });
        let target = offset(i, site, rng);
        return displacement(i, target, bytes, bytes);
    }
    if style < 4 {
        let offset = offset(i, site, rng);
        return displacement(i, offset as i32 as u64, bytes, bytes);
    }
    let has_index = style < 12;
    let has_base = !(4..6).contains(&style);
    if has_index {
        i.set_memory_index(named(bytes, (rng.below(count(site) - 1) + 5) & (count(site) - 1)));
        // No index is where RSP would be.
        if matches!(i.memory_index(), Register::RSP | Register::ESP) {
            i.set_memory_index(named(bytes, 5));
        }
        i.set_memory_index_scale(1 << rng.below(4));
    }
    if has_base {
        i.set_memory_base(named(bytes, rng.below(count(site))));
        return base_displacement(i, bytes, site, rng);
    }
    let offset = offset(i, site, rng);
    displacement(i, offset.wrapping_sub(rng.below(512)) as i32 as u64, bytes, bytes);
}

fn base_displacement(i: &mut Instruction, bytes: u32, site: &Site, rng: &mut Rng) {
    let needs = matches!(i.memory_base(), Register::RBP | Register::EBP | Register::R13 | Register::R13D);
    match rng.below(8) {
        0..3 if !needs => displacement(i, 0, bytes, 0),
        0..6 => displacement(i, small(site, rng), bytes, 1),
        6 => displacement(i, rng.word() as i16 as u64, bytes, bytes),
        _ => displacement(i, rng.word() as i32 as u64, bytes, bytes),
    }
}

fn vector_indexed(i: &mut Instruction, first: Register, site: &Site, rng: &mut Rng) {
    let bytes = if site.size == CodeSize::Bits64 && !rng.chance(10) { 8 } else { 4 };
    i.set_memory_index(first + rng.below(count(site)) as u32);
    i.set_memory_index_scale(1 << rng.below(4));
    i.set_memory_base(named(bytes, rng.below(count(site))));
    base_displacement(i, bytes, site, rng);
}

/// The offset of MOV's short form.
pub fn choose_offset(i: &mut Instruction, site: &Site, rng: &mut Rng) {
    segment(i, site, rng);
    let bytes = address_bytes(site, rng);
    let offset = offset(i, site, rng);
    displacement(i, offset, bytes, bytes);
}

/// XLAT's table.
pub fn choose_table(i: &mut Instruction, site: &Site, rng: &mut Rng) {
    segment(i, site, rng);
    i.set_memory_base(match address_bytes(site, rng) {
        2 => Register::BX,
        4 => Register::EBX,
        _ => Register::RBX,
    });
    i.set_memory_index(Register::AL);
}

/// The implied operands of string instructions: both of one address size.
pub fn string(
    i: &mut Instruction,
    n: u32,
    kind: OpCodeOperandKind,
    site: &Site,
    rng: &mut Rng,
) -> Option<()> {
    use OpKind::*;
    let bytes = match (n, i.op0_kind()) {
        (0, _) | (_, Register) => address_bytes(site, rng),
        (_, MemorySegSI | MemoryESDI | MemorySegDI) => 2,
        (_, MemorySegESI | MemoryESEDI | MemorySegEDI) => 4,
        _ => 8,
    };
    let pick = |narrow, middle, wide| match bytes {
        2 => narrow,
        4 => middle,
        _ => wide,
    };
    let kind = match kind {
        OpCodeOperandKind::es_rDI => pick(MemoryESDI, MemoryESEDI, MemoryESRDI),
        OpCodeOperandKind::seg_rDI => pick(MemorySegDI, MemorySegEDI, MemorySegRDI),
        _ => pick(MemorySegSI, MemorySegESI, MemorySegRSI),
    };
    if !matches!(kind, MemoryESDI | MemoryESEDI | MemoryESRDI) {
        segment(i, site, rng);
    }
    i.try_set_op_kind(n, kind).ok()
}
