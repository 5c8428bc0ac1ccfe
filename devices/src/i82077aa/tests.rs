use super::*;
use crate::bench::Bench;
use crate::disk::{MemoryDisk, SECTOR};
use emu_core::{Level, Width};

pub(super) const DOR: u64 = 2;
pub(super) const MSR: u64 = 4;
pub(super) const FIFO: u64 = 5;
/// Drive 0 with its motor on, interrupts and DMA let out.
pub(super) const ON: u8 = 0x1C;
pub(super) const LONG: Tick = Tick::MILLISECOND.times(10);

/// Each sector is filled with its number.
pub(super) fn numbered(sectors: u64) -> MemoryDisk {
    MemoryDisk::from_bytes((0..sectors).flat_map(|n| [n as u8; SECTOR]).collect())
}

fn controller(disk: Option<MemoryDisk>) -> I82077aa {
    let kind = disk.as_ref().and_then(|d| DriveType::for_image(d.sectors())).unwrap_or(DriveType::F1440K);
    let mut chip = I82077aa::new([Some(kind), None]);
    if let Some(disk) = disk {
        chip.insert(0, Box::new(disk)).expect("a known format");
    }
    chip
}

fn bench_with(disk: Option<MemoryDisk>) -> Bench<I82077aa> {
    set_up(controller(disk))
}

/// Out of reset, its four interrupts sensed, 500 kbit/s, DMA mode, drive 0 recalibrated.
pub(super) fn set_up(chip: I82077aa) -> Bench<I82077aa> {
    let mut bench = Bench::new(chip);
    bench.outb(DOR, 0x08).outb(DOR, ON).expect(IRQ, Level::Low).advance(LONG).expect(IRQ, Level::High);
    for drive in 0..4 {
        assert_eq!(command(&mut bench, &[8]), [0xC0 | drive, 0]);
        bench.expect(IRQ, Level::Low);
    }
    rate(&mut bench, 0);
    command(&mut bench, &[3, 0xAF, 0x02]);
    recalibrate(&mut bench);
    bench
}

fn bench() -> Bench<I82077aa> {
    bench_with(Some(numbered(2880)))
}

fn rate(bench: &mut Bench<I82077aa>, rate: u64) {
    bench.write(Space::Port, 1, 0, Width::Byte, rate);
}

fn dir(bench: &mut Bench<I82077aa>) -> u8 {
    bench.read(Space::Port, 1, 0, Width::Byte) as u8
}

/// Sends a command; reads the result if there is one at once.
pub(super) fn command(bench: &mut Bench<I82077aa>, bytes: &[u8]) -> Vec<u8> {
    for (n, byte) in bytes.iter().enumerate() {
        assert_eq!(bench.inb(MSR) & 0xD0, if n == 0 { 0x80 } else { 0x90 });
        bench.outb(FIFO, *byte);
    }
    result(bench)
}

pub(super) fn result(bench: &mut Bench<I82077aa>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bench.inb(MSR) & 0xF0 == 0xD0 {
        bytes.push(bench.inb(FIFO));
    }
    bytes
}

fn recalibrate(bench: &mut Bench<I82077aa>) {
    command(bench, &[7, 0]);
    bench.advance(LONG).expect(IRQ, Level::High);
    assert_eq!(command(bench, &[8]), [0x20, 0]);
}

pub(super) fn seek(bench: &mut Bench<I82077aa>, cylinder: u8) {
    command(bench, &[0xF, 0, cylinder]);
    assert_eq!(bench.inb(MSR), 0x81, "drive 0 busy");
    bench.advance(LONG).expect(IRQ, Level::High);
    assert_eq!(command(bench, &[8]), [0x20, cylinder]);
}

/// Plays the 8237A: moves up to `count` bytes to the host, whenever the chip requests.
pub(super) fn dma_in(bench: &mut Bench<I82077aa>, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        bench.advance(LONG);
        if !bench.level(DREQ).is_high() {
            break;
        }
        let last = (bytes.len() + 1 == count).into();
        bytes.push(bench.read(Space::Dma, 2, last, Width::Byte) as u8);
    }
    bytes
}

pub(super) fn dma_out(bench: &mut Bench<I82077aa>, bytes: &[u8]) {
    for (n, byte) in bytes.iter().enumerate() {
        bench.advance(LONG);
        let last = (n + 1 == bytes.len()).into();
        bench.write(Space::Dma, 2, last, Width::Byte, (*byte).into());
    }
}

