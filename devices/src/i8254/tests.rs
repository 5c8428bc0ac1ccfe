use super::*;
use crate::bench::Bench;
use emu_core::Level::{High, Low};
use emu_core::{Effect, Width};

type Pit = Bench<I8254>;

fn bench() -> Pit {
    Bench::new(I8254::new())
}

fn pit(clocks: u64) -> Tick {
    Tick::PIT.times(clocks)
}

fn out61(bench: &mut Pit, value: u8) {
    bench.write(Space::Port, 1, 0, Width::Byte, value.into());
}

fn in61(bench: &mut Pit) -> u8 {
    bench.read(Space::Port, 1, 0, Width::Byte) as u8
}

/// Reads a latched two-byte count.
fn count(bench: &mut Pit, counter: u8) -> u16 {
    bench.outb(3, counter << 6);
    u16::from_le_bytes([bench.inb(counter.into()), bench.inb(counter.into())])
}

fn status(bench: &mut Pit, counter: u8) -> u8 {
    bench.outb(3, 0xE0 | 2 << counter);
    bench.inb(counter.into())
}

#[test]
fn system_timer_has_the_exact_period() {
    let mut bench = bench();
    bench.outb(3, 0x34).outb(0, 0).outb(0, 0).expect(OUT0, High);
    bench.edges.clear();
    bench.advance(pit(65_536 * 3 + 1));
    // Loaded at clock 1; low for the last clock of each 65 536.
    let times: Vec<_> = bench.edges.iter().map(|&(at, _, level)| (at, level)).collect();
    let expected: Vec<_> =
        (1..=3).flat_map(|n| [(pit(65_536 * n), Low), (pit(65_536 * n + 1), High)]).collect();
    assert_eq!(times, expected);
}

#[test]
fn mode_0_interrupts_once_n_plus_1_clocks_after_the_write() {
    let mut bench = bench();
    bench.outb(3, 0x30).outb(0, 4).outb(0, 0).expect(OUT0, Low);
    bench.advance(pit(4)).expect(OUT0, Low).advance(pit(1)).expect(OUT0, High);
    bench.advance(pit(100_000)).expect(OUT0, High);
    bench.outb(0, 2).expect(OUT0, Low).advance(pit(100)).expect(OUT0, Low);
    bench.outb(0, 0).advance(pit(3)).expect(OUT0, High);
}

#[test]
fn latch_holds_until_read_and_reads_go_byte_by_byte() {
    let mut bench = bench();
    bench.outb(3, 0x34).outb(0, 0x00).outb(0, 0x10).advance(pit(1));
    assert_eq!(count(&mut bench, 0), 0x1000);
    bench.advance(pit(0x10)).outb(3, 0x00).advance(pit(5)).outb(3, 0x00);
    assert_eq!([bench.inb(0), bench.inb(0)], [0xF0, 0x0F]);
    assert_eq!([bench.inb(0), bench.inb(0)], [0xEB, 0x0F]);
}

#[test]
fn read_back_latches_several_counters_and_status_comes_first() {
    let mut bench = bench();
    bench.outb(3, 0x34).outb(0, 0x00).outb(0, 0x10);
    bench.outb(3, 0x96).outb(2, 0x20); // counter 2, LSB only, mode 3; its gate is low
    bench.advance(pit(3)).outb(3, 0xCA); // count and status of 0 and 2
    bench.advance(pit(7));
    assert_eq!([bench.inb(0), bench.inb(0), bench.inb(0)], [0xB4, 0xFE, 0x0F]);
    assert_eq!([bench.inb(2), bench.inb(2)], [0x96, 0x20]);
    assert_eq!(bench.inb(3), 0xFF); // 43h does not answer
}

#[test]
fn null_count_until_the_load() {
    let mut bench = bench();
    bench.outb(3, 0x34);
    assert_eq!(status(&mut bench, 0), 0xF4);
    bench.outb(0, 10).outb(0, 0);
    assert_eq!(status(&mut bench, 0), 0xF4);
    bench.advance(pit(1));
    assert_eq!(status(&mut bench, 0), 0xB4);
    bench.advance(pit(3)).outb(0, 20).outb(0, 0).advance(pit(6));
    assert_eq!(status(&mut bench, 0), 0x74); // clock 10: last clock of the old cycle, OUT low
    bench.advance(pit(1));
    assert_eq!((status(&mut bench, 0), count(&mut bench, 0)), (0xB4, 20));
}

#[test]
fn bcd_counts_in_decimal() {
    let mut bench = bench();
    bench.outb(3, 0x35).outb(0, 0x00).outb(0, 0x01).advance(pit(1));
    assert_eq!(count(&mut bench, 0), 0x0100);
    bench.advance(pit(1));
    assert_eq!(count(&mut bench, 0), 0x0099);
    bench.outb(3, 0x31).outb(0, 0x00).outb(0, 0x00).advance(pit(2));
    assert_eq!(count(&mut bench, 0), 0x9999);
    bench.advance(pit(9_998)).expect(OUT0, Low).advance(pit(1)).expect(OUT0, High);
}

