//! Writes the three fonts as one picture: `cargo run --release -p bios --example write_font_sheet -- fonts.pbm`.

use std::fmt::Write;

/// Characters in a line of the sheet.
const COLUMNS: usize = 32;

fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "fonts.pbm".into());
    let fonts = bios::video::font::all();
    let lines: Vec<Vec<u8>> = fonts.iter().flat_map(|(height, font)| sheet(font, *height)).collect();
    let mut picture = format!("P1\n{} {}\n", COLUMNS * 8, lines.len());
    for line in lines {
        for byte in line {
            write!(picture, "{byte:08b}").expect("a string takes it");
        }
        picture.push('\n');
    }
    std::fs::write(path, picture)
}

/// Lines of dots: the characters in rows of [`COLUMNS`].
fn sheet(font: &[u8], height: usize) -> Vec<Vec<u8>> {
    let rows = font.chunks(COLUMNS * height);
    rows.flat_map(|row| (0..height).map(move |y| row.iter().skip(y).step_by(height).copied().collect()))
        .collect()
}
