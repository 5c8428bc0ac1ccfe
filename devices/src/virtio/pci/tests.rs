use super::*;
use crate::disk::{MemoryDisk, SECTOR};
use crate::virtio::guest::{
    ACKNOWLEDGE_DRIVER, BOTH, FEATURES_OK, Guest, HEADER, IN, Interface, NEEDS_RESET, Numbers, STATUS,
};
use emu_core::{Effect, Level};

fn guest(interface: Interface) -> Guest {
    Guest::ready(MemoryDisk::zeroed(64), interface, 0)
}

fn found() -> Guest {
    Guest::found(MemoryDisk::zeroed(64), Interface::Modern)
}

fn config(guest: &mut Guest, at: u64, width: Width) -> u64 {
    guest.bench.read(Space::Config, 0, at, width)
}

fn set_config(guest: &mut Guest, at: u64, width: Width, value: u64) {
    guest.bench.write(Space::Config, 0, at, width, value);
}

/// The capabilities by ID, and for vendor-specific ones by type: offset in configuration space.
fn capabilities(guest: &mut Guest) -> Vec<(u64, u64, u64)> {
    let mut at = config(guest, 0x34, Width::Byte);
    let mut found = Vec::new();
    while at != 0 {
        assert!(found.len() < 48, "the list ends");
        found.push((config(guest, at, Width::Byte), config(guest, at + 3, Width::Byte), at));
        at = config(guest, at + 1, Width::Byte);
    }
    found
}

#[test]
fn identity_and_capabilities_are_those_of_a_transitional_device() {
    let mut guest = found();
    assert_eq!(config(&mut guest, 0x00, Width::Dword), 0x1001_1AF4);
    assert_eq!(config(&mut guest, 0x08, Width::Dword), 0x0100_0000);
    assert_eq!(config(&mut guest, 0x2C, Width::Dword), 0x0002_1AF4);
    assert_eq!(config(&mut guest, 0x3D, Width::Byte), 1);
    let capabilities = capabilities(&mut guest);
    let kinds: Vec<_> =
        capabilities.iter().map(|&(id, kind, _)| if id == 0x09 { kind } else { id }).collect();
    assert_eq!(kinds, [1, 2, 3, 4, 5, 0x11]);
    for &(id, kind, at) in &capabilities {
        if id == 0x09 && kind < 5 {
            assert_eq!(config(&mut guest, at + 4, Width::Byte), 4, "all in BAR 4");
            let end = config(&mut guest, at + 8, Width::Dword) + config(&mut guest, at + 12, Width::Dword);
            assert!(end <= MODERN.len);
        }
    }
    assert_eq!(config(&mut guest, 0x9A, Width::Word), 1, "two vectors, disabled");
}

#[test]
fn bars_tell_their_size_and_move_the_windows() {
    let mut guest = found();
    for (at, mask) in [(0x10, 0xFFFF_FF81), (0x14, 0xFFFF_F000), (0x20, 0xFFFF_C00C), (0x24, 0xFFFF_FFFF)] {
        set_config(&mut guest, at, Width::Dword, 0xFFFF_FFFF);
        assert_eq!(config(&mut guest, at, Width::Dword), mask);
    }
    guest.bench.effects.clear();
    set_config(&mut guest, 0x04, Width::Word, 0);
    set_config(&mut guest, 0x10, Width::Dword, 0xD000);
    set_config(&mut guest, 0x20, Width::Dword, 0);
    set_config(&mut guest, 0x24, Width::Dword, 0x80);
    set_config(&mut guest, 0x04, Width::Word, 3);
    let windows: Vec<_> = guest.bench.effects.drain(..).collect();
    let window = |region, base| Effect::Window { region, base };
    assert_eq!(windows[..3], [window(0, None), window(1, None), window(4, None)]);
    assert_eq!(
        windows[3..],
        [window(0, Some(0xD000)), window(1, Some(0xFFFF_F000)), window(4, Some(0x80_0000_0000))]
    );
}

