//! Following a recipe: one vector's inputs.

use super::content::{Content, data_selector};
use super::draft::Draft;
use super::operand::landing;
use super::place;
use super::recipe::{Address, Part, Recipe};
use super::step::{Operand, Step};
use crate::conform::layout::*;
use crate::conform::program::CodeSize;
use crate::conform::state::Inputs;
use crate::conform::values::{Rng, integer, mask};

/// Inputs by `recipe`.
pub fn inputs(recipe: &Recipe, rng: &mut Rng) -> Inputs {
    let mut draft = Draft::new(recipe, rng);
    for step in &recipe.steps {
        step.follow(&mut draft, recipe, rng);
    }
    draft.finish(recipe)
}

impl Step {
    fn follow(&self, draft: &mut Draft, recipe: &Recipe, rng: &mut Rng) {
        match *self {
            Self::Memory { address, size, content } => memory(&address, size, content, draft, recipe, rng),
            Self::Gather { address, index, index_bits, lanes, size } => {
                gather(&address, index, index_bits, lanes, u64::from(size), draft, rng);
            }
            Self::Stack { below, above, content } => {
                let at = content.settle(place::stack(below, above, rng), above);
                draft.registers.gpr[4] = place::offset(at, recipe.size) | above_sp(recipe.size, rng);
                content.write(at, above, draft, recipe, rng);
            }
            Self::Frame => draft.registers.gpr[5] = place::offset(place::stack(64, 8, rng), recipe.size),
            Self::Pointer { register, segment_base, bits, size } => {
                let at = pointed(size, draft, recipe, rng);
                let at = reachable(at, segment_base, bits);
                draft.put(Part::whole(register, bits), at.wrapping_sub(segment_base));
            }
            Self::Repetitions { bits } => draft.put(Part::whole(1, bits), repetitions(rng)),
            Self::Alike { size, source } => alike(size, source, draft, recipe, rng),
            Self::Count { part, width } => draft.put(part, count(width, rng)),
            Self::BitOffset(part) => bit_offset(part, draft, rng),
            Self::Divide { bits, signed, divisor } => divide(bits, signed, divisor, draft, rng),
            Self::Accumulator { bits, destination } => accumulator(bits, destination, draft, rng),
            Self::WideAccumulator { bits } => wide_accumulator(bits, draft, rng),
            Self::Selector(part) => draft.put(part, u64::from(data_selector(rng)) | rng.word() << 16),
            Self::Landing(part) => {
                draft.put(part, landing(recipe.start, recipe.end, rng) - recipe.size.base());
            }
            Self::Small(part) => draft.put(part, rng.below(4)),
            Self::Field(part) => {
                draft.put(part, rng.below(70) | rng.below(70) << 8 | rng.word() << 16);
            }
            Self::VectorCount(n) => vector_count(n, draft, rng),
            Self::Cancel { factors, addend, double } => cancel(factors, addend, double, draft, rng),
            Self::Lengths => {
                for n in [0, 2] {
                    let length = rng.below(40).wrapping_sub(20);
                    draft.registers.gpr[n] = if rng.chance(90) { length } else { integer(rng, 64) };
                }
            }
            Self::Components => {
                draft.registers.gpr[0] = rng.below(8);
                draft.registers.gpr[2] = 0;
            }
            Self::Base(part) => {
                draft.put(part, if rng.chance(80) { integer(rng, 47) } else { integer(rng, 64) })
            }
            Self::Homes => homes(draft, recipe, rng),
        }
    }
}

/// What ESP holds above SP in 16-bit code. A far call to 64-bit code pushes at that address, so nothing may be there.
fn above_sp(size: CodeSize, rng: &mut Rng) -> u64 {
    if size == CodeSize::Bits16 { 0x8000_0000 | rng.word() & 0x7FFF_0000 } else { 0 }
}

/// Solves `factor` x = `value` for x, in `bits` bits; `factor` is 1 to 9.
fn divide_modulo(value: u64, factor: u64, bits: u32) -> u64 {
    let twos = factor.trailing_zeros();
    let odd = factor >> twos;
    // Newton's iteration for the inverse modulo 2⁶⁴: each step doubles the number of right bits, from 3.
    let inverse = (0..5).fold(odd, |x, _| x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x))));
    (value & mask(bits)).wrapping_shr(twos).wrapping_mul(inverse) & mask(bits)
}

impl Address {
    /// The linear address by the registers of `draft`.
    fn linear(&self, draft: &Draft) -> u64 {
        let base = self.base.map_or(0, |part| draft.get(part));
        let index = self.index.map_or(0, |part| draft.get(part));
        let offset = base.wrapping_add(index.wrapping_mul(self.scale)).wrapping_add(self.displacement);
        self.segment_base.wrapping_add(offset & mask(self.bits))
    }

