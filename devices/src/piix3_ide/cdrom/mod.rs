//! The ATAPI CD-ROM drive: what it does with the ATA registers. Follows ATA/ATAPI-6 for those, SFF-8020i and MMC-3 for
//! the command packets.
//!
//! It reads discs of one data track of 2048-byte sectors, as an ISO image has them; a large one is a DVD. Left out:
//! audio, sub-channels, overlap and queuing, vital product data, sub-headers.

mod configuration;
mod execute;
mod feed;
mod identify;
mod mode_pages;
mod packet;
mod sector;
mod sense;
mod state;
mod table_of_contents;
#[cfg(test)]
mod tests;
mod tray;
#[cfg(test)]
mod waiting;

pub(super) use state::CdRomV2;

use super::CdRomError;
use super::drive::{AtaDevice, Front, Moved, Status, Wish, XFER_MWDMA, XFER_PIO, error};
use super::task_file::Signature;
use crate::disk::Disk;
use bitfield_struct::bitfield;
use execute::Outcome;
use feed::Feed;
use mode_pages::ModePages;
use packet::{PACKET, Packet};
use sense::Sense;
use serde::{Deserialize, Serialize};
use tray::{Event, ReadError, Tray};

/// The Interrupt Reason register, in the place of Sector Count.
#[bitfield(u8)]
struct InterruptReason {
    /// C/D: a command packet or status, not data.
    command: bool,
    /// I/O: towards the host.
    to_host: bool,
    #[bits(6)]
    __: u8,
}

const REASON_PACKET: InterruptReason = InterruptReason::new().with_command(true);
const REASON_TO_HOST: InterruptReason = InterruptReason::new().with_to_host(true);
const REASON_FROM_HOST: InterruptReason = InterruptReason::new();
const REASON_STATUS: InterruptReason = InterruptReason::new().with_command(true).with_to_host(true);

/// The command that ends whatever a packet device does.
const DEVICE_RESET: u8 = 0x08;

/// What the drive is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Activity {
    Idle,
    /// Takes a command packet.
    Packet {
        bytes: Vec<u8>,
        dma: bool,
    },
    /// The host reads a DRQ block, of which `block` bytes are left.
    DataIn {
        feed: Feed,
        block: usize,
        limit: u16,
    },
    /// The host reads the words of IDENTIFY PACKET DEVICE: no status phase follows.
    Identify {
        feed: Feed,
    },
    /// The host gives a parameter list of `len` bytes, of which it has yet to give `block` in this DRQ block.
    DataOut {
        list: Vec<u8>,
        len: usize,
        block: usize,
        limit: u16,
    },
    /// Waiting for the bus master with data for the host.
    DmaIn {
        feed: Feed,
    },
    /// Waiting for the bus master to give a parameter list of `len` bytes.
    DmaOut {
        list: Vec<u8>,
        len: usize,
    },
    /// Waiting for the disc with the next DRQ block.
    Fetch {
        feed: Feed,
        limit: u16,
    },
}

pub(super) struct CdRom {
    /// Its place on the board; only for the serial number.
    number: u8,
    tray: Tray,
    front: Front,
    activity: Activity,
    /// The disc was not ready for the bus master, and has not called since.
    waits: bool,
    /// DRDY: not after a reset, until a command has been taken.
    ready: bool,
    transfer_mode: u8,
    standby: bool,
    sense: Sense,
    /// Unit attention: nobody was told of the reset yet.
    power_on: bool,
    pages: ModePages,
}

/// The size of the next DRQ block, of `left` bytes that are to be moved: an even one, but for the last.
fn block_size(left: u64, limit: u16) -> usize {
    match usize::try_from(left) {
        Ok(left) if left <= usize::from(limit) => left,
        // A limit of FFFFh is one of FFFEh (SFF-8020i, "Byte Count Usage").
        _ => usize::from(limit & !1),
    }
}

impl CdRom {
    pub(super) fn new(number: u8, disc: Option<Box<dyn Disk>>) -> Self {
        Self {
            number,
            tray: Tray::new(disc),
            front: Front::new(),
            activity: Activity::Idle,
            waits: false,
            ready: false,
            transfer_mode: *XFER_PIO.start(),
            standby: false,
            sense: Sense::NONE,
            power_on: true,
            pages: ModePages::DEFAULT,
        }
    }

