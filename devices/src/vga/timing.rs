//! Input status 1: where the beam is, computed from guest time and the CRTC's timing registers.

use super::Vga;
use emu_core::Tick;
use serde::{Deserialize, Serialize};

/// A start address that stays in force until the end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeldStart {
    frame: u64,
    address: u16,
}

impl Vga {
    /// The dot clock as kHz: 25.175 or 28.322 MHz (miscellaneous output register, bits 3:2), or half of it.
    fn dot_clock(&self) -> u32 {
        let clock = if self.miscellaneous >> 2 & 3 == 1 { 28_322 } else { 25_175 };
        if self.sequencer.halves_dot_clock() { clock / 2 } else { clock }
    }

    /// Dots in a character clock: 8 or 9.
    pub(super) fn cell_dots(&self) -> u32 {
        if self.sequencer.has_eight_dots() { 8 } else { 9 }
    }

    /// Character clocks since power-on.
    fn columns_since_power_on(&self, now: Tick) -> u128 {
        // One dot lasts 63 000 000 / kHz Ticks, not a whole number: multiply first.
        let dots = u128::from(now.0) * u128::from(self.dot_clock()) / 63_000_000;
        dots / u128::from(self.cell_dots())
    }

    /// Vertical retraces since power-on, if the timing had always been this.
    pub(super) fn frame(&self, now: Tick) -> u64 {
        let lines = self.columns_since_power_on(now) / u128::from(self.crtc.horizontal_total());
        let total = u128::from(self.crtc.vertical_total());
        let before_retrace = u128::from(self.crtc.vertical_retrace_start()).min(total);
        u64::try_from((lines + total - before_retrace) / total).unwrap_or(u64::MAX)
    }

    /// The start address in force: the retrace takes it over.
    pub(super) fn shown_start(&self, now: Tick) -> u16 {
        match self.held_start {
            Some(HeldStart { frame, address }) if frame == self.frame(now) => address,
            _ => self.crtc.start_address(),
        }
    }

    /// The start address is about to change: the present frame keeps the one it has.
    pub(super) fn hold_start(&mut self, now: Tick) {
        let address = self.shown_start(now);
        self.held_start = Some(HeldStart { frame: self.frame(now), address });
    }

    /// The beam's character column and line.
    fn beam(&self, now: Tick) -> (u32, u32) {
        let columns = self.columns_since_power_on(now);
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
