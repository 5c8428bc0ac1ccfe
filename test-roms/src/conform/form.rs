//! Every instruction form that iced-x86 knows, in every code size that has it, and which of them the suite tries.

use super::family::Family;
use super::offer;
use super::program::CodeSize;
use emu_core::isa::cpuid::{self, Features, MODELS};
use iced_x86::{Code, CpuidFeature, EncodingKind, Mnemonic, OpCodeInfo, OpCodeOperandKind};
use std::fmt;
use std::sync::LazyLock;

/// One opcode with its operands' kinds and sizes, in code of one size.
#[derive(Clone, Debug)]
pub struct Form {
    pub code: Code,
    pub size: CodeSize,
    pub family: Family,
    /// Why the suite leaves it out.
    pub exclusion: Option<Exclusion>,
}

/// Why a form is not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// A directive of iced's, or its mark for what is no instruction.
    Pseudo,
    Obsolete,
    Lacking(CpuidFeature),
    EntersKernel,
    KernelEmulates,
    Waits,
    Hypervisor,
    Vendor,
    SetUp,
    Reported,
    Alias,
    TwoInstructions,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pseudo => "not an instruction",
            Self::Obsolete => "decoded only by parts long gone",
            Self::Lacking(feature) => return write!(f, "no model offers {feature:?}"),
            Self::EntersKernel => "enters the host's kernel",
            Self::KernelEmulates => "the host's kernel emulates it for user mode",
            Self::Waits => "waits or watches; the result depends on the neighbours",
            Self::Hypervisor => "leaves for the host's hypervisor",
            Self::Vendor => "Intel's and AMD's parts decode it differently",
            Self::Reported => "hypervisors report its trap with another address",
            Self::SetUp => "depends on how the host's kernel has set up the part",
            Self::TwoInstructions => "WAIT and another form",
            Self::Alias => "another vendor's name for an opcode that is tried",
        })
    }
}

impl Form {
    /// Whether the suite tries it at all.
    pub fn testable(&self) -> bool {
        self.exclusion.is_none()
    }

    /// Whether its result depends on more than its inputs: on the moment, on what the host says of itself, or on the
    /// vendor's choice of an estimate.
    pub fn varies(&self) -> bool {
        use Mnemonic::*;
        matches!(
            self.code.mnemonic(),
            Rdtsc
                | Rdtscp
                | Rdpid
                | Cpuid
                | Rdrand
                | Rdseed
                | Xgetbv
                | Rcpps
                | Rcpss
                | Rsqrtps
                | Rsqrtss
                | Vrcpps
                | Vrcpss
                | Vrsqrtps
                | Vrsqrtss
        )
    }

    pub fn info(&self) -> &'static OpCodeInfo {
        self.code.op_code()
    }

    /// Whether the CPU below us executes it.
    pub fn host_offers(&self) -> bool {
        cpuid::families(self.code).iter().all(|&family| offer::by_host(family))
    }

    /// Whether a CPU model with `features` executes it.
    pub fn engine_offers(&self, features: &Features) -> bool {
        cpuid::executes(features, self.code)
    }
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    Code::values()
        .flat_map(|code| CodeSize::ALL.map(|size| (code, size)))
        .filter(|(code, size)| code.op_code().is_available_in_mode(size.bits()))
        .map(|(code, size)| Form { code, size, family: Family::of(code), exclusion: exclusion(code, size) })
        .collect()
});

/// All forms. The order is iced's, so an index is good as long as the version of iced is.
pub fn forms() -> &'static [Form] {
    &FORMS
}

/// The index of a form.
pub fn index(code: Code, size: CodeSize) -> Option<usize> {
    FORMS
        .binary_search_by_key(&(code as usize, order(size)), |form| (form.code as usize, order(form.size)))
        .ok()
}

fn order(size: CodeSize) -> usize {
    CodeSize::ALL.iter().position(|&s| s == size).unwrap_or_default()
}

fn exclusion(code: Code, size: CodeSize) -> Option<Exclusion> {
    let info = code.op_code();
    if !info.is_instruction() || code == Code::INVALID {
        return Some(Exclusion::Pseudo);
    }
    if info.fwait() {
        return Some(Exclusion::TwoInstructions);
    }
    if info.decoder_option() != 0 || code == Code::Popw_CS {
        return Some(Exclusion::Obsolete);
    }
    if matches!(code, Code::Int1) {
        return Some(Exclusion::Reported);
    }
    by_mnemonic(code.mnemonic())
        .or_else(|| vendor(code, size))
        .or_else(|| lacking(code))
        .or_else(|| matches!(code, Code::Ud0).then_some(Exclusion::Alias))
}

fn by_mnemonic(mnemonic: Mnemonic) -> Option<Exclusion> {
    use Mnemonic::*;
    Some(match mnemonic {
        Syscall | Sysenter => Exclusion::EntersKernel,
        Sgdt | Sidt | Sldt | Str | Smsw => Exclusion::KernelEmulates,
        Monitor | Mwait | Monitorx | Mwaitx | Umonitor | Umwait | Tpause => Exclusion::Waits,
        Vmcall | Vmmcall | Vmgexit | Tdcall => Exclusion::Hypervisor,
        Rdpmc | Rdpkru | Wrpkru => Exclusion::SetUp,
        _ => return None,
    })
}

/// What an operand-size prefix in 64-bit code means to near branches, and REX.W to far pointers (Intel SDM Vol. 2A
/// "JMP" and "LFS"; AMD64 APM Vol. 3 "Near Branches in 64-Bit Mode"), and SYSEXIT and SYSRET outside of it.
fn vendor(code: Code, size: CodeSize) -> Option<Exclusion> {
    use Code::*;
    use OpCodeOperandKind::{br16_1, br16_2};
    let narrow = code.op_code().op_kinds().iter().any(|kind| matches!(kind, br16_1 | br16_2));
    let near = narrow || matches!(code, Retnw | Retnw_imm16 | Call_rm16 | Jmp_rm16);
    let far = matches!(code, Call_m1664 | Jmp_m1664 | Lss_r64_m1664 | Lfs_r64_m1664 | Lgs_r64_m1664);
    // 0F 0D with a register: PREFETCH cannot have one on AMD's parts, on Intel's it is a NOP.
    let prefetch = matches!(
        code,
        Reservednop_rm16_r16_0F0D | Reservednop_rm32_r32_0F0D | Reservednop_rm64_r64_0F0D | Movsxd_r16_rm16
    );
    let system_return = matches!(code, Sysretd) && size != CodeSize::Bits64;
    if prefetch || system_return {
        return Some(Exclusion::Vendor);
    }
    let differs = size == CodeSize::Bits64 && (near || far);
    differs.then_some(Exclusion::Vendor)
}

/// The first feature that no model has.
fn lacking(code: Code) -> Option<Exclusion> {
    let evex = matches!(code.encoding(), EncodingKind::EVEX | EncodingKind::MVEX);
    cpuid::families(code)
        .iter()
        .copied()
        .find(|&family| evex || !MODELS.iter().any(|model| cpuid::need(family).met(&model.features)))
        .map(Exclusion::Lacking)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_found_by_code_and_size() {
        for (n, form) in forms().iter().enumerate() {
            assert_eq!(index(form.code, form.size), Some(n));
        }
        assert_eq!(index(Code::Aaa, CodeSize::Bits64), None);
    }

    #[test]
    fn most_of_what_a_model_offers_is_testable() {
        let testable = forms().iter().filter(|form| form.testable()).count();
        println!("{} forms known, {testable} testable", forms().len());
        assert!(testable > 3000, "{testable}");
    }
}
