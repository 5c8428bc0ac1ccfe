//! VBE modes and the PCI function.

use super::pictures::row;
use super::*;
use emu_core::Effect;

impl VgaBench {
    fn vbe(&mut self, index: u64, value: u64) -> &mut Self {
        self.write(Space::Port, 2, 0, Width::Word, index).write(Space::Port, 2, 1, Width::Word, value)
    }

    fn vbe_read(&mut self, index: u64) -> u64 {
        self.write(Space::Port, 2, 0, Width::Word, index).read(Space::Port, 2, 1, Width::Word)
    }

    /// A mode with the palette given to the display, as the BIOS leaves it.
    pub(super) fn vbe_mode(&mut self, width: u64, height: u64, bits: u64) -> &mut Self {
        self.vbe(4, 0).vbe(1, width).vbe(2, height).vbe(3, bits).vbe(4, 0x41);
        self.port(0x3C2, 0x67).from(0x3DA);
        self.port(0x3C0, 0x20)
    }

    fn config(&mut self, at: u64, value: u64) -> &mut Self {
        self.write(Space::Config, 0, at, Width::Dword, value)
    }

    fn video(&self, offset: u64, bytes: &[u8]) {
        self.memory.fill_block(VIDEO, offset, bytes);
    }
}

#[test]
fn the_interface_tells_itself() {
    let mut bench = powered_on();
    assert_eq!((bench.vbe_read(0), bench.vbe_read(10)), (0xB0C5, 1024));
    assert_eq!(bench.vbe(0, 0xB0C2).vbe_read(0), 0xB0C2);
    assert_eq!(bench.vbe(0, 0x1234).vbe_read(0), 0xB0C2, "no such version");
    bench.vbe(4, 2);
    assert_eq!([1, 2, 3].map(|index| bench.vbe_read(index)), [3840, 2160, 32]);
    bench.vbe(4, 0).vbe(1, 9999).vbe(2, 9999).vbe(3, 7);
    assert_eq!([1, 2, 3].map(|index| bench.vbe_read(index)), [3840, 2160, 8]);
    assert_eq!(bench.vbe(11, 5).vbe_read(11), 0, "no such register");
}

#[test]
fn packed_pixels_of_all_depths() {
    let pixels: [(u64, &[u8], u32); 5] = [
        (8, &[0x2A], 0x00_AA00),
        (15, &[0xE0, 0x7F], 0xFF_FF00),
        (16, &[0x1F, 0xF8], 0xFF_00FF),
        (24, &[0x12, 0x34, 0x56], 0x56_3412),
        (32, &[0x12, 0x34, 0x56, 0x78], 0x56_3412),
    ];
    for (bits, bytes, colour) in pixels {
        let mut bench = powered_on();
        bench.set_dac(false).port(0x3C8, 0x2A).port(0x3C9, 0).port(0x3C9, 0x2A).port(0x3C9, 0);
        let mut picture = bench.vbe_mode(640, 480, bits).picture();
        assert_eq!((picture.width, picture.height, picture.aspect()), (640, 480, (640, 480)));
        let at = (640 * 479 + 639) * bytes.len() as u64;
        bench.video(at, bytes);
        assert_eq!(bench.again(&mut picture), Drawn { resized: false, rows: 479..480 }, "{bits}");
        assert_eq!(row(&picture, 479, 638..640), [0, colour], "{bits}");
        assert!(bench.again(&mut picture).is_empty());
    }
}

#[test]
fn the_virtual_screen_moves() {
    let mut bench = powered_on();
    bench.vbe_mode(640, 400, 16).vbe(6, 1024).vbe(8, 10).vbe(9, 3);
    bench.video((1024 * 3 + 10) * 2, &[0xFF, 0xFF]);
    assert_eq!(row(&bench.picture(), 0, 0..2), [0xFF_FFFF, 0]);
    assert_eq!(bench.vbe_read(7), (VIDEO_MEMORY / 2048).min(0xFFFF));
    bench.vbe(8, 0xFFFF).vbe(9, 0xFFFF);
    assert_eq!((bench.vbe_read(8), bench.vbe_read(9)), (1024 - 640, VIDEO_MEMORY / 2048 - 400));
    bench.vbe(6, 0);
    assert_eq!((bench.vbe_read(6), bench.vbe_read(8)), (640, 0), "not narrower than the screen");
}

