use crate::bench::Bench;
use crate::disk::{Disk, DiskError, MemoryDisk};
use crate::piix3_ide::tests::{
    LAST, STATUS, alternate, bm_read, bm_write, control, enabled, registers, send, table, words,
};
use crate::piix3_ide::{CdRomError, IRQ14, Piix3Ide, Unit};
use emu_core::{Device, Level, Width};

pub(super) const BLOCKS: u32 = 200;
pub(super) const GOOD: u8 = 0x50;
pub(super) const DRQ: u8 = 0x58;
pub(super) const CHECK: u8 = 0x51;

/// Each byte of a block is the block's number.
pub(super) fn disc(blocks: u32) -> MemoryDisk {
    MemoryDisk::from_bytes((0..blocks).flat_map(|n| [n as u8; 2048]).collect())
}

fn drive(disc: Option<MemoryDisk>) -> Piix3Ide {
    let disc = disc.map(|disc| Box::new(disc) as Box<dyn Disk>);
    Piix3Ide::new([Some(Unit::CdRom(disc)), None, None, None])
}

fn loaded() -> Piix3Ide {
    drive(Some(disc(BLOCKS)))
}

fn bench_with(disc: Option<MemoryDisk>) -> Bench<Piix3Ide> {
    told(drive(disc))
}

/// A drive that has told of its reset.
pub(super) fn told(ide: Piix3Ide) -> Bench<Piix3Ide> {
    let mut bench = enabled(ide);
    packet(&mut bench, &[0], 0);
    assert_eq!(sense(&mut bench), [6, 0x29, 0]);
    bench
}

fn bench() -> Bench<Piix3Ide> {
    bench_with(Some(disc(BLOCKS)))
}

/// Sends a command packet, with a limit for the DRQ blocks.
fn packet(bench: &mut Bench<Piix3Ide>, bytes: &[u8], limit: u16) {
    start(bench, bytes, limit, 0);
}

pub(super) fn start(bench: &mut Bench<Piix3Ide>, bytes: &[u8], limit: u16, features: u8) {
    let [low, high] = limit.to_le_bytes();
    bench.outb(6, 0xA0).outb(1, features).outb(4, low).outb(5, high).outb(7, 0xA0);
    assert_eq!((alternate(bench) & 0x89, bench.inb(2) & 7), (0x08, 1), "wants a packet");
    bench.expect(IRQ14, Level::Low);
    let mut all = [0; 12];
    all[..bytes.len()].copy_from_slice(bytes);
    for pair in all.chunks(2) {
        send(bench, u16::from_le_bytes([pair[0], pair[1]]), 1);
    }
}

/// Reads what follows, block by block; each comes with an interrupt, and so does the end.
fn data(bench: &mut Bench<Piix3Ide>) -> (Vec<Vec<u8>>, u8) {
    let mut blocks = Vec::new();
    loop {
        bench.expect(IRQ14, Level::High);
        let status = bench.inb(STATUS);
        bench.expect(IRQ14, Level::Low);
        if status != DRQ {
            assert_eq!(bench.inb(2), 3, "status");
            return (blocks, status);
        }
        assert_eq!(bench.inb(2), 2, "data to the host");
        let len = usize::from(u16::from_le_bytes([bench.inb(4), bench.inb(5)]));
        let mut bytes: Vec<u8> =
            words(bench, len.div_ceil(2)).into_iter().flat_map(u16::to_le_bytes).collect();
        bytes.truncate(len);
        blocks.push(bytes);
    }
}

pub(super) fn reply(bench: &mut Bench<Piix3Ide>, bytes: &[u8]) -> Vec<u8> {
    packet(bench, bytes, 0xFFFE);
    let (blocks, status) = data(bench);
    assert_eq!(status, GOOD, "{bytes:x?}");
    blocks.concat()
}

#[track_caller]
pub(super) fn refused(bench: &mut Bench<Piix3Ide>, bytes: &[u8], with: [u8; 3]) {
    packet(bench, bytes, 0xFFFE);
    assert_eq!(data(bench), (vec![], CHECK));
    assert_eq!(bench.inb(1) >> 4, with[0]);
    assert_eq!(sense(bench), with);
}

