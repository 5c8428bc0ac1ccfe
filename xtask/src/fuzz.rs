//! `cargo xtask fuzz`: the fuzz targets, each for some time, on seeds from the clock; and damaged disk images of every
//! format, with the readers of the frontend.

use crate::command::{self, cargo};
use anyhow::{Result, bail};

/// What `posada-fuzz --target` knows.
const TARGETS: [&str; 2] = ["cpu", "devices"];

/// Runs every target for `seconds`. The first finding ends it: an input, its panic or crash, and how to run it again.
pub fn fuzz(seconds: &str) -> Result<()> {
    if seconds.parse::<u32>().is_err() {
        bail!("`{seconds}` is not a number of seconds");
    }
    for target in TARGETS {
        eprintln!("fuzz: {target} for {seconds} s");
        let run = ["run", "--release", "--package", "posada-fuzz", "--"];
        command::run(cargo(run).args(["--target", target, "--seconds", seconds]))?;
    }
    eprintln!("fuzz: images for {seconds} s");
    let images =
        ["test", "--release", "--package", "frontend", "--bin", "posada", "--", "--exact", "--nocapture"];
    command::run(cargo(images).arg("image::tests::no_damage_does_harm").env("POSADA_FUZZ_SECONDS", seconds))
}
