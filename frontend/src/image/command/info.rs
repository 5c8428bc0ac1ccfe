//! `posada image info`.

use super::options::Info;
use crate::image::qcow2::Header;
use crate::image::{Access, Chosen, Format, Held, Opened, SECTOR, open};
use crate::quantity::shown_size;
use anyhow::{Context, Result};
use std::fs;
use std::io::{Write, stdout};
use std::os::unix::fs::MetadataExt;

/// What the host counts the room of a file in (stat, st_blocks).
const BLOCK: u64 = 512;

pub fn run(options: &Info) -> Result<()> {
    let Chosen { path, .. } = &options.file;
    let Opened { disk, format, layers } = open(&options.file, Access::Read)?;
    let about = fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
    let bytes = disk.sectors() * SECTOR;
    let mut out = stdout().lock();
    writeln!(out, "image:   {}", path.display())?;
    writeln!(out, "format:  {format}{}", if format.is_written() { "" } else { " (only read)" })?;
    writeln!(out, "disk:    {} ({bytes} bytes)", shown_size(bytes))?;
    writeln!(out, "on host: {}", shown_size(about.blocks() * BLOCK))?;
    if format == Format::Qcow2 {
        let Header { version, snapshots, cluster_bits, .. } = Header::read(&Held::open(path, Access::Read)?)?;
        writeln!(out, "qcow2:   version {version}, clusters of {}", shown_size(1 << cluster_bits))?;
        if snapshots != 0 {
            writeln!(out, "         {snapshots} internal snapshots, which are kept as they are")?;
        }
    }
    for below in layers.iter().skip(1) {
        writeln!(out, "based on {}", below.display())?;
    }
    Ok(())
}
