//! Input status 1: where the beam is, computed from guest time and the CRTC's timing registers.

use super::Vga;
use emu_core::Tick;

impl Vga {
    /// The dot clock as kHz: 25.175 or 28.322 MHz (miscellaneous output register, bits 3:2), or half of it.
    fn dot_clock(&self) -> u32 {
        /// Clocking mode register, bit 3: each dot takes two clocks.
        const HALF: u8 = 1 << 3;
        let clock = if self.miscellaneous >> 2 & 3 == 1 { 28_322 } else { 25_175 };
        if self.sequencer.clocking_mode() & HALF != 0 { clock / 2 } else { clock }
    }

    /// Dots in a character clock: 8 or 9.
    fn cell_dots(&self) -> u32 {
        if self.sequencer.clocking_mode() & 1 != 0 { 8 } else { 9 }
    }

    /// The beam's character column and line.
    fn beam(&self, now: Tick) -> (u32, u32) {
        // One dot lasts 63 000 000 / kHz Ticks, not a whole number: multiply first.
        let dots = u128::from(now.0) * u128::from(self.dot_clock()) / 63_000_000;
        let columns = dots / u128::from(self.cell_dots());
        let total = u128::from(self.crtc.horizontal_total());
        let lines = columns / total;
        let small = |value: u128| u32::try_from(value).unwrap_or(0);
        (small(columns % total), small(lines % u128::from(self.crtc.vertical_total())))
    }

    pub(super) fn status_1(&self, now: Tick) -> u8 {
        /// Bit 0, "display enable" (active low), and bit 3, "vertical retrace".
        const BLANK: u8 = 1 << 0;
        const VERTICAL_RETRACE: u8 = 1 << 3;
        let (column, line) = self.beam(now);
        let blank = column >= self.crtc.columns() || line >= self.crtc.displayed_lines();
        let into_retrace = line.checked_sub(self.crtc.vertical_retrace_start());
        let retrace = into_retrace.is_some_and(|lines| lines < self.crtc.vertical_retrace_lines());
        (if blank { BLANK } else { 0 }) | (if retrace { VERTICAL_RETRACE | BLANK } else { 0 })
    }
}
