//! Trouble with an image while its guest runs: the host is full, or somebody takes the image away.

use crate::images::{Folder, disk_with};
use crate::posada::{finish, run};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

/// A boot sector that writes itself to every 128th sector from the 64th on, until the BIOS reports an error; then it
/// reads sector 64, and ends the run with 10h if that holds the boot sector, 11h if not.
#[rustfmt::skip]
const FILLS_THE_DISK: [u8; 79] = [
    0x31, 0xC0,                   //       xor ax, ax
    0x8E, 0xD8,                   //       mov ds, ax
    0xBE, 0x00, 0x06,             //       mov si, 600h: the packet
    0xC7, 0x04, 0x10, 0x00,       //       mov word [si], 16
    0xC7, 0x44, 0x02, 0x01, 0x00, //       mov word [si+2], 1 sector
    0xC7, 0x44, 0x04, 0x00, 0x7C, //       mov word [si+4], 7C00h
    0x89, 0x44, 0x06,             //       mov [si+6], ax
    0xC7, 0x44, 0x08, 0x40, 0x00, //       mov word [si+8], 64: where to
    0x89, 0x44, 0x0A,             //       mov [si+10], ax
    0x89, 0x44, 0x0C,             //       mov [si+12], ax
    0x89, 0x44, 0x0E,             //       mov [si+14], ax
    0xB8, 0x00, 0x43,             // next: mov ax, 4300h
    0xB2, 0x80,                   //       mov dl, 80h
    0xCD, 0x13,                   //       int 13h
    0x72, 0x0B,                   //       jc full
    0x81, 0x44, 0x08, 0x80, 0x00, //       add word [si+8], 128
    0x83, 0x54, 0x0A, 0x00,       //       adc word [si+10], 0
    0xEB, 0xEC,                   //       jmp next
    0xC7, 0x44, 0x08, 0x40, 0x00, // full: mov word [si+8], 64
    0x31, 0xC0,                   //       xor ax, ax
    0x89, 0x44, 0x0A,             //       mov [si+10], ax
    0xC7, 0x44, 0x04, 0x00, 0x90, //       mov word [si+4], 9000h
    0xB4, 0x42,                   //       mov ah, 42h
    0xCD, 0x13,                   //       int 13h
    0xB0, 0x10,                   //       mov al, 10h
];
/// Goes on: mov si, 7C00h; mov di, 9000h; mov cx, 256; push ds; pop es; repe cmpsw; je +2; mov al, 11h; mov dx, 501h;
/// out dx, al.
const AND_COMPARES: [u8; 21] = [
    0xBE, 0x00, 0x7C, 0xBF, 0x00, 0x90, 0xB9, 0x00, 0x01, 0x1E, 0x07, 0xF3, 0xA7, 0x74, 0x02, 0xB0, 0x11,
    0xBA, 0x01, 0x05, 0xEE,
];

/// No file may become longer than this. The memory of the PC and of its display are files to the host, too.
const LIMIT: usize = 66 << 20;

/// The host has no room for what the guest writes: the guest sees an error, and all that was written before is there.
#[test]
fn a_guest_sees_that_the_host_is_full() {
    let folder = Folder::new();
    let bytes = disk_with(&[&FILLS_THE_DISK[..], &AND_COMPARES].concat(), 512);
    fs::write(folder.path("disk.img"), &bytes).unwrap();
    fs::File::options().write(true).open(folder.path("disk.img")).unwrap().set_len(256 << 20).unwrap();
    folder.image("convert disk.img disk.qcow2").code(0);
    for (disk, more) in [("disk.img", ""), ("disk.qcow2", ""), ("disk.img,readonly", "--snapshot")] {
        let mut command = Command::new("sh");
        let script = format!("ulimit -f {}; exec \"$0\" run --disk {disk} {more} \"$@\"", LIMIT / 512);
        command.args(["-c", &script, env!("CARGO_BIN_EXE_posada"), "--deterministic", "--timeout", "300s"]);
        command.args(["--memory", "32M", "--engine", "interpreter"]).current_dir(folder.0.path());
        let done = finish(command).code(0x10 << 1 | 1);
        assert!(!done.err.contains("panicked"), "{}", done.err);
    }
    folder.image("check disk.qcow2").code(0).said("no damage");
    folder.image("convert disk.qcow2 after.img").code(0);
    for name in ["disk.img", "after.img"] {
        let disk = fs::read(folder.path(name)).unwrap();
        let has = |sector: usize| disk[sector * 512..][..512] == bytes;
        assert!(disk.len() == 256 << 20 && has(0) && has(64) && has(64 + 128 * 500), "{name}");
        assert!(disk[LIMIT..].iter().all(|byte| *byte == 0), "{name}");
    }
}

