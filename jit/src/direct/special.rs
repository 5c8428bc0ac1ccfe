//! Instructions with operands of their own: exchanges, multiplication and division, shifts by CL, sign extensions, LEA;
//! and hints, which do nothing.

use super::asm::*;
use super::generic::offered;
use super::lazy::{Lazy, Loc, held};
use super::registers::{FA, FB, is_high_byte, number, slot_of};
use super::{Direct, Emit, memory};
use emu_core::interpreter::Mode;
use emu_core::vcpu::rflags;
use iced_x86::{Instruction, Mnemonic, OpKind};

const AX: usize = 0;
const CX: usize = 1;
const DX: usize = 2;

fn width(i: &Instruction, n: u32) -> Option<Width> {
    let bytes = match i.op_kind(n) {
        OpKind::Register => i.op_register(n).size(),
        _ => i.memory_size().size(),
    };
    Width::of_bytes(bytes)
}

impl Direct<'_> {
    /// The memory operand's address in this process into RAX.
    fn operand_address(&mut self, i: &Instruction, w: Width, write: bool) {
        self.address(i);
        let size = match w {
            Width::B => 1,
            Width::W => 2,
            Width::D => 4,
            Width::Q => 8,
        };
        self.probe(size, write, memory::cell_of(i));
    }

    /// Operand `n` into RCX, upper bits as they come.
    fn operand_in_rcx(&mut self, i: &Instruction, n: u32, w: Width) {
        if i.op_kind(n) == OpKind::Register {
            return self.get(Width::Q, RCX, number(i.op_register(n)));
        }
        self.operand_address(i, w, false);
        self.asm.load_zx(w, RCX, at(RAX, 0));
    }

    /// After a multiplication: CF and OF are the host's, ZF, SF and PF those of the value in `low`, AF is clear.
    pub fn product_flags(&mut self, w: Width, low: Reg) {
        const KEPT: i32 = ((rflags::SF | rflags::ZF | rflags::PF) as i32) << 8;
        self.asm.bytes(&[0x0F, 0x90, 0xC0]); // seto al
        self.asm.movzx(Width::B, FB, RAX);
        self.asm.test(w, low, low);
        self.asm.save_flags();
        self.asm.alu_imm(Width::D, Alu::And, RAX, KEPT);
        self.asm.mov(Width::D, FA, RAX);
        self.asm.alu(Width::D, Alu::Or, FA, FB);
        self.asm.shift(Width::D, Shift::Shl, FB, 8);
        self.asm.alu(Width::D, Alu::Or, FA, FB);
        self.set_lazy(Lazy::Known, 0);
    }

    fn dead(&mut self) {
        self.set_lazy(Lazy::Dead, 0);
    }
}

fn lea(d: &mut Direct<'_>, i: &Instruction) {
    let slot = number(i.op0_register());
    d.rescue_if_live(&[slot]);
    match (width(i, 0), d.pins[slot]) {
        (Some(Width::W), _) => {
            d.effective(i, RAX, Width::D);
            d.get(Width::Q, RCX, slot);
            d.asm.mov(Width::W, RCX, RAX);
            d.set(slot, RCX);
        }
        (Some(w), Some(pin)) => d.effective(i, pin, w),
        (Some(w), None) => {
            d.effective(i, RAX, w);
            d.set(slot, RAX);
        }
        (None, _) => d.refuse(),
    }
}

fn xchg(d: &mut Direct<'_>, i: &Instruction) {
    let Some(w) = width(i, 0) else { return d.refuse() };
    if !memory::has(i) {
        let (a, b) = (number(i.op0_register()), number(i.op1_register()));
        d.rescue_if_live(&[a, b]);
        d.get(Width::Q, RAX, a);
        d.get(Width::Q, RCX, b);
        if w == Width::Q || w == Width::D {
            d.asm.mov(w, RAX, RAX);
            d.asm.mov(w, RCX, RCX);
            d.set(a, RCX);
            return d.set(b, RAX);
        }
        d.asm.rr(w, &[if w == Width::B { 0x86 } else { 0x87 }], RAX, RCX);
        d.set(a, RAX);
        return d.set(b, RCX);
    }
    let register = if i.op0_kind() == OpKind::Register { i.op0_register() } else { i.op1_register() };
    let slot = number(register);
    d.rescue_if_live(&[slot]);
    d.operand_address(i, w, true);
    d.get(Width::Q, RCX, slot);
    d.asm.load(w, RDX, at(RAX, 0));
    d.asm.store(w, at(RAX, 0), RCX);
    if w == Width::B || w == Width::W {
        d.asm.mov(w, RCX, RDX);
        return d.set(slot, RCX);
    }
    d.set(slot, RDX);
}

