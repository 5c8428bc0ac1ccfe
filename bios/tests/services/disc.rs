//! INT 13h for a CD-ROM drive, and El Torito: the disc that boots, with and without emulation.

use crate::bench::{BUFFER, Bios, Drives, PROGRAM, Run, Step, program};
use crate::expect::{
    AX, BX, CARRY, DI, DX, ES, Expect, GOOD, Registers, Row, ah, al, ax, bl, buffer, bx, call, ch, cl, cx,
    dh, dl, put, steps, with, wrong,
};
use crate::from_disk;
use crate::medium::{Ram, Scratched};
use machine::{BootPlan, Disk};

const BLOCK: usize = 2048;
/// The block that the boot catalogue says is loaded.
const IMAGE: u32 = 20;
/// The drive that our BIOS gives a disc without emulation.
const CD: u8 = 0xE0;

/// A disc by "El Torito" 1.0: the boot record in block 17, the catalogue in 19; `media` is its kind of emulation, and
/// `sectors` of its image are loaded.
fn disc(media: u8, sectors: u16, image: &[u8]) -> Vec<u8> {
    let block = |start: &[u8]| {
        let mut block = start.to_vec();
        block.resize(BLOCK, 0);
        block
    };
    let primary = block(b"\x01CD001\x01\0");
    let mut record = block(b"\0CD001\x01EL TORITO SPECIFICATION");
    record[0x47] = 19;
    let end = block(b"\xFFCD001\x01");
    let mut catalogue = block(&[1]);
    catalogue[0x1C..0x20].copy_from_slice(&[0xAA, 0x55, 0x55, 0xAA]);
    (catalogue[0x20], catalogue[0x21]) = (0x88, media);
    catalogue[0x26..0x28].copy_from_slice(&sectors.to_le_bytes());
    catalogue[0x28..0x2C].copy_from_slice(&IMAGE.to_le_bytes());
    let mut bytes = [vec![0; 16 * BLOCK], primary, record, end, catalogue, image.to_vec()].concat();
    bytes.resize(bytes.len().next_multiple_of(BLOCK) + BLOCK, 0x5A);
    bytes
}

fn packet(count: u16, offset: u16, lba: u32) -> Vec<u8> {
    let head = [[16, 0], count.to_le_bytes(), offset.to_le_bytes(), BUFFER.to_le_bytes()].concat();
    [head, u64::from(lba).to_le_bytes().to_vec()].concat()
}

fn drive(name: &str, dl: u8, ax: u16, si: u32, expected: impl Into<Vec<Expect>>) -> Row {
    call(name, 0x13, Registers { esi: si, ..with(ax, 0, 0, dl.into()) }, expected)
}

