//! `cargo xtask bench`: Posada beside QEMU's TCG and beside the bare host, on the same kernels, the same programs and
//! the same work.
//!
//! Everything is CPU time, so that other work on the host hardly matters: of the emulator's process for guests, of
//! the program itself for the host. Boots are measured by the wall clock too. Each number is the least of several
//! runs, the emulators taking turns.

mod disk;
mod goals;
pub mod guests;
pub mod peer;
pub mod sample;
mod screen;
mod selection;
mod table;

use crate::command;
use crate::{demo, packages, setup};
use anyhow::{Context, Result, bail};
use peer::{Guest, Peer};
use sample::{Cost, Sample};
use selection::{Part, Selection};
use std::fs;
use std::path::Path;
use std::process::Command;
use table::{Boot, Report, Row};

const BOOT_RUNS: usize = 3;
const KERNEL_RUNS: usize = 2;
const PROGRAM_RUNS: usize = 2;
const NATIVE_KERNEL_RUNS: usize = 5;
const NATIVE_PROGRAM_RUNS: usize = 3;

pub fn bench(words: &[&str]) -> Result<()> {
    let selection = Selection::parse(words)?;
    setup::setup(false)?;
    let posada = demo::build()?;
    // Debian's package, the strongest peer measured.
    packages::require("bench", &[("qemu-system-x86_64", "qemu-system-x86")])?;
    let program = guests::build_program()?;
    let peers = [Peer::posada(&posada, &selection.engine), Peer::qemu()];
    let report = measure(&selection, &peers, &program)?;
    let text = report.markdown();
    println!("{text}");
    if selection.is_all() { table::write_into_readme(&text) } else { Ok(()) }
}

fn measure(selection: &Selection, peers: &[Peer; 2], program: &Path) -> Result<Report> {
    let architectures = setup::ARCHITECTURES.map(str::to_owned);
    let (kernel_names, program_names) = guests::names(program)?;
    let (disk_names, screen_names) = (disk::names(), [screen::NAME.to_owned()]);
    let known = [architectures.as_slice(), &kernel_names, &program_names, &disk_names, &screen_names];
    selection.check(&known.concat())?;
    let boots = selection.of(Part::Boots, &architectures);
    Ok(Report {
        boots: boots.iter().map(|architecture| boot(peers, architecture)).collect::<Result<_>>()?,
        kernels: kernels(peers, program, &selection.of(Part::Kernels, &kernel_names))?,
        programs: programs(peers, program, &selection.of(Part::Programs, &program_names))?,
        disk: disk::measure(peers, &selection.of(Part::Disk, &disk_names))?,
        screen: screen::measure(&selection.engine, &selection.of(Part::Screen, &screen_names))?,
        engine: selection.engine.clone(),
        qemu: qemu_version()?,
        date: command::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?.trim().to_owned(),
        host: host(),
    })
}

fn qemu_version() -> Result<String> {
    let said = command::output(Command::new("qemu-system-x86_64").arg("--version"))?;
    Ok(said.lines().next().and_then(|line| line.split_whitespace().nth(3)).unwrap_or("?").to_owned())
}

fn host() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let name = model.map_or("an unknown CPU", |(_, name)| name.trim());
    format!("{name} ({count} CPUs)")
}

fn boot(peers: &[Peer; 2], architecture: &str) -> Result<Boot> {
    let guest = guests::boot(architecture);
    let mut costs = [Cost::WORST; 2];
    for _ in 0..BOOT_RUNS {
        for (cost, peer) in costs.iter_mut().zip(peers) {
            eprintln!("bench: booting {architecture} under {}", peer.name);
            *cost = cost.least(peer.boot(&guest)?);
        }
    }
    eprintln!("bench: idle shells");
    let [posada, qemu] = costs;
    let idle = [peers[0].idle(&guest)?, peers[1].idle(&guest)?];
    Ok(Boot { architecture: architecture.to_owned(), posada, qemu, idle })
}

