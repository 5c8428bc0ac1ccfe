//! Segment registers with their hidden parts, and the descriptor-table registers.

use serde::{Deserialize, Serialize};

/// The segment registers in their encoding order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SegmentName {
    Es = 0,
    Cs = 1,
    Ss = 2,
    Ds = 3,
    Fs = 4,
    Gs = 5,
}

/// A segment register: selector, and the hidden part that was loaded from its descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub selector: u16,
    /// Access rights as bits 8-15 and 20-23 of the descriptor's second word, shifted right by 8: bits 0-3 type,
    /// 4 S, 5-6 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G. Zero (P clear) means unusable.
    pub rights: u16,
    /// The last valid offset, in bytes (granularity already applied).
    pub limit: u32,
    pub base: u64,
}

impl Segment {
    pub const ACCESSED: u16 = 1 << 0;
    /// Data: writable. Code: readable.
    pub const WRITABLE: u16 = 1 << 1;
    /// Data: expand-down. Code: conforming.
    pub const EXPAND_DOWN: u16 = 1 << 2;
    pub const CODE: u16 = 1 << 3;
    pub const S: u16 = 1 << 4;
    pub const P: u16 = 1 << 7;
    pub const L: u16 = 1 << 13;
    pub const DB: u16 = 1 << 14;
    pub const G: u16 = 1 << 15;

    /// What a real-mode (or V86) segment load leaves: base = selector x 16, the rest as given.
    pub const fn real(selector: u16) -> Self {
        Self { selector, rights: 0x0093, limit: 0xFFFF, base: (selector as u64) << 4 }
    }

    /// From the two words of a descriptor (Intel SDM Vol. 3A 3.4.5).
    pub const fn from_descriptor(selector: u16, low: u32, high: u32) -> Self {
        let raw = (low & 0xFFFF) | (high & 0x000F_0000);
        let limit = if high & (1 << 23) != 0 { (raw << 12) | 0xFFF } else { raw };
        let base = (low >> 16) | ((high & 0xFF) << 16) | (high & 0xFF00_0000);
        Self { selector, rights: ((high >> 8) & 0xF0FF) as u16, limit, base: base as u64 }
    }

    pub const fn dpl(&self) -> u8 {
        ((self.rights >> 5) & 3) as u8
    }

    pub const fn rpl(&self) -> u8 {
        (self.selector & 3) as u8
    }

    pub const fn kind(&self) -> u8 {
        (self.rights & 0xF) as u8
    }

    pub const fn is(&self, rights: u16) -> bool {
        self.rights & rights != 0
    }

    /// Loaded with something an access may use (not null).
    pub const fn usable(&self) -> bool {
        self.is(Self::P)
    }

    pub const fn is_code(&self) -> bool {
        self.is(Self::CODE)
    }

    pub const fn conforming(&self) -> bool {
        self.is_code() && self.is(Self::EXPAND_DOWN)
    }

    pub const fn readable(&self) -> bool {
        !self.is_code() || self.is(Self::WRITABLE)
    }

    pub const fn writable(&self) -> bool {
        !self.is_code() && self.is(Self::WRITABLE)
    }

    pub const fn expands_down(&self) -> bool {
        !self.is_code() && self.is(Self::EXPAND_DOWN)
    }
}

/// GDTR or IDTR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRegister {
    pub base: u64,
    pub limit: u16,
}
