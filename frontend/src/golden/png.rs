//! Pictures as PNG files: with a palette if they have at most 256 colours.

use crate::files;
use anyhow::{Context, Result, bail};
use machine::Picture;
use png::{BitDepth, ColorType, Decoder, Encoder, Transformations};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

/// A picture that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub width: usize,
    pub height: usize,
    /// 0x00RRGGBB.
    pub pixels: Vec<u32>,
}

/// No screen has more pixels.
const LARGEST: usize = 1 << 25;

/// Writes a picture.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, picture: &Picture) -> Result<()> {
    let bytes = encode(picture).with_context(|| format!("the picture {}", path.display()))?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write the picture {}", path.display()))
}

/// The colours of a picture with their places in a palette, if there is room for them in one.
fn palette(pixels: &[u32]) -> Option<BTreeMap<u32, u8>> {
    let mut colours = BTreeMap::new();
    for colour in pixels {
        if !colours.contains_key(colour) {
            colours.insert(*colour, u8::try_from(colours.len()).ok()?);
        }
    }
    Some(colours)
}

fn rgb(colour: u32) -> [u8; 3] {
    let [_, red, green, blue] = colour.to_be_bytes();
    [red, green, blue]
}

fn encode(picture: &Picture) -> Result<Vec<u8>> {
    let size = (picture.width, picture.height);
    let Some(colours) = palette(&picture.pixels) else { return true_colour(size, &picture.pixels) };
    let mut table = vec![[0; 3]; colours.len()];
    colours.iter().for_each(|(colour, place)| table[usize::from(*place)] = rgb(*colour));
    let data: Vec<u8> = picture.pixels.iter().map(|pixel| colours[pixel]).collect();
    encoded(size, ColorType::Indexed, table.as_flattened(), &data)
}

/// A PNG file of pixels 0x00RRGGBB, without a palette.
///
/// # Errors
/// There are no pixels.
pub fn true_colour(size: (usize, usize), pixels: &[u32]) -> Result<Vec<u8>> {
    let data: Vec<u8> = pixels.iter().flat_map(|pixel| rgb(*pixel)).collect();
    encoded(size, ColorType::Rgb, &[], &data)
}

fn encoded((width, height): (usize, usize), kind: ColorType, palette: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, u32::try_from(width)?, u32::try_from(height)?);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_color(kind);
    if kind == ColorType::Indexed {
        encoder.set_palette(palette.to_vec());
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(data)?;
    writer.finish()?;
    Ok(file)
}

/// Reads a picture of any kind; what is transparent shows its colour.
///
/// # Errors
/// The file cannot be read or is not a PNG picture of a possible size.
pub fn read(path: &Path) -> Result<Image> {
    let bytes = files::read("picture", path)?;
    decode(&bytes).with_context(|| format!("{} is not a PNG picture of a screen", path.display()))
}

fn decode(bytes: &[u8]) -> Result<Image> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let (width, height) = (usize::try_from(reader.info().width)?, usize::try_from(reader.info().height)?);
    if width.saturating_mul(height) > LARGEST {
        bail!("it is too large");
    }
    let mut data = vec![0; reader.output_buffer_size().context("it is too large")?];
    reader.next_frame(&mut data)?;
    let samples = reader.output_color_type().0.samples();
    let colour = |pixel: &[u8]| match *pixel {
        [red, green, blue, ..] => u32::from_be_bytes([0, red, green, blue]),
        [grey, ..] => u32::from(grey) * 0x01_0101,
        [] => 0,
    };
    Ok(Image { width, height, pixels: data.chunks_exact(samples).map(colour).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn come_back(pixels: Vec<u32>) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        let mut picture = Picture::new();
        (picture.width, picture.height, picture.pixels) = (32, pixels.len() / 32, pixels);
        write(&path, &picture).unwrap();
        let image = read(&path).unwrap();
        assert_eq!((image.width, image.height), (picture.width, picture.height));
        assert!(image.pixels == picture.pixels);
        std::fs::metadata(&path).unwrap().len().try_into().unwrap()
    }

    #[test]
    fn pictures_come_back_with_few_and_many_colours() {
        come_back((0..32 * 8).map(|n| n * 0x01_0101 % 0x100_0000).collect());
        come_back((0..32 * 16).map(|n: u32| n.wrapping_mul(0x9E_3779) & 0xFF_FFFF).collect());
        assert!(come_back(vec![0x12_3456; 32 * 1024]) < 500);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(decode(b"GIF89a").is_err());
        let folder = tempfile::tempdir().unwrap();
        let error = read(&folder.path().join("none.png")).err().unwrap();
        assert!(format!("{error:#}").contains("none.png"));
    }
}
