//! Decoded blocks by physical location, and the short cuts from linear addresses to them.
//!
//! Blocks are keyed by frame, so they survive every change of translation. What depends on translations (the jump
//! cache, links across pages, the code TLB) carries a generation: `epoch` x 256 + decoding mode. A new epoch makes
//! all of it stale at once.

use super::cpu::Mode;
use super::frame_code::{FrameCode, Patches};
use super::jumps::{Jump, JumpCache};
use super::op::{Op, OpRef};
use super::regions::{NO_REGION, Regions};
use super::tier::Retired;
use crate::Frame;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Ops in the cache before it is emptied: 4 Mi ops of 64 bytes.
const MAX_OPS: usize = 4 << 20;
const CODE_TLB: usize = 256;
/// Frames whose patched bytes are known, until all are forgotten.
const PATCHED_FRAMES: usize = 1 << 10;

/// A multiplicative hash for keys that are already well-spread integers.
#[derive(Default)]
pub struct IntHasher(u64);

impl Hasher for IntHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}

type IntMap<K, V> = HashMap<K, V, BuildHasherDefault<IntHasher>>;

/// Where a block starts: frame, offset, decoding mode.
pub type Key = u64;

pub fn key(frame: Frame, offset: u64, mode: u8) -> Key {
    u64::from(frame.0) << 20 | offset << 8 | u64::from(mode)
}

/// The frame of a block, from its key.
pub fn frame_of_key(key: Key) -> Frame {
    Frame((key >> 20) as u32)
}

/// A run of decoded instructions, ending in an op with `ends`.
pub struct Block {
    pub ops: Box<[Op]>,
    /// The frame of the second page, for the one instruction that crosses into it.
    pub second: Option<Frame>,
}

impl Block {
    pub fn entry(&self) -> OpRef {
        OpRef::new(&self.ops[0])
    }

    /// Notes in the block which frame it begins in, for [`frame_of`].
    pub fn sign(&mut self, frame: Frame) {
        if let Some(terminator) = self.ops.last_mut() {
            terminator.disp = u64::from(frame.0);
        }
    }
}

/// The frame that the block of an op begins in.
pub fn frame_of(op: OpRef) -> Frame {
    let mut at = op;
    while at.get().len != 0 {
        at = at.next();
    }
    Frame(at.get().disp as u32)
}

/// A code page as fetched: linear page, frame and host address of its bytes.
#[derive(Clone, Copy)]
pub struct CodePage {
    pub linear: u64,
    pub generation: u64,
    pub frame: Frame,
    pub host: u64,
}

/// What went with overwritten code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwritten {
    /// All of its frame: nothing in it is code now.
    Frame,
    /// Some blocks, to which links from other pages may lead: a new epoch is due.
    Linked,
    /// Some blocks, to which nothing leads any more.
    Blocks,
}

pub struct CodeCache {
    blocks: IntMap<Key, Block>,
    frames: IntMap<u32, FrameCode>,
    patches: IntMap<u32, Patches>,
    pub(super) jumps: JumpCache,
    code_tlb: Box<[CodePage; CODE_TLB]>,
    /// Dropped blocks that a link may still point into, until the run loop buries them.
    graveyard: Vec<Block>,
    modes: Vec<(Mode, bool)>,
    /// Counts up; what is remembered of linear addresses holds for one epoch.
    last_epoch: u64,
    /// Of supervisor code; and of user code, by address space.
    supervisor_epoch: u64,
    user_epochs: Vec<u64>,
    space: usize,
    /// Supervisor code was fetched from a page that is not global.
    pub(super) local_code: bool,
    ops: usize,
    /// The tier has no room for more code.
    pub(super) overflows: bool,
    pub(super) regions: Regions,
    /// Counts how often everything was dropped: keys of one era mean nothing in another.
    pub(super) era: u64,
}

