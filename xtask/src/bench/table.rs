//! The table of results, as Markdown.

use crate::command;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;

/// CPU seconds of one boot.
pub struct Boot {
    pub architecture: &'static str,
    pub posada: f64,
    pub qemu: f64,
    /// Parts of a core that the idle shells take.
    pub idle: [f64; 2],
}

/// CPU nanoseconds of one kernel.
pub struct Row {
    pub name: String,
    pub native: f64,
    pub posada: f64,
    pub qemu: f64,
    /// Instructions the guest retired, its kernel's included.
    pub instructions: f64,
}

pub struct Report {
    pub boots: Vec<Boot>,
    pub rows: Vec<Row>,
    pub qemu: String,
    pub date: String,
    pub host: String,
}

const BEGIN: &str = "<!-- bench: written by cargo xtask bench -->\n";
const END: &str = "<!-- end of bench -->\n";

impl Report {
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "Measured {} on {}, against QEMU {} (TCG); CPU time.\n\n",
            self.date, self.host, self.qemu
        );
        out.push_str("| boot to the shell | Posada | QEMU TCG | Posada / QEMU | idle shell: Posada, QEMU |\n|---|---|---|---|---|\n");
        for Boot { architecture, posada, qemu, idle } in &self.boots {
            let [idle_posada, idle_qemu] = idle.map(|part| format!("{:.1} %", part * 100.0));
            let ratio = posada / qemu;
            let _ = writeln!(
                out,
                "| Debian {architecture} | {posada:.2} s | {qemu:.2} s | {ratio:.2} | {idle_posada}, {idle_qemu} |"
            );
        }
        out.push_str("\n| kernel | native | Posada | QEMU TCG | Posada / QEMU | Posada / native | ns per instruction |\n");
        out.push_str("|---|---|---|---|---|---|---|\n");
        for row in &self.rows {
            let ms = |nanoseconds: f64| nanoseconds / 1e6;
            let _ = writeln!(
                out,
                "| {} | {:.1} ms | {:.1} ms | {:.1} ms | {:.2} | {:.1} | {:.2} |",
                row.name,
                ms(row.native),
                ms(row.posada),
                ms(row.qemu),
                row.posada / row.qemu,
                row.posada / row.native,
                row.posada / row.instructions,
            );
        }
        let mean = |ratio: fn(&Row) -> f64| geometric_mean(self.rows.iter().map(ratio));
        let _ = writeln!(
            out,
            "| geometric mean | | | | {:.2} | {:.1} | {:.2} |",
            mean(|row| row.posada / row.qemu),
            mean(|row| row.posada / row.native),
            mean(|row| row.posada / row.instructions),
        );
        out
    }
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value.ln()));
    (sum / f64::from(count.max(1))).exp()
}

/// Puts the table between its two marks in README.md.
pub fn write_into_readme(table: &str) -> Result<()> {
    let path = command::workspace().join("README.md");
    let readme = fs::read_to_string(&path).context("README.md")?;
    fs::write(&path, replaced(&readme, table).context("README.md has no place for the table")?)?;
    Ok(())
}

fn replaced(readme: &str, table: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, geometric_mean, replaced};

    #[test]
    fn the_table_replaces_the_old_one() {
        let readme = format!("head\n{BEGIN}old\n{END}tail\n");
        assert_eq!(replaced(&readme, "new\n"), Some(format!("head\n{BEGIN}new\n{END}tail\n")));
        assert_eq!(replaced("no marks", "new"), None);
    }

    #[test]
    fn mean_of_ratios() {
        assert!((geometric_mean([2.0, 8.0].into_iter()) - 4.0).abs() < 1e-9);
    }
}