    /// Sets registers so that it leads to `at`, or near it where the scale does not let it be reached.
    fn lead_to(&self, at: u64, draft: &mut Draft) {
        let target = at.wrapping_sub(self.segment_base).wrapping_sub(self.displacement);
        match (self.base, self.index) {
            (Some(base), Some(index)) if base.n == index.n => {
                draft.put(base, divide_modulo(target, 1 + self.scale, self.bits));
            }
            (Some(base), index) => {
                let index = index.map_or(0, |index| draft.get(index).wrapping_mul(self.scale));
                draft.put(base, target.wrapping_sub(index));
            }
            (None, Some(index)) => draft.put(index, divide_modulo(target, self.scale, self.bits)),
            (None, None) => {}
        }
    }
}

fn memory(address: &Address, size: u64, content: Content, draft: &mut Draft, recipe: &Recipe, rng: &mut Rng) {
    if content == Content::Nothing && rng.chance(60) {
        return;
    }
    let at = reachable(place::linear(size, true, rng), address.segment_base, address.bits);
    address.lead_to(content.settle(at, size), draft);
    content.write(address.linear(draft), size, draft, recipe, rng);
}

/// `at`, or another address where only one of it and its offset is canonical: which of them must be, silicon and
/// manuals do not agree on.
fn reachable(at: u64, segment_base: u64, bits: u32) -> u64 {
    if bits == 64 && canonical(at) != canonical(at.wrapping_sub(segment_base)) { DATA } else { at }
}

fn canonical(address: u64) -> bool {
    ((address << 16) as i64 >> 16) as u64 == address
}

fn gather(address: &Address, n: u8, bits: u8, lanes: u8, size: u64, draft: &mut Draft, rng: &mut Rng) {
    let middle = DATA + 0x800 + rng.below(0x1000);
    address.lead_to(middle, draft);
    let mut bytes = draft.vector(usize::from(n));
    let step = usize::from(bits / 8);
    for lane in 0..usize::from(lanes) {
        let index = if rng.chance(97) {
            (rng.below(0x1000) as i64 - 0x800) / address.scale.max(1) as i64
        } else {
            rng.word() as i64
        };
        bytes[lane * step..(lane + 1) * step].copy_from_slice(&index.to_le_bytes()[..step]);
    }
    let half = |at: usize| u128::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    draft.registers.xmm[usize::from(n)] = half(0);
    draft.registers.ymm_high[usize::from(n)] = half(16);
    let _ = size;
}

/// Where a string lies: mostly inside the data pages, sometimes over the one before it.
fn pointed(size: u64, draft: &Draft, recipe: &Recipe, rng: &mut Rng) -> u64 {
    match (rng.below(10), string_at(6, draft, recipe)) {
        (0 | 1, Some(other)) => other.wrapping_add(rng.below(33)).wrapping_sub(16),
        (2..5, _) => place::linear(size, false, rng),
        _ => near(size, rng),
    }
}

/// The linear address in pointer `n` of a string instruction.
fn string_at(n: u8, draft: &Draft, recipe: &Recipe) -> Option<u64> {
    recipe.steps.iter().find_map(|step| match *step {
        Step::Pointer { register, segment_base, bits, .. } if register == n => {
            Some(segment_base.wrapping_add(draft.get(Part::whole(n, bits))))
        }
        _ => None,
    })
}

/// Inside the data pages, with room on either side.
fn near(size: u64, rng: &mut Rng) -> u64 {
    let at = DATA + 0x300 + rng.below(DATA_BYTES as u64 - 0x600);
    if rng.chance(50) { at & !(size.max(1) - 1) } else { at }
}

fn repetitions(rng: &mut Rng) -> u64 {
    match rng.below(16) {
        0 => 0,
        1 => 1,
        2 => rng.below(300),
        3 => rng.below(5000),
        4 => integer(rng, 64),
        _ => rng.below(20),
    }
}

/// Makes the strings at rSI and rDI alike, or that at rDI like the accumulator, but for one element.
fn alike(size: u64, source: bool, draft: &mut Draft, recipe: &Recipe, rng: &mut Rng) {
    let down = draft.registers.rflags & 1 << 10 != 0;
    let length = 24 * size as usize;
    let unit = draft.registers.gpr[0].to_le_bytes();
    let mut bytes: [u8; 192] = std::array::from_fn(|n| unit[n % size as usize]);
    let start = |at: u64| if down { at.wrapping_sub(23 * size) } else { at };
    if let Some(at) = string_at(7, draft, recipe) {
        draft.write(start(at), &bytes[..length]);
    }
    // Equal elements end REPNE, different ones REPE.
    if rng.chance(80) {
        bytes[rng.below(length as u64) as usize] ^= 1 << rng.below(8);
    }
    let at = string_at(if source { 6 } else { 7 }, draft, recipe);
    if let Some(at) = at {
        draft.write(start(at), &bytes[..length]);
    }
}

/// A shift count for operands of `width` bits.
fn count(width: u64, rng: &mut Rng) -> u64 {
    match rng.below(8) {
        0 => 0,
        1 => 1,
        2 => width - 1,
        3 => width,
        4 => width + 1,
        5 => rng.word(),
        _ => rng.below(width),
    }
}