impl Default for CodeCache {
    fn default() -> Self {
        Self {
            blocks: IntMap::default(),
            frames: IntMap::default(),
            patches: IntMap::default(),
            jumps: JumpCache::default(),
            code_tlb: Box::new(
                [CodePage { linear: 0, generation: u64::MAX, frame: Frame(0), host: 0 }; CODE_TLB],
            ),
            graveyard: Vec::new(),
            modes: Vec::new(),
            last_epoch: 1,
            supervisor_epoch: 1,
            user_epochs: vec![1],
            space: 0,
            local_code: false,
            ops: 0,
            overflows: false,
            regions: Regions::default(),
            era: 0,
        }
    }
}

impl CodeCache {
    /// The number of a decoding mode at one privilege, small enough for keys and generations.
    fn mode_number(&mut self, mode: Mode, user: bool) -> u64 {
        if let Some(n) = self.modes.iter().position(|m| *m == (mode, user)) {
            return n as u64;
        }
        if self.modes.len() == 256 {
            self.clear();
            self.modes.clear();
        }
        self.modes.push((mode, user));
        (self.modes.len() - 1) as u64
    }

    pub fn generation_for(&mut self, mode: Mode, user: bool) -> u64 {
        let number = self.mode_number(mode, user);
        let epoch = if user { self.user_epochs[self.space] } else { self.supervisor_epoch };
        epoch << 8 | number
    }

    /// Nothing that was remembered of linear addresses holds any more.
    pub fn new_epoch(&mut self) {
        self.last_epoch += 1;
        self.supervisor_epoch = self.last_epoch;
        self.local_code = false;
        // Each its own: what is remembered under one must not be found under another, which may be switched to without
        // a new epoch.
        for epoch in &mut self.user_epochs {
            self.last_epoch += 1;
            *epoch = self.last_epoch;
        }
    }

    /// Another address space is current, see [`super::tlb::Tlb::switch`]. Supervisor code that was fetched from global
    /// pages only stays known.
    pub fn switch(&mut self, space: usize, kept: bool) {
        self.last_epoch += 1;
        if self.user_epochs.len() <= space {
            self.user_epochs.resize(space + 1, self.last_epoch);
        }
        if !kept {
            self.user_epochs[space] = self.last_epoch;
        }
        if std::mem::take(&mut self.local_code) {
            self.supervisor_epoch = self.last_epoch;
        }
        self.space = space;
    }

    /// What was remembered of an address space's user code does not hold any more.
    pub fn forget_space(&mut self, space: usize) {
        self.last_epoch += 1;
        if let Some(epoch) = self.user_epochs.get_mut(space) {
            *epoch = self.last_epoch;
        }
    }

    #[inline(always)]
    pub fn jump(&self, linear: u64, generation: u64) -> OpRef {
        self.jumps.find(linear, generation).map_or(OpRef::NONE, |jump| jump.op)
    }

    /// The code of the region at an address, if there is one.
    pub(super) fn jump_code(&self, linear: u64, generation: u64) -> Option<*const u8> {
        let code = self.jumps.find(linear, generation)?.code;
        (code != self.regions.nowhere).then_some(code)
    }

    /// Notes what [`Self::jump`] has not found.
    pub fn remember_jump(&mut self, linear: u64, generation: u64, op: OpRef) {
        let jump = Jump { linear, generation, op, code: self.regions.code_at(op) };
        let (supervisor, users) = (self.supervisor_epoch, &self.user_epochs);
        self.jumps.add(jump, |generation| {
            let epoch = generation >> 8;
            epoch == supervisor || users.contains(&epoch)
        });
    }

    pub fn code_page(&self, linear_page: u64, generation: u64) -> Option<CodePage> {
        let page = self.code_tlb[(linear_page >> 12) as usize & (CODE_TLB - 1)];
        (page.linear == linear_page && page.generation == generation).then_some(page)
    }

    pub fn remember_code_page(&mut self, page: CodePage) {
        self.code_tlb[(page.linear >> 12) as usize & (CODE_TLB - 1)] = page;
    }

    pub fn block(&self, key: Key) -> Option<&Block> {
        self.blocks.get(&key)
    }

