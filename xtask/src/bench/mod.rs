//! `cargo xtask bench`: Posada beside QEMU's TCG and beside the bare host, on the same kernels and the same work.
//!
//! Everything is CPU time, so that other work on the host hardly matters: of the emulator's process for guests, of
//! the program itself for the host. Each number is the least of several runs.

mod sample;
mod table;

use crate::cache::Cache;
use crate::command::{self, cargo, run};
use crate::{demo, initramfs, setup};
use anyhow::{Context, Result, bail};
use sample::{Kernel, Peer};
use std::fs;
use std::path::Path;
use std::process::Command;
use table::{Boot, Report, Row};

const BOOT_RUNS: usize = 3;
const KERNEL_RUNS: usize = 2;
const NATIVE_RUNS: usize = 7;

/// Guest memory: the same under every emulator.
const MEMORY: &str = "512M";

/// Guest time of one instruction in deterministic mode (machine, clock.rs, `INSTRUCTION`).
const NANOSECONDS_PER_INSTRUCTION: f64 = 2.0;

pub fn bench() -> Result<()> {
    setup::setup(false)?;
    let posada = demo::build()?;
    install_qemu()?;
    let program = build_guest_program()?;
    let guests = Cache::folder();
    write_bench_initramfs(&program)?;
    let peers = [Peer::posada(&posada), Peer::qemu()];
    let report = Report {
        boots: boots(&peers, &guests)?,
        rows: kernels(&peers, &guests, &program)?,
        qemu: qemu_version()?,
        date: command::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?.trim().to_owned(),
        host: host(),
    };
    let text = report.markdown();
    println!("{text}");
    table::write_into_readme(&text)
}

/// Debian's package, the strongest peer measured.
fn install_qemu() -> Result<()> {
    if command::find("qemu-system-x86_64").is_some() {
        return Ok(());
    }
    eprintln!("bench: installing the Debian package qemu-system-x86, to compare with");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet=2", "--no-install-recommends", "qemu-system-x86"]);
    run(install.env("DEBIAN_FRONTEND", "noninteractive"))
        .context("QEMU is needed to compare with: install qemu-system-x86 as root (apt-get update first) and try again")
}

fn qemu_version() -> Result<String> {
    let said = command::output(Command::new("qemu-system-x86_64").arg("--version"))?;
    Ok(said.lines().next().and_then(|line| line.split_whitespace().nth(3)).unwrap_or("?").to_owned())
}

fn host() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown host".into(), |(_, name)| name.trim().to_owned())
}

/// The guest program, linked statically so that a guest without libraries can run it.
fn build_guest_program() -> Result<std::path::PathBuf> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let folder = command::target().join("guest-programs");
    let mut build =
        cargo(["build", "--release", "--package", "guest-bench", "--target", TARGET, "--target-dir"]);
    build.arg(&folder).env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=symbols");
    run(&mut build)?;
    Ok(folder.join(TARGET).join("release/guest-bench"))
}

fn write_bench_initramfs(program: &Path) -> Result<()> {
    let cache = Cache::open()?;
    let extra = [("guest-bench", fs::read(program)?)];
    cache.write("initramfs-bench.cpio.gz", &initramfs::build(&cache.read("amd64/busybox")?, &extra)?)
}

fn boots(peers: &[Peer], guests: &Path) -> Result<Vec<Boot>> {
    let mut boots = Vec::new();
    for architecture in setup::ARCHITECTURES {
        let kernel = guests.join(architecture).join("vmlinuz");
        let initrd = guests.join(format!("initramfs-{architecture}.cpio.gz"));
        let (mut seconds, mut idle) = (Vec::new(), Vec::new());
        for peer in peers {
            eprintln!("bench: booting {architecture} under {}", peer.name);
            let runs: Result<Vec<f64>> = (0..BOOT_RUNS).map(|_| peer.boot(&kernel, &initrd)).collect();
            seconds.push(runs?.into_iter().fold(f64::INFINITY, f64::min));
            idle.push(peer.idle(&kernel, &initrd)?);
        }
        let (&[posada, qemu], &[idle_posada, idle_qemu]) = (seconds.as_slice(), idle.as_slice()) else {
            bail!("expected two emulators")
        };
        boots.push(Boot { architecture, posada, qemu, idle: [idle_posada, idle_qemu] });
    }
    Ok(boots)
}

fn kernels(peers: &[Peer], guests: &Path, program: &Path) -> Result<Vec<Row>> {
    let (kernel, initrd) = (guests.join("amd64/vmlinuz"), guests.join("initramfs-bench.cpio.gz"));
    eprintln!("bench: kernels on the host");
    let native = least(NATIVE_RUNS, || sample::native(program))?;
    let mut emulated = Vec::new();
    for peer in peers {
        eprintln!("bench: kernels under {}", peer.name);
        emulated.push(least(KERNEL_RUNS, || peer.kernels(&kernel, &initrd, false))?);
    }
    eprintln!("bench: counting instructions");
    let counted = peers[0].kernels(&kernel, &initrd, true)?;
    let rows = native.iter().enumerate().map(|(index, native)| {
        let of = |kernels: &[Kernel]| kernels.get(index).filter(|kernel| kernel.name == native.name).cloned();
        let missing = || format!("no result of kernel {}", native.name);
        let posada = of(&emulated[0]).with_context(missing)?;
        let qemu = of(&emulated[1]).with_context(missing)?;
        let instructions =
            of(&counted).with_context(missing)?.guest_nanoseconds / NANOSECONDS_PER_INSTRUCTION;
        for other in [&posada, &qemu] {
            if other.checksum != native.checksum {
                bail!(
                    "kernel {}: the checksum in a guest is {}, on the host {}",
                    native.name,
                    other.checksum,
                    native.checksum
                );
            }
        }
        Ok(Row {
            name: native.name.clone(),
            native: native.cpu,
            posada: posada.cpu,
            qemu: qemu.cpu,
            instructions,
        })
    });
    rows.collect()
}

/// The least CPU time of each kernel over several runs.
fn least(runs: usize, mut run: impl FnMut() -> Result<Vec<Kernel>>) -> Result<Vec<Kernel>> {
    let mut best = run()?;
    for _ in 1..runs {
        for (best, again) in best.iter_mut().zip(run()?) {
            best.cpu = best.cpu.min(again.cpu);
        }
    }
    Ok(best)
}
