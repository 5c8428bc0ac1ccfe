//! Drawing: what the registers and the memory of this moment look like. Changes in the middle of a frame show
//! from the next drawing on.

use super::Vga;
use super::look::{Format, Look, RasterLook};
use super::picture::{Drawn, Picture};
use super::raster::{Line, Lines};
use super::text_line::TextFrame;
use super::vbe::Layout;
use crate::bits::low16;
use emu_core::{MemoryMap, Tick};

/// What a frame is fetched by.
enum Fetch {
    Text(TextFrame),
    /// The CRTC's addresses.
    Graphics,
    /// VBE modes with four planes: counters are addresses.
    Linear,
}

fn size(value: u32) -> usize {
    usize::try_from(value).unwrap_or(0)
}

impl Vga {
    /// Brings a picture up to date with guest time `now`. `memory` is the machine's.
    pub fn draw(&self, picture: &mut Picture, now: Tick, memory: &MemoryMap) -> Drawn {
        if let Some(look) = self.linear_look() {
            return self.draw_linear(look, picture, memory);
        }
        let (frame, start) = (self.frame(now), self.shown_start(now));
        let moment = self.writes.moment(self.memory.changes, frame, start);
        if picture.is_of(&moment) {
            return Drawn::default();
        }
        let drawn = self.draw_planes(picture, frame, start);
        picture.drawn_at(moment);
        drawn
    }

    fn draw_planes(&self, picture: &mut Picture, frame: u64, start: u16) -> Drawn {
        if let Some(look) = self.planar_vbe_look() {
            return self.draw_raster(look, picture, &Fetch::Linear, self.planar_vbe_lines());
        }
        let Some(look) = self.raster_look() else { return picture.darken() };
        let fetch = match look.format {
            Format::Text => Fetch::Text(self.text_frame(frame)),
            Format::Dark | Format::Planes | Format::Pairs | Format::Nibbles => Fetch::Graphics,
        };
        self.draw_raster(look, picture, &fetch, Lines::new(&self.crtc, &self.attribute, start))
    }

    fn raster_look(&self) -> Option<RasterLook> {
        let signal = self.sequencer.runs() && self.crtc.retraces() && !self.vbe.is_enabled();
        let format = self.format();
        let eight_bits = format != Format::Text && self.attribute.has_eight_bits();
        signal.then(|| RasterLook {
            columns: size(self.crtc.columns()),
            lines: size(self.crtc.displayed_lines()),
            dots: size(self.cell_dots()),
            doubled: self.sequencer.halves_dot_clock(),
            square: false,
            format,
            eight_bits,
            palette: if eight_bits { self.dac_colours() } else { self.palette_colours() },
        })
    }

    fn planar_vbe_look(&self) -> Option<RasterLook> {
        let planes = self.vbe.is_enabled() && self.vbe.has_size() && self.vbe.layout() == Layout::Planes;
        planes.then(|| RasterLook {
            columns: usize::from(self.vbe.width) / 8,
            lines: self.vbe.height.into(),
            dots: 8,
            doubled: false,
            square: true,
            format: if self.is_dark() { Format::Dark } else { Format::Planes },
            eight_bits: false,
            palette: self.palette_colours(),
        })
    }

    fn planar_vbe_lines(&self) -> impl Iterator<Item = Line> + use<> {
        let pitch = u32::from(self.vbe.virtual_width) / 8;
        let first = u32::from(self.vbe.y_offset) * pitch + u32::from(self.vbe.x_offset) / 8;
        (0..).map(move |y: u32| Line {
            counter: first.wrapping_add(y.wrapping_mul(pitch)),
            scan: 0,
            pans: true,
        })
    }

    /// The screen is off, or the palette is being written.
    pub(super) fn is_dark(&self) -> bool {
        self.sequencer.is_screen_off() || !self.attribute.shows_palette()
    }

    fn format(&self) -> Format {
        if self.is_dark() {
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

    fn draw_raster(
        &self,
        look: RasterLook,
        picture: &mut Picture,
        fetch: &Fetch,
        lines: impl Iterator<Item = Line>,
    ) -> Drawn {
        let mut drawn = Drawn::default();
        let (width, height) = (look.width(), look.lines);
        let all = picture.begin(width, height, Look::Raster(look.clone()), &mut drawn);
        // By how much the line is panned, the columns, and one more for panning.
        let stride = look.columns + 2;
        picture.shown.fetched.resize(stride * height, 0);
        // `dots` are those of the line `before`, or there are none.
        let (mut fetched, mut dots, mut before) = (vec![0; stride], Vec::new(), None);
        for (y, line) in (0..height).zip(lines) {
            if before != Some(line) {
                self.fetch(line, fetch, &mut fetched);
                dots.clear();
            }
            before = Some(line);
            let shown = &mut picture.shown.fetched[y * stride..(y + 1) * stride];
            if all || shown != fetched {
                shown.copy_from_slice(&fetched);
                if dots.is_empty() {
                    look.expand(&fetched[1..], &mut dots);
                }
                let from = size(fetched[0]) * look.scale();
                picture.pixels[y * width..(y + 1) * width].copy_from_slice(&dots[from..from + width]);
                drawn.row(y);
            }
        }
        drawn
    }

    /// The first element becomes the panning in dots, the others what the character clocks fetch.
    fn fetch(&self, line: Line, by: &Fetch, into: &mut [u32]) {
        let [panning, slices @ .., beyond] = into else { return };
        *panning = if line.pans { self.panning(by) } else { 0 };
        // The clock after the last one is seen only if the line is panned.
        *beyond = 0;
        let slices = if *panning == 0 { slices } else { &mut into[1..] };
        match by {
            Fetch::Text(frame) => self.fetch_text(line, frame, slices),
            Fetch::Graphics => {
                let first = low16(line.counter.into());
                for (column, slice) in (0..).zip(slices) {
                    let counter = first.wrapping_add(column >> self.crtc.counter_shift());
                    *slice = self.memory.word(self.crtc.address(counter, line.scan));
                }
            }
            Fetch::Linear => {
                for (column, slice) in (0..).zip(slices) {
                    *slice = self.memory.word(line.counter.wrapping_add(column));
                }
            }
        }
    }

    /// Dots by which the picture is shifted to the left (attribute controller, "Horizontal PEL Panning").
    fn panning(&self, by: &Fetch) -> u32 {
        match (by, self.cell_dots(), self.attribute.panning()) {
            (Fetch::Linear, ..) => u32::from(self.vbe.x_offset) & 7,
            (_, 8, value) => (value & 7).into(),
            (_, _, value @ 0..=7) => u32::from(value) + 1,
            _ => 0,
        }
    }
}
