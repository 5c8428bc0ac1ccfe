//! A child process that works on jobs: one per line on its standard input, what came of it on its standard output.
//!
//! It also takes what running unknown code can do to a process, so that its parent need not.

use super::bench::{Bench, SetUpError};
use super::job::Job;
use std::io::{BufRead, Write};

/// Works until there is no more to do.
///
/// # Errors
/// The host cannot be the oracle, or the parent is gone.
pub fn serve(engine: &str, jobs: impl BufRead, mut results: impl Write) -> Result<(), ServeError> {
    let mut bench = Bench::new(engine)?;
    for line in jobs.lines() {
        let job: Job = serde_json::from_str(&line?)?;
        serde_json::to_writer(&mut results, &bench.work(&job))?;
        results.write_all(b"\n")?;
        results.flush()?;
    }
    Ok(())
}

/// Why a worker stops early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    #[error("lost the process that hands out work: {0}")]
    Parent(#[from] std::io::Error),
    #[error("unreadable work: {0}")]
    Job(#[from] serde_json::Error),
}
