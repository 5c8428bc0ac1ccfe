//! MOVS, STOS, LODS, SCAS, CMPS, with and without REP.
//!
//! A repeated instruction runs at most [`CHUNK`] iterations at a time and counts as one instruction for each such
//! chunk; between chunks interrupts are taken with RIP still at the instruction, as the manual has it between
//! iterations. The registers are brought up to date after every iteration, so a fault restarts where it happened.

use super::Cpu;
use super::lower::{Decoded, Lowered};
use super::op::{Faulted, Handler, Op, OpRef, branch};
use super::word::{SEG_BASE, Word, ZERO};
use crate::vcpu::rflags;
use iced_x86::{Code, Mnemonic};

/// The most iterations of one execution. Chunks end where the count is a multiple of it: an execution that is given
/// up half way (a store to code that some engine has decoded) must go on to the same end, or the number of retired
/// instructions would depend on what the engine remembers.
const CHUNK: u64 = 4096;

const CX: u8 = 1;
const SI: u8 = 6;
const DI: u8 = 7;
const ES: u8 = 0;

/// REP prefix, in [`Op::sub`].
const NONE: u8 = 0;
const REP: u8 = 1;
const REPNE: u8 = 2;

fn mask(op: &Op) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(op.addr_bytes))
}

/// Writes a register at the address size.
fn set_address(cpu: &mut Cpu, op: &Op, register: u8, value: u64) {
    match op.addr_bytes {
        2 => cpu.set_reg(register, value as u16),
        4 => cpu.set_reg(register, value as u32),
        _ => cpu.set_reg(register, value),
    }
}

fn step<T: Word>(cpu: &Cpu) -> u64 {
    if cpu.s.rflags & rflags::DF != 0 { T::SIZE.wrapping_neg() } else { T::SIZE }
}

fn advance<T: Word>(cpu: &mut Cpu, op: &Op, register: u8, by: u64) {
    let value = cpu.r.get(register).wrapping_add(by);
    set_address(cpu, op, register, value);
}

/// Linear address of the source: rSI in DS or the overriding segment.
fn source<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<u64, Faulted> {
    let offset = cpu.r.get(SI) & mask(op);
    if op.flat {
        Ok(offset.wrapping_add(cpu.r.get(op.seg_slot)) & cpu.addr_mask)
    } else {
        cpu.segment_linear(op.seg, offset, T::SIZE, false)
    }
}

/// Linear address of the destination: rDI in ES, which cannot be overridden.
fn destination<T: Word>(cpu: &mut Cpu, op: &Op, write: bool) -> Result<u64, Faulted> {
    let offset = cpu.r.get(DI) & mask(op);
    if cpu.mode.flat & 1 << ES != 0 {
        let base = if cpu.mode.long { ZERO } else { SEG_BASE + ES };
        Ok(offset.wrapping_add(cpu.r.get(base)) & cpu.addr_mask)
    } else {
        cpu.segment_linear(ES, offset, T::SIZE, write)
    }
}

/// One string instruction: an iteration, and how it repeats.
trait Step {
    /// REPE and REPNE end on ZF.
    const COMPARES: bool = false;
    fn once<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted>;
    /// Runs up to `count` iterations at once where that is possible without a check per element; how many were.
    fn bulk<T: Word>(_cpu: &mut Cpu, _op: &Op, _count: u64) -> Result<u64, Faulted> {
        Ok(0)
    }
}

struct Movs;
struct Stos;
struct Lods;
struct Scas;
struct Cmps;

impl Step for Movs {
    fn once<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
        let from = source::<T>(cpu, op)?;
        let value = cpu.read::<T>(from, op.seg)?;
        let to = destination::<T>(cpu, op, true)?;
        cpu.write(to, value, ES)?;
        let by = step::<T>(cpu);
        advance::<T>(cpu, op, SI, by);
        advance::<T>(cpu, op, DI, by);
        Ok(())
    }

    fn bulk<T: Word>(cpu: &mut Cpu, op: &Op, count: u64) -> Result<u64, Faulted> {
        if !bulk_possible(cpu, op) {
            return Ok(0);
        }
        let (from, to) = (source::<T>(cpu, op)?, destination::<T>(cpu, op, true)?);
        let done = cpu.copy_in_page(to, from, count, T::SIZE);
        if done == 0 {
            return Ok(0); // nothing changes, not even the upper halves of registers
        }
        advance::<T>(cpu, op, SI, done * T::SIZE);
        advance::<T>(cpu, op, DI, done * T::SIZE);
        Ok(done)
    }
}

