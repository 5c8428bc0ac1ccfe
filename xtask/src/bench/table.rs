//! The tables of results, as Markdown.

use super::disk;
use super::goals;
use super::sample::Cost;
use super::screen::Share;
use crate::command;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;

/// From power-on to the shell.
pub struct Boot {
    pub architecture: String,
    pub posada: Cost,
    pub qemu: Cost,
    /// Parts of a core that the idle shells take.
    pub idle: [f64; 2],
}

/// CPU nanoseconds of one kernel or program.
pub struct Row {
    pub name: String,
    pub native: f64,
    pub posada: f64,
    pub qemu: f64,
}

impl Row {
    /// How many times as fast as QEMU Posada is.
    pub fn against_qemu(&self) -> f64 {
        self.qemu / self.posada
    }

    /// How many times as slow as the host Posada is.
    fn against_native(&self) -> f64 {
        self.posada / self.native
    }
}

pub struct Report {
    pub boots: Vec<Boot>,
    pub kernels: Vec<Row>,
    pub programs: Vec<Row>,
    pub disk: Vec<disk::Row>,
    pub screen: Option<Share>,
    pub engine: String,
    pub qemu: String,
    pub date: String,
    pub host: String,
}

const BEGIN: &str = "<!-- bench: written by cargo xtask bench -->\n";
const END: &str = "<!-- end of bench -->\n";

impl Report {
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "Measured {} on {}, `--engine {}` against QEMU {} (TCG).\n\n",
            self.date, self.host, self.engine, self.qemu
        );
        out.push_str(&goals::markdown(self));
        boots(&mut out, &self.boots);
        rows(&mut out, "kernel", &self.kernels, ("ms", 1e6));
        rows(&mut out, "program", &self.programs, ("s", 1e9));
        disks(&mut out, &self.disk);
        screen(&mut out, self.screen);
        out
    }
}

fn boots(out: &mut String, boots: &[Boot]) {
    if boots.is_empty() {
        return;
    }
    out.push_str("| boot to the shell | Posada: CPU, wall | QEMU TCG: CPU, wall | QEMU / Posada: CPU, wall | idle shell: Posada, QEMU |\n");
    out.push_str("|---|---|---|---|---|\n");
    for Boot { architecture, posada, qemu, idle } in boots {
        let seconds = |cost: &Cost| format!("{:.2} s, {:.2} s", cost.cpu / 1e9, cost.wall / 1e9);
        let [idle_posada, idle_qemu] = idle.map(|part| format!("{:.1} %", part * 100.0));
        let _ = writeln!(
            out,
            "| Debian {architecture} | {} | {} | {:.2}, {:.2} | {idle_posada}, {idle_qemu} |",
            seconds(posada),
            seconds(qemu),
            qemu.cpu / posada.cpu,
            qemu.wall / posada.wall,
        );
    }
    out.push('\n');
}

fn disks(out: &mut String, rows: &[disk::Row]) {
    if rows.is_empty() {
        return;
    }
    out.push_str(
        "| Debian amd64 on a disk | Posada: CPU, wall | QEMU TCG: CPU, wall | QEMU / Posada: CPU, wall |\n",
    );
    out.push_str("|---|---|---|---|\n");
    for disk::Row { name, posada, qemu } in rows {
        let seconds = |cost: &Cost| format!("{:.2} s, {:.2} s", cost.cpu / 1e9, cost.wall / 1e9);
        let (cpu, wall) = (qemu.cpu / posada.cpu, qemu.wall / posada.wall);
        let _ = writeln!(out, "| {name} | {} | {} | {cpu:.2}, {wall:.2} |", seconds(posada), seconds(qemu));
    }
    out.push_str("\nGRUB waits 3 s in its menu, by looking at the clock: that is part of the login.\n\n");
}

/// What the pictures of a console that scrolls may take, in percent of a core.
const PICTURES: f64 = 20.0;

fn screen(out: &mut String, share: Option<Share>) {
    let Some(Share { conversion, presentation }) = share else { return };
    let together = conversion + presentation;
    let verdict = if together < PICTURES { "met" } else { "**not met**" };
    let [conversion, presentation, together, must] =
        [conversion, presentation, together, PICTURES].map(|part| format!("{part:.1} %"));
    let _ = writeln!(
        out,
        "| a 1024x768 console that scrolls, in the window | of a core | must | |\n|---|---|---|---|\n\
        | conversion | {conversion} | | |\n| presentation | {presentation} | | |\n\
        | together | {together} | under {must} | {verdict} |\n"
    );
}

fn rows(out: &mut String, what: &str, rows: &[Row], (unit, nanoseconds): (&str, f64)) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "| {what} | native | Posada | QEMU TCG | QEMU / Posada | Posada / native |\n|---|---|---|---|---|---|"
    );
    for row in rows {
        let time = |value: f64| format!("{:.2} {unit}", value / nanoseconds);
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {:.2} | {:.1} |",
            row.name,
            time(row.native),
            time(row.posada),
            time(row.qemu),
            row.against_qemu(),
            row.against_native(),
        );
    }
    let mean = |ratio: fn(&Row) -> f64| geometric_mean(rows.iter().map(ratio));
    let _ = writeln!(
        out,
        "| geometric mean | | | | {:.2} | {:.1} |\n",
        mean(Row::against_qemu),
        mean(Row::against_native)
    );
}

/// Not a number for no values.
pub fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value.ln()));
    (sum / f64::from(count)).exp()
}

/// Puts the tables between their two marks in README.md.
pub fn write_into_readme(tables: &str) -> Result<()> {
    let path = command::workspace().join("README.md");
    let readme = fs::read_to_string(&path).context("README.md")?;
    let tables = format!("{}\n", tables.trim_end());
    fs::write(&path, replaced(&readme, &tables).context("README.md has no place for the table")?)?;
    Ok(())
}

fn replaced(readme: &str, tables: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{tables}{END}{after}"))
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
        assert!(geometric_mean(std::iter::empty()).is_nan());
    }
}
