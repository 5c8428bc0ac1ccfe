//! Our own BIOS, with guests that a person would boot under it.

use crate::posada::{Done, finish, guest, play, run};
use std::process::Command;

/// Leaves with this value, twice and one, as isa-debug-exit does.
const PASSED: i32 = 0x31 << 1 | 1;

fn deterministic() -> Command {
    let mut command = run();
    command.args(["--memory", "64M", "--deterministic", "--serial", "none"]);
    command
}

/// Runs the test sector as a drive of this kind.
fn sector(option: &str, image: &[u8], engine: &str) -> Done {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("image");
    std::fs::write(&file, image).expect("the image is written");
    let mut command = deterministic();
    command.arg(option).arg(&file).args(["--engine", engine, "--timeout", "60s"]);
    finish(command)
}

#[test]
fn a_diskette_and_a_disk_boot_under_both_engines() {
    for engine in ["interpreter", "jit"] {
        sector("--floppy", &test_roms::boot_sector::diskette(), engine).code(PASSED);
        sector("--disk", &test_roms::boot_sector::disk(4096), engine).code(PASSED);
    }
}

#[test]
fn nothing_to_boot_is_told() {
    play(deterministic(), "screen No bootable device. Tried:\nscreen   Diskette drive 0\n").code(0);
}

#[test]
fn the_menu_lets_a_person_choose() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("disk");
    std::fs::write(&file, test_roms::boot_sector::disk(4096)).expect("the image is written");
    let mut command = deterministic();
    command.arg("--disk").arg(&file).args(["--boot", "order=ac,menu"]);
    play(command, "screen Select boot device\nscreen 2. Hard disk 0\nkey 2\nwait 5s\n").code(PASSED);
}

#[test]
fn a_boot_order_is_for_our_bios() {
    let mut command = deterministic();
    command.args(["--firmware", "seabios", "--boot", "order=c"]);
    let done = finish(command).code(2);
    assert!(done.err.contains("--boot is for our own BIOS"), "{}", done.err);
}

#[test]
fn memtest86_boots_from_a_diskette() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("diskette");
    let mut image = std::fs::read(guest("memtest86+ia32.bin")).expect("the guest is there");
    image.resize(1_474_560, 0);
    std::fs::write(&file, image).expect("the image is written");
    let mut command = deterministic();
    command.arg("--floppy").arg(&file);
    play(command, "screen Memtest86+ v\nscreen Test #3\n").code(0);
}

/// Without emulation: the first of its sectors are loaded, and run.
#[test]
fn a_cd_boots() {
    sector("--cdrom", &crate::boots::boot_disc(), "jit").code(0x10 << 1 | 1);
}