fn read_sectors(bench: &mut Bench<I82077aa>, c: u8, h: u8, r: u8, count: usize) -> (Vec<u8>, Vec<u8>) {
    command(bench, &[0xE6, h << 2, c, h, r, 2, 18, 0x1B, 0xFF]);
    let bytes = dma_in(bench, count * SECTOR);
    (bytes, result(bench))
}

#[test]
fn reads_one_sector_and_says_where_the_next_is() {
    let mut bench = bench();
    seek(&mut bench, 2);
    command(&mut bench, &[0xE6, 4, 2, 1, 5, 2, 18, 0x1B, 0xFF]);
    assert_eq!(bench.inb(MSR), 0x10);
    let bytes = dma_in(&mut bench, SECTOR);
    assert_eq!(bytes, [(2 * 36 + 18 + 4) as u8; SECTOR]);
    bench.expect(IRQ, Level::High).expect(DREQ, Level::Low);
    assert_eq!(bench.inb(FIFO), 0x04);
    bench.expect(IRQ, Level::Low);
    assert_eq!(result(&mut bench), [0, 0, 2, 1, 6, 2]);
    assert_eq!(bench.inb(MSR), 0x80);
}

#[test]
fn multi_track_goes_over_to_the_other_side() {
    let mut bench = bench();
    let (bytes, status) = read_sectors(&mut bench, 0, 0, 17, 4);
    let firsts: Vec<u8> = bytes.chunks(SECTOR).map(|sector| sector[0]).collect();
    assert_eq!(firsts, [16, 17, 18, 19]);
    assert_eq!(status, [4, 0, 0, 0, 1, 3, 2]);
    let (_, status) = read_sectors(&mut bench, 0, 0, 18, 1);
    assert_eq!(status, [4, 0, 0, 0, 1, 1, 2], "the next one is on the other side");
}

#[test]
fn the_end_of_the_cylinder_without_terminal_count_is_abnormal() {
    let mut bench = bench();
    let (bytes, status) = read_sectors(&mut bench, 0, 1, 17, 9);
    assert_eq!(bytes.len(), 2 * SECTOR);
    assert_eq!(status, [0x40, 0x80, 0, 1, 0, 1, 2]);
}

#[test]
fn terminal_count_inside_a_sector_ends_there() {
    let mut bench = bench();
    command(&mut bench, &[0xE6, 0, 0, 0, 3, 2, 18, 0x1B, 0xFF]);
    assert_eq!(dma_in(&mut bench, 100), [2; 100]);
    assert_eq!(result(&mut bench), [0, 0, 0, 0, 0, 4, 2]);
    command(&mut bench, &[0xC5, 0, 0, 0, 3, 2, 18, 0x1B, 0xFF]);
    dma_out(&mut bench, &[9; 100]);
    assert_eq!(result(&mut bench), [0, 0, 0, 0, 0, 4, 2]);
    let (bytes, _) = read_sectors(&mut bench, 0, 0, 3, 1);
    assert_eq!((bytes[99], bytes[100]), (9, 0), "the rest is zero");
}

#[test]
fn writes_reach_the_medium() {
    let mut bench = bench();
    command(&mut bench, &[0xC5, 0, 0, 0, 18, 2, 18, 0x1B, 0xFF]);
    let content: Vec<u8> = (0..2 * SECTOR).map(|n| (n / 3) as u8).collect();
    dma_out(&mut bench, &content);
    assert_eq!(result(&mut bench), [4, 0, 0, 0, 1, 2, 2]);
    assert_eq!(read_sectors(&mut bench, 0, 0, 18, 2).0, content);
}

#[test]
fn a_protected_diskette_is_not_written() {
    let mut bench = bench_with(Some(numbered(2880).read_only()));
    for first in [&[0x45, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF][..], &[0x4D, 0, 2, 18, 0x1B, 0xF6]] {
        command(&mut bench, first);
        bench.advance(LONG).expect(DREQ, Level::Low).expect(IRQ, Level::High);
        assert_eq!(result(&mut bench)[..3], [0x40, 2, 0]);
    }
    assert_eq!(command(&mut bench, &[4, 0]), [0x78]);
}

#[test]
fn a_damaged_sector_is_a_data_error() {
    let mut bench = bench_with(Some(numbered(2880).with_bad_sector(4)));
    let (bytes, status) = read_sectors(&mut bench, 0, 0, 4, 3);
    assert_eq!(bytes.len(), SECTOR);
    assert_eq!(status, [0x40, 0x20, 0x20, 0, 0, 5, 2]);
}

