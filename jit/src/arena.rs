//! Memory for machine code: the same pages mapped twice, writable here and executable there. No mapping is both.
//!
//! The pages are shared anonymous memory, not a memfd: `perf` looks into its map file (`observe::PerfMap`) only for
//! samples in mappings that have no file (Linux, tools/perf/util/map.c, `is_anon_memory`).
#![allow(unsafe_code)] // owns the two mappings

use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, MremapFlags, ProtFlags, mmap_anonymous, mprotect, mremap, munmap};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::null_mut;

/// Functions start at multiples of this.
const ALIGN: usize = 64;

/// Where a piece of code lies in its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    offset: usize,
    len: usize,
}

pub struct Arena {
    writable: *mut u8,
    executable: *const u8,
    size: usize,
    /// Free ranges: offset and length; no two touch.
    free: BTreeMap<usize, usize>,
}

// SAFETY: the mappings belong to this value alone, and it is changed only through `&mut`.
unsafe impl Send for Arena {}

impl Arena {
    /// An arena of `size` bytes, a multiple of the page size. Pages that hold no code cost nothing.
    pub fn new(size: usize) -> Result<Self, Errno> {
        // SAFETY: a fresh mapping at an address of the system's choice touches nothing that exists.
        let writable = unsafe {
            mmap_anonymous(null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)
        }?;
        let executable = Self::again(writable, size).inspect_err(|_| {
            // SAFETY: the mapping was made above and nobody has a pointer into it.
            let _ = unsafe { munmap(writable, size) };
        })?;
        Ok(Self {
            writable: writable.cast(),
            executable: executable.cast(),
            size,
            free: BTreeMap::from([(0, size)]),
        })
    }

    /// The pages of a shared mapping once more, executable.
    fn again(mapping: *mut c_void, size: usize) -> Result<*mut c_void, Errno> {
        // SAFETY: an old size of 0 makes a second mapping of the same pages and leaves the first alone (mremap(2)).
        let second = unsafe { mremap(mapping, 0, size, MremapFlags::MAYMOVE) }?;
        // SAFETY: nobody has a pointer into the second mapping yet.
        match unsafe { mprotect(second, size, MprotectFlags::READ | MprotectFlags::EXEC) } {
            Ok(()) => Ok(second),
            Err(error) => {
                // SAFETY: as above.
                let _ = unsafe { munmap(second, size) };
                Err(error)
            }
        }
    }

    /// Copies code in, after writing into it the distances from some of its places to addresses in this arena; `None` if
    /// there is no room.
    pub fn add_relocated(&mut self, code: &mut [u8], to: &[(usize, *const u8)]) -> Option<Piece> {
        let len = code.len().max(1).next_multiple_of(ALIGN);
        let (&offset, _) = self.free.iter().find(|(_, room)| **room >= len)?;
        for (at, target) in to {
            let place = self.executable.wrapping_add(offset + at + 4);
            let distance = (*target as i64).wrapping_sub(place as i64);
            code.get_mut(*at..at + 4)?.copy_from_slice(&i32::try_from(distance).ok()?.to_le_bytes());
        }
        self.add(code)
    }

    /// Copies code in; `None` if there is no room.
    pub fn add(&mut self, code: &[u8]) -> Option<Piece> {
        let len = code.len().max(1).next_multiple_of(ALIGN);
        let (&offset, &room) = self.free.iter().find(|(_, room)| **room >= len)?;
        self.free.remove(&offset);
        if room > len {
            self.free.insert(offset + len, room - len);
        }
        // SAFETY: the range was free, so it lies inside the mapping and no code is run from it.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), self.writable.add(offset), code.len()) };
        Some(Piece { offset, len })
    }

    /// Takes code out. Nobody may run it any more.
    pub fn remove(&mut self, piece: Piece) {
        let Piece { mut offset, mut len } = piece;
        if let Some((&before, &room)) = self.free.range(..offset).next_back()
            && before + room == offset
        {
            self.free.remove(&before);
            (offset, len) = (before, room + len);
        }
        if let Some(room) = self.free.remove(&(offset + len)) {
            len += room;
        }
        self.free.insert(offset, len);
    }

    /// Where the code is to be run.
    pub fn address(&self, piece: Piece) -> *const u8 {
        self.executable.wrapping_add(piece.offset)
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.size - self.free.values().sum::<usize>()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for at in [self.writable, self.executable.cast_mut()] {
            // SAFETY: mapped in `new` with this size; whoever owned this arena runs no code of it any more.
            let _ = unsafe { munmap(at.cast(), self.size) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let mut arena = Arena::new(4096).expect("memory");
        let pieces: Vec<Piece> = (0..4096 / ALIGN).map(|_| arena.add(&[0xC3]).expect("room")).collect();
        assert_eq!(arena.add(&[0xC3]), None);
        assert_eq!(arena.used(), 4096);
        for piece in pieces.iter().step_by(2).chain(pieces.iter().skip(1).step_by(2)) {
            arena.remove(*piece);
        }
        assert_eq!(arena.free, BTreeMap::from([(0, 4096)]));
        assert!(arena.add(&[0x90; 4096]).is_some());
    }
}
