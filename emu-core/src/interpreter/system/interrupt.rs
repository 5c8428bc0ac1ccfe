//! Delivery of interrupts and exceptions (Intel SDM Vol. 3A chapter 6; Vol. 2A, "INT n").

use super::frame::{Frame, Stack};
use super::lookup::{Blame, Found};
use super::{task, tss};
use crate::interpreter::Cpu;
use crate::interpreter::exception::vector;
use crate::interpreter::memory::canonical;
use crate::interpreter::op::Faulted;
use crate::isa::descriptor::{Descriptor, Selector, system};
use crate::vcpu::{Segment, SegmentName, rflags};

/// DR7.GD: general detect.
const GD: u64 = 1 << 13;

/// Where an event comes from: it decides about DPL checks, RF, and what double faults are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A fault: the saved RIP is the instruction that raised it, RF is set in the saved flags.
    Fault,
    /// An instruction breakpoint: a fault, but whether RF is set is left to its handler.
    Breakpoint,
    /// A trap after an instruction (#DB by single step or data breakpoint).
    Trap,
    Nmi,
    /// A maskable interrupt.
    External,
    /// INT n, INT3, INTO: the gate's DPL is checked. `cpu.rip` is the next instruction.
    Software,
    /// INT1 (ICEBP): like hardware, no DPL check.
    Privileged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub vector: u8,
    pub error: Option<u32>,
    pub source: Source,
}

impl Event {
    /// EXT: what goes wrong during delivery was not the program's own doing (Intel SDM Vol. 3A 6.13).
    fn ext(&self) -> u32 {
        u32::from(self.source != Source::Software)
    }

    /// The error code for the gate itself: its offset in the IDT, with the IDT bit.
    fn gate_error(&self) -> u32 {
        u32::from(self.vector) << 3 | 2 | self.ext()
    }

    /// What to push of RFLAGS. RF keeps an instruction breakpoint from hitting again after the return; otherwise it is
    /// set only between iterations of a string instruction (Intel SDM Vol. 3B 17.3.1.1).
    fn flags_image(&self, cpu: &Cpu) -> u64 {
        let resume = if self.source == Source::Fault { rflags::RF } else { 0 };
        cpu.rflags() | resume
    }
}

/// Delivers an event: real-mode IVT, protected-mode gates (interrupt, trap, task), long-mode gates with IST.
/// `cpu.rip` is the address to save. On success RIP, CS, SS and flags are the handler's.
///
/// # Errors
/// Something on the way faulted; nothing has been committed (except that a task switch may have happened).
pub fn deliver(cpu: &mut Cpu, event: &Event) -> Result<(), Faulted> {
    if !cpu.protected() {
        through_vector(cpu, event)?;
    } else if cpu.long_mode() {
        through_long_gate(cpu, event)?;
    } else {
        through_gate(cpu, event)?;
    }
    if event.vector == vector::DB && event.source != Source::Software {
        cpu.s.dr7 &= !GD;
    }
    Ok(())
}

/// Real mode (Intel SDM Vol. 3A 20.1.4): the vector is a far pointer; IF, TF and AC are cleared.
fn through_vector(cpu: &mut Cpu, event: &Event) -> Result<(), Faulted> {
    let entry = u64::from(event.vector) * 4;
    if entry + 3 > u64::from(cpu.s.idtr.limit) {
        return Err(cpu.gp(event.gate_error()));
    }
    let pointer = cpu.read_sys::<u32>(cpu.s.idtr.base.wrapping_add(entry))?;
    let flags = event.flags_image(cpu);
    enter_8086(cpu, pointer, flags)?;
    cpu.set_rflags(cpu.rflags() & !(rflags::IF | rflags::TF | rflags::AC | rflags::RF));
    Ok(())
}

/// Pushes FLAGS, CS, IP and goes to a real-mode far pointer.
pub fn enter_8086(cpu: &mut Cpu, pointer: u32, flags: u64) -> Result<(), Faulted> {
    let mut frame = Frame::new(2);
    frame.extend(&[flags, u64::from(cpu.segment(SegmentName::Cs).selector), cpu.rip]);
    frame.push_now(cpu, &Stack::current(cpu, 0))?;
    let selector = Selector((pointer >> 16) as u16);
    let old = *cpu.segment(SegmentName::Cs);
    cpu.s.seg[SegmentName::Cs as usize] = super::segment::flat_8086(cpu, &old, selector);
    cpu.rip = u64::from(pointer & 0xFFFF);
    cpu.update_mode();
    Ok(())
}

