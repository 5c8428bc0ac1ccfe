//! The command line.

use crate::boot::{Boot, Firmware};
use crate::engines::{EngineChoice, Which};
use crate::image::{self, Chosen};
use crate::screen::keyboard::KeyboardLayout;
use crate::window::HostKey;
use crate::{conform, lockstep, quantity};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use emu_core::Tick;
use std::path::PathBuf;
use std::str::FromStr;

const EXAMPLES: &str = "\
Examples:
  A PC in a window, with a disk, CD or diskette image in the drive that it fits:
    posada debian.qcow2
  Boot a Linux kernel to the shell of its initramfs, here in the terminal:
    posada run --kernel vmlinuz --initrd initramfs.cpio.gz --append 'console=ttyS0'
  Boot a disk image and show its text screen:
    posada run --disk disk.img --display text
  The same in a window:
    posada run --disk disk.img --display window
  Stop here, go on there:
    posada run --kernel vmlinuz --initrd initrd --save shell.state     (Ctrl-A s, Ctrl-A x)
    posada run --restore shell.state

In the terminal, Ctrl-A x quits and Ctrl-A h lists the other keys.

Exit codes: 0 the guest powered off, or you quit; 2 bad input, nothing was started; 4 the guest's kernel panicked;
6 a script or --timeout ran out of guest time; 8 lockstep: the engines differ; odd codes are the guest's own (isa-debug-exit); 128+n signal n.";

#[derive(Parser)]
#[command(name = "posada", version, about = "A complete x86 PC as a program", after_help = EXAMPLES)]
#[command(arg_required_else_help = true)]
pub struct Posada {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Start a PC
    #[command(after_help = EXAMPLES, disable_help_flag = true)]
    Run(Box<Run>),
    /// Run a guest under two engines at once and report the first instruction after which they differ
    #[command(after_help = lockstep::options::EXAMPLES, disable_help_flag = true)]
    Lockstep(Box<lockstep::options::Lockstep>),
    /// Compare an engine with this host's CPU, instruction form by instruction form
    #[command(after_help = conform::options::EXAMPLES)]
    Conform(Box<conform::options::Conform>),
    /// Make, show, convert and check disk images
    #[command(after_help = image::command::options::EXAMPLES)]
    Image {
        #[command(subcommand)]
        command: image::command::options::Command,
    },
    /// Print a completion script for your shell, for example: posada completions bash > posada.bash
    Completions { shell: Shell },
}

#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    pub guest: Guest,
    #[command(flatten)]
    pub pc: Pc,
    #[command(flatten)]
    pub console: Console,
    #[command(flatten)]
    pub time: Time,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub observe: Observe,
    /// Print this help
    #[arg(long, short, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

/// What to boot.
#[derive(Args)]
#[command(next_help_heading = "What to boot")]
pub struct Guest {
    /// Linux kernel (bzImage), or another image that follows the Linux boot protocol, to boot directly
    #[arg(long, value_name = "FILE", conflicts_with = "firmware")]
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk for --kernel
    #[arg(long, value_name = "FILE", requires = "kernel")]
    pub initrd: Option<PathBuf>,
    /// Command line for --kernel
    #[arg(long, value_name = "TEXT", requires = "kernel", default_value = "")]
    pub append: String,
    /// Firmware: posada (our own), seabios (as `cargo xtask setup` fetched it), or an image file [default: posada]
    #[arg(long, value_name = "WHICH")]
    pub firmware: Option<Firmware>,
    /// What our BIOS boots: order=LETTERS of a (diskette), c (disk) and d (CD); menu asks first [default: order=adc]
    #[arg(long, value_name = "HOW", conflicts_with = "kernel")]
    pub boot: Option<Boot>,
    /// Video BIOS image for the firmware [default: our own]
    #[arg(long, value_name = "FILE")]
    pub vgabios: Option<PathBuf>,
    /// Hard disk image; `,format=raw` (qcow2, vmdk, vdi, vhd, vhdx) and `,readonly` may follow; up to four times
    #[arg(long, value_name = "FILE")]
    pub disk: Vec<Chosen>,
    /// Image of a CD or DVD (ISO 9660) for the CD-ROM drive
    #[arg(long, value_name = "FILE")]
    pub cdrom: Option<PathBuf>,
    /// Hard disk image behind a virtio block device, with the same options as --disk; may be given up to four times
    #[arg(long, value_name = "FILE")]
    pub virtio_disk: Vec<Chosen>,
    /// Floppy image, with the same options as --disk
    #[arg(long, value_name = "FILE")]
    pub floppy: Option<Chosen>,
    /// Only read the images; what the guest writes is forgotten at the end
    #[arg(long, conflicts_with = "save")]
    pub snapshot: bool,
}

/// What the PC is made of.
#[derive(Args)]
#[command(next_help_heading = "The PC")]
pub struct Pc {
    /// Size of memory, for example 512M or 2G
    #[arg(long, short, value_name = "SIZE", default_value = "512M", value_parser = quantity::memory_size)]
    pub memory: u64,
    /// CPU model; a wrong name lists them
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// What executes the guest's instructions [default: auto]
    #[arg(long, value_enum)]
    pub engine: Option<EngineChoice>,
}

