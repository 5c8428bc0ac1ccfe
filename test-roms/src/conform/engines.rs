//! The engines that the suite judges, by the names of `--engine`.

use emu_core::Engine;
use emu_core::interpreter::Interpreter;
use jit::{Jit, Options};

/// There is no engine of this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no engine `{0}`; there are: {1}")]
pub struct UnknownEngine(String, String);

type Make = fn() -> Box<dyn Engine>;

/// One row per engine.
pub const ENGINES: [(&str, Make); 2] =
    [("interpreter", || Box::new(Interpreter::new())), ("jit", || Box::new(Jit::new(Options::AT_ONCE)))];

/// A new engine of this name.
///
/// # Errors
/// There is none.
pub fn by_name(name: &str) -> Result<Box<dyn Engine>, UnknownEngine> {
    let row = ENGINES.iter().find(|(known, _)| *known == name);
    row.map(|(_, make)| make()).ok_or_else(|| {
        let known = ENGINES.map(|(known, _)| known).join(", ");
        UnknownEngine(name.to_owned(), known)
    })
}
