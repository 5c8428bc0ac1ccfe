//! Code that all regions share: the way in from Rust and out again, links, indirect branches, and calls of Rust.
//!
//! In regions RDI points into the `Cpu`, and RSP is 8 below a multiple of 16, as in a C function. They return to the
//! routine that has entered the first of them, with the guest's registers in their [`HOMES`].

use super::asm::*;
use super::registers::{BUDGET, HOMES};
use emu_core::interpreter::layout;
use emu_core::interpreter::tier::{self, Leave, Link};
use emu_core::isa::simd::mxcsr;

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
    /// Where the jump cache leads from addresses without a region; RAX is the address.
    pub nowhere: usize,
    offsets: Vec<(Routine, usize)>,
}

impl Routines {
    pub fn new() -> Option<Self> {
        let mut asm = Asm::new();
        let enter = begin(&mut asm);
        write_enter(&mut asm);
        let unlinked = begin(&mut asm);
        write_unlinked(&mut asm);
        let nowhere = begin(&mut asm);
        write_nowhere(&mut asm);
        let out = begin(&mut asm);
        write_out(&mut asm);
        let status = begin(&mut asm);
        write_status(&mut asm);
        let interpret = begin(&mut asm);
        write_interpret(&mut asm);
        let transfer = begin(&mut asm);
        write_transfer(&mut asm);
        let lookup = begin(&mut asm);
        write_lookup(&mut asm);
        let load_float = begin(&mut asm);
        write_load_float(&mut asm);
        let optimised = begin(&mut asm);
        write_optimised(&mut asm);
        let mut probes = Vec::new();
        for (size, write) in SIZES.into_iter().flat_map(|size| [(size, false), (size, true)]) {
            probes.push((Routine::Probe { size, write }, begin(&mut asm)));
            write_probe(&mut asm, size, write, true, true);
            probes.push((Routine::Tlb { size, write }, begin(&mut asm)));
            write_probe(&mut asm, size, write, false, true);
        }
        probes.push((Routine::Foresee, begin(&mut asm)));
        write_probe(&mut asm, 1, true, true, false);
        asm.link()?;
        let mut offsets = vec![
            (Routine::Unlinked, unlinked),
            (Routine::Out, out),
            (Routine::Status, status),
            (Routine::Interpret, interpret),
            (Routine::Transfer, transfer),
            (Routine::Lookup, lookup),
            (Routine::LoadFloat, load_float),
            (Routine::Optimised, optimised),
        ];
        offsets.extend(probes);
        Some(Self { code: asm.code, enter, nowhere, offsets })
    }

    pub fn offset(&self, routine: Routine) -> usize {
        self.offsets.iter().find(|(other, _)| *other == routine).map_or(0, |(_, offset)| *offset)
    }
}

/// What makes a region of a C function that follows it; the second is where in it the distance to
/// [`Routine::Optimised`] is.
pub fn before_function() -> (Vec<u8>, usize) {
    const LEA_RAX_RIP: [u8; 3] = [0x48, 0x8D, 0x05];
    const JMP: u8 = 0xE9;
    // Functions begin at multiples of 16.
    let behind_lea: i32 = 16 - 7;
    let mut code = LEA_RAX_RIP.to_vec();
    code.extend(behind_lea.to_le_bytes());
    code.push(JMP);
    let distance = code.len();
    code.extend([0; 4]);
    code.resize(16, 0xCC);
    (code, distance)
}

fn begin(asm: &mut Asm) -> usize {
    while !asm.code.len().is_multiple_of(16) {
        asm.bytes(&[0xCC]);
    }
    asm.code.len()
}

/// Registers and budget of the guest between the `Cpu` and their homes.
fn load_guest(asm: &mut Asm) {
    for (n, home) in HOMES.into_iter().enumerate() {
        asm.load(Width::Q, home, of_cpu(layout::REGISTERS + 8 * n));
    }
    asm.load(Width::Q, BUDGET, of_cpu(layout::BUDGET));
}

fn store_guest(asm: &mut Asm) {
    for (n, home) in HOMES.into_iter().enumerate() {
        asm.store(Width::Q, of_cpu(layout::REGISTERS + 8 * n), home);
    }
    asm.store(Width::Q, of_cpu(layout::BUDGET), BUDGET);
}

/// RDI: for C functions, the start of the `Cpu`; for regions, further on.
fn to_start_of_cpu(asm: &mut Asm) {
    asm.lea(Width::Q, RDI, beside(RDI, -BIAS));
}