#[test]
fn features_are_agreed_on_once() {
    let mut guest = found();
    let offered = guest.features();
    assert_eq!(offered >> 28, 0x13, "indirect, event index, version 1");
    guest.set_status(ACKNOWLEDGE_DRIVER);
    // Without VERSION_1, and with a feature that is not offered.
    for (low, high) in [(0, 0), (1 << 12, 1), (0, 3)] {
        guest.common(0x08, Width::Dword, 0).common(0x0C, Width::Dword, low);
        guest.common(0x08, Width::Dword, 1).common(0x0C, Width::Dword, high);
        guest.set_status(ACKNOWLEDGE_DRIVER | FEATURES_OK);
        assert_eq!(guest.status(), ACKNOWLEDGE_DRIVER);
    }
    guest.choose(offered);
    guest.set_status(ACKNOWLEDGE_DRIVER | FEATURES_OK);
    assert_eq!(guest.status(), ACKNOWLEDGE_DRIVER | FEATURES_OK);
    guest.choose(0);
    guest.common(0x08, Width::Dword, 0);
    assert_eq!(guest.read_common(0x0C, Width::Dword), offered & 0xFFFF_FFFF, "settled");
    let mut guest = Guest::found(MemoryDisk::zeroed(64), Interface::Legacy);
    assert_eq!(guest.features() >> 24 & 0xFF, 0x38, "any layout, indirect, event index");
}

#[test]
fn a_queue_that_is_enabled_stays_as_it_is() {
    let mut guest = guest(Interface::Modern);
    guest.common(0x18, Width::Word, 4).common(0x20, Width::Dword, 0x5000).common(0x1C, Width::Word, 0);
    assert_eq!(guest.read_common(0x18, Width::Word), 256);
    assert_eq!(guest.read_common(0x20, Width::Dword), 0x1_0000);
    assert_eq!(guest.read_common(0x1C, Width::Word), 1);
    guest.common(0x16, Width::Word, 1);
    assert_eq!(guest.read_common(0x18, Width::Word), 0, "there is no second queue");
    assert_eq!(guest.read_common(0x1A, Width::Word), 0xFFFF);
    guest.set_status(0);
    assert_eq!(guest.read_common(0x1C, Width::Word), 0);
}

#[test]
fn nothing_happens_before_a_modern_driver_is_ready() {
    let mut guest = found();
    guest.choose(0);
    guest.set_status(ACKNOWLEDGE_DRIVER | FEATURES_OK);
    guest.common(0x20, Width::Dword, 0x1_0000).common(0x28, Width::Dword, 0x1_2000);
    guest.common(0x30, Width::Dword, 0x1_3000).common(0x1C, Width::Word, 1);
    guest.header(IN, 0).chain(0, &[(HEADER, 16, false), (STATUS, 1, true)]).describe(0x1_0000, 9, 0, 0, 0, 0);
    guest.offer(0).notify();
    assert_eq!(guest.used(), None);
    guest.set_status(ACKNOWLEDGE_DRIVER | FEATURES_OK | 4);
    assert_eq!(guest.used(), Some((0, 1)));
}

#[test]
fn a_legacy_driver_may_be_early_and_stop_the_queue() {
    let mut guest = Guest::found(MemoryDisk::zeroed(64), Interface::Legacy);
    assert_eq!(guest.read_legacy(0x0C, Width::Word), 256);
    guest.legacy(0x08, Width::Dword, 0x10);
    assert_eq!(guest.read_legacy(0x08, Width::Dword), 0x10);
    assert_eq!(guest.take(IN, 0, SECTOR).status, 0);
    guest.legacy(0x08, Width::Dword, 0);
    guest.offer(0).notify();
    assert_eq!((guest.used(), guest.read_legacy(0x08, Width::Dword)), (None, 0));
    guest.legacy(0x0E, Width::Word, 1);
    assert_eq!(guest.read_legacy(0x0C, Width::Word), 0, "there is no second queue");
}

