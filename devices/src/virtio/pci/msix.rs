//! MSI-X: PCI 3.0, 6.8.2, with the table and the pending bits in BAR 1.

use crate::bits::low32;
use bitfield_struct::bitfield;
use emu_core::{BusFault, Cx, Width};
use serde::{Deserialize, Serialize};

/// One for configuration changes, one for the queue.
pub(super) const VECTORS: u16 = 2;
pub(super) const TABLE: u32 = 0x000;
pub(super) const PENDING: u32 = 0x800;
/// VIRTIO_MSI_NO_VECTOR.
pub(super) const NO_VECTOR: u16 = 0xFFFF;

/// Message Control.
#[bitfield(u16)]
pub(super) struct Control {
    #[bits(11)]
    last_vector: u16,
    #[bits(3)]
    __: u16,
    pub(super) function_mask: bool,
    pub(super) enable: bool,
}

/// A table entry. Its mask bit is set by reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    address: u64,
    data: u32,
    masked: bool,
    pending: bool,
}

impl Entry {
    const RESET: Self = Self { address: 0, data: 0, masked: true, pending: false };
}

/// The dwords of an entry.
#[derive(Clone, Copy)]
enum Field {
    AddressLow,
    AddressHigh,
    Data,
    VectorControl,
}

/// A dword in BAR 1.
enum Place {
    Entry(usize, Field),
    Pending,
    Nothing,
}

impl Place {
    fn decode(offset: u64) -> Self {
        let entry = usize::try_from(offset / 16).unwrap_or(usize::MAX);
        match (offset, offset % 16) {
            (offset, _) if offset == u64::from(PENDING) => Self::Pending,
            (_, 0) if entry < usize::from(VECTORS) => Self::Entry(entry, Field::AddressLow),
            (_, 4) if entry < usize::from(VECTORS) => Self::Entry(entry, Field::AddressHigh),
            (_, 8) if entry < usize::from(VECTORS) => Self::Entry(entry, Field::Data),
            (_, 12) if entry < usize::from(VECTORS) => Self::Entry(entry, Field::VectorControl),
            _ => Self::Nothing,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Msix([Entry; VECTORS as usize]);

impl Msix {
    pub(super) const RESET: Self = Self([Entry::RESET; VECTORS as usize]);

    /// PCI 3.0, 6.8.2: software uses full dwords; the board makes two of a quadword.
    pub(super) fn read(&self, offset: u64, width: Width) -> Result<u64, BusFault> {
        if width != Width::Dword {
            return Err(BusFault);
        }
        let value = match Place::decode(offset) {
            Place::Entry(entry, field) => {
                let entry = self.0[entry];
                match field {
                    Field::AddressLow => low32(entry.address),
                    Field::AddressHigh => low32(entry.address >> 32),
                    Field::Data => entry.data,
                    Field::VectorControl => entry.masked.into(),
                }
            }
            Place::Pending => self.0.iter().rev().fold(0, |bits, entry| bits << 1 | u32::from(entry.pending)),
            Place::Nothing => 0,
        };
        Ok(value.into())
    }

    pub(super) fn write(&mut self, offset: u64, width: Width, value: u64) -> Result<(), BusFault> {
        if width != Width::Dword {
            return Err(BusFault);
        }
        if let Place::Entry(entry, field) = Place::decode(offset) {
            let entry = &mut self.0[entry];
            match field {
                Field::AddressLow => entry.address = entry.address >> 32 << 32 | value & 0xFFFF_FFFC,
                Field::AddressHigh => entry.address = entry.address & 0xFFFF_FFFF | value << 32,
                Field::Data => entry.data = low32(value),
                Field::VectorControl => entry.masked = value & 1 != 0,
            }
        }
        Ok(())
    }

    /// Sends the message of a vector, or keeps it until it is unmasked.
    pub(super) fn signal(&mut self, vector: u16, control: Control, cx: &mut Cx<'_>) {
        if let Some(entry) = self.0.get_mut(usize::from(vector)) {
            entry.pending = true;
            self.send_pending(control, cx);
        }
    }

    /// Sends what has been kept and is not masked any more.
    pub(super) fn send_pending(&mut self, control: Control, cx: &mut Cx<'_>) {
        if !control.enable() || control.function_mask() {
            return;
        }
        for entry in self.0.iter_mut().filter(|entry| entry.pending && !entry.masked) {
            entry.pending = false;
            cx.message(entry.address, entry.data);
        }
    }
}
