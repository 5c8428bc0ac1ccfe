//! `posada image create`.

use super::options::Create;
use super::target::Target;
use crate::image::qcow2::{self, Base};
use crate::image::{Access, Chosen, Format, Opened, SECTOR, folder, open};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

pub fn run(options: &Create) -> Result<()> {
    let format = new_format(options.format, &options.file)?;
    let base = options.backing.as_ref().map(|backing| base(backing, &options.file)).transpose()?;
    if base.is_some() && format != Format::Qcow2 {
        bail!("only qcow2 images can be based on another one");
    }
    let Some(bytes) = options.size.or(base.as_ref().map(|(_, bytes)| *bytes)) else {
        bail!("give the size of the disk, for example 20G");
    };
    let target = Target::beside(&options.file)?;
    let outside = base.as_ref().is_some_and(|(base, _)| Path::new(&base.name).is_absolute());
    make(&target, format, bytes, base.map(|(base, _)| base))?;
    target.keep()?;
    if outside {
        let name = options.file.display();
        writeln!(
            stdout(),
            "its base lies in another folder, which each use must allow: {name},backing=FOLDER"
        )?;
    }
    Ok(())
}

/// The format of a new image: the one that is said, or the one that its name ends in.
pub fn new_format(said: Option<Format>, name: &Path) -> Result<Format> {
    match said.or_else(|| Format::of_name(name)) {
        Some(format) if format.is_written() => Ok(format),
        Some(format) => bail!("{format} images are only read; make a raw or a qcow2 one"),
        None => bail!("say what {} is to be: --format raw or --format qcow2", name.display()),
    }
}

/// Makes an empty disk of a new file.
pub fn make(target: &Target, format: Format, bytes: u64, base: Option<Base>) -> Result<()> {
    match format {
        Format::Qcow2 => qcow2::create(&target.held, bytes, base)?,
        _ => target.held.file.set_len(bytes).context("cannot make a file of that size")?,
    }
    Ok(())
}

/// What a new image is based on, and how large that is. An image in the folder of the new one is named relative to it, so
/// that the two can be moved together.
fn base(backing: &Chosen, new: &Path) -> Result<(Base, u64)> {
    let Opened { disk, format, .. } = open(backing, Access::Read)?;
    if !format.is_written() {
        bail!("an image can only be based on raw and qcow2 ones; convert {} first", backing.path.display());
    }
    let real = fs::canonicalize(&backing.path)?;
    let home = fs::canonicalize(folder(new)).with_context(|| format!("cannot make {}", new.display()))?;
    let name = real.strip_prefix(&home).unwrap_or(&real);
    let name = name.to_str().context("the name of the image it is based on is not text")?.to_owned();
    Ok((Base { name, format }, disk.sectors() * SECTOR))
}