    /// A person puts a disc in, for the one that was there.
    pub(super) fn insert(&mut self, disc: Box<dyn Disk>) -> Result<(), CdRomError> {
        self.press_button()?;
        self.tray.put_in(disc);
        Ok(())
    }

    /// A person takes the disc out.
    pub(super) fn eject(&mut self) -> Result<Option<Box<dyn Disk>>, CdRomError> {
        self.press_button()?;
        Ok(self.tray.take_out())
    }

    /// The eject button opens the tray, or the guest hears that it was pressed.
    fn press_button(&mut self) -> Result<(), CdRomError> {
        if self.tray.locked && !self.tray.open {
            self.tray.event = Event::EjectRequest;
            return Err(CdRomError::Locked);
        }
        // What is on its way from the disc is lost.
        if self.is_reading_disc() {
            self.give_up();
            self.check_condition(Sense::UNRECOVERED_READ_ERROR);
        }
        Ok(())
    }

    fn is_reading_disc(&self) -> bool {
        match &self.activity {
            Activity::DataIn { feed, .. } | Activity::DmaIn { feed } | Activity::Fetch { feed, .. } => {
                feed.reads_disc()
            }
            Activity::Idle
            | Activity::Packet { .. }
            | Activity::Identify { .. }
            | Activity::DataOut { .. }
            | Activity::DmaOut { .. } => false,
        }
    }

    /// What the disc is not ready with is no longer wanted.
    fn give_up(&mut self) {
        self.tray.give_up();
        self.waits = false;
    }

    fn done(&mut self) {
        self.activity = Activity::Idle;
        self.front.interrupt = true;
    }

    /// A command that is not a packet cannot be carried out.
    fn abort(&mut self) {
        (self.front.err, self.front.error) = (true, error::ABRT);
        self.done();
    }

    fn set_reason(&mut self, reason: InterruptReason) {
        self.front.regs.sector_count[0] = reason.into_bits();
    }

    fn set_byte_count(&mut self, bytes: usize) {
        let [low, high, ..] = bytes.to_le_bytes();
        (self.front.regs.lba_mid[0], self.front.regs.lba_high[0]) = (low, high);
    }

    fn byte_count(&self) -> u16 {
        u16::from_le_bytes([self.front.regs.lba_mid[0], self.front.regs.lba_high[0]])
    }

    /// The status phase of a packet command.
    fn end(&mut self, result: Result<(), Sense>) {
        match result {
            Ok(()) => {
                self.set_reason(REASON_STATUS);
                self.done();
            }
            Err(sense) => self.check_condition(sense),
        }
    }

    fn check_condition(&mut self, sense: Sense) {
        self.sense = sense;
        (self.front.err, self.front.error) = (true, sense.error());
        self.set_reason(REASON_STATUS);
        self.done();
    }

    /// All twelve bytes are there.
    fn packet(&mut self, bytes: [u8; PACKET], dma: bool) {
        let packet = Packet(bytes);
        if !packet.is_request_sense() {
            self.sense = Sense::NONE;
        }
        self.standby = false;
        let limit = self.byte_count();
        match self.execute(&packet) {
            Err(sense) => self.check_condition(sense),
            Ok(Outcome::Done) => self.end(Ok(())),
            Ok(Outcome::Read(feed)) if dma => self.activity = Activity::DmaIn { feed },
            Ok(Outcome::Write(len)) if dma => self.activity = Activity::DmaOut { list: Vec::new(), len },
            // ATA/ATAPI-6, 8.23.4: data cannot move in blocks of nothing.
            Ok(Outcome::Read(_) | Outcome::Write(_)) if limit < 2 => {
                self.set_reason(REASON_STATUS);
                self.abort();
            }
            Ok(Outcome::Read(feed)) => self.next_block_in(feed, limit),
            Ok(Outcome::Write(len)) => self.next_block_out(Vec::new(), len, limit),
        }
    }

