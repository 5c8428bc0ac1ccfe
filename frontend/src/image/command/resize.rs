//! `posada image resize`.

use super::options::Resize;
use super::size::NewSize;
use crate::image::{Access, Format, Held, Opened, SECTOR, open, qcow2};
use crate::quantity::shown_size;
use anyhow::{Context, Result, bail};
use std::io::{Write, stdout};

pub fn run(options: &Resize) -> Result<()> {
    let chosen = &options.file;
    // Opened as a guest would open it: an image that a guest may not write to is not changed here either.
    let Opened { disk, format, .. } = open(chosen, Access::Write)?;
    let old = disk.sectors() * SECTOR;
    drop(disk);
    let new = match options.size {
        NewSize::Is(bytes) => bytes,
        NewSize::Grows(bytes) => old.checked_add(bytes).context("no disk is that large")?,
    };
    if new < old && !options.shrink {
        bail!(
            "the disk is {} large; to make it smaller, and lose what lies beyond its new end, say --shrink",
            shown_size(old)
        );
    }
    let held = Held::open(&chosen.path, Access::Write)?;
    match format {
        Format::Qcow2 => qcow2::resize(held, new, chosen.backing.as_deref())?,
        _ => held.file.set_len(new).and_then(|()| held.file.sync_all()).context("cannot resize the image")?,
    }
    let name = chosen.path.display();
    writeln!(stdout(), "{name}: {} before, {} now", shown_size(old), shown_size(new))?;
    Ok(())
}
