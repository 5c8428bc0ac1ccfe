//! Descriptor-table registers and questions about selectors: LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR, LAR, LSL,
//! VERR, VERW, ARPL (Intel SDM Vol. 2).

use super::lookup::{Blame, Found};
use super::{check_umip, is_memory, load_sized, source_word, store_selector};
use crate::interpreter::Cpu;
use crate::interpreter::memory::canonical;
use crate::interpreter::op::{Faulted, Op};
use crate::isa::descriptor::{Selector, system};
use crate::vcpu::{Segment, TableRegister, rflags};

/// Outside of protected mode, and in V86 mode, these instructions are #UD.
fn require_protected(cpu: &mut Cpu) -> Result<(), Faulted> {
    if cpu.protected() && !cpu.v86() { Ok(()) } else { Err(cpu.ud()) }
}

// ---- GDTR and IDTR ----------------------------------------------------------------------------------------------

/// The operand of LGDT and LIDT; with 16-bit operand size (`size` 2) the base has 24 bits.
fn load_table(cpu: &mut Cpu, op: &Op) -> Result<TableRegister, Faulted> {
    cpu.require_ring_0()?;
    let bytes = if cpu.mode.long { 8 } else { 4 };
    let linear = cpu.linear::<false>(op, 2 + bytes)?;
    let limit = cpu.read::<u16>(linear, op.seg)?;
    let base = load_sized(cpu, linear.wrapping_add(2) & cpu.addr_mask, bytes, op.seg)?;
    if cpu.mode.long && !canonical(base) {
        return Err(cpu.gp(0));
    }
    let base = if op.size == 2 && !cpu.mode.long { base & 0x00FF_FFFF } else { base };
    Ok(TableRegister { base, limit })
}

/// LGDT.
pub fn lgdt(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.s.gdtr = load_table(cpu, op)?;
    Ok(())
}

/// LIDT.
pub fn lidt(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.s.idtr = load_table(cpu, op)?;
    Ok(())
}

/// The base is stored whole whatever the operand size, as every processor since the 386 does.
fn store_table(cpu: &mut Cpu, op: &Op, table: TableRegister) -> Result<(), Faulted> {
    check_umip(cpu)?;
    let bytes = if cpu.mode.long { 8 } else { 4 };
    let linear = cpu.linear::<true>(op, 2 + bytes)?;
    let base_at = linear.wrapping_add(2) & cpu.addr_mask;
    cpu.probe_write(base_at, bytes, op.seg)?;
    cpu.write(linear, table.limit, op.seg)?;
    if bytes == 8 {
        cpu.write(base_at, table.base, op.seg)
    } else {
        cpu.write(base_at, table.base as u32, op.seg)
    }
}

/// SGDT.
pub fn sgdt(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    store_table(cpu, op, cpu.s.gdtr)
}

/// SIDT.
pub fn sidt(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    store_table(cpu, op, cpu.s.idtr)
}

// ---- LDTR and TR ------------------------------------------------------------------------------------------------

/// SLDT.
pub fn sldt(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    require_protected(cpu)?;
    check_umip(cpu)?;
    store_selector(cpu, op, cpu.s.ldtr.selector)
}

/// STR.
pub fn store_task(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    require_protected(cpu)?;
    check_umip(cpu)?;
    store_selector(cpu, op, cpu.s.tr.selector)
}

/// A system segment of the GDT with one of `kinds`, and its whole base.
fn system_segment(cpu: &mut Cpu, selector: Selector, kinds: &[u8]) -> Result<(Found, Segment), Faulted> {
    if selector.is_local() {
        return Err(cpu.blame(Blame::GP, selector));
    }
    let found = cpu.find_not_null(selector, Blame::GP)?;
    let d = found.descriptor;
    if d.is_segment() || !kinds.contains(&d.kind()) {
        return Err(cpu.blame(Blame::GP, selector));
    }
    if !d.present() {
        return Err(cpu.not_present(selector, 0));
    }
    let upper = cpu.upper_half(&found, Blame::GP)?;
    let mut segment = d.segment(selector);
    segment.base |= upper << 32;
    if !canonical(segment.base) {
        return Err(cpu.gp(0));
    }
    Ok((found, segment))
}

/// LLDT: a null selector means no LDT.
pub fn lldt(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    require_protected(cpu)?;
    cpu.require_ring_0()?;
    let selector = Selector(source_word(cpu, op)?);
    cpu.s.ldtr = if selector.is_null() {
        Segment { selector: selector.0, ..Segment::default() }
    } else {
        system_segment(cpu, selector, &[system::LDT])?.1
    };
    Ok(())
}

