//! Shared mappings of files at addresses that allow for huge pages.
#![allow(unsafe_code)] // owns the mapping

use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::ptr::null_mut;

/// Huge pages of the hosts there are: 2 MiB.
const HUGE: usize = 2 << 20;

/// A mapping, gone with this value.
#[derive(Debug)]
pub struct Mapping {
    ptr: *mut u8,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone, which itself gives out an address and nothing else.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes (not 0) of a file, shared, and asks for huge pages: with nested paging a miss of the host's TLB
    /// costs as much as tens of guest instructions.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn shared(file: impl AsFd, len: usize, protection: ProtFlags) -> Result<Self, Errno> {
        let room = len.checked_add(HUGE).ok_or(Errno::NOMEM)?;
        // SAFETY: a fresh mapping at an address of the system's choice touches nothing that exists.
        let reserved = unsafe { mmap_anonymous(null_mut(), room, ProtFlags::empty(), MapFlags::PRIVATE)? };
        let before = reserved.align_offset(HUGE).min(HUGE);
        let start = reserved.wrapping_byte_add(before);
        // SAFETY: replaces a part of what has just been reserved, and nothing else.
        let mapped = unsafe { mmap(start, len, protection, MapFlags::SHARED | MapFlags::FIXED, file, 0) };
        let after = start.wrapping_byte_add(len.next_multiple_of(4096));
        let rest = room - before - len.next_multiple_of(4096);
        for (from, size) in [(reserved, before), (after, rest)] {
            if size != 0 {
                // SAFETY: reserved above and used by nobody.
                let _ = unsafe { munmap(from, size) };
            }
        }
        if let Err(error) = mapped {
            // SAFETY: as above.
            let _ = unsafe { munmap(start, len) };
            return Err(error);
        }
        // SAFETY: advice changes no contents. A host without huge pages refuses it, which does not matter.
        let _ = unsafe { madvise(start, len, Advice::LinuxHugepage) };
        Ok(Self { ptr: start.cast(), len })
    }

    /// The first byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.ptr
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by this value; whoever used the address is gone by the owner's word.
        let _ = unsafe { munmap(self.ptr.cast(), self.len) };
    }
}