pub(super) fn sense(bench: &mut Bench<Piix3Ide>) -> [u8; 3] {
    let bytes = reply(bench, &[3, 0, 0, 0, 18]);
    assert_eq!((bytes.len(), bytes[0], bytes[7]), (18, 0x70, 10));
    [bytes[2], bytes[12], bytes[13]]
}

pub(super) fn read_10(lba: u32, count: u16) -> [u8; 10] {
    let ([a, b, c, d], [h, l]) = (lba.to_be_bytes(), count.to_be_bytes());
    [0x28, 0, a, b, c, d, 0, h, l, 0]
}

#[test]
fn it_shows_itself_as_a_packet_device() {
    let mut bench = enabled(loaded());
    let signature = [1, 1, 0x14, 0xEB, 0xA0];
    control(&mut bench, 4);
    control(&mut bench, 0);
    assert_eq!((bench.inb(STATUS), bench.inb(1), registers(&mut bench)), (0, 1, signature));
    for code in [0xEC, 0x20] {
        bench.outb(4, 0).outb(5, 0).outb(7, code).expect(IRQ14, Level::High);
        assert_eq!((bench.inb(STATUS), bench.inb(1)), (CHECK, 4));
        assert_eq!(registers(&mut bench), signature);
    }
    bench.outb(7, 0xA1).expect(IRQ14, Level::High);
    assert_eq!(bench.inb(STATUS), DRQ);
    let w = words(&mut bench, 256);
    assert_eq!((w[0], w[27], w[49] & 0x0100, w[63]), (0x85C0, 0x504F, 0x0100, 0x0007));
    assert_eq!(bench.inb(STATUS), GOOD);
    bench.expect(IRQ14, Level::Low);
    bench.outb(1, 3).outb(2, 0x22).outb(7, 0xEF);
    assert_eq!(bench.inb(STATUS), GOOD);
    bench.outb(7, 0xA1);
    assert_eq!(words(&mut bench, 256)[63], 0x0407);
    bench.outb(7, 0xC8);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (CHECK, 4), "no ATA read");
    bench.outb(7, 0xE0).outb(7, 0xE5);
    assert_eq!(bench.inb(2), 0);
}

#[test]
fn device_reset_ends_whatever_it_does() {
    let mut bench = bench();
    packet(&mut bench, &read_10(0, 4), 2048);
    assert_eq!(bench.inb(STATUS), DRQ);
    bench.outb(7, 0xA1);
    assert_eq!((bench.inb(STATUS), bench.inb(5)), (DRQ, 8), "other commands are not taken now");
    bench.outb(7, 0x08).expect(IRQ14, Level::Low);
    assert_eq!((bench.inb(STATUS), registers(&mut bench)), (0, [1, 1, 0x14, 0xEB, 0xA0]));
    start(&mut bench, &read_10(0, 4), 0, 1);
    assert_eq!(alternate(&mut bench), 0xD0);
    bench.outb(7, 0x08);
    assert_eq!(alternate(&mut bench), 0);
}

#[test]
fn attention_comes_first_and_once() {
    let mut bench = enabled(loaded());
    assert_eq!(reply(&mut bench, &[0x12, 0, 0, 0, 36])[..4], [5, 0x80, 0, 0x21]);
    assert_eq!(reply(&mut bench, &[0x46, 0, 0, 0, 0, 0, 0, 0, 8]).len(), 8);
    refused(&mut bench, &read_10(0, 1), [6, 0x29, 0]);
    assert_eq!(reply(&mut bench, &[0]), []);
    assert_eq!(sense(&mut bench), [0, 0, 0]);
    refused(&mut bench, &[0xFF], [5, 0x20, 0]);
    assert_eq!(sense(&mut bench), [0, 0, 0], "told once");
}

#[test]
fn reads_in_blocks_of_the_hosts_choice() {
    let mut bench = bench();
    for (limit, lens) in [
        (2048, vec![2048; 3]),
        (0xFFFF, vec![6144]),
        (0xFFFE, vec![6144]),
        (4096, vec![4096, 2048]),
        (3001, vec![3000, 3000, 144]),
    ] {
        packet(&mut bench, &read_10(7, 3), limit);
        let (blocks, status) = data(&mut bench);
        assert_eq!((blocks.iter().map(Vec::len).collect::<Vec<_>>(), status), (lens, GOOD));
        assert_eq!(blocks.concat(), [[7; 2048], [8; 2048], [9; 2048]].concat());
    }
    let all = reply(&mut bench, &[0xA8, 0, 0, 0, 0, 0, 0, 0, 0, BLOCKS as u8, 0]);
    assert!(all.chunks(2048).enumerate().all(|(n, block)| *block == [n as u8; 2048]));
    packet(&mut bench, &read_10(7, 3), 0);
    assert_eq!((data(&mut bench), bench.inb(1)), ((vec![], CHECK), 4), "no block size");
    assert_eq!(reply(&mut bench, &read_10(7, 0)), []);
}

