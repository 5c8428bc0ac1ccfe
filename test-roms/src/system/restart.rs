//! Faults in the middle of an instruction: what has been committed, and that the retry comes to the same end.

use super::case::{Action, Case, Citation, Probe, sdm};
use super::encode::{descriptor, rights, vector::*};
use super::guest::{Guest, PAGE, Program, layout::*, reg::*, selector};
use emu_core::vcpu::rflags;
use iced_x86::code_asm::*;

const FAMILY: &str = "restart";
const REP: Citation = sdm("2", "", "REP/REPE/REPZ/REPNE/REPNZ-Repeat String Operation Prefix");
const RESTART: Citation = sdm("3A", "6.6", "Program or Task Restart");
const ATOMIC: Citation = sdm("3A", "8.1.2", "Bus Locking");
const STACKS: Citation = sdm("2", "", "PUSHA/PUSHAD-Push All General-Purpose Registers");

/// The page that is missing at first.
const HOLE: u64 = DATA + 0x2000;

/// A guest in one of three code sizes, with paging where there is any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Bits16,
    Bits32,
    Bits64,
}

impl Size {
    fn name(self) -> &'static str {
        match self {
            Self::Bits16 => "16-bit",
            Self::Bits32 => "32-bit",
            Self::Bits64 => "64-bit",
        }
    }

    /// DATA is where DS and ES point to in 16-bit code; else they are flat.
    fn guest(self) -> Guest {
        match self {
            Self::Bits64 => Guest::long(),
            Self::Bits32 => Guest::paged(),
            Self::Bits16 => {
                let mut guest = Guest::paged();
                guest.descriptor(selector::SPARE, descriptor(DATA, 0xFFFF, rights::DATA));
                guest = guest.with_segments(selector::CODE16, selector::DATA0, STACK0);
                let data = guest.segment(selector::SPARE);
                (guest.cpu.seg[0], guest.cpu.seg[3]) = (data, data);
                guest
            }
        }
    }

    /// The offset that reaches a linear address.
    fn offset(self, linear: u64) -> u64 {
        if self == Self::Bits16 { linear - DATA } else { linear }
    }
}

/// Makes the missing page present.
fn mend(guest: &Guest) -> Action {
    if guest.cpu.efer & emu_core::vcpu::efer::LMA != 0 {
        Action::Poke(PAGES + 0x3000 + 8 * (HOLE >> 12), (HOLE | PAGE).to_le_bytes().to_vec())
    } else {
        Action::Poke(PAGES + 0x1000 + 4 * (HOLE >> 12), ((HOLE | PAGE) as u32).to_le_bytes().to_vec())
    }
}

/// A repeated instruction on elements of `bytes` bytes.
struct Repeated {
    name: &'static str,
    bytes: u64,
    /// The page that is missing is that of the source (rSI), or of the destination (rDI).
    source: bool,
    /// The other index moves, too.
    both: bool,
    writes: bool,
    program: Program,
}

const fn rep(
    name: &'static str,
    bytes: u64,
    source: bool,
    both: bool,
    writes: bool,
    program: Program,
) -> Repeated {
    Repeated { name, bytes, source, both, writes, program }
}

const REPEATED: [Repeated; 14] = [
    rep("REP MOVSB to", 1, false, true, true, |a| a.rep().movsb()),
    rep("REP MOVSB from", 1, true, true, false, |a| a.rep().movsb()),
    rep("REP MOVSW to", 2, false, true, true, |a| a.rep().movsw()),
    rep("REP MOVSW from", 2, true, true, false, |a| a.rep().movsw()),
    rep("REP MOVSD to", 4, false, true, true, |a| a.rep().movsd()),
    rep("REP MOVSD from", 4, true, true, false, |a| a.rep().movsd()),
    rep("REP STOSB to", 1, false, false, true, |a| a.rep().stosb()),
    rep("REP STOSD to", 4, false, false, true, |a| a.rep().stosd()),
    rep("REP LODSW from", 2, true, false, false, |a| a.rep().lodsw()),
    rep("REPNE SCASB in", 1, false, false, false, |a| a.repne().scasb()),
    rep("REPNE SCASD in", 4, false, false, false, |a| a.repne().scasd()),
    rep("REPE CMPSB with", 1, false, true, false, |a| a.repe().cmpsb()),
    rep("REPE CMPSD with", 4, true, true, false, |a| a.repe().cmpsd()),
    rep("REP OUTSB from", 1, true, false, false, |a| a.rep().outsb()),
];