#[test]
fn wrong_addresses_are_not_found() {
    let mut bench = bench();
    assert_eq!(read_sectors(&mut bench, 1, 0, 1, 1).1, [0x40, 4, 0x10, 1, 0, 1, 2], "wrong cylinder");
    assert_eq!(read_sectors(&mut bench, 0, 0, 19, 1).1[..3], [0x40, 4, 0], "no sector 19");
    rate(&mut bench, 2);
    assert_eq!(read_sectors(&mut bench, 0, 0, 1, 1).1[..3], [0x40, 1, 0], "wrong data rate");
    rate(&mut bench, 0);
    bench.outb(DOR, 0x0C);
    assert_eq!(read_sectors(&mut bench, 0, 0, 1, 1).1[..3], [0x40, 1, 0], "motor off");
}

#[test]
fn non_dma_mode_interrupts_for_data() {
    let mut bench = bench();
    command(&mut bench, &[3, 0xAF, 0x03]);
    command(&mut bench, &[0x46, 4, 0, 1, 18, 2, 18, 0x1B, 0xFF]);
    assert_eq!(bench.inb(MSR), 0x30);
    bench.advance(LONG).expect(IRQ, Level::High).expect(DREQ, Level::Low);
    for _ in 0..SECTOR {
        assert_eq!(bench.inb(MSR), 0xF0);
        assert_eq!(bench.inb(FIFO), 35);
    }
    assert_eq!(result(&mut bench), [0x44, 0x80, 0, 1, 1, 1, 2], "no TC without DMA");
    command(&mut bench, &[0x45, 0, 0, 0, 18, 2, 18, 0x1B, 0xFF]);
    bench.advance(LONG);
    for _ in 0..SECTOR {
        assert_eq!(bench.inb(MSR), 0xB0);
        bench.outb(FIFO, 0x5A);
    }
    assert_eq!(result(&mut bench)[..2], [0x40, 0x80]);
    command(&mut bench, &[3, 0xAF, 0x02]);
    assert_eq!(read_sectors(&mut bench, 0, 0, 18, 1).0, [0x5A; SECTOR]);
}

#[test]
fn format_fills_the_track() {
    let mut bench = bench();
    seek(&mut bench, 1);
    command(&mut bench, &[0x4D, 4, 2, 18, 0x54, 0xF6]);
    let ids: Vec<u8> = (1..=18).flat_map(|r| [1, 1, r, 2]).collect();
    dma_out(&mut bench, &ids);
    assert_eq!(result(&mut bench)[..3], [4, 0, 0]);
    assert_eq!(read_sectors(&mut bench, 1, 1, 18, 1).0, [0xF6; SECTOR]);
    assert_eq!(read_sectors(&mut bench, 1, 0, 18, 1).0, [53; SECTOR], "the other side is as it was");
}

#[test]
fn read_id_verify_and_read_track() {
    let mut bench = bench();
    seek(&mut bench, 7);
    command(&mut bench, &[0x4A, 4]);
    bench.advance(LONG).expect(IRQ, Level::High);
    assert_eq!(result(&mut bench), [4, 0, 0, 7, 1, 1, 2]);
    command(&mut bench, &[0x56, 0, 7, 0, 1, 2, 18, 0x1B, 0xFF]);
    bench.advance(LONG).expect(IRQ, Level::High);
    assert_eq!(result(&mut bench), [0, 0, 0, 8, 0, 1, 2]);
    command(&mut bench, &[0xD6, 0x80, 7, 0, 17, 2, 18, 0x1B, 3]);
    bench.advance(LONG);
    assert_eq!(result(&mut bench), [4, 0, 0, 7, 1, 2, 2], "three sectors counted");
    command(&mut bench, &[0x42, 0, 7, 0, 9, 2, 18, 0x1B, 0xFF]);
    assert_eq!(dma_in(&mut bench, SECTOR), [(7 * 36) as u8; SECTOR], "from the index hole on");
}

#[test]
fn deleted_data_is_never_found_but_marked() {
    let mut bench = bench();
    command(&mut bench, &[0x4C, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF]);
    assert_eq!(dma_in(&mut bench, 2 * SECTOR).len(), SECTOR);
    assert_eq!(result(&mut bench), [0, 0, 0x40, 0, 0, 2, 2]);
    command(&mut bench, &[0x6C, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF]);
    assert_eq!(dma_in(&mut bench, SECTOR).len(), 0);
    assert_eq!(result(&mut bench)[..3], [0x40, 0x80, 0x40]);
}

