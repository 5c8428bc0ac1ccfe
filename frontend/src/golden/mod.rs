//! Golden pictures: what the screen must look like, kept as PNG files or, for screens that are not ours to keep, as
//! digests in a list.

mod digest;
mod mask;
pub mod png;

pub use mask::Mask;

use crate::files;
use anyhow::{Context, Result, bail};
use digest::Digest;
use machine::Picture;
use std::path::{Path, PathBuf};

/// What a picture must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    wanted: Wanted,
    masks: Vec<Mask>,
    /// Where a picture goes that does not look like it.
    beside: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Picture(png::Image),
    /// Any of these; none if the list does not have the name yet.
    Listed(String, Vec<Digest>),
}

impl Golden {
    /// What a script line names: `FILE.png` is a picture, `FILE NAME` a line in a list of digests.
    ///
    /// # Errors
    /// The file is neither.
    pub fn named(what: &str, masks: Vec<Mask>) -> Result<Self> {
        let is_picture = |path: &Path| path.extension().is_some_and(|extension| extension == "png");
        match what.rsplit_once(char::is_whitespace) {
            _ if is_picture(Path::new(what)) => Self::picture(Path::new(what), masks),
            Some((list, name)) => Self::listed(Path::new(list.trim()), name, masks),
            None => bail!("`{what}` is not a PNG picture; give the name of a screen behind a list of them"),
        }
    }

    fn picture(path: &Path, masks: Vec<Mask>) -> Result<Self> {
        Ok(Self {
            wanted: Wanted::Picture(png::read(path)?),
            masks,
            beside: path.with_extension("actual.png"),
        })
    }

    fn listed(path: &Path, name: &str, masks: Vec<Mask>) -> Result<Self> {
        let list = String::from_utf8(files::read("list of screens", path)?);
        let list = list.with_context(|| format!("{} is not text", path.display()))?;
        let digests = digest::named(&list, name)
            .map_err(|what| anyhow::anyhow!("{what}; {} is not a list of screens", path.display()))?;
        let beside = path.with_file_name(format!("{name}.actual.png"));
        Ok(Self { wanted: Wanted::Listed(name.to_owned(), digests), masks, beside })
    }

    /// # Errors
    /// What is different.
    pub fn compare(&self, picture: &Picture) -> Result<(), String> {
        match &self.wanted {
            Wanted::Picture(wanted) => self.compare_pixels(wanted, picture),
            Wanted::Listed(name, digests) => {
                let seen = Digest::of(picture, |at| self.is_masked(at, picture.width));
                match digests.contains(&seen) {
                    true => Ok(()),
                    false => Err(format!("the screen's line would be `{name} {seen}`")),
                }
            }
        }
    }

    fn compare_pixels(&self, wanted: &png::Image, picture: &Picture) -> Result<(), String> {
        if (picture.width, picture.height) != (wanted.width, wanted.height) {
            let (is, should) = ((picture.width, picture.height), (wanted.width, wanted.height));
            return Err(format!("the screen has {}x{} pixels, not {}x{}", is.0, is.1, should.0, should.1));
        }
        let pairs = picture.pixels.iter().zip(&wanted.pixels).enumerate();
        let different = pairs.filter(|(at, (is, should))| is != should && !self.is_masked(*at, wanted.width));
        let mut different = different.peekable();
        let Some((at, (is, should))) = different.peek().copied() else { return Ok(()) };
        let (x, y) = (at % wanted.width, at / wanted.width);
        let count = different.count();
        Err(format!("{count} pixels differ, the first at {x},{y}: it is {is:06x}, not {should:06x}"))
    }

    fn is_masked(&self, at: usize, width: usize) -> bool {
        self.masks.iter().any(|mask| mask.covers(at % width, at / width))
    }

    /// Keeps a picture that is different, beside this one; says where.
    pub fn keep(&self, picture: &Picture) -> String {
        match png::write(&self.beside, picture) {
            Ok(()) => format!("the screen is in {}", self.beside.display()),
            Err(error) => format!("{error:#}"),
        }
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
        let golden = Golden::named(path.to_str().unwrap(), Vec::new()).unwrap();
        assert_eq!(golden.compare(&picture(&[0, 1, 2, 3, 4, 5])), Ok(()));
        let other = picture(&[0, 1, 2, 3, 0xAB_CDEF, 6]);
        let error = golden.compare(&other).unwrap_err();
        assert_eq!(error, "2 pixels differ, the first at 1,1: it is abcdef, not 000004");
        assert!(golden.compare(&picture(&[0; 8])).unwrap_err().contains("4x2 pixels, not 3x2"));
        let masked = Golden { masks: vec!["1,1,2,1".parse().unwrap()], ..golden };
        assert_eq!(masked.compare(&other), Ok(()));
        assert!(masked.keep(&other).contains("x.actual.png"));
        assert!(png::read(&folder.path().join("x.actual.png")).unwrap().pixels == other.pixels);
    }

    #[test]
    fn the_line_that_a_list_lacks_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("screens");
        std::fs::write(&path, "").unwrap();
        let what = format!("{} menu", path.display());
        let mask: Mask = "0,0,1,1".parse().unwrap();
        let (seen, clock) = (picture(&[1, 2, 3, 4]), picture(&[9, 2, 3, 4]));
        let said = Golden::named(&what, vec![mask]).unwrap().compare(&seen).unwrap_err();
        let line = said.split('`').nth(1).unwrap();
        std::fs::write(&path, line).unwrap();
        let golden = Golden::named(&what, vec![mask]).unwrap();
        assert_eq!((golden.compare(&seen), golden.compare(&clock)), (Ok(()), Ok(())));
        assert!(golden.compare(&picture(&[1, 2, 3, 5])).is_err());
        assert!(golden.keep(&seen).contains("menu.actual.png"));
    }

    #[test]
    fn what_is_neither_a_picture_nor_a_list_is_refused() {
        let said = |what: &str| format!("{:#}", Golden::named(what, Vec::new()).unwrap_err());
        assert!(said("/none.png").contains("none.png"));
        assert!(said("/none menu").contains("/none"));
        assert!(said("menu").contains("not a PNG picture"));
        assert!(said("/dev/null").contains("not a PNG picture"));
    }
}
