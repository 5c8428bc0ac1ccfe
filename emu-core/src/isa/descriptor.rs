//! Selectors, descriptors and gates as data (Intel SDM Vol. 3A 3.4, 3.5, 5.8.3, 6.11, 6.14.1, 7.2.2).

use crate::vcpu::Segment;

/// A segment selector (Intel SDM Vol. 3A 3.4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selector(pub u16);

impl Selector {
    /// Requested privilege level.
    pub const fn rpl(self) -> u8 {
        (self.0 & 3) as u8
    }

    /// Selects the first entry of the GDT, whatever the RPL.
    pub const fn is_null(self) -> bool {
        self.0 & !3 == 0
    }

    /// TI: the descriptor is in the LDT.
    pub const fn is_local(self) -> bool {
        self.0 & 4 != 0
    }

    /// Where the descriptor starts in its table.
    pub const fn offset(self) -> u64 {
        (self.0 & !7) as u64
    }

    /// The selector as an error code names it, without EXT (Intel SDM Vol. 3A 6.13).
    pub const fn error(self) -> u32 {
        (self.0 & !3) as u32
    }

    pub const fn with_rpl(self, rpl: u8) -> Self {
        Self(self.0 & !3 | (rpl & 3) as u16)
    }
}

/// Types of system descriptors (Intel SDM Vol. 3A table 3-2). In long mode the 32-bit ones are 64-bit ones.
pub mod system {
    pub const TSS16: u8 = 0x1;
    pub const LDT: u8 = 0x2;
    pub const TSS16_BUSY: u8 = 0x3;
    pub const CALL16: u8 = 0x4;
    pub const TASK_GATE: u8 = 0x5;
    pub const INTERRUPT16: u8 = 0x6;
    pub const TRAP16: u8 = 0x7;
    pub const TSS32: u8 = 0x9;
    pub const TSS32_BUSY: u8 = 0xB;
    pub const CALL32: u8 = 0xC;
    pub const INTERRUPT32: u8 = 0xE;
    pub const TRAP32: u8 = 0xF;
    /// The bit that makes an available TSS a busy one.
    pub const BUSY: u8 = 0x2;
    /// The bit that makes a 16-bit type a 32-bit one.
    pub const BITS32: u8 = 0x8;
}

/// The eight bytes of a descriptor (Intel SDM Vol. 3A 3.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor(pub u64);

impl Descriptor {
    const fn bit(self, n: u32) -> bool {
        self.0 >> n & 1 != 0
    }

    /// The type field, bits 8 to 11 of the second word.
    pub const fn kind(self) -> u8 {
        (self.0 >> 40 & 0xF) as u8
    }

    /// A code or data segment rather than a system descriptor.
    pub const fn is_segment(self) -> bool {
        self.bit(44)
    }

    pub const fn dpl(self) -> u8 {
        (self.0 >> 45 & 3) as u8
    }

    pub const fn present(self) -> bool {
        self.bit(47)
    }

    /// L: 64-bit code.
    pub const fn long(self) -> bool {
        self.bit(53)
    }

    /// D/B: 32-bit code, stack or upper bound.
    pub const fn big(self) -> bool {
        self.bit(54)
    }

    pub const fn is_code(self) -> bool {
        self.is_segment() && self.bit(43)
    }

    pub const fn is_data(self) -> bool {
        self.is_segment() && !self.bit(43)
    }

    pub const fn conforming(self) -> bool {
        self.is_code() && self.bit(42)
    }

    /// Data, or readable code.
    pub const fn readable(self) -> bool {
        self.is_data() || (self.is_code() && self.bit(41))
    }

    pub const fn writable(self) -> bool {
        self.is_data() && self.bit(41)
    }

    pub const fn accessed(self) -> bool {
        self.bit(40)
    }

    /// The segment register it makes.
    pub const fn segment(self, selector: Selector) -> Segment {
        Segment::from_descriptor(selector.0, self.0 as u32, (self.0 >> 32) as u32)
    }

    /// The second word, as LAR shows it.
    pub const fn high(self) -> u32 {
        (self.0 >> 32) as u32
    }

    // ---- gates (Intel SDM Vol. 3A figures 5-8, 6-2, 6-8) -----------------------------------------------------

    /// The code segment (or TSS) a gate leads to.
    pub const fn gate_selector(self) -> Selector {
        Selector((self.0 >> 16) as u16)
    }

    /// The entry point, bits 0 to 31; 16-bit gates have only 16.
    pub const fn gate_offset(self) -> u64 {
        let low = self.0 & 0xFFFF;
        if self.kind() & system::BITS32 != 0 { low | (self.0 >> 32 & 0xFFFF_0000) } else { low }
    }

    /// Parameters a call gate copies.
    pub const fn parameters(self) -> u64 {
        self.0 >> 32 & 0x1F
    }

    /// The interrupt stack a 64-bit gate asks for, 0 for none.
    pub const fn ist(self) -> u64 {
        self.0 >> 32 & 7
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_code_segment() {
        let code = Descriptor(0x00CF_9A00_0000_FFFF);
        assert!(code.is_code() && code.readable() && !code.conforming() && code.present() && code.big());
        let segment = code.segment(Selector(8));
        assert_eq!((segment.base, segment.limit, segment.rights), (0, u32::MAX, 0xC09A));
    }

    #[test]
    fn gates_hold_their_offsets_in_two_halves() {
        let gate = Descriptor(0x1234_8E00_0008_5678);
        assert_eq!((gate.kind(), gate.gate_selector(), gate.gate_offset()), (0xE, Selector(8), 0x1234_5678));
        let narrow = Descriptor(0x1234_8600_0008_5678);
        assert_eq!(narrow.gate_offset(), 0x5678);
    }
}
