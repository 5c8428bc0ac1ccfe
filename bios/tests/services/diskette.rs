//! INT 13h for diskettes.

use crate::bench::Drives;
use crate::both_with;
use crate::expect::{
    AX, BX, CARRY, DI, ES, Expect, GOOD, Row, ah, al, ax, bl, buffer, call, ch, cl, dh, dl, put, with,
};
use crate::medium::Ram;

const LINE: &str = "it does not look at the change line";
const PARAMETER: &str = "what is not there is a wrong parameter to it";
const MEDIA: &str = "it has no functions 17h and 18h";

/// A call about the drive DL, with head DH.
fn drive(name: &str, dl: u8, ax: u16, bx: u16, cx: u16, dh: u8, expected: impl Into<Vec<Expect>>) -> Row {
    call(name, 0x13, with(ax, bx, cx, u16::from_le_bytes([dl, dh])), expected)
}

fn a(name: &str, ax: u16, bx: u16, cx: u16, dh: u8, expected: impl Into<Vec<Expect>>) -> Row {
    drive(name, 0, ax, bx, cx, dh, expected)
}

fn sector(at: u16, lba: u32) -> Expect {
    buffer(at, &lba.to_le_bytes())
}

/// Address marks of a track of 18 sectors, for function 5.
fn marks(cylinder: u8, head: u8) -> Vec<u8> {
    (1..=18).flat_map(|sector| [cylinder, head, sector, 2]).collect()
}

#[test]
fn a_diskette() {
    let rows = [
        a("reset", 0x0000, 0, 0, 0, [GOOD, ah(0)]),
        a("status", 0x0100, 0, 0, 0, [GOOD, ah(0)]),
        a("parameters", 0x0800, 0, 0, 0, [GOOD, ax(0), BX, bl(4), ch(79), cl(18), dh(1), dl(1), DI, ES]),
        a("kind", 0x1500, 0, 0, 0, [GOOD, AX, ah(2)]).seabios(LINE, [GOOD, AX, ah(1)]),
        a("read the first", 0x0201, 0x1000, 0x0001, 0, [GOOD, ax(1), sector(0x1000, 0)]),
        a("not changed", 0x1600, 0, 0, 0, [GOOD, ah(0)]).seabios(LINE, [CARRY, ah(6)]),
        a(
            "read a track",
            0x0212,
            0x2000,
            0x0501,
            1,
            [GOOD, ax(18), sector(0x2000, 198), sector(0x4200, 215)],
        ),
        a(
            "read over to the other side",
            0x0204,
            0x5000,
            0x0211,
            0,
            [GOOD, ax(4), sector(0x5000, 88), sector(0x5600, 91)],
        )
        .seabios("it reads from one side at a time", [CARRY, AX, ah(0x20), al(0)]),
        a("read the last", 0x0201, 0x6000, 0x4F12, 1, [GOOD, ax(1), sector(0x6000, 2879)]),
        a("no such sector", 0x0201, 0x6200, 0x0013, 0, [CARRY, AX, ah(4), al(0)])
            .seabios(PARAMETER, [CARRY, AX, ah(1)]),
        a("its status", 0x0100, 0, 0, 0, [CARRY, ah(4)]).seabios(PARAMETER, [CARRY, ah(1)]),
        put(0x6400, b"written".to_vec()),
        a("write", 0x0301, 0x6400, 0x0A03, 1, [GOOD, ax(1)]),
        a("read it back", 0x0201, 0x6600, 0x0A03, 1, [GOOD, ax(1), buffer(0x6600, b"written")]),
        a("verify", 0x0412, 0, 0x0001, 0, [GOOD, ax(18)]),
        put(0x6800, marks(20, 0)),
        a("format", 0x0512, 0x6800, 0x1400, 0, [GOOD, AX, ah(0)]),
        a("it is empty", 0x0201, 0x6A00, 0x1405, 0, [GOOD, ax(1), buffer(0x6A00, &[0xF6; 16])]),
        a("set the kind", 0x1703, 0, 0, 0, [GOOD, AX, ah(0)]).seabios(MEDIA, [CARRY, ah(1)]),
        a("80 tracks of 18 sectors", 0x1800, 0, 0x4F12, 0, [GOOD, ah(0), DI, ES])
            .seabios(MEDIA, [CARRY, ah(1)]),
        a("what it cannot have", 0x1800, 0, 0x4F3F, 0, [CARRY, AX, ah(0x0C)]).seabios(MEDIA, [CARRY, ah(1)]),
        a("no such function", 0x7700, 0, 0, 0, [CARRY, ah(1)]),
        a("extensions are for disks", 0x4100, 0x55AA, 0, 0, [CARRY, ah(1)]),
        drive("there is no drive B", 1, 0x1500, 0, 0, 0, [GOOD, AX, ah(0)])
            .seabios(PARAMETER, [CARRY, ah(1)]),
        drive("nothing to read there", 1, 0x0201, 0x6C00, 0x0001, 0, [CARRY, AX, ah(0x80), al(0)])
            .seabios(PARAMETER, [CARRY, ah(1)]),
    ];
    both_with(&rows, || Drives { diskette: Some(Ram::of(Ram::numbered(2880))), ..Drives::default() });
}

/// A boot sector alone, say: the rest of the diskette is zeros, and cannot be written.
#[test]
fn an_image_of_one_sector() {
    let rows = [
        a(
            "read the first",
            0x0202,
            0x1000,
            0x0001,
            0,
            [GOOD, ax(2), sector(0x1000, 0), buffer(0x1200, &[0; 16])],
        ),
        a("parameters", 0x0800, 0, 0, 0, [GOOD, ax(0), BX, bl(4), ch(79), cl(18), dh(1), dl(1), DI, ES]),
        a("write", 0x0301, 0x1000, 0x0001, 0, [CARRY, AX, ah(3), al(0)]),
    ];
    both_with(&rows, || Drives { diskette: Some(Ram::of(Ram::numbered(1))), ..Drives::default() });
}

#[test]
fn an_empty_drive() {
    let rows = [
        a("read", 0x0201, 0x1000, 0x0001, 0, [CARRY, AX, ah(0x80), al(0)])
            .seabios("it hears of a missing diskette from the controller only", [CARRY, AX, ah(0xC0)]),
        a("changed", 0x1600, 0, 0, 0, [CARRY, ah(0x80)]).seabios(LINE, [CARRY, ah(6)]),
        a("kind", 0x1500, 0, 0, 0, [GOOD, AX, ah(2)]).seabios(LINE, [GOOD, AX, ah(1)]),
    ];
    both_with(&rows, Drives::default);
}
