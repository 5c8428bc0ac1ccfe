//! The monitor's description.

use super::super::edid::block;

#[test]
fn every_block_sums_to_nothing() {
    for width in (8..=3840).step_by(8) {
        let bytes = block(width, (width / 4 * 3).clamp(1, 2160));
        assert_eq!(bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
    }
}

/// The timings that CVT's own spreadsheet gives with reduced blanking: pixel clock in 10 kHz, vertical total.
#[test]
fn preferred_timings_are_those_of_cvt() {
    for (width, height, clock, total) in [
        (1024, 768, 5600, 790),
        (1280, 800, 7100, 823),
        (1920, 1080, 13_850, 1111),
        (3840, 2160, 53_325, 2222),
    ] {
        let bytes = block(width, height);
        let timing = &bytes[54..72];
        assert_eq!(u16::from_le_bytes([timing[0], timing[1]]), clock, "{width}x{height}");
        let twelve = |low: u8, high: u8| u16::from(high >> 4) << 8 | u16::from(low);
        assert_eq!((twelve(timing[2], timing[4]), twelve(timing[5], timing[7])), (width, height));
        let blank = u16::from(timing[7] & 0xF) << 8 | u16::from(timing[6]);
        assert_eq!(height + blank, total, "{width}x{height}");
    }
}
