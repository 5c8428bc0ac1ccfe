//! The disk that is written to, and its health as programs of others see it: `qemu-img` for the image, `e2fsck` for the
//! file system.

use super::options::{Bus, Format};
use crate::command::{self, output};
use crate::guest;
use crate::packages::{self, Tool};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TOOLS: [Tool; 2] = [("qemu-img", "qemu-utils"), ("e2fsck", "e2fsprogs")];

/// e2fsck(8): the exit code is a sum of these; errors that were corrected, and those that were not.
const CORRECTED: i32 = 1;

pub struct Disk {
    path: PathBuf,
    format: Format,
    bus: Bus,
}

/// How the disk was after a kill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Clusters of the image that nobody uses, and that are not free.
    pub leaked: u64,
    /// What e2fsck had to correct beside playing the journal.
    pub corrected: Vec<String>,
}

impl Disk {
    /// A copy of Debian's disk.
    pub fn copy(folder: &Path, format: Format, bus: Bus) -> Result<Self> {
        packages::require("crash", &TOOLS)?;
        let debian = guest::debian("amd64")?;
        let name = format.name();
        let path = folder.join(format!("disk.{name}"));
        output(Command::new("qemu-img").args(["convert", "-O", name]).arg(&debian).arg(&path))?;
        Ok(Self { path, format, bus })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds it to the command line of a run.
    pub fn attach(&self, run: &mut Command) {
        let option = match self.bus {
            Bus::Ide => "--disk",
            Bus::Virtio => "--virtio-disk",
        };
        run.arg(option).arg(&self.path);
    }

    pub fn remove(self) -> Result<()> {
        Ok(fs::remove_file(self.path)?)
    }

    /// Looks at the image, and at the file system in a copy of it.
    ///
    /// # Errors
    /// One of them is damaged.
    pub fn look(&self, folder: &Path) -> Result<Health> {
        let leaked = match self.format {
            Format::Raw => 0,
            Format::Qcow2 => image(&self.path)?,
        };
        let copy = folder.join("file-system.raw");
        output(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(self.file_system()).arg(&copy))?;
        let corrected = file_system(&copy)?;
        fs::remove_file(&copy)?;
        Ok(Health { leaked, corrected })
    }

    /// The file system alone, as qemu-img wants it named (QEMU, "Block device options"). As a part of the disk,
    /// `?offset=`, e2fsck cannot play its journal.
    fn file_system(&self) -> String {
        let offset = guest::file_system_offset();
        let file = json!({ "driver": "file", "filename": self.path });
        let disk = json!({ "driver": self.format.name(), "file": file });
        format!("json:{}", json!({ "driver": "raw", "offset": offset, "file": disk }))
    }
}

/// qemu-img(1), check: 0 sound, 2 damaged, 3 only leaks.
fn image(path: &Path) -> Result<u64> {
    let Output { status, stdout, stderr } =
        Command::new("qemu-img").args(["check", "-f", "qcow2", "--output=json"]).arg(path).output()?;
    let (said, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if !matches!(status.code(), Some(0 | 3)) {
        bail!("qemu-img check finds damage: {said} {errors}");
    }
    let report: Value = serde_json::from_str(&said).context("what qemu-img says")?;
    Ok(report["leaks"].as_u64().unwrap_or(0))
}

/// Plays the journal, as the guest would, and looks whether all is right then.
fn file_system(disk: &Path) -> Result<Vec<String>> {
    let program = command::find("e2fsck").context("there is no e2fsck here: install e2fsprogs")?;
    let e2fsck = |option: &str| -> Result<(Option<i32>, String)> {
        let done = Command::new(&program).arg(option).arg(disk).output()?;
        Ok((done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned()))
    };
    let (code, said) = e2fsck("-fp")?;
    if code.is_none_or(|code| code > CORRECTED) {
        bail!("the file system is damaged, and e2fsck cannot mend it by itself: {said}");
    }
    let (again, more) = e2fsck("-fn")?;
    if again != Some(0) {
        bail!("the file system is damaged after its recovery: {more}");
    }
    Ok(corrections(&said))
}

/// What e2fsck says beside what is the rule after a crash: the journal, files that were removed while the power went,
/// counts that the journal does not hold, and the line of statistics.
fn corrections(said: &str) -> Vec<String> {
    let usual = [
        "recovering journal",
        "Clearing orphaned inode",
        "Free blocks count wrong",
        "Free inodes count wrong",
    ];
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains(" files ("));
    lines.filter(|line| !usual.iter().any(|usual| line.contains(usual))).map(str::to_owned).collect()
}

impl Health {
    /// Takes over what is worse there.
    pub fn worst(&mut self, other: Self) {
        self.leaked = self.leaked.max(other.leaked);
        self.corrected.extend(other.corrected);
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image sound, {} clusters leaked, file system sound", self.leaked)?;
        match self.corrected.as_slice() {
            [] => Ok(()),
            corrected => write!(f, " after corrections: {}", corrected.join("; ")),
        }
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Debian on a {} disk behind {}", self.format.name(), self.bus.name())
    }
}

#[cfg(test)]
mod tests {
    use super::corrections;

    #[test]
    fn the_journal_is_no_correction() {
        let said = "posada-root: recovering journal\nposada-root: Clearing orphaned inode 12 (uid=0)\n\
                    Inode 5 has wrong size.  FIXED.\nposada-root: 10911/262144 files (0.1% non-contiguous), 1/2 blocks\n";
        assert_eq!(corrections(said), ["Inode 5 has wrong size.  FIXED."]);
    }
}
