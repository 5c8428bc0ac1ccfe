//! Debian on a disk: from power-on to GRUB and to the login, then reads and writes. The same raw image on the same bus
//! (IDE) under each emulator, each time a fresh copy.

use super::peer::Peer;
use super::sample::{Cost, Sample};
use crate::command::{self, output};
use crate::guest;
use crate::packages;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

pub const NAMES: [&str; 6] =
    ["disk-grub", "disk-login", "disk-write", "disk-read", "disk-random-write", "disk-random-read"];

/// The first line that GRUB's menu ends on the serial port, and the line before the login there.
const MARKS: [(&str, &str); 2] =
    [("disk-grub", "GNU GRUB"), ("disk-login", "Debian GNU/Linux 12 posada ttyS0")];

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

/// The names as the command knows them.
pub fn names() -> Vec<String> {
    NAMES.map(str::to_owned).into()
}

/// Those of `names`. One boot measures all of them, so asking for less saves no time.
pub fn measure(peers: &[Peer; 2], names: &[String]) -> Result<Vec<Row>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    packages::require("bench", &[("qemu-img", "qemu-utils"), ("debugfs", "e2fsprogs")])?;
    let image = guest::debian("amd64")?;
    let [posada, qemu] = peers;
    let (posada, qemu) = (session(posada, &image)?, session(qemu, &image)?);
    let rows = posada.iter().zip(&qemu).map(|(posada, qemu)| row(posada, qemu));
    let rows: Vec<Row> = rows.collect::<Result<_>>()?;
    Ok(rows.into_iter().filter(|row| names.contains(&row.name)).collect())
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

fn session(peer: &Peer, image: &Path) -> Result<Vec<Sample>> {
    let disk = command::target().join("bench-disk.raw");
    prepare(image, &disk)?;
    eprintln!("bench: Debian on a disk under {}", peer.name);
    let run = peer.start_disk(&disk)?;
    let mut samples = Vec::new();
    for (name, mark) in MARKS {
        run.wait_for(mark).with_context(|| format!("under {}", peer.name))?;
        samples.push(Sample { name: name.to_owned(), cost: run.cost()?, own: 0.0, checksum: String::new() });
    }
    samples.extend(run.samples("DISK-DONE").with_context(|| format!("under {}", peer.name))?);
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
