//! Writes the system BIOS of a PC with so many MiB of memory, for a program that takes firmware images:
//! `write_rom MIB VIDEO_BIOS ROM`. Without ACPI tables: those are the machine's.

use bios::system::{AddressRange, BootDevice, Configuration, Cpu, RomError, rom};
use std::path::PathBuf;
use std::process::ExitCode;

fn configuration(mebibytes: u64, video: Vec<u8>) -> Configuration {
    let range = |start, end, kind| AddressRange { start, len: end - start, kind };
    let end = mebibytes.clamp(2, 3072) << 20;
    Configuration {
        low_end: end,
        high: 0,
        memory_map: vec![
            range(0, 0x9_FC00, 1),
            range(0x9_FC00, 0xA_0000, 2),
            range(0xE_0000, 0x10_0000, 2),
            range(0x10_0000, end, 1),
        ],
        cpu: Cpu { name: "default".into(), signature: 0x663, features: 0, apic: false },
        acpi: None,
        pirq: [10, 10, 11, 11],
        pm_base: 0x600,
        video,
        boot_order: vec![BootDevice::Diskette, BootDevice::Cd, BootDevice::Disk],
        boot_menu: false,
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mebibytes, video, out] = &arguments[..] else {
        eprintln!("usage: write_rom MIB VIDEO_BIOS ROM");
        return ExitCode::from(2);
    };
    let started = std::time::Instant::now();
    let made = mebibytes.parse().map_err(|error| format!("{mebibytes}: {error}")).and_then(|mebibytes| {
        let video = std::fs::read(video).map_err(|error| format!("{video}: {error}"))?;
        rom(&configuration(mebibytes, video)).map_err(|error: RomError| error.to_string())
    });
    let took = started.elapsed();
    match made.and_then(|rom| std::fs::write(PathBuf::from(out), rom).map_err(|error| error.to_string())) {
        Ok(()) => {
            println!("assembled in {took:?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
