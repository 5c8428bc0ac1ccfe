//! Any values in any registers.

use super::super::look::Look;
use super::*;

/// A xorshift generator: the same numbers on every host.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

const WIDTHS: [Width; 4] = [Width::Byte, Width::Word, Width::Dword, Width::Qword];

fn scribble(bench: &mut VgaBench, random: &mut Random) {
    let (value, width) = (random.next(), WIDTHS[random.below(4) as usize]);
    let byte = value as u8;
    match random.below(9) {
        0 => bench.write(Space::Port, 0, random.below(0x30), Width::Byte, value),
        1 => bench.write(Space::Memory, 1, random.below(0x2_0010), width, value),
        2 => bench.write(Space::Memory, REGISTERS, random.below(0x1010), width, value),
        3 => bench.write(Space::Config, 0, random.below(0x100), Width::Byte, value),
        4 => bench.write(Space::Port, 2, 0, Width::Word, random.below(12)).write(
            Space::Port,
            2,
            1,
            Width::Word,
            // Often what means something.
            [value, value & 0x1FFF, value & 0x3F, 0x41, 0][random.below(5) as usize],
        ),
        5 => bench.set(0x3D4, random.below(0x1A) as u8, byte),
        6 => bench.set(0x3CE, random.below(9) as u8, byte),
        7 => bench.set([0x3C4, 0x3B4][random.below(2) as usize], random.below(6) as u8, byte),
        _ => bench.port(0x3C0, byte),
    };
    bench.read(Space::Memory, 1, random.below(0x2_0010), width);
    bench.read(Space::Memory, REGISTERS, random.below(0x1010), Width::Word);
}

#[test]
fn any_registers_make_a_picture_of_bounded_size() {
    let (mut bench, mut picture) = (mode_3(), Picture::new());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..300 {
        for _ in 0..40 {
            scribble(&mut bench, &mut random);
        }
        // Often enough there is a signal.
        bench.set(0x3C4, 0, 3).port(0x3C2, 0x63);
        bench.advance(Tick::MILLISECOND.times(random.below(30)));
        let drawn = bench.device.draw(&mut picture, bench.now, &bench.memory);
        assert!(picture.width <= 256 * 18 && picture.height <= 2160, "{}x{}", picture.width, picture.height);
        assert_eq!(picture.pixels.len(), picture.width * picture.height);
        assert!(drawn.rows.end <= picture.height);
        if round % 20 == 0 {
            bench.check_save_restore(Vga::new(VIDEO));
            let fresh = bench.picture();
            let same = fresh.shown.look == Look::NoSignal || fresh.pixels == picture.pixels;
            assert!(same, "round {round}: what was not drawn again is right");
        }
    }
}

#[test]
fn a_hostile_state_is_refused() {
    let mut bench = mode_3();
    let saved = bench.device.save();
    let mut older = saved.clone();
    older.version = 3;
    assert!(bench.device.restore(&older).is_err());
    older.version = 1;
    assert!(bench.device.restore(&older).is_ok(), "what version 1 does not know is ignored");
}
