//! IRET, IRETD, IRETQ (Intel SDM Vol. 2A, "IRET/IRETD/IRETQ").

use super::far::{check_entry, drop_inner_segments, enter, return_code, return_stack};
use super::flags::{self, Rule};
use super::{segment, stack_word, task};
use crate::interpreter::Cpu;
use crate::interpreter::op::{Faulted, Op};
use crate::isa::descriptor::Selector;
use crate::vcpu::{SegmentName, rflags};

/// What every form pops first.
struct Popped {
    rip: u64,
    cs: Selector,
    flags: u64,
}

fn pop(cpu: &mut Cpu, size: u64) -> Result<Popped, Faulted> {
    Ok(Popped {
        rip: stack_word(cpu, 0, size)?,
        cs: Selector(stack_word(cpu, size, size)? as u16),
        flags: stack_word(cpu, 2 * size, size)?,
    })
}

/// IRET of operand size `op.size`.
pub fn iret(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let size = u64::from(op.size);
    if !cpu.protected() {
        return to_8086(cpu, size, Rule::Real);
    }
    if cpu.v86() {
        return from_v86(cpu, size);
    }
    // NMIs are unblocked even if what follows faults (Intel SDM Vol. 3A 6.7.1).
    cpu.s.nmi_blocked = false;
    if cpu.s.rflags & rflags::NT != 0 {
        return if cpu.long_mode() { Err(cpu.gp(0)) } else { task::return_to_previous(cpu) };
    }
    let popped = pop(cpu, size)?;
    if size == 4 && popped.flags & rflags::VM != 0 && cpu.cpl == 0 && !cpu.long_mode() {
        return to_v86(cpu, &popped);
    }
    let code = return_code(cpu, popped.cs)?;
    let outer = popped.cs.rpl() > cpu.cpl;
    let rule = flags::return_rule(cpu);
    if !outer && !cpu.mode.long {
        check_entry(cpu, &code, popped.rip)?;
        cpu.drop_stack(3 * size);
        flags::set(cpu, popped.flags, size, rule);
        enter(cpu, code, popped.rip);
        return Ok(());
    }
    let sp = stack_word(cpu, 3 * size, size)?;
    let ss = Selector(stack_word(cpu, 4 * size, size)? as u16);
    let stack = return_stack(cpu, ss, &code)?;
    check_entry(cpu, &code, popped.rip)?;
    flags::set(cpu, popped.flags, size, rule);
    cpu.s.seg[SegmentName::Ss as usize] = stack;
    if outer {
        drop_inner_segments(cpu, code.rpl());
    }
    enter(cpu, code, popped.rip);
    cpu.set_sp(sp);
    Ok(())
}

/// Real mode, and V86 mode with IOPL 3.
fn to_8086(cpu: &mut Cpu, size: u64, rule: Rule) -> Result<(), Faulted> {
    let popped = pop(cpu, size)?;
    let old = *cpu.segment(SegmentName::Cs);
    let code = segment::flat_8086(cpu, &old, popped.cs);
    check_entry(cpu, &code, popped.rip)?;
    cpu.s.nmi_blocked = false;
    cpu.drop_stack(3 * size);
    flags::set(cpu, popped.flags, size, rule);
    enter(cpu, code, popped.rip);
    Ok(())
}

/// V86 mode: needs IOPL 3, or VME and a 16-bit operand, which then acts on VIF (Intel SDM Vol. 3C 27.2, 27.3).
fn from_v86(cpu: &mut Cpu, size: u64) -> Result<(), Faulted> {
    if cpu.iopl() == 3 {
        return to_8086(cpu, size, Rule::User { if_too: true });
    }
    let image = stack_word(cpu, 2 * size, size)?;
    flags::check_virtual(cpu, image, size)?;
    to_8086(cpu, size, Rule::Virtual)
}

