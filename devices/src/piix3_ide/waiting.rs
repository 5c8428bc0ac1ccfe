//! Tests of a drive whose disk is not ready at once: the guest sees it busy, and then what it would have seen at once.

use super::tests::{
    LAST, STATUS, alternate, bm_read, bm_write, command, enabled, numbered, send, table, words,
};
use super::*;
use crate::bench::Bench;
use crate::disk::MemoryDisk;
use crate::lazy_disk::LazyDisk;
use emu_core::{DiskController, Level};

pub(super) const READY_EVENT: HostEvent = HostEvent::DiskReady(DiskController::Ide);

/// What a controller does with its disk and with what is saved while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    AtOnce,
    Later,
    /// Later, and in the meantime saved and restored.
    Restored,
}

const MANNERS: [Manner; 3] = [Manner::AtOnce, Manner::Later, Manner::Restored];

fn bench(disk: MemoryDisk, manner: Manner) -> Bench<Piix3Ide> {
    let disk: Box<dyn Disk> = match manner {
        Manner::AtOnce => Box::new(disk),
        Manner::Later | Manner::Restored => Box::new(LazyDisk::new(disk)),
    };
    enabled(Piix3Ide::new([Some(Unit::Disk(disk)), None, None, None]))
}

/// Waits until the drive is no longer busy; how often the disk had to call.
pub(super) fn wait(bench: &mut Bench<Piix3Ide>, manner: Manner) -> u32 {
    let mut calls = 0;
    while alternate(bench) & 0x80 != 0 {
        assert_eq!(bench.inb(STATUS) & 0x88, 0x80, "looking at it does not make it ready");
        bench.expect(IRQ14, Level::Low);
        if manner == Manner::Restored {
            let saved = bench.device.save();
            bench.device.restore(&saved).expect("own state");
            assert_eq!(bench.device.save(), saved);
            // The disk is asked anew.
            bench.host(READY_EVENT);
            assert_eq!(alternate(bench) & 0x80, 0x80);
        }
        bench.host(READY_EVENT);
        calls += 1;
        assert!(calls < 100, "it has to end");
    }
    calls
}

/// The level of the interrupt, the status that takes it back, and the error register.
pub(super) fn end(bench: &mut Bench<Piix3Ide>) -> (Level, u8, u8) {
    (bench.level(IRQ14), bench.inb(STATUS), bench.inb(1))
}

fn same<R: PartialEq + std::fmt::Debug>(
    disk: impl Fn() -> MemoryDisk,
    script: impl Fn(&mut Bench<Piix3Ide>, &mut dyn FnMut(&mut Bench<Piix3Ide>)) -> R,
) {
    same_with(|manner| bench(disk(), manner), script);
}

/// Runs a script against a medium that is ready and ones that are not: all see the same.
pub(super) fn same_with<R: PartialEq + std::fmt::Debug>(
    bench: impl Fn(Manner) -> Bench<Piix3Ide>,
    script: impl Fn(&mut Bench<Piix3Ide>, &mut dyn FnMut(&mut Bench<Piix3Ide>)) -> R,
) {
    let outcome = |manner| {
        let (mut bench, mut calls) = (bench(manner), 0);
        let seen = script(&mut bench, &mut |bench| calls += wait(bench, manner));
        assert_eq!(calls == 0, manner == Manner::AtOnce, "{manner:?}");
        seen
    };
    let [at_once, later, restored] = MANNERS.map(outcome);
    assert_eq!(at_once, later);
    assert_eq!(at_once, restored);
}

#[test]
fn pio_reads_and_writes() {
    same(
        || numbered(64),
        |bench, wait| {
            let mut seen = Vec::new();
            command(bench, 0x20, 5, 2);
            for _ in 0..2 {
                wait(bench);
                seen.push((end(bench), words(bench, 256)));
            }
            command(bench, 0x30, 5, 2);
            for content in [0x1111, 0x2222] {
                send(bench, content, 256);
                wait(bench);
                seen.push((end(bench), Vec::new()));
            }
            command(bench, 0x20, 6, 1);
            wait(bench);
            seen.push((end(bench), words(bench, 256)));
            seen
        },
    );
}

