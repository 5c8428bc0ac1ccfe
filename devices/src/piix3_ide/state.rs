//! Saved state of the function, version 1. A disk is not part of it, only its size.

use super::Piix3Ide;
use super::bus_master::{self, BusMaster};
use super::channel::Channel;
use super::drive::{Activity, Drive, MULTIPLE_MAX, Run, XFER_MWDMA, XFER_PIO};
use super::task_file::{DeviceControl, TaskFile, Translation};
use crate::bytes::Bytes;
use crate::disk::SECTOR;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DriveV1 {
    sectors: u64,
    activity: Activity,
    err: bool,
    df: bool,
    error: u8,
    translation: Translation,
    multiple: u8,
    transfer_mode: u8,
    standby: bool,
    interrupt: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelV1 {
    drives: [Option<DriveV1>; 2],
    regs: TaskFile,
    control: u8,
    bus_master_command: u8,
    bus_master_status: u8,
    bus_master_table: u32,
    intrq: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdeV1 {
    config: Bytes,
    channels: [ChannelV1; 2],
}

impl From<&Drive> for DriveV1 {
    fn from(live: &Drive) -> Self {
        let Drive {
            number: _, // given by the board
            disk,
            activity,
            err,
            df,
            error,
            translation,
            multiple,
            transfer_mode,
            standby,
            interrupt,
        } = live;
        Self {
            sectors: disk.sectors(),
            activity: activity.clone(),
            err: *err,
            df: *df,
            error: *error,
            translation: *translation,
            multiple: *multiple,
            transfer_mode: *transfer_mode,
            standby: *standby,
            interrupt: *interrupt,
        }
    }
}

impl From<&Channel> for ChannelV1 {
    fn from(live: &Channel) -> Self {
        let Channel { drives: [first, second], regs, control, bus_master, intrq } = live;
        let BusMaster { command, status, table } = bus_master;
        Self {
            drives: [first, second].map(|drive| drive.as_ref().map(DriveV1::from)),
            regs: *regs,
            control: control.into_bits(),
            bus_master_command: command.into_bits(),
            bus_master_status: status.into_bits(),
            bus_master_table: *table,
            intrq: *intrq,
        }
    }
}

pub(super) fn save(live: &Piix3Ide) -> Saved {
    let Piix3Ide { config, channels: [first, second] } = live;
    Saved::pack(VERSION, &IdeV1 { config: Bytes(config.save()), channels: [first.into(), second.into()] })
}

/// Takes everything over but the disks, which must be the same size.
pub(super) fn restore(live: &mut Piix3Ide, saved: &Saved) -> Result<(), RestoreError> {
    let IdeV1 { config, channels } = saved.unpack(VERSION)?;
    let config = live.config.restored(&config.0)?;
    for (saved, live) in channels.iter().zip(&live.channels) {
        check_channel(saved)?;
        for (saved, live) in saved.drives.iter().zip(&live.drives) {
            check_drive(saved.as_ref(), live.as_ref())?;
        }
    }
    live.config = config;
    for (saved, live) in channels.into_iter().zip(&mut live.channels) {
        take_channel(live, saved);
    }
    Ok(())
}

fn check(possible: bool, what: &'static str) -> Result<(), RestoreError> {
    if possible { Ok(()) } else { Err(RestoreError::Value(what)) }
}

fn check_channel(saved: &ChannelV1) -> Result<(), RestoreError> {
    check(saved.control & !0x86 == 0, "piix3_ide: a device control bit that does not exist")?;
    check(saved.bus_master_command & !0x09 == 0, "piix3_ide: a BMICOM bit that does not exist")?;
    check(saved.bus_master_status & !0x67 == 0, "piix3_ide: a BMISTA bit that does not exist")?;
    check(saved.bus_master_table & 3 == 0, "piix3_ide: a descriptor table that is not aligned")
}

fn check_drive(saved: Option<&DriveV1>, live: Option<&Drive>) -> Result<(), RestoreError> {
    match (saved, live) {
        (None, None) => Ok(()),
        (Some(saved), Some(live)) => {
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
        (None, Some(_)) | (Some(_), None) => check(false, "piix3_ide: another number of disks"),
    }
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

fn take_channel(live: &mut Channel, saved: ChannelV1) {
    let ChannelV1 { drives, regs, control, bus_master_command, bus_master_status, bus_master_table, intrq } =
        saved;
    for (saved, live) in drives.into_iter().zip(&mut live.drives) {
        if let (Some(saved), Some(live)) = (saved, live.as_mut()) {
            take_drive(live, saved);
        }
    }
    (live.regs, live.control, live.intrq) = (regs, DeviceControl::from_bits(control), intrq);
    live.bus_master = BusMaster {
        command: bus_master::Command::from_bits(bus_master_command),
        status: bus_master::Status::from_bits(bus_master_status),
        table: bus_master_table,
    };
}

fn take_drive(live: &mut Drive, saved: DriveV1) {
    let DriveV1 {
        sectors: _, // checked
        activity,
        err,
        df,
        error,
        translation,
        multiple,
        transfer_mode,
        standby,
        interrupt,
    } = saved;
    (live.activity, live.err, live.df, live.error) = (activity, err, df, error);
    (live.translation, live.multiple, live.transfer_mode) = (translation, multiple, transfer_mode);
    (live.standby, live.interrupt) = (standby, interrupt);
}
