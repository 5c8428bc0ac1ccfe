//! From iced's feature names to CPUID bits, and whether a CPU has them: a model of ours, or the host.

use emu_core::isa::cpuid::{Feature, Features, Word, feature as f};
use iced_x86::CpuidFeature;

/// What must be there for a feature's instructions to execute.
#[derive(Clone, Copy, Debug)]
pub enum Offer {
    /// On every part, as instruction or as NOP.
    Always,
    /// A model must have it; every host does.
    Model(Feature),
    /// A bit of a CPUID register.
    Bit(Word, u8),
    Never,
}

/// What `feature` asks for. What is not in the table no model has.
pub fn of(feature: CpuidFeature) -> Offer {
    use CpuidFeature as F;
    use Offer::{Always, Bit, Model, Never};
    match feature {
        F::INTEL8086 | F::INTEL186 | F::INTEL286 | F::INTEL386 | F::PAUSE => Always,
        // Hints to parts without CET, and with CET off.
        F::CET_IBT => Model(f::CMOV),
        F::MULTIBYTENOP => Model(f::CMOV),
        F::INTEL486 => Model(f::I486),
        F::CPUID => Model(f::CPUID),
        F::X64 => Model(f::LM),
        F::FPU | F::FPU287 | F::FPU387 => Bit(Word::Leaf1Edx, 0),
        F::TSC => Bit(Word::Leaf1Edx, 4),
        F::MSR => Bit(Word::Leaf1Edx, 5),
        F::CX8 => Bit(Word::Leaf1Edx, 8),
        F::CMOV => Bit(Word::Leaf1Edx, 15),
        F::CLFSH => Bit(Word::Leaf1Edx, 19),
        F::MMX => Bit(Word::Leaf1Edx, 23),
        F::FXSR => Bit(Word::Leaf1Edx, 24),
        F::SSE => Bit(Word::Leaf1Edx, 25),
        F::SSE2 => Bit(Word::Leaf1Edx, 26),
        F::SSE3 => Bit(Word::Leaf1Ecx, 0),
        F::PCLMULQDQ => Bit(Word::Leaf1Ecx, 1),
        F::SSSE3 => Bit(Word::Leaf1Ecx, 9),
        F::FMA => Bit(Word::Leaf1Ecx, 12),
        F::CMPXCHG16B => Bit(Word::Leaf1Ecx, 13),
        F::SSE4_1 => Bit(Word::Leaf1Ecx, 19),
        F::SSE4_2 => Bit(Word::Leaf1Ecx, 20),
        F::MOVBE => Bit(Word::Leaf1Ecx, 22),
        F::POPCNT => Bit(Word::Leaf1Ecx, 23),
        F::AES => Bit(Word::Leaf1Ecx, 25),
        F::XSAVE => Bit(Word::Leaf1Ecx, 26),
        F::AVX => Bit(Word::Leaf1Ecx, 28),
        F::F16C => Bit(Word::Leaf1Ecx, 29),
        F::RDRAND => Bit(Word::Leaf1Ecx, 30),
        F::FSGSBASE => Bit(Word::Leaf7Ebx, 0),
        F::BMI1 => Bit(Word::Leaf7Ebx, 3),
        F::AVX2 => Bit(Word::Leaf7Ebx, 5),
        F::BMI2 => Bit(Word::Leaf7Ebx, 8),
        F::INVPCID => Bit(Word::Leaf7Ebx, 10),
        F::RDSEED => Bit(Word::Leaf7Ebx, 18),
        F::ADX => Bit(Word::Leaf7Ebx, 19),
        F::SMAP => Bit(Word::Leaf7Ebx, 20),
        F::CLFLUSHOPT => Bit(Word::Leaf7Ebx, 23),
        F::CLWB => Bit(Word::Leaf7Ebx, 24),
        F::SHA => Bit(Word::Leaf7Ebx, 29),
        F::GFNI => Bit(Word::Leaf7Ecx, 8),
        F::VAES => Bit(Word::Leaf7Ecx, 9),
        F::VPCLMULQDQ => Bit(Word::Leaf7Ecx, 10),
        F::RDPID => Bit(Word::Leaf7Ecx, 22),
        F::MOVDIRI => Bit(Word::Leaf7Ecx, 27),
        F::MOVDIR64B => Bit(Word::Leaf7Ecx, 28),
        F::LZCNT => Bit(Word::Extended1Ecx, 5),
        F::PREFETCHW => Bit(Word::Extended1Ecx, 8),
        F::RDTSCP => Bit(Word::Extended1Edx, 27),
        // Privileged: what the SDM calls SYSCALL comes with long mode.
        F::SYSCALL => Model(f::SYSCALL),
        F::SEP => Model(f::SEP),
        _ => Never,
    }
}

impl Offer {
    /// Whether a model with `features` has it.
    pub fn by(self, features: &Features) -> bool {
        match self {
            Self::Always => true,
            Self::Model(feature) => features.has(feature),
            Self::Bit(word, bit) => features.word(word) >> bit & 1 != 0,
            Self::Never => false,
        }
    }

    /// Whether this CPU has it, and the host's kernel has enabled it.
    pub fn by_host(self) -> bool {
        match self {
            Self::Always | Self::Model(_) => cfg!(target_arch = "x86_64"),
            Self::Bit(word, bit) => host::word(word) >> bit & 1 != 0,
            Self::Never => false,
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod host {
    use super::Word;
    use std::arch::x86_64::__cpuid_count;

    const FMA_AVX_F16C: u32 = 1 << 12 | 1 << 28 | 1 << 29;

    pub fn word(word: Word) -> u32 {
        let (leaf, subleaf) = match word {
            Word::Leaf1Ecx | Word::Leaf1Edx => (1, 0),
            Word::Leaf6Eax => (6, 0),
            Word::Leaf7Ebx | Word::Leaf7Ecx | Word::Leaf7Edx => (7, 0),
            Word::Extended1Ecx | Word::Extended1Edx => (0x8000_0001, 0),
            Word::Extended7Edx => (0x8000_0007, 0),
            Word::Era => return u32::MAX,
        };
        let answer = __cpuid_count(leaf, subleaf);
        match word {
            Word::Leaf1Ecx if !std::arch::is_x86_feature_detected!("avx") => answer.ecx & !FMA_AVX_F16C,
            Word::Leaf7Ecx | Word::Leaf1Ecx | Word::Extended1Ecx => answer.ecx,
            Word::Leaf7Ebx => answer.ebx,
            Word::Leaf6Eax => answer.eax,
            Word::Leaf1Edx | Word::Leaf7Edx | Word::Extended1Edx | Word::Extended7Edx => answer.edx,
            Word::Era => u32::MAX,
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod host {
    pub fn word(_: super::Word) -> u32 {
        0
    }
}
