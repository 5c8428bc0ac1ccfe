//! An instruction: chosen once, encoded whenever the values it names have moved.

use super::Symbols;
use super::expression::{Expression, Reader};
use super::operand::{self, Memory, Operand};
use super::select;
use super::token::Token;
use iced_x86::{Code, Encoder, OpCodeOperandKind, OpKind, Register};

#[derive(Clone, Debug)]
pub(super) struct Instruction {
    bits: u32,
    prefixes: Vec<u8>,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Bytes(Vec<u8>),
    /// A jump that may be short or near.
    Branch {
        short: Option<Code>,
        near: Option<Code>,
        target: Expression,
    },
    Encoded {
        code: Code,
        operands: Vec<Operand>,
    },
}

const PREFIXES: &[(&str, u8)] = &[
    ("rep", 0xF3),
    ("repe", 0xF3),
    ("repne", 0xF2),
    ("es", 0x26),
    ("cs", 0x2E),
    ("ss", 0x36),
    ("ds", 0x3E),
    ("fs", 0x64),
    ("gs", 0x65),
    ("o32", 0x66),
    ("a32", 0x67),
];

/// String instructions: the byte form's opcode. The next opcode is the word form.
const STRINGS: &[(&str, u8)] = &[
    ("movs", 0xA4),
    ("cmps", 0xA6),
    ("stos", 0xAA),
    ("lods", 0xAC),
    ("scas", 0xAE),
    ("ins", 0x6C),
    ("outs", 0x6E),
];

/// A string instruction's bytes (Intel SDM Vol. 2, "Operand-Size Prefix").
fn string(word: &str, bits: u32) -> Option<Vec<u8>> {
    let (name, width) = word.split_at_checked(word.len().checked_sub(1)?)?;
    let (_, opcode) = STRINGS.iter().find(|(string, _)| *string == name)?;
    Some(match (width, bits) {
        ("b", _) => vec![*opcode],
        ("w", 16) | ("d", 32) => vec![opcode + 1],
        ("w", _) | ("d", _) => vec![0x66, opcode + 1],
        _ => return None,
    })
}

impl Instruction {
    pub(super) fn read(
        word: &str,
        reader: &mut Reader<'_>,
        symbols: &Symbols,
        bits: u32,
    ) -> Result<Self, String> {
        let mut word = word.to_ascii_lowercase();
        let mut prefixes = Vec::new();
        while let Some((_, prefix)) = PREFIXES.iter().find(|(name, _)| *name == word) {
            prefixes.push(*prefix);
            let Some(Token::Word(next)) = reader.take() else {
                return Err("a prefix without its instruction".into());
            };
            word = next.to_ascii_lowercase();
        }
        let operands = operand::read_all(reader, symbols)?;
        if let (Some(bytes), []) = (string(&word, bits), &operands[..]) {
            return Ok(Self { bits, prefixes, form: Form::Bytes(bytes) });
        }
        if let ([Operand::Value(target)], Some((short, near))) = (&operands[..], select::branch(&word, bits))
        {
            return Ok(Self { bits, prefixes, form: Form::Branch { short, near, target: target.clone() } });
        }
        let mut best: Option<(usize, Code)> = None;
        let mut sizes = Vec::new();
        for code in select::candidates(&word, &operands, bits) {
            sizes.push(code.op_code().memory_size().size());
            if let Ok(bytes) = encode(code, &operands, bits, 0, &|value| Ok(value.number().unwrap_or(0)))
                && best.is_none_or(|(len, _)| bytes.len() < len)
            {
                best = Some((bytes.len(), code));
            }
        }
        let unsized_memory = operands.iter().any(|o| matches!(o, Operand::Memory(m) if m.size.is_none()));
        if unsized_memory && !select::any_size(&word) && sizes.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("`{word}` needs byte, word or dword before its operand in memory"));
        }
        let (_, code) = best.ok_or_else(|| format!("`{word}` does not take {operands:?}"))?;
        // What names no label is the same wherever it lies.
        let form = if operands.iter().all(Operand::is_fixed) {
            Form::Bytes(encode(code, &operands, bits, 0, &|value| Ok(value.number().unwrap_or(0)))?)
        } else {
            Form::Encoded { code, operands }
        };
        Ok(Self { bits, prefixes, form })
    }

    /// The bytes at offset `here`. A branch that was `long` before stays so, or layout would never end.
    /// In a `draft` a short jump may go nowhere.
    pub(super) fn encode(
        &self,
        here: i64,
        symbols: &Symbols,
        long: &mut bool,
        draft: bool,
    ) -> Result<Vec<u8>, String> {
        let start = here + self.prefixes.len() as i64;
        let body = match &self.form {
            Form::Bytes(bytes) => bytes.clone(),
            Form::Branch { short, near, target } => {
                let target = target.value(symbols, Some(here))?;
                let target = if draft && near.is_none() { start } else { target };
                self.branch(*short, *near, start, target, long)?
            }
            Form::Encoded { code, operands } => {
                encode(*code, operands, self.bits, start, &|value| value.value(symbols, Some(here)))?
            }
        };
        Ok([&self.prefixes[..], &body].concat())
    }

    fn branch(
        &self,
        short: Option<Code>,
        near: Option<Code>,
        start: i64,
        target: i64,
        long: &mut bool,
    ) -> Result<Vec<u8>, String> {
        let operands = [Operand::Value(Expression::Number(target))];
        let encoded =
            |code| encode(code, &operands, self.bits, start, &|value| value.value(&Symbols::new(), None));
        if let Some(code) = short.filter(|_| !*long) {
            // Displacements count from the end of the instruction: two bytes, three with an address-size prefix.
            if (-120..=120).contains(&(target - start)) || near.is_none() {
                return encoded(code);
            }
        }
        *long = true;
        encoded(near.ok_or("the target is too far for this jump")?)
    }
}

