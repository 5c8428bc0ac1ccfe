//! Saved state of the PIIX3, version 1.

use super::Piix3;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    config: Vec<u8>,
    pirq: [bool; 4],
    reset_control: u8,
}

pub(super) fn save(bridge: &Piix3) -> Saved {
    let Piix3 { config, pirq, reset_control } = bridge;
    Saved::pack(VERSION, &StateV1 { config: config.save(), pirq: *pirq, reset_control: *reset_control })
}

pub(super) fn restore(bridge: &mut Piix3, saved: &Saved) -> Result<(), RestoreError> {
    let StateV1 { config, pirq, reset_control } = saved.unpack(VERSION)?;
    if reset_control & !2 != 0 {
        return Err(RestoreError::Value("PIIX3 reset control register"));
    }
    *bridge = Piix3 { config: bridge.config.restored(&config)?, pirq, reset_control };
    Ok(())
}
