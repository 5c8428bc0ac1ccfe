//! Code that all regions share: the way in from Rust, links, indirect branches, and calls of the interpreter.
//!
//! Compiled code keeps the `Cpu` in RDI. RSP is 8 below a multiple of 16 there, as in a C function.

use super::asm::*;
use emu_core::interpreter::layout;
use emu_core::interpreter::tier::{self, Leave, Link};

/// Registers that C functions keep.
const KEPT: [Reg; 6] = [RBX, RBP, R12, R13, R14, R15];
/// Registers of regions that C functions do not keep, besides RDI.
const LOST: [Reg; 5] = [RSI, R8, R9, R10, R11];
/// XMM registers of regions.
const XMM: std::ops::Range<Reg> = 2..16;

/// Bytes of the accesses that instructions make.
const SIZES: [u8; 6] = [1, 2, 4, 8, 10, 16];

/// The routines, and where in the code each begins.
pub struct Routines {
    pub code: Vec<u8>,
    /// `extern "C" fn(*mut Cpu, *const u8) -> u32`.
    pub enter: usize,
    pub unlinked: usize,
    offsets: Vec<(Routine, usize)>,
}

impl Routines {
    pub fn new() -> Option<Self> {
        let mut asm = Asm::new();
        let enter = begin(&mut asm);
        write_enter(&mut asm);
        let unlinked = begin(&mut asm);
        write_unlinked(&mut asm);
        let unknown = begin(&mut asm);
        write_unknown(&mut asm);
        let status = begin(&mut asm);
        write_status(&mut asm);
        let interpret = begin(&mut asm);
        write_interpret(&mut asm);
        let mut probes = Vec::new();
        for (size, write) in SIZES.iter().flat_map(|size| [(*size, false), (*size, true)]) {
            probes.push((Routine::Probe { size, write }, begin(&mut asm)));
            write_probe(&mut asm, size, write);
        }
        asm.link()?;
        let mut offsets = vec![
            (Routine::Unlinked, unlinked),
            (Routine::Unknown, unknown),
            (Routine::Status, status),
            (Routine::Interpret, interpret),
        ];
        offsets.extend(probes);
        Some(Self { code: asm.code, enter, unlinked, offsets })
    }

    pub fn offset(&self, routine: Routine) -> usize {
        self.offsets.iter().find(|(other, _)| *other == routine).map_or(0, |(_, offset)| *offset)
    }
}

fn begin(asm: &mut Asm) -> usize {
    while !asm.code.len().is_multiple_of(16) {
        asm.bytes(&[0xCC]);
    }
    asm.code.len()
}

fn write_enter(asm: &mut Asm) {
    KEPT.iter().for_each(|reg| asm.push(*reg));
    asm.alu_imm(Width::Q, Alu::Sub, RSP, 8);
    asm.call_reg(RSI);
    asm.alu_imm(Width::Q, Alu::Add, RSP, 8);
    KEPT.iter().rev().for_each(|reg| asm.pop(*reg));
    asm.ret();
}

/// RAX: a link that leads nowhere, or not for this address space.
fn write_unlinked(asm: &mut Asm) {
    asm.store(Width::Q, at(RDI, layout::LINK), RAX);
    asm.load(Width::Q, RCX, at(RAX, Link::OFF));
    asm.alu_mem(Width::Q, Alu::Add, RCX, at(RDI, layout::RIP_BASE));
    asm.alu_mem(Width::Q, Alu::And, RCX, at(RDI, layout::ADDRESS_MASK));
    asm.store(Width::Q, at(RDI, layout::RIP), RCX);
    asm.constant(RAX, Leave::Onward as u64);
    asm.ret();
}

/// RAX: the target of an indirect branch that the jump cache has no code for.
fn write_unknown(asm: &mut Asm) {
    asm.store(Width::Q, at(RDI, layout::RIP), RAX);
    asm.constant(RAX, Leave::Indirect as u64);
    asm.ret();
}