/// Protected mode (Intel SDM Vol. 3A 6.12).
fn through_gate(cpu: &mut Cpu, event: &Event) -> Result<(), Faulted> {
    let entry = u64::from(event.vector) * 8;
    if entry + 7 > u64::from(cpu.s.idtr.limit) {
        return Err(cpu.gp(event.gate_error()));
    }
    let gate = Descriptor(cpu.read_sys::<u64>(cpu.s.idtr.base.wrapping_add(entry))?);
    let wide = match gate.kind() {
        system::TASK_GATE => false,
        system::INTERRUPT16 | system::TRAP16 => false,
        system::INTERRUPT32 | system::TRAP32 => true,
        _ => return Err(cpu.gp(event.gate_error())),
    };
    check_gate(cpu, event, gate)?;
    if gate.kind() == system::TASK_GATE {
        return through_task_gate(cpu, event, gate.gate_selector());
    }
    let target = handler_segment(cpu, event, gate.gate_selector())?;
    let cpl = target_cpl(cpu, &target);
    let v86 = cpu.v86();
    if v86 && cpl != 0 {
        return Err(cpu.blame(Blame::gp(event.ext()), target.selector));
    }
    let offset = gate.gate_offset();
    let mut code = cpu.accessed(&target)?;
    code.selector = target.selector.with_rpl(cpl).0;
    let mut frame = Frame::new(if wide { 4 } else { 2 });
    let inner = cpl < cpu.cpl;
    let stack =
        if inner { tss::inner_stack(cpu, cpl, event.ext())? } else { Stack::current(cpu, event.ext()) };
    if v86 {
        frame.extend(&[5, 4, 3, 0].map(|n: usize| u64::from(cpu.s.seg[n].selector)));
    }
    if inner {
        frame.extend(&[u64::from(cpu.segment(SegmentName::Ss).selector), cpu.r.get(4)]);
    }
    push_return(&mut frame, cpu, event);
    frame.probe(cpu, &stack)?;
    // The entry point comes after the stack (Intel SDM Vol. 2, "INT n", INTER-PRIVILEGE-LEVEL-INTERRUPT).
    if offset > u64::from(code.limit) {
        return Err(cpu.gp(event.ext()));
    }
    commit(cpu, gate, code, offset, inner.then_some(stack.segment));
    frame.store(cpu, &stack)?;
    cpu.set_sp(frame.sp(&stack));
    Ok(())
}

/// RFLAGS, CS, RIP and the error code.
fn push_return(frame: &mut Frame, cpu: &Cpu, event: &Event) {
    let cs = u64::from(cpu.segment(SegmentName::Cs).selector);
    frame.extend(&[event.flags_image(cpu), cs, cpu.rip]);
    if let Some(error) = event.error {
        frame.push(u64::from(error));
    }
}

/// The gate's own checks: DPL against the CPL for INT n, then presence.
fn check_gate(cpu: &mut Cpu, event: &Event, gate: Descriptor) -> Result<(), Faulted> {
    if gate.is_segment() || (event.source == Source::Software && gate.dpl() < cpu.cpl) {
        return Err(cpu.gp(event.gate_error()));
    }
    if !gate.present() {
        return Err(cpu.raise(vector::NP, Some(event.gate_error())));
    }
    Ok(())
}

/// The handler's code segment, checked as far as interrupt delivery goes.
fn handler_segment(cpu: &mut Cpu, event: &Event, selector: Selector) -> Result<Found, Faulted> {
    let blame = Blame::gp(event.ext());
    let found = cpu.find_not_null(selector, blame)?;
    if !found.descriptor.is_code() || found.descriptor.dpl() > cpu.cpl {
        return Err(cpu.blame(blame, selector));
    }
    if !found.descriptor.present() {
        return Err(cpu.not_present(selector, event.ext()));
    }
    Ok(found)
}

/// A conforming handler runs at the privilege of what it interrupts.
fn target_cpl(cpu: &Cpu, target: &Found) -> u8 {
    if target.descriptor.conforming() { cpu.cpl } else { target.descriptor.dpl() }
}

