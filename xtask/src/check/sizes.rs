//! Source files stay small enough to read in one sitting.

use crate::command::{self, output};
use anyhow::{Result, bail};
use std::fs;
use std::process::Command;

/// Lines of a file without its tests. Tables of instructions are exempt by name: see [`TABLES`].
const LONGEST: usize = 500;

/// Files that are one table.
const TABLES: [&str; 0] = [];

pub fn check() -> Result<()> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--", "*.rs"]).current_dir(command::workspace());
    let mut long = Vec::new();
    for file in output(&mut git)?.lines() {
        let Ok(text) = fs::read_to_string(command::workspace().join(file)) else { continue };
        let lines = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
        if lines > LONGEST && !TABLES.contains(&file) && !file.ends_with("tests.rs") {
            long.push(format!("{file} ({lines})"));
        }
    }
    match long.as_slice() {
        [] => Ok(()),
        long => bail!("more than {LONGEST} lines without tests: {}", long.join(", ")),
    }
}