/// What works with the drive whether its disc has booted or not.
fn without_emulation() -> Vec<Row> {
    let cd = |name: &str, ax, si, expected: Vec<Expect>| drive(name, CD, ax, si, expected);
    let extensions = with(0x4100, 0x55AA, 0, CD.into());
    let mut parameters = vec![0x1A, 0, 0x74, 0];
    parameters.extend([0xFF; 20]);
    parameters.extend([0, 8]);
    vec![
        cd("reset", 0x0000, 0, vec![GOOD, ah(0)]),
        cd("status", 0x0100, 0, vec![GOOD, ah(0)]),
        cd("ready", 0x1000, 0, vec![GOOD, ah(0)]),
        cd("kind", 0x1500, 0, vec![GOOD, AX, ah(2)]),
        call("extensions", 0x13, extensions, [GOOD, AX, ah(0x30), bx(0xAA55), cx(7)]),
        put(0x100, packet(1, 0x1000, 17)),
        cd("read the boot record", 0x4200, 0x100, vec![GOOD, ah(0), buffer(0x1000, b"\0CD001\x01EL TORITO")]),
        put(0x120, packet(2, 0x2000, 18)),
        cd(
            "read two blocks",
            0x4200,
            0x120,
            vec![GOOD, ah(0), buffer(0x2000, b"\xFFCD001"), buffer(0x2800, &[1])],
        ),
        put(0x180, packet(20, 0x3000, 1)),
        cd(
            "read by more than one command",
            0x4200,
            0x180,
            vec![GOOD, ah(0), buffer(0x3000 + 15 * 2048, b"\x01CD001"), buffer(0x3000 + 18 * 2048, &[1])],
        ),
        put(0x140, packet(1, 0x3000, 100_000)),
        cd("read beyond the end", 0x4200, 0x140, vec![CARRY, AX, ah(0x20), buffer(0x142, &[0, 0])]),
        cd("its status", 0x0100, 0, vec![CARRY, ah(0x20)]),
        cd("verify", 0x4400, 0x100, vec![GOOD, ah(0)]),
        cd("write", 0x4300, 0x100, vec![CARRY, ah(3)]),
        cd("write by CHS", 0x0301, 0, vec![CARRY, ah(3), al(1)]),
        cd("lock", 0x4500, 0, vec![GOOD, ax(1)]),
        cd("it is locked", 0x4502, 0, vec![GOOD, ax(1)]),
        cd("so it stays in", 0x4600, 0, vec![CARRY, ah(0xB1)]),
        cd("unlock", 0x4501, 0, vec![GOOD, ax(0)]),
        cd("not locked", 0x4502, 0, vec![GOOD, ax(0)]),
        cd("seek", 0x4700, 0x100, vec![GOOD, ah(0)]),
        put(0x160, [0x1A, 0]),
        cd("parameters", 0x4800, 0x160, vec![GOOD, ah(0), buffer(0x160, &parameters)]),
        cd("not changed", 0x4900, 0, vec![GOOD, ah(0)]),
        cd("no such function", 0x7700, 0, vec![CARRY, ah(1)]),
    ]
}

