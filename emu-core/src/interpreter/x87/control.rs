//! Control and status words, environments and images, the stack pointer, FWAIT.

use super::super::lower::Decoded;
use crate::interpreter::Cpu;
use crate::interpreter::op::{Faulted, Handler, Op, complex, faulting};
use crate::isa::x87::control;
use crate::isa::x87::status::{B, C1, ES, EXCEPTIONS, SF};
use crate::vcpu::{F80, X87, cr0};
use iced_x86::{Code, Mnemonic};

// ---- words -----------------------------------------------------------------------------------------------------

fn load_control(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    let value = cpu.load::<u16>(op)?;
    set_control(cpu, value);
    Ok(())
}

fn set_control(cpu: &mut Cpu, value: u16) {
    cpu.s.x87.control = value & control::WRITABLE | control::FIXED;
    cpu.summarize();
}

fn store_control(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard_no_wait()?;
    cpu.store(op, cpu.s.x87.control)
}

fn store_status(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard_no_wait()?;
    cpu.store(op, cpu.s.x87.status)
}

fn status_to_ax(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard_no_wait()?;
    cpu.set_reg(op.a, cpu.s.x87.status);
    Ok(())
}

fn clear_exceptions(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard_no_wait()?;
    cpu.s.x87.status &= !(B | ES | SF | EXCEPTIONS);
    cpu.update_fpu();
    Ok(())
}

fn initialize(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard_no_wait()?;
    reset(cpu);
    Ok(())
}

/// FNINIT leaves the register contents alone.
fn reset(cpu: &mut Cpu) {
    cpu.s.x87 = X87 { r: cpu.s.x87.r, ..X87::default() };
    cpu.update_fpu();
}

/// FNENI, FNDISI and FNSETPM have meant nothing since the 387.
fn ignored(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard_no_wait()
}

/// FWAIT is trapped by MP and TS together, not by EM (Intel SDM Vol. 3A 2.5).
fn wait(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    if !cpu.fpu_trap {
        return Ok(());
    }
    if cpu.s.cr0 & (cr0::MP | cr0::TS) == cr0::MP | cr0::TS {
        return Err(cpu.nm());
    }
    if cpu.s.x87.status & ES != 0 { Err(cpu.mf()) } else { Ok(()) }
}

// ---- the stack pointer and tags --------------------------------------------------------------------------------

fn no_operation(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    Ok(())
}

/// FINCSTP adds 1, FDECSTP adds 7.
fn turn<const BY: u8>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    let top = cpu.st(BY) as u8;
    cpu.s.x87.set_top(top);
    cpu.s.x87.status &= !C1;
    Ok(())
}

fn free<const POP: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    cpu.note(op);
    cpu.s.x87.empty |= 1 << cpu.st(op.a);
    cpu.s.x87.status &= !C1; // the SDM calls it undefined
    if POP {
        cpu.pop();
    }
    Ok(())
}

// ---- environments ----------------------------------------------------------------------------------------------

/// The formats of figures 8-9 to 8-12, Intel SDM Vol. 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// 32-bit fields.
    pub wide: bool,
    /// Selectors and offsets; otherwise (real and V86 mode) linear addresses.
    pub protected: bool,
}

/// The longest image: FSAVE's in 32-bit format.
const LONGEST: usize = 108;

impl Layout {
    fn of(cpu: &Cpu, wide: bool) -> Self {
        Self { wide, protected: cpu.protected() && !cpu.v86() }
    }

    /// Bytes of the environment: seven fields.
    pub(super) const fn environment(self) -> usize {
        if self.wide { 28 } else { 14 }
    }

    const fn image(self) -> usize {
        self.environment() + 80
    }

    fn put(self, bytes: &mut [u8], field: usize, value: u32) {
        if self.wide {
            bytes[4 * field..4 * field + 4].copy_from_slice(&value.to_le_bytes());
        } else {
            bytes[2 * field..2 * field + 2].copy_from_slice(&(value as u16).to_le_bytes());
        }
    }

    fn get(self, bytes: &[u8], field: usize) -> u32 {
        if self.wide {
            u32::from_le_bytes(std::array::from_fn(|n| bytes[4 * field + n]))
        } else {
            u32::from(u16::from_le_bytes([bytes[2 * field], bytes[2 * field + 1]]))
        }
    }