fn xadd(d: &mut Direct<'_>, i: &Instruction) {
    let Some(w) = width(i, 0) else { return d.refuse() };
    let slot = number(i.op1_register());
    d.operand_address(i, w, true);
    d.get(Width::Q, RCX, slot);
    if d.live {
        d.asm.load_zx(w, FA, at(RAX, 0));
        d.asm.mov(Width::Q, FB, RCX);
    }
    d.asm.rm(w, &[0x0F, if w == Width::B { 0xC0 } else { 0xC1 }], RCX, at(RAX, 0));
    d.set(slot, RCX);
    if !d.live {
        return d.dead();
    }
    d.set_lazy(Lazy::Operands { sub: false, w, a: Loc::Host(FA), b: Loc::Host(FB) }, held::ALL);
}

/// CMPXCHG on memory. A 32-bit accumulator keeps its upper half if they were equal.
fn cmpxchg(d: &mut Direct<'_>, i: &Instruction) {
    let Some(w) = width(i, 0) else { return d.refuse() };
    d.operand_address(i, w, true);
    d.asm.mov(Width::Q, RDX, RAX);
    d.get(Width::Q, RCX, number(i.op1_register()));
    d.get(Width::Q, RAX, AX);
    if d.live {
        d.asm.mov(Width::Q, FA, RAX);
        d.asm.load_zx(w, FB, at(RDX, 0));
    }
    d.asm.rm(w, &[0x0F, if w == Width::B { 0xB0 } else { 0xB1 }], RCX, at(RDX, 0));
    d.set(AX, RAX);
    if !d.live {
        return d.set_lazy(Lazy::Dead, held::ALL);
    }
    d.set_lazy(Lazy::Operands { sub: true, w, a: Loc::Host(FA), b: Loc::Host(FB) }, held::ALL);
}

/// MUL and IMUL of the accumulator.
fn multiply(d: &mut Direct<'_>, i: &Instruction) {
    let Some(w) = width(i, 0) else { return d.refuse() };
    d.operand_in_rcx(i, 0, w);
    d.get(Width::Q, RAX, AX);
    let extension = if i.mnemonic() == Mnemonic::Mul { 4 } else { 5 };
    d.asm.rr(w, &[0xF7], extension, RCX);
    d.set(AX, RAX);
    d.set(DX, RDX);
    if !d.live {
        return d.dead();
    }
    d.asm.mov(Width::Q, RCX, RAX);
    d.product_flags(w, RCX);
}

/// DIV where the quotient fits; the interpreter raises #DE.
fn divide(d: &mut Direct<'_>, i: &Instruction) {
    let Some(w) = width(i, 0) else { return d.refuse() };
    d.rescue_if_live(&[AX, DX]);
    d.operand_in_rcx(i, 0, w);
    d.get(Width::Q, RDX, DX);
    d.asm.alu(w, Alu::Cmp, RDX, RCX);
    d.lose_flags();
    d.interpret_if(cc::AE);
    d.get(Width::Q, RAX, AX);
    d.asm.rr(w, &[0xF7], 6, RCX);
    d.set(AX, RAX);
    d.set(DX, RDX);
}

/// IDIV of a dividend that fits its lower half, by neither 0 nor -1; the interpreter does the others.
fn divide_signed(d: &mut Direct<'_>, i: &Instruction) {
    let Some(w) = width(i, 0) else { return d.refuse() };
    d.rescue_if_live(&[AX, DX]);
    d.operand_in_rcx(i, 0, w);
    d.asm.lea(w, RAX, beside(RCX, 1));
    d.asm.alu_imm(w, Alu::Cmp, RAX, 1);
    d.lose_flags();
    d.interpret_if(cc::BE);
    d.get(Width::Q, RAX, AX);
    d.asm.mov(w, RDX, RAX);
    d.asm.shift(w, Shift::Sar, RDX, if w == Width::Q { 63 } else { 31 });
    match d.pins[DX] {
        Some(pin) => d.asm.alu(w, Alu::Cmp, RDX, pin),
        None => d.asm.alu_mem(w, Alu::Cmp, RDX, slot_of(DX)),
    }
    d.interpret_if(cc::NE);
    d.asm.rr(w, &[0xF7], 7, RCX);
    d.set(AX, RAX);
    d.set(DX, RDX);
}

