//! Text and rectangles on the window.

use super::layout::Rect;
use std::sync::OnceLock;

/// The size of a character.
pub const CELL: (usize, usize) = (8, 16);

/// Colours, 0x00RRGGBB.
#[derive(Clone, Copy)]
pub struct Ink {
    pub text: u32,
    pub ground: u32,
}

/// Pixels to draw on; what does not fit is cut off.
pub struct Canvas<'a> {
    pub pixels: &'a mut [u32],
    pub width: usize,
    pub height: usize,
}

/// The dots of a character of code page 437, a byte per row.
fn glyph(character: char) -> &'static [u8] {
    static FONT: OnceLock<Vec<u8>> = OnceLock::new();
    let index = u8::try_from(character).ok().filter(u8::is_ascii_graphic);
    let index = if character == ' ' { b' ' } else { index.unwrap_or(b'?') };
    &FONT.get_or_init(bios::video::font_16)[usize::from(index) * CELL.1..][..CELL.1]
}

impl Canvas<'_> {
    pub fn fill(&mut self, rect: Rect, colour: u32) {
        let (right, bottom) = ((rect.x + rect.width).min(self.width), (rect.y + rect.height).min(self.height));
        for y in rect.y..bottom {
            if rect.x < right {
                self.pixels[y * self.width..][rect.x..right].fill(colour);
            }
        }
    }

    pub fn text(&mut self, x: usize, y: usize, text: &str, ink: Ink) {
        for (index, character) in text.chars().enumerate() {
            self.character(x + index * CELL.0, y, character, ink);
        }
    }

    fn character(&mut self, x: usize, y: usize, character: char, ink: Ink) {
        for (row, &dots) in glyph(character).iter().enumerate().take(self.height.saturating_sub(y)) {
            for column in (0..CELL.0).take(self.width.saturating_sub(x)) {
                let lit = dots & 0x80 >> column != 0;
                let place = (y + row) * self.width + x + column;
                self.pixels[place] = if lit { ink.text } else { ink.ground };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INK: Ink = Ink { text: 2, ground: 1 };

    #[test]
    fn text_is_cut_off_at_the_edges() {
        let mut pixels = vec![0; 20 * 20];
        let mut canvas = Canvas { pixels: &mut pixels, width: 20, height: 20 };
        canvas.text(10, 10, "WWWW", INK);
        canvas.text(100, 100, "W", INK);
        canvas.fill(Rect { x: 15, y: 15, width: 100, height: 100 }, 3);
        canvas.fill(Rect { x: 100, y: 100, width: 1, height: 1 }, 3);
        assert!(pixels[..200].iter().all(|&pixel| pixel == 0));
        assert!(pixels[200..].contains(&2) && pixels[200..].contains(&1));
        assert_eq!(pixels[399], 3);
    }

    #[test]
    fn every_character_can_be_seen() {
        for character in '!'..='~' {
            assert!(glyph(character).iter().any(|&dots| dots != 0), "{character}");
            assert_eq!(glyph(character) == glyph('?'), character == '?', "{character}");
        }
        assert!(glyph(' ').iter().all(|&dots| dots == 0));
        assert_eq!(glyph('\u{1F600}'), glyph('?'));
    }
}