fn write_enter(asm: &mut Asm) {
    KEPT.iter().for_each(|reg| asm.push(*reg));
    asm.alu_imm(Width::Q, Alu::Sub, RSP, 8);
    asm.lea(Width::Q, RDI, beside(RDI, BIAS));
    asm.mov(Width::Q, RAX, RSI);
    load_guest(asm);
    asm.call_reg(RAX);
    store_guest(asm);
    asm.alu_imm(Width::Q, Alu::Add, RSP, 8);
    KEPT.iter().rev().for_each(|reg| asm.pop(*reg));
    asm.ret();
}

/// RAX: a link that leads nowhere, or not for this address space.
fn write_unlinked(asm: &mut Asm) {
    asm.store(Width::Q, of_cpu(layout::LINK), RAX);
    asm.load(Width::Q, RCX, at(RAX, Link::OFF));
    asm.constant(RAX, Leave::Onward as u64);
    write_out(asm);
}

/// RAX: the target of an indirect branch for which the jump cache has no code.
fn write_nowhere(asm: &mut Asm) {
    asm.store(Width::Q, of_cpu(layout::RIP), RAX);
    asm.constant(RAX, Leave::Indirect as u64);
    asm.ret();
}

/// RCX: RIP, from byte 0 of the page of the entry; EAX: how.
fn write_out(asm: &mut Asm) {
    asm.alu_mem(Width::Q, Alu::Add, RCX, of_cpu(layout::RIP_BASE));
    asm.alu_mem(Width::Q, Alu::And, RCX, of_cpu(layout::ADDRESS_MASK));
    asm.store(Width::Q, of_cpu(layout::RIP), RCX);
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
    to_start_of_cpu(asm);
    asm.call_reg(RAX);
    for xmm in XMM {
        asm.movups(false, xmm, at(RSP, 16 * (xmm - XMM.start) as usize));
    }
    asm.alu_imm(Width::Q, Alu::Add, RSP, ROOM);
}

/// As `Cpu::load_float`.
fn write_load_float(asm: &mut Asm) {
    const MASKS: i32 = mxcsr::MASKS as i32;
    let trapped = asm.label();
    asm.load(Width::D, RCX, of_cpu(layout::MXCSR));
    asm.alu_imm(Width::D, Alu::And, RCX, MASKS);
    asm.alu_imm(Width::D, Alu::Cmp, RCX, MASKS);
    asm.jcc(cc::NE, trapped);
    asm.rm(Width::D, &[0x0F, 0xAE], 2, of_cpu(layout::MXCSR)); // ldmxcsr
    asm.store_byte(of_cpu(layout::FLOAT_LOADED), 1);
    asm.bind(trapped);
    asm.ret();
}

/// See [`layout::JUMP_CACHE`].
fn write_lookup(asm: &mut Asm) {
    const ENTRY: u8 = layout::JUMP_BYTES.trailing_zeros() as u8;
    let (second, unknown, found) = (asm.label(), asm.label(), asm.label());
    asm.mov(Width::Q, RCX, RAX);
    asm.shift(Width::D, Shift::Shr, RCX, 8);
    asm.alu(Width::D, Alu::Xor, RCX, RAX);
    asm.alu_imm(Width::D, Alu::And, RCX, layout::JUMPS as i32 - 1);
    asm.shift(Width::D, Shift::Shl, RCX, ENTRY);
    asm.alu_mem(Width::Q, Alu::Add, RCX, of_cpu(layout::JUMP_CACHE));
    asm.load(Width::Q, RDX, of_cpu(layout::GENERATION));
    asm.alu_mem(Width::Q, Alu::Cmp, RAX, at(RCX, layout::JUMP_LINEAR));
    asm.jcc(cc::NE, second);
    asm.alu_mem(Width::Q, Alu::Cmp, RDX, at(RCX, layout::JUMP_GENERATION));
    asm.jcc(cc::NE, second);
    asm.bind(found);
    asm.load(Width::Q, RDX, at(RCX, layout::JUMP_CODE));
    asm.mov(Width::Q, RCX, RAX);
    asm.alu_imm(Width::D, Alu::And, RCX, 4095);
    asm.alu(Width::Q, Alu::Xor, RCX, RAX);
    asm.store(Width::Q, of_cpu(layout::RIP_BASE), RCX);
    asm.alu(Width::D, Alu::Cmp, RAX, RAX); // ZF is set
    asm.ret();
    asm.bind(second);
    asm.alu_mem(Width::Q, Alu::Sub, RCX, of_cpu(layout::JUMP_CACHE));
    asm.mov(Width::D, RDX, RAX);
    asm.shift(Width::D, Shift::Shr, RDX, layout::JUMP_TURN_SHIFT as u8 - ENTRY);
    asm.alu_imm(Width::D, Alu::And, RDX, (layout::JUMP_TURN_MASK << ENTRY) as i32);
    asm.alu(Width::D, Alu::Xor, RCX, RDX);
    asm.alu_imm(Width::D, Alu::Xor, RCX, (layout::JUMP_TURN << ENTRY) as i32);
    asm.alu_mem(Width::Q, Alu::Add, RCX, of_cpu(layout::JUMP_CACHE));
    asm.alu_mem(Width::Q, Alu::Cmp, RAX, at(RCX, layout::JUMP_LINEAR));
    asm.jcc(cc::NE, unknown);
    asm.load(Width::Q, RDX, of_cpu(layout::GENERATION));
    asm.alu_mem(Width::Q, Alu::Cmp, RDX, at(RCX, layout::JUMP_GENERATION));
    asm.jcc(cc::E, found);
    asm.bind(unknown);
    asm.ret();
}

