//! `cargo xtask test`: every test of the workspace, the boots of real guests among them.

use crate::cache::Cache;
use crate::command::{self, cargo};
use crate::{screen, setup};
use anyhow::Result;
use std::process::Command;

/// The tests that need more than a Rust toolchain and the guests, as libtest's `--skip` and the profile `bare` in
/// `.config/nextest.toml` name them.
const SCREEN: [&str; 2] = ["window::window_", "images::qemu_img_"];

/// Runs the tests in a release build (guests boot in them). `filter` goes to the test runner.
pub fn test(filter: &[&str]) -> Result<()> {
    setup::all(false)?;
    let screen = screen::require("test");
    if let Err(why) = &screen {
        eprintln!("test: the tests {} are left out: {why:#}", SCREEN.join("* and ") + "*");
    }
    let mut tests = match command::find("cargo-nextest") {
        Some(_) => nextest(filter, screen.is_ok()),
        None => libtest(filter, screen.is_ok()),
    };
    tests.env("POSADA_CACHE", std::path::absolute(Cache::folder())?);
    command::run(&mut tests)
}

fn nextest(filter: &[&str], all: bool) -> Command {
    let mut tests = cargo(["nextest", "run", "--workspace", "--release"]);
    tests.args(["--profile", if all { "default" } else { "bare" }]).args(filter);
    tests
}

fn libtest(filter: &[&str], all: bool) -> Command {
    let mut tests = cargo(["test", "--workspace", "--release"]);
    tests.args(filter);
    if !all {
        // What follows `--` is for the tests themselves.
        tests.args((!filter.contains(&"--")).then_some("--"));
        tests.args(SCREEN.iter().flat_map(|name| ["--skip", name]));
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(command: &Command) -> String {
        command::shown(command).split_once(' ').expect("a program and its arguments").1.to_owned()
    }

    #[test]
    fn what_cannot_run_is_left_out_and_nothing_else() {
        assert_eq!(arguments(&libtest(&["x"], true)), "test --workspace --release x");
        let skips = "--skip window::window_ --skip images::qemu_img_";
        assert_eq!(arguments(&libtest(&[], false)), format!("test --workspace --release -- {skips}"));
        let filtered = libtest(&["x", "--", "--nocapture"], false);
        assert_eq!(arguments(&filtered), format!("test --workspace --release x -- --nocapture {skips}"));
        assert_eq!(arguments(&nextest(&["x"], false)), "nextest run --workspace --release --profile bare x");
    }
}
