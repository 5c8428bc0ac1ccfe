use super::*;
use crate::bench::Bench;
use crate::disk::{MemoryDisk, SECTOR};
use emu_core::{Effect, Level};

pub(super) const STATUS: u64 = 7;
pub(super) const READY: u8 = 0x50;
pub(super) const DRQ: u8 = 0x58;
const SECTORS: u64 = 2048;

/// Each word holds its sector's number.
pub(super) fn numbered(sectors: u64) -> MemoryDisk {
    MemoryDisk::from_bytes((0..sectors).flat_map(|n| (n as u16).to_le_bytes().repeat(SECTOR / 2)).collect())
}

fn with(disks: [Option<MemoryDisk>; 4]) -> Piix3Ide {
    Piix3Ide::new(disks.map(|disk| disk.map(|disk| Unit::Disk(Box::new(disk)))))
}

/// A disk, and on the same cable a CD-ROM drive with a disc of 16 blocks.
fn disk_and_cdrom() -> Piix3Ide {
    let disk = Unit::Disk(Box::new(numbered(64)));
    Piix3Ide::new([
        Some(disk),
        Some(Unit::CdRom(Some(Box::new(numbered(64))))),
        None,
        Some(Unit::CdRom(None)),
    ])
}

fn one() -> Piix3Ide {
    with([Some(numbered(SECTORS)), None, None, None])
}

/// As firmware leaves it: I/O and bus master on, both channels decoded, bus-master registers at C000h.
pub(super) fn enabled(ide: Piix3Ide) -> Bench<Piix3Ide> {
    let mut bench = Bench::new(ide);
    config(&mut bench, 0x04, Width::Word, 5);
    config(&mut bench, 0x40, Width::Dword, 0x8000_8000);
    config(&mut bench, 0x20, Width::Dword, 0xC000);
    bench
}

fn bench() -> Bench<Piix3Ide> {
    enabled(one())
}

pub(super) fn config(bench: &mut Bench<Piix3Ide>, register: u64, width: Width, value: u64) {
    bench.write(Space::Config, 0, register, width, value);
}

/// An LBA28 command to device 0.
pub(super) fn command(bench: &mut Bench<Piix3Ide>, code: u8, lba: u32, count: u8) {
    let [b0, b1, b2, b3] = lba.to_le_bytes();
    bench.outb(2, count).outb(3, b0).outb(4, b1).outb(5, b2).outb(6, 0xE0 | b3).outb(7, code);
}

fn command_48(bench: &mut Bench<Piix3Ide>, code: u8, lba: u64, count: u16) {
    let [b0, b1, b2, b3, b4, b5, ..] = lba.to_le_bytes();
    let [c0, c1] = count.to_le_bytes();
    bench.outb(2, c1).outb(3, b3).outb(4, b4).outb(5, b5).outb(2, c0).outb(3, b0).outb(4, b1).outb(5, b2);
    bench.outb(6, 0xE0).outb(7, code);
}

pub(super) fn word(bench: &mut Bench<Piix3Ide>) -> u16 {
    bench.read(Space::Port, 0, 0, Width::Word) as u16
}

pub(super) fn words(bench: &mut Bench<Piix3Ide>, count: usize) -> Vec<u16> {
    (0..count).map(|_| word(bench)).collect()
}

pub(super) fn send(bench: &mut Bench<Piix3Ide>, value: u16, count: usize) {
    for _ in 0..count {
        bench.write(Space::Port, 0, 0, Width::Word, value.into());
    }
}

pub(super) fn control(bench: &mut Bench<Piix3Ide>, value: u8) {
    bench.write(Space::Port, 1, 0, Width::Byte, value.into());
}

pub(super) fn alternate(bench: &mut Bench<Piix3Ide>) -> u8 {
    bench.read(Space::Port, 1, 0, Width::Byte) as u8
}

pub(super) fn registers(bench: &mut Bench<Piix3Ide>) -> [u8; 5] {
    [2, 3, 4, 5, 6].map(|offset| bench.inb(offset))
}

