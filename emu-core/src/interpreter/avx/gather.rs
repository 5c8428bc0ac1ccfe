//! VGATHERxPS, VGATHERxPD, VPGATHERxD, VPGATHERxQ (Intel SDM Vol. 2).
//!
//! The exception to the rule that a fault leaves no trace: elements are gathered lowest first, each clears its mask
//! element, and what was gathered before a fault stays. The instruction then goes on where it stopped.

use super::mask::{element, is_chosen, with_element};
use super::operand::{Vector, Ymm};
use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex};
use crate::interpreter::word::Word;
use iced_x86::Mnemonic as M;

pub fn pick(d: &Decoded<'_>) -> Option<Handler> {
    let i = d.instruction;
    // A register holds as many elements as the larger of index and data leave room for.
    let (index, data) = (i.memory_index().is_ymm(), i.op0_register().is_ymm());
    Some(match (i.mnemonic(), index || data) {
        (M::Vgatherdps | M::Vpgatherdd, false) => complex(gather::<u32, u32, u128, 4>),
        (M::Vgatherdps | M::Vpgatherdd, true) => complex(gather::<u32, u32, Ymm, 8>),
        (M::Vgatherdpd | M::Vpgatherdq, false) => complex(gather::<u32, u64, u128, 2>),
        (M::Vgatherdpd | M::Vpgatherdq, true) => complex(gather::<u32, u64, Ymm, 4>),
        (M::Vgatherqps | M::Vpgatherqd, false) => complex(gather::<u64, u32, u128, 2>),
        (M::Vgatherqps | M::Vpgatherqd, true) => complex(gather::<u64, u32, u128, 4>),
        (M::Vgatherqpd | M::Vpgatherqq, false) => complex(gather::<u64, u64, u128, 2>),
        (M::Vgatherqpd | M::Vpgatherqq, true) => complex(gather::<u64, u64, Ymm, 4>),
        _ => return None,
    })
}

/// `N` elements of `T` into a `V`, at indices of `I`. Operand 0 is the destination, operand 2 the mask.
///
/// Until all are there, the rest of both registers stays, and mask elements behind the one that faults keep all their
/// bits (as AMD's processors do; the manual leaves it open).
fn gather<I: Word, T: Word, V: Vector, const N: u32>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.avx_guard()?;
    let indices = cpu.ymm(op.sub);
    for n in 0..N {
        let mask = cpu.ymm(op.c);
        if is_chosen::<T, Ymm>(mask, n) {
            let value = load::<T>(cpu, op, element::<I, Ymm>(indices, n).sext())?;
            cpu.set_ymm(op.a, with_element(cpu.ymm(op.a), n, value));
        }
        cpu.set_ymm(op.c, with_element(mask, n, T::low(0)));
    }
    let gathered = V::get(cpu, op.a);
    let zero = gathered.zip(gathered, |_, _, _| 0);
    (0..N).fold(zero, |v, n| with_element(v, n, element::<T, V>(gathered, n))).set(cpu, op.a);
    zero.set(cpu, op.c);
    Ok(())
}

fn load<T: Word>(cpu: &mut Cpu, op: &Op, index: u64) -> Result<T, Faulted> {
    let mut at = op.clone();
    at.disp = op.disp.wrapping_add(index << op.scale);
    cpu.load(&at)
}
