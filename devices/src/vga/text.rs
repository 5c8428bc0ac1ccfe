//! The text screen, and the state a kernel booted without firmware finds.

use super::Vga;
use super::registers::{Attribute, Crtc, Graphics, Sequencer};

/// A character cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The character code; in code page 437 unless the guest has loaded another font.
    pub ch: u8,
    /// Foreground in bits 3:0, background in bits 6:4, blink or bright background in bit 7.
    pub attribute: u8,
}

/// The cursor of a text screen, in cells from the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub column: u32,
    pub row: u32,
    /// First and last scan line in the cell.
    pub start: u8,
    pub end: u8,
}

/// What a text mode shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextScreen {
    pub columns: u32,
    pub rows: u32,
    /// Row by row.
    pub cells: Vec<Cell>,
    /// `None` if it is off or outside of the screen.
    pub cursor: Option<Cursor>,
}

/// Mode 3 (80x25, 9x16 cells, 400 lines) as the VGA BIOS sets it. IBM Video Subsystem, "BIOS parameter
/// table".
const MISCELLANEOUS_3: u8 = 0x67;
const SEQUENCER_3: [u8; 5] = [0x03, 0x00, 0x03, 0x00, 0x02];
const CRTC_3: [u8; 25] = [
    0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C,
    0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF,
];
const GRAPHICS_3: [u8; 9] = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF];
const ATTRIBUTE_3: [u8; 21] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C,
    0x00, 0x0F, 0x08, 0x00,
];
/// Palette address source: the display has the palette.
const DISPLAY_ON: u8 = 1 << 5;
/// A space, grey on black.
const BLANK: u32 = 0x0720;

impl Vga {
    /// The text screen; `None` in graphics modes and while the sequencer is held in reset.
    pub fn text_screen(&self) -> Option<TextScreen> {
        if self.vbe.is_enabled() || self.graphics.is_graphics_mode() || !self.sequencer.runs() {
            return None;
        }
        let columns = self.crtc.columns();
        let rows = self.crtc.displayed_lines() / self.crtc.cell_lines();
        let mut cells = Vec::new();
        let mut start = self.crtc.start_address();
        for _ in 0..rows {
            let counters = (0..columns).scan(start, |counter, _| {
                let here = *counter;
                *counter = counter.wrapping_add(1);
                Some(here)
            });
            cells.extend(counters.map(|counter| self.cell(counter)));
            start = start.wrapping_add(self.crtc.row_offset());
        }
        Some(TextScreen { columns, rows, cells, cursor: self.cursor(columns, rows) })
    }

    /// Character in plane 0, attribute in plane 1.
    fn cell(&self, counter: u16) -> Cell {
        let [ch, attribute, ..] = self.memory.word(self.crtc.memory_address(counter)).to_le_bytes();
        Cell { ch, attribute }
    }

    fn cursor(&self, columns: u32, rows: u32) -> Option<Cursor> {
        /// Cursor start register, bit 5.
        const OFF: u8 = 1 << 5;
        let (start, end) = (self.crtc.cursor_start(), self.crtc.cursor_end() & 0x1F);
        let from_start = u32::from(self.crtc.cursor_address().wrapping_sub(self.crtc.start_address()));
        let pitch = u32::from(self.crtc.row_offset());
        let (row, column) = (from_start.checked_div(pitch)?, from_start % pitch);
        let shown = start & OFF == 0 && start & 0x1F <= end && row < rows && column < columns;
        shown.then_some(Cursor { column, row, start: start & 0x1F, end })
    }

    /// Sets mode 3 with a blank screen, as firmware leaves it for a kernel. `font` has 16 lines for each character.
    pub fn set_mode_3(&mut self, font: &[u8]) {
        self.writes.count();
        self.miscellaneous = MISCELLANEOUS_3;
        for (index, value) in (0..).zip(SEQUENCER_3) {
            self.sequencer.file.set(index, value, &Sequencer::WRITABLE);
        }
        for (index, value) in (0..).zip(CRTC_3) {
            self.crtc.file.set(index, value, &Crtc::WRITABLE);
        }
        for (index, value) in (0..).zip(GRAPHICS_3) {
            self.graphics.file.set(index, value, &Graphics::WRITABLE);
        }
        for (index, value) in (0..).zip(ATTRIBUTE_3) {
            self.attribute.file.set(index, value, &Attribute::WRITABLE);
        }
        self.attribute.index = DISPLAY_ON;
        self.attribute.expects_data = false;
        self.load_ega_colours();
        // The 32 KiB at B8000h: even addresses of planes 0 and 1.
        for address in (0..0x8000u32).step_by(2) {
            self.memory.set_word(address, BLANK);
        }
        self.load_font(font);
    }

    /// Into the first font of plane 2, where each character has 32 bytes.
    fn load_font(&mut self, font: &[u8]) {
        for (place, lines) in (0u32..).step_by(32).zip(font.chunks(16)) {
            for (address, line) in (place..).zip(lines) {
                let word = self.memory.word(address) & !(0xFF << 16);
                self.memory.set_word(address, word | u32::from(*line) << 16);
            }
        }
    }

    /// The 64 colours of the EGA: bits 2:0 are the strong red, green and blue, bits 5:3 the weak ones.
    fn load_ega_colours(&mut self) {
        self.dac.set_write_index(0);
        for colour in 0..64u8 {
            for component in [2, 1, 0] {
                let strong = colour >> component & 1;
                let weak = colour >> (component + 3) & 1;
                self.dac.write(strong * 0x2A + weak * 0x15, false);
            }
        }
    }
}
