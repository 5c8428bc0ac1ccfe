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

/// CLAC and STAC (#UD above CPL 0 or without SMAP).
pub fn set_ac<const SET: bool>(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    if cpu.cpl != 0 || !cpu.has(feature::SMAP) {
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
