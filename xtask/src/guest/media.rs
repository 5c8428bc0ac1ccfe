//! Boot media that tests put into the drives, from Debian packages by name: rescue disks, memory tester, network boot
//! loader, installers, and a CD with ISOLINUX made here.

use crate::cache::Cache;
use crate::command::output;
use crate::packages;
use crate::setup::{self, Package};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

#[rustfmt::skip]
const BOOT: [Package; 5] = [
    Package { architecture: "amd64", name: "grub-rescue-pc",  names: None, files: &[("grub-rescue-floppy.img", FLOPPY), ("grub-rescue-cdrom.iso", "media/grub-rescue-cdrom.iso")] },
    Package { architecture: "amd64", name: "memtest86+",      names: None, files: &[("memtest86+x64.iso", "media/memtest86+x64.iso")] },
    Package { architecture: "amd64", name: "ipxe",            names: None, files: &[("ipxe.iso", "media/ipxe.iso")] },
    Package { architecture: "amd64", name: "isolinux",        names: None, files: &[("isolinux.bin", "media/isolinux/isolinux.bin"), ("isohdpfx.bin", "media/isolinux/isohdpfx.bin")] },
    Package { architecture: "amd64", name: "syslinux-common", names: None, files: &[("bios/ldlinux.c32", "media/isolinux/ldlinux.c32"), ("bios/menu.c32", "media/isolinux/menu.c32"), ("bios/libutil.c32", "media/isolinux/libutil.c32")] },
];

#[rustfmt::skip]
const INSTALLERS: [Package; 2] = [
    Package { architecture: "amd64", name: "debian-installer-12-netboot-amd64", names: None, files: &[("text/debian-installer/amd64/linux", "media/installer-amd64/linux"), ("text/debian-installer/amd64/initrd.gz", "media/installer-amd64/text.gz"), ("gtk/debian-installer/amd64/initrd.gz", "media/installer-amd64/gtk.gz")] },
    Package { architecture: "amd64", name: "debian-installer-12-netboot-i386",  names: None, files: &[("text/debian-installer/i386/linux", "media/installer-i386/linux"), ("text/debian-installer/i386/initrd.gz", "media/installer-i386/text.gz"), ("gtk/debian-installer/i386/initrd.gz", "media/installer-i386/gtk.gz")] },
];

const MANIFEST: &str = "media.sha256";
const INSTALLERS_MANIFEST: &str = "installers.sha256";
const FLOPPY: &str = "media/grub-rescue-floppy.img";
const CD: &str = "media/isolinux.iso";
const CONFIGURATION: &str = include_str!("../../guest/isolinux/isolinux.cfg");

/// 80 cylinders, 2 heads, 18 sectors: the diskette that the rescue image is for. Its last, empty sectors are not in
/// the package.
const DISKETTE: usize = 80 * 2 * 18 * 512;

/// What the CD boots: files of the set-up, and their names on it.
const BOOTED: [(&str, &str); 3] = [
    ("amd64/vmlinuz", "vmlinuz"),
    ("initramfs-amd64.cpio.gz", "initrd.gz"),
    ("memtest86+x64.bin", "memtest"),
];

/// Makes the folder of boot media complete, after the set-up; with `refresh` in any case, from the packages of today.
pub fn make(refresh: bool) -> Result<()> {
    let cache = Cache::open()?;
    let mut names = files(&BOOT);
    names.push(CD);
    if refresh || !cache.is_complete(MANIFEST, &names) {
        setup::fetch(&cache, "guest", "amd64", &BOOT)?;
        let mut floppy = cache.read(FLOPPY)?;
        floppy.resize(DISKETTE, 0);
        cache.write(FLOPPY, &floppy)?;
        eprintln!("guest: making the CD with ISOLINUX");
        cd(&cache)?;
        cache.record(MANIFEST, &names)?;
    }
    eprintln!("guest: the boot media are ready in {}", cache.path("media").display());
    Ok(())
}

/// The same for the installers, which are large.
pub fn installers(refresh: bool) -> Result<()> {
    let cache = Cache::open()?;
    let names = files(&INSTALLERS);
    if refresh || !cache.is_complete(INSTALLERS_MANIFEST, &names) {
        setup::fetch(&cache, "guest", "amd64", &INSTALLERS)?;
        cache.record(INSTALLERS_MANIFEST, &names)?;
    }
    eprintln!("guest: the installers are ready in {}", cache.path("media").display());
    Ok(())
}

fn files(packages: &[Package]) -> Vec<&'static str> {
    packages.iter().flat_map(|package| package.files).map(|&(_, file)| file).collect()
}

/// A CD that boots by El Torito, and as a disk too: by the boot record of its first sector.
fn cd(cache: &Cache) -> Result<()> {
    packages::require("guest", &[("xorriso", "xorriso")])?;
    let tree = cache.path("media/isolinux.work");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    fs::create_dir_all(tree.join("isolinux"))?;
    fs::create_dir_all(tree.join("boot"))?;
    for file in ["isolinux.bin", "ldlinux.c32", "menu.c32", "libutil.c32"] {
        copy(&cache.path("media/isolinux").join(file), &tree.join("isolinux").join(file))?;
    }
    fs::write(tree.join("isolinux/isolinux.cfg"), CONFIGURATION)?;
    for (file, name) in BOOTED {
        copy(&cache.path(file), &tree.join("boot").join(name))?;
    }
    let image = cache.path("media/isolinux.part");
    let mut xorriso = Command::new("xorriso");
    xorriso.args(["-as", "mkisofs", "-quiet", "-R", "-V", "POSADA", "-o"]).arg(&image);
    xorriso.args(["-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat"]);
    xorriso.args(["-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]);
    xorriso.arg("-isohybrid-mbr").arg(cache.path("media/isolinux/isohdpfx.bin")).arg(&tree);
    output(&mut xorriso)?;
    fs::rename(&image, cache.path(CD))?;
    fs::remove_dir_all(&tree)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
