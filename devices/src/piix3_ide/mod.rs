//! The IDE function of the 82371SB (PIIX3), PCI 0:1.1, with up to four disks and CD-ROM drives.
//!
//! Follows Intel "82371FB (PIIX) and 82371SB (PIIX3) PCI ISA IDE Xcelerator" and ATA/ATAPI-6 (T13/1410D). PIO and
//! bus-master DMA (multiword; the PIIX3 has no Ultra DMA). A drive is seen busy while it waits for the bus master, or for a
//! disk or disc that works in the background (see [`Disk`]); all else ends at once. Left out: SMART, security, and the
//! timing that IDETIM sets.

mod ata_disk;
mod ata_identify;
mod ata_settings;
mod bus_master;
mod cdrom;
mod channel;
mod command;
mod config;
mod drive;
mod identify;
mod state;
mod state_v1;
mod task_file;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiting;

use crate::disk::Disk;
use ata_disk::AtaDisk;
use cdrom::CdRom;
use channel::Channel;
use config::Config;
use drive::Drive;
use emu_core::{Access, BusFault, Cx, Device, HostEvent, Pin, Reset, RestoreError, Saved, Space, Width};
use task_file::Register;

pub const IRQ14: Pin = Pin(0);
pub const IRQ15: Pin = Pin(1);

/// The region of the bus-master registers, whose place software chooses.
const BUS_MASTER_REGION: u8 = 4;

/// A region of the function: which channel, and which block of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Command(usize),
    Control(usize),
    /// The channel follows from bit 3 of the offset.
    BusMaster,
}

impl Block {
    fn decode(region: u8) -> Result<Self, BusFault> {
        match region {
            0 => Ok(Self::Command(0)),
            1 => Ok(Self::Control(0)),
            2 => Ok(Self::Command(1)),
            3 => Ok(Self::Control(1)),
            BUS_MASTER_REGION => Ok(Self::BusMaster),
            _ => Err(BusFault),
        }
    }
}

/// What is plugged into a place of the cables.
pub enum Unit {
    Disk(Box<dyn Disk>),
    /// A CD-ROM drive, with a disc in it or not. Discs are only read.
    CdRom(Option<Box<dyn Disk>>),
}

/// Why a disc was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CdRomError {
    #[error("the PC has no CD-ROM drive")]
    NoDrive,
    #[error("the guest has locked the CD-ROM drive; it was told that somebody wants the disc")]
    Locked,
}

/// The controller and what is plugged into it.
pub struct Piix3Ide {
    config: Config,
    channels: [Channel; 2],
}

impl Piix3Ide {
    /// `units`: primary device 0 and 1, secondary device 0 and 1.
    pub fn new(units: [Option<Unit>; 4]) -> Self {
        let [a, b, c, d] = units;
        let drive = |number, unit: Option<_>| {
            unit.map(|unit| match unit {
                Unit::Disk(disk) => Drive::Disk(AtaDisk::new(number, disk)),
                Unit::CdRom(disc) => Drive::CdRom(CdRom::new(number, disc)),
            })
        };
        Self {
            config: Config::new(),
            channels: [Channel::new([drive(0, a), drive(1, b)]), Channel::new([drive(2, c), drive(3, d)])],
        }
    }

    /// The first CD-ROM drive.
    fn cdrom(&mut self) -> Result<&mut CdRom, CdRomError> {
        let drives = self.channels.iter_mut().flat_map(|channel| channel.drives.iter_mut().flatten());
        let mut cdroms = drives.filter_map(|drive| match drive {
            Drive::CdRom(cdrom) => Some(cdrom),
            Drive::Disk(_) => None,
        });
        cdroms.next().ok_or(CdRomError::NoDrive)
    }

    /// Puts a disc into the first CD-ROM drive, in place of the one that was there, and closes the tray.
    ///
    /// # Errors
    /// There is no such drive, or the guest has locked it.
    pub fn insert_disc(&mut self, disc: Box<dyn Disk>, cx: &mut Cx<'_>) -> Result<(), CdRomError> {
        let inserted = self.cdrom()?.insert(disc);
        self.after_access(cx);
        inserted
    }

    /// Takes the disc out of the first CD-ROM drive.
    ///
    /// # Errors
    /// There is no such drive, or the guest has locked it.
    pub fn eject_disc(&mut self, cx: &mut Cx<'_>) -> Result<Option<Box<dyn Disk>>, CdRomError> {
        let ejected = self.cdrom()?.eject();
        self.after_access(cx);
        ejected
    }

    /// A channel that the configuration lets answer.
    fn decoded(&mut self, channel: usize) -> Result<&mut Channel, BusFault> {
        if self.config.decodes(channel) { Ok(&mut self.channels[channel]) } else { Err(BusFault) }
    }

    fn after_access(&mut self, cx: &mut Cx<'_>) {
        let may_master = self.config.is_bus_master();
        for (channel, pin) in self.channels.iter_mut().zip([IRQ14, IRQ15]) {
            if may_master {
                channel.run_bus_master(cx.memory());
            }
            let before = channel.intrq;
            if channel.update_intrq() != before {
                cx.drive(pin, channel.intrq.into());
            }
        }
    }

