//! Boot media that a person would put into the drives, under our BIOS and under SeaBIOS: to a known screen, and on.
//!
//! The scripts are those of `cargo xtask guest check`, which has more of them: Debian under other
//! firmware and engines, and the installers.

use crate::posada::{finish, guest, run};
use std::path::Path;

/// Starts a PC of this size with this guest in a drive, and plays a script.
fn session(file: &str, drive: &str, memory: &str, script: &str, firmware: &str) {
    let mut command = run();
    // Scripts name files from the folder of the workspace.
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command.args(["--firmware", firmware, drive]).arg(guest(file)).arg("--snapshot");
    command.args(["--memory", memory, "--deterministic"]);
    command.arg("--script").arg(format!("xtask/guest/scripts/{script}.script"));
    finish(command).code(0);
}

macro_rules! media {
    ($($name:ident: $file:literal, $drive:literal, $memory:literal, $script:literal;)*) => {
        $(mod $name {
            #[test]
            fn posada() {
                super::session($file, $drive, $memory, $script, "posada");
            }

            #[test]
            fn seabios() {
                super::session($file, $drive, $memory, $script, "seabios");
            }
        })*
    };
}

// As CDs, and as disks: what a USB stick is to a BIOS.
media! {
    grub_on_a_diskette: "media/grub-rescue-floppy.img", "--floppy", "64M", "grub-rescue";
    grub_on_a_cd: "media/grub-rescue-cdrom.iso", "--cdrom", "64M", "grub-menu";
    grub_on_a_disk: "media/grub-rescue-cdrom.iso", "--disk", "64M", "grub-menu";
    memtest_on_a_cd: "media/memtest86+x64.iso", "--cdrom", "32M", "memtest";
    memtest_on_a_disk: "media/memtest86+x64.iso", "--disk", "32M", "memtest";
    ipxe_on_a_cd: "media/ipxe.iso", "--cdrom", "128M", "ipxe";
    ipxe_on_a_disk: "media/ipxe.iso", "--disk", "128M", "ipxe";
    isolinux_on_a_cd: "media/isolinux.iso", "--cdrom", "128M", "isolinux";
    isolinux_on_a_disk: "media/isolinux.iso", "--disk", "128M", "isolinux";
}

/// From GRUB's menu to the login on the serial port, and off.
#[test]
fn debian_on_a_disk() {
    session("debian-amd64.qcow2", "--disk", "512M", "debian-first", "posada");
}
