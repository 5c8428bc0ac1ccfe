//! 82077AA floppy-disk controller in PC/AT mode, with up to two drives.
//!
//! Follows Intel "82077AA CHMOS Single-Chip Floppy Disk Controller". The controller answers at 3F0h-3F5h (region 0)
//! and 3F7h (region 1).
//!
//! Left out: SCAN commands (nobody uses them; they answer as invalid), deleted data marks and sector sizes other than
//! 512 bytes (a sector image cannot hold them), SRA and SRB (they float in AT mode), power-down. Delays are short and
//! fixed: no driver counts on slowness. SPECIFY's times are stored for DUMPREG only.

mod command;
mod execution;
mod medium;
mod state;
#[cfg(test)]
mod tests;
mod transfer;
#[cfg(test)]
mod waiting;

pub use medium::{DriveType, FloppyError, is_whole_diskette};

use crate::disk::Disk;
use bitfield_struct::bitfield;
use command::{Command, Opcode, UnitByte, status};
use emu_core::{
    Access, BusFault, Cx, Device, HostEvent, Pin, Reset, RestoreError, Saved, Space, Tick, TimerId,
};
use execution::Wait;
use medium::{Drive, Medium};
use serde::{Deserialize, Serialize};
use transfer::{Kind, Transfer};

/// To IRQ6.
pub const IRQ: Pin = Pin(0);
/// To DREQ2.
pub const DREQ: Pin = Pin(1);

/// Timers 0-3 end the seeks of drives 0-3.
const TIMER_RESET: TimerId = TimerId(4);
const TIMER_SECTOR: TimerId = TimerId(5);

const RESET_TIME: Tick = Tick::MICROSECOND.times(10);
const SECTOR_TIME: Tick = Tick::MICROSECOND.times(50);
const SEEK_TIME: Tick = Tick::MILLISECOND;

/// 82077AA, "RECALIBRATE": the chip gives up after this many step pulses.
const RECALIBRATE_PULSES: i16 = 79;

/// What VERSION answers.
const VERSION_82077AA: u8 = 0x90;

/// 82077AA, "Digital Output Register". Reset value 0.
#[bitfield(u8)]
struct Dor {
    #[bits(2)]
    drive: u8,
    /// 0 holds the chip in reset.
    not_reset: bool,
    /// Lets INT and DRQ out.
    dma_gate: bool,
    #[bits(4)]
    motors: u8,
}

impl Dor {
    fn motor(self, drive: u8) -> bool {
        self.motors() & (1 << (drive & 3)) != 0
    }
}

/// 82077AA, "Main Status Register".
#[bitfield(u8)]
struct Msr {
    #[bits(4)]
    drives_busy: u8,
    command_busy: bool,
    non_dma: bool,
    dio: bool,
    rqm: bool,
}

/// 82077AA, "CONFIGURE": the second byte.
#[bitfield(u8)]
struct Configure {
    #[bits(4)]
    fifo_threshold: u8,
    poll_disable: bool,
    fifo_disable: bool,
    implied_seek: bool,
    __: bool,
}

/// After reset: no implied seek, FIFO off, polling on.
const CONFIGURE_RESET: u8 = 0x20;
/// 250 kbit/s (82077AA, "Data Rate Select Register", hardware reset value 02h).
const RATE_RESET: u8 = 2;

/// What the chip is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Collecting a command; empty when idle.
    Command(Vec<u8>),
    Executing(Transfer),
    /// Result bytes not yet read, last one first.
    Result(Vec<u8>),
}

/// What a drive's seek has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Seek {
    #[default]
    None,
    /// Under way; will end with this ST0.
    Moving(u8),
    /// SENSE INTERRUPT STATUS will report this ST0.
    Ended(u8),
}

/// The controller and its drives.
pub struct I82077aa {
    drives: [Option<Drive>; 4],
    dor: Dor,
    tdr: u8,
    /// Bits 1-0 of CCR or DSR, whichever was written last.
    rate: u8,
    /// The two parameter bytes of SPECIFY.
    specify: [u8; 2],
    configure: Configure,
    pretrk: u8,
    lock: bool,
    /// Bits 5-0 of PERPENDICULAR MODE.
    perpendicular: u8,
    /// The last EOT or SC, for DUMPREG.
    eot: u8,
    /// Where the controller believes each head to be.
    pcn: [u8; 4],
    seeks: [Seek; 4],
    phase: Phase,
    /// The medium was not ready with what the execution phase needs.
    waits: Option<Wait>,
    /// The latched interrupt of a result phase, a seek or a reset.
    interrupt: bool,
}

