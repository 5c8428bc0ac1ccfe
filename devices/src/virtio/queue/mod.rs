//! The split virtqueue, the device's side: VIRTIO 2.7.
//!
//! Ring and descriptors lie in guest memory, so nothing in them is believed: what cannot be is [`Broken`]. Addresses
//! that are not memory read as ones and swallow writes, which no ring survives.

mod chain;
mod segments;
#[cfg(test)]
mod tests;

pub(crate) use chain::Chain;
pub(crate) use segments::{Outside, Segment, Segments};

use emu_core::MemoryMap;
use serde::{Deserialize, Serialize};

/// The most descriptors the ring can have, and the most that one chain can have.
pub(crate) const SIZE_MAX: u16 = 256;

/// The driver does what no driver may: the device must be reset (VIRTIO 2.1.2, DEVICE_NEEDS_RESET).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// The parts of a queue. VIRTIO 2.7, "Split Virtqueues".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Areas {
    pub(crate) descriptors: u64,
    pub(crate) driver: u64,
    pub(crate) device: u64,
}

impl Areas {
    const NONE: Self = Self { descriptors: 0, driver: 0, device: 0 };

    /// VIRTIO 2.7.2, "Legacy Interfaces: A Note on Virtqueue Layout".
    fn legacy(page: u32, size: u16) -> Self {
        let size = u64::from(size);
        let descriptors = u64::from(page) << 12;
        let driver = descriptors + 16 * size;
        Self { descriptors, driver, device: (driver + 6 + 2 * size).next_multiple_of(4096) }
    }
}

/// The features that change how a queue works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    pub(crate) indirect: bool,
    pub(crate) event_idx: bool,
}

/// One virtqueue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Queue {
    /// A power of two, at most [`SIZE_MAX`].
    pub(crate) size: u16,
    pub(crate) enabled: bool,
    pub(crate) areas: Areas,
    pub(crate) rules: Rules,
    /// The next entry of the available ring to take, and of the used ring to fill. Both run freely.
    next_available: u16,
    next_used: u16,
    /// `next_used` when the driver's wish for a notification was looked at last.
    signalled: u16,
}

/// VIRTIO 2.7.6 and 2.7.8: flags, index, entries, and then an event index.
const INDEX: u64 = 2;
const ENTRIES: u64 = 4;
/// VIRTQ_AVAIL_F_NO_INTERRUPT.
const NO_INTERRUPT: u16 = 1;

impl Queue {
    pub(crate) const RESET: Self = Self {
        size: SIZE_MAX,
        enabled: false,
        areas: Areas::NONE,
        rules: Rules { indirect: false, event_idx: false },
        next_available: 0,
        next_used: 0,
        signalled: 0,
    };

    /// The driver chooses a size. One that no queue can have changes nothing.
    pub(crate) fn set_size(&mut self, size: u16) {
        if size.is_power_of_two() && size <= SIZE_MAX {
            self.size = size;
        }
    }

    /// The legacy Queue Address register; 0 stops the queue.
    pub(crate) fn set_legacy_page(&mut self, page: u32) {
        *self = Self { rules: self.rules, ..Self::RESET };
        if page != 0 {
            self.areas = Areas::legacy(page, self.size);
            self.enabled = true;
        }
    }

    pub(crate) fn legacy_page(&self) -> u32 {
        crate::bits::low32(self.areas.descriptors >> 12)
    }

    /// Whether every field has a value that driver and device can have given it.
    pub(crate) fn is_possible(&self) -> bool {
        self.size.is_power_of_two() && self.size <= SIZE_MAX
    }

    fn slot(&self, index: u16) -> u64 {
        u64::from(index & (self.size - 1))
    }

    fn word(memory: &MemoryMap, at: u64) -> u16 {
        u16::from_le_bytes(memory.read_array(at))
    }

    /// Takes the next chain that the driver made available.
    pub(crate) fn pop(&mut self, memory: &MemoryMap) -> Result<Option<Chain>, Broken> {
        let driver = self.areas.driver;
        let index = Self::word(memory, driver.wrapping_add(INDEX));
        let waiting = index.wrapping_sub(self.next_available);
        if waiting > self.size {
            return Err(Broken);
        }
        if waiting == 0 {
            self.ask_for_notification(memory);
            return Ok(None);
        }
        let at = driver.wrapping_add(ENTRIES + 2 * self.slot(self.next_available));
        let chain = Chain::walk(self, Self::word(memory, at), memory)?;
        self.next_available = self.next_available.wrapping_add(1);
        Ok(Some(chain))
    }

    /// VIRTIO 2.7.10: `avail_event` says at which entry the driver shall notify next.
    fn ask_for_notification(&self, memory: &MemoryMap) {
        if self.rules.event_idx {
            let at = self.areas.device.wrapping_add(ENTRIES + 8 * u64::from(self.size));
            memory.write(at, &self.next_available.to_le_bytes());
        }
    }

    /// Gives a chain back with the count of bytes written to it: the entry first, then the index.
    pub(crate) fn push(&mut self, head: u16, written: u32, memory: &MemoryMap) {
        let device = self.areas.device;
        let entry = u64::from(head) | u64::from(written) << 32;
        memory.write(device.wrapping_add(ENTRIES + 8 * self.slot(self.next_used)), &entry.to_le_bytes());
        self.next_used = self.next_used.wrapping_add(1);
        memory.write(device.wrapping_add(INDEX), &self.next_used.to_le_bytes());
    }

    /// Whether the driver wants to hear of what was given back since this was asked last. VIRTIO 2.7.7.
    pub(crate) fn takes_notification(&mut self, memory: &MemoryMap) -> bool {
        let old = std::mem::replace(&mut self.signalled, self.next_used);
        let new = self.next_used;
        if old == new {
            return false;
        }
        let driver = self.areas.driver;
        if self.rules.event_idx {
            let event = Self::word(memory, driver.wrapping_add(ENTRIES + 2 * u64::from(self.size)));
            new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
        } else {
            Self::word(memory, driver) & NO_INTERRUPT == 0
        }
    }
}
