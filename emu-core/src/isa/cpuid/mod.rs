//! CPUID (Intel SDM Vol. 2A, "CPUID"): named models as a table, and what each leaf says of them.
//!
//! Left out: leaf 3 (serial number), leaf 0Ah (no performance counters), leaf 14h (no trace). The local APIC's
//! number is 0: there is one processor so far.

mod family;
pub mod feature;
mod model;

pub use family::{Need, executes, families, need};
pub use feature::{Feature, Features, Word};
pub use model::{DEFAULT, MODELS, Model, by_name, model};

use crate::mmu::PHYSICAL_BITS;

/// What CPUID tells that is not fixed by the model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live {
    /// CR4.OSXSAVE.
    pub osxsave: bool,
    /// IA32_APIC_BASE bit 11.
    pub apic_enabled: bool,
    /// Intel reports SYSCALL only to 64-bit code.
    pub long_code: bool,
    pub xcr0: u64,
}

/// EAX, EBX, ECX, EDX.
pub type Leaf = [u32; 4];

const VENDOR: &[u8; 12] = b"GenuineIntel";
const HYPERVISOR: &[u8; 12] = b"PosadaPosada";
/// What leaf 4000_0000h and its like answer when nobody is there.
const NOTHING: Leaf = [0; 4];

/// XSAVE area of the x87 and SSE state: 512 bytes of FXSAVE image and the 64-byte header.
pub const XSAVE_BYTES: u32 = 576;
/// The upper halves of the YMM registers; they follow the header, in the compacted form too.
pub const AVX_BYTES: u32 = 256;
/// State components by their bits in XCR0 (Intel SDM Vol. 1 13.1).
pub mod component {
    pub const X87: u64 = 1 << 0;
    pub const SSE: u64 = 1 << 1;
    pub const AVX: u64 = 1 << 2;
}
/// The core crystal runs at the TSC's own rate of 1 GHz, because the local APIC timer counts that crystal (Intel
/// SDM Vol. 3A 10.5.4) and ours counts 1 GHz.
const CRYSTAL_HERTZ: u32 = 1_000_000_000;
const MEGAHERTZ: u32 = 1_000;

fn dword(text: &[u8], n: usize) -> u32 {
    (0..4).rev().fold(0, |word, i| word << 8 | u32::from(text.get(4 * n + i).copied().unwrap_or(0)))
}

/// CPUID of `model` for EAX = `leaf` and ECX = `subleaf`.
pub fn cpuid(model: &Model, leaf: u32, subleaf: u32, live: Live) -> Leaf {
    match leaf {
        0x4000_0000.. if leaf < 0x5000_0000 && model.features.has(feature::HYPERVISOR) => hypervisor(leaf),
        0x8000_0000.. if leaf <= model.max_extended => extended(model, leaf, live),
        // Beyond the highest leaf, the data of the highest basic leaf (SDM, "INPUT EAX = ...").
        _ => basic(model, leaf.min(model.max_leaf), subleaf, live),
    }
}

fn hypervisor(leaf: u32) -> Leaf {
    if leaf != 0x4000_0000 {
        return NOTHING;
    }
    [0x4000_0000, dword(HYPERVISOR, 0), dword(HYPERVISOR, 1), dword(HYPERVISOR, 2)]
}

fn basic(model: &Model, leaf: u32, subleaf: u32, live: Live) -> Leaf {
    let features = &model.features;
    match leaf {
        0 => [model.max_leaf, dword(VENDOR, 0), dword(VENDOR, 2), dword(VENDOR, 1)],
        1 => identity(model, live),
        2 => cache_descriptors(model),
        4 => caches(subleaf),
        6 => [features.word(Word::Leaf6Eax), 0, 0, 0],
        7 if subleaf == 0 => {
            [0, features.word(Word::Leaf7Ebx), features.word(Word::Leaf7Ecx), features.word(Word::Leaf7Edx)]
        }
        0xB => topology(subleaf),
        0xD if features.has(feature::XSAVE) => extended_state(model, subleaf, live),
        // TSC = crystal x EBX / EAX.
        0x15 => [1, 1, CRYSTAL_HERTZ, 0],
        0x16 => [MEGAHERTZ, MEGAHERTZ, 100, 0],
        _ => NOTHING,
    }
}

