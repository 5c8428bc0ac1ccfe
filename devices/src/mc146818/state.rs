//! Saved state of the clock.

use super::divider::Divider;
use super::registers::{A, B, C};
use super::{Mc146818, RAM};
use emu_core::{RestoreError, Saved, Tick};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Mc146818V1 {
    index: u8,
    ram: Vec<u8>,
    a: u8,
    b: u8,
    c: u8,
    divider_start: Option<Tick>,
    divider_seen: u64,
    next_update: Option<Tick>,
}

pub(super) fn save(chip: &Mc146818) -> Saved {
    let &Mc146818 { index, ref ram, a, b, c, divider, next_update } = chip;
    let Divider { start, seen } = divider;
    let state = Mc146818V1 {
        index,
        ram: ram.to_vec(),
        a: a.into_bits(),
        b: b.into_bits(),
        c: c.into_bits(),
        divider_start: start,
        divider_seen: seen,
        next_update,
    };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(saved: &Saved) -> Result<Mc146818, RestoreError> {
    let Mc146818V1 { index, ram, a, b, c, divider_start, divider_seen, next_update } =
        saved.unpack(VERSION)?;
    let ram: [u8; RAM] = ram.try_into().map_err(|_| RestoreError::Value("CMOS memory is 128 bytes"))?;
    let a = A::from_bits(a);
    if a.uip() || c & 0x8F != 0 {
        return Err(RestoreError::Value("MC146818 flag that is not stored"));
    }
    if a.runs() != divider_start.is_some() || a.runs() != next_update.is_some() {
        return Err(RestoreError::Value("MC146818 divider"));
    }
    Ok(Mc146818 {
        index,
        ram,
        a,
        b: B::from_bits(b),
        c: C::from_bits(c),
        divider: Divider { start: divider_start, seen: divider_seen },
        next_update,
    })
}
