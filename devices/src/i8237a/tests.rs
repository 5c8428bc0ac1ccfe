use super::*;
use crate::bench::Bench;
use emu_core::{Effect, Width};

const DREQ2: Pin = Pin(2);
const DREQ5: Pin = Pin(5);

fn bench() -> Bench<I8237aPair> {
    Bench::new(I8237aPair::new())
}

fn page(bench: &mut Bench<I8237aPair>, offset: u64, value: u8) {
    bench.write(Space::Port, 2, offset, Width::Byte, value.into());
}

/// Channel 2: 200h bytes at 123456h, in this mode, unmasked.
fn program(mode: u8) -> Bench<I8237aPair> {
    let mut bench = bench();
    page(&mut bench, 1, 0x12);
    bench.outb(0xC, 0).outb(4, 0x56).outb(4, 0x34).outb(5, 0xFF).outb(5, 1).outb(0xB, mode | 2).outb(0xA, 2);
    bench
}

fn done(bench: &mut Bench<I8237aPair>, channel: u8, bytes: u64) {
    bench.write(Space::Dma, channel, 0, Width::Dword, bytes);
}

fn grant(channel: u8, gpa: u64, len: u32, to_memory: bool, down: bool) -> Effect {
    Effect::Dma { channel, gpa, len, to_memory, down }
}

fn word(bench: &mut Bench<I8237aPair>, offset: u64) -> u16 {
    u16::from_le_bytes([bench.inb(offset), bench.inb(offset)])
}

#[test]
fn a_floppy_read_runs_to_terminal_count() {
    let mut bench = program(0x44);
    bench.pin(DREQ2, Level::High);
    assert_eq!(bench.effects, [grant(2, 0x12_3456, 0x200, true, false)]);
    assert_eq!(bench.inb(8), 0x40, "request pending, no TC yet");
    done(&mut bench, 2, 0x200);
    bench.pin(DREQ2, Level::Low);
    assert_eq!(bench.inb(8), 0x04, "TC of channel 2");
    assert_eq!(bench.inb(8), 0x00, "reading status clears TC");
    bench.outb(0xC, 0);
    assert_eq!(word(&mut bench, 4), 0x3656);
    assert_eq!(word(&mut bench, 5), 0xFFFF);
    bench.pin(DREQ2, Level::High);
    assert_eq!(bench.effects.len(), 1, "terminal count masks the channel");
}

#[test]
fn a_transfer_in_two_parts_goes_on_where_it_stopped() {
    let mut bench = program(0x48);
    bench.pin(DREQ2, Level::High);
    done(&mut bench, 2, 0x80);
    bench.pin(DREQ2, Level::Low).pin(DREQ2, Level::High);
    assert_eq!(
        bench.effects,
        [grant(2, 0x12_3456, 0x200, false, false), grant(2, 0x12_34D6, 0x180, false, false)]
    );
    assert_eq!(bench.inb(8) & 0xF, 0);
}

#[test]
fn autoinitialize_starts_over_unmasked() {
    let mut bench = program(0x54);
    bench.pin(DREQ2, Level::High);
    done(&mut bench, 2, 0x200);
    bench.pin(DREQ2, Level::Low).pin(DREQ2, Level::High);
    assert_eq!(bench.effects[0], bench.effects[1]);
    assert_eq!(bench.inb(8) & 0xF, 4);
}

#[test]
fn unmasking_serves_a_waiting_request() {
    for (offset, value) in [(0xA, 2), (0xE, 0), (0xF, 0xB)] {
        let mut bench = program(0x44);
        bench.outb(0xA, 6).pin(DREQ2, Level::High);
        assert_eq!(bench.effects, []);
        bench.outb(offset, value);
        assert_eq!(bench.effects.len(), 1);
    }
    let mut bench = program(0x44);
    bench.outb(8, 4).pin(DREQ2, Level::High);
    assert_eq!(bench.effects, [], "controller disabled");
    bench.outb(8, 0);
    assert_eq!(bench.effects.len(), 1);
}

#[test]
fn verify_touches_no_memory_and_cascade_grants_nothing() {
    let mut bench = program(0x40);
    bench.pin(DREQ2, Level::High);
    assert_eq!(bench.effects, [grant(2, NOWHERE, 0x200, true, false)]);
    let mut bench = program(0xC4);
    bench.pin(DREQ2, Level::High);
    assert_eq!(bench.effects, []);
}

