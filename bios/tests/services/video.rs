//! INT 10h: what the video BIOS answers. Registers of the VGA and pictures are in the tests of the video BIOS alone.

use crate::both;
use crate::expect::{
    AX, BP, BX, CX, DX, ES, Expect, Registers, Row, al, ax, bh, bl, buffer, bx, call, cx, dh, dl, dx, int,
    put, with,
};

fn video(name: &str, ax: u16, bx: u16, cx: u16, dx: u16, expected: impl Into<Vec<Expect>>) -> Row {
    call(name, 0x10, with(ax, bx, cx, dx), expected)
}

const DAC: &str = "it does not set colours by 4F09h";

/// Modes of the VGA: number, columns, text rows less one, height of a character.
const MODES: [(u16, u16, u8, u8); 15] = [
    (0x00, 40, 24, 16),
    (0x01, 40, 24, 16),
    (0x02, 80, 24, 16),
    (0x03, 80, 24, 16),
    (0x04, 40, 24, 8),
    (0x05, 40, 24, 8),
    (0x06, 80, 24, 8),
    (0x07, 80, 24, 16),
    (0x0D, 40, 24, 8),
    (0x0E, 80, 24, 8),
    (0x0F, 80, 24, 14),
    (0x10, 80, 24, 14),
    (0x11, 80, 29, 16),
    (0x12, 80, 29, 16),
    (0x13, 40, 24, 8),
];

#[test]
fn every_mode_is_set() {
    let mut rows = Vec::new();
    for (mode, columns, last_row, height) in MODES {
        let kind = match mode {
            6 => 0x3F,
            0..=7 => 0x30,
            _ => 0x20,
        };
        let name = |what: &str| format!("mode {mode:02x}h, {what}");
        rows.push(int(name("set"), 0x10, mode, [al(kind)]));
        rows.push(int(name("told"), 0x10, 0x0F00, [ax(columns << 8 | mode), bh(0)]));
        let font = with(0x1130, 0x0000, 0, 0);
        rows.push(call(name("font"), 0x10, font, [cx(height.into()), dl(last_row), ES, BP]));
    }
    both(&rows);
}

#[test]
fn text_and_cursor() {
    both(&[
        video("mode", 0x0003, 0, 0, 0, [al(0x30)]),
        video("shape", 0x0100, 0, 0x0607, 0, []),
        video("place", 0x0200, 0, 0, 0x0A14, []),
        video("told", 0x0300, 0, 0, 0, [AX, cx(0x0607), dx(0x0A14)]),
        video("other page", 0x0200, 0x0300, 0, 0x0102, []),
        video("told", 0x0300, 0x0300, 0, 0, [AX, cx(0x0607), dx(0x0102)]),
        video("write", 0x0941, 0x001E, 3, 0, []),
        video("read", 0x0800, 0, 0, 0, [ax(0x1E41)]),
        video("the cursor stays", 0x0300, 0, 0, 0, [AX, cx(0x0607), dx(0x0A14)]),
        video("write without attribute", 0x0A42, 0, 1, 0, []),
        video("read", 0x0800, 0, 0, 0, [ax(0x1E42)]),
        video("teletype", 0x0E43, 0x0007, 0, 0, []),
        video("the cursor moves", 0x0300, 0, 0, 0, [AX, cx(0x0607), dx(0x0A15)]),
        video("carriage return", 0x0E0D, 0x0007, 0, 0, []),
        video("line feed", 0x0E0A, 0x0007, 0, 0, []),
        video("both", 0x0300, 0, 0, 0, [AX, cx(0x0607), dx(0x0B00)]),
        video("backspace at the edge", 0x0E08, 0x0007, 0, 0, []),
        video("stays", 0x0300, 0, 0, 0, [AX, cx(0x0607), dx(0x0B00)]),
        video("scroll up", 0x0601, 0x7000, 0x0000, 0x184F, []),
        video("place", 0x0200, 0, 0, 0x0914, []),
        video("it is there", 0x0800, 0, 0, 0, [ax(0x1E43)]),
        video("place", 0x0200, 0, 0, 0x1800, []),
        video("a new line", 0x0800, 0, 0, 0, [ax(0x7020)]),
        video("scroll down", 0x0702, 0x1700, 0x0000, 0x184F, []),
        video("place", 0x0200, 0, 0, 0x0B14, []),
        video("it is there", 0x0800, 0, 0, 0, [ax(0x1E43)]),
        video("page 2", 0x0502, 0, 0, 0, []),
        video("told", 0x0F00, 0, 0, 0, [ax(0x5003), bh(2)]),
        video("page 0", 0x0500, 0, 0, 0, []),
        put(0x500, b"ab\r\nc".to_vec()),
        call("string", 0x10, Registers { ebp: 0x500, ..with(0x1301, 0x0017, 5, 0x0100) }, []),
        video("the cursor is behind it", 0x0300, 0, 0, 0, [AX, cx(0x0607), dx(0x0201)]),
        put(0x520, vec![b'x', 0x31, b'y', 0x42]),
        call("string with attributes", 0x10, Registers { ebp: 0x520, ..with(0x1302, 0x0000, 2, 0x0300) }, []),
        video("the cursor stays", 0x0300, 0, 0, 0, [AX, cx(0x0607), dx(0x0201)]),
        video("place", 0x0200, 0, 0, 0x0301, []),
        video("it is there", 0x0800, 0, 0, 0, [ax(0x4279)]),
        video("no such function", 0x5A00, 0, 0, 0, []),
    ]);
}

