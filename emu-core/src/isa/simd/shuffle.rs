//! Moving lanes about: pack, unpack, shuffle, blend, extend, insert.

use super::lanes::{join, map2, split};

macro_rules! packs {
    ($($name:ident: $from:ty, $n:literal => $to:ty, $signed:ty, $m:literal;)*) => {$(
        /// Narrows with saturation: `a` gives the low half, `b` the high half.
        #[inline]
        pub fn $name(a: u128, b: u128) -> u128 {
            let (a, b) = (split::<$from, $n>(a), split::<$from, $n>(b));
            join::<$to, $m>(std::array::from_fn(|i| {
                let v = if i < $n { a[i] } else { b[i - $n] };
                v.clamp(<$signed>::MIN as $from, <$signed>::MAX as $from) as $to
            }))
        }
    )*};
}

packs! {
    packsswb: i16, 8 => u8, i8, 16;
    packuswb: i16, 8 => u8, u8, 16;
    packssdw: i32, 4 => u16, i16, 8;
    packusdw: i32, 4 => u16, u16, 8;
}

macro_rules! unpacks {
    ($($low:ident, $high:ident: $t:ty, $n:literal;)*) => {$(
        /// Interleaves the low halves.
        #[inline]
        pub fn $low(a: u128, b: u128) -> u128 {
            let (a, b) = (split::<$t, $n>(a), split::<$t, $n>(b));
            join::<$t, $n>(std::array::from_fn(|i| if i % 2 == 0 { a[i / 2] } else { b[i / 2] }))
        }

        /// Interleaves the high halves.
        #[inline]
        pub fn $high(a: u128, b: u128) -> u128 {
            let (a, b) = (split::<$t, $n>(a), split::<$t, $n>(b));
            join::<$t, $n>(std::array::from_fn(|i| if i % 2 == 0 { a[$n / 2 + i / 2] } else { b[$n / 2 + i / 2] }))
        }
    )*};
}

unpacks! {
    punpcklbw, punpckhbw: u8, 16;
    punpcklwd, punpckhwd: u16, 8;
    punpckldq, punpckhdq: u32, 4;
    punpcklqdq, punpckhqdq: u64, 2;
}

macro_rules! extends {
    ($($name:ident: $from:ty, $n:literal => $to:ty, $m:literal;)*) => {$(
        /// Widens the lowest lanes of `b`.
        #[inline]
        pub fn $name(_: u128, b: u128) -> u128 {
            let b = split::<$from, $n>(b);
            join::<$to, $m>(std::array::from_fn(|i| <$to>::from(b[i])))
        }
    )*};
}

extends! {
    pmovsxbw: i8, 16 => i16, 8;
    pmovsxbd: i8, 16 => i32, 4;
    pmovsxbq: i8, 16 => i64, 2;
    pmovsxwd: i16, 8 => i32, 4;
    pmovsxwq: i16, 8 => i64, 2;
    pmovsxdq: i32, 4 => i64, 2;
    pmovzxbw: u8, 16 => u16, 8;
    pmovzxbd: u8, 16 => u32, 4;
    pmovzxbq: u8, 16 => u64, 2;
    pmovzxwd: u16, 8 => u32, 4;
    pmovzxwq: u16, 8 => u64, 2;
    pmovzxdq: u32, 4 => u64, 2;
}

/// Two bits of `imm` for each of four lanes.
#[inline(always)]
fn select(imm: u8, lane: usize) -> usize {
    usize::from(imm >> (2 * lane) & 3)
}

#[inline]
pub fn pshufd(_: u128, b: u128, imm: u8) -> u128 {
    let b = split::<u32, 4>(b);
    join::<u32, 4>(std::array::from_fn(|i| b[select(imm, i)]))
}

#[inline]
pub fn pshuflw(_: u128, b: u128, imm: u8) -> u128 {
    let b = split::<u16, 8>(b);
    join::<u16, 8>(std::array::from_fn(|i| if i < 4 { b[select(imm, i)] } else { b[i] }))
}

#[inline]
pub fn pshufhw(_: u128, b: u128, imm: u8) -> u128 {
    let b = split::<u16, 8>(b);
    join::<u16, 8>(std::array::from_fn(|i| if i < 4 { b[i] } else { b[4 + select(imm, i - 4)] }))
}

#[inline]
pub fn shufps(a: u128, b: u128, imm: u8) -> u128 {
    let (a, b) = (split::<u32, 4>(a), split::<u32, 4>(b));
    join::<u32, 4>(std::array::from_fn(|i| if i < 2 { a[select(imm, i)] } else { b[select(imm, i)] }))
}

