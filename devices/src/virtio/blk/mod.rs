//! The block device: VIRTIO 5.2.
//!
//! Left out: several queues, secure erase, zones, lifetime information, and the SCSI pass-through of old drafts.
//! Blocks are 512 bytes, the unit of [`Disk`].

mod config;
mod request;
mod state;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiting;

use super::pci::{Identity, registers};
use super::queue::{Broken, Chain, Outside, Queue, Segments};
use super::{Function, Served};
use crate::disk::{Disk, DiskError, SECTOR};
use crate::pci_config::Register;
use emu_core::{MemoryMap, RestoreError, Saved};
use request::{Header, Kind, Range, Status, Transfer, Work};

/// VIRTIO 4.1.2.1 and 5.2.1; class "SCSI storage", as old drivers expect.
const REGISTERS: &[Register] = &registers(&Identity { pci_device: 0x1001, device: 2, class: 0x01_0000 });

/// Feature bits. VIRTIO 5.2.3.
mod feature {
    pub(super) const SEG_MAX: u64 = 1 << 2;
    pub(super) const GEOMETRY: u64 = 1 << 4;
    pub(super) const RO: u64 = 1 << 5;
    pub(super) const BLK_SIZE: u64 = 1 << 6;
    pub(super) const FLUSH: u64 = 1 << 9;
    pub(super) const TOPOLOGY: u64 = 1 << 10;
    pub(super) const CONFIG_WCE: u64 = 1 << 11;
    pub(super) const DISCARD: u64 = 1 << 13;
    pub(super) const WRITE_ZEROES: u64 = 1 << 14;
}

/// Offered for every disk.
const FEATURES: u64 = feature::SEG_MAX
    | feature::GEOMETRY
    | feature::BLK_SIZE
    | feature::FLUSH
    | feature::TOPOLOGY
    | feature::CONFIG_WCE;
/// Offered for a disk that can be written.
const WRITABLE: u64 = feature::DISCARD | feature::WRITE_ZEROES;

/// How many sectors go between disk and memory in one piece.
const CHUNK: u64 = 256;
/// What one call may do: sectors moved and requests begun.
const SECTORS_PER_CALL: u64 = 4096;
const REQUESTS_PER_CALL: u32 = 64;
/// The length of the identifier. VIRTIO 5.2.6.
const ID: usize = 20;

/// What is left of a call's allowance.
struct Budget {
    sectors: u64,
    requests: u32,
}

/// A request that has ended.
struct Done {
    head: u16,
    status: Status,
    status_at: u64,
    /// Bytes of data written to the front of the buffer.
    written: u64,
    /// Whether the data is all there, so that the status byte follows it.
    is_full: bool,
}

/// A disk as a virtio block device.
pub(super) struct Blk {
    id: &'static str,
    disk: Box<dyn Disk>,
    /// Where a piece stays on its way.
    buffer: Vec<u8>,
    /// The features that the driver has chosen.
    agreed: u64,
    /// The driver's wish, with CONFIG_WCE: keep writes until they are flushed.
    writeback: bool,
    /// The transfer under way.
    transfer: Option<Transfer>,
    /// The disk was not ready, and has not called since.
    waits: bool,
}

impl Blk {
    pub(super) fn new(id: &'static str, disk: Box<dyn Disk>) -> Self {
        let buffer = vec![0; CHUNK as usize * SECTOR];
        Self { id, disk, buffer, agreed: 0, writeback: true, transfer: None, waits: false }
    }

    /// VIRTIO 5.2.5.2: without FLUSH a write is safe when it ends; with CONFIG_WCE the driver chooses.
    fn is_writethrough(&self) -> bool {
        let flush = self.agreed & feature::FLUSH != 0;
        let choice = self.agreed & feature::CONFIG_WCE != 0;
        !flush || choice && !self.writeback
    }

