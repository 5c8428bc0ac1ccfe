//! `posada image check`: the tables of a qcow2 image, and of every image whether it can be read from end to end.

use super::options::Check;
use super::progress::Progress;
use crate::image::qcow2::{self, Findings};
use crate::image::{Access, Format, Held, Opened, SECTOR, SECTOR_LEN, open, probe};
use anyhow::{Context, Result};
use machine::Disk;
use std::io::{self, Write, stdout};
use std::process::ExitCode;

/// The exit code that says that an image is damaged.
const DAMAGED: u8 = 8;
/// As much as is read at once.
const CHUNK: usize = 1 << 20;

pub fn run(options: &Check) -> Result<ExitCode> {
    let name = options.file.path.display();
    if is_qcow2(options)? {
        let held = Held::open(&options.file.path, Access::Read)?;
        let progress = Progress::new(held.bytes, options.quiet)?;
        // The work is in the tables; how many of them are done is shown as a part of the file.
        let share = |done: u64, of: u64| u128::from(held.bytes) * u128::from(done) / u128::from(of.max(1));
        let findings =
            qcow2::check(&held, |done, of| progress.at(u64::try_from(share(done, of)).unwrap_or(0)).is_ok())?;
        drop(progress);
        return Ok(told(&name.to_string(), &findings)?);
    }
    let Opened { mut disk, format, .. } = open(&options.file, Access::Read)?;
    read_all(disk.as_mut(), options.quiet).with_context(|| format!("{name} is damaged"))?;
    writeln!(stdout(), "{name}: {format}, every sector can be read")?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the tables of a qcow2 image are to be checked: also when the image is too damaged to be opened.
fn is_qcow2(options: &Check) -> Result<bool> {
    if let Some(format) = options.file.format {
        return Ok(format == Format::Qcow2);
    }
    let held = Held::open(&options.file.path, Access::Read)?;
    let content = probe::content(&held.file, held.bytes).map_err(held.failed("read"))?;
    Ok(content == probe::Content::Is(Format::Qcow2))
}

fn told(name: &str, findings: &Findings) -> io::Result<ExitCode> {
    let mut out = stdout().lock();
    let Findings { damaged, leaked, messages } = findings;
    for message in messages {
        writeln!(out, "{name}: {message}")?;
    }
    if *leaked > 0 {
        writeln!(out, "{name}: {leaked} clusters are counted as used but are not; that costs only space")?;
    }
    if *damaged > 0 {
        writeln!(out, "{name}: {damaged} damages; copy what can be read with `posada image convert`")?;
        return Ok(DAMAGED.into());
    }
    writeln!(out, "{name}: qcow2, no damage")?;
    Ok(ExitCode::SUCCESS)
}

fn read_all(disk: &mut dyn Disk, quiet: bool) -> Result<()> {
    let sectors = disk.sectors();
    let progress = Progress::new(sectors * SECTOR, quiet)?;
    let mut chunk = vec![0; CHUNK];
    let mut lba = 0;
    while lba < sectors {
        let count = (sectors - lba).min((CHUNK / SECTOR_LEN) as u64);
        disk.read(lba, &mut chunk[..usize::try_from(count * SECTOR)?])?;
        lba += count;
        progress.at(lba * SECTOR)?;
    }
    Ok(())
}
