use super::*;
use crate::bench::Bench;
use emu_core::{Effect, Level};

type PmBench = Bench<Piix4Pm>;

/// Half a period of the 24-bit timer.
const HALF: Tick = Tick(17_600 << 23);

impl PmBench {
    fn inw(&mut self, offset: u64) -> u64 {
        self.read(Space::Port, 0, offset, Width::Word)
    }

    fn inl(&mut self, offset: u64) -> u64 {
        self.read(Space::Port, 0, offset, Width::Dword)
    }

    fn outw(&mut self, offset: u64, value: u64) -> &mut Self {
        self.write(Space::Port, 0, offset, Width::Word, value)
    }

    fn apm(&mut self, value: u8) -> &mut Self {
        self.write(Space::Port, 1, 0, Width::Byte, value.into())
    }
}

fn bench() -> PmBench {
    Bench::new(Piix4Pm::new())
}

#[test]
fn firmware_places_the_window() {
    let mut bench = bench();
    assert_eq!(bench.effects, [Effect::Window { region: 0, base: None }]);
    assert_eq!(bench.read(Space::Config, 0, 0x00, Width::Dword), 0x7113_8086);
    assert_eq!(bench.read(Space::Config, 0, 0x5B, Width::Byte), 0x02, "no SMM to set up");
    bench.write(Space::Config, 0, 0x40, Width::Dword, 0x601);
    bench.write(Space::Config, 0, 0x80, Width::Byte, 1);
    assert_eq!(bench.effects.last(), Some(&Effect::Window { region: 0, base: Some(0x600) }));
    assert_eq!(bench.read(Space::Config, 0, 0x40, Width::Dword), 0x601);
    bench.write(Space::Config, 0, 0xD2, Width::Byte, 9);
    assert_eq!(bench.read(Space::Config, 0, 0xD2, Width::Byte), 0, "no SMBus controller");
}

#[test]
fn the_timer_counts_24_bits_in_any_width() {
    let mut bench = bench();
    bench.advance(Tick::PM_TIMER.times(0x12_3456));
    assert_eq!(bench.inl(8), 0x12_3456);
    assert_eq!((bench.inw(8), bench.inw(10)), (0x3456, 0x12));
    assert_eq!(bench.inb(9), 0x34);
    bench.advance(Tick(Tick::PM_TIMER.0 - 1));
    assert_eq!(bench.inl(8), 0x12_3456);
    bench.advance(Tick(1));
    assert_eq!(bench.inl(8), 0x12_3457);
    bench.advance(Tick::PM_TIMER.times(0xFF_FFFF - 0x12_3456));
    assert_eq!(bench.inl(8), 0);
}

#[test]
fn the_overflow_interrupts_when_the_top_bit_changes() {
    let mut bench = bench();
    bench.apm(ACPI_ENABLE).outw(2, 1);
    bench.advance(Tick(HALF.0 - 1)).expect(SCI, Level::Low);
    bench.advance(Tick(1)).expect(SCI, Level::High);
    assert_eq!(bench.inw(0), 1);
    bench.outw(0, 1).expect(SCI, Level::Low);
    assert_eq!(bench.inw(0), 0);
    bench.advance(HALF).expect(SCI, Level::High);
    bench.outw(2, 0).expect(SCI, Level::Low);
    assert_eq!(bench.inw(0), 1, "status does not need the enable bit");
}

#[test]
fn acpi_mode_gates_the_power_button() {
    let mut bench = bench();
    bench.outw(2, 0x100).host(HostEvent::PowerButton).expect(SCI, Level::Low);
    assert_eq!(bench.inw(4), 0);
    bench.apm(ACPI_ENABLE).expect(SCI, Level::High);
    assert_eq!((bench.inw(4), bench.inw(0)), (1, 0x100));
    bench.outb(1, 1).expect(SCI, Level::Low);
    bench.host(HostEvent::PowerButton).expect(SCI, Level::High);
    bench.apm(ACPI_DISABLE).expect(SCI, Level::Low);
}

#[test]
fn only_s5_turns_the_machine_off() {
    let mut bench = bench();
    bench.effects.clear();
    bench.outw(4, 0x0001).outw(4, 0x2401);
    assert_eq!(bench.effects, []);
    bench.outw(4, 0x2001);
    assert_eq!(bench.effects, [Effect::Power(Power::Off)]);
    assert_eq!(bench.inw(4), 0x0001, "SUS_EN reads zero");
    bench.effects.clear();
    bench.outb(5, 0x20);
    assert_eq!(bench.effects, [Effect::Power(Power::Off)], "by bytes too");
}

#[test]
fn the_gpe0_block_shows_the_general_purpose_registers() {
    let mut bench = bench();
    bench.write(Space::Port, 2, 2, Width::Word, 0x1234);
    assert_eq!(bench.inl(0x0C), 0x1234_0000);
    assert_eq!(bench.read(Space::Port, 2, 0, Width::Dword), 0x1234_0000);
    bench.write(Space::Port, 2, 3, Width::Byte, 0x56);
    assert_eq!(bench.inw(0x0E), 0x5634);
}

#[test]
fn every_access_survives_save_and_restore() {
    for value in [0, u64::MAX, 0x5555_5555, 0xAAAA_AAAA, 0xF1] {
        let mut bench = bench();
        for (space, regions) in [(Space::Config, 1), (Space::Port, 4)] {
            for region in 0..regions {
                for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                    for offset in (0..0x104).chain([u64::MAX]) {
                        bench.write(space, region, offset, width, value);
                        bench.read(space, region, offset, width);
                    }
                }
            }
        }
        bench.advance(HALF).check_save_restore(Piix4Pm::new());
    }
}
