//! What a person can choose about a machine, and what is wrong with a choice.

use crate::clock::{DETERMINISTIC_RTC, TimeMode, wall_clock};
use devices::disk::Disk;
use emu_core::isa::cpuid;
use emu_core::memory::PAGE_SIZE;
use std::fmt;

/// The least memory a PC has: the first megabyte.
pub const LEAST_MEMORY: u64 = 1 << 20;

/// The most firmware that fits below 4 GiB without touching the interrupt controllers' addresses.
const MOST_FIRMWARE: u64 = 16 << 20;

/// The processor in the socket, out of the engine's table of named models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    pub name: String,
    /// Index into the table of models, see [`emu_core::VcpuState::model`].
    pub model: u8,
    /// What EDX holds after reset.
    pub signature: u32,
    /// Whether the model has a local APIC. Without one there is no IOAPIC either.
    pub apic: bool,
    /// Whether the model knows long mode.
    pub long_mode: bool,
}

impl Cpu {
    /// Model number `index` of the engine's table.
    pub fn from_model(index: u8) -> Self {
        let model = cpuid::model(index);
        Self {
            name: model.name.to_owned(),
            model: index,
            signature: model.signature,
            apic: model.features.has(cpuid::feature::APIC),
            long_mode: model.features.has(cpuid::feature::LM),
        }
    }
}

/// A firmware image and what it needs beside it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Firmware {
    /// Ends at 4 GiB; its last 128 KiB appear below 1 MiB too.
    pub image: Vec<u8>,
    /// The VGA BIOS, given to the firmware as the display adapter's ROM.
    pub vga_bios: Option<Vec<u8>>,
}

/// A kernel that speaks the Linux boot protocol (Linux, memtest86+).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Linux {
    pub kernel: Vec<u8>,
    pub initrd: Vec<u8>,
    pub command_line: String,
}

/// Everything that makes one machine.
pub struct MachineConfig {
    /// Bytes of RAM.
    pub memory: u64,
    pub cpu: Cpu,
    pub time: TimeMode,
    /// With a firmware the machine starts at its reset vector.
    pub firmware: Option<Firmware>,
    /// Without a firmware the machine starts in this kernel; with one, the firmware is offered it.
    pub linux: Option<Linux>,
    /// IDE disks: primary master and slave, secondary master and slave.
    pub disks: [Option<Box<dyn Disk>>; 4],
    /// The disc in the CD-ROM drive, which takes the first place that the disks leave: secondary master and slave,
    /// primary slave and master.
    pub cdrom: Option<Box<dyn Disk>>,
    /// Virtio block devices, in slot order.
    pub virtio_disks: Vec<Box<dyn Disk>>,
    /// Diskettes in drives A and B.
    pub floppies: [Option<Box<dyn Disk>>; 2],
    /// What the real-time clock shows at power-on, in seconds since 1970-01-01 00:00 UTC. By default the host's time,
    /// or [`DETERMINISTIC_RTC`] in deterministic mode.
    pub rtc_start: Option<i64>,
    /// A reset of the platform ends the run instead of starting the guest again.
    pub stop_at_reset: bool,
    /// Width and height that the monitor prefers, for its EDID.
    pub preferred_mode: (u16, u16),
    /// Keep notices for [`crate::Machine::take_trace`].
    pub trace: bool,
}

/// What is wrong with a [`MachineConfig`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{0} bytes of memory are not enough: a PC needs at least 1 MiB")]
    TooLittleMemory(u64),
    #[error("memory must be a whole number of 4 KiB pages, not {0} bytes")]
    OddMemory(u64),
    #[error("{asked} MiB of memory are more than the {host} MiB this computer has")]
    TooMuchMemory { asked: u64, host: u64 },
    #[error("there is nothing to start: give a firmware image or a kernel")]
    NothingToStart,
    #[error(
        "a firmware image of {0} bytes cannot be used: it must be a multiple of 4 KiB, from 64 KiB to 16 MiB"
    )]
    FirmwareSize(u64),
    #[error("the command line is {0} bytes long, more than a kernel can take (2047)")]
    CommandLine(usize),
    #[error("the command line contains a NUL byte")]
    CommandLineNul,
    #[error("{0} virtio disks are more than the PC has slots for (4)")]
    VirtioDisks(usize),
    #[error("no diskette has room for {0} sectors of 512 bytes")]
    Diskette(u64),
    #[error("with four hard disks there is no place for a CD-ROM drive")]
    NoPlaceForCdRom,
}

/// The longest command line (x86 Linux, COMMAND_LINE_SIZE less the terminating NUL).
pub const MOST_COMMAND_LINE: usize = 2047;

