//! The display adapter's linear frame buffer: a block of memory that appears where software puts its BAR.

use emu_core::memory::{BlockId, MemoryMap, Range, Target};

/// PCI memory ends here (82441FX, "System Address Map": the APIC configuration space follows).
const PCI_END: u64 = 0xFEC0_0000;

/// The block, and where it is mapped.
#[derive(Debug)]
pub(crate) struct FrameBuffer {
    block: BlockId,
    at: Option<u64>,
}

impl FrameBuffer {
    pub(crate) fn new(block: BlockId) -> Self {
        Self { block, at: None }
    }

    /// Moves the frame buffer. Where RAM or ROM or the interrupt controllers answer it does not appear.
    pub(crate) fn place(&mut self, memory: &MemoryMap, base: Option<u64>) {
        let len = memory.block(self.block).len();
        let map = |start, target| memory.map(Range { start, len, read: target, write: target });
        if let Some(old) = self.at.take() {
            map(old, Target::Bus);
        }
        if let Some(start) = base.filter(|start| is_free(memory, *start, len)) {
            map(start, Target::Block { block: self.block, offset: 0 });
            self.at = Some(start);
        }
    }
}

fn is_free(memory: &MemoryMap, start: u64, len: u64) -> bool {
    let Some(end) = start.checked_add(len).filter(|end| *end <= PCI_END) else { return false };
    let is_memory = |range: &Range| range.read != Target::Bus || range.write != Target::Bus;
    let overlaps = |range: &Range| range.start < end && start < range.start + range.len;
    !memory.ranges().iter().any(|range| is_memory(range) && overlaps(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_appears_where_nothing_else_is() {
        let mut memory = MemoryMap::new();
        let ram = memory.add_block("ram", 0x10_0000).expect("memory");
        let block = memory.add_block("video", 0x10_0000).expect("memory");
        let target = Target::Block { block: ram, offset: 0 };
        memory.map(Range { start: 0, len: 0x10_0000, read: target, write: target });
        memory.fill_block(block, 0, &[1]);
        let mut buffer = FrameBuffer::new(block);
        for (base, seen) in [
            (Some(0xE000_0000), Some(0xE000_0000)),
            (Some(0xF000_0000), Some(0xF000_0000)),
            (Some(0x8_0000), None),
            (Some(0xFEB0_0000), Some(0xFEB0_0000)),
            (Some(0xFEC0_0000), None),
            (Some(!0xF_FFFF), None),
            (None, None),
        ] {
            buffer.place(&memory, base);
            for at in [0xE000_0000, 0xF000_0000, 0xFEB0_0000] {
                let byte = if seen == Some(at) { 1 } else { 0xFF };
                assert_eq!(memory.read_array(at), [byte], "{at:x} with the BAR at {base:x?}");
            }
            assert_eq!(memory.read_array(0x8_0000), [0], "RAM stays");
        }
    }
}
