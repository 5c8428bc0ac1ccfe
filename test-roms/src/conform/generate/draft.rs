//! A vector's inputs in the making: registers full of edge values first, then what the recipe asks for.

use super::place;
use super::recipe::{Part, Recipe};
use crate::conform::layout::*;
use crate::conform::program::CodeSize;
use crate::conform::state::{Inputs, Patch, Registers};
use crate::conform::values::{Element, Rng, f80, integer, mask};
use emu_core::vcpu::{F80, X87};

const STATUS_FLAGS: u64 = 0x8D5;
const DF: u64 = 1 << 10;
const AC: u64 = 1 << 18;
/// The interrupt flag and bit 1, which user mode always has.
const FLAGS_AT_REST: u64 = 0x202;

/// See [`draft`](self).
pub struct Draft {
    pub registers: Registers,
    pub patches: Vec<Patch>,
    /// What the memory operand is to hold, where a step has said so.
    pub operand: Option<u128>,
}

impl Draft {
    pub fn new(recipe: &Recipe, rng: &mut Rng) -> Self {
        let wide = recipe.size == CodeSize::Bits64;
        let registers = Registers {
            gpr: general(wide, rng),
            rflags: flags(rng),
            fs_base: if wide { FS_BASE } else { 0 },
            gs_base: if wide { GS_BASE } else { 0 },
            x87: x87(recipe, rng),
            mxcsr: if recipe.uses.mxcsr { mxcsr(rng) } else { 0x1F80 | rng.word() as u32 & 0x603F },
            xmm: vectors(recipe.vectors, recipe.element, rng),
            ymm_high: vectors(if recipe.uses.ymm { recipe.vectors } else { 0 }, recipe.element, rng),
        };
        let mut draft = Self { registers, patches: Vec::new(), operand: None };
        let stack = place::offset(STACK + 0x800, recipe.size);
        draft.registers.gpr[4] = stack;
        draft
    }

    pub fn finish(mut self, recipe: &Recipe) -> Inputs {
        if recipe.size != CodeSize::Bits64 {
            for (n, register) in self.registers.gpr.iter_mut().enumerate() {
                *register = if n < 8 { *register & 0xFFFF_FFFF } else { 0 };
            }
        }
        Inputs { registers: self.registers, patches: self.patches }
    }

    pub fn get(&self, part: Part) -> u64 {
        self.registers.gpr[usize::from(part.n)] >> part.shift & mask(u32::from(part.bits))
    }

    /// Sets a part of a register and keeps the rest of it.
    pub fn put(&mut self, part: Part, value: u64) {
        let mask = mask(u32::from(part.bits)) << part.shift;
        let register = &mut self.registers.gpr[usize::from(part.n)];
        *register = *register & !mask | value << part.shift & mask;
    }

    /// Puts bytes into memory, those of them that lie in the data or stack pages.
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        for (base, size) in [(DATA, DATA_BYTES as u64), (STACK, STACK_BYTES as u64)] {
            let end = at.saturating_add(bytes.len() as u64);
            let (from, to) = (at.max(base), end.min(base + size));
            if from < to {
                let bytes = bytes[(from - at) as usize..(to - at) as usize].to_vec();
                self.patches.push(Patch { at: from, bytes });
            }
        }
    }

    /// The vector register `n` as 32 bytes.
    pub fn vector(&self, n: usize) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.registers.xmm[n].to_le_bytes());
        bytes[16..].copy_from_slice(&self.registers.ymm_high[n].to_le_bytes());
        bytes
    }
}

fn general(wide: bool, rng: &mut Rng) -> [u64; 16] {
    let mut registers = [0; 16];
    for register in &mut registers[..if wide { 16 } else { 8 }] {
        *register = match rng.below(4) {
            0 => rng.word(),
            1 => integer(rng, 32),
            _ => integer(rng, 64),
        };
    }
    if rng.chance(15) {
        let (to, from) = (rng.below(8) as usize, rng.below(8) as usize);
        registers[to] = registers[from];
    }
    registers
}

fn flags(rng: &mut Rng) -> u64 {
    let random = rng.word();
    let mut flags = FLAGS_AT_REST | random & STATUS_FLAGS;
    if random >> 32 & 7 == 0 {
        flags |= DF;
    }
    if random >> 35 & 63 == 0 {
        flags |= AC;
    }
    flags
}

