//! Loading segment registers (Intel SDM Vol. 3A 3.4.3, 5.5 to 5.7; Vol. 2, "MOV", "POP", "LDS/LES/LFS/LGS/LSS").

use super::lookup::Blame;
use super::{load_sized, store_selector};
use crate::interpreter::Cpu;
use crate::interpreter::memory::SS;
use crate::interpreter::op::{Faulted, Op};
use crate::interpreter::word::SEG_BASE;
use crate::isa::descriptor::Selector;
use crate::vcpu::{Segment, Shadow};

/// Rights of a V86 segment: present, DPL 3, writable data, accessed (Intel SDM Vol. 3C 27.3.1.2).
const V86_RIGHTS: u16 = 0x00F3;

/// What a load leaves in real or V86 mode. Real mode changes only the base and makes the segment an ordinary one: a
/// limit that protected mode has left stays ("unreal mode"), as on silicon.
pub fn flat_8086(cpu: &Cpu, old: &Segment, selector: Selector) -> Segment {
    let base = u64::from(selector.0) << 4;
    if cpu.protected() {
        return v86(selector);
    }
    Segment { selector: selector.0, rights: old.rights & 0xFF00 | 0x93, limit: old.limit, base }
}

/// A segment of V86 mode.
pub fn v86(selector: Selector) -> Segment {
    Segment { selector: selector.0, rights: V86_RIGHTS, limit: 0xFFFF, base: u64::from(selector.0) << 4 }
}

/// A stack segment for privilege level `cpl`: its RPL and DPL must be the CPL. Marks it accessed.
pub fn stack(cpu: &mut Cpu, selector: Selector, cpl: u8, blame: Blame) -> Result<Segment, Faulted> {
    let found = cpu.find_not_null(selector, blame)?;
    let d = found.descriptor;
    if selector.rpl() != cpl || !d.writable() || d.dpl() != cpl {
        return Err(cpu.blame(blame, selector));
    }
    if !d.present() {
        return Err(cpu.bad_stack(selector, blame.ext));
    }
    cpu.accessed(&found)
}

/// A segment for DS, ES, FS or GS. A null selector gives an unusable one.
pub fn data(cpu: &mut Cpu, selector: Selector, cpl: u8, blame: Blame) -> Result<Segment, Faulted> {
    if selector.is_null() {
        return Ok(Segment { selector: selector.0, ..Segment::default() });
    }
    let found = cpu.find(selector, blame)?;
    let d = found.descriptor;
    let private = !d.conforming() && (selector.rpl() > d.dpl() || cpl > d.dpl());
    if !d.readable() || private {
        return Err(cpu.blame(blame, selector));
    }
    if !d.present() {
        return Err(cpu.not_present(selector, blame.ext));
    }
    cpu.accessed(&found)
}

/// SS as MOV, POP and LSS load it. 64-bit code below CPL 3 may load a null selector of its own RPL.
fn new_ss(cpu: &mut Cpu, selector: Selector) -> Result<Segment, Faulted> {
    if selector.is_null() && cpu.mode.long && cpu.cpl < 3 && selector.rpl() == cpu.cpl {
        return Ok(super::frame::null_ss(cpu.cpl));
    }
    stack(cpu, selector, cpu.cpl, Blame::GP)
}

/// The content of segment register `n` after a load of `selector`.
fn loaded(cpu: &mut Cpu, n: u8, selector: Selector) -> Result<Segment, Faulted> {
    if !cpu.protected() || cpu.v86() {
        return Ok(flat_8086(cpu, &cpu.s.seg[n as usize], selector));
    }
    if n == SS { new_ss(cpu, selector) } else { data(cpu, selector, cpu.cpl, Blame::GP) }
}

/// Makes a segment current. Derived state is only recomputed when more has changed than one base for another: ops
/// know whether their segment has a base at all (see `Mode::flat`).
fn install(cpu: &mut Cpu, n: u8, segment: Segment) {
    let old = std::mem::replace(&mut cpu.s.seg[n as usize], segment);
    if (old.rights, old.limit, old.base == 0) == (segment.rights, segment.limit, segment.base == 0) {
        let base = if cpu.mode.long && n < 4 { 0 } else { segment.base };
        cpu.r.set(SEG_BASE + n, base);
    } else {
        cpu.update_mode();
    }
}