#[test]
fn reads_through_a_dword_port() {
    let mut bench = bench();
    packet(&mut bench, &read_10(3, 1), 2048);
    for _ in 0..512 {
        assert_eq!(bench.read(emu_core::Space::Port, 0, 0, Width::Dword), 0x0303_0303);
    }
    assert_eq!(bench.inb(STATUS), GOOD);
}

#[test]
fn reads_by_bus_master() {
    let mut bench = bench();
    table(&mut bench, &[(0x2000, 0x1800), (0x8002, 0x800 | LAST)]);
    start(&mut bench, &read_10(0x21, 4), 0, 1);
    assert_eq!(alternate(&mut bench), 0xD0);
    bm_write(&mut bench, 0, Width::Byte, 9);
    bench.expect(IRQ14, Level::High);
    assert_eq!((bm_read(&mut bench, 2), bench.inb(STATUS), bench.inb(2)), (4, GOOD, 3));
    assert_eq!(bench.memory.read_array::<2>(0x27FF), [0x21, 0x22]);
    assert_eq!(bench.memory.read_array::<3>(0x8001), [0, 0x24, 0x24]);
    assert_eq!(bench.memory.read_array::<2>(0x8801), [0x24, 0]);
    // Less data than the table has room for.
    bm_write(&mut bench, 0, Width::Byte, 0);
    bm_write(&mut bench, 2, Width::Byte, 4);
    start(&mut bench, &[3, 0, 0, 0, 18], 0, 1);
    bm_write(&mut bench, 0, Width::Byte, 9);
    assert_eq!((bm_read(&mut bench, 2), bench.inb(STATUS)), (5, GOOD));
    assert_eq!(bench.memory.read_array::<2>(0x2000), [0x70, 0]);
    assert_eq!(bench.memory.read_array::<1>(0x2000 + 18), [0x21]);
}

#[test]
fn a_short_table_leaves_it_waiting_and_a_second_one_goes_on() {
    let mut bench = bench();
    bm_write(&mut bench, 2, Width::Byte, 4);
    table(&mut bench, &[(0x2000, 0x802 | LAST)]);
    start(&mut bench, &read_10(5, 2), 0, 1);
    bm_write(&mut bench, 0, Width::Byte, 9);
    assert_eq!((bm_read(&mut bench, 2), alternate(&mut bench)), (0, 0xD0));
    let saved = bench.device.save();
    bench.device = loaded();
    bench.device.restore(&saved).expect("own state");
    table(&mut bench, &[(0x4000, 0x7FE | LAST)]);
    bm_write(&mut bench, 0, Width::Byte, 8);
    bm_write(&mut bench, 0, Width::Byte, 9);
    assert_eq!((bm_read(&mut bench, 2), bench.inb(STATUS)), (4, GOOD));
    assert_eq!(bench.memory.read_array::<4>(0x27FE), [5, 5, 6, 6]);
    assert_eq!(bench.memory.read_array::<2>(0x47FD), [6, 0]);
}

#[test]
fn what_cannot_be_read_says_why() {
    let mut bench = bench_with(Some(disc(BLOCKS).with_bad_sector(4 * 100 + 1)));
    refused(&mut bench, &read_10(BLOCKS, 1), [5, 0x21, 0]);
    refused(&mut bench, &read_10(BLOCKS - 1, 2), [5, 0x21, 0]);
    refused(&mut bench, &read_10(u32::MAX, 2), [5, 0x21, 0]);
    refused(&mut bench, &read_10(100, 1), [3, 0x11, 0]);
    refused(&mut bench, &[0x2B, 0, 0, 0, 0, 200], [5, 0x21, 0]);
    assert_eq!(reply(&mut bench, &[0x2B, 0, 0, 0, 0, 199]), []);
    let mut empty = bench_with(None);
    for bytes in [&read_10(0, 1)[..], &[0], &[0x25], &[0x43], &[0x51], &[0xBE]] {
        refused(&mut empty, bytes, [2, 0x3A, 1]);
    }
}

