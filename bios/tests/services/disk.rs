//! INT 13h for hard disks, on IDE and behind virtio: the same table for both.

use crate::bench::{BUFFER, Drives};
use crate::both_with;
use crate::expect::{
    AX, BX, CARRY, Expect, GOOD, Registers, Row, ah, al, ax, buffer, bx, call, ch, cl, cx, dh, dl, dx, put,
    with,
};
use crate::medium::Ram;

/// Sectors of the disk that the table is about: 20 cylinders of 16 heads and 63 sectors, and some more.
const SECTORS: u32 = 20 * 16 * 63 + 5;
/// Where the packets lie in the scripts' segment.
const PACKET: u16 = 0x100;

const TABLE: &str = "it has a table behind byte 26 for IDE, does not count the path, and leaves its byte 64";
const KEPT: &str = "it keeps the last cylinder for itself, as IBM's BIOS did";
const WRONG: &str = "a sector that is not there is a wrong parameter or a bad track to it; the count stays";

/// A packet of function 42h and its kin.
fn packet(count: u16, offset: u16, lba: u64) -> Vec<u8> {
    let head = [[16, 0], count.to_le_bytes(), offset.to_le_bytes(), BUFFER.to_le_bytes()].concat();
    [head, lba.to_le_bytes().to_vec()].concat()
}

struct Table {
    drive: u8,
    rows: Vec<Row>,
}

impl Table {
    fn call(
        &mut self,
        name: &str,
        ax: u16,
        bx: u16,
        cx: u16,
        dh: u8,
        expected: impl Into<Vec<Expect>>,
    ) -> &mut Self {
        let dx = u16::from_le_bytes([self.drive, dh]);
        self.rows.push(call(name, 0x13, with(ax, bx, cx, dx), expected));
        self
    }

    fn seabios(&mut self, reason: &'static str, expected: impl Into<Vec<Expect>>) -> &mut Self {
        let row = self.rows.pop().expect("a row");
        self.rows.push(row.seabios(reason, expected));
        self
    }

    /// A call with the packet `bytes`, whose count of sectors comes to be `done`.
    fn packet(
        &mut self,
        name: &str,
        ax: u16,
        bytes: Vec<u8>,
        done: u16,
        expected: impl Into<Vec<Expect>>,
    ) -> &mut Self {
        let at = PACKET + 16 * u16::try_from(self.rows.len()).expect("a short table");
        self.rows.push(put(at, bytes));
        let registers = Registers { esi: at.into(), ..with(ax, 0, 0, self.drive.into()) };
        let mut expected = expected.into();
        expected.push(buffer(at + 2, &done.to_le_bytes()));
        self.rows.push(call(name, 0x13, registers, expected));
        self
    }
}

/// The first four bytes of a sector.
fn sector(at: u16, lba: u32) -> Expect {
    buffer(at, &lba.to_le_bytes())
}