    /// Begins a request. What the disk has to work on stays under way; everything else ends at once.
    fn begin(&mut self, chain: Chain, memory: &MemoryMap) -> Result<Option<Done>, Broken> {
        let Chain { head, mut readable, mut writable } = chain;
        // VIRTIO 5.2.6: without header and status there is no request to answer.
        let status_at = writable.take_last_byte().ok_or(Broken)?;
        let Header { kind, sector } = Header::take(&mut readable, memory).ok_or(Broken)?;
        let room = writable.bytes();
        let done = |status, written| Done { head, status, status_at, written, is_full: room == written };
        let mut range = |feature| self.range(&mut readable, memory, feature);
        let at_range = |work, Range { sector, sectors, .. }, unused| Transfer {
            head,
            work,
            sector,
            sectors: sectors.into(),
            data: unused,
            status_at,
            written: 0,
        };
        let transfer = match kind {
            Kind::In => Ok(Transfer::new(head, Work::In, sector, writable, status_at)),
            Kind::Out => Ok(Transfer::new(head, Work::Out, sector, readable, status_at)),
            Kind::WriteZeroes => {
                range(feature::WRITE_ZEROES).map(|range| at_range(Work::Zeroes, range, writable))
            }
            Kind::Discard => range(feature::DISCARD).map(|range| at_range(Work::Discard, range, writable)),
            Kind::Flush => Ok(at_range(Work::Flush, Range::NONE, writable)),
            Kind::GetId => {
                let status = self.give_id(writable, memory);
                let written = if status == Status::Ok { room.min(ID as u64) } else { 0 };
                return Ok(Some(done(status, written)));
            }
            Kind::Unknown => Err(Status::Unsupported),
        };
        match transfer.and_then(|transfer| self.check(&transfer).map(|()| transfer)) {
            Ok(transfer) => {
                self.transfer = Some(transfer);
                Ok(None)
            }
            Err(refused) => Ok(Some(done(refused, 0))),
        }
    }

    /// VIRTIO 5.2.6: the identifier, filled up with zeros.
    fn give_id(&self, mut to: Segments, memory: &MemoryMap) -> Status {
        let mut id = [0; ID];
        id.iter_mut().zip(self.id.bytes()).for_each(|(to, from)| *to = from);
        to.write(memory, &id).into()
    }

    /// Whole sectors, on the disk, and not written to a disk that is only read. VIRTIO 5.2.6.1 and 5.2.6.2.
    fn check(&self, transfer: &Transfer) -> Result<(), Status> {
        let writes = !matches!(transfer.work, Work::In | Work::Flush);
        let refused = writes && self.disk.is_read_only();
        let fits = self.has(transfer.sector, transfer.sectors);
        let whole = transfer.bytes().is_none_or(|bytes| bytes == transfer.data.bytes());
        if whole && fits && !refused { Ok(()) } else { Err(Status::IoError) }
    }

    fn has(&self, sector: u64, sectors: u64) -> bool {
        sector.checked_add(sectors).is_some_and(|end| end <= self.disk.sectors())
    }

    /// The range that a DISCARD or WRITE ZEROES names. VIRTIO 5.2.6.2.
    fn range(&self, readable: &mut Segments, memory: &MemoryMap, feature: u64) -> Result<Range, Status> {
        if self.agreed & feature == 0 {
            return Err(Status::Unsupported);
        }
        let range = Range::take(readable, memory).ok_or(Status::IoError)?;
        let may_unmap = feature == self::feature::WRITE_ZEROES;
        if range.flags & !u32::from(may_unmap) != 0 {
            return Err(Status::Unsupported);
        }
        let sectors = u64::from(range.sectors);
        let fits = sectors <= u64::from(config::RANGE_MAX) && self.has(range.sector, sectors);
        if fits && !self.disk.is_read_only() { Ok(range) } else { Err(Status::IoError) }
    }

    /// Has the disk do the next piece of a transfer, of at most `sectors` sectors.
    fn step(&mut self, transfer: &mut Transfer, sectors: u64, memory: &MemoryMap) -> Result<(), Stop> {
        let piece = &mut self.buffer[..sectors as usize * SECTOR];
        match transfer.work {
            Work::In => {
                self.disk.read(transfer.sector, piece)?;
                transfer.data.write(memory, piece)?;
            }
            Work::Out => {
                let mut data = transfer.data.clone();
                data.read(memory, piece)?;
                self.disk.write(transfer.sector, piece)?;
                transfer.data = data;
            }
            Work::Zeroes => {
                piece.fill(0);
                self.disk.write(transfer.sector, piece)?;
            }
            Work::Flush => self.disk.flush()?,
            Work::Discard => {
                self.disk.discard(transfer.sector, transfer.sectors)?;
                transfer.sectors = 0;
                return Ok(());
            }
        }
        transfer.pass(sectors);
        Ok(())
    }

