//! One ATA disk: what each command does, and the data blocks it moves.

use super::command::{Command, Protocol};
use super::identify::{DEFAULT_TRANSLATION, Facts, identify};
use super::task_file::{Addressing, TaskFile, Translation};
use crate::disk::{Disk, DiskError, SECTOR};
use bitfield_struct::bitfield;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The most sectors a block of READ/WRITE MULTIPLE may have.
pub(super) const MULTIPLE_MAX: u8 = 16;
/// SET FEATURES transfer mode values (ATA/ATAPI-6, Table 44).
pub(super) const XFER_PIO: RangeInclusive<u8> = 0x08..=0x0C;
pub(super) const XFER_MWDMA: RangeInclusive<u8> = 0x20..=0x22;
/// How much is copied between disk and guest memory at a time.
const CHUNK: usize = 128;

/// The Status register. ERR and DF are kept; the rest follows from what the drive is doing.
#[bitfield(u8)]
pub(super) struct Status {
    pub(super) err: bool,
    #[bits(2)]
    __: u8,
    pub(super) drq: bool,
    /// Seek complete.
    pub(super) dsc: bool,
    pub(super) df: bool,
    pub(super) drdy: bool,
    pub(super) bsy: bool,
}

/// Bits of the Error register.
pub(super) mod error {
    pub(crate) const ABRT: u8 = 0x04;
    pub(crate) const IDNF: u8 = 0x10;
    pub(crate) const UNC: u8 = 0x40;
    /// Diagnostic code "no error detected".
    pub(crate) const PASSED: u8 = 0x01;
}

/// Sectors still to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub(super) lba: u64,
    pub(super) left: u32,
    /// Sectors in one DRQ block.
    pub(super) block: u8,
    pub(super) wide: bool,
}

impl Run {
    fn addressing(&self) -> Addressing {
        if self.wide { Addressing::Bits48 } else { Addressing::Bits28 }
    }

    /// Sectors of the next DRQ block.
    fn next_block(&self) -> u32 {
        self.left.min(self.block.into())
    }

    fn pass(&mut self, sectors: u32) {
        self.lba = self.lba.saturating_add(sectors.into());
        self.left = self.left.saturating_sub(sectors);
    }
}

/// What the drive is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Activity {
    Idle,
    /// The host reads `buffer`; `run` follows.
    DataIn {
        buffer: Vec<u8>,
        at: usize,
        run: Run,
    },
    /// The host fills `buffer`, the first block of `run`.
    DataOut {
        buffer: Vec<u8>,
        at: usize,
        run: Run,
    },
    /// Waiting for the bus master.
    Dma {
        to_memory: bool,
        run: Run,
    },
}

/// A disk on the cable.
pub(super) struct Drive {
    /// Its place on the board; only for the serial number.
    pub(super) number: u8,
    pub(super) disk: Box<dyn Disk>,
    pub(super) activity: Activity,
    pub(super) err: bool,
    /// Device fault.
    pub(super) df: bool,
    pub(super) error: u8,
    pub(super) translation: Translation,
    /// Block size of READ/WRITE MULTIPLE in sectors; 0: not set.
    pub(super) multiple: u8,
    pub(super) transfer_mode: u8,
    pub(super) standby: bool,
    /// The drive wants to interrupt.
    pub(super) interrupt: bool,
}

impl Drive {
    pub(super) fn new(number: u8, disk: Box<dyn Disk>) -> Self {
        Self {
            number,
            disk,
            activity: Activity::Idle,
            err: false,
            df: false,
            error: error::PASSED,
            translation: DEFAULT_TRANSLATION,
            multiple: 0,
            transfer_mode: *XFER_PIO.start(),
            standby: false,
            interrupt: false,
        }
    }

    pub(super) fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    /// The RESET- pin: settings go back as well.
    pub(super) fn hardware_reset(&mut self) {
        self.translation = DEFAULT_TRANSLATION;
        self.multiple = 0;
        self.transfer_mode = *XFER_PIO.start();
        self.software_reset();
    }

    /// SRST and EXECUTE DEVICE DIAGNOSTIC: the command ends, the diagnostic passes.
    pub(super) fn software_reset(&mut self) {
        self.activity = Activity::Idle;
        (self.err, self.df, self.error) = (false, false, error::PASSED);
        (self.standby, self.interrupt) = (false, false);
    }

    pub(super) fn status(&self) -> Status {
        let ready = Status::new().with_drdy(true).with_dsc(true).with_err(self.err).with_df(self.df);
        match self.activity {
            Activity::Idle => ready,
            Activity::DataIn { .. } | Activity::DataOut { .. } => ready.with_drq(true),
            Activity::Dma { .. } => ready.with_bsy(true),
        }
    }

    fn done(&mut self) {
        self.activity = Activity::Idle;
        self.interrupt = true;
    }

    fn fail(&mut self, error: u8) {
        (self.err, self.error) = (true, error);
        self.done();
    }

