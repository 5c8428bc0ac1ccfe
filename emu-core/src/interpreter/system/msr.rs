//! RDMSR, WRMSR and the model-specific registers (Intel SDM Vol. 4 chapter 2; Vol. 3A 9.4, 11.11, 11.12).
//!
//! Unknown registers are #GP(0), as on silicon. Left out: performance counters, machine-check banks, last-branch
//! records, VMX, RAPL; CPUID advertises none of them.

use super::{clock, edx_eax};
use crate::interpreter::Cpu;
use crate::interpreter::memory::canonical;
use crate::interpreter::op::{Faulted, Op};
use crate::interpreter::word::SEG_BASE;
use crate::isa::cpuid::feature::{self, Feature};
use crate::mmu::PHYSICAL_BITS;
use crate::vcpu::{SegmentName, cr0, efer};

/// Numbers of the registers (Intel SDM Vol. 4 table 2-2).
mod number {
    pub const P5_MC_ADDR: u32 = 0x0;
    pub const P5_MC_TYPE: u32 = 0x1;
    pub const TSC: u32 = 0x10;
    pub const PLATFORM_ID: u32 = 0x17;
    pub const APIC_BASE: u32 = 0x1B;
    pub const EBL_CR_POWERON: u32 = 0x2A;
    pub const FEATURE_CONTROL: u32 = 0x3A;
    pub const TSC_ADJUST: u32 = 0x3B;
    pub const SPEC_CTRL: u32 = 0x48;
    pub const PRED_CMD: u32 = 0x49;
    pub const BIOS_UPDT_TRIG: u32 = 0x79;
    pub const BIOS_SIGN_ID: u32 = 0x8B;
    pub const PLATFORM_INFO: u32 = 0xCE;
    pub const MTRRCAP: u32 = 0xFE;
    pub const ARCH_CAPABILITIES: u32 = 0x10A;
    pub const SYSENTER_CS: u32 = 0x174;
    pub const SYSENTER_ESP: u32 = 0x175;
    pub const SYSENTER_EIP: u32 = 0x176;
    pub const MCG_CAP: u32 = 0x179;
    pub const MCG_STATUS: u32 = 0x17A;
    pub const PERF_STATUS: u32 = 0x198;
    pub const MISC_ENABLE: u32 = 0x1A0;
    pub const DEBUGCTL: u32 = 0x1D9;
    pub const MTRR_PHYSBASE0: u32 = 0x200;
    pub const MTRR_PHYSMASK7: u32 = 0x20F;
    pub const PAT: u32 = 0x277;
    pub const MTRR_DEF_TYPE: u32 = 0x2FF;
    pub const TSC_DEADLINE: u32 = 0x6E0;
    pub const X2APIC_FIRST: u32 = 0x800;
    pub const X2APIC_LAST: u32 = 0x8FF;
    pub const EFER: u32 = 0xC000_0080;
    pub const STAR: u32 = 0xC000_0081;
    pub const LSTAR: u32 = 0xC000_0082;
    pub const CSTAR: u32 = 0xC000_0083;
    pub const FMASK: u32 = 0xC000_0084;
    pub const FS_BASE: u32 = 0xC000_0100;
    pub const GS_BASE: u32 = 0xC000_0101;
    pub const KERNEL_GS_BASE: u32 = 0xC000_0102;
    pub const TSC_AUX: u32 = 0xC000_0103;
}

/// Eight variable ranges, fixed ranges, write combining.
const MTRRCAP: u64 = 8 | 1 << 8 | 1 << 10;
/// MTRR_DEF_TYPE: type, FE, E.
const DEF_TYPE_MASK: u64 = 0xCFF;
/// "Not vulnerable": RDCL_NO, IBRS_ALL, SKIP_L1DFL, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
/// PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO: there is no speculation here.
const ARCH_CAPABILITIES: u64 = 1
    | 1 << 1
    | 1 << 3
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 8
    | 1 << 13
    | 1 << 14
    | 1 << 15
    | 1 << 20
    | 1 << 24
    | 1 << 26
    | 1 << 27
    | 1 << 62;
/// IBRS and STIBP.
const SPEC_CTRL_MASK: u64 = 3;
/// Maximum non-turbo ratio 10, in units of 100 MHz.
const PLATFORM_INFO: u64 = 10 << 8;
/// The microcode revision stands in the upper half.
const MICROCODE: u64 = 1 << 32;
/// Locked: no VMX, no SGX.
const FEATURE_CONTROL: u64 = 1;
/// Address bits beyond the physical width.
const BEYOND: u64 = !((1 << PHYSICAL_BITS) - 1);

/// Index of a fixed-range MTRR in `Mtrr::fixed`.
fn fixed_range(n: u32) -> Option<usize> {
    match n {
        0x250 => Some(0),
        0x258 => Some(1),
        0x259 => Some(2),
        0x268..=0x26F => Some(3 + (n - 0x268) as usize),
        _ => None,
    }
}

