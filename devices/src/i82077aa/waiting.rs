//! Tests of a controller whose diskette is not ready at once: nothing is requested until it is, and then all goes on as
//! if it had been.

use super::state::{ControllerV2, VERSION, VERSION_1};
use super::tests::{DOR, FIFO, LONG, MSR, ON, command, numbered, result, seek, set_up};
use super::*;
use crate::bench::Bench;
use crate::disk::{MemoryDisk, SECTOR};
use crate::lazy_disk::LazyDisk;
use emu_core::{DiskController, Level, Width};

const READY: HostEvent = HostEvent::DiskReady(DiskController::Floppy);
const READ: u8 = 0xE6;
const WRITE: u8 = 0xC5;

/// How the diskette answers, and what is done with the controller while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    AtOnce,
    Later,
    /// Later, and in the meantime saved and restored.
    Restored,
}

fn bench(disk: MemoryDisk, manner: Manner) -> Bench<I82077aa> {
    let disk: Box<dyn Disk> = match manner {
        Manner::AtOnce => Box::new(disk),
        Manner::Later | Manner::Restored => Box::new(LazyDisk::new(disk)),
    };
    let mut chip = I82077aa::new([Some(DriveType::F1440K), None]);
    chip.insert(0, disk).expect("a known format");
    set_up(chip)
}

fn lazy() -> Bench<I82077aa> {
    bench(numbered(2880), Manner::Later)
}

/// Executing, and nothing requested.
fn is_busy(bench: &mut Bench<I82077aa>) -> bool {
    bench.advance(LONG);
    let quiet = [IRQ, DREQ].iter().all(|pin| !bench.level(*pin).is_high());
    quiet && bench.inb(MSR) & 0xD0 == 0x10
}

/// Waits until the controller requests something; how often the diskette had to call.
fn wait(bench: &mut Bench<I82077aa>, manner: Manner) -> u32 {
    let mut calls = 0;
    while is_busy(bench) {
        if manner == Manner::Restored {
            let saved = bench.device.save();
            bench.device.restore(&saved).expect("own state");
            assert_eq!(bench.device.save(), saved);
            // The diskette is asked anew.
            bench.host(READY);
            assert!(is_busy(bench));
        }
        bench.host(READY);
        calls += 1;
        assert!(calls < 10_000, "it has to end");
    }
    calls
}

type Wait<'w> = &'w mut dyn FnMut(&mut Bench<I82077aa>);

/// Runs a script against a diskette that is ready and ones that are not: all see the same.
fn same<R: PartialEq + std::fmt::Debug>(
    disk: impl Fn() -> MemoryDisk,
    script: impl Fn(&mut Bench<I82077aa>, Wait<'_>) -> R,
) {
    let outcome = |manner| {
        let (mut bench, mut calls) = (bench(disk(), manner), 0);
        let seen = script(&mut bench, &mut |bench| calls += wait(bench, manner));
        assert_eq!(calls == 0, manner == Manner::AtOnce, "{manner:?}");
        seen
    };
    let [at_once, later, restored] = [Manner::AtOnce, Manner::Later, Manner::Restored].map(outcome);
    assert_eq!(at_once, later);
    assert_eq!(at_once, restored);
}

/// Plays the 8237A, with terminal count at the end of `count` bytes; and the result.
fn dma_in(bench: &mut Bench<I82077aa>, count: usize, wait: Wait<'_>) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        wait(bench);
        if !bench.level(DREQ).is_high() {
            return (bytes, result(bench));
        }
        let last = (bytes.len() + 1 == count).into();
        bytes.push(bench.read(Space::Dma, 2, last, Width::Byte) as u8);
    }
}

fn dma_out(bench: &mut Bench<I82077aa>, bytes: &[u8], wait: Wait<'_>) -> Vec<u8> {
    for (n, byte) in bytes.iter().enumerate() {
        wait(bench);
        let last = (n + 1 == bytes.len()).into();
        bench.write(Space::Dma, 2, last, Width::Byte, (*byte).into());
    }
    wait(bench);
    bench.expect(IRQ, Level::High);
    result(bench)
}

