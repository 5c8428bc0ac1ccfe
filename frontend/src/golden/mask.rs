//! Parts of the screen that may look like anything: a version, a clock.

use std::str::FromStr;

/// A rectangle of pixels.
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
    pub fn covers(&self, x: usize, y: usize) -> bool {
        x.checked_sub(self.x).is_some_and(|x| x < self.width)
            && y.checked_sub(self.y).is_some_and(|y| y < self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    #[test]
    fn a_mask_covers_its_rectangle() {
        let mask: Mask = "2,3,4,5".parse().unwrap();
        assert!(mask.covers(2, 3) && mask.covers(5, 7));
        assert!(!mask.covers(1, 3) && !mask.covers(6, 3) && !mask.covers(2, 2) && !mask.covers(2, 8));
    }

    #[test]
    fn wrong_masks_are_named() {
        assert!("1,2,3".parse::<Mask>().unwrap_err().contains("`1,2,3`"));
        assert!("1,2,3,-4".parse::<Mask>().is_err() && "1,2,3,4,5".parse::<Mask>().is_err());
    }
}