/// The feature that brings a register, if it is not there on every CPU with RDMSR.
fn needs(n: u32) -> Option<Feature> {
    Some(match n {
        number::TSC => feature::TSC,
        number::APIC_BASE => feature::APIC,
        number::TSC_ADJUST => feature::TSC_ADJUST,
        number::SPEC_CTRL | number::PRED_CMD => feature::SPEC_CTRL,
        number::ARCH_CAPABILITIES => feature::ARCH_CAPABILITIES,
        number::MTRRCAP | number::MTRR_DEF_TYPE | number::MTRR_PHYSBASE0..=number::MTRR_PHYSMASK7 => {
            feature::MTRR
        }
        _ if fixed_range(n).is_some() => feature::MTRR,
        number::SYSENTER_CS..=number::SYSENTER_EIP => feature::SEP,
        number::MCG_CAP | number::MCG_STATUS => feature::MCA,
        number::PLATFORM_ID | number::EBL_CR_POWERON | number::BIOS_UPDT_TRIG | number::BIOS_SIGN_ID => {
            feature::PGE
        }
        number::PLATFORM_INFO | number::PERF_STATUS | number::MISC_ENABLE | number::FEATURE_CONTROL => {
            feature::LM
        }
        number::DEBUGCTL => feature::PGE,
        number::PAT => feature::PAT,
        number::TSC_DEADLINE => feature::TSC_DEADLINE,
        number::X2APIC_FIRST..=number::X2APIC_LAST => feature::X2APIC,
        number::EFER => feature::NX,
        number::STAR..=number::FMASK | number::FS_BASE..=number::KERNEL_GS_BASE => feature::LM,
        number::TSC_AUX => feature::RDTSCP,
        _ => return None,
    })
}

/// The value of a register; `None` is #GP(0).
fn read(cpu: &mut Cpu, n: u32) -> Option<u64> {
    if needs(n).is_some_and(|feature| !cpu.has(feature)) {
        return None;
    }
    Some(match n {
        number::P5_MC_ADDR | number::P5_MC_TYPE => 0,
        number::TSC => clock::tsc(cpu),
        number::PLATFORM_ID | number::EBL_CR_POWERON => 0,
        number::FEATURE_CONTROL => FEATURE_CONTROL,
        number::TSC_ADJUST => cpu.s.tsc_adjust,
        number::SPEC_CTRL => cpu.s.spec_ctrl,
        number::BIOS_SIGN_ID => MICROCODE,
        number::PLATFORM_INFO => PLATFORM_INFO,
        number::MTRRCAP => MTRRCAP,
        number::ARCH_CAPABILITIES => ARCH_CAPABILITIES,
        number::SYSENTER_CS => cpu.s.sysenter_cs,
        number::SYSENTER_ESP => cpu.s.sysenter_esp,
        number::SYSENTER_EIP => cpu.s.sysenter_eip,
        number::MCG_CAP | number::MCG_STATUS => 0,
        number::PERF_STATUS => PLATFORM_INFO,
        number::MISC_ENABLE => cpu.s.misc_enable,
        number::DEBUGCTL => 0,
        number::MTRR_PHYSBASE0..=number::MTRR_PHYSMASK7 => {
            cpu.s.mtrr.variable[(n - number::MTRR_PHYSBASE0) as usize]
        }
        number::PAT => cpu.s.pat,
        number::MTRR_DEF_TYPE => cpu.s.mtrr.def_type,
        number::TSC_DEADLINE => clock::deadline(cpu)?,
        number::APIC_BASE | number::X2APIC_FIRST..=number::X2APIC_LAST => {
            return cpu.synced_bus().msr_read(n);
        }
        number::EFER => cpu.s.efer,
        number::STAR => cpu.s.star,
        number::LSTAR => cpu.s.lstar,
        number::CSTAR => cpu.s.cstar,
        number::FMASK => cpu.s.fmask,
        number::FS_BASE => cpu.segment(SegmentName::Fs).base,
        number::GS_BASE => cpu.segment(SegmentName::Gs).base,
        number::KERNEL_GS_BASE => cpu.s.kernel_gs_base,
        number::TSC_AUX => cpu.s.tsc_aux,
        _ => cpu.s.mtrr.fixed[fixed_range(n)?],
    })
}

