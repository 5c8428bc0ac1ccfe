//! Hardware task switches (Intel SDM Vol. 3A chapter 7).
//!
//! Everything that can fail in the context of the old task is checked and probed first. From the commit point on the
//! new task is current, and what fails is an exception of the new task (SDM 7.3, table 7-1).

use super::control;
use super::lookup::{Blame, Found};
use super::segment;
use crate::interpreter::Cpu;
use crate::interpreter::op::Faulted;
use crate::isa::descriptor::{Selector, system};
use crate::vcpu::{Segment, SegmentName, cr0, rflags};

/// The bits of EFLAGS that are not reserved (Intel SDM Vol. 1 figure 3-8).
const EFLAGS: u64 = 0x003F_7FD5;

/// DR6.BT: the new task asked for a debug trap.
const BT: u64 = 1 << 15;
/// DR7: the local enables of the breakpoints and LE.
const LOCAL_ENABLES: u64 = 0x155;

/// What switches tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Jump,
    Call,
    /// An interrupt or exception through a task gate.
    Interrupt {
        ext: u32,
    },
    /// IRET with NT set.
    Return,
}

impl How {
    /// The new task is nested in the old one.
    fn nests(self) -> bool {
        matches!(self, Self::Call | Self::Interrupt { .. })
    }

    fn ext(self) -> u32 {
        if let Self::Interrupt { ext } = self { ext } else { 0 }
    }
}

/// A 32-bit TSS rather than a 16-bit one.
pub fn is_wide(found: &Found) -> bool {
    found.descriptor.kind() & system::BITS32 != 0
}

/// The available TSS that a JMP, CALL or task gate names. It must be in the GDT.
pub fn available(cpu: &mut Cpu, selector: Selector, blame: Blame) -> Result<Found, Faulted> {
    if selector.is_local() {
        return Err(cpu.blame(blame, selector));
    }
    let found = cpu.find_not_null(selector, blame)?;
    let d = found.descriptor;
    if d.is_segment() || !matches!(d.kind(), system::TSS16 | system::TSS32) {
        return Err(cpu.blame(blame, selector));
    }
    if !d.present() {
        return Err(cpu.not_present(selector, blame.ext));
    }
    Ok(found)
}

/// IRET with NT set: back to the task in the back link (SDM Vol. 2A, "IRET", TASK-RETURN).
pub fn return_to_previous(cpu: &mut Cpu) -> Result<(), Faulted> {
    let selector = Selector(cpu.read_sys::<u16>(cpu.s.tr.base)?);
    if selector.is_local() {
        return Err(cpu.blame(Blame::TS, selector));
    }
    let found = cpu.find_not_null(selector, Blame::TS)?;
    let d = found.descriptor;
    if d.is_segment() || !matches!(d.kind(), system::TSS16_BUSY | system::TSS32_BUSY) {
        return Err(cpu.blame(Blame::TS, selector));
    }
    if !d.present() {
        return Err(cpu.not_present(selector, 0));
    }
    let flags = cpu.rflags() & !rflags::NT;
    switch(cpu, &found, How::Return, flags)
}

/// Where a TSS keeps things (SDM figures 7-2 and 7-10).
struct Layout {
    /// Bytes per register.
    size: u64,
    /// IP, FLAGS, then the eight general registers.
    ip: u64,
    /// ES, CS, SS, DS and, if wide, FS and GS.
    segments: u64,
    segment_count: usize,
    ldt: u64,
    /// The smallest allowed limit.
    limit: u32,
}

const LAYOUT16: Layout =
    Layout { size: 2, ip: 0x0E, segments: 0x22, segment_count: 4, ldt: 0x2A, limit: 0x2B };
const LAYOUT32: Layout =
    Layout { size: 4, ip: 0x20, segments: 0x48, segment_count: 6, ldt: 0x60, limit: 0x67 };

const fn layout(wide: bool) -> &'static Layout {
    if wide { &LAYOUT32 } else { &LAYOUT16 }
}

