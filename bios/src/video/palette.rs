//! The colours that a mode starts with, in the DAC's six bits per component.
//!
//! IBM PS/2 Hardware Interface Technical Reference, "Video DAC"; the 256 colours of mode 13h are sixteen EGA colours,
//! sixteen greys and nine rings of 24 hues.

/// Numbers of the palettes; three words of the table at [`super::tables::Tables::palettes`] give the first of each.
pub(super) const CGA: u8 = 0;
pub(super) const EGA: u8 = 1;
pub(super) const GREY: u8 = 2;
pub(super) const VGA: u8 = 3;

type Rgb = [u8; 3];

/// One third and two thirds of full intensity, and full.
const LEVELS: [u8; 4] = [0x00, 0x15, 0x2A, 0x3F];

/// Register values rgbRGB: capitals two thirds, small letters one third.
fn ega(value: u8) -> Rgb {
    let level = |high: u8, low: u8| LEVELS[usize::from((value >> high & 1) * 2 + (value >> low & 1))];
    [level(2, 5), level(1, 4), level(0, 3)]
}

/// Register values of 200-line modes: bit 4 is intensity, and dark yellow is brown.
fn cga(value: u8) -> Rgb {
    let level = |bit: u8| LEVELS[usize::from((value >> bit & 1) * 2 + (value >> 4 & 1))];
    match value & 0x17 {
        6 => [0x2A, 0x15, 0x00],
        _ => [level(2), level(1), level(0)],
    }
}

/// Register values of monochrome modes: bit 3 is on, bit 4 brighter.
fn grey(value: u8) -> Rgb {
    let level = match value & 0x18 {
        0x08 => 0x2A,
        0x10 => 0x15,
        0x18 => 0x3F,
        _ => 0x00,
    };
    [level; 3]
}

const GREYS: [u8; 16] =
    [0x00, 0x05, 0x08, 0x0B, 0x0E, 0x11, 0x14, 0x18, 0x1C, 0x20, 0x24, 0x28, 0x2D, 0x32, 0x38, 0x3F];

/// From the least to the greatest component of a ring, in four equal steps: three saturations of each intensity.
#[rustfmt::skip]
const RINGS: [[u8; 5]; 9] = [
    [0x00, 0x10, 0x1F, 0x2F, 0x3F], [0x1F, 0x27, 0x2F, 0x37, 0x3F], [0x2D, 0x31, 0x36, 0x3A, 0x3F],
    [0x00, 0x07, 0x0E, 0x15, 0x1C], [0x0E, 0x11, 0x15, 0x18, 0x1C], [0x14, 0x16, 0x18, 0x1A, 0x1C],
    [0x00, 0x04, 0x08, 0x0C, 0x10], [0x08, 0x0A, 0x0C, 0x0E, 0x10], [0x0B, 0x0C, 0x0D, 0x0F, 0x10],
];

/// Hue `n` of 24: from blue by magenta, red, yellow, green and cyan back to blue.
fn hue(ring: &[u8; 5], n: usize) -> Rgb {
    let (low, high, up, down) = (ring[0], ring[4], ring[n % 4], ring[4 - n % 4]);
    match n / 4 {
        0 => [up, low, high],
        1 => [high, low, down],
        2 => [high, up, low],
        3 => [down, high, low],
        4 => [low, high, up],
        _ => [low, down, high],
    }
}

fn vga() -> Vec<Rgb> {
    let mut colours: Vec<Rgb> = (0..16).map(|value| cga(value & 7 | (value & 8) << 1)).collect();
    colours.extend(GREYS.map(|level| [level; 3]));
    colours.extend(RINGS.iter().flat_map(|ring| (0..24).map(|n| hue(ring, n))));
    colours.resize(256, [0; 3]);
    colours
}

/// The palettes in the order of their numbers.
pub(super) fn all() -> [Vec<u8>; 4] {
    let of = |colour: fn(u8) -> Rgb| (0..64).flat_map(colour).collect();
    [of(cga), of(ega), of(grey), vga().concat()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours() {
        assert_eq!(ega(0x14), [0x2A, 0x15, 0x00], "brown");
        assert_eq!(cga(6), ega(0x14));
        assert_eq!((ega(0x38), cga(0x10)), ([0x15; 3], [0x15; 3]));
        assert_eq!((ega(0x3F), cga(0x17)), ([0x3F; 3], [0x3F; 3]));
        let vga = vga();
        assert_eq!(vga.len(), 256);
        assert_eq!((vga[32], vga[36], vga[40]), ([0, 0, 0x3F], [0x3F, 0, 0x3F], [0x3F, 0, 0]));
        assert_eq!((vga[44], vga[48], vga[52]), ([0x3F, 0x3F, 0], [0, 0x3F, 0], [0, 0x3F, 0x3F]));
        assert_eq!(vga[247], [0x0B, 0x0C, 0x10]);
    }
}