#[test]
fn single_byte_access_modes() {
    let mut bench = bench();
    bench.outb(3, 0x24).outb(0, 0x12).advance(pit(3)); // MSB only
    assert_eq!(bench.inb(0), 0x11);
    bench.outb(3, 0x14).outb(0, 0x12).advance(pit(3)); // LSB only
    assert_eq!([bench.inb(0), bench.inb(0)], [0x10, 0x10]);
}

#[test]
fn port_61h_shows_gate_refresh_and_out2() {
    let mut bench = bench();
    assert_eq!(in61(&mut bench) & !0x10, 0x00);
    // As Linux calibrates the TSC: gate on, speaker off, mode 0, wait for OUT2.
    out61(&mut bench, 0x01);
    bench.outb(3, 0xB0).outb(2, 100).outb(2, 0).advance(pit(100));
    assert_eq!(in61(&mut bench) & 0x21, 0x01);
    bench.advance(pit(1));
    assert_eq!(in61(&mut bench) & 0x21, 0x21);
    let before = in61(&mut bench) & 0x10;
    bench.advance(pit(18));
    assert_ne!(in61(&mut bench) & 0x10, before);
    out61(&mut bench, 0xFC);
    assert_eq!(in61(&mut bench) & 0xCF, 0x0C);
}

#[test]
fn speaker_follows_out2_only_while_it_listens() {
    let mut bench = bench();
    bench.outb(3, 0xB6).outb(2, 10).outb(2, 0);
    out61(&mut bench, 0x01);
    bench.advance(pit(100));
    assert!(bench.effects.is_empty());
    out61(&mut bench, 0x03);
    bench.effects.clear();
    bench.advance(pit(100));
    assert_eq!(bench.effects.len(), 20);
    out61(&mut bench, 0x00);
    assert_eq!(bench.effects.last(), Some(&Effect::Host(HostRequest::Speaker(Low))));
    bench.effects.clear();
    bench.advance(pit(100));
    assert!(bench.effects.is_empty());
}

/// The counter of the data sheet, clock by clock.
#[derive(Default)]
struct Model {
    mode: u8,
    modulus: u32,
    cr: u32,
    ce: u32,
    /// The count that was loaded last, for the parity in mode 3.
    loaded: u32,
    gate: bool,
    out: bool,
    counting: bool,
    load_next: bool,
    strobe: bool,
    null: bool,
}

impl Model {
    fn program(&mut self, mode: u8, bcd: bool) {
        let modulus = if bcd { 10_000 } else { 65_536 };
        *self = Self { mode, modulus, gate: self.gate, out: mode != 0, null: true, ..Self::default() };
    }

    fn write(&mut self, count: u32) {
        self.cr = count % self.modulus;
        self.null = true;
        match self.mode {
            0 => (self.counting, self.out, self.load_next) = (false, false, true),
            4 => self.load_next = true,
            2 | 3 if !self.counting => self.load_next = true,
            _ => {}
        }
    }

    fn set_gate(&mut self, gate: bool, written: bool) {
        let (rising, falling) = (gate && !self.gate, !gate && self.gate);
        self.gate = gate;
        match self.mode {
            1 | 5 if rising => self.load_next |= written,
            2 | 3 if rising => self.load_next |= written,
            2 | 3 if falling && self.counting => (self.out, self.load_next) = (true, false),
            _ => {}
        }
    }

    fn load(&mut self) {
        self.load_next = false;
        self.null = false;
        self.counting = true;
        self.loaded = self.cr;
        self.ce = if self.mode == 3 { self.cr & !1 } else { self.cr };
    }

    fn step(&mut self, by: u32) {
        self.ce = (self.ce + self.modulus - by) % self.modulus;
    }

