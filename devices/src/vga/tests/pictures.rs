//! Pictures of the modes.

use super::modes::{CGA_4, CGA_6, EGA_D, MONO_7, Mode, TEXT_40, TEXT_80, VGA_12, VGA_13};
use super::*;

const BLACK: u32 = 0x00_0000;
const BLUE: u32 = 0x00_00AA;
const GREEN: u32 = 0x00_AA00;
const CYAN: u32 = 0x00_AAAA;
const OLIVE: u32 = 0xAA_AA00;
const GREY: u32 = 0xAA_AAAA;
const YELLOW: u32 = 0xFF_FF55;
const WHITE: u32 = 0xFF_FFFF;

fn start(mode: &Mode, grey: bool) -> (VgaBench, Picture) {
    let mut bench = Bench::new(Vga::new());
    bench.set_mode(mode).set_dac(grey);
    let picture = bench.picture();
    (bench, picture)
}

impl VgaBench {
    fn picture(&self) -> Picture {
        let mut picture = Picture::new();
        self.device.draw(&mut picture, self.now);
        picture
    }

    /// Draws again; all that was not drawn must be as in a new picture.
    #[track_caller]
    fn again(&self, picture: &mut Picture) -> Drawn {
        let drawn = self.device.draw(picture, self.now);
        let fresh = self.picture();
        assert_eq!((picture.width, picture.height), (fresh.width, fresh.height));
        assert!(picture.pixels == fresh.pixels, "what has not changed is right");
        drawn
    }

    /// Gives character 41h this line in all rows of the first font.
    fn letter(&mut self, dots: u8) -> &mut Self {
        for line in 0..32 {
            self.device.memory.set_word(0x41 * 32 + line, u32::from(dots) << 16);
        }
        self
    }
}

fn row(picture: &Picture, row: usize, columns: std::ops::Range<usize>) -> Vec<u32> {
    picture.pixels[row * picture.width..][columns].to_vec()
}

#[test]
fn characters_have_nine_dots_and_two_colours() {
    let (mut bench, mut picture) = start(&TEXT_80, false);
    assert_eq!((picture.width, picture.height, picture.aspect()), (720, 400, (4, 3)));
    bench.letter(0b1010_0001).poke(0xB_8000 + 160, 0x41).poke(0xB_8000 + 161, 0x1E);
    assert_eq!(bench.again(&mut picture), Drawn { resized: false, rows: 16..32 });
    let expected = [YELLOW, BLUE, YELLOW, BLUE, BLUE, BLUE, BLUE, YELLOW, BLUE, BLACK];
    assert_eq!(row(&picture, 20, 0..10), expected);
    assert!(bench.again(&mut picture).is_empty());
}

#[test]
fn line_graphics_go_on_into_the_ninth_dot() {
    let (mut bench, _) = start(&TEXT_80, false);
    for code in [0xBF, 0xC4, 0xE0] {
        bench.device.memory.set_word(code * 32, 0xFF << 16);
    }
    for (column, code) in (0..).zip([0xBF, 0xC4, 0xE0]) {
        bench.poke(0xB_8000 + 2 * column, code).poke(0xB_8001 + 2 * column, 7);
    }
    let picture = bench.picture();
    let ninth = [8, 17, 26].map(|dot| picture.pixels[dot]);
    assert_eq!(ninth, [BLACK, GREY, BLACK]);
}

#[test]
fn the_cursor_and_blinking_characters_blink() {
    let (mut bench, mut picture) = start(&TEXT_80, false);
    bench.letter(0xFF).poke(0xB_8000, 0x41).poke(0xB_8001, 0x87).poke(0xB_8003, 0x02);
    bench.set(0x3D4, 0x0A, 13).set(0x3D4, 0x0B, 14).set(0x3D4, 0x0F, 1);
    let (mut letters, mut cursors, mut changes) = (0, 0, 0);
    // 64 frames of 449 lines at 31.47 kHz.
    for _ in 0..64 {
        bench.advance(Tick(Tick::SECOND.0 * 449 / 31_469));
        changes += u32::from(!bench.again(&mut picture).is_empty());
        letters += u32::from(picture.pixels[0] == GREY);
        cursors += u32::from(row(&picture, 13, 9..11) == [GREEN, GREEN]);
        assert_eq!(row(&picture, 12, 9..11), [BLACK, BLACK]);
    }
    assert_eq!((letters, cursors), (32, 32));
    assert!((7..=9).contains(&changes), "{changes}");
    bench.from(0x3DA);
    bench.port(0x3C0, 0x30).port(0x3C0, 0x04);
    bench.again(&mut picture);
    assert_eq!(row(&picture, 0, 8..9), [0x55_5555], "bright background instead");
}

