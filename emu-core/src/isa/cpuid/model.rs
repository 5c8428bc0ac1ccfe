//! The named CPU models.
//!
//! Signatures are those of parts that existed, so that operating systems apply the right (few) quirks. A model
//! offers no more than this engine implements: no AVX-512, no MWAIT, no performance counters, no machine-check banks.

use super::feature::{self as f, Features};

/// A CPU as a guest sees it.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// What `--cpu` calls it.
    pub name: &'static str,
    pub description: &'static str,
    /// CPUID.1:EAX, and EDX after reset: family, model, stepping.
    pub signature: u32,
    pub features: Features,
    /// The highest basic CPUID leaf.
    pub max_leaf: u32,
    /// The highest extended CPUID leaf, 0 if there are none.
    pub max_extended: u32,
}

const I386: Features = Features::NONE.with(&[f::FPU]);
const I486: Features = I386.with(&[f::I486]);
const PENTIUM: Features =
    I486.with(&[f::CPUID, f::VME, f::DE, f::PSE, f::TSC, f::MSR, f::MCE, f::CX8, f::APIC]);
const PENTIUM_MMX: Features = PENTIUM.with(&[f::MMX, f::PMC]);
const PENTIUM2: Features =
    PENTIUM_MMX.with(&[f::PAE, f::SEP, f::MTRR, f::PGE, f::MCA, f::CMOV, f::PAT, f::PSE36, f::FXSR]);
const PENTIUM3: Features = PENTIUM2.with(&[f::SSE]);
const X86_64: Features = PENTIUM3.with(&[
    f::CLFSH,
    f::SSE2,
    f::SSE3,
    f::SSSE3,
    f::CX16,
    f::LAHF_LM,
    f::SYSCALL,
    f::NX,
    f::LM,
    f::INVARIANT_TSC,
    f::PREFETCHW,
    f::HYPERVISOR,
]);
const X86_64_V2: Features = X86_64.with(&[
    f::SSE4_1,
    f::SSE4_2,
    f::POPCNT,
    f::PCLMULQDQ,
    f::AES,
    f::MOVBE,
    f::PCID,
    f::X2APIC,
    f::TSC_DEADLINE,
    f::XSAVE,
    f::RDRAND,
    f::ARAT,
    f::FSGSBASE,
    f::TSC_ADJUST,
    f::SMEP,
    f::ERMS,
    f::INVPCID,
    f::RDSEED,
    f::SMAP,
    f::UMIP,
    f::FSRM,
    f::SPEC_CTRL,
    f::STIBP,
    f::ARCH_CAPABILITIES,
    f::GIB_PAGES,
    f::RDTSCP,
]);
const X86_64_V3: Features =
    X86_64_V2.with(&[f::AVX, f::AVX2, f::FMA, f::F16C, f::BMI1, f::BMI2, f::LZCNT, f::XSAVEOPT]);
const MAX: Features = X86_64_V3.with(&[
    f::CLFLUSHOPT,
    f::CLWB,
    f::RDPID,
    f::ADX,
    f::SHA,
    f::VAES,
    f::VPCLMULQDQ,
    f::XSAVEC,
    f::XGETBV_IN_USE,
]);

/// All models, in the order in which they came. The index is what `VcpuState::model` holds: rows are only ever appended.
pub const MODELS: [Model; 10] = [
    Model {
        name: "386",
        description: "Intel386 DX with an Intel387",
        signature: 0x0308,
        features: I386,
        max_leaf: 0,
        max_extended: 0,
    },
    Model {
        name: "486",
        description: "Intel486 DX2, without CPUID",
        signature: 0x0433,
        features: I486,
        max_leaf: 0,
        max_extended: 0,
    },
    Model {
        name: "pentium",
        description: "Pentium (P54C)",
        signature: 0x052C,
        features: PENTIUM,
        max_leaf: 1,
        max_extended: 0,
    },
    Model {
        name: "pentium-mmx",
        description: "Pentium with MMX (P55C)",
        signature: 0x0543,
        features: PENTIUM_MMX,
        max_leaf: 1,
        max_extended: 0,
    },
    Model {
        name: "pentium2",
        description: "Pentium II (Deschutes)",
        signature: 0x0652,
        features: PENTIUM2,
        max_leaf: 2,
        max_extended: 0,
    },
    Model {
        name: "pentium3",
        description: "Pentium III (Coppermine)",
        signature: 0x068A,
        features: PENTIUM3,
        max_leaf: 2,
        max_extended: 0,
    },
    Model {
        name: "x86-64",
        description: "64-bit, as the Core 2 (Merom): SSE3, SSSE3, CMPXCHG16B",
        signature: 0x0000_06FB,
        features: X86_64,
        max_leaf: 4,
        max_extended: 0x8000_0008,
    },
    Model {
        name: "x86-64-v2",
        description: "x86-64-v2 as the Atom Goldmont Plus: SSE4.2, POPCNT, AES, PCID, SMEP, SMAP",
        signature: 0x0007_06A8,
        features: X86_64_V2,
        max_leaf: 0x16,
        max_extended: 0x8000_0008,
    },
    Model {
        name: "max",
        description: "everything this engine implements",
        signature: 0x0007_06A8,
        features: MAX,
        max_leaf: 0x16,
        max_extended: 0x8000_0008,
    },
    Model {
        name: "x86-64-v3",
        description: "x86-64-v3 as the Core of 2013 (Haswell): AVX2, FMA, F16C, BMI1, BMI2, LZCNT",
        signature: 0x0003_06C3,
        features: X86_64_V3,
        max_leaf: 0x16,
        max_extended: 0x8000_0008,
    },
];

/// The model a machine has unless told otherwise: `x86-64-v2`.
pub const DEFAULT: u8 = 7;

/// The index of a model by its name.
pub fn by_name(name: &str) -> Option<u8> {
    (0u8..).zip(&MODELS).find(|(_, model)| model.name == name).map(|(index, _)| index)
}

/// The model with this index; one that this build does not know counts as the default.
pub fn model(index: u8) -> &'static Model {
    const TABLE: &[Model; 10] = &MODELS;
    TABLE.get(usize::from(index)).unwrap_or(&TABLE[DEFAULT as usize])
}