    fn clk(&mut self) {
        if matches!(self.mode, 4 | 5) && self.counting {
            self.out = true;
        }
        if self.load_next {
            self.load();
            self.strobe = true;
            self.out = !matches!(self.mode, 0 | 1);
            return;
        }
        if !self.counting || (!self.gate && !matches!(self.mode, 1 | 5)) {
            return;
        }
        match self.mode {
            0 | 1 => {
                self.step(1);
                self.out |= self.ce == 0;
            }
            2 => {
                self.step(1);
                if self.ce == 0 {
                    self.load();
                }
                self.out = self.ce != 1;
            }
            3 => {
                let odd_high = self.loaded % 2 == 1 && self.out;
                if odd_high && self.ce == 0 {
                    self.load();
                    self.out = false;
                } else {
                    self.step(2);
                    if !odd_high && self.ce == 0 {
                        self.load();
                        self.out = !self.out;
                    }
                }
            }
            _ => {
                self.step(1);
                if self.ce == 0 && self.strobe {
                    (self.out, self.strobe) = (false, false);
                }
            }
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn to_bcd(n: u32) -> u32 {
    (0..4).map(|digit| (n / 10u32.pow(digit) % 10) << (4 * digit)).sum()
}

#[test]
fn closed_form_equals_stepping_clock_by_clock() {
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    for mode in 0..6u8 {
        for bcd in [false, true] {
            let mut bench = bench();
            let mut model = Model::default();
            bench.outb(3, 0xB0 | mode << 1 | u8::from(bcd));
            model.program(mode, bcd);
            let mut written = false;
            for clock in 0..60_000u32 {
                match random.below(40) {
                    0 => {
                        let gate = random.below(2) == 1;
                        out61(&mut bench, gate.into());
                        model.set_gate(gate, written);
                    }
                    1 if mode == 4 || clock % 50 == 0 || !written => {
                        let n =
                            if random.below(10) == 0 { random.below(10_000) } else { 2 + random.below(12) };
                        let n = if n == 1 { 0 } else { n as u32 };
                        let [low, high, ..] = if bcd { to_bcd(n) } else { n }.to_le_bytes();
                        bench.outb(2, low).outb(2, high);
                        model.write(n);
                        written = true;
                    }
                    2 if clock % 31 == 0 => {
                        bench.outb(3, 0xB0 | mode << 1 | u8::from(bcd));
                        model.program(mode, bcd);
                        written = false;
                    }
                    _ => {}
                }
                let at_once = in61(&mut bench) & 0x20 != 0;
                assert_eq!(at_once, model.out, "OUT before the clock, mode {mode} bcd {bcd} clock {clock}");
                bench.advance(Tick::PIT);
                model.clk();
                let at = format!("mode {mode} bcd {bcd} clock {clock}");
                let byte = status(&mut bench, 2);
                assert_eq!(byte >> 7 != 0, model.out, "OUT, {at}");
                assert_eq!(byte >> 6 & 1 != 0, model.null, "NULL COUNT, {at}");
                if model.counting {
                    let ce = if bcd { to_bcd(model.ce) } else { model.ce };
                    assert_eq!(u32::from(count(&mut bench, 2)), ce, "count, {at}");
                }
            }
        }
    }
}

#[test]
fn deadlines_of_out0_equal_stepping_clock_by_clock() {
    for mode in 0..6u8 {
        for n in [2u8, 3, 4, 5, 9, 10] {
            let mut stepped = bench();
            let mut jumped = bench();
            for bench in [&mut stepped, &mut jumped] {
                bench.outb(3, 0x10 | mode << 1).outb(0, n);
            }
            for _ in 0..200 {
                stepped.advance(Tick::PIT);
                let out = status(&mut stepped, 0) >> 7 != 0;
                stepped.expect(OUT0, Level::from(out));
            }
            jumped.advance(pit(200));
            assert_eq!(stepped.edges, jumped.edges, "mode {mode} count {n}");
        }
    }
}

#[test]
fn a_count_of_one_makes_no_storm() {
    for mode in [2u8, 3] {
        let mut bench = bench();
        bench.outb(3, 0x10 | mode << 1).outb(0, 1).advance(pit(2));
        bench.edges.clear();
        bench.advance(Tick::SECOND);
        assert!(bench.edges.is_empty());
    }
}

#[test]
fn every_access_then_save_and_restore() {
    let mut bench = bench();
    for value in 0..=255u64 {
        for region in 0..3 {
            for offset in (0..5).rev() {
                for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                    bench.write(Space::Port, region, offset, width, value);
                    bench.advance(pit(value % 5));
                    bench.read(Space::Port, region, offset, width);
                }
            }
        }
        bench.check_save_restore(I8254::new());
    }
}

#[test]
fn a_restored_chip_goes_on_as_the_saved_one() {
    let mut bench = bench();
    bench.outb(3, 0x36).outb(0, 0x2D).outb(0, 0).advance(pit(17));
    let saved = bench.device.save();
    bench.advance(pit(1000));
    let expected = (status(&mut bench, 0), count(&mut bench, 0));
    bench.device.restore(&saved).expect("own state");
    assert_eq!((status(&mut bench, 0), count(&mut bench, 0)), expected);
}

#[test]
fn impossible_states_are_refused_and_wild_ones_do_no_harm() {
    let mut bench = bench();
    bench.outb(3, 0x34).outb(0, 1).outb(0, 1).advance(pit(9));
    let before = bench.device.save();
    let mut odd = I8254::new();
    odd.restore(&before).expect("own state");
    odd.counters[0].element.as_mut().expect("loaded").count = 0;
    assert!(bench.device.restore(&odd.save()).is_err());
    assert_eq!(bench.device.save(), before);
    for start in [i64::MIN, i64::MAX] {
        odd.counters[0].element.as_mut().expect("loaded").start = start;
        odd.counters[0].element.as_mut().expect("loaded").count = 5;
        bench.device.restore(&odd.save()).expect("possible");
        status(&mut bench, 0);
        count(&mut bench, 0);
    }
}
