//! Macros: recorded where they are written, pasted where they are named.

use super::{Error, Source};
use std::collections::HashMap;

/// A line with no macro in it, and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) source: &'static str,
    pub(super) number: usize,
    pub(super) text: String,
}

impl Line {
    pub(super) fn error(&self, what: impl Into<String>) -> Error {
        Error { source_name: self.source, line: self.number, what: what.into() }
    }
}

/// Macros that name each other for ever end here.
const DEEPEST: usize = 16;

#[derive(Default)]
struct Macros {
    bodies: HashMap<String, Vec<String>>,
    pasted: usize,
    out: Vec<Line>,
}

pub(super) fn expand(sources: &[Source]) -> Result<Vec<Line>, Error> {
    let mut macros = Macros::default();
    for source in sources {
        let mut open: Option<(String, Vec<String>)> = None;
        for (index, text) in source.text.lines().enumerate() {
            let line = Line { source: source.name, number: index + 1, text: text.trim().to_owned() };
            let mut words = line.text.split_whitespace();
            match (words.next(), &mut open) {
                (Some("macro"), None) => {
                    let name = words.next().ok_or_else(|| line.error("a macro needs a name"))?;
                    open = Some((name.to_owned(), Vec::new()));
                }
                (Some("endmacro"), Some(_)) => macros.bodies.extend(open.take()),
                (_, Some((_, body))) => body.push(line.text),
                (_, None) => macros.paste(line, 0)?,
            }
        }
    }
    Ok(macros.out)
}

impl Macros {
    fn paste(&mut self, line: Line, depth: usize) -> Result<(), Error> {
        let (name, rest) = line.text.split_once(char::is_whitespace).unwrap_or((&line.text, ""));
        let Some(body) = self.bodies.get(name).cloned() else {
            self.out.push(line);
            return Ok(());
        };
        if depth == DEEPEST {
            return Err(line.error(format!("the macro `{name}` has no end")));
        }
        self.pasted += 1;
        let own = format!(".m{}_", self.pasted);
        let arguments: Vec<&str> = rest.split(';').next().unwrap_or("").split(',').map(str::trim).collect();
        for text in body {
            let mut text = text.replace("%%", &own);
            for (index, argument) in arguments.iter().enumerate() {
                text = text.replace(&format!("%{}", index + 1), argument);
            }
            self.paste(Line { text, ..line.clone() }, depth + 1)?;
        }
        Ok(())
    }
}