#[test]
fn the_line_follows_the_isr_and_can_be_disabled() {
    for interface in BOTH {
        let mut guest = guest(interface);
        assert_eq!(guest.take(IN, 0, SECTOR).status, 0);
        guest.bench.expect(INTA, Level::High);
        assert_eq!(config(&mut guest, 0x06, Width::Word), 0x18);
        assert_eq!(config(&mut guest, 0x04, Width::Dword), 0x0018_0007);
        set_config(&mut guest, 0x04, Width::Word, 0x0407);
        guest.bench.expect(INTA, Level::Low);
        assert_eq!(config(&mut guest, 0x06, Width::Byte), 0x18, "it still wants to");
        set_config(&mut guest, 0x04, Width::Word, 0x0007);
        guest.bench.expect(INTA, Level::High);
        guest.set_status(0);
        guest.bench.expect(INTA, Level::Low);
    }
}

const MESSAGE: u64 = 0xFEE0_1000;

/// Vector 1 for the queue, both vectors with an address, nothing masked.
fn with_msix(interface: Interface) -> Guest {
    let mut guest = guest(interface);
    for (entry, data) in [(0, 0x40), (1, 0x41)] {
        for (field, value) in [(0, MESSAGE), (4, 0), (8, data), (12, 0)] {
            guest.bench.write(Space::Memory, 1, 16 * entry + field, Width::Dword, value);
        }
    }
    set_config(&mut guest, 0x9A, Width::Word, 0x8000);
    match interface {
        Interface::Modern => guest.common(0x10, Width::Word, 0).common(0x1A, Width::Word, 1),
        Interface::Legacy => guest.legacy(0x14, Width::Word, 0).legacy(0x16, Width::Word, 1),
    };
    guest.bench.effects.clear();
    guest
}

fn messages(guest: &mut Guest) -> Vec<(u64, u32)> {
    let message = |effect| match effect {
        Effect::Message { address, data } => Some((address, data)),
        _ => None,
    };
    guest.bench.effects.drain(..).filter_map(message).collect()
}

#[test]
fn messages_take_the_place_of_the_line() {
    for interface in BOTH {
        let mut guest = with_msix(interface);
        assert_eq!(guest.take(IN, 0, SECTOR).status, 0);
        assert_eq!(messages(&mut guest), [(MESSAGE, 0x41)]);
        assert_eq!((guest.line(), guest.isr()), (Level::Low, 0));
        guest.offer(300).notify();
        assert_eq!(guest.status() & NEEDS_RESET, NEEDS_RESET);
        assert_eq!(messages(&mut guest), [(MESSAGE, 0x40)]);
    }
}

#[test]
fn masked_messages_wait() {
    let mut guest = with_msix(Interface::Modern);
    let pending = |guest: &mut Guest| guest.bench.read(Space::Memory, 1, 0x800, Width::Dword);
    guest.bench.write(Space::Memory, 1, 16 + 12, Width::Dword, 1);
    guest.take(IN, 0, SECTOR);
    guest.take(IN, 0, SECTOR);
    assert_eq!((messages(&mut guest), pending(&mut guest)), (vec![], 2));
    let fresh = VirtioPci::block("virtio_blk0", Box::new(MemoryDisk::zeroed(64)));
    guest.bench.check_save_restore(fresh);
    guest.bench.write(Space::Memory, 1, 16 + 12, Width::Dword, 0);
    assert_eq!((messages(&mut guest), pending(&mut guest)), (vec![(MESSAGE, 0x41)], 0));
    // The whole function masked.
    set_config(&mut guest, 0x9A, Width::Word, 0xC000);
    guest.take(IN, 0, SECTOR);
    assert_eq!((messages(&mut guest), pending(&mut guest)), (vec![], 2));
    set_config(&mut guest, 0x9A, Width::Word, 0x8000);
    assert_eq!((messages(&mut guest), pending(&mut guest)), (vec![(MESSAGE, 0x41)], 0));
}

