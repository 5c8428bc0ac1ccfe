use super::*;
use crate::bench::Bench;
use emu_core::{Effect, Space};

fn bench() -> Bench<I440fx> {
    Bench::new(I440fx::new())
}

#[test]
fn it_is_the_bridge_that_firmware_looks_for() {
    let mut bench = bench();
    assert_eq!(bench.read(Space::Config, 0, 0x00, Width::Dword), 0x1237_8086);
    assert_eq!(bench.read(Space::Config, 0, 0x0A, Width::Word), 0x0600);
    assert_eq!(bench.read(Space::Config, 0, 0x2C, Width::Dword), 0x1100_1AF4);
}

#[test]
fn reset_takes_all_shadow_ram_away() {
    let bench = bench();
    let covered: u64 = bench
        .effects
        .iter()
        .map(|effect| match effect {
            Effect::Shadow { len, read_ram: false, write_ram: false, .. } => *len,
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(covered, 0x4_0000);
}

#[test]
fn a_changed_attribute_moves_its_segment_only() {
    let mut bench = bench();
    bench.effects.clear();
    bench.write(Space::Config, 0, 0x59, Width::Byte, 0x30);
    let (start, len) = (0xF_0000, 0x1_0000);
    assert_eq!(bench.effects, [Effect::Shadow { start, len, read_ram: true, write_ram: true }]);
    bench.effects.clear();
    bench.write(Space::Config, 0, 0x59, Width::Byte, 0x10);
    assert_eq!(bench.effects, [Effect::Shadow { start, len, read_ram: true, write_ram: false }]);
    bench.effects.clear();
    bench.write(Space::Config, 0, 0x5A, Width::Dword, 0x0000_0020);
    let (start, len) = (0xC_4000, 0x4000);
    assert_eq!(bench.effects, [Effect::Shadow { start, len, read_ram: false, write_ram: true }]);
}

#[test]
fn every_access_survives_save_and_restore() {
    for value in [0, u64::MAX, 0x5555_5555, 0xAAAA_AAAA] {
        let mut bench = bench();
        for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
            for offset in 0..0x104 {
                bench.write(Space::Config, 0, offset, width, value);
                bench.read(Space::Config, 0, offset, width);
            }
        }
        bench.check_save_restore(I440fx::new());
    }
}
