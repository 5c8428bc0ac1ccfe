//! Lists of screens that are known by a digest only: one line each, `NAME WIDTHxHEIGHT SHA256`. Another project's
//! screen with that project's pictures and fonts in it is recognized by its line, and is not itself in the repository.

use machine::Picture;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// Which picture it is: its size, and the SHA-256 of its pixels (0x00RRGGBB, little-endian), masked ones as 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    pub width: usize,
    pub height: usize,
    sum: String,
}

impl Digest {
    pub fn of(picture: &Picture, is_masked: impl Fn(usize) -> bool) -> Self {
        let mut hasher = Sha256::new();
        let shown = |(at, pixel): (usize, &u32)| if is_masked(at) { 0 } else { *pixel };
        let bytes: Vec<u8> =
            picture.pixels.iter().enumerate().map(shown).flat_map(u32::to_le_bytes).collect();
        hasher.update(bytes);
        let sum = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { width: picture.width, height: picture.height, sum }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} {}", self.width, self.height, self.sum)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (size, sum) = text.split_once(' ')?;
            let (width, height) = size.split_once('x')?;
            let is_sum = sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_sum.then_some(Self {
                width: width.parse().ok()?,
                height: height.parse().ok()?,
                sum: sum.to_owned(),
            })
        };
        parse().ok_or_else(|| format!("`{text}` is not a size and a SHA-256"))
    }
}

/// All digests of a name in a list: the screen may be any of them.
///
/// # Errors
/// The first line that is neither a comment nor a name and a digest.
pub fn named(list: &str, name: &str) -> Result<Vec<Digest>, String> {
    let mut found = Vec::new();
    for (index, line) in list.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (said, digest) = line.split_once(' ').unwrap_or((line, ""));
        let digest = digest.parse().map_err(|what| format!("line {}: {what}", index + 1))?;
        if said == name {
            found.push(digest);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(pixels: &[u32]) -> Picture {
        let mut picture = Picture::new();
        (picture.width, picture.height, picture.pixels) = (pixels.len(), 1, pixels.to_vec());
        picture
    }

    #[test]
    fn a_digest_is_of_what_is_not_masked() {
        let seen = Digest::of(&picture(&[1, 2]), |_| false);
        assert_ne!(Digest::of(&picture(&[1, 3]), |_| false), seen);
        assert_eq!(Digest::of(&picture(&[1, 3]), |at| at == 1), Digest::of(&picture(&[1, 2]), |at| at == 1));
        // FIPS 180-4: SHA-256 of nothing.
        let nothing = Digest::of(&picture(&[]), |_| false).to_string();
        assert_eq!(nothing, "0x1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn lists_come_back_and_wrong_lines_are_named() {
        let [one, other] = [1, 2].map(|colour| Digest::of(&picture(&[colour]), |_| false));
        let list = format!("# screens\n\nmenu {one}\nprompt {other}\nmenu {other}\n");
        assert_eq!(named(&list, "menu"), Ok(vec![one, other]));
        assert_eq!(named(&list, "men"), Ok(vec![]));
        for wrong in ["menu", "menu 2x2", "menu 2x2 e3b0", "menu 2 e3b0"] {
            assert!(named(&format!("\n{wrong}"), "x").unwrap_err().starts_with("line 2: "), "{wrong}");
        }
    }
}
