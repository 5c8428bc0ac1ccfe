//! `cargo xtask guest check`: a person's sessions with the guests, by script, under Posada: with each firmware, from
//! each kind of drive, under each engine.

mod plan;
mod report;
mod session;

pub use plan::Selection;

use super::{debian_disk, media};
use crate::setup;
use anyhow::{Result, bail, ensure};
use plan::Kind;
use report::Row;
use session::Sessions;
use std::time::Instant;

/// Runs all checks that are selected, also after one has failed, and tells how each ended.
pub fn check(selection: &Selection) -> Result<()> {
    let checks = selection.checks();
    ensure!(!checks.is_empty(), "no check is like that; `cargo xtask guest` lists them");
    for guest in checks.iter().map(|check| check.kind) {
        prepare(guest)?;
    }
    let sessions = Sessions::open()?;
    let mut rows = Vec::new();
    for (index, check) in checks.iter().enumerate() {
        eprintln!("guest: {} of {}: {check}", index + 1, checks.len());
        let start = Instant::now();
        let failure = sessions.run(check).err().map(|error| format!("{error:#}"));
        let row = Row { check, seconds: start.elapsed().as_secs(), failure };
        eprintln!("guest: {row}");
        rows.push(row);
    }
    report::table(&rows);
    match rows.iter().filter(|row| row.failure.is_some()).count() {
        0 => Ok(()),
        count => bail!("{count} of {} checks failed", rows.len()),
    }
}

/// Fetches or makes what a check boots.
fn prepare(guest: Kind) -> Result<()> {
    match guest {
        Kind::Debian(architecture) => debian_disk::make(architecture, false).map(drop),
        Kind::Medium(_) => {
            setup::setup(false)?;
            media::make(false)
        }
        Kind::Installer(..) => media::installers(false),
    }
}