fn bit_offset(part: Part, draft: &mut Draft, rng: &mut Rng) {
    let offset = match rng.below(8) {
        // Far from all that is mapped.
        0 => integer(rng, 64) | 1 << 26,
        1 => rng.below(64),
        2 => rng.below(64).wrapping_neg(),
        _ => rng.below(0x4000).wrapping_sub(0x2000),
    };
    draft.put(part, offset);
}

/// Sets the dividend (AX, or rDX:rAX) and the divisor so that, mostly, the quotient fits.
fn divide(bits: u32, signed: bool, divisor: Operand, draft: &mut Draft, rng: &mut Rng) {
    let value = integer(rng, bits);
    match divisor {
        Operand::Register(part) => draft.put(part, value),
        Operand::Memory => draft.operand = Some(u128::from(value)),
    }
    if rng.chance(10) {
        return;
    }
    let dividend =
        if signed { signed_dividend(bits, value, rng) } else { unsigned_dividend(bits, value, rng) };
    let rax = Part::whole(0, bits.max(16));
    if bits == 8 {
        return draft.put(rax, dividend as u64);
    }
    draft.put(rax, dividend as u64 & mask(bits));
    draft.put(Part::whole(2, bits), (dividend >> bits) as u64);
}

fn unsigned_dividend(bits: u32, divisor: u64, rng: &mut Rng) -> u128 {
    let quotient = u128::from(integer(rng, bits));
    quotient * u128::from(divisor) + u128::from(rng.word() % divisor.max(1))
}

fn signed_dividend(bits: u32, divisor: u64, rng: &mut Rng) -> u128 {
    let extend = |value: u64| ((value << (64 - bits)) as i64 >> (64 - bits)) as i128;
    let (quotient, divisor) = (extend(integer(rng, bits)), extend(divisor));
    let remainder = i128::from(rng.word() >> 1) % divisor.abs().max(1);
    let product = quotient * divisor;
    (if product < 0 { product - remainder } else { product + remainder }) as u128
}

fn accumulator(bits: u32, destination: Operand, draft: &mut Draft, rng: &mut Rng) {
    let value = integer(rng, bits);
    if rng.chance(50) {
        draft.put(Part::whole(0, bits), value);
    }
    match destination {
        Operand::Register(part) => draft.put(part, value),
        Operand::Memory => draft.operand = Some(u128::from(value)),
    }
}

fn wide_accumulator(bits: u32, draft: &mut Draft, rng: &mut Rng) {
    let (low, high) = (integer(rng, bits), integer(rng, bits));
    draft.operand = Some(u128::from(high) << bits | u128::from(low));
    if rng.chance(60) {
        draft.put(Part::whole(0, bits), low);
        draft.put(Part::whole(2, bits), high);
    }
}

fn vector_count(n: u8, draft: &mut Draft, rng: &mut Rng) {
    let n = usize::from(n);
    if rng.chance(50) {
        draft.registers.xmm[n] = u128::from(rng.below(70));
    } else if rng.chance(80) {
        // A small count in each doubleword.
        let counts = (0..4).fold(0, |v, i| v | u128::from(rng.below(40)) << (32 * i));
        draft.registers.xmm[n] = counts;
        draft.registers.ymm_high[n] = counts ^ 3;
    }
}

fn cancel(factors: [u8; 2], addend: u8, double: bool, draft: &mut Draft, rng: &mut Rng) {
    if !rng.chance(30) {
        return;
    }
    let [a, b] = factors.map(usize::from);
    let flip = if rng.chance(50) { 0 } else { rng.below(4) };
    let r = &mut draft.registers;
    r.xmm[usize::from(addend)] = products(r.xmm[a], r.xmm[b], double, flip);
    r.ymm_high[usize::from(addend)] = products(r.ymm_high[a], r.ymm_high[b], double, flip);
}

/// The rounded product of each lane, with bits of its significand changed by `flip`. Which sign cancels depends on
/// the instruction; there are as many of one as of the other.
fn products(a: u128, b: u128, double: bool, flip: u64) -> u128 {
    let lanes = if double { 2 } else { 4 };
    (0..lanes).fold(0, |all, lane| {
        let shift = lane * 128 / lanes;
        let (x, y) = ((a >> shift) as u64, (b >> shift) as u64);
        let product = if double {
            (f64::from_bits(x) * f64::from_bits(y)).to_bits()
        } else {
            u64::from((f32::from_bits(x as u32) * f32::from_bits(y as u32)).to_bits())
        };
        all | u128::from(product ^ flip) << shift
    })
}

/// The pointers of a sequence: far enough from the edges for what is done with them.
fn homes(draft: &mut Draft, recipe: &Recipe, rng: &mut Rng) {
    for n in [3, 5, 6, 7] {
        let page = rng.below(4) * 0x700;
        let at = (DATA + 0x300 + page + rng.below(0x100)) & !(rng.pick(&[1, 4, 16, 32]) - 1);
        draft.registers.gpr[n] = place::offset(at, recipe.size);
    }
    draft.registers.gpr[4] = place::offset((STACK + 0x400 + rng.below(0x800)) & !1, recipe.size);
}
