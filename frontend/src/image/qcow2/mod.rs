//! qcow2 images, read and written by the crate `imago` ("qcow2", docs/interop/qcow2.txt of QEMU). What the crate does
//! not know (zstd, extended L2 entries, encryption, data files) is refused with a sentence.
//!
//! The crate keeps tables in memory and writes them when it must, when it is flushed, and when the disk is dropped. As
//! with the cache of a real disk, what a guest has not flushed may be lost when the program is killed, but the image
//! stays sound; so that little is lost, tables are also written out about once a second.

mod chain;
mod check;
mod create;
mod header;

pub use check::{Findings, check};
pub use create::{Base, create, resize};
pub use header::Header;

use super::{Access, Format, Held, ImageError, SECTOR, host, length, offset};
use imago::FormatAccess;
use imago::file::File as Storage;
use machine::{Disk, DiskError};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long tables stay in memory while a guest writes.
const WRITE_OUT: Duration = Duration::from_secs(1);

pub struct Qcow2Disk {
    access: FormatAccess<Storage>,
    name: String,
    sectors: u64,
    read_only: bool,
    cluster: u64,
    /// The same file, and the longest it has been.
    file: File,
    longest: u64,
    written_out: Instant,
}

/// Opens an image and those it is based on; these must lie in its folder, or in `backing`.
///
/// # Errors
/// One of them cannot be opened, or is not one that can be read.
pub fn open(
    held: Held,
    access: Access,
    backing: Option<&Path>,
) -> Result<(Qcow2Disk, Vec<PathBuf>), ImageError> {
    let (name, longest) = (held.name(), held.bytes);
    let file = held.file.try_clone().map_err(held.failed("open"))?;
    let header = Header::read(&held)?;
    if access == Access::Write {
        check::sound(&held, &header)?;
    }
    let (opened, layers) = chain::open(held, access, backing)?;
    let size = opened.size();
    if size == 0 || !size.is_multiple_of(SECTOR) {
        let why = format!("its disk is {size} bytes long");
        return Err(ImageError::Damaged { name, format: Format::Qcow2, why });
    }
    let (sectors, read_only, cluster) = (size / SECTOR, access == Access::Read, header.cluster());
    let written_out = Instant::now();
    Ok((Qcow2Disk { access: opened, name, sectors, read_only, cluster, file, longest, written_out }, layers))
}

impl Qcow2Disk {
    /// The crate takes what lies beyond the end of the file for zeros: right for an image that grows, wrong for one
    /// that somebody has cut.
    fn still_whole(&mut self) -> Result<(), DiskError> {
        let bytes = length(&self.file)?;
        if bytes < self.longest {
            return Err(host("the file of the image has become shorter"));
        }
        self.longest = bytes;
        Ok(())
    }

    fn write_out_sometimes(&mut self) -> Result<(), DiskError> {
        if self.written_out.elapsed() < WRITE_OUT {
            return Ok(());
        }
        self.written_out = Instant::now();
        self.access.flush().map_err(host)
    }
}

impl Disk for Qcow2Disk {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let offset = offset(lba, into.len(), self.sectors)?;
        self.still_whole()?;
        self.access.read(into, offset).map_err(host)
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        let offset = offset(lba, from.len(), self.sectors)?;
        if self.read_only {
            return Err(DiskError::ReadOnly);
        }
        self.still_whole()?;
        self.access.write(from, offset).map_err(host)?;
        self.write_out_sometimes()
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        if self.read_only {
            return Ok(());
        }
        self.still_whole()?;
        self.access.flush().map_err(host)?;
        self.written_out = Instant::now();
        self.file.sync_data().map_err(host)
    }

    /// Whole clusters only: parts of one would have to be written as zeros.
    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), DiskError> {
        let end = lba.checked_add(sectors).filter(|end| *end <= self.sectors);
        let Some(end) = end else { return Err(DiskError::OutOfRange { lba, sectors: self.sectors }) };
        if self.read_only {
            return Err(DiskError::ReadOnly);
        }
        self.still_whole()?;
        let start = (lba * SECTOR).next_multiple_of(self.cluster);
        let end = end * SECTOR / self.cluster * self.cluster;
        if start >= end {
            return Ok(());
        }
        match self.access.discard_to_zero(start, end - start) {
            // Discarding is a hint; version 2 has no way to say it.
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => Ok(()),
            result => result.map_err(host),
        }
    }

    fn is_read_only(&self) -> bool {
        self.read_only
    }
}

/// The tables must not be lost without a word when the disk goes.
impl Drop for Qcow2Disk {
    fn drop(&mut self) {
        if self.read_only {
            return;
        }
        if let Err(error) = self.access.flush() {
            eprintln!("posada: {}: the last changes could not be written: {error}", self.name);
        }
    }
}
