//! The initramfs of our Linux guests: a busybox, an `/init` of ours, and the scripts the boot tests run.

use crate::cpio::{Cpio, Kind};
use crate::debian;
use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::Path;

const INIT: &str = include_str!("../initramfs/init");

/// Scripts in `/tests`, run by `posada.run=NAME` on the kernel command line or by hand.
const TESTS: [(&str, &str); 4] = [
    ("clocks", include_str!("../initramfs/tests/clocks")),
    ("shell", include_str!("../initramfs/tests/shell")),
    ("restart", include_str!("../initramfs/tests/restart")),
    ("panic", include_str!("../initramfs/tests/panic")),
];

const FOLDERS: [&str; 9] = ["bin", "dev", "etc", "proc", "root", "sys", "tests", "tmp", "run"];

/// Device nodes needed before `/init` has mounted devtmpfs (Linux, Documentation/admin-guide/devices.txt).
const NODES: [(&str, u32, u32); 4] =
    [("dev/console", 5, 1), ("dev/null", 1, 3), ("dev/tty", 5, 0), ("dev/ttyS0", 4, 64)];

/// Builds the archive, compressed by gzip. `extra` are more executables: name in `/bin` and contents.
pub fn build(busybox: &[u8], extra: &[(&str, Vec<u8>)]) -> Result<Vec<u8>> {
    compress(&archive(busybox, extra)?.finish())
}

/// The same with the Debian tree as `/debian`. Not compressed: unpacking that much would be most of the boot.
pub fn with_tree(busybox: &[u8], extra: &[(&str, Vec<u8>)], tree: &Path) -> Result<Vec<u8>> {
    let mut archive = archive(busybox, extra)?;
    debian::add(&mut archive, "debian", tree)?;
    Ok(archive.finish())
}

fn archive(busybox: &[u8], extra: &[(&str, Vec<u8>)]) -> Result<Cpio> {
    let mut archive = Cpio::default();
    for folder in FOLDERS {
        archive.add(folder, 0o755, &Kind::Folder);
    }
    for (name, major, minor) in NODES {
        archive.add(name, 0o600, &Kind::Character(major, minor));
    }
    archive.add("init", 0o755, &Kind::File(INIT.as_bytes()));
    archive.add("bin/busybox", 0o755, &Kind::File(busybox));
    for applet in applets(busybox)? {
        archive.add(&format!("bin/{applet}"), 0o777, &Kind::Link("busybox"));
    }
    for (name, script) in TESTS {
        archive.add(&format!("tests/{name}"), 0o755, &Kind::File(script.as_bytes()));
    }
    for (name, program) in extra {
        archive.add(&format!("bin/{name}"), 0o755, &Kind::File(program));
    }
    Ok(archive)
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// The names of the programs inside a busybox binary of any architecture: its sorted table of applet names begins
/// with "[" and "[[", each ended by a zero byte.
fn applets(busybox: &[u8]) -> Result<Vec<String>> {
    const FIRST: &[u8] = b"\0[\0[[\0";
    let table = busybox
        .windows(FIRST.len())
        .position(|bytes| bytes == FIRST)
        .map(|at| &busybox[at + 1..])
        .context("the busybox binary has no table of applets: is it damaged?")?;
    let names = table.split(|&byte| byte == 0).take_while(|name| is_applet(name));
    Ok(names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| name != "busybox")
        .collect())
}

fn is_applet(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() < 32
        && name.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"[-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::applets;

    #[test]
    fn applet_names_are_found_in_a_binary() {
        let binary = b"\x7fELF junk\0[\0[[\0acpid\0busybox\0mkfs.ext2\0\0more\0";
        assert_eq!(applets(binary).unwrap(), ["[", "[[", "acpid", "mkfs.ext2"]);
        assert!(applets(b"no table").is_err());
    }
}
