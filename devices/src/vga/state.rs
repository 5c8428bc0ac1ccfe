//! Saved state of the VGA, version 1.

use super::Vga;
use super::dac::Dac;
use super::memory::Memory;
use super::registers::{Attribute, Crtc, Graphics, Sequencer};
use crate::bytes::Bytes;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    miscellaneous: u8,
    feature: u8,
    subsystem_enable: u8,
    sequencer: Sequencer,
    crtc: Crtc,
    graphics: Graphics,
    attribute: Attribute,
    dac: Dac,
    /// The four planes, interleaved byte by byte.
    memory: Bytes,
    latches: u32,
}

pub(super) fn save(vga: &Vga) -> Saved {
    let Vga {
        miscellaneous,
        feature,
        subsystem_enable,
        sequencer,
        crtc,
        graphics,
        attribute,
        dac,
        memory,
        held_start: _, // in force for less than a frame
    } = vga;
    let state = StateV1 {
        miscellaneous: *miscellaneous,
        feature: *feature,
        subsystem_enable: *subsystem_enable,
        sequencer: sequencer.clone(),
        crtc: crtc.clone(),
        graphics: graphics.clone(),
        attribute: attribute.clone(),
        dac: dac.clone(),
        memory: Bytes(memory.to_bytes()),
        latches: memory.latches,
    };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(vga: &mut Vga, saved: &Saved) -> Result<(), RestoreError> {
    let StateV1 {
        miscellaneous,
        feature,
        subsystem_enable,
        sequencer,
        crtc,
        graphics,
        attribute,
        dac,
        memory: Bytes(memory),
        latches,
    } = saved.unpack(VERSION)?;
    let files_are_legal = sequencer.index <= Sequencer::INDEX
        && sequencer.file.is_legal(&Sequencer::WRITABLE)
        && crtc.index <= Crtc::INDEX
        && crtc.file.is_legal(&Crtc::WRITABLE)
        && graphics.index <= Graphics::INDEX
        && graphics.file.is_legal(&Graphics::WRITABLE)
        && attribute.index <= Attribute::INDEX
        && attribute.file.is_legal(&Attribute::WRITABLE);
    if !files_are_legal || !dac.is_legal() {
        return Err(RestoreError::Value("VGA register with reserved bits"));
    }
    if miscellaneous & !0xEF != 0 || feature > 3 || subsystem_enable > 1 {
        return Err(RestoreError::Value("VGA external register"));
    }
    let memory =
        Memory::from_bytes(&memory, latches).ok_or(RestoreError::Value("size of the VGA display memory"))?;
    *vga = Vga {
        miscellaneous,
        feature,
        subsystem_enable,
        sequencer,
        crtc,
        graphics,
        attribute,
        dac,
        memory,
        held_start: None,
    };
    Ok(())
}
