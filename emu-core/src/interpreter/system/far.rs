//! Far JMP, CALL and RET (Intel SDM Vol. 2, "JMP", "CALL", "RET"; Vol. 3A 5.8).

use super::frame::{Frame, Stack, null_ss};
use super::lookup::{Blame, Found};
use super::segment::{self, far_pointer};
use super::{gate, task};
use crate::interpreter::Cpu;
use crate::interpreter::memory::canonical;
use crate::interpreter::op::{Faulted, Op};
use crate::isa::descriptor::{Selector, system};
use crate::vcpu::{Segment, SegmentName};

/// Which of the two transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Jump,
    Call,
}

/// A far transfer of operand size `size`.
pub fn transfer(cpu: &mut Cpu, kind: Kind, selector: u16, offset: u64, size: u64) -> Result<(), Faulted> {
    let selector = Selector(selector);
    if !cpu.protected() || cpu.v86() {
        let old = *cpu.segment(SegmentName::Cs);
        let code = segment::flat_8086(cpu, &old, selector);
        return go(cpu, kind, code, offset, size);
    }
    let found = cpu.find_not_null(selector, Blame::GP)?;
    if found.descriptor.is_code() {
        let code = direct_code(cpu, &found)?;
        return go(cpu, kind, code, offset, size);
    }
    if found.descriptor.is_segment() {
        return Err(cpu.blame(Blame::GP, selector));
    }
    match (found.descriptor.kind(), cpu.long_mode()) {
        (system::CALL32, _) | (system::CALL16, false) => gate::enter(cpu, kind, &found),
        (system::TASK_GATE, false) => through_task_gate(cpu, kind, &found),
        (system::TSS16 | system::TSS32 | system::TSS16_BUSY | system::TSS32_BUSY, false) => {
            check_gate_privilege(cpu, &found)?;
            switch_task(cpu, kind, selector)
        }
        _ => Err(cpu.blame(Blame::GP, selector)),
    }
}

/// The DPL of a gate or TSS descriptor must be no lower than the CPL and the selector's RPL.
pub fn check_gate_privilege(cpu: &mut Cpu, found: &Found) -> Result<(), Faulted> {
    let dpl = found.descriptor.dpl();
    if dpl < cpu.cpl || dpl < found.selector.rpl() {
        return Err(cpu.blame(Blame::GP, found.selector));
    }
    Ok(())
}

fn through_task_gate(cpu: &mut Cpu, kind: Kind, found: &Found) -> Result<(), Faulted> {
    check_gate_privilege(cpu, found)?;
    if !found.descriptor.present() {
        return Err(cpu.not_present(found.selector, 0));
    }
    switch_task(cpu, kind, found.descriptor.gate_selector())
}

fn switch_task(cpu: &mut Cpu, kind: Kind, selector: Selector) -> Result<(), Faulted> {
    let target = task::available(cpu, selector, Blame::GP)?;
    let how = match kind {
        Kind::Jump => task::How::Jump,
        Kind::Call => task::How::Call,
    };
    let flags = cpu.rflags();
    task::switch(cpu, &target, how, flags)
}

/// A code segment that a JMP or CALL names directly: no change of privilege (Intel SDM Vol. 3A 5.8.1).
fn direct_code(cpu: &mut Cpu, found: &Found) -> Result<Segment, Faulted> {
    let d = found.descriptor;
    let entitled = if d.conforming() {
        d.dpl() <= cpu.cpl
    } else {
        found.selector.rpl() <= cpu.cpl && d.dpl() == cpu.cpl
    };
    if !entitled || (cpu.long_mode() && d.long() && d.big()) {
        return Err(cpu.blame(Blame::GP, found.selector));
    }
    if !d.present() {
        return Err(cpu.not_present(found.selector, 0));
    }
    let mut code = cpu.accessed(found)?;
    code.selector = found.selector.with_rpl(cpu.cpl).0;
    Ok(code)
}

/// The entry point must be inside the segment, or canonical in 64-bit code: else #GP(0).
pub fn check_entry(cpu: &mut Cpu, code: &Segment, rip: u64) -> Result<(), Faulted> {
    let long = cpu.long_mode() && code.is(Segment::L);
    let good = if long { canonical(rip) } else { rip <= u64::from(code.limit) };
    if good { Ok(()) } else { Err(cpu.gp(0)) }
}

/// Makes a code segment and RIP current.
pub fn enter(cpu: &mut Cpu, code: Segment, rip: u64) {
    cpu.s.seg[SegmentName::Cs as usize] = code;
    cpu.rip = rip;
    cpu.update_mode();
}

/// Goes to a checked code segment at the same privilege; CALL leaves its return address in words of `size` bytes, on
/// the stack as the new code sees it: silicon pushes in the width of the mode that it goes to.
pub fn go(cpu: &mut Cpu, kind: Kind, code: Segment, rip: u64, size: u64) -> Result<(), Faulted> {
    if kind == Kind::Call {
        let mut frame = Frame::new(size);
        frame.extend(&[u64::from(cpu.segment(SegmentName::Cs).selector), cpu.rip]);
        let stack = Stack::seen_from(cpu, &code);
        frame.probe(cpu, &stack)?;
        check_entry(cpu, &code, rip)?;
        frame.store(cpu, &stack)?;
        enter(cpu, code, rip);
        cpu.set_sp(frame.sp(&stack));
    } else {
        check_entry(cpu, &code, rip)?;
        enter(cpu, code, rip);
    }
    Ok(())
}

