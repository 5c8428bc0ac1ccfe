//! Loads and stores: the TLB probe of the interpreter, in line. Whatever it does not cover is the interpreter's.

use super::Translator;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value};
use emu_core::interpreter::layout;
use emu_core::interpreter::tier::Leave;
use iced_x86::{Instruction, OpKind};

const PAGE: u64 = 4096;
const PAGE_SHIFT: u64 = 12;

/// A guest access: it cannot trap behind a probe, and need not be aligned.
fn guest() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

impl Translator<'_> {
    /// Where `width` bytes at a linear address are in this process; exits unless they may be accessed there.
    fn probe(&mut self, linear: Value, width: Type, table: usize) -> Value {
        let entries = self.load_cpu(I64, table);
        let shift = PAGE_SHIFT - u64::from(layout::TLB_ENTRY_BYTES.trailing_zeros());
        let scaled = self.shr_imm(linear, shift);
        let at = self.and_imm(scaled, ((layout::TLB_ENTRIES - 1) * layout::TLB_ENTRY_BYTES) as u64);
        let entry = self.fb.ins().iadd(entries, at);
        let tag = self.fb.ins().load(I64, MemFlagsData::trusted(), entry, layout::TLB_TAG as i32);
        let apart = self.fb.ins().bxor(linear, tag);
        let most = self.constant(I64, PAGE - u64::from(width.bytes()));
        let miss = self.fb.ins().icmp(IntCC::UnsignedGreaterThan, apart, most);
        self.leave_if(miss, self.off, Leave::Miss);
        let addend = self.fb.ins().load(I64, MemFlagsData::trusted(), entry, layout::TLB_ADDEND as i32);
        self.fb.ins().iadd(linear, addend)
    }

    pub fn probe_read(&mut self, linear: Value, width: Type) -> Value {
        self.probe(linear, width, layout::TLB_READ)
    }

    pub fn probe_write(&mut self, linear: Value, width: Type) -> Value {
        self.probe(linear, width, layout::TLB_WRITE)
    }

    pub fn load(&mut self, linear: Value, width: Type) -> Value {
        let host = self.probe_read(linear, width);
        self.load_host(host, width)
    }

    /// Loads from where a probe has led.
    pub fn load_host(&mut self, host: Value, width: Type) -> Value {
        self.fb.ins().load(width, guest(), host, 0)
    }

    /// Stores where a probe for writing has led.
    pub fn store_host(&mut self, host: Value, value: Value) {
        self.fb.ins().store(guest(), value, host, 0);
    }

    /// Replaces operand 0, a register or memory, by a function of its value. Flags are set in the function: nothing
    /// comes after it that could leave.
    pub fn modify(&mut self, i: &Instruction, f: impl FnOnce(&mut Self, Value) -> Value) {
        let width = self.operand_width(i, 0);
        if i.op0_kind() == OpKind::Register {
            let old = self.reg(i.op0_register());
            let new = f(self, old);
            return self.set_reg(i.op0_register(), new);
        }
        let linear = self.address(i);
        let host = self.probe_write(linear, width);
        let old = self.load_host(host, width);
        let new = f(self, old);
        self.store_host(host, new);
    }

    /// Writes operand 0, a register or memory.
    pub fn write(&mut self, i: &Instruction, value: Value) {
        if i.op0_kind() == OpKind::Register {
            return self.set_reg(i.op0_register(), value);
        }
        let width = self.operand_width(i, 0);
        let linear = self.address(i);
        let host = self.probe_write(linear, width);
        self.store_host(host, value);
    }
}
