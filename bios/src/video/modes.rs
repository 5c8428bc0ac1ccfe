//! The standard modes: register values and memory models.
//!
//! Values: IBM PS/2 and PC BIOS Interface Technical Reference, "Video Parameter Table" (layout), and the VGA's standard
//! register settings (FreeVGA; Ferraro, "Programmer's Guide to the EGA, VGA and Super VGA Cards", appendix).

use super::layout::model;

/// One 64-byte row of the video parameter table.
struct Parameters {
    columns: u8,
    rows: u8,
    character_height: u8,
    page_size: u16,
    sequencer: [u8; 4],
    miscellaneous: u8,
    crtc: Crtc,
    attribute: Attribute,
    graphics: [u8; 3],
}

/// Horizontal timing, vertical timing and what depends on the mode.
struct Crtc {
    horizontal: [u8; 6],
    vertical: Vertical,
    /// Registers 09h-0Bh: maximum scan line, cursor start and end.
    cell: [u8; 3],
    /// Registers 13h, 14h and 17h: offset, underline location, mode control.
    addressing: [u8; 3],
}

#[derive(Clone, Copy)]
struct Vertical {
    /// Registers 06h-07h.
    total: [u8; 2],
    /// Registers 10h-12h.
    retrace: [u8; 3],
    /// Registers 15h-16h.
    blank: [u8; 2],
}

const LINES_350: Vertical =
    Vertical { total: [0xBF, 0x1F], retrace: [0x83, 0x85, 0x5D], blank: [0x63, 0xBA] };
const LINES_400: Vertical =
    Vertical { total: [0xBF, 0x1F], retrace: [0x9C, 0x8E, 0x8F], blank: [0x96, 0xB9] };
const LINES_480: Vertical =
    Vertical { total: [0x0B, 0x3E], retrace: [0xEA, 0x8C, 0xDF], blank: [0xE7, 0x04] };

const TEXT_40: [u8; 6] = [0x2D, 0x27, 0x28, 0x90, 0x2B, 0xA0];
const TEXT_80: [u8; 6] = [0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81];
const DOTS_320: [u8; 6] = [0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80];
const DOTS_640: [u8; 6] = [0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80];

/// The attribute controller's sixteen palette registers, and registers 10h-13h.
type Attribute = ([u8; 16], [u8; 4]);

/// Colours of a CGA: bright ones from 10h on.
const CGA: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17];
/// Colours of an EGA with brown, bright ones from 38h on.
const EGA: [u8; 16] = [0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F];
const CGA_4: [u8; 16] = [0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17];
const CGA_2: [u8; 16] = two_colours(0x17);
const VGA_2: [u8; 16] = two_colours(0x3F);
const IN_ORDER: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const MONOCHROME: [u8; 16] = [0, 8, 8, 8, 8, 8, 8, 8, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18];
const MONOCHROME_DOTS: [u8; 16] = [0, 8, 0, 0, 0x18, 0x18, 0, 0, 0, 8, 0, 0, 0, 0x18, 0, 0];

const fn two_colours(bright: u8) -> [u8; 16] {
    let mut palette = [bright; 16];
    palette[0] = 0;
    palette
}

/// Graphics controller registers 5-7.
const COLOUR_TEXT: [u8; 3] = [0x10, 0x0E, 0x00];
const MONOCHROME_TEXT: [u8; 3] = [0x10, 0x0A, 0x00];
const PLANES: [u8; 3] = [0x00, 0x05, 0x0F];

impl Parameters {
    fn text(wide: bool, height: u8) -> Self {
        let (vertical, cell, miscellaneous) = match height {
            8 => (LINES_400, [0xC7, 0x06, 0x07], 0x63),
            14 => (LINES_350, [0x4D, 0x0B, 0x0C], 0xA3),
            _ => (LINES_400, [0x4F, 0x0D, 0x0E], 0x67),
        };
        // Nine dots to a character only with 16 rows; half the dot clock for 40 columns.
        let clocking = u8::from(height != 16) | if wide { 0 } else { 8 };
        let (horizontal, offset) = if wide { (TEXT_80, 0x28) } else { (TEXT_40, 0x14) };
        let attribute = match height {
            8 => (CGA, [0x08, 0x00, 0x0F, 0x00]),
            14 => (EGA, [0x08, 0x00, 0x0F, 0x00]),
            _ => (EGA, [0x0C, 0x00, 0x0F, 0x08]),
        };
        Self {
            columns: if wide { 80 } else { 40 },
            rows: 25,
            character_height: height,
            page_size: if wide { 0x1000 } else { 0x800 },
            sequencer: [clocking, 0x03, 0x00, 0x02],
            miscellaneous,
            crtc: Crtc { horizontal, vertical, cell, addressing: [offset, 0x1F, 0xA3] },
            attribute,
            graphics: COLOUR_TEXT,
        }
    }

