//! `posada conform`: the CPU conformance suite, as a person runs it.

pub mod options;
mod plan;
mod recorded;
mod silicon;
mod system;

use crate::files;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use options::Conform;
use plan::{Limit, Plan};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use test_roms::conform::pool::{self, Lost, Told};
use test_roms::conform::report::{Report, Results, grouped, omissions};
use test_roms::conform::{engines, explain, worker};

/// The exit code that says that something disagrees.
const DISAGREES: u8 = 8;

/// Does what the command line says.
///
/// # Errors
/// Bad input, or a host that cannot be the oracle.
pub fn run(options: &Conform) -> Result<ExitCode> {
    if options.worker {
        worker::serve(&options.engine, stdin().lock(), stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    engines::by_name(&options.engine)?;
    if options.list {
        return list();
    }
    if options.system {
        return system::run(options);
    }
    if let Some(path) = &options.recorded {
        return recorded::check(options, path.as_deref());
    }
    if let Some(path) = &options.record {
        return recorded::record(options, path);
    }
    against_silicon(options)
}

fn list() -> Result<ExitCode> {
    let testable: BTreeSet<usize> = plan::testable().collect();
    let rows = Results::default().rows("", &testable);
    let mut out = stdout().lock();
    for row in rows {
        writeln!(
            out,
            "{:20} {} bits  {:5} of {:5} forms can be tried here",
            row.family, row.bits, row.testable, row.known
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a run has found.
#[derive(Default)]
struct Found {
    results: Results,
    /// Disagreeing jobs, and workers that were lost.
    bad_jobs: usize,
}

fn against_silicon(options: &Conform) -> Result<ExitCode> {
    if let Some(path) = &options.output {
        files::check_writable("report", path)?;
    }
    let seed = options.seed.unwrap_or_else(seed_of_the_clock);
    let plan = Plan::new(options, seed)?;
    let workers =
        options.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    eprintln!("conform: {} forms against {}, seed {seed}", plan.forms.len(), host());
    let progress = progress_bar(options);
    let start = Instant::now();
    let found = compare(options, &plan, workers.max(1), &progress)?;
    let seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    let report = Report {
        host: host(),
        engine: options.engine.clone(),
        date: date(SystemTime::now()),
        seed,
        seconds,
        workers,
        total: found.results.total(),
        rows: found.results.rows(&options.engine, &plan.forms),
        omissions: omissions(&plan::testable().collect()),
        system: None,
    };
    tell(options, &report)?;
    Ok(if found.bad_jobs == 0 { ExitCode::SUCCESS } else { DISAGREES.into() })
}

fn compare(options: &Conform, plan: &Plan, workers: usize, progress: &ProgressBar) -> Result<Found> {
    let program = std::env::current_exe().context("cannot find this program to start it again")?;
    let command = || {
        let mut command = Command::new(&program);
        command.args(["conform", "--worker", "--engine", &options.engine]);
        command
    };
    let mut found = Found::default();
    let start = Instant::now();
    let jobs = plan.jobs(Limit::new(options.seconds, options.vectors));
    pool::run(workers, command, jobs, |told| {
        note(&mut found, told, options, progress);
        show(progress, &found, start.elapsed());
        true
    })?;
    Ok(found)
}

fn note(found: &mut Found, (job, result): Told, options: &Conform, progress: &ProgressBar) {
    let engine = &options.engine;
    let text = match result {
        Ok(done) => {
            found.results.add(job.subject, done.tally);
            done.disagreement.map(|disagreement| explain::disagreement(&disagreement, engine))
        }
        Err(lost) => {
            let how = if lost == Lost::Died { "ended the worker process" } else { "did not come to an end" };
            Some(format!("a run {how}\n  again: {}\n", explain::again(&job, engine)))
        }
    };
    if let Some(text) = text {
        found.bad_jobs += 1;
        if found.bad_jobs <= options.findings {
            progress.suspend(|| print!("{text}"));
        }
    }
}

fn progress_bar(options: &Conform) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(options.vectors.unwrap_or(options.seconds * 1000)).with_style(style)
}

fn show(progress: &ProgressBar, found: &Found, elapsed: Duration) {
    if progress.is_hidden() {
        return;
    }
    let total = found.results.total();
    let by_time = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    progress.set_position(by_time.min(progress.length().unwrap_or(0)));
    progress.set_message(format!(
        "{} vectors of {} forms, {} disagreements",
        grouped(total.vectors),
        found.results.forms(),
        grouped(total.disagreed()),
    ));
}

fn tell(options: &Conform, report: &Report) -> Result<()> {
    if !options.report {
        print!("{}", report.summary());
        return Ok(());
    }
    let text = report.render(options.format.into());
    match &options.output {
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("cannot write the report {}", path.display()))
        }
        None => Ok(stdout().write_all(text.as_bytes())?),
    }
}

fn seed_of_the_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The host's CPU by its brand string.
#[cfg(target_arch = "x86_64")]
fn host() -> String {
    test_roms::conform::native::brand()
}

#[cfg(not(target_arch = "x86_64"))]
fn host() -> String {
    std::env::consts::ARCH.to_owned()
}

/// Year, month and day of a moment, UTC (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
fn date(time: SystemTime) -> String {
    let days = time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() / 86_400);
    let shifted = days + 719_468;
    let era_day = shifted % 146_097;
    let year_of_era = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
    let day_of_year = era_day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_part = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_part + 2) / 5 + 1;
    let month = if month_part < 10 { month_part + 3 } else { month_part - 9 };
    let year = shifted / 146_097 * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let day = |days: u64| date(UNIX_EPOCH + Duration::from_secs(days * 86_400 + 5));
        assert_eq!(
            [0, 59, 11_016, 20_781].map(day),
            ["1970-01-01", "1970-03-01", "2000-02-29", "2026-11-24"]
        );
    }
}