// ---- return --------------------------------------------------------------------------------------------------

/// The code segment a far return or IRET goes back to (Intel SDM Vol. 2, "RET": all but presence is #GP).
pub fn return_code(cpu: &mut Cpu, selector: Selector) -> Result<Segment, Faulted> {
    let found = cpu.find_not_null(selector, Blame::GP)?;
    let d = found.descriptor;
    let entitled = if d.conforming() { d.dpl() <= selector.rpl() } else { d.dpl() == selector.rpl() };
    let good = d.is_code() && selector.rpl() >= cpu.cpl && entitled;
    if !good || (cpu.long_mode() && d.long() && d.big()) {
        return Err(cpu.blame(Blame::GP, selector));
    }
    if !d.present() {
        return Err(cpu.not_present(selector, 0));
    }
    cpu.accessed(&found)
}

/// The stack segment of a return to `code`: null is allowed for 64-bit code below CPL 3.
pub fn return_stack(cpu: &mut Cpu, selector: Selector, code: &Segment) -> Result<Segment, Faulted> {
    let cpl = code.rpl();
    let to_long = cpu.long_mode() && code.is(Segment::L);
    if selector.is_null() && to_long && cpl < 3 && selector.rpl() == cpl {
        return Ok(null_ss(cpl));
    }
    segment::stack(cpu, selector, cpl, Blame::GP)
}

/// Data segments that the outer level may not use become null (Intel SDM Vol. 3A 5.8.6). Bases stay, as on silicon:
/// those of FS and GS count in 64-bit mode.
pub fn drop_inner_segments(cpu: &mut Cpu, cpl: u8) {
    for name in [SegmentName::Es, SegmentName::Ds, SegmentName::Fs, SegmentName::Gs] {
        let segment = &mut cpu.s.seg[name as usize];
        if segment.usable() && !segment.conforming() && segment.dpl() < cpl {
            (segment.selector, segment.rights) = (0, 0);
        }
    }
}

/// RETF of operand size `size`, dropping `bytes` of parameters.
pub fn far_return(cpu: &mut Cpu, size: u64, bytes: u64) -> Result<(), Faulted> {
    let rip = super::stack_word(cpu, 0, size)?;
    let selector = Selector(super::stack_word(cpu, size, size)? as u16);
    if !cpu.protected() || cpu.v86() {
        let old = *cpu.segment(SegmentName::Cs);
        let code = segment::flat_8086(cpu, &old, selector);
        check_entry(cpu, &code, rip)?;
        cpu.drop_stack((2 * size).wrapping_add(bytes));
        enter(cpu, code, rip);
        return Ok(());
    }
    let code = return_code(cpu, selector)?;
    if selector.rpl() == cpu.cpl {
        check_entry(cpu, &code, rip)?;
        cpu.drop_stack(2 * size);
        enter(cpu, code, rip);
        cpu.drop_stack(bytes); // in the width of the stack after the return, as silicon has it
        return Ok(());
    }
    let sp = super::stack_word(cpu, (2 * size).wrapping_add(bytes), size)?;
    let ss = Selector(super::stack_word(cpu, (3 * size).wrapping_add(bytes), size)? as u16);
    let stack = return_stack(cpu, ss, &code)?;
    check_entry(cpu, &code, rip)?;
    cpu.s.seg[SegmentName::Ss as usize] = stack;
    drop_inner_segments(cpu, code.rpl());
    enter(cpu, code, rip);
    cpu.set_sp(sp.wrapping_add(bytes));
    Ok(())
}

// ---- instructions --------------------------------------------------------------------------------------------

/// JMP ptr16:16 and ptr16:32: offset in `imm`, selector in `disp`.
pub fn jump_direct(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    transfer(cpu, Kind::Jump, op.disp as u16, op.imm, u64::from(op.size))
}

/// JMP m16:16, m16:32 and m16:64.
pub fn jump_indirect(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let (offset, selector) = far_pointer(cpu, op)?;
    transfer(cpu, Kind::Jump, selector, offset, u64::from(op.size))
}

/// CALL ptr16:16 and ptr16:32.
pub fn call_direct(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    transfer(cpu, Kind::Call, op.disp as u16, op.imm, u64::from(op.size))
}

/// CALL m16:16, m16:32 and m16:64.
pub fn call_indirect(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let (offset, selector) = far_pointer(cpu, op)?;
    transfer(cpu, Kind::Call, selector, offset, u64::from(op.size))
}

