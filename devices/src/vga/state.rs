//! Saved state of the VGA, version 2. Version 1 was a VGA without VBE modes and without a PCI function.

mod v1;

use super::Vga;
use super::dac::Dac;
use super::memory::Memory;
use super::picture::Writes;
use super::registers::{Attribute, Crtc, Graphics, Sequencer};
use super::timing::HeldStart;
use super::vbe::Vbe;
use crate::bytes::Bytes;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct StateV2 {
    miscellaneous: u8,
    feature: u8,
    subsystem_enable: u8,
    sequencer: Sequencer,
    crtc: Crtc,
    graphics: Graphics,
    attribute: Attribute,
    dac: Dac,
    /// The four planes, interleaved byte by byte, as far as they are not zero.
    memory: Bytes,
    latches: u32,
    held_start: Option<HeldStart>,
    vbe: Vbe,
    config: Bytes,
    preferred: (u16, u16),
}

pub(super) fn save(vga: &Vga) -> Saved {
    let Vga {
        video_memory: _, // saved by the board
        miscellaneous,
        feature,
        subsystem_enable,
        sequencer,
        crtc,
        graphics,
        attribute,
        dac,
        memory,
        held_start,
        vbe,
        config,
        preferred,
        writes: _, // of this adapter and no other
    } = vga;
    let state = StateV2 {
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
        held_start: *held_start,
        vbe: vbe.clone(),
        config: Bytes(config.save()),
        preferred: *preferred,
    };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(vga: &mut Vga, saved: &Saved) -> Result<(), RestoreError> {
    let StateV2 {
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
        held_start,
        vbe,
        config: Bytes(config),
        preferred,
    } = if saved.version == v1::VERSION { v1::unpack(saved)? } else { saved.unpack(VERSION)? };
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
    if !vbe.is_legal() || !Vga::is_mode(preferred) {
        return Err(RestoreError::Value("VBE mode"));
    }
    let memory =
        Memory::from_bytes(&memory, latches).ok_or(RestoreError::Value("size of the VGA display memory"))?;
    let config = vga.config.restored(&config)?;
    *vga = Vga {
        video_memory: vga.video_memory,
        miscellaneous,
        feature,
        subsystem_enable,
        sequencer,
        crtc,
        graphics,
        attribute,
        dac,
        memory,
        held_start,
        vbe,
        config,
        preferred,
        writes: Writes::default(),
    };
    Ok(())
}