/// Makes the handler's segments, RIP and flags current: TF, NT, VM and RF are cleared, and IF by interrupt gates
/// (Intel SDM Vol. 3A 6.12.1.3). From V86 mode the data segments become null.
fn commit(cpu: &mut Cpu, gate: Descriptor, code: Segment, rip: u64, ss: Option<Segment>) {
    if cpu.v86() {
        for name in [SegmentName::Es, SegmentName::Ds, SegmentName::Fs, SegmentName::Gs] {
            cpu.s.seg[name as usize] = Segment::default();
        }
    }
    let keep_if = gate.kind() & 1 != 0;
    cpu.s.rflags &= !(rflags::TF | rflags::NT | rflags::VM | rflags::RF);
    if !keep_if {
        cpu.s.rflags &= !rflags::IF;
    }
    if let Some(ss) = ss {
        cpu.s.seg[SegmentName::Ss as usize] = ss;
    }
    cpu.s.seg[SegmentName::Cs as usize] = code;
    cpu.rip = rip;
    cpu.update_mode();
}

fn through_task_gate(cpu: &mut Cpu, event: &Event, selector: Selector) -> Result<(), Faulted> {
    let blame = Blame::gp(event.ext());
    let target = task::available(cpu, selector, blame)?;
    let flags = event.flags_image(cpu);
    let wide = task::is_wide(&target);
    task::switch(cpu, &target, task::How::Interrupt { ext: event.ext() }, flags)?;
    if let Some(error) = event.error {
        let mut frame = Frame::new(if wide { 4 } else { 2 });
        frame.push(u64::from(error));
        frame.push_now(cpu, &Stack::current(cpu, event.ext()))?;
    }
    Ok(())
}

