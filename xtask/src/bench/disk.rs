//! Debian on a disk: from power-on to GRUB and to the login, then reads and writes. The same raw image on the same bus
//! under each emulator, each time a fresh copy.

use super::peer::{Bus, Peer};
use super::sample::{Cost, Sample};
use super::{keep_least, peer};
use crate::command::{self, output};
use crate::guest;
use crate::packages;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is measured on each bus.
const WORK: [&str; 6] = ["grub", "login", "write", "read", "random-write", "random-read"];

/// How the lines of the program in the guest begin, before the name of the work.
const IN_THE_GUEST: &str = "disk-";

/// The emulators take turns.
const RUNS: usize = 2;

/// The first line that GRUB's menu ends on the serial port, and the line before the login there.
const MARKS: [(&str, &str); 2] = [("grub", "GNU GRUB"), ("login", "Debian GNU/Linux 12 posada ttyS0")];

/// What debugfs(8) puts into the copy so that it measures by itself.
const ADDED: [(&str, &str); 2] =
    [("disk.pl", "/root/disk.pl"), ("disk.service", "/etc/systemd/system/disk.service")];
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/disk.service";

/// One thing measured under both.
pub struct Row {
    pub name: String,
    pub posada: Cost,
    pub qemu: Cost,
}

/// The names as the command knows them: bus and work.
pub fn names() -> Vec<String> {
    peer::BUSES.iter().flat_map(|bus| WORK.map(|work| named(bus, work))).collect()
}

fn named(bus: &Bus, work: &str) -> String {
    format!("{}-{work}", bus.name)
}

/// Those of `names`. One boot measures everything on a bus, so asking for less of it saves no time.
pub fn measure(peers: &[Peer; 2], names: &[String]) -> Result<Vec<Row>> {
    let is_wanted = |bus: &&Bus| WORK.iter().any(|work| names.contains(&named(bus, work)));
    let mut rows = Vec::new();
    for bus in peer::BUSES.iter().filter(is_wanted) {
        packages::require("bench", &[("qemu-img", "qemu-utils"), ("debugfs", "e2fsprogs")])?;
        let image = guest::debian("amd64")?;
        let mut best = [Vec::new(), Vec::new()];
        for _ in 0..RUNS {
            for (best, peer) in best.iter_mut().zip(peers) {
                keep_least(best, session(peer, bus, &image)?);
            }
        }
        let [posada, qemu] = best;
        for (posada, qemu) in posada.iter().zip(&qemu) {
            rows.push(row(posada, qemu)?);
        }
    }
    rows.retain(|row| names.contains(&row.name));
    Ok(rows)
}

/// Puts side by side what did the same work.
fn row(posada: &Sample, qemu: &Sample) -> Result<Row> {
    let name = &posada.name;
    ensure!(*name == qemu.name, "the emulators measured different things: {name} and {}", qemu.name);
    ensure!(
        posada.checksum == qemu.checksum,
        "the checksum of {name} is {} under Posada, {} under QEMU",
        posada.checksum,
        qemu.checksum
    );
    Ok(Row { name: name.clone(), posada: posada.cost, qemu: qemu.cost })
}

fn session(peer: &Peer, bus: &Bus, image: &Path) -> Result<Vec<Sample>> {
    let disk = command::target().join("bench-disk.raw");
    prepare(image, &disk)?;
    eprintln!("bench: Debian on {} under {}", bus.what, peer.name);
    let run = peer.start_disk(bus, &disk)?;
    let mut samples = Vec::new();
    for (work, mark) in MARKS {
        run.wait_for(mark).with_context(|| format!("under {}", peer.name))?;
        samples.push(Sample { name: named(bus, work), cost: run.cost()?, own: 0.0, checksum: String::new() });
    }
    for sample in run.samples("DISK-DONE").with_context(|| format!("under {}", peer.name))? {
        let work = sample.name.trim_start_matches(IN_THE_GUEST);
        samples.push(Sample { name: named(bus, work), ..sample });
    }
    drop(run);
    std::fs::remove_file(&disk)?;
    Ok(samples)
}

/// A raw copy with our program in it.
fn prepare(image: &Path, disk: &PathBuf) -> Result<()> {
    output(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(image).arg(disk))?;
    for (file, to) in ADDED {
        let from = command::workspace().join("xtask/guest/bench").join(file);
        debugfs(disk, &format!("write {} {to}", from.display()))?;
        // debugfs gives its last error no exit code.
        let there = debugfs(disk, &format!("stat {to}"))?;
        ensure!(there.contains("Type: regular"), "{file} could not be put into the disk: {there}");
    }
    debugfs(disk, &format!("symlink {WANTED} {}", ADDED[1].1))?;
    Ok(())
}

fn debugfs(disk: &Path, request: &str) -> Result<String> {
    let program = command::find("debugfs").context("there is no debugfs here: install e2fsprogs")?;
    output(Command::new(program).args(["-w", "-R", request]).arg(guest::file_system_in(disk)))
}
