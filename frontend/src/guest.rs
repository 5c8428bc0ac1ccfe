//! From the command line to a machine: everything is read and checked here, before anything runs.

use crate::boot;
use crate::disk_light::DiskLight;
use crate::files;
use crate::image::{self, Access, Chosen, Image};
use crate::media;
use crate::options::Run;
use crate::quantity::{seconds, shown_size};
use anyhow::{Context, Result, bail};
use emu_core::Engine;
use emu_core::isa::cpuid;
use machine::{BootPlan, Cpu, Disk, Firmware, Linux, Machine, MachineConfig, TimeMode};
use std::path::{Path, PathBuf};

/// A machine and a line that says what it is.
pub struct Built {
    pub machine: Machine,
    pub summary: String,
}

/// What is in the drives.
pub struct Media {
    disks: Vec<Box<dyn Disk>>,
    virtio_disks: Vec<Box<dyn Disk>>,
    floppy: Option<Box<dyn Disk>>,
    cdrom: Option<Box<dyn Disk>>,
    light: DiskLight,
}

/// The PC's places for hard disks.
const DISKS: usize = 4;

impl Media {
    /// # Errors
    /// There are more disks than places for them.
    pub fn new(
        disks: Vec<Box<dyn Disk>>,
        virtio_disks: Vec<Box<dyn Disk>>,
        floppy: Option<Box<dyn Disk>>,
    ) -> Result<Self> {
        if disks.len() > DISKS {
            bail!("--disk was given {} times; the PC has room for {DISKS} disks", disks.len());
        }
        Ok(Self { disks, virtio_disks, floppy, cdrom: None, light: DiskLight::default() })
    }

    /// With the disc that the command line names, which is only read.
    pub fn with_cdrom(self, run: &Run) -> Result<Self> {
        Ok(Self { cdrom: run.guest.cdrom.as_deref().map(media::cdrom).transpose()?, ..self })
    }

    /// The light that watches all of them.
    pub fn light(&self) -> DiskLight {
        self.light.clone()
    }

    /// The images that the command line names, to be written to unless it says otherwise.
    pub fn open(run: &Run) -> Result<Self> {
        let overlay =
            |chosen: &Chosen| -> Result<Box<dyn Disk>> { Ok(Box::new(Image::open(chosen)?.overlay())) };
        let open = |chosen: &Chosen| match run.guest.snapshot {
            true => overlay(chosen),
            false => Ok(image::open(chosen, Access::Write)?.disk),
        };
        let diskette =
            |chosen: &Chosen| if run.guest.snapshot { overlay(chosen) } else { media::floppy(chosen) };
        let all = |images: &[Chosen]| images.iter().map(open).collect::<Result<_>>();
        let (disks, virtio_disks) = (all(&run.guest.disk)?, all(&run.guest.virtio_disk)?);
        let floppy = run.guest.floppy.as_ref().map(diskette).transpose()?;
        Self::new(disks, virtio_disks, floppy)?.with_cdrom(run)
    }
}

pub fn build(run: &Run, engine: Box<dyn Engine>, media: Media) -> Result<Built> {
    match &run.state.restore {
        Some(path) => restore(run, path, engine, media),
        None => start(run, engine, media),
    }
}

fn start(run: &Run, engine: Box<dyn Engine>, media: Media) -> Result<Built> {
    let cpu = cpu(run.pc.cpu.as_deref())?;
    let name = cpu.name.clone();
    let mut config = MachineConfig::new(run.pc.memory, cpu, time(run));
    config.linux = run.guest.kernel.as_deref().map(|kernel| linux(run, kernel)).transpose()?;
    if config.linux.is_none() {
        config.firmware = Some(firmware(run, &config.cpu)?);
    }
    config.rtc_start = run.time.rtc;
    complete(&mut config, run, media);
    let machine = Machine::new(config, engine)?;
    let boots = boots(run);
    let summary =
        format!("{} of memory, CPU {name}, {}, {boots}", shown_size(run.pc.memory), timing(time(run)));
    Ok(Built { machine, summary })
}

