//! One check: Posada plays the scripts, and the host looks at what is left on the disk.

use super::plan::{Check, Kind};
use crate::cache::Cache;
use crate::command::{self, output};
use crate::demo;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where copies of the guests and logs of the sessions are.
pub struct Sessions {
    posada: PathBuf,
    folder: PathBuf,
}

impl Sessions {
    pub fn open() -> Result<Self> {
        let folder = std::path::absolute(command::target().join("guest-check"))?;
        fs::create_dir_all(&folder)?;
        Ok(Self { posada: std::path::absolute(demo::build()?)?, folder })
    }

    pub fn run(&self, check: &Check) -> Result<()> {
        let media = Cache::folder().join("media");
        match check.kind {
            Kind::Debian(_) => self.debian(check),
            Kind::Medium(file) => {
                let mut run = self.posada(check);
                run.args(drive(check.bus)).arg(media.join(file)).args(["--snapshot", "--memory", "128M"]);
                self.play(run, &check.name(), check.guest)
            }
            Kind::Installer(architecture, initrd) => {
                let folder = media.join(format!("installer-{architecture}"));
                let mut run = self.posada(check);
                run.arg("--kernel").arg(folder.join("linux")).arg("--initrd").arg(folder.join(initrd));
                // Below a gigabyte the installer leaves its languages out.
                run.args(["--memory", "1G"]);
                if check.guest == "installer-text" {
                    // In the text mode that scripts can read: without this, udev loads the driver of our display
                    // adapter, and the kernel draws its console in dots.
                    run.args(["--append", "vga=normal fb=false modprobe.blacklist=bochs"]);
                }
                self.play(run, &check.name(), check.guest)
            }
        }
    }

    fn debian(&self, check: &Check) -> Result<()> {
        let image = Cache::folder().join(format!("{}.qcow2", check.guest));
        let disk = self.folder.join(format!("{}.raw", check.name()));
        output(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(&image).arg(&disk))?;
        let sessions = || {
            for script in ["debian-first", "debian-again"] {
                let mut run = self.posada(check);
                run.args(drive(check.bus)).arg(&disk).args(["--memory", "512M"]);
                self.play(run, &format!("{}-{script}", check.name()), script)?;
            }
            fsck(&disk)
        };
        let result = sessions();
        fs::remove_file(&disk)?;
        result
    }

    /// In the folder of the workspace: scripts name files from there.
    fn posada(&self, check: &Check) -> Command {
        let mut run = Command::new(&self.posada);
        run.current_dir(command::workspace());
        run.args(["run", "--deterministic", "--engine", check.engine]);
        if check.firmware != "none" {
            run.args(["--firmware", check.firmware]);
        }
        run
    }

    /// Plays a script; what the guest says and what the board takes note of goes to files called `name`.
    fn play(&self, mut run: Command, name: &str, script: &str) -> Result<()> {
        let log = self.folder.join(format!("{name}.log"));
        run.arg("--script").arg(format!("xtask/guest/scripts/{script}.script"));
        run.arg("--trace").arg(self.folder.join(format!("{name}.trace")));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        run.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped());
        let done = run.output().with_context(|| format!("cannot start `{}`", command::shown(&run)))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            let why = said.lines().last().unwrap_or_default();
            bail!("{script}: {why} ({}; the serial port is in {})", done.status, log.display());
        }
        Ok(())
    }
}

/// The option that puts an image there.
fn drive(bus: &str) -> Option<&'static str> {
    match bus {
        "diskette" => Some("--floppy"),
        "cd" => Some("--cdrom"),
        "ide" => Some("--disk"),
        "virtio" => Some("--virtio-disk"),
        _ => None,
    }
}

/// e2fsck(8): exit code 0 means that nothing was wrong.
fn fsck(disk: &Path) -> Result<()> {
    let e2fsck = command::find("e2fsck").context("there is no e2fsck here: install e2fsprogs")?;
    output(Command::new(e2fsck).arg("-fn").arg(super::super::file_system_in(disk)))
        .context("the guest left a damaged file system")?;
    Ok(())
}