#[inline]
pub fn shufpd(a: u128, b: u128, imm: u8) -> u128 {
    let (a, b) = (split::<u64, 2>(a), split::<u64, 2>(b));
    join([a[usize::from(imm & 1)], b[usize::from(imm >> 1 & 1)]])
}

/// Bytes of `a` chosen by the low four bits of each byte of `b`; zero where its top bit is set.
#[inline]
pub fn pshufb(a: u128, b: u128) -> u128 {
    let a = a.to_le_bytes();
    super::lanes::map::<u8, 16>(b, |b| if b & 0x80 != 0 { 0 } else { a[usize::from(b & 15)] })
}

/// The MMX form: three bits of each byte choose.
#[inline]
pub fn pshufb_mmx(a: u64, b: u64) -> u64 {
    pshufb(a.into(), (b & 0x8787_8787_8787_8787).into()) as u64
}

/// `a` above `b`, shifted right by `imm` bytes.
#[inline]
pub fn palignr(a: u128, b: u128, imm: u8) -> u128 {
    match u32::from(imm) {
        0 => b,
        n @ 1..16 => b >> (8 * n) | a << (128 - 8 * n),
        n @ 16..32 => a >> (8 * (n - 16)),
        _ => 0,
    }
}

#[inline]
pub fn palignr_mmx(a: u64, b: u64, imm: u8) -> u64 {
    let both = u128::from(a) << 64 | u128::from(b);
    if imm < 16 { (both >> (8 * u32::from(imm))) as u64 } else { 0 }
}

/// Lanes of `b` where `imm` has a bit, else of `a`.
macro_rules! blends {
    ($($name:ident: $t:ty, $n:literal;)*) => {$(
        #[inline]
        pub fn $name(a: u128, b: u128, imm: u8) -> u128 {
            let (a, b) = (split::<$t, $n>(a), split::<$t, $n>(b));
            join::<$t, $n>(std::array::from_fn(|i| if imm >> i & 1 != 0 { b[i] } else { a[i] }))
        }
    )*};
}

blends! {
    pblendw: u16, 8;
    blendps: u32, 4;
    blendpd: u64, 2;
}

/// Lanes of `b` where the lane of `mask` has its top bit set, else of `a`.
macro_rules! variable_blends {
    ($($name:ident: $t:ty, $n:literal;)*) => {$(
        #[inline]
        pub fn $name(a: u128, b: u128, mask: u128) -> u128 {
            let fill = map2::<$t, $n>(mask, 0, |m, _| m >> (<$t>::BITS - 1));
            (b & fill) | (a & !fill)
        }
    )*};
}

variable_blends! {
    pblendvb: i8, 16;
    blendvps: i32, 4;
    blendvpd: i64, 2;
}

/// `b` with its low double-word in lane `imm[5:4]` of `a`, lanes in `imm[3:0]` cleared. The source lane has been
/// chosen already: see Intel SDM Vol. 2, "INSERTPS".
#[inline]
pub fn insertps(a: u128, b: u32, imm: u8) -> u128 {
    let mut lanes = split::<u32, 4>(a);
    lanes[usize::from(imm >> 4 & 3)] = b;
    join::<u32, 4>(std::array::from_fn(|i| if imm >> i & 1 != 0 { 0 } else { lanes[i] }))
}

/// `value` in the `bits`-wide lane `index` of `a`; `index` wraps.
#[inline]
pub fn insert(a: u128, value: u64, bits: u32, index: u8) -> u128 {
    let at = (u32::from(index) * bits) & 127;
    let mask = (u128::MAX >> (128 - bits)) << at;
    (a & !mask) | (u128::from(value) << at & mask)
}

/// The `bits`-wide lane `index` of `a`; `index` wraps.
#[inline]
pub fn extract(a: u128, bits: u32, index: u8) -> u64 {
    let at = (u32::from(index) * bits) & 127;
    (a >> at & (u128::MAX >> (128 - bits))) as u64
}

#[inline]
pub fn movsldup(_: u128, b: u128) -> u128 {
    pshufd(0, b, 0b1010_0000)
}

#[inline]
pub fn movshdup(_: u128, b: u128) -> u128 {
    pshufd(0, b, 0b1111_0101)
}

#[inline]
pub fn movddup(_: u128, b: u128) -> u128 {
    punpcklqdq(b, b)
}