    /// The medium refused: shows the guest where and why.
    fn fail_at(&mut self, why: &DiskError, writing: bool, run: Run, regs: &mut TaskFile) {
        regs.show_address(run.lba, run.addressing(), self.translation);
        match why {
            DiskError::OutOfRange { .. } => self.fail(error::IDNF),
            DiskError::ReadOnly => self.fail(error::ABRT),
            DiskError::Host(_) if writing => {
                self.df = true;
                self.fail(error::ABRT);
            }
            DiskError::Host(_) => self.fail(error::UNC),
        }
    }

    /// All sectors are moved.
    fn finish(&mut self, run: Run, regs: &mut TaskFile) {
        self.show_end(run, regs);
        self.done();
    }

    /// The registers show the last sector moved, and that none is left.
    fn show_end(&self, run: Run, regs: &mut TaskFile) {
        regs.sector_count = [0; 2];
        regs.show_address(run.lba.saturating_sub(1), run.addressing(), self.translation);
    }

    /// Starts a command. EXECUTE DEVICE DIAGNOSTIC concerns both drives and does not come here.
    pub(super) fn command(&mut self, command: Command, regs: &mut TaskFile) {
        (self.err, self.df, self.error, self.interrupt) = (false, false, 0, false);
        match command {
            Command::Read(protocol, addressing) => self.begin_read(protocol, addressing, regs),
            Command::Write(protocol, addressing) => self.begin_write(protocol, addressing, regs),
            Command::ReadVerify(addressing) => self.read_verify(addressing, regs),
            Command::Recalibrate | Command::ExecuteDeviceDiagnostic => self.done(),
            Command::Seek => match self.run(Protocol::Single, Addressing::Bits28, regs) {
                Some(_) => self.done(),
                None => self.fail(error::IDNF),
            },
            Command::InitializeDeviceParameters => self.initialize_parameters(regs),
            Command::IdentifyDevice => self.identify(),
            Command::SetFeatures => self.set_features(regs),
            Command::SetMultipleMode => self.set_multiple(regs.sector_count[0]),
            Command::FlushCache => match self.disk.flush() {
                Ok(()) => self.done(),
                Err(_) => {
                    self.df = true;
                    self.fail(error::ABRT);
                }
            },
            Command::Standby | Command::Idle => {
                self.standby = command == Command::Standby;
                self.done();
            }
            Command::CheckPowerMode => {
                regs.sector_count[0] = if self.standby { 0x00 } else { 0xFF };
                self.done();
            }
            Command::Unsupported => self.fail(error::ABRT),
        }
    }

    /// What the task file asks for; `None` if the address cannot exist.
    fn run(&self, protocol: Protocol, addressing: Addressing, regs: &TaskFile) -> Option<Run> {
        let lba = regs.address(addressing, self.translation).filter(|lba| *lba < self.sectors())?;
        let block = if protocol == Protocol::Multiple { self.multiple } else { 1 };
        Some(Run { lba, left: regs.count(addressing), block, wide: addressing == Addressing::Bits48 })
    }

    /// The run of a transfer command, or the reason why there is none.
    fn begin(&mut self, protocol: Protocol, addressing: Addressing, regs: &TaskFile) -> Option<Run> {
        self.standby = false;
        if protocol == Protocol::Multiple && self.multiple == 0 {
            self.fail(error::ABRT);
            return None;
        }
        let run = self.run(protocol, addressing, regs);
        if run.is_none() {
            self.fail(error::IDNF);
        }
        run
    }

    fn begin_read(&mut self, protocol: Protocol, addressing: Addressing, regs: &mut TaskFile) {
        let Some(run) = self.begin(protocol, addressing, regs) else { return };
        match protocol {
            Protocol::Dma => self.activity = Activity::Dma { to_memory: true, run },
            Protocol::Single | Protocol::Multiple => self.fetch(run, regs),
        }
    }

    fn begin_write(&mut self, protocol: Protocol, addressing: Addressing, regs: &TaskFile) {
        let Some(run) = self.begin(protocol, addressing, regs) else { return };
        if self.disk.is_read_only() {
            return self.fail(error::ABRT);
        }
        match protocol {
            Protocol::Dma => self.activity = Activity::Dma { to_memory: false, run },
            // The first block is asked for without an interrupt (ATA/ATAPI-6, 9.6 "PIO data-out").
            Protocol::Single | Protocol::Multiple => self.want(run),
        }
    }

    /// Reads the next block for the host, and interrupts.
    fn fetch(&mut self, mut run: Run, regs: &mut TaskFile) {
        let sectors = run.next_block();
        let mut buffer = vec![0; sectors as usize * SECTOR];
        match self.disk.read(run.lba, &mut buffer) {
            Ok(()) => {
                run.pass(sectors);
                self.activity = Activity::DataIn { buffer, at: 0, run };
                self.interrupt = true;
            }
            Err(why) => self.fail_at(&why, false, run, regs),
        }
    }

    /// Asks the host for the next block.
    fn want(&mut self, run: Run) {
        let buffer = vec![0; run.next_block() as usize * SECTOR];
        self.activity = Activity::DataOut { buffer, at: 0, run };
    }