/// LTR: marks the TSS busy.
pub fn ltr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    require_protected(cpu)?;
    cpu.require_ring_0()?;
    let selector = Selector(source_word(cpu, op)?);
    let kinds: &[u8] = if cpu.long_mode() { &[system::TSS32] } else { &[system::TSS16, system::TSS32] };
    let (found, mut segment) = system_segment(cpu, selector, kinds)?;
    cpu.set_type(&found, found.descriptor.kind() | system::BUSY)?;
    segment.rights |= u16::from(system::BUSY);
    cpu.s.tr = segment;
    Ok(())
}

// ---- questions ---------------------------------------------------------------------------------------------------

fn answer(cpu: &mut Cpu, yes: bool) {
    let others = cpu.flags.status() & !rflags::ZF;
    cpu.flags.known(if yes { others | rflags::ZF } else { others });
}

/// Whether the current program may know of a descriptor: conforming code is for everyone.
fn visible(cpu: &Cpu, found: &Found) -> bool {
    let d = found.descriptor;
    d.conforming() || (cpu.cpl <= d.dpl() && found.selector.rpl() <= d.dpl())
}

/// System descriptor types that LAR answers for (SDM, "LAR", table 3-53).
fn lar_knows(kind: u8, long: bool) -> bool {
    match kind {
        system::LDT | system::TSS32 | system::TSS32_BUSY | system::CALL32 => true,
        system::TSS16 | system::TSS16_BUSY | system::CALL16 | system::TASK_GATE => !long,
        _ => false,
    }
}

/// System descriptor types that have a limit (SDM, "LSL", table 3-62).
fn lsl_knows(kind: u8, long: bool) -> bool {
    match kind {
        system::LDT | system::TSS32 | system::TSS32_BUSY => true,
        system::TSS16 | system::TSS16_BUSY => !long,
        _ => false,
    }
}

/// The descriptor of operand 1 if the program may know of it.
fn asked(cpu: &mut Cpu, op: &Op, knows: fn(u8, bool) -> bool) -> Result<Option<Found>, Faulted> {
    require_protected(cpu)?;
    let selector = if is_memory(op) { cpu.load::<u16>(op)? } else { cpu.reg::<u16>(op.b) };
    let long = cpu.long_mode();
    let found = cpu.peek(Selector(selector))?;
    Ok(found.filter(|f| (f.descriptor.is_segment() || knows(f.descriptor.kind(), long)) && visible(cpu, f)))
}

/// LAR: access rights as in the second word of the descriptor.
pub fn lar(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let found = asked(cpu, op, lar_knows)?;
    if let Some(found) = found {
        set_sized(cpu, op, u64::from(found.descriptor.high() & 0x00FF_FF00));
    }
    answer(cpu, found.is_some());
    Ok(())
}

/// LSL: the limit in bytes.
pub fn lsl(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let found = asked(cpu, op, lsl_knows)?;
    if let Some(found) = found {
        set_sized(cpu, op, u64::from(found.descriptor.segment(found.selector).limit));
    }
    answer(cpu, found.is_some());
    Ok(())
}

fn set_sized(cpu: &mut Cpu, op: &Op, value: u64) {
    match op.size {
        2 => cpu.set_reg(op.a, value as u16),
        4 => cpu.set_reg(op.a, value as u32),
        _ => cpu.set_reg(op.a, value),
    }
}

fn verify(cpu: &mut Cpu, op: &Op, good: fn(&Found) -> bool) -> Result<(), Faulted> {
    require_protected(cpu)?;
    let selector = Selector(source_word(cpu, op)?);
    let found = cpu.peek(selector)?;
    let yes = found.is_some_and(|f| good(&f) && visible(cpu, &f));
    answer(cpu, yes);
    Ok(())
}

/// VERR.
pub fn verr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    verify(cpu, op, |f| f.descriptor.readable())
}

/// VERW.
pub fn verw(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    verify(cpu, op, |f| f.descriptor.writable())
}

