//! Writes the guest programs as files, to try them on other machines and emulators:
//! `cargo run -p test-roms --example write_images -- DIRECTORY`

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let directory = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    let images = [
        ("diskette.img", test_roms::boot_sector::diskette()),
        ("disk.img", test_roms::boot_sector::disk(20_160)),
        ("modes.rom", test_roms::mode_rom::image()),
    ];
    for (name, image) in images {
        std::fs::write(directory.join(name), image)?;
    }
    Ok(())
}
