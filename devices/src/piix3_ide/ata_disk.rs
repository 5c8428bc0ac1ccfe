//! One ATA disk: what each command does, and the data blocks it moves.

use super::ata_identify::{DEFAULT_TRANSLATION, Facts, identify};
use super::command::{Command, Protocol};
use super::drive::{AtaDevice, Front, Moved, Status, Wish, XFER_PIO, error};
use super::task_file::{Addressing, Signature, Translation};
use crate::disk::{Disk, DiskError, SECTOR};
use serde::{Deserialize, Serialize};

/// The most sectors a block of READ/WRITE MULTIPLE may have.
pub(super) const MULTIPLE_MAX: u8 = 16;
/// How much READ VERIFY reads at a time.
const CHUNK: usize = 128;

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
    /// Waiting for the disk with the next step.
    Step(Step),
}

/// What a drive does with the disk when no bus master takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// Reads the next block for the host.
    Fetch(Run),
    /// Writes the block that the host has given.
    Store {
        buffer: Vec<u8>,
        run: Run,
    },
    Verify(Run),
    /// What is in the cache, as the end of a command.
    Flush,
}

/// A disk on the cable.
pub(super) struct AtaDisk {
    /// Its place on the board; only for the serial number.
    pub(super) number: u8,
    pub(super) disk: Box<dyn Disk>,
    pub(super) front: Front,
    pub(super) activity: Activity,
    /// Sectors on their way between disk and memory; empty between calls.
    pub(super) buffer: Vec<u8>,
    /// The disk was not ready, and has not called since.
    pub(super) waits: bool,
    /// Device fault.
    pub(super) df: bool,
    pub(super) translation: Translation,
    /// Block size of READ/WRITE MULTIPLE in sectors; 0: not set.
    pub(super) multiple: u8,
    pub(super) transfer_mode: u8,
    /// Off: what a command has written is safe when the command ends.
    pub(super) write_cache: bool,
    pub(super) standby: bool,
}

/// Does `op` to as many of the sectors as go well, in one piece if it can be; the rest is refused for a reason.
fn as_far_as_it_goes(
    lba: u64,
    piece: &mut [u8],
    mut op: impl FnMut(u64, &mut [u8]) -> Result<(), DiskError>,
) -> (u32, Result<(), DiskError>) {
    let mut done = 0;
    match op(lba, piece) {
        Ok(()) => return ((piece.len() / SECTOR) as u32, Ok(())),
        Err(DiskError::NotReady) => return (0, Err(DiskError::NotReady)),
        Err(_) => {}
    }
    for sector in piece.chunks_exact_mut(SECTOR) {
        if let Err(why) = op(lba.saturating_add(done.into()), sector) {
            return (done, Err(why));
        }
        done += 1;
    }
    (done, Ok(()))
}

impl AtaDisk {
    pub(super) fn new(number: u8, disk: Box<dyn Disk>) -> Self {
        Self {
            number,
            disk,
            front: Front::new(),
            activity: Activity::Idle,
            buffer: Vec::new(),
            waits: false,
            df: false,
            translation: DEFAULT_TRANSLATION,
            multiple: 0,
            transfer_mode: *XFER_PIO.start(),
            write_cache: true,
            standby: false,
        }
    }

    pub(super) fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    pub(super) fn done(&mut self) {
        self.activity = Activity::Idle;
        self.front.interrupt = true;
    }

    pub(super) fn fail(&mut self, error: u8) {
        (self.front.err, self.front.error) = (true, error);
        self.done();
    }

    /// The disk calls when it may be asked again.
    fn wait_with(&mut self, activity: Activity) {
        (self.activity, self.waits) = (activity, true);
    }

    /// The host could not write.
    fn fault(&mut self) {
        self.df = true;
        self.fail(error::ABRT);
    }

    /// The medium refused: shows the guest where and why.
    fn fail_at(&mut self, why: &DiskError, writing: bool, run: Run) {
        self.front.regs.show_address(run.lba, run.addressing(), self.translation);
        match why {
            DiskError::OutOfRange { .. } => self.fail(error::IDNF),
            DiskError::ReadOnly => self.fail(error::ABRT),
            DiskError::Host(_) | DiskError::NotReady if writing => self.fault(),
            DiskError::Host(_) | DiskError::NotReady => self.fail(error::UNC),
        }
    }

    /// All sectors are moved.
    fn finish(&mut self, run: Run, written: bool) {
        self.show_end(run);
        if written && !self.write_cache {
            return self.flush();
        }
        self.done();
    }

    /// Ends a command when all that was written is safe.
    pub(super) fn flush(&mut self) {
        match self.disk.flush() {
            Ok(()) => self.done(),
            Err(DiskError::NotReady) => self.wait_with(Activity::Step(Step::Flush)),
            Err(_) => self.fault(),
        }
    }

