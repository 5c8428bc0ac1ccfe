//! Engine against host, with as many processes as the host has CPUs.

use super::options::Conform;
use super::plan::{self, Limit, Plan};
use super::{DISAGREES, date, host, system};
use crate::files;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write, stderr, stdout};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use test_roms::conform::explain;
use test_roms::conform::pool::{self, Lost, Told};
use test_roms::conform::report::{Report, Results, grouped, omissions};

/// What a run has found.
#[derive(Default)]
struct Found {
    results: Results,
    /// Disagreeing jobs, and workers that were lost.
    bad_jobs: usize,
}

/// Tries what the options say and tells what came of it.
///
/// # Errors
/// Bad input, or a host that cannot be the oracle.
pub fn run(options: &Conform) -> Result<ExitCode> {
    if let Some(path) = &options.output {
        files::check_writable("report", path)?;
    }
    let seed = options.seed.unwrap_or_else(seed_of_the_clock);
    let plan = Plan::new(options, seed)?;
    let system = plan.everything.then(|| system::count(&options.engine)).transpose()?;
    eprintln!("conform: {} forms against {}, seed {seed}", plan.forms.len(), host());
    let progress = progress_bar(options);
    let start = Instant::now();
    let found = compare(options, &plan, &progress)?;
    let seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    let report = Report {
        host: host(),
        engine: options.engine.clone(),
        date: date(SystemTime::now()),
        seed,
        seconds,
        workers: workers(options),
        total: found.results.total(),
        rows: found.results.rows(&options.engine, &plan.forms),
        omissions: omissions(&plan::testable().collect()),
        system,
    };
    tell(options, &report)?;
    let good = found.bad_jobs == 0 && system.is_none_or(|(cases, passed)| cases == passed);
    Ok(if good { ExitCode::SUCCESS } else { DISAGREES.into() })
}

fn workers(options: &Conform) -> usize {
    let cpus = || std::thread::available_parallelism().map_or(1, Into::into);
    options.workers.unwrap_or_else(cpus).max(1)
}

fn compare(options: &Conform, plan: &Plan, progress: &ProgressBar) -> Result<Found> {
    let program = std::env::current_exe().context("cannot find this program to start it again")?;
    let command = || {
        let mut command = Command::new(&program);
        command.args(["conform", "--worker", "--engine", &options.engine]);
        command
    };
    let mut found = Found::default();
    let start = Instant::now();
    let jobs = plan.jobs(Limit::new(options.seconds, options.vectors));
    pool::run(workers(options), command, jobs, |told| {
        note(&mut found, told, options, progress);
        show(progress, &found, start.elapsed());
        true
    })?;
    Ok(found)
}

fn note(found: &mut Found, (job, result): Told, options: &Conform, progress: &ProgressBar) {
    let text = match result {
        Ok(done) => {
            found.results.add(job.subject, done.tally);
            done.disagreement.map(|disagreement| explain::disagreement(&disagreement, &options.engine))
        }
        Err(lost) => {
            let how = if lost == Lost::Died { "ended the worker process" } else { "did not come to an end" };
            Some(format!("a run {how}\n  again: {}\n", explain::again(&job, &options.engine)))
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