/// What the new TSS says.
struct Image {
    cr3: Option<u64>,
    ip: u64,
    flags: u64,
    registers: [u64; 8],
    segments: [u16; 6],
    ldt: u16,
    trap: bool,
}

fn word(cpu: &mut Cpu, at: u64, size: u64) -> Result<u64, Faulted> {
    if size == 2 { cpu.read_sys::<u16>(at).map(u64::from) } else { cpu.read_sys::<u32>(at).map(u64::from) }
}

fn read_image(cpu: &mut Cpu, base: u64, wide: bool) -> Result<Image, Faulted> {
    let l = layout(wide);
    let at = |offset: u64| base.wrapping_add(offset);
    let mut image = Image {
        cr3: None,
        ip: word(cpu, at(l.ip), l.size)?,
        flags: word(cpu, at(l.ip + l.size), l.size)?,
        registers: [0; 8],
        segments: [0; 6],
        ldt: cpu.read_sys(at(l.ldt))?,
        trap: wide && cpu.read_sys::<u16>(at(0x64))? & 1 != 0,
    };
    for n in 0..8 {
        // A 16-bit task starts with ones in the upper halves (as observed; SDM leaves them undefined).
        let ones = if wide { 0 } else { 0xFFFF_0000 };
        image.registers[n as usize] = word(cpu, at(l.ip + (2 + n) * l.size), l.size)? | ones;
    }
    for n in 0..l.segment_count {
        image.segments[n] = cpu.read_sys(at(l.segments + n as u64 * l.size))?;
    }
    if wide && cpu.s.cr0 & cr0::PG != 0 {
        image.cr3 = Some(word(cpu, at(0x1C), 4)?);
    }
    Ok(image)
}

/// Writes the old task's registers into its TSS.
fn save(cpu: &mut Cpu, flags: u64) -> Result<(), Faulted> {
    let wide = cpu.s.tr.kind() & system::BITS32 != 0;
    let l = layout(wide);
    let base = cpu.s.tr.base;
    let mut values = [cpu.rip, flags, 0, 0, 0, 0, 0, 0, 0, 0];
    values[2..].copy_from_slice(&cpu.r.0[..8]);
    for (n, value) in (0..).zip(values) {
        let at = base.wrapping_add(l.ip + n * l.size);
        if wide { cpu.write_sys(at, value as u32)? } else { cpu.write_sys(at, value as u16)? }
    }
    for n in 0..l.segment_count {
        let selector = cpu.s.seg[n].selector;
        cpu.write_sys(base.wrapping_add(l.segments + n as u64 * l.size), selector)?;
    }
    Ok(())
}

/// Makes sure that [`save`] will succeed.
fn probe_save(cpu: &mut Cpu) -> Result<(), Faulted> {
    let l = layout(cpu.s.tr.kind() & system::BITS32 != 0);
    cpu.probe_sys(cpu.s.tr.base.wrapping_add(l.ip), l.ldt - l.ip)
}

/// The descriptor of the current task, for its busy bit.
fn current_task(cpu: &mut Cpu) -> Result<Found, Faulted> {
    let selector = Selector(cpu.s.tr.selector);
    let found = cpu.find_not_null(selector, Blame::TS)?;
    cpu.probe_sys(found.at, 8)?;
    Ok(found)
}

