//! What the emulators boot, and the guest program that runs inside and on the host.

use super::peer::Guest;
use super::sample::{Run, Sample};
use crate::cache::Cache;
use crate::command::{self, cargo, run};
use crate::{debian, initramfs, packages};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Commands of the guests, for `posada.run=`.
pub const KERNELS: &str = "guest-bench";
pub const PROGRAMS: &str = "guest-programs";
pub const SOAK: &str = "guest-soak";

const PROGRAMS_SCRIPT: &str = "#!/bin/sh\nexec guest-bench --programs /debian\n";
const SOAK_SCRIPT: &str = "#!/bin/sh\nexec guest-bench --soak\n";

pub fn boot(architecture: &str) -> Guest {
    let guests = Cache::folder();
    Guest {
        kernel: guests.join(architecture).join("vmlinuz"),
        initrd: guests.join(format!("initramfs-{architecture}.cpio.gz")),
        memory: "512M",
    }
}

/// A guest with the guest program.
pub fn kernels(program: &Path) -> Result<Guest> {
    let cache = Cache::open()?;
    let extra = [("guest-bench", fs::read(program)?), (SOAK, SOAK_SCRIPT.into())];
    let initrd = "initramfs-bench.cpio.gz";
    cache.write(initrd, &initramfs::build(&cache.read("amd64/busybox")?, &extra)?)?;
    Ok(Guest { initrd: cache.path(initrd), ..boot("amd64") })
}

/// A guest with the guest program and the Debian tree, and where that tree is.
pub fn programs(program: &Path) -> Result<(Guest, PathBuf)> {
    let cache = Cache::open()?;
    let tree = debian::tree(&cache)?;
    let extra = [("guest-bench", fs::read(program)?), (PROGRAMS, PROGRAMS_SCRIPT.into())];
    let initrd = "initramfs-programs.cpio";
    cache.write(initrd, &initramfs::with_tree(&cache.read("amd64/busybox")?, &extra, &tree)?)?;
    Ok((Guest { initrd: cache.path(initrd), memory: "1G", ..boot("amd64") }, tree))
}

/// The guest program, linked statically so that a guest without libraries can run it.
pub fn build_program() -> Result<PathBuf> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let folder = command::target().join("guest-programs");
    let mut build =
        cargo(["build", "--release", "--package", "guest-bench", "--target", TARGET, "--target-dir"]);
    build.arg(&folder).env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=symbols");
    run(&mut build)?;
    Ok(folder.join(TARGET).join("release/guest-bench"))
}

/// The names of the kernels and of the programs.
pub fn names(program: &Path) -> Result<(Vec<String>, Vec<String>)> {
    let list = command::output(Command::new(program).arg("--list"))?;
    let of =
        |kind: &str| list.lines().filter_map(|line| line.strip_prefix(kind)).map(str::to_owned).collect();
    Ok((of("kernel "), of("program ")))
}

/// Kernels on the host itself.
pub fn native_kernels(program: &Path, names: &[String]) -> Result<Vec<Sample>> {
    let mut command = Command::new(program);
    command.args(names);
    Run::start(command)?.samples("")
}

/// Programs of the tree on the host itself, with the tree as root directory.
pub fn native_programs(program: &Path, tree: &Path, names: &[String]) -> Result<Vec<Sample>> {
    let mut command = if packages::is_root() {
        Command::new(program)
    } else {
        let mut unshare = Command::new("unshare");
        unshare.arg("--map-root-user").arg(program);
        unshare
    };
    command.arg("--programs").arg(tree).args(names);
    let samples = Run::start(command)?.samples("");
    samples
        .context("running Debian's programs on the host needs root, or a kernel that allows user namespaces")
}
