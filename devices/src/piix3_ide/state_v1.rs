//! Saved state of the function, version 1: both drives of a channel had one task file, and there were only disks.

use super::ata_disk::Activity;
use super::state::{ChannelV2, DiskV2, DriveV2, FrontV2, IdeV2};
use super::task_file::{TaskFile, Translation};
use crate::bytes::Bytes;
use serde::Deserialize;

pub(super) const VERSION: u32 = 1;

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub(super) struct DriveV1 {
    pub(super) sectors: u64,
    pub(super) activity: Activity,
    pub(super) err: bool,
    pub(super) df: bool,
    pub(super) error: u8,
    pub(super) translation: Translation,
    pub(super) multiple: u8,
    pub(super) transfer_mode: u8,
    pub(super) standby: bool,
    pub(super) interrupt: bool,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelV1 {
    pub(super) drives: [Option<DriveV1>; 2],
    pub(super) regs: TaskFile,
    pub(super) control: u8,
    pub(super) bus_master_command: u8,
    pub(super) bus_master_status: u8,
    pub(super) bus_master_table: u32,
    pub(super) intrq: bool,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub(super) struct IdeV1 {
    pub(super) config: Bytes,
    pub(super) channels: [ChannelV1; 2],
}

fn drive(saved: DriveV1, regs: TaskFile) -> DriveV2 {
    let DriveV1 {
        sectors,
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
    let front = FrontV2 { regs, err, error, interrupt };
    // The write cache could not be seen to be off.
    let write_cache = true;
    DriveV2::Disk(DiskV2 {
        front,
        sectors,
        activity,
        df,
        translation,
        multiple,
        transfer_mode,
        write_cache,
        standby,
    })
}

impl From<ChannelV1> for ChannelV2 {
    fn from(saved: ChannelV1) -> Self {
        let ChannelV1 {
            drives,
            regs,
            control,
            bus_master_command,
            bus_master_status,
            bus_master_table,
            intrq,
        } = saved;
        Self {
            drives: drives.map(|saved| saved.map(|saved| drive(saved, regs))),
            second: regs.device().second(),
            control,
            bus_master_command,
            bus_master_status,
            bus_master_table,
            intrq,
        }
    }
}

impl From<IdeV1> for IdeV2 {
    fn from(saved: IdeV1) -> Self {
        let IdeV1 { config, channels } = saved;
        Self { config, channels: channels.map(ChannelV2::from) }
    }
}