/// Switches to the task of a checked TSS descriptor. `flags` is what the old task's TSS gets; its RIP is `cpu.rip`.
pub fn switch(cpu: &mut Cpu, found: &Found, how: How, flags: u64) -> Result<(), Faulted> {
    let wide = is_wide(found);
    let l = layout(wide);
    let mut tr = found.descriptor.segment(found.selector);
    if tr.limit < l.limit {
        return Err(cpu.blame(Blame::ts(how.ext()), found.selector));
    }
    let image = read_image(cpu, tr.base, wide)?;
    let old = current_task(cpu)?;
    probe_save(cpu)?;
    cpu.probe_sys(found.at, 8)?;
    cpu.probe_sys(tr.base, 2)?;
    let pdpte = image.cr3.map(|cr3| control::pdpte_for(cpu, cr3)).transpose()?;

    save(cpu, flags)?;
    if how.nests() {
        let link = cpu.s.tr.selector;
        cpu.write_sys(tr.base, link)?;
    } else {
        cpu.set_type(&old, old.descriptor.kind() & !system::BUSY)?;
    }
    tr.rights |= u16::from(system::BUSY);
    if how != How::Return {
        cpu.set_type(found, found.descriptor.kind() | system::BUSY)?;
    }
    cpu.s.tr = tr;
    cpu.s.cr0 |= cr0::TS;
    cpu.s.dr7 &= !LOCAL_ENABLES;
    load(cpu, &image, how, pdpte)
}

/// The commit point is passed: the new task's registers, then its segments, whose faults are its own.
fn load(cpu: &mut Cpu, image: &Image, how: How, pdpte: Option<[u64; 4]>) -> Result<(), Faulted> {
    if let (Some(cr3), Some(pdpte)) = (image.cr3, pdpte) {
        cpu.s.cr3 = cr3;
        cpu.s.pdpte = pdpte;
        cpu.switch_space(false);
    }
    let nested = if how.nests() { rflags::NT } else { 0 };
    cpu.rip = image.ip;
    cpu.start_rip = image.ip; // a fault from here on is the new task's
    cpu.r.0[..8].copy_from_slice(&image.registers);
    let v86 = image.flags & rflags::VM != 0;
    let cpl = if v86 { 3 } else { image.segments[SegmentName::Cs as usize] as u8 & 3 };
    for (segment, selector) in cpu.s.seg.iter_mut().zip(image.segments) {
        *segment = Segment { selector, rights: u16::from(cpl) << 5, ..Segment::default() };
    }
    cpu.s.ldtr = Segment { selector: image.ldt, ..Segment::default() };
    cpu.set_rflags(image.flags & EFLAGS | nested);
    if image.trap {
        cpu.s.pending_debug |= BT;
    }
    cpu.step_suppressed = true;
    cpu.update_mode();
    cpu.update_fpu();
    // Nothing may ask for a second run of the instruction any more.
    let before = std::mem::replace(&mut cpu.one_shot, true);
    let loaded = load_segments(cpu, image, cpl, v86, how.ext());
    cpu.one_shot = before;
    cpu.update_mode();
    loaded
}

fn load_segments(cpu: &mut Cpu, image: &Image, cpl: u8, v86: bool, ext: u32) -> Result<(), Faulted> {
    cpu.s.ldtr = local_table(cpu, Selector(image.ldt), ext)?;
    if v86 {
        for (segment, selector) in cpu.s.seg.iter_mut().zip(image.segments) {
            *segment = segment::v86(Selector(selector));
        }
        return check_ip(cpu, ext);
    }
    let selector = |name: SegmentName| Selector(image.segments[name as usize]);
    let code = code_segment(cpu, selector(SegmentName::Cs), ext)?;
    let stack = segment::stack(cpu, selector(SegmentName::Ss), cpl, Blame::ts(ext))?;
    cpu.s.seg[SegmentName::Cs as usize] = code;
    cpu.s.seg[SegmentName::Ss as usize] = stack;
    cpu.update_mode();
    for name in [SegmentName::Ds, SegmentName::Es, SegmentName::Fs, SegmentName::Gs] {
        cpu.s.seg[name as usize] = segment::data(cpu, selector(name), cpl, Blame::ts(ext))?;
    }
    check_ip(cpu, ext)
}

fn check_ip(cpu: &mut Cpu, ext: u32) -> Result<(), Faulted> {
    let limit = u64::from(cpu.segment(SegmentName::Cs).limit);
    if cpu.rip > limit { Err(cpu.gp(ext)) } else { Ok(()) }
}

