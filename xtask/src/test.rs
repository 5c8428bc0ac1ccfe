//! `cargo xtask test`: every test of the workspace, the boots of real guests among them.

use crate::cache::Cache;
use crate::command::{self, cargo};
use crate::{guest, screen, setup};
use anyhow::Result;
use std::process::Command;

/// Tests that need more than a Rust toolchain and the guests that only have to be fetched.
struct Demanding {
    /// How their names begin.
    names: &'static [&'static str],
    /// Makes sure that what they need is there.
    require: fn() -> Result<()>,
}

const DEMANDING: [Demanding; 3] = [
    Demanding {
        names: &["window::window_", "window_picture::window_", "images::qemu_img_"],
        require: || screen::require("test"),
    },
    Demanding {
        names: &["media::grub_", "media::memtest_", "media::ipxe_", "media::isolinux_"],
        require: guest::media_for_tests,
    },
    Demanding {
        names: &["media::debian_", "identity::a_run_saved_with_graphics_"],
        require: || guest::debian("amd64").map(drop),
    },
];

/// Runs the tests in a release build (guests boot in them). `filter` goes to the test runner.
pub fn test(filter: &[&str]) -> Result<()> {
    setup::setup(false)?;
    let mut left_out = Vec::new();
    for Demanding { names, require } in DEMANDING {
        if let Err(why) = require() {
            eprintln!("test: the tests {}* are LEFT OUT: {why:#}", names.join("*, "));
            left_out.extend(names);
        }
    }
    let mut tests = runner(command::find("cargo-nextest").is_some(), filter, &left_out);
    tests.env("POSADA_CACHE", std::path::absolute(Cache::folder())?);
    command::run(&mut tests)?;
    if !left_out.is_empty() {
        eprintln!("test: left out, see above: {}*", left_out.join("*, "));
    }
    Ok(())
}

/// The command that runs all tests but those whose names begin so.
fn runner(nextest: bool, filter: &[&str], left_out: &[&str]) -> Command {
    let mut tests = if nextest { cargo(["nextest", "run"]) } else { cargo(["test"]) };
    tests.args(["--workspace", "--release"]).args(filter);
    if !left_out.is_empty() {
        // What follows `--` is for the tests themselves; both runners know --skip there.
        tests.args((!filter.contains(&"--")).then_some("--"));
        tests.args(left_out.iter().flat_map(|name| ["--skip", name]));
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
        assert_eq!(arguments(&runner(false, &["x"], &[])), "test --workspace --release x");
        let skips = ["a::", "b::"];
        let all = "test --workspace --release -- --skip a:: --skip b::";
        assert_eq!(arguments(&runner(false, &[], &skips)), all);
        let filtered = arguments(&runner(true, &["x", "--", "--exact"], &skips[..1]));
        assert_eq!(filtered, "nextest run --workspace --release x -- --exact --skip a::");
    }
}
