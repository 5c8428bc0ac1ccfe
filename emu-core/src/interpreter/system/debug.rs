//! Debug registers (Intel SDM Vol. 3B 17.2; Vol. 2, "MOV DR").

use crate::interpreter::Cpu;
use crate::interpreter::exception::vector;
use crate::interpreter::op::{Faulted, Op};
use crate::vcpu::cr4;

/// DR7.GD: any access to a debug register is a #DB fault.
const GD: u64 = 1 << 13;
/// DR6.BD: that fault.
const BD: u64 = 1 << 13;
/// DR6 bits that software can write: B0 to B3, BD, BS, BT.
const DR6_WRITABLE: u64 = 0xE00F;
/// DR6 bits that read as one.
const DR6_ONES: u64 = 0xFFFF_0FF0;
/// DR7 bits that software can write: all but 10 to 12, 14 and 15.
const DR7_WRITABLE: u64 = 0xFFFF_23FF;
/// DR7 bit 10 reads as one.
const DR7_ONES: u64 = 0x400;

/// Which debug register a number names: DR4 and DR5 are DR6 and DR7, or #UD with CR4.DE.
fn resolve(cpu: &mut Cpu, n: u8) -> Result<u8, Faulted> {
    let alias = matches!(n, 4 | 5);
    if n > 7 || (alias && cpu.s.cr4 & cr4::DE != 0) {
        return Err(cpu.ud());
    }
    cpu.require_ring_0()?;
    if cpu.s.dr7 & GD != 0 {
        cpu.s.dr6 |= BD;
        return Err(cpu.raise(vector::DB, None));
    }
    Ok(if alias { n + 2 } else { n })
}

/// MOV DRn, r: `a` is the debug register.
pub fn mov_to_dr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let n = resolve(cpu, op.a)?;
    let value = if cpu.mode.long { cpu.reg::<u64>(op.b) } else { u64::from(cpu.reg::<u32>(op.b)) };
    if n >= 6 && value >> 32 != 0 {
        return Err(cpu.gp(0));
    }
    match n {
        6 => cpu.s.dr6 = value & DR6_WRITABLE | DR6_ONES,
        7 => {
            cpu.s.dr7 = value & DR7_WRITABLE | DR7_ONES;
            cpu.update_bank();
        }
        n => cpu.s.dr[(n & 3) as usize] = value,
    }
    Ok(())
}

/// MOV r, DRn.
pub fn mov_from_dr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let value = match resolve(cpu, op.b)? {
        6 => cpu.s.dr6,
        7 => cpu.s.dr7,
        n => cpu.s.dr[(n & 3) as usize],
    };
    if cpu.mode.long {
        cpu.set_reg(op.a, value)
    } else {
        cpu.set_reg(op.a, value as u32)
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::vcpu::cr4;
    use iced_x86::code_asm::*;

    #[test]
    fn fixed_bits_read_as_the_manual_says() {
        let mut bed = Testbed::protected("pentium");
        bed.cpu.gpr[0] = 0xFFFF_DFFF; // not GD
        bed.code(|a| {
            a.mov(dr7, eax)?;
            a.mov(dr6, eax)?;
            a.mov(ebx, dr7)?;
            a.mov(ecx, dr6)
        });
        bed.step(4);
        assert_eq!((bed.cpu.gpr[3], bed.cpu.gpr[1]), (0xFFFF_07FF, 0xFFFF_CFFF));
    }

    #[test]
    fn general_detect_faults_before_the_move_and_clears_itself() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.cpu.dr7 |= 1 << 13;
        bed.cpu.gpr[0] = 0x55;
        bed.code(|a| a.mov(dr0, eax));
        assert_eq!(bed.run_to_handler(), 1);
        assert_eq!((bed.cpu.dr[0], bed.cpu.dr6 >> 13 & 1, bed.cpu.dr7 >> 13 & 1), (0, 1, 0));
        assert_eq!(bed.stack::<1>(4), [CODE]);
    }

    #[test]
    fn dr4_is_dr6_without_de() {
        for (de, vector) in [(0, None), (cr4::DE, Some(6))] {
            let mut bed = Testbed::protected("pentium");
            bed.handlers(0x8E);
            bed.cpu.cr4 |= de;
            bed.poke(CODE, &[0x0F, 0x21, 0xE0, 0xF4]); // MOV EAX, DR4; HLT
            bed.step(10);
            let handler = (bed.cpu.rip - 1).checked_sub(HANDLERS).map(|at| at / 16).filter(|v| *v < 256);
            assert_eq!(handler, vector);
        }
    }

    #[test]
    fn single_step_traps_after_each_instruction_but_not_after_int() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.cpu.rflags |= crate::vcpu::rflags::TF;
        bed.code(|a| a.nop());
        assert_eq!(bed.run_to_handler(), 1);
        assert_eq!((bed.stack::<1>(4), bed.cpu.dr6 >> 14 & 1), ([CODE + 1], 1));
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.cpu.rflags |= crate::vcpu::rflags::TF;
        bed.code(|a| a.int(0x80));
        assert_eq!(bed.run_to_handler(), 0x80);
    }
}
