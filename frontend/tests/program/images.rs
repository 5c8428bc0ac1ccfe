//! `posada image`, and disk images as a run takes them.

use crate::posada::{Done, finish, guest, posada, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub struct Folder(pub TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// `posada image`, in this folder.
    pub fn image(&self, line: &str) -> Done {
        let mut command = posada();
        command.current_dir(self.0.path()).arg("image").args(line.split(' '));
        finish(command)
    }

    #[track_caller]
    fn refused(&self, line: &str, because: &str) {
        let done = self.image(line).code(2);
        assert!(done.out.is_empty() && done.err.lines().count() == 1, "{}{}", done.out, done.err);
        assert!(done.err.starts_with("posada: ") && done.err.contains(because), "{}", done.err);
    }
}

/// A disk of this length whose boot sector is this code.
pub fn disk_with(code: &[u8], bytes: usize) -> Vec<u8> {
    let mut disk = code.to_vec();
    disk.resize(510, 0);
    disk.extend([0x55, 0xAA]);
    disk.resize(bytes, 0);
    disk
}

/// A disk with something on it here and there.
fn content() -> Vec<u8> {
    let mut bytes = vec![0; 5 << 20];
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    for at in [0, 70_000, 2 << 20, (5 << 20) - 512] {
        bytes[at..at + 300].fill(0x42);
    }
    bytes
}

#[test]
fn images_are_made_shown_and_resized() {
    let folder = Folder::new();
    folder.image("create disk.qcow2 20G").code(0);
    folder.image("info disk.qcow2").code(0).said("20 GiB").said("qcow2");
    folder.image("check disk.qcow2").code(0).said("no damage");
    folder.image("resize disk.qcow2 +10G").code(0).said("30 GiB now");
    folder.refused("resize disk.qcow2 1G", "--shrink");
    folder.image("resize --shrink disk.qcow2 1G").code(0).said("1 GiB now");
    folder.image("check disk.qcow2").code(0).said("no damage");
    folder.image("create --backing disk.qcow2 top.qcow2").code(0);
    folder.image("info top.qcow2").code(0).said("1 GiB").said("based on").said("disk.qcow2");
    folder.image("create --format raw plain 3M").code(0);
    assert_eq!(fs::metadata(folder.path("plain")).unwrap().len(), 3 << 20);
    assert_eq!(folder.names(), ["disk.qcow2", "plain", "top.qcow2"]);
}

#[test]
fn nothing_is_overwritten_or_left_behind() {
    let folder = Folder::new();
    fs::write(folder.path("disk.img"), content()).unwrap();
    fs::write(folder.path("text"), [b'x'; 1024]).unwrap();
    folder.refused("create disk.img 1G", "does not overwrite");
    folder.refused("convert text disk.img", "does not overwrite");
    folder.refused("convert disk.img disk.img", "does not overwrite");
    folder.refused("convert missing new.img", "missing");
    folder.refused("convert disk.img,format=qcow2 new.img", "signature");
    folder.refused("convert disk.img new.vmdk", "only read");
    folder.refused("convert disk.img new", "--format");
    folder.refused("create new.img", "SIZE");
    folder.refused("create new.img 20", "512M or 20G");
    folder.refused("create no/where.img 1G", "no/where.img");
    folder.refused("resize text 1M", "format=raw");
    assert_eq!(folder.names(), ["disk.img", "text"]);
    assert_eq!(fs::read(folder.path("disk.img")).unwrap(), content());
}

#[test]
fn a_disk_is_the_same_in_another_format() {
    let folder = Folder::new();
    fs::write(folder.path("disk.img"), content()).unwrap();
    folder.image("convert disk.img disk.qcow2").code(0);
    folder.image("check disk.qcow2").code(0).said("no damage");
    let packed = fs::metadata(folder.path("disk.qcow2")).unwrap().len();
    assert!(packed < 1 << 20, "zeros are left out, but the image is {packed} bytes long");
    folder.image("convert disk.qcow2 again.img").code(0);
    assert!(fs::read(folder.path("again.img")).unwrap() == content());
}

#[test]
fn a_full_disk_of_the_host_leaves_nothing_behind() {
    let folder = Folder::new();
    fs::write(folder.path("disk.img"), vec![0x42; 1 << 20]).unwrap();
    for target in ["new.img", "new.qcow2"] {
        let mut command = Command::new("sh");
        // Files end after 300 KiB (600 blocks of 512 bytes).
        let script = "ulimit -f 600; exec \"$0\" image convert disk.img,format=raw \"$1\"";
        command.args(["-c", script, env!("CARGO_BIN_EXE_posada"), target]).current_dir(folder.0.path());
        let done = finish(command).code(2);
        assert!(done.err.contains("cannot"), "{}", done.err);
        assert_eq!(folder.names(), ["disk.img"]);
    }
}

#[test]
fn damage_is_found() {
    let folder = Folder::new();
    fs::write(folder.path("disk.img"), content()).unwrap();
    folder.image("convert disk.img disk.qcow2").code(0);
    let mut bytes = fs::read(folder.path("disk.qcow2")).unwrap();
    // The third cluster holds the refcounts ("qcow2", "Refcount table"); that of the fourth becomes zero.
    bytes[(2 << 16) + 6..][..2].fill(0);
    fs::write(folder.path("disk.qcow2"), bytes).unwrap();
    folder.image("check disk.qcow2").code(8).said("but counted 0 times");
}

/// A boot sector that writes itself to sector 2 by the BIOS, then ends the run: mov ax, 0301h; mov cx, 2; mov dx, 80h;
/// mov bx, 7C00h; int 13h; mov dx, 501h; mov al, 10h; out dx, al.
const WRITES_ITSELF: [u8; 20] = [
    0xB8, 0x01, 0x03, 0xB9, 0x02, 0x00, 0xBA, 0x80, 0x00, 0xBB, 0x00, 0x7C, 0xCD, 0x13, 0xBA, 0x01, 0x05,
    0xB0, 0x10, 0xEE,
];

fn boot(image: &Path, options: &str, more: &[&str]) {
    let mut command = run();
    command.arg("--firmware").arg(guest("bios-256k.bin")).arg("--vgabios").arg(guest("vgabios-isavga.bin"));
    command.arg("--disk").arg(format!("{}{options}", image.display())).args(more);
    command.args(["--deterministic", "--timeout", "60s", "--memory", "32M"]);
    finish(command).code(0x10 << 1 | 1);
}

#[test]
fn a_guest_writes_to_qcow2_and_nothing_with_snapshot() {
    let folder = Folder::new();
    let mut bytes = disk_with(&WRITES_ITSELF, 2 << 20);
    fs::write(folder.path("disk.img"), &bytes).unwrap();
    folder.image("convert disk.img disk.qcow2").code(0);
    let before = fs::read(folder.path("disk.qcow2")).unwrap();
    boot(&folder.path("disk.qcow2"), "", &["--snapshot"]);
    boot(&folder.path("disk.qcow2"), ",readonly", &[]);
    assert!(fs::read(folder.path("disk.qcow2")).unwrap() == before, "the image has changed");
    boot(&folder.path("disk.qcow2"), "", &[]);
    folder.image("check disk.qcow2").code(0).said("no damage");
    folder.image("convert disk.qcow2 after.img").code(0);
    bytes.copy_within(0..512, 512);
    assert!(fs::read(folder.path("after.img")).unwrap() == bytes, "sector 2 is not the boot sector");
}

/// Compares with QEMU's `qemu-img` (Debian package qemu-utils), which `cargo xtask test` installs.
#[test]
fn qemu_img_agrees() {
    let folder = Folder::new();
    let qemu = |line: &str| {
        let done = Command::new("qemu-img").current_dir(folder.0.path()).args(line.split(' ')).output();
        let done = done.expect("qemu-img is installed");
        assert!(done.status.success(), "qemu-img {line}: {}", String::from_utf8_lossy(&done.stderr));
    };
    fs::write(folder.path("disk.img"), content()).unwrap();
    for (n, kind) in [
        "qcow2",
        "qcow2 -c",
        "qcow2 -o cluster_size=512",
        "qcow2 -o compat=0.10",
        "qcow2 -o refcount_bits=1",
        "vdi",
        "vdi -o static=on",
        "vpc -o force_size=on",
        "vpc -o subformat=fixed,force_size=on",
        "vhdx",
        "vmdk",
        "vmdk -o subformat=streamOptimized",
        "vmdk -o subformat=twoGbMaxExtentSparse",
        "vmdk -o subformat=monolithicFlat",
    ]
    .iter()
    .enumerate()
    {
        qemu(&format!("convert -f raw disk.img -O {kind} theirs{n}"));
        folder.image(&format!("check theirs{n}")).code(0);
        folder.image(&format!("convert theirs{n} ours{n}.img")).code(0);
        assert!(fs::read(folder.path(&format!("ours{n}.img"))).unwrap() == content(), "{kind}");
        folder.image(&format!("convert theirs{n} ours{n}.qcow2")).code(0);
        qemu(&format!("check ours{n}.qcow2"));
        qemu(&format!("compare -f raw -F qcow2 disk.img ours{n}.qcow2"));
    }
}
