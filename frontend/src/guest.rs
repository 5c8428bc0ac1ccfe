//! From the command line to a machine: everything is read and checked here, before anything runs.

use crate::disk::FileDisk;
use crate::files;
use crate::options::{EngineChoice, Run};
use crate::quantity::{seconds, shown_size};
use anyhow::{Context, Result, bail};
use emu_core::Engine;
use emu_core::interpreter::Interpreter;
use emu_core::isa::cpuid;
use jit::{Jit, Options};
use machine::{Cpu, Disk, Firmware, Linux, Machine, MachineConfig, TimeMode};
use std::path::{Path, PathBuf};

/// A machine and a line that says what it is.
pub struct Built {
    pub machine: Machine,
    pub summary: String,
}

pub fn build(run: &Run) -> Result<Built> {
    match &run.state.restore {
        Some(path) => restore(run, path),
        None => start(run),
    }
}

fn start(run: &Run) -> Result<Built> {
    let cpu = cpu(run.pc.cpu.as_deref())?;
    let name = cpu.name.clone();
    let mut config = MachineConfig::new(run.pc.memory, cpu, time(run));
    config.linux = run.guest.kernel.as_deref().map(|kernel| linux(run, kernel)).transpose()?;
    if config.linux.is_none() {
        config.firmware = Some(firmware(run)?);
    }
    config.rtc_start = run.time.rtc;
    add_media(&mut config, run)?;
    let machine = Machine::new(config, engine(run.pc.engine))?;
    let boots = boots(run);
    let summary =
        format!("{} of memory, CPU {name}, {}, {boots}", shown_size(run.pc.memory), timing(time(run)));
    Ok(Built { machine, summary })
}

fn restore(run: &Run, path: &Path) -> Result<Built> {
    let state = files::read("saved state", path)?;
    let restored = restored(run, &state).with_context(|| format!("cannot restore {}", path.display()))?;
    let time = timing(time(run));
    let summary = format!("restored {}, {time}, at {} s", path.display(), seconds(restored.now()));
    Ok(Built { machine: restored, summary })
}

fn restored(run: &Run, state: &[u8]) -> Result<Machine> {
    let saved = machine::snapshot::describe(state)?;
    let mut config = MachineConfig::new(saved.memory, cpu(Some(&saved.cpu))?, time(run));
    add_media(&mut config, run)?;
    Ok(Machine::restore(&mut &state[..], config, engine(run.pc.engine))?)
}

fn time(run: &Run) -> TimeMode {
    if run.time.deterministic { TimeMode::Deterministic } else { TimeMode::Paced }
}

/// What both a new and a restored machine take from the command line.
fn add_media(config: &mut MachineConfig, run: &Run) -> Result<()> {
    if run.guest.disk.len() > config.disks.len() {
        bail!(
            "--disk was given {} times; the PC has room for {} disks",
            run.guest.disk.len(),
            config.disks.len()
        );
    }
    for (slot, path) in config.disks.iter_mut().zip(&run.guest.disk) {
        *slot = Some(Box::new(FileDisk::open(path)?) as Box<dyn Disk>);
    }
    if let Some(path) = &run.guest.floppy {
        config.floppies[0] = Some(Box::new(FileDisk::open(path)?));
    }
    config.stop_at_reset = run.time.no_reboot;
    config.trace = run.state.trace.is_some();
    Ok(())
}

fn linux(run: &Run, kernel: &Path) -> Result<Linux> {
    Ok(Linux {
        kernel: files::read("kernel", kernel)?,
        initrd: run.guest.initrd.as_deref().map_or(Ok(Vec::new()), |path| files::read("initrd", path))?,
        command_line: run.guest.append.clone(),
    })
}

fn firmware(run: &Run) -> Result<Firmware> {
    let image = match &run.guest.firmware {
        Some(path) => path.clone(),
        None => fetched("bios-256k.bin").context(
            "there is nothing to boot: give a --kernel or a --firmware, or fetch SeaBIOS with `cargo xtask setup`",
        )?,
    };
    let vga_bios = run.guest.vgabios.clone().or_else(|| fetched("vgabios-isavga.bin"));
    Ok(Firmware {
        image: files::read("firmware", &image)?,
        vga_bios: vga_bios.map(|path| files::read("video BIOS", &path)).transpose()?,
    })
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
        (None, Some(firmware)) => format!("firmware {}", firmware.display()),
        (None, None) => "SeaBIOS".into(),
    }
}

/// A CPU model by its name.
fn cpu(name: Option<&str>) -> Result<Cpu> {
    let index = name.map_or(Some(cpuid::DEFAULT), cpuid::by_name);
    let Some(index) = index else {
        let names: Vec<&str> = cpuid::MODELS.iter().map(|model| model.name).collect();
        bail!("there is no CPU model `{}`; choose one of {}", name.unwrap_or_default(), names.join(", "));
    };
    let model = cpuid::model(index);
    Ok(Cpu {
        name: model.name.to_owned(),
        model: index,
        signature: model.signature,
        apic: model.features.has(cpuid::feature::APIC),
        long_mode: model.features.has(cpuid::feature::LM),
    })
}

fn engine(choice: EngineChoice) -> Box<dyn Engine> {
    match choice {
        EngineChoice::Interpreter => Box::new(Interpreter::new()),
        EngineChoice::Auto => Box::new(Jit::new(Options::AUTO)),
        EngineChoice::Jit => Box::new(Jit::new(Options::EAGER)),
    }
}

fn timing(time: TimeMode) -> &'static str {
    match time {
        TimeMode::Deterministic => "deterministic time",
        TimeMode::Paced => "paced time",
    }
}
