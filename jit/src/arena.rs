//! Memory for machine code: the same pages mapped twice, writable here and executable there. No mapping is both.
//!
//! The pages are shared anonymous memory, not a memfd: `perf` looks into its map file (`observe::PerfMap`) only for
//! samples in mappings that have no file (Linux, tools/perf/util/map.c, `is_anon_memory`).
#![allow(unsafe_code)] // owns the two mappings

use emu_core::memory::Mapping;
use rustix::io::Errno;
use rustix::mm::ProtFlags;
use std::collections::BTreeMap;

/// Functions start at multiples of this.
const ALIGN: usize = 64;

/// Where a piece of code lies in its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    offset: usize,
    len: usize,
}

/// A function in two parts, before it has an address.
pub struct Parts<'a> {
    pub code: &'a mut [u8],
    /// Where in `code` the part begins that runs rarely.
    pub cold: usize,
    /// Distances (32 bits) from one part to the other, which hold while the second is behind the first.
    pub crossing: &'a [usize],
    /// Distances to write, and where they lead.
    pub targets: &'a [(usize, *const u8)],
}

impl Parts<'_> {
    /// Writes distances for parts at these addresses; `None` if one is too far, which no arena is.
    fn relocate(&mut self, hot: i64, cold: i64) -> Option<()> {
        let apart = cold - (hot + self.cold as i64);
        for at in self.crossing {
            let field: &mut [u8; 4] = self.code.get_mut(*at..at + 4)?.try_into().ok()?;
            let by = if *at < self.cold { apart } else { -apart };
            *field = i32::try_from(i64::from(i32::from_le_bytes(*field)) + by).ok()?.to_le_bytes();
        }
        for (at, target) in self.targets {
            let base = if *at < self.cold { hot } else { cold - self.cold as i64 };
            let distance = (*target as i64) - (base + *at as i64 + 4);
            self.code.get_mut(*at..at + 4)?.copy_from_slice(&i32::try_from(distance).ok()?.to_le_bytes());
        }
        Some(())
    }
}

pub struct Arena {
    writable: Mapping,
    executable: Mapping,
    size: usize,
    /// Free ranges: offset and length; no two touch.
    free: BTreeMap<usize, usize>,
}

impl Arena {
    /// An arena of `size` bytes, a multiple of the page size. Pages that hold no code cost nothing.
    pub fn new(size: usize) -> Result<Self, Errno> {
        let writable = Mapping::anonymous(size, ProtFlags::READ | ProtFlags::WRITE)?;
        let executable = writable.again(ProtFlags::READ | ProtFlags::EXEC)?;
        Ok(Self { writable, executable, size, free: BTreeMap::from([(0, size)]) })
    }

    /// Copies a function in, in two pieces: what runs often close to its like, the rest elsewhere. `None` if there is no
    /// room.
    pub fn add_parts(&mut self, parts: &mut Parts<'_>) -> Option<(Piece, Piece)> {
        let hot = self.take(parts.cold)?;
        let Some(cold) = self.take_high(parts.code.len() - parts.cold) else {
            self.remove(hot);
            return None;
        };
        let (hot_at, cold_at) = (self.address(hot), self.address(cold));
        if parts.relocate(hot_at as i64, cold_at as i64).is_none() {
            self.remove(hot);
            self.remove(cold);
            return None;
        }
        let (first, second) = parts.code.split_at(parts.cold);
        self.copy(hot, first);
        self.copy(cold, second);
        Some((hot, cold))
    }

    /// Copies a function in that has no cold part; `None` if there is no room.
    pub fn add_whole(&mut self, parts: &mut Parts<'_>) -> Option<Piece> {
        let piece = self.take(parts.code.len())?;
        let at = self.address(piece) as i64;
        if parts.relocate(at, at).is_none() {
            self.remove(piece);
            return None;
        }
        self.copy(piece, parts.code);
        Some(piece)
    }

    /// Copies code in; `None` if there is no room.
    pub fn add(&mut self, code: &[u8]) -> Option<Piece> {
        let piece = self.take(code.len())?;
        self.copy(piece, code);
        Some(piece)
    }

    /// The lowest range with room for so many bytes.
    fn take(&mut self, bytes: usize) -> Option<Piece> {
        let len = bytes.max(1).next_multiple_of(ALIGN);
        let (&offset, &room) = self.free.iter().find(|(_, room)| **room >= len)?;
        self.free.remove(&offset);
        if room > len {
            self.free.insert(offset + len, room - len);
        }
        Some(Piece { offset, len })
    }

    /// The highest range with room for so many bytes.
    fn take_high(&mut self, bytes: usize) -> Option<Piece> {
        let len = bytes.max(1).next_multiple_of(ALIGN);
        let (&offset, &room) = self.free.iter().rev().find(|(_, room)| **room >= len)?;
        self.free.remove(&offset);
        if room > len {
            self.free.insert(offset, room - len);
        }
        Some(Piece { offset: offset + room - len, len })
    }

    fn copy(&mut self, Piece { offset, len }: Piece, code: &[u8]) {
        assert!(code.len() <= len, "the piece was taken for this code");
        // SAFETY: the range was free, so it lies inside the mapping and no code is run from it.
        unsafe {
            std::ptr::copy_nonoverlapping(code.as_ptr(), self.writable.as_ptr().add(offset), code.len())
        };
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
        self.executable.as_ptr().cast_const().wrapping_add(piece.offset)
    }

    /// Where the code can be changed.
    pub fn writable(&self, piece: Piece) -> *mut u8 {
        self.writable.as_ptr().wrapping_add(piece.offset)
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.size - self.free.values().sum::<usize>()
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
