//! Saved state of the 82093AA, version 1.

use super::{I82093aa, INPUTS, Redirection};
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    select: u8,
    id: u8,
    arbitration: u8,
    entries: [u64; INPUTS as usize],
    inputs: u32,
}

pub(super) fn save(ioapic: &I82093aa) -> Saved {
    let I82093aa { select, id, arbitration, entries, inputs } = ioapic;
    let state = StateV1 {
        select: *select,
        id: *id,
        arbitration: *arbitration,
        entries: entries.map(Redirection::into_bits),
        inputs: *inputs,
    };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(ioapic: &mut I82093aa, saved: &Saved) -> Result<(), RestoreError> {
    let StateV1 { select, id, arbitration, entries, inputs } = saved.unpack(VERSION)?;
    if id > 0xF || arbitration > 0xF || inputs >> INPUTS != 0 {
        return Err(RestoreError::Value("82093AA identification or inputs"));
    }
    if entries.iter().any(|bits| bits & !(Redirection::WRITABLE | Redirection::REMOTE_IRR) != 0) {
        return Err(RestoreError::Value("82093AA redirection entry with reserved bits"));
    }
    let entries = entries.map(Redirection::from_bits);
    *ioapic = I82093aa { select, id, arbitration, entries, inputs };
    Ok(())
}