impl I82077aa {
    /// A controller with these drives, all empty.
    pub fn new(drives: [Option<DriveType>; 2]) -> Self {
        let [a, b] = drives.map(|kind| kind.map(Drive::empty));
        Self {
            drives: [a, b, None, None],
            dor: Dor::new(),
            tdr: 0,
            rate: RATE_RESET,
            specify: [0; 2],
            configure: Configure::from_bits(CONFIGURE_RESET),
            pretrk: 0,
            lock: false,
            perpendicular: 0,
            eot: 0,
            pcn: [0; 4],
            seeks: [Seek::None; 4],
            phase: Phase::Command(Vec::new()),
            waits: None,
            interrupt: false,
        }
    }

    /// Puts a diskette into a drive; gives back the one that was there. A transfer that waits for that one hears of it
    /// with the next [`HostEvent::DiskReady`].
    ///
    /// # Errors
    /// There is no such drive, no format has this size, or the drive is not for this format.
    pub fn insert(
        &mut self,
        drive: usize,
        disk: Box<dyn Disk>,
    ) -> Result<Option<Box<dyn Disk>>, FloppyError> {
        let slot = self.drives.get_mut(drive).and_then(Option::as_mut).ok_or(FloppyError::NoDrive(drive))?;
        let before = slot.insert(Medium::new(disk)?)?;
        self.lose(drive);
        Ok(before.map(Medium::into_disk))
    }

    /// Takes the diskette out of a drive. A transfer that waits for it hears of it with the next
    /// [`HostEvent::DiskReady`].
    pub fn eject(&mut self, drive: usize) -> Option<Box<dyn Disk>> {
        self.lose(drive);
        let slot = self.drives.get_mut(drive)?.as_mut()?;
        slot.changed = true;
        slot.medium.take().map(Medium::into_disk)
    }

    /// The kinds of the two drives, for CMOS register 10h.
    pub fn drive_types(&self) -> [Option<DriveType>; 2] {
        [0, 1].map(|n: usize| self.drives[n].as_ref().map(|drive| drive.kind))
    }

    fn is_dma(&self) -> bool {
        self.specify[1] & 1 == 0
    }

    fn requests_data(&self) -> bool {
        matches!(&self.phase, Phase::Executing(transfer) if transfer.requests_data())
    }

    /// Drives both output pins as the state has them.
    fn update_pins(&self, cx: &mut Cx<'_>) {
        let (gate, data, dma) = (self.dor.dma_gate(), self.requests_data(), self.is_dma());
        cx.drive(IRQ, (gate && (self.interrupt || (data && !dma))).into());
        cx.drive(DREQ, (gate && data && dma).into());
    }

    /// 82077AA, "Reset": what DOR, DSR and the RESET pin have in common.
    fn software_reset(&mut self, cx: &mut Cx<'_>) {
        if !self.lock {
            self.configure = Configure::from_bits(CONFIGURE_RESET);
            self.pretrk = 0;
        }
        self.configure.set_implied_seek(false);
        self.configure.set_poll_disable(false);
        self.perpendicular &= 0x3C;
        self.seeks = [Seek::None; 4];
        self.phase = Phase::Command(Vec::new());
        self.interrupt = false;
        self.give_up();
        for timer in 0..=TIMER_SECTOR.0 {
            cx.disarm(TimerId(timer));
        }
    }

    fn write_dor(&mut self, dor: Dor, cx: &mut Cx<'_>) {
        let before = std::mem::replace(&mut self.dor, dor);
        if !dor.not_reset() {
            self.software_reset(cx);
        } else if !before.not_reset() {
            cx.arm(TIMER_RESET, cx.now() + RESET_TIME);
        }
    }

    /// Bit 7 resets and lets go by itself; bits 1-0 are the data rate.
    fn write_dsr(&mut self, value: u8, cx: &mut Cx<'_>) {
        self.rate = value & 3;
        if value & 0x80 != 0 {
            self.software_reset(cx);
            if self.dor.not_reset() {
                cx.arm(TIMER_RESET, cx.now() + RESET_TIME);
            }
        }
    }

