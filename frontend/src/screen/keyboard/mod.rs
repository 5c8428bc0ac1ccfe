//! The layout of the guest's keyboard: which keys type a character. Only text needs it (pasted, from a script, from a
//! terminal); keys that a person presses in the window are known by their place.

mod tables;

use super::keys::Stroke;
use clap::ValueEnum;
use std::fmt;
use tables::{ROWS, Table};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KeyboardLayout {
    /// United States
    #[default]
    Us,
    /// United Kingdom
    #[value(alias = "gb")]
    Uk,
    /// Germany, Austria
    #[value(alias = "at")]
    De,
    /// Switzerland
    Ch,
    /// France
    Fr,
    /// Belgium
    Be,
    /// Spain
    Es,
    /// Latin America
    Latam,
    /// Italy
    It,
    /// Portugal
    Pt,
    /// Brazil (ABNT2)
    Br,
    /// Sweden, Finland
    #[value(alias = "fi")]
    Se,
    /// Norway
    No,
    /// Denmark
    Dk,
    /// Poland (programmers')
    Pl,
    /// Japan (109 keys)
    Jp,
    /// Dvorak
    Dvorak,
}

/// What accents make of letters (Unicode, canonical decompositions); after a blank, the accent alone. Systems disagree
/// about the blank after an acute accent and a diaeresis.
#[rustfmt::skip]
const ACCENTED: [(char, &str, &str); 5] = [
    ('`', "aeiouAEIOU ",    "àèìòùÀÈÌÒÙ`"),
    ('´', "aeiouyAEIOUY",   "áéíóúýÁÉÍÓÚÝ"),
    ('^', "aeiouAEIOU ",    "âêîôûÂÊÎÔÛ^"),
    ('¨', "aeiouyAEIOU",    "äëïöüÿÄËÏÖÜ"),
    ('~', "anoANO ",        "ãñõÃÑÕ~"),
];

impl KeyboardLayout {
    fn table(self) -> &'static Table {
        match self {
            Self::Us => &tables::US,
            Self::Uk => &tables::UK,
            Self::De => &tables::DE,
            Self::Ch => &tables::CH,
            Self::Fr => &tables::FR,
            Self::Be => &tables::BE,
            Self::Es => &tables::ES,
            Self::Latam => &tables::LATAM,
            Self::It => &tables::IT,
            Self::Pt => &tables::PT,
            Self::Br => &tables::BR,
            Self::Se => &tables::SE,
            Self::No => &tables::NO,
            Self::Dk => &tables::DK,
            Self::Pl => &tables::PL,
            Self::Jp => &tables::JP,
            Self::Dvorak => &tables::DVORAK,
        }
    }

    /// The strokes that type a printable character, one or two; none if the layout does not have it.
    pub fn strokes(self, character: char) -> Vec<Stroke> {
        let direct = self.direct(character).map(|stroke| vec![stroke]);
        direct.or_else(|| self.accented(character)).unwrap_or_default()
    }

    fn direct(self, character: char) -> Option<Stroke> {
        if character == ' ' {
            return Some(Stroke::plain(0x39));
        }
        self.table().levels.iter().enumerate().find_map(|(level, rows)| {
            ROWS.iter().zip(rows).find_map(|(codes, characters)| {
                let place = characters.chars().position(|one| one == character)?;
                codes.get(place).map(|&code| at_level(code, level))
            })
        })
    }

    fn accented(self, character: char) -> Option<Vec<Stroke>> {
        self.table().dead.iter().find_map(|&(accent, code, level)| {
            let (_, bare, accented) = ACCENTED.iter().find(|row| row.0 == accent)?;
            let place = accented.chars().position(|one| one == character)?;
            Some(vec![at_level(code, level), self.direct(bare.chars().nth(place)?)?])
        })
    }
}

fn at_level(code: u16, level: usize) -> Stroke {
    Stroke { shift: level & 1 != 0, alt_gr: level & 2 != 0, ..Stroke::plain(code) }
}

impl fmt::Display for KeyboardLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value().expect("no layout is hidden");
        f.write_str(name.get_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_types_all_of_ascii() {
        for layout in KeyboardLayout::value_variants() {
            for character in ' '..='~' {
                let strokes = layout.strokes(character);
                assert!((1..=2).contains(&strokes.len()), "{layout}: `{character}` by {strokes:?}");
            }
        }
    }

    #[test]
    fn no_key_types_two_characters_and_rows_fit_their_keys() {
        for layout in KeyboardLayout::value_variants() {
            let Table { levels, dead } = layout.table();
            for (row, codes) in levels.iter().flat_map(|rows| rows.iter().zip(ROWS)) {
                assert!(row.chars().count() <= codes.len(), "{layout}: {row}");
            }
            for &(accent, code, level) in *dead {
                let row = ROWS.iter().position(|codes| codes.contains(&code)).expect("a key");
                let place = ROWS[row].iter().position(|one| *one == code).expect("in it");
                let printed = levels[level][row].chars().nth(place).unwrap_or(' ');
                assert_eq!(printed, ' ', "{layout}: {accent} is where {printed} is");
                assert!(ACCENTED.iter().any(|row| row.0 == accent));
            }
        }
    }

    /// The places that people know by heart.
    #[test]
    fn characters_are_where_they_are_printed() {
        let stroke = |layout: KeyboardLayout, character| match layout.strokes(character).as_slice() {
            [stroke] => (stroke.code, stroke.shift, stroke.alt_gr),
            strokes => panic!("{layout}: `{character}` by {strokes:?}"),
        };
        use KeyboardLayout as L;
        for (layout, character, code, shift, alt_gr) in [
            (L::Us, 'z', 0x2C, false, false),
            (L::Us, '|', 0x2B, true, false),
            (L::Uk, '"', 0x03, true, false),
            (L::Uk, '\\', 0x56, false, false),
            (L::De, 'y', 0x2C, false, false),
            (L::De, '/', 0x08, true, false),
            (L::De, '{', 0x08, false, true),
            (L::De, 'ß', 0x0C, false, false),
            (L::Fr, 'a', 0x10, false, false),
            (L::Fr, '1', 0x02, true, false),
            (L::Fr, '\\', 0x09, false, true),
            (L::Fr, '.', 0x33, true, false),
            (L::Es, 'ñ', 0x27, false, false),
            (L::Es, '[', 0x1A, false, true),
            (L::It, '@', 0x27, false, true),
            (L::It, '{', 0x1A, true, true),
            (L::Br, '/', 0x73, false, false),
            (L::Jp, '@', 0x1A, false, false),
            (L::Dvorak, 'e', 0x20, false, false),
            (L::Pl, 'ł', 0x26, false, true),
        ] {
            assert_eq!(stroke(layout, character), (code, shift, alt_gr), "{layout}: {character}");
        }
    }

    #[test]
    fn accents_come_before_their_letters() {
        let codes = |layout: KeyboardLayout, character| -> Vec<u16> {
            layout.strokes(character).iter().map(|stroke| stroke.code).collect()
        };
        assert_eq!(codes(KeyboardLayout::De, '^'), [0x29, 0x39]);
        assert_eq!(codes(KeyboardLayout::Fr, 'ô'), [0x1A, 0x18]);
        assert_eq!(codes(KeyboardLayout::Es, 'Á'), [0x28, 0x1E]);
        assert!(codes(KeyboardLayout::Us, 'é').is_empty());
    }
}