    /// Fields 3 to 6: instruction and operand pointers.
    fn pointers(self, x87: &X87) -> [u32; 4] {
        const RESERVED: u32 = 0xFFFF_0000;
        let opcode = u32::from(x87.opcode & 0x7FF);
        if self.protected {
            let code = u32::from(x87.cs) | if self.wide { opcode << 16 } else { 0 };
            return [x87.ip as u32, code, x87.dp as u32, RESERVED | u32::from(x87.ds)];
        }
        let ip = linear(x87.cs, x87.ip);
        let dp = linear(x87.ds, x87.dp);
        if self.wide {
            let high = |address: u32| address >> 16 << 12;
            [RESERVED | ip & 0xFFFF, high(ip) | opcode, RESERVED | dp & 0xFFFF, high(dp)]
        } else {
            let high = |address: u32| address >> 4 & 0xF000;
            [ip, high(ip) | opcode, dp, high(dp)]
        }
    }

    /// Writes the environment into the first bytes of `bytes`.
    pub(super) fn write(self, x87: &X87, bytes: &mut [u8]) {
        const RESERVED: u32 = 0xFFFF_0000;
        self.put(bytes, 0, RESERVED | u32::from(x87.control));
        self.put(bytes, 1, RESERVED | u32::from(x87.status));
        self.put(bytes, 2, RESERVED | u32::from(tag_word(x87)));
        for (n, value) in self.pointers(x87).into_iter().enumerate() {
            self.put(bytes, 3 + n, value);
        }
    }

    /// The environment in `bytes`, with the registers of `x87`.
    pub(super) fn read(self, x87: &X87, bytes: &[u8]) -> X87 {
        let mut new = *x87;
        new.control = self.get(bytes, 0) as u16 & control::WRITABLE | control::FIXED;
        new.status = self.get(bytes, 1) as u16;
        let tags = self.get(bytes, 2);
        new.empty = (0..8).fold(0, |empty, n| empty | u8::from(tags >> (2 * n) & 3 == 3) << n);
        let [ip, code, dp, data] = [3, 4, 5, 6].map(|field| self.get(bytes, field));
        if self.protected {
            (new.ip, new.cs) = (u64::from(ip), code as u16);
            (new.dp, new.ds) = (u64::from(dp), data as u16);
            // The 16-bit image has no opcode: silicon clears it.
            new.opcode = if self.wide { (code >> 16) as u16 & 0x7FF } else { 0 };
        } else {
            let high = |field: u32| if self.wide { field >> 12 << 16 } else { (field & 0xF000) << 4 };
            (new.ip, new.cs) = (u64::from(ip & 0xFFFF | high(code)), 0);
            (new.dp, new.ds) = (u64::from(dp & 0xFFFF | high(data)), 0);
            new.opcode = code as u16 & 0x7FF;
        }
        new
    }
}

fn linear(selector: u16, offset: u64) -> u32 {
    (u32::from(selector) << 4).wrapping_add(offset as u32)
}

/// Two bits for each physical register (Intel SDM Vol. 1 8.1.7).
pub(super) fn tag_word(x87: &X87) -> u16 {
    (0..8).fold(0, |word, n| {
        let tag = if x87.empty >> n & 1 != 0 { 3 } else { x87.r[n].class().tag() };
        word | tag << (2 * n)
    })
}

/// Stores bytes whose every address has been probed. Pieces of two bytes: all images have an even length.
fn store_bytes(cpu: &mut Cpu, op: &Op, bytes: &[u8]) -> Result<(), Faulted> {
    let linear = cpu.linear::<true>(op, bytes.len() as u64)?;
    cpu.probe_write(linear, bytes.len() as u64, op.seg)?;
    for (n, pair) in bytes.chunks_exact(2).enumerate() {
        let at = linear.wrapping_add(2 * n as u64) & cpu.addr_mask;
        cpu.write(at, u16::from_le_bytes([pair[0], pair[1]]), op.seg)?;
    }
    Ok(())
}

fn load_bytes(cpu: &mut Cpu, op: &Op, bytes: &mut [u8]) -> Result<(), Faulted> {
    let linear = cpu.linear::<false>(op, bytes.len() as u64)?;
    cpu.probe_read(linear, bytes.len() as u64, op.seg)?;
    for (n, pair) in bytes.chunks_exact_mut(2).enumerate() {
        let at = linear.wrapping_add(2 * n as u64) & cpu.addr_mask;
        pair.copy_from_slice(&cpu.read::<u16>(at, op.seg)?.to_le_bytes());
    }
    Ok(())
}

