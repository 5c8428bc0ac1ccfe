//! One memfd-backed mapping of guest memory.
#![allow(unsafe_code)] // raw access to the mapping it owns, each block argued

use super::mapping::Mapping;
use super::{Frame, HostPage, PAGE_SIZE};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use rustix::mm::ProtFlags;
use std::fs::File;
use std::ops::Range;
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{FileOffset, MmapRegion};

/// Why guest memory could not be had.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("cannot create {bytes} bytes of guest memory: {reason}")]
    Create { bytes: u64, reason: String },
    #[error("guest memory must be a whole number of 4 KiB pages, not {0} bytes")]
    Unaligned(u64),
}

/// A block of RAM or ROM, zero-filled at birth.
#[derive(Debug)]
pub struct Block {
    region: MmapRegion,
    _mapping: Mapping,
    first_frame: u32,
}

impl Block {
    /// Maps `bytes` (a multiple of 4096, not 0) of a fresh memfd.
    pub(super) fn new(name: &str, bytes: u64, first_frame: u32) -> Result<Self, MemoryError> {
        if bytes == 0 || !bytes.is_multiple_of(PAGE_SIZE) {
            return Err(MemoryError::Unaligned(bytes));
        }
        let fail = |reason: String| MemoryError::Create { bytes, reason };
        let fd = rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)
            .map_err(|e| fail(e.to_string()))?;
        let file = File::from(fd);
        file.set_len(bytes).map_err(|e| fail(e.to_string()))?;
        let size = usize::try_from(bytes).map_err(|e| fail(e.to_string()))?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let mapping = Mapping::shared(&file, size, protection).map_err(|e| fail(e.to_string()))?;
        let builder = MmapRegionBuilder::new(size).with_file_offset(FileOffset::new(file, 0));
        // SAFETY: the mapping has this size, and lives as long as the region: both are fields of the block.
        let region = unsafe { builder.with_raw_mmap_pointer(mapping.as_ptr()) }
            .build()
            .map_err(|e| fail(e.to_string()))?;
        Ok(Self { region, _mapping: mapping, first_frame })
    }

    /// Size in bytes.
    pub fn len(&self) -> u64 {
        self.region.size() as u64
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    pub(super) fn first_frame(&self) -> u32 {
        self.first_frame
    }

    /// The page that holds `offset`; `offset` is inside the block.
    pub(super) fn page(&self, offset: u64) -> HostPage {
        assert!(offset < self.len(), "offset inside the block");
        let start = offset & !(PAGE_SIZE - 1);
        // SAFETY: `start` is inside the mapping, which lives as long as `self`.
        let ptr = unsafe { self.region.as_ptr().add(start as usize) };
        HostPage { ptr, frame: Frame(self.first_frame + (start / PAGE_SIZE) as u32) }
    }

    /// The next range of whole pages from `offset` on that anybody has ever touched; the rest reads as zero. Looking
    /// there instead of reading takes no memory of the host.
    pub fn touched_from(&self, offset: u64) -> Option<Range<u64>> {
        let end = self.len();
        let Some(file) = self.region.file_offset().map(FileOffset::file).filter(|_| offset < end) else {
            return (offset < end).then_some(offset..end);
        };
        // lseek(2): ENXIO is "no data from here on"; where the question is not understood, all may be data.
        let start = match seek(file, SeekFrom::Data(offset)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return None,
            Err(_) => return Some(offset..end),
        };
        let stop = seek(file, SeekFrom::Hole(start)).unwrap_or(end).min(end);
        let whole = start & !(PAGE_SIZE - 1)..stop.next_multiple_of(PAGE_SIZE);
        (whole.start < end).then_some(whole)
    }

    /// Numbers of all pages that anybody has ever touched, ascending.
    pub fn touched_pages(&self) -> impl Iterator<Item = u64> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let range = self.touched_from(at)?;
            at = range.end;
            Some(range.start / PAGE_SIZE..range.end / PAGE_SIZE)
        })
        .flatten()
    }

    /// Copies out; the range must lie inside the block.
    pub fn read(&self, offset: u64, into: &mut [u8]) {
        assert!(
            offset.checked_add(into.len() as u64).is_some_and(|end| end <= self.len()),
            "inside the block"
        );
        // SAFETY: the range was checked above. Guest memory may change under us (other vCPUs): plain bytes, and
        // nobody holds a Rust reference into the mapping.
        unsafe {
            std::ptr::copy_nonoverlapping(
                self.region.as_ptr().add(offset as usize),
                into.as_mut_ptr(),
                into.len(),
            );
        }
    }

    /// Copies in without telling any tracker; the range must lie inside the block.
    pub(super) fn write(&self, offset: u64, from: &[u8]) {
        assert!(
            offset.checked_add(from.len() as u64).is_some_and(|end| end <= self.len()),
            "inside the block"
        );
        // SAFETY: as in `read`.
        unsafe {
            std::ptr::copy_nonoverlapping(
                from.as_ptr(),
                self.region.as_ptr().add(offset as usize),
                from.len(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_touched_is_not_listed() {
        let block = Block::new("test", 1 << 20, 0).expect("memory");
        assert_eq!(block.touched_pages().count(), 0);
        block.write(5 * PAGE_SIZE + 7, &[1]);
        block.write(200 * PAGE_SIZE, &[1; 2 * PAGE_SIZE as usize]);
        block.write((1 << 20) - 1, &[1]);
        assert_eq!(block.touched_pages().collect::<Vec<_>>(), [5, 200, 201, 255]);
        assert_eq!(block.touched_from(1 << 20), None);
    }
}