pub(super) fn bm_read(bench: &mut Bench<Piix3Ide>, offset: u64) -> u8 {
    bench.read(Space::Port, 4, offset, Width::Byte) as u8
}

pub(super) fn bm_write(bench: &mut Bench<Piix3Ide>, offset: u64, width: Width, value: u64) {
    bench.write(Space::Port, 4, offset, width, value);
}

#[test]
fn configuration_space_is_that_of_the_piix3() {
    let mut bench = Bench::new(one());
    let mut dword = |register| bench.read(Space::Config, 0, register, Width::Dword);
    assert_eq!([0x00, 0x04, 0x08, 0x0C, 0x20].map(&mut dword), [0x7010_8086, 0x0280_0000, 0x0101_8000, 0, 1]);
    for register in (0..256).step_by(4) {
        config(&mut bench, register, Width::Dword, 0xFFFF_FFFF);
    }
    let mut dword = |register| bench.read(Space::Config, 0, register, Width::Dword);
    assert_eq!(
        [0x04, 0x0C, 0x20, 0x40, 0x44, 0x3C].map(&mut dword),
        [0x0280_0005, 0xF000, 0xFFFF_FFF1, 0xF3FF_F3FF, 0xFF, 0]
    );
    assert_eq!(bench.read(Space::Config, 0, 0x41, Width::Byte), 0xF3);
    assert_eq!(bench.read(Space::Config, 0, 0x0A, Width::Word), 0x0101);
}

#[test]
fn ports_answer_only_when_the_configuration_lets_them() {
    let mut bench = Bench::new(one());
    assert_eq!(bench.inb(STATUS), 0xFF);
    config(&mut bench, 0x40, Width::Dword, 0x8000);
    assert_eq!(bench.inb(STATUS), 0xFF, "I/O space is still off");
    config(&mut bench, 0x04, Width::Byte, 1);
    assert_eq!(bench.inb(STATUS), READY);
    config(&mut bench, 0x20, Width::Word, 0xC001);
    assert!(bench.effects.contains(&Effect::Window { region: 4, base: Some(0xC000) }));
    config(&mut bench, 0x04, Width::Byte, 0);
    assert_eq!(bench.effects.last(), Some(&Effect::Window { region: 4, base: None }));
}

#[test]
fn missing_drives_float_or_are_answered_for() {
    let mut bench = enabled(with([Some(numbered(8)), None, None, Some(numbered(8))]));
    bench.outb(6, 0xB0);
    assert_eq!((bench.inb(STATUS), alternate(&mut bench)), (0, 0), "device 0 answers for device 1");
    bench.outb(7, 0xEC).outb(6, 0xA0).expect(IRQ14, Level::Low);
    assert_eq!(bench.inb(STATUS), READY);
    let secondary = |bench: &mut Bench<Piix3Ide>| bench.read(Space::Port, 2, STATUS, Width::Byte);
    assert_eq!(secondary(&mut bench), 0xFF, "nobody answers for device 0");
    let mut bench = enabled(with([None, None, None, None]));
    assert_eq!((bench.inb(STATUS), secondary(&mut bench)), (0xFF, 0xFF));
    bench.outb(2, 0x55);
    assert_eq!(bench.inb(2), 0xFF);
}

#[test]
fn software_reset_leaves_the_signature() {
    let mut bench = bench();
    command(&mut bench, 0x20, 7, 1);
    control(&mut bench, 4);
    assert_eq!(bench.inb(STATUS), 0x80);
    control(&mut bench, 0);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY, 1));
    assert_eq!(registers(&mut bench), [1, 1, 0, 0, 0xA0]);
    bench.outb(6, 0xA0).outb(7, 0x90).expect(IRQ14, Level::High);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY, 1));
}

#[test]
fn identify_describes_the_disk() {
    let mut bench = bench();
    bench.outb(6, 0xA0).outb(7, 0xEC).expect(IRQ14, Level::High);
    assert_eq!(bench.inb(STATUS), DRQ);
    bench.expect(IRQ14, Level::Low);
    let w = words(&mut bench, 256);
    assert_eq!((w[0], w[1], w[3], w[6]), (0x40, 2, 16, 63));
    assert_eq!((w[60], w[61], w[100], w[103]), (2048, 0, 2048, 0));
    assert_eq!((w[27], w[47], w[83] & 0x0400), (0x504F, 0x8010, 0x0400));
    assert_eq!(w[57], 2016);
    assert_eq!((bench.inb(STATUS), word(&mut bench)), (READY, 0xFFFF));
}

