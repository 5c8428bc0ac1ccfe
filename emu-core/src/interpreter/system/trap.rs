//! INT n, INT3, INTO, INT1, BOUND, HLT, MWAIT (Intel SDM Vol. 2A; Vol. 3C 27.3.3 for V86 mode).

use super::interrupt::{self, Event, Source};
use super::{flags, tss};
use crate::interpreter::Cpu;
use crate::interpreter::exception::vector;
use crate::interpreter::op::{Faulted, Op};
use crate::interpreter::word::Word;
use crate::vcpu::{Activity, cr4, rflags};

/// Delivers a software interrupt from the instruction that raised it.
fn raise(cpu: &mut Cpu, vector: u8, source: Source) -> Result<(), Faulted> {
    interrupt::deliver(cpu, &Event { vector, error: None, source })?;
    cpu.step_suppressed = true;
    Ok(())
}

/// INT n.
pub fn int(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let vector = op.imm as u8;
    if cpu.v86() {
        return int_v86(cpu, vector);
    }
    raise(cpu, vector, Source::Software)
}

/// INT n in V86 mode (Intel SDM Vol. 3C table 27-2): VME may send it back to the 8086 program; otherwise it needs IOPL 3.
fn int_v86(cpu: &mut Cpu, vector: u8) -> Result<(), Faulted> {
    if cpu.s.cr4 & cr4::VME != 0 && tss::redirected(cpu, vector)? {
        return int_redirected(cpu, vector);
    }
    if cpu.iopl() < 3 {
        return Err(cpu.gp(0));
    }
    raise(cpu, vector, Source::Software)
}

/// Methods 5 and 6: as in real mode, through the vector table at linear address 0. With IOPL below 3 VIF stands for IF.
fn int_redirected(cpu: &mut Cpu, vector: u8) -> Result<(), Faulted> {
    let pointer = cpu.read::<u32>(u64::from(vector) * 4, super::super::memory::DS)?;
    let real = cpu.iopl() == 3;
    let image = if real { cpu.rflags() } else { flags::virtual_image(cpu) };
    interrupt::enter_8086(cpu, pointer, image)?;
    let mask = if real { rflags::IF } else { rflags::VIF };
    cpu.s.rflags &= !(mask | rflags::TF | rflags::RF);
    cpu.step_suppressed = true;
    Ok(())
}

/// INT3: never redirected, and not subject to IOPL in V86 mode.
pub fn int3(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    raise(cpu, vector::BP, Source::Software)
}

/// INTO.
pub fn into(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    if cpu.flags.of() { raise(cpu, vector::OF, Source::Software) } else { Ok(()) }
}

/// INT1 (ICEBP).
pub fn int1(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    raise(cpu, vector::DB, Source::Privileged)
}

/// BOUND: the bounds are signed, and both are allowed values.
pub fn bound<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let linear = cpu.linear::<false>(op, 2 * T::SIZE)?;
    let low = cpu.read::<T>(linear, op.seg)?.sext() as i64;
    let high = cpu.read::<T>(linear.wrapping_add(T::SIZE) & cpu.addr_mask, op.seg)?.sext() as i64;
    let index = cpu.reg::<T>(op.a).sext() as i64;
    if index < low || index > high { Err(cpu.raise(vector::BR, None)) } else { Ok(()) }
}

/// HLT.
pub fn hlt(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    cpu.s.activity = Activity::Halted;
    Ok(())
}

/// MONITOR and MWAIT are #UD above CPL 0.
fn require_monitor(cpu: &mut Cpu) -> Result<(), Faulted> {
    if cpu.cpl == 0 { Ok(()) } else { Err(cpu.ud()) }
}

/// MONITOR: the address must be readable; nothing is armed, because MWAIT may wake at any time.
pub fn monitor(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    require_monitor(cpu)?;
    if cpu.reg::<u32>(1) != 0 {
        return Err(cpu.gp(0));
    }
    let linear = cpu.segment_linear(op.seg, cpu.r.get(0) & cpu.addr_mask, 1, false)?;
    cpu.probe_read(linear, 1, op.seg)
}

/// MWAIT: waits for an interrupt, as HLT does.
pub fn mwait(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    require_monitor(cpu)?;
    if cpu.reg::<u32>(1) != 0 {
        return Err(cpu.gp(0));
    }
    cpu.s.activity = Activity::Halted;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Exit;
    use crate::interpreter::testbed::*;
    use crate::vcpu::rflags;

    #[test]
    fn into_asks_of() {
        for (of, vector) in [(0, 6), (rflags::OF, 4)] {
            let mut bed = Testbed::protected("386");
            bed.handlers(0x8E);
            bed.cpu.rflags |= of;
            bed.poke(CODE, &[0xCE, 0x0F, 0x0B]);
            assert_eq!(bed.run_to_handler(), vector);
        }
    }

    #[test]
    fn bound_is_signed_and_inclusive() {
        for (index, good) in [(-5i32, true), (5, true), (-6, false), (6, false)] {
            let mut bed = Testbed::protected("386");
            bed.handlers(0x8E);
            bed.cpu.gpr[0] = u64::from(index as u32);
            bed.poke32(0x1_9000, -5i32 as u32);
            bed.poke32(0x1_9004, 5);
            bed.poke(CODE, &[0x62, 0x05, 0, 0x90, 1, 0, 0x0F, 0x0B]);
            assert_eq!(bed.run_to_handler(), if good { 6 } else { 5 });
        }
    }

    #[test]
    fn hlt_is_ring_0_s_and_waits() {
        let mut bed = Testbed::protected("386");
        bed.code(|a| a.hlt());
        assert_eq!(bed.step(1), Exit::Halted);
        assert_eq!((bed.cpu.rip, bed.board.retired), (CODE + 1, 1));
        let mut bed = Testbed::protected("386");
        bed.handlers(0x8E);
        bed.at_ring(3).code(|a| a.hlt());
        assert_eq!(bed.run_to_handler(), 13);
    }

    #[test]
    fn icebp_needs_no_privilege() {
        let mut bed = Testbed::protected("386");
        bed.handlers(0x8E);
        bed.at_ring(3).code(|a| a.int1());
        assert_eq!(bed.run_to_handler(), 1);
        assert_eq!(bed.stack::<1>(4), [CODE + 1]);
    }
}
