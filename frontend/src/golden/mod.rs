//! Golden pictures: what the screen must look like, kept as PNG files.

pub mod png;

use anyhow::Result;
use machine::Picture;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A part of the screen that may look like anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

impl FromStr for Mask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<usize> =
            text.split(',').map(str::parse).collect::<Result<_, _>>().unwrap_or_default();
        match numbers[..] {
            [x, y, width, height] => Ok(Self { x, y, width, height }),
            _ => Err(format!("a mask is four numbers, X,Y,WIDTH,HEIGHT, not `{text}`")),
        }
    }
}

impl Mask {
    fn covers(&self, x: usize, y: usize) -> bool {
        x.checked_sub(self.x).is_some_and(|x| x < self.width)
            && y.checked_sub(self.y).is_some_and(|y| y < self.height)
    }
}

/// What a picture must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    path: PathBuf,
    width: usize,
    height: usize,
    pixels: Vec<u32>,
    masks: Vec<Mask>,
}

impl Golden {
    /// # Errors
    /// The file is not a PNG picture.
    pub fn open(path: &Path, masks: Vec<Mask>) -> Result<Self> {
        let png::Image { width, height, pixels } = png::read(path)?;
        Ok(Self { path: path.to_owned(), width, height, pixels, masks })
    }

    /// # Errors
    /// What is different.
    pub fn compare(&self, picture: &Picture) -> Result<(), String> {
        if (picture.width, picture.height) != (self.width, self.height) {
            let (is, should) = ((picture.width, picture.height), (self.width, self.height));
            return Err(format!("the screen has {}x{} pixels, not {}x{}", is.0, is.1, should.0, should.1));
        }
        let pairs = picture.pixels.iter().zip(&self.pixels).enumerate();
        let different = pairs.filter(|(at, (is, should))| is != should && !self.is_masked(*at));
        let mut different = different.peekable();
        let Some((at, (is, should))) = different.peek().copied() else { return Ok(()) };
        let (x, y) = (at % self.width, at / self.width);
        let count = different.count();
        Err(format!("{count} pixels differ, the first at {x},{y}: it is {is:06x}, not {should:06x}"))
    }

    fn is_masked(&self, at: usize) -> bool {
        self.masks.iter().any(|mask| mask.covers(at % self.width, at / self.width))
    }

    /// Where to keep a picture that is different, beside this one.
    pub fn beside(&self) -> PathBuf {
        self.path.with_extension("actual.png")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(pixels: &[u32]) -> Picture {
        let mut picture = Picture::new();
        (picture.width, picture.height, picture.pixels) = (pixels.len() / 2, 2, pixels.to_vec());
        picture
    }

    #[test]
    fn what_is_different_is_said_and_masks_hide_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        png::write(&path, &picture(&[0, 1, 2, 3, 4, 5])).unwrap();
        let golden = Golden::open(&path, Vec::new()).unwrap();
        assert_eq!(golden.compare(&picture(&[0, 1, 2, 3, 4, 5])), Ok(()));
        let other = picture(&[0, 1, 2, 3, 0xAB_CDEF, 6]);
        let error = golden.compare(&other).unwrap_err();
        assert_eq!(error, "2 pixels differ, the first at 1,1: it is abcdef, not 000004");
        assert!(golden.compare(&picture(&[0; 8])).unwrap_err().contains("4x2 pixels, not 3x2"));
        let masked = Golden { masks: vec!["1,1,2,1".parse().unwrap()], ..golden };
        assert_eq!(masked.compare(&other), Ok(()));
        assert_eq!(masked.beside(), folder.path().join("x.actual.png"));
    }

    #[test]
    fn wrong_masks_are_named() {
        assert!("1,2,3".parse::<Mask>().unwrap_err().contains("`1,2,3`"));
        assert!("1,2,3,-4".parse::<Mask>().is_err() && "1,2,3,4,5".parse::<Mask>().is_err());
    }
}