#[test]
fn reads_sectors_one_interrupt_each() {
    let mut bench = bench();
    command(&mut bench, 0x20, 0x301, 2);
    for sector in [0x301, 0x302] {
        bench.expect(IRQ14, Level::High);
        assert_eq!((alternate(&mut bench), bench.inb(STATUS)), (DRQ, DRQ));
        bench.expect(IRQ14, Level::Low);
        assert_eq!(words(&mut bench, 256), [sector; 256]);
    }
    bench.expect(IRQ14, Level::Low);
    assert_eq!(bench.inb(STATUS), READY);
    assert_eq!(registers(&mut bench), [0, 2, 3, 0, 0xE0], "the last sector");
}

#[test]
fn reads_multiple_in_blocks_and_by_dwords() {
    let mut bench = bench();
    command(&mut bench, 0xC4, 0, 5);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 4), "no block size set");
    bench.outb(2, 3).outb(7, 0xC6);
    assert_eq!(bench.inb(STATUS), READY | 1);
    bench.outb(2, 4).outb(7, 0xC6);
    assert_eq!(bench.inb(STATUS), READY);
    command_48(&mut bench, 0x29, 10, 5);
    bench.edges.clear();
    for sector in 10..14u64 {
        for _ in 0..128 {
            assert_eq!(bench.read(Space::Port, 0, 0, Width::Dword), sector << 16 | sector);
        }
    }
    assert_eq!(bench.edges, [], "four sectors, and the interrupt of the last one is still pending");
    assert_eq!(bench.inb(STATUS), DRQ);
    assert_eq!(words(&mut bench, 256), [14; 256]);
    assert_eq!(bench.inb(STATUS), READY);
}

#[test]
fn writes_sectors_and_multiple() {
    let mut bench = bench();
    command(&mut bench, 0x30, 5, 2);
    bench.expect(IRQ14, Level::Low);
    assert_eq!(alternate(&mut bench), DRQ);
    send(&mut bench, 0xAAAA, 256);
    bench.expect(IRQ14, Level::High);
    assert_eq!(bench.inb(STATUS), DRQ);
    send(&mut bench, 0xBBBB, 256);
    bench.expect(IRQ14, Level::High);
    assert_eq!(bench.inb(STATUS), READY);
    bench.outb(2, 16).outb(7, 0xC6);
    command_48(&mut bench, 0x39, 7, 3);
    send(&mut bench, 0xCCCC, 3 * 256);
    assert_eq!(bench.inb(STATUS), READY);
    command(&mut bench, 0xE7, 0, 0);
    assert_eq!(bench.inb(STATUS), READY);
    command(&mut bench, 0x20, 4, 7);
    let firsts: Vec<u16> = words(&mut bench, 7 * 256).into_iter().step_by(256).collect();
    assert_eq!(firsts, [4, 0xAAAA, 0xBBBB, 0xCCCC, 0xCCCC, 0xCCCC, 10]);
}

#[test]
fn chs_follows_the_translation() {
    let mut bench = bench();
    let chs = |bench: &mut Bench<Piix3Ide>, c: u8, h: u8, s: u8| {
        bench.outb(2, 1).outb(3, s).outb(4, c).outb(5, 0).outb(6, 0xA0 | h).outb(7, 0x20);
        if bench.inb(STATUS) == DRQ { Some(words(bench, 256)[0]) } else { None }
    };
    assert_eq!(chs(&mut bench, 1, 2, 3), Some((16 + 2) * 63 + 2));
    bench.outb(2, 17).outb(6, 0xA3).outb(7, 0x91);
    assert_eq!(bench.inb(STATUS), READY);
    assert_eq!(chs(&mut bench, 1, 2, 3), Some((4 + 2) * 17 + 2));
    assert_eq!(registers(&mut bench), [0, 3, 1, 0, 0xA2]);
    for (h, s) in [(4, 1), (0, 0), (0, 18)] {
        assert_eq!(chs(&mut bench, 0, h, s), None);
        assert_eq!(bench.inb(1), 0x10, "IDNF");
    }
}

