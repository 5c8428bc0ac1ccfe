use super::*;
use crate::bench::Bench;
use emu_core::Effect;

type IoApicBench = Bench<I82093aa>;

const MASKED: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;

impl IoApicBench {
    fn select(&mut self, register: u64) -> &mut Self {
        self.write(Space::Memory, 0, 0x00, Width::Dword, register)
    }

    fn get(&mut self, register: u64) -> u64 {
        self.select(register).read(Space::Memory, 0, 0x10, Width::Dword)
    }

    fn set(&mut self, register: u64, value: u32) -> &mut Self {
        self.select(register).write(Space::Memory, 0, 0x10, Width::Dword, value.into())
    }

    fn eoi(&mut self, vector: u8) -> &mut Self {
        self.write(Space::Eoi, 0, 0, Width::Byte, vector.into())
    }

    fn pulse(&mut self, pin: u8) -> &mut Self {
        self.pin(Pin(pin), Level::High).pin(Pin(pin), Level::Low)
    }

    fn sent(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}

fn bench() -> IoApicBench {
    Bench::new(I82093aa::new())
}

#[test]
fn identification_and_reset_values() {
    let mut bench = bench();
    assert_eq!(bench.get(1), 0x0017_0011);
    assert_eq!((bench.get(0x10), bench.get(0x11)), (0x10000, 0));
    bench.set(0, 0xFFFF_FFFF);
    assert_eq!((bench.get(0), bench.get(2)), (0x0F00_0000, 0x0F00_0000));
    assert_eq!(bench.get(0x40), 0);
}

#[test]
fn an_edge_sends_one_message_and_is_lost_while_masked() {
    let mut bench = bench();
    bench.set(0x15, 0x0300_0000).pulse(2);
    assert_eq!(bench.sent(), []);
    bench.set(0x14, 0x0830).pulse(2);
    assert_eq!(bench.sent(), [Effect::Message { address: 0xFEE0_3004, data: 0x4030 }]);
    bench.set(0x14, MASKED | 0x30).pulse(2).set(0x14, 0x30);
    assert_eq!(bench.sent(), []);
    bench.set(0x14, 0x130).pulse(2);
    assert_eq!(bench.sent(), [Effect::Message { address: 0xFEE0_3008, data: 0x4130 }]);
}

#[test]
fn a_level_waits_for_its_end_of_interrupt() {
    let mut bench = bench();
    let message = Effect::Message { address: 0xFEE0_0000, data: 0xC051 };
    bench.set(0x24, LEVEL | MASKED | 0x51).pin(Pin(10), Level::High);
    assert_eq!(bench.sent(), []);
    bench.set(0x24, LEVEL | 0x51);
    assert_eq!(bench.sent(), std::slice::from_ref(&message));
    assert_eq!(bench.get(0x24), u64::from(LEVEL | 1 << 14 | 0x51));
    bench.pin(Pin(10), Level::Low).pin(Pin(10), Level::High).eoi(0x50);
    assert_eq!(bench.sent(), []);
    bench.eoi(0x51);
    assert_eq!(bench.sent(), [message]);
    bench.pin(Pin(10), Level::Low).eoi(0x51);
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.get(0x24), u64::from(LEVEL | 0x51));
}

#[test]
fn writing_an_entry_as_edge_clears_remote_irr() {
    let mut bench = bench();
    bench.set(0x24, LEVEL | 0x51).pin(Pin(10), Level::High);
    bench.set(0x24, MASKED | 0x51);
    assert_eq!(bench.get(0x24), u64::from(MASKED | 0x51));
    bench.sent();
    bench.set(0x24, LEVEL | 0x51);
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn reset_masks_all_and_keeps_the_levels() {
    let mut bench = bench();
    bench.set(0x24, LEVEL | 0x51).pin(Pin(10), Level::High);
    bench.call(|device, cx| device.reset(Reset::Hard, cx));
    assert_eq!(bench.get(0x24), u64::from(MASKED));
    bench.sent();
    bench.set(0x24, LEVEL | 0x51);
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn every_access_survives_save_and_restore() {
    for value in [0, 0xFFFF_FFFF, 0x5555_5555, 0xAAAA_AAAA] {
        let mut bench = bench();
        for select in 0..=0xFF {
            bench.set(select, value).get(select);
        }
        for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
            for offset in 0..0x100 {
                bench.write(Space::Memory, 0, offset, width, value.into());
                bench.read(Space::Memory, 0, offset, width);
            }
        }
        for pin in 0..=255 {
            bench.pin(Pin(pin), Level::High);
        }
        bench.check_save_restore(I82093aa::new());
    }
}
