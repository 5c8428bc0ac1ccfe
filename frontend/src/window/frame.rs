//! A picture on its way from the machine to the window.

use machine::{Drawn, Picture};

/// The pixels of a picture, and what of them its reader has not seen yet.
#[derive(Default)]
pub struct Frame {
    pub width: usize,
    pub height: usize,
    /// Width to height on a monitor.
    pub aspect: (usize, usize),
    pub pixels: Vec<u32>,
    unseen: Drawn,
}

impl Frame {
    /// Takes over what has changed in a picture.
    pub fn draw(&mut self, picture: &Picture, drawn: &Drawn) {
        self.copy((picture.width, picture.height), picture.aspect(), &picture.pixels, drawn);
        self.unseen = both(&self.unseen, drawn);
    }

    /// Takes over what this one's reader has not seen yet, and says what that was.
    pub fn catch_up(&mut self, with: &mut Self) -> Drawn {
        let drawn = std::mem::take(&mut with.unseen);
        self.copy((with.width, with.height), with.aspect, &with.pixels, &drawn);
        drawn
    }

    fn copy(&mut self, size: (usize, usize), aspect: (usize, usize), pixels: &[u32], drawn: &Drawn) {
        (self.width, self.height) = size;
        self.aspect = aspect;
        if drawn.resized || self.pixels.len() != pixels.len() {
            self.pixels.clear();
            self.pixels.extend_from_slice(pixels);
        } else {
            let changed = drawn.rows.start * size.0..drawn.rows.end * size.0;
            self.pixels[changed.clone()].copy_from_slice(&pixels[changed]);
        }
    }
}

/// What two changes come to.
fn both(a: &Drawn, b: &Drawn) -> Drawn {
    let resized = a.resized || b.resized;
    let rows = match (a.rows.is_empty(), b.rows.is_empty()) {
        // After a change of size, the rows before it mean nothing: the whole is copied.
        _ if b.resized => b.rows.clone(),
        (true, _) => b.rows.clone(),
        (_, true) => a.rows.clone(),
        (false, false) => a.rows.start.min(b.rows.start)..a.rows.end.max(b.rows.end),
    };
    Drawn { resized, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize, colour: u32) -> Picture {
        let mut picture = Picture::new();
        (picture.width, picture.height, picture.pixels) = (width, height, vec![colour; width * height]);
        picture
    }

    #[test]
    fn changes_add_up_until_they_are_seen() {
        let (mut shared, mut seen) = (Frame::default(), Frame::default());
        shared.draw(&picture(4, 8, 1), &Drawn { resized: true, rows: 0..8 });
        assert_eq!(seen.catch_up(&mut shared), Drawn { resized: true, rows: 0..8 });
        shared.draw(&picture(4, 8, 2), &Drawn { resized: false, rows: 1..2 });
        shared.draw(&picture(4, 8, 3), &Drawn { resized: false, rows: 5..6 });
        assert_eq!(seen.catch_up(&mut shared), Drawn { resized: false, rows: 1..6 });
        assert_eq!(seen.pixels, shared.pixels);
        assert!(seen.catch_up(&mut shared).is_empty());
    }

    #[test]
    fn another_size_replaces_everything() {
        let (mut shared, mut seen) = (Frame::default(), Frame::default());
        shared.draw(&picture(4, 8, 1), &Drawn { resized: true, rows: 0..8 });
        shared.draw(&picture(2, 2, 2), &Drawn { resized: true, rows: 0..2 });
        assert!(seen.catch_up(&mut shared).resized);
        assert_eq!((seen.width, seen.height, seen.pixels), (2, 2, vec![2; 4]));
    }
}
