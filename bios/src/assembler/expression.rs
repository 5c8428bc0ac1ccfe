//! Values: numbers, names, and what is computed from them.

use super::Symbols;
use super::token::Token;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Number(i64),
    Symbol(String),
    /// The offset of the line itself.
    Here,
    Binary(&'static str, Box<Expression>, Box<Expression>),
}

/// Signs by how strongly they bind, weakest first.
const LEVELS: [&[&str]; 3] = [&["|"], &["+", "-"], &["*", "/", "<<", ">>", "&"]];

/// Reads tokens from the front.
pub(super) struct Reader<'a> {
    pub(super) tokens: &'a [Token],
}

impl<'a> Reader<'a> {
    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.first()
    }

    pub(super) fn take(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// Takes this sign if it is the next token.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        if found {
            self.take();
        }
        found
    }

    /// Takes this word if it is the next token.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(next)) if next == word);
        if found {
            self.take();
        }
        found
    }

    pub(super) fn expression(&mut self) -> Result<Expression, String> {
        self.level(0)
    }

    pub(super) fn level(&mut self, level: usize) -> Result<Expression, String> {
        let Some(signs) = LEVELS.get(level) else { return self.factor() };
        let mut left = self.level(level + 1)?;
        while let Some(sign) = signs.iter().find(|sign| self.sign(sign)) {
            let right = self.level(level + 1)?;
            left = Expression::Binary(sign, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Expression, String> {
        match self.take() {
            Some(Token::Number(value)) => Ok(Expression::Number(*value)),
            Some(Token::Word(name)) => Ok(Expression::Symbol(name.clone())),
            Some(Token::Sign("$")) => Ok(Expression::Here),
            Some(Token::Sign("-")) => {
                let value = self.factor()?;
                Ok(Expression::Binary("-", Box::new(Expression::Number(0)), Box::new(value)))
            }
            Some(Token::Sign("~")) => {
                let value = self.factor()?;
                Ok(Expression::Binary("-", Box::new(Expression::Number(-1)), Box::new(value)))
            }
            Some(Token::Sign("(")) => {
                let value = self.expression()?;
                if self.sign(")") { Ok(value) } else { Err("a bracket is not closed".into()) }
            }
            other => Err(format!("a value was expected, not {other:?}")),
        }
    }
}

impl Expression {
    /// The value, if all names are known.
    ///
    /// # Errors
    /// The name that is not.
    pub(super) fn value(&self, symbols: &Symbols, here: Option<i64>) -> Result<i64, String> {
        match self {
            Self::Number(value) => Ok(*value),
            Self::Here => here.ok_or_else(|| "`$` has no value here".to_owned()),
            Self::Symbol(name) => {
                symbols.get(name).copied().ok_or_else(|| format!("`{name}` is not defined"))
            }
            Self::Binary(sign, left, right) => {
                let (left, right) = (left.value(symbols, here)?, right.value(symbols, here)?);
                compute(sign, left, right).ok_or_else(|| format!("{left} {sign} {right} has no value"))
            }
        }
    }

    /// The number, if it is one: what does not move when code grows.
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(value) => Some(*value),
            _ => None,
        }
    }

    /// With every constant replaced by its value.
    pub(super) fn folded(self, symbols: &Symbols) -> Self {
        match self.value(symbols, None) {
            Ok(value) => Self::Number(value),
            Err(_) => self,
        }
    }
}

fn compute(sign: &str, left: i64, right: i64) -> Option<i64> {
    match sign {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" => left.checked_div(right),
        "&" => Some(left & right),
        "|" => Some(left | right),
        "<<" => u32::try_from(right).ok().and_then(|right| left.checked_shl(right)),
        ">>" => u32::try_from(right).ok().and_then(|right| left.checked_shr(right)),
        _ => None,
    }
}