    /// The registers show the last sector moved, and that none is left.
    fn show_end(&mut self, run: Run) {
        self.front.regs.sector_count = [0; 2];
        self.front.regs.show_address(run.lba.saturating_sub(1), run.addressing(), self.translation);
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Read(protocol, addressing) => self.begin_read(protocol, addressing),
            Command::Write(protocol, addressing) => self.begin_write(protocol, addressing),
            Command::ReadVerify(addressing) => {
                if let Some(run) = self.begin(Protocol::Single, addressing) {
                    self.verify(run);
                }
            }
            Command::Recalibrate => self.done(),
            Command::Seek => match self.run(Protocol::Single, Addressing::Bits28) {
                Some(_) => self.done(),
                None => self.fail(error::IDNF),
            },
            Command::InitializeDeviceParameters => self.initialize_parameters(),
            Command::IdentifyDevice => self.identify(),
            Command::SetFeatures => self.set_features(),
            Command::SetMultipleMode => self.set_multiple(self.front.regs.sector_count[0]),
            Command::FlushCache => self.flush(),
            Command::Standby | Command::Idle => {
                self.standby = command == Command::Standby;
                self.done();
            }
            Command::CheckPowerMode => {
                self.front.regs.sector_count[0] = if self.standby { 0x00 } else { 0xFF };
                self.done();
            }
            Command::Unsupported => self.fail(error::ABRT),
        }
    }

    /// What the task file asks for; `None` if the address cannot exist.
    fn run(&self, protocol: Protocol, addressing: Addressing) -> Option<Run> {
        let regs = &self.front.regs;
        let lba = regs.address(addressing, self.translation).filter(|lba| *lba < self.sectors())?;
        let block = if protocol == Protocol::Multiple { self.multiple } else { 1 };
        Some(Run { lba, left: regs.count(addressing), block, wide: addressing == Addressing::Bits48 })
    }

    /// The run of a transfer command, or the reason why there is none.
    fn begin(&mut self, protocol: Protocol, addressing: Addressing) -> Option<Run> {
        self.standby = false;
        if protocol == Protocol::Multiple && self.multiple == 0 {
            self.fail(error::ABRT);
            return None;
        }
        let run = self.run(protocol, addressing);
        if run.is_none() {
            self.fail(error::IDNF);
        }
        run
    }

    fn begin_read(&mut self, protocol: Protocol, addressing: Addressing) {
        let Some(run) = self.begin(protocol, addressing) else { return };
        match protocol {
            Protocol::Dma => self.activity = Activity::Dma { to_memory: true, run },
            Protocol::Single | Protocol::Multiple => self.fetch(run),
        }
    }

    fn begin_write(&mut self, protocol: Protocol, addressing: Addressing) {
        let Some(run) = self.begin(protocol, addressing) else { return };
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
    fn fetch(&mut self, mut run: Run) {
        let sectors = run.next_block();
        let mut buffer = vec![0; sectors as usize * SECTOR];
        let (done, read) = as_far_as_it_goes(run.lba, &mut buffer, |lba, part| self.disk.read(lba, part));
        run.pass(done);
        match read {
            Ok(()) => {
                self.activity = Activity::DataIn { buffer, at: 0, run };
                self.front.interrupt = true;
            }
            Err(DiskError::NotReady) => self.wait_with(Activity::Step(Step::Fetch(run))),
            Err(why) => self.fail_at(&why, false, run),
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
            write_cache: self.write_cache,
            number: self.number,
        });
        let run = Run { lba: 0, left: 0, block: 1, wide: false };
        self.activity = Activity::DataIn { buffer, at: 0, run };
        self.front.interrupt = true;
    }

    fn block_taken(&mut self, run: Run) {
        if run.left > 0 {
            self.fetch(run);
        } else {
            // IDENTIFY starts at no sector; a transfer has passed at least one.
            if run.lba > 0 {
                self.show_end(run);
            }
            // The interrupt came with the block; none follows the last one.
            self.activity = Activity::Idle;
        }
    }

    fn block_given(&mut self, mut buffer: Vec<u8>, mut run: Run) {
        let (done, written) = as_far_as_it_goes(run.lba, &mut buffer, |lba, part| self.disk.write(lba, part));
        run.pass(done);
        match written {
            Err(DiskError::NotReady) => self.wait_with(Activity::Step(Step::Store { buffer, run })),
            Err(why) => self.fail_at(&why, true, run),
            Ok(()) if run.left > 0 => {
                self.want(run);
                self.front.interrupt = true;
            }
            Ok(()) => self.finish(run, true),
        }
    }

    fn verify(&mut self, mut run: Run) {
        let mut buffer = vec![0; CHUNK * SECTOR];
        while run.left > 0 {
            let piece = &mut buffer[..run.left.min(CHUNK as u32) as usize * SECTOR];
            let (done, read) = as_far_as_it_goes(run.lba, piece, |lba, part| self.disk.read(lba, part));
            run.pass(done);
            match read {
                Ok(()) => {}
                Err(DiskError::NotReady) => return self.wait_with(Activity::Step(Step::Verify(run))),
                Err(why) => return self.fail_at(&why, false, run),
            }
        }
        self.finish(run, false);
    }

    /// Moves as many sectors as fit into `bytes`, in one piece, so that none has moved when the disk is not ready; the
    /// reason if it could not go on.
    fn move_run(
        &mut self,
        to_memory: bool,
        run: &mut Run,
        bytes: u64,
        memory: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), DiskError> {
        let count = u32::try_from(bytes / SECTOR as u64).unwrap_or(u32::MAX).min(run.left);
        if count == 0 {
            return Ok(());
        }
        let len = count as usize * SECTOR;
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        let piece = &mut self.buffer[..len];
        if !to_memory {
            memory(piece);
        }
        let (done, moved) = as_far_as_it_goes(run.lba, piece, |lba, part| {
            if to_memory { self.disk.read(lba, part) } else { self.disk.write(lba, part) }
        });
        if to_memory {
            memory(&mut piece[..done as usize * SECTOR]);
        }
        run.pass(done);
        moved
    }
}

