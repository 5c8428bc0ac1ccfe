//! Code that is changed while it runs: the next instruction, the block it is in, other views of the same page, and
//! by every kind of store.

use super::case::{Action, Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*};
use iced_x86::code_asm::*;

const FAMILY: &str = "self-modifying code";
const SELF: Citation = sdm("3A", "8.1.3", "Handling Self- and Cross-Modifying Code");
const ALIAS: Citation = sdm("3A", "11.6", "Self-Modifying Code");

/// `MOV EBX, 1` with its immediate at this address is what gets changed, to 2.
const TARGET: u64 = CODE + 0x40;
const IMMEDIATE: u64 = TARGET + 1;

/// A store that makes the byte at `[EDI]` a 2.
struct Store {
    name: &'static str,
    program: Program,
}

const STORES: [Store; 16] = [
    Store { name: "MOV byte", program: |a| a.mov(byte_ptr(edi), 2) },
    Store { name: "MOV dword", program: |a| a.mov(dword_ptr(edi), 2) },
    Store { name: "INC", program: |a| a.inc(byte_ptr(edi)) },
    Store { name: "LOCK XADD", program: |a| a.lock().xadd(byte_ptr(edi), cl) },
    Store { name: "XCHG", program: |a| a.xchg(byte_ptr(edi), dl) },
    Store { name: "CMPXCHG", program: |a| a.cmpxchg(byte_ptr(edi), dl) },
    Store { name: "STOSB", program: |a| a.db(&[0x88, 0xD0, 0xAA]) }, // MOV AL, DL; STOSB
    Store { name: "MOVSB", program: |a| a.movsb() },
    Store { name: "REP MOVSD", program: |a| a.rep().movsd() },
    Store { name: "REP STOSB", program: |a| a.db(&[0x88, 0xD0, 0xF3, 0xAA]) },
    Store {
        name: "SETcc and SHL",
        program: |a| {
            a.stc()?;
            a.setb(byte_ptr(edi))?;
            a.shl(byte_ptr(edi), 1)
        },
    },
    Store { name: "MOVUPS", program: |a| a.movups(xmmword_ptr(edi - 8), xmm1) },
    Store { name: "MOVQ", program: |a| a.movq(qword_ptr(edi), xmm0) },
    Store { name: "FIST", program: |a| a.fistp(word_ptr(edi)) },
    Store {
        name: "PUSH",
        program: |a| {
            a.xchg(esp, edi)?;
            a.add(esp, 4)?;
            a.push(2)?;
            a.xchg(esp, edi)
        },
    },
    Store {
        name: "BTS and BTR",
        program: |a| {
            a.lock().bts(dword_ptr(edi), 1)?;
            a.lock().btr(dword_ptr(edi), 0)
        },
    },
];

fn guest() -> Guest {
    let mut guest = Guest::protected();
    guest.cpu.cr4 |= emu_core::vcpu::cr4::OSFXSR;
    guest.cpu.x87.control = 0x37F;
    // ST(0) = 2.
    guest.cpu.x87.empty = 0x7F;
    guest.cpu.x87.set_top(7);
    guest.cpu.x87.r[7] = emu_core::vcpu::F80 { significand: 1 << 63, exponent: 0x4000 };
    guest.cpu.gpr[RAX] = 1;
    guest.cpu.gpr[RCX] = 1;
    guest.cpu.gpr[RDX] = 2;
    guest.cpu.gpr[RDI] = IMMEDIATE;
    guest.cpu.gpr[RSI] = DATA;
    guest.poke32(DATA, 2);
    guest.cpu.xmm[0] = 2 | 0xF4 << 32;
    guest.cpu.xmm[1] = (2 | 0xF4 << 32) << 64 | 0xBB << 56 | 0x0090_9090_9090_9090;
    guest
}