impl Step for Stos {
    fn once<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
        let to = destination::<T>(cpu, op, true)?;
        let value = cpu.reg::<T>(0);
        cpu.write(to, value, ES)?;
        let by = step::<T>(cpu);
        advance::<T>(cpu, op, DI, by);
        Ok(())
    }

    fn bulk<T: Word>(cpu: &mut Cpu, op: &Op, count: u64) -> Result<u64, Faulted> {
        if !bulk_possible(cpu, op) {
            return Ok(0);
        }
        let to = destination::<T>(cpu, op, true)?;
        let value = cpu.reg::<T>(0);
        let done = cpu.fill_pages(to, value, count);
        if done == 0 {
            return Ok(0);
        }
        advance::<T>(cpu, op, DI, done * T::SIZE);
        Ok(done)
    }
}

impl Step for Lods {
    fn once<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
        let from = source::<T>(cpu, op)?;
        let value = cpu.read::<T>(from, op.seg)?;
        cpu.set_reg(0, value);
        let by = step::<T>(cpu);
        advance::<T>(cpu, op, SI, by);
        Ok(())
    }
}

impl Step for Scas {
    const COMPARES: bool = true;
    fn once<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
        let at = destination::<T>(cpu, op, false)?;
        let value = cpu.read::<T>(at, ES)?;
        let accumulator = cpu.reg::<T>(0);
        compare(cpu, accumulator, value);
        let by = step::<T>(cpu);
        advance::<T>(cpu, op, DI, by);
        Ok(())
    }
}

impl Step for Cmps {
    const COMPARES: bool = true;
    fn once<T: Word>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
        // Where both fault, silicon (Zen 5) reports that of the second operand.
        let at = destination::<T>(cpu, op, false)?;
        let second = cpu.read::<T>(at, ES)?;
        let from = source::<T>(cpu, op)?;
        let first = cpu.read::<T>(from, op.seg)?;
        compare(cpu, first, second);
        let by = step::<T>(cpu);
        advance::<T>(cpu, op, SI, by);
        advance::<T>(cpu, op, DI, by);
        Ok(())
    }
}

fn compare<T: Word>(cpu: &mut Cpu, a: T, b: T) {
    let r = T::low(a.zext().wrapping_sub(b.zext()));
    cpu.flags.sub(a.sext(), b.sext(), r.sext());
}

/// Whole runs can be moved when addresses go up, do not wrap, and need no segment check.
fn bulk_possible(cpu: &Cpu, op: &Op) -> bool {
    cpu.s.rflags & rflags::DF == 0 && op.flat && cpu.mode.flat & 1 << ES != 0 && op.addr_bytes >= 4
}

fn single<S: Step, T: Word>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    match S::once::<T>(cpu, at.get()) {
        Ok(()) => at.next(),
        Err(Faulted) => cpu.abandon(at.get()),
    }
}

fn repeated<S: Step, T: Word>(cpu: &mut Cpu, at: OpRef) -> OpRef {
    let op = at.get();
    match repeat::<S, T>(cpu, op) {
        Ok(true) => at.next(),
        Ok(false) => {
            // Not finished: this chunk counts as one instruction, and the next one starts at the same address.
            let next = cpu.abandon(op);
            cpu.budget -= 1;
            cpu.s.rflags |= rflags::RF; // an instruction breakpoint counts once (Intel SDM Vol. 3B 17.3.1.1)
            next
        }
        Err(Faulted) => cpu.abandon(op),
    }
}

/// Runs one chunk; whether the instruction is complete.
fn repeat<S: Step, T: Word>(cpu: &mut Cpu, op: &Op) -> Result<bool, Faulted> {
    let single_step = cpu.s.rflags & rflags::TF != 0;
    let start = cpu.r.get(CX) & mask(op);
    let mut left = if single_step { 1 } else { (start.wrapping_sub(1) % CHUNK) + 1 };
    loop {
        let count = cpu.r.get(CX) & mask(op);
        if count == 0 {
            return Ok(true);
        }
        if left == 0 {
            return Ok(false);
        }
        let done = S::bulk::<T>(cpu, op, count.min(left))?;
        let done = if done == 0 {
            S::once::<T>(cpu, op)?;
            1
        } else {
            done
        };
        set_address(cpu, op, CX, count - done);
        // A data breakpoint is a trap after the iteration.
        left = if cpu.s.pending_debug == 0 { left - done } else { 0 };
        if S::COMPARES && cpu.flags.zf() != (op.sub == REP) {
            return Ok(true);
        }
    }
}

