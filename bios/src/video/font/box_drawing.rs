//! Lines, corners and crossings of single and double strokes, computed for any cell height.
//!
//! Strokes that run up or down are two dots wide. Single strokes are in the middle of the cell, double ones leave two
//! columns or one row free there. Cells join without gaps.

use super::Glyph;

/// The weight of a stroke from the middle of the cell to an edge: none, single or double.
#[derive(Clone, Copy)]
struct Arms {
    up: u8,
    right: u8,
    down: u8,
    left: u8,
}

/// Each character with its weights up, right, down and left.
#[rustfmt::skip]
const LINES: [(char, [u8; 4]); 40] = [
    ('│', [1, 0, 1, 0]), ('┤', [1, 0, 1, 1]), ('╡', [1, 0, 1, 2]), ('╢', [2, 0, 2, 1]), ('╖', [0, 0, 2, 1]),
    ('╕', [0, 0, 1, 2]), ('╣', [2, 0, 2, 2]), ('║', [2, 0, 2, 0]), ('╗', [0, 0, 2, 2]), ('╝', [2, 0, 0, 2]),
    ('╜', [2, 0, 0, 1]), ('╛', [1, 0, 0, 2]), ('┐', [0, 0, 1, 1]), ('└', [1, 1, 0, 0]), ('┴', [1, 1, 0, 1]),
    ('┬', [0, 1, 1, 1]), ('├', [1, 1, 1, 0]), ('─', [0, 1, 0, 1]), ('┼', [1, 1, 1, 1]), ('╞', [1, 2, 1, 0]),
    ('╟', [2, 1, 2, 0]), ('╚', [2, 2, 0, 0]), ('╔', [0, 2, 2, 0]), ('╩', [2, 2, 0, 2]), ('╦', [0, 2, 2, 2]),
    ('╠', [2, 2, 2, 0]), ('═', [0, 2, 0, 2]), ('╬', [2, 2, 2, 2]), ('╧', [1, 2, 0, 2]), ('╨', [2, 1, 0, 1]),
    ('╤', [0, 2, 1, 2]), ('╥', [0, 1, 2, 1]), ('╙', [2, 1, 0, 0]), ('╘', [1, 2, 0, 0]), ('╒', [0, 2, 1, 0]),
    ('╓', [0, 1, 2, 0]), ('╫', [2, 1, 2, 1]), ('╪', [1, 2, 1, 2]), ('┘', [1, 0, 0, 1]), ('┌', [0, 1, 1, 0]),
];

/// The cell of a line character.
pub(super) fn line(character: char, height: usize) -> Option<Glyph> {
    let &(_, [up, right, down, left]) = LINES.iter().find(|(other, _)| *other == character)?;
    let arms = Arms { up, right, down, left };
    let mut cell = Cell { rows: vec![0; height] };
    let last = height - 1;
    let middle = height / 2 - 1;
    for &(columns, end) in &arms.vertical_ends() {
        if arms.up > 0 {
            cell.fill(0..=middle.saturating_add_signed(end.0), columns);
        }
        if arms.down > 0 {
            cell.fill(middle.saturating_add_signed(-end.1)..=last, columns);
        }
    }
    for &(row, end) in &arms.horizontal_ends() {
        let row = middle.saturating_add_signed(row);
        if arms.left > 0 {
            cell.fill(row..=row, (0, end.0));
        }
        if arms.right > 0 {
            cell.fill(row..=row, (7 - end.1, 7));
        }
    }
    Some(cell.rows)
}

/// First and last column.
type Columns = (u8, u8);

impl Arms {
    /// The columns of the strokes up and down, and how many rows beyond the middle the upper and the lower one go.
    fn vertical_ends(self) -> Vec<(Columns, (isize, isize))> {
        let across = self.left.max(self.right);
        if self.up.max(self.down) == 2 {
            let end = |side: u8| match (across, side) {
                (2, 2) => (-1, -1),
                (2, _) => (1, 1),
                _ => (0, 0),
            };
            return vec![((1, 2), end(self.left)), ((5, 6), end(self.right))];
        }
        let is_through = self.up > 0 && self.down > 0;
        let end = match (self.left, self.right) {
            (2, 2) if !is_through => -1,
            (2, _) | (_, 2) if !is_through => 1,
            _ => 0,
        };
        vec![((3, 4), (end, end))]
    }

    /// The rows, counted from the middle, of the strokes to the sides, and the columns that the left one goes to
    /// and, counted from the right edge, the right one.
    fn horizontal_ends(self) -> Vec<(isize, (u8, u8))> {
        let along = self.up.max(self.down);
        if self.left.max(self.right) == 2 {
            let end = |side: u8| match (along, side) {
                (2, 2) => (2, 2),
                (2, _) => (6, 6),
                _ => (4, 4),
            };
            return vec![(-1, end(self.up)), (1, end(self.down))];
        }
        let is_through = self.left > 0 && self.right > 0;
        let end = match (self.up, self.down) {
            (2, 2) if !is_through => 2,
            (2, _) | (_, 2) => 6,
            _ => 4,
        };
        vec![(0, (end, end))]
    }
}

struct Cell {
    rows: Glyph,
}

impl Cell {
    fn fill(&mut self, rows: std::ops::RangeInclusive<usize>, (first, last): Columns) {
        let dots = (0xFF >> first) & (0xFF << (7 - last));
        for row in rows {
            self.rows[row] |= dots;
        }
    }
}

/// Shades, blocks and the two halves of the integral sign, which join like lines.
pub(super) fn block(character: char, height: usize) -> Option<Glyph> {
    let rows = |dots: fn(usize, usize) -> u8| Some((0..height).map(|row| dots(row, height)).collect());
    match character {
        '░' => rows(|row, _| [0x88, 0x22][row % 2]),
        '▒' => rows(|row, _| [0xAA, 0x55][row % 2]),
        '▓' => rows(|row, _| [0x77, 0xDD][row % 2]),
        '█' => rows(|_, _| 0xFF),
        '▄' => rows(|row, height| if row >= height / 2 { 0xFF } else { 0 }),
        '▀' => rows(|row, height| if row < height / 2 { 0xFF } else { 0 }),
        '▌' => rows(|_, _| 0xF0),
        '▐' => rows(|_, _| 0x0F),
        '⌠' => rows(|row, height| match row {
            0 => 0x0E * u8::from(height == 8),
            1 => {
                if height == 8 {
                    0x1B
                } else {
                    0x0E
                }
            }
            2 if height > 8 => 0x1B,
            _ => 0x18,
        }),
        '⌡' => rows(|row, height| match height - row {
            1 => 0x70 * u8::from(height == 8),
            2 => {
                if height == 8 {
                    0xD8
                } else {
                    0x70
                }
            }
            3 if height > 8 => 0xD8,
            _ => 0x18,
        }),
        _ => None,
    }
}
