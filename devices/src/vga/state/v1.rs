//! Version 1.

use super::super::function::CONFIG;
use super::super::registers::{Attribute, Crtc, Graphics, Sequencer};
use super::super::{DEFAULT_MODE, dac::Dac, vbe::Vbe};
use super::StateV2;
use crate::bytes::Bytes;
use crate::pci_config::PciConfig;
use emu_core::{RestoreError, Saved};
use serde::Deserialize;

pub(super) const VERSION: u32 = 1;

#[derive(Deserialize)]
struct StateV1 {
    miscellaneous: u8,
    feature: u8,
    subsystem_enable: u8,
    sequencer: Sequencer,
    crtc: Crtc,
    graphics: Graphics,
    attribute: Attribute,
    dac: Dac,
    /// The first 256 KiB of the four planes, interleaved byte by byte.
    memory: Bytes,
    latches: u32,
}

/// What has come since then is as after reset.
pub(super) fn unpack(saved: &Saved) -> Result<StateV2, RestoreError> {
    let StateV1 {
        miscellaneous,
        feature,
        subsystem_enable,
        sequencer,
        crtc,
        graphics,
        attribute,
        dac,
        memory,
        latches,
    } = saved.unpack(VERSION)?;
    Ok(StateV2 {
        miscellaneous,
        feature,
        subsystem_enable,
        sequencer,
        crtc,
        graphics,
        attribute,
        dac,
        memory,
        latches,
        held_start: None,
        vbe: Vbe::default(),
        config: Bytes(PciConfig::new(CONFIG).save()),
        preferred: DEFAULT_MODE,
    })
}