fn at(code: u8, r: u8) -> [u8; 9] {
    [code, 0, 0, 0, r, 2, 18, 0x1B, 0xFF]
}

#[test]
fn reads() {
    same(
        || numbered(2880),
        |bench, wait| {
            let mut seen = Vec::new();
            // Over to the other side; and terminal count within a sector.
            for (r, count) in [(17, 4 * SECTOR), (3, SECTOR + 100)] {
                command(bench, &at(READ, r));
                seen.push(dma_in(bench, count, wait));
            }
            assert_eq!((seen[0].0[0], seen[0].0[3 * SECTOR]), (16, 19));
            // VERIFY of a track, READ TRACK, READ ID.
            for bytes in [&at(0x56, 1)[..], &at(0x42, 1), &[0x4A, 0]] {
                command(bench, bytes);
                seen.push(dma_in(bench, 2 * SECTOR, wait));
            }
            seen
        },
    );
}

#[test]
fn writes_and_formats() {
    same(
        || numbered(2880),
        |bench, wait| {
            let mut seen = Vec::new();
            for (r, len) in [(18, 2 * SECTOR), (4, 100)] {
                command(bench, &at(WRITE, r));
                seen.push(dma_out(bench, &vec![r + 0x60; len], wait));
            }
            command(bench, &at(READ, 1));
            let (bytes, end) = dma_in(bench, 19 * SECTOR, wait);
            assert_eq!([3 * SECTOR + 99, 3 * SECTOR + 100, 18 * SECTOR].map(|n| bytes[n]), [0x64, 0, 0x72]);
            seen.push(end);
            seek(bench, 1);
            command(bench, &[0x4D, 4, 2, 18, 0x54, 0xF6]);
            let ids: Vec<u8> = (1..=18).flat_map(|r| [1, 1, r, 2]).collect();
            seen.push(dma_out(bench, &ids, wait));
            command(bench, &[READ, 4, 1, 1, 18, 2, 18, 0x1B, 0xFF]);
            assert_eq!(dma_in(bench, SECTOR, wait).0, [0xF6; SECTOR]);
            seen
        },
    );
}

#[test]
fn without_dma() {
    same(
        || numbered(2880),
        |bench, wait| {
            let mut seen = Vec::new();
            command(bench, &[3, 0xAF, 0x03]);
            command(bench, &at(0x46, 17));
            for _ in 0..2 {
                wait(bench);
                bench.expect(IRQ, Level::High);
                seen.extend((0..SECTOR).map(|_| bench.inb(FIFO)));
            }
            seen.extend(result(bench));
            command(bench, &at(0x45, 18));
            wait(bench);
            for _ in 0..SECTOR {
                assert_eq!(bench.inb(MSR), 0xB0);
                bench.outb(FIFO, 0x5A);
            }
            wait(bench);
            seen.extend(result(bench));
            seen
        },
    );
}

#[test]
fn a_damaged_sector_is_found() {
    same(
        || numbered(2880).with_bad_sector(4),
        |bench, wait| {
            command(bench, &at(READ, 4));
            let (bytes, end) = dma_in(bench, 3 * SECTOR, wait);
            assert_eq!((bytes.len(), &end[..3]), (SECTOR, &[0x40, 0x20, 0x20][..]));
            command(bench, &at(WRITE, 5));
            (end, dma_out(bench, &[1; SECTOR], wait))
        },
    );
}

#[test]
fn a_call_does_not_hurry_the_disk_that_turns() {
    let mut bench = bench(numbered(2880), Manner::AtOnce);
    command(&mut bench, &at(READ, 1));
    bench.host(READY).expect(DREQ, Level::Low);
    bench.advance(LONG).expect(DREQ, Level::High);
}

/// Has the controller wait for a sector to read, or to write what it was given.
fn have_it_wait(bench: &mut Bench<I82077aa>, code: u8) {
    command(bench, &at(code, 6));
    if code == WRITE {
        for n in 0..SECTOR {
            bench.advance(LONG);
            bench.write(Space::Dma, 2, (n + 1 == SECTOR).into(), Width::Byte, 0x77);
        }
    }
    assert!(is_busy(bench));
}

