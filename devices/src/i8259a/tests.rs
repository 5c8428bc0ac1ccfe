use super::*;
use crate::bench::Bench;
use emu_core::Level::{High, Low};
use emu_core::Width;

type Pics = Bench<I8259aPair>;

/// Master at 20h, slave at 28h, nothing masked, as a PC BIOS or Linux does it.
fn initialized(icw4: u8) -> Pics {
    let mut bench = Bench::new(I8259aPair::new());
    for (region, base, icw3) in [(0, 0x20, 4), (1, 0x28, 2)] {
        for (a0, value) in [(0, 0x11), (1, base), (1, icw3), (1, icw4), (1, 0x00)] {
            out(&mut bench, region, a0, value);
        }
    }
    bench
}

fn out(bench: &mut Pics, region: u8, a0: u64, value: u8) {
    bench.write(Space::Port, region, a0, Width::Byte, value.into());
}

fn input(bench: &mut Pics, region: u8, a0: u64) -> u64 {
    bench.read(Space::Port, region, a0, Width::Byte)
}

fn ack(bench: &mut Pics) -> u64 {
    bench.read(Space::IntAck, 0, 0, Width::Byte)
}

fn pulse(bench: &mut Pics, irq: u8) {
    bench.pin(Pin(irq), High).pin(Pin(irq), Low);
}

#[test]
fn edge_request_is_served_once() {
    let mut bench = initialized(1);
    bench.pin(Pin(1), High).expect(INTR, High);
    assert_eq!(ack(&mut bench), 0x21);
    bench.expect(INTR, Low);
    out(&mut bench, 0, 0, 0x20);
    bench.expect(INTR, Low); // still high, but no new edge
    bench.pin(Pin(1), Low).pin(Pin(1), High).expect(INTR, High);
}

#[test]
fn higher_priority_interrupts_lower_and_not_the_reverse() {
    let mut bench = initialized(1);
    pulse(&mut bench, 4);
    assert_eq!(ack(&mut bench), 0x24);
    pulse(&mut bench, 5);
    bench.expect(INTR, Low);
    pulse(&mut bench, 3);
    bench.expect(INTR, High);
    assert_eq!(ack(&mut bench), 0x23);
    out(&mut bench, 0, 0, 0x20); // ends 3
    bench.expect(INTR, Low);
    out(&mut bench, 0, 0, 0x20); // ends 4
    bench.expect(INTR, High);
    assert_eq!(ack(&mut bench), 0x25);
}

#[test]
fn slave_vectors_come_through_the_cascade() {
    let mut bench = initialized(1);
    pulse(&mut bench, 12);
    pulse(&mut bench, 8);
    assert_eq!(ack(&mut bench), 0x28);
    // IR2 of the master is in service: IRQ12 waits until both are ended.
    bench.expect(INTR, Low);
    out(&mut bench, 1, 0, 0x20);
    bench.expect(INTR, Low);
    out(&mut bench, 0, 0, 0x62);
    bench.expect(INTR, High);
    assert_eq!(ack(&mut bench), 0x2C);
    out(&mut bench, 1, 0, 0x0B);
    assert_eq!(input(&mut bench, 1, 0), 0x10);
    out(&mut bench, 0, 0, 0x0B);
    assert_eq!(input(&mut bench, 0, 0), 0x04);
}

#[test]
fn special_fully_nested_lets_a_slave_interrupt_itself() {
    let mut bench = initialized(0x11);
    pulse(&mut bench, 12);
    assert_eq!(ack(&mut bench), 0x2C);
    pulse(&mut bench, 8);
    bench.expect(INTR, High);
    assert_eq!(ack(&mut bench), 0x28);
}

#[test]
fn spurious_interrupts_are_ir7_and_not_in_service() {
    let mut bench = initialized(1);
    assert_eq!(ack(&mut bench), 0x27);
    out(&mut bench, 0, 0, 0x0B);
    assert_eq!(input(&mut bench, 0, 0), 0);
    // A level request on the slave that goes away between the two INTA pulses cannot happen here; one that goes
    // away before takes the master's request with it.
    bench.write(Space::Port, 2, 1, Width::Byte, 0xFF);
    bench.pin(Pin(10), High).expect(INTR, High).pin(Pin(10), Low).expect(INTR, Low);
}

#[test]
fn level_request_repeats_until_the_line_falls() {
    let mut bench = initialized(1);
    bench.write(Space::Port, 2, 1, Width::Byte, 0x08); // IRQ11
    bench.pin(Pin(11), High);
    assert_eq!(ack(&mut bench), 0x2B);
    out(&mut bench, 1, 0, 0x20);
    out(&mut bench, 0, 0, 0x20);
    bench.expect(INTR, High);
    assert_eq!(ack(&mut bench), 0x2B);
    bench.pin(Pin(11), Low);
    out(&mut bench, 1, 0, 0x20);
    out(&mut bench, 0, 0, 0x20);
    bench.expect(INTR, Low);
}

#[test]
fn elcr_has_only_the_bits_of_the_piix3() {
    let mut bench = initialized(1);
    for (offset, mask) in [(0, 0xF8), (1, 0xDE)] {
        bench.write(Space::Port, 2, offset, Width::Byte, 0xFF);
        assert_eq!(input(&mut bench, 2, offset), mask);
    }
}

