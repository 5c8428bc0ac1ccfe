use super::*;
use crate::bench::Bench;
use emu_core::Level::{High, Low};
use emu_core::{Level, Width};

type Rtc = Bench<Mc146818>;

/// 2024-02-28 23:59:58 UTC, a Wednesday.
const EVE: i64 = 1_709_164_798;

const UIE: u8 = 0x10;
const AIE: u8 = 0x20;
const PIE: u8 = 0x40;
const SET: u8 = 0x80;
const H24: u8 = 0x02;
const DM: u8 = 0x04;

fn bench() -> Rtc {
    let mut bench = Bench::new(Mc146818::new());
    bench.host(HostEvent::WallClock(EVE));
    bench
}

fn get(bench: &mut Rtc, index: u8) -> u8 {
    bench.outb(0, index).inb(1)
}

fn set(bench: &mut Rtc, index: u8, value: u8) {
    bench.outb(0, index).outb(1, value);
}

/// Seconds, minutes, hours, weekday, day, month, year.
fn time(bench: &mut Rtc) -> [u8; 7] {
    [0, 2, 4, 6, 7, 8, 9].map(|index| get(bench, index))
}

fn set_time(bench: &mut Rtc, time: [u8; 7]) {
    for (index, value) in [0, 2, 4, 6, 7, 8, 9].into_iter().zip(time) {
        set(bench, index, value);
    }
}

#[test]
fn the_wall_clock_shows_and_runs_on_guest_time() {
    let mut bench = bench();
    assert_eq!(time(&mut bench), [0x58, 0x59, 0x23, 4, 0x28, 0x02, 0x24]);
    assert_eq!(get(&mut bench, 0x32), 0x20);
    bench.advance(Tick::SECOND.times(2));
    assert_eq!(time(&mut bench), [0x00, 0x00, 0x00, 5, 0x29, 0x02, 0x24]);
    bench.advance(Tick::SECOND.times(86_400 * 366));
    assert_eq!(time(&mut bench), [0x00, 0x00, 0x00, 7, 0x01, 0x03, 0x25]);
}

#[test]
fn wall_clocks_before_and_after_this_century() {
    for (unix, date, century) in [
        (0, [0x00, 0x00, 0x00, 5, 0x01, 0x01, 0x70], 0x19),
        (-1, [0x59, 0x59, 0x23, 4, 0x31, 0x12, 0x69], 0x19),
        (946_684_800, [0x00, 0x00, 0x00, 7, 0x01, 0x01, 0x00], 0x20),
        (4_107_542_400, [0x00, 0x00, 0x00, 2, 0x01, 0x03, 0x00], 0x21),
    ] {
        let mut bench = bench();
        bench.host(HostEvent::WallClock(unix));
        assert_eq!((time(&mut bench), get(&mut bench, 0x32)), (date, century), "{unix}");
    }
    for unix in [i64::MIN, i64::MAX] {
        time(bench().host(HostEvent::WallClock(unix)));
    }
}

#[test]
fn one_jump_equals_second_by_second() {
    for start in [EVE, 0, 1_740_787_100, 1_735_689_500] {
        let mut stepped = bench();
        stepped.host(HostEvent::WallClock(start));
        for n in 1..4000 {
            stepped.advance(Tick::SECOND);
            let stepped = time(&mut stepped);
            if n % 97 == 0 {
                let mut jumped = bench();
                jumped.host(HostEvent::WallClock(start)).advance(Tick::SECOND.times(n));
                assert_eq!(time(&mut jumped), stepped);
            }
        }
    }
}

#[test]
fn every_day_of_a_century_is_one_after_the_other() {
    let mut calendar = Calendar::from_unix(946_684_800).0;
    for day in 1..36_525u64 {
        let before = calendar;
        calendar.advance(86_400);
        let mut jumped = Calendar::from_unix(946_684_800).0;
        jumped.advance(86_400 * day);
        assert_eq!(calendar, jumped);
        let same_month = calendar.month == before.month && calendar.day == before.day + 1;
        assert!(same_month || calendar.day == 1, "{before:?} {calendar:?}");
    }
    assert_eq!((calendar.day, calendar.month, calendar.year), (31, 12, 99));
}

