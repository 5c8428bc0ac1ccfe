//! Descriptors, gates and error codes as numbers (Intel SDM Vol. 3A 3.4.5, 3.5, 6.11, 6.13).

/// Rights of segments, as bits 8 to 15 and 20 to 23 of a descriptor's second word: type, S, DPL, P, AVL, L, D/B, G.
pub mod rights {
    /// Writable data, accessed, present.
    pub const DATA: u64 = 0x93;
    /// Readable code, accessed, present.
    pub const CODE: u64 = 0x9B;
    /// 4 GiB: G and D/B.
    pub const FLAT: u64 = 0xC000;
    /// 4 GiB of 64-bit code: G and L.
    pub const FLAT64: u64 = 0xA000;
    /// 32-bit segment, byte granular.
    pub const BIG: u64 = 0x4000;
    pub const TSS32: u64 = 0x89;
    pub const TSS32_BUSY: u64 = 0x8B;
    pub const TSS16: u64 = 0x81;
    pub const LDT: u64 = 0x82;

    /// The same with another DPL.
    pub const fn dpl(rights: u64, dpl: u64) -> u64 {
        rights & !0x60 | dpl << 5
    }
}

/// Types of gates, present and of DPL 0.
pub mod gate_type {
    pub const CALL16: u64 = 0x84;
    pub const TASK: u64 = 0x85;
    pub const INTERRUPT16: u64 = 0x86;
    pub const TRAP16: u64 = 0x87;
    pub const CALL32: u64 = 0x8C;
    pub const INTERRUPT32: u64 = 0x8E;
    pub const TRAP32: u64 = 0x8F;
    pub const DPL3: u64 = 0x60;
}

/// Limit of a flat segment, in its granularity.
pub const FLAT_LIMIT: u64 = 0xF_FFFF;

/// A segment descriptor; `limit` in units of its granularity.
pub const fn descriptor(base: u64, limit: u64, rights: u64) -> u64 {
    limit & 0xFFFF
        | (base & 0xFF_FFFF) << 16
        | rights << 40 & 0x00F0_FF00_0000_0000
        | (limit >> 16 & 0xF) << 48
        | (base >> 24 & 0xFF) << 56
}

/// A gate; `count` is a call gate's parameter count, or the IST number.
pub const fn gate(selector: u16, offset: u64, rights: u64, count: u64) -> u64 {
    offset & 0xFFFF | (selector as u64) << 16 | count << 32 | rights << 40 | (offset >> 16 & 0xFFFF) << 48
}

/// The error code that names an IDT entry, without EXT.
pub const fn idt_error(vector: u8) -> u64 {
    (vector as u64) << 3 | 2
}

/// EXT.
pub const EXT: u64 = 1;

/// Vectors (Intel SDM Vol. 3A table 6-1).
pub mod vector {
    pub const DE: u8 = 0;
    pub const DB: u8 = 1;
    pub const NMI: u8 = 2;
    pub const BP: u8 = 3;
    pub const OF: u8 = 4;
    pub const BR: u8 = 5;
    pub const UD: u8 = 6;
    pub const NM: u8 = 7;
    pub const DF: u8 = 8;
    pub const TS: u8 = 10;
    pub const NP: u8 = 11;
    pub const SS: u8 = 12;
    pub const GP: u8 = 13;
    pub const PF: u8 = 14;
    pub const MF: u8 = 16;
    pub const AC: u8 = 17;
    pub const XM: u8 = 19;
    /// INT of this vector ends a program that cannot execute HLT.
    pub const END: u8 = 0x80;
    /// Maskable interrupts come as this one.
    pub const INTR: u8 = 0x21;
}
