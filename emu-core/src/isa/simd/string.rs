//! PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (Intel SDM Vol. 2, 4.1).

use crate::vcpu::rflags;

/// What a string comparison gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// IntRes2: one bit per element of the second string.
    pub bits: u32,
    /// CF, ZF, SF, OF as RFLAGS bits; AF and PF are cleared.
    pub flags: u64,
    elements: u32,
}

/// One string: its elements widened to `i32`, and how many are valid.
struct Text {
    at: [i32; 16],
    len: usize,
}

impl Text {
    fn new(value: u128, imm: u8, len: usize) -> Self {
        let bits = if imm & 1 != 0 { 16 } else { 8 };
        let at = std::array::from_fn(|i| {
            let raw = (value >> ((i as u32 * bits) & 127)) as u16;
            match imm & 3 {
                0 => i32::from(raw as u8),
                1 => i32::from(raw),
                2 => i32::from(raw as u8 as i8),
                _ => i32::from(raw as i16),
            }
        });
        Self { at, len }
    }

    fn valid(&self, i: usize) -> bool {
        i < self.len
    }
}

/// Elements in a register: 8 words or 16 bytes.
const fn elements(imm: u8) -> usize {
    if imm & 1 != 0 { 8 } else { 16 }
}

/// The length of an implicitly terminated string: up to the first zero element.
fn implicit_length(value: u128, imm: u8) -> usize {
    let text = Text::new(value, imm, 0);
    (0..elements(imm)).find(|i| text.at[*i] == 0).unwrap_or(elements(imm))
}

/// PCMPISTRx: strings end at a zero element.
pub fn implicit(a: u128, b: u128, imm: u8) -> Comparison {
    compare(a, b, imm, implicit_length(a, imm), implicit_length(b, imm))
}

/// PCMPESTRx: lengths as given, their magnitude saturated to the register.
pub fn explicit(a: u128, b: u128, imm: u8, length_a: i64, length_b: i64) -> Comparison {
    let saturate = |n: i64| n.unsigned_abs().min(elements(imm) as u64) as usize;
    compare(a, b, imm, saturate(length_a), saturate(length_b))
}

fn compare(a: u128, b: u128, imm: u8, length_a: usize, length_b: usize) -> Comparison {
    let n = elements(imm);
    let (a, b) = (Text::new(a, imm, length_a), Text::new(b, imm, length_b));
    let mut bits = 0;
    for j in 0..n {
        bits |= u32::from(aggregate(&a, &b, imm, n, j)) << j;
    }
    let all = (1u32 << n) - 1;
    bits ^= match imm >> 4 & 3 {
        1 => all,
        3 => (1u32 << length_b) - 1,
        _ => 0,
    };
    let flag = |set: bool, flag: u64| if set { flag } else { 0 };
    let flags = flag(bits != 0, rflags::CF)
        | flag(length_b < n, rflags::ZF)
        | flag(length_a < n, rflags::SF)
        | flag(bits & 1 != 0, rflags::OF);
    Comparison { bits, flags, elements: n as u32 }
}

/// Bit `j` of IntRes1, with the overrides for elements beyond a string's end.
fn aggregate(a: &Text, b: &Text, imm: u8, n: usize, j: usize) -> bool {
    match imm >> 2 & 3 {
        0 => b.valid(j) && (0..a.len).any(|i| a.at[i] == b.at[j]),
        1 => b.valid(j) && (0..a.len / 2).any(|i| a.at[2 * i] <= b.at[j] && b.at[j] <= a.at[2 * i + 1]),
        2 => match (a.valid(j), b.valid(j)) {
            (true, true) => a.at[j] == b.at[j],
            (valid_a, valid_b) => valid_a == valid_b,
        },
        _ => (0..(n - j).min(a.len)).all(|i| b.valid(i + j) && a.at[i] == b.at[i + j]),
    }
}

impl Comparison {
    /// ECX of the index forms: the lowest or highest bit, or the number of elements.
    pub fn index(&self, imm: u8) -> u32 {
        match (self.bits, imm & 0x40 != 0) {
            (0, _) => self.elements,
            (bits, false) => bits.trailing_zeros(),
            (bits, true) => bits.ilog2(),
        }
    }

    /// XMM0 of the mask forms: the bits, or a mask of whole elements.
    pub fn mask(&self, imm: u8) -> u128 {
        if imm & 0x40 == 0 {
            return u128::from(self.bits);
        }
        let width = 128 / self.elements;
        let element = u128::MAX >> (128 - width);
        (0..self.elements).filter(|i| self.bits >> i & 1 != 0).fold(0, |r, i| r | element << (i * width))
    }
}