#[test]
fn implied_seek_moves_the_head() {
    let mut bench = bench();
    command(&mut bench, &[0x13, 0, 0x57, 0]);
    assert_eq!(read_sectors(&mut bench, 3, 0, 1, 1).0, [3 * 36; SECTOR]);
    bench.outb(DOR, 0).outb(DOR, ON).advance(LONG);
    result(&mut bench);
    assert_eq!(command(&mut bench, &[0xE])[8], CONFIGURE_RESET);
}

#[test]
fn lock_keeps_the_fifo_setting_over_a_reset() {
    let mut bench = bench();
    assert_eq!(command(&mut bench, &[0x94]), [0x10]);
    command(&mut bench, &[0x13, 0, 0x5A, 7]);
    command(&mut bench, &[0x12, 0x83 | 0x04]);
    bench.write(Space::Port, 0, MSR, Width::Byte, 0x80).advance(LONG).expect(IRQ, Level::High);
    assert_eq!(command(&mut bench, &[0xE]), [0, 0, 0, 0, 0xAF, 2, 0, 0x84, 0x0A, 7]);
    assert_eq!(command(&mut bench, &[0x14]), [0]);
    assert_eq!(command(&mut bench, &[0x10]), [0x90]);
    assert_eq!(command(&mut bench, &[0x18]), [0x80], "PART ID is of the 82078");
}

#[test]
fn disk_change_clears_with_a_step_and_a_diskette() {
    let mut bench = bench();
    assert_eq!(dir(&mut bench) & 0x80, 0x80, "after power-on, before any step");
    seek(&mut bench, 1);
    assert_eq!(dir(&mut bench) & 0x80, 0);
    assert!(bench.device.eject(0).is_some());
    seek(&mut bench, 2);
    assert_eq!(dir(&mut bench) & 0x80, 0x80, "no diskette");
    assert_eq!(read_sectors(&mut bench, 2, 0, 1, 1).1[..3], [0x40, 1, 0]);
    bench.device.insert(0, Box::new(numbered(2880))).expect("format");
    seek(&mut bench, 0);
    assert_eq!(dir(&mut bench) & 0x80, 0);
    assert_eq!(read_sectors(&mut bench, 0, 0, 1, 1).0, [0; SECTOR]);
}

#[test]
fn recalibrate_of_a_missing_drive_fails() {
    let mut bench = bench();
    command(&mut bench, &[7, 1]);
    bench.advance(LONG).expect(IRQ, Level::High);
    assert_eq!(command(&mut bench, &[8]), [0x71, 0]);
    assert_eq!(command(&mut bench, &[8]), [0x80]);
    assert_eq!(command(&mut bench, &[4, 1]), [0x29]);
}

#[test]
fn recalibrate_gives_up_after_79_steps_and_relative_seek_counts() {
    let mut bench = bench();
    seek(&mut bench, 80);
    command(&mut bench, &[7, 0]);
    bench.advance(LONG);
    assert_eq!(command(&mut bench, &[8]), [0x70, 0]);
    command(&mut bench, &[0xCF, 0, 4]);
    bench.advance(LONG);
    assert_eq!(command(&mut bench, &[8]), [0x20, 4]);
    assert_eq!(read_sectors(&mut bench, 5, 0, 1, 1).0, [180; SECTOR], "the head was at 1");
    recalibrate(&mut bench);
}

#[test]
fn overlapped_seeks_interrupt_one_by_one() {
    let mut bench = Bench::new(I82077aa::new([Some(DriveType::F1440K); 2]));
    bench.outb(DOR, ON).advance(LONG);
    (0..4).for_each(|_| drop(command(&mut bench, &[8])));
    command(&mut bench, &[0xF, 0, 5]);
    command(&mut bench, &[0xF, 1, 6]);
    assert_eq!(bench.inb(MSR), 0x83);
    bench.advance(LONG).expect(IRQ, Level::High);
    bench.edges.clear();
    assert_eq!(command(&mut bench, &[8]), [0x20, 5]);
    let levels: Vec<Level> = bench.edges.iter().map(|(_, _, level)| *level).collect();
    assert_eq!(levels, [Level::Low, Level::High], "a second edge");
    assert_eq!(command(&mut bench, &[8]), [0x21, 6]);
}