/// Leaf 1: signature, CLFLUSH line in EBX bits 8-15 (in 8-byte units), features.
fn identity(model: &Model, live: Live) -> Leaf {
    let mut ecx = model.features.word(Word::Leaf1Ecx);
    let mut edx = model.features.word(Word::Leaf1Edx);
    if live.osxsave {
        ecx |= feature::OSXSAVE.mask();
    }
    if !live.apic_enabled {
        edx &= !(feature::APIC.mask());
    }
    let line = if model.features.has(feature::CLFSH) { 8 << 8 | 1 << 16 } else { 0 };
    [model.signature, line, ecx, edx]
}

/// Leaf 2 (SDM table 3-12): 01h, 03h TLBs of 4 KiB pages; 0Ah, 06h first-level caches; 43h second level; FFh says
/// that leaf 4 knows.
fn cache_descriptors(model: &Model) -> Leaf {
    let descriptors = if model.max_leaf >= 4 { 0x00FF_0301 } else { 0x0A06_4301 };
    [0x0300_0001 | (descriptors & 0x00FF_FF00), 0, 0, descriptors]
}

/// Leaf 4: type and level, ways and line, sets.
fn caches(subleaf: u32) -> Leaf {
    let cache = |kind: u32, level: u32, ways: u32, sets: u32| {
        [kind | level << 5 | 1 << 8, (ways - 1) << 22 | 63, sets - 1, 0]
    };
    match subleaf {
        0 => cache(1, 1, 8, 64),
        1 => cache(2, 1, 8, 64),
        2 => cache(3, 2, 16, 1024),
        _ => NOTHING,
    }
}

/// Leaf 0Bh: one thread, one core, x2APIC ID 0.
fn topology(subleaf: u32) -> Leaf {
    match subleaf {
        0 => [0, 1, 1 << 8, 0],
        1 => [0, 1, 2 << 8 | 1, 0],
        _ => [0, 0, subleaf & 0xFF, 0],
    }
}

/// State components that XCR0 may enable.
pub fn xcr0_mask(features: &Features) -> u64 {
    component::X87 | component::SSE | if features.has(feature::AVX) { component::AVX } else { 0 }
}

/// Size of an XSAVE area for `components`: x87 and SSE need no more than the legacy area and the header.
fn area_bytes(components: u64) -> u32 {
    XSAVE_BYTES + if components & component::AVX != 0 { AVX_BYTES } else { 0 }
}

/// Leaf 0Dh.
fn extended_state(model: &Model, subleaf: u32, live: Live) -> Leaf {
    let features = &model.features;
    let mask = xcr0_mask(features);
    match subleaf {
        0 => [mask as u32, area_bytes(live.xcr0), area_bytes(mask), 0],
        1 if features.has(feature::XSAVEC) => [features.word(Word::LeafDEax), area_bytes(live.xcr0), 0, 0],
        1 => [features.word(Word::LeafDEax), 0, 0, 0],
        2 if mask & component::AVX != 0 => [AVX_BYTES, XSAVE_BYTES, 0, 0],
        _ => NOTHING,
    }
}

fn extended(model: &Model, leaf: u32, live: Live) -> Leaf {
    let features = &model.features;
    match leaf {
        0x8000_0000 => [model.max_extended, 0, 0, 0],
        0x8000_0001 => {
            let mut edx = features.word(Word::Extended1Edx);
            if !live.long_code {
                edx &= !feature::SYSCALL.mask();
            }
            [0, 0, features.word(Word::Extended1Ecx), edx]
        }
        0x8000_0002..=0x8000_0004 => brand((leaf - 0x8000_0002) as usize, model),
        // 1 MiB second-level cache, 16 ways (code 8), 64-byte lines.
        0x8000_0006 => [0, 0, 1024 << 16 | 8 << 12 | 64, 0],
        0x8000_0007 => [0, 0, 0, features.word(Word::Extended7Edx)],
        0x8000_0008 => [PHYSICAL_BITS | 48 << 8, 0, 0, 0],
        _ => NOTHING,
    }
}

