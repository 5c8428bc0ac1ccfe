//! The jump cache: short cuts from linear addresses to decoded blocks and to the code of regions.
//!
//! A cuckoo hash: an address has two slots, and what is in the way of a new one moves to its own other slot. So a guest
//! that uses code all over its kernel keeps thousands of addresses; in sets of two entries some hundred would drive each
//! other out, time and again (ADR 0013).

use super::op::OpRef;

/// Entries.
pub const JUMPS: usize = 1 << 13;
/// Addresses at one offset of a page have slots that are equal in their low bits: see [`JumpCache::to`].
const LANES: usize = 16;
/// The two slots of an address always differ in this, and in [`TURN_MASK`] by [`TURN_SHIFT`].
pub const TURN: usize = JUMPS >> 1;
pub const TURN_MASK: usize = (TURN - 1) & !(LANES - 1);
/// The bits of the address by which they differ are so much further to the left than in the number of the slot: those that
/// kept most of a kernel's addresses apart (ADR 0013).
pub const TURN_SHIFT: u32 = 12;
/// Entries that make room for a new one, at most; the last of them is forgotten.
const MOVES: usize = 8;

/// A short cut from a linear address to a block. Compiled code looks here too.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Jump {
    pub linear: u64,
    pub generation: u64,
    pub op: OpRef,
    /// The code of the region that begins there, or of the routine that leaves for the interpreter: null before the first
    /// region.
    pub code: *const u8,
}

impl Jump {
    const NONE: Self = Self { linear: 0, generation: u64::MAX, op: OpRef::NONE, code: std::ptr::null() };
}

/// Compiled code finds the entries by a pointer at the start.
#[repr(transparent)]
pub struct JumpCache(Box<[Jump; JUMPS]>);

impl Default for JumpCache {
    fn default() -> Self {
        Self(Box::new([Jump::NONE; JUMPS]))
    }
}

/// Compiled code computes this too. Without the higher bits in the lower ones, functions, which begin at multiples of 16,
/// would have a sixteenth of the slots to themselves.
fn first_slot(linear: u64) -> usize {
    (linear ^ linear >> 8) as usize & (JUMPS - 1)
}

/// The other of the two slots of an address.
fn other_slot(linear: u64, slot: usize) -> usize {
    slot ^ TURN ^ ((linear >> TURN_SHIFT) as usize & TURN_MASK)
}

impl JumpCache {
    #[inline(always)]
    pub fn find(&self, linear: u64, generation: u64) -> Option<&Jump> {
        let first = first_slot(linear);
        let known = |slot: usize| {
            let jump = &self.0[slot];
            (jump.linear == linear && jump.generation == generation).then_some(jump)
        };
        known(first).or_else(|| known(other_slot(linear, first)))
    }

    /// Adds what was not found; it is there until the next one is added, at least: the run loop counts on finding the block
    /// that it has just come to. `is_live` says of a generation whether entries of it may still be looked for.
    pub fn add(&mut self, new: Jump, is_live: impl Fn(u64) -> bool) {
        let first = first_slot(new.linear);
        let (mut homeless, mut slot) = (new, first);
        for _ in 0..MOVES {
            homeless = std::mem::replace(&mut self.0[slot], homeless);
            slot = other_slot(homeless.linear, slot);
            if slot == first || !is_live(homeless.generation) {
                return;
            }
        }
    }

    /// The short cuts to the block that begins with `entry`. What comes into the low bits of its slots is of the offset in
    /// the page, whatever the page.
    pub fn to(&mut self, entry: OpRef) -> impl Iterator<Item = &mut Jump> {
        let lane = first_slot(entry.get().off.into()) & (LANES - 1);
        self.0.iter_mut().skip(lane).step_by(LANES).filter(move |jump| jump.op == entry)
    }

    pub fn forget(&mut self, entry: OpRef) {
        self.to(entry).for_each(|jump| *jump = Jump::NONE);
    }

    /// The code of all entries.
    pub fn set_code(&mut self, code: *const u8) {
        self.0.iter_mut().for_each(|jump| jump.code = code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::op::Op;

    fn jump(linear: u64, generation: u64) -> Jump {
        Jump { linear, generation, ..Jump::NONE }
    }

    /// Addresses as a kernel's functions have them.
    fn addresses() -> impl Iterator<Item = u64> {
        let mut state = 1_u64;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            0xFFFF_FFFF_8100_0000 + (state >> 44 << 4)
        })
    }

    #[test]
    fn a_third_of_the_slots_can_be_used_without_a_loss() {
        let mut cache = JumpCache::default();
        let addresses: std::collections::BTreeSet<u64> = addresses().take(JUMPS / 3).collect();
        addresses.iter().for_each(|linear| cache.add(jump(*linear, 1), |generation| generation == 1));
        let lost = addresses.iter().filter(|linear| cache.find(**linear, 1).is_none()).count();
        assert!(lost <= addresses.len() / 100, "{lost} of {}", addresses.len());
    }

    #[test]
    fn what_was_added_last_is_there() {
        let mut cache = JumpCache::default();
        let crowded = (0..64).map(|n| n << 24).cycle();
        for linear in addresses().take(4 * JUMPS).chain(crowded.take(4 * MOVES * 64)) {
            if cache.find(linear, 1).is_none() {
                cache.add(jump(linear, 1), |_| true);
            }
            assert!(cache.find(linear, 1).is_some(), "{linear:#x}");
        }
    }

    #[test]
    fn what_is_stale_makes_room() {
        let mut cache = JumpCache::default();
        for generation in 0..20 {
            for linear in addresses().take(JUMPS / 4) {
                cache.add(jump(linear, generation), |other| other == generation);
            }
        }
        let known = addresses().take(JUMPS / 4).filter(|linear| cache.find(*linear, 19).is_some()).count();
        assert!(known >= JUMPS / 4 * 99 / 100, "{known} of {}", JUMPS / 4);
    }

    #[test]
    fn all_ways_to_a_block_are_found_wherever_they_went() {
        const PAGES: u64 = 128;
        let mut ops = [Op::new(|_, at| at), Op::new(|_, at| at)];
        (ops[0].off, ops[1].off) = (0x7F3, 0x123);
        let [entry, other] = [OpRef::new(&ops[0]), OpRef::new(&ops[1])];
        let mut cache = JumpCache::default();
        for page in 0..PAGES {
            for (off, op) in [(0x7F3, entry), (0x123, other)] {
                cache.add(Jump { op, ..jump(page << 12 | off, 1) }, |generation| generation == 1);
            }
        }
        assert_eq!(cache.to(entry).count(), PAGES as usize);
        cache.forget(entry);
        assert!(!cache.0.iter().any(|jump| jump.op == entry));
        assert!(cache.0.iter().any(|jump| jump.op == other));
    }
}
