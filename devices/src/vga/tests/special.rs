//! What programs do to the standard modes: panning, splitting, flipping, other geometries.

use super::modes::{MONO_7, TEXT_80, VGA_12, VGA_13};
use super::pictures::{row, start};
use super::*;

/// Mode 13h without chaining: 320x240 with square pixels, as games set it ("mode X").
fn mode_x() -> (VgaBench, Picture) {
    let (mut bench, _) = start(&VGA_13, true);
    bench.set(0x3C4, 4, 6).port(0x3C2, 0xE3).set(0x3D4, 0x11, 0);
    let vertical = [
        (0x06, 0x0D),
        (0x07, 0x3E),
        (0x10, 0xEA),
        (0x11, 0xAC),
        (0x12, 0xDF),
        (0x14, 0),
        (0x15, 0xE7),
        (0x16, 0x06),
        (0x17, 0xE3),
    ];
    for (index, value) in vertical {
        bench.set(0x3D4, index, value);
    }
    let picture = bench.picture();
    (bench, picture)
}

fn grey(level: u32) -> u32 {
    let six = level >> 2;
    (six << 2 | six >> 4) * 0x01_0101
}

#[test]
fn mode_x_has_a_plane_for_each_fourth_pixel() {
    let (mut bench, mut picture) = mode_x();
    assert_eq!((picture.width, picture.height), (640, 480));
    bench.set(0x3C4, 2, 0b0100).poke(0xA_0000 + 80 * 239, 0x80);
    assert_eq!(bench.again(&mut picture).rows, 478..480);
    assert_eq!(row(&picture, 479, 3..7), [0, grey(0x80), grey(0x80), 0]);
}

#[test]
fn the_start_address_waits_for_the_retrace() {
    let (mut bench, mut picture) = mode_x();
    bench.set(0x3C4, 2, 0x0F).poke(0xA_0000, 0x40).poke(0xA_4B00, 0xFC);
    bench.again(&mut picture);
    let frame = Tick(Tick::SECOND.0 * 526 / 31_469);
    bench.set(0x3D4, 0x0C, 0x4B).set(0x3D4, 0x0D, 0x00);
    bench.again(&mut picture);
    assert_eq!(picture.pixels[0], grey(0x40), "the frame is not over");
    bench.check_save_restore(Vga::new(VIDEO));
    bench.advance(frame).again(&mut picture);
    assert_eq!(picture.pixels[0], grey(0xFC));
}

#[test]
fn a_split_screen_begins_at_zero_and_need_not_pan() {
    let (mut bench, _) = start(&VGA_12, false);
    bench.set(0x3C4, 2, 0x0F).poke(0xA_0000, 0xF0).poke(0xA_0000 + 80 * 100, 0x18);
    // Start at row 100; from line 300 on, row 0.
    bench.set(0x3D4, 0x0C, 0x1F).set(0x3D4, 0x0D, 0x40);
    bench.set(0x3D4, 0x18, 0x2B).set(0x3D4, 0x07, 0x3E).set(0x3D4, 0x09, 0x00);
    bench.advance(Tick::SECOND);
    let white = 0xFF_FFFF;
    let picture = bench.picture();
    assert_eq!(row(&picture, 0, 2..6), [0, white, white, 0]);
    assert_eq!(row(&picture, 300, 0..5), [white, white, white, white, 0]);
    assert_eq!(row(&picture, 299, 0..5), [0; 5]);
    bench.from(0x3DA);
    bench.port(0x3C0, 0x33).port(0x3C0, 2);
    let picture = bench.picture();
    assert_eq!(
        (row(&picture, 0, 0..3), row(&picture, 300, 0..3)),
        (vec![0, white, white], vec![white, white, 0])
    );
    bench.port(0x3C0, 0x30).port(0x3C0, 0x21);
    assert_eq!(row(&bench.picture(), 300, 0..5), [white, white, white, white, 0]);
}

#[test]
fn panning_shows_the_column_after_the_last() {
    let (mut bench, mut picture) = start(&VGA_12, false);
    bench.set(0x3C4, 2, 0x0F).poke(0xA_0000 + 80, 0x80);
    bench.again(&mut picture);
    assert_eq!(picture.pixels[639], 0);
    bench.from(0x3DA);
    bench.port(0x3C0, 0x33).port(0x3C0, 1);
    bench.again(&mut picture);
    assert_eq!((picture.pixels[639], picture.pixels[640]), (0xFF_FFFF, 0));
    bench.port(0x3C0, 0x33).port(0x3C0, 0).set(0x3D4, 8, 0x20);
    bench.again(&mut picture);
    assert_eq!(picture.pixels[632], 0xFF_FFFF, "byte panning");
}

