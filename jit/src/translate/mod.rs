//! From a region's instructions to Cranelift's IR, by instruction families under the names they have in the interpreter.
//!
//! Guest registers, the budget and the operands of the flags are SSA values over the whole region. Nothing of an
//! instruction is defined before its last possible exit, so an exit always finds the state before its instruction.

mod alu;
mod bits;
pub mod branch;
mod data;
mod flags;
mod leave;
mod memory;
mod muldiv;
pub mod operand;
mod shift;
mod stack;

use crate::facts::Facts;
use crate::flags::Flags;
use crate::observe::location_of;
use crate::region::{Known, Region};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{self, AbiParam, Function, InstBuilder, MemFlagsData, Signature, Type, Value};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use emu_core::interpreter::tier::{Leave, Seen};
use emu_core::interpreter::{Mode, layout};
use emu_core::isa::cpuid::{executes, model};
use iced_x86::{Instruction, Mnemonic};

/// Translates one instruction.
pub type Emit = fn(&mut Translator<'_>, &Instruction);

/// How the instruction is translated, if it is known.
pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    if !offered(i, mode) {
        return None;
    }
    if let Some(emit) = data::idle(i) {
        return Some(emit);
    }
    if !operand::known(i, mode) {
        return None;
    }
    data::pick(i)
        .or_else(|| alu::pick(i))
        .or_else(|| branch::pick(i, mode))
        .or_else(|| stack::pick(i, mode))
        .or_else(|| shift::pick(i))
        .or_else(|| bits::pick(i, mode))
        .or_else(|| muldiv::pick(i))
}

/// Whether an instruction can be part of a region.
pub fn know(i: &Instruction, _: &[u8], _: i64, mode: Mode) -> Option<Known> {
    pick(i, mode).map(|_| Known { native: true, single: None, transfers: false, fop: 0 })
}

/// Whether the CPU model executes the instruction, maybe as something else (TZCNT as BSF).
fn offered(i: &Instruction, mode: Mode) -> bool {
    let prefix_ignored = matches!(i.mnemonic(), Mnemonic::Tzcnt | Mnemonic::Lzcnt);
    prefix_ignored || executes(&model(mode.model).features, i.code())
}

/// The region cannot be translated: something about it was not as foreseen.
#[derive(Debug)]
pub struct Refused;

/// A function in the making.
pub struct Translator<'a> {
    pub fb: FunctionBuilder<'a>,
    region: &'a Region,
    facts: &'a Facts,
    cpu: Value,
    registers: [Variable; 16],
    /// As of the start of the block.
    budget: Variable,
    /// Operands of the flags where blocks meet.
    parts: [Variable; 3],
    blocks: Vec<ir::Block>,
    /// The flags at the start of blocks that only one other leads to.
    inherited: Vec<Option<Flags>>,
    /// Where all exits go in the end.
    out: ir::Block,
    pub flags: Flags,
    /// Registers that may have changed since the region was entered.
    changed: u16,
    /// Instructions of the block that have retired.
    done: i64,
    /// Offset of the instruction that is being translated.
    off: i64,
    refused: bool,
    /// Note which guest instruction things are made for.
    marks: bool,
}

/// Builds the function of a region; with `marks`, its instructions tell what guest instruction they are made for.
///
/// # Errors
/// The region cannot be translated.
pub fn translate(
    region: &Region,
    facts: &Facts,
    isa: &dyn TargetIsa,
    seen: &Seen,
    function: &mut Function,
    context: &mut FunctionBuilderContext,
    marks: bool,
) -> Result<(), Refused> {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::new(I64));
    signature.returns.push(AbiParam::new(I32));
    function.signature = signature;
    let mut t = Translator::new(FunctionBuilder::new(function, context), region, facts);
    t.marks = marks;
    t.enter(seen);
    for block in &facts.order {
        t.block(*block);
    }
    t.write_out();
    t.fb.seal_all_blocks();
    let refused = t.refused;
    t.fb.finalize(isa.frontend_config());
    if refused { Err(Refused) } else { Ok(()) }
}

impl<'a> Translator<'a> {
    fn new(mut fb: FunctionBuilder<'a>, region: &'a Region, facts: &'a Facts) -> Self {
        let start = fb.create_block();
        fb.append_block_params_for_function_params(start);
        fb.switch_to_block(start);
        let cpu = fb.block_params(start)[0];
        let registers = std::array::from_fn(|_| fb.declare_var(I64));
        let parts = std::array::from_fn(|_| fb.declare_var(I64));
        let budget = fb.declare_var(I64);
        let blocks = region.blocks.iter().map(|_| fb.create_block()).collect();
        let out = fb.create_block();
        Self {
            fb,
            region,
            facts,
            cpu,
            registers,
            budget,
            parts,
            blocks,
            inherited: vec![None; region.blocks.len()],
            out,
            flags: Flags::Memory,
            changed: 0,
            done: 0,
            off: 0,
            refused: false,
            marks: false,
        }
    }

