//! An image that a library reads as a stream of bytes, as a disk.
//!
//! The stream is read in chunks of which the last one is kept: a library may unpack a whole piece of the image for each
//! read, and guests read small pieces one after the other.

use super::{SECTOR, host, offset};
use machine::{Disk, DiskError};
use std::io::{self, Read, Seek, SeekFrom};

const CHUNK: u64 = 64 << 10;

pub struct Reading<R> {
    stream: R,
    sectors: u64,
    /// The chunk that was read last, and its number.
    chunk: Vec<u8>,
    number: Option<u64>,
    /// Held so that nobody writes to the image meanwhile.
    _lock: std::fs::File,
}

impl<R: Read + Seek> Reading<R> {
    pub fn new(stream: R, bytes: u64, lock: std::fs::File) -> Self {
        Self { stream, sectors: bytes / SECTOR, chunk: Vec::new(), number: None, _lock: lock }
    }

    /// The chunk of this number; the last one may be shorter.
    fn chunk(&mut self, number: u64) -> io::Result<&[u8]> {
        if self.number != Some(number) {
            self.number = None;
            let start = number * CHUNK;
            let len = CHUNK.min(self.sectors * SECTOR - start);
            self.chunk.resize(usize::try_from(len).unwrap_or(0), 0);
            self.stream.seek(SeekFrom::Start(start))?;
            self.stream.read_exact(&mut self.chunk)?;
            self.number = Some(number);
        }
        Ok(&self.chunk)
    }
}

impl<R: Read + Seek + Send> Disk for Reading<R> {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, lba: u64, mut into: &mut [u8]) -> Result<(), DiskError> {
        let mut at = offset(lba, into.len(), self.sectors)?;
        while !into.is_empty() {
            let chunk = self.chunk(at / CHUNK).map_err(host)?;
            let skip = usize::try_from(at % CHUNK).map_err(host)?;
            let (now, later) = into.split_at_mut(into.len().min(chunk.len() - skip));
            now.copy_from_slice(&chunk[skip..skip + now.len()]);
            at += now.len() as u64;
            into = later;
        }
        Ok(())
    }

    fn write(&mut self, _lba: u64, _from: &[u8]) -> Result<(), DiskError> {
        Err(DiskError::ReadOnly)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn is_read_only(&self) -> bool {
        true
    }
}
