//! Packed shifts. The count is the low 64 bits of the second operand; a count beyond the lane clears the lane
//! (or, for arithmetic shifts, fills it with its sign). Intel SDM Vol. 2, "PSLLW/PSLLD/PSLLQ" and its neighbours.

use super::lanes::map;

macro_rules! shifts {
    ($($name:ident: $t:ty, $n:literal, |$lane:ident, $count:ident| $f:expr;)*) => {$(
        #[inline]
        pub fn $name(a: u128, count: u128) -> u128 {
            let $count = (count as u64).min(u64::from(<$t>::BITS)) as u32;
            map::<$t, $n>(a, |$lane| $f)
        }
    )*};
}

shifts! {
    psllw: u16, 8, |v, count| v.checked_shl(count).unwrap_or(0);
    pslld: u32, 4, |v, count| v.checked_shl(count).unwrap_or(0);
    psllq: u64, 2, |v, count| v.checked_shl(count).unwrap_or(0);
    psrlw: u16, 8, |v, count| v.checked_shr(count).unwrap_or(0);
    psrld: u32, 4, |v, count| v.checked_shr(count).unwrap_or(0);
    psrlq: u64, 2, |v, count| v.checked_shr(count).unwrap_or(0);
    psraw: i16, 8, |v, count| v >> count.min(15);
    psrad: i32, 4, |v, count| v >> count.min(31);
}

/// By bytes.
#[inline]
pub fn pslldq(a: u128, count: u128) -> u128 {
    a.checked_shl(count.min(16) as u32 * 8).unwrap_or(0)
}

/// By bytes.
#[inline]
pub fn psrldq(a: u128, count: u128) -> u128 {
    a.checked_shr(count.min(16) as u32 * 8).unwrap_or(0)
}
