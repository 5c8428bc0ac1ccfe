//! Hints and fences: nothing to do here, but some of them look at their operand (Intel SDM Vol. 2).

use crate::interpreter::Cpu;
use crate::interpreter::lower::Lowered;
use crate::interpreter::op::{Faulted, Op, complex, plain};
use iced_x86::{Instruction, Mnemonic};

fn nothing(_: &mut Cpu, _: &Op) {}

/// The line's address is checked as a load of one byte.
fn flush_line(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let linear = cpu.linear::<false>(op, 1)?;
    cpu.probe_read(linear, 1, op.seg)
}

/// Handlers of the hints. MPX and CET instructions that older processors take as NOPs are NOPs.
pub fn lower(i: &Instruction) -> Option<Lowered> {
    use Mnemonic as M;
    Some(Lowered::straight(match i.mnemonic() {
        M::Clflush | M::Clflushopt | M::Clwb => complex(flush_line),
        M::Lfence | M::Mfence | M::Sfence => plain(nothing),
        M::Prefetch | M::Prefetchw | M::Prefetchwt1 => plain(nothing),
        M::Prefetchnta | M::Prefetcht0 | M::Prefetcht1 | M::Prefetcht2 => plain(nothing),
        M::Prefetchit0 | M::Prefetchit1 | M::Cldemote | M::Reservednop => plain(nothing),
        M::Nop | M::Pause | M::Endbr32 | M::Endbr64 | M::Rdsspd | M::Rdsspq => plain(nothing),
        M::Bndmk | M::Bndcl | M::Bndcu | M::Bndcn | M::Bndmov | M::Bndldx | M::Bndstx => plain(nothing),
        _ => return None,
    }))
}
