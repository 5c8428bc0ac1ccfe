//! From lines to what they put into the image.

use super::expression::{Expression, Reader};
use super::instruction::Instruction;
use super::preprocess::Line;
use super::token::{self, Token};
use super::{Error, Symbols, operand};

/// Something that has a place in the image.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) line: Line,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Label(String),
    /// Values of so many bytes each.
    Data(usize, Vec<Expression>),
    Text(String),
    Times(i64, u8),
    Align(i64),
    At(Expression),
    Instruction(Instruction),
}

/// What the lines so far mean for those that follow.
struct Parser<'a> {
    symbols: &'a mut Symbols,
    bits: u32,
    scope: String,
    items: Vec<Item>,
}

pub(super) fn parse(lines: &[Line], symbols: &mut Symbols) -> Result<Vec<Item>, Error> {
    let mut parser = Parser { symbols, bits: 16, scope: String::new(), items: Vec::new() };
    for line in lines {
        parser.line(line).map_err(|what| line.error(what))?;
    }
    Ok(parser.items)
}

impl Parser<'_> {
    fn push(&mut self, line: &Line, what: What) {
        self.items.push(Item { line: line.clone(), what });
    }

    /// A name that begins with a dot belongs to the last label without one.
    fn scoped(&self, tokens: Vec<Token>) -> Vec<Token> {
        let scope = |name: String| if name.starts_with('.') { format!("{}{name}", self.scope) } else { name };
        tokens
            .into_iter()
            .map(|token| match token {
                Token::Word(name) => Token::Word(scope(name)),
                other => other,
            })
            .collect()
    }

    fn line(&mut self, line: &Line) -> Result<(), String> {
        let mut tokens = token::split(&line.text)?;
        if let [Token::Word(name), Token::Sign(":"), ..] = &tokens[..]
            && operand::register(name).is_none()
        {
            if !name.starts_with('.') {
                self.scope.clone_from(name);
            }
            let name = if name.starts_with('.') { format!("{}{name}", self.scope) } else { name.clone() };
            self.push(line, What::Label(name));
            tokens.drain(..2);
        }
        let tokens = self.scoped(tokens);
        match &tokens[..] {
            [] => Ok(()),
            [Token::Word(name), Token::Sign("="), value @ ..] => {
                let value = Reader { tokens: value }.expression()?.value(self.symbols, None)?;
                match self.symbols.insert(name.clone(), value) {
                    Some(old) if old != value => Err(format!("`{name}` is defined twice")),
                    _ => Ok(()),
                }
            }
            [Token::Word(word), rest @ ..] => self.statement(line, word, Reader { tokens: rest }),
            _ => Err("a line begins with a word".into()),
        }
    }

    fn statement(&mut self, line: &Line, word: &str, mut reader: Reader<'_>) -> Result<(), String> {
        let what = match word {
            "bits" => {
                self.bits = match self.constant(&mut reader)? {
                    16 => 16,
                    32 => 32,
                    other => return Err(format!("there is no code of {other} bits here")),
                };
                return Ok(());
            }
            "db" => return self.data(line, 1, &mut reader),
            "dw" => return self.data(line, 2, &mut reader),
            "dd" => return self.data(line, 4, &mut reader),
            "times" => {
                let count = self.constant(&mut reader)?;
                reader.sign(",");
                let byte = self.constant(&mut reader)?;
                What::Times(count, u8::try_from(byte).map_err(|_| "not a byte")?)
            }
            "align" => What::Align(self.constant(&mut reader)?),
            "at" => What::At(reader.expression()?),
            _ => What::Instruction(Instruction::read(word, &mut reader, self.symbols, self.bits)?),
        };
        self.push(line, what);
        Ok(())
    }

    fn constant(&self, reader: &mut Reader<'_>) -> Result<i64, String> {
        reader.expression()?.value(self.symbols, None)
    }

    fn data(&mut self, line: &Line, size: usize, reader: &mut Reader<'_>) -> Result<(), String> {
        loop {
            if let Some(Token::Text(text)) = reader.peek() {
                reader.take();
                self.push(line, What::Text(text.clone()));
            } else {
                let value = reader.expression()?.folded(self.symbols);
                self.push(line, What::Data(size, vec![value]));
            }
            if !reader.sign(",") {
                return if reader.peek().is_none() { Ok(()) } else { Err("a comma was expected".into()) };
            }
        }
    }
}
