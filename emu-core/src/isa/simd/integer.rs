//! Packed integer arithmetic and logic (Intel SDM Vol. 2), lane by lane.

use super::lanes::{fold_pairs, map, map2, split};

/// All ones or all zeros.
macro_rules! mask {
    ($t:ty, $condition:expr) => {
        if $condition { !0 as $t } else { 0 }
    };
}

macro_rules! lanewise {
    ($($name:ident: $t:ty, $n:literal, $f:expr;)*) => {$(
        #[inline]
        pub fn $name(a: u128, b: u128) -> u128 {
            map2::<$t, $n>(a, b, $f)
        }
    )*};
}

lanewise! {
    paddb: u8, 16, u8::wrapping_add;
    paddw: u16, 8, u16::wrapping_add;
    paddd: u32, 4, u32::wrapping_add;
    paddq: u64, 2, u64::wrapping_add;
    paddsb: i8, 16, i8::saturating_add;
    paddsw: i16, 8, i16::saturating_add;
    paddusb: u8, 16, u8::saturating_add;
    paddusw: u16, 8, u16::saturating_add;
    psubb: u8, 16, u8::wrapping_sub;
    psubw: u16, 8, u16::wrapping_sub;
    psubd: u32, 4, u32::wrapping_sub;
    psubq: u64, 2, u64::wrapping_sub;
    psubsb: i8, 16, i8::saturating_sub;
    psubsw: i16, 8, i16::saturating_sub;
    psubusb: u8, 16, u8::saturating_sub;
    psubusw: u16, 8, u16::saturating_sub;
    pcmpeqb: u8, 16, |a, b| mask!(u8, a == b);
    pcmpeqw: u16, 8, |a, b| mask!(u16, a == b);
    pcmpeqd: u32, 4, |a, b| mask!(u32, a == b);
    pcmpeqq: u64, 2, |a, b| mask!(u64, a == b);
    pcmpgtb: i8, 16, |a, b| mask!(i8, a > b);
    pcmpgtw: i16, 8, |a, b| mask!(i16, a > b);
    pcmpgtd: i32, 4, |a, b| mask!(i32, a > b);
    pcmpgtq: i64, 2, |a, b| mask!(i64, a > b);
    pminub: u8, 16, |a, b| if b < a { b } else { a };
    pminuw: u16, 8, |a, b| if b < a { b } else { a };
    pminud: u32, 4, |a, b| if b < a { b } else { a };
    pminsb: i8, 16, |a, b| if b < a { b } else { a };
    pminsw: i16, 8, |a, b| if b < a { b } else { a };
    pminsd: i32, 4, |a, b| if b < a { b } else { a };
    pmaxub: u8, 16, |a, b| if b > a { b } else { a };
    pmaxuw: u16, 8, |a, b| if b > a { b } else { a };
    pmaxud: u32, 4, |a, b| if b > a { b } else { a };
    pmaxsb: i8, 16, |a, b| if b > a { b } else { a };
    pmaxsw: i16, 8, |a, b| if b > a { b } else { a };
    pmaxsd: i32, 4, |a, b| if b > a { b } else { a };
    pavgb: u8, 16, |a, b| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    pavgw: u16, 8, |a, b| ((u32::from(a) + u32::from(b) + 1) >> 1) as u16;
    pmullw: i16, 8, i16::wrapping_mul;
    pmulld: i32, 4, i32::wrapping_mul;
    pmulhw: i16, 8, |a, b| ((i32::from(a) * i32::from(b)) >> 16) as i16;
    pmulhuw: u16, 8, |a, b| ((u32::from(a) * u32::from(b)) >> 16) as u16;
    pmulhrsw: i16, 8, |a, b| ((((i32::from(a) * i32::from(b)) >> 14) + 1) >> 1) as i16;
    pmuludq: u64, 2, |a, b| (a & 0xFFFF_FFFF) * (b & 0xFFFF_FFFF);
    pmuldq: i64, 2, |a, b| i64::from(a as i32) * i64::from(b as i32);
    pmaddwd: u32, 4, |a, b| madd(a, b).wrapping_add(madd(a >> 16, b >> 16)) as u32;
    pmaddubsw: u16, 8, maddubs;
    psadbw: u64, 2, sad;
    psignb: i8, 16, |a, b| if b < 0 { a.wrapping_neg() } else if b == 0 { 0 } else { a };
    psignw: i16, 8, |a, b| if b < 0 { a.wrapping_neg() } else if b == 0 { 0 } else { a };
    psignd: i32, 4, |a, b| if b < 0 { a.wrapping_neg() } else if b == 0 { 0 } else { a };
}