    fn msr(&self) -> Msr {
        if !self.dor.not_reset() {
            return Msr::new();
        }
        let moving = |n: &usize| matches!(self.seeks[*n], Seek::Moving(_));
        let busy = (0..4).filter(moving).fold(0, |busy, n| busy | 1 << n);
        let msr = Msr::new().with_drives_busy(busy);
        match &self.phase {
            Phase::Command(bytes) => msr.with_rqm(true).with_command_busy(!bytes.is_empty()),
            Phase::Result(_) => msr.with_rqm(true).with_dio(true).with_command_busy(true),
            Phase::Executing(transfer) => {
                let host_turn = transfer.requests_data() && !self.is_dma();
                msr.with_command_busy(true)
                    .with_non_dma(!self.is_dma())
                    .with_rqm(host_turn)
                    .with_dio(host_turn && transfer.kind.is_to_host())
            }
        }
    }

    /// Only bit 7 is driven in AT mode. The drive shows its DSKCHG line while selected, which takes the motor.
    fn dir(&self) -> u8 {
        let selected = self.dor.drive();
        let drive = self.drives[usize::from(selected)].as_ref().filter(|_| self.dor.motor(selected));
        if drive.is_some_and(|drive| drive.changed) { 0xFF } else { 0x7F }
    }

    fn read_fifo(&mut self, cx: &mut Cx<'_>) -> u8 {
        let is_dma = self.is_dma();
        match &mut self.phase {
            Phase::Command(_) => 0,
            Phase::Executing(_) if is_dma => 0,
            Phase::Executing(_) => self.byte_to_host(false, cx).unwrap_or(0),
            Phase::Result(bytes) => {
                let byte = bytes.pop().unwrap_or(0);
                let last = bytes.is_empty();
                // 82077AA, "Interrupt": reading the first result byte ends the result phase's interrupt.
                self.interrupt = false;
                if last {
                    self.phase = Phase::Command(Vec::new());
                    self.interrupt = self.has_ended_seek();
                }
                byte
            }
        }
    }

    /// A seek nobody has sensed yet. The four statuses after a reset share one interrupt and do not count.
    fn has_ended_seek(&self) -> bool {
        let ended =
            |seek: &Seek| matches!(seek, Seek::Ended(st0) if *st0 & status::ST0_POLL != status::ST0_POLL);
        self.seeks.iter().any(ended)
    }

    fn write_fifo(&mut self, value: u8, cx: &mut Cx<'_>) {
        let is_dma = self.is_dma();
        match &mut self.phase {
            Phase::Command(bytes) if self.dor.not_reset() => {
                bytes.push(value);
                let (command, len) = Command::decode(bytes[0]);
                if bytes.len() >= len {
                    let bytes = std::mem::take(bytes);
                    self.execute(command, &bytes, cx);
                }
            }
            Phase::Executing(_) if !is_dma => drop(self.byte_from_host(value, false, cx)),
            Phase::Command(_) | Phase::Executing(_) | Phase::Result(_) => {}
        }
    }

    /// Runs a command whose bytes are complete.
    fn execute(&mut self, command: Command, bytes: &[u8], cx: &mut Cx<'_>) {
        let byte = |n: usize| bytes.get(n).copied().unwrap_or(0);
        let unit = UnitByte::from_bits(byte(1));
        match command {
            Command::ReadData => self.start_addressed(Kind::Read, bytes, cx),
            Command::ReadDeletedData => self.start_addressed(Kind::ReadDeleted, bytes, cx),
            Command::ReadTrack => self.start_addressed(Kind::ReadTrack, bytes, cx),
            Command::WriteData | Command::WriteDeletedData => self.start_addressed(Kind::Write, bytes, cx),
            Command::Verify => self.start_addressed(Kind::Verify, bytes, cx),
            Command::FormatTrack => {
                if let Ok(bytes) = bytes.try_into() {
                    self.eot = byte(3);
                    self.start(Transfer::format(bytes), cx);
                }
            }
            Command::ReadId => self.start(Transfer::on_track(Kind::ReadId, byte(0), byte(1)), cx),
            Command::Specify => self.specify = [byte(1), byte(2)],
            Command::SenseDriveStatus => self.result(&[self.st3(unit)]),
            Command::SenseInterruptStatus => self.sense_interrupt(),
            Command::Recalibrate => self.recalibrate(unit, cx),
            Command::Seek => self.seek(unit, byte(2), cx),
            Command::RelativeSeek => self.relative_seek(Opcode::from_bits(byte(0)), unit, byte(2), cx),
            Command::DumpReg => self.result(&self.dump()),
            Command::Version => self.result(&[VERSION_82077AA]),
            Command::PerpendicularMode => self.perpendicular_mode(byte(1)),
            Command::Configure => {
                self.configure = Configure::from_bits(byte(2) & 0x7F);
                self.pretrk = byte(3);
            }
            Command::Lock => {
                self.lock = Opcode::from_bits(byte(0)).multi_track();
                self.result(&[u8::from(self.lock) << 4]);
            }
            Command::Invalid => self.result(&[status::ST0_INVALID]),
        }
    }