    fn next_block_in(&mut self, mut feed: Feed, limit: u16) {
        let block = block_size(feed.left(), limit);
        match feed.stock(block, &mut self.tray) {
            Ok(()) => {}
            Err(ReadError::NotReady) => return self.activity = Activity::Fetch { feed, limit },
            Err(ReadError::Refused(sense)) => return self.check_condition(sense),
        }
        self.set_byte_count(block);
        self.set_reason(REASON_TO_HOST);
        self.activity = Activity::DataIn { feed, block, limit };
        self.front.interrupt = true;
    }

    fn next_block_out(&mut self, list: Vec<u8>, len: usize, limit: u16) {
        let block = block_size((len - list.len()) as u64, limit);
        self.set_byte_count(block);
        self.set_reason(REASON_FROM_HOST);
        self.activity = Activity::DataOut { list, len, block, limit };
        self.front.interrupt = true;
    }

    /// The parameter list of the only command that has one is complete.
    fn parameters(&mut self, list: &[u8]) {
        let result = self.pages.select(list);
        self.end(result);
    }

    fn identify(&mut self) {
        let feed = Feed::reply(identify::identify(self.number, self.transfer_mode));
        self.activity = Activity::Identify { feed };
        self.front.interrupt = true;
    }

    fn set_features(&mut self) {
        let mode = self.front.regs.sector_count[0];
        match self.front.regs.features[0] {
            0x03 if mode <= 1 => self.transfer_mode = *XFER_PIO.start(),
            0x03 if XFER_PIO.contains(&mode) || XFER_MWDMA.contains(&mode) => self.transfer_mode = mode,
            // Whether a software reset reverts settings: nothing to see from outside.
            0x66 | 0xCC => {}
            _ => return self.abort(),
        }
        self.done();
    }

    fn check_power_mode(&mut self) {
        self.front.regs.sector_count[0] = if self.standby { 0x00 } else { 0xFF };
        self.done();
    }
}

/// The two bytes of a word, the second of which may be one too many.
fn word(bytes: &[u8]) -> u16 {
    let byte = |n: usize| bytes.get(n).copied().unwrap_or(0);
    u16::from_le_bytes([byte(0), byte(1)])
}

impl AtaDevice for CdRom {
    fn front(&self) -> &Front {
        &self.front
    }

    fn front_mut(&mut self) -> &mut Front {
        &mut self.front
    }

    fn status(&self) -> Status {
        let status = Status::new().with_drdy(self.ready).with_dsc(self.ready).with_err(self.front.err);
        match self.activity {
            Activity::Idle => status,
            Activity::Packet { .. }
            | Activity::DataIn { .. }
            | Activity::Identify { .. }
            | Activity::DataOut { .. } => status.with_drq(true),
            Activity::DmaIn { .. } | Activity::DmaOut { .. } | Activity::Fetch { .. } => {
                status.with_bsy(true)
            }
        }
    }

    fn hardware_reset(&mut self) {
        (self.pages, self.sense, self.power_on) = (ModePages::DEFAULT, Sense::NONE, true);
        self.transfer_mode = *XFER_PIO.start();
        self.tray.locked = false;
        self.software_reset();
    }

    /// ATA/ATAPI-6, 9.1-9.2: a packet device is not ready (DRDY) until it has taken a command.
    fn software_reset(&mut self) {
        self.give_up();
        self.activity = Activity::Idle;
        (self.ready, self.standby) = (false, false);
        self.front.reset();
        self.front.regs.set_signature(Signature::Packet);
    }

    fn command(&mut self, code: u8) {
        self.front.clear();
        self.ready = true;
        match code {
            DEVICE_RESET => self.software_reset(),
            0xA0 => {
                let dma = self.front.regs.features[0] & 1 != 0;
                self.set_reason(REASON_PACKET);
                self.activity = Activity::Packet { bytes: Vec::new(), dma };
            }
            0xA1 => self.identify(),
            // ATA/ATAPI-6, 9.12: IDENTIFY DEVICE and READ SECTOR(S) show who answers.
            0x20 | 0xEC => {
                self.front.regs.set_signature(Signature::Packet);
                self.abort();
            }
            0x94 | 0x96 | 0x99 | 0xE0 | 0xE2 | 0xE6 => {
                self.standby = true;
                self.done();
            }
            0x95 | 0x97 | 0xE1 | 0xE3 => {
                self.standby = false;
                self.done();
            }
            0x98 | 0xE5 => self.check_power_mode(),
            0xEF => self.set_features(),
            _ => self.abort(),
        }
    }

