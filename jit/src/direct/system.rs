//! System instructions that kernels execute all the time: SWAPGS, CLI, PUSHF. At CPL 0 they are a few moves; elsewhere
//! the interpreter looks at what is allowed.

use super::asm::*;
use super::lazy::{Lazy, held};
use super::stack::SP;
use super::{Direct, Emit};
use emu_core::interpreter::{Mode, layout};
use emu_core::vcpu::rflags;
use iced_x86::{Instruction, Mnemonic, Register};

impl Direct<'_> {
    fn only_at_cpl_0(&mut self) {
        self.asm.cmp_byte(of_cpu(layout::CPL), 0);
        self.lose_flags();
        self.interpret_if(cc::NE);
    }
}

fn swapgs(d: &mut Direct<'_>, _: &Instruction) {
    let base = of_cpu(layout::SEGMENT_BASES + 8 * Register::GS.number());
    d.only_at_cpl_0();
    d.asm.load(Width::Q, RAX, base);
    d.asm.load(Width::Q, RCX, of_cpu(layout::KERNEL_GS_BASE));
    d.asm.store(Width::Q, of_cpu(layout::KERNEL_GS_BASE), RAX);
    d.asm.store(Width::Q, base, RCX);
    d.asm.store(Width::Q, of_cpu(layout::GS_BASE), RCX);
}

fn cli(d: &mut Direct<'_>, _: &Instruction) {
    d.only_at_cpl_0();
    d.asm.alu_to_mem(Width::D, Alu::And, of_cpu(layout::RFLAGS), !(rflags::IF as i32));
}

/// The image has no VM and no RF (Intel SDM Vol. 2, "PUSHF/PUSHFD/PUSHFQ").
fn pushf(d: &mut Direct<'_>, _: &Instruction) {
    const LEFT_OUT: u64 = rflags::STATUS | rflags::VM | rflags::RF;
    d.rescue_if_live(&[SP]);
    d.hold(held::ALL);
    d.asm.save_flags();
    if matches!(d.lazy, Lazy::Shifted { .. }) {
        d.asm.alu_imm(Width::D, Alu::And, RAX, !((rflags::AF as i32) << 8));
    }
    d.asm.store(Width::Q, of_cpu(layout::RIP), RAX);
    let place = d.below_top();
    d.lose_flags();
    d.asm.load_zx(Width::W, RCX, of_cpu(layout::RIP));
    d.asm.mov(Width::D, RDX, RCX);
    d.asm.shift(Width::D, Shift::Shr, RCX, 8);
    d.asm.alu_imm(Width::D, Alu::And, RCX, (rflags::STATUS & 0xFF) as i32);
    d.asm.alu_imm(Width::D, Alu::And, RDX, 1);
    d.asm.shift(Width::D, Shift::Shl, RDX, rflags::OF.trailing_zeros() as u8);
    d.asm.alu(Width::D, Alu::Or, RCX, RDX);
    d.asm.load(Width::D, RDX, of_cpu(layout::RFLAGS));
    d.asm.alu_imm(Width::D, Alu::And, RDX, !(LEFT_OUT as i32));
    d.asm.alu(Width::D, Alu::Or, RCX, RDX);
    d.asm.alu_imm(Width::D, Alu::Or, RCX, rflags::FIXED as i32);
    let w = d.address_width();
    d.asm.store(w, place, RCX);
    d.move_by(SP, -d.slot_bytes());
}

pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    let flat_stack = mode.wide_stack && (mode.long || mode.flat >> 2 & 1 != 0);
    Some(match i.mnemonic() {
        Mnemonic::Swapgs if mode.long => swapgs,
        Mnemonic::Cli => cli,
        Mnemonic::Pushfq if mode.long && flat_stack => pushf,
        Mnemonic::Pushfd if !mode.long && flat_stack => pushf,
        _ => return None,
    })
}