#[test]
fn text_scrolls_smoothly() {
    let (mut bench, _) = start(&TEXT_80, false);
    bench.letter_at(0xB_8000, 5);
    assert_eq!(bench.picture().pixels[5 * 720], 0xAA_AAAA);
    bench.set(0x3D4, 8, 4);
    let picture = bench.picture();
    assert_eq!((picture.pixels[720], picture.pixels[5 * 720]), (0xAA_AAAA, 0));
    // In nine-dot modes 8 is no panning, and 0 is one dot.
    bench.from(0x3DA);
    bench.port(0x3C0, 0x33).port(0x3C0, 0);
    assert_eq!(
        row(&bench.picture(), 1, 0..9),
        [0xAA_AAAA, 0xAA_AAAA, 0xAA_AAAA, 0xAA_AAAA, 0xAA_AAAA, 0xAA_AAAA, 0xAA_AAAA, 0, 0]
    );
}

impl VgaBench {
    /// A letter with eight dots in one line.
    fn letter_at(&mut self, address: u64, line: u32) -> &mut Self {
        self.device.memory.set_word(0x41 * 32 + line, 0xFF << 16);
        self.poke(address, 0x41).poke(address + 1, 7)
    }
}

#[test]
fn the_colour_select_register_changes_palettes() {
    let (mut bench, _) = start(&VGA_12, true);
    bench.set(0x3C4, 2, 0x0F).poke(0xA_0000, 0xFF);
    assert_eq!(bench.picture().pixels[0], grey(0x3F));
    bench.from(0x3DA);
    bench.port(0x3C0, 0x34).port(0x3C0, 0x0E);
    assert_eq!(bench.picture().pixels[0], grey(0xFF), "bits 7 and 6");
    bench.port(0x3C0, 0x30).port(0x3C0, 0x81);
    assert_eq!(bench.picture().pixels[0], grey(0xEF), "bits 5 and 4 too");
    bench.port(0x3C0, 0x32).port(0x3C0, 0x07);
    assert_eq!(bench.picture().pixels[0], grey(0xE7), "colour plane enable");
}

#[test]
fn a_monochrome_adapter_is_at_3bxh() {
    let (mut bench, picture) = start(&MONO_7, false);
    assert_eq!(
        (picture.width, picture.height, bench.get(0x3B4, 0x13), bench.from(0x3DA)),
        (720, 400, 0x28, 0xFF)
    );
}

#[test]
fn no_signal_keeps_the_size() {
    let (mut bench, mut picture) = start(&VGA_12, false);
    bench.set(0x3C4, 2, 0x0F).poke(0xA_0000, 0xFF).set(0x3C4, 0, 1);
    let drawn = bench.device.draw(&mut picture, bench.now, &bench.memory);
    assert_eq!(drawn, Drawn { resized: false, rows: 0..480 });
    assert_eq!((picture.width, picture.height, picture.pixels[0]), (640, 480, 0));
    let mut never = Picture::new();
    powered_on().device.draw(&mut never, Tick::ZERO, &bench.memory);
    assert_eq!((never.width, never.height, never.pixels.len()), (720, 400, 720 * 400));
}

#[test]
fn the_screen_can_be_off() {
    let (mut bench, mut picture) = start(&VGA_12, false);
    bench.set(0x3C4, 2, 0x0F).poke(0xA_0000, 0xFF);
    bench.again(&mut picture);
    bench.set(0x3C4, 1, 0x21);
    bench.again(&mut picture);
    assert_eq!((picture.pixels[0], picture.height), (0, 480));
}

/// Equal counts of writes do not make two adapters one.
#[test]
fn a_picture_of_one_adapter_becomes_one_of_another() {
    let (mut bench, mut picture) = start(&VGA_13, true);
    let (mut other, _) = start(&VGA_13, true);
    bench.poke(0xA_0000, 0x40).again(&mut picture);
    other.poke(0xA_0000, 0x80).again(&mut picture);
    assert_eq!(picture.pixels[0], grey(0x80));
    let saved = bench.device.save();
    other.device.restore(&saved).expect("a state of the same kind");
    other.again(&mut picture);
    assert_eq!(picture.pixels[0], grey(0x40));
}
