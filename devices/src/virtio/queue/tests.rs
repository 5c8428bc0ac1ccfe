use super::*;
use crate::disk::MemoryDisk;
use crate::virtio::guest::{
    BOTH, DATA, DESCRIPTORS, EVENT_IDX, Guest, HEADER, IN, INDIRECT, INDIRECT_DESC, Interface, NEEDS_RESET,
    NEXT, Numbers, STATUS, TABLE, WRITE,
};
use emu_core::{Level, Tick};

fn guest(features: u64) -> Guest {
    Guest::ready(MemoryDisk::zeroed(64), Interface::Modern, features)
}

/// The device says that it must be reset, has given nothing back, and works again after a reset.
#[track_caller]
fn expect_broken(mut guest: Guest) {
    guest.notify();
    assert_eq!(guest.status() & NEEDS_RESET, NEEDS_RESET);
    assert_eq!(guest.used(), None);
    guest.notify();
    assert_eq!(guest.used(), None, "it does nothing more");
    guest.set_up(0);
    assert_eq!(guest.take(IN, 0, 512).status, 0);
}

#[test]
fn chains_that_go_in_circles_break() {
    let mut guest = guest(INDIRECT_DESC);
    guest.describe(DESCRIPTORS, 0, HEADER, 16, NEXT, 0).describe(DESCRIPTORS, 1, HEADER, 16, NEXT, 1);
    guest.offer(0);
    expect_broken(guest);
    let mut guest = self::guest(INDIRECT_DESC);
    guest.describe(DESCRIPTORS, 0, TABLE, 32, INDIRECT, 0);
    guest.describe(TABLE, 0, HEADER, 16, NEXT, 1).describe(TABLE, 1, HEADER, 16, NEXT, 0);
    guest.offer(0);
    expect_broken(guest);
}

#[test]
fn indices_beyond_the_table_break() {
    let mut guest = guest(INDIRECT_DESC);
    guest.describe(DESCRIPTORS, 0, HEADER, 16, NEXT, 256).offer(0);
    expect_broken(guest);
    let mut guest = self::guest(0);
    guest.offer(256);
    expect_broken(guest);
    let mut guest = self::guest(INDIRECT_DESC);
    guest.describe(DESCRIPTORS, 0, TABLE, 16, INDIRECT, 0).describe(TABLE, 0, HEADER, 16, NEXT, 1).offer(0);
    expect_broken(guest);
}

#[test]
fn indirect_tables_have_their_rules() {
    // Flags and length of descriptor 0, flags of the first one in the table, and the features.
    for (flags, len, inside, features) in [
        (INDIRECT, 32, INDIRECT, INDIRECT_DESC),
        (INDIRECT | NEXT, 32, NEXT, INDIRECT_DESC),
        (INDIRECT, 0, NEXT, INDIRECT_DESC),
        (INDIRECT, 31, NEXT, INDIRECT_DESC),
        (INDIRECT, 16 * 257, NEXT, INDIRECT_DESC),
        (INDIRECT, u32::MAX - 15, NEXT, INDIRECT_DESC),
        (INDIRECT, 32, NEXT, 0),
    ] {
        let mut guest = guest(features);
        guest.header(IN, 0).describe(DESCRIPTORS, 0, TABLE, len, flags, 1);
        guest.describe(TABLE, 0, HEADER, 16, inside, 1).describe(TABLE, 1, STATUS, 1, WRITE, 0);
        guest.offer(0);
        expect_broken(guest);
    }
    let mut guest = guest(INDIRECT_DESC);
    guest.header(IN, 0).describe(DESCRIPTORS, 0, TABLE, 32, INDIRECT | WRITE, 1);
    guest.describe(TABLE, 0, HEADER, 16, NEXT, 1).describe(TABLE, 1, STATUS, 1, WRITE, 0);
    assert_eq!(guest.go((0, 0)).status, 0, "the write flag of the indirect descriptor says nothing");
}

#[test]
fn reading_comes_before_writing_and_addresses_end() {
    let mut guest = guest(0);
    guest.chain(0, &[(HEADER, 16, false), (STATUS, 1, true), (DATA, 512, false)]).offer(0);
    expect_broken(guest);
    let mut guest = self::guest(0);
    guest.chain(0, &[(HEADER, 16, false), (u64::MAX - 3, 512, true), (STATUS, 1, true)]).offer(0);
    expect_broken(guest);
}

#[test]
fn an_index_that_jumps_breaks() {
    for ahead in [257u16, 0x8000, 0xFFFF] {
        let guest = guest(0);
        guest.bench.memory.write(guest.driver + 2, &ahead.to_le_bytes());
        expect_broken(guest);
    }
}

#[test]
fn rings_that_are_not_in_memory_break() {
    let mut guest = guest(0);
    guest.driver = 1 << 41;
    guest.set_up(0);
    guest.notify();
    assert_eq!(guest.status() & NEEDS_RESET, NEEDS_RESET);
}

#[test]
fn indices_run_around_and_small_rings_work() {
    let mut guest = guest(0);
    guest.size = 2;
    guest.set_up(0);
    // No room for a third descriptor: header and status only.
    guest.header(4, 0).chain(0, &[(HEADER, 16, false), (STATUS, 1, true)]);
    for _ in 0..0x1_0003 {
        guest.offer(0).notify();
        assert_eq!(guest.used(), Some((0, 1)));
    }
}