    /// Goes on with the transfer under way.
    fn go_on(&mut self, mut transfer: Transfer, memory: &MemoryMap, budget: &mut Budget) -> Option<Done> {
        let sectors = transfer.sectors.min(CHUNK).min(budget.sectors);
        budget.sectors -= sectors;
        let status = match self.step(&mut transfer, sectors, memory) {
            Ok(()) => Status::Ok,
            Err(Stop::Error) => Status::IoError,
            Err(Stop::NotReady) => {
                (self.transfer, self.waits) = (Some(transfer), true);
                return None;
            }
        };
        let all = transfer.sectors == 0;
        if status == Status::Ok && !all {
            self.transfer = Some(transfer);
            return None;
        }
        let writes = matches!(transfer.work, Work::Out | Work::Zeroes);
        if all && writes && self.is_writethrough() {
            self.transfer = Some(Transfer { work: Work::Flush, ..transfer });
            return None;
        }
        let Transfer { head, status_at, written, data, .. } = transfer;
        Some(Done { head, status, status_at, written, is_full: all && data.is_empty() })
    }
}

/// Why a transfer does not go on.
enum Stop {
    /// The disk calls when it may be asked again.
    NotReady,
    Error,
}

impl From<DiskError> for Stop {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::NotReady => Self::NotReady,
            DiskError::OutOfRange { .. } | DiskError::ReadOnly | DiskError::Host(_) => Self::Error,
        }
    }
}

impl From<Outside> for Stop {
    fn from(Outside: Outside) -> Self {
        Self::Error
    }
}

/// Writes the status and gives the chain back. VIRTIO 2.7.8.2: the length counts what is written from the front on
/// without a gap.
fn finish(done: &Done, queue: &mut Queue, memory: &MemoryMap) {
    memory.write(done.status_at, &[done.status as u8]);
    let written = done.written + u64::from(done.is_full);
    queue.push(done.head, u32::try_from(written).unwrap_or(u32::MAX), memory);
}

impl Function for Blk {
    fn registers(&self) -> &'static [Register] {
        REGISTERS
    }

    fn features(&self) -> u64 {
        FEATURES | if self.disk.is_read_only() { feature::RO } else { WRITABLE }
    }

    fn config(&self) -> Vec<u8> {
        config::config(self.disk.sectors(), !self.is_writethrough())
    }

    fn write_config(&mut self, offset: usize, value: u8) {
        if offset == config::WRITEBACK && self.agreed & feature::CONFIG_WCE != 0 {
            self.writeback = value & 1 != 0;
        }
    }

    fn negotiated(&mut self, features: u64) {
        self.agreed = features & self.features();
    }

    fn reset(&mut self) {
        (self.agreed, self.writeback) = (0, true);
        self.forget();
    }

    fn forget(&mut self) {
        self.disk.give_up();
        (self.transfer, self.waits) = (None, false);
    }

    fn ready(&mut self) {
        self.waits = false;
    }

    fn serve(&mut self, queue: &mut Queue, memory: &MemoryMap) -> Result<Served, Broken> {
        let mut budget = Budget { sectors: SECTORS_PER_CALL, requests: REQUESTS_PER_CALL };
        while !self.waits {
            let spent = if self.transfer.is_some() { budget.sectors == 0 } else { budget.requests == 0 };
            if spent {
                return Ok(Served::Part);
            }
            let done = match self.transfer.take() {
                Some(transfer) => self.go_on(transfer, memory, &mut budget),
                None => {
                    let Some(chain) = queue.pop(memory)? else { return Ok(Served::All) };
                    budget.requests -= 1;
                    self.begin(chain, memory)?
                }
            };
            if let Some(done) = done {
                finish(&done, queue, memory);
            }
        }
        Ok(Served::Waits)
    }

    fn save(&self) -> Saved {
        state::save(self)
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        state::restore(self, saved)
    }
}

impl From<Result<(), Outside>> for Status {
    fn from(result: Result<(), Outside>) -> Self {
        result.map_or(Self::IoError, |()| Self::Ok)
    }
}
