//! Who may change which flags: CLI, STI, PUSHF, POPF, and the flags of IRET (Intel SDM Vol. 1 3.4.3; Vol. 2, "POPF",
//! "CLI", "STI"; Vol. 3C 27.3, 27.4: virtual interrupts).

use crate::interpreter::Cpu;
use crate::interpreter::op::{Faulted, Op, OpRef, dispatch, serializing};
use crate::isa::cpuid::feature;
use crate::vcpu::{Shadow, cr4, rflags};
use std::sync::atomic::Ordering::Relaxed;

/// Flags that any program may change.
const USER: u64 =
    rflags::STATUS | rflags::TF | rflags::DF | rflags::NT | rflags::RF | rflags::AC | rflags::ID;

/// What the CPL and IOPL allow an instruction to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Real mode and CPL 0: also IF and IOPL.
    Real,
    /// IRET at CPL 0: also VIF and VIP.
    Supervisor,
    /// CPL above 0: IF if the CPL is at most IOPL.
    User { if_too: bool },
    /// V86 mode with VME and IOPL below 3: VIF takes the place of IF.
    Virtual,
    /// IRETD to V86 mode: everything.
    V86Entry,
}

impl Rule {
    fn mask(self) -> u64 {
        match self {
            Self::Real => USER | rflags::IF | rflags::IOPL,
            Self::Supervisor => USER | rflags::IF | rflags::IOPL | rflags::VIF | rflags::VIP,
            Self::User { if_too: true } => USER | rflags::IF,
            Self::User { if_too: false } => USER,
            Self::Virtual => USER & 0xFFFF | rflags::VIF,
            Self::V86Entry => USER | rflags::IF | rflags::IOPL | rflags::VIF | rflags::VIP | rflags::VM,
        }
    }
}

/// Flags this CPU model has.
fn implemented(cpu: &Cpu) -> u64 {
    let mut mask = u64::from(u32::MAX);
    if !cpu.has(feature::I486) {
        mask &= !rflags::AC;
    }
    if !cpu.has(feature::CPUID) {
        mask &= !rflags::ID;
    }
    if !cpu.has(feature::VME) {
        mask &= !(rflags::VIF | rflags::VIP);
    }
    mask
}

/// The rule for IRET in protected mode.
pub fn return_rule(cpu: &Cpu) -> Rule {
    if cpu.cpl == 0 { Rule::Supervisor } else { Rule::User { if_too: cpu.cpl <= cpu.iopl() } }
}

/// Loads flags from an image of `size` bytes as far as `rule` allows.
pub fn set(cpu: &mut Cpu, image: u64, size: u64, rule: Rule) {
    let mut image = image;
    if rule == Rule::Virtual {
        image = image & !rflags::VIF | if image & rflags::IF != 0 { rflags::VIF } else { 0 };
    }
    let reach = if size == 2 && rule != Rule::Virtual { 0xFFFF } else { u64::from(u32::MAX) };
    let mask = rule.mask() & reach & implemented(cpu);
    cpu.set_rflags(cpu.rflags() & !mask | image & mask);
}

/// POPF and IRET in V86 mode with IOPL below 3: #GP(0) unless VME can virtualise them.
pub fn check_virtual(cpu: &mut Cpu, image: u64, size: u64) -> Result<(), Faulted> {
    let due = cpu.s.rflags & rflags::VIP != 0 && image & rflags::IF != 0;
    if cpu.s.cr4 & cr4::VME == 0 || size != 2 || due || image & rflags::TF != 0 {
        return Err(cpu.gp(0));
    }
    Ok(())
}

/// PUSHF's image in V86 mode with IOPL below 3: #GP(0) without VME; VIF stands where IF is, IOPL reads as 3.
pub fn virtual_flags_image(cpu: &mut Cpu, size: u64) -> Result<u64, Faulted> {
    if cpu.s.cr4 & cr4::VME == 0 || size != 2 {
        return Err(cpu.gp(0));
    }
    Ok(virtual_image(cpu))
}

/// FLAGS as an 8086 program under VME sees them.
pub fn virtual_image(cpu: &Cpu) -> u64 {
    let flags = cpu.rflags();
    let visible = if flags & rflags::VIF != 0 { rflags::IF } else { 0 };
    flags & !rflags::IF | visible | rflags::IOPL
}

/// POPF of `size` bytes: which flags may change depends on CPL and IOPL (Intel SDM Vol. 2, "POPF").
pub fn pop_flags(cpu: &mut Cpu, value: u64, size: u64) -> Result<(), Faulted> {
    let rule = if !cpu.protected() || cpu.cpl == 0 {
        Rule::Real
    } else if !cpu.v86() || cpu.iopl() == 3 {
        Rule::User { if_too: cpu.cpl <= cpu.iopl() }
    } else {
        check_virtual(cpu, value, size)?;
        Rule::Virtual
    };
    set(cpu, value & !rflags::RF, size, rule);
    cpu.s.rflags &= !rflags::RF;
    Ok(())
}

/// What CLI and STI act on.
enum Gate {
    Interrupts,
    Virtual,
}

/// CLI and STI act on IF if the CPL is at most IOPL, on VIF under VME or PVI, and fault otherwise.
fn gate(cpu: &mut Cpu) -> Result<Gate, Faulted> {
    if !cpu.protected() || cpu.cpl <= cpu.iopl() {
        return Ok(Gate::Interrupts);
    }
    let extension = if cpu.v86() { cr4::VME } else { cr4::PVI };
    if cpu.cpl == 3 && cpu.s.cr4 & extension != 0 { Ok(Gate::Virtual) } else { Err(cpu.gp(0)) }
}