/// RETF and RETF imm16.
pub fn retf(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    far_return(cpu, u64::from(op.size), op.imm & 0xFFFF)
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::vcpu::{Segment, SegmentName, cr0};
    use iced_x86::code_asm::*;

    #[test]
    fn real_mode_loads_keep_the_limit() {
        let mut bed = Testbed::real("386");
        bed.cpu.seg[SegmentName::Ds as usize].limit = u32::MAX;
        bed.cpu.gpr[0] = 0x1234;
        bed.code(|a| a.mov(ds, ax));
        bed.step(1);
        let data = *bed.segment(SegmentName::Ds);
        assert_eq!((data.base, data.limit, data.rights), (0x1_2340, u32::MAX, 0x93));
    }

    #[test]
    fn the_jump_into_protected_mode() {
        let mut bed = Testbed::real("386");
        bed.descriptor(CODE0, descriptor(0, 0xF_FFFF, 0xC09A));
        bed.cpu.gdtr = crate::vcpu::TableRegister { base: GDT, limit: 0xFF };
        bed.cpu.cr0 |= cr0::PE;
        bed.poke(CODE, &[0x66, 0xEA, 0x78, 0x56, 0x01, 0x00, CODE0 as u8, 0]);
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.selector(SegmentName::Cs)), (0x1_5678, CODE0));
        assert!(bed.segment(SegmentName::Cs).is(Segment::DB));
        assert_eq!(bed.peek64(GDT + u64::from(CODE0)) >> 40 & 0xFF, 0x9B, "accessed");
    }

    /// A descriptor that must not be entered from CPL 0 with these rights and RPL.
    fn refused(rights: u64, rpl: u16) -> (u64, u64) {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.descriptor(SPARE, descriptor(0, 0xF_FFFF, rights));
        bed.poke(CODE, &[0xEA, 0, 0, 1, 0, (SPARE | rpl) as u8, 0]);
        let vector = bed.run_to_handler();
        (vector, bed.stack::<1>(4)[0])
    }

    #[test]
    fn what_a_far_jump_refuses() {
        let selector = u64::from(SPARE);
        assert_eq!(refused(0xC093, 0), (13, selector), "data");
        assert_eq!(refused(0xC0FB, 0), (13, selector), "outer code");
        assert_eq!(refused(0xC09B, 3), (13, selector), "RPL above CPL");
        assert_eq!(refused(0xC0FF, 0), (13, selector), "outer conforming code");
        assert_eq!(refused(0xC01B, 0), (11, selector), "not present");
        assert_eq!(refused(0x0082, 0), (13, selector), "an LDT");
    }

    #[test]
    fn a_call_gate_copies_parameters_to_the_inner_stack() {
        let mut bed = Testbed::protected("486");
        bed.descriptor(SPARE, gate(CODE0, 0x1_8000, 0xEC, 2));
        bed.at_ring(3);
        bed.cpu.gpr[4] -= 8;
        bed.poke32(STACK3 - 8, 0x1111);
        bed.poke32(STACK3 - 4, 0x2222);
        bed.poke(CODE, &[0x9A, 0, 0, 0, 0, (SPARE | 3) as u8, 0]);
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.selector(SegmentName::Cs)), (0x1_8000, CODE0));
        assert_eq!(
            bed.stack::<6>(4),
            [CODE + 7, u64::from(CODE3), 0x1111, 0x2222, STACK3 - 8, u64::from(DATA3)]
        );
        // And back, dropping the parameters on both stacks.
        bed.poke(0x1_8000, &[0xCA, 8, 0]);
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[4]), (CODE + 7, STACK3));
        assert_eq!((bed.selector(SegmentName::Cs), bed.selector(SegmentName::Ss)), (CODE3, DATA3));
        assert_eq!(bed.selector(SegmentName::Es), DATA3);
    }

    #[test]
    fn an_inner_stack_that_is_too_small_is_ss_with_its_selector() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.gate(12, gate(0, 0, 0, 0));
        bed.descriptor(SPARE, gate(CODE0, 0x1_8000, 0xEC, 0));
        bed.descriptor(0x60, descriptor(0, 7, 0x4093));
        bed.poke16(TSS + 8, 0x60);
        bed.poke32(TSS + 4, 8);
        bed.at_ring(3);
        bed.poke(CODE, &[0x9A, 0, 0, 0, 0, (SPARE | 3) as u8, 0]);
        assert_eq!(bed.step(1), crate::Exit::Shutdown, "no fault can be pushed either");
        assert_eq!(bed.selector(SegmentName::Cs), CODE3);
    }

    #[test]
    fn a_long_call_gate_pushes_quadwords() {
        let mut bed = Testbed::long();
        bed.descriptor(SPARE, gate(CODE0, 0x1_8000, 0xEC, 0));
        bed.descriptor(SPARE + 8, 0);
        bed.at_ring(3);
        bed.poke(0x1_9000, &[0, 0, 0, 0, (SPARE | 3) as u8, 0]);
        bed.poke(CODE, &[0xFF, 0x1C, 0x25, 0, 0x90, 1, 0]);
        bed.step(1);
        assert_eq!(bed.cpu.rip, 0x1_8000);
        assert_eq!(bed.stack::<4>(8), [CODE + 7, u64::from(CODE3), STACK3, u64::from(DATA3)]);
        assert_eq!(bed.selector(SegmentName::Ss), 0);
    }
}
