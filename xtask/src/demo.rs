//! `cargo xtask demo`: from a fresh checkout to the prompt of a Debian kernel in our PC.

use crate::cache::Cache;
use crate::command::{self, cargo};
use crate::setup;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Builds the program and returns where it is.
pub fn build() -> Result<PathBuf> {
    command::run(&mut cargo(["build", "--release", "--package", "frontend"]))?;
    Ok(command::target().join("release/posada"))
}

pub fn demo() -> Result<()> {
    setup::setup(false)?;
    let posada = build()?;
    let guests = Cache::folder();
    let mut run = Command::new(posada);
    run.arg("run").arg("--kernel").arg(guests.join("amd64/vmlinuz"));
    run.arg("--initrd").arg(guests.join("initramfs-amd64.cpio.gz"));
    run.args(["--append", "console=ttyS0"]);
    eprintln!("demo: {}", command::shown(&run));
    command::run(&mut run)
}