#[test]
fn sizes_that_no_queue_can_have_change_nothing() {
    let mut queue = Queue::RESET;
    for size in [0, 3, 255, 257, 512, 0x8000] {
        queue.set_size(size);
        assert_eq!(queue.size, 256);
    }
    queue.set_size(1);
    assert_eq!(queue.size, 1);
}

#[test]
fn no_interrupt_and_event_index_are_heeded() {
    for interface in BOTH {
        let mut guest = Guest::ready(MemoryDisk::zeroed(64), interface, 0);
        guest.header(IN, 0).chain(0, &[(HEADER, 16, false), (STATUS, 1, true)]);
        guest.bench.memory.write(guest.driver, &1u16.to_le_bytes());
        guest.offer(0).notify();
        assert_eq!((guest.line(), guest.isr()), (Level::Low, 0));
        guest.bench.memory.write(guest.driver, &0u16.to_le_bytes());
        guest.offer(0).notify();
        assert_eq!((guest.line(), guest.isr()), (Level::High, 1));

        guest.set_up(EVENT_IDX);
        guest.header(IN, 0).chain(0, &[(HEADER, 16, false), (STATUS, 1, true)]);
        // "Interrupt me when entry 2 is used."
        guest.bench.memory.write(guest.driver + 4 + 2 * 256, &2u16.to_le_bytes());
        let mut heard = Vec::new();
        for _ in 0..4 {
            guest.offer(0).notify();
            heard.push(guest.isr());
        }
        assert_eq!(heard, [0, 0, 1, 0], "{interface:?}");
        let asked = u16::from_le_bytes(guest.bench.memory.read_array(guest.device + 4 + 8 * 256));
        assert_eq!(asked, 4, "the device asks to be notified of the next entry");
    }
}

#[test]
fn many_requests_are_cut_into_calls() {
    let mut guest = guest(0);
    guest.header(4, 0).chain(0, &[(HEADER, 16, false), (STATUS, 1, true)]);
    for _ in 0..200 {
        guest.offer(0);
    }
    guest.notify();
    let used = |guest: &mut Guest| std::iter::from_fn(|| guest.used()).count();
    assert_eq!(used(&mut guest), 64);
    guest.bench.advance(Tick::MICROSECOND.times(20));
    assert_eq!(used(&mut guest), 64);
    guest.bench.advance(Tick::MILLISECOND);
    assert_eq!(used(&mut guest), 72);
}

/// Rings full of chance: the device answers or breaks, and never writes where no descriptor lets it.
#[test]
fn chance_in_the_rings_does_no_harm() {
    const UNTOUCHED: [u8; 0x1000] = [0xA5; 0x1000];
    let mut numbers = Numbers(0x5EED_0002);
    let (mut broken, mut answered) = (0, 0);
    for round in 0..3000 {
        let mut guest = guest(if round % 2 == 0 { INDIRECT_DESC | EVENT_IDX } else { 0 });
        guest.bench.memory.write(0x8000, &UNTOUCHED);
        guest.header(numbers.below(15) as u32, numbers.below(70));
        for first in (0..30).step_by(3) {
            guest.chain(first, &[(HEADER, 16, false), (DATA, 512, numbers.below(2) == 0), (STATUS, 1, true)]);
            guest.chain_in(TABLE, first, &[(HEADER, 16, false), (DATA, 512, true), (STATUS, 1, true)]);
        }
        for _ in 0..numbers.below(6) {
            let table = if numbers.below(2) == 0 { DESCRIPTORS } else { TABLE };
            let (gpa, len, flags) = chance(&mut numbers);
            guest.describe(table, numbers.below(30) as u16, gpa, len, flags, numbers.below(40) as u16);
        }
        for _ in 0..=numbers.below(20) {
            let head = if numbers.below(40) == 0 { numbers.next() } else { 3 * numbers.below(10) };
            guest.offer(head as u16);
        }
        guest.notify();
        guest.bench.advance(Tick::MILLISECOND);
        answered += std::iter::from_fn(|| guest.used()).count();
        broken += u32::from(guest.status() & NEEDS_RESET != 0);
        assert_eq!(guest.bench.memory.read_array(0x8000), UNTOUCHED);
        let fresh = crate::virtio::VirtioPci::block("virtio_blk0", Box::new(MemoryDisk::zeroed(64)));
        guest.bench.check_save_restore(fresh);
    }
    // The test tests something: both happen often.
    assert!((1000..2500).contains(&broken) && answered > 10_000, "{broken} broken, {answered} answered");
}

/// A descriptor that is not quite wrong.
fn chance(numbers: &mut Numbers) -> (u64, u32, u16) {
    let gpa = match numbers.below(12) {
        0 => numbers.next(),
        1 => 0xF_FF00,
        2 => TABLE + 16 * numbers.below(16),
        3..6 => DATA,
        6..9 => HEADER,
        _ => STATUS,
    };
    let len = match numbers.below(10) {
        0 => numbers.next() as u32,
        1 => 0,
        2..4 => 512,
        4..8 => 16,
        _ => 1,
    };
    let flags = match numbers.below(20) {
        0 => numbers.next() as u16,
        1 => INDIRECT,
        2..9 => NEXT,
        9..14 => NEXT | WRITE,
        14..18 => WRITE,
        _ => 0,
    };
    (gpa, len, flags)
}
