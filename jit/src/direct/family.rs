//! What instructions do to the status flags.

use super::asm::Shift;
use super::{memory, sse};
use crate::flags::condition_of;
use iced_x86::{Instruction, Mnemonic, OpKind};

/// What an instruction does to the status flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Neither reads nor writes them.
    Untouched,
    /// Reads a condition.
    Reads,
    Arithmetic {
        sub: bool,
    },
    Compare,
    Logic,
    Test,
    Negate,
    Step {
        down: bool,
    },
    Shift(Shift),
    /// All that it reads or leaves alone must be the guest's before; the host's flags are right after it.
    Exact {
        clears_af: bool,
    },
    /// The host's flags are right after it, whatever they were before.
    Sets,
    Multiply,
    /// Where nobody wants the flags.
    OnlyIfDead,
}

pub fn family(i: &Instruction) -> Option<Family> {
    use Mnemonic::*;
    let bytes = (0..i.op_count()).map(|n| size_of(i, n)).next().unwrap_or(0);
    Some(match i.mnemonic() {
        Add => Family::Arithmetic { sub: false },
        Sub => Family::Arithmetic { sub: true },
        Cmp => Family::Compare,
        And | Or | Xor => Family::Logic,
        Test => Family::Test,
        Neg => Family::Negate,
        Inc => Family::Step { down: false },
        Dec => Family::Step { down: true },
        // CF of larger counts differs between makers.
        Shl | Sal | Shr | Sar
            if i.op1_kind() == OpKind::Immediate8 && usize::from(count_of(i)) >= 8 * bytes =>
        {
            Family::OnlyIfDead
        }
        Shl | Sal | Shr | Sar if i.op1_kind() == OpKind::Immediate8 && count_of(i) != 0 => {
            Family::Shift(match i.mnemonic() {
                Shr => Shift::Shr,
                Sar => Shift::Sar,
                _ => Shift::Shl,
            })
        }
        Rol | Ror if i.op1_kind() == OpKind::Immediate8 && count_of(i) != 0 => {
            // Where the count is a multiple of the width, the value stays and the flags may not.
            (u32::from(i.immediate8()) % (8 * bytes as u32) != 0)
                .then_some(Family::Exact { clears_af: false })?
        }
        Shld | Shrd if i.op2_kind() == OpKind::Immediate8 && bytes >= 4 && count_of(i) != 0 => {
            // OF of larger counts differs between makers.
            if count_of(i) == 1 { Family::Exact { clears_af: true } } else { Family::OnlyIfDead }
        }
        Adc | Sbb | Cmc | Clc | Stc => Family::Exact { clears_af: false },
        Bt | Bts | Btr | Btc if i.op1_kind() == OpKind::Immediate8 || !memory::has(i) => {
            Family::Exact { clears_af: false }
        }
        Popcnt | Ucomiss | Ucomisd | Comiss | Comisd | Ptest => Family::Sets,
        Imul if i.op_count() >= 2 => Family::Multiply,
        Tzcnt | Lzcnt | Andn | Blsi | Blsr | Blsmsk | Bextr | Bzhi => Family::OnlyIfDead,
        // A whole turn leaves the operand alone, but not OF.
        Rcl | Rcr => return None,
        _ if condition_of(i).is_some() && i.op_count() > 0 => Family::Reads,
        _ if touches_nothing(i) => Family::Untouched,
        _ => return None,
    })
}

/// Computes from its operands alone. What else has no flags may look at the machine it runs on (SLDT, STR, SGDT, RDPID,
/// STMXCSR), and that must not be the host.
fn touches_nothing(i: &Instruction) -> bool {
    use Mnemonic::*;
    let vector = (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Register && sse::is_xmm(i.op_register(n)));
    let listed = matches!(
        i.mnemonic(),
        Mov | Movzx
            | Movsx
            | Movsxd
            | Movbe
            | Movnti
            | Not
            | Bswap
            | Crc32
            | Nop
            | Pext
            | Pdep
            | Rorx
            | Sarx
            | Shlx
            | Shrx
    );
    (vector || listed || sse::is_float(i)) && i.rflags_read() | i.rflags_modified() == 0
}

/// The masked count of a shift or rotate by an immediate.
pub fn count_of(i: &Instruction) -> u8 {
    let bytes = size_of(i, 0);
    (i.immediate(i.op_count() - 1) as u8) & if bytes == 8 { 63 } else { 31 }
}

pub fn size_of(i: &Instruction, n: u32) -> usize {
    match i.op_kind(n) {
        OpKind::Register => i.op_register(n).size(),
        _ => i.memory_size().size(),
    }
}