/// Where the person meets the PC.
#[derive(Args)]
#[command(next_help_heading = "Console")]
pub struct Console {
    /// Where the first serial port goes: stdio, file:PATH, pty or none [default: stdio; none if there is a display]
    #[arg(long, value_name = "WHERE")]
    pub serial: Option<Serial>,
    /// Where to show the PC's screen
    #[arg(long, value_enum, default_value_t = Display::None)]
    pub display: Display,
    /// The key that commands the window of --display window
    #[arg(long, value_enum, default_value_t)]
    pub host_key: HostKey,
    /// The guest's keyboard layout, for text: pasted, typed with --display text, or by a script
    #[arg(long, value_enum, value_name = "LAYOUT", default_value_t)]
    pub keyboard_layout: KeyboardLayout,
    /// Write what the firmware says on its debug port (402h) to this file
    #[arg(long, value_name = "FILE")]
    pub debugcon: Option<PathBuf>,
    /// Play a script: expect, send, key, screen, wait, ... on guest time (see docs/guide/scripts.md)
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// End the run, with exit code 0, when the serial port has said this
    #[arg(long, value_name = "TEXT", conflicts_with = "script")]
    pub until_text: Option<String>,
    /// Do not print the summary at the start and the closing line
    #[arg(long, short)]
    pub quiet: bool,
}

/// How time passes.
#[derive(Args)]
#[command(next_help_heading = "Time")]
pub struct Time {
    /// Let guest time follow the instruction count: equal input gives an equal run, on any host
    #[arg(long)]
    pub deterministic: bool,
    /// Wall clock at power-on, for example 2026-11-23T22:43:00 (UTC) [default: now; 2026-01-01 if deterministic]
    #[arg(long, value_name = "DATE", value_parser = quantity::wall_clock, allow_negative_numbers = true)]
    pub rtc: Option<i64>,
    /// End the run after this much guest time, with exit code 6
    #[arg(long, value_name = "SPAN", value_parser = quantity::span)]
    pub timeout: Option<Tick>,
    /// End the run where the guest would reboot
    #[arg(long)]
    pub no_reboot: bool,
}

/// Saved states.
#[derive(Args)]
#[command(next_help_heading = "Saved states")]
pub struct State {
    /// Where Ctrl-A s (or --save-at) saves the state of the whole machine
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Save at this much guest time after power-on, then end the run
    #[arg(long, value_name = "SPAN", value_parser = quantity::span, requires = "save")]
    pub save_at: Option<Tick>,
    /// Continue from a saved state; it holds the whole PC, so nothing that describes the PC can be given with it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kernel", "initrd", "append", "firmware", "boot", "vgabios", "memory", "cpu", "rtc"])]
    pub restore: Option<PathBuf>,
    /// At the end, print a hash of the whole machine (CPU, chips, memory)
    #[arg(long)]
    pub hash: bool,
    /// Log to this file what the board takes note of: accesses that nobody answers, power changes, triple faults
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// For people who want to look inside.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Looking inside")]
pub struct Observe {
    /// At the end, print what the engine did: shares of its tiers, translations, why compiled code came back, TLB misses
    #[arg(long)]
    pub stats: bool,
    /// Show compiled regions, guest and host code side by side: those with this linear address in them, or `all`
    #[arg(long, value_name = "ADDRESS")]
    pub dump_region: Option<Which>,
    /// Put each region that --dump-region shows into a file of this folder [default: standard output]
    #[arg(long, value_name = "FOLDER", requires = "dump_region")]
    pub dump_to: Option<PathBuf>,
    /// Write /tmp/perf-PID.map, so that `perf report` shows guest addresses for compiled code
    #[arg(long)]
    pub perf_map: bool,
    /// Names for guest addresses in the perf map: what `nm` prints, or a kernel's System.map
    #[arg(long, value_name = "FILE", requires = "perf_map")]
    pub symbols: Option<PathBuf>,
}

impl Observe {
    pub fn is_anything(&self) -> bool {
        *self != Self::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Display {
    /// No screen
    None,
    /// The text screen, live, with keyboard, in this terminal
    Text,
    /// A window, with keyboard and mouse
    Window,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serial {
    Stdio,
    File(PathBuf),
    Pty,
    None,
}

impl FromStr for Serial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "stdio" => Ok(Self::Stdio),
            None if text == "pty" => Ok(Self::Pty),
            None if text == "none" => Ok(Self::None),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err("choose stdio, file:PATH, pty or none".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Posada, Serial};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_consistent() {
        Posada::command().debug_assert();
    }

    #[test]
    fn serial_sinks() {
        assert_eq!("file:/tmp/log".parse(), Ok(Serial::File("/tmp/log".into())));
        assert_eq!("pty".parse(), Ok(Serial::Pty));
        assert!("file:".parse::<Serial>().is_err() && "tcp:1".parse::<Serial>().is_err());
    }

    #[test]
    fn what_contradicts_is_refused() {
        let parse = |line: &str| Posada::try_parse_from(line.split(' '));
        assert!(parse("posada run --kernel k --initrd i --append x -m 1G").is_ok());
        assert!(parse("posada run --initrd i").is_err());
        assert!(parse("posada run --kernel k --firmware f").is_err());
        assert!(parse("posada run --restore s --kernel k").is_err());
        assert!(parse("posada run --save-at 5s").is_err());
        assert!(parse("posada run --snapshot --disk d,readonly").is_ok());
        assert!(parse("posada run --snapshot --save s").is_err());
    }
}
