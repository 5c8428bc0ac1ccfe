//! `cargo xtask setup`: the guests, from Debian packages by name, into a folder of their own.

use crate::apt::{self, Apt};
use crate::cache::Cache;
use crate::initramfs;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

const MANIFEST: &str = "manifest.sha256";

pub struct Package {
    pub architecture: &'static str,
    pub name: &'static str,
    /// If the package only names another one by `Depends`: how that name begins.
    pub names: Option<&'static str>,
    /// Which file of the package becomes which file of the cache.
    pub files: &'static [(&'static str, &'static str)],
}

#[rustfmt::skip]
const PACKAGES: [Package; 6] = [
    Package { architecture: "amd64", name: "linux-image-cloud-amd64", names: Some("linux-image-"), files: &[("vmlinuz-*", "amd64/vmlinuz")] },
    Package { architecture: "amd64", name: "busybox-static",          names: None,                 files: &[("bin/busybox", "amd64/busybox")] },
    Package { architecture: "amd64", name: "memtest86+",              names: None,                 files: &[("boot/memtest86+x64.bin", "memtest86+x64.bin"), ("boot/memtest86+ia32.bin", "memtest86+ia32.bin")] },
    Package { architecture: "amd64", name: "seabios",                 names: None,                 files: &[("seabios/bios.bin", "bios.bin"), ("seabios/bios-256k.bin", "bios-256k.bin"), ("seabios/vgabios-isavga.bin", "vgabios-isavga.bin"), ("seabios/vgabios-stdvga.bin", "vgabios-stdvga.bin")] },
    Package { architecture: "i386",  name: "linux-image-686",         names: Some("linux-image-"), files: &[("vmlinuz-*", "i386/vmlinuz")] },
    Package { architecture: "i386",  name: "busybox-static",          names: None,                 files: &[("bin/busybox", "i386/busybox")] },
];

pub const ARCHITECTURES: [&str; 2] = ["amd64", "i386"];

/// Kernels, firmware and initial RAM disks. With `refresh`, asks the package sources for newer packages even if it is.
pub fn setup(refresh: bool) -> Result<()> {
    let cache = Cache::open()?;
    let files: Vec<&str> = PACKAGES.iter().flat_map(|package| package.files).map(|&(_, file)| file).collect();
    if refresh || !cache.is_complete(MANIFEST, &files) {
        for architecture in ARCHITECTURES {
            fetch(&cache, "setup", architecture, &PACKAGES)?;
        }
        cache.record(MANIFEST, &files)?;
    }
    for architecture in ARCHITECTURES {
        let busybox = cache.read(&format!("{architecture}/busybox"))?;
        cache.write(&format!("initramfs-{architecture}.cpio.gz"), &initramfs::build(&busybox, &[])?)?;
    }
    eprintln!("setup: the guests are ready in {}", Cache::folder().display());
    Ok(())
}

/// Takes the files of those of `packages` that are of this architecture into the cache. `who` names the command in
/// messages.
pub fn fetch(cache: &Cache, who: &str, architecture: &'static str, packages: &[Package]) -> Result<()> {
    let packages: Vec<&Package> =
        packages.iter().filter(|package| package.architecture == architecture).collect();
    let names: Vec<&str> = packages.iter().map(|package| package.name).collect();
    eprintln!("{who}: reading the {architecture} package index");
    let apt = Apt::open(&cache.path("apt"), architecture, &names)?;
    for package in packages {
        let name = match package.names {
            Some(prefix) => apt.resolve(package.name, prefix)?,
            None => package.name.to_owned(),
        };
        eprintln!("{who}: fetching {name} ({architecture})");
        let unpacked = cache.path("unpacked");
        take(cache, &apt, &name, package.files, &unpacked).with_context(|| format!("package {name}"))?;
        fs::remove_dir_all(&unpacked).context("removing the unpacked package")?;
    }
    Ok(())
}

fn take(cache: &Cache, apt: &Apt, name: &str, files: &[(&str, &str)], unpacked: &Path) -> Result<()> {
    if unpacked.exists() {
        fs::remove_dir_all(unpacked)?;
    }
    apt.unpack(name, unpacked)?;
    for (pattern, file) in files {
        let source = apt::find(unpacked, pattern)?;
        cache.write(file, &fs::read(source)?)?;
    }
    Ok(())
}