    fn monochrome_text(height: u8) -> Self {
        let (vertical, cell, miscellaneous) = match height {
            14 => (LINES_350, [0x4D, 0x0B, 0x0C], 0xA6),
            _ => (LINES_400, [0x4F, 0x0D, 0x0E], 0x66),
        };
        Self {
            sequencer: [0x00, 0x03, 0x00, 0x02],
            miscellaneous,
            crtc: Crtc { horizontal: TEXT_80, vertical, cell, addressing: [0x28, height - 1, 0xA3] },
            attribute: (MONOCHROME, [0x0E, 0x00, 0x0F, 0x08]),
            graphics: MONOCHROME_TEXT,
            ..Self::text(true, height)
        }
    }

    fn cga(colours: u8) -> Self {
        let is_wide = colours == 2;
        let (horizontal, map_mask, attribute) = match is_wide {
            true => (DOTS_640, 0x01, (CGA_2, [0x01, 0x00, 0x01, 0x00])),
            false => (DOTS_320, 0x03, (CGA_4, [0x01, 0x00, 0x03, 0x00])),
        };
        let (clocking, memory_mode) = if is_wide { (0x01, 0x06) } else { (0x09, 0x02) };
        let (offset, mode_control) = if is_wide { (0x28, 0xC2) } else { (0x14, 0xA2) };
        Self {
            columns: if is_wide { 80 } else { 40 },
            rows: 25,
            character_height: 8,
            page_size: 0x4000,
            sequencer: [clocking, map_mask, 0x00, memory_mode],
            miscellaneous: 0x63,
            crtc: Crtc {
                horizontal,
                vertical: LINES_400,
                cell: [0xC1, 0x00, 0x00],
                addressing: [offset, 0x00, mode_control],
            },
            attribute,
            graphics: if is_wide { [0x00, 0x0D, 0x00] } else { [0x30, 0x0F, 0x00] },
        }
    }

    /// Planes of 200 lines, modes 0Dh and 0Eh.
    fn planes_200(wide: bool) -> Self {
        let (horizontal, offset, clocking) =
            if wide { (DOTS_640, 0x28, 0x01) } else { (DOTS_320, 0x14, 0x09) };
        Self {
            columns: if wide { 80 } else { 40 },
            rows: 25,
            character_height: 8,
            page_size: if wide { 0x4000 } else { 0x2000 },
            sequencer: [clocking, 0x0F, 0x00, 0x06],
            miscellaneous: 0x63,
            crtc: Crtc {
                horizontal,
                vertical: LINES_400,
                cell: [0xC0, 0x00, 0x00],
                addressing: [offset, 0x00, 0xE3],
            },
            attribute: (CGA, [0x01, 0x00, 0x0F, 0x00]),
            graphics: PLANES,
        }
    }

    /// Mode 10h.
    fn planes_350() -> Self {
        Self {
            character_height: 14,
            page_size: 0x8000,
            miscellaneous: 0xA3,
            crtc: Crtc {
                horizontal: DOTS_640,
                vertical: LINES_350,
                cell: [0x40, 0x00, 0x00],
                addressing: [0x28, 0x0F, 0xE3],
            },
            attribute: (EGA, [0x01, 0x00, 0x0F, 0x00]),
            ..Self::planes_200(true)
        }
    }

    /// Mode 0Fh.
    fn monochrome_planes() -> Self {
        Self {
            miscellaneous: 0xA2,
            attribute: (MONOCHROME_DOTS, [0x0B, 0x00, 0x05, 0x00]),
            graphics: [0x00, 0x05, 0x05],
            ..Self::planes_350()
        }
    }

    /// Mode 12h.
    fn planes_480() -> Self {
        Self {
            rows: 30,
            character_height: 16,
            page_size: 0xA000,
            miscellaneous: 0xE3,
            crtc: Crtc {
                horizontal: DOTS_640,
                vertical: LINES_480,
                cell: [0x40, 0x00, 0x00],
                addressing: [0x28, 0x00, 0xE3],
            },
            ..Self::planes_350()
        }
    }

    /// Mode 11h.
    fn two_colours_480() -> Self {
        let mut parameters = Self::planes_480();
        parameters.crtc.addressing = [0x28, 0x00, 0xC3];
        parameters.attribute = (VGA_2, [0x01, 0x00, 0x0F, 0x00]);
        parameters.graphics = [0x00, 0x05, 0x01];
        parameters
    }

