use super::*;
use crate::bench::Bench;

mod edid;
mod hostile;
mod modes;
mod pictures;
mod special;
mod vbe;

type VgaBench = Bench<Vga>;

impl VgaBench {
    fn port(&mut self, port: u64, value: u8) -> &mut Self {
        self.outb(port - 0x3B0, value)
    }

    fn from(&mut self, port: u64) -> u8 {
        self.inb(port - 0x3B0)
    }

    /// Writes an indexed register.
    fn set(&mut self, index_port: u64, index: u8, value: u8) -> &mut Self {
        self.port(index_port, index).port(index_port + 1, value)
    }

    fn get(&mut self, index_port: u64, index: u8) -> u8 {
        self.port(index_port, index).from(index_port + 1)
    }

    fn poke(&mut self, address: u64, value: u8) -> &mut Self {
        self.write(Space::Memory, 1, address - 0xA_0000, Width::Byte, value.into())
    }

    fn peek(&mut self, address: u64) -> u8 {
        self.read(Space::Memory, 1, address - 0xA_0000, Width::Byte) as u8
    }

    /// The bytes of the four planes at an address, as the graphics controller reads them.
    fn planes(&mut self, address: u64) -> [u8; 4] {
        self.set(0x3CE, 5, 0);
        [0, 1, 2, 3].map(|plane| self.set(0x3CE, 4, plane).peek(address))
    }
}

/// The block that the bench adds for video memory.
const VIDEO: BlockId = BlockId(1);

fn powered_on() -> VgaBench {
    let mut bench = Bench::new(Vga::new(VIDEO));
    assert_eq!(bench.memory.add_block("video", VIDEO_MEMORY).expect("host memory"), VIDEO);
    bench
}

fn mode_3() -> VgaBench {
    let mut bench = powered_on();
    bench.device.set_mode_3(&[]);
    bench
}

/// Mode 12h as far as the memory is concerned: four planes at A0000h.
fn planar() -> VgaBench {
    let mut bench = mode_3();
    bench.set(0x3C4, 4, 0x06).set(0x3C4, 2, 0x0F).set(0x3CE, 5, 0x00).set(0x3CE, 6, 0x05);
    bench
}

#[test]
fn text_written_at_b8000_is_on_the_screen() {
    let mut bench = mode_3();
    bench.write(Space::Memory, 1, 0x1_8000 + 162, Width::Dword, 0x1F42_1E41);
    bench.set(0x3D4, 0x0E, 0).set(0x3D4, 0x0F, 82);
    let screen = bench.device.text_screen().expect("a text mode");
    assert_eq!((screen.columns, screen.rows, screen.cells.len()), (80, 25, 2000));
    assert_eq!(screen.cells[81], Cell { ch: b'A', attribute: 0x1E });
    assert_eq!(screen.cells[82], Cell { ch: b'B', attribute: 0x1F });
    assert_eq!(screen.cells[0], Cell { ch: b' ', attribute: 0x07 });
    assert_eq!(screen.cursor, Some(Cursor { column: 2, row: 1, start: 13, end: 14 }));
    assert_eq!(bench.read(Space::Memory, 1, 0x1_8000 + 162, Width::Dword), 0x1F42_1E41);
}

#[test]
fn the_start_address_scrolls_and_the_cursor_can_be_off() {
    let mut bench = mode_3();
    bench.poke(0xB_8000 + 160, b'X').set(0x3D4, 0x0D, 80).set(0x3D4, 0x0F, 80);
    let screen = bench.device.text_screen().expect("a text mode");
    assert_eq!(screen.cells[0].ch, b'X');
    assert_eq!(screen.cursor.map(|cursor| (cursor.column, cursor.row)), Some((0, 0)));
    bench.set(0x3D4, 0x0A, 0x20);
    assert_eq!(bench.device.text_screen().and_then(|screen| screen.cursor), None);
    bench.set(0x3CE, 6, 0x05);
    assert_eq!(bench.device.text_screen(), None);
}

#[test]
fn fifty_rows_with_the_small_font() {
    let mut bench = mode_3();
    bench.set(0x3D4, 9, 0x47);
    assert_eq!(bench.device.text_screen().map(|screen| screen.rows), Some(50));
}

