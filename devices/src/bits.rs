//! Narrowing as a claim someone made on purpose.

/// Bits 7:0.
pub(crate) const fn low8(value: u64) -> u8 {
    (value & 0xFF) as u8
}

/// Bits 15:0.
pub(crate) const fn low16(value: u64) -> u16 {
    (value & 0xFFFF) as u16
}

/// Bits 31:0.
pub(crate) const fn low32(value: u64) -> u32 {
    (value & 0xFFFF_FFFF) as u32
}
