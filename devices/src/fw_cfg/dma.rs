//! The DMA interface. docs/specs/fw_cfg, "Guest-side DMA Interface".

use super::FwCfg;
use crate::bits::{low16, low32};
use emu_core::MemoryMap;

const ERROR: u32 = 1 << 0;
const READ: u32 = 1 << 1;
const SKIP: u32 = 1 << 2;
const SELECT: u32 = 1 << 3;
const WRITE: u32 = 1 << 4;

/// Bytes moved at a time, so that a guest's length allocates nothing.
const CHUNK: usize = 4096;

/// `FWCfgDmaAccess`, big-endian in guest memory.
struct Command {
    control: u32,
    length: u32,
    address: u64,
}

impl Command {
    fn load(memory: &MemoryMap, at: u64) -> Self {
        let word = |offset| u32::from_be_bytes(memory.read_array(at.wrapping_add(offset)));
        Self { control: word(0), length: word(4), address: u64::from(word(8)) << 32 | u64::from(word(12)) }
    }
}

impl FwCfg {
    pub(super) fn transfer(&mut self, at: u64, memory: &MemoryMap) {
        let command = Command::load(memory, at);
        if command.control & SELECT != 0 {
            self.select(low16((command.control >> 16).into()));
        }
        // Read comes before write, write before skip.
        let status = if command.control & READ != 0 {
            if command.address.checked_add(command.length.into()).is_some() {
                self.copy_out(&command, memory);
                0
            } else {
                ERROR
            }
        } else if command.control & WRITE != 0 {
            ERROR
        } else {
            if command.control & SKIP != 0 {
                self.skip(command.length);
            }
            0
        };
        memory.write(at, &u32::to_be_bytes(status));
    }

    fn skip(&mut self, length: u32) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.position = self.position.saturating_add(length).min(self.items.get(self.selector).len());
    }

    /// Copies the item to memory, then zeros for what was asked beyond its end. The caller has seen that the
    /// range does not wrap around.
    fn copy_out(&mut self, command: &Command, memory: &MemoryMap) {
        let (mut address, mut left) = (command.address, command.length);
        while left > 0 {
            let item = self.items.get(self.selector).get(self.position..).unwrap_or(&[]);
            let zeros = [0; CHUNK];
            let source = if item.is_empty() { zeros.as_slice() } else { item };
            let size = source.len().min(CHUNK).min(usize::try_from(left).unwrap_or(usize::MAX));
            memory.write(address, &source[..size]);
            address += size as u64;
            left -= low32(size as u64);
            if !item.is_empty() {
                self.position += size;
            }
        }
    }
}
