use super::*;
use crate::bench::Bench;
use emu_core::Level;

type HpetBench = Bench<Hpet>;

const CONFIG: u64 = 0x10;
const STATUS: u64 = 0x20;
const COUNTER: u64 = 0xF0;
const T0_CONFIG: u64 = 0x100;
const T0_COMPARATOR: u64 = 0x108;
const T2_CONFIG: u64 = 0x140;
const T2_COMPARATOR: u64 = 0x148;

const LEVEL: u64 = 1 << 1;
const ENABLE: u64 = 1 << 2;
const PERIODIC: u64 = 1 << 3;
const SET_VALUE: u64 = 1 << 6;
const MODE_32: u64 = 1 << 8;
const ROUTE_20: u64 = 20 << 9;

impl HpetBench {
    fn get(&mut self, offset: u64) -> u64 {
        self.read(Space::Memory, 0, offset, Width::Qword)
    }

    fn set(&mut self, offset: u64, value: u64) -> &mut Self {
        self.write(Space::Memory, 0, offset, Width::Qword, value)
    }

    fn counts(&mut self, counts: u64) -> &mut Self {
        self.advance(PERIOD.times(counts))
    }

    fn rises(&self, pin: Pin) -> usize {
        self.edges.iter().filter(|(_, at, level)| *at == pin && level.is_high()).count()
    }
}

fn bench() -> HpetBench {
    Bench::new(Hpet::new())
}

#[test]
fn the_period_is_whole_ticks_and_whole_femtoseconds() {
    let femtoseconds = CAPABILITIES >> 32;
    assert_eq!(PERIOD.as_nanos() * 1_000_000, femtoseconds);
    assert_eq!(PERIOD, Tick::from_nanos(10));
}

#[test]
fn the_counter_runs_when_enabled_and_keeps_its_value_when_not() {
    let mut bench = bench();
    assert_eq!(bench.get(0), CAPABILITIES);
    assert_eq!(bench.counts(100).get(COUNTER), 0);
    bench.set(COUNTER, 0xFFFF_FFF0).set(CONFIG, 1).counts(0x20);
    assert_eq!(bench.get(COUNTER), 0x1_0000_0010);
    assert_eq!(bench.read(Space::Memory, 0, COUNTER + 4, Width::Dword), 1);
    bench.set(CONFIG, 0).counts(5);
    assert_eq!(bench.get(COUNTER), 0x1_0000_0010);
    bench.set(COUNTER, u64::MAX).set(CONFIG, 1).counts(2);
    assert_eq!(bench.get(COUNTER), 1);
}

#[test]
fn a_one_shot_edge_comes_exactly_at_the_match() {
    let mut bench = bench();
    bench.set(T0_CONFIG, ENABLE | ROUTE_20).set(T0_COMPARATOR, 1000).set(CONFIG, 1);
    bench.advance(Tick(PERIOD.0 * 1000 - 1)).expect(Pin(20), Level::Low);
    bench.advance(Tick(1)).expect(Pin(20), Level::High);
    assert_eq!(bench.get(STATUS), 0);
    bench.set(T0_COMPARATOR, 2000).counts(1000);
    assert_eq!(bench.rises(Pin(20)), 2);
    bench.set(T0_CONFIG, ROUTE_20).expect(Pin(20), Level::Low);
}

#[test]
fn a_32_bit_comparator_matches_again_after_the_wrap() {
    let mut bench = bench();
    bench.set(T0_CONFIG, ENABLE | MODE_32 | ROUTE_20).set(T0_COMPARATOR, 0xFFFF_FFFF_0000_0010);
    assert_eq!(bench.get(T0_COMPARATOR), 0x10);
    bench.set(CONFIG, 1).counts(0x10);
    assert_eq!(bench.rises(Pin(20)), 1);
    bench.counts(0xFFFF_FFFF);
    assert_eq!(bench.rises(Pin(20)), 1);
    bench.counts(1);
    assert_eq!(bench.rises(Pin(20)), 2);
}

