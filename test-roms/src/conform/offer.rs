//! Whether the host executes the instructions of a family.

use emu_core::isa::cpuid::{self, Need, Word};
use iced_x86::CpuidFeature;

/// Whether the host's CPU has it, and the host's kernel has enabled it.
pub fn by_host(family: CpuidFeature) -> bool {
    match cpuid::need(family) {
        Need::Nothing => cfg!(target_arch = "x86_64"),
        Need::Feature(feature) => host::word(feature.word()) & feature.mask() != 0,
        Need::Unknown => false,
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
            Word::LeafDEax => (0xD, 1),
            Word::Extended1Ecx | Word::Extended1Edx => (0x8000_0001, 0),
            Word::Extended7Edx => (0x8000_0007, 0),
            Word::Era => return u32::MAX,
        };
        let answer = __cpuid_count(leaf, subleaf);
        match word {
            Word::Leaf1Ecx if !std::arch::is_x86_feature_detected!("avx") => answer.ecx & !FMA_AVX_F16C,
            Word::Leaf7Ecx | Word::Leaf1Ecx | Word::Extended1Ecx => answer.ecx,
            Word::Leaf7Ebx => answer.ebx,
            Word::Leaf6Eax | Word::LeafDEax => answer.eax,
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