fn pick<S: Step, T: Word>(op: &Op) -> Handler {
    if op.sub == NONE { branch(single::<S, T>) } else { branch(repeated::<S, T>) }
}

fn sized<S: Step>(size: u32, op: &Op) -> Handler {
    match size {
        1 => pick::<S, u8>(op),
        2 => pick::<S, u16>(op),
        4 => pick::<S, u32>(op),
        _ => pick::<S, u64>(op),
    }
}

fn size_of_code(d: &Decoded<'_>) -> u32 {
    d.instruction.memory_size().size() as u32
}

/// Handlers of the string instructions. INS and OUTS are `system`'s, the SSE instructions of the same names `sse`'s.
pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let i = d.instruction;
    if !i.is_string_instruction() {
        return None;
    }
    op.sub = match (i.has_repne_prefix(), i.has_rep_prefix()) {
        (true, _) => REPNE,
        (_, true) => REP,
        _ => NONE,
    };
    let size = size_of_code(d);
    let handler = match i.mnemonic() {
        Mnemonic::Movsb | Mnemonic::Movsw | Mnemonic::Movsq => sized::<Movs>(size, op),
        Mnemonic::Movsd if i.code() == Code::Movsd_m32_m32 => sized::<Movs>(4, op),
        Mnemonic::Cmpsb | Mnemonic::Cmpsw | Mnemonic::Cmpsq => sized::<Cmps>(size, op),
        Mnemonic::Cmpsd if i.code() == Code::Cmpsd_m32_m32 => sized::<Cmps>(4, op),
        Mnemonic::Stosb | Mnemonic::Stosw | Mnemonic::Stosd | Mnemonic::Stosq => sized::<Stos>(size, op),
        Mnemonic::Lodsb | Mnemonic::Lodsw | Mnemonic::Lodsd | Mnemonic::Lodsq => sized::<Lods>(size, op),
        Mnemonic::Scasb | Mnemonic::Scasw | Mnemonic::Scasd | Mnemonic::Scasq => sized::<Scas>(size, op),
        _ => return None,
    };
    Some(Lowered::straight(handler))
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::{PAGES, Testbed};

    const AREA: u64 = 0x6_0000;
    const BYTES: u64 = 0x6000;
    /// Where the pages of the area are: two that follow each other here and there, then others.
    const FRAMES: [u64; 6] = [0x7_2000, 0x7_3000, 0x7_1000, 0x7_0000, 0x7_4000, 0x7_5000];

    fn remapped() -> Testbed {
        let mut bed = Testbed::long();
        bed.poke64(PAGES + 0x1000, (PAGES + 0x2000) | 7);
        bed.poke64(PAGES + 0x2000, (PAGES + 0x3000) | 7);
        for page in 0..0x100 {
            bed.poke64(PAGES + 0x3000 + 8 * page, page << 12 | 7);
        }
        for (n, frame) in FRAMES.iter().enumerate() {
            bed.poke64(PAGES + 0x3000 + 8 * ((AREA >> 12) + n as u64), frame | 7);
        }
        bed
    }

    fn byte(bed: &Testbed, at: u64) -> u8 {
        bed.peek16(FRAMES[(at >> 12) as usize] + (at & 0xFFF)) as u8
    }

    /// Elements across the ends of pages, wherever those are; with an empty TLB, and again with a full one.
    #[test]
    fn rep_stos_fills_just_its_elements_over_pages() {
        for (offset, count) in [(0xFFEu64, 4096u64), (3, 1500), (0x1001, 4000), (0x1FFC, 2), (0x10, 4096)] {
            let mut bed = remapped();
            for value in [0x1234_5678u32, 0x7777_7777] {
                let start = bed.cpu.rip;
                bed.poke(start, &[0xF3, 0xAB]); // rep stosd
                (bed.cpu.gpr[0], bed.cpu.gpr[1], bed.cpu.gpr[7]) = (value.into(), count, AREA + offset);
                bed.step(1);
                assert_eq!((bed.cpu.rip, bed.cpu.gpr[1]), (start + 2, 0));
                assert_eq!(bed.cpu.gpr[7], AREA + offset + 4 * count);
                let filled = offset..offset + 4 * count;
                for at in 0..BYTES {
                    let inside = filled.contains(&at);
                    let expected = if inside { value.to_le_bytes()[(at - offset) as usize & 3] } else { 0 };
                    assert_eq!(byte(&bed, at), expected, "at {at:#x} of {offset:#x} x {count}");
                }
                bed.cpu.rip = start;
            }
        }
    }
}