impl AtaDevice for AtaDisk {
    fn front(&self) -> &Front {
        &self.front
    }

    fn front_mut(&mut self) -> &mut Front {
        &mut self.front
    }

    /// ERR and DF are kept; the rest follows from what the drive is doing.
    fn status(&self) -> Status {
        let ready = Status::new().with_drdy(true).with_dsc(true).with_err(self.front.err).with_df(self.df);
        match self.activity {
            Activity::Idle => ready,
            Activity::DataIn { .. } | Activity::DataOut { .. } => ready.with_drq(true),
            Activity::Dma { .. } | Activity::Step(_) => ready.with_bsy(true),
        }
    }

    fn hardware_reset(&mut self) {
        self.translation = DEFAULT_TRANSLATION;
        self.multiple = 0;
        self.transfer_mode = *XFER_PIO.start();
        self.write_cache = true;
        self.software_reset();
    }

    fn software_reset(&mut self) {
        self.disk.give_up();
        (self.activity, self.waits) = (Activity::Idle, false);
        (self.df, self.standby) = (false, false);
        self.front.reset();
        self.front.regs.set_signature(Signature::Ata);
    }

    fn command(&mut self, code: u8) {
        self.front.clear();
        self.df = false;
        self.execute(Command::decode(code));
    }

    fn is_taken_when_busy(&self, _code: u8) -> bool {
        false
    }

    fn read_data(&mut self) -> u16 {
        let Activity::DataIn { buffer, at, run } = &mut self.activity else { return 0xFFFF };
        let word = buffer.get(*at..*at + 2).map_or(0xFFFF, |pair| u16::from_le_bytes([pair[0], pair[1]]));
        *at += 2;
        if *at >= buffer.len() {
            let run = *run;
            self.block_taken(run);
        }
        word
    }

    fn write_data(&mut self, word: u16) {
        let Activity::DataOut { buffer, at, run } = &mut self.activity else { return };
        if let Some(pair) = buffer.get_mut(*at..*at + 2) {
            pair.copy_from_slice(&word.to_le_bytes());
        }
        *at += 2;
        if *at >= buffer.len() {
            let (buffer, run) = (std::mem::take(buffer), *run);
            self.block_given(buffer, run);
        }
    }

    fn ready(&mut self) {
        self.waits = false;
        if !matches!(self.activity, Activity::Step(_)) {
            return;
        }
        let Activity::Step(step) = std::mem::replace(&mut self.activity, Activity::Idle) else { return };
        match step {
            Step::Fetch(run) => self.fetch(run),
            Step::Store { buffer, run } => self.block_given(buffer, run),
            Step::Verify(run) => self.verify(run),
            Step::Flush => self.flush(),
        }
    }

    fn wish(&self) -> Option<Wish> {
        let Activity::Dma { to_memory, run } = self.activity else { return None };
        if self.waits {
            return None;
        }
        Some(Wish { to_memory, bytes: u64::from(run.left) * SECTOR as u64 })
    }

    fn move_dma(&mut self, bytes: u64, memory: &mut dyn FnMut(&mut [u8])) -> Moved {
        let Activity::Dma { to_memory, mut run } = self.activity else { return Moved::Until(0) };
        let moved = self.move_run(to_memory, &mut run, bytes, memory);
        self.activity = Activity::Dma { to_memory, run };
        match moved {
            Err(DiskError::NotReady) => {
                self.waits = true;
                return Moved::Until(0);
            }
            Err(why) => self.fail_at(&why, !to_memory, run),
            Ok(()) if run.left == 0 => self.finish(run, !to_memory),
            Ok(()) => return Moved::Some,
        }
        Moved::All
    }
}