#[test]
fn dots() {
    let mut rows = Vec::new();
    for (mode, colour) in
        [(0x04u16, 2u16), (0x06, 1), (0x0D, 9), (0x0E, 6), (0x10, 13), (0x11, 1), (0x12, 11), (0x13, 200)]
    {
        let name = |what: &str| format!("mode {mode:02x}h, {what}");
        rows.push(int(name("set"), 0x10, mode, [AX]));
        rows.push(call(name("dot"), 0x10, with(0x0C00 | colour, 0, 100, 50), []));
        rows.push(call(
            name("told"),
            0x10,
            with(0x0D00, 0, 100, 50),
            [al(u8::try_from(colour).expect("a byte"))],
        ));
        rows.push(call(name("beside it"), 0x10, with(0x0D00, 0, 101, 50), [al(0)]));
        if mode != 0x13 {
            rows.push(call(name("XOR"), 0x10, with(0x0C80 | colour, 0, 100, 50), []));
            rows.push(call(name("gone"), 0x10, with(0x0D00, 0, 100, 50), [al(0)]));
        }
    }
    both(&rows);
}

#[test]
fn palette_fonts_and_state() {
    both(&[
        video("mode", 0x0003, 0, 0, 0, [al(0x30)]),
        video("a palette register", 0x1000, 0x2A05, 0, 0, []),
        video("told", 0x1007, 0x0005, 0, 0, [bh(0x2A)]),
        video("border", 0x1001, 0x0300, 0, 0, []),
        video("told", 0x1008, 0, 0, 0, [bh(3)]),
        call(
            "all",
            0x10,
            Registers { edx: 0x600, ..with(0x1009, 0, 0, 0) },
            [buffer(0x605, &[0x2A]), buffer(0x610, &[3])],
        ),
        video("intensity, not blinking", 0x1003, 0, 0, 0, []),
        video("a DAC register", 0x1010, 0x0025, 0x0A14, 0x1E00, []),
        video("told", 0x1015, 0x0025, 0, 0, [cx(0x0A14), dh(0x1E)]),
        put(0x640, vec![1, 2, 3, 4, 5, 6]),
        call("two of them", 0x10, Registers { edx: 0x640, ..with(0x1012, 0x0040, 2, 0) }, []),
        call(
            "told",
            0x10,
            Registers { edx: 0x680, ..with(0x1017, 0x0040, 2, 0) },
            [buffer(0x680, &[1, 2, 3, 4, 5, 6])],
        ),
        video("grey", 0x101B, 0x0040, 1, 0, []),
        video("the page of colours", 0x1013, 0x0001, 0, 0, []),
        video("told", 0x101A, 0, 0, 0, [BX]),
        video("the mask", 0x1018, 0x00FF, 0, 0, []),
        video("told", 0x1019, 0, 0, 0, [bl(0xFF)]),
        video("EGA information", 0x1200, 0x0010, 0, 0, [bx(0x0003), CX]),
        video("200 lines", 0x1200, 0x0030, 0, 0, [al(0x12)]),
        video("mode", 0x0003, 0, 0, 0, [al(0x30)]),
        call("font", 0x10, with(0x1130, 0x0000, 0, 0), [cx(8), dl(24), ES, BP])
            .seabios("it has 400 lines only", [cx(16), dl(24), ES, BP]),
        video("400 lines", 0x1202, 0x0030, 0, 0, [al(0x12)]),
        video("palettes on", 0x1200, 0x0031, 0, 0, [al(0x12)]),
        video("memory on", 0x1200, 0x0032, 0, 0, [al(0x12)]),
        video("greys off", 0x1201, 0x0033, 0, 0, [al(0x12)]),
        video("cursor as it is", 0x1200, 0x0034, 0, 0, [al(0x12)]),
        video("display on", 0x1200, 0x0036, 0, 0, [al(0x12)]),
        video("mode", 0x0003, 0, 0, 0, [al(0x30)]),
        video("8 dots", 0x1112, 0, 0, 0, []),
        call("fifty rows", 0x10, with(0x1130, 0x0000, 0, 0), [cx(8), dl(49), ES, BP]),
        video("16 dots", 0x1114, 0, 0, 0, []),
        call("25 rows", 0x10, with(0x1130, 0x0000, 0, 0), [cx(16), dl(24), ES, BP]),
        video("which adapter", 0x1A00, 0, 0, 0, [al(0x1A), bx(0x0008)]),
        call(
            "its state",
            0x10,
            Registers { edi: 0x700, ..with(0x1B00, 0, 0, 0) },
            [al(0x1B), buffer(0x704, &[3, 80, 0])],
        ),
        video("room for its state", 0x1C00, 0, 7, 0, [al(0x1C), BX]),
        call("keep it", 0x10, Registers { ebx: 0xB0B0_0800, ..with(0x1C01, 0, 7, 0) }, [al(0x1C)]),
        call("take it back", 0x10, Registers { ebx: 0xB0B0_0800, ..with(0x1C02, 0, 7, 0) }, [al(0x1C)]),
    ]);
}

