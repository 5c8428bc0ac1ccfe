//! `posada conform`: the CPU conformance suite, as a person runs it.

mod by_kvm;
pub mod options;
mod plan;
mod recorded;
mod silicon;
mod system;

use anyhow::Result;
use options::{Conform, Oracle};
use std::collections::BTreeSet;
use std::io::{Write, stdin, stdout};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use test_roms::conform::report::Results;
use test_roms::conform::{engines, worker};

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
    match options {
        Conform { list: true, .. } => list(),
        Conform { system: true, oracle: Oracle::Kvm, .. } => by_kvm::run(),
        Conform { system: true, .. } => system::run(options),
        Conform { recorded: Some(path), .. } => recorded::check(options, path.as_deref()),
        Conform { record: Some(path), .. } => recorded::record(options, path),
        _ => silicon::run(options),
    }
}

fn list() -> Result<ExitCode> {
    let testable: BTreeSet<usize> = plan::testable().collect();
    let mut out = stdout().lock();
    for row in Results::default().rows("", &testable) {
        let (family, bits, testable, known) = (row.family, row.bits, row.testable, row.known);
        writeln!(out, "{family:20} {bits} bits  {testable:5} of {known:5} forms can be tried here")?;
    }
    Ok(ExitCode::SUCCESS)
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

/// Year, month and day of a moment, UTC (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// civil_from_days).
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
    use std::time::Duration;

    #[test]
    fn dates() {
        let day = |days: u64| date(UNIX_EPOCH + Duration::from_secs(days * 86_400 + 5));
        assert_eq!(
            [0, 59, 11_016, 20_781].map(day),
            ["1970-01-01", "1970-03-01", "2000-02-29", "2026-11-24"]
        );
    }
}
