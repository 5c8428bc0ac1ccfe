//! The speed that was promised: each row must be reached, and should be exceeded.

use super::table::{Report, Row, geometric_mean};
use std::fmt::Write as _;

/// All numbers say how many times as fast as QEMU's TCG.
struct Goal {
    what: &'static str,
    must: f64,
    aim: f64,
    measured: fn(&Report) -> Option<f64>,
}

const INTEGER: [&str; 11] =
    ["alu", "collatz", "copysum", "adler", "chase", "crc", "fib", "indirect", "sort", "sieve", "bytecode"];

#[rustfmt::skip]
const GOALS: [Goal; 28] = [
    Goal { what: "integer kernels, geometric mean", must: 2.5,  aim: 3.0,  measured: |report| some(geometric_mean(integer(report))) },
    Goal { what: "worst integer kernel",            must: 1.2,  aim: 1.5,  measured: |report| some(integer(report).fold(f64::INFINITY, f64::min)) },
    Goal { what: "whole programs, geometric mean",  must: 2.5,  aim: 4.0,  measured: |report| some(geometric_mean(report.programs.iter().map(Row::against_qemu))) },
    Goal { what: "SSE scalar float",                must: 5.0,  aim: 8.0,  measured: |report| kernel(report, "float") },
    Goal { what: "SSE packed float",                must: 5.0,  aim: 8.0,  measured: |report| kernel(report, "packed") },
    Goal { what: "x87",                             must: 3.0,  aim: 6.0,  measured: |report| kernel(report, "x87") },
    Goal { what: "rep movs",                        must: 20.0, aim: 50.0, measured: |report| kernel(report, "movs") },
    Goal { what: "rep stos",                        must: 20.0, aim: 50.0, measured: |report| kernel(report, "stos") },
    Goal { what: "system call",                     must: 1.3,  aim: 2.0,  measured: |report| kernel(report, "syscall") },
    Goal { what: "page fault",                      must: 1.3,  aim: 2.0,  measured: |report| kernel(report, "pagefault") },
    Goal { what: "fork and exec",                   must: 1.3,  aim: 2.0,  measured: |report| kernel(report, "forkexec") },
    Goal { what: "pipe ping-pong",                  must: 1.3,  aim: 2.0,  measured: |report| kernel(report, "pipe") },
    Goal { what: "boot of Debian amd64, CPU time",  must: 1.0,  aim: 1.0,  measured: |report| boot(report, "amd64").map(|[cpu, _]| cpu) },
    Goal { what: "boot of Debian amd64, wall clock",must: 1.0,  aim: 1.0,  measured: |report| boot(report, "amd64").map(|[_, wall]| wall) },
    Goal { what: "boot of Debian i386, CPU time",   must: 1.0,  aim: 1.0,  measured: |report| boot(report, "i386").map(|[cpu, _]| cpu) },
    Goal { what: "boot of Debian i386, wall clock", must: 1.0,  aim: 1.0,  measured: |report| boot(report, "i386").map(|[_, wall]| wall) },
    Goal { what: "IDE: power-on to GRUB",           must: 1.0,  aim: 1.0,  measured: |report| disk(report, "ide-grub") },
    Goal { what: "IDE: power-on to login",          must: 1.0,  aim: 1.43, measured: |report| disk(report, "ide-login") },
    Goal { what: "IDE: write in order",             must: 1.5,  aim: 1.5,  measured: |report| disk(report, "ide-write") },
    Goal { what: "IDE: read in order",              must: 1.5,  aim: 1.5,  measured: |report| disk(report, "ide-read") },
    Goal { what: "IDE: random 4 KiB writes",        must: 1.5,  aim: 1.5,  measured: |report| disk(report, "ide-random-write") },
    Goal { what: "IDE: random 4 KiB reads",         must: 1.5,  aim: 1.5,  measured: |report| disk(report, "ide-random-read") },
    Goal { what: "virtio: power-on to GRUB",        must: 1.0,  aim: 1.0,  measured: |report| disk(report, "virtio-grub") },
    Goal { what: "virtio: power-on to login",       must: 1.0,  aim: 1.43, measured: |report| disk(report, "virtio-login") },
    Goal { what: "virtio: write in order",          must: 1.5,  aim: 1.5,  measured: |report| disk(report, "virtio-write") },
    Goal { what: "virtio: read in order",           must: 1.5,  aim: 1.5,  measured: |report| disk(report, "virtio-read") },
    Goal { what: "virtio: random 4 KiB writes",     must: 1.5,  aim: 1.5,  measured: |report| disk(report, "virtio-random-write") },
    Goal { what: "virtio: random 4 KiB reads",      must: 1.5,  aim: 1.5,  measured: |report| disk(report, "virtio-random-read") },
];

/// The value, unless it comes from no row at all.
fn some(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn integer(report: &Report) -> impl Iterator<Item = f64> {
    report.kernels.iter().filter(|row| INTEGER.contains(&row.name.as_str())).map(Row::against_qemu)
}

fn kernel(report: &Report, name: &str) -> Option<f64> {
    report.kernels.iter().find(|row| row.name == name).map(Row::against_qemu)
}

fn boot(report: &Report, architecture: &str) -> Option<[f64; 2]> {
    let boot = report.boots.iter().find(|boot| boot.architecture == architecture)?;
    Some([boot.qemu.cpu / boot.posada.cpu, boot.qemu.wall / boot.posada.wall])
}

/// By the wall clock: a person waits for a disk.
fn disk(report: &Report, name: &str) -> Option<f64> {
    report.disk.iter().find(|row| row.name == name).map(|row| row.qemu.wall / row.posada.wall)
}

/// The rows that were measured, as a table; empty if there are none.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    for goal in &GOALS {
        let Some(measured) = (goal.measured)(report) else { continue };
        let aim = if goal.aim > goal.must { format!("{:.1}x", goal.aim) } else { "faster".into() };
        let Goal { what, must, .. } = goal;
        let verdict = verdict(goal, measured);
        let _ = writeln!(out, "| {what} | {must:.1}x | {aim} | {measured:.2}x | {verdict} |");
    }
    if out.is_empty() {
        return out;
    }
    format!("| times as fast as QEMU TCG | must | aim | measured | |\n|---|---|---|---|---|\n{out}\n")
}

fn verdict(goal: &Goal, measured: f64) -> &'static str {
    if measured >= goal.must && measured >= goal.aim {
        "aim met"
    } else if measured >= goal.must {
        "met"
    } else {
        "**not met**"
    }
}

#[cfg(test)]
mod tests {
    use super::{GOALS, markdown};
    use crate::bench::table::{Report, Row};

    fn report(kernels: Vec<Row>) -> Report {
        let text = String::new;
        Report {
            boots: vec![],
            kernels,
            programs: vec![],
            disk: vec![],
            screen: None,
            engine: text(),
            qemu: text(),
            date: text(),
            host: text(),
        }
    }

    #[test]
    fn a_goal_says_whether_it_is_met() {
        let row = |qemu: f64| Row { name: "x87".into(), native: 1.0, posada: 1.0, qemu };
        let line = |qemu: f64| markdown(&report(vec![row(qemu)]));
        assert!(line(2.9).contains("| 2.90x | **not met** |"));
        assert!(line(3.0).contains("| 3.00x | met |"));
        assert!(line(6.5).contains("| 6.50x | aim met |"));
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        assert!(markdown(&report(vec![])).is_empty());
        assert!(GOALS.iter().all(|goal| (goal.measured)(&report(vec![])).is_none()));
    }
}
