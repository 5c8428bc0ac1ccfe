//! Virtual I/O devices: "Virtual I/O Device (VIRTIO) Version 1.2", OASIS, 2022-07-01, called VIRTIO below.
//!
//! `pci` is the transport, `queue` the split virtqueue, `blk` the block device. Left out: packed virtqueues, shared
//! memory, and the administration queue of later versions.

mod blk;
#[cfg(test)]
mod guest;
mod pci;
mod queue;

pub use pci::{BARS, Bar, INTA, VirtioPci};

use crate::pci_config::Register;
use emu_core::{MemoryMap, RestoreError, Saved};
use queue::{Broken, Queue};

/// Feature bits that do not belong to a device type. VIRTIO 6, "Reserved Feature Bits", and 6.3.
mod feature {
    /// A legacy driver may frame messages as it likes; a modern one always may.
    pub(super) const ANY_LAYOUT: u64 = 1 << 27;
    pub(super) const INDIRECT_DESC: u64 = 1 << 28;
    pub(super) const EVENT_IDX: u64 = 1 << 29;
    pub(super) const VERSION_1: u64 = 1 << 32;
}

/// How a call to [`Function::serve`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    /// The queue is empty.
    All,
    /// There is more to do than one call may take.
    Part,
    /// The host will call when there is something to do again.
    Waits,
}

/// What a transport carries: a device of one type, with one virtqueue.
trait Function: Send {
    /// The PCI configuration registers, see [`pci::registers`].
    fn registers(&self) -> &'static [Register];

    /// The features of its type that the device offers.
    fn features(&self) -> u64;

    /// The device-specific configuration.
    fn config(&self) -> Vec<u8>;

    /// The driver writes one byte of it.
    fn write_config(&mut self, offset: usize, value: u8);

    /// The driver has chosen these features.
    fn negotiated(&mut self, features: u64);

    /// Back to the state before any driver. What is under way is forgotten.
    fn reset(&mut self);

    /// What is under way is forgotten: its queue is another one now.
    fn forget(&mut self);

    /// The host may be asked again for what it was not ready with.
    fn ready(&mut self);

    /// Works on the queue, for a bounded time.
    fn serve(&mut self, queue: &mut Queue, memory: &MemoryMap) -> Result<Served, Broken>;

    fn save(&self) -> Saved;

    /// # Errors
    /// The state is not one of this device; nothing has changed.
    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError>;
}
