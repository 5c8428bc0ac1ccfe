//! PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE.

use super::lower::{Decoded, Lowered};
use super::memory::SS;
use super::op::{Faulted, Op, complex, serializing, two_paths};
use super::path::{Fast, Path, Slow};
use super::word::Word;
use super::{Cpu, system};
use crate::vcpu::rflags;
use iced_x86::{Code, Mnemonic};

const SP: u8 = 4;
const BP: u8 = 5;

impl Cpu {
    /// RSP, ESP or SP.
    #[inline(always)]
    pub fn sp(&self) -> u64 {
        self.r.get(SP) & self.sp_mask
    }

    /// Sets RSP, ESP or SP; SP leaves the upper bits alone.
    #[inline(always)]
    pub fn set_sp(&mut self, value: u64) {
        let keep = if self.sp_mask == 0xFFFF { self.r.get(SP) & !0xFFFF } else { 0 };
        self.r.set(SP, keep | (value & self.sp_mask));
    }

    /// Linear address of `size` bytes at `offset` in the stack segment.
    #[inline(always)]
    pub fn stack_linear(&mut self, offset: u64, size: u64, write: bool) -> Result<u64, Faulted> {
        if self.stack_flat {
            Ok(offset & self.addr_mask) // a flat stack has no base
        } else {
            self.segment_linear(SS, offset, size, write)
        }
    }

    /// Pushes; RSP changes only if the store succeeds.
    #[inline(always)]
    pub fn push<T: Word>(&mut self, value: T) -> Result<(), Faulted> {
        Slow::push(self, value)
    }

    /// The value `depth` bytes above the top of the stack, left in place.
    #[inline(always)]
    pub fn stack_read<T: Word>(&mut self, depth: u64) -> Result<T, Faulted> {
        Slow::stack_read(self, depth)
    }

    /// Moves the stack pointer up by `bytes`.
    #[inline(always)]
    pub fn drop_stack(&mut self, bytes: u64) {
        let sp = self.r.get(SP).wrapping_add(bytes);
        self.set_sp(sp);
    }
}

fn push_reg<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = cpu.reg::<T>(op.a);
    P::push(cpu, value)
}

fn push_imm<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    P::push(cpu, T::low(op.imm))
}

fn push_mem<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = P::load::<T>(cpu, op)?;
    P::push(cpu, value)
}

fn pop_reg<T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = P::stack_read::<T>(cpu, 0)?;
    cpu.drop_stack(T::SIZE);
    cpu.set_reg(op.a, value); // after the stack pointer: POP ESP loads ESP
    Ok(())
}

/// An ESP-based address of POP's destination uses the stack pointer after the pop (Intel SDM Vol. 2, "POP").
fn pop_mem<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = cpu.stack_read::<T>(0)?;
    let before = cpu.r.get(SP);
    cpu.drop_stack(T::SIZE);
    let stored = cpu.store(op, value);
    if stored.is_err() {
        cpu.r.set(SP, before);
    }
    stored
}

fn pusha<T: Word>(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    let before = cpu.r.get(SP);
    for register in 0..8 {
        let value = if register == SP { T::low(before) } else { cpu.reg::<T>(register) };
        if cpu.push(value).is_err() {
            cpu.r.set(SP, before);
            return Err(Faulted);
        }
    }
    Ok(())
}

fn popa<T: Word>(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    let mut values = [T::default(); 8];
    for (n, value) in values.iter_mut().enumerate() {
        *value = cpu.stack_read::<T>(n as u64 * T::SIZE)?;
    }
    cpu.drop_stack(8 * T::SIZE);
    for (n, value) in values.iter().enumerate() {
        let register = 7 - n as u8;
        if register != SP {
            cpu.set_reg(register, *value);
        }
    }
    Ok(())
}

/// PUSHF (Intel SDM Vol. 2): VM and RF read as zero; in V86 mode it needs IOPL 3 (or VME's virtual IF).
fn pushf<T: Word>(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    let mut value = cpu.rflags() & !(rflags::VM | rflags::RF);
    if cpu.v86() && cpu.iopl() < 3 {
        value = system::virtual_flags_image(cpu, T::SIZE)?;
    }
    cpu.push(T::low(value))
}

fn popf<T: Word>(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    let value = cpu.stack_read::<T>(0)?.zext();
    system::pop_flags(cpu, value, T::SIZE)?;
    cpu.drop_stack(T::SIZE);
    Ok(())
}

fn leave<T: Word, P: Path>(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    let frame = cpu.r.get(BP) & cpu.sp_mask;
    let linear = P::stack_linear(cpu, frame, T::SIZE, false)?;
    let value = P::read::<T>(cpu, linear, SS)?;
    cpu.set_sp(frame.wrapping_add(T::SIZE));
    cpu.set_reg(BP, value);
    Ok(())
}