    /// Mode 13h.
    fn linear() -> Self {
        Self {
            columns: 40,
            page_size: 0x2000,
            sequencer: [0x01, 0x0F, 0x00, 0x0E],
            crtc: Crtc {
                horizontal: DOTS_640,
                vertical: LINES_400,
                cell: [0x41, 0x00, 0x00],
                addressing: [0x28, 0x40, 0xA3],
            },
            attribute: (IN_ORDER, [0x41, 0x00, 0x0F, 0x00]),
            graphics: [0x40, 0x05, 0x0F],
            ..Self::planes_200(true)
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let Crtc { horizontal, vertical: Vertical { total, retrace, blank }, cell, addressing } = &self.crtc;
        let [offset, underline, mode_control] = *addressing;
        let (palette, attribute) = &self.attribute;
        [
            &[self.columns, self.rows - 1, self.character_height][..],
            &self.page_size.to_le_bytes(),
            &self.sequencer,
            &[self.miscellaneous],
            horizontal,
            total,
            // Preset row scan; start address and cursor location.
            &[0],
            cell,
            &[0; 4],
            retrace,
            &[offset, underline],
            blank,
            &[mode_control, 0xFF],
            palette,
            attribute,
            &[0; 5],
            &self.graphics,
            &[0xFF],
        ]
        .concat()
    }
}

/// Bytes of a row.
pub(super) const PARAMETERS: i32 = 64;

/// The video parameter table, 29 rows in IBM's order.
pub(super) fn parameter_table() -> Vec<u8> {
    use Parameters as P;
    let narrow = |height| P::text(false, height);
    let wide = |height| P::text(true, height);
    #[rustfmt::skip]
    let rows = [
        // 00h-07h, text of 200 lines.
        narrow(8), narrow(8), wide(8), wide(8), P::cga(4), P::cga(4), P::cga(2), P::monochrome_text(14),
        // 08h-0Ch are not video modes.
        P::cga(4), P::cga(4), P::cga(4), P::cga(4), P::cga(4),
        // 0Dh and 0Eh; 0Fh and 10h for 64 KiB of memory, then for more.
        P::planes_200(false), P::planes_200(true), P::monochrome_planes(), P::planes_350(),
        P::monochrome_planes(), P::planes_350(),
        // Text of 350 lines, modes 0-3, then of 400 lines, modes 0 and 1 in one row, 2 and 3 in one row, and 7.
        narrow(14), narrow(14), wide(14), wide(14), narrow(16), wide(16), P::monochrome_text(16),
        // 11h-13h.
        P::two_colours_480(), P::planes_480(), P::linear(),
    ];
    rows.iter().flat_map(P::bytes).collect()
}

/// A mode that is not there.
const NONE: u8 = 0xFF;

/// Rows of the parameter table by mode, for text modes those of 200 lines (or 350 for mode 7).
pub(super) const ROWS_200: [u8; 20] =
    [0, 1, 2, 3, 4, 5, 6, 7, NONE, NONE, NONE, NONE, NONE, 13, 14, 17, 18, 26, 27, 28];
/// Text modes 0-3 and 7 of 350 and of 400 lines.
pub(super) const ROWS_350: [u8; 8] = [19, 20, 21, 22, 4, 5, 6, 7];
pub(super) const ROWS_400: [u8; 8] = [23, 23, 24, 24, 4, 5, 6, 25];

/// Memory models by mode.
#[rustfmt::skip]
pub(super) fn models() -> [u8; 20] {
    use model::{CGA_2, CGA_4, LINEAR, PLANAR, TEXT};
    [
        TEXT, TEXT, TEXT, TEXT, CGA_4, CGA_4, CGA_2, TEXT,
        TEXT, TEXT, TEXT, TEXT, TEXT, PLANAR, PLANAR, PLANAR,
        PLANAR, PLANAR, PLANAR, LINEAR,
    ]
    .map(|model| model.to_le_bytes()[0])
}

/// Default palettes by mode, as numbered in [`super::palette`].
#[rustfmt::skip]
pub(super) const PALETTES: [u8; 20] = {
    use super::palette::{CGA, EGA, GREY, VGA};
    [
        EGA, EGA, EGA, EGA, CGA, CGA, CGA, GREY,
        EGA, EGA, EGA, EGA, EGA, CGA, CGA, GREY,
        EGA, EGA, EGA, VGA,
    ]
};

/// What the CGA's mode select register would hold in modes 0-7 (IBM PC Technical Reference, "Color/Graphics Adapter").
pub(super) const MODE_SELECTS: [u8; 8] = [0x2C, 0x28, 0x2D, 0x29, 0x2A, 0x2E, 0x1E, 0x29];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_29_rows_of_64_bytes() {
        let table = parameter_table();
        assert_eq!(table.len(), 29 * 64);
        let mode_3 = &table[24 * 64..][..64];
        assert_eq!(mode_3[..10], [80, 24, 16, 0x00, 0x10, 0x00, 0x03, 0x00, 0x02, 0x67]);
        assert_eq!(mode_3[10..35], hex("5F4F50825581BF1F004F0D0E000000009C8E8F281F96B9A3FF"));
        let mode_12 = &table[27 * 64..][..64];
        assert_eq!(mode_12[10..35], hex("5F4F508254800B3E0040000000000000EA8CDF2800E704E3FF"));
        assert_eq!(mode_12[55..], hex("000000000000050FFF"));
        let mode_13 = &table[28 * 64..][..64];
        assert_eq!(mode_13[10..35], hex("5F4F50825480BF1F00410000000000009C8E8F284096B9A3FF"));
    }

    fn hex(text: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
        (0..text.len()).step_by(2).map(byte).collect()
    }
}