fn check(rows: &[Row], run: &Run) {
    let wrong = wrong(rows, run, Bios::Posada);
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A PC that boots the disc. Behind the program, every sector of the image begins with its number.
fn from_disc(rows: &[Row], media: u8, sectors: u32, loaded: u16, drive: fn(Vec<u8>) -> Box<dyn Disk>) -> Run {
    let steps: Vec<Step> = steps(rows);
    let mut image = program(&steps, PROGRAM);
    image.extend(Ram::numbered(sectors).split_off(image.len()));
    let disc = Some(drive(disc(media, loaded, &image)));
    Run::of(Drives { disc, ..Drives::default() }.machine(Bios::Posada, &BootPlan::default()), &steps)
}

#[test]
fn a_disc_beside_a_disk() {
    let mut rows = without_emulation();
    rows.push(drive("there is no second", CD + 1, 0x0000, 0, [CARRY, ah(1)]));
    let mut image = disc(0, 4, &[0; BLOCK]);
    image[19 * BLOCK + 0x20] = 0; // not bootable
    let drives = Drives { disc: Some(Ram::read_only(image)), ..Drives::default() };
    rows.push(put(0x1A0, packet(3, 0x4000, 20)));
    let two = [CARRY, AX, ah(0x20), buffer(0x1A2, &[2, 0]), buffer(0x4800, &[0x5A])];
    rows.push(drive("read across the end", CD, 0x4200, 0x1A0, two));
    check(&rows, &from_disk(&rows, Bios::Posada, drives));
}

#[test]
fn a_disc_that_boots_without_emulation() {
    let mut rows = without_emulation();
    let asked = [&[0x13, 0, CD, 0][..], &IMAGE.to_le_bytes(), &[0; 4], &[0xC0, 7, 20, 0]].concat();
    rows.push(drive("what has booted", CD, 0x4B01, 0x200, [GOOD, AX, ah(0), buffer(0x200, &asked)]));
    check(&rows, &from_disc(&rows, 0, 20, 20, Ram::read_only));
}

#[test]
fn a_disc_that_plays_a_diskette() {
    let a = |name: &str, ax: u16, bx: u16, cx: u16, dh: u8, expected: Vec<Expect>| {
        call(name, 0x13, with(ax, bx, cx, u16::from_le_bytes([0, dh])), expected)
    };
    let numbered = |nth: u16, sector: u32| buffer(0x2000 + 512 * nth, &sector.to_le_bytes());
    let rows = vec![
        a(
            "geometry",
            0x0800,
            0,
            0,
            0,
            vec![GOOD, ax(0), BX, bl(4), ch(79), cl(18), DX, dh(1), dl(2), DI, ES],
        ),
        a("kind", 0x1500, 0, 0, 0, vec![GOOD, AX, ah(1)]),
        a("the boot sector", 0x0201, 0x1000, 0x0001, 0, vec![GOOD, ax(1), buffer(0x11FE, &[0x55, 0xAA])]),
        a(
            "over blocks",
            0x0205,
            0x2000,
            0x0002,
            1,
            vec![GOOD, ax(5), numbered(0, 19), numbered(1, 20), numbered(4, 23)],
        ),
        a("write", 0x0301, 0x1000, 0x0001, 0, vec![CARRY, AX, ah(3)]),
        a("format", 0x0501, 0x1000, 0x0001, 0, vec![CARRY, AX, ah(3)]),
        a("verify", 0x0402, 0, 0x0001, 0, vec![GOOD, ax(2)]),
        a("no such sector", 0x0201, 0x1000, 0x0013, 0, vec![CARRY, AX, ah(1)]),
        a("not changed", 0x1600, 0, 0, 0, vec![GOOD, ah(0)]),
        put(0x100, packet(1, 0x3000, 17)),
        drive("the disc itself", CD, 0x4200, 0x100, [GOOD, ah(0), buffer(0x3000, b"\0CD001\x01EL TORITO")]),
        drive("ends", 0, 0x4B00, 0x200, [GOOD, AX, ah(0), buffer(0x200, &[0x13, 2, 0, 0, 20, 0, 0, 0])]),
        a("drive A is a real one again", 0x0201, 0x1000, 0x0001, 0, vec![CARRY, AX, ah(0x80)]),
    ];
    check(&rows, &from_disc(&rows, 2, 2880, 1, Ram::read_only));
    check(&rows, &from_disc(&rows, 2, 2880, 1, Scratched::of));
}

#[test]
fn a_disc_that_plays_a_disk() {
    let c = |name: &str, ax: u16, bx: u16, cx: u16, dh: u8, expected: Vec<Expect>| {
        call(name, 0x13, with(ax, bx, cx, u16::from_le_bytes([0x80, dh])), expected)
    };
    let rows = vec![
        c("geometry", 0x0800, 0, 0, 0, vec![GOOD, ax(0), BX, ch(9), cl(17), dh(3), dl(2)]),
        c("kind and size", 0x1500, 0, 0, 0, vec![GOOD, AX, ah(3), cx(0), DX]),
        c("the boot sector", 0x0201, 0x1000, 0x0001, 0, vec![GOOD, ax(1), buffer(0x11FE, &[0x55, 0xAA])]),
        c("write", 0x0301, 0x1000, 0x0001, 0, vec![CARRY, AX, ah(3)]),
        call(
            "the first real disk is the second",
            0x13,
            with(0x0201, 0x2000, 0x0002, 0x81),
            [GOOD, ax(1), buffer(0x2000, &1u32.to_le_bytes())],
        ),
    ];
    let steps = steps(&rows);
    let mut image = program(&steps, 680);
    // The first partition ends at cylinder 9, head 3, sector 17.
    image[0x1BE..0x1CE].copy_from_slice(&[0x80, 0, 1, 0, 6, 3, 17, 9, 0, 0, 0, 0, 0xA8, 2, 0, 0]);
    let drives = Drives {
        disks: vec![Ram::of(Ram::numbered(4096))],
        disc: Some(Ram::read_only(disc(4, 1, &image))),
        ..Drives::default()
    };
    check(&rows, &Run::of(drives.machine(Bios::Posada, &BootPlan::default()), &steps));
}
