//! Saved state of the 82441FX, version 1. The board saves its own memory map.

use super::I440fx;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    config: Vec<u8>,
}

pub(super) fn save(bridge: &I440fx) -> Saved {
    let I440fx { config } = bridge;
    Saved::pack(VERSION, &StateV1 { config: config.save() })
}

pub(super) fn restore(bridge: &mut I440fx, saved: &Saved) -> Result<(), RestoreError> {
    let StateV1 { config } = saved.unpack(VERSION)?;
    *bridge = I440fx { config: bridge.config.restored(&config)? };
    Ok(())
}
