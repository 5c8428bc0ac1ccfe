//! A small assembler: Intel syntax in, bytes out, with iced-x86's encoder at work.
//!
//! It knows what the firmware needs: 16- and 32-bit code of any instruction that iced knows, labels (a name that
//! begins with a dot belongs to the last label without one), constants (`NAME = expression`), `db`, `dw`, `dd`,
//! `times`, `align`, `at` (go to an offset), `bits`, and macros with arguments `%1`... and own labels `%%name`.
//! Numbers may end in `h`. Why not iced's own `CodeAssembler`: see `docs/adr/0009-own-bios.md`.

mod expression;
mod instruction;
mod layout;
mod line;
mod operand;
mod preprocess;
mod select;
#[cfg(test)]
mod tests;
mod token;

pub use layout::Assembled;

use std::collections::HashMap;

/// A text to assemble, and the name that messages give it.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub name: &'static str,
    pub text: &'static str,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}, line {line}: {what}")]
pub struct Error {
    pub source_name: &'static str,
    pub line: usize,
    pub what: String,
}

/// Constants and labels by name.
pub type Symbols = HashMap<String, i64>;

/// Assembles texts, in order, as one program that begins at offset 0, and fills `len` bytes.
///
/// # Errors
/// The first line that is not understood, or does not fit.
pub fn assemble(sources: &[Source], constants: &[(&str, i64)], len: usize) -> Result<Assembled, Error> {
    let mut symbols: Symbols = constants.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
    let lines = preprocess::expand(sources)?;
    let items = line::parse(&lines, &mut symbols)?;
    layout::lay_out(&items, symbols, len)
}
