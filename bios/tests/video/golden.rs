//! Golden screens: each mode with its font, its colours and dots, as pictures in `golden/`.
//!
//! A screen that differs is written beside them as `*.new.png`; if it is right, it takes the old one's place.

use crate::bench::Bench;
use machine::Picture;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

fn path(name: &str, ending: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/video/golden").join(format!("{name}{ending}"))
}

fn rgb(picture: &Picture) -> Vec<u8> {
    let bytes = |pixel: &u32| {
        let [blue, green, red, _] = pixel.to_le_bytes();
        [red, green, blue]
    };
    picture.pixels.iter().flat_map(bytes).collect()
}

fn write(picture: &Picture, path: &Path) {
    let file = BufWriter::new(File::create(path).expect("a folder to write to"));
    let size = |length: usize| u32::try_from(length).expect("a screen");
    let mut encoder = png::Encoder::new(file, size(picture.width), size(picture.height));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&rgb(picture)).expect("as many bytes as the size says");
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut reader = png::Decoder::new(BufReader::new(File::open(path).ok()?)).read_info().ok()?;
    let mut bytes = vec![0; reader.output_buffer_size()?];
    reader.next_frame(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether the picture is the golden one.
pub fn is_golden(name: &str, picture: &Picture) -> bool {
    let good = read(&path(name, ".png")).is_some_and(|golden| golden == rgb(picture));
    if !good {
        write(picture, &path(name, ".new.png"));
    }
    good
}

/// All characters, words in all colours, and a diamond of dots.
pub fn demonstration(bench: Bench, is_text: bool, colours: u8) -> Bench {
    let mut bench = bench.call(0x0100, 0, 0x2000, 0);
    for code in 0..=255u8 {
        let column = code % 32 + 2;
        bench = bench.cursor(code / 32 + 1, column).call(
            0x0900 | u16::from(code),
            0x0F.min(u16::from(colours - 1)),
            1,
            0,
        );
    }
    for colour in 0..colours {
        bench = bench.cursor(10 + colour % 8, 2 + colour / 8 * 10).call(0x0943, colour.into(), 8, 0);
    }
    bench = bench.cursor(24, 0).print("Scrolled\r\n and more text\n", colours - 1);
    if !is_text {
        for n in 0..40u16 {
            let colour = 0x0C00 | (n % u16::from(colours - 1).min(15) + 1);
            for (x, y) in [(260 + n, 120 + n), (260 - n, 120 + n), (260 + n, 200 - n), (260 - n, 200 - n)] {
                bench = bench.call(colour, 0, x, y.min(199));
            }
        }
    }
    bench
}

#[test]
fn every_mode_looks_right() {
    let mut wrong = Vec::new();
    for mode in (0..=7).chain(0x0D..=0x13) {
        let is_text = mode < 4 || mode == 7;
        let colours = match mode {
            4 | 5 => 4,
            6 | 0x11 => 2,
            _ => 16,
        };
        let mut run = demonstration(Bench::mode(mode), is_text, colours).run();
        let name = format!("mode_{mode:02x}");
        if !is_golden(&name, &run.picture()) {
            wrong.push(name);
        }
    }
    assert_eq!(wrong, [""; 0], "see the pictures *.new.png in tests/video/golden");
}