fn table(drive: u8) -> Vec<Row> {
    let mut table = Table { drive, rows: Vec::new() };
    table
        .call("reset", 0x0000, 0, 0, 0, [GOOD, ah(0)])
        .call("status", 0x0100, 0, 0, 0, [GOOD, ah(0)])
        .call("geometry", 0x0800, 0, 0, 0, [GOOD, ax(0), BX, ch(19), cl(63), dh(15), dl(2)])
        .seabios(KEPT, [GOOD, ax(0), BX, ch(18), cl(63), dh(15), dl(2)])
        .call("kind and size", 0x1500, 0, 0, 0, [GOOD, AX, ah(3), cx(0), dx(20160)])
        .seabios(KEPT, [GOOD, AX, ah(3), cx(0), dx(19152)])
        .call("read the first", 0x0201, 0x1000, 0x0001, 0, [GOOD, ax(1), sector(0x1000, 0)])
        .call("read on", 0x0203, 0x1200, 0x0002, 1, [GOOD, ax(3), sector(0x1200, 64), sector(0x1600, 66)])
        .call(
            "read over a track's end",
            0x0202,
            0x1800,
            0x013F,
            15,
            [GOOD, ax(2), sector(0x1800, 2015), sector(0x1A00, 2016)],
        )
        .call("read from the last cylinder", 0x0201, 0x1C00, 0x133F, 15, [GOOD, ax(1), sector(0x1C00, 20159)])
        .call("read nothing", 0x0200, 0x1000, 0x0001, 0, [CARRY, AX, ah(1)])
        .call("no sector 0", 0x0201, 0x1000, 0x0000, 0, [CARRY, AX, ah(1)])
        .call("its status", 0x0100, 0, 0, 0, [CARRY, ah(1)])
        .call("no such head", 0x0201, 0x1000, 0x0001, 16, [CARRY, AX, ah(1)])
        .call("no such cylinder", 0x0201, 0x1000, 0x1401, 0, [CARRY, AX, ah(1)])
        .call("verify", 0x0405, 0, 0x0001, 0, [GOOD, AX, ah(0)]);
    table.rows.push(put(0x2000, b"written by CHS".to_vec()));
    table.rows.push(put(0x2200, b"written by LBA".to_vec()));
    table
        .call("write", 0x0301, 0x2000, 0x0205, 3, [GOOD, ax(1)])
        .call("read it back", 0x0201, 0x2400, 0x0205, 3, [GOOD, ax(1), buffer(0x2400, b"written by CHS")])
        .call("format", 0x0500, 0, 0x0001, 0, [CARRY, ah(1)])
        .call("initialise", 0x0900, 0, 0, 0, [GOOD, ah(0)])
        .call("seek", 0x0C00, 0, 0x0001, 0, [GOOD, ah(0)])
        .call("alternate reset", 0x0D00, 0, 0, 0, [GOOD, ah(0)])
        .call("ready", 0x1000, 0, 0, 0, [GOOD, ah(0)])
        .call("recalibrate", 0x1100, 0, 0, 0, [GOOD, ah(0)])
        .call("diagnose", 0x1400, 0, 0, 0, [GOOD, ah(0)])
        .call("no such function", 0x7700, 0, 0, 0, [CARRY, ah(1)])
        .call("extensions", 0x4100, 0x55AA, 0, 0, [GOOD, AX, ah(0x30), bx(0xAA55), cx(5)])
        .seabios("it has functions 45h and 46h for disks", [GOOD, AX, ah(0x30), bx(0xAA55), cx(7)])
        .call("extensions, asked wrongly", 0x4100, 0x1234, 0, 0, [CARRY, ah(1)])
        .seabios("it does not look at BX", [GOOD, AX, ah(0x30), bx(0xAA55), cx(7)])
        .packet(
            "extended read",
            0x4200,
            packet(2, 0x2600, 20163),
            2,
            [GOOD, ah(0), sector(0x2600, 20163), sector(0x2800, 20164)],
        )
        .packet("extended write", 0x4300, packet(1, 0x2200, 20162), 1, [GOOD, ah(0)])
        .packet(
            "read it back",
            0x4200,
            packet(1, 0x2A00, 20162),
            1,
            [GOOD, ah(0), buffer(0x2A00, b"written by LBA")],
        )
        .packet("extended verify", 0x4400, packet(3, 0, 100), 3, [GOOD, ah(0)])
        .packet("extended seek", 0x4700, packet(1, 0, 100), 1, [GOOD, ah(0)])
        .packet("read beyond the end", 0x4200, packet(1, 0x2C00, SECTORS.into()), 0, [CARRY, ah(4)])
        .seabios(WRONG, [CARRY, ah(1)])
        .packet("read over the end", 0x4200, packet(2, 0x2C00, u64::from(SECTORS) - 1), 0, [CARRY, ah(4)])
        .seabios(WRONG, [CARRY, ah(0x0C)])
        .packet("read far beyond", 0x4200, packet(1, 0x2C00, 1 << 40), 0, [CARRY, ah(4)])
        .seabios(WRONG, [CARRY, ah(1)])
        .packet("seek beyond the end", 0x4700, packet(1, 0, SECTORS.into()), 1, [CARRY, ah(4)])
        .seabios(WRONG, [CARRY, ah(1)])
        .packet(
            "a packet too short",
            0x4200,
            [vec![8, 0], packet(1, 0x2E00, 0)[2..].to_vec()].concat(),
            1,
            [CARRY, ah(1)],
        )
        .seabios("it does not look at the packet's size", [GOOD, ah(0)])
        .call("lock", 0x4500, 0, 0, 0, [CARRY, AX, ah(1)])
        .seabios("any drive can be locked", [GOOD, ax(0)])
        .call("eject", 0x4600, 0, 0, 0, [CARRY, AX, ah(1)])
        .seabios("it says that the medium cannot be taken out", [CARRY, AX, ah(0xB2)])
        .call("hardware: no prefetch", 0x4E01, 0, 0, 0, [GOOD, ax(0)])
        .seabios("AL stays", [GOOD, ax(1)])
        .call("hardware: no such thing", 0x4E77, 0, 0, 0, [CARRY, AX, ah(1)]);
    table.rows
}

