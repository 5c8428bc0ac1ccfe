//! From what a character clock fetched to dots of the monitor.

use super::look::{Format, RasterLook};
use super::text_line;

/// For each byte its eight bits, the leftmost in the lowest byte.
const SPREAD: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte] |= ((byte as u64 >> (7 - bit)) & 1) << (8 * bit);
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// Eight dots of four bits each.
fn dots(format: Format, word: u32) -> [u8; 8] {
    let planes = word.to_le_bytes();
    match format {
        Format::Planes => {
            let [a, b, c, d] = planes.map(|plane| SPREAD[usize::from(plane)]);
            (a | b << 1 | c << 2 | d << 3).to_le_bytes()
        }
        Format::Pairs => {
            let pair = |low: u8, high: u8, at: usize| {
                let shift = 6 - 2 * (at & 3);
                low >> shift & 3 | (high >> shift & 3) << 2
            };
            let [a, b, c, d] = planes;
            std::array::from_fn(|at| if at < 4 { pair(a, c, at) } else { pair(b, d, at) })
        }
        Format::Nibbles => std::array::from_fn(|at| {
            let plane = planes[at / 2];
            if at & 1 == 0 { plane >> 4 } else { plane & 0xF }
        }),
        Format::Dark | Format::Text => [0; 8],
    }
}

impl RasterLook {
    /// Turns one line's slices into the dots of the monitor, in place of what was in `into`.
    pub(super) fn expand(&self, slices: &[u32], into: &mut Vec<u32>) {
        into.clear();
        for &slice in slices {
            match self.format {
                Format::Dark => into.resize(into.len() + self.dots * self.scale(), 0),
                Format::Text => self.expand_text(slice, into),
                Format::Planes | Format::Pairs | Format::Nibbles => self.expand_graphics(slice, into),
            }
        }
    }

    fn push(&self, colour: u32, into: &mut Vec<u32>) {
        into.push(colour);
        if self.doubled {
            into.push(colour);
        }
    }

    fn expand_text(&self, slice: u32, into: &mut Vec<u32>) {
        let (dots, foreground, background) = text_line::parts(slice);
        let colours = [self.palette[background], self.palette[foreground]];
        for dot in 0..self.dots {
            self.push(colours[(dots >> (8 - dot) & 1) as usize], into);
        }
    }

    /// Graphics characters are eight dots wide; the ninth, if software asks for one, repeats the last.
    fn expand_graphics(&self, slice: u32, into: &mut Vec<u32>) {
        let dots = dots(self.format, slice);
        for dot in 0..self.dots {
            let dot = dot.min(7);
            let colour = if self.eight_bits {
                usize::from(dots[dot & !1]) << 4 | usize::from(dots[dot | 1])
            } else {
                dots[dot].into()
            };
            self.push(self.palette[colour], into);
        }
    }
}
