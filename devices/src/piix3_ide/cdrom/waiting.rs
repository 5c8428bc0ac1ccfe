//! Tests of a drive whose disc is not ready at once: the guest sees it busy, and then what it would have seen at once.

use super::tests::{BLOCKS, CHECK, DRQ, GOOD, disc, read_10, refused, reply, sense, start, told};
use crate::bench::Bench;
use crate::disk::{Disk, MemoryDisk};
use crate::lazy_disk::LazyDisk;
use crate::piix3_ide::state::{ChannelV2, IdeV2, IdeV4, VERSION, VERSION_3};
use crate::piix3_ide::tests::{LAST, STATUS, alternate, bm_read, bm_write, control, table, words};
use crate::piix3_ide::waiting::{Manner, READY_EVENT, end, same_with, wait};
use crate::piix3_ide::{CdRomError, IRQ14, Piix3Ide, Unit};
use emu_core::{Device, Level, Saved, Width};

type Script<'s> = &'s mut dyn FnMut(&mut Bench<Piix3Ide>);

const EVENT: [u8; 9] = [0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8];

fn medium(disc: MemoryDisk, manner: Manner) -> Box<dyn Disk> {
    match manner {
        Manner::AtOnce => Box::new(disc),
        Manner::Later | Manner::Restored => Box::new(LazyDisk::new(disc)),
    }
}

fn bench(disc: MemoryDisk, manner: Manner) -> Bench<Piix3Ide> {
    told(Piix3Ide::new([Some(Unit::CdRom(Some(medium(disc, manner)))), None, None, None]))
}

fn lazy() -> Bench<Piix3Ide> {
    bench(disc(BLOCKS), Manner::Later)
}

fn read_12(lba: u8, count: u8) -> [u8; 11] {
    [0xA8, 0, 0, 0, 0, lba, 0, 0, 0, count, 0]
}

/// Whole sectors.
fn read_cd(lba: u8, count: u8) -> [u8; 10] {
    [0xBE, 0, 0, 0, 0, lba, 0, 0, count, 0xF8]
}

/// The level of the interrupt, the reason for it, and the words of a DRQ block.
type Block = (Level, u8, Vec<u16>);

/// Reads what follows a packet; each block with the interrupt that came with it, and the end.
fn blocks(bench: &mut Bench<Piix3Ide>, wait: Script<'_>) -> (Vec<Block>, (Level, u8, u8)) {
    let mut blocks = Vec::new();
    loop {
        wait(bench);
        if alternate(bench) & 8 == 0 {
            return (blocks, end(bench));
        }
        let (level, status, reason) = (bench.level(IRQ14), bench.inb(STATUS), bench.inb(2));
        assert_eq!(status, DRQ);
        let len = usize::from(u16::from_le_bytes([bench.inb(4), bench.inb(5)]));
        blocks.push((level, reason, words(bench, len.div_ceil(2))));
    }
}

/// Starts the bus master with a table for `bytes` bytes from `at` on.
fn master(bench: &mut Bench<Piix3Ide>, at: u32, bytes: u32) {
    let pieces = bytes.div_ceil(0x8000);
    let entry = |n: u32| {
        let len = (bytes - n * 0x8000).min(0x8000);
        (at + n * 0x8000, if n + 1 == pieces { len | LAST } else { len })
    };
    bm_write(bench, 0, Width::Byte, 8);
    bm_write(bench, 2, Width::Byte, 4);
    table(bench, &(0..pieces).map(entry).collect::<Vec<_>>());
    bm_write(bench, 0, Width::Byte, 9);
}

#[test]
fn by_words() {
    same_with(
        |manner| bench(disc(BLOCKS), manner),
        |bench, wait| {
            let mut seen = Vec::new();
            for (packet, limit) in [
                (&read_10(7, 3)[..], 2048),
                (&read_10(7, 3), 3001),
                (&read_12(20, 150), 0xFFFE),
                (&read_cd(9, 3), 2352),
                (&[0xB9, 0, 0, 0, 2, 7, 0, 2, 9, 0x10], 4096),
            ] {
                start(bench, packet, limit, 0);
                seen.push(blocks(bench, wait));
            }
            assert!(seen.iter().all(|(_, (level, status, _))| (*level, *status) == (Level::High, GOOD)));
            assert_eq!(seen[0].0[2].2, [0x0909; 1024]);
            seen
        },
    );
}