    /// Adds a block; `spans` are the bytes it was decoded from, as (frame, offset, size). If there was another one, a new
    /// epoch is due.
    pub fn insert(&mut self, key: Key, block: Block, spans: &[(Frame, u64, u64)]) -> OpRef {
        let region = self.blocks.get(&key).map(|old| old.entry().get().region.get());
        if let Some(region) = region.filter(|region| *region != NO_REGION) {
            self.drop_region(region, Retired::Stale);
        }
        self.ops += block.ops.len();
        for (frame, offset, size) in spans {
            self.frames.entry(frame.0).or_default().add_block(key, *offset, *size);
        }
        let entry = block.entry();
        if let Some(old) = self.blocks.insert(key, block) {
            self.graveyard.push(old);
        }
        entry
    }

    pub fn is_full(&self) -> bool {
        self.overflows || self.ops > MAX_OPS
    }

    /// Whether one of `size` bytes at `offset` of a frame was decoded.
    pub fn holds_code(&self, frame: Frame, offset: u64, size: u64) -> bool {
        self.frames.get(&frame.0).is_some_and(|code| code.touches(offset, size))
    }

    /// Drops all blocks that were decoded from a frame.
    pub fn drop_frame(&mut self, frame: Frame) {
        let code = self.frames.remove(&frame.0).unwrap_or_default();
        for slot in code.regions() {
            self.drop_region(slot, Retired::Stale);
        }
        for key in code.blocks() {
            self.drop_block(key);
        }
        self.new_epoch();
    }

    /// A block that nothing leads to any more, or will not before it is buried.
    fn drop_block(&mut self, key: Key) {
        if let Some(block) = self.blocks.remove(&key) {
            self.ops -= block.ops.len();
            self.graveyard.push(block);
        }
    }

    /// Bytes that were decoded have changed.
    pub fn overwrite(&mut self, frame: Frame, offset: u64, size: u64) -> Overwritten {
        if self.patches.len() == PATCHED_FRAMES && !self.patches.contains_key(&frame.0) {
            self.patches.clear();
        }
        let known = self.patches.entry(frame.0).or_default().note(offset, size);
        let Some(code) = self.frames.get(&frame.0).filter(|code| known && !code.has_many_blocks()) else {
            self.drop_frame(frame);
            return Overwritten::Frame;
        };
        let (keys, slots) = (code.blocks_at(offset, size), code.regions_at(offset, size));
        for slot in slots {
            self.drop_region(slot, Retired::Stale);
        }
        let reached = self.unlink(frame, &keys);
        for key in &keys {
            self.drop_block(*key);
        }
        if self.frames.get(&frame.0).is_none_or(FrameCode::is_empty) {
            self.drop_frame(frame);
            return Overwritten::Frame;
        }
        if reached { Overwritten::Linked } else { Overwritten::Blocks }
    }

    /// Takes blocks out of all lists but that of blocks, and the ways to them out of the jump cache and out of the links
    /// inside the page, which know no generation. Whether other pages may have links to them.
    fn unlink(&mut self, frame: Frame, keys: &[Key]) -> bool {
        let blocks = keys.iter().filter_map(|key| self.blocks.get(key).map(|block| (*key, block)));
        let dropped: Vec<_> = blocks.map(|(key, block)| (key, block.entry(), block.second)).collect();
        for (key, entry, second) in &dropped {
            self.drop_region(entry.get().region.get(), Retired::Stale);
            self.jumps.forget(*entry);
            let start = frame_of_key(*key);
            for other in second.iter().chain([&start]).filter(|other| **other != frame) {
                if let Some(code) = self.frames.get_mut(&other.0) {
                    code.remove_blocks(keys);
                }
            }
        }
        if let Some(code) = self.frames.get_mut(&frame.0) {
            code.remove_blocks(keys);
        }
        let linked: Vec<_> =
            dropped.iter().map(|(_, entry, _)| *entry).filter(|entry| !entry.get().patched).collect();
        if !linked.is_empty() {
            self.forget_links(frame, &linked);
        }
        linked.iter().any(|entry| entry.get().reached.get())
    }