/// CLI.
pub fn cli(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    match gate(cpu)? {
        Gate::Interrupts => cpu.s.rflags &= !rflags::IF,
        Gate::Virtual => cpu.s.rflags &= !rflags::VIF,
    }
    Ok(())
}

/// STI with all that belongs to it.
pub fn sti(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    match gate(cpu)? {
        Gate::Interrupts => {
            if cpu.s.rflags & rflags::IF == 0 {
                cpu.s.rflags |= rflags::IF;
                cpu.set_shadow(Shadow::Sti);
            }
        }
        Gate::Virtual if cpu.s.rflags & rflags::VIP != 0 => return Err(cpu.gp(0)),
        Gate::Virtual => cpu.s.rflags |= rflags::VIF,
    }
    Ok(())
}

/// STI where nothing is pending and another instruction of the block follows: that one runs before anybody can look
/// for interrupts, so no shadow is needed and the block goes on.
pub fn sti_in_block(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let next = at.next();
    let may = !cpu.protected() || cpu.cpl <= cpu.iopl();
    if !may || next.get().len == 0 || cpu.raw_bus().attention().load(Relaxed) != 0 {
        return serializing(sti)(cpu, at);
    }
    cpu.s.rflags |= rflags::IF;
    dispatch(cpu, next)
}

/// CLAC and STAC (#UD above CPL 0).
pub fn set_ac<const SET: bool>(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    if cpu.cpl != 0 {
        return Err(cpu.ud());
    }
    if SET {
        cpu.s.rflags |= rflags::AC;
    } else {
        cpu.s.rflags &= !rflags::AC;
    }
    cpu.update_bank();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::vcpu::{cr4, rflags};
    use crate::{Attention, Exit};

    fn popf(bed: &mut Testbed, image: u32) {
        bed.cpu.gpr[4] -= 4;
        let at = bed.cpu.gpr[4];
        bed.poke32(at, image);
        bed.code(|a| a.popfd());
        bed.step(1);
    }

    #[test]
    fn what_popf_may_change() {
        let everything = !(rflags::TF as u32);
        let mut bed = Testbed::protected("x86-64-v2");
        popf(&mut bed, everything);
        assert_eq!(bed.cpu.rflags, 0x0024_7ED7 & !0x100);
        let mut bed = Testbed::protected("386");
        popf(&mut bed, everything);
        assert_eq!(bed.cpu.rflags, 0x0000_7ED7, "no AC, no ID");
        let mut bed = Testbed::protected("486");
        popf(bed.at_ring(3), everything);
        assert_eq!(bed.cpu.rflags, 0x0004_4CD7, "neither IF nor IOPL");
    }

    #[test]
    fn sti_holds_interrupts_for_one_instruction() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.board.vector = 0x20;
        bed.attention(Attention::INTR);
        bed.code(|a| {
            a.sti()?;
            a.nop()?;
            a.nop()
        });
        assert_eq!(bed.run_to_handler(), 0x20);
        assert_eq!(bed.stack::<1>(4), [CODE + 2]);
    }

    #[test]
    fn an_interrupt_that_comes_right_after_sti_waits_for_hlt() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.code(|a| {
            a.sti()?;
            a.hlt()
        });
        bed.step(1); // stops after STI
        bed.board.vector = 0x20;
        bed.attention(Attention::INTR);
        assert_eq!(bed.step(1), Exit::Halted);
        assert_eq!(bed.cpu.rip, CODE + 2);
        assert_eq!(bed.run_to_handler(), 0x20);
        assert_eq!(bed.stack::<1>(4), [CODE + 2]);
    }

    #[test]
    fn iopl_guards_cli() {
        for (iopl, good) in [(0, false), (3, true)] {
            let mut bed = Testbed::protected("486");
            bed.handlers(0x8E);
            bed.at_ring(3);
            bed.cpu.rflags |= iopl << 12 | rflags::IF;
            bed.code(|a| a.cli());
            if good {
                bed.step(1);
                assert_eq!(bed.cpu.rflags & rflags::IF, 0);
            } else {
                assert_eq!(bed.run_to_handler(), 13);
            }
        }
    }

    #[test]
    fn virtual_interrupts_of_v86_mode() {
        let mut bed = Testbed::protected("pentium");
        bed.handlers(0x8E);
        bed.cpu.cr4 |= cr4::VME;
        bed.cpu.rflags |= rflags::IF;
        bed.at_v86(0x1000, 0).code(|a| {
            a.sti()?;
            a.pushf()?;
            a.cli()?;
            a.popf()
        });
        bed.step(2);
        assert_eq!(bed.cpu.rflags & (rflags::IF | rflags::VIF), rflags::IF | rflags::VIF);
        assert_eq!(bed.stack::<1>(2), [0x3202]);
        bed.step(1);
        assert_eq!(bed.cpu.rflags & (rflags::IF | rflags::VIF), rflags::IF);
        bed.cpu.rflags |= rflags::VIP;
        assert_eq!(bed.run_to_handler(), 13, "POPF would enable a pending interrupt");
    }

    #[test]
    fn protected_mode_virtual_interrupts() {
        let mut bed = Testbed::protected("pentium");
        bed.cpu.cr4 |= cr4::PVI;
        bed.at_ring(3).code(|a| {
            a.sti()?;
            a.cli()
        });
        bed.step(1);
        assert_eq!(bed.cpu.rflags & (rflags::IF | rflags::VIF), rflags::VIF);
        bed.step(1);
        assert_eq!(bed.cpu.rflags & (rflags::IF | rflags::VIF), 0);
    }

    #[test]
    fn stac_is_ring_0_s() {
        let mut bed = Testbed::long();
        bed.handlers(0x8E);
        bed.at_ring(3).code(|a| a.stac());
        assert_eq!(bed.run_to_handler(), 6);
    }
}