#[test]
fn the_font_plane_is_apart_from_the_text() {
    let mut bench = mode_3();
    bench.poke(0xB_8000, b'A').poke(0xB_8001, 0x07);
    bench.set(0x3C4, 2, 0x04).set(0x3C4, 4, 0x06).set(0x3CE, 4, 2).set(0x3CE, 5, 0).set(0x3CE, 6, 0x04);
    for line in 0..32 {
        bench.poke(0xA_0000 + line, 0x5A);
    }
    assert_eq!(bench.planes(0xA_0001), [0, 0, 0x5A, 0]);
    bench.set(0x3C4, 2, 0x03).set(0x3C4, 4, 0x02).set(0x3CE, 4, 0).set(0x3CE, 5, 0x10).set(0x3CE, 6, 0x0E);
    assert_eq!((bench.peek(0xB_8000), bench.peek(0xB_8001)), (b'A', 0x07));
}

#[test]
fn a_kernel_without_firmware_finds_a_font() {
    let mut font = [0; 256 * 16];
    font[0x42 * 16 + 3] = 0x81;
    font[0xFF * 16 + 15] = 0x18;
    let mut bench = powered_on();
    bench.device.set_mode_3(&font);
    bench.set(0x3C4, 4, 0x06).set(0x3CE, 5, 0x00).set(0x3CE, 6, 0x05);
    assert_eq!(bench.planes(0xA_0000 + 0x42 * 32 + 3)[2], 0x81);
    assert_eq!(bench.planes(0xA_0000 + 0xFF * 32 + 15)[2], 0x18);
    assert_eq!(bench.planes(0xA_0000 + 0x42 * 32 + 2)[2], 0);
}

#[test]
fn write_mode_0_rotates_sets_combines_and_masks() {
    let mut bench = planar();
    bench.set(0x3C4, 2, 0x05).poke(0xA_9010, 0xC3);
    assert_eq!(bench.planes(0xA_9010), [0xC3, 0, 0xC3, 0]);
    bench.set(0x3C4, 2, 0x0F).set(0x3CE, 0, 0x02).set(0x3CE, 1, 0x0A).set(0x3CE, 3, 4);
    bench.poke(0xA_9010, 0x1E);
    assert_eq!(bench.planes(0xA_9010), [0xE1, 0xFF, 0xE1, 0x00]);
    bench.set(0x3CE, 1, 0).set(0x3CE, 8, 0x0F);
    for (function, expected) in [(0x00, 0xEA), (0x08, 0xE0), (0x10, 0xEB), (0x18, 0xEB)] {
        bench.set(0x3CE, 8, 0xFF).set(0x3CE, 3, 0).poke(0xA_9020, 0xE1).peek(0xA_9020);
        bench.set(0x3CE, 8, 0x0F).set(0x3CE, 3, function).poke(0xA_9020, 0xAA);
        assert_eq!(bench.planes(0xA_9020)[0], expected, "function {function:x}");
    }
}

#[test]
fn write_modes_1_2_and_3() {
    let mut bench = planar();
    bench.set(0x3CE, 5, 2).poke(0xA_0000, 0x05);
    assert_eq!(bench.planes(0xA_0000), [0xFF, 0, 0xFF, 0]);
    bench.peek(0xA_0000);
    bench.set(0x3CE, 5, 1).poke(0xA_0100, 0x12);
    assert_eq!(bench.planes(0xA_0100), [0xFF, 0, 0xFF, 0]);
    bench.peek(0xA_0000);
    bench.set(0x3CE, 0, 0x0A).set(0x3CE, 8, 0xF0).set(0x3CE, 5, 3).poke(0xA_0200, 0x3C);
    assert_eq!(bench.planes(0xA_0200), [0xCF, 0x30, 0xCF, 0x30]);
}

#[test]
fn read_mode_1_finds_a_colour() {
    let mut bench = planar();
    bench.set(0x3CE, 8, 0x0F).set(0x3CE, 5, 2).poke(0xA_0000, 0x06);
    bench.set(0x3CE, 5, 8).set(0x3CE, 2, 0x06).set(0x3CE, 7, 0x0F);
    assert_eq!(bench.peek(0xA_0000), 0x0F);
    bench.set(0x3CE, 7, 0x08);
    assert_eq!(bench.peek(0xA_0000), 0xFF);
}

#[test]
fn chain_4_spreads_bytes_over_the_planes() {
    let mut bench = planar();
    bench.set(0x3C4, 4, 0x0E).write(Space::Memory, 1, 0x104, Width::Dword, 0x4433_2211);
    assert_eq!(bench.read(Space::Memory, 1, 0x104, Width::Dword), 0x4433_2211);
    bench.set(0x3C4, 4, 0x06);
    assert_eq!(bench.planes(0xA_0104), [0x11, 0x22, 0x33, 0x44]);
}

