//! Saved state of the controller, version 2. A diskette is not part of it, only its size. In version 1 it did not wait
//! for a diskette.

use super::command::Command;
use super::execution::Wait;
use super::medium::{Drive, DriveType};
use super::transfer::{Kind, Transfer};
use super::{Configure, Dor, I82077aa, Phase, Seek};
use crate::disk::SECTOR;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

pub(super) const VERSION: u32 = 2;
pub(super) const VERSION_1: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DriveV1 {
    /// As CMOS numbers it.
    kind: u8,
    /// Size of the diskette that is in.
    sectors: Option<u64>,
    track: u8,
    changed: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControllerV1 {
    drives: [Option<DriveV1>; 4],
    dor: u8,
    tdr: u8,
    rate: u8,
    specify: [u8; 2],
    configure: u8,
    pretrk: u8,
    lock: bool,
    perpendicular: u8,
    eot: u8,
    pcn: [u8; 4],
    seeks: [Seek; 4],
    phase: Phase,
    interrupt: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControllerV2 {
    pub(super) controller: ControllerV1,
    pub(super) waits: Option<Wait>,
}

impl From<ControllerV1> for ControllerV2 {
    fn from(controller: ControllerV1) -> Self {
        Self { controller, waits: None }
    }
}

impl From<&Drive> for DriveV1 {
    fn from(live: &Drive) -> Self {
        let Drive { kind, medium, track, changed } = live;
        let sectors = medium.as_ref().map(super::medium::Medium::sectors);
        Self { kind: kind.cmos(), sectors, track: *track, changed: *changed }
    }
}

pub(super) fn save(live: &I82077aa) -> Saved {
    let I82077aa {
        drives: [a, b, c, d],
        dor,
        tdr,
        rate,
        specify,
        configure,
        pretrk,
        lock,
        perpendicular,
        eot,
        pcn,
        seeks,
        phase,
        waits,
        interrupt,
    } = live;
    let controller = ControllerV1 {
        drives: [a, b, c, d].map(|drive| drive.as_ref().map(DriveV1::from)),
        dor: dor.into_bits(),
        tdr: *tdr,
        rate: *rate,
        specify: *specify,
        configure: configure.into_bits(),
        pretrk: *pretrk,
        lock: *lock,
        perpendicular: *perpendicular,
        eot: *eot,
        pcn: *pcn,
        seeks: *seeks,
        phase: phase.clone(),
        interrupt: *interrupt,
    };
    Saved::pack(VERSION, &ControllerV2 { controller, waits: *waits })
}

/// Takes everything over but the media, which must be the same size.
pub(super) fn restore(live: &mut I82077aa, saved: &Saved) -> Result<(), RestoreError> {
    let ControllerV2 { controller, waits } = match saved.version {
        VERSION_1 => saved.unpack::<ControllerV1>(VERSION_1)?.into(),
        _ => saved.unpack(VERSION)?,
    };
    let ControllerV1 {
        drives,
        dor,
        tdr,
        rate,
        specify,
        configure,
        pretrk,
        lock,
        perpendicular,
        eot,
        pcn,
        seeks,
        phase,
        interrupt,
    } = controller;
    if tdr > 3 || rate > 3 || perpendicular > 0x3F || configure > 0x7F {
        return Err(RestoreError::Value("i82077aa: a register bit that does not exist"));
    }
    check_phase(&phase, waits)?;
    for (drive, slot) in drives.iter().zip(&live.drives) {
        check_drive(drive.as_ref(), slot.as_ref())?;
    }
    for (drive, slot) in drives.into_iter().zip(&mut live.drives) {
        if let (Some(drive), Some(slot)) = (drive, slot.as_mut()) {
            let DriveV1 { kind: _, sectors: _, track, changed } = drive; // checked above
            (slot.track, slot.changed) = (track, changed);
        }
    }
    live.give_up();
    (live.dor, live.tdr, live.rate, live.specify) = (Dor::from_bits(dor), tdr, rate, specify);
    (live.configure, live.pretrk, live.lock) = (Configure::from_bits(configure), pretrk, lock);
    (live.perpendicular, live.eot, live.pcn) = (perpendicular, eot, pcn);
    (live.seeks, live.phase, live.waits, live.interrupt) = (seeks, phase, waits, interrupt);
    Ok(())
}

fn check_drive(saved: Option<&DriveV1>, slot: Option<&Drive>) -> Result<(), RestoreError> {
    match (saved, slot) {
        (None, None) => Ok(()),
        (Some(saved), Some(slot)) => {
            if DriveType::from_cmos(saved.kind) != Some(slot.kind) {
                return Err(RestoreError::Value("i82077aa: a floppy drive of another type"));
            }
            if saved.sectors != slot.medium.as_ref().map(super::medium::Medium::sectors) {
                return Err(RestoreError::Value("i82077aa: a diskette of another size"));
            }
            Ok(())
        }
        (None, Some(_)) | (Some(_), None) => {
            Err(RestoreError::Value("i82077aa: another number of floppy drives"))
        }
    }
}

fn check_phase(phase: &Phase, waits: Option<Wait>) -> Result<(), RestoreError> {
    let possible = match phase {
        Phase::Command(bytes) => {
            waits.is_none() && bytes.first().is_none_or(|first| bytes.len() < Command::decode(*first).1)
        }
        Phase::Result(bytes) => waits.is_none() && (1..=10).contains(&bytes.len()),
        Phase::Executing(Transfer { kind, buffer, at, drive, .. }) => {
            let requesting = *at < buffer.len() && buffer.len() <= SECTOR;
            let turning = buffer.is_empty() && *at == 0;
            let given = matches!(kind, Kind::Write | Kind::Format)
                && (1..=SECTOR).contains(&buffer.len())
                && *at == buffer.len();
            let possible = match waits {
                None => requesting || turning,
                Some(Wait::Sector) => turning,
                Some(Wait::Given { .. }) => given,
                Some(Wait::Gone) => turning || given,
            };
            *drive <= 3 && possible
        }
    };
    if possible { Ok(()) } else { Err(RestoreError::Value("i82077aa: a phase it is never in")) }
}