/// Calls a C function from a routine that a region has called: RSP is a multiple of 16. The region's registers stay.
fn call_kept(asm: &mut Asm, function: u64) {
    const ROOM: i32 = 16 * (XMM.end - XMM.start) as i32;
    asm.alu_imm(Width::Q, Alu::Sub, RSP, ROOM);
    for xmm in XMM {
        asm.movups(true, xmm, at(RSP, 16 * (xmm - XMM.start) as usize));
    }
    asm.constant(RAX, function);
    asm.call_reg(RAX);
    for xmm in XMM {
        asm.movups(false, xmm, at(RSP, 16 * (xmm - XMM.start) as usize));
    }
    asm.alu_imm(Width::Q, Alu::Add, RSP, ROOM);
}

/// The TLB itself, and on a miss the page tables.
fn write_probe(asm: &mut Asm, size: u8, write: bool) {
    const PAGE: i32 = 4096;
    let table = if write { layout::TLB_WRITE } else { layout::TLB_READ };
    let entry = layout::TLB_ENTRY_BYTES.trailing_zeros();
    let (miss, again) = (asm.label(), asm.here());
    asm.mov(Width::D, RCX, RAX);
    asm.shift(Width::D, Shift::Shr, RCX, 12 - entry as u8);
    asm.alu_imm(Width::D, Alu::And, RCX, ((layout::TLB_ENTRIES - 1) << entry) as i32);
    asm.alu_mem(Width::Q, Alu::Add, RCX, at(RDI, table));
    asm.push(RAX);
    asm.alu_mem(Width::Q, Alu::Xor, RAX, at(RCX, layout::TLB_TAG));
    asm.alu_imm(Width::Q, Alu::Cmp, RAX, PAGE - i32::from(size));
    asm.pop(RAX);
    asm.jcc(cc::A, miss);
    asm.copy16(at(RDX, layout::TLB_TAG), at(RCX, layout::TLB_TAG));
    asm.alu_mem(Width::Q, Alu::Add, RAX, at(RCX, layout::TLB_ADDEND));
    asm.test(Width::Q, RSP, RSP); // ZF is clear
    asm.ret();
    asm.bind(miss);
    // The region's call has made RSP a multiple of 16; these are eight registers.
    const KEPT_HERE: [Reg; 3] = [RAX, RDX, RDI];
    KEPT_HERE.iter().chain(&LOST).for_each(|reg| asm.push(*reg));
    asm.mov(Width::Q, RSI, RAX);
    asm.constant(RDX, size.into());
    asm.constant(RCX, write.into());
    call_kept(asm, tier::fill as *const () as u64);
    asm.test(Width::D, RAX, RAX);
    LOST.iter().rev().chain(KEPT_HERE.iter().rev()).for_each(|reg| asm.pop(*reg));
    asm.jcc(cc::NE, again);
    asm.ret(); // ZF is set
}

fn write_status(asm: &mut Asm) {
    asm.push(RDI);
    LOST.iter().for_each(|reg| asm.push(*reg));
    call_kept(asm, tier::status as *const () as u64);
    LOST.iter().rev().for_each(|reg| asm.pop(*reg));
    asm.pop(RDI);
    // From RFLAGS to AH (bits 0 to 7) and AL (bit 11).
    asm.mov(Width::D, RCX, RAX);
    asm.shift(Width::D, Shift::Shr, RCX, 11);
    asm.alu_imm(Width::D, Alu::And, RCX, 1);
    asm.alu_imm(Width::D, Alu::And, RAX, 0xFF);
    asm.shift(Width::D, Shift::Shl, RAX, 8);
    asm.alu(Width::D, Alu::Or, RAX, RCX);
    asm.ret();
}

/// The region has spilt its registers, and loads them again.
fn write_interpret(asm: &mut Asm) {
    asm.push(RDI);
    asm.alu_imm(Width::Q, Alu::Sub, RSP, 8);
    asm.constant(RAX, tier::interpret as *const () as u64);
    asm.call_reg(RAX);
    asm.alu_imm(Width::Q, Alu::Add, RSP, 8);
    asm.pop(RDI);
    asm.ret();
}