#[test]
fn errors_say_what_and_where() {
    let disk = numbered(SECTORS).with_bad_sector(100);
    let mut bench = enabled(with([Some(disk), Some(numbered(8).read_only()), None, None]));
    command(&mut bench, 0x20, 99, 2);
    words(&mut bench, 256);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 0x40), "UNC");
    assert_eq!(registers(&mut bench)[1], 100);
    command(&mut bench, 0x40, 90, 20);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 0x40));
    command(&mut bench, 0x30, 100, 1);
    send(&mut bench, 1, 256);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 0x21, 4), "device fault");
    command(&mut bench, 0x20, 2048, 1);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 0x10));
    command(&mut bench, 0x20, 2047, 2);
    words(&mut bench, 256);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 0x10));
    bench.outb(2, 1).outb(3, 0).outb(4, 0).outb(5, 0).outb(6, 0xF0).outb(7, 0x30);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 4), "read-only");
    bench.outb(7, 0xA1).expect(IRQ14, Level::High);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 4));
}

#[test]
fn interrupts_can_be_held_back() {
    let mut bench = bench();
    control(&mut bench, 2);
    command(&mut bench, 0x20, 0, 1);
    bench.expect(IRQ14, Level::Low);
    control(&mut bench, 0);
    bench.expect(IRQ14, Level::High);
    alternate(&mut bench);
    bench.expect(IRQ14, Level::High).inb(STATUS);
    bench.expect(IRQ14, Level::Low);
}

#[test]
fn previous_register_content_reads_through_hob() {
    let mut bench = bench();
    bench.outb(3, 0x11).outb(3, 0x22);
    assert_eq!(bench.inb(3), 0x22);
    control(&mut bench, 0x80);
    assert_eq!(bench.inb(3), 0x11);
    bench.outb(4, 0);
    assert_eq!(bench.inb(3), 0x22, "a write of a command block register clears HOB");
}

#[test]
fn power_features_and_seek_commands() {
    let mut bench = bench();
    for (code, count) in [(0xE2, 0x00), (0xE1, 0xFF), (0xE0, 0x00), (0x97, 0xFF)] {
        bench.outb(7, code).outb(7, 0xE5);
        assert_eq!(bench.inb(2), count, "after {code:#x}");
    }
    bench.outb(1, 3).outb(2, 0x22).outb(7, 0xEF);
    assert_eq!(bench.inb(STATUS), READY);
    bench.outb(7, 0xEC);
    assert_eq!(words(&mut bench, 256)[63], 0x0407);
    bench.outb(1, 3).outb(2, 0x42).outb(7, 0xEF);
    assert_eq!(bench.inb(STATUS), READY | 1, "no Ultra DMA");
    bench.outb(7, 0x10);
    assert_eq!(bench.inb(STATUS), READY);
    command(&mut bench, 0x70, 5000, 1);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 0x10));
}

/// Descriptors at 1000h.
pub(super) fn table(bench: &mut Bench<Piix3Ide>, entries: &[(u32, u32)]) {
    for (n, (base, count)) in (0..).zip(entries) {
        bench.memory.write(0x1000 + n * 8, &base.to_le_bytes());
        bench.memory.write(0x1004 + n * 8, &count.to_le_bytes());
    }
    bm_write(bench, 4, Width::Dword, 0x1000);
}

pub(super) const LAST: u32 = 0x8000_0000;

