//! `cargo xtask guest`: Debian on a disk, and the boot media that tests put into the drives.

mod check;
mod debian_disk;
mod mbr;
mod media;
mod sources;

use crate::setup;
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const HELP: &str = "\
Usage: cargo xtask guest GUEST [--refresh]
       cargo xtask guest check [GUEST] [--firmware NAME] [--bus NAME] [--engine NAME]

  debian-amd64, debian-i386
            Debian 12 on a disk of 4 GiB: kernel, systemd, GRUB with a menu of 3 s, logins on the screen and on the
            first serial port. Log in as root with the password posada.
  media     Rescue disks of GRUB, Memtest86+, iPXE, the Debian installers, a CD with ISOLINUX: for the drives, in the
            folder media

They come from Debian packages by name, from the sources that apt has on this machine, into target/guests or the folder
named by POSADA_CACHE. What is there is checked and kept; with --refresh it is made anew.
`check` plays sessions with the guests under Posada (the scripts are in xtask/guest/scripts): all, which takes hours, or
those with a GUEST (a disk, media, installers, or a script's name), a firmware (posada, seabios), a bus (ide, virtio,
cd, diskette) and an engine (auto, interpreter).

Root makes the disks as it is. Another user needs the Debian package uidmap, lines for the user in /etc/subuid and
/etc/subgid, and a kernel that allows user namespaces. What is missing here is installed if root runs this.
";

pub fn guest(words: &[&str]) -> Result<()> {
    match words {
        [] | ["help" | "--help" | "-h"] => print!("{HELP}"),
        ["check", selection @ ..] => check::check(&check::Selection::parse(selection)?)?,
        [name] => make(name, false)?,
        [name, "--refresh"] => make(name, true)?,
        _ => bail!("cannot make `{}`; `cargo xtask guest` says what can be", words.join(" ")),
    }
    Ok(())
}

/// The disk with Debian of an architecture, made if it is not there yet.
pub fn debian(architecture: &'static str) -> Result<PathBuf> {
    debian_disk::make(architecture, false)
}

/// Where the file system of such a disk begins, in bytes.
pub fn file_system_offset() -> u64 {
    u64::from(mbr::PARTITION) * mbr::SECTOR as u64
}

/// The file system in a raw copy of such a disk, as the programs of e2fsprogs want it named.
pub fn file_system_in(disk: &Path) -> OsString {
    let mut name = disk.as_os_str().to_owned();
    name.push(format!("?offset={}", file_system_offset()));
    name
}

/// The boot media of the tests; after the set-up, whose files are on them.
pub fn media_for_tests() -> Result<()> {
    media::make(false)
}

fn make(name: &str, refresh: bool) -> Result<()> {
    match name {
        "media" => {
            setup::setup(false)?;
            media::make(refresh)?;
            media::installers(refresh)
        }
        _ => debian_disk::make(architecture(name)?, refresh).map(drop),
    }
}

fn architecture(name: &str) -> Result<&'static str> {
    match name {
        "debian-amd64" => Ok("amd64"),
        "debian-i386" => Ok("i386"),
        _ => bail!("there is no guest `{name}`; `cargo xtask guest` lists them"),
    }
}
