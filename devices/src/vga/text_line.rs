//! A scan line of a text mode: dots and colours of each character.
//!
//! Follows the "IBM PS/2 Hardware Interface Technical Reference", "Alphanumeric Modes", "Character Map Select".

use super::Vga;
use super::raster::Line;

/// Characters C0h-DFh continue into the ninth dot (attribute mode control, bit 2).
const LINE_GRAPHICS: std::ops::RangeInclusive<u8> = 0xC0..=0xDF;
/// All nine dots.
const SOLID: u32 = 0x1FF;

/// What is the same for all characters of a frame.
pub(super) struct TextFrame {
    /// Where the fonts begin in plane 2: for attributes with bit 3 clear, and set.
    fonts: [u16; 2],
    blinks: bool,
    /// Blinking characters are visible now.
    visible: bool,
    continues: bool,
    underline: u8,
    /// Address counter, first and last line; `None` while it is not visible.
    cursor: Option<(u16, u8, u8)>,
}

/// One character of a scan line: its nine dots from bit 8 down, foreground from bit 16, background from bit 20.
fn slice(dots: u32, foreground: u8, background: u8) -> u32 {
    dots | u32::from(foreground) << 16 | u32::from(background) << 20
}

/// The parts of a slice: dots, foreground, background.
pub(super) fn parts(slice: u32) -> (u32, usize, usize) {
    (slice & SOLID, slice as usize >> 16 & 0xF, slice as usize >> 20 & 0xF)
}

impl Vga {
    /// `frame` counts frames: the cursor blinks in 16 of them, characters in 32.
    pub(super) fn text_frame(&self, frame: u64) -> TextFrame {
        /// Cursor start register, bit 5.
        const OFF: u8 = 1 << 5;
        let (start, end) = (self.crtc.cursor_start(), self.crtc.cursor_end() & 0x1F);
        let lit = start & OFF == 0 && frame & 8 == 0;
        TextFrame {
            fonts: self.sequencer.fonts(),
            blinks: self.attribute.blinks(),
            visible: frame & 16 == 0,
            continues: self.attribute.continues_line_graphics(),
            underline: self.crtc.underline_location(),
            cursor: lit.then_some((self.crtc.cursor_address(), start & 0x1F, end)),
        }
    }

    pub(super) fn fetch_text(&self, line: Line, frame: &TextFrame, into: &mut [u32]) {
        for (column, slice) in (0..).zip(into) {
            let counter = line.counter.wrapping_add(column >> self.crtc.counter_shift());
            *slice = self.character(counter, line.scan, frame);
        }
    }

    fn character(&self, counter: u16, scan: u8, frame: &TextFrame) -> u32 {
        let [code, attribute, ..] = self.memory.word(self.crtc.address(counter, scan)).to_le_bytes();
        let (foreground, background) = (attribute & 0xF, attribute >> 4);
        if frame.cursor.is_some_and(|(at, start, end)| at == counter && (start..=end).contains(&scan)) {
            return slice(SOLID, foreground, if frame.blinks { background & 7 } else { background });
        }
        let dots = self.glyph(code, attribute, scan, frame);
        match frame.blinks {
            false => slice(dots, foreground, background),
            true if attribute & 0x80 != 0 && !frame.visible => slice(0, foreground, background & 7),
            true => slice(dots, foreground, background & 7),
        }
    }

    fn glyph(&self, code: u8, attribute: u8, scan: u8, frame: &TextFrame) -> u32 {
        // "Attribute byte": blue on black is underlined, blinking and bright or not.
        if scan == frame.underline && attribute & 0x77 == 1 {
            return SOLID;
        }
        let font = frame.fonts[usize::from(attribute >> 3 & 1)];
        let place = font.wrapping_add(u16::from(code) << 5 | u16::from(scan));
        let [.., dots, _] = self.memory.word(place).to_le_bytes();
        let ninth = if frame.continues && LINE_GRAPHICS.contains(&code) { dots & 1 } else { 0 };
        u32::from(dots) << 1 | u32::from(ninth)
    }
}