/// The instruction under change runs right behind the store, or has run before.
fn stores() -> Vec<Case> {
    let mut cases = Vec::new();
    for store in &STORES {
        for ran_before in [false, true] {
            let mut guest = guest();
            // MOV EBX, 1; HLT, with NOPs in front.
            let mut body = vec![0x90; 0x40];
            body.extend_from_slice(&[0xBB, 1, 0, 0, 0, 0xF4]);
            if ran_before {
                // A call of it first: RET instead of HLT, and the HLT comes behind the second call.
                body[0x45] = 0xC3;
                guest.poke(CODE, &body);
                guest.cpu.xmm[0] = 2 | 0xC3 << 32;
                guest.cpu.xmm[1] = (2 | 0xC3 << 32) << 64 | 0xBB << 56 | 0x0090_9090_9090_9090;
                guest.cpu.rip = CODE + 0x100;
                guest.code(|a| {
                    a.call(TARGET)?;
                    (store.program)(a)?;
                    a.call(TARGET)?;
                    a.hlt()
                });
            } else {
                guest.poke(CODE, &body);
                guest.code(|a| (store.program)(a));
            }
            let when = if ran_before { "code that has run" } else { "the code ahead" };
            cases.push(
                Case::new(FAMILY, format!("{} to {when}", store.name), SELF, guest).is(Probe::Gpr(RBX), 2),
            );
        }
    }
    cases
}

/// The very next byte, inside a loop, and an instruction that changes itself.
fn close() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut next = Guest::protected();
    // MOV byte [next], 43h makes INC EAX an INC EBX.
    next.code(|a| {
        a.mov(byte_ptr(CODE as u32 + 7), 0x43)?;
        a.db(&[0x40])?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "the next instruction", SELF, next).is(Probe::Gpr(RAX), 0).is(Probe::Gpr(RBX), 1),
    );
    let mut turns = Guest::protected();
    turns.cpu.gpr[RCX] = 100;
    turns.code(|a| {
        let mut top = a.create_label();
        a.set_label(&mut top)?;
        a.inc(dword_ptr(CODE as u32 + 7))?;
        a.mov(eax, 0)?;
        a.add(ebx, eax)?;
        a.dec(ecx)?;
        a.jne(top)?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "a loop that counts in its own immediate", SELF, turns)
            .is(Probe::Gpr(RAX), 100)
            .is(Probe::Gpr(RBX), 5050),
    );
    let mut itself = Guest::protected();
    // The instruction that is executing is not affected by its own store; the next pass is.
    itself.cpu.gpr[RDX] = 2;
    itself.code(|a| {
        let mut top = a.create_label();
        a.set_label(&mut top)?;
        a.add(dword_ptr(CODE as u32 + 6), 0x11)?;
        a.dec(edx)?;
        a.jne(top)?;
        a.hlt()
    });
    let at = itself.starts[0] + 6;
    cases.push(
        Case::new(FAMILY, "an instruction that changes itself", SELF, itself).is(Probe::Memory(at, 1), 0x44),
    );
    let mut rep = Guest::protected();
    // REP STOSB that runs over itself goes on to its end; what follows are the stored bytes.
    rep.cpu.gpr[RAX] = 0xF4;
    rep.cpu.gpr[RCX] = 0x20;
    rep.cpu.gpr[RDI] = CODE + 2;
    rep.code(|a| a.rep().stosb());
    cases.push(
        Case::new(FAMILY, "REP STOSB up to its own end", SELF, rep)
            .is(Probe::Gpr(RCX), 0)
            .is(Probe::Rip, CODE + 3),
    );
    cases
}