/// CBW, CWDE, CDQE: the host's, on RAX.
fn extend_accumulator(d: &mut Direct<'_>, bytes: &[u8]) {
    d.rescue_if_live(&[AX]);
    d.get(Width::Q, RAX, AX);
    d.asm.bytes(bytes);
    d.set(AX, RAX);
}

/// CWD, CDQ, CQO.
fn sign_to_data(d: &mut Direct<'_>, bytes: &[u8]) {
    d.rescue_if_live(&[DX]);
    d.get(Width::Q, RAX, AX);
    d.get(Width::Q, RDX, DX);
    d.asm.bytes(bytes);
    d.set(DX, RDX);
}

/// SHL, SHR and SAR by CL. A count of 0 leaves the flags alone.
fn shift_by_cl(d: &mut Direct<'_>, i: &Instruction) {
    let Some(w) = width(i, 0) else { return d.refuse() };
    let extension = match i.mnemonic() {
        Mnemonic::Shr => Shift::Shr,
        Mnemonic::Sar => Shift::Sar,
        _ => Shift::Shl,
    } as u8;
    let opcode = [if w == Width::B { 0xD2 } else { 0xD3 }];
    if d.live {
        d.know();
    }
    if i.op0_kind() == OpKind::Memory {
        d.operand_address(i, w, true);
        d.get(Width::Q, RCX, CX);
        d.asm.rm(w, &opcode, extension, at(RAX, 0));
    } else {
        let slot = number(i.op0_register());
        d.get(Width::Q, RCX, CX);
        match d.pins[slot] {
            Some(pin) => d.asm.rr(w, &opcode, extension, pin),
            None => {
                d.get(Width::Q, RDX, slot);
                d.asm.rr(w, &opcode, extension, RDX);
                d.set(slot, RDX);
            }
        }
    }
    if !d.live {
        return d.dead();
    }
    d.asm.save_flags();
    d.asm.movzx(Width::W, RAX, RAX);
    d.asm.alu_imm(Width::D, Alu::And, RAX, !((rflags::AF as i32) << 8));
    d.asm.alu_imm(Width::D, Alu::And, RCX, if w == Width::Q { 63 } else { 31 });
    d.asm.rr(Width::D, &[0x0F, 0x45], FA, RAX); // cmovne
    d.set_lazy(Lazy::Known, 0);
}

/// BSF and BSR, which TZCNT and LZCNT are to processors without them: nothing is found in 0, the register stays, and ZF
/// says so. The other flags stay, as on AMD's processors and in the interpreter.
fn scan(d: &mut Direct<'_>, i: &Instruction) {
    const ZF: i32 = (rflags::ZF as i32) << 8;
    let Some(w) = width(i, 0) else { return d.refuse() };
    if d.live {
        d.know();
    }
    let slot = number(i.op0_register());
    d.operand_in_rcx(i, 1, w);
    let forward = matches!(i.mnemonic(), Mnemonic::Bsf | Mnemonic::Tzcnt);
    d.asm.rr(w, &[0x0F, if forward { 0xBC } else { 0xBD }], RDX, RCX);
    d.get(Width::Q, RAX, slot);
    d.asm.rr(Width::Q, &[0x0F, 0x45], RAX, RDX); // cmovne
    d.set(slot, RAX);
    if !d.live {
        return d.dead();
    }
    d.asm.bytes(&[0x0F, 0x94, 0xC1]); // sete cl
    d.asm.movzx(Width::B, RCX, RCX);
    d.asm.shift(Width::D, Shift::Shl, RCX, ZF.trailing_zeros() as u8);
    d.asm.alu_imm(Width::D, Alu::And, FA, !ZF);
    d.asm.alu(Width::D, Alu::Or, FA, RCX);
    d.set_lazy(Lazy::Known, 0);
}

