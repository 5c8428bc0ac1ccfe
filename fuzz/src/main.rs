//! `posada-fuzz`: runs a fuzz target on random input and prints what panics.
//!
//! The search runs in a process of its own, so that a crash is a finding like any other.

use clap::Parser;
use posada_fuzz::driver::{self, Finding, hex};
use posada_fuzz::{TARGETS, driver::Report};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    /// What to fuzz.
    #[arg(long, value_parser = TARGETS.map(|(name, _)| name))]
    target: String,
    /// For how long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the random numbers start; from the clock if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Run this one input (hexadecimal) instead, with the panic as it comes.
    #[arg(long, conflicts_with_all = ["seconds", "seed"])]
    input: Option<String>,
    /// Search in this process, and keep the input that runs in this file.
    #[arg(long, hide = true)]
    note: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some((_, target)) = TARGETS.into_iter().find(|(name, _)| *name == arguments.target) else {
        return ExitCode::from(2);
    };
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = arguments.seed.unwrap_or_else(clock);
    let done = match (&arguments.input, &arguments.note) {
        (Some(input), _) => run_one(target, input),
        (None, Some(note)) => Ok(search(&arguments, target, seed, note)),
        (None, None) => search_apart(&arguments, seed),
    };
    done.unwrap_or_else(|error| {
        eprintln!("posada-fuzz: {error}");
        ExitCode::from(2)
    })
}

fn run_one(target: fn(&[u8]), input: &str) -> io::Result<ExitCode> {
    let wrong = || io::Error::other("--input wants an even number of hexadecimal digits");
    target(&driver::unhex(input).ok_or_else(wrong)?);
    println!("nothing found");
    Ok(ExitCode::SUCCESS)
}

fn search(arguments: &Arguments, target: fn(&[u8]), seed: u64, note: &Path) -> ExitCode {
    let keep = |input: &[u8]| drop(std::fs::write(note, input));
    let time = Duration::from_secs(arguments.seconds);
    let Report { inputs, finding } = driver::run_for(target, seed, time, keep);
    println!("{}: seed {seed}, {inputs} inputs", arguments.target);
    tell(&arguments.target, finding.as_ref())
}

fn tell(target: &str, finding: Option<&Finding>) -> ExitCode {
    match finding {
        None => {
            println!("nothing found");
            ExitCode::SUCCESS
        }
        Some(Finding { input, panic }) => {
            println!("{panic}\nagain: posada-fuzz --target {target} --input {}", hex(input));
            ExitCode::FAILURE
        }
    }
}

fn this_program(target: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--target", target]);
    Ok(command)
}

/// What became of a process that did not end by itself.
fn crash(status: ExitStatus) -> Option<String> {
    status.code().is_none().then(|| status.to_string())
}

fn search_apart(arguments: &Arguments, seed: u64) -> io::Result<ExitCode> {
    let note = std::env::temp_dir().join(format!("posada-fuzz-{}", std::process::id()));
    let mut worker = this_program(&arguments.target)?;
    worker.args(["--seed", &seed.to_string(), "--seconds", &arguments.seconds.to_string()]);
    let status = worker.arg("--note").arg(&note).status()?;
    let input = std::fs::read(&note).unwrap_or_default();
    let _may_not_be_there = std::fs::remove_file(&note);
    let Some(panic) = crash(status) else {
        return Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2)));
    };
    println!("{}: seed {seed}", arguments.target);
    let finding = driver::minimise(Finding { input, panic }, |input| {
        let mut again = this_program(&arguments.target).ok()?;
        let status =
            again.args(["--input", &hex(input)]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        crash(status.ok()?)
    });
    Ok(tell(&arguments.target, Some(&finding)))
}
