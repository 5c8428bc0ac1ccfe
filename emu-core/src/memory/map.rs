//! The guest-physical memory map: which block answers where.

use super::{Block, Frame, HostPage, MemoryError, PAGE_MASK, PAGE_SIZE, Window, tracker::Tracker};
use parking_lot::RwLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Names a block of one [`MemoryMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockId(pub u8);

/// Who answers an access to a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A block, from this byte offset on.
    Block { block: BlockId, offset: u64 },
    /// The bus: a device, or nobody.
    Bus,
}

impl Target {
    fn advance(self, by: u64) -> Self {
        match self {
            Self::Block { block, offset } => Self::Block { block, offset: offset + by },
            Self::Bus => Self::Bus,
        }
    }
}

/// A range of guest-physical addresses with one answer for reads and one for writes. Page aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub start: u64,
    pub len: u64,
    pub read: Target,
    pub write: Target,
}

impl Range {
    fn end(&self) -> u64 {
        self.start + self.len
    }

    /// The part of this range inside `[start, end)`, if any.
    fn clip(&self, start: u64, end: u64) -> Option<Self> {
        let (from, to) = (self.start.max(start), self.end().min(end));
        let by = from.wrapping_sub(self.start);
        (from < to).then(|| Self {
            start: from,
            len: to - from,
            read: self.read.advance(by),
            write: self.write.advance(by),
        })
    }
}

/// How one guest-physical page answers; `None` means the bus.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageView {
    pub read: Option<HostPage>,
    pub write: Option<HostPage>,
}

/// All guest memory of a machine.
#[derive(Debug, Default)]
pub struct MemoryMap {
    blocks: Vec<Block>,
    tracker: Tracker,
    ranges: RwLock<Vec<Range>>,
    generation: AtomicU64,
}

impl MemoryMap {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a zero-filled block of `bytes` (a multiple of 4096). It appears nowhere until it is mapped.
    ///
    /// # Errors
    /// The size is 0 or not a multiple of the page size, or the host cannot give the memory.
    pub fn add_block(&mut self, name: &str, bytes: u64) -> Result<BlockId, MemoryError> {
        let first = self.blocks.last().map_or(0, |b| b.first_frame() + (b.len() / PAGE_SIZE) as u32);
        let block = Block::new(name, bytes, first)?;
        self.tracker.grow(first as usize + (block.len() / PAGE_SIZE) as usize);
        self.blocks.push(block);
        Ok(BlockId((self.blocks.len() - 1) as u8))
    }

    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }

    /// Maps a page-aligned range, over whatever was there. Engines see a new [`Self::generation`].
    pub fn map(&self, range: Range) {
        assert!((range.start | range.len) & PAGE_MASK == 0, "ranges are page aligned");
        let mut ranges = self.ranges.write();
        let (start, end) = (range.start, range.end());
        let mut next: Vec<Range> = ranges
            .iter()
            .flat_map(|old| [old.clip(0, start), old.clip(end, u64::MAX)])
            .flatten()
            .filter(|r| r.len > 0)
            .collect();
        next.push(range);
        next.sort_by_key(|r| r.start);
        *ranges = next;
        self.generation.fetch_add(1, Relaxed);
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> Vec<Range> {
        self.ranges.read().clone()
    }

    /// Changes whenever the map does: an engine that remembers translations forgets them then.
    pub fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    fn range_at(&self, gpa: u64) -> Option<Range> {
        let ranges = self.ranges.read();
        let after = ranges.partition_point(|r| r.start <= gpa);
        let range = ranges.get(after.checked_sub(1)?)?;
        (gpa < range.end()).then_some(*range)
    }

    fn host_page(&self, target: Target, by: u64) -> Option<HostPage> {
        match target.advance(by) {
            Target::Block { block, offset } => Some(self.block(block).page(offset)),
            Target::Bus => None,
        }
    }

    /// How the page that holds `gpa` answers.
    pub fn page(&self, gpa: u64) -> PageView {
        let page = gpa & !PAGE_MASK;
        self.range_at(page).map_or_else(PageView::default, |range| {
            let by = page - range.start;
            PageView { read: self.host_page(range.read, by), write: self.host_page(range.write, by) }
        })
    }

    /// The whole range around `gpa`, if it is plain RAM.
    pub fn window(&self, gpa: u64) -> Option<Window> {
        let range = self.range_at(gpa & !PAGE_MASK).filter(|range| range.read == range.write)?;
        let page = self.host_page(range.read, 0)?;
        Some(Window { start: range.start, len: range.len, host: page.ptr, frame: page.frame })
    }

    /// Calls `part(block, offset in block, offset in buffer, length)` for each page-bounded piece that a block answers.
    fn pieces(
        &self,
        gpa: u64,
        len: usize,
        write: bool,
        mut part: impl FnMut(Option<(&Block, u64)>, usize, usize),
    ) {
        let mut done = 0usize;
        while done < len {
            let at = gpa.wrapping_add(done as u64);
            let size = ((PAGE_SIZE - (at & PAGE_MASK)) as usize).min(len - done);
            let target =
                self.range_at(at).map(|r| if write { r.write } else { r.read }.advance(at - r.start));
            match target {
                Some(Target::Block { block, offset }) => part(Some((self.block(block), offset)), done, size),
                _ => part(None, done, size),
            }
            done += size;
        }
    }

    /// Reads guest-physical memory. What is not memory reads as ones.
    pub fn read(&self, gpa: u64, into: &mut [u8]) {
        let len = into.len();
        self.pieces(gpa, len, false, |block, done, size| match block {
            Some((block, offset)) => block.read(offset, &mut into[done..done + size]),
            None => into[done..done + size].fill(0xFF),
        });
    }

    /// Writes guest-physical memory and tells the trackers. What is not writable memory swallows the bytes.
    pub fn write(&self, gpa: u64, from: &[u8]) {
        self.pieces(gpa, from.len(), true, |block, done, size| {
            if let Some((block, offset)) = block {
                block.write(offset, &from[done..done + size]);
                self.tracker.written(block.page(offset).frame);
            }
        });
    }

    /// Fills a block directly, mapped or not (ROM images, restored RAM), and tells the trackers.
    /// The range must lie inside the block.
    pub fn fill_block(&self, id: BlockId, offset: u64, from: &[u8]) {
        let block = self.block(id);
        block.write(offset, from);
        for page in (offset & !PAGE_MASK..offset + from.len() as u64).step_by(PAGE_SIZE as usize) {
            self.tracker.written(block.page(page).frame);
        }
    }

    /// Reads a little-endian integer of `N` bytes; see [`Self::read`].
    pub fn read_array<const N: usize>(&self, gpa: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.read(gpa, &mut bytes);
        bytes
    }

    /// The block that holds a frame, and the frame's offset in it.
    fn frame_block(&self, frame: Frame) -> (&Block, u64) {
        let after = self.blocks.partition_point(|b| b.first_frame() <= frame.0);
        let block = &self.blocks[after - 1];
        (block, u64::from(frame.0 - block.first_frame()) * PAGE_SIZE)
    }

    /// Where a frame lives in this process.
    pub fn frame_address(&self, frame: Frame) -> u64 {
        let (block, offset) = self.frame_block(frame);
        block.page(offset).ptr as u64
    }

    /// Copies bytes out of a frame; `offset` and the length stay inside the page.
    pub fn read_frame(&self, frame: Frame, offset: u64, into: &mut [u8]) {
        let (block, start) = self.frame_block(frame);
        block.read(start + offset, into);
    }

    pub fn flags(&self, frame: Frame) -> u8 {
        self.tracker.flags(frame)
    }

    pub fn set_flags(&self, frame: Frame, flags: u8) {
        self.tracker.set(frame, flags);
    }

    pub fn clear_flags(&self, frame: Frame, flags: u8) {
        self.tracker.clear(frame, flags);
    }

    /// Whether somebody other than the engine (DMA, a loader) wrote a frame flagged [`super::CODE`].
    pub fn any_code_written(&self) -> bool {
        self.tracker.any_code_written()
    }

    pub fn take_code_written(&self) -> Vec<Frame> {
        self.tracker.take_code_written()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map_with(bytes: u64) -> (MemoryMap, BlockId) {
        let mut map = MemoryMap::new();
        let block = map.add_block("test", bytes).expect("memory");
        (map, block)
    }

    #[test]
    fn later_mapping_wins_and_splits() {
        let (map, block) = map_with(0x10000);
        let ram = |offset| Target::Block { block, offset };
        map.map(Range { start: 0, len: 0x10000, read: ram(0), write: ram(0) });
        map.map(Range { start: 0x4000, len: 0x2000, read: Target::Bus, write: ram(0x4000) });
        map.write(0x3FFE, &[1, 2, 3, 4]);
        let mut back = [0; 4];
        map.read(0x3FFE, &mut back);
        assert_eq!(back, [1, 2, 0xFF, 0xFF]);
        map.map(Range { start: 0x4000, len: 0x2000, read: ram(0x4000), write: ram(0x4000) });
        map.read(0x3FFE, &mut back);
        assert_eq!(back, [1, 2, 3, 4]);
        assert_eq!(map.ranges().len(), 3);
    }

    #[test]
    fn dma_into_code_is_reported_once_taken() {
        let (map, block) = map_with(0x2000);
        let ram = Target::Block { block, offset: 0 };
        map.map(Range { start: 0, len: 0x2000, read: ram, write: ram });
        let frame = map.page(0x1000).read.expect("ram").frame;
        map.write(0x1000, &[1]);
        assert!(!map.any_code_written());
        map.set_flags(frame, super::super::CODE);
        map.write(0x1FFF, &[1]);
        assert_eq!(map.take_code_written(), [frame]);
        assert!(!map.any_code_written());
    }

    #[test]
    fn the_end_of_the_address_space_is_not_memory() {
        let (map, _) = map_with(0x1000);
        let mut byte = [0];
        map.read(u64::MAX, &mut byte);
        assert_eq!(byte, [0xFF]);
    }
}
