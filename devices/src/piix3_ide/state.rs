//! Saved state of the function, version 4. A disk is not part of it, only its size. Version 3 had no bus master in the
//! middle of a transfer, version 2 no [`Activity::Step`] either.

use super::ata_disk::{Activity, AtaDisk, MULTIPLE_MAX, Run, Step};
use super::bus_master::{self, BusMaster};
use super::cdrom::CdRomV2;
use super::channel::Channel;
use super::drive::{Drive, Front, XFER_MWDMA, XFER_PIO};
use super::state_v1::IdeV1;
use super::task_file::{DeviceControl, TaskFile, Translation};
use super::{Piix3Ide, state_v1};
use crate::bytes::Bytes;
use crate::disk::SECTOR;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

pub(super) const VERSION: u32 = 4;
pub(super) const VERSION_3: u32 = 3;
const VERSION_2: u32 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrontV2 {
    pub(super) regs: TaskFile,
    pub(super) err: bool,
    pub(super) error: u8,
    pub(super) interrupt: bool,
}

impl From<&Front> for FrontV2 {
    fn from(live: &Front) -> Self {
        let Front { regs, err, error, interrupt } = live;
        Self { regs: *regs, err: *err, error: *error, interrupt: *interrupt }
    }
}

impl From<FrontV2> for Front {
    fn from(saved: FrontV2) -> Self {
        let FrontV2 { regs, err, error, interrupt } = saved;
        Self { regs, err, error, interrupt }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiskV2 {
    pub(super) front: FrontV2,
    pub(super) sectors: u64,
    pub(super) activity: Activity,
    pub(super) df: bool,
    pub(super) translation: Translation,
    pub(super) multiple: u8,
    pub(super) transfer_mode: u8,
    pub(super) write_cache: bool,
    pub(super) standby: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) enum DriveV2 {
    Disk(DiskV2),
    CdRom(CdRomV2),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelV2 {
    pub(super) drives: [Option<DriveV2>; 2],
    pub(super) second: bool,
    pub(super) control: u8,
    pub(super) bus_master_command: u8,
    pub(super) bus_master_status: u8,
    pub(super) bus_master_table: u32,
    pub(super) intrq: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdeV2 {
    pub(super) config: Bytes,
    pub(super) channels: [ChannelV2; 2],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelV4 {
    pub(super) channel: ChannelV2,
    /// Bytes along the table.
    pub(super) bus_master_moved: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdeV4 {
    pub(super) config: Bytes,
    pub(super) channels: [ChannelV4; 2],
}

impl From<IdeV2> for IdeV4 {
    fn from(saved: IdeV2) -> Self {
        let IdeV2 { config, channels } = saved;
        Self { config, channels: channels.map(|channel| ChannelV4 { channel, bus_master_moved: 0 }) }
    }
}

impl From<&Drive> for DriveV2 {
    fn from(live: &Drive) -> Self {
        match live {
            Drive::Disk(disk) => Self::Disk(disk.into()),
            Drive::CdRom(cdrom) => Self::CdRom(cdrom.into()),
        }
    }
}

impl From<&AtaDisk> for DiskV2 {
    fn from(live: &AtaDisk) -> Self {
        let AtaDisk {
            number: _, // given by the board
            disk,
            front,
            activity,
            buffer: _, // empty between calls
            waits: _,  // a restored drive asks the disk anew
            df,
            translation,
            multiple,
            transfer_mode,
            write_cache,
            standby,
        } = live;
        Self {
            front: front.into(),
            sectors: disk.sectors(),
            activity: activity.clone(),
            df: *df,
            translation: *translation,
            multiple: *multiple,
            transfer_mode: *transfer_mode,
            write_cache: *write_cache,
            standby: *standby,
        }
    }
}

impl From<&Channel> for ChannelV4 {
    fn from(live: &Channel) -> Self {
        let Channel { drives: [first, other], second, control, bus_master, intrq } = live;
        let BusMaster { command, status, table, moved } = bus_master;
        let channel = ChannelV2 {
            drives: [first, other].map(|drive| drive.as_ref().map(DriveV2::from)),
            second: *second,
            control: control.into_bits(),
            bus_master_command: command.into_bits(),
            bus_master_status: status.into_bits(),
            bus_master_table: *table,
            intrq: *intrq,
        };
        Self { channel, bus_master_moved: *moved }
    }
}

pub(super) fn save(live: &Piix3Ide) -> Saved {
    let Piix3Ide { config, channels: [first, second] } = live;
    Saved::pack(VERSION, &IdeV4 { config: Bytes(config.save()), channels: [first.into(), second.into()] })
}

/// Takes everything over but the disks, which must be the same size.
pub(super) fn restore(live: &mut Piix3Ide, saved: &Saved) -> Result<(), RestoreError> {
    let is_first_version = saved.version == state_v1::VERSION;
    let IdeV4 { config, channels } = match saved.version {
        state_v1::VERSION => IdeV2::from(saved.unpack::<IdeV1>(state_v1::VERSION)?).into(),
        version @ (VERSION_2 | VERSION_3) => saved.unpack::<IdeV2>(version)?.into(),
        _ => saved.unpack(VERSION)?,
    };
    let config = live.config.restored(&config.0)?;
    for (saved, live) in channels.iter().zip(&live.channels) {
        check_channel(&saved.channel)?;
        for (saved, live) in saved.channel.drives.iter().zip(&live.drives) {
            // The machines of version 1 had no CD-ROM drive: theirs is taken off the cable.
            if !(is_first_version && saved.is_none() && matches!(live, Some(Drive::CdRom(_)))) {
                check_drive(saved.as_ref(), live.as_ref())?;
            }
        }
    }
    live.config = config;
    for (saved, live) in channels.into_iter().zip(&mut live.channels) {
        take_channel(live, saved);
    }
    Ok(())
}

pub(super) fn check(possible: bool, what: &'static str) -> Result<(), RestoreError> {
    if possible { Ok(()) } else { Err(RestoreError::Value(what)) }
}

fn check_channel(saved: &ChannelV2) -> Result<(), RestoreError> {
    check(saved.control & !0x86 == 0, "piix3_ide: a device control bit that does not exist")?;
    check(saved.bus_master_command & !0x09 == 0, "piix3_ide: a BMICOM bit that does not exist")?;
    check(saved.bus_master_status & !0x67 == 0, "piix3_ide: a BMISTA bit that does not exist")?;
    check(saved.bus_master_table & 3 == 0, "piix3_ide: a descriptor table that is not aligned")
}

fn check_drive(saved: Option<&DriveV2>, live: Option<&Drive>) -> Result<(), RestoreError> {
    match (saved, live) {
        (None, None) => Ok(()),
        (Some(DriveV2::Disk(saved)), Some(Drive::Disk(live))) => check_disk(saved, live),
        (Some(DriveV2::CdRom(saved)), Some(Drive::CdRom(live))) => saved.check(live),
        (None | Some(DriveV2::Disk(_) | DriveV2::CdRom(_)), _) => {
            check(false, "piix3_ide: other disks than there were")
        }
    }
}

fn check_disk(saved: &DiskV2, live: &AtaDisk) -> Result<(), RestoreError> {
    check(saved.sectors == live.sectors(), "piix3_ide: a disk of another size")?;
    let Translation { heads, sectors } = saved.translation;
    check((1..=16).contains(&heads) && sectors > 0, "piix3_ide: a translation that cannot be set")?;
    let block = saved.multiple;
    check(
        block == 0 || (block.is_power_of_two() && block <= MULTIPLE_MAX),
        "piix3_ide: a block size that cannot be set",
    )?;
    let mode = saved.transfer_mode;
    check(
        XFER_PIO.contains(&mode) || XFER_MWDMA.contains(&mode),
        "piix3_ide: a transfer mode that cannot be set",
    )?;
    check_activity(&saved.activity)
}

fn check_activity(activity: &Activity) -> Result<(), RestoreError> {
    let possible = match activity {
        Activity::Idle => true,
        Activity::Dma { run, .. } => is_possible_run(run) && run.left > 0,
        Activity::DataIn { buffer, at, run } => is_possible_run(run) && is_possible_buffer(buffer, *at),
        Activity::DataOut { buffer, at, run } => {
            is_possible_run(run)
                && is_possible_buffer(buffer, *at)
                && buffer.len() == run.left.min(run.block.into()) as usize * SECTOR
        }
        Activity::Step(Step::Flush) => true,
        Activity::Step(Step::Fetch(run) | Step::Verify(run)) => is_possible_run(run) && run.left > 0,
        Activity::Step(Step::Store { buffer, run }) => {
            is_possible_run(run)
                && is_possible_buffer(buffer, 0)
                && buffer.len() == run.left.min(run.block.into()) as usize * SECTOR
        }
    };
    check(possible, "piix3_ide: a transfer that cannot be")
}

fn is_possible_run(run: &Run) -> bool {
    run.lba < 1 << 48 && run.left <= 65_536 && (1..=MULTIPLE_MAX).contains(&run.block)
}

fn is_possible_buffer(buffer: &[u8], at: usize) -> bool {
    let whole = buffer.len().is_multiple_of(SECTOR) && buffer.len() <= usize::from(MULTIPLE_MAX) * SECTOR;
    whole && at < buffer.len() && at.is_multiple_of(2)
}

fn take_channel(live: &mut Channel, saved: ChannelV4) {
    let ChannelV4 { channel, bus_master_moved } = saved;
    let ChannelV2 { drives, second, control, bus_master_command, bus_master_status, bus_master_table, intrq } =
        channel;
    for (saved, live) in drives.into_iter().zip(&mut live.drives) {
        match (saved, &mut *live) {
            (Some(DriveV2::Disk(saved)), Some(Drive::Disk(live))) => take_disk(live, saved),
            (Some(DriveV2::CdRom(saved)), Some(Drive::CdRom(live))) => saved.apply(live),
            // Checked: only a CD-ROM drive that version 1 did not have.
            (None | Some(DriveV2::Disk(_) | DriveV2::CdRom(_)), _) => *live = None,
        }
    }
    (live.second, live.control, live.intrq) = (second, DeviceControl::from_bits(control), intrq);
    live.bus_master = BusMaster {
        command: bus_master::Command::from_bits(bus_master_command),
        status: bus_master::Status::from_bits(bus_master_status),
        table: bus_master_table,
        moved: bus_master_moved,
    };
}

fn take_disk(live: &mut AtaDisk, saved: DiskV2) {
    let DiskV2 {
        front,
        sectors: _, // checked
        activity,
        df,
        translation,
        multiple,
        transfer_mode,
        write_cache,
        standby,
    } = saved;
    live.disk.give_up();
    live.waits = false;
    (live.front, live.activity, live.df) = (front.into(), activity, df);
    (live.translation, live.multiple, live.transfer_mode) = (translation, multiple, transfer_mode);
    (live.write_cache, live.standby) = (write_cache, standby);
}
