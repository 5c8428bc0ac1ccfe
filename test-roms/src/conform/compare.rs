//! Where two runs differ, and whether that counts.

use super::layout::{DATA, STACK, selector};
use super::program::CodeSize;
use super::state::{End, Outcome};
use emu_core::vcpu::rflags;
use serde::{Deserialize, Serialize};

/// A part of the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// Through, or which exception with what error code.
    End,
    Rip,
    Cr2,
    /// By number.
    General(u8),
    /// Bits of RFLAGS.
    Flags(u64),
    Selector(u8),
    FsBase,
    GsBase,
    X87Control,
    X87Status,
    X87Tags,
    X87Pointers,
    /// Physical register.
    X87(u8),
    Mxcsr,
    Xmm(u8),
    YmmHigh(u8),
    /// The eight bytes at a linear address.
    Memory(u64),
}

/// One field in which an engine differs from silicon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub field: Field,
    pub expected: u128,
    pub got: u128,
}

/// What the comparison leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loose {
    /// Bits of RFLAGS.
    pub flags: u64,
    /// General registers, one bit each.
    pub general: u16,
    /// XMM registers with their upper halves, one bit each.
    pub vector: u16,
    /// All of memory.
    pub memory: bool,
    /// Of an FXSAVE image at this linear address: x87 pointers and MXCSR_MASK.
    pub image_at: Option<u64>,
    /// Bits of the x87 status word.
    pub x87_status: u16,
    /// Where both end in a fault of memory, which one and what it left.
    pub which_fault: bool,
    /// Where silicon ends in a fault of memory, whether.
    pub whether_fault: bool,
    /// How the program ended, and everything else.
    pub everything: bool,
}

impl Loose {
    /// Nothing is compared.
    pub const EVERYTHING: Self = Self {
        flags: u64::MAX,
        general: u16::MAX,
        vector: u16::MAX,
        memory: true,
        image_at: None,
        x87_status: u16::MAX,
        which_fault: true,
        whether_fault: true,
        everything: true,
    };

    /// Whether anything of this outcome is left out.
    pub fn concerns(&self, expected: &Outcome) -> bool {
        let faults = Self { which_fault: false, whether_fault: false, ..*self };
        faults != Self::default() || memory_fault(&expected.end)
    }

    /// Nothing of these two outcomes is compared.
    pub fn covers(&self, expected: &Outcome, got: &Outcome) -> bool {
        // A bit of MXCSR that Intel's parts reserve: who has it has another SSE.
        let other_sse = expected.registers.mxcsr & MM != 0;
        let (a, b) = (memory_fault(&expected.end), memory_fault(&got.end));
        let faults = (self.which_fault && a && b) || (self.whether_fault && a);
        self.everything || other_sse || faults || expected.end == End::Endless
    }
}

/// MXCSR.MM, "misaligned exception mask" (AMD64 APM Vol. 1, "MXCSR Register").
const MM: u32 = 1 << 17;

/// #SS, #GP, #PF or #AC.
fn memory_fault(end: &End) -> bool {
    matches!(end, End::Exception { vector: 12 | 13 | 14 | 17, .. })
}

const GENERAL: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];
const SELECTORS: [&str; 6] = ["es", "cs", "ss", "ds", "fs", "gs"];
const FLAGS: [(u64, &str); 11] = [
    (rflags::CF, "CF"),
    (rflags::PF, "PF"),
    (rflags::AF, "AF"),
    (rflags::ZF, "ZF"),
    (rflags::SF, "SF"),
    (rflags::TF, "TF"),
    (rflags::DF, "DF"),
    (rflags::OF, "OF"),
    (rflags::NT, "NT"),
    (rflags::AC, "AC"),
    (rflags::ID, "ID"),
];

