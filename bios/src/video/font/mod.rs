//! The character generator: code page 437 in cells of 8x16, 8x14 and 8x8 dots, of our own drawing.
//!
//! Letters, figures and signs are drawn in `drawn_16` and `drawn_8`; letters with accents are composed of them
//! (`accents`); lines, shades and blocks are computed (`box_drawing`).

mod accents;
mod box_drawing;
mod code_page_437;
mod drawn_16;
mod drawn_8;

/// One byte per row, the leftmost dot in bit 7.
type Glyph = Vec<u8>;

/// A sheet of drawings of cells with `H` rows.
type Sheet<const H: usize> = [(&'static str, [&'static str; H])];

fn drawn<const H: usize>(sheet: &Sheet<H>, character: char) -> Option<Glyph> {
    sheet.iter().find_map(|(characters, rows)| {
        let index = characters.chars().position(|other| other == character)?;
        let cell = |row: &&str| row.split(' ').nth(index).map(dots);
        rows.iter().map(cell).collect()
    })
}

fn dots(row: &str) -> u8 {
    row.bytes().fold(0, |dots, byte| dots << 1 | u8::from(byte == b'#'))
}

/// A font of 256 cells of `height` rows out of a sheet for cells of `H` rows. Where the cells are lower than the
/// sheet's, the first row and the last ones are cut off.
fn font<const H: usize>(sheet: &Sheet<H>, height: usize) -> Vec<u8> {
    let cell = |character| {
        let top = usize::from(height < H);
        let lined = |character| {
            box_drawing::line(character, height).or_else(|| box_drawing::block(character, height))
        };
        let lettered = |character| {
            let base = |base| drawn(sheet, base);
            let inverse = |of| base(of).map(|rows| rows.iter().map(|row| !row).collect());
            let rows = match character {
                '◘' => inverse('•'),
                '◙' => inverse('○'),
                _ => base(character).or_else(|| accents::compose(character, H, base)),
            }?;
            Some(rows[top..top + height].to_vec())
        };
        lined(character).or_else(|| lettered(character)).unwrap_or_else(|| vec![0; height])
    };
    code_page_437::characters().flat_map(cell).collect()
}

/// 8x16 dots.
pub fn font_16() -> Vec<u8> {
    font(&drawn_16::SHEET, 16)
}

/// 8x14 dots.
pub fn font_14() -> Vec<u8> {
    font(&drawn_16::SHEET, 14)
}

/// 8x8 dots.
pub fn font_8() -> Vec<u8> {
    font(&drawn_8::SHEET, 8)
}

/// The fonts with their heights.
pub fn all() -> [(usize, Vec<u8>); 3] {
    [(16, font_16()), (14, font_14()), (8, font_8())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_but_the_blanks_has_its_own_drawing() {
        for (height, font) in all() {
            assert_eq!(font.len(), 256 * height);
            let cells: Vec<&[u8]> = font.chunks(height).collect();
            for (code, cell) in cells.iter().enumerate() {
                let is_blank = cell.iter().all(|row| *row == 0);
                assert_eq!(is_blank, matches!(code, 0 | 0x20 | 0xFF), "{code:#x} of {height} rows");
                let twin = (0..code).find(|other| cells[*other] == *cell && !is_blank);
                assert_eq!(twin, None, "{code:#x} of {height} rows looks like another");
            }
        }
    }

    #[test]
    fn lines_join_at_the_edges() {
        for (height, font) in all() {
            let cell = |code: usize| &font[code * height..][..height];
            // │ and ║ above ┴ and ╩, ─ and ═ beside ┼ and ╬.
            for (line, end) in [(0xB3, 0xC1), (0xBA, 0xCA)] {
                assert_eq!(cell(line)[height - 1], cell(end)[0], "{height} rows");
            }
            for (line, crossing) in [(0xC4, 0xC5), (0xCD, 0xCE)] {
                let edge = |code: usize| cell(code).iter().map(|row| row & 1).collect::<Vec<u8>>();
                assert_eq!(edge(line), edge(crossing), "{height} rows");
            }
        }
    }
}