#[test]
fn dma_reads_scatter() {
    let mut bench = bench();
    table(&mut bench, &[(0x2000, 0x300), (0x8002, 0x100 | LAST)]);
    bm_write(&mut bench, 0, Width::Byte, 8);
    command(&mut bench, 0xC8, 0x123, 2);
    assert_eq!(alternate(&mut bench), 0xD0, "busy until the bus master starts");
    bm_write(&mut bench, 0, Width::Byte, 9);
    assert_eq!(bm_read(&mut bench, 2), 4, "no longer active, interrupt");
    bench.expect(IRQ14, Level::High);
    assert_eq!((bench.inb(STATUS), bm_read(&mut bench, 2)), (READY, 4));
    bm_write(&mut bench, 2, Width::Byte, 4);
    assert_eq!(bm_read(&mut bench, 2), 0);
    assert_eq!(bench.memory.read_array::<4>(0x21FE), [0x23, 1, 0x24, 1]);
    assert_eq!(bench.memory.read_array::<4>(0x22FE), [0x24, 1, 0, 0]);
    assert_eq!(bench.memory.read_array::<4>(0x8100), [0x24, 1, 0, 0]);
}

#[test]
fn dma_writes_gather_and_a_long_table_stays_active() {
    let mut bench = bench();
    bench.memory.write(0x4_0000, &[0x77; 0x1_0000]);
    table(&mut bench, &[(0x4_0000, 0), (0x4_0000, LAST)]);
    bm_write(&mut bench, 0, Width::Byte, 1);
    command_48(&mut bench, 0x35, 1000, 192);
    assert_eq!(bm_read(&mut bench, 2), 5, "active, with interrupt: the table is longer");
    assert_eq!(bench.inb(STATUS), READY);
    bm_write(&mut bench, 0, Width::Byte, 0);
    assert_eq!(bm_read(&mut bench, 2), 4);
    for (lba, content) in [(999, 999), (1000, 0x7777), (1191, 0x7777), (1192, 1192)] {
        command(&mut bench, 0x20, lba, 1);
        assert_eq!(words(&mut bench, 256), [content; 256]);
    }
}

#[test]
fn a_table_that_is_too_short_leaves_the_drive_waiting() {
    let mut bench = bench();
    table(&mut bench, &[(0x2000, 0x200 | LAST)]);
    bm_write(&mut bench, 0, Width::Byte, 9);
    command(&mut bench, 0xC8, 1, 3);
    assert_eq!((bm_read(&mut bench, 2), alternate(&mut bench)), (0, 0xD0));
    bench.expect(IRQ14, Level::Low);
    control(&mut bench, 4);
    control(&mut bench, 0);
    assert_eq!(bench.inb(STATUS), READY);
}

#[test]
fn dma_needs_the_right_direction_and_pci_mastering() {
    let mut bench = bench();
    table(&mut bench, &[(0x2000, 0x200 | LAST)]);
    bm_write(&mut bench, 0, Width::Byte, 1);
    command(&mut bench, 0xC8, 1, 1);
    assert_eq!(alternate(&mut bench), 0xD0);
    bm_write(&mut bench, 0, Width::Byte, 0);
    config(&mut bench, 4, Width::Byte, 1);
    bm_write(&mut bench, 0, Width::Byte, 9);
    assert_eq!(alternate(&mut bench), 0xD0);
    config(&mut bench, 4, Width::Byte, 5);
    assert_eq!(bench.inb(STATUS), READY);
    assert_eq!(bench.memory.read_array::<2>(0x2000), [1, 0]);
}

#[test]
fn a_dma_error_interrupts() {
    let mut bench = enabled(with([Some(numbered(SECTORS).with_bad_sector(200)), None, None, None]));
    table(&mut bench, &[(0x2000, 0x400 | LAST)]);
    bm_write(&mut bench, 0, Width::Byte, 9);
    command(&mut bench, 0xC8, 199, 2);
    bench.expect(IRQ14, Level::High);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 0x40));
}

#[test]
fn an_endless_table_ends() {
    let mut bench = bench();
    // Every descriptor moves two bytes and none is the last.
    let entry = [0, 0x20, 0, 0, 2, 0, 0, 0];
    bench.memory.write(0x1_0000, &entry.repeat(8192));
    bm_write(&mut bench, 4, Width::Dword, 0x1_0000);
    bm_write(&mut bench, 0, Width::Byte, 9);
    command(&mut bench, 0xC8, 0, 0);
    assert_eq!((bm_read(&mut bench, 2), alternate(&mut bench)), (0, 0xD0));
}