/// FNSTENV masks all exceptions after storing.
fn store_environment<const WIDE: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard_no_wait()?;
    let layout = Layout::of(cpu, WIDE);
    let mut bytes = [0; LONGEST];
    layout.write(&cpu.s.x87, &mut bytes);
    store_bytes(cpu, op, &bytes[..layout.environment()])?;
    cpu.s.x87.control |= control::MASKS;
    cpu.summarize();
    Ok(())
}

fn load_environment<const WIDE: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    let layout = Layout::of(cpu, WIDE);
    let mut bytes = [0; LONGEST];
    load_bytes(cpu, op, &mut bytes[..layout.environment()])?;
    cpu.s.x87 = layout.read(&cpu.s.x87, &bytes);
    cpu.summarize();
    Ok(())
}

fn save<const WIDE: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard_no_wait()?;
    let layout = Layout::of(cpu, WIDE);
    let mut bytes = [0; LONGEST];
    layout.write(&cpu.s.x87, &mut bytes);
    for (n, ten) in bytes[layout.environment()..].chunks_exact_mut(10).take(8).enumerate() {
        let value = cpu.get(cpu.st(n as u8));
        ten[..8].copy_from_slice(&value.significand.to_le_bytes());
        ten[8..].copy_from_slice(&value.exponent.to_le_bytes());
    }
    store_bytes(cpu, op, &bytes[..layout.image()])?;
    reset(cpu);
    Ok(())
}

fn restore<const WIDE: bool>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.fpu_guard()?;
    let layout = Layout::of(cpu, WIDE);
    let mut bytes = [0; LONGEST];
    load_bytes(cpu, op, &mut bytes[..layout.image()])?;
    let mut new = layout.read(&cpu.s.x87, &bytes);
    for (n, ten) in bytes[layout.environment()..].chunks_exact(10).take(8).enumerate() {
        let significand = u64::from_le_bytes(std::array::from_fn(|n| ten[n]));
        let register = (usize::from(new.top()) + n) & 7;
        new.r[register] = F80::new(u16::from_le_bytes([ten[8], ten[9]]), significand);
    }
    cpu.s.x87 = new;
    cpu.summarize();
    Ok(())
}

// ---- lowering --------------------------------------------------------------------------------------------------

pub fn lower(d: &Decoded<'_>) -> Option<Handler> {
    Some(match (d.instruction.mnemonic(), d.instruction.code()) {
        (Mnemonic::Fldcw, _) => faulting(load_control),
        (Mnemonic::Fnstcw, _) => faulting(store_control),
        (Mnemonic::Fnstsw, Code::Fnstsw_AX) => faulting(status_to_ax),
        (Mnemonic::Fnstsw, _) => faulting(store_status),
        (Mnemonic::Fnclex, _) => faulting(clear_exceptions),
        (Mnemonic::Fninit, _) => complex(initialize),
        (Mnemonic::Fneni | Mnemonic::Fndisi | Mnemonic::Fnsetpm, _) => complex(ignored),
        (Mnemonic::Wait, _) => faulting(wait),
        (Mnemonic::Fnop, _) => faulting(no_operation),
        (Mnemonic::Fincstp, _) => faulting(turn::<1>),
        (Mnemonic::Fdecstp, _) => faulting(turn::<7>),
        (Mnemonic::Ffree, _) => faulting(free::<false>),
        (Mnemonic::Ffreep, _) => faulting(free::<true>),
        (Mnemonic::Fnstenv, Code::Fnstenv_m14byte) => complex(store_environment::<false>),
        (Mnemonic::Fnstenv, _) => complex(store_environment::<true>),
        (Mnemonic::Fldenv, Code::Fldenv_m14byte) => complex(load_environment::<false>),
        (Mnemonic::Fldenv, _) => complex(load_environment::<true>),
        (Mnemonic::Fnsave, Code::Fnsave_m94byte) => complex(save::<false>),
        (Mnemonic::Fnsave, _) => complex(save::<true>),
        (Mnemonic::Frstor, Code::Frstor_m94byte) => complex(restore::<false>),
        (Mnemonic::Frstor, _) => complex(restore::<true>),
        _ => return None,
    })
}