#[test]
fn a_level_interrupt_stays_until_its_status_is_cleared() {
    let mut bench = bench();
    bench.set(T2_CONFIG, LEVEL | ENABLE | ROUTE_20).set(T2_COMPARATOR, 10).set(CONFIG, 1).counts(10);
    bench.expect(Pin(20), Level::High);
    assert_eq!(bench.get(STATUS), 4);
    bench.set(STATUS, 3).expect(Pin(20), Level::High);
    bench.set(STATUS, 4).expect(Pin(20), Level::Low);
    bench.set(T2_CONFIG, LEVEL | ROUTE_20).set(T2_COMPARATOR, 20).counts(10);
    assert_eq!(bench.get(STATUS), 4, "status without interrupt");
    bench.expect(Pin(20), Level::Low);
}

#[test]
fn linux_sets_a_periodic_timer_with_two_writes() {
    let mut bench = bench();
    bench.set(CONFIG, 3).expect(LEGACY, Level::High).counts(7);
    let config = ENABLE | PERIODIC | SET_VALUE | MODE_32;
    bench.write(Space::Memory, 0, T0_CONFIG, Width::Dword, config);
    bench.write(Space::Memory, 0, T0_COMPARATOR, Width::Dword, 1007);
    bench.write(Space::Memory, 0, T0_COMPARATOR, Width::Dword, 500);
    assert_eq!(bench.get(T0_CONFIG) & SET_VALUE, 0);
    assert_eq!(bench.get(T0_COMPARATOR), 1007);
    bench.counts(999);
    assert_eq!(bench.rises(Pin(2)), 0);
    bench.counts(1);
    assert_eq!(bench.rises(Pin(2)), 1);
    bench.counts(500 * 10);
    assert_eq!(bench.rises(Pin(2)), 11);
    assert_eq!(bench.get(T0_COMPARATOR), 1007 + 500 * 11);
    bench.set(CONFIG, 1).expect(LEGACY, Level::Low).expect(Pin(2), Level::Low);
}

#[test]
fn stepping_equals_one_jump() {
    let (mut stepped, mut jumped) = (bench(), bench());
    for bench in [&mut stepped, &mut jumped] {
        bench.set(T0_CONFIG, ENABLE | PERIODIC | SET_VALUE | MODE_32 | ROUTE_20);
        bench.set(T0_COMPARATOR, 150).set(COUNTER, 0xFFFF_FFF0).set(CONFIG, 1);
    }
    for _ in 0..1000 {
        stepped.counts(1).get(T0_COMPARATOR);
    }
    jumped.counts(1000);
    assert_eq!(stepped.edges, jumped.edges);
    assert_eq!(stepped.device.save(), jumped.device.save());
    assert_eq!(jumped.rises(Pin(20)), 1 + (1000 - 166) / 150);
}

#[test]
fn absurdly_short_periods_are_served_every_microsecond() {
    let mut bench = bench();
    bench.set(T0_CONFIG, ENABLE | PERIODIC | SET_VALUE | ROUTE_20).set(T0_COMPARATOR, 1);
    bench.set(CONFIG, 1).advance(Tick::MICROSECOND.times(10));
    assert_eq!(bench.rises(Pin(20)), 10);
    bench.set(T0_COMPARATOR, 0).advance(Tick::MILLISECOND);
    bench.set(T0_COMPARATOR, u64::MAX).advance(Tick::MILLISECOND);
}

#[test]
fn an_impossible_route_is_not_taken() {
    let mut bench = bench();
    bench.set(T0_CONFIG, 21 << 9);
    bench.set(T0_CONFIG, 2 << 9);
    assert_eq!(bench.get(T0_CONFIG) >> 9 & 0x1F, 21);
}

#[test]
fn every_access_survives_save_and_restore() {
    for value in [0, u64::MAX, 0x5555_5555_5555_5555, 0xAAAA_AAAA_AAAA_AAAA, 0x10F] {
        let mut bench = bench();
        for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
            for offset in 0..0x400 {
                bench.write(Space::Memory, 0, offset, width, value);
                bench.read(Space::Memory, 0, offset, width);
            }
        }
        bench.advance(Tick::MILLISECOND).check_save_restore(Hpet::new());
        bench.call(|device, cx| device.reset(Reset::Hard, cx));
        bench.check_save_restore(Hpet::new());
    }
}
