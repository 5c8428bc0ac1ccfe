//! What single instructions ask of their inputs.

use super::content::Content;
use super::recipe::{Address, Part, Recipe, element};
use crate::conform::program::CodeSize;
use crate::conform::values::Element;
use iced_x86::{
    Code, CpuidFeature, FlowControl, Instruction, MemorySize, Mnemonic, OpCodeOperandKind, OpKind, Register,
};

/// Where an operand is.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    Register(Part),
    Memory,
}

/// One thing to see to, see `follow`.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The memory operand: `size` bytes of `content`.
    Memory { address: Address, size: u64, content: Content },
    /// The vector-indexed operand: `lanes` of elements of `size` bytes, their indices of `index_bits` bits in vector
    /// register `index`.
    Gather { address: Address, index: u8, index_bits: u8, lanes: u8, size: u8 },
    /// RSP, for an instruction that writes up to `below` bytes under it and reads `above` bytes of `content`.
    Stack { below: u64, above: u64, content: Content },
    /// RBP points to the stack.
    Frame,
    /// A pointer of a string instruction: elements of `size` bytes, at an offset of `bits` bits.
    Pointer { register: u8, segment_base: u64, bits: u32, size: u64 },
    /// rCX counts repetitions, in `bits` bits.
    Repetitions { bits: u32 },
    /// Two strings are alike up to somewhere, or one of them is like the accumulator.
    Alike { size: u64, source: bool },
    /// A shift count, for operands of `width` bits.
    Count { part: Part, width: u64 },
    /// A bit offset that leads to memory near by.
    BitOffset(Part),
    /// A dividend whose quotient fits, mostly.
    Divide { bits: u32, signed: bool, divisor: Operand },
    /// The accumulator equals the destination, half the time.
    Accumulator { bits: u32, destination: Operand },
    /// The same for EDX:EAX or RDX:RAX.
    WideAccumulator { bits: u32 },
    /// A selector.
    Selector(Part),
    /// An address to jump to.
    Landing(Part),
    /// A small number.
    Small(Part),
    /// BEXTR's start and length.
    Field(Part),
    /// Vector register `0` holds a count, or counts.
    VectorCount(u8),
    /// Vector register `addend` holds what the product of the two others takes away, but for its rounding.
    Cancel { factors: [u8; 2], addend: u8, double: bool },
    /// PCMPESTRI's lengths.
    Lengths,
    /// EDX:EAX name state components.
    Components,
    /// Bases of FS and GS that a register sets.
    Base(Part),
    /// Pointers of a sequence.
    Homes,
}

/// Steps for an instruction that is alone.
pub fn single(i: &Instruction, recipe: &mut Recipe) {
    let mut steps = Vec::new();
    values(i, recipe, &mut steps);
    stack(i, recipe.size, &mut steps);
    string(i, recipe.size, &mut steps);
    memory(i, recipe, &mut steps);
    recipe.steps = steps;
}

/// Steps for several: the pointers, and the stack.
pub fn sequence(instructions: &[Instruction], recipe: &mut Recipe) {
    let mut steps = Vec::new();
    for i in instructions {
        values(i, recipe, &mut steps);
    }
    steps.retain(|step| matches!(step, Step::Count { .. } | Step::Divide { .. } | Step::Small(_)));
    steps.push(Step::Homes);
    recipe.steps = steps;
}

fn part(i: &Instruction, n: u32) -> Option<Part> {
    (i.op_count() > n && i.op_kind(n) == OpKind::Register).then(|| Part::of(i.op_register(n))).flatten()
}

fn operand(i: &Instruction, n: u32) -> Option<Operand> {
    part(i, n).map(Operand::Register).or_else(|| (i.op_kind(n) == OpKind::Memory).then_some(Operand::Memory))
}

/// Bits of operand `n`.
fn bits(i: &Instruction, n: u32) -> u32 {
    let bytes = match i.op_kind(n) {
        OpKind::Register => i.op_register(n).size(),
        _ => i.memory_size().size(),
    };
    bytes as u32 * 8
}

const CL: Part = Part { n: 1, shift: 0, bits: 8 };
const ECX: Part = Part { n: 1, shift: 0, bits: 32 };

