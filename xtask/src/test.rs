//! `cargo xtask test`: every test of the workspace, the boots of real guests among them.

use crate::cache::Cache;
use crate::command::{self, cargo};
use crate::setup;
use anyhow::Result;

/// Runs the tests in a release build (guests boot in them). `filter` goes to the test runner.
pub fn test(filter: &[&str]) -> Result<()> {
    setup::all(false)?;
    let nextest = command::find("cargo-nextest").is_some();
    let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test"] };
    let mut tests = cargo(runner);
    tests.args(["--workspace", "--release"]).args(filter);
    tests.env("POSADA_CACHE", std::path::absolute(Cache::folder())?);
    command::run(&mut tests)
}
