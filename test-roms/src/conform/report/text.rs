//! For the terminal: columns under their names.

use super::{COLUMNS, Report, summary};

pub fn render(report: &Report) -> String {
    let rows = report.cells();
    let width = |n: usize| {
        let cells = rows.iter().map(|row| row[n].chars().count());
        cells.chain([COLUMNS[n].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(width);
    let mut text = String::new();
    let mut line = |cells: [&str; COLUMNS.len()]| {
        let cells = cells.iter().zip(widths).enumerate();
        let aligned = cells.map(|(n, (cell, w))| match n {
            0 => format!("{cell:w$}"),
            _ => format!("{cell:>w$}"),
        });
        text += aligned.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    };
    line(COLUMNS);
    for row in &rows {
        line(std::array::from_fn(|n| row[n].as_str()));
    }
    text.push('\n');
    for sentence in summary(report) {
        text += &sentence;
        text.push('\n');
    }
    text
}
