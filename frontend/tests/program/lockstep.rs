//! `posada lockstep` as a person runs it.

use crate::posada::{debian, finish, guest, play, posada};
use std::process::{Command, Stdio};

fn lockstep() -> Command {
    let mut command = posada();
    command.arg("lockstep").stdin(Stdio::null());
    command
}

/// The beginning of a Debian boot.
fn beginning(architecture: &str, arguments: &[&str]) -> Command {
    let mut command = lockstep();
    command.arg("--kernel").arg(guest(&format!("{architecture}/vmlinuz")));
    command.arg("--initrd").arg(guest(&format!("initramfs-{architecture}.cpio.gz")));
    command.args(["--append", "console=ttyS0 ", "--memory", "256M", "--serial", "none"]).args(arguments);
    command
}

#[test]
fn the_beginning_of_an_amd64_boot_agrees() {
    let done = finish(beginning("amd64", &["--instructions", "250M", "--memory-every", "100M"])).code(0);
    assert!(done.err.contains("no difference"), "{}", done.err);
}

#[test]
fn the_beginning_of_an_i386_boot_agrees() {
    let arguments = ["--instructions", "100M", "--every", "7919", "--engines", "auto,jit"];
    finish(beginning("i386", &arguments)).code(0);
}

#[test]
fn a_run_in_lockstep_is_the_run_itself() {
    let script = "wait 300ms\npower-button\nwait 100ms\n";
    let mut alone = debian("amd64", "");
    alone.args(["--hash", "--serial", "none", "--engine", "auto"]);
    let together = beginning("amd64", &["--hash", "--timeout", "10min"]);
    assert_eq!(play(alone, script).code(0).out, play(together, script).code(0).out);
}

#[test]
fn a_disk_is_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.img");
    // Writes itself to sector 2 by the BIOS, then ends the run: mov ax, 0301h; mov cx, 2; mov dx, 80h; mov bx, 7C00h;
    // int 13h; mov dx, 501h; mov al, 10h; out dx, al.
    let code = [
        0xB8, 0x01, 0x03, 0xB9, 0x02, 0x00, 0xBA, 0x80, 0x00, 0xBB, 0x00, 0x7C, 0xCD, 0x13, 0xBA, 0x01, 0x05,
        0xB0, 0x10, 0xEE,
    ];
    let mut bytes = vec![0; 1 << 20];
    bytes[..code.len()].copy_from_slice(&code);
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    std::fs::write(&image, &bytes).unwrap();
    let mut command = lockstep();
    command.arg("--firmware").arg(guest("bios-256k.bin")).arg("--vgabios").arg(guest("vgabios-isavga.bin"));
    command.arg("--disk").arg(&image).args(["--timeout", "60s", "--memory", "32M", "--every", "1M"]);
    finish(command).code(0x10 << 1 | 1);
    assert!(std::fs::read(&image).unwrap() == bytes, "the image has changed");
}

#[test]
fn wrong_options() {
    for (arguments, because) in [
        (["--engines", "jit"], "a comma between them"),
        (["--engines", "jit,warp"], "there is no engine `warp`"),
        (["--engine", "jit"], "--engines A,B"),
        (["--every", "often"], "not a count"),
        (["--dump-region", "all"], "posada run"),
    ] {
        let done = finish(beginning("amd64", &arguments)).code(2);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
        assert!(done.err.starts_with("posada: ") && done.err.contains(because), "{}", done.err);
    }
}
