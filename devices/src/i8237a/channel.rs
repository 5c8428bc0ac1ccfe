//! One of the four channels of an 8237A: base and current registers, and the mode register.

use bitfield_struct::bitfield;
use serde::{Deserialize, Serialize};

/// Mode register, bits 3-2: what a DMA cycle does to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransferType {
    Verify,
    /// From the device to memory.
    Write,
    /// From memory to the device.
    Read,
    Illegal,
}

impl TransferType {
    const fn into_bits(self) -> u8 {
        self as u8
    }

    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Verify,
            1 => Self::Write,
            2 => Self::Read,
            _ => Self::Illegal,
        }
    }
}

/// Mode register, bits 7-6: how long the bus is held. A transfer here happens in no time, so only cascade differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServiceMode {
    Demand,
    Single,
    Block,
    Cascade,
}

impl ServiceMode {
    const fn into_bits(self) -> u8 {
        self as u8
    }

    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Demand,
            1 => Self::Single,
            2 => Self::Block,
            _ => Self::Cascade,
        }
    }
}

/// 8237A, "Mode Register".
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub(super) struct Mode {
    /// Which channel a write of the register is for.
    #[bits(2)]
    pub(super) channel: u8,
    #[bits(2)]
    pub(super) transfer: TransferType,
    pub(super) autoinitialize: bool,
    pub(super) decrement: bool,
    #[bits(2)]
    pub(super) service: ServiceMode,
}

/// The registers of a channel. Addresses and counts are in units of the controller: bytes or words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Channel {
    pub(super) base_address: u16,
    pub(super) base_count: u16,
    pub(super) current_address: u16,
    /// One less than the number of units still to transfer.
    pub(super) current_count: u16,
    pub(super) mode: u8,
}

impl Channel {
    pub(super) fn mode(&self) -> Mode {
        Mode::from_bits(self.mode)
    }

    /// Units until terminal count.
    pub(super) fn units_left(&self) -> u32 {
        u32::from(self.current_count) + 1
    }

    /// Units until the current address leaves its 64 Ki page (the page register does not count along).
    pub(super) fn units_in_page(&self) -> u32 {
        if self.mode().decrement() {
            u32::from(self.current_address) + 1
        } else {
            0x1_0000 - u32::from(self.current_address)
        }
    }

    /// Counts `units` (at most [`Self::units_left`]) transferred; true at terminal count.
    pub(super) fn count(&mut self, units: u32) -> bool {
        let units = units.min(self.units_left());
        let step = (units & 0xFFFF) as u16;
        self.current_address = if self.mode().decrement() {
            self.current_address.wrapping_sub(step)
        } else {
            self.current_address.wrapping_add(step)
        };
        let terminal = units == self.units_left();
        self.current_count = self.current_count.wrapping_sub(step);
        terminal
    }

    /// 8237A, "Autoinitialize".
    pub(super) fn reload(&mut self) {
        self.current_address = self.base_address;
        self.current_count = self.base_count;
    }
}
