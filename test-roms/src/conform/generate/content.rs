//! What memory operands hold.

use super::draft::{Draft, control_word, mxcsr, status_word};
use super::operand::{beyond, far_landing, landing};
use super::recipe::Recipe;
use crate::conform::layout::*;
use crate::conform::values::{Element, Rng, bits80, f80, integer};

/// The content of a memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// It is not accessed.
    Nothing,
    Elements(Element),
    /// What an earlier step has left in the draft.
    Given,
    /// A selector at an offset; before it anything.
    Selector {
        at: u8,
    },
    /// An offset of so many bytes to jump to; `far`: a selector follows.
    Landing {
        bytes: u8,
        far: bool,
    },
    /// IRET's frame, of words of so many bytes.
    Frame {
        bytes: u8,
    },
    /// An image of the flags, of so many bytes.
    Flags(u8),
    ControlWord,
    Mxcsr,
    /// FLDENV's and FRSTOR's.
    Environment {
        bytes: u8,
    },
    FxImage,
    XsaveImage,
    /// Two bounds of so many bytes.
    Bounds(u8),
}

/// TF, which would trap after the next instruction, and AC, which stays for the whole program.
const DISTURBING: u64 = 1 << 8 | 1 << 18;
/// AMD's misaligned exception mask, which Intel reserves.
const MM: u32 = 1 << 17;
const AREA: usize = 832;

impl Content {
    /// Where an operand of `size` bytes may lie that was going to lie at `at`: one that names a segment lies where its
    /// content can be chosen, because some descriptors are the host's own affair.
    pub fn settle(self, at: u64, size: u64) -> u64 {
        let names =
            matches!(self, Self::Selector { .. } | Self::Landing { far: true, .. } | Self::Frame { .. });
        let overlaps = |base: u64, bytes: usize| at < base + bytes as u64 && at.wrapping_add(size) > base;
        if names && (overlaps(FIXED, FIXED_BYTES) || overlaps(CODE, CODE_BYTES)) {
            DATA + at % 0x1000
        } else {
            at
        }
    }

    /// Writes the content of the operand at `at`, `size` bytes.
    pub fn write(self, at: u64, size: u64, draft: &mut Draft, recipe: &Recipe, rng: &mut Rng) {
        let mut area = [0; AREA];
        let bytes = &mut area[..(size as usize).min(AREA)];
        match self {
            Self::Nothing => return,
            Self::Elements(element) => elements(element, bytes, draft, recipe, rng),
            Self::Given => match draft.operand {
                Some(value) => put(bytes, 0, &value.to_le_bytes()),
                None => return,
            },
            Self::Selector { at } => {
                put(bytes, 0, &integer(rng, 64).to_le_bytes());
                put(bytes, usize::from(at), &data_selector(rng).to_le_bytes());
            }
            Self::Landing { far: false, .. } => {
                let target = landing(recipe.start, recipe.end, rng) - recipe.size.base();
                put(bytes, 0, &target.to_le_bytes());
            }
            Self::Landing { bytes: width, far: true } => {
                let (selector, target) = far_landing(recipe.start, recipe.end, rng);
                words(bytes, width, &[target, u64::from(selector)]);
            }
            Self::Frame { bytes: width } => frame(bytes, width, recipe, rng),
            Self::Flags(_) => put(bytes, 0, &flags(rng).to_le_bytes()),
            Self::ControlWord => put(bytes, 0, &loaded_control_word(rng).to_le_bytes()),
            Self::Mxcsr => put(bytes, 0, &loaded_mxcsr(rng).to_le_bytes()),
            Self::Environment { bytes: length } => environment(bytes, length, rng),
            Self::FxImage => fx_image(bytes, rng),
            Self::XsaveImage => xsave_image(bytes, rng),
            Self::Bounds(width) => bounds(bytes, width, rng),
        }
        draft.write(at, bytes);
    }
}

/// Copies what fits.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let end = bytes.len().min(at + value.len());
    if at < end {
        bytes[at..end].copy_from_slice(&value[..end - at]);
    }
}

/// Words of `width` bytes, one after the other, each cut to its width.
fn words(bytes: &mut [u8], width: u8, values: &[u64]) {
    let width = usize::from(width);
    for (n, value) in values.iter().enumerate() {
        put(bytes, n * width, &value.to_le_bytes()[..width]);
    }
}

/// What IRET pops (Intel SDM Vol. 3A figure 6-4; outside of 64-bit code no more than three words of it).
fn frame(bytes: &mut [u8], width: u8, recipe: &Recipe, rng: &mut Rng) {
    let (selector, target) = far_landing(recipe.start, recipe.end, rng);
    let stack = STACK + 0x400 + rng.below(0x800);
    let ss = if rng.chance(85) { selector::DATA } else { data_selector(rng) };
    words(bytes, width, &[target, u64::from(selector), flags(rng), stack, u64::from(ss)]);
}

