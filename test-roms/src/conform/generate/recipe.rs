//! What a program's inputs must look like for its instructions to do something: made once from the instructions, and
//! followed for every vector.

use super::address::segment_base;
use super::step::{self, Step};
use crate::conform::program::CodeSize;
use crate::conform::values::Element;
use iced_x86::{Code, Instruction, MemorySize, Mnemonic, OpKind, Register};

/// How to make inputs for a program.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub size: CodeSize,
    /// Linear addresses of the program's first byte and of the byte past its last.
    pub start: u64,
    pub end: u64,
    /// What vector registers hold.
    pub element: Element,
    /// Vector registers that the instructions name, a bit each.
    pub vectors: u16,
    pub uses: Uses,
    /// What the instructions ask for, in the order in which it is done: what comes later wins.
    pub steps: Vec<Step>,
}

/// Parts of the state that instructions look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uses {
    pub x87: bool,
    pub mmx: bool,
    pub mxcsr: bool,
    pub ymm: bool,
}

/// A general register, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub n: u8,
    pub shift: u8,
    pub bits: u8,
}

impl Part {
    pub fn of(register: Register) -> Option<Self> {
        if register.is_gpr8() {
            let n = register as u32 - Register::AL as u32;
            return Some(match n {
                4..8 => Self { n: n as u8 - 4, shift: 8, bits: 8 },
                _ => Self { n: if n < 4 { n as u8 } else { n as u8 - 4 }, shift: 0, bits: 8 },
            });
        }
        register.is_gpr().then(|| Self {
            n: register.number() as u8,
            shift: 0,
            bits: (register.size() * 8) as u8,
        })
    }

    pub fn whole(n: u8, bits: u32) -> Self {
        Self { n, shift: 0, bits: bits as u8 }
    }
}

/// A memory operand by its addressing.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    pub segment_base: u64,
    pub base: Option<Part>,
    pub index: Option<Part>,
    pub scale: u64,
    /// The displacement; for a RIP-relative operand the whole offset.
    pub displacement: u64,
    /// Bits of an address.
    pub bits: u32,
}

impl Address {
    /// That of the memory operand of `i` (not a vector-indexed one).
    pub fn of(i: &Instruction, size: CodeSize) -> Self {
        let (base, index) = (i.memory_base(), i.memory_index());
        let named = if base == Register::None { index } else { base };
        let bits = match named {
            Register::None if i.memory_displ_size() == 2 => 16,
            Register::None if i.memory_displ_size() == 8 => 64,
            Register::None => 32,
            Register::RIP => 64,
            Register::EIP => 32,
            register => register.size() as u32 * 8,
        };
        Self {
            segment_base: segment_base(size, i.memory_segment()),
            base: Part::of(base),
            index: Part::of(index),
            scale: u64::from(i.memory_index_scale()),
            displacement: i.memory_displacement64(),
            bits,
        }
    }
}

/// The element type of what an instruction works on.
pub fn element(i: &Instruction) -> Element {
    if text(i.mnemonic()) {
        return Element::Text;
    }
    match i.code().op_code().memory_size().element_type() {
        MemorySize::Float16 => Element::F16,
        MemorySize::Float32 => Element::F32,
        MemorySize::Float64 => Element::F64,
        MemorySize::Float80 => Element::F80,
        MemorySize::Bcd => Element::Bcd,
        MemorySize::Unknown => by_name(i.code()),
        other => Element::Int(other.size().clamp(1, 8).next_power_of_two() as u8),
    }
}

fn text(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(
        mnemonic,
        Pcmpestri | Pcmpestrm | Pcmpistri | Pcmpistrm | Vpcmpestri | Vpcmpestrm | Vpcmpistri | Vpcmpistrm
    )
}

/// For forms without a memory operand, from the last letters of their names.
fn by_name(code: Code) -> Element {
    let name = format!("{:?}", code.mnemonic());
    match name.as_bytes() {
        [.., b'p', b's'] => Element::F32,
        [.., b'p', b'd'] => Element::F64,
        [.., b'b'] => Element::Int(1),
        [.., b'w'] => Element::Int(2),
        [.., b'q'] => Element::Int(8),
        _ => Element::Int(4),
    }
}

/// The recipe for the instructions of a program, in their order.
pub fn of(instructions: &[Instruction], size: CodeSize, start: u64, end: u64) -> Recipe {
    let mut recipe = Recipe {
        size,
        start,
        end,
        element: instructions.first().map_or(Element::Int(4), element),
        vectors: 0,
        uses: Uses::default(),
        steps: Vec::new(),
    };
    for i in instructions {
        note_registers(i, &mut recipe);
    }
    if let [i] = instructions {
        step::single(i, &mut recipe);
    } else {
        step::sequence(instructions, &mut recipe);
    }
    recipe
}

fn note_registers(i: &Instruction, recipe: &mut Recipe) {
    for n in 0..i.op_count() {
        let register = match i.op_kind(n) {
            OpKind::Register => i.op_register(n),
            OpKind::Memory => i.memory_index(),
            _ => continue,
        };
        if register.is_xmm() || register.is_ymm() {
            recipe.vectors |= 1 << (register.number() & 15);
        }
        recipe.uses.ymm |= register.is_ymm();
        recipe.uses.mmx |= register.is_mm();
    }
    let features = i.code().cpuid_features();
    use iced_x86::CpuidFeature as F;
    recipe.uses.x87 |= features.iter().any(|f| matches!(f, F::FPU | F::FPU287 | F::FPU387));
    recipe.uses.mmx |= features.contains(&F::MMX);
    let float = matches!(element(i), Element::F16 | Element::F32 | Element::F64);
    recipe.uses.mxcsr |= float && !recipe.uses.x87;
}
