//! `cargo xtask guest check`: a person's session with each guest, by script, under Posada. Debian boots twice, and the
//! file system that it leaves is checked by the host.

use super::{debian_disk, media};
use crate::cache::Cache;
use crate::command::{self, output};
use crate::demo;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

struct Medium {
    /// In the folder of guests.
    file: &'static str,
    /// The drive that it goes into. The CDs have boot records for disks too.
    option: &'static str,
    script: &'static str,
}

#[rustfmt::skip]
const MEDIA: [Medium; 5] = [
    Medium { file: "media/grub-rescue-floppy.img", option: "--floppy", script: "grub-rescue" },
    Medium { file: "media/grub-rescue-cdrom.iso",  option: "--disk",   script: "grub-rescue" },
    Medium { file: "media/memtest86+x64.iso",      option: "--disk",   script: "memtest" },
    Medium { file: "media/ipxe.iso",               option: "--disk",   script: "ipxe" },
    Medium { file: "media/isolinux.iso",           option: "--disk",   script: "isolinux" },
];

const INSTALLERS: [&str; 2] = ["amd64", "i386"];

/// Where copies of the guests and logs of the sessions are.
struct Sessions {
    posada: PathBuf,
    folder: PathBuf,
    engine: String,
}

pub fn debian(architecture: &'static str, engine: &str) -> Result<()> {
    let image = debian_disk::make(architecture, false)?;
    let sessions = Sessions::open(engine)?;
    let disk = sessions.folder.join(format!("debian-{architecture}.raw"));
    output(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(&image).arg(&disk))?;
    for script in ["debian-first", "debian-again"] {
        let mut run = sessions.run();
        run.arg("--disk").arg(&disk);
        sessions.play(&mut run, &format!("{script}-{architecture}"), script)?;
    }
    fsck(&disk)?;
    fs::remove_file(&disk)?;
    Ok(())
}

/// e2fsck(8): exit code 0 means that nothing was wrong.
fn fsck(disk: &Path) -> Result<()> {
    let e2fsck = command::find("e2fsck").context("there is no e2fsck here: install e2fsprogs")?;
    let said = output(Command::new(e2fsck).arg("-fn").arg(super::file_system_in(disk)))
        .context("the guest left a damaged file system")?;
    eprintln!("guest: fsck: {}", said.lines().last().unwrap_or_default());
    Ok(())
}

pub fn media(engine: &str) -> Result<()> {
    media::make(false)?;
    let sessions = Sessions::open(engine)?;
    let mut failures = Vec::new();
    for medium in &MEDIA {
        let name = medium.file.trim_start_matches("media/");
        let copy = sessions.folder.join(name);
        fs::copy(Cache::folder().join(medium.file), &copy)?;
        let mut run = sessions.run();
        run.arg(medium.option).arg(&copy);
        failures.extend(sessions.play(&mut run, name, medium.script).err());
        fs::remove_file(&copy)?;
    }
    for architecture in INSTALLERS {
        let folder = Cache::folder().join("media").join(format!("installer-{architecture}"));
        let mut run = sessions.run();
        run.arg("--kernel").arg(folder.join("linux")).arg("--initrd").arg(folder.join("text.gz"));
        run.args(["--append", "vga=normal fb=false"]);
        failures
            .extend(sessions.play(&mut run, &format!("installer-{architecture}"), "installer-text").err());
    }
    match failures.len() {
        0 => Ok(()),
        count => bail!("{count} of the media did not do as their scripts say"),
    }
}

impl Sessions {
    fn open(engine: &str) -> Result<Self> {
        let folder = command::target().join("guest-check");
        fs::create_dir_all(&folder)?;
        Ok(Self { posada: demo::build()?, folder, engine: engine.to_owned() })
    }

    fn run(&self) -> Command {
        let mut run = Command::new(&self.posada);
        run.args(["run", "--deterministic", "--memory", "512M", "--engine", &self.engine]);
        run
    }

    /// Plays a script; what the guest says and what the board takes note of goes to files called `name`.
    fn play(&self, run: &mut Command, name: &str, script: &str) -> Result<()> {
        let log = self.folder.join(format!("{name}.log"));
        let scripts = command::workspace().join("xtask/guest/scripts");
        run.arg("--script").arg(scripts.join(format!("{script}.script")));
        run.arg("--trace").arg(self.folder.join(format!("{name}.trace")));
        eprintln!("guest: {name} under --engine {}", self.engine);
        let result = command::run(run.stdout(File::create(&log)?));
        if result.is_err() {
            eprintln!("guest: {name} failed; what it said is in {}", log.display());
        }
        result
    }
}
