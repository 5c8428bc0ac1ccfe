//! One memfd-backed mapping of guest memory.
#![allow(unsafe_code)] // raw access to the mapping it owns, each block argued

use super::mapping::Mapping;
use super::{Frame, HostPage, PAGE_SIZE};
use rustix::mm::ProtFlags;
use std::fs::File;
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