#[test]
fn the_memory_map_decides_who_answers() {
    let mut bench = planar();
    for (select, inside, outside) in
        [(1u8, 0xA_0000, 0xB_0000), (2, 0xB_0000, 0xB_8000), (3, 0xB_8000, 0xA_0000)]
    {
        bench.set(0x3CE, 6, select << 2).poke(inside, 0x11);
        assert_eq!((bench.peek(inside), bench.peek(outside)), (0x11, 0xFF));
    }
    bench.port(0x3C2, 0x65);
    assert_eq!(bench.peek(0xB_8000), 0xFF, "display memory disabled");
}

#[test]
fn the_crtc_protects_its_timing() {
    let mut bench = mode_3();
    bench.set(0x3D4, 0x00, 0x11).set(0x3D4, 0x07, 0x00);
    assert_eq!((bench.get(0x3D4, 0x00), bench.get(0x3D4, 0x07)), (0x5F, 0x0F));
    bench.set(0x3D4, 0x11, 0x0E).set(0x3D4, 0x00, 0x11);
    assert_eq!(bench.get(0x3D4, 0x00), 0x11);
    bench.port(0x3C2, 0x66);
    assert_eq!((bench.from(0x3D4), bench.get(0x3B4, 0x01)), (0xFF, 0x4F));
    assert_eq!(bench.from(0x3CC), 0x66);
}

#[test]
fn the_attribute_flip_flop_is_reset_by_reading_the_status() {
    let mut bench = mode_3();
    bench.from(0x3DA);
    bench.port(0x3C0, 0x31).port(0x3C0, 0x2A);
    assert_eq!((bench.from(0x3C0), bench.from(0x3C1)), (0x31, 0x2A));
    bench.port(0x3C0, 0x30);
    bench.from(0x3DA);
    bench.port(0x3C0, 0x32);
    assert_eq!(bench.from(0x3C1), 0x0F);
}

#[test]
fn the_dac_steps_through_components_and_tells_its_state() {
    let mut bench = mode_3();
    bench.port(0x3C8, 0xFF).port(0x3C9, 0xFF).port(0x3C9, 2).port(0x3C9, 3).port(0x3C9, 4);
    assert_eq!((bench.from(0x3C7), bench.from(0x3C8)), (0, 0));
    bench.port(0x3C7, 0xFF);
    assert_eq!(bench.from(0x3C7), 3);
    assert_eq!([0; 4].map(|_| bench.from(0x3C9)), [0x3F, 2, 3, 4]);
    bench.port(0x3C7, 0x14);
    assert_eq!([0; 3].map(|_| bench.from(0x3C9)), [0x2A, 0x15, 0x00], "brown");
}

#[test]
fn the_retrace_comes_seventy_times_a_second() {
    let mut bench = mode_3();
    let (mut retraces, mut blank, mut was) = (0, 0, false);
    let step = Tick::MICROSECOND.times(10);
    for _ in 0..100_000 {
        let status = bench.from(0x3DA);
        retraces += u32::from(status & 8 != 0 && !was);
        blank += u32::from(status & 1);
        was = status & 8 != 0;
        bench.advance(step);
    }
    assert_eq!(retraces, 70);
    // 80 of 100 columns and 400 of 449 lines are displayed.
    assert!((28_000..30_000).contains(&blank), "{blank}");
}

#[test]
fn a_hard_reset_keeps_the_memory_only() {
    let mut bench = planar();
    bench.poke(0xA_0000, 0x77);
    bench.call(|device, cx| device.reset(Reset::Hard, cx));
    assert_eq!(bench.device.text_screen(), None);
    assert_eq!(bench.device.memory.word(0u16), 0x7777_7777);
    bench.call(|device, cx| device.reset(Reset::PowerOn, cx));
    assert_eq!(bench.device.memory.word(0u16), 0);
}

#[test]
fn every_access_survives_save_and_restore() {
    for value in [0, u64::MAX, 0x5555_5555_5555_5555, 0xAAAA_AAAA_AAAA_AAAA] {
        let mut bench = powered_on();
        for index in 0..=0xFF {
            for port in [0x3B4, 0x3C4, 0x3CE, 0x3D4] {
                bench.set(port, index, value as u8);
            }
            bench.port(0x3C0, index).port(0x3C0, value as u8);
        }
        for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
            for offset in 0..0x40 {
                bench.write(Space::Port, 0, offset, width, value);
                bench.read(Space::Port, 0, offset, width);
            }
            for offset in (0..0x2_0000).step_by(0x333).chain([u64::MAX]) {
                bench.write(Space::Memory, 1, offset, width, value);
                bench.read(Space::Memory, 1, offset, width);
            }
        }
        let _bounded = bench.device.text_screen();
        bench.check_save_restore(Vga::new(VIDEO));
    }
}
