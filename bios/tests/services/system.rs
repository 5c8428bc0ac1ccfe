//! INT 15h.

use crate::both;
use crate::expect::{
    BX, CARRY, Expect, GOOD, Registers, Row, ah, al, ax, bh, bl, buffer, bx, call, cl, cx, dl, dx, eax, ebx,
    ecx, es, int, put, with,
};

const SMAP: u32 = 0x534D_4150;

fn unsupported(name: &str, ax: u16) -> Row {
    int(name, 0x15, ax, [CARRY, ah(0x86)])
}

#[test]
fn a20_and_waits() {
    both(&[
        int("A20 off", 0x15, 0x2400, [GOOD, ah(0)]),
        int("it is off", 0x15, 0x2402, [GOOD, ah(0), al(0)]),
        int("A20 on", 0x15, 0x2401, [GOOD, ah(0)]),
        int("it is on", 0x15, 0x2402, [GOOD, ah(0), al(1)]),
        int("how", 0x15, 0x2403, [GOOD, ah(0), bx(3)]),
        unsupported("no such gate function", 0x2404),
        int("nobody takes keys away", 0x15, 0x4F1E, [CARRY]),
        int("open", 0x15, 0x8000, [GOOD, ah(0)]),
        int("close", 0x15, 0x8100, [GOOD, ah(0)]),
        int("end of program", 0x15, 0x8200, [GOOD, ah(0)]),
        int("SysReq", 0x15, 0x8500, [GOOD, ah(0)]),
        call("wait a millisecond", 0x15, with(0x8600, 0, 0, 1000), [GOOD, ah(0)]),
        call("event in two milliseconds", 0x15, with(0x8300, 0x100, 0, 2000), [GOOD, ah(0)]),
        call("one at a time", 0x15, with(0x8300, 0x100, 0, 2000), [CARRY])
            .seabios("it says that there is no such function", [CARRY, ah(0x86)]),
        int("cancel", 0x15, 0x8301, [GOOD, ah(0)]),
        call(
            "event in two milliseconds",
            0x15,
            with(0x8300, 0x100, 0, 2000),
            [GOOD, ah(0), buffer(0x100, &[0x80])],
        ),
        call("wait until it has come", 0x15, with(0x8600, 0, 0, 9000), [GOOD, ah(0)])
            .seabios("it waits for one thing only", [CARRY, ah(0x86)]),
        call("wait", 0x15, with(0x8600, 0, 0, 9000), [GOOD, ah(0)])
            .seabios("it waits for one thing only", [CARRY, ah(0x86)]),
        int("device busy", 0x15, 0x9000, [GOOD, ah(0)]),
        int("interrupt complete", 0x15, 0x9100, [GOOD, ah(0)]),
        unsupported("joystick", 0x8400),
        unsupported("to protected mode", 0x8900),
        unsupported("watchdog", 0xC300),
        unsupported("POS", 0xC400),
        unsupported("EISA", 0xD800),
        unsupported("APM", 0x5300),
        unsupported("cassette", 0x0000),
        unsupported("no such memory function", 0xE8FF),
    ]);
}

#[test]
fn memory_and_tables() {
    const LESS: &str = "its tables take 4 KiB, and its ROM appears at F0000h only";
    let e820 = |name: &str, n: u32, at: u32, start: u64, len: u64, kind: u32, next: u32| {
        let usual = with(0xE820, 0, 0, 0);
        let registers = Registers { eax: 0xE820, ebx: n, ecx: 20, edx: SMAP, edi: at, ..usual };
        let row = [&start.to_le_bytes()[..], &len.to_le_bytes(), &kind.to_le_bytes()].concat();
        let place = u16::try_from(at).expect("a small offset");
        call(name, 0x15, registers, [GOOD, eax(SMAP), ebx(next), ecx(20), buffer(place, &row)])
    };
    let other = |row: Row, at: u16, start: u64, len: u64, kind: u32, next: u32| {
        let bytes = [&start.to_le_bytes()[..], &len.to_le_bytes(), &kind.to_le_bytes()].concat();
        row.seabios(LESS, [GOOD, eax(SMAP), ebx(next), ecx(20), buffer(at, &bytes)])
    };
    both(&[
        int("KiB above 1 MiB", 0x15, 0x8800, [GOOD, ax(15 * 1024 - 64)])
            .seabios(LESS, [GOOD, ax(15 * 1024 - 4)]),
        int("E801h", 0x15, 0xE801, [GOOD, ax(15 * 1024 - 64), cx(15 * 1024 - 64), bx(0), dx(0)])
            .seabios(LESS, [GOOD, ax(15 * 1024 - 4), cx(15 * 1024 - 4), bx(0), dx(0)]),
        e820("conventional", 0, 0, 0, 0x9_FC00, 1, 1),
        e820("EBDA", 1, 0x20, 0x9_FC00, 0x400, 2, 2),
        other(e820("ROM", 2, 0x40, 0xE_0000, 0x2_0000, 2, 3), 0x40, 0xF_0000, 0x1_0000, 2, 3),
        other(
            e820("extended", 3, 0x60, 0x10_0000, (15 << 20) - 0x1_0000, 1, 4),
            0x60,
            0x10_0000,
            (15 << 20) - 0x1000,
            1,
            4,
        ),
        call(
            "no such row",
            0x15,
            Registers { eax: 0xE820, ebx: 99, ecx: 20, edx: SMAP, ..with(0, 0, 0, 0) },
            [CARRY, ah(0x86)],
        ),
        call(
            "no signature",
            0x15,
            Registers { eax: 0xE820, ebx: 0, ecx: 20, edx: 0, ..with(0, 0, 0, 0) },
            [CARRY, ah(0x86)],
        ),
        int("system table", 0x15, 0xC000, [GOOD, ah(0), BX, es(0xF000)]),
        int("EBDA", 0x15, 0xC100, [GOOD, es(0x9FC0)]),
    ]);
}