/// Loads a register; `None` is #GP(0).
fn write(cpu: &mut Cpu, n: u32, value: u64) -> Option<()> {
    if needs(n).is_some_and(|feature| !cpu.has(feature)) {
        return None;
    }
    match n {
        number::TSC => clock::set_tsc(cpu, value),
        number::TSC_ADJUST => clock::set_adjust(cpu, value),
        number::TSC_DEADLINE => clock::set_deadline(cpu, value)?,
        number::P5_MC_ADDR
        | number::P5_MC_TYPE
        | number::EBL_CR_POWERON
        | number::MCG_STATUS
        | number::DEBUGCTL => {}
        number::BIOS_UPDT_TRIG | number::BIOS_SIGN_ID => {}
        number::SPEC_CTRL => cpu.s.spec_ctrl = only(value, SPEC_CTRL_MASK)?,
        number::PRED_CMD => drop(only(value, 1)?),
        number::SYSENTER_CS => cpu.s.sysenter_cs = value & 0xFFFF_FFFF,
        number::SYSENTER_ESP => cpu.s.sysenter_esp = address(cpu, value)?,
        number::SYSENTER_EIP => cpu.s.sysenter_eip = address(cpu, value)?,
        number::MISC_ENABLE => cpu.s.misc_enable = value,
        number::MTRR_PHYSBASE0..=number::MTRR_PHYSMASK7 => set_variable_range(cpu, n, value)?,
        number::PAT => cpu.s.pat = types(value, |t| matches!(t, 0 | 1 | 4..=7))?,
        number::MTRR_DEF_TYPE => {
            types(value & 0xFF, is_mtrr_type)?;
            cpu.s.mtrr.def_type = only(value, DEF_TYPE_MASK)?;
        }
        number::APIC_BASE | number::X2APIC_FIRST..=number::X2APIC_LAST => {
            return cpu.synced_bus().msr_write(n, value);
        }
        number::EFER => set_efer(cpu, value)?,
        number::STAR => cpu.s.star = value,
        number::LSTAR => cpu.s.lstar = canonical_only(value)?,
        number::CSTAR => cpu.s.cstar = canonical_only(value)?,
        number::FMASK => cpu.s.fmask = value & 0xFFFF_FFFF,
        number::FS_BASE => set_base(cpu, SegmentName::Fs, canonical_only(value)?),
        number::GS_BASE => set_base(cpu, SegmentName::Gs, canonical_only(value)?),
        number::KERNEL_GS_BASE => cpu.s.kernel_gs_base = canonical_only(value)?,
        number::TSC_AUX => cpu.s.tsc_aux = only(value, 0xFFFF_FFFF)?,
        _ => cpu.s.mtrr.fixed[fixed_range(n)?] = types(value, is_mtrr_type)?,
    }
    Some(())
}

/// The value, if no bit outside of `mask` is set.
fn only(value: u64, mask: u64) -> Option<u64> {
    (value & !mask == 0).then_some(value)
}

fn canonical_only(value: u64) -> Option<u64> {
    canonical(value).then_some(value)
}

/// An address of SYSENTER: canonical where there is long mode, else 32 bits.
fn address(cpu: &Cpu, value: u64) -> Option<u64> {
    if cpu.has(feature::LM) { canonical_only(value) } else { Some(value & 0xFFFF_FFFF) }
}

/// The value, if every byte is a valid memory type.
fn types(value: u64, valid: fn(u8) -> bool) -> Option<u64> {
    value.to_le_bytes().into_iter().all(valid).then_some(value)
}

/// UC, WC, WT, WP, WB.
fn is_mtrr_type(kind: u8) -> bool {
    matches!(kind, 0 | 1 | 4 | 5 | 6)
}

fn set_variable_range(cpu: &mut Cpu, n: u32, value: u64) -> Option<()> {
    let mask = n & 1 != 0;
    let reserved = BEYOND | if mask { 0x7FF } else { 0xF00 };
    if !mask {
        types(value & 0xFF, is_mtrr_type)?;
    }
    cpu.s.mtrr.variable[(n - number::MTRR_PHYSBASE0) as usize] = only(value, !reserved)?;
    Some(())
}

/// EFER: LME must not change while paging is on; LMA is read-only (Intel SDM Vol. 3A 2.2.1).
fn set_efer(cpu: &mut Cpu, value: u64) -> Option<()> {
    let long = if cpu.has(feature::LM) { efer::SCE | efer::LME } else { 0 };
    let old = cpu.s.efer;
    only(value, long | efer::NXE | efer::LMA)?;
    if (old ^ value) & efer::LME != 0 && cpu.s.cr0 & cr0::PG != 0 {
        return None;
    }
    cpu.s.efer = value & !efer::LMA | old & efer::LMA;
    if (old ^ value) & efer::NXE != 0 {
        cpu.flush_tlb(false);
    }
    Some(())
}

/// Sets the base of FS or GS.
pub fn set_base(cpu: &mut Cpu, name: SegmentName, base: u64) {
    cpu.s.seg[name as usize].base = base;
    cpu.r.set(SEG_BASE + name as u8, base);
}

