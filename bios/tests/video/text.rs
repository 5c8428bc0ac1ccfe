//! Text modes: cursor, pages, characters, scrolling, strings.

use crate::bench::{Bench, Registers};

#[test]
fn teletype_moves_the_cursor_and_scrolls() {
    let mut run = Bench::mode(3).print("one\r\ntwo\x08\x08", 7).call(0x0300, 0, 0, 0).run();
    assert_eq!((run.row(0), run.row(1)), ("one".into(), "two".into()));
    assert_eq!((run.last().dx, run.last().cx), (0x0101, 0x0607));
    let cursor = run.screen().cursor.expect("a cursor");
    assert_eq!((cursor.column, cursor.row, cursor.start, cursor.end), (1, 1, 13, 14));
    let mut run = Bench::mode(3).print("top\r\nsecond", 7).cursor(24, 78).print("abcd\r\nlast", 7).run();
    assert_eq!((run.row(0).as_str(), run.row(22).trim_start()), ("", "ab"));
    assert_eq!((run.row(23), run.row(24)), ("cd".into(), "last".into()));
}

#[test]
fn a_line_feed_keeps_the_column_and_the_attribute() {
    let mut run = Bench::mode(3).cursor(24, 5).call(0x0920, 0x001E, 80, 0).print("\n", 7).run();
    assert_eq!(run.word(0x450), 0x1805);
    let cells = run.screen().cells;
    assert_eq!(cells[24 * 80].attribute, 0x1E, "the attribute at the cursor");
    assert_eq!(cells[23 * 80 + 4].attribute, 0x07);
    assert_eq!(cells[23 * 80 + 5].attribute, 0x1E, "the row moved up");
}

#[test]
fn characters_are_written_with_and_without_attribute_and_read_back() {
    let mut run = Bench::mode(3)
        .cursor(2, 78)
        .call(0x0941, 0x004E, 4, 0)
        .call(0x0A42, 0x0000, 1, 0)
        .call(0x0800, 0, 0, 0)
        .call(0x0300, 0, 0, 0)
        .run();
    assert_eq!((run.answer(4).ah(), run.answer(4).al()), (0x4E, 0x42));
    assert_eq!(run.last().dx, 0x024E, "the cursor stays");
    assert_eq!((run.row(2).trim_start(), run.row(3).as_str()), ("BA", "AA"));
}

#[test]
fn pages_have_their_own_text_and_cursor() {
    let mut run = Bench::mode(3)
        .call(0x0200, 0x0300, 0, 0x0102)
        .call(0x0958, 0x0307, 1, 0)
        .call(0x0503, 0, 0, 0)
        .print("Y", 7)
        .register(0x3D4, 0x0C)
        .register(0x3D4, 0x0E)
        .register(0x3D4, 0x0F)
        .run();
    assert_eq!((run.byte(0x462), run.word(0x44E)), (3, 0x3000));
    assert_eq!(run.last_bytes(), [0x18, 0x18, 80 + 3], "CRTC start and cursor");
    assert_eq!((run.word(0x450), run.word(0x456)), (0, 0x0103));
    assert_eq!(run.row(1), "  Y");
}

#[test]
fn windows_scroll_both_ways() {
    let fill = |mut bench: Bench| {
        for row in 0..5u8 {
            bench = bench.cursor(row, 0).call(0x0930 + u16::from(row), 0x07, 6, 0);
        }
        bench
    };
    let mut run = fill(Bench::mode(3)).call(0x0602, 0x1F00, 0x0101, 0x0304).run();
    let rows: Vec<String> = (0..5).map(|row| run.row(row)).collect();
    assert_eq!(rows, ["000000", "133331", "2    2", "3    3", "444444"]);
    assert_eq!(run.screen().cells[2 * 80 + 1].attribute, 0x1F);
    let mut run = fill(Bench::mode(3)).call(0x0701, 0x1F00, 0x0101, 0x0304).run();
    let rows: Vec<String> = (0..5).map(|row| run.row(row)).collect();
    assert_eq!(rows, ["000000", "1    1", "211112", "322223", "444444"]);
    // Zero rows blank the window; one beyond the screen is cut; one turned inside out is none.
    let mut run =
        fill(Bench::mode(3)).call(0x0600, 0x0700, 0x0102, 0xFFFF).call(0x0600, 0x0700, 0x0500, 0x0000).run();
    let rows: Vec<String> = (0..5).map(|row| run.row(row)).collect();
    assert_eq!(rows, ["000000", "11", "22", "33", "44"]);
}

#[test]
fn strings_are_written_in_four_ways() {
    for mode in 0..4u16 {
        let text: &[u8] = if mode < 2 { b"ab\r\ncd" } else { b"a\x1Eb\x2E" };
        let length = if mode < 2 { 6 } else { 2 };
        let registers =
            Registers { ax: 0x1300 | mode, bx: 0x004F, cx: length, dx: 0x0A05, ..Registers::default() };
        let mut run =
            Bench::mode(3).with_buffer(text).cursor(3, 3).call_with(registers).call(0x0300, 0, 0, 0).run();
        let cells = run.screen().cells;
        let cell =
            |row: usize, column: usize| (cells[row * 80 + column].ch, cells[row * 80 + column].attribute);
        if mode < 2 {
            assert_eq!((cell(10, 5), cell(10, 6), cell(11, 0)), ((b'a', 0x4F), (b'b', 0x4F), (b'c', 0x4F)));
        } else {
            assert_eq!((cell(10, 5), cell(10, 6)), ((b'a', 0x1E), (b'b', 0x2E)));
        }
        let after = if mode < 2 { 0x0B02 } else { 0x0A07 };
        assert_eq!(run.last().dx, if mode & 1 == 0 { 0x0303 } else { after }, "mode {mode}");
    }
}

#[test]
fn cursor_lines_are_scaled_unless_emulation_is_off() {
    let shapes = [(0x0607, 0x0D0E), (0x0007, 0x000F), (0x0407, 0x080F), (0x2607, 0x2607), (0x0B0C, 0x0B0C)];
    for (shape, expected) in shapes {
        let run = Bench::mode(3).call(0x0100, 0, shape, 0).register(0x3D4, 0x0A).register(0x3D4, 0x0B).run();
        let [end, start] = u16::to_le_bytes(expected);
        assert_eq!((run.last_bytes(), run.word(0x460)), ([start, end], shape), "{shape:#x}");
    }
    let run =
        Bench::mode(3).call(0x1201, 0x0034, 0, 0).call(0x0100, 0, 0x0203, 0).register(0x3D4, 0x0A).run();
    assert_eq!((run.last().al(), run.byte(0x487)), (0x02, 0x61));
}

#[test]
fn mode_7_is_at_b0000() {
    let mut run = Bench::mode(7).print("mono", 7).peek(0xB_0000).call(0x1200, 0x0010, 0, 0).run();
    assert_eq!((run.row(0).as_str(), run.answer(5).al()), ("mono", b'm'));
    assert_eq!((run.last().bx, run.last().cx), (0x0103, 0x0F09));
}