/// Rounding, flush to zero, denormals are zero and sticky flags at random; exceptions mostly masked.
pub fn mxcsr(rng: &mut Rng) -> u32 {
    let random = rng.word() as u32;
    let masks = if random >> 29 == 0 { random >> 16 & 0x1F80 } else { 0x1F80 };
    let flags = if random >> 27 & 3 == 0 { random & 0x3F } else { 0 };
    let zeros = if random >> 25 & 3 == 0 { random & 0x8040 } else { 0 };
    masks | flags | zeros | random & 0x6000
}

fn vectors(named: u16, element: Element, rng: &mut Rng) -> [u128; 16] {
    let mut registers = [0; 16];
    for (n, register) in registers.iter_mut().enumerate() {
        *register = if named >> n & 1 == 0 {
            // Nobody looks at it: that it stays what it is can be seen with any value.
            u128::from(rng.word()) * 0x1_0000_0000_0000_0001
        } else if rng.chance(12) {
            u128::from(rng.word()) << 64 | u128::from(rng.word())
        } else {
            element.vector(rng)
        };
    }
    alike(&mut registers, named, element, rng);
    registers
}

/// Sometimes two of the named registers hold the same, or nearly: what cancels, what compares equal.
fn alike(registers: &mut [u128; 16], named: u16, element: Element, rng: &mut Rng) {
    if named.count_ones() < 2 || !rng.chance(25) {
        return;
    }
    let (first, last) = (named.trailing_zeros() as usize, 15 - named.leading_zeros() as usize);
    let bits = 8 * element.size() as u32;
    let lowest = (0..128 / bits).fold(0, |all, lane| all | 1u128 << (lane * bits));
    let flip = match rng.below(5) {
        0 => 0,
        1 => 1 << rng.below(128),
        2 => lowest << rng.below(3),
        3 => lowest << (bits - 1),
        _ => lowest << (bits - 1) | lowest << rng.below(3),
    };
    registers[first] = registers[last] ^ flip;
}

/// The control word: mostly with all exceptions masked.
pub fn control_word(rng: &mut Rng) -> u16 {
    let random = rng.word() as u16;
    let masks = if random >> 13 == 0 { random & 0x3F } else { 0x3F };
    0x40 | masks | random & 0x0F00
}

/// A status word: condition codes, TOP, sometimes sticky flags; ES and B as the masks of `control` make them.
pub fn status_word(control: u16, rng: &mut Rng) -> u16 {
    let random = rng.word() as u16;
    let mut flags = if rng.chance(30) { random & 0x7F } else { 0 };
    // A pending exception keeps most instructions from doing anything else.
    if rng.chance(85) {
        flags &= control | 0x40;
    }
    let pending = if flags & !control & 0x3F != 0 { 0x8080 } else { 0 };
    random & 0x7F00 | flags | pending
}

fn x87(recipe: &Recipe, rng: &mut Rng) -> X87 {
    let uses = recipe.uses;
    let control = control_word(rng);
    let pointers = rng.word();
    let mut x87 = X87 {
        control,
        status: if uses.x87 || uses.mmx { status_word(control, rng) } else { 0 },
        empty: match rng.below(8) {
            0 => rng.word() as u8,
            1 => 0xFF,
            _ => 1u8.rotate_left(rng.below(8) as u32) & rng.word() as u8,
        },
        opcode: (pointers >> 48) as u16 & 0x7FF,
        ip: pointers & 0xFFFF_FFFF,
        dp: rng.word() & 0xFFFF_FFFF,
        ..X87::default()
    };
    for register in &mut x87.r {
        *register = match uses {
            _ if uses.mmx => {
                F80 { significand: recipe.element.vector(rng) as u64, exponent: (pointers >> 16) as u16 }
            }
            _ if uses.x87 => f80(rng),
            _ => F80 { significand: pointers, exponent: 0xFFFF },
        };
    }
    if uses.x87 && rng.chance(15) {
        let (to, from) = (rng.below(8) as usize, rng.below(8) as usize);
        x87.r[to] = x87.r[from];
        x87.r[to].exponent ^= (rng.below(2) as u16) << 15;
        x87.r[to].significand ^= rng.below(4) & rng.below(4);
    }
    x87
}