/// Registers' values.
fn values(i: &Instruction, recipe: &Recipe, steps: &mut Vec<Step>) {
    use Mnemonic::*;
    let mut add = |step: Option<Step>| steps.extend(step);
    let last = i.op_count().saturating_sub(1);
    match i.mnemonic() {
        Rol | Ror | Rcl | Rcr | Shl | Shr | Sal | Sar | Shld | Shrd
            if i.op_kind(last) == OpKind::Register =>
        {
            add(Some(Step::Count { part: CL, width: u64::from(bits(i, 0)) }));
        }
        Shlx | Shrx | Sarx | Bzhi => {
            add(part(i, 2).map(|part| Step::Count { part, width: u64::from(bits(i, 0)) }));
        }
        Bextr => add(part(i, 2).map(Step::Field)),
        Bt | Bts | Btr | Btc if i.op0_kind() == OpKind::Memory => add(part(i, 1).map(Step::BitOffset)),
        Div | Idiv => add(operand(i, 0).map(|divisor| Step::Divide {
            bits: bits(i, 0),
            signed: i.mnemonic() == Idiv,
            divisor,
        })),
        Cmpxchg => add(operand(i, 0).map(|destination| Step::Accumulator { bits: bits(i, 0), destination })),
        Cmpxchg8b => add(Some(Step::WideAccumulator { bits: 32 })),
        Cmpxchg16b => add(Some(Step::WideAccumulator { bits: 64 })),
        Pcmpestri | Pcmpestrm | Vpcmpestri | Vpcmpestrm => add(Some(Step::Lengths)),
        Xsave | Xsave64 | Xsaveopt | Xsaveopt64 | Xsavec | Xsavec64 | Xrstor | Xrstor64 => {
            add(Some(Step::Components));
        }
        Xgetbv | Loop | Loope | Loopne | Jcxz | Jecxz | Jrcxz => add(Some(Step::Small(ECX))),
        Wrfsbase | Wrgsbase => add(part(i, 0).map(Step::Base)),
        Lar | Lsl => add(part(i, 1).map(Step::Selector)),
        Verr | Verw => add(part(i, 0).map(Step::Selector)),
        Mov if writes_segment(i) => add(part(i, 1).map(Step::Selector)),
        Psllw | Pslld | Psllq | Psrlw | Psrld | Psrlq | Psraw | Psrad | Vpsllw | Vpslld | Vpsllq | Vpsrlw
        | Vpsrld | Vpsrlq | Vpsraw | Vpsrad | Vpsllvd | Vpsllvq | Vpsrlvd | Vpsrlvq | Vpsravd => {
            add(vector(i, last).map(Step::VectorCount));
        }
        _ if i.code().cpuid_features().contains(&CpuidFeature::FMA) => add(fused(i)),
        _ if indirect(i) => add(part(i, 0).map(Step::Landing)),
        _ => {}
    }
    let _ = recipe;
}

fn vector(i: &Instruction, n: u32) -> Option<u8> {
    let register = (i.op_kind(n) == OpKind::Register).then(|| i.op_register(n))?;
    (register.is_xmm() || register.is_ymm()).then_some((register.number() & 15) as u8)
}

/// A fused multiplication and addition of three registers. Which of them the digits of its name say, from 1: factor,
/// factor, addend.
fn fused(i: &Instruction) -> Option<Step> {
    let [a, b, c] = [vector(i, 0)?, vector(i, 1)?, vector(i, 2)?];
    let name = format!("{:?}", i.mnemonic());
    let (factors, addend) = match name {
        _ if name.contains("132") => ([a, c], b),
        _ if name.contains("213") => ([a, b], c),
        _ => ([b, c], a),
    };
    Some(Step::Cancel { factors, addend, double: element(i) == Element::F64 })
}

fn indirect(i: &Instruction) -> bool {
    matches!(i.flow_control(), FlowControl::IndirectBranch | FlowControl::IndirectCall)
}

fn writes_segment(i: &Instruction) -> bool {
    i.op0_kind() == OpKind::Register && i.op0_register().is_segment_register()
}

/// What the instruction does with the stack.
fn stack(i: &Instruction, size: CodeSize, steps: &mut Vec<Step>) {
    use Mnemonic::*;
    let change = i.stack_pointer_increment();
    let (below, above) = (u64::from(change.unsigned_abs()), change.max(0) as u64);
    let content = match i.mnemonic() {
        Popf | Popfd | Popfq => Content::Flags(above as u8),
        Pop if writes_segment(i) => Content::Selector { at: 0 },
        Ret => Content::Landing { bytes: return_bytes(i), far: false },
        Retf => Content::Landing { bytes: far_bytes(i), far: true },
        Iret | Iretd | Iretq => Content::Frame { bytes: far_bytes(i) },
        Enter | Leave => Content::Elements(Element::Int(size.bits() as u8 / 8)),
        _ => Content::Elements(Element::Int(8)),
    };
    if matches!(i.mnemonic(), Enter | Leave) {
        steps.push(Step::Frame);
    }
    if i.is_stack_instruction() || matches!(i.mnemonic(), Leave) {
        // RET n and ENTER n move RSP by more than they touch; IRET reads five words in 64-bit code.
        let above = if let Content::Frame { bytes } = content { 5 * u64::from(bytes) } else { above.min(64) };
        steps.push(Step::Stack { below: below.min(64), above, content });
    }
}

fn return_bytes(i: &Instruction) -> u8 {
    match i.code() {
        Code::Retnw | Code::Retnw_imm16 => 2,
        Code::Retnd | Code::Retnd_imm16 => 4,
        _ => 8,
    }
}

fn far_bytes(i: &Instruction) -> u8 {
    match i.code() {
        Code::Retfw | Code::Retfw_imm16 | Code::Iretw => 2,
        Code::Retfd | Code::Retfd_imm16 | Code::Iretd => 4,
        _ => 8,
    }
}

