//! Shared mappings of files at addresses that allow for huge pages.
#![allow(unsafe_code)] // owns the mapping

use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MprotectFlags, MremapFlags, ProtFlags};
use rustix::mm::{madvise, mmap, mmap_anonymous, mprotect, mremap_fixed, munmap};
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
    /// Maps `len` bytes (not 0, whole pages) of a file, shared.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn shared(file: impl AsFd, len: usize, protection: ProtFlags) -> Result<Self, Errno> {
        let space = Self::reserve(len)?;
        // SAFETY: replaces what has just been reserved, and nothing else.
        unsafe { mmap(space.ptr.cast(), len, protection, MapFlags::SHARED | MapFlags::FIXED, file, 0)? };
        Ok(space.advised())
    }

    /// Maps `len` bytes (not 0, whole pages) of fresh memory, shared.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn anonymous(len: usize, protection: ProtFlags) -> Result<Self, Errno> {
        let space = Self::reserve(len)?;
        // SAFETY: as in `shared`.
        unsafe { mmap_anonymous(space.ptr.cast(), len, protection, MapFlags::SHARED | MapFlags::FIXED)? };
        Ok(space.advised())
    }

    /// The same pages once more.
    ///
    /// # Errors
    /// What `mremap` and `mprotect` say.
    pub fn again(&self, protection: ProtFlags) -> Result<Self, Errno> {
        let space = Self::reserve(self.len)?;
        // SAFETY: an old size of 0 makes a second mapping of shared pages and leaves the first alone (mremap(2)); it
        // replaces what has just been reserved.
        let second =
            unsafe { mremap_fixed(self.ptr.cast(), 0, self.len, MremapFlags::MAYMOVE, space.ptr.cast())? };
        let protection = MprotectFlags::from_bits_retain(protection.bits());
        // SAFETY: nobody has a pointer into the second mapping yet.
        unsafe { mprotect(second, self.len, protection)? };
        Ok(space.advised())
    }

    /// Addresses that nobody uses, aligned for huge pages.
    fn reserve(len: usize) -> Result<Self, Errno> {
        let room = len.checked_add(HUGE).ok_or(Errno::NOMEM)?;
        // SAFETY: a fresh mapping at an address of the system's choice touches nothing that exists.
        let all = unsafe { mmap_anonymous(null_mut(), room, ProtFlags::empty(), MapFlags::PRIVATE)? };
        let before = all.align_offset(HUGE).min(HUGE);
        let start = all.wrapping_byte_add(before);
        for (from, size) in [(all, before), (start.wrapping_byte_add(len), room - before - len)] {
            if size != 0 {
                // SAFETY: reserved above and used by nobody.
                let _ = unsafe { munmap(from, size) };
            }
        }
        Ok(Self { ptr: start.cast(), len })
    }

    /// Asks for huge pages: with nested paging a miss of the host's TLB costs as much as tens of guest instructions.
    fn advised(self) -> Self {
        // SAFETY: advice changes no contents. A host without huge pages refuses it, which does not matter.
        let _ = unsafe { madvise(self.ptr.cast(), self.len, Advice::LinuxHugepage) };
        self
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