/// The TLB itself, which fills a `cell`, and on a miss the page tables, if it shall `walk` them.
fn write_probe(asm: &mut Asm, size: u8, write: bool, cell: bool, walk: bool) {
    const PAGE: i32 = 4096;
    let table = if write { layout::TLB_WRITE } else { layout::TLB_READ };
    let entry = layout::TLB_ENTRY_BYTES.trailing_zeros();
    let (miss, again) = (asm.label(), asm.here());
    asm.mov(Width::D, RCX, RAX);
    asm.shift(Width::D, Shift::Shr, RCX, 12 - entry as u8);
    asm.alu_imm(Width::D, Alu::And, RCX, ((layout::TLB_ENTRIES - 1) << entry) as i32);
    asm.alu_mem(Width::Q, Alu::Add, RCX, of_cpu(table));
    if cell {
        asm.push(RAX);
        asm.alu_mem(Width::Q, Alu::Xor, RAX, at(RCX, layout::TLB_TAG));
        asm.alu_imm(Width::Q, Alu::Cmp, RAX, PAGE - i32::from(size));
        asm.pop(RAX);
        asm.jcc(cc::A, miss);
        asm.copy16(at(RDX, layout::TLB_TAG), at(RCX, layout::TLB_TAG));
    } else {
        asm.mov(Width::Q, RDX, RAX);
        asm.alu_mem(Width::Q, Alu::Xor, RDX, at(RCX, layout::TLB_TAG));
        asm.alu_imm(Width::Q, Alu::Cmp, RDX, PAGE - i32::from(size));
        asm.jcc(cc::A, miss);
    }
    asm.alu_mem(Width::Q, Alu::Add, RAX, at(RCX, layout::TLB_ADDEND));
    asm.test(Width::Q, RSP, RSP); // ZF is clear
    asm.ret();
    asm.bind(miss);
    if !walk {
        asm.alu(Width::D, Alu::Cmp, RAX, RAX); // ZF is set
        return asm.ret();
    }
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

fn write_interpret(asm: &mut Asm) {
    asm.alu_imm(Width::Q, Alu::Sub, RSP, 8);
    call_with_guest(asm, tier::interpret as *const () as u64);
    asm.alu_imm(Width::Q, Alu::Add, RSP, 8);
    asm.ret();
}

fn write_transfer(asm: &mut Asm) {
    let leave = asm.label();
    call_with_guest(asm, tier::transfer as *const () as u64);
    asm.alu_imm(Width::Q, Alu::Cmp, RAX, Leave::COUNT as i32);
    asm.jcc(cc::B, leave);
    asm.jmp_reg(RAX);
    asm.bind(leave);
    asm.ret();
}

/// Calls a C function with the `Cpu`, where everything is, and RAX. RSP is 8 below a multiple of 16.
fn call_with_guest(asm: &mut Asm, function: u64) {
    store_guest(asm);
    asm.push(RDI);
    asm.mov(Width::Q, RSI, RAX);
    to_start_of_cpu(asm);
    asm.constant(RAX, function);
    asm.call_reg(RAX);
    asm.pop(RDI);
    load_guest(asm);
}

/// RAX: a C function that takes the `Cpu` with everything in it, and answers as regions do.
fn write_optimised(asm: &mut Asm) {
    store_guest(asm);
    asm.push(RDI);
    let settled = asm.label();
    asm.cmp_byte(of_cpu(layout::DEFERRED), 0);
    to_start_of_cpu(asm);
    asm.jcc(cc::E, settled);
    asm.push(RDI);
    asm.push(RAX);
    asm.constant(RAX, tier::settle as *const () as u64);
    asm.call_reg(RAX);
    asm.pop(RAX);
    asm.pop(RDI);
    asm.bind(settled);
    asm.call_reg(RAX);
    asm.pop(RDI);
    load_guest(asm);
    asm.ret();
}
