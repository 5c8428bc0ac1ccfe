//! SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, and the FS and GS base instructions (Intel SDM Vol. 2, and Vol. 3A 5.8.7,
//! 5.8.8).

use super::msr::set_base;
use crate::interpreter::Cpu;
use crate::interpreter::memory::canonical;
use crate::interpreter::op::{Faulted, Op};
use crate::vcpu::{Segment, SegmentName, cr4, efer, rflags};

const RCX: u8 = 1;
const RDX: u8 = 2;
const RSP: u8 = 4;
const R11: u8 = 11;
/// Flags that SYSRET takes from R11.
const SYSRET_FLAGS: u64 = 0x003C_7FD7;
/// Accessed readable code and accessed writable data: present, 4 GiB.
const CODE: u16 = Segment::G | Segment::P | Segment::S | 0xB;
const DATA: u16 = Segment::G | Segment::DB | Segment::P | Segment::S | 0x3;

/// A flat segment as these instructions make it, without looking at any descriptor.
fn flat(selector: u64, rights: u16, dpl: u16) -> Segment {
    let selector = selector as u16 & !3 | dpl;
    Segment { selector, rights: rights | dpl << 5, limit: u32::MAX, base: 0 }
}

/// Makes flat code and stack segments of privilege `dpl` current.
fn enter(cpu: &mut Cpu, cs: u64, ss: u64, dpl: u16, long: bool) {
    let width = if long { Segment::L } else { Segment::DB };
    cpu.s.seg[SegmentName::Cs as usize] = flat(cs, CODE | width, dpl);
    cpu.s.seg[SegmentName::Ss as usize] = flat(ss, DATA, dpl);
    cpu.update_mode();
}

/// SYSCALL and SYSRET are there for 64-bit code with EFER.SCE only.
fn require_sce(cpu: &mut Cpu) -> Result<(), Faulted> {
    if cpu.mode.long && cpu.s.efer & efer::SCE != 0 { Ok(()) } else { Err(cpu.ud()) }
}

/// SYSCALL.
pub fn syscall(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    require_sce(cpu)?;
    let flags = cpu.rflags() & !rflags::RF;
    cpu.r.set(RCX, cpu.rip);
    cpu.r.set(R11, flags);
    cpu.rip = cpu.s.lstar;
    cpu.set_rflags(flags & !cpu.s.fmask);
    // A single-step trap is due only if TF is still set.
    cpu.step_suppressed = cpu.s.rflags & rflags::TF == 0;
    let base = cpu.s.star >> 32;
    enter(cpu, base, base.wrapping_add(8), 0, true);
    Ok(())
}

/// SYSRET: `size` 8 goes to 64-bit code, 4 to compatibility mode.
pub fn sysret(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    require_sce(cpu)?;
    cpu.require_ring_0()?;
    let long = op.size == 8;
    let rip = if long { cpu.r.get(RCX) } else { u64::from(cpu.reg::<u32>(RCX)) };
    if !canonical(rip) {
        return Err(cpu.gp(0));
    }
    let base = cpu.s.star >> 48;
    let cs = if long { base.wrapping_add(16) } else { base };
    cpu.set_rflags(cpu.r.get(R11) & SYSRET_FLAGS);
    cpu.rip = rip;
    enter(cpu, cs, base.wrapping_add(8), 3, long);
    Ok(())
}

/// SYSENTER_CS, which must not be null; both instructions need protected mode.
fn sysenter_cs(cpu: &mut Cpu) -> Result<u64, Faulted> {
    let cs = cpu.s.sysenter_cs & 0xFFFF;
    if !cpu.protected() || cs & !3 == 0 { Err(cpu.gp(0)) } else { Ok(cs) }
}

/// SYSENTER.
pub fn sysenter(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    let cs = sysenter_cs(cpu)?;
    let long = cpu.long_mode();
    let mask = if long { u64::MAX } else { u64::from(u32::MAX) };
    cpu.set_rflags(cpu.rflags() & !(rflags::VM | rflags::IF | rflags::RF));
    cpu.r.set(RSP, cpu.s.sysenter_esp & mask);
    cpu.rip = cpu.s.sysenter_eip & mask;
    enter(cpu, cs, (cs & !3).wrapping_add(8), 0, long);
    Ok(())
}

/// SYSEXIT: `size` 8 goes to 64-bit code.
pub fn sysexit(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let cs = sysenter_cs(cpu)? & !3;
    cpu.require_ring_0()?;
    let long = op.size == 8;
    let (rip, rsp) = (cpu.r.get(RDX), cpu.r.get(RCX));
    if long && !(canonical(rip) && canonical(rsp)) {
        return Err(cpu.gp(0));
    }
    let mask = if long { u64::MAX } else { u64::from(u32::MAX) };
    let cs = if long { cs + 32 } else { cs + 16 };
    cpu.rip = rip & mask;
    cpu.r.set(RSP, rsp & mask);
    enter(cpu, cs, cs + 8, 3, long);
    Ok(())
}