/// A run of ten elements, the fifth of which is the first one in the missing page.
fn repeated() -> Vec<Case> {
    const BEFORE: u64 = 4;
    const COUNT: u64 = 10;
    let mut cases = Vec::new();
    for row in &REPEATED {
        for size in [Size::Bits16, Size::Bits32, Size::Bits64] {
            for down in [false, true] {
                let mut guest = size.guest();
                let step = if down { row.bytes.wrapping_neg() } else { row.bytes };
                // Where the faulting element is: the first or last one of the page.
                let element = if down { HOLE + 0x1000 - row.bytes } else { HOLE };
                let start = element.wrapping_sub(BEFORE.wrapping_mul(step));
                let other = DATA + 0x800;
                let (si_at, di_at) = if row.source { (start, other) } else { (other, start) };
                guest.page(HOLE, 0);
                guest.cpu.rflags |= if down { rflags::DF } else { 0 };
                guest.cpu.gpr[RCX] = COUNT;
                guest.cpu.gpr[RDX] = 0x80;
                guest.cpu.gpr[RAX] = 0x5A5A_5A5A;
                guest.cpu.gpr[RSI] = size.offset(si_at);
                guest.cpu.gpr[RDI] = size.offset(di_at);
                guest.code(|a| {
                    (row.program)(a)?;
                    a.hlt()
                });
                let moved = |n: u64| step.wrapping_mul(n);
                let narrow = |value: u64| if size == Size::Bits16 { value & 0xFFFF } else { value };
                let (moves_si, moves_di) = (row.source || row.both, !row.source || row.both);
                let index = |at: u64, moves: bool, n: u64| {
                    narrow(size.offset(at).wrapping_add(if moves { moved(n) } else { 0 }))
                };
                let mend = mend(&guest);
                let name = format!(
                    "{} a missing page, {}, {}",
                    row.name,
                    size.name(),
                    if down { "down" } else { "up" }
                );
                let case = Case::new(FAMILY, name, REP, guest)
                    .fault(PF, if row.writes { 2 } else { 0 }, 0)
                    .is(Probe::Cr2, element)
                    .is(Probe::Gpr(RCX), COUNT - BEFORE)
                    .is(Probe::Gpr(RSI), index(si_at, moves_si, BEFORE))
                    .is(Probe::Gpr(RDI), index(di_at, moves_di, BEFORE))
                    .then(mend)
                    .ends()
                    .is(Probe::Gpr(RCX), 0)
                    .is(Probe::Gpr(RSI), index(si_at, moves_si, COUNT))
                    .is(Probe::Gpr(RDI), index(di_at, moves_di, COUNT));
                cases.push(case);
            }
        }
    }
    cases
}

/// A locked or unlocked read-modify-write across the end of a page whose other half may not be written.
fn split() -> Vec<Case> {
    let rows: [(&str, Program); 10] = [
        ("LOCK ADD", |a| a.lock().add(dword_ptr(edi), eax)),
        ("LOCK INC word", |a| a.lock().inc(word_ptr(edi))),
        ("LOCK XADD", |a| a.lock().xadd(dword_ptr(edi), eax)),
        ("XCHG", |a| a.xchg(dword_ptr(edi), eax)),
        ("LOCK CMPXCHG", |a| a.lock().cmpxchg(dword_ptr(edi), ecx)),
        ("LOCK CMPXCHG8B", |a| a.lock().cmpxchg8b(qword_ptr(edi - 2))),
        ("LOCK BTS", |a| a.lock().bts(dword_ptr(edi), 3)),
        ("NEG", |a| a.neg(dword_ptr(edi))),
        ("MOV", |a| a.mov(dword_ptr(edi), eax)),
        ("SHL", |a| a.shl(dword_ptr(edi), 1)),
    ];
    let mut cases = Vec::new();
    for (name, program) in rows {
        for (what, first, second, error, fault_at) in [
            ("second page missing", HOLE - 0x1000, 0u64, 2u64, HOLE),
            ("second page read-only", HOLE - 0x1000, HOLE | 5, 3, HOLE),
            ("first page read-only", 0, HOLE | PAGE, 3, HOLE - 1),
        ] {
            let mut guest = Guest::paged();
            if first == 0 {
                guest.page(HOLE - 0x1000, (HOLE - 0x1000) | 5);
            }
            guest.page(HOLE, second);
            let at = HOLE - 1;
            guest.poke(at - 8, &[0x11; 24]);
            guest.cpu.gpr[RDI] = at;
            guest.cpu.gpr[RAX] = 0x1111_1111;
            guest.cpu.gpr[RCX] = 0x2222_2222;
            guest.cpu.gpr[RDX] = 0x1111_1111;
            guest.code(program);
            let case = Case::new(FAMILY, format!("{name} across pages, {what}"), ATOMIC, guest)
                .fault(PF, error, 0)
                .is(Probe::Memory(at - 8, 8), 0x1111_1111_1111_1111)
                .is(Probe::Memory(at, 8), 0x1111_1111_1111_1111)
                .is(Probe::Gpr(RAX), 0x1111_1111)
                .is(Probe::Gpr(RDX), 0x1111_1111)
                .is(Probe::SavedFlags(rflags::STATUS), 0);
            let low = if name == "LOCK CMPXCHG8B" { at - 2 } else { at };
            cases.push(case.is(Probe::Cr2, if fault_at == HOLE { HOLE } else { low }));
        }
    }
    cases
}

