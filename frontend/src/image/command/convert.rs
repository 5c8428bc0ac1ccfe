//! `posada image convert`.

use super::create::{make, new_format};
use super::options::Convert;
use super::progress::Progress;
use super::target::Target;
use crate::image::{Access, Chosen, Format, SECTOR, SECTOR_LEN, open};
use anyhow::{Context, Result};
use machine::Disk;
use std::path::Path;

/// As much as is read at once, and the grain in which zeros are left out.
const CHUNK: usize = 1 << 20;
const GRAIN: usize = 64 << 10;

pub fn run(options: &Convert) -> Result<()> {
    let format = new_format(options.format, &options.target)?;
    let mut source = open(&options.source, Access::Read)?.disk;
    let bytes = source.sectors() * SECTOR;
    let target = Target::beside(&options.target)?;
    make(&target, format, bytes, None)?;
    let mut written = written(&target.held.path, format)?;
    copy(source.as_mut(), written.as_mut(), &Progress::new(bytes, options.quiet)?)?;
    written.flush().with_context(|| format!("cannot write {}", options.target.display()))?;
    drop(written);
    target.keep()
}

/// The new image as a disk.
fn written(path: &Path, format: Format) -> Result<Box<dyn Disk>> {
    let chosen = Chosen { format: Some(format), ..Chosen::new(path) };
    Ok(open(&chosen, Access::Write)?.disk)
}

/// Copies a disk onto a new one, which is all zeros.
fn copy(from: &mut dyn Disk, to: &mut dyn Disk, progress: &Progress) -> Result<()> {
    let sectors = from.sectors();
    let mut chunk = vec![0; CHUNK];
    let mut lba = 0;
    while lba < sectors {
        let count = (sectors - lba).min((CHUNK / SECTOR_LEN) as u64);
        let bytes = &mut chunk[..usize::try_from(count * SECTOR)?];
        from.read(lba, bytes).with_context(|| format!("cannot read sector {lba} and those after it"))?;
        write_data(to, lba, bytes)
            .with_context(|| format!("cannot write sector {lba} and those after it"))?;
        lba += count;
        progress.at(lba * SECTOR)?;
    }
    Ok(())
}

fn write_data(to: &mut dyn Disk, lba: u64, bytes: &[u8]) -> Result<()> {
    let grains = (GRAIN / SECTOR_LEN) as u64;
    for (n, grain) in (0..).zip(bytes.chunks(GRAIN)) {
        if grain.iter().any(|byte| *byte != 0) {
            to.write(lba + n * grains, grain)?;
        }
    }
    Ok(())
}