/// Loads segment register `n` with all checks.
pub fn load(cpu: &mut Cpu, n: u8, selector: u16) -> Result<(), Faulted> {
    let segment = loaded(cpu, n, Selector(selector))?;
    install(cpu, n, segment);
    Ok(())
}

// ---- instructions --------------------------------------------------------------------------------------------

/// MOV Sreg, r16.
pub fn mov_from_reg(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let selector = cpu.reg::<u16>(op.b);
    load_and_hold(cpu, op.a, selector)
}

/// MOV Sreg, m16.
pub fn mov_from_mem(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let selector = cpu.load::<u16>(op)?;
    load_and_hold(cpu, op.a, selector)
}

/// MOV SS and POP SS hold interrupts and debug traps for one instruction (Intel SDM Vol. 3A 6.8.3).
fn load_and_hold(cpu: &mut Cpu, n: u8, selector: u16) -> Result<(), Faulted> {
    load(cpu, n, selector)?;
    if n == SS {
        cpu.set_shadow(Shadow::MovSs);
    }
    Ok(())
}

/// MOV r/m, Sreg: 16 bits in memory, zero-extended to the operand size in a register.
pub fn mov_to(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let selector = cpu.s.seg[op.b as usize].selector;
    store_selector(cpu, op, selector)
}

/// PUSH Sreg.
pub fn push(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let selector = cpu.s.seg[op.a as usize].selector;
    match op.size {
        2 => cpu.push(selector),
        4 => cpu.push(u32::from(selector)),
        _ => cpu.push(u64::from(selector)),
    }
}

/// POP Sreg.
pub fn pop(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    // All of the operand is read, though only the selector counts.
    let selector = match op.size {
        2 => cpu.stack_read::<u16>(0)?,
        4 => cpu.stack_read::<u32>(0)? as u16,
        _ => cpu.stack_read::<u64>(0)? as u16,
    };
    let segment = loaded(cpu, op.a, Selector(selector))?;
    cpu.drop_stack(u64::from(op.size)); // in the width of the old stack
    install(cpu, op.a, segment);
    if op.a == SS {
        cpu.set_shadow(Shadow::MovSs);
    }
    Ok(())
}

/// LDS, LES, LFS, LGS, LSS: `sub` is the segment register.
pub fn load_far_pointer(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let (offset, selector) = far_pointer(cpu, op)?;
    load(cpu, op.sub, selector)?;
    match op.size {
        2 => cpu.set_reg(op.a, offset as u16),
        4 => cpu.set_reg(op.a, offset as u32),
        _ => cpu.set_reg(op.a, offset),
    }
    Ok(())
}