    /// The data register takes words, two for a dword. Other registers are bytes side by side.
    fn read_command_block(&mut self, channel: usize, offset: u64, width: Width) -> Result<u64, BusFault> {
        let channel = self.decoded(channel)?;
        match (Register::decode(offset), width) {
            (Register::Data, Width::Word) => channel.read_data().map(u64::from),
            (Register::Data, Width::Dword) => {
                let low = u64::from(channel.read_data()?);
                Ok(low | u64::from(channel.read_data()?) << 16)
            }
            _ => bytes_read(offset, width, 8, |at| channel.read(Register::decode(at))),
        }
    }

    fn write_command_block(
        &mut self,
        channel: usize,
        offset: u64,
        width: Width,
        value: u64,
    ) -> Result<(), BusFault> {
        let channel = self.decoded(channel)?;
        let [b0, b1, b2, b3, ..] = value.to_le_bytes();
        match (Register::decode(offset), width) {
            (Register::Data, Width::Word) => channel.write_data(u16::from_le_bytes([b0, b1])),
            (Register::Data, Width::Dword) => {
                channel.write_data(u16::from_le_bytes([b0, b1]))?;
                channel.write_data(u16::from_le_bytes([b2, b3]))
            }
            _ => bytes_written(offset, width, value, 8, |at, byte| channel.write(Register::decode(at), byte)),
        }
    }

    fn read_port(&mut self, at: Access) -> Result<u64, BusFault> {
        match Block::decode(at.region)? {
            Block::Command(channel) => self.read_command_block(channel, at.offset, at.width),
            Block::Control(channel) => self.decoded(channel)?.alternate_status().map(u64::from),
            Block::BusMaster => {
                bytes_read(at.offset, at.width, 16, |at| Ok(self.channels[bank(at)].bus_master.read(at)))
            }
        }
    }

    fn write_port(&mut self, at: Access, value: u64) -> Result<(), BusFault> {
        match Block::decode(at.region)? {
            Block::Command(channel) => self.write_command_block(channel, at.offset, at.width, value),
            Block::Control(channel) => {
                self.decoded(channel)?.write_control(value.to_le_bytes()[0]);
                Ok(())
            }
            Block::BusMaster => bytes_written(at.offset, at.width, value, 16, |at, byte| {
                self.channels[bank(at)].bus_master.write(at, byte);
                Ok(())
            }),
        }
    }

    fn write_config(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let before = self.config.bus_master_base();
        self.config.write(at, value)?;
        let base = self.config.bus_master_base();
        if base != before {
            cx.window(BUS_MASTER_REGION, base);
        }
        Ok(())
    }
}

/// The channel that a bus-master offset belongs to.
fn bank(offset: u64) -> usize {
    usize::from(offset & 8 != 0)
}

/// Reads bytes side by side; those past `end` float.
fn bytes_read(
    offset: u64,
    width: Width,
    end: u64,
    mut byte: impl FnMut(u64) -> Result<u8, BusFault>,
) -> Result<u64, BusFault> {
    let mut value = 0;
    for n in 0..width.bytes() {
        let at = offset.wrapping_add(n);
        value |= u64::from(if at < end { byte(at)? } else { 0xFF }) << (8 * n);
    }
    Ok(value)
}

fn bytes_written(
    offset: u64,
    width: Width,
    value: u64,
    end: u64,
    mut byte: impl FnMut(u64, u8) -> Result<(), BusFault>,
) -> Result<(), BusFault> {
    for (n, part) in (0..width.bytes()).zip(value.to_le_bytes()) {
        let at = offset.wrapping_add(n);
        if at < end {
            byte(at, part)?;
        }
    }
    Ok(())
}

impl Device for Piix3Ide {
    fn name(&self) -> &'static str {
        "piix3_ide"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        self.config.reset();
        self.channels.iter_mut().for_each(Channel::reset);
        cx.window(BUS_MASTER_REGION, None);
        self.after_access(cx);
    }

    fn widest(&self, region: u8) -> Width {
        match Block::decode(region) {
            Ok(Block::Command(_) | Block::BusMaster) => Width::Dword,
            Ok(Block::Control(_)) | Err(BusFault) => Width::Byte,
        }
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        match at.space {
            Space::Config => self.config.read(at),
            Space::Port => {
                let value = self.read_port(at)?;
                self.after_access(cx);
                Ok(value)
            }
            Space::Memory | Space::Msr | Space::IntAck | Space::Message | Space::Dma | Space::Eoi => {
                Err(BusFault)
            }
        }
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match at.space {
            Space::Config => self.write_config(at, value, cx)?,
            Space::Port => self.write_port(at, value)?,
            Space::Memory | Space::Msr | Space::IntAck | Space::Message | Space::Dma | Space::Eoi => {
                return Err(BusFault);
            }
        }
        self.after_access(cx);
        Ok(())
    }

    fn host(&mut self, event: HostEvent, cx: &mut Cx<'_>) {
        match event {
            HostEvent::DiskReady(_) => self.channels.iter_mut().for_each(Channel::ready),
            HostEvent::Serial(_)
            | HostEvent::Key { .. }
            | HostEvent::Mouse { .. }
            | HostEvent::PowerButton
            | HostEvent::WallClock(_) => return,
        }
        self.after_access(cx);
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
