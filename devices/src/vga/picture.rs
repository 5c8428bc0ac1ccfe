//! The picture on the monitor: what the window and the screenshots show.
//!
//! A picture remembers what it shows, so that drawing it again touches only what has changed. Pictures are
//! independent of each other: each of them may be drawn as often or as rarely as its owner likes.

use super::look::Look;
use std::ops::Range;

/// The pixels of a monitor.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    /// 0x00RRGGBB, rows from the top.
    pub pixels: Vec<u32>,
    pub(super) shown: Shown,
}

/// What a picture shows, before it became pixels.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub(super) look: Look,
    /// What the CRTC fetched for each scan line, in VGA modes.
    pub(super) fetched: Vec<u32>,
}

/// What a call of `draw` has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Width or height are not what they were.
    pub resized: bool,
    /// All changed rows are in this range; empty if nothing has changed.
    pub rows: Range<usize>,
}

impl Drawn {
    pub fn is_empty(&self) -> bool {
        !self.resized && self.rows.is_empty()
    }

    pub(super) fn row(&mut self, row: usize) {
        self.rows = if self.rows.is_empty() { row..row + 1 } else { self.rows.start..row + 1 };
    }
}

/// A monitor that has never had a signal shows the size of text mode 3.
const NEVER: (usize, usize) = (720, 400);

impl Picture {
    pub fn new() -> Self {
        Self::default()
    }

    /// Width to height of the picture on the tube. VGA modes fill a 4:3 tube, whatever their number of pixels;
    /// VBE modes have square pixels.
    pub fn aspect(&self) -> (usize, usize) {
        (4, 3)
    }

    /// Takes over size and look. `true` if all rows have to be drawn.
    pub(super) fn begin(&mut self, width: usize, height: usize, look: Look, drawn: &mut Drawn) -> bool {
        drawn.resized = (self.width, self.height) != (width, height);
        let whole = self.pixels.len() == width * height;
        if !drawn.resized && whole && self.shown.look == look {
            return false;
        }
        (self.width, self.height) = (width, height);
        self.pixels.clear();
        self.pixels.resize(width * height, 0);
        self.shown = Shown { look, ..Shown::default() };
        true
    }

    /// The monitor has no signal: black, in the size it had.
    pub(super) fn darken(&mut self) -> Drawn {
        let mut drawn = Drawn::default();
        let (width, height) = if self.pixels.is_empty() { NEVER } else { (self.width, self.height) };
        if self.begin(width, height, Look::NoSignal, &mut drawn) {
            drawn.rows = 0..height;
        }
        drawn
    }
}