#[test]
fn by_bus_master() {
    same_with(
        |manner| bench(disc(BLOCKS), manner),
        |bench, wait| {
            let mut seen = Vec::new();
            // Pieces of 64 blocks come from the disc: these are several.
            for (packet, len) in [
                (&read_10(3, 150)[..], 150 * 2048),
                (&read_12(1, 199), 199 * 2048),
                (&read_cd(5, 70), 70 * 2352),
            ] {
                bench.memory.write(0x2_0000, &[0xEE; 0x7_0000]);
                start(bench, packet, 0, 1);
                master(bench, 0x2_0000, len);
                wait(bench);
                let all = bench.memory.read_array::<0x7_0000>(0x2_0000);
                assert_eq!(all[len as usize..], vec![0xEE; 0x7_0000 - len as usize]);
                seen.push((bm_read(bench, 2), end(bench), all.to_vec()));
            }
            assert_eq!(seen[0].2[149 * 2048], 152);
            seen
        },
    );
}

#[test]
fn a_table_that_is_too_short_and_its_continuation() {
    same_with(
        |manner| bench(disc(BLOCKS), manner),
        |bench, wait| {
            start(bench, &read_10(0, 150), 0, 1);
            master(bench, 0x2_0000, 80 * 2048);
            // The drive stays busy: only the bus master tells that this much has moved.
            let mut calls = 0;
            while bm_read(bench, 2) & 1 != 0 {
                bench.host(READY_EVENT);
                calls += 1;
                assert!(calls < 10);
            }
            master(bench, 0x5_0000, 70 * 2048);
            wait(bench);
            let seen = [0x2_0000, 0x2_0000 + 79 * 2048, 0x5_0000, 0x5_0000 + 69 * 2048];
            let seen = seen.map(|at| bench.memory.read_array::<2048>(at));
            assert_eq!(seen.map(|block| block[2047]), [0, 79, 80, 149]);
            (bm_read(bench, 2), end(bench))
        },
    );
}

/// The host sets the bus master up a second time in the middle of a transfer: it begins at the head of its table.
#[test]
fn a_table_that_is_set_again() {
    let mut bench = lazy();
    start(&mut bench, &read_10(0, 100), 0, 1);
    master(&mut bench, 0x2_0000, 100 * 2048);
    bench.host(READY_EVENT);
    assert_eq!(bench.memory.read_array::<1>(0x2_0000 + 63 * 2048), [63]);
    master(&mut bench, 0x6_0000, 36 * 2048);
    assert!(wait(&mut bench, Manner::Later) > 0);
    assert_eq!((bm_read(&mut bench, 2), end(&mut bench).1), (4, GOOD));
    assert_eq!([0, 35].map(|n| bench.memory.read_array::<1>(0x6_0000 + n * 2048)), [[64], [99]]);
}

#[test]
fn a_bad_sector_is_found() {
    same_with(
        |manner| bench(disc(BLOCKS).with_bad_sector(4 * 100 + 1), manner),
        |bench, wait| {
            start(bench, &read_10(20, 100), 2048, 0);
            let by_words = blocks(bench, wait);
            assert_eq!((by_words.0.len(), by_words.1.1), (64, CHECK));
            let why = sense(bench);
            start(bench, &read_10(20, 100), 0, 1);
            master(bench, 0x2_0000, 100 * 2048);
            wait(bench);
            let seen = (bm_read(bench, 2), end(bench), bench.memory.read_array::<1>(0x2_0000 + 63 * 2048));
            assert_eq!((why, sense(bench)), ([3, 0x11, 0], why));
            (by_words, seen)
        },
    );
}

/// Has the drive wait for its disc with block 5: by words, or in the middle of a transfer by bus master.
fn have_it_wait(bench: &mut Bench<Piix3Ide>, dma: bool) {
    if dma {
        start(bench, &read_10(5, 100), 0, 1);
        master(bench, 0x2_0000, 100 * 2048);
        bench.host(READY_EVENT);
    } else {
        start(bench, &read_10(5, 1), 2048, 0);
    }
    assert_eq!(alternate(bench) & 0x88, 0x80);
}

