//! `cargo xtask`: the habits of this workspace.

mod apt;
mod cache;
mod command;
mod cpio;
mod initramfs;
mod setup;

use anyhow::Result;
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  setup [--refresh]   fetch the guests (Debian packages) into target/guests, or the folder named by POSADA_CACHE
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<()> {
    match words {
        ["setup"] => setup::setup(false),
        ["setup", "--refresh"] => setup::setup(true),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => anyhow::bail!("unknown command `{}`; `cargo xtask help` lists them", words.join(" ")),
    }
}
