//! Drawing: what the registers and the memory of this moment look like. Changes in the middle of a frame show
//! from the next drawing on.

use super::Vga;
use super::look::{Format, Look, RasterLook};
use super::picture::{Drawn, Picture};
use super::raster::{Line, Lines};
use super::text_line::TextFrame;
use emu_core::Tick;

/// What a frame is fetched by.
enum Fetch {
    Text(TextFrame),
    Graphics,
}

impl Vga {
    /// Brings a picture up to date with guest time `now`.
    pub fn draw(&self, picture: &mut Picture, now: Tick) -> Drawn {
        match self.raster_look() {
            Some(look) => self.draw_raster(look, picture, now),
            None => picture.darken(),
        }
    }

    fn raster_look(&self) -> Option<RasterLook> {
        let runs = self.sequencer.runs() && self.crtc.retraces();
        let small = |value: u32| usize::try_from(value).unwrap_or(0);
        let format = self.format();
        let eight_bits = format != Format::Text && self.attribute.has_eight_bits();
        runs.then(|| RasterLook {
            columns: small(self.crtc.columns()),
            lines: small(self.crtc.displayed_lines()),
            dots: small(self.cell_dots()),
            doubled: self.sequencer.halves_dot_clock(),
            format,
            eight_bits,
            palette: if eight_bits { self.dac_colours() } else { self.palette_colours() },
        })
    }

    fn format(&self) -> Format {
        if self.sequencer.is_screen_off() || !self.attribute.shows_palette() {
            Format::Dark
        } else if !self.graphics.is_graphics_mode() {
            Format::Text
        } else if self.graphics.shifts_nibbles() {
            Format::Nibbles
        } else if self.graphics.shifts_pairs() {
            Format::Pairs
        } else {
            Format::Planes
        }
    }

    fn draw_raster(&self, look: RasterLook, picture: &mut Picture, now: Tick) -> Drawn {
        let mut drawn = Drawn::default();
        let (width, height) = (look.width(), look.lines);
        let all = picture.begin(width, height, Look::Raster(look.clone()), &mut drawn);
        // The columns, one more for panning, and by how much the line is panned.
        let stride = look.columns + 2;
        let fetch = match look.format {
            Format::Text => Fetch::Text(self.text_frame(self.frame(now))),
            Format::Dark | Format::Planes | Format::Pairs | Format::Nibbles => Fetch::Graphics,
        };
        picture.shown.fetched.resize(stride * height, 0);
        let (mut fetched, mut dots, mut before) = (vec![0; stride], Vec::new(), None);
        let lines = Lines::new(&self.crtc, &self.attribute, self.shown_start(now));
        for (y, line) in lines.take(height).enumerate() {
            if before != Some(line) {
                self.fetch(line, &fetch, &mut fetched);
            }
            let shown = &mut picture.shown.fetched[y * stride..(y + 1) * stride];
            if all || shown != fetched {
                shown.copy_from_slice(&fetched);
                if before != Some(line) || dots.is_empty() {
                    look.expand(&fetched[1..], &mut dots);
                }
                let from = usize::try_from(fetched[0]).unwrap_or(0) * look.scale();
                picture.pixels[y * width..(y + 1) * width].copy_from_slice(&dots[from..from + width]);
                drawn.row(y);
            } else if before != Some(line) {
                dots.clear();
            }
            before = Some(line);
        }
        drawn
    }

    /// The first element becomes the panning in dots, the others what the character clocks fetch.
    fn fetch(&self, line: Line, by: &Fetch, into: &mut [u32]) {
        let [panning, slices @ .., beyond] = into else { return };
        *panning = if line.pans { self.panning() } else { 0 };
        // The clock after the last one is seen only if the line is panned.
        *beyond = 0;
        let slices = if *panning == 0 { slices } else { &mut into[1..] };
        match by {
            Fetch::Text(frame) => self.fetch_text(line, frame, slices),
            Fetch::Graphics => {
                for (column, slice) in (0..).zip(slices) {
                    let counter = line.counter.wrapping_add(column >> self.crtc.counter_shift());
                    *slice = self.memory.word(self.crtc.address(counter, line.scan));
                }
            }
        }
    }

    /// Dots by which the picture is shifted to the left (attribute controller, "Horizontal PEL Panning").
    fn panning(&self) -> u32 {
        match (self.cell_dots(), self.attribute.panning()) {
            (8, value) => (value & 7).into(),
            (_, value @ 0..=7) => u32::from(value) + 1,
            _ => 0,
        }
    }
}
