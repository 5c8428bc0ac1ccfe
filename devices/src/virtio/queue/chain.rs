//! Descriptor chains: VIRTIO 2.7.5, "The Virtqueue Descriptor Table", and 2.7.5.3, "Indirect Descriptors".

use super::{Broken, Queue, SIZE_MAX, Segment, Segments};
use bitfield_struct::bitfield;
use emu_core::MemoryMap;

/// Bytes in a descriptor.
const DESCRIPTOR: u32 = 16;

#[bitfield(u16)]
struct Flags {
    next: bool,
    write: bool,
    indirect: bool,
    #[bits(13)]
    __: u16,
}

struct Descriptor {
    address: u64,
    len: u32,
    flags: Flags,
    next: u16,
}

/// Where descriptors are looked up.
#[derive(Clone, Copy)]
struct Table {
    address: u64,
    entries: u16,
    is_indirect: bool,
}

impl Table {
    fn descriptor(&self, index: u16, memory: &MemoryMap) -> Result<Descriptor, Broken> {
        if index >= self.entries {
            return Err(Broken);
        }
        let at = self.address.wrapping_add(u64::from(index) * u64::from(DESCRIPTOR));
        let bits = u128::from_le_bytes(memory.read_array(at));
        let [b0, b1, b2, b3, b4, b5, b6, b7, l0, l1, l2, l3, f0, f1, n0, n1] = bits.to_le_bytes();
        Ok(Descriptor {
            address: u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]),
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            flags: Flags::from_bits(u16::from_le_bytes([f0, f1])),
            next: u16::from_le_bytes([n0, n1]),
        })
    }

    /// The table that an indirect descriptor names. It ends its chain, and there is none inside another.
    fn indirect(&self, by: &Descriptor, queue: &Queue) -> Result<Self, Broken> {
        let entries = u16::try_from(by.len / DESCRIPTOR).map_err(|_| Broken)?;
        let possible = queue.rules.indirect
            && !self.is_indirect
            && !by.flags.next()
            && by.len.is_multiple_of(DESCRIPTOR)
            && (1..=SIZE_MAX).contains(&entries);
        if possible { Ok(Self { address: by.address, entries, is_indirect: true }) } else { Err(Broken) }
    }
}

/// What the driver put into one entry of the available ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) head: u16,
    /// What the device reads, and after that what it writes.
    pub(crate) readable: Segments,
    pub(crate) writable: Segments,
}

impl Chain {
    /// Follows the chain, once: the driver may change it afterwards without harm.
    pub(super) fn walk(queue: &Queue, head: u16, memory: &MemoryMap) -> Result<Self, Broken> {
        let mut table = Table { address: queue.areas.descriptors, entries: queue.size, is_indirect: false };
        let mut chain = Self { head, readable: Segments::default(), writable: Segments::default() };
        let mut index = head;
        // A chain that visits more descriptors than its tables have goes around in a circle.
        for _ in 0..u32::from(queue.size) + u32::from(SIZE_MAX) {
            let descriptor = table.descriptor(index, memory)?;
            if descriptor.flags.indirect() {
                table = table.indirect(&descriptor, queue)?;
                index = 0;
                continue;
            }
            chain.add(&descriptor)?;
            if !descriptor.flags.next() {
                return Ok(chain);
            }
            index = descriptor.next;
        }
        Err(Broken)
    }

    /// VIRTIO 2.7.4.2: all that the device reads comes before all that it writes. Empty buffers carry nothing.
    fn add(&mut self, descriptor: &Descriptor) -> Result<(), Broken> {
        let &Descriptor { address, len, flags, .. } = descriptor;
        address.checked_add(len.into()).ok_or(Broken)?;
        if !flags.write() && !self.writable.is_empty() {
            return Err(Broken);
        }
        let part = if flags.write() { &mut self.writable } else { &mut self.readable };
        part.push(Segment { gpa: address, len });
        Ok(())
    }
}
