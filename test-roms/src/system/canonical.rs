//! Addresses that are not canonical, at every kind of access, and RIP at the edges of the address space.

use super::case::{Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*};
use iced_x86::code_asm::*;

const FAMILY: &str = "canonical addresses";
const ADDRESSING: Citation = sdm("1", "3.3.7.1", "Canonical Addressing");
const GP_FAULT: Citation = sdm("3A", "6.15", "Interrupt 13-General Protection Exception (#GP)");
const SS_FAULT: Citation = sdm("3A", "6.15", "Interrupt 12-Stack Fault Exception (#SS)");
const BRANCH: Citation = sdm("2", "", "JMP-Jump");

/// The last byte of the lower half, the first one of the upper half.
const LAST: u64 = 0x7FFF_FFFF_FFFF;
const FIRST: u64 = 0xFFFF_8000_0000_0000;

struct Access {
    name: &'static str,
    bytes: u64,
    stack: bool,
    /// Error code of the #PF when the address is canonical: nothing is mapped there.
    error: u64,
    program: Program,
}

const fn data(name: &'static str, bytes: u64, error: u64, program: Program) -> Access {
    Access { name, bytes, stack: false, error, program }
}

const fn stack(name: &'static str, bytes: u64, error: u64, program: Program) -> Access {
    Access { name, bytes, stack: true, error, program }
}

const ACCESSES: [Access; 15] = [
    data("byte read", 1, 0, |a| a.mov(al, byte_ptr(rbx))),
    data("qword read", 8, 0, |a| a.mov(rax, qword_ptr(rbx))),
    data("qword write", 8, 2, |a| a.mov(qword_ptr(rbx), rax)),
    data("read-modify-write", 4, 2, |a| a.lock().inc(dword_ptr(rbx))),
    data("16-byte read", 16, 0, |a| a.movups(xmm0, xmmword_ptr(rbx))),
    data("tbyte read", 10, 0, |a| a.fld(tbyte_ptr(rbx))),
    data("read through FS", 4, 0, |a| a.mov(eax, dword_ptr(rbx).fs())),
    data("LODSQ", 8, 0, |a| {
        a.mov(rsi, rbx)?;
        a.lodsq()
    }),
    data("far pointer", 6, 0, |a| a.lfs(ecx, fword_ptr(rbx))),
    data("indirect JMP", 8, 0, |a| a.jmp(qword_ptr(rbx))),
    stack("read by RSP", 8, 0, |a| {
        a.mov(rsp, rbx)?;
        a.mov(rax, qword_ptr(rsp))
    }),
    stack("read by RBP", 8, 0, |a| {
        a.mov(rbp, rbx)?;
        a.mov(rax, qword_ptr(rbp))
    }),
    stack("POP", 8, 0, |a| {
        a.mov(rsp, rbx)?;
        a.pop(rax)
    }),
    stack("RET", 8, 0, |a| {
        a.mov(rsp, rbx)?;
        a.ret()
    }),
    stack("LEAVE", 8, 0, |a| {
        a.mov(rbp, rbx)?;
        a.leave()
    }),
];

/// At the edges: the last canonical place, and one byte further on. #GP, or #SS for the stack.
fn edges() -> Vec<Case> {
    let mut cases = Vec::new();
    for access in &ACCESSES {
        let fits = LAST + 1 - access.bytes;
        for (at, canonical) in [
            (fits, true),
            (fits + 1, false),
            (LAST + 1, false),
            (FIRST - 1, false),
            (FIRST, true),
            (0x1234_5678_9ABC_DEF0, false),
        ] {
            // What is read in two parts may meet the missing page of the first one before.
            let in_parts = !access.bytes.is_power_of_two();
            if at == fits + 1 && (in_parts || access.bytes == 1) {
                continue;
            }
            let mut guest = Guest::long();
            guest.cpu.gpr[RBX] = at;
            // The handlers' stack is good whatever RSP is.
            guest.poke64(TSS + 0x24, STACK1);
            for vector in [SS, GP, PF] {
                let handler = super::guest::handler(vector);
                guest.gate(vector, super::encode::gate(8, handler, 0x8E, 1));
            }
            guest.code(access.program);
            let n = guest.starts.len() - 2;
            let citation = if access.stack { SS_FAULT } else { GP_FAULT };
            let case = Case::new(FAMILY, format!("{} at {at:x}h", access.name), citation, guest);
            cases.push(match (canonical, access.stack) {
                (true, _) => case.fault(PF, access.error, n).is(Probe::Cr2, at),
                (false, false) => case.fault(GP, 0, n),
                (false, true) => case.fault(SS, 0, n),
            });
        }
    }
    cases
}