    /// Takes the links to these blocks out of all others of the frame.
    fn forget_links(&self, frame: Frame, entries: &[OpRef]) {
        let left = self.frames.get(&frame.0).into_iter().flat_map(FrameCode::blocks);
        let ops = left.filter_map(|key| self.blocks.get(&key)).flat_map(|block| &block.ops);
        for op in ops.filter(|op| entries.contains(&op.link.get())) {
            op.link.set(OpRef::NONE);
            op.link_generation.set(0);
        }
    }

    /// How many of `size` bytes at `offset` of a frame come before the first one that the guest patches.
    pub fn unpatched(&self, frame: Frame, offset: u64, size: u64) -> u64 {
        self.patches.get(&frame.0).map_or(size, |patches| patches.before(offset, size))
    }

    /// Notes that a region was made from `size` bytes at `offset` of a frame.
    pub(super) fn cover(&mut self, frame: Frame, offset: u64, size: u64, region: u32) {
        self.frames.entry(frame.0).or_default().add_region(region, offset, size);
    }

    /// The interpreter runs where a region began.
    pub(super) fn drop_region(&mut self, slot: u32, why: Retired) {
        let Some((key, original, frames)) = self.regions.remove(slot, why) else { return };
        if let Some(block) = self.blocks.get(&key) {
            let op = &block.ops[0];
            if op.region.replace(NO_REGION) == slot {
                op.handler.set(original);
            }
            let entry = block.entry();
            self.region_changed(entry);
        }
        for frame in frames {
            if let Some(code) = self.frames.get_mut(&frame.0) {
                code.remove_region(slot);
            }
        }
    }

    /// A region begins at this op now, or no longer does.
    pub(super) fn region_changed(&mut self, entry: OpRef) {
        let code = self.regions.code_at(entry);
        self.jumps.to(entry).for_each(|jump| jump.code = code);
    }

    /// Where compiled code goes from addresses without a region. No region of another tier is left.
    pub(super) fn set_nowhere(&mut self, routine: *const u8) {
        if self.regions.nowhere != routine {
            self.regions.nowhere = routine;
            self.jumps.set_code(routine);
        }
    }

    /// Drops everything; the frames that held code.
    pub fn clear(&mut self) -> Vec<Frame> {
        let regions: Vec<u32> = self.frames.values().flat_map(FrameCode::regions).collect();
        for slot in regions {
            self.drop_region(slot, Retired::Stale);
        }
        self.era += 1;
        self.graveyard.extend(self.blocks.drain().map(|(_, block)| block));
        self.ops = 0;
        self.overflows = false;
        self.new_epoch();
        self.frames.drain().map(|(frame, _)| Frame(frame)).collect()
    }

    /// Frees dropped blocks. Only while no op is running and no link is pending.
    pub fn bury(&mut self) {
        self.graveyard.clear();
    }

    pub fn has_graves(&self) -> bool {
        !self.graveyard.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_generation(cache: &mut CodeCache, space: usize) -> u64 {
        cache.switch(space, true);
        let mode = crate::interpreter::Cpu::new().mode;
        cache.generation_for(mode, true)
    }

    #[test]
    fn address_spaces_never_share_a_generation() {
        let mut cache = CodeCache::default();
        (0..4).for_each(|space| cache.switch(space, false));
        for _ in 0..3 {
            let generations: Vec<u64> = (0..4).map(|space| user_generation(&mut cache, space)).collect();
            let distinct: std::collections::BTreeSet<_> = generations.iter().collect();
            assert_eq!(distinct.len(), 4, "{generations:?}");
            assert_eq!(user_generation(&mut cache, 2), generations[2], "what is kept stays known");
            cache.new_epoch();
            assert!(!generations.contains(&user_generation(&mut cache, 2)), "and is stale after that");
        }
    }
}
