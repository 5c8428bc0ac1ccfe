//! AH=12h, 1Ah, 1Bh and 1Ch.

use crate::bench::{Bench, Registers};

#[test]
fn the_adapter_is_a_vga_with_256_kib() {
    let run = Bench::mode(3).call(0x1A00, 0, 0, 0).call(0x1200, 0x0010, 0, 0).run();
    assert_eq!((run.answer(1).al(), run.answer(1).bx), (0x1A, 0x0008));
    assert_eq!((run.answer(2).bx, run.answer(2).cx), (0x0003, 0x0F09));
    assert_eq!(run.word(0x410) & 0x30, 0x20);
    let table = u64::from(run.word(0x4AA)) * 16 + u64::from(run.word(0x4A8));
    let parameters: [u8; 4] = run.machine.memory().read_array(table);
    let parameters = u32::from_le_bytes(parameters);
    let mode_3 = u64::from(parameters >> 16) * 16 + u64::from(parameters & 0xFFFF) + 24 * 64;
    assert_eq!(run.machine.memory().read_array(mode_3), [80, 24, 16, 0, 0x10]);
}

#[test]
fn functionality_is_told() {
    let run = Bench::mode(0x12).call(0x1B00, 0, 0, 0).run();
    let told: [u8; 64] = run.buffer();
    assert_eq!(run.last().al(), 0x1B);
    assert_eq!((told[4], u16::from_le_bytes([told[5], told[6]])), (0x12, 80));
    assert_eq!(
        (told[0x22], told[0x23], told[0x25], told[0x27], told[0x29], told[0x2A]),
        (30, 16, 8, 16, 1, 3)
    );
    assert_eq!(told[0x31], 3, "256 KiB");
    let pointer = u32::from_le_bytes([told[0], told[1], told[2], told[3]]);
    let table = u64::from(pointer >> 16) * 16 + u64::from(pointer & 0xFFFF);
    assert_eq!(run.machine.memory().read_array(table), [0xFF, 0xE0, 0x0F]);
    let run = Bench::mode(3).call(0x1B00, 0, 0, 0).run();
    let told: [u8; 64] = run.buffer();
    assert_eq!((told[0x22], told[0x27], told[0x29], told[0x2A]), (25, 16, 8, 2));
}

#[test]
fn state_comes_back() {
    let state = |al: u16| Registers { ax: 0x1C00 | al, bx: 0x100, cx: 7, ..Registers::default() };
    let mut before =
        Bench::mode(0x12).cursor(2, 2).call(0x1010, 0x003F, 0x1020, 0x3000).print("state", 15).run();
    let mut after = Bench::mode(0x12)
        .cursor(2, 2)
        .call(0x1010, 0x003F, 0x1020, 0x3000)
        .print("state", 15)
        .call_with(state(0))
        .call_with(state(1))
        .call(0x0093, 0, 0, 0)
        .call(0x1000, 0x0105, 0, 0)
        .call(0x1010, 0x003F, 0, 0)
        .call_with(state(2))
        .run();
    assert_eq!(after.answer(8).bx, 1 + 1 + 13);
    assert!(after.picture().pixels == before.picture().pixels, "another picture");
    let area = |run: &crate::bench::Run| run.machine.memory().read_array::<34>(0x449);
    assert_eq!(area(&after), area(&before));
}

#[test]
fn the_screen_can_be_turned_off() {
    let mut lit =
        Bench::mode(3).print("light", 7).call(0x1201, 0x0036, 0, 0).call(0x1200, 0x0036, 0, 0).run();
    assert!(lit.picture().pixels.iter().any(|pixel| *pixel != 0));
    let mut dark = Bench::mode(3).print("light", 7).call(0x1201, 0x0036, 0, 0).run();
    assert_eq!(dark.last().al(), 0x12);
    assert!(dark.picture().pixels.iter().all(|pixel| *pixel == 0));
}
