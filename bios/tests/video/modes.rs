//! Mode sets: registers and the BIOS data area.

use crate::bench::Bench;

/// Mode, columns, rows, rows of a character, page size, start of display memory.
#[rustfmt::skip]
const MODES: [(u8, u16, u8, u16, u16, u32); 15] = [
    (0x00, 40, 25, 16, 0x0800, 0xB_8000), (0x01, 40, 25, 16, 0x0800, 0xB_8000),
    (0x02, 80, 25, 16, 0x1000, 0xB_8000), (0x03, 80, 25, 16, 0x1000, 0xB_8000),
    (0x04, 40, 25, 8, 0x4000, 0xB_8000),  (0x05, 40, 25, 8, 0x4000, 0xB_8000),
    (0x06, 80, 25, 8, 0x4000, 0xB_8000),  (0x07, 80, 25, 16, 0x1000, 0xB_0000),
    (0x0D, 40, 25, 8, 0x2000, 0xA_0000),  (0x0E, 80, 25, 8, 0x4000, 0xA_0000),
    (0x0F, 80, 25, 14, 0x8000, 0xA_0000), (0x10, 80, 25, 14, 0x8000, 0xA_0000),
    (0x11, 80, 30, 16, 0xA000, 0xA_0000), (0x12, 80, 30, 16, 0xA000, 0xA_0000),
    (0x13, 40, 25, 8, 0x2000, 0xA_0000),
];

#[test]
fn every_mode_fills_the_data_area_and_clears_memory() {
    for (mode, columns, rows, height, page_size, memory) in MODES {
        let blank = if mode < 4 || mode == 7 { 0x20 } else { 0x00 };
        let run = Bench::mode(0x03)
            .poke(memory + 4, 0x55)
            .call(mode.into(), 0, 0, 0)
            .peek(memory + 4)
            .call(0x0F00, 0, 0, 0)
            .run();
        assert_eq!(run.byte(0x449), mode);
        assert_eq!(
            (run.word(0x44A), run.byte(0x484) + 1, run.word(0x485)),
            (columns, rows, height),
            "{mode:#x}"
        );
        assert_eq!((run.word(0x44C), run.word(0x44E), run.byte(0x462)), (page_size, 0, 0), "{mode:#x}");
        let crtc = if matches!(mode, 0x07 | 0x0F) { 0x3B4 } else { 0x3D4 };
        assert_eq!((run.word(0x463), run.byte(0x487)), (crtc, 0x60), "{mode:#x}");
        assert_eq!(run.answer(2).al(), blank, "mode {mode:#x} clears memory");
        let [columns, _] = columns.to_le_bytes();
        assert_eq!((run.last().ax, run.last().bh()), (u16::from_le_bytes([mode, columns]), 0));
        let kind = match mode {
            6 => 0x3F,
            0..=7 => 0x30,
            _ => 0x20,
        };
        assert_eq!(run.answer(1).al(), kind, "AL after setting mode {mode:#x}");
    }
}

#[test]
fn bit_7_keeps_memory() {
    let run = Bench::mode(0x93)
        .poke(0xA_0004, 0x55)
        .call(0x0093, 0, 0, 0)
        .peek(0xA_0004)
        .call(0x0F00, 0, 0, 0)
        .run();
    assert_eq!(run.answer(2).al(), 0x55);
    assert_eq!((run.last().al(), run.byte(0x449), run.byte(0x487)), (0x93, 0x13, 0xE0));
}

#[test]
fn what_is_not_a_mode_changes_nothing() {
    for mode in [0x08, 0x0C, 0x14, 0x7F] {
        let mut run = Bench::mode(0x03).print("here", 7).call(mode, 0, 0, 0).run();
        assert_eq!((run.byte(0x449), run.row(0).as_str()), (0x03, "here"));
    }
}

#[test]
fn text_modes_have_200_350_or_400_lines() {
    for (choice, height, dots) in [(0, 8, 200), (1, 14, 350), (2, 16, 400)] {
        let mut run = Bench::default().call(0x1200 | choice, 0x0030, 0, 0).call(0x0003, 0, 0, 0).run();
        assert_eq!((run.answer(0).al(), run.word(0x485)), (0x12, height));
        let picture = run.picture();
        assert_eq!(picture.height, if dots == 200 { 400 } else { dots }, "{dots} lines");
        assert_eq!(picture.width, if height == 16 { 720 } else { 640 });
    }
}

#[test]
fn mode_3_has_the_standard_registers() {
    let mut bench = Bench::mode(0x03).read(0x3CC);
    for index in [0x00, 0x06, 0x09, 0x0A, 0x0B, 0x11, 0x13, 0x17] {
        bench = bench.register(0x3D4, index);
    }
    let run = bench.register(0x3C4, 4).register(0x3CE, 6).attribute(0x10).run();
    assert_eq!(run.answer(1).al(), 0x67);
    let values: [u8; 8] = std::array::from_fn(|n| run.answer(2 + n).al());
    assert_eq!(values, [0x5F, 0xBF, 0x4F, 0x0D, 0x0E, 0x8E, 0x28, 0xA3]);
    assert_eq!((run.answer(10).al(), run.answer(11).al()), (0x02, 0x0E));
    assert_eq!(run.answer(13).al(), 0x0C, "attribute mode control");
}
