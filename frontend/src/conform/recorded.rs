//! Recordings from the command line: checking them, making them.

use super::options::Conform;
use super::plan::Plan;
use super::{DISAGREES, date, host};
use crate::files;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};
use test_roms::conform::bench::Bench;
use test_roms::conform::explain;
use test_roms::conform::job::Tally;
use test_roms::conform::recording::{BUILT_IN, Recording};
use test_roms::conform::replay::Replay;
use test_roms::conform::report::grouped;

/// Vectors of each form in a recording: programs, and inputs of each.
const SAMPLE: (u32, u32) = (4, 2);
/// The seed of recordings that are made without one.
const SEED: u64 = 1;
/// Jobs of sequences in a recording, for each code size, and their size.
const SEQUENCE_JOBS: u64 = 200;
const SEQUENCE_SAMPLE: (u32, u32) = (8, 2);

/// Runs an engine on the vectors of a recording, the built-in one if none is given.
///
/// # Errors
/// The file is no recording, or one for another generator.
pub fn check(options: &Conform, path: Option<&Path>) -> Result<ExitCode> {
    let recording = match path {
        Some(path) => Recording::read(&files::read("recording", path)?)
            .with_context(|| format!("cannot use the recording {}", path.display()))?,
        None => Recording::read(BUILT_IN)?,
    };
    let start = Instant::now();
    let mut replay = Replay::new(&options.engine)?;
    let (mut total, mut bad_jobs) = (Tally::default(), 0);
    for recorded in &recording.jobs {
        let done = replay.work(recorded)?;
        total += done.tally;
        if let Some(disagreement) = done.disagreement {
            bad_jobs += 1;
            if bad_jobs <= options.findings {
                print!("{}", explain::disagreement(&disagreement, &options.engine));
            }
        }
    }
    println!(
        "Engine `{}` against vectors recorded from {} on {}: {} vectors in {:.1} s, {} disagreements.",
        options.engine,
        recording.host,
        recording.date,
        grouped(total.vectors),
        start.elapsed().as_secs_f64(),
        grouped(total.disagreed()),
    );
    Ok(if bad_jobs == 0 { ExitCode::SUCCESS } else { DISAGREES.into() })
}

/// Records a sample of every form and of sequences.
///
/// # Errors
/// The file cannot be written, or the host cannot be the oracle.
pub fn record(options: &Conform, path: &Path) -> Result<ExitCode> {
    files::check_writable("recording", path)?;
    let plan = Plan::new(options, options.seed.unwrap_or(SEED))?;
    let mut bench = Bench::new(&options.engine)?;
    let mut jobs = Vec::new();
    for job in plan.sample(SAMPLE, SEQUENCE_JOBS, SEQUENCE_SAMPLE) {
        jobs.push(bench.record(&job));
    }
    let recording = Recording { host: host(), date: date(SystemTime::now()), jobs };
    let bytes = recording.write();
    std::fs::write(path, &bytes).with_context(|| format!("cannot write the recording {}", path.display()))?;
    println!("{} jobs in {} bytes", recording.jobs.len(), grouped(bytes.len() as u64));
    Ok(ExitCode::SUCCESS)
}