/// The flags that user mode can change. RF is what Linux makes of it.
fn compared_flags() -> u64 {
    FLAGS.iter().fold(0, |all, (bit, _)| all | bit)
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::End => f.write_str("the end (through = 0, or vector + 1 and error code)"),
            Self::Rip => f.write_str("rip of the exception"),
            Self::Cr2 => f.write_str("cr2"),
            Self::General(n) => f.write_str(GENERAL[usize::from(n & 15)]),
            Self::Flags(bits) => {
                let names = FLAGS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name);
                write!(f, "flags {}", names.collect::<Vec<_>>().join(" "))
            }
            Self::Selector(n) => f.write_str(SELECTORS[usize::from(n) % 6]),
            Self::FsBase => f.write_str("fs base"),
            Self::GsBase => f.write_str("gs base"),
            Self::X87Control => f.write_str("x87 control word"),
            Self::X87Status => f.write_str("x87 status word"),
            Self::X87Tags => f.write_str("x87 empty registers"),
            Self::X87Pointers => f.write_str("x87 instruction and data pointers"),
            Self::X87(n) => write!(f, "x87 physical register {n}"),
            Self::Mxcsr => f.write_str("mxcsr"),
            Self::Xmm(n) => write!(f, "xmm{n}"),
            Self::YmmHigh(n) => write!(f, "upper half of ymm{n}"),
            Self::Memory(at) => write!(f, "memory at {at:#x}"),
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: expected {:#x}, got {:#x}", self.field, self.expected, self.got)
    }
}

/// Collects differences.
struct Differences(Vec<Difference>);

impl Differences {
    fn field(&mut self, field: Field, expected: impl Into<u128>, got: impl Into<u128>) {
        let (expected, got) = (expected.into(), got.into());
        if expected != got {
            self.0.push(Difference { field, expected, got });
        }
    }
}

/// What of the machine code of one size can see.
struct Scope {
    registers: usize,
    general: u64,
    long: bool,
}

impl Scope {
    fn of(size: CodeSize) -> Self {
        match size {
            CodeSize::Bits64 => Self { registers: 16, general: u64::MAX, long: true },
            _ => Self { registers: 8, general: 0xFFFF_FFFF, long: false },
        }
    }
}

/// All differences between two outcomes that `loose` does not allow, memory apart.
pub fn outcomes(size: CodeSize, expected: &Outcome, got: &Outcome, loose: &Loose) -> Vec<Difference> {
    let mut found = Differences(Vec::new());
    if expected == got {
        return found.0;
    }
    // Outside of 64-bit code upper halves are not to be seen, also where the program has gone there.
    let long = expected.selectors[1] == selector::CODE_64;
    let scope = Scope::of(if long { size } else { size.min(CodeSize::Bits32) });
    ends(&expected.end, &got.end, &mut found);
    let (a, b) = (&expected.registers, &got.registers);
    for n in (0..scope.registers).filter(|n| loose.general >> n & 1 == 0) {
        found.field(Field::General(n as u8), a.gpr[n] & scope.general, b.gpr[n] & scope.general);
    }
    let flags = (a.rflags ^ b.rflags) & compared_flags() & !loose.flags;
    found.field(Field::Flags(flags), a.rflags & flags, b.rflags & flags);
    for n in 0..6 {
        found.field(Field::Selector(n as u8), plain(expected.selectors[n]), plain(got.selectors[n]));
    }
    if scope.long {
        found.field(Field::FsBase, a.fs_base, b.fs_base);
        found.field(Field::GsBase, a.gs_base, b.gs_base);
    }
    x87(expected, got, &scope, loose, &mut found);
    found.field(Field::Mxcsr, a.mxcsr, b.mxcsr);
    for n in (0..scope.registers).filter(|n| loose.vector >> n & 1 == 0) {
        found.field(Field::Xmm(n as u8), a.xmm[n], b.xmm[n]);
        found.field(Field::YmmHigh(n as u8), a.ymm_high[n], b.ymm_high[n]);
    }
    found.0
}

/// The return from Linux to the program makes null selectors 1 to 3 into 0: their hidden DPL is 0 (Intel SDM Vol. 2A,
/// "IRET", RETURN-TO-OUTER-PRIVILEGE-LEVEL). So which of the four it was is not to be seen.
fn plain(selector: u16) -> u16 {
    if selector < 4 { 0 } else { selector }
}

fn ends(expected: &End, got: &End, found: &mut Differences) {
    let parts = |end: &End| match *end {
        End::Through => (0, 0, 0),
        End::Lost | End::Endless => (u128::MAX, 0, 0),
        End::Exception { vector, error, rip, cr2 } => {
            ((u128::from(vector) + 1) << 32 | u128::from(error), rip, cr2.unwrap_or(0))
        }
    };
    let (a, b) = (parts(expected), parts(got));
    found.field(Field::End, a.0, b.0);
    found.field(Field::Rip, a.1, b.1);
    found.field(Field::Cr2, a.2, b.2);
}

/// The x87 status word's ES. Without it AMD's parts save and restore the pointers as zeros (AMD64 APM Vol. 2, "x87
/// Error Pointers"), so that they cannot be seen through a signal.
const ERROR_SUMMARY: u16 = 1 << 7;