/// Instructions of several accesses that fault at a later one: no register has changed.
struct Later {
    name: &'static str,
    citation: Citation,
    program: Program,
    /// Error code of the #PF.
    error: u64,
    change: fn(&mut Guest),
}

const fn later(
    name: &'static str,
    citation: Citation,
    error: u64,
    program: Program,
    change: fn(&mut Guest),
) -> Later {
    Later { name, citation, program, error, change }
}

const LATER: [Later; 16] = [
    later("PUSHAD", STACKS, 2, |a| a.pushad(), |g| g.cpu.gpr[RSP] = HOLE + 0x1010),
    later("POPAD", RESTART, 0, |a| a.popad(), |g| g.cpu.gpr[RSP] = HOLE - 0x10),
    later("PUSH m", RESTART, 2, |a| a.push(dword_ptr(DATA as u32)), |g| g.cpu.gpr[RSP] = HOLE + 0x1000),
    later("POP m", RESTART, 2, |a| a.pop(dword_ptr(HOLE as u32)), |_| {}),
    later("POP m by ESP", RESTART, 2, |a| a.pop(dword_ptr(esp + 4)), |g| g.cpu.gpr[RSP] = HOLE - 8),
    later(
        "CALL m",
        RESTART,
        2,
        |a| a.call(dword_ptr(DATA as u32)),
        |g| {
            g.poke32(DATA, CODE as u32);
            g.cpu.gpr[RSP] = HOLE + 0x1000;
        },
    ),
    later("far CALL", RESTART, 2, |a| a.db(&[0x9A, 0, 8, 1, 0, 0x1B, 0]), |g| g.cpu.gpr[RSP] = HOLE + 0x1004),
    later("RETF", RESTART, 0, |a| a.retf(), |g| g.cpu.gpr[RSP] = HOLE - 4),
    later(
        "IRETD",
        RESTART,
        0,
        |a| a.iretd(),
        |g| {
            g.poke32(HOLE - 8, CODE as u32);
            g.poke32(HOLE - 4, 8);
            g.cpu.gpr[RSP] = HOLE - 8;
        },
    ),
    later("ENTER with locals", RESTART, 2, |a| a.enter(0x2000, 0), |g| g.cpu.gpr[RSP] = HOLE + 0x2800),
    later("ENTER of level 3", RESTART, 0, |a| a.enter(8, 3), |g| g.cpu.gpr[RBP] = HOLE + 0x1004),
    later("LEAVE", RESTART, 0, |a| a.leave(), |g| g.cpu.gpr[RBP] = HOLE),
    later(
        "MOVSD",
        RESTART,
        2,
        |a| a.movsd(),
        |g| {
            g.cpu.gpr[RSI] = DATA;
            g.cpu.gpr[RDI] = HOLE;
        },
    ),
    later("BOUND", RESTART, 0, |a| a.bound(eax, qword_ptr(HOLE as u32 - 4)), |_| {}),
    later(
        "XLATB",
        RESTART,
        0,
        |a| a.xlatb(),
        |g| {
            g.cpu.gpr[RBX] = HOLE - 1;
            g.cpu.gpr[RAX] = 1;
        },
    ),
    later("LFS", RESTART, 0, |a| a.lfs(ecx, fword_ptr(HOLE as u32 - 4)), |g| g.poke32(HOLE - 4, 0x1234)),
];

fn several() -> Vec<Case> {
    LATER
        .iter()
        .map(|row| {
            let mut guest = Guest::paged().at_ring(3);
            for n in [RAX, RCX, RDX, RBX, RBP, RSI, RDI] {
                guest.cpu.gpr[n] = 0x7000_0000 | n as u64;
            }
            (row.change)(&mut guest);
            guest.page(HOLE, 0);
            guest.code(row.program);
            let registers = guest.cpu.gpr;
            let mut case = Case::new(FAMILY, format!("{} half-way", row.name), row.citation, guest)
                .fault(PF, row.error | 4, 0)
                .is(Probe::SavedRsp, registers[RSP]);
            for n in [RAX, RCX, RDX, RBX, RBP, RSI, RDI] {
                case = case.is(Probe::Gpr(n), registers[n]);
            }
            case
        })
        .collect()
}

pub(super) fn cases() -> Vec<Case> {
    [repeated(), split(), several()].concat()
}
