//! What the monitor says of itself: an EDID base block.
//!
//! Follows VESA "E-EDID Standard, Release A, Revision 2" (EDID 1.4); the preferred timing is that of VESA "CVT 1.2",
//! reduced blanking, at 60 Hz.

use crate::bits::low8;

/// Bytes of the base block.
pub(super) const LEN: usize = 128;

/// Section 3.3 and 3.4: header, manufacturer "PSD", product 1, no serial number, of 2026, EDID 1.4.
const HEAD: [u8; 20] = [0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0x42, 0x64, 1, 0, 0, 0, 0, 0, 0, 36, 1, 4];
/// Section 3.7: the primaries and white point of sRGB.
const CHROMATICITY: [u8; 10] = [0xEE, 0x91, 0xA3, 0x54, 0x4C, 0x99, 0x26, 0x0F, 0x50, 0x54];
/// Section 3.8: 640x480, 800x600 and 1024x768 at 60 Hz.
const ESTABLISHED: [u8; 3] = [0x21, 0x08, 0x00];
/// Section 3.9: width, and the aspect in bits 7:6 above 60 Hz.
const STANDARD: [[u8; 2]; 8] = [
    standard(1920, WIDE),
    standard(1680, SIXTEEN_TO_TEN),
    standard(1600, FOUR_TO_THREE),
    standard(1440, SIXTEEN_TO_TEN),
    standard(1280, FIVE_TO_FOUR),
    standard(1280, FOUR_TO_THREE),
    standard(1280, SIXTEEN_TO_TEN),
    standard(1280, WIDE),
];
const SIXTEEN_TO_TEN: u8 = 0 << 6;
const FOUR_TO_THREE: u8 = 1 << 6;
const FIVE_TO_FOUR: u8 = 2 << 6;
/// 16:9.
const WIDE: u8 = 3 << 6;

const fn standard(width: u64, aspect: u8) -> [u8; 2] {
    [low8(width / 8 - 31), aspect]
}

/// Section 3.10.3: the name, the range limits (50-75 Hz, 30-160 kHz, 600 MHz, no formula), and an unused descriptor.
const NAME: [u8; 18] = *b"\0\0\0\xFC\0Posada\n      ";
const LIMITS: [u8; 18] = *b"\0\0\0\xFD\0\x32\x4B\x1E\xA0\x3C\x01\n      ";
const UNUSED: [u8; 18] = *b"\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// The block of a monitor that prefers a mode, of at most 3840x2160.
pub(super) fn block(width: u16, height: u16) -> [u8; LEN] {
    let mut bytes = Vec::with_capacity(LEN);
    bytes.extend(HEAD);
    // Section 3.6: digital with 8 bits per colour; size at 96 pixels per inch; gamma 2.2; sRGB, and the first
    // detailed timing is the native one.
    bytes.extend([0xA0, centimetres(width), centimetres(height), 0x78, 0x06]);
    bytes.extend(CHROMATICITY);
    bytes.extend(ESTABLISHED);
    bytes.extend(STANDARD.as_flattened());
    bytes.extend(detailed_timing(width.into(), height.into()));
    bytes.extend(NAME);
    bytes.extend(LIMITS);
    bytes.extend(UNUSED);
    // No extension; the sum of all bytes is 0.
    bytes.push(0);
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes.push(sum.wrapping_neg());
    bytes.try_into().expect("the parts are 128 bytes together")
}

fn centimetres(pixels: u16) -> u8 {
    u8::try_from(u32::from(pixels) * 254 / 9600).unwrap_or(u8::MAX)
}

/// CVT 1.2, 3.4: dots and lines that reduced blanking has.
const H_BLANK: u32 = 160;
const H_FRONT: u32 = 48;
const H_SYNC: u32 = 32;
const V_FRONT: u32 = 3;
const V_BACK: u32 = 6;
/// The vertical blanking lasts at least 460 microseconds.
const V_BLANK_MICROS: u32 = 460;
const RATE: u32 = 60;

/// CVT 1.2, table 3-2: the width of the vertical sync tells the aspect.
fn v_sync(width: u32, height: u32) -> u32 {
    match (width, height) {
        (w, h) if w * 3 == h * 4 => 4,
        (w, h) if w * 9 == h * 16 => 5,
        (w, h) if w * 10 == h * 16 => 6,
        (w, h) if w * 4 == h * 5 || w * 9 == h * 15 => 7,
        _ => 10,
    }
}

/// Section 3.10.2, "Detailed Timing Descriptor".
fn detailed_timing(width: u32, height: u32) -> [u8; 18] {
    let sync = v_sync(width, height);
    let active_micros = 1_000_000 / RATE - V_BLANK_MICROS;
    let v_blank = (V_BLANK_MICROS * height / active_micros + 1).max(V_FRONT + sync + V_BACK);
    // In units of 10 kHz, a multiple of 0.25 MHz.
    let clock = (width + H_BLANK) * (height + v_blank) * RATE / 250_000 * 25;
    let (width_mm, height_mm) = (width * 254 / 960, height * 254 / 960);
    let low = |value: u32| low8(value.into());
    let high = |a: u32, b: u32| low(a >> 8 << 4 | b >> 8);
    [
        low(clock),
        low(clock >> 8),
        low(width),
        low(H_BLANK),
        high(width, H_BLANK),
        low(height),
        low(v_blank),
        high(height, v_blank),
        low(H_FRONT),
        low(H_SYNC),
        low(V_FRONT << 4 | sync),
        0,
        low(width_mm),
        low(height_mm),
        high(width_mm, height_mm),
        0,
        0,
        // Digital separate sync, horizontal positive: CVT with reduced blanking.
        0x1A,
    ]
}