/// PUSH and CALL below a stack pointer that is not canonical.
fn pushes() -> Vec<Case> {
    let rows: [(&str, Program); 3] =
        [("PUSH", |a| a.push(rax)), ("CALL", |a| a.call(CODE + 0x100)), ("ENTER", |a| a.enter(0, 0))];
    let mut cases = Vec::new();
    for (name, program) in rows {
        // Eight bytes below are the last ones of the lower half; or are not canonical.
        for (rsp_value, canonical) in [(LAST + 1, true), (LAST + 2, false), (FIRST, false), (FIRST + 8, true)]
        {
            let mut guest = Guest::long();
            guest.cpu.gpr[RSP] = rsp_value;
            guest.poke64(TSS + 0x24, STACK1);
            for vector in [SS, PF] {
                guest.gate(vector, super::encode::gate(8, super::guest::handler(vector), 0x8E, 1));
            }
            guest.code(program);
            let case = Case::new(FAMILY, format!("{name} with RSP {rsp_value:x}h"), SS_FAULT, guest);
            cases.push(if canonical {
                case.fault(PF, 2, 0).is(Probe::Cr2, rsp_value - 8)
            } else {
                case.fault(SS, 0, 0).is(Probe::SavedRsp, rsp_value)
            });
        }
    }
    cases
}

/// Branches to where there is no address fault on themselves; running there fetches.
fn branches() -> Vec<Case> {
    let rows: [(&str, Program); 4] = [
        ("JMP", |a| a.jmp(rbx)),
        ("CALL", |a| a.call(rbx)),
        ("RET", |a| a.ret()),
        ("JMP through memory", |a| a.jmp(qword_ptr(DATA))),
    ];
    let mut cases = Vec::new();
    for (name, program) in rows {
        for (at, canonical) in [(LAST, true), (LAST + 1, false), (FIRST - 1, false), (FIRST, true)] {
            let mut guest = Guest::long();
            guest.cpu.gpr[RBX] = at;
            guest.poke64(DATA, at);
            guest.stack(8, &[at]);
            let before = guest.cpu.gpr[RSP];
            guest.code(program);
            let case = Case::new(FAMILY, format!("{name} to {at:x}h"), BRANCH, guest);
            cases.push(if canonical {
                case.event(PF).is(Probe::SavedError, 0x10).is(Probe::SavedRip, at).is(Probe::Cr2, at)
            } else {
                case.fault(GP, 0, 0).is(Probe::SavedRsp, before)
            });
        }
    }
    cases
}

/// Code at the end of the lower half: what follows it is not canonical.
fn end_of_the_lower_half() -> Case {
    let mut guest = Guest::long();
    // The last page of the lower half is DATA's frame.
    let table = 0x10_0000;
    guest.poke64(PAGES + 255 * 8, table | 7);
    guest.poke64(table + 511 * 8, (table + 0x1000) | 7);
    guest.poke64(table + 0x1000 + 511 * 8, (table + 0x2000) | 7);
    guest.poke64(table + 0x2000 + 511 * 8, DATA | 7);
    guest.poke(DATA + 0xFFF, &[0x90]);
    guest.cpu.gpr[RBX] = LAST;
    guest.code(|a| a.jmp(rbx));
    Case::new(FAMILY, "running off the lower half", ADDRESSING, guest)
        .event(GP)
        .is(Probe::SavedError, 0)
        .is(Probe::SavedRip, LAST + 1)
}

/// 32-bit addresses of 64-bit code do not reach that far, and wrap at 4 GiB.
fn short_addresses() -> Vec<Case> {
    let mut wraps = Guest::long();
    wraps.cpu.gpr[RBX] = 0xFFFF_FFFF_0000_0000 | DATA;
    wraps.poke32(DATA, 0x4711);
    wraps.code(|a| {
        a.mov(eax, dword_ptr(ebx))?;
        a.hlt()
    });
    let mut segment = Guest::long();
    segment.cpu.seg[4].base = 0x1000;
    segment.cpu.gpr[RBX] = u64::MAX;
    segment.poke32(0xFFF, 0x0815);
    segment.code(|a| {
        a.mov(eax, dword_ptr(rbx).fs())?;
        a.hlt()
    });
    vec![
        Case::new(FAMILY, "a 32-bit address is zero-extended", ADDRESSING, wraps).is(Probe::Gpr(RAX), 0x4711),
        Case::new(FAMILY, "base and offset wrap at 2^64", ADDRESSING, segment).is(Probe::Gpr(RAX), 0x0815),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [edges(), pushes(), branches(), vec![end_of_the_lower_half()], short_addresses()].concat()
}