fn restore(run: &Run, path: &Path, engine: Box<dyn Engine>, media: Media) -> Result<Built> {
    let state = files::read("saved state", path)?;
    let restored = restored(run, &state, engine, media);
    let restored = restored.with_context(|| format!("cannot restore {}", path.display()))?;
    let time = timing(time(run));
    let summary = format!("restored {}, {time}, at {} s", path.display(), seconds(restored.now()));
    Ok(Built { machine: restored, summary })
}

/// A machine from the bytes of a saved one.
pub fn restored(run: &Run, state: &[u8], engine: Box<dyn Engine>, media: Media) -> Result<Machine> {
    let saved = machine::snapshot::describe(state)?;
    let mut config = MachineConfig::new(saved.memory, cpu(Some(&saved.cpu))?, time(run));
    complete(&mut config, run, media);
    Ok(Machine::restore(&mut &state[..], config, engine)?)
}

fn time(run: &Run) -> TimeMode {
    if run.time.deterministic { TimeMode::Deterministic } else { TimeMode::Paced }
}

/// What both a new and a restored machine take from the command line.
fn complete(config: &mut MachineConfig, run: &Run, media: Media) {
    let Media { disks, virtio_disks, floppy, cdrom, light } = media;
    let watch = |disk| light.watch(disk);
    for (slot, disk) in config.disks.iter_mut().zip(disks) {
        *slot = Some(watch(disk));
    }
    config.virtio_disks = virtio_disks.into_iter().map(watch).collect();
    config.floppies[0] = floppy.map(watch);
    config.cdrom = cdrom.map(watch);
    config.stop_at_reset = run.time.no_reboot;
    config.trace = run.state.trace.is_some();
}

fn linux(run: &Run, kernel: &Path) -> Result<Linux> {
    Ok(Linux {
        kernel: files::read("kernel", kernel)?,
        initrd: run.guest.initrd.as_deref().map_or(Ok(Vec::new()), |path| files::read("initrd", path))?,
        command_line: run.guest.append.clone(),
    })
}

fn firmware(run: &Run, cpu: &Cpu) -> Result<Firmware> {
    let own = || Ok(machine::video_bios());
    let video = run.guest.vgabios.as_deref().map_or_else(own, |path| files::read("video BIOS", path))?;
    let image = match &run.guest.firmware {
        None | Some(boot::Firmware::Posada) => {
            let plan = run.guest.boot.clone().map_or_else(BootPlan::default, |boot| boot.0);
            return Ok(Firmware::posada(run.pc.memory, cpu, video, &plan)?);
        }
        Some(boot::Firmware::SeaBios) => {
            fetched("bios-256k.bin").context("there is no SeaBIOS yet: fetch it with `cargo xtask setup`")?
        }
        Some(boot::Firmware::File(path)) => path.clone(),
    };
    if run.guest.boot.is_some() {
        bail!("--boot is for our own BIOS; another firmware has its own ways to choose");
    }
    Ok(Firmware { image: files::read("firmware", &image)?, vga_bios: Some(video) })
}

/// A file that `cargo xtask setup` has put into the folder of guests: `$POSADA_CACHE`, else `guests` beside the
/// folder of the build this program is from.
fn fetched(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("POSADA_CACHE").map(PathBuf::from);
    let program = std::env::current_exe().ok();
    let beside = program.iter().flat_map(|program| program.ancestors()).map(|folder| folder.join("guests"));
    named.into_iter().chain(beside).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn boots(run: &Run) -> String {
    match (&run.guest.kernel, &run.guest.firmware) {
        (Some(kernel), _) => format!("kernel {}", kernel.display()),
        (None, Some(firmware)) => firmware.to_string(),
        (None, None) => boot::Firmware::Posada.to_string(),
    }
}

/// A CPU model by its name.
fn cpu(name: Option<&str>) -> Result<Cpu> {
    let index = name.map_or(Some(cpuid::DEFAULT), cpuid::by_name);
    let Some(index) = index else {
        let names: Vec<&str> = cpuid::MODELS.iter().map(|model| model.name).collect();
        bail!("there is no CPU model `{}`; choose one of {}", name.unwrap_or_default(), names.join(", "));
    };
    Ok(Cpu::from_model(index))
}

fn timing(time: TimeMode) -> &'static str {
    match time {
        TimeMode::Deterministic => "deterministic time",
        TimeMode::Paced => "paced time",
    }
}
