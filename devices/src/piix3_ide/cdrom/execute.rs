//! What each command packet does.

use super::feed::{Feed, MOST_BLOCKS};
use super::packet::{Command, Needs, Packet};
use super::sector::Parts;
use super::sense::Sense;
use super::{CdRom, configuration, table_of_contents};

/// What follows a command packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// The host reads; there is something to read.
    Read(Feed),
    /// The host gives a parameter list of so many bytes.
    Write(usize),
}

/// As much of a reply as the host has room for.
fn reply(mut bytes: Vec<u8>, room: impl Into<usize>) -> Outcome {
    bytes.truncate(room.into());
    if bytes.is_empty() { Outcome::Done } else { Outcome::Read(Feed::reply(bytes)) }
}

impl CdRom {
    pub(super) fn execute(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        let (command, needs) = packet.command().ok_or(Sense::NO_SUCH_COMMAND)?;
        if needs != Needs::Nothing {
            self.take_attention().map_or(Ok(()), Err)?;
        }
        let blocks = if needs == Needs::Disc { self.tray.blocks()? } else { 0 };
        match command {
            Command::TestUnitReady | Command::StopPlayScan | Command::SetCdSpeed => Ok(Outcome::Done),
            Command::RequestSense => Ok(reply(self.request_sense(), packet.byte(4))),
            Command::Inquiry => inquiry(packet),
            Command::StartStopUnit => self.start_stop(packet),
            Command::PreventAllow => {
                self.tray.locked = packet.bit(4, 0);
                Ok(Outcome::Done)
            }
            Command::ReadCapacity => {
                let [last, len] = [blocks.saturating_sub(1), 2048].map(u32::to_be_bytes);
                Ok(reply([last, len].concat(), 8usize))
            }
            Command::Read10 => read(packet.u32(2), packet.u16(7).into(), Parts::DATA, blocks),
            Command::Read12 => read(packet.u32(2), packet.u32(6), Parts::DATA, blocks),
            Command::ReadCd => read_cd(packet, packet.u32(2), packet.u24(6), blocks),
            Command::ReadCdMsf => read_cd_msf(packet, blocks),
            Command::Seek if packet.u32(2) < blocks => Ok(Outcome::Done),
            Command::Seek => Err(Sense::BLOCK_OUT_OF_RANGE),
            Command::ReadSubChannel => Ok(reply(table_of_contents::sub_channel(packet)?, packet.u16(7))),
            Command::ReadToc => Ok(reply(table_of_contents::read_toc(packet, blocks)?, packet.u16(7))),
            Command::GetConfiguration => {
                let profile = self.tray.profile();
                Ok(reply(configuration::get_configuration(packet, profile)?, packet.u16(7)))
            }
            Command::GetEventStatus => {
                Ok(reply(configuration::event_status(packet, &mut self.tray)?, packet.u16(7)))
            }
            Command::ReadDiscInformation => Ok(reply(table_of_contents::disc_information(), packet.u16(7))),
            Command::ReadTrackInformation => {
                Ok(reply(table_of_contents::track_information(packet, blocks)?, packet.u16(7)))
            }
            Command::ReadDvdStructure => {
                let structure = table_of_contents::dvd_structure(packet, self.tray.profile(), blocks)?;
                Ok(reply(structure, packet.u16(8)))
            }
            Command::ModeSelect => match packet.u16(7) {
                0 => Ok(Outcome::Done),
                len => Ok(Outcome::Write(len.into())),
            },
            Command::ModeSense => Ok(reply(self.pages.sense(packet.byte(2), &mut self.tray)?, packet.u16(7))),
            Command::MechanismStatus => {
                // No changer, no slots; bit 4: the door is open.
                let door = u8::from(self.tray.open) << 4;
                Ok(reply(vec![0, door, 0, 0, 0, 0, 0, 0], packet.u16(8)))
            }
        }
    }

    /// The unit attention that is to be told, if there is one.
    fn take_attention(&mut self) -> Option<Sense> {
        if std::mem::take(&mut self.power_on) {
            return Some(Sense::POWER_ON);
        }
        std::mem::take(&mut self.tray.changed).then_some(Sense::MEDIUM_CHANGED)
    }

    fn request_sense(&mut self) -> Vec<u8> {
        let sense = std::mem::replace(&mut self.sense, Sense::NONE);
        let sense = if sense == Sense::NONE { self.take_attention().unwrap_or(sense) } else { sense };
        sense.reply()
    }

    fn start_stop(&mut self, packet: &Packet) -> Result<Outcome, Sense> {
        let (start, load_eject) = (packet.bit(4, 0), packet.bit(4, 1));
        // A power condition, or the motor.
        if packet.byte(4) >> 4 != 0 || !load_eject {
            if start {
                self.tray.blocks()?;
            }
            return Ok(Outcome::Done);
        }
        if start {
            self.tray.close();
        } else if self.tray.locked {
            return Err(Sense::REMOVAL_PREVENTED);
        } else {
            self.tray.open();
        }
        Ok(Outcome::Done)
    }
}

fn inquiry(packet: &Packet) -> Result<Outcome, Sense> {
    // No vital product data.
    if packet.bit(1, 0) || packet.byte(2) != 0 {
        return Err(Sense::INVALID_FIELD);
    }
    // CD-ROM, removable, ATAPI version 2, response format 1.
    let mut bytes = vec![0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0];
    bytes.extend(format!("{:8.8}{:16.16}{:4.4}", "POSADA", "DVD-ROM", env!("CARGO_PKG_VERSION")).bytes());
    Ok(reply(bytes, packet.u16(3)))
}

fn read(lba: u32, count: u32, parts: Parts, blocks: u32) -> Result<Outcome, Sense> {
    if lba.checked_add(count).is_none_or(|end| end > blocks) {
        return Err(Sense::BLOCK_OUT_OF_RANGE);
    }
    if count > MOST_BLOCKS {
        return Err(Sense::INVALID_FIELD);
    }
    let nothing = count == 0 || parts.len() == 0;
    Ok(if nothing { Outcome::Done } else { Outcome::Read(Feed::blocks(lba, count, parts)) })
}

fn read_cd(packet: &Packet, lba: u32, count: u32, blocks: u32) -> Result<Outcome, Sense> {
    // Expected sector type: any, or mode 1.
    if !matches!(packet.byte(1) >> 2 & 7, 0 | 2) {
        return Err(Sense::ILLEGAL_MODE_FOR_THIS_TRACK);
    }
    // No C2 error flags, no sub-channel.
    if packet.byte(9) & 0x07 != 0 || packet.byte(10) & 7 != 0 {
        return Err(Sense::INVALID_FIELD);
    }
    read(lba, count, packet.parts(), blocks)
}

fn read_cd_msf(packet: &Packet, blocks: u32) -> Result<Outcome, Sense> {
    let (start, end) = packet.msf(3).zip(packet.msf(6)).ok_or(Sense::BLOCK_OUT_OF_RANGE)?;
    let count = end.checked_sub(start).ok_or(Sense::INVALID_FIELD)?;
    read_cd(packet, start, count, blocks)
}
