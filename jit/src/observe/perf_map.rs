//! The file by which `perf` names compiled code (Linux, tools/perf/Documentation/jit-interface.txt).

use super::{Observer, Placed, Symbols};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

/// Writes one line per region: start, size, name.
pub struct PerfMap {
    file: File,
    symbols: Arc<Symbols>,
}

impl PerfMap {
    /// The map of this process, `/tmp/perf-PID.map`.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(symbols: Arc<Symbols>) -> io::Result<Self> {
        Ok(Self { file: File::create(format!("/tmp/perf-{}.map", std::process::id()))?, symbols })
    }
}

impl Observer for PerfMap {
    fn wants_notes(&self) -> bool {
        false
    }

    fn placed(&mut self, region: &Placed<'_>) {
        let name = name(region.source.entry, &self.symbols);
        // A full disk is no reason to stop the guest: perf then lacks a name.
        let _ = writeln!(self.file, "{:x} {:x} {name}", region.address, region.code.len());
    }
}

fn name(entry: u64, symbols: &Symbols) -> String {
    match symbols.find(entry) {
        Some((name, 0)) => format!("guest_{name}"),
        Some((name, offset)) => format!("guest_{name}+{offset:#x}"),
        None => format!("guest_{entry:016x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let symbols = Symbols::parse("ffffffff81000000 T schedule\n").expect("a line of nm");
        assert_eq!(name(0xFFFF_FFFF_8100_0000, &symbols), "guest_schedule");
        assert_eq!(name(0xFFFF_FFFF_8100_0012, &symbols), "guest_schedule+0x12");
        assert_eq!(name(0x40_1234, &symbols), "guest_0000000000401234");
    }
}
