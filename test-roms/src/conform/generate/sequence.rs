//! Sequences of instructions that have something to do with each other: flags and their consumers, parts of registers
//! and the whole, the x87 stack and MMX, sticky bits, lower and upper halves of vector registers.

use super::encode::{self, Encoded};
use super::operand::{Pool, Site};
use super::{Case, finish};
use crate::conform::family::Family;
use crate::conform::form::{Form, forms};
use crate::conform::program::CodeSize;
use crate::conform::values::Rng;
use emu_core::isa::cpuid;
use iced_x86::{Code, FlowControl, Mnemonic, OpCodeOperandKind};
use std::sync::LazyLock;

/// The most instructions of a sequence.
const MOST: u64 = 8;
/// The most bytes: instructions of 15.
const ROOM: u64 = 120;

/// Families that a sequence draws from, and how often.
type Theme = &'static [(Family, u64)];

const GENERAL: Theme = &[
    (Family::Arithmetic, 12),
    (Family::Logic, 6),
    (Family::Shift, 10),
    (Family::Bits, 6),
    (Family::MulDiv, 4),
    (Family::Decimal, 3),
    (Family::Transfer, 8),
    (Family::Atomic, 4),
    (Family::Stack, 6),
    (Family::Flags, 16),
    (Family::String, 3),
    (Family::Branch, 6),
    (Family::Bmi, 3),
    (Family::Adx, 2),
];

const FLOATING: Theme = &[
    (Family::X87Arithmetic, 12),
    (Family::X87Transcendental, 1),
    (Family::X87Transfer, 14),
    (Family::X87Control, 5),
    (Family::Mmx, 6),
    (Family::Flags, 3),
    (Family::Branch, 2),
];

const VECTOR: Theme = &[
    (Family::Mmx, 2),
    (Family::Sse, 8),
    (Family::Sse2, 10),
    (Family::Sse3, 3),
    (Family::Sse4, 4),
    (Family::Crypto, 2),
    (Family::Avx, 10),
    (Family::Avx2, 8),
    (Family::Fma, 3),
    (Family::F16c, 1),
    (Family::Save, 2),
    (Family::Flags, 3),
    (Family::Branch, 2),
];

const THEMES: [Theme; 5] = [GENERAL, GENERAL, GENERAL, FLOATING, VECTOR];

/// The forms that sequences are made of, by code size and family.
static CANDIDATES: LazyLock<Vec<Vec<Vec<usize>>>> = LazyLock::new(|| {
    let by_family = |size: CodeSize| {
        let of = |family: Family| {
            let fits = |form: &Form| form.size == size && form.family == family && candidate(form);
            (0..forms().len()).filter(|&n| fits(&forms()[n])).collect()
        };
        Family::ALL.iter().map(|&family| of(family)).collect()
    };
    CodeSize::ALL.map(by_family).into()
});

fn candidate(form: &Form) -> bool {
    let model = cpuid::model(cpuid::by_name("max").unwrap_or(cpuid::DEFAULT));
    form.testable() && form.host_offers() && form.engine_offers(&model.features) && bounded(form)
}

/// Whether what it does is its inputs' doing alone, and leaves the pointers of the sequence as they are.
fn bounded(form: &Form) -> bool {
    use Mnemonic::*;
    let info = form.info();
    let scattered = info.op_kinds().iter().any(|kind| {
        use OpCodeOperandKind::*;
        matches!(kind, mem_vsib32x | mem_vsib32y | mem_vsib64x | mem_vsib64y | mem_offs)
    });
    let changes_pointers = matches!(form.code.mnemonic(), Popa | Popad | Enter | Leave | Xlatb);
    let loads_state = matches!(
        form.code.mnemonic(),
        Fldenv | Frstor | Fxrstor | Fxrstor64 | Xrstor | Xrstor64 | Ldmxcsr | Vldmxcsr
    );
    let image = matches!(form.family, Family::Save) && !matches!(form.code.mnemonic(), Stmxcsr | Vstmxcsr);
    let control = form.code.flow_control() != FlowControl::Next && !short(form.code);
    !(info.is_privileged()
        || scattered
        || changes_pointers
        || loads_state
        || image
        || control
        || form.varies())
}

/// A conditional branch with a displacement of one byte, its last.
fn short(code: Code) -> bool {
    use OpCodeOperandKind::{br16_1, br32_1, br64_1};
    matches!(code.op_code().op0_kind(), br16_1 | br32_1 | br64_1)
}

fn choose(size: CodeSize, theme: Theme, rng: &mut Rng) -> Option<usize> {
    let mut left = rng.below(theme.iter().map(|(_, weight)| weight).sum());
    for &(family, weight) in theme {
        if left < weight {
            let order = CodeSize::ALL.iter().position(|&s| s == size)?;
            let all = CANDIDATES.get(order)?.get(family as usize)?;
            return (!all.is_empty()).then(|| rng.pick(all));
        }
        left -= weight;
    }
    None
}

/// Two to eight instructions in code of `size`.
pub fn sequence(size: CodeSize, rng: &mut Rng) -> Case {
    let length = 2 + rng.below(MOST - 1);
    let theme = rng.pick(&THEMES);
    let offset = encode::start(ROOM, rng);
    let (mut parts, mut chosen) = (Vec::new(), Vec::new());
    let mut at = encode::address(offset);
    while (parts.len() as u64) < length {
        let site = Site { size, at, pool: Pool::Split };
        let Some(form) = choose(size, theme, rng) else { continue };
        if let Some(encoded) = encode::encode(&forms()[form], &site, rng) {
            at += encoded.bytes.len() as u64;
            parts.push(encoded);
            chosen.push(form);
        }
    }
    aim_branches(&mut parts, size, rng);
    finish(size, offset, &parts, chosen, rng)
}

/// Lets every branch lead to the start of a later instruction, or past the last.
fn aim_branches(parts: &mut [Encoded], size: CodeSize, rng: &mut Rng) {
    for n in 0..parts.len() {
        if !short(parts[n].instruction.code()) {
            continue;
        }
        let over = rng.below((parts.len() - n) as u64) as usize;
        let distance: usize = parts[n + 1..n + 1 + over].iter().map(|part| part.bytes.len()).sum();
        parts[n].aim(distance as u8, size);
    }
}
