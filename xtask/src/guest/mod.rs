//! `cargo xtask guest`: Debian on a disk, and the boot media that tests put into the drives.

mod debian_disk;
mod mbr;
mod sources;

use anyhow::{Result, bail};

const HELP: &str = "\
Usage: cargo xtask guest GUEST [--refresh]

  debian-amd64, debian-i386
            Debian 12 on a disk of 4 GiB: kernel, systemd, GRUB with a menu of 3 s, logins on the screen and on the
            first serial port. Log in as root with the password posada.

They come from Debian packages by name, from the sources that apt has on this machine, into target/guests or the folder
named by POSADA_CACHE. What is there is checked and kept; with --refresh it is made anew.

Root makes the disks as it is. Another user needs the Debian package uidmap, lines for the user in /etc/subuid and
/etc/subgid, and a kernel that allows user namespaces. What is missing here is installed if root runs this.
";

pub fn guest(words: &[&str]) -> Result<()> {
    let (refresh, names): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| **word == "--refresh");
    let refresh = !refresh.is_empty();
    match names.as_slice() {
        [] | ["help" | "--help" | "-h"] => print!("{HELP}"),
        ["debian-amd64"] => drop(debian_disk::make("amd64", refresh)?),
        ["debian-i386"] => drop(debian_disk::make("i386", refresh)?),
        _ => bail!("there is no guest `{}`; `cargo xtask guest` lists them", names.join(" ")),
    }
    Ok(())
}
