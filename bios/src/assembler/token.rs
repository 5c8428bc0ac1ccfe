//! Words, numbers, strings and signs.

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Number(i64),
    Text(String),
    Sign(&'static str),
}

const SIGNS: &[&str] =
    &["<<", ">>", "[", "]", "+", "-", "*", "/", ":", ",", "(", ")", "=", "&", "|", "~", "$"];

/// Splits a line; what follows a semicolon is a comment.
pub(super) fn split(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next().filter(|first| *first != ';') {
        let len = match first {
            '"' | '\'' => {
                let end = rest[1..].find(first).ok_or("a string without its end")?;
                let text = &rest[1..=end];
                tokens.push(match (first, text.chars().next()) {
                    ('\'', Some(c)) if text.chars().count() == 1 => Token::Number(i64::from(u32::from(c))),
                    _ => Token::Text(text.to_owned()),
                });
                end + 2
            }
            _ if is_word(first) => {
                let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                tokens.push(word(&rest[..len])?);
                len
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| format!("`{first}` means nothing here"))?;
                tokens.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest[len..].trim_start();
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

fn word(text: &str) -> Result<Token, String> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(Token::Word(text.to_owned()));
    }
    let number = match text.strip_suffix(['h', 'H']) {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.map(Token::Number).map_err(|_| format!("`{text}` is not a number"))
}
