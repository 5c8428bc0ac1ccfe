use super::*;
use crate::bench::Bench;
use emu_core::Effect;

fn bench() -> Bench<Piix3> {
    Bench::new(Piix3::new())
}

fn route(bench: &mut Bench<Piix3>, pirq: u64, value: u64) {
    bench.write(Space::Config, 0, 0x60 + pirq, Width::Byte, value);
}

#[test]
fn it_is_a_multifunction_isa_bridge() {
    let mut bench = bench();
    assert_eq!(bench.read(Space::Config, 0, 0x00, Width::Dword), 0x7000_8086);
    assert_eq!(bench.read(Space::Config, 0, 0x0A, Width::Word), 0x0601);
    assert_eq!(bench.read(Space::Config, 0, 0x0E, Width::Byte), 0x80);
    assert_eq!(bench.read(Space::Config, 0, 0x60, Width::Dword), 0x8080_8080);
}

#[test]
fn steering_follows_the_route_and_shares_lines() {
    let mut bench = bench();
    bench.pin(PIRQ[0], Level::High).expect(irq(10), Level::Low);
    route(&mut bench, 0, 10);
    bench.expect(irq(10), Level::High);
    route(&mut bench, 1, 10);
    bench.pin(PIRQ[1], Level::High).pin(PIRQ[0], Level::Low).expect(irq(10), Level::High);
    route(&mut bench, 1, 11);
    bench.expect(irq(10), Level::Low).expect(irq(11), Level::High);
    route(&mut bench, 1, 0x8B);
    bench.expect(irq(11), Level::Low);
    for reserved in [0, 1, 2, 8, 13] {
        route(&mut bench, 1, reserved.into());
        bench.expect(irq(reserved), Level::Low);
    }
}

#[test]
fn reset_unroutes_but_the_inputs_keep_their_level() {
    let mut bench = bench();
    bench.pin(PIRQ[2], Level::High);
    route(&mut bench, 2, 5);
    bench.expect(irq(5), Level::High);
    bench.call(|device, cx| device.reset(Reset::Hard, cx));
    bench.expect(irq(5), Level::Low);
    route(&mut bench, 2, 5);
    bench.expect(irq(5), Level::High);
}

#[test]
fn port_cf9_resets_the_cpu_or_the_platform() {
    let mut bench = bench();
    bench.outb(0, 0x02).outb(0, 0x06);
    assert_eq!(bench.effects, [Effect::Power(Power::Reset)]);
    assert_eq!(bench.inb(0), 0x02);
    bench.effects.clear();
    bench.outb(0, 0x00).outb(0, 0x04);
    assert_eq!(bench.effects, [Effect::Power(Power::CpuReset)]);
}

#[test]
fn every_access_survives_save_and_restore() {
    for value in [0, u64::MAX, 0x5555_5555, 0xAAAA_AAAA] {
        let mut bench = bench();
        for pin in 0..=255 {
            bench.pin(Pin(pin), Level::High);
        }
        for space in [Space::Config, Space::Port] {
            for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                for offset in 0..0x104 {
                    bench.write(space, 0, offset, width, value);
                    bench.read(space, 0, offset, width);
                }
            }
        }
        bench.check_save_restore(Piix3::new());
    }
}
