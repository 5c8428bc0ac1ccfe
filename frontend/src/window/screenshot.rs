//! Screenshots: the guest's picture, pixel by pixel, as a PNG file.

use super::frame::Frame;
use crate::golden::png;
use anyhow::{Context, Result, bail};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Writes the picture into a new file of this folder, and says which.
pub fn save(frame: &Frame, folder: &Path) -> Result<PathBuf> {
    let size = (frame.width, frame.height);
    let image = png::true_colour(size, &frame.pixels).context("there is no picture yet")?;
    for number in 1..10_000 {
        let path = folder.join(format!("posada-{number}.png"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(&image).with_context(|| format!("cannot write {}", path.display()))?;
                return Ok(path);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
        }
    }
    bail!("there are too many screenshots in {}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: usize, pixels: Vec<u32>) -> Frame {
        let mut frame = Frame::default();
        (frame.width, frame.height, frame.pixels) = (width, 1, pixels);
        frame
    }

    #[test]
    fn pictures_come_back_and_files_are_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let frame = frame(2, vec![0x0012_3456, 0x00FF_0080]);
        let first = save(&frame, folder.path()).unwrap();
        assert_ne!(save(&frame, folder.path()).unwrap(), first);
        let file = std::io::BufReader::new(std::fs::File::open(first).unwrap());
        let mut reader = ::png::Decoder::new(file).read_info().unwrap();
        let mut bytes = vec![0; 6];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((info.width, info.height), (2, 1));
        assert_eq!(bytes, [0x12, 0x34, 0x56, 0xFF, 0x00, 0x80]);
    }

    #[test]
    fn what_cannot_be_saved_is_said() {
        assert!(save(&Frame::default(), Path::new("/")).is_err());
        let frame = frame(1, vec![0]);
        let error = save(&frame, Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/posada-1.png"), "{error}");
    }
}
