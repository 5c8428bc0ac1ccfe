//! The program `posada`: a complete x86 PC, from the command line.

mod boot;
mod conform;
mod disk_light;
mod ending;
mod engines;
mod escape;
mod files;
mod golden;
mod guest;
mod image;
mod inbox;
mod lockstep;
mod media;
mod options;
mod quantity;
mod screen;
mod script;
mod serial;
mod session;
mod shorthand;
mod terminal;
mod watch;
mod window;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use options::{Command, Posada};
use signal_hook::consts::SIGXFSZ;
use std::process::ExitCode;
use std::sync::Arc;

/// `posada` alone: a newcomer who wants to know.
const NO_COMMAND: ErrorKind = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

fn main() -> ExitCode {
    // A file that may not grow any more is an error of the write, not the end of the program. Nobody looks at the flag.
    let noted = signal_hook::flag::register(SIGXFSZ, Arc::default());
    debug_assert!(noted.is_ok(), "SIGXFSZ is a signal that can be caught");
    let command = match Posada::try_parse_from(shorthand::expand(std::env::args_os().collect())) {
        Ok(posada) => posada.command,
        Err(error) if !error.use_stderr() || error.kind() == NO_COMMAND => error.exit(),
        Err(error) => {
            eprintln!("posada: {}", sentence(&error.to_string()));
            return ending::FAILED.into();
        }
    };
    let ended = match command {
        Command::Run(run) => session::run(&run),
        Command::Lockstep(mut lockstep) => lockstep::run(&mut lockstep),
        Command::Conform(conform) => conform::run(&conform),
        Command::Image { command } => image::command::run(&command),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Posada::command(), "posada", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    ended.unwrap_or_else(|error| {
        eprintln!("posada: {error:#}");
        ending::FAILED.into()
    })
}

/// What clap says about a wrong command line, without its usage page.
fn sentence(error: &str) -> String {
    let error = error.strip_prefix("error: ").unwrap_or(error);
    let said =
        error.split("\n\nUsage:").next().and_then(|said| said.split("\n\nFor more").next()).unwrap_or(error);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn one_sentence_of_a_page() {
        let page = "error: the argument '--x' cannot be used with:\n  --y\n\nUsage: posada\n\nFor more information, try '--help'.\n";
        assert_eq!(sentence(page), "the argument '--x' cannot be used with: --y");
    }
}