#[test]
fn monochrome_text_is_underlined() {
    let (mut bench, _) = start(&MONO_7, false);
    for (column, attribute) in (0..).zip([0x01, 0x07, 0x09]) {
        bench.poke(0xB_0000 + 2 * column, 0x20).poke(0xB_0001 + 2 * column, attribute);
    }
    let picture = bench.picture();
    assert_eq!(row(&picture, 0x0C, 0..27), [BLACK; 27]);
    let underlines = [0, 9, 18].map(|dot| row(&picture, 0x0D, dot..dot + 9).iter().all(|dot| *dot != BLACK));
    assert_eq!(underlines, [true, false, true]);
}

#[test]
fn two_fonts() {
    let (mut bench, _) = start(&TEXT_80, false);
    bench.set(0x3C4, 3, 0x04);
    bench.device.memory.set_word(0x4000 + 0x41 * 32, 0xFF << 16);
    for (column, attribute) in (0..).zip([0x07, 0x0F]) {
        bench.poke(0xB_8000 + 2 * column, 0x41).poke(0xB_8001 + 2 * column, attribute);
    }
    let picture = bench.picture();
    assert_eq!([picture.pixels[0], picture.pixels[9]], [BLACK, WHITE]);
}

#[test]
fn forty_columns_are_twice_as_wide() {
    let (mut bench, _) = start(&TEXT_40, false);
    bench.letter(0b0100_0000).poke(0xB_8000, 0x41).poke(0xB_8001, 7);
    let picture = bench.picture();
    assert_eq!((picture.width, picture.height), (720, 400));
    assert_eq!(row(&picture, 3, 0..6), [BLACK, BLACK, GREY, GREY, BLACK, BLACK]);
}

#[test]
fn cga_modes_interleave_their_lines() {
    let (mut bench, mut picture) = start(&CGA_4, false);
    assert_eq!((picture.width, picture.height), (640, 400));
    bench.poke(0xB_8000, 0b00_01_10_11).poke(0xB_8001, 0b11_00_00_00).poke(0xB_A000, 0xFF);
    assert_eq!(bench.again(&mut picture).rows, 0..4);
    let (green, red, brown) = (0x00_FFAA, 0xAA_55AA, 0xAA_FFAA);
    let first = [BLACK, BLACK, green, green, red, red, brown, brown, brown, brown, BLACK, BLACK];
    assert_eq!(row(&picture, 0, 0..12), first);
    assert_eq!(row(&picture, 1, 0..12), first, "200 lines are scanned twice");
    assert_eq!(
        row(&picture, 2, 0..10),
        [brown, brown, brown, brown, brown, brown, brown, brown, BLACK, BLACK]
    );
    let (mut bench, _) = start(&CGA_6, false);
    bench.poke(0xB_8000 + 80, 0x81).poke(0xB_A000 + 80, 0x40);
    let picture = bench.picture();
    assert_eq!(row(&picture, 4, 0..9), [brown, 0, 0, 0, 0, 0, 0, brown, 0]);
    assert_eq!(row(&picture, 6, 0..9), [0, brown, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn planar_modes_put_four_planes_together() {
    let (mut bench, mut picture) = start(&VGA_12, false);
    assert_eq!((picture.width, picture.height), (640, 480));
    bench.set(0x3C4, 2, 0b0011).poke(0xA_0000 + 80 * 479 + 79, 0b1000_0001);
    assert_eq!(bench.again(&mut picture).rows, 479..480);
    assert_eq!(row(&picture, 479, 632..640), [CYAN, 0, 0, 0, 0, 0, 0, CYAN]);
    let (mut low, _) = start(&EGA_D, false);
    low.set(0x3C4, 2, 0b0110).poke(0xA_0000 + 40, 0x40);
    let low = low.picture();
    assert_eq!((low.width, low.height), (640, 400));
    assert_eq!(row(&low, 2, 0..6), [BLACK, BLACK, OLIVE, OLIVE, BLACK, BLACK]);
    assert_eq!(row(&low, 3, 2..3), [OLIVE]);
}

#[test]
fn mode_13h_has_256_colours_and_the_mask() {
    let (mut bench, mut picture) = start(&VGA_13, true);
    assert_eq!((picture.width, picture.height), (640, 400));
    bench.write(Space::Memory, 1, 320 * 100 + 4, Width::Dword, 0xFF80_4020);
    assert_eq!(bench.again(&mut picture).rows, 200..202);
    let greys = [0x20_2020, 0x20_2020, 0x41_4141, 0x41_4141, 0x82_8282, 0x82_8282, WHITE, WHITE];
    assert_eq!(row(&picture, 201, 8..16), greys);
    bench.port(0x3C6, 0x3F);
    assert_eq!(bench.again(&mut picture).rows, 0..400);
    assert_eq!(row(&picture, 200, 10..16), [0, 0, 0, 0, 0x3C_3C3C, 0x3C_3C3C]);
}