/// A global descriptor table for a block move: from and to linear addresses.
fn descriptors(from: u32, to: u32) -> Vec<u8> {
    let entry = |base: u32| {
        let [a, b, c, d] = base.to_le_bytes();
        [0xFF, 0xFF, a, b, c, 0x93, 0, d]
    };
    [[0; 8], [0; 8], entry(from), entry(to), [0; 8], [0; 8]].concat()
}

#[test]
fn blocks_move_above_1_mib_and_back() {
    let pattern: Vec<u8> = (0..=255).collect();
    let to = |si: u32, name: &str, extra: Vec<Expect>| {
        let expected: Vec<Expect> = [GOOD, ah(0)].into_iter().chain(extra).collect();
        call(name, 0x15, Registers { esi: si, ..with(0x8700, 0, 128, 0) }, expected)
    };
    both(&[
        put(0x100, pattern.clone()),
        put(0x000, descriptors(0x3_0100, 0x40_0001)),
        put(0x040, descriptors(0x40_0001, 0x3_0400)),
        to(0, "up", vec![]),
        to(0x40, "down", vec![buffer(0x400, &pattern)]),
    ]);
}

#[test]
fn the_mouse() {
    let mouse = |name: &str, al: u8, bx: u16, expected: Vec<Expect>| {
        call(name, 0x15, with(0xC200 | u16::from(al), bx, 0, 0), expected)
    };
    both(&[
        mouse("on, without a handler", 0, 0x0100, vec![CARRY, ah(5)]),
        mouse("set up", 5, 0x0300, vec![GOOD, ah(0), bx(0x00AA)]),
        mouse("reset", 1, 0, vec![GOOD, ah(0), bx(0x00AA)]),
        mouse("rate", 2, 0x0600, vec![GOOD, ah(0)]),
        mouse("no such rate", 2, 0x0700, vec![CARRY, ah(2)]),
        mouse("resolution", 3, 0x0200, vec![GOOD, ah(0)]),
        mouse("no such resolution", 3, 0x0400, vec![CARRY, ah(2)]),
        mouse("type", 4, 0, vec![GOOD, ah(0), bh(0)]),
        mouse("scaling 2:1", 6, 0x0200, vec![GOOD, ah(0)]),
        mouse("status", 6, 0, vec![GOOD, ah(0), bl(0x10), cl(2), dl(200)]),
        mouse("handler", 7, 0x1234, vec![GOOD, ah(0)]),
        mouse("on", 0, 0x0100, vec![GOOD, ah(0)]),
        mouse("off", 0, 0x0000, vec![GOOD, ah(0)]),
        mouse("neither on nor off", 0, 0x0200, vec![CARRY, ah(2)])
            .seabios("it calls this a wrong function, not a wrong value", [CARRY, ah(1)]),
        mouse("no such function", 9, 0, vec![CARRY, ah(1)]),
    ]);
}

#[test]
fn w1() {
    both(&[
        int("A20 off", 0x15, 0x2400, [GOOD, ah(0)]),
        int("A20 on", 0x15, 0x2401, [GOOD, ah(0)]),
        call("wait a millisecond", 0x15, with(0x8600, 0, 0, 1000), [GOOD, ah(0)]),
    ]);
}
#[test]
fn w2() {
    both(&[
        int("nobody takes keys away", 0x15, 0x4F1E, [CARRY]),
        int("open", 0x15, 0x8000, [GOOD, ah(0)]),
        int("close", 0x15, 0x8100, [GOOD, ah(0)]),
        int("end of program", 0x15, 0x8200, [GOOD, ah(0)]),
        int("SysReq", 0x15, 0x8500, [GOOD, ah(0)]),
        call("wait a millisecond", 0x15, with(0x8600, 0, 0, 1000), [GOOD, ah(0)]),
    ]);
}
#[test]
fn w3() {
    both(&[
        call("wait a millisecond", 0x15, with(0x8600, 0, 0, 1000), [GOOD, ah(0)]),
        call("event in two milliseconds", 0x15, with(0x8300, 0x100, 0, 2000), [GOOD, ah(0)]),
        call("one at a time", 0x15, with(0x8300, 0x100, 0, 2000), [CARRY])
            .seabios("it says that there is no such function", [CARRY, ah(0x86)]),
        int("cancel", 0x15, 0x8301, [GOOD, ah(0)]),
        call(
            "event in two milliseconds",
            0x15,
            with(0x8300, 0x100, 0, 2000),
            [GOOD, ah(0), buffer(0x100, &[0x80])],
        ),
        call("wait until it has come", 0x15, with(0x8600, 0, 0, 9000), [GOOD, ah(0)])
            .seabios("it waits for one thing only", [CARRY, ah(0x86)]),
        call("wait", 0x15, with(0x8600, 0, 0, 9000), [GOOD, ah(0)])
            .seabios("it waits for one thing only", [CARRY, ah(0x86)]),
    ]);
}