fn kernels(peers: &[Peer; 2], program: &Path, names: &[String]) -> Result<Vec<Row>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    eprintln!("bench: kernels on the host");
    let native = least(NATIVE_KERNEL_RUNS, || guests::native_kernels(program, names))?;
    let emulated = emulated(KERNEL_RUNS, peers, &guests::kernels(program)?, guests::KERNELS, names)?;
    rows(&native, &emulated)
}

fn programs(peers: &[Peer; 2], program: &Path, names: &[String]) -> Result<Vec<Row>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let (guest, tree) = guests::programs(program)?;
    eprintln!("bench: programs on the host");
    let native = least(NATIVE_PROGRAM_RUNS, || guests::native_programs(program, &tree, names))?;
    let emulated = emulated(PROGRAM_RUNS, peers, &guest, guests::PROGRAMS, names)?;
    rows(&native, &emulated)
}

/// The least costs under each emulator.
fn emulated(
    runs: usize,
    peers: &[Peer; 2],
    guest: &Guest,
    command: &str,
    names: &[String],
) -> Result<[Vec<Sample>; 2]> {
    let mut best = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        for (best, peer) in best.iter_mut().zip(peers) {
            eprintln!("bench: {command} under {}", peer.name);
            keep_least(best, peer.samples(guest, command, names)?);
        }
    }
    Ok(best)
}

fn least(runs: usize, mut run: impl FnMut() -> Result<Vec<Sample>>) -> Result<Vec<Sample>> {
    let mut best = Vec::new();
    for _ in 0..runs {
        keep_least(&mut best, run()?);
    }
    Ok(best)
}

fn keep_least(best: &mut Vec<Sample>, again: Vec<Sample>) {
    if best.is_empty() {
        *best = again;
        return;
    }
    for (best, again) in best.iter_mut().zip(again) {
        best.cost = best.cost.least(again.cost);
        best.own = best.own.min(again.own);
    }
}

/// Puts side by side what was measured, if all three did the same work. On the host the program's own clock counts: a
/// look at one process would miss its children.
fn rows(native: &[Sample], [posada, qemu]: &[Vec<Sample>; 2]) -> Result<Vec<Row>> {
    let rows = native.iter().map(|native| {
        let posada = same(native, posada).context("under Posada")?;
        let qemu = same(native, qemu).context("under QEMU")?;
        Ok(Row {
            name: native.name.clone(),
            native: native.own,
            posada: posada.cost.cpu,
            qemu: qemu.cost.cpu,
        })
    });
    rows.collect()
}

fn same<'a>(native: &Sample, others: &'a [Sample]) -> Result<&'a Sample> {
    let name = &native.name;
    let other = others.iter().find(|other| other.name == *name);
    let other = other.with_context(|| format!("no result of {name}"))?;
    if other.checksum != native.checksum {
        bail!("the checksum of {name} is {}, on the host {}", other.checksum, native.checksum);
    }
    Ok(other)
}

#[cfg(test)]
mod tests {
    use super::{Cost, Sample, keep_least, rows};

    fn sample(cpu: f64, checksum: &str) -> Sample {
        Sample { name: "alu".into(), cost: Cost { cpu, wall: cpu }, own: cpu, checksum: checksum.into() }
    }

    #[test]
    fn the_least_is_kept() {
        let mut best = Vec::new();
        for cpu in [3.0, 2.0, 5.0] {
            keep_least(&mut best, vec![sample(cpu, "a")]);
        }
        assert_eq!((best[0].cost.cpu, best[0].own), (2.0, 2.0));
    }

    #[test]
    fn different_work_is_not_compared() {
        let native = [sample(1.0, "a")];
        assert!(rows(&native, &[vec![sample(2.0, "a")], vec![sample(3.0, "a")]]).is_ok());
        assert!(rows(&native, &[vec![sample(2.0, "a")], vec![sample(3.0, "b")]]).is_err());
        assert!(rows(&native, &[vec![], vec![sample(3.0, "a")]]).is_err());
    }
}
