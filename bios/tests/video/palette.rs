//! AH=0Bh and 10h.

use crate::bench::{BUFFER, Bench, Registers};

#[test]
fn attribute_registers_are_set_and_read() {
    let registers = |ax| Registers { ax, dx: 0x40, ..Registers::default() };
    let run = Bench::mode(3)
        .with_buffer(&[])
        .call(0x1000, 0x2A03, 0, 0)
        .call(0x1001, 0x0900, 0, 0)
        .call(0x1003, 0x0000, 0, 0)
        .call(0x1007, 0x0003, 0, 0)
        .call(0x1008, 0, 0, 0)
        .call(0x1007, 0x0010, 0, 0)
        .call_with(registers(0x1009))
        .run();
    assert_eq!((run.answer(4).bh(), run.answer(5).bh(), run.answer(6).bh()), (0x2A, 0x09, 0x04));
    let all: [u8; 17] = run.machine.memory().read_array(BUFFER + 0x40);
    assert_eq!(all, [0, 1, 2, 0x2A, 4, 5, 0x14, 7, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 9]);
}

#[test]
fn all_attribute_registers_at_once() {
    let values: Vec<u8> = (0x20..0x31).collect();
    let run = Bench::mode(3).with_buffer(&values).call(0x1002, 0, 0, 0).attribute(0x0F).attribute(0x11).run();
    assert_eq!((run.answer(3).al(), run.answer(6).al()), (0x2F, 0x30));
}

#[test]
fn dac_registers_are_set_and_read() {
    let run = Bench::mode(0x13)
        .with_buffer(&[1, 2, 3, 4, 5, 6])
        .call(0x1010, 0x0080, 0x2030, 0x1000)
        .call(0x1015, 0x0080, 0, 0)
        .call(0x1012, 0x00FE, 2, 0)
        .call(0x1015, 0x00FF, 0, 0)
        .call_with(Registers { ax: 0x1017, bx: 0xFE, cx: 2, dx: 6, ..Registers::default() })
        .call(0x1018, 0x0055, 0, 0)
        .call(0x1019, 0, 0, 0)
        .run();
    assert_eq!((run.answer(2).dx >> 8, run.answer(2).cx), (0x10, 0x2030));
    assert_eq!((run.answer(4).dx >> 8, run.answer(4).cx), (4, 0x0506));
    assert_eq!(run.buffer(), [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]);
    assert_eq!(run.last().bx, 0x0055);
}

#[test]
fn colours_are_summed_to_greys() {
    let run = Bench::mode(0x13).call(0x101B, 4, 1, 0).call(0x1015, 4, 0, 0).call(0x1015, 5, 0, 0).run();
    // Red, 2Ah of it: 30 %.
    assert_eq!((run.answer(2).dx >> 8, run.answer(2).cx), (13, 0x0D0D));
    assert_eq!((run.answer(3).dx >> 8, run.answer(3).cx), (0x2A, 0x002A), "only one register");
}

#[test]
fn a_mode_set_can_keep_the_palette_or_make_it_grey() {
    let run = Bench::mode(3)
        .call(0x1010, 0x0007, 0x0102, 0x0300)
        .call(0x1201, 0x0031, 0, 0)
        .call(0x0003, 0, 0, 0)
        .call(0x1015, 0x0007, 0, 0)
        .call(0x1200, 0x0031, 0, 0)
        .call(0x1200, 0x0033, 0, 0)
        .call(0x0003, 0, 0, 0)
        .call(0x1015, 0x0004, 0, 0)
        .run();
    assert_eq!((run.answer(4).dx >> 8, run.answer(4).cx), (3, 0x0102));
    assert_eq!((run.last().dx >> 8, run.last().cx), (13, 0x0D0D));
}

#[test]
fn dac_pages() {
    let run = Bench::mode(3)
        .call(0x1013, 0x0201, 0, 0)
        .call(0x101A, 0, 0, 0)
        .call(0x1013, 0x0100, 0, 0)
        .call(0x1013, 0x0B01, 0, 0)
        .call(0x101A, 0, 0, 0)
        .run();
    assert_eq!((run.answer(2).bx, run.last().bx), (0x0200, 0x0B01));
}

#[test]
fn cga_palettes_and_background() {
    let run = Bench::mode(4)
        .call(0x0B00, 0x0100, 0, 0)
        .call(0x0B00, 0x001C, 0, 0)
        .call(0x1007, 0x0000, 0, 0)
        .call(0x1007, 0x0001, 0, 0)
        .call(0x1007, 0x0003, 0, 0)
        .call(0x0B00, 0x0101, 0, 0)
        .call(0x1007, 0x0003, 0, 0)
        .run();
    let values = [3, 4, 5, 7].map(|n| run.answer(n).bh());
    assert_eq!(values, [0x14, 0x12, 0x16, 0x17]);
    assert_eq!(run.byte(0x466), 0x3C);
}
