//! Any instruction there is, but for those that end a run or make it depend on the moment.

use super::Program;
use emu_core::isa::cpuid::{executes, model};
use iced_x86::{Instruction, Mnemonic, OpKind};

/// The CPU model of programs of [`super::Kind::Any`].
pub fn richest() -> u8 {
    emu_core::isa::cpuid::by_name("max").expect("a model that has everything")
}

/// Bytes that may be an instruction of any opcode map.
pub fn draft(program: &mut Program<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for prefix in [0x66, 0xF2, 0xF3, 0xF0, 0x36, 0x64, 0x67] {
        if program.numbers.one_in(9) {
            bytes.push(prefix);
        }
    }
    let memory = program.numbers.one_in(2);
    let numbers = &mut program.numbers;
    let opcode = numbers.next() as u8;
    let rex = 0x40 | numbers.below(16) as u8 & if memory { !3 } else { !0 };
    match numbers.below(9) {
        0 | 1 => bytes.extend([rex, opcode]),
        2..5 => bytes.extend([rex, 0x0F, opcode]),
        5 => bytes.extend([rex, 0x0F, 0x38, opcode]),
        6 => bytes.extend([rex, 0x0F, 0x3A, opcode]),
        // VEX prefixes, with bits of REX inverted (Intel SDM Vol. 2A 2.3.5).
        7 => bytes.extend([0xC5, 0x80 | numbers.next() as u8, opcode]),
        _ => {
            let (map, rest) = (1 + numbers.below(3) as u8, numbers.next() as u8);
            bytes.extend([0xC4, 0xE0 | map, rest, opcode]);
        }
    }
    if program.bits != 64 {
        bytes.retain(|byte| *byte != rex);
    }
    program.operands(&mut bytes, memory);
    bytes
}

/// Nothing says where faults go, and segments have no table.
pub fn is_unfit(i: &Instruction) -> bool {
    use Mnemonic::*;
    let segment =
        (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Register && i.op_register(n).is_segment_register());
    segment
        || i.is_privileged()
        || !executes(&model(richest()).features, i.code())
        || matches!(i.mnemonic(), Lds | Les | Lfs | Lgs | Lss | Rdrand | Rdseed | Rdpmc | Monitor | Mwait)
}

/// May fault for what its operands are.
pub fn may_end_the_run(i: &Instruction) -> bool {
    use Mnemonic::*;
    let aligned = i.memory_size().size() >= 16;
    let divides = matches!(i.mnemonic(), Div | Idiv | Aam);
    let loads = matches!(i.mnemonic(), Ldmxcsr | Vldmxcsr | Fldenv | Frstor | Fxrstor | Xrstor | Cmpxchg16b);
    aligned || divides || loads || i.has_lock_prefix()
}
