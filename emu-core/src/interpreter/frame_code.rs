//! What was made from the bytes of a frame, and which of those bytes the guest patches.
//!
//! A store into code drops all that was made from its frame: mostly the page is being filled with something else. But
//! some programs write the same operands of the same instructions over and over (GRUB and iPXE before each call of the
//! BIOS, DOS programs in their loops). Bytes that are overwritten once more are *patched*: from then on a store to them
//! drops only what they are part of, and blocks end before and after an instruction with such bytes, so that little is.

use super::cache::Key;
use super::decoded::DecodedBytes;

/// Blocks made from a frame above which it is dropped as a whole, patched or not: looking through them would take longer.
const MANY: usize = 256;
/// Times that a frame is dropped as a whole until its patched bytes are forgotten: other code may be there by then.
const REUSES: u8 = 32;

/// Bytes of a page.
#[derive(Clone, Copy)]
struct Run {
    offset: u16,
    size: u16,
}

impl Run {
    /// What is beyond the page does not count.
    fn new(offset: u64, size: u64) -> Self {
        Self { offset: offset.min(4096) as u16, size: size.min(4096) as u16 }
    }

    fn meets(self, other: Self) -> bool {
        self.offset < other.offset + other.size && other.offset < self.offset + self.size
    }
}

/// The blocks and regions that bytes of a frame are part of.
#[derive(Default)]
pub struct FrameCode {
    bytes: DecodedBytes,
    blocks: Vec<(Key, Run)>,
    regions: Vec<(u32, Run)>,
}

impl FrameCode {
    pub fn add_block(&mut self, key: Key, offset: u64, size: u64) {
        self.bytes.add(offset, size);
        self.blocks.push((key, Run::new(offset, size)));
    }

    pub fn add_region(&mut self, slot: u32, offset: u64, size: u64) {
        self.bytes.add(offset, size);
        self.regions.push((slot, Run::new(offset, size)));
    }

    /// Its bytes stay known as decoded, as those of blocks that are removed.
    pub fn remove_region(&mut self, slot: u32) {
        self.regions.retain(|(other, _)| *other != slot);
    }

    /// Whether one of these bytes was decoded.
    pub fn touches(&self, offset: u64, size: u64) -> bool {
        self.bytes.touches(offset, size)
    }

    pub fn has_many_blocks(&self) -> bool {
        self.blocks.len() > MANY
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.regions.is_empty()
    }

    /// Each block once, or more often.
    pub fn blocks(&self) -> impl Iterator<Item = Key> {
        self.blocks.iter().map(|(key, _)| *key)
    }

    /// Each region once, or more often.
    pub fn regions(&self) -> impl Iterator<Item = u32> {
        self.regions.iter().map(|(slot, _)| *slot)
    }

    /// The blocks that these bytes are part of.
    pub fn blocks_at(&self, offset: u64, size: u64) -> Vec<Key> {
        let at = Run::new(offset, size);
        self.blocks.iter().filter(|(_, run)| run.meets(at)).map(|(key, _)| *key).collect()
    }

    /// The regions that these bytes are part of.
    pub fn regions_at(&self, offset: u64, size: u64) -> Vec<u32> {
        let at = Run::new(offset, size);
        self.regions.iter().filter(|(_, run)| run.meets(at)).map(|(slot, _)| *slot).collect()
    }

    /// Takes blocks out of the lists. Their bytes stay known as decoded: mostly they will be again. If there is none, stores
    /// have been looked at in vain, and what is decoded is found out anew.
    pub fn remove_blocks(&mut self, keys: &[Key]) {
        if keys.is_empty() {
            self.bytes = DecodedBytes::default();
            let regions = self.regions.iter().map(|(_, run)| run);
            for run in self.blocks.iter().map(|(_, run)| run).chain(regions) {
                self.bytes.add(u64::from(run.offset), u64::from(run.size));
            }
        }
        self.blocks.retain(|(key, _)| !keys.contains(key));
    }
}

/// Which bytes of a frame a guest patches.
#[derive(Default)]
pub struct Patches {
    /// Code was overwritten there.
    once: DecodedBytes,
    /// And again.
    again: DecodedBytes,
    reuses: u8,
}

impl Patches {
    /// Code was overwritten there. Whether it had been before.
    pub fn note(&mut self, offset: u64, size: u64) -> bool {
        if self.once.touches(offset, size) {
            self.again.add(offset, size);
            return true;
        }
        self.reuses += 1;
        if self.reuses == REUSES {
            *self = Self::default();
        }
        self.once.add(offset, size);
        false
    }

    /// Whether one of these bytes is patched.
    pub fn touches(&self, offset: u64, size: u64) -> bool {
        self.again.touches(offset, size)
    }

    /// How many of these bytes come before the first one that is patched.
    pub fn before(&self, offset: u64, size: u64) -> u64 {
        if !self.touches(offset, size) {
            return size;
        }
        (0..size).find(|n| self.again.touches(offset + n, 1)).unwrap_or(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_patched_from_the_second_time_on() {
        let mut patches = Patches::default();
        assert!(!patches.note(100, 4));
        assert_eq!(patches.before(0, 4096), 4096);
        assert!(patches.note(102, 1));
        assert_eq!(patches.before(0, 4096), 102);
        assert_eq!(patches.before(102, 10), 0);
        assert_eq!(patches.before(103, 10), 10);
        assert!(patches.touches(90, 13) && !patches.touches(90, 12));
    }

    #[test]
    fn a_frame_with_other_code_is_learned_anew() {
        let mut patches = Patches::default();
        patches.note(0, 1);
        patches.note(0, 1);
        for n in 1..=u64::from(REUSES) {
            assert!(!patches.note(16 * n, 1));
        }
        assert!(!patches.touches(0, 4096));
    }

    #[test]
    fn what_is_left_stays_known() {
        let mut code = FrameCode::default();
        code.add_block(1, 0, 10);
        code.add_block(2, 8, 10);
        code.add_region(7, 30, 10);
        assert_eq!(code.blocks_at(9, 1), [1, 2]);
        assert!(code.regions_at(9, 1).is_empty());
        assert_eq!(code.regions_at(39, 4), [7]);
        code.remove_blocks(&[1]);
        assert!(code.touches(0, 1), "not yet forgotten");
        code.remove_blocks(&[]);
        assert!(!code.touches(0, 8) && code.touches(8, 1) && code.touches(39, 1));
        code.remove_region(7);
        code.remove_blocks(&[2]);
        code.remove_blocks(&[]);
        assert!(code.is_empty() && !code.touches(0, 4096));
    }
}