/// From ring 0 to V86 mode: everything comes from the stack, unchecked but for the range of EIP.
fn to_v86(cpu: &mut Cpu, popped: &Popped) -> Result<(), Faulted> {
    let sp = stack_word(cpu, 12, 4)?;
    let mut selectors = [0u16; 6];
    for (n, depth) in [(2, 16), (0, 20), (3, 24), (4, 28), (5, 32)] {
        selectors[n] = stack_word(cpu, depth, 4)? as u16;
    }
    selectors[SegmentName::Cs as usize] = popped.cs.0;
    if popped.rip > 0xFFFF {
        return Err(cpu.gp(0));
    }
    flags::set(cpu, popped.flags, 4, Rule::V86Entry);
    for (to, selector) in cpu.s.seg.iter_mut().zip(selectors) {
        *to = segment::v86(Selector(selector));
    }
    cpu.rip = popped.rip;
    cpu.r.set(4, sp);
    cpu.update_mode();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::vcpu::{SegmentName, rflags};

    /// Puts words on top of the stack.
    fn push(bed: &mut Testbed, size: u64, words: &[u64]) {
        bed.cpu.gpr[4] -= words.len() as u64 * size;
        for (n, word) in (0..).zip(words) {
            let at = bed.cpu.gpr[4] + n * size;
            bed.poke(at, &word.to_le_bytes()[..size as usize]);
        }
    }

    #[test]
    fn to_ring_3_and_its_stack() {
        let mut bed = Testbed::protected("486");
        push(&mut bed, 4, &[0x1_2345, u64::from(CODE3), 0x3246, STACK3, u64::from(DATA3)]);
        bed.code(|a| a.iretd());
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[4]), (0x1_2345, STACK3));
        assert_eq!(bed.cpu.rflags, 0x3246);
        // The flat data segments were ring 0's.
        assert_eq!(bed.selector(SegmentName::Ds), 0);
        assert_eq!(bed.selector(SegmentName::Ss), DATA3);
    }

    #[test]
    fn ring_3_changes_neither_if_nor_iopl() {
        let mut bed = Testbed::protected("486");
        bed.at_ring(3);
        bed.cpu.rflags |= rflags::IF;
        push(&mut bed, 4, &[CODE + 9, u64::from(CODE3), 0x3042]);
        bed.code(|a| a.iretd());
        bed.step(1);
        assert_eq!(bed.cpu.rflags, 0x0242);
    }

    #[test]
    fn never_to_more_privilege() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.at_ring(3);
        push(&mut bed, 4, &[CODE, u64::from(CODE0), 2]);
        bed.code(|a| a.iretd());
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!(bed.stack::<2>(4), [u64::from(CODE0), CODE]);
    }

    #[test]
    fn to_v86_mode_and_back() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0xEE);
        push(&mut bed, 4, &[0, 0x1000, 0x2_3202, 0xFFF0, 0x2000, 1, 2, 3, 4]);
        bed.code(|a| a.iretd());
        bed.step(1);
        assert_eq!(bed.cpu.rflags, 0x2_3202);
        assert_eq!(bed.segment(SegmentName::Cs).base, 0x1_0000);
        assert_eq!([0, 3, 4, 5].map(|n: usize| bed.cpu.seg[n].selector), [1, 2, 3, 4]);
        assert_eq!(bed.cpu.gpr[4], 0xFFF0);
        bed.poke(0x1_0000, &[0xCD, 0x42]);
        assert_eq!(bed.run_to_handler(), 0x42);
    }

    #[test]
    fn long_mode_returns_to_user_code_and_keeps_fs_base() {
        let mut bed = Testbed::long();
        bed.cpu.seg[SegmentName::Fs as usize] =
            crate::vcpu::Segment { base: 0x1234_5678_9000, ..Default::default() };
        bed.cpu.nmi_blocked = true;
        push(&mut bed, 8, &[0x7FFF_FFFF_F000, u64::from(CODE3), 0x202, STACK3, u64::from(DATA3)]);
        bed.code(|a| a.iretq());
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[4]), (0x7FFF_FFFF_F000, STACK3));
        assert_eq!(bed.segment(SegmentName::Fs).base, 0x1234_5678_9000);
        assert!(!bed.cpu.nmi_blocked);
    }

    #[test]
    fn long_mode_takes_a_null_ss_below_ring_3_only() {
        for (code, stack, good) in [(CODE0, 0, true), (CODE3, 0, false), (CODE3, 3, false), (CODE0, 3, false)]
        {
            let mut bed = Testbed::long();
            bed.handlers(0x8E);
            push(&mut bed, 8, &[CODE + 0x100, u64::from(code), 2, STACK0, stack]);
            bed.code(|a| a.iretq());
            bed.poke(CODE + 0x100, &[0x90]);
            if good {
                bed.step(1);
                assert_eq!(bed.cpu.rip, CODE + 0x100);
            } else {
                assert_eq!(bed.run_to_handler(), 13);
            }
        }
    }

    #[test]
    fn a_target_that_is_not_canonical_faults_before_anything_changes() {
        let mut bed = Testbed::long();
        bed.handlers(0x8E);
        push(&mut bed, 8, &[1 << 47, u64::from(CODE3), 0x202, STACK3, u64::from(DATA3)]);
        bed.code(|a| a.iretq());
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!(bed.stack::<3>(8), [0, CODE, u64::from(CODE0)]);
    }
}