#[test]
fn flush_verify_and_a_write_cache_that_is_off() {
    same(
        || numbered(512),
        |bench, wait| {
            let mut seen = Vec::new();
            // FLUSH CACHE, READ VERIFY, SET FEATURES: no write cache.
            for (code, count, features) in [(0xE7, 0, 0), (0x40, 200, 0), (0xEF, 0, 0x82)] {
                bench.outb(1, features);
                command(bench, code, 0, count);
                wait(bench);
                seen.push(end(bench));
            }
            command(bench, 0x30, 9, 1);
            send(bench, 0x3333, 256);
            wait(bench);
            seen.push(end(bench));
            seen
        },
    );
}

#[test]
fn dma_both_ways() {
    same(
        || numbered(512),
        |bench, wait| {
            let mut seen = Vec::new();
            bench.memory.write(0x8_0000, &[0x5A; 0x1_0000]);
            for (code, direction, base) in [(0xC8, 8, 0x2_0000), (0xCA, 0, 0x8_0000), (0xC8, 8, 0x2_0000)] {
                table(bench, &[(base, 0x8000), (base + 0x8000, 0x8000 | LAST)]);
                bm_write(bench, 0, Width::Byte, direction);
                bm_write(bench, 2, Width::Byte, 4);
                command(bench, code, 3, 128);
                bm_write(bench, 0, Width::Byte, direction | 1);
                wait(bench);
                seen.push((bm_read(bench, 2), end(bench), bench.memory.read_array::<2>(0x2_0200)));
                bm_write(bench, 0, Width::Byte, 0);
            }
            assert_eq!(seen[2].2, [0x5A; 2]);
            seen
        },
    );
}

#[test]
fn a_table_that_is_too_short_and_its_continuation() {
    same(
        || numbered(64),
        |bench, wait| {
            table(bench, &[(0x2_0000, 0x200 | LAST)]);
            bm_write(bench, 0, Width::Byte, 9);
            command(bench, 0xC8, 7, 2);
            // The drive stays busy after the first sector: only the bus master tells that it has moved.
            let mut calls = 0;
            while bm_read(bench, 2) & 1 != 0 {
                bench.host(READY_EVENT);
                calls += 1;
                assert!(calls < 10);
            }
            bm_write(bench, 0, Width::Byte, 8);
            table(bench, &[(0x3_0000, 0x200 | LAST)]);
            bm_write(bench, 0, Width::Byte, 9);
            wait(bench);
            let first = [0x2_0000, 0x3_0000].map(|at| bench.memory.read_array::<2>(at));
            assert_eq!(first, [[7, 0], [8, 0]]);
            (bm_read(bench, 2), end(bench))
        },
    );
}

#[test]
fn a_bad_sector_is_found() {
    same(
        || numbered(64).with_bad_sector(6),
        |bench, wait| {
            table(bench, &[(0x2_0000, 0x800 | LAST)]);
            bm_write(bench, 0, Width::Byte, 9);
            command(bench, 0xC8, 3, 2);
            wait(bench);
            (bm_read(bench, 2), end(bench))
        },
    );
}

#[test]
fn a_reset_gives_up() {
    let mut bench = bench(numbered(64), Manner::Later);
    for code in [0x20, 0xE7] {
        command(&mut bench, code, 5, 1);
        assert_eq!(alternate(&mut bench) & 0x80, 0x80);
        bench.write(Space::Port, 1, 0, Width::Byte, 4).write(Space::Port, 1, 0, Width::Byte, 0);
        bench.host(READY_EVENT).expect(IRQ14, Level::Low);
        assert_eq!(bench.inb(STATUS), 0x50);
    }
    command(&mut bench, 0x20, 5, 1);
    assert_eq!(wait(&mut bench, Manner::Later), 1, "it is asked anew");
    assert_eq!(words(&mut bench, 1), [5]);
}
