//! Which of iced's instruction codes a line can mean.

use super::operand::Operand;
use iced_x86::{Code, EncodingKind, OpCodeOperandKind, OpKind, Register};
use std::collections::HashMap;
use std::sync::OnceLock;

/// Other names of the same instructions.
const ALIASES: &[(&str, &str)] = &[
    ("jz", "je"),
    ("jnz", "jne"),
    ("jc", "jb"),
    ("jnc", "jae"),
    ("setc", "setb"),
    ("setnc", "setae"),
    ("setz", "sete"),
    ("setnz", "setne"),
    ("callf", "call"),
    ("jmpf", "jmp"),
];

/// All codes of each mnemonic.
fn codes(mnemonic: &str) -> &'static [Code] {
    static CODES: OnceLock<HashMap<String, Vec<Code>>> = OnceLock::new();
    let codes = CODES.get_or_init(|| {
        let mut codes: HashMap<String, Vec<Code>> = HashMap::new();
        for code in Code::values() {
            let info = code.op_code();
            if info.is_instruction() && info.encoding() == EncodingKind::Legacy && info.intel_decoder16() {
                codes.entry(format!("{:?}", code.mnemonic()).to_ascii_lowercase()).or_default().push(code);
            }
        }
        codes
    });
    let name = ALIASES.iter().find(|(alias, _)| *alias == mnemonic).map_or(mnemonic, |(_, name)| name);
    codes.get(name).map_or(&[], Vec::as_slice)
}

fn in_mode(code: Code, bits: u32) -> bool {
    if bits == 16 { code.op_code().mode16() } else { code.op_code().mode32() }
}

/// A jump or call to an address: its short and its near code.
pub(super) fn branch(word: &str, bits: u32) -> Option<(Option<Code>, Option<Code>)> {
    use OpCodeOperandKind::{br16_1, br16_2, br32_1, br32_4};
    let find = |kind: OpCodeOperandKind| {
        let mut of_kind = codes(word).iter().copied().filter(|code| code.op_code().op0_kind() == kind);
        // Of LOOP there are variants by the counter's size: the mode's own.
        let first = of_kind.next();
        of_kind.chain(first).find(|code| shortest(*code, bits)).or(first)
    };
    let (short, near) = if bits == 16 { (find(br16_1), find(br16_2)) } else { (find(br32_1), find(br32_4)) };
    (short.is_some() || near.is_some()).then_some((short, near))
}

/// No size prefix is needed in this mode.
fn shortest(code: Code, bits: u32) -> bool {
    let (operand, address) = (code.op_code().operand_size(), code.op_code().address_size());
    (operand == 0 || operand == bits) && (address == 0 || address == bits)
}

/// Codes whose operands can be these.
pub(super) fn candidates(word: &str, operands: &[Operand], bits: u32) -> Vec<Code> {
    let far = matches!(word, "callf" | "jmpf");
    codes(word)
        .iter()
        .copied()
        .filter(|code| in_mode(*code, bits))
        .filter(|code| {
            let info = code.op_code();
            let kinds = info.op_kinds();
            kinds.len() == operands.len()
                && (!far || is_far(*code, bits))
                && (far || !is_far_memory(*code))
                && kinds.iter().zip(operands).all(|(kind, operand)| takes(*kind, operand))
                && sized(*code, operands)
        })
        .collect()
}

/// Far jumps and calls, with offsets of the mode's size.
fn is_far(code: Code, bits: u32) -> bool {
    match bits {
        16 => matches!(code, Code::Jmp_m1616 | Code::Call_m1616 | Code::Jmp_ptr1616 | Code::Call_ptr1616),
        _ => matches!(code, Code::Jmp_m1632 | Code::Call_m1632 | Code::Jmp_ptr1632 | Code::Call_ptr1632),
    }
}

