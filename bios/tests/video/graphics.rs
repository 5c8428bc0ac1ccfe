//! Graphics modes: dots, characters, scrolling.

use crate::bench::Bench;

const MODES: [u16; 10] = [0x04, 0x05, 0x06, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13];

/// A colour that the mode has, and what is left of it.
fn colour(mode: u16) -> (u8, u8) {
    match mode {
        0x04 | 0x05 => (0x02, 2),
        0x06 | 0x11 => (0x01, 1),
        0x0F => (0x05, 5),
        0x13 => (0xC5, 0xC5),
        _ => (0x0B, 0x0B),
    }
}

#[test]
fn dots_are_written_and_read_in_every_mode() {
    for mode in MODES {
        let (wanted, got) = colour(mode);
        let mut bench = Bench::mode(mode.to_le_bytes()[0]);
        let places = [(0, 0), (1, 0), (319, 199), (160, 101), (7, 3)];
        for (x, y) in places {
            bench = bench.call(0x0C00 | u16::from(wanted), 0, x, y);
        }
        for (x, y) in places {
            bench = bench.call(0x0D00, 0, x, y).call(0x0D00, 0, x ^ 2, y);
        }
        let run = bench.run();
        for (n, place) in places.iter().enumerate() {
            let (dot, beside) = (run.answer(6 + 2 * n).al(), run.answer(7 + 2 * n).al());
            assert_eq!((dot, beside), (got, 0), "mode {mode:#x}, dot {place:?}");
        }
    }
}

#[test]
fn bit_7_inverts_dots_and_characters() {
    for mode in MODES.into_iter().filter(|mode| *mode != 0x13) {
        let colour = u16::from(colour(mode).0) | 0x80;
        let dot = 0x0C00 | colour;
        let run = Bench::mode(mode.to_le_bytes()[0])
            .call(dot, 0, 50, 60)
            .call(0x0D00, 0, 50, 60)
            .call(dot, 0, 50, 60)
            .call(0x0D00, 0, 50, 60)
            .call(0x0958, colour, 1, 0)
            .call(0x0800, 0, 0, 0)
            .call(0x0958, colour, 1, 0)
            .call(0x0800, 0, 0, 0)
            .run();
        assert_ne!(run.answer(2).al(), 0, "mode {mode:#x}");
        assert_eq!(run.answer(4).al(), 0, "mode {mode:#x}");
        // Character 0 and the blank look alike.
        assert_eq!((run.answer(6).al(), run.answer(8).al()), (0x58, 0), "mode {mode:#x}");
    }
}

#[test]
fn characters_are_recognised_in_every_mode() {
    for mode in MODES {
        let (colour, _) = colour(mode);
        let mut bench = Bench::mode(mode.to_le_bytes()[0]).cursor(3, 39).print_bytes(b"A\x82\xFE", colour);
        for (row, column) in [(3, 39), (4, 0), (4, 1), (3, 40), (3, 41)] {
            bench = bench.cursor(row, column).call(0x0800, 0, 0, 0);
        }
        let run = bench.run();
        let [n39, _, n0, _, n1, _, n40, _, n41] = run.last_bytes::<9>();
        let is_wide = run.word(0x44A) == 80;
        let expected = if is_wide { [n39, n40, n41] } else { [n39, n0, n1] };
        assert_eq!(expected, [b'A', 0x82, 0xFE], "mode {mode:#x}");
    }
}

#[test]
fn text_scrolls_in_every_mode() {
    for mode in MODES {
        let (colour, _) = colour(mode);
        let last = if matches!(mode, 0x11 | 0x12) { 29 } else { 24 };
        let run = Bench::mode(mode.to_le_bytes()[0])
            .cursor(1, 2)
            .print("Q", colour)
            .cursor(last, 3)
            .print("R\n", colour)
            .cursor(0, 2)
            .call(0x0800, 0, 0, 0)
            .cursor(last - 1, 3)
            .call(0x0800, 0, 0, 0)
            .cursor(last, 3)
            .call(0x0800, 0, 0, 0)
            .call(0x0701, 0, 0x0000, 0x0505)
            .cursor(1, 2)
            .call(0x0800, 0, 0, 0)
            .run();
        let seen = [7, 9, 11, 14].map(|n| run.answer(n).al());
        assert_eq!(seen, [b'Q', b'R', 0, b'Q'], "mode {mode:#x}");
    }
}

#[test]
fn blanked_windows_have_their_colour() {
    for mode in [0x0D, 0x10, 0x12, 0x13] {
        let run = Bench::mode(mode)
            .call(0x0600, 0x0900, 0x0202, 0x0303)
            .call(0x0D00, 0, 16, 2 * 16 + 1)
            .call(0x0D00, 0, 31, 2 * 16 + 1)
            .call(0x0D00, 0, 32, 2 * 16 + 1)
            .run();
        let expected = if matches!(mode, 0x12 | 0x10) { [9, 9, 0] } else { [0, 0, 0] };
        assert_eq!(run.last_bytes(), expected, "mode {mode:#x}: row 2 starts at line 32 only in cells of 16");
    }
}

#[test]
fn planar_pages_are_drawn_apart() {
    let mut run = Bench::mode(0x0D)
        .call(0x0C0F, 0x0100, 5, 5)
        .call(0x0D00, 0x0000, 5, 5)
        .call(0x0D00, 0x0100, 5, 5)
        .call(0x0501, 0, 0, 0)
        .register(0x3D4, 0x0C)
        .run();
    assert_eq!((run.answer(2).al(), run.answer(3).al(), run.last().al()), (0, 15, 0x20));
    let picture = run.picture();
    assert!(picture.pixels.iter().any(|pixel| *pixel != 0), "the page is shown");
}
