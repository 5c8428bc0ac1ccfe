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

    /// What to push of RFLAGS. RF keeps an instruction breakpoint from hitting again after the return; a #DB fault
    /// is that breakpoint, and its handler decides (Intel SDM Vol. 3B 17.3.1.1).
    fn flags_image(&self, cpu: &Cpu) -> u64 {
        let flags = cpu.rflags();
        match self.source {
            Source::Fault if self.vector != vector::DB => flags | rflags::RF,
            // Outside of breakpoints nobody looks at RF, and the run loop does not clear it.
            _ if cpu.s.dr7 & 0xFF == 0 => flags & !rflags::RF,
            _ => flags,
        }
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
    if offset > u64::from(code.limit) {
        return Err(cpu.gp(event.ext()));
    }
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
    if !canonical(rip) {
        return Err(cpu.gp(event.ext()));
    }
    let stack = Stack::long(cpl, top & !0xF, cpl == 3, event.ext());
    let mut frame = Frame::new(8);
    frame.extend(&[u64::from(cpu.segment(SegmentName::Ss).selector), cpu.r.get(4)]);
    push_return(&mut frame, cpu, event);
    frame.probe(cpu, &stack)?;
    commit(cpu, gate, code, rip, inner.then_some(stack.segment));
    frame.store(cpu, &stack)?;
    cpu.set_sp(frame.sp(&stack));
    Ok(())
}