#[test]
fn banks_and_the_frame_buffer_are_one_memory() {
    let mut bench = mode_3();
    bench.poke(0xB_8000, b'A').vbe_mode(800, 600, 32).vbe(5, 3);
    bench.write(Space::Memory, 1, 0x1234, Width::Dword, 0x1122_3344);
    let mut bytes = [0; 4];
    bench.memory.block(VIDEO).read(0x3_1234, &mut bytes);
    assert_eq!(bytes, [0x44, 0x33, 0x22, 0x11]);
    assert_eq!(bench.read(Space::Memory, 1, 0x1235, Width::Word), 0x2233);
    assert_eq!((bench.peek(0xB_8000), bench.device.text_screen()), (0xFF, None));
    // Off and on again without clearing, then with.
    bench.vbe(4, 0).vbe(4, 0xC1);
    bench.memory.block(VIDEO).read(0x3_1234, &mut bytes);
    assert_eq!(bytes, [0x44, 0x33, 0x22, 0x11]);
    bench.vbe(4, 0).vbe(4, 0x41);
    bench.memory.block(VIDEO).read(0x3_1234, &mut bytes);
    assert_eq!(bytes, [0; 4]);
    bench.vbe(4, 0);
    assert_eq!(bench.peek(0xB_8000), b'A', "the planes are another memory");
}

#[test]
fn four_bits_are_four_planes_with_banks() {
    let mut bench = planar();
    bench.set_dac(false).vbe_mode(1280, 1024, 4).set(0x3C4, 2, 5);
    let mut picture = bench.picture();
    assert_eq!((picture.width, picture.height, picture.aspect()), (1280, 1024, (1280, 1024)));
    let at = 160 * 1023 + 159;
    bench.vbe(5, at >> 16).poke(0xA_0000 + (at & 0xFFFF), 0x01);
    assert_eq!(bench.again(&mut picture).rows, 1023..1024);
    assert_eq!(row(&picture, 1023, 1278..1280), [0, 0xAA_00AA]);
    bench.check_save_restore(Vga::new(VIDEO));
    bench.vbe(6, 1600).vbe(8, 3);
    bench.vbe(5, 0).poke(0xA_0000, 0x10);
    assert_eq!(row(&bench.picture(), 0, 0..2), [0xAA_00AA, 0]);
}

#[test]
fn the_dac_can_have_eight_bits() {
    let mut bench = powered_on();
    bench
        .vbe_mode(640, 480, 8)
        .vbe(4, 0x61)
        .port(0x3C8, 0)
        .port(0x3C9, 0x81)
        .port(0x3C9, 0x42)
        .port(0x3C9, 0xFF);
    assert_eq!(bench.picture().pixels[0], 0x81_42FF);
    bench.port(0x3C7, 0);
    assert_eq!(bench.from(0x3C9), 0x81);
    bench.vbe(4, 0x41);
    assert_eq!(bench.picture().pixels[0], 0x04_08FF);
}

#[test]
fn a_blanked_mode_is_dark_and_keeps_its_size() {
    let mut bench = powered_on();
    let mut picture = bench.vbe_mode(800, 600, 32).picture();
    bench.video(0, &[0xFF; 4]);
    bench.again(&mut picture);
    bench.from(0x3DA);
    bench.port(0x3C0, 0);
    assert_eq!(bench.again(&mut picture), Drawn { resized: false, rows: 0..600 });
    assert_eq!((picture.width, picture.pixels[0]), (800, 0));
}

#[test]
fn the_bars_put_the_regions_somewhere() {
    let mut bench = powered_on();
    assert_eq!(bench.read(Space::Config, 0, 0, Width::Dword), 0x1111_1234);
    assert_eq!(bench.read(Space::Config, 0, 8, Width::Dword), 0x0300_0000);
    for (bar, size) in [(0x10, !(VIDEO_MEMORY - 1) & 0xFFFF_FFFF | 8), (0x14, 0), (0x18, 0xFFFF_F000)] {
        assert_eq!(bench.config(bar, u64::MAX).read(Space::Config, 0, bar, Width::Dword), size);
    }
    bench.config(0x10, 0xE000_0000).config(0x18, 0xFEBF_0000);
    bench.effects.clear();
    bench.config(4, 3);
    let window = |region, base| Effect::Window { region, base: Some(base) };
    assert_eq!(bench.effects, [window(FRAME_BUFFER, 0xE000_0000), window(REGISTERS, 0xFEBF_0000)]);
    bench.effects.clear();
    bench.config(4, 1);
    assert!(bench.effects.iter().all(|effect| matches!(effect, Effect::Window { base: None, .. })));
}

#[test]
fn registers_in_memory() {
    let mut bench = mode_3();
    let mut at = |offset, width| bench.read(Space::Memory, REGISTERS, offset, width);
    assert_eq!((at(0, Width::Word), at(1, Width::Byte)), (0xFF00, 0xFF));
    assert_eq!(at(0x500, Width::Word), 0xB0C5);
    assert_eq!(at(0x600, Width::Word), 0);
    bench.write(Space::Memory, REGISTERS, 0x502, Width::Word, 800);
    assert_eq!(bench.vbe_read(1), 800);
    // CRTC index and data in one word: 3D4h and 3D5h.
    bench.write(Space::Memory, REGISTERS, 0x414, Width::Word, 0x420E);
    assert_eq!(bench.get(0x3D4, 0x0E), 0x42);
    assert_eq!(bench.read(Space::Memory, REGISTERS, 0x415, Width::Byte), 0x42);
}
