//! A sector as it lies on the disc, in mode 1: ECMA-130, 14 and Annex A. A disc image holds the 2048 bytes of user
//! data only; the rest follows from them.

use super::packet::minutes;
use bitfield_struct::bitfield;

/// Bytes of user data.
pub(super) const DATA: usize = 2048;

const SYNC: usize = 12;
const HEADER: usize = 4;
/// EDC, eight zeros, and the P and Q parities.
const CODES: usize = 288;
const RAW: usize = SYNC + HEADER + DATA + CODES;

/// Which parts of a sector the host wants: byte 9 of READ CD. Sub-headers are no part of a mode 1 sector, and C2
/// error flags not of this model.
#[bitfield(u8)]
#[derive(PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Parts {
    #[bits(3)]
    __: u8,
    pub(super) codes: bool,
    pub(super) data: bool,
    pub(super) header: bool,
    __: bool,
    pub(super) sync: bool,
}

impl Parts {
    /// The bits that name a part.
    pub(super) const ALL: u8 = 0xB8;
    pub(super) const DATA: Self = Self::new().with_data(true);

    /// Bytes of a sector.
    pub(super) fn len(self) -> usize {
        let part = |wanted: bool, len| if wanted { len } else { 0 };
        part(self.sync(), SYNC)
            + part(self.header(), HEADER)
            + part(self.data(), DATA)
            + part(self.codes(), CODES)
    }

    /// Appends the parts of block `lba` that are wanted.
    pub(super) fn append(self, lba: u32, data: &[u8], to: &mut Vec<u8>) {
        if self == Self::DATA {
            return to.extend_from_slice(data);
        }
        let raw = raw(lba, data);
        let (sync, rest) = raw.split_at(SYNC);
        let (header, rest) = rest.split_at(HEADER);
        let (data, codes) = rest.split_at(DATA);
        let parts =
            [(self.sync(), sync), (self.header(), header), (self.data(), data), (self.codes(), codes)];
        parts.iter().filter(|(wanted, _)| *wanted).for_each(|(_, part)| to.extend_from_slice(part));
    }
}

fn raw(lba: u32, data: &[u8]) -> [u8; RAW] {
    let mut raw = [0; RAW];
    raw[1..SYNC - 1].fill(0xFF);
    for (byte, part) in raw[SYNC..].iter_mut().zip(minutes(lba)) {
        *byte = ((part / 10 % 10) << 4) | (part % 10);
    }
    raw[SYNC + 3] = 1; // mode 1
    for (byte, part) in raw[SYNC + HEADER..].iter_mut().zip(data) {
        *byte = *part;
    }
    let end = SYNC + HEADER + DATA;
    let edc = edc(&raw[..end]);
    raw[end..end + 4].copy_from_slice(&edc.to_le_bytes());
    // ECMA-130, A.5 and A.6: 43 columns of 26 words, then 26 diagonals of 45; a word is two bytes, each coded apart.
    let words = &mut raw[SYNC..];
    for lane in 0..2 {
        for column in 0..43 {
            protect(words, |n| 2 * (43 * n + column) + lane, 24);
        }
        for diagonal in 0..26 {
            let at =
                |n| if n < 43 { (44 * n + 43 * diagonal) % 1118 } else { 1118 + 26 * (n - 43) + diagonal };
            protect(words, |n| 2 * at(n) + lane, 43);
        }
    }
    raw
}

/// The error detection code (ECMA-130, 14.3): (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1), least bit first.
fn edc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |code, byte| {
        (0..8)
            .fold(code ^ u32::from(*byte), |code, _| code >> 1 ^ if code & 1 != 0 { 0xD801_8001 } else { 0 })
    })
}

/// Times alpha, in GF(2^8) with x^8 + x^4 + x^3 + x^2 + 1.
const fn times_alpha(x: u8) -> u8 {
    x << 1 ^ if x & 0x80 != 0 { 0x1D } else { 0 }
}

/// Divided by alpha + 1.
const QUOTIENTS: [u8; 256] = {
    let mut table = [0; 256];
    let mut x = 0;
    while x < 256 {
        table[(x as u8 ^ times_alpha(x as u8)) as usize] = x as u8;
        x += 1;
    }
    table
};

/// Sets the two parity symbols behind `len` symbols, so that the sum of all is zero, and also the sum of all times
/// falling powers of alpha.
fn protect(words: &mut [u8], at: impl Fn(usize) -> usize, len: usize) {
    let (mut sum, mut weighted) = (0, 0);
    for n in 0..len {
        let symbol = words[at(n)];
        sum ^= symbol;
        weighted = times_alpha(weighted ^ symbol);
    }
    let first = QUOTIENTS[usize::from(sum ^ times_alpha(weighted))];
    words[at(len)] = first;
    words[at(len + 1)] = sum ^ first;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(words: &[u8], at: impl Fn(usize) -> usize, len: usize) -> (u8, u8) {
        let symbols = (0..len).map(|n| words[at(n)]);
        symbols.fold((0, 0), |(sum, weighted), symbol| (sum ^ symbol, times_alpha(weighted) ^ symbol))
    }

    #[test]
    fn codes_check() {
        let data: Vec<u8> = (0..DATA).map(|n| (n * n / 7) as u8).collect();
        let raw = raw(4350 + 75 * 12 + 34, &data);
        assert_eq!(raw[..16], [0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0x01, 0x12, 0x34, 1]);
        assert_eq!(raw[16..2064], data);
        assert_eq!(edc(&raw[..2068]), 0);
        let words = &raw[SYNC..];
        for lane in 0..2 {
            for column in 0..43 {
                assert_eq!(sums(words, |n| 2 * (43 * n + column) + lane, 26), (0, 0));
            }
        }
        assert_eq!(
            sums(words, |n| 2 * if n < 43 { 44 * n % 1118 } else { 1118 + 26 * (n - 43) }, 45),
            (0, 0)
        );
    }

    #[test]
    fn parts_come_in_their_order() {
        let mut out = Vec::new();
        Parts::from_bits(Parts::ALL).append(0, &[7; DATA], &mut out);
        assert_eq!((out.len(), Parts::from_bits(Parts::ALL).len()), (2352, 2352));
        let mut header = Vec::new();
        Parts::new().with_header(true).append(0, &[7; DATA], &mut header);
        assert_eq!(header, [0, 2, 0, 1]);
    }
}
