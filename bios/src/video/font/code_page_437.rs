//! Code page 437, the character set of the PC's display adapters, as Unicode.
//!
//! Follows the Unicode Consortium's mapping table "cp437_DOSLatinUS to Unicode table", and for 00h-1Fh and 7Fh the
//! glyphs in the adapters' character generators (IBM PC Technical Reference, Appendix C).

const ROWS: [&str; 8] = [
    " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼",
    " !\"#$%&'()*+,-./0123456789:;<=>?",
    "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_",
    "`abcdefghijklmnopqrstuvwxyz{|}~⌂",
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ",
    "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ",
];

/// The 256 characters in order of their codes.
pub(super) fn characters() -> impl Iterator<Item = char> {
    ROWS.iter().flat_map(|row| row.chars())
}
