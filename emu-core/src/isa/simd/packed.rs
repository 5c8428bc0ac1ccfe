//! The packed-integer functions that handlers use: on x86-64 hosts single instructions where the baseline or the
//! running host has them (a tenth of the time: LLVM does not find vectors in a `u128`), the portable ones elsewhere.
//!
//! Definitions here take the place of the portable functions of the same name, and a test compares the two.
#![allow(unsafe_code)] // intrinsics of features that are part of x86-64, or checked for

pub use super::aes::*;
pub use super::integer::*;
pub use super::shift::*;
pub use super::shuffle::*;
use std::arch::x86_64::*;

#[inline(always)]
fn vector(v: u128) -> __m128i {
    // SAFETY: both are 16 bytes in which every bit pattern is valid.
    unsafe { std::mem::transmute::<u128, __m128i>(v) }
}

#[inline(always)]
fn value(v: __m128i) -> u128 {
    // SAFETY: as in `vector`.
    unsafe { std::mem::transmute::<__m128i, u128>(v) }
}

/// A name, a function here, and the portable function it stands for.
#[cfg(test)]
pub type Pair = (&'static str, fn(u128, u128) -> u128, fn(u128, u128) -> u128);

macro_rules! baseline {
    ($($portable:ident: $name:ident => $intrinsic:ident;)*) => {
        $(
            #[inline]
            pub fn $name(a: u128, b: u128) -> u128 {
                // SAFETY: SSE2 is part of x86-64.
                value(unsafe { $intrinsic(vector(a), vector(b)) })
            }
        )*

        #[cfg(test)]
        pub const BASELINE: &[Pair] = &[
            $((stringify!($name), $name, crate::isa::simd::$portable::$name),)*
        ];
    };
}

baseline! {
    integer: paddb => _mm_add_epi8;
    integer: paddw => _mm_add_epi16;
    integer: paddd => _mm_add_epi32;
    integer: paddq => _mm_add_epi64;
    integer: paddsb => _mm_adds_epi8;
    integer: paddsw => _mm_adds_epi16;
    integer: paddusb => _mm_adds_epu8;
    integer: paddusw => _mm_adds_epu16;
    integer: psubb => _mm_sub_epi8;
    integer: psubw => _mm_sub_epi16;
    integer: psubd => _mm_sub_epi32;
    integer: psubq => _mm_sub_epi64;
    integer: psubsb => _mm_subs_epi8;
    integer: psubsw => _mm_subs_epi16;
    integer: psubusb => _mm_subs_epu8;
    integer: psubusw => _mm_subs_epu16;
    integer: pcmpeqb => _mm_cmpeq_epi8;
    integer: pcmpeqw => _mm_cmpeq_epi16;
    integer: pcmpeqd => _mm_cmpeq_epi32;
    integer: pcmpgtb => _mm_cmpgt_epi8;
    integer: pcmpgtw => _mm_cmpgt_epi16;
    integer: pcmpgtd => _mm_cmpgt_epi32;
    integer: pminub => _mm_min_epu8;
    integer: pminsw => _mm_min_epi16;
    integer: pmaxub => _mm_max_epu8;
    integer: pmaxsw => _mm_max_epi16;
    integer: pavgb => _mm_avg_epu8;
    integer: pavgw => _mm_avg_epu16;
    integer: pmullw => _mm_mullo_epi16;
    integer: pmulhw => _mm_mulhi_epi16;
    integer: pmulhuw => _mm_mulhi_epu16;
    integer: pmuludq => _mm_mul_epu32;
    integer: pmaddwd => _mm_madd_epi16;
    integer: psadbw => _mm_sad_epu8;
    shift: psllw => _mm_sll_epi16;
    shift: pslld => _mm_sll_epi32;
    shift: psllq => _mm_sll_epi64;
    shift: psrlw => _mm_srl_epi16;
    shift: psrld => _mm_srl_epi32;
    shift: psrlq => _mm_srl_epi64;
    shift: psraw => _mm_sra_epi16;
    shift: psrad => _mm_sra_epi32;
    shuffle: packsswb => _mm_packs_epi16;
    shuffle: packuswb => _mm_packus_epi16;
    shuffle: packssdw => _mm_packs_epi32;
    shuffle: punpcklbw => _mm_unpacklo_epi8;
    shuffle: punpcklwd => _mm_unpacklo_epi16;
    shuffle: punpckldq => _mm_unpacklo_epi32;
    shuffle: punpcklqdq => _mm_unpacklo_epi64;
    shuffle: punpckhbw => _mm_unpackhi_epi8;
    shuffle: punpckhwd => _mm_unpackhi_epi16;
    shuffle: punpckhdq => _mm_unpackhi_epi32;
    shuffle: punpckhqdq => _mm_unpackhi_epi64;
}

#[inline]
pub fn pmovmskb(a: u128) -> u64 {
    // SAFETY: SSE2 is part of x86-64.
    u64::from(unsafe { _mm_movemask_epi8(vector(a)) } as u32)
}

macro_rules! detected {
    ($($feature:tt, $portable:ident: $name:ident, |$a:ident, $b:ident| $native:expr;)*) => {
        $(
            #[inline]
            pub fn $name(a: u128, b: u128) -> u128 {
                #[target_feature(enable = $feature)]
                fn native($a: __m128i, $b: __m128i) -> __m128i {
                    $native
                }
                if is_x86_feature_detected!($feature) {
                    // SAFETY: the host has the feature.
                    value(unsafe { native(vector(a), vector(b)) })
                } else {
                    crate::isa::simd::$portable::$name(a, b)
                }
            }
        )*

        #[cfg(test)]
        pub const DETECTED: &[Pair] = &[
            $((stringify!($name), $name, crate::isa::simd::$portable::$name),)*
        ];
    };
}

detected! {
    "ssse3", shuffle: pshufb, |a, b| _mm_shuffle_epi8(a, b);
    "ssse3", integer: pmaddubsw, |a, b| _mm_maddubs_epi16(a, b);
    "sse4.1", integer: pminud, |a, b| _mm_min_epu32(a, b);
    "sse4.1", integer: pminsd, |a, b| _mm_min_epi32(a, b);
    "sse4.1", integer: pmaxud, |a, b| _mm_max_epu32(a, b);
    "sse4.1", integer: pmaxsd, |a, b| _mm_max_epi32(a, b);
    "sse4.1", integer: pmulld, |a, b| _mm_mullo_epi32(a, b);
    "aes", aes: aesenc, |a, b| _mm_aesenc_si128(a, b);
    "aes", aes: aesenclast, |a, b| _mm_aesenclast_si128(a, b);
    "aes", aes: aesdec, |a, b| _mm_aesdec_si128(a, b);
    "aes", aes: aesdeclast, |a, b| _mm_aesdeclast_si128(a, b);
}

#[target_feature(enable = "pclmulqdq")]
fn multiply(a: __m128i, b: __m128i) -> __m128i {
    _mm_clmulepi64_si128::<0>(a, b)
}

/// See [`crate::isa::simd::crc::pclmulqdq`].
#[inline]
pub fn pclmulqdq(a: u128, b: u128, imm: u8) -> u128 {
    if !is_x86_feature_detected!("pclmulqdq") {
        return crate::isa::simd::crc::pclmulqdq(a, b, imm);
    }
    let (a, b) = (a >> (64 * u32::from(imm & 1)), b >> (64 * u32::from(imm >> 4 & 1)));
    // SAFETY: the host has the feature.
    value(unsafe { multiply(vector(a), vector(b)) })
}

#[target_feature(enable = "sse4.2")]
fn eight_bytes(crc: u32, data: u64) -> u32 {
    _mm_crc32_u64(crc.into(), data) as u32
}

/// See [`crate::isa::simd::crc::crc32`].
#[inline]
pub fn crc32(crc: u32, data: u64, bytes: u32) -> u32 {
    if bytes == 8 && is_x86_feature_detected!("sse4.2") {
        // SAFETY: the host has the feature.
        unsafe { eight_bytes(crc, data) }
    } else {
        crate::isa::simd::crc::crc32(crc, data, bytes)
    }
}