#[test]
fn vectors_that_do_not_exist_are_refused() {
    for interface in BOTH {
        let mut guest = with_msix(interface);
        let back = match interface {
            Interface::Modern => guest.common(0x1A, Width::Word, 2).read_common(0x1A, Width::Word),
            Interface::Legacy => guest.legacy(0x16, Width::Word, 2).read_legacy(0x16, Width::Word),
        };
        assert_eq!(back, 0xFFFF);
        assert_eq!(guest.take(IN, 0, SECTOR).status, 0);
        assert_eq!((messages(&mut guest), guest.line()), (vec![], Level::Low));
    }
}

#[test]
fn the_legacy_configuration_moves_behind_the_vectors() {
    let mut guest = with_msix(Interface::Legacy);
    assert_eq!(guest.read_legacy(0x14, Width::Word), 0);
    assert_eq!(guest.read_legacy(0x18, Width::Dword), 64);
    set_config(&mut guest, 0x9A, Width::Word, 0);
    assert_eq!(guest.read_legacy(0x14, Width::Dword), 64);
}

#[test]
fn configuration_space_reaches_the_bars() {
    let mut guest = found();
    let mut access = |bar, offset, len| {
        set_config(&mut guest, 0x88, Width::Byte, bar);
        set_config(&mut guest, 0x8C, Width::Dword, offset);
        set_config(&mut guest, 0x90, Width::Dword, len);
        config(&mut guest, 0x94, Width::Dword)
    };
    assert_eq!(access(4, 0x2000, 4), 64, "capacity");
    assert_eq!(access(4, 0x12, 2), 1, "num_queues");
    assert_eq!(access(0, 0x0C, 2), 256, "legacy queue size");
    // Places that do not exist: the register reads as it is.
    for (bar, offset, len) in
        [(2, 0, 4), (4, 0x4000, 4), (4, 0x3FFE, 4), (4, 1, 2), (4, 0, 3), (4, u64::from(u32::MAX), 1)]
    {
        assert_eq!(access(bar, offset, len), 0, "{bar} {offset:#x} {len}");
    }
    access(4, 0x14, 1);
    set_config(&mut guest, 0x94, Width::Byte, 3);
    assert_eq!(guest.status(), 3);
}

#[test]
fn a_power_cycle_forgets_everything() {
    let mut guest = with_msix(Interface::Modern);
    guest.take(IN, 0, SECTOR);
    guest.bench.call(|device, cx| device.reset(Reset::Hard, cx));
    let fresh = crate::bench::Bench::new(VirtioPci::block("virtio_blk0", Box::new(MemoryDisk::zeroed(64))));
    assert_eq!(guest.bench.device.save(), fresh.device.save());
}

/// Registers written at random, in every space and width: no panic, and every state can be saved.
#[test]
fn any_register_access_is_survived() {
    let widths = [Width::Byte, Width::Word, Width::Dword];
    let mut numbers = Numbers(0x5EED_0003);
    let mut guest = guest(Interface::Modern);
    for round in 0..60_000u32 {
        let width = widths[numbers.below(3) as usize];
        let (space, region, end) = match numbers.below(8) {
            0 => (Space::Config, 0, 256),
            1..3 => (Space::Port, 0, 0x80),
            3 => (Space::Memory, 1, 0x1000),
            _ => (Space::Memory, 4, 0x4000),
        };
        let near = numbers.below(0x40) + (numbers.below(end) & 0x3000);
        let offset = if numbers.below(4) == 0 { numbers.below(end) } else { near.min(end - 4) };
        let value = if numbers.below(2) == 0 { numbers.below(0x100) } else { numbers.next() } & width.mask();
        guest.bench.read(space, region, offset, width);
        guest.bench.write(space, region, offset, width, value);
        if round % 64 == 0 {
            guest.bench.advance(Tick::MICROSECOND);
            let fresh = VirtioPci::block("virtio_blk0", Box::new(MemoryDisk::zeroed(64)));
            guest.bench.check_save_restore(fresh);
        }
    }
    guest.bench.call(|device, cx| device.reset(Reset::PowerOn, cx));
    guest.set_up(0);
    assert_eq!(guest.take(IN, 0, SECTOR).status, 0);
}