fn elements(element: Element, bytes: &mut [u8], draft: &Draft, recipe: &Recipe, rng: &mut Rng) {
    if recipe.vectors != 0 && rng.chance(15) {
        let n = recipe.vectors.trailing_zeros() as usize;
        return put(bytes, 0, &draft.vector(n));
    }
    for chunk in bytes.chunks_mut(16) {
        let value = if chunk.len() <= element.size() { element.value(rng) } else { element.vector(rng) };
        put(chunk, 0, &value.to_le_bytes());
    }
}

/// A selector for a data segment register: all of the layout's, null, and beyond the tables.
pub fn data_selector(rng: &mut Rng) -> u16 {
    use selector::*;
    match rng.below(16) {
        0 | 1 => rng.below(4) as u16,
        2 => beyond(rng),
        3 => rng.pick(&[CODE_32, CODE_64, CODE_16]),
        // Another privilege level asked for than 3.
        4 => rng.pick(&[DATA, DATA_16, FS, READ_ONLY]) & !3 | rng.below(4) as u16,
        _ => rng.pick(&[DATA, DATA_16, FS, GS, READ_ONLY, EXPAND_DOWN]),
    }
}

fn flags(rng: &mut Rng) -> u64 {
    rng.word() & !DISTURBING & 0xFFFF_FFFF
}

fn loaded_control_word(rng: &mut Rng) -> u16 {
    if rng.chance(20) { rng.word() as u16 } else { control_word(rng) }
}

fn loaded_mxcsr(rng: &mut Rng) -> u32 {
    match rng.below(16) {
        0 => (rng.word() as u32) & !MM,
        1 => mxcsr(rng) | 1 << rng.pick(&[16, 18, 20, 31]),
        2 => rng.word() as u32 & 0xFFFF,
        _ => mxcsr(rng),
    }
}

/// The environment of 14 or 28 bytes (Intel SDM Vol. 1 figures 8-9 to 8-12), and after it eight registers.
fn environment(bytes: &mut [u8], length: u8, rng: &mut Rng) {
    for chunk in bytes.chunks_mut(8) {
        put(chunk, 0, &rng.word().to_le_bytes());
    }
    let unit = if matches!(length, 14 | 94) { 2 } else { 4 };
    let control = loaded_control_word(rng);
    let status = if rng.chance(10) { rng.word() as u16 } else { status_word(control, rng) };
    put(bytes, 0, &control.to_le_bytes());
    put(bytes, unit, &status.to_le_bytes());
    put(bytes, 2 * unit, &(rng.word() as u16).to_le_bytes());
    let registers = 7 * unit;
    for n in 0..8 {
        put(bytes, registers + 10 * n, &bits80(f80(rng)).to_le_bytes()[..10]);
    }
}

/// The 512 bytes of FXSAVE (Intel SDM Vol. 1 10.5.1).
fn fx_image(bytes: &mut [u8], rng: &mut Rng) {
    for chunk in bytes.chunks_mut(8) {
        put(chunk, 0, &rng.word().to_le_bytes());
    }
    let control = loaded_control_word(rng);
    put(bytes, 0, &control.to_le_bytes());
    put(bytes, 2, &status_word(control, rng).to_le_bytes());
    // Pointers that fit their registers.
    put(bytes, 8, &(rng.word() >> 32).to_le_bytes());
    put(bytes, 16, &(rng.word() >> 32).to_le_bytes());
    put(bytes, 24, &loaded_mxcsr(rng).to_le_bytes());
    for n in 0..8 {
        put(bytes, 32 + 16 * n, &bits80(f80(rng)).to_le_bytes()[..10]);
    }
}

/// The header of an XSAVE area (Intel SDM Vol. 1 13.4.2): mostly a good one, of the standard or the compacted form.
fn xsave_image(bytes: &mut [u8], rng: &mut Rng) {
    fx_image(bytes, rng);
    let mut header = [0u8; 64];
    header[0] = rng.below(8) as u8;
    if rng.chance(20) {
        (header[8], header[15]) = (7, 0x80);
    } else if rng.chance(10) {
        // Only bits that no host's components have: which of the others are valid depends on it.
        let at = rng.pick(&[3, 4, 5, 6, 8, 9, 11, 16, 20, 23]);
        header[at] |= 1 << rng.below(8);
    }
    put(bytes, 512, &header);
}

fn bounds(bytes: &mut [u8], width: u8, rng: &mut Rng) {
    let bits = 8 * u32::from(width);
    let (low, high) = if rng.chance(70) {
        (1u64 << (bits - 1), (1u64 << (bits - 1)) - 1)
    } else {
        (integer(rng, bits), integer(rng, bits))
    };
    put(bytes, 0, &low.to_le_bytes());
    put(bytes, usize::from(width), &high.to_le_bytes()[..usize::from(width)]);
}
