//! IN, OUT, INS, OUTS (Intel SDM Vol. 1 chapter 19; Vol. 2).

use super::tss;
use crate::Width;
use crate::interpreter::Cpu;
use crate::interpreter::op::{Faulted, Op};
use crate::interpreter::word::Word;
use crate::vcpu::rflags;

const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RSI: u8 = 6;
const RDI: u8 = 7;
const ES: u8 = 0;

/// The port of an IN or OUT: `c` tells whether it is in DX.
fn port(cpu: &Cpu, op: &Op) -> u16 {
    if op.c == 0 { op.imm as u16 } else { cpu.reg::<u16>(RDX) }
}

/// Protected mode asks IOPL and then the TSS's bitmap; V86 mode asks the bitmap alone.
fn check(cpu: &mut Cpu, port: u16, size: u64) -> Result<(), Faulted> {
    if !cpu.protected() || (!cpu.v86() && cpu.cpl <= cpu.iopl()) {
        return Ok(());
    }
    if tss::io_allowed(cpu, port, size)? { Ok(()) } else { Err(cpu.gp(0)) }
}

fn width<T: Word>() -> Width {
    match T::SIZE {
        1 => Width::Byte,
        2 => Width::Word,
        _ => Width::Dword,
    }
}

/// Reads a port that may be read.
fn read<T: Word>(cpu: &mut Cpu, port: u16) -> T {
    cpu.watch_port(port, T::SIZE);
    T::low(cpu.synced_bus().port_read(port, width::<T>()))
}

/// Writes a port that may be written.
fn write<T: Word>(cpu: &mut Cpu, port: u16, value: T) {
    cpu.watch_port(port, T::SIZE);
    cpu.synced_bus().port_write(port, width::<T>(), value.zext());
}

/// IN.
pub fn port_in<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let port = port(cpu, op);
    check(cpu, port, T::SIZE)?;
    let value = read::<T>(cpu, port);
    cpu.set_reg(RAX, value);
    Ok(())
}

/// OUT.
pub fn port_out<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let port = port(cpu, op);
    check(cpu, port, T::SIZE)?;
    let value = cpu.reg::<T>(RAX);
    write(cpu, port, value);
    Ok(())
}

fn mask(op: &Op) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(op.addr_bytes))
}

fn set_index(cpu: &mut Cpu, op: &Op, register: u8, value: u64) {
    match op.addr_bytes {
        2 => cpu.set_reg(register, value as u16),
        4 => cpu.set_reg(register, value as u32),
        _ => cpu.r.set(register, value),
    }
}

/// Moves an index register by one element, as DF says.
fn advance<T: Word>(cpu: &mut Cpu, op: &Op, register: u8) {
    let step = if cpu.s.rflags & rflags::DF != 0 { 0u64.wrapping_sub(T::SIZE) } else { T::SIZE };
    let value = cpu.r.get(register).wrapping_add(step);
    set_index(cpu, op, register, value);
}

/// One iteration of INS or OUTS. With REP (`sub`), the instruction is left only when the count is used up: each
/// iteration counts as one instruction, and interrupts are taken between them.
fn iterate<T: Word>(
    cpu: &mut Cpu,
    op: &Op,
    one: impl FnOnce(&mut Cpu, &Op) -> Result<(), Faulted>,
) -> Result<(), Faulted> {
    if op.sub == 0 {
        return one(cpu, op);
    }
    let count = cpu.r.get(RCX) & mask(op);
    if count == 0 {
        // Silicon asks for permission even so.
        let port = cpu.reg::<u16>(RDX);
        return check(cpu, port, T::SIZE);
    }
    one(cpu, op)?;
    set_index(cpu, op, RCX, count - 1);
    if count > 1 {
        cpu.rip = cpu.start_rip;
        cpu.s.rflags |= rflags::RF; // as in `string`
    }
    Ok(())
}

/// INSB, INSW, INSD.
pub fn ins<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    iterate::<T>(cpu, op, |cpu, op| {
        let port = cpu.reg::<u16>(RDX);
        check(cpu, port, T::SIZE)?;
        let linear = cpu.segment_linear(ES, cpu.r.get(RDI) & mask(op), T::SIZE, true)?;
        // The port must not be read before the store is known to succeed.
        cpu.probe_write(linear, T::SIZE, ES)?;
        let value = read::<T>(cpu, port);
        cpu.write(linear, value, ES)?;
        advance::<T>(cpu, op, RDI);
        Ok(())
    })
}

