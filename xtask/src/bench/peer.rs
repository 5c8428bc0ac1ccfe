//! The emulators that are compared.

use super::sample::{Cost, Run, Sample};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

const SETTLING: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(10);

/// What a PC boots.
pub struct Guest {
    pub kernel: PathBuf,
    pub initrd: PathBuf,
    pub memory: &'static str,
}

/// An emulator.
pub struct Peer {
    pub name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// How its options begin; those we need have the same names in both.
    dashes: &'static str,
    is_qemu: bool,
}

/// A bus with disks.
pub struct Bus {
    /// Before the names of what is measured on it.
    pub name: &'static str,
    pub what: &'static str,
    /// The option of Posada and that of QEMU that puts a raw image on it, and how its value begins.
    options: [[&'static str; 2]; 2],
}

pub const BUSES: [Bus; 2] = [
    Bus {
        name: "ide",
        what: "an IDE disk",
        options: [["--disk", ""], ["-drive", "if=ide,format=raw,file="]],
    },
    Bus {
        name: "virtio",
        what: "a virtio block device",
        options: [["--virtio-disk", ""], ["-drive", "if=virtio,format=raw,file="]],
    },
];

impl Peer {
    pub fn posada(program: &Path, engine: &str) -> Self {
        let arguments = ["run", "--quiet", "--no-reboot", "--engine", engine];
        Self {
            name: "Posada",
            program: program.into(),
            arguments: arguments.map(str::to_owned).into(),
            dashes: "--",
            is_qemu: false,
        }
    }

    /// The CPU model is QEMU's own default, with which it boots fastest.
    pub fn qemu() -> Self {
        let arguments = "-accel tcg -cpu qemu64 -smp 1 -display none -serial stdio -monitor none -no-reboot";
        Self {
            name: "QEMU TCG",
            program: "qemu-system-x86_64".into(),
            arguments: arguments.split(' ').map(str::to_owned).collect(),
            dashes: "-",
            is_qemu: true,
        }
    }

    /// From the start to the marker of `/init`.
    pub fn boot(&self, guest: &Guest) -> Result<Cost> {
        self.ready(guest)?.cost()
    }

    /// The part of a host core that an idle shell takes.
    pub fn idle(&self, guest: &Guest) -> Result<f64> {
        let run = self.ready(guest)?;
        // The shell starts, and the kernel finishes what it does in the background.
        sleep(SETTLING);
        let (before, start) = (run.cost()?, Instant::now());
        sleep(IDLE);
        Ok((run.cost()?.cpu - before.cpu) / 1e9 / start.elapsed().as_secs_f64())
    }

    /// The named kernels or programs, run in the guest by `command` (see [`super::guests`]).
    pub fn samples(&self, guest: &Guest, command: &str, names: &[String]) -> Result<Vec<Sample>> {
        let append = format!("posada.run={command} BENCH={}", names.join(","));
        let run = self.start(guest, &append)?;
        run.samples("POSADA-DONE").with_context(|| format!("{command} under {}", self.name))
    }

    /// A run that has just printed the marker of `/init`.
    fn ready(&self, guest: &Guest) -> Result<Run> {
        let run = self.start(guest, "")?;
        run.wait_for("POSADA-READY").with_context(|| format!("booting under {}", self.name))?;
        Ok(run)
    }

    /// Boots a disk.
    pub fn start_disk(&self, bus: &Bus, image: &Path) -> Result<Run> {
        let [option, beginning] = bus.options[usize::from(self.is_qemu)];
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(["-m", "512M", option]);
        command.arg(format!("{beginning}{}", image.display()));
        Run::start(command)
    }

    pub fn start(&self, guest: &Guest, append: &str) -> Result<Run> {
        let option = |name: &str| format!("{}{name}", self.dashes);
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(["-m", guest.memory]);
        command.arg(option("kernel")).arg(&guest.kernel).arg(option("initrd")).arg(&guest.initrd);
        command.arg(option("append")).arg(format!("console=ttyS0 quiet {append}"));
        Run::start(command)
    }
}
