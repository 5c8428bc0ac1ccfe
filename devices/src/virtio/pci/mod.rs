//! Virtio over PCI, a transitional device: VIRTIO 4.1, with the legacy interface of VIRTIO 0.9.5 in an I/O BAR.
//!
//! Regions are numbered as their BARs: 0 legacy interface, 1 MSI-X, 4 the structures of the modern interface.
//! Requests are worked on inside the notification, and what is too much for one call goes on at a deadline, so
//! that the guest runs in between; a function that waits for the host goes on when the host calls. Left out: shared-memory and vendor capabilities, queue reset.

mod config;
mod driver;
mod msix;
mod registers;
mod state;
#[cfg(test)]
mod tests;

pub(super) use config::{Identity, registers};

use super::queue::Queue;
use super::{Function, Served, blk::Blk};
use crate::disk::Disk;
use bitfield_struct::bitfield;
use config::Config;
use emu_core::{
    Access, BusFault, Cx, Device, HostEvent, Pin, Reset, RestoreError, Saved, Space, Tick, TimerId, Width,
};
use msix::{Msix, NO_VECTOR};
use registers::Legacy;

/// Output: the interrupt line.
pub const INTA: Pin = Pin(0);

/// A base address register; the region has the same number.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    pub number: u8,
    pub is_io: bool,
    is_64_bit: bool,
    pub len: u64,
}

const LEGACY: Bar = Bar { number: 0, is_io: true, is_64_bit: false, len: 0x80 };
const MSIX: Bar = Bar { number: 1, is_io: false, is_64_bit: false, len: 0x1000 };
const MODERN: Bar = Bar { number: 4, is_io: false, is_64_bit: true, len: 0x4000 };

/// All BARs, for the wiring table.
pub const BARS: [Bar; 3] = [LEGACY, MSIX, MODERN];

/// The timer of work that goes on.
const GO_ON: TimerId = TimerId(0);
/// How long the guest runs before it does.
const PAUSE: Tick = Tick::MICROSECOND.times(20);

/// Device status. VIRTIO 2.1.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
struct Status {
    acknowledge: bool,
    driver: bool,
    driver_ok: bool,
    features_ok: bool,
    #[bits(2)]
    __: u8,
    needs_reset: bool,
    failed: bool,
}

/// ISR status. VIRTIO 4.1.4.5.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
struct Isr {
    queue: bool,
    config: bool,
    #[bits(6)]
    __: u8,
}

/// What a driver sets up, and a device reset forgets.
struct Registers {
    status: Status,
    isr: Isr,
    device_feature_select: u32,
    driver_feature_select: u32,
    driver_features: u64,
    queue_select: u16,
    config_vector: u16,
    queue_vector: u16,
    queue: Queue,
}

impl Registers {
    const RESET: Self = Self {
        status: Status::new(),
        isr: Isr::new(),
        device_feature_select: 0,
        driver_feature_select: 0,
        driver_features: 0,
        queue_select: 0,
        config_vector: NO_VECTOR,
        queue_vector: NO_VECTOR,
        queue: Queue::RESET,
    };
}

/// A virtio device in a PCI slot.
pub struct VirtioPci {
    name: &'static str,
    function: Box<dyn Function>,
    config: Config,
    msix: Msix,
    registers: Registers,
    /// The level of [`INTA`].
    line: bool,
}

impl VirtioPci {
    /// A block device. `name` tells it from other chips, and is its serial number.
    pub fn block(name: &'static str, disk: Box<dyn Disk>) -> Self {
        Self::new(name, Box::new(Blk::new(name, disk)))
    }

    fn new(name: &'static str, function: Box<dyn Function>) -> Self {
        let config = Config::new(function.registers());
        Self { name, function, config, msix: Msix::RESET, registers: Registers::RESET, line: false }
    }

    /// The driver's reset. VIRTIO 2.4.
    fn device_reset(&mut self, cx: &mut Cx<'_>) {
        self.registers = Registers::RESET;
        self.function.reset();
        cx.disarm(GO_ON);
    }

    /// Works on the queue as far as one call may.
    fn serve(&mut self, cx: &mut Cx<'_>) {
        let Registers { status, driver_features, queue, .. } = &mut self.registers;
        // VIRTIO 3.1.2: legacy drivers use the device before they set DRIVER_OK.
        let may_run = status.driver_ok() || *driver_features & super::feature::VERSION_1 == 0;
        if !queue.enabled || !may_run || status.needs_reset() || status.failed() {
            return;
        }
        match self.function.serve(queue, cx.memory()) {
            Ok(Served::All | Served::Waits) => {}
            Ok(Served::Part) => cx.arm(GO_ON, cx.now() + PAUSE),
            Err(super::queue::Broken) => self.needs_reset(cx),
        }
        if self.registers.queue.takes_notification(cx.memory()) {
            self.signal(Isr::new().with_queue(true), cx);
        }
    }

    /// VIRTIO 2.1.2: the device cannot go on; the driver hears of it if it has come so far.
    fn needs_reset(&mut self, cx: &mut Cx<'_>) {
        self.registers.status.set_needs_reset(true);
        self.function.reset();
        if self.registers.status.driver_ok() {
            self.signal(Isr::new().with_config(true), cx);
        }
    }

