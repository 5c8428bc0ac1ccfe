//! The standard modes as the video BIOS sets them (IBM Video Subsystem, "BIOS parameter table").

use super::VgaBench;

pub(super) struct Mode {
    pub(super) miscellaneous: u8,
    pub(super) sequencer: [u8; 5],
    pub(super) crtc: [u8; 25],
    pub(super) graphics: [u8; 9],
    pub(super) attribute: [u8; 21],
}

const fn crtc(timing: [u8; 10], vertical: [u8; 9]) -> [u8; 25] {
    let [a, b, c, d, e, f, g, h, i, j] = timing;
    let [p, q, r, s, t, u, v, w, x] = vertical;
    [a, b, c, d, e, f, g, h, i, j, 0x20, 0, 0, 0, 0, 0, p, q, r, s, t, u, v, w, x]
}

const fn graphics(mode: u8, miscellaneous: u8) -> [u8; 9] {
    [0, 0, 0, 0, 0, mode, miscellaneous, 0x0F, 0xFF]
}

const fn attribute(palette: [u8; 16], mode: u8, planes: u8, panning: u8) -> [u8; 21] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = palette;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, mode, 0, planes, panning, 0]
}

const CGA: [u8; 16] = [0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17];
const TWO: [u8; 16] =
    [0, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17];
const EGA_200: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17];
const EGA: [u8; 16] = [0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F];
const EQUAL: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const MONO: [u8; 16] = [0, 8, 8, 8, 8, 8, 8, 8, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18];

pub(super) const TEXT_40: Mode = Mode {
    miscellaneous: 0x67,
    sequencer: [3, 8, 3, 0, 2],
    crtc: crtc(
        [0x2D, 0x27, 0x28, 0x90, 0x2B, 0xA0, 0xBF, 0x1F, 0, 0x4F],
        [0x9C, 0x8E, 0x8F, 0x14, 0x1F, 0x96, 0xB9, 0xA3, 0xFF],
    ),
    graphics: graphics(0x10, 0x0E),
    attribute: attribute(EGA, 0x0C, 0x0F, 8),
};
pub(super) const TEXT_80: Mode = Mode {
    miscellaneous: 0x67,
    sequencer: [3, 0, 3, 0, 2],
    crtc: crtc(
        [0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0, 0x4F],
        [0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF],
    ),
    graphics: graphics(0x10, 0x0E),
    attribute: attribute(EGA, 0x0C, 0x0F, 8),
};
pub(super) const CGA_4: Mode = Mode {
    miscellaneous: 0x63,
    sequencer: [3, 9, 3, 0, 2],
    crtc: crtc(
        [0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, 0xBF, 0x1F, 0, 0xC1],
        [0x9C, 0x8E, 0x8F, 0x14, 0, 0x96, 0xB9, 0xA2, 0xFF],
    ),
    graphics: graphics(0x30, 0x0F),
    attribute: attribute(CGA, 1, 3, 0),
};
pub(super) const CGA_6: Mode = Mode {
    miscellaneous: 0x63,
    sequencer: [3, 1, 1, 0, 6],
    crtc: crtc(
        [0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0, 0xC1],
        [0x9C, 0x8E, 0x8F, 0x28, 0, 0x96, 0xB9, 0xC2, 0xFF],
    ),
    graphics: graphics(0, 0x0D),
    attribute: attribute(TWO, 1, 1, 0),
};
pub(super) const MONO_7: Mode = Mode {
    miscellaneous: 0x66,
    sequencer: [3, 0, 3, 0, 2],
    crtc: crtc(
        [0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0, 0x4F],
        [0x9C, 0x8E, 0x8F, 0x28, 0x0D, 0x96, 0xB9, 0xA3, 0xFF],
    ),
    graphics: graphics(0x10, 0x0A),
    attribute: attribute(MONO, 0x0E, 0x0F, 8),
};
pub(super) const EGA_D: Mode = Mode {
    miscellaneous: 0x63,
    sequencer: [3, 9, 0x0F, 0, 6],
    crtc: crtc(
        [0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, 0xBF, 0x1F, 0, 0xC0],
        [0x9C, 0x8E, 0x8F, 0x14, 0, 0x96, 0xB9, 0xE3, 0xFF],
    ),
    graphics: graphics(0, 5),
    attribute: attribute(EGA_200, 1, 0x0F, 0),
};
pub(super) const VGA_12: Mode = Mode {
    miscellaneous: 0xE3,
    sequencer: [3, 1, 0x0F, 0, 6],
    crtc: crtc(
        [0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0x0B, 0x3E, 0, 0x40],
        [0xEA, 0x8C, 0xDF, 0x28, 0, 0xE7, 0x04, 0xE3, 0xFF],
    ),
    graphics: graphics(0, 5),
    attribute: attribute(EGA, 1, 0x0F, 0),
};
pub(super) const VGA_13: Mode = Mode {
    miscellaneous: 0x63,
    sequencer: [3, 1, 0x0F, 0, 0x0E],
    crtc: crtc(
        [0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0, 0x41],
        [0x9C, 0x8E, 0x8F, 0x28, 0x40, 0x96, 0xB9, 0xA3, 0xFF],
    ),
    graphics: graphics(0x40, 5),
    attribute: attribute(EQUAL, 0x41, 0x0F, 0),
};

impl VgaBench {
    /// Sets a mode with port writes.
    pub(super) fn set_mode(&mut self, mode: &Mode) -> &mut Self {
        self.port(0x3C2, mode.miscellaneous).set(0x3C4, 0, 1);
        for (index, value) in (1..).zip(&mode.sequencer[1..]) {
            self.set(0x3C4, index, *value);
        }
        self.set(0x3C4, 0, 3);
        let crtc = if mode.miscellaneous & 1 == 0 { 0x3B4 } else { 0x3D4 };
        self.set(crtc, 0x11, 0);
        for (index, value) in (0..).zip(&mode.crtc) {
            self.set(crtc, index, *value);
        }
        for (index, value) in (0..).zip(&mode.graphics) {
            self.set(0x3CE, index, *value);
        }
        self.from(crtc + 6);
        for (index, value) in (0..).zip(&mode.attribute) {
            self.port(0x3C0, index).port(0x3C0, *value);
        }
        self.port(0x3C0, 0x20)
    }

    /// The 64 colours of the EGA, or with `grey` 256 greys with the index as brightness.
    pub(super) fn set_dac(&mut self, grey: bool) -> &mut Self {
        self.port(0x3C6, 0xFF).port(0x3C8, 0);
        for index in 0..=255u8 {
            for component in [2, 1, 0] {
                let ega = (index >> component & 1) * 0x2A + (index >> (component + 3) & 1) * 0x15;
                self.port(0x3C9, if grey { index >> 2 } else { ega });
            }
        }
        self
    }
}