#[test]
fn binary_and_twelve_hour_formats() {
    let mut bench = bench();
    set(&mut bench, 0x0B, SET | DM);
    set_time(&mut bench, [59, 59, 0x8B, 1, 31, 12, 99]); // 11:59:59 pm
    set(&mut bench, 0x0B, DM);
    bench.advance(Tick::SECOND);
    assert_eq!(time(&mut bench), [0, 0, 12, 2, 1, 1, 0]); // 12 am
    bench.advance(Tick::SECOND.times(12 * 3600));
    assert_eq!(get(&mut bench, 4), 0x8C); // 12 pm
    set(&mut bench, 0x0B, SET);
    set_time(&mut bench, [0x59, 0x59, 0x11, 1, 0x31, 0x12, 0x99]);
    set(&mut bench, 0x0B, 0);
    bench.advance(Tick::SECOND);
    assert_eq!(get(&mut bench, 4), 0x92);
}

#[test]
fn update_in_progress_before_each_update_only() {
    let mut bench = bench();
    let uip = |bench: &mut Rtc| get(bench, 0x0A) & 0x80 != 0;
    assert!(!uip(&mut bench));
    bench.advance(Tick::SECOND - Tick::MICROSECOND.times(2300));
    assert!(!uip(&mut bench));
    bench.advance(Tick::MICROSECOND.times(100));
    assert!(uip(&mut bench));
    bench.advance(Tick::MICROSECOND.times(2200) - Tick(1));
    assert!(uip(&mut bench));
    assert_eq!(get(&mut bench, 0), 0x58);
    bench.advance(Tick(1));
    assert!(!uip(&mut bench));
    assert_eq!(get(&mut bench, 0), 0x59);
    set(&mut bench, 0x0B, SET | H24);
    bench.advance(Tick::SECOND - Tick(1));
    assert!(!uip(&mut bench));
}

/// What Linux's `mc146818_set_time` does: SET, divider reset, write, then both back.
#[test]
fn the_first_update_comes_half_a_second_after_the_divider_starts() {
    let mut bench = bench();
    set(&mut bench, 0x0B, SET | H24);
    set(&mut bench, 0x0A, 0x76);
    set_time(&mut bench, [0x10, 0x20, 0x15, 3, 0x05, 0x06, 0x26]);
    bench.advance(Tick::SECOND.times(10));
    set(&mut bench, 0x0B, H24);
    set(&mut bench, 0x0A, 0x26);
    bench.advance(Tick::MILLISECOND.times(500) - Tick(1));
    assert_eq!(get(&mut bench, 0), 0x10);
    bench.advance(Tick(1));
    assert_eq!(time(&mut bench), [0x11, 0x20, 0x15, 3, 0x05, 0x06, 0x26]);
}

#[test]
fn set_stops_the_time_and_clears_uie() {
    let mut bench = bench();
    set(&mut bench, 0x0B, SET | UIE | H24);
    assert_eq!(get(&mut bench, 0x0B), SET | H24);
    bench.advance(Tick::SECOND.times(5));
    assert_eq!(get(&mut bench, 0), 0x58);
    assert_eq!(get(&mut bench, 0x0C), 0x40); // only PF
}

#[test]
fn update_ended_interrupt_each_second() {
    let mut bench = bench();
    set(&mut bench, 0x0B, UIE | H24);
    bench.advance(Tick::SECOND - Tick(1)).expect(IRQ, Low).advance(Tick(1)).expect(IRQ, High);
    assert_eq!(get(&mut bench, 0x0C), 0xD0);
    bench.expect(IRQ, Low);
    assert_eq!(get(&mut bench, 0x0C), 0x00);
    bench.advance(Tick::SECOND).expect(IRQ, High);
}

#[test]
fn periodic_interrupts_have_exact_times() {
    for rs in 1..16u8 {
        let hertz =
            [256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2][usize::from(rs) - 1];
        let mut bench = bench();
        set(&mut bench, 0x0A, 0x20 | rs);
        set(&mut bench, 0x0B, PIE | H24);
        for n in 1..=2 * hertz {
            let at = Tick((n * Tick::SECOND.0).div_ceil(hertz));
            let before = at - bench.now - Tick(1);
            bench.advance(before).expect(IRQ, Low).advance(Tick(1)).expect(IRQ, High);
            assert_eq!(get(&mut bench, 0x0C) & 0xC0, 0xC0);
        }
    }
}

#[test]
fn first_periodic_edge_is_at_the_first_tick_not_before_its_time() {
    let mut bench = bench();
    set(&mut bench, 0x0A, 0x23); // 4 crystal periods: 7 690 429.6875 ticks
    set(&mut bench, 0x0B, PIE | H24);
    bench.advance(Tick(7_690_429)).expect(IRQ, Low).advance(Tick(1)).expect(IRQ, High);
}

