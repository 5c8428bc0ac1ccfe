//! One IDE channel: two devices that share a cable, and their bus master.

use super::bus_master::{BusMaster, Table, along};
use super::command::EXECUTE_DEVICE_DIAGNOSTIC;
use super::drive::{AtaDevice, Drive, Moved, Status, Wish};
use super::task_file::{DeviceControl, DeviceRegister, Register};
use emu_core::{BusFault, MemoryMap};
use std::collections::VecDeque;

pub(super) struct Channel {
    pub(super) drives: [Option<Drive>; 2],
    /// DEV, as last written: device 1 is selected.
    pub(super) second: bool,
    pub(super) control: DeviceControl,
    pub(super) bus_master: BusMaster,
    /// The level of INTRQ.
    pub(super) intrq: bool,
}

impl Channel {
    pub(super) fn new(drives: [Option<Drive>; 2]) -> Self {
        Self {
            drives,
            second: false,
            control: DeviceControl::new(),
            bus_master: BusMaster::default(),
            intrq: false,
        }
    }

    fn devices_mut(&mut self) -> impl Iterator<Item = &mut dyn AtaDevice> {
        self.drives.iter_mut().flatten().map(Drive::device_mut)
    }

    fn selected(&self) -> Option<&dyn AtaDevice> {
        self.drives[usize::from(self.second)].as_ref().map(Drive::device)
    }

    fn selected_mut(&mut self) -> Option<&mut dyn AtaDevice> {
        self.drives[usize::from(self.second)].as_mut().map(Drive::device_mut)
    }

    /// A medium may be asked again.
    pub(super) fn ready(&mut self) {
        self.devices_mut().for_each(AtaDevice::ready);
    }

    pub(super) fn reset(&mut self) {
        self.devices_mut().for_each(AtaDevice::hardware_reset);
        self.select_first();
        (self.control, self.bus_master) = (DeviceControl::new(), BusMaster::default());
    }

    /// A reset leaves device 0 selected.
    fn select_first(&mut self) {
        self.second = false;
        self.devices_mut().for_each(|device| device.front_mut().regs.device = 0);
    }

    /// Where INTRQ should be; a rising edge is latched by the bus master.
    pub(super) fn update_intrq(&mut self) -> bool {
        let wants = self.selected().is_some_and(|device| device.front().interrupt);
        let level = wants && !self.control.interrupts_off();
        if level && !self.intrq {
            self.bus_master.status.set_interrupt(true);
        }
        self.intrq = level;
        level
    }

    /// Who answers on the data bus. Device 0 answers for a missing device 1 (ATA/ATAPI-6, 9.16); nobody answers
    /// for a missing device 0, and the bus floats.
    fn status(&self) -> Result<Status, BusFault> {
        match (&self.drives, self.selected()) {
            ([None, None], _) => Err(BusFault),
            _ if self.control.software_reset() => Ok(Status::new().with_bsy(true)),
            (_, Some(device)) => Ok(device.status()),
            (_, None) if self.second => Ok(Status::new()),
            (_, None) => Err(BusFault),
        }
    }

    /// The Alternate Status register.
    pub(super) fn alternate_status(&self) -> Result<u8, BusFault> {
        self.status().map(Status::into_bits)
    }

    pub(super) fn read_data(&mut self) -> Result<u16, BusFault> {
        self.status()?;
        Ok(self.selected_mut().map_or(0xFFFF, AtaDevice::read_data))
    }

    pub(super) fn write_data(&mut self, word: u16) -> Result<(), BusFault> {
        self.status()?;
        if let Some(device) = self.selected_mut() {
            device.write_data(word);
        }
        Ok(())
    }

