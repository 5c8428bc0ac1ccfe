//! Permutations and shifts that came with AVX and AVX2 (Intel SDM Vol. 2). 256-bit values are their two halves.

use super::lanes::{join, map2, split};

/// Doublewords of `a`, each chosen by the low two bits of a doubleword of `control`.
#[inline]
pub fn vpermilps(a: u128, control: u128) -> u128 {
    let a = split::<u32, 4>(a);
    join::<u32, 4>(split::<u32, 4>(control).map(|c| a[(c & 3) as usize]))
}

/// Quadwords of `a`, each chosen by bit 1 of a quadword of `control`.
#[inline]
pub fn vpermilpd(a: u128, control: u128) -> u128 {
    let a = split::<u64, 2>(a);
    join::<u64, 2>(split::<u64, 2>(control).map(|c| a[(c >> 1 & 1) as usize]))
}

/// Each half is one of four, or zero.
#[inline]
pub fn vperm2x128(a: [u128; 2], b: [u128; 2], imm: u8) -> [u128; 2] {
    let half = |control: u8| match control & 0xB {
        0 => a[0],
        1 => a[1],
        2 => b[0],
        3 => b[1],
        _ => 0,
    };
    [half(imm), half(imm >> 4)]
}

/// Doublewords of `table`, each chosen by the low three bits of a doubleword of `index`.
#[inline]
pub fn vpermd(index: [u128; 2], table: [u128; 2]) -> [u128; 2] {
    let table = table.map(split::<u32, 4>);
    index.map(|half| {
        join::<u32, 4>(split::<u32, 4>(half).map(|i| table[(i >> 2 & 1) as usize][(i & 3) as usize]))
    })
}

/// Quadwords of `table`, each chosen by two bits of `imm`.
#[inline]
pub fn vpermq(table: [u128; 2], imm: u8) -> [u128; 2] {
    let table = table.map(split::<u64, 2>);
    let chosen = |n: u32| table[usize::from(imm >> (2 * n + 1) & 1)][usize::from(imm >> (2 * n) & 1)];
    [join([chosen(0), chosen(1)]), join([chosen(2), chosen(3)])]
}

macro_rules! variable_shifts {
    ($($name:ident: $t:ty, $n:literal, |$lane:ident, $count:ident| $f:expr;)*) => {$(
        /// Each lane by its own count; a count beyond the lane shifts everything out.
        #[inline]
        pub fn $name(a: u128, counts: u128) -> u128 {
            map2::<$t, $n>(a, counts, |$lane, count| {
                let $count = u32::try_from(count).unwrap_or(u32::MAX);
                $f
            })
        }
    )*};
}

variable_shifts! {
    vpsllvd: u32, 4, |v, count| v.checked_shl(count).unwrap_or(0);
    vpsllvq: u64, 2, |v, count| v.checked_shl(count).unwrap_or(0);
    vpsrlvd: u32, 4, |v, count| v.checked_shr(count).unwrap_or(0);
    vpsrlvq: u64, 2, |v, count| v.checked_shr(count).unwrap_or(0);
    vpsravd: i32, 4, |v, count| v >> count.min(31);
}
