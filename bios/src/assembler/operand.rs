//! Operands as they are written.

use super::Symbols;
use super::expression::{Expression, Reader};
use super::token::Token;
use iced_x86::Register;
use std::collections::HashMap;
use std::sync::OnceLock;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Register(Register),
    Value(Expression),
    /// Segment and offset.
    Far(Expression, Expression),
    Memory(Memory),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Bytes, if they are named.
    pub(super) size: Option<usize>,
    pub(super) segment: Register,
    pub(super) base: Register,
    pub(super) index: Register,
    pub(super) scale: u32,
    pub(super) displacement: Expression,
}

impl Operand {
    /// Nothing in it depends on a label.
    pub(super) fn is_fixed(&self) -> bool {
        match self {
            Self::Register(_) => true,
            Self::Value(value) | Self::Memory(Memory { displacement: value, .. }) => value.number().is_some(),
            Self::Far(segment, offset) => segment.number().is_some() && offset.number().is_some(),
        }
    }
}

const SIZES: [(&str, usize); 4] = [("byte", 1), ("word", 2), ("dword", 4), ("qword", 8)];

/// A register by its name.
pub(super) fn register(name: &str) -> Option<Register> {
    static NAMES: OnceLock<HashMap<String, Register>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let known = |register: &Register| {
            register.is_gpr8()
                || register.is_gpr16()
                || register.is_gpr32()
                || register.is_segment_register()
                || register.is_cr()
        };
        let named = |register| (format!("{register:?}").to_ascii_lowercase(), register);
        Register::values().filter(known).map(named).collect()
    });
    names.get(name).copied()
}

/// The operands of an instruction, separated by commas.
pub(super) fn read_all(reader: &mut Reader<'_>, symbols: &Symbols) -> Result<Vec<Operand>, String> {
    let mut operands = Vec::new();
    while reader.peek().is_some() {
        operands.push(read(reader, symbols)?);
        if !reader.sign(",") && reader.peek().is_some() {
            return Err(format!("a comma was expected before {:?}", reader.peek()));
        }
    }
    Ok(operands)
}

fn read(reader: &mut Reader<'_>, symbols: &Symbols) -> Result<Operand, String> {
    let size = SIZES.iter().find(|(name, _)| reader.word(name)).map(|(_, size)| *size);
    if reader.sign("[") {
        return memory(reader, size, symbols).map(Operand::Memory);
    }
    if let Some(Token::Word(word)) = reader.peek()
        && let Some(register) = register(word)
    {
        reader.take();
        return Ok(Operand::Register(register));
    }
    let value = reader.expression()?.folded(symbols);
    if reader.sign(":") {
        return Ok(Operand::Far(value, reader.expression()?.folded(symbols)));
    }
    Ok(Operand::Value(value))
}

/// What stands in square brackets: a segment, registers, and a displacement, added.
fn memory(reader: &mut Reader<'_>, size: Option<usize>, symbols: &Symbols) -> Result<Memory, String> {
    let mut memory = Memory {
        size,
        segment: Register::None,
        base: Register::None,
        index: Register::None,
        scale: 1,
        displacement: Expression::Number(0),
    };
    let mut negative = false;
    loop {
        match next_register(reader) {
            Some(segment) if segment.is_segment_register() => {
                memory.segment = segment;
                if !reader.sign(":") {
                    return Err("a colon must follow the segment".into());
                }
                continue;
            }
            Some(register) => add_register(&mut memory, register, reader)?,
            None => {
                let term = reader.level(2)?;
                let sign = if negative { "-" } else { "+" };
                memory.displacement = Expression::Binary(sign, Box::new(memory.displacement), Box::new(term));
            }
        }
        if reader.sign("]") {
            memory.displacement = memory.displacement.folded(symbols);
            return Ok(memory);
        }
        negative = reader.sign("-");
        if !negative && !reader.sign("+") {
            return Err("an address is a sum in square brackets".into());
        }
    }
}

fn next_register(reader: &mut Reader<'_>) -> Option<Register> {
    let Some(Token::Word(word)) = reader.peek() else { return None };
    let register = register(word)?;
    reader.take();
    Some(register)
}

fn add_register(memory: &mut Memory, register: Register, reader: &mut Reader<'_>) -> Result<(), String> {
    if reader.sign("*") {
        let Some(Token::Number(scale)) = reader.take() else { return Err("a scale is a number".into()) };
        memory.scale = u32::try_from(*scale).map_err(|_| "a scale is 1, 2, 4 or 8")?;
        memory.index = register;
    } else if memory.base == Register::None {
        memory.base = register;
    } else if memory.index == Register::None {
        memory.index = register;
    } else {
        return Err("an address has two registers at most".into());
    }
    Ok(())
}

impl Memory {
    /// How the registers of an address must be ordered: BX or BP before SI or DI.
    pub(super) fn ordered(mut self) -> Self {
        if matches!(self.base, Register::SI | Register::DI) && self.index != Register::None {
            std::mem::swap(&mut self.base, &mut self.index);
        }
        self
    }

    /// Bytes of an address: by its registers, else by the code's mode.
    pub(super) fn address_size(&self, bits: u32) -> u32 {
        let register = if self.base == Register::None { self.index } else { self.base };
        match register {
            Register::None => bits / 8,
            register if register.is_gpr32() => 4,
            _ => 2,
        }
    }
}