type Resolve<'a> = &'a dyn Fn(&Expression) -> Result<i64, String>;

fn encode(
    code: Code,
    operands: &[Operand],
    bits: u32,
    ip: i64,
    resolve: Resolve<'_>,
) -> Result<Vec<u8>, String> {
    let mut instruction = iced_x86::Instruction::default();
    instruction.set_code(code);
    for (index, (operand, &kind)) in operands.iter().zip(code.op_code().op_kinds()).enumerate() {
        set_operand(&mut instruction, index as u32, operand, kind, bits, resolve)?;
    }
    let mut encoder = Encoder::new(bits);
    encoder.encode(&instruction, ip as u64).map_err(|error| error.to_string())?;
    Ok(encoder.take_buffer())
}

fn set_operand(
    instruction: &mut iced_x86::Instruction,
    index: u32,
    operand: &Operand,
    kind: OpCodeOperandKind,
    bits: u32,
    resolve: Resolve<'_>,
) -> Result<(), String> {
    match operand {
        Operand::Register(register) => {
            instruction.set_op_kind(index, OpKind::Register);
            instruction.set_op_register(index, *register);
        }
        Operand::Memory(memory) => set_memory(instruction, index, memory, bits, resolve)?,
        Operand::Value(value) => {
            let value = resolve(value)?;
            let kind = select::op_kind(kind).ok_or("a value has no place in this instruction")?;
            instruction.set_op_kind(index, kind);
            match kind {
                OpKind::NearBranch16 => instruction.set_near_branch16(value as u16),
                OpKind::NearBranch32 => instruction.set_near_branch32(value as u32),
                OpKind::Immediate8 => instruction.set_immediate8(value as u8),
                OpKind::Immediate16 => instruction.set_immediate16(value as u16),
                OpKind::Immediate32 => instruction.set_immediate32(value as u32),
                OpKind::Immediate8to16 => instruction.set_immediate8to16(value as i16),
                _ => instruction.set_immediate8to32(value as i32),
            }
        }
        Operand::Far(segment, offset) => {
            let (segment, offset) = (resolve(segment)?, resolve(offset)?);
            instruction.set_far_branch_selector(segment as u16);
            if kind == OpCodeOperandKind::farbr4_2 {
                instruction.set_op_kind(index, OpKind::FarBranch32);
                instruction.set_far_branch32(offset as u32);
            } else {
                instruction.set_op_kind(index, OpKind::FarBranch16);
                instruction.set_far_branch16(offset as u16);
            }
        }
    }
    Ok(())
}

fn set_memory(
    instruction: &mut iced_x86::Instruction,
    index: u32,
    memory: &Memory,
    bits: u32,
    resolve: Resolve<'_>,
) -> Result<(), String> {
    let memory = memory.clone().ordered();
    let displacement = resolve(&memory.displacement)?;
    let full = memory.address_size(bits);
    let bare = memory.base == Register::None;
    let size = match memory.displacement.number() {
        Some(0) if !bare && !matches!(memory.base, Register::BP | Register::EBP) => 0,
        Some(-128..=127) if !bare => 1,
        _ => full,
    };
    instruction.set_op_kind(index, OpKind::Memory);
    instruction.set_memory_base(memory.base);
    instruction.set_memory_index(memory.index);
    instruction.set_memory_index_scale(memory.scale);
    instruction.set_memory_displ_size(size);
    let displacement =
        if full == 2 { u64::from(displacement as u16) } else { u64::from(displacement as u32) };
    instruction.set_memory_displacement64(displacement);
    instruction.set_segment_prefix(memory.segment);
    Ok(())
}
