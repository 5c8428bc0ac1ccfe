//! Typing into guests: nothing is lost, however slowly they read.

use crate::posada::{guest, play, run};
use std::process::Command;

/// Reads a key from the BIOS every fourth tick of its clock (that is, every 220 ms) and sends it to COM1.
#[rustfmt::skip]
const SLOW_READER: [u8; 29] = [
    0x31, 0xC0,             // xor ax, ax
    0x8E, 0xD8,             // mov ds, ax
    0x8B, 0x1E, 0x6C, 0x04, // next: mov bx, [46Ch]
    0xF4,                   // wait: hlt
    0xA1, 0x6C, 0x04,       // mov ax, [46Ch]
    0x29, 0xD8,             // sub ax, bx
    0x83, 0xF8, 0x04,       // cmp ax, 4
    0x72, 0xF5,             // jb wait
    0xB4, 0x00,             // mov ah, 0
    0xCD, 0x16,             // int 16h
    0xBA, 0xF8, 0x03,       // mov dx, 3F8h
    0xEE,                   // out dx, al
    0xEB, 0xE7,             // jmp next
];

/// A PC that starts these bytes from a diskette.
fn started(program: &[u8], folder: &tempfile::TempDir) -> Command {
    let image = folder.path().join("diskette");
    let mut bytes = vec![0; 1_474_560];
    bytes[..program.len()].copy_from_slice(program);
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    std::fs::write(&image, bytes).expect("the diskette is written");
    let mut command = run();
    command.arg("--firmware").arg(guest("bios-256k.bin")).arg("--vgabios").arg(guest("vgabios-isavga.bin"));
    command.arg("--floppy").arg(image).args(["--memory", "16M", "--deterministic"]);
    command
}

#[test]
fn a_long_text_reaches_a_slow_reader_whole() {
    let text =
        "The quick brown fox jumps over the lazy dog; 0123456789 (and then SOME more) ~!@#$%^&*_+{}|:<>?";
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!("screen Booting from Floppy\nwait 1s\nkeyboard {text}\nexpect {text}\n");
    play(started(&SLOW_READER, &folder), &script).code(0);
}

#[test]
fn text_is_typed_in_the_layout_that_was_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = started(&SLOW_READER, &folder);
    command.args(["--keyboard-layout", "de"]);
    // The BIOS takes it for a US keyboard, so it reads what is printed on that one.
    play(command, "screen Booting from Floppy\nwait 1s\nkeyboard zZy-?\nexpect yYz/_\n").code(0);
}