#[test]
fn it_describes_the_disc() {
    let mut bench = bench();
    assert_eq!(reply(&mut bench, &[0x25]), [0, 0, 0, 199, 0, 0, 8, 0]);
    let toc = |from, format, msf| [0x43, msf, format, 0, 0, 0, from, 3, 0, 0];
    let whole = [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xAA, 0, 0, 0, 0, 200];
    assert_eq!(reply(&mut bench, &toc(0, 0, 0)), whole);
    let end = [0, 10, 1, 1, 0, 0x14, 0xAA, 0, 0, 0, 4, 50];
    assert_eq!(reply(&mut bench, &toc(0xAA, 0, 2)), end);
    assert_eq!(reply(&mut bench, &[0x43, 0, 0, 0, 0, 0, 0, 0, 4, 0]), [0, 18, 1, 1], "cut");
    let sessions = [0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0];
    assert_eq!(reply(&mut bench, &toc(0, 1, 0)), sessions);
    assert_eq!(reply(&mut bench, &[0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0x40]), sessions, "as SFF-8020i asks");
    let raw = reply(&mut bench, &toc(0, 2, 2));
    assert_eq!((raw.len(), raw[1], raw[7], raw[29], &raw[34..37]), (48, 46, 0xA0, 0xA2, &[0, 4, 50][..]));
    refused(&mut bench, &toc(2, 0, 0), [5, 0x24, 0]);
    refused(&mut bench, &toc(0, 5, 0), [5, 0x24, 0]);
    let information = reply(&mut bench, &[0x51, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!((information.len(), &information[..4]), (34, &[0, 32, 0x0E, 1][..]));
    let track = reply(&mut bench, &[0x52, 1, 0, 0, 0, 1, 0, 1, 0]);
    assert_eq!((track.len(), track[1], track[27]), (36, 34, 200));
    refused(&mut bench, &[0x52, 1, 0, 0, 0, 2, 0, 1, 0], [5, 0x24, 0]);
    let position = reply(&mut bench, &[0x42, 2, 0x40, 1, 0, 0, 0, 1, 0]);
    assert_eq!(position, [0, 0x15, 0, 12, 1, 0x14, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0]);
    assert_eq!(reply(&mut bench, &[0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8]), [0; 8]);
    refused(&mut bench, &[0xAD, 0, 0, 0, 0, 0, 0, 0, 8], [5, 0x30, 0]);
}

#[test]
fn it_describes_itself() {
    let mut bench = bench();
    let all = reply(&mut bench, &[0x46, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!((all[3] as usize + 4, all[7]), (all.len(), 8), "CD-ROM profile");
    let read = reply(&mut bench, &[0x46, 2, 0, 0x1E, 0, 0, 0, 1, 0]);
    assert_eq!(read[8..], [0, 0x1E, 1, 4, 0, 0, 0, 0]);
    assert_eq!(reply(&mut bench, &[0x46, 1, 0, 0x1F, 0, 0, 0, 1, 0]).len(), 8, "no DVD is in");
    let inquiry = reply(&mut bench, &[0x12, 0, 0, 0, 255]);
    assert_eq!((inquiry.len(), &inquiry[8..14]), (36, &b"POSADA"[..]));
    refused(&mut bench, &[0x12, 1, 0x80, 0, 255], [5, 0x24, 0]);
}

/// More than a CD holds.
struct Dvd;

impl Disk for Dvd {
    fn sectors(&self) -> u64 {
        4 * 2_000_000
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        for (sector, bytes) in (lba..).zip(into.chunks_mut(512)) {
            bytes.fill((sector / 4) as u8);
        }
        Ok(())
    }

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), DiskError> {
        Err(DiskError::ReadOnly)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn is_read_only(&self) -> bool {
        true
    }
}

#[test]
fn a_large_disc_is_a_dvd() {
    let mut bench = bench_with(None);
    bench.call(|ide, cx| ide.insert_disc(Box::new(Dvd), cx)).expect("an empty drive");
    refused(&mut bench, &[0], [6, 0x28, 0]);
    let profile = reply(&mut bench, &[0x46, 2, 0, 0x1F, 0, 0, 0, 1, 0]);
    assert_eq!(profile, [0, 0, 0, 8, 0, 0, 0, 0x10, 0, 0x1F, 1, 0]);
    let structure = reply(&mut bench, &[0xAD, 0, 0, 0, 0, 0, 0, 0, 8, 4]);
    assert_eq!((structure.len(), &structure[..2]), (2052, &[8, 2][..]));
    assert_eq!(structure[9..16], [3, 0, 0, 0, 0x21, 0x84, 0x7F]);
    // READ(12) of more than is moved by one command; and the most that is, by bus master.
    refused(&mut bench, &[0xA8, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], [5, 0x24, 0]);
    let entries: Vec<(u32, u32)> = (0..2048).map(|n| (0x2_0000, if n == 2047 { LAST } else { 0 })).collect();
    table(&mut bench, &entries);
    start(&mut bench, &[0xA8, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0], 0, 1);
    bm_write(&mut bench, 0, Width::Byte, 9);
    assert_eq!(bench.inb(STATUS), GOOD);
    assert_eq!(bench.memory.read_array::<1>(0x2_0000), [0xE0]);
}

#[test]
fn mode_pages_are_told_and_set() {
    let mut bench = bench();
    let sense_page = |page| [0x5A, 0, page, 0, 0, 0, 0, 1, 0];
    let capabilities = reply(&mut bench, &sense_page(0x2A));
    assert_eq!((capabilities.len(), &capabilities[..10]), (28, &[0, 26, 1, 0, 0, 0, 0, 0, 0x2A, 18][..]));
    assert_eq!(reply(&mut bench, &sense_page(0x3F)).len(), 8 + 8 + 16 + 20);
    refused(&mut bench, &sense_page(0xEA), [5, 0x39, 0]);
    refused(&mut bench, &sense_page(0x08), [5, 0x24, 0]);
    let list = |retries| [0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 0x20, retries, 9, 9, 9, 9];
    for (retries, limit) in [(5, 0xFFFE), (6, 6)] {
        packet(&mut bench, &[0x55, 0x10, 0, 0, 0, 0, 0, 0, 16], limit);
        for pair in list(retries).chunks(2) {
            assert_eq!((alternate(&mut bench), bench.inb(2)), (DRQ, 0), "wants data");
            send(&mut bench, u16::from_le_bytes([pair[0], pair[1]]), 1);
        }
        assert_eq!(data(&mut bench), (vec![], GOOD));
        assert_eq!(reply(&mut bench, &sense_page(1))[8..], [1, 6, 0x20, retries, 0, 0, 0, 0]);
    }
    assert_eq!(reply(&mut bench, &sense_page(0x81))[11], 1, "the default");
    assert_eq!(reply(&mut bench, &sense_page(0x41))[11], 0xFF, "what can be changed");
    // By bus master, and with a page that is too short.
    bench.memory.write(0x2000, &list(9)[..14]);
    table(&mut bench, &[(0x2000, 14 | LAST)]);
    start(&mut bench, &[0x55, 0x10, 0, 0, 0, 0, 0, 0, 14], 0, 1);
    bm_write(&mut bench, 0, Width::Byte, 1);
    assert_eq!(data(&mut bench), (vec![], CHECK));
    assert_eq!(sense(&mut bench), [5, 0x1A, 0]);
    assert_eq!(reply(&mut bench, &sense_page(1))[11], 6);
}

const EVENT: [u8; 9] = [0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8];
const EJECT: [u8; 5] = [0x1B, 0, 0, 0, 2];
const LOAD: [u8; 5] = [0x1B, 0, 0, 0, 3];
const LOCK: [u8; 5] = [0x1E, 0, 0, 0, 1];
const UNLOCK: [u8; 5] = [0x1E, 0, 0, 0, 0];

#[test]
fn the_guest_opens_closes_and_locks_the_tray() {
    let mut bench = bench();
    assert_eq!(reply(&mut bench, &EVENT), [0, 6, 4, 0x10, 0, 2, 0, 0]);
    reply(&mut bench, &LOCK);
    refused(&mut bench, &EJECT, [5, 0x53, 2]);
    reply(&mut bench, &UNLOCK);
    reply(&mut bench, &EJECT);
    assert_eq!(reply(&mut bench, &EVENT), [0, 6, 4, 0x10, 3, 1, 0, 0]);
    refused(&mut bench, &[0], [2, 0x3A, 2]);
    assert_eq!(reply(&mut bench, &[0x5A, 0, 0x2A, 0, 0, 0, 0, 1, 0])[2], 0x71);
    assert_eq!(reply(&mut bench, &[0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8])[1], 0x10);
    reply(&mut bench, &LOAD);
    assert_eq!(reply(&mut bench, &EVENT), [0, 6, 4, 0x10, 2, 2, 0, 0]);
    refused(&mut bench, &[0], [6, 0x28, 0]);
    assert_eq!(reply(&mut bench, &[0]), []);
    refused(&mut bench, &[0x4A, 0, 0, 0, 0x10, 0, 0, 0, 8], [5, 0x24, 0]);
    assert_eq!(reply(&mut bench, &[0x4A, 1, 0, 0, 2, 0, 0, 0, 8]), [0, 2, 0x80, 0x10]);
}

#[test]
fn a_person_changes_the_disc() {
    let mut bench = bench();
    reply(&mut bench, &LOCK);
    assert_eq!(bench.call(|ide, cx| ide.eject_disc(cx)).err(), Some(CdRomError::Locked));
    assert_eq!(reply(&mut bench, &EVENT), [0, 6, 4, 0x10, 1, 2, 0, 0], "the button was pressed");
    let other = Box::new(disc(50));
    assert_eq!(bench.call(|ide, cx| ide.insert_disc(other, cx)), Err(CdRomError::Locked));
    reply(&mut bench, &UNLOCK);
    let old = bench.call(|ide, cx| ide.eject_disc(cx)).expect("not locked");
    assert_eq!(old.map(|disc| disc.sectors()), Some(800));
    refused(&mut bench, &[0], [6, 0x28, 0]);
    refused(&mut bench, &[0], [2, 0x3A, 1]);
    bench.call(|ide, cx| ide.insert_disc(Box::new(disc(150)), cx)).expect("not locked");
    refused(&mut bench, &[0x25], [6, 0x28, 0]);
    assert_eq!(reply(&mut bench, &[0x25])[3], 149);
    // In the middle of a transfer: what is missing will not come.
    packet(&mut bench, &read_10(0, 150), 0xFFFE);
    assert_eq!(bench.inb(STATUS), DRQ);
    bench.call(|ide, cx| ide.eject_disc(cx)).expect("not locked");
    assert_eq!(data(&mut bench), (vec![], CHECK));
    assert_eq!(sense(&mut bench), [3, 0x11, 0]);
    let nowhere = Piix3Ide::new([None, None, None, None]);
    assert_eq!(enabled(nowhere).call(|ide, cx| ide.eject_disc(cx)).err(), Some(CdRomError::NoDrive));
}

#[test]
fn reads_whole_sectors() {
    let mut bench = bench();
    let read_cd = |lba: u8, kind: u8, parts: u8| [0xBE, kind << 2, 0, 0, 0, lba, 0, 0, 1, parts, 0];
    assert_eq!(reply(&mut bench, &read_cd(5, 0, 0x10)), [5; 2048]);
    let raw = reply(&mut bench, &read_cd(5, 2, 0xF8));
    assert_eq!((raw.len(), &raw[11..17]), (2352, &[0, 0, 2, 5, 1, 5][..]));
    assert_eq!(reply(&mut bench, &read_cd(5, 0, 0)), []);
    refused(&mut bench, &read_cd(5, 1, 0x10), [5, 0x64, 0]);
    refused(&mut bench, &read_cd(5, 0, 0x12), [5, 0x24, 0]);
    assert_eq!(reply(&mut bench, &[0xB9, 0, 0, 0, 2, 7, 0, 2, 8, 0x10]), [7; 2048]);
    refused(&mut bench, &[0xB9, 0, 0, 0, 2, 7, 0, 2, 6, 0x10], [5, 0x24, 0]);
    refused(&mut bench, &[0xB9, 0, 0, 0, 1, 7, 0, 2, 6, 0x10], [5, 0x21, 0]);
}

#[test]
fn an_image_may_end_within_a_block() {
    let mut bench = bench_with(Some(MemoryDisk::from_bytes(vec![3; 2048 + 512])));
    let bytes = reply(&mut bench, &read_10(1, 1));
    assert_eq!((&bytes[..512], &bytes[512..]), (&[3; 512][..], &[0; 1536][..]));
}

#[test]
fn saved_in_the_middle_it_goes_on() {
    // In the command packet.
    let mut bench = bench();
    bench.outb(4, 0).outb(5, 8).outb(7, 0xA0);
    send(&mut bench, 0x0028, 1);
    let restore = |bench: &mut Bench<Piix3Ide>| {
        bench.check_save_restore(loaded());
        let saved = bench.device.save();
        bench.device = loaded();
        bench.device.restore(&saved).expect("own state");
        saved
    };
    restore(&mut bench);
    for word in [0, 0x0900, 0, 0x0002, 0] {
        send(&mut bench, word, 1);
    }
    // In the data.
    assert_eq!(bench.inb(STATUS), DRQ);
    assert_eq!(words(&mut bench, 1000), [0x0909; 1000]);
    let saved = restore(&mut bench);
    assert_eq!(words(&mut bench, 24), [0x0909; 24]);
    assert_eq!(data(&mut bench), (vec![vec![10; 2048]], GOOD));
    for mut other in [drive(None), drive(Some(disc(BLOCKS - 1))), Piix3Ide::new([None, None, None, None])] {
        let before = other.save();
        assert!(other.restore(&saved).is_err());
        assert_eq!(other.save(), before, "nothing has changed");
    }
    // Waiting for the bus master; and with the tray open.
    table(&mut bench, &[(0x2000, 0x800 | LAST)]);
    start(&mut bench, &read_10(4, 1), 0, 1);
    restore(&mut bench);
    bm_write(&mut bench, 0, Width::Byte, 9);
    assert_eq!((bench.inb(STATUS), bench.memory.read_array::<1>(0x27FF)), (GOOD, [4]));
    reply(&mut bench, &EJECT);
    restore(&mut bench);
    refused(&mut bench, &[0], [2, 0x3A, 2]);
}

/// Whatever a guest sends: packets of all operation codes with any content, in PIO and DMA, left in the middle.
#[test]
fn any_packet_leaves_it_in_a_state_it_can_be_in() {
    let mut bench = bench();
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    table(&mut bench, &[(0x2000, 0x600), (0xF_F000, 0), (0xFFFF_0000, LAST)]);
    for round in 0..6000u32 {
        let (mut bytes, low) = ([0; 12], random().to_le_bytes());
        bytes[..8].copy_from_slice(&low);
        bytes[8..].copy_from_slice(&random().to_le_bytes()[..4]);
        bytes[0] = round as u8;
        // Small numbers hit more than large ones.
        if random() & 3 != 0 {
            (bytes[2], bytes[3], bytes[4], bytes[6]) = (0, 0, 0, 0);
        }
        let [limit, features, reads, choice, ..] = random().to_le_bytes();
        bench.outb(6, 0xA0).outb(1, features & 1).outb(4, limit).outb(5, choice).outb(7, 0xA0);
        for pair in bytes.chunks(2) {
            send(&mut bench, u16::from_le_bytes([pair[0], pair[1]]), 1);
        }
        bm_write(&mut bench, 0, Width::Byte, if choice & 1 == 0 { 9 } else { 1 });
        for _ in 0..usize::from(reads) * 2 {
            words(&mut bench, 1);
            send(&mut bench, 0x0101, 1);
        }
        if round % 64 == 0 {
            match choice & 7 {
                0 => drop(bench.call(|ide, cx| ide.eject_disc(cx))),
                1 => {
                    let _or_locked = bench.call(|ide, cx| ide.insert_disc(Box::new(disc(BLOCKS)), cx));
                }
                _ => {}
            }
        }
        let has_disc = bench.device.cdrom().is_ok_and(|cdrom| cdrom.tray.disc.is_some());
        if round % 16 == 0 {
            bench.check_save_restore(drive(has_disc.then(|| disc(BLOCKS))));
        }
        bm_write(&mut bench, 0, Width::Byte, 0);
        bench.outb(7, 0x08);
        assert_eq!(bench.inb(STATUS), 0);
    }
}