/// ENTER (Intel SDM Vol. 2): `imm` bytes of locals, `disp` is the nesting level.
fn enter<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let level = op.disp & 31;
    let before = cpu.r.get(SP);
    let result = build_frame::<T>(cpu, op.imm & 0xFFFF, level);
    if result.is_err() {
        cpu.r.set(SP, before);
    }
    result
}

fn build_frame<T: Word>(cpu: &mut Cpu, locals: u64, level: u64) -> Result<(), Faulted> {
    if level > 1 {
        // The old display is read while the new one is written over it, maybe: not to be begun twice.
        cpu.need_one_shot()?;
    }
    let old_frame = cpu.reg::<T>(BP);
    cpu.push(old_frame)?;
    // All of rSP, whatever the stack's width: the operand size decides (Intel SDM Vol. 2A, "ENTER", FrameTemp).
    let frame = cpu.r.get(SP);
    let mut display = cpu.r.get(BP);
    for _ in 1..level {
        display = display.wrapping_sub(T::SIZE);
        let linear = cpu.stack_linear(display & cpu.sp_mask, T::SIZE, false)?;
        let value = cpu.read::<T>(linear, SS)?;
        cpu.push(value)?;
    }
    if level > 0 {
        cpu.push(T::low(frame))?;
    }
    // The final stack pointer must be writable, though nothing is stored there.
    let sp = cpu.sp().wrapping_sub(locals) & cpu.sp_mask;
    let linear = cpu.stack_linear(sp, T::SIZE, true)?;
    cpu.probe_write(linear, T::SIZE, SS)?;
    cpu.set_sp(sp);
    cpu.set_reg(BP, T::low(frame));
    Ok(())
}

/// Operand size of a stack instruction: how far it moves the stack pointer.
fn stack_size(d: &Decoded<'_>) -> u64 {
    u64::from(d.instruction.stack_pointer_increment().unsigned_abs())
}

macro_rules! sized {
    ($size:expr, $kind:ident, $f:ident) => {
        match $size {
            2 => $kind($f::<u16>),
            4 => $kind($f::<u32>),
            _ => $kind($f::<u64>),
        }
    };
}

macro_rules! hot {
    ($size:expr, $f:ident) => {
        match $size {
            2 => two_paths($f::<u16, Fast>, $f::<u16, Slow>),
            4 => two_paths($f::<u32, Fast>, $f::<u32, Slow>),
            _ => two_paths($f::<u64, Fast>, $f::<u64, Slow>),
        }
    };
}

/// Handlers of the stack instructions. Segment registers are `system`'s.
pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let i = d.instruction;
    let segment = d.register(0) && i.op0_register().is_segment_register();
    let size = stack_size(d);
    Some(Lowered::straight(match i.mnemonic() {
        Mnemonic::Push if segment => return None,
        Mnemonic::Pop if segment => return None,
        Mnemonic::Push if d.register(0) => hot!(size, push_reg),
        Mnemonic::Push if d.memory(0) => hot!(size, push_mem),
        Mnemonic::Push => hot!(size, push_imm),
        Mnemonic::Pop if d.register(0) => hot!(size, pop_reg),
        Mnemonic::Pop => sized!(size, complex, pop_mem),
        Mnemonic::Pusha => complex(pusha::<u16>),
        Mnemonic::Pushad => complex(pusha::<u32>),
        Mnemonic::Popa => complex(popa::<u16>),
        Mnemonic::Popad => complex(popa::<u32>),
        Mnemonic::Pushf => complex(pushf::<u16>),
        Mnemonic::Pushfd => complex(pushf::<u32>),
        Mnemonic::Pushfq => complex(pushf::<u64>),
        Mnemonic::Popf => return Some(Lowered::ends(serializing(popf::<u16>))),
        Mnemonic::Popfd => return Some(Lowered::ends(serializing(popf::<u32>))),
        Mnemonic::Popfq => return Some(Lowered::ends(serializing(popf::<u64>))),
        Mnemonic::Leave => match i.code() {
            Code::Leavew => hot!(2, leave),
            Code::Leaved => hot!(4, leave),
            _ => hot!(8, leave),
        },
        Mnemonic::Enter => {
            // Both immediates: operand 0 is the size, operand 1 the level.
            op.imm = u64::from(i.immediate16());
            op.disp = u64::from(i.immediate8_2nd());
            match i.code() {
                Code::Enterw_imm16_imm8 => complex(enter::<u16>),
                Code::Enterd_imm16_imm8 => complex(enter::<u32>),
                _ => complex(enter::<u64>),
            }
        }
        _ => return None,
    }))
}