/// A far pointer in memory: offset of `op.size` bytes, then the selector.
pub fn far_pointer(cpu: &mut Cpu, op: &Op) -> Result<(u64, u16), Faulted> {
    let size = u64::from(op.size);
    let linear = cpu.linear::<false>(op, size + 2)?;
    let offset = load_sized(cpu, linear, size, op.seg)?;
    let selector = cpu.read::<u16>(linear.wrapping_add(size) & cpu.addr_mask, op.seg)?;
    Ok((offset, selector))
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::vcpu::{SegmentName, Shadow};
    use iced_x86::code_asm::*;

    /// What MOV DS or SS of a descriptor with these rights raises at this CPL, if anything.
    fn load(stack: bool, cpl: u8, selector: u16, rights: u64) -> Option<(u64, u64)> {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.descriptor(SPARE, descriptor(0, 0xF_FFFF, rights));
        bed.at_ring(cpl);
        bed.cpu.gpr[0] = u64::from(selector);
        bed.poke(CODE, &[0x8E, if stack { 0xD0 } else { 0xD8 }, 0xCC]);
        match bed.run_to_handler() {
            // INT3: through a gate of ring 0, so at CPL 3 it is #GP(IDT).
            3 => None,
            13 if bed.stack::<1>(4)[0] == 3 << 3 | 2 => None,
            vector => Some((vector, bed.stack::<1>(4)[0])),
        }
    }

    #[test]
    fn data_segments() {
        let code = u64::from(SPARE);
        assert_eq!(load(false, 0, SPARE, 0xC092), None);
        assert_eq!(load(false, 3, SPARE | 3, 0xC0F0), None, "read-only data");
        assert_eq!(load(false, 0, SPARE | 3, 0xC092), Some((13, code)), "RPL");
        assert_eq!(load(false, 3, SPARE, 0xC092), Some((13, code)), "CPL");
        assert_eq!(load(false, 3, SPARE | 3, 0xC09E), None, "readable conforming code is for everyone");
        assert_eq!(load(false, 0, SPARE, 0xC098), Some((13, code)), "execute-only code");
        assert_eq!(load(false, 0, SPARE, 0xC012), Some((11, code)), "not present");
        assert_eq!(load(false, 0, 0, 0), None, "null");
        assert_eq!(load(false, 0, 0x1F8, 0), Some((13, 0x1F8)), "outside the table");
    }

    #[test]
    fn stack_segments() {
        let code = u64::from(SPARE);
        assert_eq!(load(true, 0, SPARE, 0xC092), None);
        assert_eq!(load(true, 0, SPARE, 0xC090), Some((13, code)), "read-only");
        assert_eq!(load(true, 0, SPARE | 1, 0xC092), Some((13, code)), "RPL");
        assert_eq!(load(true, 0, SPARE, 0xC0F2), Some((13, code)), "DPL");
        assert_eq!(load(true, 0, SPARE, 0xC012), Some((12, code)), "not present");
        assert_eq!(load(true, 0, 0, 0), Some((13, 0)), "null");
    }

    #[test]
    fn loading_marks_the_descriptor_accessed() {
        let mut bed = Testbed::protected("486");
        bed.descriptor(SPARE, descriptor(0x1_0000, 0xFFFF, 0x0092));
        bed.cpu.gpr[0] = u64::from(SPARE);
        bed.code(|a| a.mov(es, ax));
        bed.step(1);
        assert_eq!(bed.peek64(GDT + u64::from(SPARE)) >> 40 & 0xFF, 0x93);
        assert_eq!(
            (bed.segment(SegmentName::Es).base, bed.segment(SegmentName::Es).rights),
            (0x1_0000, 0x93)
        );
    }

    #[test]
    fn a_new_limit_counts_from_the_next_instruction_on() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.descriptor(SPARE, descriptor(0, 0xFF, 0x4093));
        bed.cpu.gpr[0] = u64::from(SPARE);
        bed.code(|a| {
            a.mov(ds, ax)?;
            a.mov(eax, dword_ptr(0xFC))?;
            a.mov(eax, dword_ptr(0xFD))
        });
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!(bed.stack::<2>(4), [0, CODE + 8]);
    }

    #[test]
    fn mov_ss_holds_interrupts() {
        let mut bed = Testbed::protected("486");
        bed.cpu.gpr[0] = u64::from(DATA0);
        bed.code(|a| a.mov(ss, ax));
        bed.step(1);
        assert_eq!(bed.cpu.shadow, Shadow::MovSs);
    }

    #[test]
    fn selectors_are_stored_in_the_operand_s_width() {
        let mut bed = Testbed::protected("486");
        (bed.cpu.gpr[0], bed.cpu.gpr[1]) = (u64::from(u32::MAX), u64::from(u32::MAX));
        bed.poke32(0x1_9000, u32::MAX);
        bed.code(|a| {
            a.mov(eax, ds)?;
            a.mov(cx, ds)?;
            a.mov(word_ptr(0x1_9000), ds)?;
            a.push(ds)
        });
        bed.step(4);
        assert_eq!((bed.cpu.gpr[0], bed.cpu.gpr[1]), (0x10, 0xFFFF_0010));
        assert_eq!(bed.peek32(0x1_9000), 0xFFFF_0010);
        assert_eq!((bed.stack::<1>(4), bed.cpu.gpr[4]), ([0x10], STACK0 - 4));
    }

    #[test]
    fn far_pointers_load_both_halves_or_none() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.poke64(0x1_9000, 0x0010_1122_3344);
        bed.poke64(0x1_9008, 0x01F8_5566_7788);
        bed.poke(CODE, &[0x0F, 0xB4, 0x1D, 0, 0x90, 1, 0, 0x0F, 0xB4, 0x1D, 8, 0x90, 1, 0]); // LFS EBX
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!((bed.cpu.gpr[3], bed.selector(SegmentName::Fs)), (0x1122_3344, 0x10));
    }
}