/// SWAPGS.
pub fn swapgs(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    let user = cpu.segment(SegmentName::Gs).base;
    let kernel = std::mem::replace(&mut cpu.s.kernel_gs_base, user);
    set_base(cpu, SegmentName::Gs, kernel);
    Ok(())
}

fn require_fsgsbase(cpu: &mut Cpu) -> Result<(), Faulted> {
    if cpu.s.cr4 & cr4::FSGSBASE != 0 { Ok(()) } else { Err(cpu.ud()) }
}

/// RDFSBASE and RDGSBASE: `sub` is the segment register.
pub fn read_base(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    require_fsgsbase(cpu)?;
    let base = cpu.s.seg[op.sub as usize].base;
    if op.size == 8 {
        cpu.set_reg(op.a, base)
    } else {
        cpu.set_reg(op.a, base as u32)
    }
    Ok(())
}

/// WRFSBASE and WRGSBASE.
pub fn write_base(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    require_fsgsbase(cpu)?;
    let base = if op.size == 8 { cpu.reg::<u64>(op.a) } else { u64::from(cpu.reg::<u32>(op.a)) };
    if !canonical(base) {
        return Err(cpu.gp(0));
    }
    set_base(cpu, if op.sub == SegmentName::Fs as u8 { SegmentName::Fs } else { SegmentName::Gs }, base);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::vcpu::{SegmentName, rflags};
    use iced_x86::code_asm::*;

    #[test]
    fn a_system_call_and_back() {
        let mut bed = Testbed::long();
        bed.cpu.star = u64::from(CODE0) << 32 | (u64::from(CODE3) - 16) << 48;
        bed.cpu.lstar = 0x1_8000;
        bed.cpu.fmask = rflags::IF | rflags::TF;
        bed.at_ring(3);
        bed.cpu.rflags |= rflags::IF | rflags::CF;
        bed.code(|a| a.syscall());
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[1], bed.cpu.gpr[11]), (0x1_8000, CODE + 2, 0x203));
        assert_eq!((bed.selector(SegmentName::Cs), bed.selector(SegmentName::Ss)), (CODE0, CODE0 + 8));
        assert_eq!((bed.cpu.rflags, bed.cpu.gpr[4]), (3, STACK3));
        bed.code(|a| a.sysretq());
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.cpu.rflags), (CODE + 2, 0x203));
        assert_eq!((bed.selector(SegmentName::Cs), bed.segment(SegmentName::Ss).dpl()), (CODE3, 3));
    }

    #[test]
    fn sysenter_and_sysexit_in_protected_mode() {
        let mut bed = Testbed::protected("pentium2");
        bed.cpu.sysenter_cs = u64::from(CODE0);
        (bed.cpu.sysenter_eip, bed.cpu.sysenter_esp) = (0x1_8000, 0x2_8000);
        bed.at_ring(3);
        bed.cpu.rflags |= rflags::IF;
        bed.code(|a| a.sysenter());
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[4], bed.cpu.rflags), (0x1_8000, 0x2_8000, 2));
        (bed.cpu.gpr[1], bed.cpu.gpr[2]) = (STACK3, CODE);
        bed.code(|a| a.sysexit());
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[4]), (CODE, STACK3));
        assert_eq!((bed.selector(SegmentName::Cs), bed.selector(SegmentName::Ss)), (CODE3, DATA3));
    }

    #[test]
    fn without_sce_there_is_no_syscall() {
        let mut bed = Testbed::long();
        bed.handlers(0x8E);
        bed.cpu.efer &= !1;
        bed.code(|a| a.syscall());
        assert_eq!(bed.run_to_handler(), 6);
    }

    #[test]
    fn gs_bases_swap_and_can_be_written() {
        let mut bed = Testbed::long();
        bed.handlers(0x8E);
        bed.cpu.kernel_gs_base = 0xFFFF_8000_0000_0000;
        bed.cpu.gpr[0] = 0x1_9000;
        bed.poke64(0x1_9008, 0x1122_3344_5566_7788);
        bed.cpu.cr4 |= crate::vcpu::cr4::FSGSBASE;
        bed.code(|a| {
            a.swapgs()?;
            a.wrgsbase(rax)?;
            a.mov(rbx, qword_ptr(8).gs())?;
            a.rdgsbase(rcx)?;
            a.mov(rax, 1u64 << 47)?;
            a.wrgsbase(rax)
        });
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!((bed.cpu.gpr[3], bed.cpu.gpr[1]), (0x1122_3344_5566_7788, 0x1_9000));
        assert_eq!(bed.cpu.kernel_gs_base, 0);
    }
}
