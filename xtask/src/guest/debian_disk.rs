//! A disk image with Debian 12 on it: `mmdebstrap` makes the tree, `mke2fs` the file system, GRUB comes before it.
//!
//! No step mounts anything or needs a loop device. Root is only needed for files that belong to others: as another
//! user, `mmdebstrap` and the unpacking of the tree run in a user namespace (mmdebstrap(1), MODES, unshare).

use super::{mbr, sources};
use crate::apt::Apt;
use crate::cache::Cache;
use crate::command::{self, output};
use crate::packages::{self, Tool};
use anyhow::{Context, Result, bail};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Makes the tree bootable; run by mmdebstrap in it.
const CUSTOMIZE: &str = include_str!("../../guest/customize");
/// Makes the file system from the tree; its arguments are the folder of work, the label, where the partition begins in
/// bytes, and its size in KiB.
const FILE_SYSTEM: &str = include_str!("../../guest/file-system");

const PACKAGES: [&str; 12] = [
    "init",
    "udev",
    // Listens for the power button.
    "dbus",
    "libpam-systemd",
    "kmod",
    "procps",
    "login",
    "util-linux",
    "e2fsprogs",
    "initramfs-tools",
    "zstd",
    "grub-pc",
];

/// What the guest's packages bring that nobody reads there.
const UNREAD: [&str; 3] = ["/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*"];

const TOOLS: [Tool; 5] = [
    ("mmdebstrap", "mmdebstrap"),
    ("mke2fs", "e2fsprogs"),
    ("qemu-img", "qemu-utils"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
];
const TOOLS_OF_USERS: [Tool; 1] = [("newuidmap", "uidmap")];

const LABEL: &str = "posada-root";
/// 4 GiB in sectors.
const DISK: u32 = 8 << 20;

fn kernel(architecture: &str) -> &'static str {
    if architecture == "i386" { "linux-image-686" } else { "linux-image-amd64" }
}

/// Makes the image of an architecture if it is not there yet; with `refresh` in any case, from the packages of today.
/// Returns where it is.
pub fn make(architecture: &'static str, refresh: bool) -> Result<PathBuf> {
    let cache = Cache::open()?;
    let guest = format!("debian-{architecture}");
    let image = format!("{guest}.qcow2");
    if refresh || !is_there(&cache, architecture, &image)? {
        let start = Instant::now();
        let work = cache.path(&format!("{guest}.work"));
        remove(&work)?;
        fs::create_dir_all(&work)?;
        build(architecture, &work).with_context(|| format!("making {guest}"))?;
        fs::rename(work.join("disk.qcow2"), cache.path(&image))?;
        remove(&work)?;
        cache.write(&format!("{guest}.recipe"), recipe(architecture).as_bytes())?;
        cache.record(&format!("{guest}.sha256"), &[&image])?;
        eprintln!("guest: made in {} s", start.elapsed().as_secs());
    }
    eprintln!("guest: {} is ready; log in as root, password posada", cache.path(&image).display());
    Ok(cache.path(&image))
}

/// Whether the image is there as we made it, by the recipe of today. One that a guest has written to may hold
/// somebody's work: it is an error, not a reason to replace it.
fn is_there(cache: &Cache, architecture: &str, image: &str) -> Result<bool> {
    let (path, manifest) = (cache.path(image), format!("debian-{architecture}.sha256"));
    if !path.exists() || !cache.path(&manifest).exists() {
        return Ok(false);
    }
    if !cache.is_complete(&manifest, &[image]) {
        bail!(
            "{} is not as it was made: has a guest written to it? Move it away, or make it anew with --refresh; \
             and boot copies of it",
            path.display()
        );
    }
    let had = fs::read_to_string(cache.path(&format!("debian-{architecture}.recipe")));
    Ok(had.is_ok_and(|had| had == recipe(architecture)))
}

/// All that decides what is in the image, apart from the versions of the packages.
fn recipe(architecture: &str) -> String {
    let (packages, unread) = (PACKAGES.join(" "), UNREAD.join(" "));
    let kernel = kernel(architecture);
    format!("{kernel} {packages}\nwithout {unread}\n{DISK} sectors\n\n{CUSTOMIZE}\n{FILE_SYSTEM}")
}

fn build(architecture: &'static str, work: &Path) -> Result<()> {
    packages::require("guest", &TOOLS)?;
    if !packages::is_root() {
        packages::require("guest", &TOOLS_OF_USERS)?;
        eprintln!("guest: not root, so this goes on in a user namespace");
    }
    eprintln!("guest: installing Debian 12 for {architecture} in a tree (some minutes)");
    tree(architecture, work)?;
    eprintln!("guest: making the file system");
    let image = work.join("disk.raw");
    fs::File::create(&image)?.set_len(u64::from(DISK) * mbr::SECTOR as u64)?;
    output(&mut file_system(work))?;
    eprintln!("guest: putting GRUB before it");
    let (boot, core) = (fs::read(work.join("boot.img"))?, fs::read(work.join("core.img"))?);
    let sectors = mbr::first_sectors(&boot, &core, DISK, u32::from_le_bytes(*b"psda"))?;
    OpenOptions::new().write(true).open(&image)?.write_all(&sectors)?;
    eprintln!("guest: writing the qcow2 image");
    let mut convert = Command::new("qemu-img");
    output(convert.args(["convert", "-O", "qcow2"]).arg(&image).arg(work.join("disk.qcow2")))?;
    Ok(())
}

/// Installs the packages in a tree, as `tree.tar`.
fn tree(architecture: &'static str, work: &Path) -> Result<()> {
    let packages = [&[kernel(architecture)], &PACKAGES[..]].concat();
    // An index of its own: one of an earlier day would hide that a mirror is broken today.
    let sources = sources::list(&Apt::open(&work.join("apt"), architecture, &packages)?)?;
    let mode = if packages::is_root() { "root" } else { "unshare" };
    let include = packages.join(",");
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.arg(format!("--mode={mode}")).arg(format!("--architectures={architecture}"));
    mmdebstrap.arg("--variant=required").arg(format!("--include={include}"));
    mmdebstrap.args(UNREAD.map(|path| format!("--dpkgopt=path-exclude={path}")));
    mmdebstrap.arg("--dpkgopt=path-include=/usr/share/doc/*/copyright");
    // That would take the identity away again which CUSTOMIZE gives.
    mmdebstrap.arg("--skip=cleanup/reproducible/machine-id");
    mmdebstrap.arg(format!("--customize-hook={CUSTOMIZE}"));
    mmdebstrap.arg(sources::RELEASE).arg(work.join("tree.tar")).arg("-");
    command::run_with(&mut mmdebstrap, &sources)
}

fn file_system(work: &Path) -> Command {
    let mut command = Command::new(if packages::is_root() { "sh" } else { "unshare" });
    if !packages::is_root() {
        command.args(["--map-root-user", "--map-auto", "sh"]);
    }
    let first = u64::from(mbr::PARTITION) * mbr::SECTOR as u64;
    let size = u64::from(DISK - mbr::PARTITION) / 2;
    command.args(["-c", FILE_SYSTEM, "file-system"]).arg(work);
    command.args([LABEL, &first.to_string(), &size.to_string()]);
    command
}

/// A folder of work that an earlier attempt may have left.
fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(|| {
        format!(
            "cannot remove {}: its files may belong to a user namespace, remove it as root",
            folder.display()
        )
    })
}