#[test]
fn masking_and_reading_back() {
    let mut bench = initialized(1);
    out(&mut bench, 0, 1, 0xFB);
    assert_eq!(input(&mut bench, 0, 1), 0xFB);
    pulse(&mut bench, 0);
    bench.expect(INTR, Low);
    assert_eq!(input(&mut bench, 0, 0), 0x01); // IRR
    out(&mut bench, 0, 1, 0xFA);
    bench.expect(INTR, High);
}

#[test]
fn initialization_needs_a_new_edge_and_unmasks() {
    let mut bench = initialized(1);
    bench.pin(Pin(3), High);
    for (a0, value) in [(0, 0x11), (1, 0x30), (1, 4), (1, 1)] {
        out(&mut bench, 0, a0, value);
    }
    assert_eq!(input(&mut bench, 0, 1), 0);
    bench.expect(INTR, Low);
    bench.pin(Pin(3), Low).pin(Pin(3), High);
    assert_eq!(ack(&mut bench), 0x33);
}

#[test]
fn single_chip_without_icw4_skips_both_words() {
    let mut bench = initialized(1);
    out(&mut bench, 0, 0, 0x12);
    out(&mut bench, 0, 1, 0x40);
    out(&mut bench, 0, 1, 0xAA); // already OCW1
    assert_eq!(input(&mut bench, 0, 1), 0xAA);
}

#[test]
fn automatic_end_of_interrupt_with_rotation() {
    let mut bench = initialized(3);
    out(&mut bench, 0, 0, 0x80);
    for irq in [3, 4] {
        bench.pin(Pin(irq), High);
    }
    assert_eq!(ack(&mut bench), 0x23);
    bench.expect(INTR, High);
    bench.pin(Pin(3), Low).pin(Pin(3), High);
    assert_eq!(ack(&mut bench), 0x24); // 3 has become the lowest
    assert_eq!(ack(&mut bench), 0x23);
    bench.expect(INTR, Low);
}

#[test]
fn rotation_commands() {
    let mut bench = initialized(1);
    out(&mut bench, 0, 0, 0xC3); // set priority: 3 is lowest, 4 highest
    for irq in [0, 4, 3] {
        pulse(&mut bench, irq);
    }
    assert_eq!(ack(&mut bench), 0x24);
    out(&mut bench, 0, 0, 0xA0); // rotate on non-specific EOI: 4 is lowest
    assert_eq!(ack(&mut bench), 0x20);
    out(&mut bench, 0, 0, 0xE0); // rotate on specific EOI of 0
    assert_eq!(ack(&mut bench), 0x23);
}

#[test]
fn special_mask_mode_lets_lower_levels_in() {
    let mut bench = initialized(1);
    pulse(&mut bench, 1);
    assert_eq!(ack(&mut bench), 0x21);
    pulse(&mut bench, 6);
    bench.expect(INTR, Low);
    out(&mut bench, 0, 1, 0x02);
    out(&mut bench, 0, 0, 0x68);
    bench.expect(INTR, High);
    assert_eq!(ack(&mut bench), 0x26);
    out(&mut bench, 0, 0, 0x20); // ends 6, the masked 1 is left alone
    out(&mut bench, 0, 0, 0x0B);
    assert_eq!(input(&mut bench, 0, 0), 0x02);
    out(&mut bench, 0, 0, 0x61);
    assert_eq!(input(&mut bench, 0, 0), 0x00);
}

#[test]
fn poll_takes_the_request() {
    let mut bench = initialized(1);
    pulse(&mut bench, 5);
    out(&mut bench, 0, 0, 0x0C);
    assert_eq!(input(&mut bench, 0, 0), 0x85);
    bench.expect(INTR, Low);
    out(&mut bench, 0, 0, 0x0C);
    assert_eq!(input(&mut bench, 0, 0) & 0x80, 0);
    out(&mut bench, 0, 0, 0x0B);
    assert_eq!(input(&mut bench, 0, 0), 0x20);
}

#[test]
fn intr_makes_a_new_edge_for_each_request() {
    let mut bench = initialized(3);
    pulse(&mut bench, 8);
    pulse(&mut bench, 9);
    ack(&mut bench);
    let levels: Vec<_> = bench.edges.iter().map(|edge| edge.2).collect();
    assert_eq!(levels, [High, Low, High]);
}

#[test]
fn every_access_then_save_and_restore() {
    let mut bench = Bench::new(I8259aPair::new());
    for value in 0..=255u64 {
        for region in 0..4 {
            for offset in 0..3 {
                for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                    bench.write(Space::Port, region, offset, width, value);
                    bench.read(Space::Port, region, offset, width);
                }
            }
        }
        bench.pin(Pin((value % 20) as u8), Level::from(value % 3 == 0));
        bench.read(Space::IntAck, 0, 0, Width::Byte);
        bench.check_save_restore(I8259aPair::new());
    }
}

#[test]
fn impossible_states_are_refused() {
    let bench = initialized(1);
    let mut fresh = I8259aPair::new();
    let before = fresh.save();
    let mut saved = bench.device.save();
    saved.version = 2;
    assert!(matches!(fresh.restore(&saved), Err(RestoreError::Version { .. })));
    let mut odd = initialized(1);
    odd.device.slave.lowest = 9;
    assert!(matches!(fresh.restore(&odd.device.save()), Err(RestoreError::Value(_))));
    assert_eq!(fresh.save(), before);
}
