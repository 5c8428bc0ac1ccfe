//! The system BIOS's services, called on a whole machine by a boot sector: tables of a call, and what comes of it. Each
//! table is checked against SeaBIOS too; a row says where that one does another thing, and why.

mod bench;
mod clock;
mod disk;
mod equipment;
mod expect;
mod keyboard;
mod medium;
mod system;

use bench::{Bios, Drives, Run, program};
use expect::{Row, steps, wrong};
use machine::BootPlan;
use medium::Ram;

const SECTORS: usize = 4096;

/// A PC that does a table from its first IDE disk.
fn from_disk(rows: &[Row], bios: Bios, mut drives: Drives) -> Run {
    let steps = steps(rows);
    drives.disks.insert(0, Ram::of(program(&steps, SECTORS)));
    Run::of(drives.machine(bios, &BootPlan::default()), &steps)
}

/// Does a table under both BIOSes.
#[track_caller]
fn both(rows: &[Row]) {
    both_with(rows, Drives::default);
}

/// The same, with drives beside the first disk. The runs are for what a table cannot say.
#[track_caller]
fn both_with(rows: &[Row], drives: impl Fn() -> Drives) -> [Run; 2] {
    let all = [Bios::Posada, Bios::SeaBios];
    let runs = all.map(|bios| from_disk(rows, bios, drives()));
    let wrong: Vec<String> = all.into_iter().zip(&runs).map(|(bios, run)| wrong(rows, run, bios)).collect();
    assert!(wrong.iter().all(String::is_empty), "\n{}", wrong.concat());
    runs
}