    fn identify(&mut self) {
        let buffer = identify(&Facts {
            sectors: self.sectors(),
            translation: self.translation,
            multiple: self.multiple,
            transfer_mode: self.transfer_mode,
            number: self.number,
        });
        let run = Run { lba: 0, left: 0, block: 1, wide: false };
        self.activity = Activity::DataIn { buffer, at: 0, run };
        self.interrupt = true;
    }

    /// A word from the data register; ones if there is none to read.
    pub(super) fn read_data(&mut self, regs: &mut TaskFile) -> u16 {
        let Activity::DataIn { buffer, at, run } = &mut self.activity else { return 0xFFFF };
        let word = buffer.get(*at..*at + 2).map_or(0xFFFF, |pair| u16::from_le_bytes([pair[0], pair[1]]));
        *at += 2;
        if *at >= buffer.len() {
            let run = *run;
            self.block_taken(run, regs);
        }
        word
    }

    fn block_taken(&mut self, run: Run, regs: &mut TaskFile) {
        if run.left > 0 {
            self.fetch(run, regs);
        } else {
            // IDENTIFY starts at no sector; a transfer has passed at least one.
            if run.lba > 0 {
                self.show_end(run, regs);
            }
            // The interrupt came with the block; none follows the last one.
            self.activity = Activity::Idle;
        }
    }

    /// A word to the data register.
    pub(super) fn write_data(&mut self, word: u16, regs: &mut TaskFile) {
        let Activity::DataOut { buffer, at, run } = &mut self.activity else { return };
        if let Some(pair) = buffer.get_mut(*at..*at + 2) {
            pair.copy_from_slice(&word.to_le_bytes());
        }
        *at += 2;
        if *at >= buffer.len() {
            let (buffer, run) = (std::mem::take(buffer), *run);
            self.block_given(&buffer, run, regs);
        }
    }

    fn block_given(&mut self, buffer: &[u8], mut run: Run, regs: &mut TaskFile) {
        if let Err(why) = self.disk.write(run.lba, buffer) {
            return self.fail_at(&why, true, run, regs);
        }
        run.pass(run.next_block());
        if run.left > 0 {
            self.want(run);
            self.interrupt = true;
        } else {
            self.finish(run, regs);
        }
    }

    fn read_verify(&mut self, addressing: Addressing, regs: &mut TaskFile) {
        let Some(mut run) = self.begin(Protocol::Single, addressing, regs) else { return };
        let mut buffer = vec![0; CHUNK * SECTOR];
        while run.left > 0 {
            let sectors = run.left.min(CHUNK as u32);
            if let Err(why) = self.disk.read(run.lba, &mut buffer[..sectors as usize * SECTOR]) {
                return self.fail_at(&why, false, run, regs);
            }
            run.pass(sectors);
        }
        self.finish(run, regs);
    }

    /// The bus master is ready: moves `sectors` of the run that waits, calling `memory` with each piece. For a write
    /// to the disk `memory` fills the piece. True if the command has ended.
    pub(super) fn move_dma(
        &mut self,
        sectors: u32,
        regs: &mut TaskFile,
        mut memory: impl FnMut(&mut [u8]),
    ) -> bool {
        let Activity::Dma { to_memory, mut run } = self.activity else { return false };
        let mut budget = sectors.min(run.left);
        let mut buffer = vec![0; CHUNK.min(budget as usize) * SECTOR];
        while budget > 0 {
            let count = budget.min(CHUNK as u32);
            let piece = &mut buffer[..count as usize * SECTOR];
            let moved = if to_memory {
                self.disk.read(run.lba, piece).inspect(|()| memory(piece))
            } else {
                memory(piece);
                self.disk.write(run.lba, piece)
            };
            if let Err(why) = moved {
                self.fail_at(&why, !to_memory, run, regs);
                return true;
            }
            run.pass(count);
            budget -= count;
        }
        self.activity = Activity::Dma { to_memory, run };
        if run.left == 0 {
            self.finish(run, regs);
        }
        run.left == 0
    }

    fn initialize_parameters(&mut self, regs: &TaskFile) {
        let sectors = regs.sector_count[0];
        if sectors == 0 {
            return self.fail(error::ABRT);
        }
        self.translation = Translation { heads: regs.device().head() + 1, sectors };
        self.done();
    }

    fn set_multiple(&mut self, sectors: u8) {
        if sectors != 0 && !(sectors.is_power_of_two() && sectors <= MULTIPLE_MAX) {
            return self.fail(error::ABRT);
        }
        self.multiple = sectors;
        self.done();
    }

    fn set_features(&mut self, regs: &TaskFile) {
        let mode = regs.sector_count[0];
        match regs.features[0] {
            // Write cache, look-ahead, and whether a software reset reverts settings: nothing to see from outside.
            0x02 | 0x82 | 0x55 | 0xAA | 0x66 | 0xCC => self.done(),
            0x03 if mode <= 1 => {
                self.transfer_mode = *XFER_PIO.start();
                self.done();
            }
            0x03 if XFER_PIO.contains(&mode) || XFER_MWDMA.contains(&mode) => {
                self.transfer_mode = mode;
                self.done();
            }
            _ => self.fail(error::ABRT),
        }
    }
}