/// The new task's LDT; a null selector means none.
fn local_table(cpu: &mut Cpu, selector: Selector, ext: u32) -> Result<Segment, Faulted> {
    if selector.is_null() {
        return Ok(Segment { selector: selector.0, ..Segment::default() });
    }
    if selector.is_local() {
        return Err(cpu.blame(Blame::ts(ext), selector));
    }
    let found = cpu.find(selector, Blame::ts(ext))?;
    let d = found.descriptor;
    if d.is_segment() || d.kind() != system::LDT || !d.present() {
        return Err(cpu.blame(Blame::ts(ext), selector));
    }
    Ok(d.segment(selector))
}

/// The new task's code segment: its RPL is the CPL.
fn code_segment(cpu: &mut Cpu, selector: Selector, ext: u32) -> Result<Segment, Faulted> {
    let found = cpu.find_not_null(selector, Blame::ts(ext))?;
    let d = found.descriptor;
    let entitled = if d.conforming() { d.dpl() <= selector.rpl() } else { d.dpl() == selector.rpl() };
    if !d.is_code() || !entitled {
        return Err(cpu.blame(Blame::ts(ext), selector));
    }
    if !d.present() {
        return Err(cpu.not_present(selector, ext));
    }
    cpu.accessed(&found)
}

#[cfg(test)]
mod tests {
    use crate::Exit;
    use crate::interpreter::testbed::*;
    use crate::vcpu::{SegmentName, cr0, rflags};

    /// A second task, in the GDT as [`SPARE`], with its TSS and entry here.
    const TSS2: u64 = 0x4800;
    const ENTRY2: u64 = 0x1_8000;

    fn bed_with_task() -> Testbed {
        let mut bed = Testbed::protected("486");
        bed.descriptor(SPARE, descriptor(TSS2, 0x67, 0x89));
        bed.poke32(TSS2 + 0x20, ENTRY2 as u32);
        bed.poke32(TSS2 + 0x24, 0x202);
        bed.poke32(TSS2 + 0x28, 0xAAAA);
        bed.poke32(TSS2 + 0x38, STACK3 as u32);
        for (offset, selector) in
            [(0x48, DATA0), (0x4C, CODE0), (0x50, DATA0), (0x54, DATA0), (0x58, 0), (0x5C, 0)]
        {
            bed.poke16(TSS2 + offset, selector);
        }
        bed
    }

    fn busy(bed: &Testbed, selector: u16) -> bool {
        bed.peek64(GDT + u64::from(selector)) >> 41 & 1 != 0
    }

    #[test]
    fn a_jump_leaves_the_old_task_and_a_call_nests() {
        for (opcode, nests) in [(0xEA, false), (0x9A, true)] {
            let mut bed = bed_with_task();
            bed.cpu.gpr[0] = 0x5555;
            bed.poke(CODE, &[opcode, 0, 0, 0, 0, SPARE as u8, 0]);
            bed.step(1);
            assert_eq!((bed.cpu.rip, bed.cpu.gpr[0], bed.cpu.gpr[4]), (ENTRY2, 0xAAAA, STACK3));
            assert_eq!(bed.cpu.tr.selector, SPARE);
            assert_ne!(bed.cpu.cr0 & cr0::TS, 0);
            assert_eq!(bed.cpu.rflags & rflags::NT != 0, nests);
            assert_eq!((busy(&bed, TASK), busy(&bed, SPARE)), (nests, true));
            assert_eq!((bed.peek32(TSS + 0x20), bed.peek32(TSS + 0x28)), (CODE as u32 + 7, 0x5555));
            assert_eq!(bed.peek16(TSS + 0x4C), CODE0);
            assert_eq!(bed.peek16(TSS2), if nests { TASK } else { 0 });
        }
    }