    fn is_taken_when_busy(&self, code: u8) -> bool {
        code == DEVICE_RESET
    }

    fn read_data(&mut self) -> u16 {
        match &mut self.activity {
            Activity::DataIn { feed, block, limit } => {
                let bytes = feed.take((*block).min(2));
                let (word, taken) = (word(bytes), bytes.len());
                *block = block.saturating_sub(taken.max(1));
                if *block == 0 {
                    let (feed, limit) = (feed.rest(), *limit);
                    if feed.left() == 0 { self.end(Ok(())) } else { self.next_block_in(feed, limit) }
                }
                word
            }
            Activity::Identify { feed } => {
                let word = word(feed.take(2));
                if feed.left() == 0 {
                    self.activity = Activity::Idle;
                }
                word
            }
            Activity::Idle
            | Activity::Packet { .. }
            | Activity::DataOut { .. }
            | Activity::DmaIn { .. }
            | Activity::DmaOut { .. }
            | Activity::Fetch { .. } => 0xFFFF,
        }
    }

    fn write_data(&mut self, word: u16) {
        match &mut self.activity {
            Activity::Packet { bytes, dma } => {
                bytes.extend(word.to_le_bytes());
                if let Ok(packet) = bytes[..].try_into() {
                    let dma = *dma;
                    self.packet(packet, dma);
                }
            }
            Activity::DataOut { list, len, block, limit } => {
                let bytes = (*block).min(2);
                list.extend(&word.to_le_bytes()[..bytes]);
                *block -= bytes;
                if *block == 0 {
                    let (list, len, limit) = (std::mem::take(list), *len, *limit);
                    if list.len() == len {
                        self.parameters(&list)
                    } else {
                        self.next_block_out(list, len, limit)
                    }
                }
            }
            Activity::Idle
            | Activity::DataIn { .. }
            | Activity::Identify { .. }
            | Activity::DmaIn { .. }
            | Activity::DmaOut { .. }
            | Activity::Fetch { .. } => {}
        }
    }

    fn wish(&self) -> Option<Wish> {
        match &self.activity {
            Activity::DmaIn { feed } if !self.waits => Some(Wish { to_memory: true, bytes: feed.left() }),
            Activity::DmaOut { list, len } => {
                Some(Wish { to_memory: false, bytes: (len - list.len()) as u64 })
            }
            Activity::Idle
            | Activity::Packet { .. }
            | Activity::DataIn { .. }
            | Activity::Identify { .. }
            | Activity::DataOut { .. }
            | Activity::DmaIn { .. }
            | Activity::Fetch { .. } => None,
        }
    }

    fn move_dma(&mut self, bytes: u64, memory: &mut dyn FnMut(&mut [u8])) -> Moved {
        match &mut self.activity {
            Activity::DmaIn { feed } => match feed.move_to(bytes, &mut self.tray, memory) {
                (moved, Err(ReadError::NotReady)) => {
                    self.waits = true;
                    return Moved::Until(moved);
                }
                (_, Err(ReadError::Refused(sense))) => self.check_condition(sense),
                (_, Ok(())) if feed.left() == 0 => self.end(Ok(())),
                (_, Ok(())) => return Moved::Some,
            },
            Activity::DmaOut { list, len } => {
                let (from, len) = (list.len(), *len);
                let to = len.min(from.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX)));
                list.resize(to, 0);
                memory(&mut list[from..]);
                if to < len {
                    return Moved::Some;
                }
                let list = std::mem::take(list);
                self.parameters(&list);
            }
            Activity::Idle
            | Activity::Packet { .. }
            | Activity::DataIn { .. }
            | Activity::Identify { .. }
            | Activity::DataOut { .. }
            | Activity::Fetch { .. } => return Moved::Some,
        }
        Moved::All
    }

    fn ready(&mut self) {
        self.waits = false;
        if let Activity::Fetch { feed, limit } = &mut self.activity {
            let (feed, limit) = (feed.rest(), *limit);
            self.next_block_in(feed, limit);
        }
    }
}