#[test]
fn saved_in_the_middle_it_goes_on() {
    let mut bench = bench();
    command(&mut bench, 0x20, 42, 2);
    words(&mut bench, 100);
    bench.check_save_restore(one());
    let saved = bench.device.save();
    bench.device = one();
    bench.device.restore(&saved).expect("own state");
    assert_eq!(words(&mut bench, 412)[155..157], [42, 43]);
    for mut other in [with([None, None, None, None]), with([Some(numbered(7)), None, None, None])] {
        let before = other.save();
        assert!(other.restore(&saved).is_err());
        assert_eq!(other.save(), before, "nothing has changed");
    }
}

/// The state of the disk of [`one`] in version 1, in the middle of reading sector 42.
fn version_1() -> Saved {
    use super::ata_disk::{Activity, Run};
    use super::state_v1::{ChannelV1, DriveV1, IdeV1, VERSION};
    use super::task_file::{TaskFile, Translation};
    let run = Run { lba: 43, left: 1, block: 1, wide: false };
    let drive = DriveV1 {
        sectors: SECTORS,
        activity: Activity::DataIn { buffer: vec![7; SECTOR], at: 510, run },
        err: false,
        df: false,
        error: 0,
        translation: Translation { heads: 16, sectors: 63 },
        multiple: 0,
        transfer_mode: 0x22,
        standby: false,
        interrupt: true,
    };
    let regs = TaskFile { lba_low: [42, 0], device: 0xE0, ..TaskFile::default() };
    let channel = |drives| ChannelV1 {
        drives,
        regs,
        control: 0,
        bus_master_command: 0,
        bus_master_status: 4,
        bus_master_table: 0x1000,
        intrq: true,
    };
    let config = crate::bytes::Bytes(enabled(one()).device.config.save());
    Saved::pack(VERSION, &IdeV1 { config, channels: [channel([Some(drive), None]), channel([None, None])] })
}

#[test]
fn a_state_of_version_1_goes_on_without_a_cdrom_drive() {
    let disk = Unit::Disk(Box::new(numbered(SECTORS)));
    let mut bench = Bench::new(Piix3Ide::new([Some(disk), None, Some(Unit::CdRom(None)), None]));
    bench.device.restore(&version_1()).expect("an old state");
    assert_eq!((bm_read(&mut bench, 2), bench.inb(3)), (4, 42));
    assert_eq!(words(&mut bench, 2), [0x0707, 43]);
    assert_eq!(bench.read(Space::Port, 2, STATUS, Width::Byte), 0xFF, "nothing on the second cable");
    assert!(bench.device.cdrom().is_err());
    assert!(with([None, None, None, None]).restore(&version_1()).is_err());
}

#[test]
fn each_device_of_a_cable_has_its_own_registers() {
    let mut bench = enabled(disk_and_cdrom());
    control(&mut bench, 4);
    control(&mut bench, 0);
    assert_eq!((bench.inb(STATUS), registers(&mut bench)), (READY, [1, 1, 0, 0, 0xA0]));
    bench.outb(6, 0xB0);
    assert_eq!((bench.inb(STATUS), registers(&mut bench)), (0, [1, 1, 0x14, 0xEB, 0xB0]));
    bench.outb(4, 0x77);
    assert_eq!(bench.inb(4), 0x77);
    bench.outb(6, 0xA0);
    assert_eq!(bench.inb(4), 0x77, "both take a write");
    bench.outb(7, 0x90).expect(IRQ14, Level::High);
    assert_eq!((bench.inb(STATUS), bench.inb(4)), (READY, 0));
    command(&mut bench, 0x20, 5, 1);
    bench.expect(IRQ14, Level::High);
    assert_eq!(words(&mut bench, 256), [5; 256]);
    bench.outb(6, 0xB0).expect(IRQ14, Level::Low);
    assert_eq!(bench.inb(2), 1, "the count of the other device is as it was written");
}

