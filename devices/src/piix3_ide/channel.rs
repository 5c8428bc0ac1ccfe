//! One IDE channel: two drives, the task file they share, and their bus master.

use super::bus_master::{BusMaster, Table, along};
use super::command::Command;
use super::drive::{Activity, Drive, Status};
use super::task_file::{DeviceControl, Register, TaskFile};
use crate::disk::SECTOR;
use emu_core::{BusFault, MemoryMap};
use std::collections::VecDeque;

pub(super) struct Channel {
    pub(super) drives: [Option<Drive>; 2],
    pub(super) regs: TaskFile,
    pub(super) control: DeviceControl,
    pub(super) bus_master: BusMaster,
    /// The level of INTRQ.
    pub(super) intrq: bool,
}

impl Channel {
    pub(super) fn new(drives: [Option<Drive>; 2]) -> Self {
        Self {
            drives,
            regs: TaskFile::default(),
            control: DeviceControl::new(),
            bus_master: BusMaster::default(),
            intrq: false,
        }
    }

    pub(super) fn reset(&mut self) {
        let Self { drives, regs, control, bus_master, intrq: _ } = self;
        drives.iter_mut().flatten().for_each(Drive::hardware_reset);
        regs.set_signature();
        (*control, *bus_master) = (DeviceControl::new(), BusMaster::default());
    }

    /// Where INTRQ should be; a rising edge is latched by the bus master.
    pub(super) fn update_intrq(&mut self) -> bool {
        let wants = self.drives[self.regs.selected()].as_ref().is_some_and(|drive| drive.interrupt);
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
        match &self.drives {
            [None, None] => Err(BusFault),
            _ if self.control.software_reset() => Ok(Status::new().with_bsy(true)),
            drives => match (&drives[self.regs.selected()], self.regs.selected()) {
                (Some(drive), _) => Ok(drive.status()),
                (None, 0) => Err(BusFault),
                (None, _) => Ok(Status::new()),
            },
        }
    }

    fn selected(&mut self) -> Option<&mut Drive> {
        self.drives[self.regs.selected()].as_mut()
    }

    /// The Alternate Status register.
    pub(super) fn alternate_status(&self) -> Result<u8, BusFault> {
        self.status().map(Status::into_bits)
    }

    pub(super) fn read_data(&mut self) -> Result<u16, BusFault> {
        self.status()?;
        let drive = self.drives[self.regs.selected()].as_mut();
        Ok(drive.map_or(0xFFFF, |drive| drive.read_data(&mut self.regs)))
    }

    pub(super) fn write_data(&mut self, word: u16) -> Result<(), BusFault> {
        self.status()?;
        if let Some(drive) = &mut self.drives[self.regs.selected()] {
            drive.write_data(word, &mut self.regs);
        }
        Ok(())
    }

    pub(super) fn read(&mut self, register: Register) -> Result<u8, BusFault> {
        let status = self.status()?;
        let deep = usize::from(self.control.high_order_byte());
        let regs = &self.regs;
        Ok(match register {
            Register::Data => self.read_data()?.to_le_bytes()[0],
            Register::ErrorFeatures => self.selected().map_or(0, |drive| drive.error),
            Register::SectorCount => regs.sector_count[deep],
            Register::LbaLow => regs.lba_low[deep],
            Register::LbaMid => regs.lba_mid[deep],
            Register::LbaHigh => regs.lba_high[deep],
            // Bits 7 and 5 read as ones since ATA-1.
            Register::Device => regs.device | 0xA0,
            Register::StatusCommand => {
                if let Some(drive) = self.selected() {
                    drive.interrupt = false;
                }
                status.into_bits()
            }
        })
    }

    pub(super) fn write(&mut self, register: Register, value: u8) -> Result<(), BusFault> {
        let status = self.status()?;
        self.control.set_high_order_byte(false);
        match register {
            Register::Data => self.write_data(u16::from_le_bytes([value, 0]))?,
            // A busy drive, or one that waits for data, takes no writes (ATA/ATAPI-6, 7.x "Effect").
            _ if status.bsy() || status.drq() => {}
            Register::StatusCommand => self.command(Command::decode(value)),
            Register::ErrorFeatures
            | Register::SectorCount
            | Register::LbaLow
            | Register::LbaMid
            | Register::LbaHigh
            | Register::Device => self.regs.write(register, value),
        }
        Ok(())
    }

    fn command(&mut self, command: Command) {
        if command == Command::ExecuteDeviceDiagnostic {
            self.software_reset();
            if let Some(drive) = self.selected() {
                drive.interrupt = true;
            }
        } else if let Some(drive) = &mut self.drives[self.regs.selected()] {
            drive.command(command, &mut self.regs);
        }
    }

    fn software_reset(&mut self) {
        self.drives.iter_mut().flatten().for_each(Drive::software_reset);
        self.regs.set_signature();
    }

    pub(super) fn write_control(&mut self, value: u8) {
        self.control = DeviceControl::from_bits(value & 0x86);
        if self.control.software_reset() {
            self.software_reset();
        }
    }

    /// Lets the bus master and a drive that waits for it get on with it.
    pub(super) fn run_bus_master(&mut self, memory: &MemoryMap) {
        let (command, selected) = (self.bus_master.command, self.regs.selected());
        let Some(drive) = &mut self.drives[selected] else { return };
        let Activity::Dma { to_memory, run } = drive.activity else { return };
        // A bus master set to the other direction waits for ever, as the drive does.
        if !command.start() || !self.bus_master.status.active() || command.to_memory() != to_memory {
            return;
        }
        let Table { segments, bytes, is_used_up } =
            self.bus_master.table(memory, u64::from(run.left) * SECTOR as u64);
        let mut segments = VecDeque::from(segments);
        let sectors = u32::try_from(bytes / SECTOR as u64).unwrap_or(u32::MAX);
        let ended = drive.move_dma(sectors, &mut self.regs, |piece| {
            along(&mut segments, piece, |gpa, part| {
                if to_memory { memory.write(gpa, part) } else { memory.read(gpa, part) }
            });
        });
        // 82371SB, "BMISTA": active is cleared by the last transfer of a region marked as the end of the table. A
        // table too short for the drive's wish leaves it waiting.
        if is_used_up || !ended {
            self.bus_master.status.set_active(false);
        }
    }
}