/// ARPL: raises the RPL of operand 0 to that of operand 1.
pub fn arpl(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    require_protected(cpu)?;
    let memory = is_memory(op);
    let wanted = Selector(cpu.reg::<u16>(op.b)).rpl();
    let old = Selector(if memory { cpu.load::<u16>(op)? } else { cpu.reg::<u16>(op.a) });
    let raised = old.rpl() < wanted;
    let new = if raised { old.with_rpl(wanted).0 } else { old.0 };
    if !memory {
        cpu.set_reg(op.a, new)
    } else if raised {
        cpu.store(op, new)? // silicon does not write what stays as it is
    }
    answer(cpu, raised);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::vcpu::{cr4, rflags};
    use iced_x86::code_asm::*;

    #[test]
    fn lgdt_and_lidt_in_16_and_32_bits() {
        let mut bed = Testbed::real("386");
        bed.poke(0x300, &[0x34, 0x12, 0x78, 0x56, 0x34, 0x12]);
        bed.poke(CODE, &[0x0F, 0x01, 0x16, 0x00, 0x03, 0x66, 0x0F, 0x01, 0x1E, 0x00, 0x03]);
        bed.step(2);
        assert_eq!((bed.cpu.gdtr.limit, bed.cpu.gdtr.base), (0x1234, 0x34_5678));
        assert_eq!((bed.cpu.idtr.limit, bed.cpu.idtr.base), (0x1234, 0x1234_5678));
    }

    #[test]
    fn lgdt_takes_a_64_bit_base() {
        let mut bed = Testbed::long();
        bed.poke16(0x1_9000, 0x1234);
        bed.poke64(0x1_9002, 0xFFFF_8000_1234_5678);
        bed.code(|a| a.lgdt(qword_ptr(0x1_9000_u64)));
        bed.step(1);
        assert_eq!((bed.cpu.gdtr.limit, bed.cpu.gdtr.base), (0x1234, 0xFFFF_8000_1234_5678));
    }

    #[test]
    fn ltr_marks_a_16_byte_descriptor_busy() {
        let mut bed = Testbed::long();
        bed.handlers(0x8E);
        bed.descriptor(SPARE, descriptor(0x9000_0000, 0x67, 0x89));
        bed.descriptor(SPARE + 8, 0xFFFF_8000);
        bed.cpu.gpr[0] = u64::from(SPARE);
        bed.code(|a| {
            a.ltr(ax)?;
            a.ltr(ax)
        });
        assert_eq!(bed.run_to_handler(), 13, "busy");
        assert_eq!((bed.cpu.tr.base, bed.cpu.tr.rights), (0xFFFF_8000_9000_0000, 0x8B));
        assert_eq!(bed.peek64(GDT + u64::from(SPARE)) >> 40 & 0xFF, 0x8B);
    }

    /// LAR and LSL of `selector` at CPL 3: rights and limit, if visible.
    fn ask(selector: u16) -> Option<(u64, u64)> {
        let mut bed = Testbed::protected("486");
        bed.descriptor(SPARE, descriptor(0, 0x12345, 0xC0F2));
        bed.at_ring(3);
        bed.cpu.gpr[1] = u64::from(selector);
        bed.code(|a| {
            a.lar(eax, ecx)?;
            a.lsl(ebx, ecx)
        });
        bed.step(2);
        (bed.cpu.rflags & rflags::ZF != 0).then_some((bed.cpu.gpr[0], bed.cpu.gpr[3]))
    }

    #[test]
    fn lar_and_lsl_show_what_a_program_may_know() {
        assert_eq!(ask(SPARE | 3), Some((0x00C1_F200, 0x1234_5FFF)));
        assert_eq!(ask(CODE0), None);
        assert_eq!(ask(0), None);
        assert_eq!(ask(0xFFF8), None);
    }

    #[test]
    fn verw_wants_writable_data() {
        let mut bed = Testbed::protected("486");
        bed.at_ring(3);
        bed.cpu.gpr[0] = u64::from(DATA3);
        bed.cpu.gpr[1] = u64::from(CODE3);
        bed.code(|a| {
            a.verw(ax)?;
            a.verw(cx)?;
            a.verr(cx)
        });
        for zf in [true, false, true] {
            bed.step(1);
            assert_eq!(bed.cpu.rflags & rflags::ZF != 0, zf);
        }
    }

    #[test]
    fn arpl_raises_only() {
        let mut bed = Testbed::protected("386");
        (bed.cpu.gpr[0], bed.cpu.gpr[1]) = (0x21, 0x13);
        bed.code(|a| {
            a.arpl(ax, cx)?;
            a.arpl(ax, cx)
        });
        bed.step(1);
        assert_eq!((bed.cpu.gpr[0], bed.cpu.rflags & rflags::ZF != 0), (0x23, true));
        bed.step(1);
        assert_eq!((bed.cpu.gpr[0], bed.cpu.rflags & rflags::ZF != 0), (0x23, false));
    }

    #[test]
    fn real_mode_has_no_selectors_to_ask_about() {
        let mut bed = Testbed::real("386");
        bed.poke32(4 * 6, 0x0050_0000);
        bed.poke(0x500, &[0xF4]);
        bed.code(|a| a.sldt(ax));
        bed.step(10);
        assert_eq!(bed.cpu.rip, 1);
    }

    #[test]
    fn umip_hides_the_tables() {
        let mut bed = Testbed::long();
        bed.handlers(0x8E);
        bed.cpu.cr4 |= cr4::UMIP;
        bed.at_ring(3).code(|a| a.sidt(qword_ptr(0x1_9000_u64)));
        assert_eq!(bed.run_to_handler(), 13);
        let mut bed = Testbed::long();
        bed.at_ring(3).code(|a| a.sidt(qword_ptr(0x1_9000_u64)));
        bed.step(1);
        assert_eq!((bed.peek16(0x1_9000), bed.peek64(0x1_9002)), (0xFFF, IDT));
    }
}