#[test]
fn the_write_cache_can_be_off() {
    let mut bench = bench();
    for (feature, word) in [(0x82, 0x0008), (0x02, 0x0028)] {
        bench.outb(1, feature).outb(6, 0xA0).outb(7, 0xEF);
        assert_eq!(bench.inb(STATUS), READY);
        bench.outb(7, 0xEC);
        let identify = words(&mut bench, 256);
        assert_eq!((identify[82], identify[85]), (0x0028, word));
    }
}

#[test]
fn what_is_before_a_bad_sector_is_moved() {
    let mut bench = enabled(with([Some(numbered(SECTORS).with_bad_sector(70)), None, None, None]));
    table(&mut bench, &[(0x2000, 0x2000 | LAST)]);
    bm_write(&mut bench, 0, Width::Byte, 9);
    command(&mut bench, 0xC8, 64, 16);
    assert_eq!((bench.inb(STATUS), bench.inb(1), bench.inb(3)), (READY | 1, 0x40, 70));
    assert_eq!(bench.memory.read_array::<2>(0x2000 + 5 * 512), [69, 0]);
    assert_eq!(bench.memory.read_array::<2>(0x2000 + 6 * 512), [0, 0]);
    bench.outb(2, 16).outb(7, 0xC6);
    command(&mut bench, 0xC4, 64, 16);
    assert_eq!((bench.inb(STATUS), bench.inb(1), bench.inb(3)), (READY | 1, 0x40, 70));
    command(&mut bench, 0xC8, SECTORS as u32 - 2, 4);
    bm_write(&mut bench, 0, Width::Byte, 8);
    bm_write(&mut bench, 0, Width::Byte, 9);
    assert_eq!((bench.inb(STATUS), bench.inb(1)), (READY | 1, 0x10), "the end of the disk");
    assert_eq!([3, 4].map(|offset| bench.inb(offset)), [0, 8]);
}

#[test]
fn tables_may_point_anywhere() {
    for (base, count) in [(0xFFFF_FFFE, 0), (0x000F_FFF0, 0), (0xFEC0_0000, 0x8000), (0, 2)] {
        let mut bench = bench();
        // The whole table, so that it has no end; a read into it changes it under way.
        let entry = [base, count].map(u32::to_le_bytes).concat();
        for at in (0..0x1_0000u64).step_by(8) {
            bench.memory.write(at, &entry);
        }
        for table in [0u32, 0xFFF8, 0xFFFF_FFFC, 0xFEE0_0000] {
            for code in [0xC8, 0xCA, 0x25, 0x35] {
                bm_write(&mut bench, 4, Width::Dword, table.into());
                command_48(&mut bench, code, 0, 0);
                bm_write(&mut bench, 0, Width::Byte, if code == 0xC8 || code == 0x25 { 9 } else { 1 });
                bm_write(&mut bench, 0, Width::Byte, 0);
                bench.check_save_restore(one());
                control(&mut bench, 4);
                control(&mut bench, 0);
                assert_eq!(bench.inb(STATUS), READY);
            }
        }
    }
}

#[test]
fn every_port_width_and_value_then_save_is_save_after_restore() {
    for fresh in [disk_and_cdrom, || with([Some(numbered(64)), Some(numbered(64)), None, Some(numbered(64))])]
    {
        poke_everything(fresh);
    }
}

fn poke_everything(fresh: fn() -> Piix3Ide) {
    let mut bench = enabled(fresh());
    let ports = [(0, 8), (1, 1), (2, 8), (3, 1), (4, 16)];
    for value in 0..=255u64 {
        for (region, len) in ports {
            for offset in 0..len {
                for width in [Width::Byte, Width::Word, Width::Dword] {
                    // Software reset in one round of four only.
                    let value = if region & 1 != 0 && value & 3 != 0 { value & !4 } else { value };
                    bench.write(Space::Port, region, offset, width, value | value << 8 | value << 24);
                    bench.read(Space::Port, region, offset, width);
                }
            }
        }
        bench.check_save_restore(fresh());
    }
    for register in 0..=255 {
        config(&mut bench, register, Width::Dword, 0x5A5A_A5A5);
        bench.read(Space::Config, 0, register, Width::Dword);
        bench.check_save_restore(fresh());
    }
}