    /// Looks whether the region may run now, and loads the state; what nobody uses disappears again.
    fn enter(&mut self, seen: &Seen) {
        let need = self.constant(I64, self.facts.need as u64);
        let budget = self.load_cpu(I64, layout::BUDGET);
        let short = self.fb.ins().icmp(IntCC::SignedLessThan, budget, need);
        self.turn_away_if(short, Leave::Budget);
        if !self.region.other_pages.is_empty() {
            let at = self.constant(I64, std::ptr::from_ref(seen) as u64);
            for (field, known) in [(layout::GENERATION, Seen::GENERATION), (layout::RIP_BASE, Seen::BASE)] {
                let now = self.load_cpu(I64, field);
                let then = self.fb.ins().load(I64, MemFlagsData::trusted(), at, known as i32);
                let moved = self.fb.ins().icmp(IntCC::NotEqual, now, then);
                self.turn_away_if(moved, Leave::Check);
            }
        }
        for n in 0..16 {
            let value = self.load_cpu(I64, layout::REGISTERS + 8 * n);
            self.fb.def_var(self.registers[n], value);
        }
        self.fb.def_var(self.budget, budget);
        self.inherited[self.region.entry] = Some(Flags::Memory);
        self.fb.ins().jump(self.blocks[self.region.entry], &[]);
    }

    /// Translates a block.
    fn block(&mut self, n: usize) {
        self.fb.switch_to_block(self.blocks[n]);
        self.changed = self.facts.changed[n];
        self.done = 0;
        self.flags = self.flags_at(n);
        let region = self.region;
        let block = &region.blocks[n];
        for insn in &block.insns {
            self.off = insn.off;
            if self.marks {
                self.fb.set_srcloc(location_of(insn.off));
            }
            match pick(&insn.instruction, region.mode) {
                Some(emit) => emit(self, &insn.instruction),
                None => self.refuse(),
            }
            self.done += 1;
        }
        self.finish(n);
    }

    fn flags_at(&mut self, n: usize) -> Flags {
        if self.facts.predecessors[n] <= 1 {
            return self.inherited[n].take().unwrap_or(Flags::Dead);
        }
        if !self.facts.flags_wanted[n] {
            return Flags::Dead;
        }
        let parts = self.parts.map(|part| part);
        let shape = self.facts.shape[n];
        let count = shape.parts();
        let zero = self.constant(I64, 0);
        let mut values = [zero; 3];
        for k in 0..count {
            values[k] = self.fb.use_var(parts[k]);
        }
        self.flags_from(shape, &values)
    }

    /// Gives the translation up; what has been built so far is thrown away.
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    // ---- the interpreter's state -------------------------------------------------------------------------------

    pub fn load_cpu(&mut self, ty: Type, at: usize) -> Value {
        self.fb.ins().load(ty, MemFlagsData::trusted(), self.cpu, at as i32)
    }

    pub fn store_cpu(&mut self, value: Value, at: usize) {
        self.fb.ins().store(MemFlagsData::trusted(), value, self.cpu, at as i32);
    }

    /// RIP at an offset of the region.
    fn rip(&mut self, off: i64) -> Value {
        let base = self.load_cpu(I64, layout::RIP_BASE);
        let rip = self.add_imm(base, off as u64);
        self.wrap(rip)
    }

    /// Addresses outside of 64-bit mode have 32 bits.
    fn wrap(&mut self, address: Value) -> Value {
        if self.region.mode.long {
            return address;
        }
        let low = self.fb.ins().ireduce(I32, address);
        self.fb.ins().uextend(I64, low)
    }

    // ---- values ------------------------------------------------------------------------------------------------

    pub fn constant(&mut self, ty: Type, value: u64) -> Value {
        let mask = u64::MAX >> (64 - ty.bits());
        self.fb.ins().iconst(ty, (value & mask) as i64)
    }

    fn width(&self, value: Value) -> Type {
        self.fb.func.dfg.value_type(value)
    }

    pub fn truncate(&mut self, value: Value, ty: Type) -> Value {
        if self.width(value) == ty { value } else { self.fb.ins().ireduce(ty, value) }
    }

    pub fn extend(&mut self, value: Value, ty: Type, signed: bool) -> Value {
        match (self.width(value) == ty, signed) {
            (true, _) => value,
            (_, true) => self.fb.ins().sextend(ty, value),
            (_, false) => self.fb.ins().uextend(ty, value),
        }
    }

    pub fn add_imm(&mut self, value: Value, by: u64) -> Value {
        if by == 0 {
            return value;
        }
        let by = self.constant(self.width(value), by);
        self.fb.ins().iadd(value, by)
    }

    pub fn and_imm(&mut self, value: Value, mask: u64) -> Value {
        let mask = self.constant(self.width(value), mask);
        self.fb.ins().band(value, mask)
    }

    pub fn xor_imm(&mut self, value: Value, mask: u64) -> Value {
        let mask = self.constant(self.width(value), mask);
        self.fb.ins().bxor(value, mask)
    }

    pub fn shl_imm(&mut self, value: Value, by: u64) -> Value {
        let by = self.constant(self.width(value), by);
        self.fb.ins().ishl(value, by)
    }

    pub fn shr_imm(&mut self, value: Value, by: u64) -> Value {
        let by = self.constant(self.width(value), by);
        self.fb.ins().ushr(value, by)
    }
}