#[test]
fn the_dma_gate_holds_both_lines_low() {
    let mut bench = bench();
    command(&mut bench, &[0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF]);
    bench.outb(DOR, 0x14).advance(LONG).expect(DREQ, Level::Low);
    bench.outb(DOR, ON).expect(DREQ, Level::High);
    bench.outb(DOR, 0x18).expect(DREQ, Level::Low);
    assert_eq!(bench.inb(MSR), 0, "in reset");
}

#[test]
fn every_image_size_finds_its_drive_and_last_sector() {
    let sizes = [
        (160, DriveType::F360K, 2),
        (180, DriveType::F360K, 2),
        (320, DriveType::F360K, 1),
        (360, DriveType::F360K, 2),
        (720, DriveType::F720K, 2),
        (1200, DriveType::F1200K, 0),
        (1440, DriveType::F1440K, 0),
        (1680, DriveType::F1440K, 0),
        (2880, DriveType::F2880K, 3),
    ];
    for (kilobytes, kind, bits) in sizes {
        let sectors = kilobytes * 2;
        assert_eq!(DriveType::for_image(sectors), Some(kind));
        let mut bench = bench_with(Some(numbered(sectors)));
        rate(&mut bench, bits);
        let f = medium::Format::of(sectors).expect("a format");
        let (c, h) = (f.cylinders - 1, f.heads - 1);
        seek(&mut bench, c);
        let (bytes, status) = read_sectors(&mut bench, c, h, f.sectors, 1);
        assert_eq!(bytes, [(sectors - 1) as u8; SECTOR], "{kilobytes}K: {status:x?}");
    }
    for sectors in [0, 5761] {
        assert_eq!(DriveType::for_image(sectors), None);
        let odd = controller(None).insert(0, Box::new(MemoryDisk::zeroed(sectors as usize))).err();
        assert_eq!(odd, Some(FloppyError::NoFormat(sectors)));
    }
    assert_eq!(controller(None).insert(1, Box::new(numbered(2880))).err(), Some(FloppyError::NoDrive(1)));
}

/// It is read as if zeros followed, up to a whole diskette, and cannot be written.
#[test]
fn an_image_of_unusual_size_is_a_protected_diskette() {
    for (sectors, kind) in [(1, DriveType::F1440K), (2879, DriveType::F1440K), (2881, DriveType::F2880K)] {
        assert_eq!(DriveType::for_image(sectors), Some(kind));
        assert!(!is_whole_diskette(sectors));
    }
    let mut bench = bench_with(Some(MemoryDisk::from_bytes(vec![0x5A; 2 * SECTOR])));
    rate(&mut bench, 0);
    seek(&mut bench, 0);
    let (bytes, status) = read_sectors(&mut bench, 0, 0, 2, 2);
    assert_eq!(bytes, [[0x5A; SECTOR], [0; SECTOR]].concat(), "{status:x?}");
    seek(&mut bench, 79);
    let (bytes, status) = read_sectors(&mut bench, 79, 1, 18, 1);
    assert_eq!(bytes, [0; SECTOR], "the last one: {status:x?}");
    let st3 = command(&mut bench, &[0x04, 0]);
    assert_eq!(st3[0] & 0x40, 0x40, "ST3.WP");
}

#[test]
fn a_drive_takes_the_diskettes_it_can_read() {
    let takes = |kind, kilobytes: u64| {
        I82077aa::new([Some(kind), None])
            .insert(0, Box::new(MemoryDisk::zeroed(kilobytes as usize * 2)))
            .is_ok()
    };
    let sizes = [160, 320, 360, 720, 1200, 1440, 1680, 2880];
    let taken = |kind| sizes.into_iter().filter(|size| takes(kind, *size)).collect::<Vec<_>>();
    assert_eq!(taken(DriveType::F360K), [160, 320, 360]);
    assert_eq!(taken(DriveType::F1200K), [160, 320, 360, 1200]);
    assert_eq!(taken(DriveType::F720K), [160, 320, 360, 720]);
    assert_eq!(taken(DriveType::F1440K), [160, 320, 360, 720, 1200, 1440, 1680]);
    assert_eq!(taken(DriveType::F2880K), sizes);
    let unfit = FloppyError::Unfit { sectors: 5760, drive: 1440 };
    assert_eq!(controller(None).insert(0, Box::new(numbered(5760))).err(), Some(unfit));
}

