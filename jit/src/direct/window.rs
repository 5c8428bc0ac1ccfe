//! Windows: a stretch of memory around a base register that several instructions access, and that is looked up once.
//!
//! A host register holds where the window lies in this process. It is good as long as the base register only moves by
//! constants, and no Rust code runs: whatever changes translations, or makes code of a page, happens there.

use super::asm::*;
use super::registers::number;
use super::{Direct, memory, stack};
use crate::opcode::Opcode;
use crate::region::{Insn, Region};
use emu_core::interpreter::Mode;
use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};

/// The most bytes of a window. Larger ones cross the end of a page more often, which is the interpreter's.
const MAX: i64 = 96;

/// An access whose address is a base register and a displacement.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    base: usize,
    disp: i64,
    size: u32,
    write: bool,
}

/// What an instruction does to a base register.
enum Change {
    None,
    By(i64),
    Unknown,
}

/// The window that a host register points to the start of.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    base: usize,
    /// From the current value of the base register, in bytes: the start, and the end.
    low: i64,
    high: i64,
    write: bool,
}

impl Access {
    fn of(i: &Instruction, mode: Mode) -> Option<Self> {
        let slot = if mode.long { 8 } else { 4 };
        let on_stack = |disp, write| Some(Self { base: stack::SP, disp, size: slot as u32, write });
        match i.flow_control() {
            FlowControl::Call => return on_stack(-slot, true),
            FlowControl::Return => return on_stack(0, false),
            _ => {}
        }
        if i.is_stack_instruction() {
            stack::pick(i, mode)?;
            return match i.mnemonic() {
                Mnemonic::Push => on_stack(-slot, true),
                Mnemonic::Pop => on_stack(0, false),
                _ => None,
            };
        }
        let n = (0..i.op_count()).find(|n| i.op_kind(*n) == OpKind::Memory)?;
        let base = i.memory_base();
        let plain = memory::known(i, mode)
            && base.is_gpr()
            && base.size() == slot as usize
            && i.memory_index() == Register::None
            && !matches!(i.memory_segment(), Register::FS | Register::GS)
            && i.mnemonic() != Mnemonic::Lea
            && !super::special::idle(i);
        let disp = i.memory_displacement64();
        let disp = if mode.long { disp as i64 } else { i64::from(disp as u32 as i32) };
        let write = Opcode::of(i).writes(n);
        plain.then_some(Self { base: number(base), disp, size: i.memory_size().size() as u32, write })
    }
}

/// What an instruction does to the base register `base`.
fn change(insn: &Insn, base: usize, mode: Mode) -> Change {
    let i = &insn.instruction;
    if insn.writes >> base & 1 == 0 && !(base == stack::SP && i.is_stack_instruction()) {
        return Change::None;
    }
    let slot = if mode.long { 8 } else { 4 };
    let whole = |n: u32| i.op_register(n).size() == slot as usize && number(i.op_register(n)) == base;
    let immediate = || i.immediate(1) as i64;
    match i.mnemonic() {
        Mnemonic::Push if base == stack::SP => Change::By(-slot),
        Mnemonic::Pop if base == stack::SP && number(i.op0_register()) != base => Change::By(slot),
        Mnemonic::Add | Mnemonic::Sub if i.op0_kind() == OpKind::Register && whole(0) => match i.op1_kind() {
            OpKind::Register | OpKind::Memory => Change::Unknown,
            _ if i.mnemonic() == Mnemonic::Add => Change::By(immediate()),
            _ => Change::By(-immediate()),
        },
        _ => Change::Unknown,
    }
}

/// The accesses of all instructions, by block.
pub fn accesses(region: &Region) -> Vec<Vec<Option<Access>>> {
    let of = |insn: &Insn| Access::of(&insn.instruction, region.mode).filter(|_| insn.known.native);
    region.blocks.iter().map(|block| block.insns.iter().map(of).collect()).collect()
}

/// What a window for an access, and those behind it in its block, would be: its start from the base register as it is
/// before the access, its size, and how many accesses it serves. `None` if it would serve one.
fn plan(insns: &[Insn], accesses: &[Option<Access>], mode: Mode) -> Option<(Window, u64)> {
    let first = accesses.first().copied().flatten()?;
    let base = first.base;
    let (mut low, mut high, mut write) = (first.disp, first.disp + i64::from(first.size), first.write);
    let (mut moved, mut served) = (0, 0);
    for (insn, access) in insns.iter().zip(accesses) {
        if !insn.known.native {
            break;
        }
        if let Some(access) = access.filter(|access| access.base == base) {
            let start = access.disp + moved;
            let (from, to) = (low.min(start), high.max(start + i64::from(access.size)));
            if to - from > MAX {
                break;
            }
            (low, high, write, served) = (from, to, write | access.write, served + 1);
        }
        match change(insn, base, mode) {
            Change::None => {}
            Change::By(by) => moved += by,
            Change::Unknown => break,
        }
    }
    let short = i32::try_from(low).is_ok() && i32::try_from(high).is_ok();
    (served > 1 && short).then_some((Window { base, low, high, write }, served))
}

/// Lookups that windows would save in a region, counting a block as often as `weight` says.
pub fn savings(region: &Region, accesses: &[Vec<Option<Access>>], weight: impl Fn(usize) -> u64) -> u64 {
    let mut saved = 0;
    for (n, block) in region.blocks.iter().enumerate() {
        let mut at = 0;
        while at < block.insns.len() {
            let planned = plan(&block.insns[at..], &accesses[n][at..], region.mode);
            saved += planned.map_or(0, |(_, served)| (served - 1) * weight(n));
            at += planned.map_or(1, |(_, served)| served as usize);
        }
    }
    saved
}

impl Direct<'_> {
    /// The operand of an access of the current instruction, through a window: the one that is open, or one that is worth
    /// opening. Opening changes RAX, RCX, RDX and the host's flags, and may leave.
    pub fn reach(&mut self) -> Option<Mem> {
        let register = self.window_register?;
        let (block, at) = self.place;
        let access = self.accesses[block].get(at).copied().flatten()?;
        let Access { base, disp, size, write } = access;
        let fits = |window: &Window| {
            window.base == base
                && window.low <= disp
                && disp + i64::from(size) <= window.high
                && (window.write || !write)
        };
        if !self.window.as_ref().is_some_and(fits) {
            let insns = &self.region.blocks[block].insns[at..];
            let (window, _) = plan(insns, &self.accesses[block][at..], self.region.mode)?;
            let w = self.address_width();
            self.get(Width::Q, RAX, base);
            self.asm.lea(w, RAX, beside(RAX, window.low as i32));
            self.probe_window((window.high - window.low) as u32, window.write, write, base);
            self.asm.mov(Width::Q, register, RAX);
            self.window = Some(window);
        }
        let low = self.window.as_ref().map_or(0, |window| window.low);
        Some(beside(register, (disp - low) as i32))
    }

    /// The current instruction has run: the window stays, moves or closes.
    pub fn follow_window(&mut self, insn: &Insn) {
        let Some(window) = &mut self.window else { return };
        match change(insn, window.base, self.region.mode) {
            Change::None => {}
            Change::By(by) => {
                window.low -= by;
                window.high -= by;
            }
            Change::Unknown => self.window = None,
        }
    }
}