/// Pointers of string instructions and of MASKMOVQ.
fn string(i: &Instruction, size: CodeSize, steps: &mut Vec<Step>) {
    let mut found = None;
    for n in 0..i.op_count() {
        let (register, bits) = match i.op_kind(n) {
            OpKind::MemorySegSI => (6, 16),
            OpKind::MemorySegESI => (6, 32),
            OpKind::MemorySegRSI => (6, 64),
            OpKind::MemoryESDI | OpKind::MemorySegDI => (7, 16),
            OpKind::MemoryESEDI | OpKind::MemorySegEDI => (7, 32),
            OpKind::MemoryESRDI | OpKind::MemorySegRDI => (7, 64),
            _ => continue,
        };
        let named = !matches!(i.op_kind(n), OpKind::MemoryESDI | OpKind::MemoryESEDI | OpKind::MemoryESRDI);
        let segment = if named { i.memory_segment() } else { Register::ES };
        let bytes = i.memory_size().size() as u64;
        let segment_base = super::address::segment_base(size, segment);
        steps.push(Step::Pointer { register, segment_base, bits, size: bytes });
        found = Some((bits, bytes));
    }
    let Some((bits, bytes)) = found else { return };
    if i.has_rep_prefix() || i.has_repne_prefix() {
        steps.push(Step::Repetitions { bits });
    }
    use Mnemonic::*;
    match i.mnemonic() {
        Cmpsb | Cmpsw | Cmpsd | Cmpsq => steps.push(Step::Alike { size: bytes, source: true }),
        Scasb | Scasw | Scasd | Scasq => steps.push(Step::Alike { size: bytes, source: false }),
        _ => {}
    }
}

/// The memory operand. It comes last, so that its registers hold its address whatever else they are for.
fn memory(i: &Instruction, recipe: &Recipe, steps: &mut Vec<Step>) {
    let kinds = i.code().op_code().op_kinds();
    let Some(n) = (0..i.op_count()).find(|&n| i.op_kind(n) == OpKind::Memory) else { return };
    let address = Address::of(i, recipe.size);
    if let Some((index_bits, lanes)) = gather(i, kinds[n as usize]) {
        let index = (i.memory_index().number() & 15) as u8;
        let size = i.memory_size().element_size().max(i.memory_size().size().min(8)) as u8;
        let address = Address { index: None, ..address };
        return steps.push(Step::Gather { address, index, index_bits, lanes, size });
    }
    let content = content(i);
    steps.push(Step::Memory { address, size: memory_bytes(i), content });
}

/// Bits of an index and number of elements, of a vector-indexed operand.
fn gather(i: &Instruction, kind: OpCodeOperandKind) -> Option<(u8, u8)> {
    use OpCodeOperandKind::*;
    let index_bits = match kind {
        mem_vsib32x | mem_vsib32y => 32,
        mem_vsib64x | mem_vsib64y => 64,
        _ => return Option::None,
    };
    let lanes = i.memory_index().size() * 8 / usize::from(index_bits);
    Some((index_bits, lanes as u8))
}

/// Bytes that the instruction touches in memory.
pub fn memory_bytes(i: &Instruction) -> u64 {
    use Mnemonic::*;
    match i.mnemonic() {
        Xsave | Xsave64 | Xsaveopt | Xsaveopt64 | Xsavec | Xsavec64 | Xrstor | Xrstor64 => 832,
        Fxsave | Fxsave64 | Fxrstor | Fxrstor64 => 512,
        Lea | Nop | Reservednop => 0,
        _ => i.memory_size().size() as u64,
    }
}

fn content(i: &Instruction) -> Content {
    use Mnemonic::*;
    match i.mnemonic() {
        Lea | Nop | Reservednop => Content::Nothing,
        Div | Idiv | Cmpxchg | Cmpxchg8b | Cmpxchg16b => Content::Given,
        Lds | Les | Lfs | Lgs | Lss => Content::Selector { at: i.memory_size().size() as u8 - 2 },
        Lar | Lsl | Verr | Verw => Content::Selector { at: 0 },
        Mov if writes_segment(i) => Content::Selector { at: 0 },
        Call | Jmp => far_or_near(i),
        Bound => Content::Bounds(i.memory_size().size() as u8 / 2),
        Fldcw => Content::ControlWord,
        Ldmxcsr | Vldmxcsr => Content::Mxcsr,
        Fldenv => Content::Environment { bytes: i.memory_size().size() as u8 },
        Frstor => Content::Environment { bytes: i.memory_size().size() as u8 },
        Fxrstor | Fxrstor64 => Content::FxImage,
        Xrstor | Xrstor64 => Content::XsaveImage,
        _ => Content::Elements(element(i)),
    }
}

fn far_or_near(i: &Instruction) -> Content {
    let (bytes, far) = match i.memory_size() {
        MemorySize::SegPtr16 => (2, true),
        MemorySize::SegPtr32 => (4, true),
        MemorySize::SegPtr64 => (8, true),
        size => (size.size() as u8, false),
    };
    Content::Landing { bytes, far }
}
