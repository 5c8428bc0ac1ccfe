//! The CRTC's walk through display memory: for each scan line, where its row begins and which line of it it is.
//!
//! Follows the "IBM PS/2 Hardware Interface Technical Reference", "CRT Controller Registers". Dividing the
//! vertical counters by two (mode control, bit 2), cursor skew and overscan are left out.

use super::registers::{Attribute, Crtc};

/// One scan line of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The memory address counter at the first column.
    pub(super) counter: u16,
    /// The row scan counter: the line in its character row.
    pub(super) scan: u8,
    /// The horizontal PEL panning register is in force.
    pub(super) pans: bool,
}

/// The scan lines of a frame, without end.
pub(super) struct Lines<'a> {
    crtc: &'a Crtc,
    /// Whether panning ends at the split (attribute mode control, bit 5).
    split_stops_panning: bool,
    y: u32,
    next: Line,
    /// Start of the present character row.
    row: u16,
    /// With double scan: the present line is shown a second time.
    again: bool,
}

impl<'a> Lines<'a> {
    /// `start` is the start address in force.
    pub(super) fn new(crtc: &'a Crtc, attribute: &Attribute, start: u16) -> Self {
        let row = start.wrapping_add(crtc.byte_panning().into());
        let next = Line { counter: row, scan: crtc.preset_row_scan(), pans: true };
        let split_stops_panning = attribute.split_stops_panning();
        Self { crtc, split_stops_panning, y: 0, next, row, again: false }
    }

    fn step(&mut self) {
        let y = self.y;
        self.y = y.wrapping_add(1);
        // "Line Compare": the line after the one that matches begins at address 0 with row scan 0.
        if y == self.crtc.line_compare() {
            (self.row, self.again) = (0, false);
            self.next = Line { counter: 0, scan: 0, pans: self.next.pans && !self.split_stops_panning };
            return;
        }
        if self.crtc.double_scans() && !self.again {
            self.again = true;
            return;
        }
        self.again = false;
        if self.next.scan == self.crtc.maximum_scan_line() {
            self.row = self.row.wrapping_add(self.crtc.row_offset());
            self.next = Line { counter: self.row, scan: 0, ..self.next };
        } else {
            // The counter has five bits.
            self.next.scan = (self.next.scan + 1) & 0x1F;
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let line = self.next;
        self.step();
        Some(line)
    }
}