#[test]
fn resets_give_up() {
    let mut bench = lazy();
    let dor = |bench: &mut Bench<I82077aa>| {
        bench.outb(DOR, 0x18).outb(DOR, ON);
    };
    let dsr = |bench: &mut Bench<I82077aa>| {
        bench.outb(MSR, 0x80);
    };
    for reset in [dor, dsr] {
        for code in [READ, WRITE] {
            have_it_wait(&mut bench, code);
            reset(&mut bench);
            bench.advance(LONG).host(READY).expect(DREQ, Level::Low);
            (0..4).for_each(|_| drop(command(&mut bench, &[8])));
            bench.expect(IRQ, Level::Low);
            command(&mut bench, &[3, 0xAF, 0x02]);
            bench.write(Space::Port, 1, 0, Width::Byte, 0);
            command(&mut bench, &at(READ, 6));
            assert_eq!(wait(&mut bench, Manner::Later), 1, "it is asked anew");
            let (bytes, end) = dma_in(&mut bench, SECTOR, &mut |_| {});
            assert_eq!((bytes, &end[..3]), (vec![5; SECTOR], &[0, 0, 0][..]), "nothing was written");
        }
    }
}

#[test]
fn somebody_takes_the_diskette_while_it_waits() {
    for code in [READ, WRITE] {
        for other in [false, true] {
            let mut bench = lazy();
            have_it_wait(&mut bench, code);
            if other {
                let other = Box::new(LazyDisk::new(MemoryDisk::zeroed(2880)));
                assert!(bench.device.insert(0, other).expect("it fits").is_some());
            } else {
                assert!(bench.device.eject(0).is_some());
            }
            let saved = bench.device.save();
            bench.device.restore(&saved).expect("own state");
            bench.host(READY).expect(IRQ, Level::High).expect(DREQ, Level::Low);
            assert_eq!(result(&mut bench)[..3], [0x40, 1, 0], "no address mark");
            command(&mut bench, &at(READ, 6));
            assert_eq!(wait(&mut bench, Manner::Later), u32::from(other));
            let (bytes, _) = dma_in(&mut bench, SECTOR, &mut |_| {});
            assert_eq!(bytes, vec![0; if other { SECTOR } else { 0 }], "of the other one, not written to");
        }
    }
}

#[test]
fn a_diskette_that_does_not_fit_changes_nothing() {
    let mut bench = lazy();
    have_it_wait(&mut bench, READ);
    assert!(bench.device.insert(0, Box::new(MemoryDisk::zeroed(5760))).is_err());
    assert_eq!(wait(&mut bench, Manner::Later), 1);
    assert_eq!(dma_in(&mut bench, SECTOR, &mut |_| {}).0, [5; SECTOR]);
}

#[test]
fn a_state_of_version_1_goes_on() {
    let mut bench = lazy();
    command(&mut bench, &at(READ, 6));
    let ControllerV2 { controller, waits } = bench.device.save().unpack(VERSION).expect("own state");
    assert_eq!(waits, None);
    bench.device.restore(&Saved::pack(VERSION_1, &controller)).expect("an old state");
    assert_eq!(wait(&mut bench, Manner::Later), 1);
    assert_eq!(dma_in(&mut bench, SECTOR, &mut |_| {}).0, [5; SECTOR]);
}

#[test]
fn a_state_that_waits_for_what_cannot_be_is_refused() {
    let mut bench = lazy();
    have_it_wait(&mut bench, READ);
    let saved = bench.device.save();
    let with = |waits| {
        let state: ControllerV2 = saved.unpack(VERSION).expect("own state");
        Saved::pack(VERSION, &ControllerV2 { waits: Some(waits), ..state })
    };
    let given = execution::Wait::Given { terminal_count: false };
    assert!(bench.device.restore(&with(given)).is_err());
    assert!(bench.device.restore(&with(execution::Wait::Sector)).is_ok());
}