/// A far jump or call through memory, whatever the size of its offset.
fn is_far_memory(code: Code) -> bool {
    use Code::{Call_m1616, Call_m1632, Call_m1664, Jmp_m1616, Jmp_m1632, Jmp_m1664};
    matches!(code, Jmp_m1616 | Jmp_m1632 | Jmp_m1664 | Call_m1616 | Call_m1632 | Call_m1664)
}

/// Instructions for which the size of what is in memory does not matter.
pub(super) fn any_size(word: &str) -> bool {
    matches!(
        word,
        "lea" | "lgdt" | "lidt" | "sgdt" | "sidt" | "les" | "lds" | "lss" | "lfs" | "lgs" | "callf" | "jmpf"
    )
}

fn sized(code: Code, operands: &[Operand]) -> bool {
    operands.iter().all(|operand| match operand {
        Operand::Memory(memory) => memory.size.is_none_or(|size| code.op_code().memory_size().size() == size),
        _ => true,
    })
}

fn takes(kind: OpCodeOperandKind, operand: &Operand) -> bool {
    match operand {
        Operand::Register(register) => takes_register(kind, *register),
        Operand::Memory(_) => {
            use OpCodeOperandKind::{mem, r8_or_mem, r16_or_mem, r32_or_mem};
            matches!(kind, mem | r8_or_mem | r16_or_mem | r32_or_mem)
        }
        Operand::Far(..) => matches!(kind, OpCodeOperandKind::farbr2_2 | OpCodeOperandKind::farbr4_2),
        Operand::Value(value) => takes_value(kind, value.number()),
    }
}

fn takes_register(kind: OpCodeOperandKind, register: Register) -> bool {
    use OpCodeOperandKind as K;
    match kind {
        K::r8_or_mem | K::r8_reg | K::r8_opcode => register.is_gpr8(),
        K::r16_or_mem | K::r16_reg | K::r16_rm | K::r16_opcode | K::r16_reg_mem => register.is_gpr16(),
        K::r32_or_mem | K::r32_reg | K::r32_rm | K::r32_opcode | K::r32_reg_mem => register.is_gpr32(),
        K::seg_reg => register.is_segment_register(),
        K::cr_reg => register.is_cr(),
        K::es => register == Register::ES,
        K::cs => register == Register::CS,
        K::ss => register == Register::SS,
        K::ds => register == Register::DS,
        K::fs => register == Register::FS,
        K::gs => register == Register::GS,
        K::al => register == Register::AL,
        K::cl => register == Register::CL,
        K::ax => register == Register::AX,
        K::dx => register == Register::DX,
        K::eax => register == Register::EAX,
        _ => false,
    }
}

/// A number fits; a value that may still move takes a field of full size.
fn takes_value(kind: OpCodeOperandKind, number: Option<i64>) -> bool {
    use OpCodeOperandKind as K;
    matches!(
        (kind, number),
        (K::imm8_const_1, Some(1))
            | (K::imm8, Some(-128..=0xFF))
            | (K::imm8sex16, Some(-128..=127 | 0xFF80..=0xFFFF))
            | (K::imm8sex32, Some(-128..=127 | 0xFFFF_FF80..=0xFFFF_FFFF))
            | (K::imm16, Some(-0x8000..=0xFFFF) | None)
            | (K::imm32, Some(-0x8000_0000..=0xFFFF_FFFF) | None)
    )
}

/// The kind of a value in iced's instruction.
pub(super) fn op_kind(kind: OpCodeOperandKind) -> Option<OpKind> {
    use OpCodeOperandKind as K;
    Some(match kind {
        K::br16_1 | K::br16_2 => OpKind::NearBranch16,
        K::br32_1 | K::br32_4 => OpKind::NearBranch32,
        K::imm8 | K::imm8_const_1 => OpKind::Immediate8,
        K::imm16 => OpKind::Immediate16,
        K::imm32 => OpKind::Immediate32,
        K::imm8sex16 => OpKind::Immediate8to16,
        K::imm8sex32 => OpKind::Immediate8to32,
        _ => return None,
    })
}
