//! Polynomials over GF(2): CRC32 and PCLMULQDQ (Intel SDM Vol. 2).

/// The polynomial of CRC-32C, 11EDC6F41h, with its bits reversed.
const POLYNOMIAL: u32 = 0x82F6_3B78;

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 != 0 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

static TABLE: [u32; 256] = table();

/// `crc` after `bytes` more bytes, the lowest of `data` first.
#[inline]
pub fn crc32(crc: u32, data: u64, bytes: u32) -> u32 {
    (0..bytes).fold(crc, |crc, i| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ (data >> (8 * i)) as u8)])
}

/// The carry-less product of the halves that bits 0 (of `a`) and 4 (of `b`) of `imm` choose.
pub fn pclmulqdq(a: u128, b: u128, imm: u8) -> u128 {
    let a = (a >> (64 * u32::from(imm & 1))) as u64;
    let b = (b >> (64 * u32::from(imm >> 4 & 1))) as u64;
    (0..64)
        .fold(0, |product, i| product ^ (u128::from(a) << i & (0u128.wrapping_sub(u128::from(b >> i & 1)))))
}
