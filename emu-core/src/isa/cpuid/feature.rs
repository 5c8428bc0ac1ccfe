//! Features by their CPUID bits (Intel SDM Vol. 2A, "CPUID", tables 3-10, 3-11 and 3-8;
//! "INPUT EAX = 07H", "INPUT EAX = 0DH").

/// A register of a leaf that holds feature bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Word {
    Leaf1Ecx,
    Leaf1Edx,
    Leaf6Eax,
    Leaf7Ebx,
    Leaf7Ecx,
    Leaf7Edx,
    /// Of subleaf 1.
    LeafDEax,
    Extended1Ecx,
    Extended1Edx,
    Extended7Edx,
    /// Ours: what the oldest parts lack and no CPUID bit tells.
    Era,
}

const WORDS: usize = Word::Era as usize + 1;

/// One feature: a bit of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    word: Word,
    mask: u32,
}

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $word:ident $bit:literal;)*) => {
        $($(#[$doc])* pub const $name: Feature = Feature { word: Word::$word, mask: 1 << $bit };)*
    };
}

features! {
    SSE3 = Leaf1Ecx 0;
    PCLMULQDQ = Leaf1Ecx 1;
    MONITOR = Leaf1Ecx 3;
    SSSE3 = Leaf1Ecx 9;
    FMA = Leaf1Ecx 12;
    CX16 = Leaf1Ecx 13;
    PCID = Leaf1Ecx 17;
    SSE4_1 = Leaf1Ecx 19;
    SSE4_2 = Leaf1Ecx 20;
    X2APIC = Leaf1Ecx 21;
    MOVBE = Leaf1Ecx 22;
    POPCNT = Leaf1Ecx 23;
    TSC_DEADLINE = Leaf1Ecx 24;
    AES = Leaf1Ecx 25;
    XSAVE = Leaf1Ecx 26;
    OSXSAVE = Leaf1Ecx 27;
    AVX = Leaf1Ecx 28;
    F16C = Leaf1Ecx 29;
    RDRAND = Leaf1Ecx 30;
    HYPERVISOR = Leaf1Ecx 31;

    FPU = Leaf1Edx 0;
    VME = Leaf1Edx 1;
    DE = Leaf1Edx 2;
    PSE = Leaf1Edx 3;
    TSC = Leaf1Edx 4;
    MSR = Leaf1Edx 5;
    PAE = Leaf1Edx 6;
    MCE = Leaf1Edx 7;
    CX8 = Leaf1Edx 8;
    APIC = Leaf1Edx 9;
    SEP = Leaf1Edx 11;
    MTRR = Leaf1Edx 12;
    PGE = Leaf1Edx 13;
    MCA = Leaf1Edx 14;
    CMOV = Leaf1Edx 15;
    PAT = Leaf1Edx 16;
    PSE36 = Leaf1Edx 17;
    CLFSH = Leaf1Edx 19;
    MMX = Leaf1Edx 23;
    FXSR = Leaf1Edx 24;
    SSE = Leaf1Edx 25;
    SSE2 = Leaf1Edx 26;

    ARAT = Leaf6Eax 2;

    FSGSBASE = Leaf7Ebx 0;
    TSC_ADJUST = Leaf7Ebx 1;
    BMI1 = Leaf7Ebx 3;
    AVX2 = Leaf7Ebx 5;
    SMEP = Leaf7Ebx 7;
    BMI2 = Leaf7Ebx 8;
    ERMS = Leaf7Ebx 9;
    INVPCID = Leaf7Ebx 10;
    RDSEED = Leaf7Ebx 18;
    ADX = Leaf7Ebx 19;
    SMAP = Leaf7Ebx 20;
    CLFLUSHOPT = Leaf7Ebx 23;
    CLWB = Leaf7Ebx 24;
    SHA = Leaf7Ebx 29;
    UMIP = Leaf7Ecx 2;
    VAES = Leaf7Ecx 9;
    VPCLMULQDQ = Leaf7Ecx 10;
    RDPID = Leaf7Ecx 22;
    FSRM = Leaf7Edx 4;
    SPEC_CTRL = Leaf7Edx 26;
    STIBP = Leaf7Edx 27;
    ARCH_CAPABILITIES = Leaf7Edx 29;

    XSAVEOPT = LeafDEax 0;
    XSAVEC = LeafDEax 1;
    /// XGETBV with ECX = 1.
    XGETBV_IN_USE = LeafDEax 2;

    LAHF_LM = Extended1Ecx 0;
    LZCNT = Extended1Ecx 5;
    PREFETCHW = Extended1Ecx 8;
    SYSCALL = Extended1Edx 11;
    NX = Extended1Edx 20;
    GIB_PAGES = Extended1Edx 26;
    RDTSCP = Extended1Edx 27;
    LM = Extended1Edx 29;
    INVARIANT_TSC = Extended7Edx 8;

    /// The CPUID instruction, and RFLAGS.ID with it.
    CPUID = Era 0;
    /// CR0.WP, AM, NE, CD, NW; RFLAGS.AC; INVLPG, INVD, WBINVD.
    I486 = Era 1;
    /// RDPMC and CR4.PCE.
    PMC = Era 2;
}

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features([u32; WORDS]);

impl Features {
    pub const NONE: Self = Self([0; WORDS]);

    /// This set and more.
    pub const fn with(mut self, more: &[Feature]) -> Self {
        let mut n = 0;
        while n < more.len() {
            self.0[more[n].word as usize] |= more[n].mask;
            n += 1;
        }
        self
    }

    pub const fn has(&self, feature: Feature) -> bool {
        self.0[feature.word as usize] & feature.mask != 0
    }

    /// The bits of one CPUID register.
    pub const fn word(&self, word: Word) -> u32 {
        self.0[word as usize]
    }
}

impl Feature {
    /// The register it is in.
    pub const fn word(self) -> Word {
        self.word
    }

    /// Its bit in its CPUID register.
    pub const fn mask(self) -> u32 {
        self.mask
    }
}