fn x87(expected: &Outcome, got: &Outcome, scope: &Scope, loose: &Loose, found: &mut Differences) {
    let (a, b) = (&expected.registers.x87, &got.registers.x87);
    found.field(Field::X87Control, a.control, b.control);
    found.field(Field::X87Status, a.status & !loose.x87_status, b.status & !loose.x87_status);
    found.field(Field::X87Tags, a.empty, b.empty);
    let pointers = |x: &emu_core::vcpu::X87| {
        u128::from(x.ip & scope.general) << 64 | u128::from(x.dp & scope.general) ^ u128::from(x.opcode) << 48
    };
    if a.status & ERROR_SUMMARY != 0 {
        found.field(Field::X87Pointers, pointers(a), pointers(b));
    }
    for n in 0..8 {
        let value = |x: &emu_core::vcpu::F80| u128::from(x.exponent) << 64 | u128::from(x.significand);
        found.field(Field::X87(n as u8), value(&a.r[n]), value(&b.r[n]));
    }
}

/// Bytes of an FXSAVE image that are another vendor's on another part: the opcode and the two pointers (zeros on AMD's
/// without a pending exception), MXCSR_MASK (one bit more on AMD's).
fn varies(offset: u64) -> bool {
    (6..24).contains(&offset) || (28..32).contains(&offset)
}

/// The differing words of two memory images, by address.
pub fn memories(expected: [&[u8]; 2], got: [&[u8]; 2], loose: &Loose) -> Vec<Difference> {
    let mut found = Differences(Vec::new());
    let pages = [DATA, STACK].into_iter().zip(expected.into_iter().zip(got));
    for (base, (a, b)) in pages.filter(|(_, (a, b))| a != b && !loose.memory) {
        for (n, (a, b)) in a.chunks_exact(8).zip(b.chunks_exact(8)).enumerate() {
            let at = base + 8 * n as u64;
            let compared =
                |byte: u64| !loose.image_at.is_some_and(|image| varies((at + byte).wrapping_sub(image)));
            let value = |bytes: &[u8]| {
                let bytes = (0u64..).zip(bytes).filter(|(n, _)| compared(*n));
                bytes.fold(0u64, |all, (n, byte)| all | u64::from(*byte) << (8 * n))
            };
            found.field(Field::Memory(at), value(a), value(b));
        }
    }
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::state::Registers;
    use emu_core::vcpu::X87;

    fn outcome() -> Outcome {
        let registers = Registers {
            gpr: [7; 16],
            rflags: 0x202,
            fs_base: 0,
            gs_base: 0,
            x87: X87::default(),
            mxcsr: 0x1F80,
            xmm: [0; 16],
            ymm_high: [0; 16],
        };
        Outcome { end: End::Through, registers, selectors: [0, selector::CODE_64, 0, 0, 0, 0] }
    }

    #[test]
    fn every_register_counts() {
        let mut changes: Vec<Outcome> = Vec::new();
        let mut change = |f: &dyn Fn(&mut Outcome)| {
            let mut changed = outcome();
            f(&mut changed);
            changes.push(changed);
        };
        change(&|o| o.end = End::Lost);
        change(&|o| o.end = End::Exception { vector: 14, error: 0, rip: 0, cr2: Some(1) });
        change(&|o| o.registers.gpr[15] = 0);
        change(&|o| o.registers.rflags ^= 1);
        change(&|o| o.registers.gs_base = 1);
        change(&|o| o.registers.x87.r[7].exponent = 1);
        change(&|o| o.registers.x87.status = 1);
        change(&|o| o.registers.mxcsr = 0);
        change(&|o| o.registers.xmm[3] = 1);
        change(&|o| o.registers.ymm_high[3] = 1);
        change(&|o| o.selectors[2] = 0x2B);
        for changed in changes {
            let found = outcomes(CodeSize::Bits64, &outcome(), &changed, &Loose::default());
            assert!(!found.is_empty(), "{changed:?}");
        }
    }

    #[test]
    fn what_is_loose_does_not() {
        let mut changed = outcome();
        changed.registers.rflags ^= rflags::OF;
        changed.registers.gpr[3] = 1;
        let loose = Loose { flags: rflags::OF, general: 1 << 3, ..Loose::default() };
        assert_eq!(outcomes(CodeSize::Bits64, &outcome(), &changed, &loose), []);
    }
}