/// The product of the lowest words.
#[inline(always)]
fn madd(a: u32, b: u32) -> i32 {
    i32::from(a as i16) * i32::from(b as i16)
}

/// The sum of the absolute differences of eight bytes.
#[inline(always)]
fn sad(a: u64, b: u64) -> u64 {
    a.to_le_bytes().into_iter().zip(b.to_le_bytes()).map(|(a, b)| u64::from(a.abs_diff(b))).sum()
}

/// Unsigned bytes of `a` times signed bytes of `b`, neighbours added with saturation.
#[inline(always)]
fn maddubs(a: u16, b: u16) -> u16 {
    let product = |shift: u32| i32::from((a >> shift) as u8) * i32::from((b >> shift) as i8);
    (product(0) + product(8)).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as u16
}

macro_rules! pairwise {
    ($($name:ident: $t:ty, $n:literal, $f:expr;)*) => {$(
        #[inline]
        pub fn $name(a: u128, b: u128) -> u128 {
            fold_pairs::<$t, $n>(a, b, $f)
        }
    )*};
}

pairwise! {
    phaddw: i16, 8, i16::wrapping_add;
    phaddd: i32, 4, i32::wrapping_add;
    phaddsw: i16, 8, i16::saturating_add;
    phsubw: i16, 8, i16::wrapping_sub;
    phsubd: i32, 4, i32::wrapping_sub;
    phsubsw: i16, 8, i16::saturating_sub;
}

macro_rules! unary {
    ($($name:ident: $t:ty, $n:literal, $f:expr;)*) => {$(
        /// The first operand is only the destination.
        #[inline]
        pub fn $name(_: u128, b: u128) -> u128 {
            map::<$t, $n>(b, $f)
        }
    )*};
}

unary! {
    pabsb: i8, 16, i8::wrapping_abs;
    pabsw: i16, 8, i16::wrapping_abs;
    pabsd: i32, 4, i32::wrapping_abs;
}

#[inline]
pub fn pand(a: u128, b: u128) -> u128 {
    a & b
}

#[inline]
pub fn pandn(a: u128, b: u128) -> u128 {
    !a & b
}

#[inline]
pub fn por(a: u128, b: u128) -> u128 {
    a | b
}

#[inline]
pub fn pxor(a: u128, b: u128) -> u128 {
    a ^ b
}

/// The smallest word of `b` and, above it, its index.
#[inline]
pub fn phminposuw(_: u128, b: u128) -> u128 {
    let words = split::<u16, 8>(b);
    let mut least = 0;
    for i in 1..8 {
        if words[i] < words[least] {
            least = i;
        }
    }
    u128::from(words[least]) | (least as u128) << 16
}

/// Eight sums of four absolute differences, see Intel SDM Vol. 2, "MPSADBW".
#[inline]
pub fn mpsadbw(a: u128, b: u128, imm: u8) -> u128 {
    let (a, b) = (a >> (32 * u32::from(imm >> 2 & 1)), b >> (32 * u32::from(imm & 3)));
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    let sum = |i: usize| (0..4).map(|k| u128::from(a[i + k].abs_diff(b[k]))).sum::<u128>();
    (0..8).fold(0, |r, i| r | sum(i) << (16 * i))
}

/// One bit per byte: its top bit.
#[inline]
pub fn pmovmskb(a: u128) -> u64 {
    top_bits(a, 8)
}

#[inline]
pub fn movmskps(a: u128) -> u64 {
    top_bits(a, 32)
}

#[inline]
pub fn movmskpd(a: u128) -> u64 {
    top_bits(a, 64)
}

#[inline(always)]
fn top_bits(a: u128, lane: u32) -> u64 {
    (0..128 / lane).fold(0, |r, i| r | ((a >> (i * lane + lane - 1)) as u64 & 1) << i)
}