#[test]
fn flags_come_without_their_interrupts_and_without_work() {
    let mut bench = bench();
    for index in [1, 3, 5] {
        set(&mut bench, index, 0xFF);
    }
    bench.advance(Tick::SECOND.times(100)).expect(IRQ, Low);
    assert!(bench.edges.is_empty());
    assert_eq!(get(&mut bench, 0x0C), 0x70);
    assert_eq!(get(&mut bench, 0x0C), 0x00);
}

#[test]
fn an_unserved_periodic_interrupt_stays_one_edge() {
    let mut bench = bench();
    set(&mut bench, 0x0B, PIE | H24);
    bench.advance(Tick::SECOND);
    assert_eq!(bench.edges.len(), 1);
}

#[test]
fn alarm_at_a_time_and_with_dont_care_bytes() {
    let mut bench = bench();
    for (index, value) in [(1, 0x05), (3, 0x01), (5, 0x00), (0x0B, AIE | H24)] {
        set(&mut bench, index, value);
    }
    bench.advance(Tick::SECOND.times(66)).expect(IRQ, Low).advance(Tick::SECOND).expect(IRQ, High);
    assert_eq!(time(&mut bench)[..3], [0x05, 0x01, 0x00]);
    assert_eq!(get(&mut bench, 0x0C) & 0xA0, 0xA0);
    // Every hour at :01:05.
    set(&mut bench, 5, 0xC0);
    bench.advance(Tick::SECOND.times(3599)).expect(IRQ, Low).advance(Tick::SECOND).expect(IRQ, High);
    get(&mut bench, 0x0C);
    // Never: no such second.
    set(&mut bench, 1, 0x7F);
    bench.advance(Tick::SECOND.times(100_000)).expect(IRQ, Low);
    assert_eq!(get(&mut bench, 0x0C) & 0x20, 0);
}

#[test]
fn stepping_equals_the_closed_form() {
    let mut stepped = bench();
    let mut jumped = bench();
    for bench in [&mut stepped, &mut jumped] {
        set(bench, 1, 0x01);
        set(bench, 0x0B, AIE | UIE | PIE | H24);
    }
    for _ in 0..40_000 {
        stepped.advance(Tick::MICROSECOND.times(100));
    }
    jumped.advance(Tick::SECOND.times(4));
    assert_eq!(stepped.edges, jumped.edges);
    assert_eq!(get(&mut stepped, 0x0C), get(&mut jumped, 0x0C));
}

#[test]
fn memory_survives_reset_and_interrupt_enables_do_not() {
    let mut bench = bench();
    set(&mut bench, 0x40, 0xA5);
    set(&mut bench, 0x0B, PIE | AIE | DM | H24);
    bench.call(|rtc, cx| rtc.reset(Reset::Hard, cx));
    assert_eq!(get(&mut bench, 0x40), 0xA5);
    assert_eq!(get(&mut bench, 0x0B), DM | H24);
    bench.device.set_cmos(0x10, 0x40);
    bench.device.set_cmos(0x00, 0x99);
    bench.device.set_cmos(0xFF, 0x99);
    assert_eq!((get(&mut bench, 0x10), get(&mut bench, 0x00)), (0x40, 0x58));
}

#[test]
fn index_port_keeps_the_nmi_mask_and_does_not_read() {
    let mut bench = bench();
    bench.outb(0, 0x8D);
    assert!(bench.device.nmi_masked());
    assert_eq!((bench.inb(1), bench.inb(0)), (0x80, 0xFF));
}

#[test]
fn every_access_then_save_and_restore() {
    let mut bench = bench();
    for index in 0..=255u8 {
        for value in (0..=255u64).step_by(5) {
            for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                bench.outb(0, index).write(Space::Port, 0, 1, width, value);
                bench.write(Space::Port, 0, 2, width, value);
                bench.advance(Tick::MILLISECOND.times(value * 40));
                bench.outb(0, index).read(Space::Port, 0, 1, width);
            }
        }
        bench.check_save_restore(Mc146818::new());
        set(&mut bench, 0x0B, H24); // no thousand interrupts a second for the rest of the test
    }
}

#[test]
fn impossible_states_are_refused() {
    let mut bench = bench();
    let before = bench.device.save();
    let mut odd = Mc146818::new();
    odd.next_update = None;
    assert!(bench.device.restore(&odd.save()).is_err());
    assert_eq!(bench.device.save(), before);
    odd = Mc146818::new();
    odd.next_update = Some(Tick::NEVER);
    odd.divider = Divider { start: Some(Tick::NEVER), seen: u64::MAX };
    bench.device.restore(&odd.save()).expect("strange, but harmless");
    set(&mut bench, 0x0B, PIE | UIE | AIE);
    time(&mut bench);
    bench.expect(IRQ, Level::Low);
}
