//! `cargo xtask fuzz`: the fuzz targets, each for some time, on random seeds.

use crate::command::{self, cargo};
use anyhow::{Result, bail};

/// The fuzz targets are ordinary tests that are ignored unless asked for, so they need no nightly compiler. They
/// read how long to run from POSADA_FUZZ_SECONDS and print the seed of a failure.
pub fn fuzz(seconds: &str) -> Result<()> {
    if seconds.parse::<u32>().is_err() {
        bail!("`{seconds}` is not a number of seconds");
    }
    let mut fuzz = cargo(["test", "--release", "--workspace", "fuzz_", "--", "--ignored", "--nocapture"]);
    command::run(fuzz.env("POSADA_FUZZ_SECONDS", seconds))
}
