//! AH=4Fh.

use crate::bench::{BUFFER, Bench, Registers, Run};
use crate::golden::{demonstration, is_golden};

const GOOD: u16 = 0x004F;
const FAILED: u16 = 0x014F;

/// A word of the buffer.
fn word(run: &Run, at: u64) -> u16 {
    run.word(BUFFER + at)
}

fn dword(run: &Run, at: u64) -> u32 {
    u32::from_le_bytes(run.machine.memory().read_array(BUFFER + at))
}

/// The modes that 4F00h lists.
fn listed() -> Vec<u16> {
    let run = Bench::default().with_buffer(b"VBE2").call(0x4F00, 0, 0, 0).run();
    let list = u64::from(word(&run, 0x10)) * 16 + u64::from(word(&run, 0x0E));
    (0..).map(|n| run.word(list + 2 * n)).take_while(|mode| *mode != 0xFFFF).collect()
}

#[test]
fn the_controller_is_told() {
    let run = Bench::default().with_buffer(b"VBE2").call(0x4F00, 0, 0, 0).run();
    assert_eq!(run.last().ax, GOOD);
    assert_eq!((run.buffer(), word(&run, 4)), (*b"VESA", 0x0300));
    let text = |at: u64| {
        let from = u64::from(word(&run, at + 2)) * 16 + u64::from(word(&run, at));
        let bytes: [u8; 24] = run.machine.memory().read_array(from);
        bytes.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect::<String>()
    };
    assert_eq!(
        (text(0x06), text(0x16), text(0x1A)),
        ("Posada".into(), "Posada".into(), "Posada video BIOS".into())
    );
    assert!(word(&run, 0x12) >= 128, "64 KiB pieces of memory: {}", word(&run, 0x12));
    // Who asks for version 1 gets 256 bytes.
    let run = Bench::default().with_buffer(&[0x77; 512]).call(0x4F00, 0, 0, 0).run();
    assert_eq!((run.last().ax, word(&run, 0x14), word(&run, 0x100)), (GOOD, 0x7777, 0x7777));
}

#[test]
fn every_listed_mode_is_told_and_can_be_set() {
    let listed = listed();
    assert!(listed.contains(&0x101) && listed.contains(&0x118) && listed.contains(&0x144), "{listed:x?}");
    for mode in listed {
        let run = Bench::default()
            .call(0x4F01, 0, mode, 0)
            .call(0x4F02, mode | 0x4000, 0, 0)
            .call(0x4F03, 0, 0, 0)
            .run();
        let ax: [u16; 3] = std::array::from_fn(|n| run.answer(n).ax);
        assert_eq!((ax, run.last().bx), ([GOOD; 3], mode | 0x4000), "mode {mode:#x}");
        let (pitch, width, height) = (word(&run, 0x10), word(&run, 0x12), word(&run, 0x14));
        let [_, depth] = word(&run, 0x18).to_le_bytes();
        let bits = if depth == 15 { 16 } else { u16::from(depth) };
        let planes = if depth == 4 { 4 } else { 1 };
        assert_eq!(u32::from(pitch) * 8 * planes, u32::from(width) * u32::from(bits), "mode {mode:#x}");
        assert_eq!(dword(&run, 0x28), if depth == 4 { 0 } else { 0xE000_0000 }, "mode {mode:#x}");
        assert_eq!(word(&run, 0x32), pitch);
        assert_eq!(u16::from(run.byte(0x484)), height / 16 - 1);
    }
}

#[test]
fn what_is_not_a_mode_fails() {
    for mode in [0x10C, 0x1FF, 0x015] {
        let run =
            Bench::mode(3).call(0x4F01, 0, 0x10C, 0).call(0x4F02, mode, 0, 0).call(0x4F03, 0, 0, 0).run();
        assert_eq!(
            (run.answer(1).ax, run.answer(2).ax, run.last().bx),
            (FAILED, FAILED, 3),
            "mode {mode:#x}"
        );
    }
    let run = Bench::mode(3).call(0x4F0A, 0, 0, 0).call(0x4F42, 0, 0, 0).call(0x4F05, 0, 0, 1).run();
    assert_eq!((run.answer(1).ax, run.answer(2).ax, run.answer(3).ax), (FAILED, 0x4F42, FAILED));
}

#[test]
fn the_vga_comes_back() {
    let mut run = Bench::mode(3).call(0x4F02, 0x4101, 0, 0).call(0x4F02, 3, 0, 0).print("text", 7).run();
    assert_eq!((run.row(0).as_str(), run.byte(0x449)), ("text", 3));
    let mut run = Bench::default().call(0x4F02, 0x101, 0, 0).call(0x0003, 0, 0, 0).print("text", 7).run();
    assert_eq!(run.row(0), "text");
}

#[test]
fn banks_are_set_by_interrupt_and_kept_apart() {
    let run = Bench::default()
        .call(0x4F02, 0x103, 0, 0)
        .call(0x4F05, 0, 0, 2)
        .poke(0xA_1234, 0x5A)
        .call(0x4F05, 0, 0, 1)
        .peek(0xA_1234)
        .call(0x4F05, 0x0100, 0, 0)
        .call(0x4F05, 0, 0, 2)
        .peek(0xA_1234)
        .call(0x4F05, 0x0001, 0, 0)
        .run();
    assert_eq!((run.answer(3).al(), run.answer(4).dx, run.answer(6).al()), (0x00, 1, 0x5A));
    assert_eq!(run.last().ax, FAILED, "there is no window B");
}