/// The result of function 48h, as far as 30 bytes go.
fn parameters(cylinders: u32, heads: u32, spt: u32) -> Vec<u8> {
    let geometry: Vec<u8> = [cylinders, heads, spt, SECTORS].iter().flat_map(|n| n.to_le_bytes()).collect();
    [vec![2, 0], geometry, vec![0; 4], vec![0, 2]].concat()
}

/// Bytes 30 and on: key, "PCI", interface, where on which bus; a sum that makes all of them zero.
fn path(interface: [u8; 8], bus: [u8; 8], device: [u8; 8]) -> Vec<u8> {
    let mut path = [&[0xDD, 0xBE, 36, 0, 0, 0][..], b"PCI ", &interface, &bus, &device, &[0]].concat();
    let sum = path.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    path.push(sum.wrapping_neg());
    path
}

/// The table of a drive, and function 48h with room for more and more of its answer.
fn both(drive: u8, drives: impl Fn() -> Drives, path: &[u8]) {
    let mut rows = table(drive);
    let ask = |at: u16| Registers { esi: at.into(), ..with(0x4800, 0, 0, drive.into()) };
    for (at, room) in [(0x8000, 0x19u16), (0x8100, 0x1A), (0x8200, 0x1E), (0x8300, 0x42), (0x8400, 0x60)] {
        rows.push(put(at, [room.to_le_bytes().to_vec(), vec![0x77; 94]].concat()));
    }
    let short = parameters(20, 16, 63);
    let start = |at: u16, len: u8| [buffer(at, &[len, 0]), buffer(at + 2, &short)];
    let mut row = |name: &str, at: u16, posada: Vec<Expect>, seabios: Vec<Expect>| {
        let good = |more: Vec<Expect>| [vec![GOOD, ah(0)], more].concat();
        rows.push(call(name, 0x13, ask(at), good(posada)).seabios(TABLE, good(seabios)));
    };
    let rest = |at: u16| buffer(at, &[0x77; 8]);
    row(
        "26 bytes",
        0x8100,
        [&start(0x8100, 0x1A)[..], &[rest(0x811A)]].concat(),
        start(0x8100, 0x1A).to_vec(),
    );
    let none = |at: u16| buffer(at + 26, &[0xFF; 4]);
    row(
        "30 bytes",
        0x8200,
        [&start(0x8200, 0x1E)[..], &[none(0x8200), rest(0x821E)]].concat(),
        start(0x8200, 0x1E).to_vec(),
    );
    for (name, at) in [("with the path", 0x8300), ("with more room", 0x8400)] {
        let all = [&start(at, 0x42)[..], &[none(at), buffer(at + 30, path), rest(at + 0x42)]].concat();
        row(name, at, all, [&start(at, 0x1E)[..], &[buffer(at + 30, &path[..34])]].concat());
    }
    rows.push(call("too little room", 0x13, ask(0x8000), [CARRY, ah(1)]));
    both_with(&rows, drives);
}

#[test]
fn an_ide_disk() {
    let drives = || Drives { disks: vec![Ram::of(Ram::numbered(SECTORS))], ..Drives::default() };
    both(0x81, drives, &path(*b"ATA     ", [0, 1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn a_virtio_disk() {
    let drives = || Drives { virtio: vec![Ram::of(Ram::numbered(SECTORS))], ..Drives::default() };
    both(0x81, drives, &path(*b"SCSI    ", [0, 4, 0, 0, 0, 0, 0, 0], [0; 8]));
}

#[test]
fn a_disk_that_cannot_be_written_says_so() {
    let drives = || Drives { virtio: vec![Ram::read_only(Ram::numbered(4 * 1008))], ..Drives::default() };
    both_with(
        &[
            call("write", 0x13, with(0x0301, 0x1000, 0x0001, 0x81), [CARRY, AX, ah(3), al(0)])
                .seabios("each error is a bad track to it", [CARRY, AX, ah(0x0C)]),
            call("read", 0x13, with(0x0201, 0x1000, 0x0002, 0x81), [GOOD, ax(1), sector(0x1000, 1)]),
            call("there is no third", 0x13, with(0x0201, 0x1000, 0x0001, 0x82), [CARRY, AX, ah(1)]),
        ],
        drives,
    );
}