impl MachineConfig {
    /// A machine with `memory` bytes and nothing to start yet.
    pub fn new(memory: u64, cpu: Cpu, time: TimeMode) -> Self {
        Self {
            memory,
            cpu,
            time,
            firmware: None,
            linux: None,
            disks: Default::default(),
            cdrom: None,
            virtio_disks: Vec::new(),
            floppies: Default::default(),
            rtc_start: None,
            stop_at_reset: false,
            preferred_mode: devices::vga::DEFAULT_MODE,
            trace: false,
        }
    }

    /// # Errors
    /// The first thing that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_memory(host_memory())?;
        if self.firmware.is_none() && self.linux.is_none() {
            return Err(ConfigError::NothingToStart);
        }
        if let Some(firmware) = &self.firmware {
            check_firmware(firmware.image.len() as u64)?;
        }
        self.linux.as_ref().map_or(Ok(()), Linux::check)
    }

    /// Memory alone: what a restored machine needs checked.
    pub(crate) fn check_memory(&self, host: Option<u64>) -> Result<(), ConfigError> {
        if self.memory < LEAST_MEMORY {
            return Err(ConfigError::TooLittleMemory(self.memory));
        }
        if !self.memory.is_multiple_of(PAGE_SIZE) {
            return Err(ConfigError::OddMemory(self.memory));
        }
        match host {
            Some(host) if self.memory > host => {
                Err(ConfigError::TooMuchMemory { asked: self.memory >> 20, host: host >> 20 })
            }
            _ => Ok(()),
        }
    }

    /// What the real-time clock shows at power-on.
    pub(crate) fn rtc(&self) -> i64 {
        self.rtc_start.unwrap_or_else(|| match self.time {
            TimeMode::Deterministic => DETERMINISTIC_RTC,
            TimeMode::Paced => wall_clock(),
        })
    }
}

/// # Errors
/// No firmware has this many bytes.
pub(crate) fn check_firmware(len: u64) -> Result<(), ConfigError> {
    if (64 << 10..=MOST_FIRMWARE).contains(&len) && len.is_multiple_of(PAGE_SIZE) {
        Ok(())
    } else {
        Err(ConfigError::FirmwareSize(len))
    }
}

impl Linux {
    fn check(&self) -> Result<(), ConfigError> {
        let line = self.command_line.as_bytes();
        if line.len() > MOST_COMMAND_LINE {
            return Err(ConfigError::CommandLine(line.len()));
        }
        if line.contains(&0) { Err(ConfigError::CommandLineNul) } else { Ok(()) }
    }
}

impl fmt::Debug for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Firmware({} bytes)", self.image.len())
    }
}

impl fmt::Debug for Linux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linux({} + {} bytes, {:?})", self.kernel.len(), self.initrd.len(), self.command_line)
    }
}

/// RAM of this computer in bytes (proc(5), "/proc/meminfo"); `None` where that file does not exist.
pub(crate) fn host_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
pub(crate) fn test_cpu() -> Cpu {
    Cpu { name: "test".into(), ..Cpu::from_model(cpuid::DEFAULT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(memory: u64) -> MachineConfig {
        MachineConfig::new(memory, test_cpu(), TimeMode::Deterministic)
    }

    #[test]
    fn absurd_memory_is_refused_in_one_sentence() {
        let host = Some(8 << 30);
        assert_eq!(config(0).check_memory(host), Err(ConfigError::TooLittleMemory(0)));
        assert_eq!(config((1 << 20) + 1).check_memory(host), Err(ConfigError::OddMemory(0x10_0001)));
        let error = config(1 << 60).check_memory(host).expect_err("more than the host has");
        assert_eq!(
            error.to_string(),
            "1099511627776 MiB of memory are more than the 8192 MiB this computer has"
        );
        assert_eq!(config(8 << 30).check_memory(host), Ok(()));
    }

    #[test]
    fn something_must_start() {
        let mut config = config(1 << 24);
        assert_eq!(config.check(), Err(ConfigError::NothingToStart));
        config.firmware = Some(Firmware { image: vec![0; 1000], vga_bios: None });
        assert_eq!(config.check(), Err(ConfigError::FirmwareSize(1000)));
        config.firmware = None;
        config.linux = Some(Linux { command_line: "x".repeat(3000), ..Linux::default() });
        assert_eq!(config.check(), Err(ConfigError::CommandLine(3000)));
    }

    #[test]
    fn a_deterministic_clock_does_not_depend_on_the_host() {
        assert_eq!(config(1 << 24).rtc(), DETERMINISTIC_RTC);
    }
}