    /// An interrupt: a message where MSI-X is on, else a bit of the ISR status. VIRTIO 4.1.5.3 and 4.1.5.4.
    fn signal(&mut self, why: Isr, cx: &mut Cx<'_>) {
        let control = self.config.msix();
        if control.enable() {
            let Registers { config_vector, queue_vector, .. } = self.registers;
            self.msix.signal(if why.config() { config_vector } else { queue_vector }, control, cx);
        } else {
            self.registers.isr = Isr::from_bits(self.registers.isr.into_bits() | why.into_bits());
        }
    }

    fn wants_line(&self) -> bool {
        self.registers.isr != Isr::new() && !self.config.msix().enable()
    }

    /// Ends every entry point that can change the interrupt.
    fn drive_line(&mut self, cx: &mut Cx<'_>) {
        let line = self.wants_line() && self.config.may_interrupt();
        if line != self.line {
            self.line = line;
            cx.drive(INTA, line.into());
        }
    }

    fn read_config(&mut self, at: Access) -> Result<u64, BusFault> {
        match self.config.window(at) {
            Some(place) => self.read_region(place),
            None => self.config.read(at, self.wants_line()),
        }
    }

    fn write_config(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        if let Some(place) = self.config.window(at) {
            return self.write_region(place, value & place.width.mask(), cx);
        }
        let before = BARS.map(|bar| self.config.base(bar));
        self.config.write(at, value)?;
        for (bar, before) in BARS.into_iter().zip(before) {
            let base = self.config.base(bar);
            if base != before {
                cx.window(bar.number, base);
            }
        }
        self.msix.send_pending(self.config.msix(), cx);
        Ok(())
    }

    fn read_region(&mut self, at: Access) -> Result<u64, BusFault> {
        let Access { region, offset, width, .. } = at;
        match Place::decode(region, offset)? {
            Place::Legacy => match Legacy::decode(offset, width, self.config.msix().enable()) {
                Some(register) => Ok(self.read_legacy(register, width)),
                None => Err(BusFault),
            },
            Place::Msix => self.msix.read(offset, width),
            Place::Common(offset) => self.read_common(offset, width),
            Place::Isr => Ok(self.take_isr().into()),
            Place::Device(offset) => Ok(self.read_device(offset, width)),
            Place::Notify => Ok(0),
        }
    }

    fn write_region(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let Access { region, offset, width, .. } = at;
        match Place::decode(region, offset)? {
            Place::Legacy => match Legacy::decode(offset, width, self.config.msix().enable()) {
                Some(register) => self.write_legacy(register, width, value, cx),
                None => return Err(BusFault),
            },
            Place::Msix => {
                self.msix.write(offset, width, value)?;
                self.msix.send_pending(self.config.msix(), cx);
            }
            Place::Common(offset) => self.write_common(offset, width, value, cx)?,
            Place::Isr => {}
            Place::Device(offset) => self.write_device(offset, width, value),
            // There is one queue, and its number is all that a notification says.
            Place::Notify if value == 0 => self.serve(cx),
            Place::Notify => {}
        }
        Ok(())
    }

    /// Reading the ISR status clears it.
    fn take_isr(&mut self) -> u8 {
        std::mem::take(&mut self.registers.isr).into_bits()
    }
}

/// What lies at an offset of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Legacy,
    Msix,
    Common(u64),
    Isr,
    Device(usize),
    Notify,
}

impl Place {
    fn decode(region: u8, offset: u64) -> Result<Self, BusFault> {
        let at = u32::try_from(offset).map_err(|_| BusFault)?;
        let inside = at % config::STRUCTURE;
        match region {
            0 => Ok(Self::Legacy),
            1 => Ok(Self::Msix),
            4 => match at - inside {
                config::COMMON => Ok(Self::Common(inside.into())),
                config::ISR => Ok(Self::Isr),
                config::DEVICE => Ok(Self::Device(inside as usize)),
                config::NOTIFY => Ok(Self::Notify),
                _ => Err(BusFault),
            },
            _ => Err(BusFault),
        }
    }
}

impl Device for VirtioPci {
    fn name(&self) -> &'static str {
        self.name
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        self.config.reset();
        self.msix = Msix::RESET;
        for bar in BARS {
            cx.window(bar.number, None);
        }
        self.device_reset(cx);
        self.drive_line(cx);
    }

    fn widest(&self, _region: u8) -> Width {
        Width::Dword
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        let value = match at.space {
            Space::Config => self.read_config(at),
            Space::Port | Space::Memory => self.read_region(at),
            Space::Msr | Space::IntAck | Space::Message | Space::Dma | Space::Eoi => Err(BusFault),
        };
        self.drive_line(cx);
        value
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let written = match at.space {
            Space::Config => self.write_config(at, value, cx),
            Space::Port | Space::Memory => self.write_region(at, value, cx),
            Space::Msr | Space::IntAck | Space::Message | Space::Dma | Space::Eoi => Err(BusFault),
        };
        self.drive_line(cx);
        written
    }

    fn deadline(&mut self, _timer: TimerId, cx: &mut Cx<'_>) {
        self.serve(cx);
        self.drive_line(cx);
    }

    fn host(&mut self, event: HostEvent, cx: &mut Cx<'_>) {
        match event {
            HostEvent::DiskReady(_) => self.function.ready(),
            HostEvent::Serial(_)
            | HostEvent::Key { .. }
            | HostEvent::Mouse { .. }
            | HostEvent::PowerButton
            | HostEvent::WallClock(_) => return,
        }
        self.serve(cx);
        self.drive_line(cx);
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