/// OUTSB, OUTSW, OUTSD.
pub fn outs<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    iterate::<T>(cpu, op, |cpu, op| {
        let port = cpu.reg::<u16>(RDX);
        check(cpu, port, T::SIZE)?;
        let linear = cpu.segment_linear(op.seg, cpu.r.get(RSI) & mask(op), T::SIZE, false)?;
        let value = cpu.read::<T>(linear, op.seg)?;
        write(cpu, port, value);
        advance::<T>(cpu, op, RSI);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::Width;
    use crate::interpreter::testbed::*;
    use iced_x86::code_asm::*;

    #[test]
    fn widths_reach_the_bus() {
        let mut bed = Testbed::protected("386");
        bed.cpu.gpr[0] = 0xAABB_CCDD;
        bed.cpu.gpr[2] = 0x3F8;
        bed.code(|a| {
            a.out(0x80, al)?;
            a.out(dx, ax)?;
            a.out(dx, eax)?;
            a.in_(al, 0x60)
        });
        bed.step(4);
        let written =
            [(0x80, Width::Byte, 0xDD), (0x3F8, Width::Word, 0xCCDD), (0x3F8, Width::Dword, 0xAABB_CCDD)];
        assert_eq!(bed.board.written, written);
        assert_eq!(bed.cpu.gpr[0], 0xAABB_CC78);
    }

    #[test]
    fn the_bitmap_decides_above_iopl() {
        for (bit, good) in [(0x00, true), (0x08, false)] {
            let mut bed = Testbed::protected("486");
            bed.handlers(0x8E);
            bed.poke(TSS + 0x68 + 0x7F, &[bit]); // ports 3F8h to 3FFh
            bed.at_ring(3);
            bed.cpu.gpr[2] = 0x3F8;
            bed.code(|a| a.in_(eax, dx));
            // The map ends before port 3F8h unless the TSS reaches so far.
            bed.cpu.tr.limit = 0x68 + 0x80;
            if good {
                bed.step(1);
                assert_eq!(bed.cpu.gpr[0], 0x1234_5678);
            } else {
                assert_eq!(bed.run_to_handler(), 13);
                assert_eq!(bed.cpu.gpr[0], 0);
            }
        }
    }

    #[test]
    fn outside_of_the_bitmap_nothing_is_allowed() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.at_ring(3);
        bed.cpu.gpr[2] = 0x3F8;
        bed.code(|a| a.in_(al, dx));
        assert_eq!(bed.run_to_handler(), 13);
    }

    #[test]
    fn iopl_allows_protected_mode_but_not_v86_mode() {
        let mut bed = Testbed::protected("486");
        bed.at_ring(3);
        bed.cpu.rflags |= 3 << 12;
        bed.code(|a| a.in_(al, 0x60));
        bed.step(1);
        assert_eq!(bed.cpu.gpr[0], 0x78);
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.cpu.tr.limit = 0x67;
        bed.at_v86(0x1000, 3).code(|a| a.in_(al, 0x60));
        assert_eq!(bed.run_to_handler(), 13);
    }

    #[test]
    fn rep_ins_counts_every_iteration() {
        let mut bed = Testbed::real("386");
        (bed.cpu.gpr[1], bed.cpu.gpr[7]) = (0xABCD_0003, 0x300);
        bed.poke(CODE, &[0xF3, 0x6D, 0x90]);
        bed.step(2);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[1], bed.cpu.gpr[7]), (0, 0xABCD_0001, 0x304));
        bed.step(1);
        assert_eq!((bed.cpu.rip, bed.cpu.gpr[1], bed.cpu.gpr[7]), (2, 0xABCD_0000, 0x306));
        assert_eq!(bed.peek64(0x300) & 0xFFFF_FFFF_FFFF, 0x5678_5678_5678);
        assert_eq!(bed.board.retired, 3);
    }

    #[test]
    fn ins_does_not_read_a_port_it_cannot_store() {
        let mut bed = Testbed::protected("386");
        bed.handlers(0x8E);
        bed.cpu.seg[0].limit = 0xFFF;
        bed.cpu.gpr[7] = 0xFFE;
        bed.poke(CODE, &[0x6D]);
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!(bed.cpu.gpr[7], 0xFFE);
    }

    #[test]
    fn outs_goes_down_with_df() {
        let mut bed = Testbed::protected("386");
        (bed.cpu.gpr[1], bed.cpu.gpr[2], bed.cpu.gpr[6]) = (2, 0x1F0, 0x1_9004);
        bed.poke64(0x1_9000, 0x2222_1111_4444_3333);
        bed.cpu.rflags |= crate::vcpu::rflags::DF;
        bed.poke(CODE, &[0xF3, 0x6F]);
        bed.step(2);
        assert_eq!(
            bed.board.written,
            [(0x1F0, Width::Dword, 0x2222_1111), (0x1F0, Width::Dword, 0x4444_3333)]
        );
        assert_eq!((bed.cpu.gpr[6], bed.cpu.rip), (0x1_8FFC, CODE + 2));
    }
}