/// Long mode (Intel SDM Vol. 3A 6.14): 16-byte gates, a stack that is always switched or aligned, always pushed SS.
fn through_long_gate(cpu: &mut Cpu, event: &Event) -> Result<(), Faulted> {
    let entry = u64::from(event.vector) * 16;
    if entry + 15 > u64::from(cpu.s.idtr.limit) {
        return Err(cpu.gp(event.gate_error()));
    }
    let bytes = cpu.read_sys::<u128>(cpu.s.idtr.base.wrapping_add(entry))?;
    let (gate, upper) = (Descriptor(bytes as u64), (bytes >> 64) as u64);
    if !matches!(gate.kind(), system::INTERRUPT32 | system::TRAP32) {
        return Err(cpu.gp(event.gate_error()));
    }
    check_gate(cpu, event, gate)?;
    let target = handler_segment(cpu, event, gate.gate_selector())?;
    if !target.descriptor.long() || target.descriptor.big() {
        return Err(cpu.blame(Blame::gp(event.ext()), target.selector));
    }
    let cpl = target_cpl(cpu, &target);
    let mut code = cpu.accessed(&target)?;
    code.selector = target.selector.with_rpl(cpl).0;
    let rip = gate.gate_offset() | upper << 32;
    let inner = cpl < cpu.cpl;
    let top = match gate.ist() {
        0 if inner => tss::rsp(cpu, cpl, event.ext())?,
        0 => cpu.sp(),
        ist => tss::ist(cpu, ist, event.ext())?,
    };
    let stack = Stack::long(cpl, top & !0xF, cpl == 3, event.ext());
    let mut frame = Frame::new(8);
    frame.extend(&[u64::from(cpu.segment(SegmentName::Ss).selector), cpu.r.get(4)]);
    push_return(&mut frame, cpu, event);
    frame.probe(cpu, &stack)?;
    if !canonical(rip) {
        return Err(cpu.gp(event.ext()));
    }
    commit(cpu, gate, code, rip, inner.then_some(stack.segment));
    frame.store(cpu, &stack)?;
    cpu.set_sp(frame.sp(&stack));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::vcpu::{Segment, SegmentName, rflags};
    use crate::{Attention, Exit};
    use iced_x86::code_asm::*;

    const INTERRUPT: u64 = 0x8E;
    const TRAP: u64 = 0x8F;
    const RING3: u64 = 0x60;

    #[test]
    fn real_mode_takes_the_vector_table() {
        let mut bed = Testbed::real("386");
        bed.poke32(4 * 0x21, 0x0050_0210);
        bed.poke(0x710, &[0xF4]);
        bed.cpu.rflags |= rflags::IF | rflags::TF;
        bed.code(|a| a.int(0x21));
        bed.cpu.rflags &= !rflags::TF;
        assert_eq!(bed.step(2), Exit::Halted);
        assert_eq!((bed.selector(SegmentName::Cs), bed.cpu.rip), (0x50, 0x211));
        assert_eq!(bed.stack::<3>(2), [2, CODE >> 4, 0x202]);
        assert_eq!(bed.cpu.rflags & rflags::IF, 0);
        assert_eq!(bed.board.retired, 2);
    }

    #[test]
    fn an_interrupt_gate_clears_if_and_a_trap_gate_does_not() {
        for (rights, remains) in [(INTERRUPT, false), (TRAP, true)] {
            let mut bed = Testbed::protected("486");
            bed.handlers(rights);
            bed.cpu.rflags |= rflags::IF | rflags::NT;
            bed.code(|a| a.int(0x80));
            assert_eq!(bed.run_to_handler(), 0x80);
            assert_eq!(bed.stack::<3>(4), [CODE + 2, u64::from(CODE0), 0x4202]);
            assert_eq!(bed.cpu.rflags & rflags::IF != 0, remains);
            assert_eq!(bed.cpu.rflags & rflags::NT, 0);
        }
    }

    #[test]
    fn more_privilege_switches_the_stack() {
        let mut bed = Testbed::protected("486");
        bed.handlers(INTERRUPT | RING3);
        bed.at_ring(3).code(|a| a.int(0x80));
        assert_eq!(bed.run_to_handler(), 0x80);
        let (code, data) = (u64::from(CODE3), u64::from(DATA3));
        assert_eq!(bed.stack::<5>(4), [CODE + 2, code, 2, STACK3, data]);
        assert_eq!(bed.cpu.gpr[4], STACK0 - 20);
        assert_eq!((bed.selector(SegmentName::Cs), bed.selector(SegmentName::Ss)), (CODE0, DATA0));
    }

    #[test]
    fn a_16_bit_gate_pushes_words() {
        let mut bed = Testbed::protected("386");
        bed.handlers(INTERRUPT);
        bed.gate(0x80, gate(CODE0, HANDLERS + 0x800, 0xE6, 0));
        bed.at_ring(3).code(|a| a.int(0x80));
        assert_eq!(bed.run_to_handler(), 0x80);
        assert_eq!(bed.cpu.gpr[4], STACK0 - 10);
        assert_eq!(bed.stack::<3>(2), [(CODE + 2) & 0xFFFF, u64::from(CODE3), 2]);
    }

    #[test]
    fn programs_may_only_use_gates_of_their_level() {
        let mut bed = Testbed::protected("486");
        bed.handlers(INTERRUPT);
        bed.at_ring(3).code(|a| a.int(0x80));
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!(bed.stack::<4>(4), [0x80 << 3 | 2, CODE, u64::from(CODE3), 0x1_0002]);
    }

    #[test]
    fn hardware_interrupts_ignore_the_gate_s_level_and_set_ext() {
        let mut bed = Testbed::protected("486");
        bed.handlers(INTERRUPT);
        bed.gate(0x30, gate(CODE0, HANDLERS, 0x0E, 0)); // not present
        bed.at_ring(3).code(|a| a.hlt());
        bed.cpu.rflags |= rflags::IF;
        bed.board.vector = 0x31;
        bed.attention(Attention::INTR);
        assert_eq!(bed.run_to_handler(), 0x31);
        bed.at_ring(3);
        bed.cpu.activity = crate::vcpu::Activity::Running;
        bed.cpu.rflags |= rflags::IF;
        bed.board.vector = 0x30;
        bed.attention(Attention::INTR);
        assert_eq!(bed.run_to_handler(), 11);
        assert_eq!(bed.stack::<2>(4), [0x30 << 3 | 3, CODE]);
    }

    #[test]
    fn two_contributory_faults_are_a_double_fault_and_three_a_shutdown() {
        let mut bed = Testbed::protected("486");
        bed.handlers(INTERRUPT);
        bed.gate(13, gate(0x70, 0, INTERRUPT, 0)); // a selector that is not there
        bed.code(|a| a.mov(ds, ax));
        bed.cpu.gpr[0] = 0xF8;
        bed.descriptor(0xF8, 0);
        assert_eq!(bed.run_to_handler(), 8);
        assert_eq!(bed.stack::<2>(4), [0, CODE]);
        bed.at_ring(0);
        bed.cpu.activity = crate::vcpu::Activity::Running;
        bed.gate(8, 0);
        assert_eq!(bed.step(1), Exit::Shutdown);
        assert_eq!(bed.cpu.gpr[4], STACK0, "nothing was pushed");
    }

    #[test]
    fn long_mode_aligns_the_stack_and_always_pushes_ss() {
        let mut bed = Testbed::long();
        bed.handlers(INTERRUPT);
        bed.cpu.gpr[4] = STACK0 - 5;
        bed.code(|a| a.ud2());
        assert_eq!(bed.run_to_handler(), 6);
        assert_eq!(bed.cpu.gpr[4], STACK0 - 16 - 40);
        assert_eq!(bed.stack::<5>(8), [CODE, u64::from(CODE0), 0x1_0002, STACK0 - 5, u64::from(DATA0)]);
    }

    #[test]
    fn long_mode_switches_to_rsp0_with_a_null_ss() {
        let mut bed = Testbed::long();
        bed.handlers(INTERRUPT);
        bed.at_ring(3).code(|a| a.hlt());
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!(bed.selector(SegmentName::Ss), 0);
        assert_eq!(bed.cpu.gpr[4], STACK0 - 48);
        assert_eq!(bed.stack::<3>(8), [0, CODE, u64::from(CODE3)]);
    }

    #[test]
    fn long_mode_takes_the_interrupt_stack_a_gate_names() {
        let mut bed = Testbed::long();
        bed.handlers(INTERRUPT);
        bed.poke64(TSS + 0x1C + 8 * 2, 0x3_8008); // IST2
        bed.gate(6, gate(CODE0, HANDLERS + 16 * 6, INTERRUPT, 2));
        bed.code(|a| a.ud2());
        assert_eq!(bed.run_to_handler(), 6);
        assert_eq!(bed.cpu.gpr[4], 0x3_8000 - 40);
    }

    #[test]
    fn a_page_fault_on_the_handler_s_stack_is_a_double_fault_on_another() {
        let mut bed = Testbed::long();
        bed.handlers(INTERRUPT);
        bed.poke64(TSS + 0x1C + 8, STACK3); // IST1
        bed.gate(8, gate(CODE0, HANDLERS + 16 * 8, INTERRUPT, 1));
        bed.cpu.gpr[4] = 0x7000_0000_0000;
        bed.code(|a| a.mov(eax, dword_ptr(0x5000_0000_u64)));
        assert_eq!(bed.run_to_handler(), 8);
        assert_eq!(bed.stack::<3>(8), [0, CODE, u64::from(CODE0)]);
        assert_eq!(bed.cpu.cr2, 0x7000_0000_0000 - 8, "the first word that is pushed");
    }

    #[test]
    fn v86_interrupts_save_the_data_segments_and_null_them() {
        let mut bed = Testbed::protected("486");
        bed.handlers(INTERRUPT | RING3);
        bed.at_v86(0x1000, 3).code(|a| a.int(0x80));
        assert_eq!(bed.run_to_handler(), 0x80);
        assert_eq!(bed.cpu.gpr[4], STACK0 - 36);
        assert_eq!(bed.stack::<9>(4), [2, 0x1000, 0x2_3002, 0xFFF0, 0x2000, 0x2000, 0x2000, 0x2000, 0x2000]);
        assert_eq!(bed.segment(SegmentName::Ds), &Segment::default());
        assert_eq!(bed.cpu.rflags & rflags::VM, 0);
    }

    #[test]
    fn v86_needs_iopl_3_for_int_n() {
        let mut bed = Testbed::protected("486");
        bed.handlers(INTERRUPT | RING3);
        bed.at_v86(0x1000, 0).code(|a| a.int(0x80));
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!(bed.stack::<2>(4), [0, 0]);
    }

    #[test]
    fn vme_redirects_int_n_to_the_8086_program() {
        let mut bed = Testbed::protected("pentium");
        bed.handlers(INTERRUPT | RING3);
        bed.poke16(TSS + 0x66, 0x88); // redirection bitmap at 68h
        bed.poke(TSS + 0x68, &[0; 32]);
        bed.poke32(4 * 0x21, 0x1000_0100);
        bed.cpu.cr4 |= crate::vcpu::cr4::VME;
        bed.cpu.rflags |= rflags::VIF | rflags::IF;
        bed.at_v86(0x1000, 0).code(|a| a.int(0x21));
        bed.step(1);
        assert_eq!((bed.selector(SegmentName::Cs), bed.cpu.rip), (0x1000, 0x100));
        // IOPL reads as 3, IF shows VIF.
        assert_eq!(bed.stack::<3>(2), [2, 0x1000, 0x3202]);
        assert_eq!(bed.cpu.rflags & (rflags::VIF | rflags::IF), rflags::IF);
    }
}