#[test]
fn a_wide_track_takes_two_steps_in_a_high_density_drive() {
    let mut chip = I82077aa::new([Some(DriveType::F1200K), None]);
    chip.insert(0, Box::new(numbered(720))).expect("it fits");
    let mut bench = Bench::new(chip);
    bench.outb(DOR, ON).advance(LONG);
    for drive in 0..4 {
        assert_eq!(command(&mut bench, &[8]), [0xC0 | drive, 0]);
    }
    rate(&mut bench, 1);
    command(&mut bench, &[3, 0xAF, 0x02]);
    recalibrate(&mut bench);
    seek(&mut bench, 2 * 39);
    command(&mut bench, &[0x4A, 0]);
    bench.advance(LONG);
    assert_eq!(result(&mut bench)[3..], [39, 0, 1, 2], "READ ID");
    command(&mut bench, &[0xE6, 4, 39, 1, 9, 2, 9, 0x1B, 0xFF]);
    assert_eq!(dma_in(&mut bench, SECTOR), [719u16 as u8; SECTOR]);
}

#[test]
fn a_diskette_is_changed_under_the_guest() {
    let mut bench = bench();
    seek(&mut bench, 1);
    assert_eq!(dir(&mut bench), 0x7F);
    assert_eq!(bench.device.eject(0).map(|disk| disk.sectors()), Some(2880));
    assert_eq!(dir(&mut bench), 0xFF);
    seek(&mut bench, 2);
    assert_eq!(dir(&mut bench), 0xFF, "steps do not help without a diskette");
    let (bytes, status) = read_sectors(&mut bench, 2, 0, 1, 1);
    assert_eq!((bytes.len(), status[0] & 0xC0, status[1]), (0, 0x40, 1), "no address mark");
    let protected = crate::disk::WriteProtected(Box::new(numbered(1440)));
    bench.device.insert(0, Box::new(protected)).expect("it fits");
    assert_eq!(dir(&mut bench), 0xFF);
    seek(&mut bench, 1);
    assert_eq!(dir(&mut bench), 0x7F);
    rate(&mut bench, 2);
    let (bytes, _) = read_sectors(&mut bench, 1, 1, 9, 1);
    assert_eq!(bytes, [35; SECTOR]);
    assert_eq!(command(&mut bench, &[4, 0]), [0x68], "write-protected");
    command(&mut bench, &[0xC5, 0, 1, 0, 1, 2, 9, 0x1B, 0xFF]);
    bench.advance(LONG);
    assert_eq!(result(&mut bench)[..2], [0x40, 2], "not writable");
}

#[test]
fn saved_in_the_middle_it_goes_on() {
    let mut bench = bench();
    command(&mut bench, &[0xE6, 0, 0, 0, 9, 2, 18, 0x1B, 0xFF]);
    dma_in(&mut bench, 100);
    bench.check_save_restore(controller(Some(numbered(2880))));
    let saved = bench.device.save();
    bench.device = controller(Some(numbered(2880)));
    bench.device.restore(&saved).expect("own state");
    assert_eq!(result(&mut bench)[..3], [0, 0, 0]);
    for other in [controller(None), controller(Some(numbered(1440))), I82077aa::new([None; 2])] {
        let mut other = other;
        let before = other.save();
        assert!(other.restore(&saved).is_err());
        assert_eq!(other.save(), before, "nothing has changed");
    }
}

#[test]
fn every_port_width_and_value_then_save_is_save_after_restore() {
    let mut bench = bench();
    let ports = [(0, 2), (0, 4), (0, 5), (1, 0), (0, 0), (0, 1), (0, 3)];
    for round in 0..3u64 {
        bench.outb(DOR, ON).advance(LONG);
        for value in 0..=255u64 {
            for (region, offset) in ports {
                // Most rounds leave the chip out of reset, so that commands get somewhere.
                let value = if offset == DOR && round > 0 { value | 0x1C } else { value };
                let value = if offset == MSR && round > 0 { value & 3 } else { value };
                for width in [Width::Byte, Width::Dword] {
                    bench.write(Space::Port, region, offset, width, value.wrapping_mul(round + 1));
                    bench.write(Space::Dma, 2, round & 1, Width::Byte, value);
                    bench.read(Space::Port, region, offset, width);
                    bench.read(Space::Dma, 2, round & 1, Width::Byte);
                }
            }
            bench.advance(LONG);
            bench.check_save_restore(controller(Some(numbered(2880))));
        }
    }
}
