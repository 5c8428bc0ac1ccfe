//! `posada image`: makes, shows, converts and checks images.

mod check;
mod convert;
mod create;
mod info;
pub mod options;
mod progress;
mod resize;
mod size;
mod target;

use anyhow::Result;
use options::Command;
use std::process::ExitCode;

/// Does what the command line says.
///
/// # Errors
/// Bad input, or the host failed. Nothing that was there before has changed then, except by `resize`.
pub fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Create(options) => create::run(options)?,
        Command::Info(options) => info::run(options)?,
        Command::Convert(options) => convert::run(options)?,
        Command::Check(options) => return check::run(options),
        Command::Resize(options) => resize::run(options)?,
    }
    Ok(ExitCode::SUCCESS)
}