fn brand(part: usize, model: &Model) -> Leaf {
    let mut text = [0u8; 48];
    let words = [b"Posada virtual CPU (".as_slice(), model.name.as_bytes(), b")".as_slice()];
    for (to, from) in text.iter_mut().take(47).zip(words.into_iter().flatten()) {
        *to = *from;
    }
    [0, 1, 2, 3].map(|n| dword(&text, 4 * part + n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_models() {
        for (index, model) in MODELS.iter().enumerate() {
            assert_eq!(by_name(model.name), Some(index as u8));
        }
        assert_eq!(MODELS[DEFAULT as usize].name, "x86-64-v2");
        assert_eq!(by_name("z80"), None);
    }

    #[test]
    fn each_model_has_what_the_one_before_it_has() {
        let mut models = MODELS;
        models[8..].reverse(); // x86-64-v3 came after max
        for pair in models.windows(2) {
            for word in [Word::Leaf1Ecx, Word::Leaf1Edx, Word::Leaf7Ebx, Word::Extended1Edx, Word::Era] {
                assert_eq!(pair[0].features.word(word) & !pair[1].features.word(word), 0, "{}", pair[1].name);
            }
        }
    }

    #[test]
    fn vendor_and_brand_read_as_text() {
        let model = &MODELS[DEFAULT as usize];
        let text = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
        let [_, b, c, d] = cpuid(model, 0, 0, Live::default());
        assert_eq!(text(&[b, d, c]), VENDOR);
        let brand: Vec<u8> = (0x8000_0002..=0x8000_0004)
            .flat_map(|leaf| text(&cpuid(model, leaf, 0, Live::default())))
            .collect();
        assert!(brand.starts_with(b"Posada virtual CPU (x86-64-v2)\0"));
    }

    #[test]
    fn beyond_the_last_leaf_is_the_last_basic_leaf() {
        let model = &MODELS[DEFAULT as usize];
        let last = cpuid(model, model.max_leaf, 0, Live::default());
        assert_eq!(cpuid(model, 0x7FFF_FFFF, 0, Live::default()), last);
        assert_eq!(cpuid(model, 0x8000_1000, 0, Live::default()), last);
    }

    #[test]
    fn the_xsave_area_grows_with_avx() {
        let leaf = |name, subleaf, xcr0| {
            let model = model(by_name(name).expect("a model of the table"));
            cpuid(model, 0xD, subleaf, Live { xcr0, ..Live::default() })
        };
        assert_eq!(leaf("x86-64-v2", 0, 3), [3, 576, 576, 0]);
        assert_eq!(leaf("x86-64-v2", 2, 3), NOTHING);
        assert_eq!(leaf("x86-64-v3", 0, 3), [7, 576, 832, 0]);
        assert_eq!(leaf("x86-64-v3", 0, 7), [7, 832, 832, 0]);
        assert_eq!(leaf("x86-64-v3", 1, 7), [1, 0, 0, 0]);
        assert_eq!(leaf("max", 1, 7), [7, 832, 0, 0]);
        assert_eq!(leaf("max", 2, 7), [256, 576, 0, 0]);
        assert_eq!(leaf("max", 3, 7), NOTHING);
    }

    #[test]
    fn the_apic_bit_follows_the_apic() {
        let model = &MODELS[DEFAULT as usize];
        let with = |apic_enabled| cpuid(model, 1, 0, Live { apic_enabled, ..Live::default() })[3];
        assert_eq!(with(true) ^ with(false), feature::APIC.mask());
    }
}
