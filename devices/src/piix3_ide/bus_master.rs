//! The bus master of one channel: 82371SB (PIIX3), "Bus Master IDE I/O Registers" and "Physical Region Descriptor".

use bitfield_struct::bitfield;
use emu_core::MemoryMap;

/// BMICOM.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub(super) struct Command {
    /// SSBM.
    pub(super) start: bool,
    #[bits(2)]
    __: u8,
    /// RWCON: 1 writes memory.
    pub(super) to_memory: bool,
    #[bits(4)]
    __: u8,
}

/// BMISTA.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub(super) struct Status {
    pub(super) active: bool,
    pub(super) error: bool,
    /// The IDE interrupt line has risen.
    pub(super) interrupt: bool,
    #[bits(2)]
    __: u8,
    /// Written by software: which drives can do DMA.
    #[bits(2)]
    pub(super) capable: u8,
    __: bool,
}

/// Entries that fit into the 64 KiB a table may not cross.
const TABLE_MAX: usize = 8192;

/// A piece of guest memory that a transfer goes to or comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) gpa: u64,
    pub(super) len: usize,
}

/// The descriptors for one transfer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) segments: Vec<Segment>,
    /// Bytes described, at most the bytes asked for.
    pub(super) bytes: u64,
    /// The table ended just where the transfer does, or before.
    pub(super) is_used_up: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BusMaster {
    pub(super) command: Command,
    pub(super) status: Status,
    /// BMIDTP: where the descriptor table is.
    pub(super) table: u32,
    /// Bytes along the table that have moved, while a device waits in the middle of a transfer.
    pub(super) moved: u32,
}

impl BusMaster {
    pub(super) fn read(&self, offset: u64) -> u8 {
        match offset & 7 {
            0 => self.command.into_bits(),
            2 => self.status.into_bits(),
            n @ 4..8 => self.table.to_le_bytes()[n as usize - 4],
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u64, value: u8) {
        match offset & 7 {
            0 => self.write_command(Command::from_bits(value & 0x09)),
            2 => self.write_status(Status::from_bits(value)),
            n @ 4..8 => {
                let mut bytes = self.table.to_le_bytes();
                bytes[n as usize - 4] = value;
                (self.table, self.moved) = (u32::from_le_bytes(bytes) & !3, 0);
            }
            _ => {}
        }
    }

    /// Clearing SSBM stops a transfer that is under way.
    fn write_command(&mut self, command: Command) {
        if command.start() != self.command.start() {
            self.status.set_active(command.start());
            self.moved = 0;
        }
        self.command = command;
    }

    /// Bits 1 and 2 are cleared by writing ones.
    fn write_status(&mut self, value: Status) {
        let (error, interrupt) = (self.status.error(), self.status.interrupt());
        self.status.set_error(error && !value.error());
        self.status.set_interrupt(interrupt && !value.interrupt());
        self.status.set_capable(value.capable());
    }

    /// Reads as many descriptors as `bytes` bytes need, behind those that have moved.
    pub(super) fn table(&self, memory: &MemoryMap, bytes: u64) -> Table {
        let (mut table, mut before) = (Table::default(), u64::from(self.moved));
        for n in 0..TABLE_MAX {
            let left = bytes - table.bytes;
            // The table does not cross a 64 KiB boundary: its low half wraps.
            let entry = (self.table & 0xFFFF_0000) | (self.table.wrapping_add(n as u32 * 8) & 0xFFFF);
            let [base, count] =
                [0, 4].map(|half| u32::from_le_bytes(memory.read_array(u64::from(entry) + half)));
            let len = match count & 0xFFFE {
                0 => 0x1_0000,
                len => u64::from(len),
            };
            let last = count & 0x8000_0000 != 0;
            let passed = len.min(before);
            before -= passed;
            let (gpa, len) = (u64::from(base & !1) + passed, len - passed);
            let used = len.min(left);
            table.segments.push(Segment { gpa, len: used as usize });
            table.bytes += used;
            table.is_used_up = last && len <= left;
            if last || table.bytes == bytes {
                return table;
            }
        }
        table.is_used_up = true;
        table
    }
}

/// Calls `piece(gpa, part of buffer)` along the segments, and takes what was used off their front.
pub(super) fn along<'b>(
    segments: &mut std::collections::VecDeque<Segment>,
    mut buffer: &'b mut [u8],
    mut piece: impl FnMut(u64, &'b mut [u8]),
) {
    while let Some(front) = segments.front_mut().filter(|_| !buffer.is_empty()) {
        let len = front.len.min(buffer.len());
        let (part, rest) = buffer.split_at_mut(len);
        piece(front.gpa, part);
        buffer = rest;
        front.gpa += len as u64;
        front.len -= len;
        if front.len == 0 {
            segments.pop_front();
        }
    }
}
