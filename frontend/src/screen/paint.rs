//! Drawing the text screen with ANSI sequences (ECMA-48), only where it has changed.

use super::cp437;
use machine::{Cell, TextScreen};
use std::fmt::Write as _;

/// Draws successive screens on one terminal.
#[derive(Default)]
pub struct Painter {
    shown: Option<Shown>,
}

/// What the terminal shows now.
struct Shown {
    size: (usize, usize),
    rows: Vec<Vec<Cell>>,
    text: bool,
    /// The sequence that placed it.
    cursor: String,
}

impl Painter {
    /// The terminal no longer shows what was drawn: its size changed, or another program used it.
    pub fn forget(&mut self) {
        self.shown = None;
    }

    /// What to write to a terminal of this many columns and rows so that it shows `screen`; `None` is a graphics
    /// mode, which a terminal cannot show.
    pub fn paint(&mut self, screen: Option<&TextScreen>, terminal: (u16, u16)) -> String {
        let size = (usize::from(terminal.0), usize::from(terminal.1));
        let rows = screen.map_or_else(Vec::new, |screen| visible(screen, size));
        let mut out = String::new();
        let stays = self.shown.take().filter(|shown| shown.size == size && shown.text == screen.is_some());
        if stays.is_none() {
            out.push_str("\x1b[0m\x1b[2J");
            if screen.is_none() {
                out.push_str("\x1b[H[the guest shows graphics, which a terminal cannot]\x1b[?25l");
            }
        }
        for (index, row) in rows.iter().enumerate() {
            let old = stays.as_ref().and_then(|shown| shown.rows.get(index));
            paint_row(&mut out, index, row, old.map(Vec::as_slice));
        }
        let cursor = screen.map_or_else(String::new, |screen| cursor(screen, size));
        if !out.is_empty() || stays.is_none_or(|shown| shown.cursor != cursor) {
            out.push_str(&cursor);
        }
        self.shown = Some(Shown { size, rows, text: screen.is_some(), cursor });
        out
    }
}

/// The first row to show: all of them, or on a smaller terminal those that end at the cursor.
fn first_row(screen: &TextScreen, rows: usize) -> usize {
    let cursor = screen.cursor.map_or(0, |cursor| index(cursor.row));
    (cursor + 1).saturating_sub(rows).min(index(screen.rows).saturating_sub(rows))
}

fn index(cells: u32) -> usize {
    usize::try_from(cells).unwrap_or(usize::MAX)
}

/// The cells row by row.
pub fn lines(screen: &TextScreen) -> std::slice::Chunks<'_, Cell> {
    screen.cells.chunks(index(screen.columns).max(1))
}

fn visible(screen: &TextScreen, (columns, rows): (usize, usize)) -> Vec<Vec<Cell>> {
    let shown = lines(screen).skip(first_row(screen, rows)).take(rows);
    shown.map(|line| line.iter().take(columns).copied().collect()).collect()
}

fn paint_row(out: &mut String, index: usize, row: &[Cell], old: Option<&[Cell]>) {
    let differs = |column: &usize| old.and_then(|old| old.get(*column)) != row.get(*column);
    let changed: Vec<usize> = (0..row.len()).filter(differs).collect();
    let (Some(&first), Some(&last)) = (changed.first(), changed.last()) else { return };
    let _ = write!(out, "\x1b[{};{}H", index + 1, first + 1);
    let mut attribute = None;
    for cell in &row[first..=last] {
        if attribute != Some(cell.attribute) {
            attribute = Some(cell.attribute);
            out.push_str(&colours(cell.attribute));
        }
        out.push(cp437::to_unicode(cell.ch));
    }
    out.push_str("\x1b[0m");
}

fn cursor(screen: &TextScreen, (columns, rows): (usize, usize)) -> String {
    let first = first_row(screen, rows);
    match screen.cursor.map(|cursor| (index(cursor.column), index(cursor.row))) {
        Some((column, row)) if column < columns && (first..first + rows).contains(&row) => {
            format!("\x1b[{};{}H\x1b[?25h", row - first + 1, column + 1)
        }
        _ => "\x1b[?25l".into(),
    }
}

/// The SGR sequence for an attribute byte (IBM PC Technical Reference, "Color/Graphics Monitor Adapter", attribute
/// byte: blink, background RGB, intensity, foreground RGB).
fn colours(attribute: u8) -> String {
    /// ANSI counts red as 1 and blue as 4, the adapter the other way round.
    const ANSI: [u8; 8] = [0, 4, 2, 6, 1, 5, 3, 7];
    let foreground = ANSI[usize::from(attribute & 7)] + if attribute & 8 == 0 { 30 } else { 90 };
    let background = ANSI[usize::from(attribute >> 4 & 7)] + 40;
    let blink = if attribute & 0x80 == 0 { "" } else { ";5" };
    format!("\x1b[0;{foreground};{background}{blink}m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::Cursor;

    fn screen(text: &str) -> TextScreen {
        let cells: Vec<Cell> = text.bytes().map(|ch| Cell { ch, attribute: 7 }).collect();
        TextScreen { columns: 4, rows: u32::try_from(cells.len() / 4).unwrap(), cells, cursor: None }
    }

    #[test]
    fn only_changes_are_drawn() {
        let mut painter = Painter::default();
        let first = painter.paint(Some(&screen("abcdefgh")), (80, 25));
        assert!(first.contains("abcd") && first.contains("efgh") && first.contains("\x1b[2J"));
        let second = painter.paint(Some(&screen("abcdeXgh")), (80, 25));
        assert_eq!(second, "\x1b[2;2H\x1b[0;37;40mX\x1b[0m\x1b[?25l");
        assert_eq!(painter.paint(Some(&screen("abcdeXgh")), (80, 25)), "");
    }

    #[test]
    fn a_small_terminal_follows_the_cursor() {
        let mut tall = screen("aaaabbbbccccdddd");
        tall.cursor = Some(Cursor { column: 1, row: 3, start: 13, end: 14 });
        let text = Painter::default().paint(Some(&tall), (2, 2));
        assert!(text.contains("cc") && text.contains("dd") && !text.contains("bb") && !text.contains("ccc"));
        assert!(text.ends_with("\x1b[2;2H\x1b[?25h"));
    }

    #[test]
    fn graphics_are_named_once() {
        let mut painter = Painter::default();
        assert!(painter.paint(None, (80, 25)).contains("graphics"));
        assert_eq!(painter.paint(None, (80, 25)), "");
    }

    #[test]
    fn attributes_become_ansi_colours() {
        assert_eq!(colours(0x1F), "\x1b[0;97;44m");
        assert_eq!(colours(0x84), "\x1b[0;31;40;5m");
    }
}