    #[test]
    fn iret_goes_back_along_the_link() {
        let mut bed = bed_with_task();
        bed.poke(CODE, &[0x9A, 0, 0, 0, 0, SPARE as u8, 0]);
        bed.poke(ENTRY2, &[0xCF]);
        bed.step(2);
        assert_eq!((bed.cpu.rip, bed.cpu.tr.selector), (CODE + 7, TASK));
        assert_eq!((busy(&bed, TASK), busy(&bed, SPARE)), (true, false));
        assert_eq!(bed.cpu.rflags & rflags::NT, 0);
        assert_eq!(bed.peek32(TSS2 + 0x24) & rflags::NT as u32, 0, "NT is clear in the saved image");
    }

    #[test]
    fn a_fault_through_a_task_gate_leaves_its_error_code_on_the_new_stack() {
        let mut bed = bed_with_task();
        bed.handlers(0x8E);
        bed.gate(13, gate(SPARE, 0, 0x85, 0));
        bed.poke(ENTRY2, &[0xF4]);
        bed.poke(CODE, &[0x8E, 0xD8]); // MOV DS, AX
        bed.cpu.gpr[0] = u64::from(TASK);
        assert_eq!(bed.step(10), Exit::Halted);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[4]), (ENTRY2 + 1, STACK3 - 4));
        assert_eq!(bed.stack::<1>(4), [u64::from(TASK)]);
        assert_eq!(bed.peek32(TSS + 0x20), CODE as u32, "the faulting instruction");
        assert_ne!(bed.peek32(TSS + 0x24) & rflags::RF as u32, 0);
    }

    #[test]
    fn a_bad_segment_is_a_fault_of_the_new_task() {
        let mut bed = bed_with_task();
        bed.handlers(0x8E);
        bed.poke16(TSS2 + 0x54, CODE0 | 3 | 0x60); // DS
        bed.poke(CODE, &[0xEA, 0, 0, 0, 0, SPARE as u8, 0]);
        assert_eq!(bed.run_to_handler(), 10);
        assert_eq!(bed.stack::<3>(4), [u64::from(CODE0 | 0x60), ENTRY2, u64::from(CODE0)]);
        assert_eq!(bed.cpu.tr.selector, SPARE);
    }

    #[test]
    fn a_busy_task_is_not_entered_again() {
        let mut bed = bed_with_task();
        bed.handlers(0x8E);
        bed.poke(CODE, &[0xEA, 0, 0, 0, 0, TASK as u8, 0]);
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!(bed.stack::<1>(4), [u64::from(TASK)]);
    }

    #[test]
    fn a_16_bit_task() {
        let mut bed = Testbed::protected("386");
        bed.descriptor(SPARE, descriptor(TSS2, 0x2B, 0x81));
        bed.descriptor(0x60, descriptor(0x1_0000, 0xFFFF, 0x009B));
        bed.poke16(TSS2 + 0x0E, 0x8000);
        bed.poke16(TSS2 + 0x12, 0x7777);
        for (offset, selector) in [(0x22, DATA0), (0x24, 0x60), (0x26, DATA0), (0x28, DATA0)] {
            bed.poke16(TSS2 + offset, selector);
        }
        bed.poke(CODE, &[0xEA, 0, 0, 0, 0, SPARE as u8, 0]);
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[0] & 0xFFFF), (0x8000, 0x7777));
        assert_eq!(bed.selector(SegmentName::Cs), 0x60);
    }

    #[test]
    fn the_trap_bit_is_a_debug_trap_in_the_new_task() {
        let mut bed = bed_with_task();
        bed.handlers(0x8E);
        bed.poke16(TSS2 + 0x64, 1);
        bed.poke(CODE, &[0xEA, 0, 0, 0, 0, SPARE as u8, 0]);
        assert_eq!(bed.run_to_handler(), 1);
        assert_eq!(bed.stack::<1>(4), [ENTRY2]);
        assert_ne!(bed.cpu.dr6 & 1 << 15, 0);
    }
}
