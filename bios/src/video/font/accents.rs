//! Letters with accents, composed of a base letter and a mark.

use super::Glyph;

#[derive(Clone, Copy)]
enum Mark {
    Grave,
    Acute,
    Circumflex,
    Diaeresis,
    Tilde,
    Ring,
    Cedilla,
}

use Mark::{Acute, Cedilla, Circumflex, Diaeresis, Grave, Ring, Tilde};

const COMPOSED: [(char, char, Mark); 31] = [
    ('Ç', 'C', Cedilla),
    ('ü', 'u', Diaeresis),
    ('é', 'e', Acute),
    ('â', 'a', Circumflex),
    ('ä', 'a', Diaeresis),
    ('à', 'a', Grave),
    ('å', 'a', Ring),
    ('ç', 'c', Cedilla),
    ('ê', 'e', Circumflex),
    ('ë', 'e', Diaeresis),
    ('è', 'e', Grave),
    ('ï', 'i', Diaeresis),
    ('î', 'i', Circumflex),
    ('ì', 'i', Grave),
    ('Ä', 'A', Diaeresis),
    ('Å', 'A', Ring),
    ('É', 'E', Acute),
    ('ô', 'o', Circumflex),
    ('ö', 'o', Diaeresis),
    ('ò', 'o', Grave),
    ('û', 'u', Circumflex),
    ('ù', 'u', Grave),
    ('ÿ', 'y', Diaeresis),
    ('Ö', 'O', Diaeresis),
    ('Ü', 'U', Diaeresis),
    ('á', 'a', Acute),
    ('í', 'i', Acute),
    ('ó', 'o', Acute),
    ('ú', 'u', Acute),
    ('ñ', 'n', Tilde),
    ('Ñ', 'N', Tilde),
];

impl Mark {
    /// In cells of 16 rows: three rows above the letter, or below it for the cedilla.
    const fn tall(self) -> [u8; 3] {
        match self {
            Grave => [0b0000_0000, 0b0011_0000, 0b0001_1000],
            Acute => [0b0000_0000, 0b0000_1100, 0b0001_1000],
            Circumflex => [0b0000_0000, 0b0001_1000, 0b0110_0110],
            Diaeresis => [0b0000_0000, 0b0110_0110, 0b0110_0110],
            Tilde => [0b0000_0000, 0b0011_0010, 0b0100_1100],
            Ring => [0b0001_1000, 0b0010_0100, 0b0001_1000],
            Cedilla => [0b0000_1100, 0b0000_0110, 0b0011_1100],
        }
    }

    /// In cells of 8 rows.
    const fn low(self) -> u8 {
        match self {
            Grave => 0b0111_0000,
            Acute => 0b0000_1110,
            Circumflex => 0b0011_1100,
            Diaeresis => 0b0110_0110,
            Tilde => 0b0011_0100,
            Ring => 0b0001_1000,
            Cedilla => 0b0000_1100,
        }
    }
}

/// The cell of a composed character, of 16 or 8 rows. `drawn` gives the cells of base letters.
pub(super) fn compose(
    character: char,
    height: usize,
    drawn: impl Fn(char) -> Option<Glyph>,
) -> Option<Glyph> {
    let &(_, base, mark) = COMPOSED.iter().find(|(composed, ..)| *composed == character)?;
    let mut rows = drawn(base)?;
    if matches!(mark, Cedilla) {
        match height {
            8 => rows[7] = mark.low(),
            _ => rows[12..15].copy_from_slice(&mark.tall()),
        }
        return Some(rows);
    }
    make_room(&mut rows, base, height);
    match height {
        8 => rows[0] = mark.low(),
        _ => {
            let first = if base.is_uppercase() { usize::from(matches!(mark, Ring)) } else { 1 };
            for (row, dots) in rows[first..].iter_mut().zip(mark.tall()) {
                *row |= dots;
            }
        }
    }
    Some(rows)
}

/// Capitals get lower by rows that repeat the one above; the dot of the i goes.
fn make_room(rows: &mut Glyph, base: char, height: usize) {
    let (first, taken): (usize, &[usize]) = match height {
        // A and O end in a tip, which may come close to the mark.
        8 if matches!(base, 'A' | 'O') => (0, &[2]),
        8 => (0, &[2, 5]),
        _ => (2, &[4, 9]),
    };
    if base.is_uppercase() {
        for &row in taken {
            rows.remove(row);
            rows.insert(first, 0);
        }
    } else if base == 'i' {
        let dot_ends = first + 2;
        rows[..dot_ends].fill(0);
    }
}
