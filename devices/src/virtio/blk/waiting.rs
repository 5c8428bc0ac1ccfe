//! Tests of a device whose disk is not ready at once.

use crate::disk::{MemoryDisk, SECTOR};
use crate::lazy_disk::LazyDisk;
use crate::virtio::guest::{BOTH, DATA, Guest, HEADER, IN, Interface, OUT, STATUS, numbered};
use emu_core::{Device, DiskController, HostEvent, Level};

const FLUSH: u32 = 4;
const DISCARD: u32 = 11;
const WRITE_ZEROES: u32 = 13;
const FEATURES: u64 = 1 << 9 | 1 << 11 | 1 << 13 | 1 << 14;
const READY: HostEvent = HostEvent::DiskReady(DiskController::Virtio(0));

fn guest(interface: Interface, features: u64) -> Guest {
    Guest::ready(LazyDisk::new(MemoryDisk::from_bytes(numbered(1024))), interface, features)
}

/// Offers chain 0; how often the disk has to call until it comes back, its status, and its length. Saved and restored
/// each time, if so wished.
fn go(guest: &mut Guest, restored: bool) -> (u32, u8, u32) {
    guest.offer(0).notify();
    let mut calls = 0;
    loop {
        if let Some((head, len)) = guest.used() {
            assert_eq!((head, guest.line()), (0, Level::High));
            guest.isr();
            return (calls, guest.status_byte(), len);
        }
        guest.notify();
        assert_eq!(
            (guest.status_byte(), guest.line()),
            (0xEE, Level::Low),
            "a notification does not make it ready"
        );
        if restored {
            let saved = guest.bench.device.save();
            guest.bench.device.restore(&saved).expect("own state");
            assert_eq!(guest.bench.device.save(), saved);
            guest.bench.host(READY);
        }
        guest.bench.host(READY);
        calls += 1;
        assert!(calls < 100, "it has to end");
    }
}

fn range(guest: &mut Guest, sector: u64, sectors: u32) -> u32 {
    let bits = u128::from(sector) | u128::from(sectors) << 64;
    guest.bench.memory.write(DATA, &bits.to_le_bytes());
    16
}

fn request(guest: &mut Guest, kind: u32, sector: u64, len: u32, restored: bool) -> (u32, u8, u32) {
    guest.header(kind, sector);
    let data = (DATA, len, kind == IN);
    guest.chain(0, &[(HEADER, 16, false), data, (STATUS, 1, true)]);
    go(guest, restored)
}

#[test]
fn requests_of_every_kind_wait_and_end() {
    for (interface, restored) in
        BOTH.into_iter().flat_map(|interface| [(interface, false), (interface, true)])
    {
        let mut guest = guest(interface, FEATURES);
        // Two pieces of 256 sectors and one of 88.
        assert_eq!(request(&mut guest, IN, 0, 600 * 512, restored), (3, 0, 600 * 512 + 1));
        let at = |n: u64| DATA + n * SECTOR as u64;
        assert_eq!(guest.bench.memory.read_array::<8>(at(599)), 599u64.to_le_bytes());
        guest.bench.memory.write(DATA, &[7; 2 * SECTOR]);
        assert_eq!(request(&mut guest, OUT, 9, 2 * 512, restored), (1, 0, 1));
        assert_eq!(request(&mut guest, FLUSH, 0, 0, restored), (1, 0, 1));
        range(&mut guest, 20, 3);
        assert_eq!(request(&mut guest, DISCARD, 0, 16, restored), (1, 0, 1));
        range(&mut guest, 10, 2);
        assert_eq!(request(&mut guest, WRITE_ZEROES, 0, 16, restored), (1, 0, 1));
        assert_eq!(request(&mut guest, IN, 9, 3 * 512, restored), (1, 0, 3 * 512 + 1));
        let seen = [0, 1, 2].map(|n| guest.bench.memory.read_array::<1>(at(n))[0]);
        assert_eq!(seen, [7, 0, 0]);
    }
}

#[test]
fn a_write_through_waits_for_the_flush_as_well() {
    let mut guest = guest(Interface::Modern, 0);
    assert_eq!(request(&mut guest, OUT, 9, 512, true), (2, 0, 1));
}

#[test]
fn a_reset_gives_up() {
    let mut guest = guest(Interface::Modern, FEATURES);
    guest.header(FLUSH, 0).chain(0, &[(HEADER, 16, false), (STATUS, 1, true)]).offer(0).notify();
    guest.set_up(FEATURES);
    guest.bench.host(READY);
    assert_eq!((guest.used(), guest.status_byte(), guest.line()), (None, 0xEE, Level::Low));
    assert_eq!(request(&mut guest, FLUSH, 0, 0, false), (1, 0, 1));
}