#[test]
fn vbe() {
    let to = |name: &str, ax: u16, cx: u16, expected: Vec<Expect>| {
        call(name, 0x10, Registers { edi: 0x800, ..with(ax, 0, cx, 0) }, expected)
    };
    both(&[
        put(0x800, b"VBE2".to_vec()),
        to("controller", 0x4F00, 0, vec![ax(0x004F)]),
        to(
            "mode 101h",
            0x4F01,
            0x101,
            vec![ax(0x004F), buffer(0x810, &[0x80, 2, 0x80, 2, 0xE0, 1, 8, 16, 1, 8])],
        ),
        to("no such mode", 0x4F01, 0x10C, vec![ax(0x014F)]),
        video("set it", 0x4F02, 0x4101, 0, 0, [ax(0x004F)]),
        video("told", 0x4F03, 0, 0, 0, [ax(0x004F), bx(0x4101)]),
        video("longer lines", 0x4F06, 0x0000, 1024, 0, [ax(0x004F), bx(1024), cx(1024), DX]),
        video("told", 0x4F06, 0x0001, 0, 0, [ax(0x004F), bx(1024), cx(1024), DX]),
        video("start", 0x4F07, 0, 8, 16, [ax(0x004F)]),
        video("told", 0x4F07, 0x0001, 0, 0, [ax(0x004F), bh(0), cx(8), dx(16)]),
        video("8 bits a colour", 0x4F08, 0x0800, 0, 0, [ax(0x004F), bh(8)]),
        video("told", 0x4F08, 0x0001, 0, 0, [ax(0x004F), bh(8)]),
        put(0xA00, vec![0x11, 0x22, 0x33, 0]),
        call("a colour", 0x10, Registers { edi: 0xA00, ..with(0x4F09, 0, 1, 5) }, [ax(0x004F)])
            .seabios(DAC, [ax(0x0100)]),
        call(
            "told",
            0x10,
            Registers { edi: 0xA10, ..with(0x4F09, 1, 1, 5) },
            [ax(0x004F), buffer(0xA10, &[0x11, 0x22, 0x33])],
        )
        .seabios(DAC, [ax(0x0100)]),
        video("banked", 0x4F02, 0x0103, 0, 0, [ax(0x004F)]),
        video("bank 2", 0x4F05, 0, 0, 2, [ax(0x004F)]),
        video("told", 0x4F05, 0x0100, 0, 0, [ax(0x004F), dx(2)]),
        video("no window B", 0x4F05, 0x0001, 0, 2, [ax(0x014F)]),
        video("no such mode", 0x4F02, 0x010C, 0, 0, [ax(0x014F)]),
        video("text", 0x4F02, 0x0003, 0, 0, [ax(0x004F)]),
        video("told", 0x4F03, 0, 0, 0, [ax(0x004F), bx(3)]),
        video("planes", 0x4F02, 0x0102, 0, 0, [ax(0x004F)]),
        video("lines of planes", 0x4F06, 0x0001, 0, 0, [ax(0x004F), bx(100), cx(800), DX]),
        video("text", 0x4F02, 0x0003, 0, 0, [ax(0x004F)]),
        video("power states", 0x4F10, 0, 0, 0, []).seabios("it knows them, and sets none", [ax(0x004F), BX]),
        video("DDC", 0x4F15, 0, 0, 0, [ax(0x004F), BX]).seabios("it says that it has none", [ax(0x014F)]),
        call(
            "EDID",
            0x10,
            Registers { edi: 0xB00, ..with(0x4F15, 1, 0, 0) },
            [ax(0x004F), buffer(0xB00, &[0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0])],
        )
        .seabios("it answers, but with nothing", [ax(0x004F)]),
        video("no such function", 0x4F7F, 0, 0, 0, [AX]),
    ]);
}
