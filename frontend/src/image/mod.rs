//! Disk images in files of the host: what stands behind `--disk`, `--floppy` and `posada image`.
//!
//! Raw and qcow2 images are read and written; VMDK, VDI, VHD and VHDX are only read. An image is untrusted input: no
//! content of one may end the program, make it allocate without bound, or open a file that the user did not name or
//! that does not lie in the folder of the image. What format an image has is said by the user or by its content, see
//! [`probe`].

mod blocks;
mod chosen;
pub mod command;
mod error;
mod format;
mod held;
mod overlay;
mod probe;
mod qcow2;
mod raw;
mod reading;
#[cfg(test)]
mod samples;
mod spill;
#[cfg(test)]
mod tests;
mod vdi;
mod vhd;
mod vhdx;
mod vmdk;

pub use chosen::Chosen;
pub use error::ImageError;
pub use format::Format;
pub use overlay::{Image, Overlay};

use held::Held;
use machine::{Disk, DiskError};
use probe::Content;
use rustix::fs::{AtFlags, StatxFlags, statx};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// The same, for lengths in memory.
const SECTOR_LEN: usize = 512;

/// What will be done with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// An image that has been opened.
pub struct Opened {
    pub disk: Box<dyn Disk>,
    pub format: Format,
    /// The image, then those it is based on.
    pub layers: Vec<PathBuf>,
}

/// Opens the image that a command line names.
///
/// # Errors
/// It cannot be opened, is in use, is damaged, or it is not certain that it may be written to.
pub fn open(chosen: &Chosen, access: Access) -> Result<Opened, ImageError> {
    let access = if chosen.read_only { Access::Read } else { access };
    let held = Held::open(&chosen.path, access)?;
    let format = match chosen.format {
        Some(format) => format,
        None => settled(&held, access)?,
    };
    if access == Access::Write && !format.is_written() {
        return Err(ImageError::OnlyRead { name: held.name(), format });
    }
    let guarded = chosen.format.is_none();
    let layers = vec![held.path.clone()];
    let disk: Box<dyn Disk> = match format {
        Format::Raw => Box::new(raw::RawDisk::new(held, access, guarded)?),
        Format::Qcow2 => {
            let (disk, layers) = qcow2::open(held, access, chosen.backing.as_deref())?;
            return Ok(Opened { disk: Box::new(disk), format, layers });
        }
        Format::Vmdk => vmdk::open(held)?,
        Format::Vdi => Box::new(vdi::open(held)?),
        Format::Vhd => Box::new(vhd::open(held)?),
        Format::Vhdx => vhdx::open(held)?,
    };
    Ok(Opened { disk, format, layers })
}

/// The format of an image that nobody has said, if its content settles it.
fn settled(held: &Held, access: Access) -> Result<Format, ImageError> {
    match probe::content(&held.file, held.bytes).map_err(held.failed("read"))? {
        Content::Is(format) => Ok(format),
        Content::Foreign(what) => Err(ImageError::Foreign { name: held.name(), what }),
        Content::Unknown if access == Access::Read => Ok(Format::Raw),
        Content::Unknown => Err(ImageError::Unrecognised { name: held.name() }),
    }
}

/// Where a run of sectors lies in bytes, if it is on the disk.
fn offset(lba: u64, len: usize, sectors: u64) -> Result<u64, DiskError> {
    let count = (len as u64).div_ceil(SECTOR);
    match lba.checked_add(count) {
        Some(end) if end <= sectors => Ok(lba * SECTOR),
        _ => Err(DiskError::OutOfRange { lba, sectors }),
    }
}

/// The length of a file in bytes, while it is written to. Only the length is asked for: once somebody has asked for its
/// times, Linux (from 6.13, "multigrain timestamps") gives the next write a time of its own, and then a flush may have to
/// write the inode each time (100 us more on ext4 without a journal).
fn length(file: &File) -> Result<u64, DiskError> {
    let about = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::SIZE).map_err(host)?;
    Ok(about.stx_size)
}

fn host(error: impl std::fmt::Display) -> DiskError {
    DiskError::Host(error.to_string())
}

/// The folder a file lies in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
