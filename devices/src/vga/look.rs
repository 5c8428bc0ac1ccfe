//! All that turns what was fetched into pixels: as long as it stays the same, equal bytes are equal pixels.

/// How the picture is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Look {
    /// The sequencer is held in reset, or the CRTC makes no retrace.
    #[default]
    NoSignal,
    /// From the planes, by the CRTC.
    Raster(RasterLook),
}

/// What a character clock's worth of memory means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Nothing is shown: the screen is off, or the palette is being written.
    Dark,
    /// Dots of a character row with their colours, see [`super::text_line`].
    Text,
    /// One bit of each plane for a dot.
    Planes,
    /// Two bits of planes 0 and 2, then of planes 1 and 3 (graphics mode register, bit 5, "shift register").
    Pairs,
    /// Four bits of each plane in turn (graphics mode register, bit 6, "256 colours").
    Nibbles,
}

/// The look of a VGA mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RasterLook {
    /// Character clocks in a line.
    pub(super) columns: usize,
    pub(super) lines: usize,
    /// Dots in a character clock: 8 or 9.
    pub(super) dots: usize,
    /// Each dot takes two dots of the monitor.
    pub(super) doubled: bool,
    pub(super) format: Format,
    /// Two dots make one 8-bit colour (attribute mode control, bit 6).
    pub(super) eight_bits: bool,
    /// 16 colours, or 256.
    pub(super) palette: Vec<u32>,
}

impl RasterLook {
    /// Monitor dots in one dot of ours.
    pub(super) fn scale(&self) -> usize {
        if self.doubled { 2 } else { 1 }
    }

    pub(super) fn width(&self) -> usize {
        self.columns * self.dots * self.scale()
    }
}
