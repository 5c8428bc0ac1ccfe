//! Text and rectangles on the window.

use super::font::{DOTS, letter};
use super::layout::Rect;

/// Below this width of the window, letters are half the size.
const NARROW: usize = 740;

/// Colours, 0x00RRGGBB.
#[derive(Clone, Copy)]
pub struct Ink {
    pub text: u32,
    pub ground: u32,
}

/// Pixels to draw on; what does not fit is cut off.
pub struct Canvas<'a> {
    pixels: &'a mut [u32],
    width: usize,
    height: usize,
    /// Pixels per dot of a letter, each way.
    dot: usize,
}

impl<'a> Canvas<'a> {
    /// A canvas over `width` times `height` pixels.
    pub fn new(pixels: &'a mut [u32], width: usize, height: usize) -> Self {
        Self { pixels, width, height, dot: if width < NARROW { 1 } else { 2 } }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    /// The size of a character.
    pub fn cell(&self) -> (usize, usize) {
        (DOTS.0 * self.dot, DOTS.1 * self.dot)
    }

    pub fn fill(&mut self, rect: Rect, colour: u32) {
        let (right, bottom) =
            ((rect.x + rect.width).min(self.width), (rect.y + rect.height).min(self.height));
        for y in rect.y..bottom {
            if rect.x < right {
                self.pixels[y * self.width..][rect.x..right].fill(colour);
            }
        }
    }

    /// Writes over what is there; the ground stays.
    pub fn text(&mut self, x: usize, y: usize, text: &str, colour: u32) {
        for (index, character) in text.chars().enumerate() {
            self.character(x + index * self.cell().0, y, character, colour);
        }
    }

    fn character(&mut self, x: usize, y: usize, character: char, colour: u32) {
        let dot = self.dot;
        for (column, dots) in letter(character).into_iter().enumerate() {
            for row in (0..DOTS.1).filter(|row| dots & 1 << row != 0) {
                let rect = Rect { x: x + column * dot, y: y + row * dot, width: dot, height: dot };
                self.fill(rect, colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_off_at_the_edges() {
        let mut pixels = vec![0; 20 * 20];
        let mut canvas = Canvas::new(&mut pixels, 20, 20);
        canvas.text(10, 10, "WWWW", 2);
        canvas.text(100, 100, "W", 2);
        canvas.fill(Rect { x: 15, y: 15, width: 100, height: 100 }, 3);
        canvas.fill(Rect { x: 100, y: 100, width: 1, height: 1 }, 3);
        assert!(pixels[..200].iter().all(|&pixel| pixel == 0));
        assert_eq!((pixels[10 * 20 + 10], pixels[10 * 20 + 11], pixels[399]), (2, 0, 3));
    }

    #[test]
    fn letters_are_larger_where_there_is_room() {
        let mut pixels = vec![0; 740 * 16];
        let mut canvas = Canvas::new(&mut pixels, 740, 16);
        assert_eq!(canvas.cell(), (12, 16));
        canvas.text(0, 0, "|", 1);
        assert_eq!(pixels.iter().filter(|&&pixel| pixel == 1).count(), 7 * 4);
    }
}
