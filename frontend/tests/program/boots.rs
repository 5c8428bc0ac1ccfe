//! Real guests, from power-on to power-off, in guest time.

use crate::posada::{debian, finish, guest, play, run};

#[test]
fn debian_amd64_gives_a_shell() {
    let script = "expect POSADA-READY\nexpect posada#\nsend uname -m; shell; echo code=$?\nexpect x86_64\n\
                  within 5min\nexpect code=0\nsend poweroff -f\noff\n";
    play(debian("amd64", ""), script).code(0).said("Run /init as init process").said("reboot: Power down");
}

#[test]
fn debian_i386_gives_a_shell() {
    let script = "expect POSADA-READY\nexpect posada#\nsend uname -m; shell; echo code=$?\nexpect i686\n\
                  within 5min\nexpect code=0\nsend poweroff -f\noff\n";
    play(debian("i386", ""), script).code(0).said("reboot: Power down");
}

#[test]
fn clocks_and_date_are_right() {
    let mut command = debian("amd64", "posada.run=clocks");
    command.args(["--rtc", "2031-07-14T12:30:00"]);
    let done = finish(command).code(0).said("POSADA-DONE clocks: exit code 0").said("date: 2031-07-14T12:3");
    for source in ["tsc", "hpet", "acpi_pm"] {
        assert!(
            done.out.contains(&format!("{source}: a sleep of")),
            "no clock source {source}\n{}",
            done.out
        );
    }
}

#[test]
fn clocks_of_i386_are_right() {
    finish(debian("i386", "posada.run=clocks")).code(0).said("POSADA-DONE clocks: exit code 0");
}

#[test]
fn paced_time_boots_too() {
    let mut command = run();
    command.arg("--kernel").arg(guest("amd64/vmlinuz")).arg("--initrd").arg(guest("initramfs-amd64.cpio.gz"));
    command.args(["--append", "console=ttyS0 posada.run=shell"]);
    finish(command).code(0).said("POSADA-DONE shell: exit code 0");
}

#[test]
fn reboot_boots_again() {
    let script = "expect POSADA-READY\nexpect posada#\nsend reboot -f\nexpect Linux version\nexpect POSADA-READY\n\
                  expect posada#\nsend poweroff -f\noff\n";
    play(debian("amd64", ""), script).code(0);
}

#[test]
fn no_reboot_ends_where_the_guest_would_reboot() {
    let mut command = debian("amd64", "posada.run=restart");
    command.arg("--no-reboot");
    let done = finish(command).code(0);
    assert_eq!(done.out.matches("Linux version").count(), 1);
}

#[test]
fn a_kernel_panic_is_seen_and_told() {
    let done = finish(debian("amd64", "posada.run=panic")).code(4).said("Kernel panic - not syncing: sysrq");
    assert!(done.err.contains("panicked"), "{}", done.err);
}

#[test]
fn a_panic_that_reboots_is_a_reboot() {
    let mut command = debian("amd64", "panic=1 posada.run=panic");
    command.arg("--no-reboot");
    finish(command).code(4);
}

#[test]
fn memtest86_runs_its_tests() {
    let mut command = run();
    command.arg("--kernel").arg(guest("memtest86+x64.bin"));
    command.args(["--memory", "16M", "--deterministic", "--serial", "none"]);
    let script = "screen Memtest86+ v\nscreen Test #3\nscreen Test #5\nscreen Errors: 0\n";
    play(command, script).code(0);
}

#[test]
fn seabios_finds_nothing_to_boot() {
    let mut command = run();
    command.arg("--firmware").arg(guest("bios-256k.bin")).arg("--vgabios").arg(guest("vgabios-isavga.bin"));
    command.args(["--memory", "64M", "--deterministic"]);
    play(command, "screen SeaBIOS (version\nscreen No bootable device").code(0);
}

#[test]
fn seabios_shows_its_boot_menu() {
    let mut command = run();
    command.arg("--firmware").arg(guest("bios-256k.bin")).arg("--vgabios").arg(guest("vgabios-isavga.bin"));
    command.args(["--memory", "64M", "--deterministic"]);
    play(command, "screen Press ESC for boot menu\nkey esc\nscreen Select boot device").code(0);
}

/// Prints P by the BIOS's teletype function, then ends the run with value 10h at the isa-debug-exit port.
#[rustfmt::skip]
const BOOT_SECTOR: [u8; 16] = [
    0xB8, b'P', 0x0E,       // mov ax, 0E00h + 'P'
    0xCD, 0x10,             // int 10h
    0xBA, 0x01, 0x05,       // mov dx, 501h
    0xB0, 0x10,             // mov al, 10h
    0xEE,                   // out dx, al
    0xF4,                   // hlt
    0xEB, 0xFD,             // jmp to the hlt
    0x90, 0x90,
];

fn boot_image(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[..BOOT_SECTOR.len()].copy_from_slice(&BOOT_SECTOR);
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    bytes
}

/// A disc as "El Torito" Bootable CD-ROM Format Specification 1.0 has it: boot record in block 17, catalogue in 18, and
/// in 19 what is loaded without emulation.
pub fn boot_disc() -> Vec<u8> {
    let mut record = [0; 2048];
    record[1..30].copy_from_slice(b"CD001\x01EL TORITO SPECIFICATION");
    record[0x47] = 18;
    let mut catalogue = [0; 2048];
    catalogue[0] = 1;
    catalogue[0x1C..0x20].copy_from_slice(&[0xAA, 0x55, 0x55, 0xAA]);
    catalogue[0x20] = 0x88;
    (catalogue[0x26], catalogue[0x28]) = (4, 19);
    [vec![0; 17 * 2048], record.to_vec(), catalogue.to_vec(), boot_image(2048)].concat()
}

fn boots_from(option: &str, content: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    std::fs::write(&image, content).unwrap();
    let mut command = run();
    command.arg("--firmware").arg(guest("bios-256k.bin")).arg("--vgabios").arg(guest("vgabios-isavga.bin"));
    command.arg(option).arg(&image).args(["--deterministic", "--timeout", "60s"]);
    finish(command).code(0x10 << 1 | 1);
}

#[test]
fn seabios_boots_a_disk() {
    boots_from("--disk", &boot_image(1 << 20));
}

#[test]
fn seabios_boots_a_floppy() {
    boots_from("--floppy", &boot_image(1_474_560));
}

#[test]
fn seabios_boots_a_cd() {
    boots_from("--cdrom", &boot_disc());
}

#[test]
fn a_script_puts_a_disc_in() {
    let folder = tempfile::tempdir().unwrap();
    let disc = folder.path().join("disc.iso");
    std::fs::write(&disc, boot_disc()).unwrap();
    let mut command = run();
    command.arg("--firmware").arg(guest("bios-256k.bin")).arg("--vgabios").arg(guest("vgabios-isavga.bin"));
    command.args(["--memory", "64M", "--deterministic"]);
    let script = format!(
        "screen No bootable device\ncdrom {}\nreset\nscreen Booting from DVD/CD\noff",
        disc.display()
    );
    play(command, &script).code(0x10 << 1 | 1);
}
