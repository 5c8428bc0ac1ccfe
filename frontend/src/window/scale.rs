//! Scaling a picture: each pixel of the window is the mean of what it covers of the picture's pixels, so that edges
//! stay as sharp as they can be at any size.

use std::ops::Range;

/// One column (or row) of the window: a pixel of the picture, and how much of the next one, in 256ths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tap {
    first: usize,
    next: u32,
}

impl Tap {
    fn last(self) -> usize {
        self.first + usize::from(self.next != 0)
    }
}

/// How a picture of one size becomes one of another.
#[derive(Debug, Default)]
pub struct Scaler {
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    source_width: usize,
    /// Each column shows one of the source.
    same_width: bool,
}

/// Taps for `to` pixels out of `from`.
fn taps(from: usize, to: usize) -> Vec<Tap> {
    let place = |index| if from <= to { covered(index, from, to) } else { between(index, from, to) };
    if from == 0 { Vec::new() } else { (0..to).map(place).collect() }
}

/// Enlarging: the pixel covers a part of one or of two.
fn covered(index: usize, from: usize, to: usize) -> Tap {
    // In units of 1/to of a picture's pixel, this pixel covers start .. start + from.
    let start = index * from;
    let first = start / to;
    let beyond = (start + from).saturating_sub((first + 1) * to);
    tap(first, beyond * 256 / from, from)
}

/// Reducing: what is at the pixel's middle.
fn between(index: usize, from: usize, to: usize) -> Tap {
    let middle = ((2 * index + 1) * from * 128 / to).saturating_sub(128);
    tap(middle / 256, middle % 256, from)
}

fn tap(first: usize, next: usize, from: usize) -> Tap {
    let next = if first + 1 < from { u32::try_from(next).unwrap_or(0) } else { 0 };
    Tap { first: first.min(from - 1), next }
}

/// `a` and `next` 256ths of `b`, colour by colour.
fn mixed(a: u32, b: u32, next: u32) -> u32 {
    let mix = |mask: u32| {
        let sum = u64::from(a & mask) * u64::from(256 - next) + u64::from(b & mask) * u64::from(next);
        u32::try_from(sum >> 8).unwrap_or(0) & mask
    };
    mix(0x00FF_00FF) | mix(0x0000_FF00)
}

impl Scaler {
    pub fn new(source: (usize, usize), target: (usize, usize)) -> Self {
        let (columns, rows) = (taps(source.0, target.0), taps(source.1, target.1));
        Self { columns, rows, source_width: source.0, same_width: source.0 == target.0 }
    }

    /// The rows of the target that show some of these of the source.
    pub fn shown(&self, source: Range<usize>) -> Range<usize> {
        let start = self.rows.partition_point(|tap| tap.last() < source.start);
        start..self.rows.partition_point(|tap| tap.first < source.end).max(start)
    }

    /// Draws some rows of the target; `target` begins with the first of them, at the left edge, and has `stride`
    /// pixels per row.
    pub fn draw(&self, source: &[u32], rows: Range<usize>, target: &mut [u32], stride: usize) {
        let width = self.columns.len();
        let mut line = Vec::new();
        let mut drawn: Option<(Tap, usize)> = None;
        for (index, &tap) in self.rows[rows].iter().enumerate() {
            let start = index * stride;
            match drawn {
                Some((same, at)) if same == tap => target.copy_within(at..at + width, start),
                _ => {
                    self.mix_rows(source, tap, &mut line);
                    self.spread(&line, &mut target[start..start + width]);
                }
            }
            drawn = Some((tap, start));
        }
    }

    fn mix_rows(&self, source: &[u32], tap: Tap, line: &mut Vec<u32>) {
        let row = |index: usize| &source[index * self.source_width..][..self.source_width];
        line.clear();
        match tap.next {
            0 => line.extend_from_slice(row(tap.first)),
            next => {
                let pairs = row(tap.first).iter().zip(row(tap.first + 1));
                line.extend(pairs.map(|(&a, &b)| mixed(a, b, next)));
            }
        }
    }

    fn spread(&self, line: &[u32], target: &mut [u32]) {
        if self.same_width {
            return target.copy_from_slice(line);
        }
        for (pixel, tap) in target.iter_mut().zip(&self.columns) {
            *pixel = match tap.next {
                0 => line[tap.first],
                next => mixed(line[tap.first], line[tap.first + 1], next),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(source: &[u32], from: (usize, usize), to: (usize, usize)) -> Vec<u32> {
        let mut target = vec![0; to.0 * to.1];
        Scaler::new(from, to).draw(source, 0..to.1, &mut target, to.0);
        target
    }

    #[test]
    fn whole_numbers_repeat_pixels() {
        assert_eq!(scaled(&[1, 2], (2, 1), (4, 2)), [1, 1, 2, 2, 1, 1, 2, 2]);
        let picture: Vec<u32> = (0..12).collect();
        assert_eq!(scaled(&picture, (4, 3), (4, 3)), picture);
    }

    #[test]
    fn only_the_pixel_on_the_edge_is_mixed() {
        let mixed = scaled(&[0, 0x00FF_FFFF], (2, 1), (3, 1));
        assert_eq!(mixed, [0, 0x007F_7F7F, 0x00FF_FFFF]);
    }

    #[test]
    fn one_colour_stays_this_colour_at_any_size() {
        for to in 1..40 {
            let target = scaled(&[0x0012_3456; 7 * 5], (7, 5), (to, to));
            assert!(target.iter().all(|&pixel| pixel == 0x0012_3456), "{to}");
        }
    }

    #[test]
    fn a_part_is_drawn_as_the_whole() {
        let picture: Vec<u32> = (0..35).map(|n| n * 0x0003_0507).collect();
        for to in [(3, 2), (7, 5), (10, 9), (20, 31)] {
            let whole = scaled(&picture, (7, 5), to);
            let scaler = Scaler::new((7, 5), to);
            for rows in [0..1, 2..3, 1..4, 4..5, 0..5] {
                let shown = scaler.shown(rows.clone());
                let mut part = vec![0; shown.len() * to.0];
                scaler.draw(&picture, shown.clone(), &mut part, to.0);
                assert_eq!(part, whole[shown.start * to.0..shown.end * to.0]);
                let outside = |row: &Tap| row.last() < rows.start || row.first >= rows.end;
                assert!(scaler.rows[..shown.start].iter().all(outside));
                assert!(scaler.rows[shown.end..].iter().all(outside));
            }
        }
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(scaled(&[], (0, 0), (0, 0)).is_empty());
        assert!(scaled(&[1], (1, 1), (0, 5)).is_empty());
        assert_eq!(Scaler::new((0, 0), (5, 5)).shown(0..10), 0..0);
    }
}
