//! Call gates (Intel SDM Vol. 3A 5.8.3, 5.8.4, 5.8.5; Vol. 2, "CALL").

use super::far::{self, Kind, check_entry, check_gate_privilege};
use super::frame::{Frame, Stack};
use super::lookup::{Blame, Found};
use super::tss;
use crate::interpreter::Cpu;
use crate::interpreter::memory::SS;
use crate::interpreter::op::Faulted;
use crate::isa::descriptor::{Descriptor, system};
use crate::vcpu::{Segment, SegmentName};

/// Bytes per stack word of a gate.
fn word_size(cpu: &Cpu, gate: Descriptor) -> u64 {
    match (cpu.long_mode(), gate.kind() & system::BITS32 != 0) {
        (true, _) => 8,
        (false, true) => 4,
        (false, false) => 2,
    }
}

/// A far JMP or CALL that named a call gate.
pub fn enter(cpu: &mut Cpu, kind: Kind, found: &Found) -> Result<(), Faulted> {
    let gate = found.descriptor;
    check_gate_privilege(cpu, found)?;
    if !gate.present() {
        return Err(cpu.not_present(found.selector, 0));
    }
    let upper = cpu.upper_half(found, Blame::GP)?;
    let target = target_segment(cpu, gate)?;
    let dpl = target.descriptor.dpl();
    let conforming = target.descriptor.conforming();
    let inner = !conforming && dpl < cpu.cpl;
    if inner && kind == Kind::Jump {
        return Err(cpu.blame(Blame::GP, target.selector));
    }
    if !target.descriptor.present() {
        return Err(cpu.not_present(target.selector, 0));
    }
    let cpl = if inner { dpl } else { cpu.cpl };
    let mut code = cpu.accessed(&target)?;
    code.selector = target.selector.with_rpl(cpl).0;
    let rip = gate.gate_offset() | upper << 32;
    if inner {
        call_inner(cpu, gate, code, rip, cpl)
    } else {
        far::go(cpu, kind, code, rip, word_size(cpu, gate))
    }
}

/// The code segment behind the gate: DPL no higher than the CPL, 64-bit in long mode.
fn target_segment(cpu: &mut Cpu, gate: Descriptor) -> Result<Found, Faulted> {
    let target = cpu.find_not_null(gate.gate_selector(), Blame::GP)?;
    let d = target.descriptor;
    let wrong_size = cpu.long_mode() && (!d.long() || d.big());
    if !d.is_code() || d.dpl() > cpu.cpl || wrong_size {
        return Err(cpu.blame(Blame::GP, target.selector));
    }
    Ok(target)
}

/// A call to more privilege: new stack from the TSS, old one's pointer and the parameters on it.
fn call_inner(cpu: &mut Cpu, gate: Descriptor, code: Segment, rip: u64, cpl: u8) -> Result<(), Faulted> {
    let size = word_size(cpu, gate);
    let long = size == 8;
    let stack = if long {
        Stack::long(cpl, tss::rsp(cpu, cpl, 0)?, false, 0)
    } else {
        tss::inner_stack(cpu, cpl, 0)?
    };
    let mut frame = Frame::new(size);
    frame.extend(&[u64::from(cpu.segment(SegmentName::Ss).selector), cpu.r.get(4)]);
    let parameters = if long { 0 } else { gate.parameters() };
    for n in (0..parameters).rev() {
        frame.push(super::stack_word(cpu, n * size, size)?);
    }
    frame.extend(&[u64::from(cpu.segment(SegmentName::Cs).selector), cpu.rip]);
    frame.probe(cpu, &stack)?;
    check_entry(cpu, &code, rip)?;
    cpu.s.seg[SS as usize] = stack.segment;
    far::enter(cpu, code, rip);
    frame.store(cpu, &stack)?;
    cpu.set_sp(frame.sp(&stack));
    Ok(())
}