/// Another linear address of the same frame, an instruction across two pages, and a return to a page that changed.
fn views() -> Vec<Case> {
    let mut cases = Vec::new();
    for long in [false, true] {
        let mut guest = if long { Guest::long() } else { Guest::paged() };
        guest.page(DATA, CODE | 7);
        let mode = if long { "64-bit" } else { "32-bit" };
        guest.code(|a| {
            a.mov(byte_ptr(DATA as u32 + 0x41), 2)?;
            a.jmp(TARGET)
        });
        guest.poke(TARGET, &[0xBB, 1, 0, 0, 0, 0xF4]);
        cases.push(
            Case::new(FAMILY, format!("through another address of the page, {mode}"), ALIAS, guest)
                .is(Probe::Gpr(RBX), 2),
        );
        let mut guest = if long { Guest::long() } else { Guest::paged() };
        guest.page(DATA, CODE | 7);
        guest.poke(TARGET, &[0xBB, 1, 0, 0, 0, 0xC3]);
        guest.code(|a| {
            a.call(TARGET)?;
            a.mov(byte_ptr(DATA as u32 + 0x41), 2)?;
            a.call(TARGET)?;
            a.hlt()
        });
        cases.push(
            Case::new(FAMILY, format!("through another address, code that has run, {mode}"), ALIAS, guest)
                .is(Probe::Gpr(RBX), 2),
        );
    }
    for (name, offset) in [("its first page", 0u64), ("its second page", 2)] {
        let mut guest = Guest::protected();
        // MOV EBX, 01010101h with its immediate across the page boundary.
        let at = CODE + 0x1000 - 2;
        guest.poke(at, &[0xBB, 1, 1, 1, 1, 0xC3]);
        let byte = at + 1 + offset;
        guest.code(|a| {
            a.call(at)?;
            a.mov(byte_ptr(byte as u32), 2)?;
            a.call(at)?;
            a.hlt()
        });
        let expected = 0x0101_0101 + (1 << (8 * offset));
        cases.push(
            Case::new(FAMILY, format!("an instruction across pages, {name}"), SELF, guest)
                .is(Probe::Gpr(RBX), expected),
        );
    }
    let mut spanning = Guest::protected();
    // One dword store across the boundary changes the end of one page and the start of the next.
    let at = CODE + 0x1000 - 3;
    spanning.poke(at, &[0x40, 0x40, 0x40, 0x40, 0x40, 0xC3]);
    spanning.code(|a| {
        a.call(at)?;
        a.mov(dword_ptr(at as u32 + 1), 0x4343_4343u32)?;
        a.call(at)?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "a store across the boundary of two pages of code", SELF, spanning)
            .is(Probe::Gpr(RAX), 6)
            .is(Probe::Gpr(RBX), 4),
    );
    cases.push(remapped_code());
    cases
}

/// A page of code is replaced by another frame: MOV CR3, and the new code runs.
fn remapped_code() -> Case {
    let mut guest = Guest::long();
    guest.poke(DATA, &[0xBB, 1, 0, 0, 0, 0xC3]);
    guest.poke(DATA + 0x1000, &[0xBB, 2, 0, 0, 0, 0xC3]);
    let entry = PAGES + 0x3000 + 8 * (DATA >> 12);
    guest.code(|a| {
        a.call(DATA)?;
        a.mov(ecx, ebx)?;
        a.mov(rax, (DATA + 0x1000) | 7)?;
        a.mov(qword_ptr(entry), rax)?;
        a.mov(rax, cr3)?;
        a.mov(cr3, rax)?;
        a.call(DATA)?;
        a.hlt()
    });
    Case::new(FAMILY, "a page of code mapped anew", ALIAS, guest)
        .is(Probe::Gpr(RCX), 1)
        .is(Probe::Gpr(RBX), 2)
}

/// Somebody else writes the code while a handler runs; IRET serializes, and the new code runs.
fn by_others() -> Vec<Case> {
    [("the next instruction", 1usize), ("code that has run", 0)]
        .into_iter()
        .map(|(name, changed)| {
            let mut guest = Guest::protected();
            guest.code(|a| {
                a.inc(eax)?;
                a.int(0x44)?;
                a.inc(eax)?;
                a.dec(ecx)?;
                a.jne(CODE)?;
                a.hlt()
            });
            guest.cpu.gpr[RCX] = 2;
            let at = guest.starts[2 * changed];
            // INC EAX becomes INC EBX.
            let action = Action::Poke(at, vec![0x43]);
            let (a_count, b_count) = if changed == 1 { (2, 2) } else { (3, 1) };
            Case::new(FAMILY, format!("written from outside: {name}"), SELF, guest)
                .event(0x44)
                .then(action)
                .event(0x44)
                .ends()
                .is(Probe::Gpr(RAX), a_count)
                .is(Probe::Gpr(RBX), b_count)
        })
        .collect()
}

/// A store that faults leaves the code as it was.
fn no_change() -> Case {
    let mut guest = Guest::paged();
    guest.page(CODE, CODE | 5);
    guest.code(|a| {
        a.mov(byte_ptr(CODE as u32 + 8), 0x43)?;
        a.hlt()
    });
    Case::new(FAMILY, "a store to read-only code", SELF, guest).fault(PF, 3, 0)
}

pub(super) fn cases() -> Vec<Case> {
    [stores(), close(), views(), by_others(), vec![no_change()]].concat()
}