/// RDMSR.
pub fn rdmsr(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    let number = cpu.reg::<u32>(1);
    let Some(value) = read(cpu, number) else {
        return Err(cpu.gp(0));
    };
    cpu.set_reg(0, value as u32);
    cpu.set_reg(2, (value >> 32) as u32);
    Ok(())
}

/// WRMSR.
pub fn wrmsr(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    let (number, value) = (cpu.reg::<u32>(1), edx_eax(cpu));
    write(cpu, number, value).ok_or(()).map_err(|()| cpu.gp(0))
}

/// RDPMC: there are no counters, so every counter number is invalid.
pub fn rdpmc(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    Err(cpu.gp(0))
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::vcpu::efer;

    fn access(bed: &mut Testbed, number: u32, value: Option<u64>) -> Option<u64> {
        bed.handlers(0x8E);
        (bed.cpu.rip, bed.cpu.gpr[4]) = (CODE, STACK0);
        bed.cpu.activity = crate::vcpu::Activity::Running;
        let write = value.unwrap_or(0);
        (bed.cpu.gpr[0], bed.cpu.gpr[1], bed.cpu.gpr[2]) = (write & 0xFFFF_FFFF, number.into(), write >> 32);
        bed.code(|a| {
            if value.is_some() {
                a.wrmsr()?
            } else {
                a.rdmsr()?
            }
            a.hlt()
        });
        bed.step(100);
        (bed.cpu.rip == CODE + 3).then_some(bed.cpu.gpr[2] << 32 | bed.cpu.gpr[0])
    }

    fn read(bed: &mut Testbed, number: u32) -> Option<u64> {
        access(bed, number, None)
    }

    fn write(bed: &mut Testbed, number: u32, value: u64) -> bool {
        access(bed, number, Some(value)).is_some()
    }

    #[test]
    fn registers_come_with_their_models() {
        let mut old = Testbed::protected("pentium");
        assert!(read(&mut old, 0x10).is_some());
        assert!(!write(&mut old, 0xC000_0080, 0));
        assert_eq!(read(&mut old, 0xFE), None);
        assert_eq!(read(&mut Testbed::protected("486"), 0x10), None);
        assert_eq!(read(&mut Testbed::long(), 0xFE), Some(0x508));
        assert_eq!(read(&mut Testbed::long(), 0xDEAD), None);
    }

    #[test]
    fn efer_has_rules() {
        let mut bed = Testbed::long();
        assert_eq!(read(&mut bed, 0xC000_0080), Some(0xD01));
        assert!(!write(&mut bed, 0xC000_0080, 0x2), "reserved");
        assert!(!write(&mut bed, 0xC000_0080, 0x800), "LME while paging");
        assert!(write(&mut bed, 0xC000_0080, 0x100));
        assert_eq!(bed.cpu.efer, efer::LME | efer::LMA);
    }

    #[test]
    fn bases_must_be_canonical() {
        let mut bed = Testbed::long();
        for number in [0xC000_0082, 0xC000_0100, 0xC000_0102, 0x176] {
            assert!(!write(&mut bed, number, 1 << 47));
            assert!(write(&mut bed, number, 0xFFFF_8000_0000_1234));
            assert_eq!(read(&mut bed, number), Some(0xFFFF_8000_0000_1234));
        }
        assert_eq!(bed.cpu.seg[4].base, 0xFFFF_8000_0000_1234);
    }

    #[test]
    fn memory_types_are_checked() {
        let mut bed = Testbed::long();
        assert!(!write(&mut bed, 0x277, 0x0007_0406_0007_0402));
        assert!(write(&mut bed, 0x277, 0x0007_0501_0007_0406));
        assert!(!write(&mut bed, 0x2FF, 2));
        assert!(write(&mut bed, 0x2FF, 0xC06));
        assert!(!write(&mut bed, 0x201, 1 << 45));
        assert!(write(&mut bed, 0x201, 0xFF_C000_0800));
        assert!(write(&mut bed, 0x26F, 0x0606_0505_0404_0101));
        assert_eq!(bed.cpu.mtrr.fixed[10], 0x0606_0505_0404_0101);
    }

    #[test]
    fn the_counter_its_adjustment_and_its_deadline_move_together() {
        let mut bed = Testbed::long();
        assert!(write(&mut bed, 0x6E0, 5_000));
        assert_eq!(bed.board.deadline, 5_000);
        assert!(write(&mut bed, 0x10, 1_000_000));
        let adjust = read(&mut bed, 0x3B).expect("IA32_TSC_ADJUST");
        assert!((999_000..=1_000_000).contains(&adjust));
        assert_eq!(bed.board.deadline, 1, "long past, but armed");
        assert!(write(&mut bed, 0x3B, 0));
        assert!(read(&mut bed, 0x10).expect("IA32_TSC") < 1_000);
    }
}
