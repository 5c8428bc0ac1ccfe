//! `cargo xtask check`: everything about the source that can be checked without running a guest.

mod arrows;
mod sizes;

use crate::command::{self, cargo};
use anyhow::{Result, bail};

type Check = (&'static str, fn() -> Result<()>);

const CHECKS: [Check; 6] = [
    ("format", || command::run(&mut cargo(["fmt", "--all", "--check"]))),
    ("lints", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
        command::run(&mut cargo(arguments))
    }),
    ("arrows", arrows::check),
    ("file sizes", sizes::check),
    ("documentation", || {
        let mut doc = cargo(["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"]);
        command::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("licences and sources", deny),
];

/// Runs every check, also after one has failed, and names those that did.
pub fn check() -> Result<()> {
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        eprintln!("check: {name}");
        if let Err(error) = check() {
            eprintln!("check: {error:#}");
            failed.push(name);
        }
    }
    match failed.as_slice() {
        [] => {
            eprintln!("check: all good");
            Ok(())
        }
        names => bail!("failed: {}", names.join(", ")),
    }
}

/// The advisory database is left out: it needs a network that a build machine may not have.
fn deny() -> Result<()> {
    if command::find("cargo-deny").is_none() {
        eprintln!("check: skipped, cargo-deny is not installed (cargo install cargo-deny)");
        return Ok(());
    }
    command::run(&mut cargo(["deny", "--offline", "check", "bans", "licenses", "sources"]))
}
