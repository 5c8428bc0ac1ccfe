//! Instructions on general registers that came with these extensions: CRC32, MOVNTI, CMPXCHG8B, CMPXCHG16B.
//! They need neither CR4.OSFXSR nor an available FPU.

use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, faulting};
use crate::interpreter::word::Word;
use crate::isa::simd::packed::crc32;
use crate::vcpu::rflags;
use iced_x86::Code;

const AX: u8 = 0;
const CX: u8 = 1;
const DX: u8 = 2;
const BX: u8 = 3;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    use Code::*;
    Some(match d.instruction.code() {
        Crc32_r32_rm8 | Crc32_r64_rm8 => crc::<u8>(d),
        Crc32_r32_rm16 => crc::<u16>(d),
        Crc32_r32_rm32 => crc::<u32>(d),
        Crc32_r64_rm64 => crc::<u64>(d),
        Movnti_m32_r32 => faulting(movnti::<u32>),
        Movnti_m64_r64 => faulting(movnti::<u64>),
        Cmpxchg8b_m64 => faulting(cmpxchg8b),
        Cmpxchg16b_m128 => faulting(cmpxchg16b),
        _ => return None,
    })
}

fn crc<T: Word>(d: &Decoded<'_>) -> Handler {
    if d.memory(1) { faulting(crc_load::<T>) } else { faulting(crc_register::<T>) }
}

fn crc_load<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let data = cpu.load::<T>(op)?;
    cpu.set_reg(op.a, crc32(cpu.reg::<u32>(op.a), data.zext(), T::BITS / 8));
    Ok(())
}

fn crc_register<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let data = cpu.reg::<T>(op.b);
    cpu.set_reg(op.a, crc32(cpu.reg::<u32>(op.a), data.zext(), T::BITS / 8));
    Ok(())
}

fn movnti<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.store(op, cpu.reg::<T>(op.b))
}

/// Only ZF changes.
fn set_zf(cpu: &mut Cpu, set: bool) {
    let others = cpu.flags.status() & !rflags::ZF;
    cpu.flags.known(others | if set { rflags::ZF } else { 0 });
}

/// The destination is always written, with its old value if it differs (Intel SDM Vol. 2, "CMPXCHG8B/CMPXCHG16B").
fn cmpxchg8b(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.modify::<u64>(op, |cpu, old| {
        let pair = |cpu: &Cpu, high, low| u64::from(cpu.reg::<u32>(high)) << 32 | cpu.reg::<u32>(low).zext();
        let equal = old == pair(cpu, DX, AX);
        set_zf(cpu, equal);
        if equal {
            return pair(cpu, CX, BX);
        }
        cpu.set_reg(AX, old as u32);
        cpu.set_reg(DX, (old >> 32) as u32);
        old
    })
}

fn cmpxchg16b(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    if cpu.linear::<true>(op, 16)? & 15 != 0 {
        return Err(cpu.gp(0));
    }
    cpu.modify::<u128>(op, |cpu, old| {
        let pair =
            |cpu: &Cpu, high, low| u128::from(cpu.reg::<u64>(high)) << 64 | u128::from(cpu.reg::<u64>(low));
        let equal = old == pair(cpu, DX, AX);
        set_zf(cpu, equal);
        if equal {
            return pair(cpu, CX, BX);
        }
        cpu.set_reg(AX, old as u64);
        cpu.set_reg(DX, (old >> 64) as u64);
        old
    })
}