/// A boot sector that says on the serial port that it runs, and reads sector 2 (function 2) or writes it (3) until the
/// BIOS reports an error; then it ends the run with 10h.
#[rustfmt::skip]
const fn again_and_again(function: u8) -> [u8; 34] {
    [
        0x31, 0xC0,           //       xor ax, ax
        0x8E, 0xC0,           //       mov es, ax
        0xBA, 0xF8, 0x03,     //       mov dx, 3F8h
        0xB0, b'!',           //       mov al, '!'
        0xEE,                 //       out dx, al
        0xB8, 0x01, function, // next: mov ax, function << 8 | 1 sector
        0xB9, 0x02, 0x00,     //       mov cx, 2
        0xBA, 0x80, 0x00,     //       mov dx, 80h
        0xBB, 0x00, 0x7E,     //       mov bx, 7E00h
        0xCD, 0x13,           //       int 13h
        0x73, 0xF0,           //       jnc next
        0xBA, 0x01, 0x05,     //       mov dx, 501h
        0xB0, 0x10,           //       mov al, 10h
        0xEE,                 //       out dx, al
        0xF4, 0x90,           //       hlt
    ]
}

/// What befalls an image under its guest.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// Nobody may write to it any more: here a seal (memfd_create(2)), elsewhere chattr(1) or a medium that fails.
    ReadOnly,
    /// Somebody cuts it off.
    Content,
}

/// The guest sees errors; nobody panics, and an image that is still whole has no damage.
#[test]
fn a_guest_sees_that_its_image_is_lost() {
    for loss in [Loss::ReadOnly, Loss::Content] {
        for format in ["raw", "qcow2"] {
            for drive in ["--disk", "--virtio-disk"] {
                lose(loss, format, drive);
            }
        }
    }
}

fn lose(loss: Loss, format: &str, drive: &str) {
    let folder = Folder::new();
    let function = if loss == Loss::ReadOnly { 3 } else { 2 };
    fs::write(folder.path("disk.img"), disk_with(&again_and_again(function), 2 << 20)).unwrap();
    folder.image(&format!("convert disk.img disk --format {format}")).code(0);

    let image = memfd_create("disk", MemfdFlags::ALLOW_SEALING).unwrap();
    let mut image = fs::File::from(image);
    image.write_all(&fs::read(folder.path("disk")).unwrap()).unwrap();
    let path = format!("/proc/{}/fd/{}", std::process::id(), image.as_raw_fd());
    let mut command = run();
    command.arg(drive).arg(format!("{path},format={format}")).args(["--timeout", "300s", "--memory", "32M"]);
    let mut posada = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut begun = [0];
    posada.stdout.as_mut().unwrap().read_exact(&mut begun).unwrap();
    match loss {
        Loss::ReadOnly => fcntl_add_seals(&image, SealFlags::WRITE).unwrap(),
        Loss::Content => image.set_len(0).unwrap(),
    }
    let done = posada.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    let case = format!("{loss:?}, {format} as {drive}: {said}");
    assert_eq!((begun, done.status.code()), (*b"!", Some(0x10 << 1 | 1)), "{case}");
    assert!(!said.contains("panicked"), "{case}");
    if loss == Loss::ReadOnly && format == "qcow2" {
        fs::copy(&path, folder.path("after")).unwrap();
        folder.image("check after").code(0);
    }
}
