//! From the decoder's instruction families to the features that bring them.

use super::feature::{self as f, Feature, Features};
use iced_x86::{Code, CpuidFeature, Mnemonic};

/// What a family of instructions asks of a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Every part from the Intel386 with an Intel387 on.
    Nothing,
    Feature(Feature),
    /// Something that no model has.
    Unknown,
}

/// What `family` asks for.
pub const fn need(family: CpuidFeature) -> Need {
    use CpuidFeature as F;
    Need::Feature(match family {
        F::INTEL8086 | F::INTEL186 | F::INTEL286 | F::INTEL386 => return Need::Nothing,
        F::FPU | F::FPU287 | F::FPU387 => return Need::Nothing,
        // F3 90, a NOP on parts before it (Intel SDM Vol. 2B, "PAUSE").
        F::PAUSE => return Need::Nothing,
        // 0F 18 to 0F 1F are NOPs from the P6 family on (Intel SDM Vol. 2B, "NOP"), and so are hints that later
        // parts put there.
        F::MULTIBYTENOP | F::CET_IBT | F::CLDEMOTE | F::MPX | F::PREFETCHITI => f::CMOV,
        F::PREFETCHW | F::PREFETCHWT1 => f::PREFETCHW,
        F::INTEL486 => f::I486,
        F::CPUID => f::CPUID,
        F::RDPMC => f::PMC,
        F::X64 => f::LM,
        F::TSC => f::TSC,
        F::MSR => f::MSR,
        F::CX8 => f::CX8,
        F::SEP => f::SEP,
        F::CMOV => f::CMOV,
        F::CLFSH => f::CLFSH,
        F::MMX => f::MMX,
        F::FXSR => f::FXSR,
        F::SSE => f::SSE,
        F::SSE2 => f::SSE2,
        F::SSE3 => f::SSE3,
        F::PCLMULQDQ => f::PCLMULQDQ,
        F::MONITOR => f::MONITOR,
        F::SSSE3 => f::SSSE3,
        F::FMA => f::FMA,
        F::CMPXCHG16B => f::CX16,
        F::SSE4_1 => f::SSE4_1,
        F::SSE4_2 => f::SSE4_2,
        F::MOVBE => f::MOVBE,
        F::POPCNT => f::POPCNT,
        F::AES => f::AES,
        F::XSAVE => f::XSAVE,
        F::XSAVEOPT => f::XSAVEOPT,
        F::XSAVEC => f::XSAVEC,
        F::AVX => f::AVX,
        F::F16C => f::F16C,
        F::RDRAND => f::RDRAND,
        F::FSGSBASE => f::FSGSBASE,
        F::BMI1 => f::BMI1,
        F::AVX2 => f::AVX2,
        F::BMI2 => f::BMI2,
        F::INVPCID => f::INVPCID,
        F::RDSEED => f::RDSEED,
        F::ADX => f::ADX,
        F::SMAP => f::SMAP,
        F::CLFLUSHOPT => f::CLFLUSHOPT,
        F::CLWB => f::CLWB,
        F::SHA => f::SHA,
        F::VAES => f::VAES,
        F::VPCLMULQDQ => f::VPCLMULQDQ,
        F::RDPID => f::RDPID,
        F::LZCNT => f::LZCNT,
        F::SYSCALL => f::SYSCALL,
        F::RDTSCP => f::RDTSCP,
        _ => return Need::Unknown,
    })
}

impl Need {
    /// Whether a CPU with `features` meets it.
    pub const fn met(self, features: &Features) -> bool {
        match self {
            Self::Nothing => true,
            Self::Feature(feature) => features.has(feature),
            Self::Unknown => false,
        }
    }
}

/// The families whose parts execute `code` and do not refuse it.
pub fn families(code: Code) -> &'static [CpuidFeature] {
    use Mnemonic as M;
    match code.mnemonic() {
        // NOPs on parts without them (Intel SDM Vol. 2B, "PREFETCHh", "RDSSPD/RDSSPQ").
        M::Prefetchnta | M::Prefetcht0 | M::Prefetcht1 | M::Prefetcht2 | M::Rdsspd | M::Rdsspq => {
            Code::Nop_rm32.cpuid_features()
        }
        // 0F 0D lies outside of the P6 family's NOPs.
        M::Reservednop if is_0f0d(code) => Code::Prefetchw_m8.cpuid_features(),
        // The decoder has it as MMX; it came with its XMM form (Intel SDM Vol. 1 5.6.3).
        M::Paddq if code == Code::Paddq_mm_mmm64 => Code::Paddq_xmm_xmmm128.cpuid_features(),
        _ => code.cpuid_features(),
    }
}

const fn is_0f0d(code: Code) -> bool {
    matches!(
        code,
        Code::Reservednop_rm16_r16_0F0D | Code::Reservednop_rm32_r32_0F0D | Code::Reservednop_rm64_r64_0F0D
    )
}

/// Whether a CPU with `features` executes `code`.
pub fn executes(features: &Features, code: Code) -> bool {
    families(code).iter().all(|family| need(*family).met(features))
}