    fn result(&mut self, bytes: &[u8]) {
        self.phase = Phase::Result(bytes.iter().rev().copied().collect());
    }

    fn st3(&self, unit: UnitByte) -> u8 {
        let drive = self.drives[usize::from(unit.drive())].as_ref();
        let protected = drive.and_then(|d| d.medium.as_ref()).is_some_and(Medium::is_read_only);
        let track_0 = drive.is_some_and(|d| d.track == 0);
        status::ST3
            | unit.drive()
            | u8::from(unit.head()) << 2
            | if protected { status::ST3_WRITE_PROTECT } else { 0 }
            | if track_0 { status::ST3_TRACK_0 } else { 0 }
    }

    fn sense_interrupt(&mut self) {
        let ended = self.seeks.iter().zip(self.pcn).enumerate().find_map(|(n, (seek, pcn))| match *seek {
            Seek::Ended(st0) => Some((n, st0, pcn)),
            Seek::None | Seek::Moving(_) => None,
        });
        let Some((n, st0, pcn)) = ended else {
            return self.result(&[status::ST0_INVALID]);
        };
        self.seeks[n] = Seek::None;
        self.result(&[st0, pcn]);
        self.interrupt = false;
    }

    /// Steps a drive from where the controller believes it to be to `cylinder`.
    fn step_to(&mut self, drive: u8, cylinder: u8) {
        let n = usize::from(drive & 3);
        let pulses = i16::from(cylinder) - i16::from(self.pcn[n]);
        self.pcn[n] = cylinder;
        if let Some(drive) = &mut self.drives[n] {
            drive.step(pulses);
        }
    }

    fn seek(&mut self, unit: UnitByte, cylinder: u8, cx: &mut Cx<'_>) {
        self.step_to(unit.drive(), cylinder);
        self.begin_seek(unit, status::ST0_SEEK_END, cx);
    }

    fn relative_seek(&mut self, opcode: Opcode, unit: UnitByte, by: u8, cx: &mut Cx<'_>) {
        let n = usize::from(unit.drive());
        // 82077AA, "RELATIVE SEEK": DIR, in the place of MFM, is 1 towards higher cylinders.
        let (pulses, pcn) = if opcode.mfm() {
            (i16::from(by), self.pcn[n].wrapping_add(by))
        } else {
            (-i16::from(by), self.pcn[n].wrapping_sub(by))
        };
        self.pcn[n] = pcn;
        if let Some(drive) = &mut self.drives[n] {
            drive.step(pulses);
        }
        self.begin_seek(unit, status::ST0_SEEK_END, cx);
    }

    fn recalibrate(&mut self, unit: UnitByte, cx: &mut Cx<'_>) {
        let n = usize::from(unit.drive());
        self.pcn[n] = 0;
        let at_track_0 = self.drives[n].as_mut().is_some_and(|drive| {
            drive.step(-i16::from(drive.track).min(RECALIBRATE_PULSES));
            drive.track == 0
        });
        let failed = status::ST0_ABNORMAL | status::ST0_EQUIPMENT_CHECK;
        let st0 = status::ST0_SEEK_END | if at_track_0 { 0 } else { failed };
        self.begin_seek(unit, st0, cx);
    }

    fn begin_seek(&mut self, unit: UnitByte, st0: u8, cx: &mut Cx<'_>) {
        let st0 = st0 | u8::from(unit.head()) << 2 | unit.drive();
        self.seeks[usize::from(unit.drive())] = Seek::Moving(st0);
        cx.arm(TimerId(unit.drive()), cx.now() + SEEK_TIME);
    }

    /// 82077AA, "PERPENDICULAR MODE": D3-D0 only change with OW set.
    fn perpendicular_mode(&mut self, value: u8) {
        let drives = if value & 0x80 != 0 { value } else { self.perpendicular };
        self.perpendicular = (drives & 0x3C) | (value & 3);
    }