    pub(super) fn read(&mut self, register: Register) -> Result<u8, BusFault> {
        let status = self.status()?;
        match register {
            Register::Data => self.read_data().map(|word| word.to_le_bytes()[0]),
            Register::ErrorFeatures => Ok(self.selected().map_or(0, |device| device.front().error)),
            Register::StatusCommand => {
                if let Some(device) = self.selected_mut() {
                    device.front_mut().interrupt = false;
                }
                Ok(status.into_bits())
            }
            Register::SectorCount
            | Register::LbaLow
            | Register::LbaMid
            | Register::LbaHigh
            | Register::Device => {
                // Device 0 shows its own where device 1 is missing.
                let answers = self.selected().or(self.drives[0].as_ref().map(Drive::device));
                let regs = &answers.ok_or(BusFault)?.front().regs;
                Ok(regs.read(register, self.control.high_order_byte()))
            }
        }
    }

    /// A busy device, or one that waits for data, takes no writes (ATA/ATAPI-6, 7.x "Effect").
    pub(super) fn write(&mut self, register: Register, value: u8) -> Result<(), BusFault> {
        let status = self.status()?;
        self.control.set_high_order_byte(false);
        let busy = status.bsy() || status.drq();
        match register {
            Register::Data => self.write_data(u16::from_le_bytes([value, 0]))?,
            Register::StatusCommand => {
                if !busy || self.is_taken_when_busy(value) {
                    self.command(value);
                }
            }
            Register::ErrorFeatures
            | Register::SectorCount
            | Register::LbaLow
            | Register::LbaMid
            | Register::LbaHigh
            | Register::Device => {
                if !busy {
                    self.write_register(register, value);
                }
            }
        }
        Ok(())
    }

    fn is_taken_when_busy(&self, code: u8) -> bool {
        !self.control.software_reset()
            && self.selected().is_some_and(|device| device.is_taken_when_busy(code))
    }

    /// Both devices hear it.
    fn write_register(&mut self, register: Register, value: u8) {
        if register == Register::Device {
            self.second = DeviceRegister::from_bits(value).second();
        }
        for device in self.devices_mut() {
            let status = device.status();
            if !status.bsy() && !status.drq() {
                device.front_mut().regs.write(register, value);
            }
        }
    }

    fn command(&mut self, code: u8) {
        self.bus_master.moved = 0;
        if code == EXECUTE_DEVICE_DIAGNOSTIC {
            self.software_reset();
            if let Some(device) = self.selected_mut() {
                device.front_mut().interrupt = true;
            }
        } else if let Some(device) = self.selected_mut() {
            device.command(code);
        }
    }

    fn software_reset(&mut self) {
        self.devices_mut().for_each(AtaDevice::software_reset);
        self.select_first();
    }

    pub(super) fn write_control(&mut self, value: u8) {
        self.control = DeviceControl::from_bits(value & 0x86);
        if self.control.software_reset() {
            self.software_reset();
        }
    }

    /// Lets the bus master and a device that waits for it get on with it.
    pub(super) fn run_bus_master(&mut self, memory: &MemoryMap) {
        let Self { drives, second, bus_master, control: _, intrq: _ } = self;
        let Some(device) = drives[usize::from(*second)].as_mut().map(Drive::device_mut) else { return };
        let Some(Wish { to_memory, bytes }) = device.wish() else { return };
        let command = bus_master.command;
        // A bus master set to the other direction waits for ever, as the device does.
        if !command.start() || !bus_master.status.active() || command.to_memory() != to_memory {
            return;
        }
        let Table { segments, bytes, is_used_up } = bus_master.table(memory, bytes);
        let mut segments = VecDeque::from(segments);
        let moved = device.move_dma(bytes, &mut |piece| {
            along(&mut segments, piece, |gpa, part| {
                if to_memory { memory.write(gpa, part) } else { memory.read(gpa, part) }
            });
        });
        // 82371SB, "BMISTA": active is cleared by the last transfer of a region marked as the end of the table. A
        // table too short for the device's wish leaves it waiting.
        match moved {
            Moved::Until(bytes) => {
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                bus_master.moved = bus_master.moved.saturating_add(bytes);
            }
            Moved::Some | Moved::All => {
                bus_master.moved = 0;
                let is_active = moved == Moved::All && !is_used_up;
                bus_master.status.set_active(is_active);
            }
        }
    }
}
