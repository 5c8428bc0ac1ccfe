//! Linear addresses for operands.

use crate::conform::layout::*;
use crate::conform::program::CodeSize;
use crate::conform::values::Rng;

const DATA_END: u64 = DATA + DATA_BYTES as u64;
const STACK_END: u64 = STACK + STACK_BYTES as u64;

/// Where an operand of `size` bytes lies. `aligned`: the instruction may insist on alignment.
pub fn linear(size: u64, aligned: bool, rng: &mut Rng) -> u64 {
    let size = size.max(1);
    let room = DATA_BYTES as u64 - size.min(DATA_BYTES as u64 - 64);
    match rng.below(64) {
        0..38 => {
            let unit = if aligned { size.next_power_of_two().min(64) } else { 1 };
            (DATA + rng.below(room)) & !(unit - 1)
        }
        38..42 => DATA + rng.below(room),
        42..48 => DATA + 0x1000 - 1 - rng.below(size),
        48..51 => DATA_END - size,
        51 | 52 => DATA_END - rng.below(size + 1),
        53 => DATA - rng.below(size + 1),
        54..58 => (FIXED + rng.below(FIXED_BYTES as u64)) & !(size.next_power_of_two().min(64) - 1),
        58 => FIXED + FIXED_BYTES as u64 - size.min(FIXED_BYTES as u64),
        59 | 60 => STACK + rng.below(STACK_BYTES as u64),
        61 => CODE + rng.below(CODE_BYTES as u64),
        62 => WINDOW + rng.below(0x1_0000),
        _ => rng.pick(&[
            0,
            1,
            0xFFF,
            0xFFFF_FFF0,
            0x7FFF_FFFF_FFF8,
            0x8000_0000_0000,
            0xFFFF_8000_0000_0000,
            !0,
            !7,
        ]),
    }
}

/// An address that is part of an instruction, so that all its vectors have it.
pub fn constant(rng: &mut Rng) -> u64 {
    match rng.below(8) {
        0..6 => (DATA + rng.below(DATA_BYTES as u64 - 64)) & !63,
        6 => DATA + rng.below(DATA_BYTES as u64 - 64),
        _ => linear(16, true, rng),
    }
}

/// A stack pointer, as a linear address, for an instruction that goes up to `below` bytes down and reads up to
/// `above` bytes.
pub fn stack(below: u64, above: u64, rng: &mut Rng) -> u64 {
    let middle = STACK + 0x400 + rng.below(0x800);
    match rng.below(32) {
        0..18 => middle & !15,
        18..22 => middle & !7,
        22..25 => middle,
        25 => STACK + rng.below(below + 1),
        26 => STACK + below,
        27 => STACK_END - above,
        28 => STACK_END - rng.below(above + 1),
        29 => STACK_END,
        30 => DATA + 0x1000 - rng.below(32),
        _ => FIXED + rng.below(0x100),
    }
}

/// The offset of `linear` in the stack and data segments of code of `size`.
pub fn offset(linear: u64, size: CodeSize) -> u64 {
    linear.wrapping_sub(size.base())
}
