//! A guest with a driver of its own, for tests: it works on the bench's memory, through either interface.

use super::VirtioPci;
use crate::bench::Bench;
use crate::disk::{Disk, SECTOR};
use emu_core::{Level, Space, Tick, Width};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    Modern,
    Legacy,
}

pub(super) const BOTH: [Interface; 2] = [Interface::Modern, Interface::Legacy];

/// VIRTIO_F_VERSION_1.
const VERSION_1: u64 = 1 << 32;
pub(super) const INDIRECT_DESC: u64 = 1 << 28;
pub(super) const EVENT_IDX: u64 = 1 << 29;

/// Descriptor flags.
pub(super) const NEXT: u16 = 1;
pub(super) const WRITE: u16 = 2;
pub(super) const INDIRECT: u16 = 4;

/// Request types.
pub(super) const IN: u32 = 0;
pub(super) const OUT: u32 = 1;

/// Status registers.
pub(super) const ACKNOWLEDGE_DRIVER: u64 = 3;
pub(super) const DRIVER_OK: u64 = 4;
pub(super) const FEATURES_OK: u64 = 8;
pub(super) const NEEDS_RESET: u64 = 0x40;

/// Where things are in guest memory.
pub(super) const DESCRIPTORS: u64 = 0x1_0000;
pub(super) const HEADER: u64 = 0x1_8000;
pub(super) const STATUS: u64 = 0x1_9000;
pub(super) const TABLE: u64 = 0x1_A000;
pub(super) const DATA: u64 = 0x2_0000;
/// Bytes from [`DATA`] to the end of memory.
pub(super) const ROOM: u32 = 0xE_0000;
pub(super) const QUEUE_SIZE: u16 = 256;

/// What the device answers to a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u8,
    pub(super) data: Vec<u8>,
    /// The length in the used ring.
    pub(super) len: u32,
}

pub(super) struct Guest {
    pub(super) bench: Bench<VirtioPci>,
    pub(super) interface: Interface,
    pub(super) size: u16,
    pub(super) driver: u64,
    pub(super) device: u64,
    available: u16,
    used: u16,
}

impl Guest {
    /// The device found, its BARs placed, nothing set up.
    pub(super) fn found(disk: impl Disk + 'static, interface: Interface) -> Self {
        let mut bench = Bench::new(VirtioPci::block("virtio_blk0", Box::new(disk)));
        let config = |bench: &mut Bench<_>, at, value| {
            bench.write(Space::Config, 0, at, Width::Dword, value);
        };
        config(&mut bench, 0x10, 0xC000);
        config(&mut bench, 0x14, 0xFEB0_0000);
        config(&mut bench, 0x20, 0xFEB1_0000);
        config(&mut bench, 0x04, 0x0007);
        let (driver, device) = match interface {
            Interface::Modern => (0x1_2000, 0x1_3000),
            Interface::Legacy => (0x1_1000, 0x1_2000),
        };
        Self { bench, interface, size: QUEUE_SIZE, driver, device, available: 0, used: 0 }
    }

    /// The device ready for requests, with these features and what the interface needs.
    pub(super) fn ready(disk: impl Disk + 'static, interface: Interface, features: u64) -> Self {
        let mut guest = Self::found(disk, interface);
        guest.set_up(features);
        guest
    }