/// BT, BTS, BTR and BTC of a bit string in memory, by a register: only CF changes.
fn bit_of_string(d: &mut Direct<'_>, i: &Instruction) {
    let Some(w) = width(i, 0) else { return d.refuse() };
    let (slot, log2_bytes) = (number(i.op1_register()), w as u8);
    let write = i.mnemonic() != Mnemonic::Bt;
    if d.live {
        d.know();
    }
    d.address(i);
    d.get(Width::Q, RCX, slot);
    if w == Width::D {
        d.asm.rr(Width::Q, &[0x63], RCX, RCX); // movsxd
    }
    d.asm.shift(Width::Q, Shift::Sar, RCX, log2_bytes + 3);
    let addresses = d.address_width();
    d.asm.lea_indexed(addresses, RAX, Some(RAX), RCX, log2_bytes, 0);
    d.probe(1 << log2_bytes, write, memory::cell_of(i));
    d.get(Width::Q, RCX, slot);
    d.asm.load(w, RDX, at(RAX, 0));
    let opcode = match i.mnemonic() {
        Mnemonic::Bts => 0xAB,
        Mnemonic::Btr => 0xB3,
        Mnemonic::Btc => 0xBB,
        _ => 0xA3,
    };
    d.asm.rr(w, &[0x0F, opcode], RCX, RDX);
    if d.live {
        d.asm.bytes(&[0x0F, 0x92, 0xC1]); // setc cl
        d.asm.movzx(Width::B, RCX, RCX);
        d.asm.shift(Width::D, Shift::Shl, RCX, 8);
        d.asm.alu_imm(Width::D, Alu::And, FA, !((rflags::CF as i32) << 8));
        d.asm.alu(Width::D, Alu::Or, FA, RCX);
    }
    if write {
        d.asm.store(w, at(RAX, 0), RDX);
    }
    if !d.live {
        return d.dead();
    }
    d.set_lazy(Lazy::Known, 0);
}

/// Whether an instruction is BSF or BSR, also where it is decoded as what newer processors make of it.
fn scans(i: &Instruction, mode: Mode) -> bool {
    match i.mnemonic() {
        Mnemonic::Bsf | Mnemonic::Bsr => true,
        Mnemonic::Tzcnt | Mnemonic::Lzcnt => !offered(i, mode),
        _ => false,
    }
}

/// Hints, which do nothing, and access no memory.
pub fn idle(i: &Instruction) -> bool {
    use Mnemonic::*;
    match i.mnemonic() {
        Nop | Reservednop | Endbr64 | Endbr32 | Lfence | Mfence | Sfence | Prefetchnta | Prefetcht0
        | Prefetcht1 | Prefetcht2 | Prefetchw => true,
        // F3 90 with a REX prefix may be XCHG.
        Pause => i.len() == 2,
        _ => false,
    }
}

pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    let scans = scans(i, mode);
    if !scans && !offered(i, mode) {
        return None;
    }
    if idle(i) {
        return Some(|_, _| {});
    }
    let high = (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Register && is_high_byte(i.op_register(n)));
    let general = (0..i.op_count()).all(|n| i.op_kind(n) != OpKind::Register || i.op_register(n).is_gpr());
    if high || !general || (!scans && (i.has_rep_prefix() || i.has_repne_prefix())) {
        return None;
    }
    let in_memory = memory::has(i);
    if in_memory && !memory::known(i, mode) {
        return None;
    }
    let wide = i.op_count() > 0 && matches!(width(i, 0), Some(Width::D | Width::Q));
    let by_register = i.op_count() == 2 && i.op1_kind() == OpKind::Register;
    Some(match i.mnemonic() {
        _ if scans && wide => scan,
        _ if scans => return None,
        Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc if in_memory && by_register && wide => {
            bit_of_string
        }
        Mnemonic::Lea => lea,
        Mnemonic::Xchg => xchg,
        Mnemonic::Xadd if in_memory => xadd,
        Mnemonic::Cmpxchg if in_memory => cmpxchg,
        Mnemonic::Mul if wide => multiply,
        Mnemonic::Imul if wide && i.op_count() == 1 => multiply,
        Mnemonic::Div if wide => divide,
        Mnemonic::Idiv if wide => divide_signed,
        // CF of counts beyond the width differs between makers.
        Mnemonic::Shl | Mnemonic::Sal | Mnemonic::Shr | Mnemonic::Sar if by_register && wide => shift_by_cl,
        Mnemonic::Cbw => |d, _| extend_accumulator(d, &[0x66, 0x98]),
        Mnemonic::Cwde => |d, _| extend_accumulator(d, &[0x98]),
        Mnemonic::Cdqe => |d, _| extend_accumulator(d, &[0x48, 0x98]),
        Mnemonic::Cwd => |d, _| sign_to_data(d, &[0x66, 0x99]),
        Mnemonic::Cdq => |d, _| sign_to_data(d, &[0x99]),
        Mnemonic::Cqo => |d, _| sign_to_data(d, &[0x48, 0x99]),
        _ => return None,
    })
}