    fn dump(&self) -> [u8; 10] {
        let [p0, p1, p2, p3] = self.pcn;
        let [srt_hut, hlt_nd] = self.specify;
        let lock = u8::from(self.lock) << 7 | self.perpendicular;
        [p0, p1, p2, p3, srt_hut, hlt_nd, self.eot, lock, self.configure.into_bits(), self.pretrk]
    }

    fn read_port(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u8, BusFault> {
        match (at.region, at.offset) {
            (0, 2) => Ok(self.dor.into_bits()),
            (0, 3) => Ok(self.tdr | 0xFC),
            (0, 4) => Ok(self.msr().into_bits()),
            (0, 5) => Ok(self.read_fifo(cx)),
            (1, 0) => Ok(self.dir()),
            _ => Err(BusFault),
        }
    }

    fn write_port(&mut self, at: Access, value: u8, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match (at.region, at.offset) {
            (0, 2) => self.write_dor(Dor::from_bits(value), cx),
            (0, 3) => self.tdr = value & 3,
            (0, 4) => self.write_dsr(value, cx),
            (0, 5) => self.write_fifo(value, cx),
            (1, 0) => self.rate = value & 3,
            _ => return Err(BusFault),
        }
        Ok(())
    }

    /// A byte while DACK is asserted. Without a request of ours the cycle is not for us.
    fn read_dma(&mut self, terminal_count: bool, cx: &mut Cx<'_>) -> Result<u8, BusFault> {
        let granted = self.is_dma() && self.dor.dma_gate();
        granted.then(|| self.byte_to_host(terminal_count, cx)).flatten().ok_or(BusFault)
    }

    fn write_dma(&mut self, value: u8, terminal_count: bool, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let granted = self.is_dma() && self.dor.dma_gate();
        granted.then(|| self.byte_from_host(value, terminal_count, cx)).flatten().ok_or(BusFault)
    }
}

impl Device for I82077aa {
    fn name(&self) -> &'static str {
        "i82077aa"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        self.lock = false;
        self.software_reset(cx);
        // Media and head positions stay: the reset line does not go to the drives.
        let Self {
            drives: _,
            dor,
            tdr,
            rate,
            specify,
            configure: _,
            pretrk: _,
            lock: _,
            perpendicular,
            eot,
            pcn,
            seeks: _,
            phase: _,
            waits: _,
            interrupt: _,
        } = self;
        (*dor, *tdr, *rate, *specify) = (Dor::new(), 0, RATE_RESET, [0; 2]);
        (*perpendicular, *eot, *pcn) = (0, 0, [0; 4]);
        self.update_pins(cx);
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        let value = match at.space {
            Space::Port => self.read_port(at, cx),
            Space::Dma => self.read_dma(at.offset == 1, cx),
            Space::Memory | Space::Config | Space::Msr | Space::IntAck | Space::Message | Space::Eoi => {
                Err(BusFault)
            }
        }?;
        self.update_pins(cx);
        Ok(value.into())
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match at.space {
            Space::Port => self.write_port(at, value as u8, cx),
            Space::Dma => self.write_dma(value as u8, at.offset == 1, cx),
            Space::Memory | Space::Config | Space::Msr | Space::IntAck | Space::Message | Space::Eoi => {
                Err(BusFault)
            }
        }?;
        self.update_pins(cx);
        Ok(())
    }

    fn deadline(&mut self, timer: TimerId, cx: &mut Cx<'_>) {
        match timer {
            TIMER_RESET => {
                // 82077AA, "Reset": polling reports all four drives as having changed their ready line.
                self.seeks = [0, 1, 2, 3].map(|n| Seek::Ended(status::ST0_POLL | n));
                self.interrupt = true;
            }
            TIMER_SECTOR => self.sector_comes(cx),
            TimerId(n) => {
                if let Some(seek) = self.seeks.get_mut(usize::from(n))
                    && let Seek::Moving(st0) = *seek
                {
                    *seek = Seek::Ended(st0);
                    self.interrupt = true;
                }
            }
        }
        self.update_pins(cx);
    }

    fn host(&mut self, event: HostEvent, cx: &mut Cx<'_>) {
        match event {
            HostEvent::DiskReady(_) => self.ready(cx),
            HostEvent::Serial(_)
            | HostEvent::Key { .. }
            | HostEvent::Mouse { .. }
            | HostEvent::PowerButton
            | HostEvent::WallClock(_) => return,
        }
        self.update_pins(cx);
    }

    fn save(&self) -> Saved {
        state::save(self)
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        state::restore(self, saved)
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
