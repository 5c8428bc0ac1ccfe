//! Guest-physical memory: RAM and ROM blocks, where they appear, and who must hear of writes to them.
//!
//! A *block* is one memfd-backed host mapping. The *map* says which block answers reads, and which takes writes,
//! for each range of guest-physical addresses; whatever no block answers belongs to the bus. A *frame* is one
//! 4 KiB page of a block, numbered over all blocks: the identity of memory independent of the address (or
//! addresses: shadowed ROM, A20) at which it is seen.

mod block;
mod map;
mod mapping;
mod tracker;

pub use block::{Block, MemoryError};
pub use map::{BlockId, MemoryMap, PageView, Range, Target};
pub use mapping::Mapping;
pub use tracker::{CODE, DIRTY};

/// Bytes in a page.
pub const PAGE_SIZE: u64 = 4096;
/// Low bits of an address that select a byte in its page.
pub const PAGE_MASK: u64 = PAGE_SIZE - 1;

/// One 4 KiB page of some block: the identity of memory, whatever its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame(pub u32);

/// A range of guest-physical addresses that is plain RAM for reads and writes: what an engine remembers of the map
/// until its generation changes.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub start: u64,
    /// Bytes; 0 for a window that holds nothing.
    pub len: u64,
    /// Where `start` is in this process. Valid as long as the [`MemoryMap`] lives.
    pub host: *mut u8,
    /// The frame of `start`.
    pub frame: Frame,
}

impl Window {
    /// A window that holds no address.
    pub const NONE: Self = Self { start: 0, len: 0, host: std::ptr::null_mut(), frame: Frame(0) };

    /// The page that holds `gpa`, if it lies in the window.
    #[inline(always)]
    pub fn page(&self, gpa: u64) -> Option<HostPage> {
        let offset = (gpa & !PAGE_MASK).wrapping_sub(self.start);
        (offset < self.len).then(|| HostPage {
            ptr: self.host.wrapping_add(offset as usize),
            frame: Frame(self.frame.0 + (offset / PAGE_SIZE) as u32),
        })
    }
}

/// One host page of guest memory.
#[derive(Clone, Copy, Debug)]
pub struct HostPage {
    /// Start of the page in this process. Valid as long as the [`MemoryMap`] lives.
    pub ptr: *mut u8,
    pub frame: Frame,
}
