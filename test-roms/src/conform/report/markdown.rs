//! For `docs/conformance.md`.

use super::{COLUMNS, Report, summary};

const HEAD: &str = "\
# How right the CPU is

Made by `posada conform --report --format markdown`; do not edit. Every instruction form that user mode can execute is
run with random and edge operands on the host's own CPU and under the engine, and everything is compared: general,
x87, MMX, XMM and YMM registers, flags, MXCSR, x87 control, status, tags and pointers, memory, and for exceptions the
vector, error code, address and that nothing was half done. Run it yourself: `posada conform`.

";

const LEGEND: &str = "
*Forms* are opcodes with their operand kinds as iced-x86 lists them; *testable* those that this host and the engine's
CPU model have and that Linux lets a program try. *Disagreements* count vectors in which anything that the manuals
define differs. *Undefined results* are vectors in which they leave something undefined (flags, mostly); how many of
these agree with this host's silicon all the same stands beside. RCPPS, RSQRTPS and their scalar and VEX forms are
compared within the error bound that Intel gives (1.5 x 2^-12, relative), because silicon differs by vendor.
";

pub fn render(report: &Report) -> String {
    let mut text = HEAD.to_owned();
    for sentence in summary(report) {
        text += &sentence;
        text.push('\n');
    }
    text += &format!("\n| {} |\n|---|{}\n", COLUMNS.join(" | "), "---:|".repeat(COLUMNS.len() - 1));
    for row in report.cells() {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text += LEGEND;
    text += "\n## What is left out\n| forms | why |\n|---:|---|\n";
    for omission in &report.omissions {
        text += &format!("| {} | {} |\n", omission.forms, omission.reason);
    }
    text
}
