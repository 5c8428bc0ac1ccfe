//! Saved state of the pair.

use super::chip::{Expect, I8259a};
use super::registers::{Icw1, Icw4};
use super::{CASCADE, ELCR_MASK, I8259aPair};
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct PairV1 {
    master: ChipV1,
    slave: ChipV1,
}

#[derive(Serialize, Deserialize)]
struct ChipV1 {
    lines: u8,
    irr: u8,
    isr: u8,
    imr: u8,
    elcr: u8,
    /// The word expected next: 2, 3 or 4 for an ICW, 1 for OCW1.
    expect: u8,
    icw1: u8,
    icw2: u8,
    icw4: u8,
    lowest: u8,
    rotate_in_aeoi: bool,
    special_mask: bool,
    read_isr: bool,
    poll: bool,
}

pub(super) fn save(pair: &I8259aPair) -> Saved {
    let I8259aPair { master, slave } = pair;
    Saved::pack(VERSION, &PairV1 { master: save_chip(master), slave: save_chip(slave) })
}

pub(super) fn restore(saved: &Saved) -> Result<I8259aPair, RestoreError> {
    let PairV1 { master, slave } = saved.unpack(VERSION)?;
    Ok(I8259aPair {
        master: restore_chip(master, 1 << CASCADE, ELCR_MASK[0])?,
        slave: restore_chip(slave, 0, ELCR_MASK[1])?,
    })
}

fn save_chip(chip: &I8259a) -> ChipV1 {
    let &I8259a {
        cascaded: _, // wiring
        lines,
        irr,
        isr,
        imr,
        elcr,
        expect,
        icw1,
        icw2,
        icw4,
        lowest,
        rotate_in_aeoi,
        special_mask,
        read_isr,
        poll,
    } = chip;
    ChipV1 {
        lines,
        irr,
        isr,
        imr,
        elcr,
        expect: match expect {
            Expect::Ocw1 => 1,
            Expect::Icw2 => 2,
            Expect::Icw3 => 3,
            Expect::Icw4 => 4,
        },
        icw1: icw1.into_bits(),
        icw2,
        icw4: icw4.into_bits(),
        lowest,
        rotate_in_aeoi,
        special_mask,
        read_isr,
        poll,
    }
}

fn restore_chip(state: ChipV1, cascaded: u8, elcr_mask: u8) -> Result<I8259a, RestoreError> {
    let ChipV1 {
        lines,
        irr,
        isr,
        imr,
        elcr,
        expect,
        icw1,
        icw2,
        icw4,
        lowest,
        rotate_in_aeoi,
        special_mask,
        read_isr,
        poll,
    } = state;
    if lowest > 7 {
        return Err(RestoreError::Value("8259A lowest priority above 7"));
    }
    if icw2 & 7 != 0 {
        return Err(RestoreError::Value("8259A vector base not a multiple of 8"));
    }
    if elcr & !elcr_mask != 0 {
        return Err(RestoreError::Value("ELCR bit that does not exist"));
    }
    Ok(I8259a {
        cascaded,
        lines,
        irr,
        isr,
        imr,
        elcr,
        expect: match expect {
            1 => Expect::Ocw1,
            2 => Expect::Icw2,
            3 => Expect::Icw3,
            4 => Expect::Icw4,
            _ => return Err(RestoreError::Value("8259A initialization step")),
        },
        icw1: Icw1::from_bits(icw1),
        icw2,
        icw4: Icw4::from_bits(icw4),
        lowest,
        rotate_in_aeoi,
        special_mask,
        read_isr,
        poll,
    })
}