#[test]
fn decrement_counts_down_and_pages_are_not_left() {
    let mut bench = program(0x64);
    bench.pin(DREQ2, Level::High);
    done(&mut bench, 2, 0x200);
    assert_eq!(bench.effects, [grant(2, 0x12_3456, 0x200, true, true)]);
    bench.outb(0xC, 0);
    assert_eq!(word(&mut bench, 4), 0x3256);
    let mut bench = program(0x44);
    bench.outb(0xC, 0).outb(4, 0xF0).outb(4, 0xFF).pin(DREQ2, Level::High);
    assert_eq!(bench.effects, [grant(2, 0x12_FFF0, 0x10, true, false)]);
}

#[test]
fn the_second_controller_counts_words() {
    let mut bench = bench();
    page(&mut bench, 0xB, 0x0D);
    for (offset, value) in [(0x4, 0x10), (0x4, 0x20), (0x6, 0x03), (0x6, 0x00), (0x16, 0x45), (0x14, 1)] {
        bench.write(Space::Port, 1, offset, Width::Byte, value);
    }
    bench.pin(DREQ5, Level::High);
    assert_eq!(bench.effects, [grant(5, 0xC_4020, 8, true, false)]);
    done(&mut bench, 5, 8);
    assert_eq!(bench.read(Space::Port, 1, 0x10, Width::Byte), 0x22, "DREQ5 pending and TC");
}

#[test]
fn rotating_priority_serves_the_other_first() {
    let mut bench = bench();
    bench.outb(8, 0x10).outb(0xB, 0x44).outb(0xB, 0x45);
    bench.pin(Pin(0), Level::High).pin(Pin(1), Level::High);
    bench.outb(0xE, 0);
    done(&mut bench, 0, 0);
    bench.outb(0xE, 0);
    let order: Vec<u8> = bench.effects.iter().filter_map(channel_of).collect();
    assert_eq!(order, [0, 1, 1, 0]);
}

fn channel_of(effect: &Effect) -> Option<u8> {
    if let Effect::Dma { channel, .. } = effect { Some(*channel) } else { None }
}

#[test]
fn memory_to_memory_copies() {
    let mut bench = bench();
    bench.memory.write(0x1000, b"sixteen bytes...");
    bench.outb(0, 0).outb(0, 0x10).outb(2, 0).outb(2, 0x20).outb(3, 0xF).outb(3, 0);
    bench.outb(1, 0xFF).outb(1, 0xFF).outb(0xB, 0x88).outb(0xB, 0x85).outb(8, 1).outb(9, 4);
    assert_eq!(&bench.memory.read_array::<16>(0x2000), b"sixteen bytes...");
    assert_eq!(bench.inb(8), 2, "TC of channel 1");
    assert_eq!(bench.inb(0xD), b'.');
}

#[test]
fn a_software_request_with_no_device_floats_and_ends() {
    let mut bench = bench();
    bench.outb(6, 0).outb(6, 0x30).outb(7, 1).outb(7, 0).outb(0xB, 0x87).outb(9, 7);
    assert_eq!(bench.memory.read_array::<3>(0x3000), [0xFF, 0xFF, 0]);
    assert_eq!(bench.inb(8), 8);
    assert_eq!(bench.inb(0xF), 0xFF);
}

#[test]
fn page_registers_and_post_code_read_back() {
    let mut bench = bench();
    for offset in 0..16 {
        page(&mut bench, offset, 0xA0 | offset as u8);
    }
    for offset in 0..16 {
        assert_eq!(bench.read(Space::Port, 2, offset, Width::Byte), 0xA0 | offset);
    }
}

#[test]
fn every_port_width_and_value_then_save_is_save_after_restore() {
    let mut bench = bench();
    for (region, ports) in [(0, 16), (1, 32), (2, 16)] {
        for offset in 0..ports {
            for width in [Width::Byte, Width::Word, Width::Dword] {
                for value in (0..=255).step_by(5) {
                    bench.write(Space::Port, region, offset, width, value);
                    bench.read(Space::Port, region, offset, width);
                }
                bench.pin(Pin((offset & 7) as u8), Level::from(width == Width::Word));
                done(&mut bench, (offset & 7) as u8, u64::MAX >> offset);
                bench.check_save_restore(I8237aPair::new());
            }
        }
    }
}

#[test]
fn impossible_states_are_refused() {
    let mut pair = I8237aPair::new();
    pair.controllers[1].first = 3;
    let good = pair.save();
    pair.controllers[1].first = 4;
    let bad = pair.save();
    let mut fresh = I8237aPair::new();
    assert!(fresh.restore(&bad).is_err());
    assert_eq!(fresh.save(), I8237aPair::new().save(), "nothing has changed");
    assert!(fresh.restore(&good).is_ok());
    assert!(fresh.restore(&Saved { version: 2, body: good.body }).is_err());
}