#[test]
fn lines_get_longer_and_the_start_moves() {
    let run = Bench::default()
        .call(0x4F02, 0x111, 0, 0)
        .call(0x4F06, 0x0000, 1001, 0)
        .call(0x4F06, 0x0002, 2048, 0)
        .call(0x4F06, 0x0000, 320, 0)
        .call(0x4F07, 0x0080, 17, 33)
        .call(0x4F07, 0x0001, 0, 0)
        .call(0x4F06, 0x0003, 0, 0)
        .run();
    assert_eq!((run.answer(1).ax, run.answer(1).bx, run.answer(1).cx), (GOOD, 2016, 1008));
    assert_eq!((run.answer(2).ax, run.answer(2).bx, run.answer(2).cx), (GOOD, 2048, 1024));
    assert_eq!(run.answer(3).ax, 0x024F, "shorter than the picture");
    assert_eq!((run.answer(5).cx, run.answer(5).dx), (17, 33));
    assert!(run.last().cx >= 4096 && run.last().bx == run.last().cx * 2, "{:?}", run.last());
}

#[test]
fn the_dac_gets_eight_bits() {
    let set = Registers { ax: 0x4F09, bx: 0, cx: 1, dx: 5, ..Registers::default() };
    let run = Bench::default()
        .with_buffer(&[0x11, 0x22, 0xF3, 0])
        .call(0x4F02, 0x101, 0, 0)
        .call(0x4F08, 0x0800, 0, 0)
        .call_with(set)
        .call_with(Registers { bx: 1, di: 8, ..set })
        .call(0x4F08, 0x0600, 0, 0)
        .call(0x4F08, 0x0001, 0, 0)
        .run();
    assert_eq!((run.answer(1).bh(), run.answer(4).bh(), run.answer(5).bh()), (8, 6, 6));
    assert_eq!(run.machine.memory().read_array(BUFFER + 8), [0x11, 0x22, 0xF3, 0]);
}

#[test]
fn the_display_tells_its_edid() {
    let run = Bench::default().call(0x4F15, 0, 0, 0).call(0x4F15, 1, 0, 0).run();
    assert_eq!((run.answer(0).ax, run.answer(0).bx, run.answer(1).ax), (GOOD, 0x0102, GOOD));
    let edid: [u8; 128] = run.buffer();
    assert_eq!(edid[..8], [0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0]);
    assert_eq!(edid.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
    // The ROM has it now, and its sum is still zero.
    let rom: Vec<u8> = (0..0x8000).map(|at| run.byte(0xC_0000 + at)).collect();
    assert_eq!(rom.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
    assert!(rom.windows(128).any(|part| part == edid));
}

#[test]
fn state_with_dispi_registers_comes_back() {
    let state = |dx| Registers { ax: 0x4F04, bx: 0x100, cx: 0x0F, dx, ..Registers::default() };
    let run = Bench::default()
        .call(0x4F02, 0x4115, 0, 0)
        .call(0x4F06, 0, 1024, 0)
        .call(0x4F07, 0, 8, 16)
        .call_with(state(0))
        .call_with(state(1))
        .call(0x0003, 0, 0, 0)
        .call_with(state(2))
        .call(0x4F03, 0, 0, 0)
        .call(0x4F07, 1, 0, 0)
        .run();
    assert_eq!(run.answer(3).bx, 16);
    assert_eq!(run.answer(7).bx & 0x41FF, 0x4115);
    assert_eq!((run.last().cx, run.last().dx), (8, 16));
}

/// Modes of one size look the same in all depths with a palette, and in all without.
#[test]
fn every_listed_mode_looks_right() {
    let mut wrong = Vec::new();
    for mode in listed() {
        let bench = Bench::default().call(0x4F01, 0, mode, 0).call(0x4F02, mode, 0, 0);
        let mut run = demonstration(bench, false, 16).run();
        let (width, height) = (word(&run, 0x12), word(&run, 0x14));
        let [_, depth] = word(&run, 0x18).to_le_bytes();
        let colours = if depth > 8 { "direct" } else { "palette" };
        if !is_golden(&format!("vbe_{width}x{height}_{colours}"), &run.picture()) {
            wrong.push(format!("{mode:#x}: {width}x{height}x{depth}"));
        }
    }
    assert_eq!(wrong, [""; 0], "see the pictures *.new.png in tests/video/golden");
}

#[test]
fn windows_scroll_in_banked_modes() {
    for mode in [0x101u16, 0x102, 0x103, 0x104, 0x106, 0x111, 0x112, 0x142] {
        let colour = match mode {
            0x101 | 0x103 => 0x35,
            0x102 | 0x104 | 0x106 => 0x0B,
            _ => 0xFF,
        };
        // Line 401 of 640 bytes crosses from bank to bank in other places than line 417; between lines of 160 bytes there
        // is a bank's end.
        let run = Bench::default()
            .call(0x4F02, mode, 0, 0)
            .call(0x0C00 | colour, 0, 639, 417)
            .call(0x0C00 | colour, 0, 15, 417)
            .call(0x0601, 0x0900, 0x0002, 0x1D4F)
            .call(0x0D00, 0, 639, 401)
            .call(0x0D00, 0, 639, 417)
            .call(0x0D00, 0, 15, 417)
            .call(0x0D00, 0, 16, 479)
            .call(0x0D00, 0, 15, 479)
            .call(0x0702, 0x0000, 0x0000, 0x1D4F)
            .call(0x0D00, 0, 639, 433)
            .call(0x0D00, 0, 15, 449)
            .run();
        let seen = [4, 5, 6, 7, 8, 10, 11].map(|n| run.answer(n).al());
        let [colour, _] = colour.to_le_bytes();
        assert_eq!(seen, [colour, 0, colour, 9, 0, colour, colour], "mode {mode:#x}");
    }
}
