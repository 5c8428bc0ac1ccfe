//! `posada-fuzz`: runs a fuzz target on random input and prints what panics.

use clap::Parser;
use posada_fuzz::{TARGETS, driver};
use std::process::ExitCode;
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
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some((name, target)) = TARGETS.into_iter().find(|(name, _)| *name == arguments.target) else {
        return ExitCode::from(2);
    };
    if let Some(input) = arguments.input {
        let Some(input) = driver::unhex(&input) else {
            eprintln!("posada-fuzz: --input wants an even number of hexadecimal digits");
            return ExitCode::from(2);
        };
        target(&input);
        println!("{name}: nothing found");
        return ExitCode::SUCCESS;
    }
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = arguments.seed.unwrap_or_else(clock);
    let report = driver::run_for(target, seed, Duration::from_secs(arguments.seconds));
    println!("{name}: seed {seed}, {} inputs", report.inputs);
    let Some(finding) = report.finding else {
        println!("nothing found");
        return ExitCode::SUCCESS;
    };
    println!("{}\nagain: posada-fuzz --target {name} --input {}", finding.panic, driver::hex(&finding.input));
    ExitCode::FAILURE
}
