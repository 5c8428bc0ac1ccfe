//! What the window shows of the machine: the picture, scaled, with black around it.

use super::frame::Frame;
use super::layout::{Rect, Scaling, place};
use super::scale::Scaler;
use std::ops::Range;

#[derive(Default)]
pub struct View {
    /// The whole window.
    pub pixels: Vec<u32>,
    size: (usize, usize),
    picture: Rect,
    scaler: Scaler,
}

impl View {
    /// Everything anew, for a window of `size` of which the lowest `bar` rows are not the picture's.
    pub fn arrange(&mut self, size: (usize, usize), bar: usize, frame: &Frame, scaling: Scaling) {
        self.size = size;
        let area = (size.0, size.1.saturating_sub(bar));
        self.picture = place(area, (frame.width, frame.height), frame.aspect, scaling);
        let target = (self.picture.width, self.picture.height);
        self.scaler = Scaler::new((frame.width, frame.height), target);
        self.pixels.clear();
        self.pixels.resize(size.0 * size.1, 0);
        self.update(frame, 0..frame.height);
    }

    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Rows of the picture have changed.
    pub fn update(&mut self, frame: &Frame, rows: Range<usize>) {
        let shown = self.scaler.shown(rows);
        if !shown.is_empty() && self.picture.width > 0 {
            let start = (self.picture.y + shown.start) * self.size.0 + self.picture.x;
            self.scaler.draw(&frame.pixels, shown, &mut self.pixels[start..], self.size.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::{Drawn, Picture};

    fn frame(colour: u32) -> Frame {
        let mut picture = Picture::new();
        (picture.width, picture.height, picture.pixels) = (4, 3, vec![colour; 12]);
        let mut frame = Frame::default();
        frame.draw(&picture, &Drawn { resized: true, rows: 0..3 });
        frame
    }

    #[test]
    fn the_picture_is_in_the_middle_above_the_bar() {
        let mut view = View::default();
        view.arrange((10, 8), 2, &frame(5), Scaling::Smooth);
        let row = |y: usize| &view.pixels[y * 10..][..10];
        assert_eq!(row(0), [0, 5, 5, 5, 5, 5, 5, 5, 5, 0]);
        assert_eq!((row(5), row(6), row(7)), (row(0), &[0; 10][..], &[0; 10][..]));
    }

    #[test]
    fn only_changed_rows_change() {
        let mut view = View::default();
        view.arrange((4, 3), 0, &frame(5), Scaling::Whole);
        view.update(&frame(7), 1..2);
        assert_eq!(view.pixels, [5, 5, 5, 5, 7, 7, 7, 7, 5, 5, 5, 5]);
    }

    #[test]
    fn any_window_is_large_enough() {
        for size in [(0, 0), (1, 1), (3, 100), (100, 3)] {
            let mut view = View::default();
            view.arrange(size, 20, &frame(5), Scaling::Smooth);
            view.update(&frame(7), 0..3);
            assert_eq!(view.pixels.len(), size.0 * size.1);
        }
    }
}