#[test]
fn resets_give_up() {
    let mut bench = lazy();
    let device_reset = |bench: &mut Bench<Piix3Ide>| {
        bench.outb(7, 0x08);
    };
    let software_reset = |bench: &mut Bench<Piix3Ide>| {
        control(bench, 4);
        control(bench, 0);
    };
    for reset in [device_reset, software_reset] {
        for dma in [false, true] {
            have_it_wait(&mut bench, dma);
            reset(&mut bench);
            bench.host(READY_EVENT).expect(IRQ14, Level::Low);
            assert_eq!(bench.inb(STATUS), 0);
            // Another transfer; if the table is still set up, from its head.
            bench.memory.write(0x2_0000, &[0xEE; 2048]);
            start(&mut bench, &read_10(40, 100), 0, 1);
            if !dma {
                master(&mut bench, 0x2_0000, 100 * 2048);
            }
            assert!(wait(&mut bench, Manner::Later) > 0, "it is asked anew");
            assert_eq!(end(&mut bench).1, GOOD);
            assert_eq!([0, 99].map(|n| bench.memory.read_array::<1>(0x2_0000 + n * 2048)), [[40], [139]]);
        }
    }
}

#[test]
fn a_person_takes_the_disc_while_it_waits() {
    for dma in [false, true] {
        let mut bench = lazy();
        have_it_wait(&mut bench, dma);
        assert!(bench.call(|ide, cx| ide.eject_disc(cx)).expect("not locked").is_some());
        bench.expect(IRQ14, Level::High);
        assert_eq!((bench.inb(STATUS), bench.inb(1) >> 4), (CHECK, 3));
        bench.host(READY_EVENT).expect(IRQ14, Level::Low);
        assert_eq!(sense(&mut bench), [3, 0x11, 0]);
        refused(&mut bench, &[0], [6, 0x28, 0]);
        refused(&mut bench, &read_10(5, 1), [2, 0x3A, 1]);
    }
}

#[test]
fn another_disc_while_it_waits() {
    for dma in [false, true] {
        let mut bench = lazy();
        have_it_wait(&mut bench, dma);
        let other = MemoryDisk::from_bytes(vec![0xAB; 200 * 2048]);
        bench.call(|ide, cx| ide.insert_disc(Box::new(LazyDisk::new(other)), cx)).expect("not locked");
        assert_eq!(bench.inb(STATUS), CHECK);
        refused(&mut bench, &[0], [6, 0x28, 0]);
        start(&mut bench, &read_10(5, 1), 2048, 0);
        assert!(wait(&mut bench, Manner::Later) > 0);
        assert_eq!(words(&mut bench, 1024), [0xABAB; 1024]);
    }
}

#[test]
fn a_locked_disc_stays_and_is_waited_for() {
    let mut bench = lazy();
    reply(&mut bench, &[0x1E, 0, 0, 0, 1]);
    have_it_wait(&mut bench, false);
    assert_eq!(bench.call(|ide, cx| ide.eject_disc(cx)).err(), Some(CdRomError::Locked));
    assert_eq!(wait(&mut bench, Manner::Later), 1);
    assert_eq!(words(&mut bench, 1024), [0x0505; 1024]);
    assert_eq!(end(&mut bench).1, GOOD);
    assert_eq!(reply(&mut bench, &EVENT)[4], 1, "the button was pressed");
}

#[test]
fn a_state_of_version_3_goes_on() {
    let mut bench = lazy();
    start(&mut bench, &read_10(5, 1), 0, 1);
    let IdeV4 { config, channels } = bench.device.save().unpack(VERSION).expect("own state");
    let channels: [ChannelV2; 2] = channels.map(|channel| channel.channel);
    bench.device.restore(&Saved::pack(VERSION_3, &IdeV2 { config, channels })).expect("an old state");
    master(&mut bench, 0x2_0000, 2048);
    assert_eq!(wait(&mut bench, Manner::Later), 1);
    assert_eq!((end(&mut bench).1, bench.memory.read_array::<1>(0x2_0000)), (GOOD, [5]));
}
