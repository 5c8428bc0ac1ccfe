//! Code page 437, the character set of the PC's display adapters, as Unicode.
//!
//! Follows the Unicode Consortium's mapping table "cp437_DOSLatinUS to Unicode table", and for 00h-1Fh and 7Fh the
//! glyphs in the adapters' character generators (IBM PC Technical Reference, Appendix C, "Of Characters, Keystrokes,
//! and Color").

const CONTROLS: &str = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const UPPER: [&str; 4] = [
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ",
    "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ",
];

/// The character that the display shows for a byte of video memory.
pub fn to_unicode(byte: u8) -> char {
    let index = usize::from(byte);
    let found = match byte {
        0x00..=0x1F => CONTROLS.chars().nth(index),
        0x20..=0x7E => Some(char::from(byte)),
        0x7F => Some('⌂'),
        0x80.. => UPPER[(index - 0x80) / 32].chars().nth(index % 32),
    };
    found.unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::{CONTROLS, UPPER, to_unicode};

    #[test]
    fn every_byte_has_a_character_one_column_wide() {
        assert!(CONTROLS.chars().count() == 32 && UPPER.iter().all(|row| row.chars().count() == 32));
        assert!((0..=255).all(|byte| !to_unicode(byte).is_control()));
        let expected =
            [(0x00, ' '), (0x41, 'A'), (0xB0, '░'), (0xC9, '╔'), (0xDB, '█'), (0xE1, 'ß'), (0xFE, '■')];
        for (byte, character) in expected {
            assert_eq!(to_unicode(byte), character, "{byte:#x}");
        }
    }
}