    pub(super) fn set_up(&mut self, features: u64) {
        self.set_status(0);
        (self.available, self.used) = (0, 0);
        self.clear_rings();
        self.set_status(ACKNOWLEDGE_DRIVER);
        self.choose(features);
        match self.interface {
            Interface::Modern => {
                self.set_status(ACKNOWLEDGE_DRIVER | FEATURES_OK);
                assert_eq!(self.status() & FEATURES_OK, FEATURES_OK, "the device agrees");
                let (driver, device, size) = (self.driver, self.device, self.size);
                self.common(0x16, Width::Word, 0).common(0x18, Width::Word, size.into());
                for (at, address) in [(0x20, DESCRIPTORS), (0x28, driver), (0x30, device)] {
                    self.common(at, Width::Dword, address & 0xFFFF_FFFF);
                    self.common(at + 4, Width::Dword, address >> 32);
                }
                self.common(0x1C, Width::Word, 1);
                self.set_status(ACKNOWLEDGE_DRIVER | FEATURES_OK | DRIVER_OK);
            }
            Interface::Legacy => {
                self.legacy(0x0E, Width::Word, 0).legacy(0x08, Width::Dword, DESCRIPTORS >> 12);
                self.set_status(ACKNOWLEDGE_DRIVER | DRIVER_OK);
            }
        }
    }

    pub(super) fn choose(&mut self, features: u64) {
        match self.interface {
            Interface::Modern => {
                let features = features | VERSION_1;
                self.common(0x08, Width::Dword, 0).common(0x0C, Width::Dword, features & 0xFFFF_FFFF);
                self.common(0x08, Width::Dword, 1).common(0x0C, Width::Dword, features >> 32);
            }
            Interface::Legacy => drop(self.legacy(0x04, Width::Dword, features)),
        }
    }

    fn clear_rings(&self) {
        self.bench.memory.write(DESCRIPTORS, &[0; 0x8000]);
    }

    pub(super) fn common(&mut self, offset: u64, width: Width, value: u64) -> &mut Self {
        self.bench.write(Space::Memory, 4, offset, width, value);
        self
    }

    pub(super) fn read_common(&mut self, offset: u64, width: Width) -> u64 {
        self.bench.read(Space::Memory, 4, offset, width)
    }

    pub(super) fn legacy(&mut self, offset: u64, width: Width, value: u64) -> &mut Self {
        self.bench.write(Space::Port, 0, offset, width, value);
        self
    }

    pub(super) fn read_legacy(&mut self, offset: u64, width: Width) -> u64 {
        self.bench.read(Space::Port, 0, offset, width)
    }

    pub(super) fn status(&mut self) -> u64 {
        match self.interface {
            Interface::Modern => self.read_common(0x14, Width::Byte),
            Interface::Legacy => self.read_legacy(0x12, Width::Byte),
        }
    }

    pub(super) fn set_status(&mut self, value: u64) {
        match self.interface {
            Interface::Modern => self.common(0x14, Width::Byte, value),
            Interface::Legacy => self.legacy(0x12, Width::Byte, value),
        };
    }

    pub(super) fn features(&mut self) -> u64 {
        match self.interface {
            Interface::Modern => {
                let low = self.common(0x00, Width::Dword, 0).read_common(0x04, Width::Dword);
                low | self.common(0x00, Width::Dword, 1).read_common(0x04, Width::Dword) << 32
            }
            Interface::Legacy => self.read_legacy(0x00, Width::Dword),
        }
    }

    pub(super) fn config(&mut self, offset: u64, width: Width) -> u64 {
        match self.interface {
            Interface::Modern => self.read_common(0x2000 + offset, width),
            Interface::Legacy => self.read_legacy(0x14 + offset, width),
        }
    }

    /// Reads, and so clears, the ISR status.
    pub(super) fn isr(&mut self) -> u64 {
        match self.interface {
            Interface::Modern => self.read_common(0x1000, Width::Byte),
            Interface::Legacy => self.read_legacy(0x13, Width::Byte),
        }
    }

    pub(super) fn notify(&mut self) -> &mut Self {
        match self.interface {
            Interface::Modern => self.common(0x3000, Width::Word, 0),
            Interface::Legacy => self.legacy(0x10, Width::Word, 0),
        }
    }

    /// A descriptor in the table at `table`.
    pub(super) fn describe(
        &mut self,
        table: u64,
        index: u16,
        gpa: u64,
        len: u32,
        flags: u16,
        next: u16,
    ) -> &mut Self {
        let bits =
            u128::from(gpa) | u128::from(len) << 64 | u128::from(flags) << 96 | u128::from(next) << 112;
        self.bench.memory.write(table + 16 * u64::from(index), &bits.to_le_bytes());
        self
    }

