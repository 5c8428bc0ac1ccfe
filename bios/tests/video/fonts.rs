//! AH=11h.

use crate::bench::{Bench, Registers};

#[test]
fn other_fonts_change_the_number_of_rows() {
    for (function, height, rows) in [(0x1112, 8, 50), (0x1111, 14, 28), (0x1114, 16, 25)] {
        let mut run = Bench::mode(3).call(function, 0, 0, 0).cursor(rows - 1, 0).print("end", 7).run();
        assert_eq!((run.word(0x485), run.byte(0x484) + 1), (height, rows));
        let screen = run.screen();
        assert_eq!((screen.rows, screen.columns), (u32::from(rows), 80));
        assert_eq!(run.row(usize::from(rows) - 1), "end");
        let picture = run.picture();
        assert_eq!(picture.height, usize::from(rows) * usize::from(height));
    }
    // 43 rows of an EGA.
    let mut run = Bench::default().call(0x1201, 0x30, 0, 0).call(3, 0, 0, 0).call(0x1112, 0, 0, 0).run();
    assert_eq!((run.screen().rows, run.byte(0x484)), (43, 42));
}

#[test]
fn a_font_of_the_callers_is_shown() {
    let registers = |ax, bx| Registers { ax, bx, cx: 1, dx: u16::from(b'X'), ..Registers::default() };
    let blank = Bench::mode(3).call(0x0100, 0, 0x2000, 0).run().picture();
    let mut run = Bench::mode(3)
        .with_buffer(&[0xFF; 16])
        .call(0x0100, 0, 0x2000, 0)
        .call_with(registers(0x1100, 0x1000))
        .print("X", 7)
        .run();
    let picture = run.picture();
    let lit = picture.pixels.iter().zip(&blank.pixels).filter(|(one, other)| one != other).count();
    assert_eq!(lit, 8 * 16, "all dots of a cell but the ninth");
    // In block 1 it is seen only by the block specifier.
    let mut run = Bench::mode(3)
        .with_buffer(&[0xFF; 16])
        .call(0x0100, 0, 0x2000, 0)
        .call_with(registers(0x1100, 0x1001))
        .print("X", 7)
        .run();
    assert!(run.picture().pixels != picture.pixels, "block 1 is not shown");
    let mut run = Bench::mode(3)
        .with_buffer(&[0xFF; 16])
        .call(0x0100, 0, 0x2000, 0)
        .call_with(registers(0x1100, 0x1001))
        .call(0x1103, 0x0005, 0, 0)
        .print("X", 7)
        .run();
    assert!(run.picture().pixels == picture.pixels, "block 1 is shown");
}

#[test]
fn fonts_are_told() {
    for (number, height) in [(2u16, 14), (3, 8), (6, 16)] {
        let mut run = Bench::mode(3).call(0x1130, number << 8, 0, 0).run();
        let told = run.last();
        assert_eq!((told.cx, told.dx & 0xFF, told.es), (16, 24, 0xC000));
        let address = (u64::from(told.es) << 4) + u64::from(told.bp);
        let expected =
            bios::video::font::all().into_iter().find(|(rows, _)| *rows == height).expect("a font").1;
        let mut font = vec![0; 256 * height];
        assert_eq!(run.machine.peek(address, &mut font), font.len());
        assert_eq!(font, expected);
        assert_eq!(run.row(0), "");
    }
    let run =
        Bench::mode(3).call(0x1130, 0x0000, 0, 0).call(0x1130, 0x0100, 0, 0).call(0x1130, 0x0300, 0, 0).run();
    assert_eq!((run.answer(1).es, run.answer(1).bp), (run.word(0x7E), run.word(0x7C)));
    assert_eq!((run.answer(2).es, run.answer(2).bp), (run.word(0x10E), run.word(0x10C)));
    assert_eq!(run.answer(1).bp, run.answer(3).bp + 0x400, "the upper half of the 8x8 font");
}

#[test]
fn graphics_fonts_set_vectors_and_rows() {
    let font = Registers { ax: 0x1121, bx: 0, cx: 10, dx: 20, bp: 0x123, ..Registers::default() };
    let run = Bench::mode(0x12)
        .call_with(font)
        .call_with(Registers { ax: 0x1120, bp: 0x456, ..Registers::default() })
        .run();
    assert_eq!((run.word(0x10C), run.word(0x10E)), (0x123, 0x2000));
    assert_eq!((run.word(0x7C), run.word(0x7E)), (0x456, 0x2000));
    assert_eq!((run.word(0x485), run.byte(0x484)), (10, 19));
    let run = Bench::mode(0x12).call(0x1123, 3, 0, 0).run();
    assert_eq!((run.word(0x485), run.byte(0x484)), (8, 42));
    // Mode 12h with 60 rows of text.
    let run = Bench::mode(0x12)
        .call(0x1123, 0, 0, 60)
        .cursor(59, 0)
        .print("Z", 7)
        .cursor(59, 0)
        .call(0x0800, 0, 0, 0)
        .run();
    assert_eq!(run.last().al(), b'Z');
}