    /// A chain in the ring's table from `first` on; the last bit of each row says whether the device writes.
    pub(super) fn chain(&mut self, first: u16, rows: &[(u64, u32, bool)]) -> &mut Self {
        self.chain_in(DESCRIPTORS, first, rows)
    }

    pub(super) fn chain_in(&mut self, table: u64, first: u16, rows: &[(u64, u32, bool)]) -> &mut Self {
        for (index, (n, &(gpa, len, write))) in (first..).zip(rows.iter().enumerate()) {
            let next = if n + 1 < rows.len() { NEXT } else { 0 };
            self.describe(table, index, gpa, len, next | if write { WRITE } else { 0 }, index + 1);
        }
        self
    }

    pub(super) fn header(&mut self, kind: u32, sector: u64) -> &mut Self {
        let bits = u128::from(kind) | u128::from(sector) << 64;
        self.bench.memory.write(HEADER, &bits.to_le_bytes());
        self.bench.memory.write(STATUS, &[0xEE]);
        self
    }

    /// Puts a chain into the available ring.
    pub(super) fn offer(&mut self, head: u16) -> &mut Self {
        let slot = u64::from(self.available % self.size);
        self.bench.memory.write(self.driver + 4 + 2 * slot, &head.to_le_bytes());
        self.available = self.available.wrapping_add(1);
        self.bench.memory.write(self.driver + 2, &self.available.to_le_bytes());
        self
    }

    /// Takes the next entry of the used ring: head and length.
    pub(super) fn used(&mut self) -> Option<(u32, u32)> {
        let index = u16::from_le_bytes(self.bench.memory.read_array(self.device + 2));
        if index == self.used {
            return None;
        }
        let at = self.device + 4 + 8 * u64::from(self.used % self.size);
        self.used = self.used.wrapping_add(1);
        let number = |at| u32::from_le_bytes(self.bench.memory.read_array(at));
        Some((number(at), number(at + 4)))
    }

    pub(super) fn status_byte(&self) -> u8 {
        self.bench.memory.read_array::<1>(STATUS)[0]
    }

    /// Offers chain 0, lets the device work, and takes the answer.
    pub(super) fn go(&mut self, data: (u64, usize)) -> Answer {
        self.offer(0).notify();
        self.bench.advance(Tick::MILLISECOND);
        let (head, len) = self.used().expect("the chain comes back");
        assert_eq!(head, 0);
        let mut bytes = vec![0; data.1];
        self.bench.memory.read(data.0, &mut bytes);
        Answer { status: self.status_byte(), data: bytes, len }
    }

    /// A request that gives the device data.
    pub(super) fn give(&mut self, kind: u32, sector: u64, data: &[u8]) -> Answer {
        self.bench.memory.write(DATA, data);
        let len = data.len() as u32;
        self.header(kind, sector).chain(0, &[(HEADER, 16, false), (DATA, len, false), (STATUS, 1, true)]);
        self.go((0, 0))
    }

    /// A request that takes data from the device.
    pub(super) fn take(&mut self, kind: u32, sector: u64, len: usize) -> Answer {
        let row = (DATA, len as u32, true);
        self.header(kind, sector).chain(0, &[(HEADER, 16, false), row, (STATUS, 1, true)]);
        self.go((DATA, len))
    }

    pub(super) fn line(&self) -> Level {
        self.bench.level(super::INTA)
    }
}

/// Sectors that each hold their own number.
pub(super) fn numbered(sectors: usize) -> Vec<u8> {
    (0..sectors).flat_map(|n| (n as u64).to_le_bytes().repeat(SECTOR / 8)).collect()
}

/// The same numbers in every run (xorshift64).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
