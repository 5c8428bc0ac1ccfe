//! Segment limits at their edges: every access size, both directions of growth, reads, writes, the stack, code.

use super::case::{Case, Citation, Probe, sdm};
use super::encode::{descriptor, rights, vector::*};
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use iced_x86::code_asm::*;
use iced_x86::{Code, Instruction};

const FAMILY: &str = "segment limits";
const LIMITS: Citation = sdm("3A", "5.3", "Limit Checking");
const WRAP: Citation = sdm("3B", "20.1.1", "Address Translation in Real-Address Mode");
const FETCH: Citation = sdm("3A", "6.9", "Priority Among Simultaneous Exceptions and Interrupts");

/// An access of some size at `[EDI]` in one segment.
struct Access {
    name: &'static str,
    bytes: u64,
    /// Through SS: #SS instead of #GP.
    stack: bool,
    program: Program,
}

const fn through(name: &'static str, bytes: u64, program: Program) -> Access {
    Access { name, bytes, stack: false, program }
}

const fn on_stack(name: &'static str, bytes: u64, program: Program) -> Access {
    Access { name, bytes, stack: true, program }
}

const ACCESSES: [Access; 22] = [
    through("byte read", 1, |a| a.mov(al, byte_ptr(edi))),
    through("byte write", 1, |a| a.mov(byte_ptr(edi), al)),
    through("word read", 2, |a| a.mov(ax, word_ptr(edi))),
    through("word write", 2, |a| a.mov(word_ptr(edi), ax)),
    through("dword read", 4, |a| a.mov(eax, dword_ptr(edi))),
    through("dword write", 4, |a| a.mov(dword_ptr(edi), eax)),
    through("dword read-modify-write", 4, |a| a.add(dword_ptr(edi), eax)),
    through("qword read", 8, |a| a.fld(qword_ptr(edi))),
    through("qword write", 8, |a| a.fst(qword_ptr(edi))),
    through("tbyte read", 10, |a| a.fld(tbyte_ptr(edi))),
    through("tbyte write", 10, |a| a.fstp(tbyte_ptr(edi))),
    through("16-byte read", 16, |a| a.movups(xmm0, xmmword_ptr(edi))),
    through("16-byte write", 16, |a| a.movups(xmmword_ptr(edi), xmm0)),
    through("far pointer of 48 bits", 6, |a| a.lfs(ecx, fword_ptr(edi))),
    through("BOUND of 64 bits", 8, |a| a.bound(eax, qword_ptr(edi))),
    through("LODSD", 4, |a| a.lodsd()),
    through("CMPXCHG8B", 8, |a| a.lock().cmpxchg8b(qword_ptr(edi))),
    through("FNSTENV", 28, |a| {
        let operand = iced_x86::MemoryOperand::with_base(iced_x86::Register::EDI);
        a.add_instruction(Instruction::with1(Code::Fnstenv_m28byte, operand)?)
    }),
    on_stack("byte read through SS", 1, |a| a.mov(al, byte_ptr(edi).ss())),
    on_stack("dword read through SS", 4, |a| a.mov(eax, dword_ptr(edi).ss())),
    on_stack("dword write through SS", 4, |a| a.mov(dword_ptr(edi).ss(), eax)),
    on_stack("POP", 4, |a| {
        a.mov(esp, edi)?;
        a.pop(eax)
    }),
];

/// An access at one offset of a segment of 64 KiB at [`DATA`].
fn access(access: &Access, rights: u64, limit: u64, offset: u64, allowed: bool) -> Case {
    let down = rights & 0x4 != 0;
    let kind = match (down, rights & rights::BIG != 0) {
        (false, _) => "expand-up",
        (true, true) => "expand-down, big",
        (true, false) => "expand-down, small",
    };
    let name = format!("{} at {offset:x}h, {kind}, limit {limit:x}h", access.name);
    let mut guest = Guest::protected();
    guest.descriptor(selector::SPARE, descriptor(DATA, limit, rights));
    let target = DATA + offset;
    guest.poke(target, &[0; 32]);
    guest.cpu.gpr[RDI] = offset;
    guest.cpu.gpr[RSI] = offset;
    guest.cpu.x87.control = 0x037F;
    guest.cpu.cr4 |= emu_core::vcpu::cr4::OSFXSR;
    guest.cpu.x87.empty = 0xFE;
    let loaded = guest.segment(selector::SPARE);
    guest.cpu.seg[if access.stack { 2 } else { 3 }] = loaded;
    guest.code(|a| {
        (access.program)(a)?;
        a.hlt()
    });
    let fault_at = guest.starts.len() - 3;
    // The frame of the fault goes onto a good stack: from a task of its own where SS itself is the bad one.
    if access.stack {
        guest = guest.through_task(SS);
    }
    let case = Case::new(FAMILY, name, LIMITS, guest);
    match (allowed, access.stack) {
        (true, _) => case,
        (false, false) => case.fault(GP, 0, fault_at),
        (false, true) => {
            let rip = case.at(fault_at);
            case.event(SS).is(Probe::SavedError, 0).is(Probe::Memory(TSS + 0x20, 4), rip)
        }
    }
}

fn edges() -> Vec<Case> {
    const UP: u64 = rights::BIG | rights::DATA;
    const DOWN: u64 = rights::DATA | 0x4;
    const LIMIT: u64 = 0x7FFF;
    let mut cases = Vec::new();
    for a in &ACCESSES {
        cases.push(access(a, UP, LIMIT, LIMIT + 1 - a.bytes, true));
        cases.push(access(a, UP, LIMIT, LIMIT + 2 - a.bytes, false));
        if a.bytes > 1 {
            cases.push(access(a, UP, LIMIT, LIMIT + 1, false));
        }
        cases.push(access(a, rights::BIG | DOWN, LIMIT, LIMIT + 1, true));
        cases.push(access(a, rights::BIG | DOWN, LIMIT, LIMIT, false));
        cases.push(access(a, DOWN, LIMIT, LIMIT + 1, true));
        cases.push(access(a, DOWN, LIMIT, 0x1_0000 - a.bytes, true));
        cases.push(access(a, DOWN, LIMIT, 0x1_0001 - a.bytes, false));
    }
    cases.push(access(&ACCESSES[4], rights::FLAT | rights::DATA, 0x7, 0x7FFC, true));
    cases.push(access(&ACCESSES[4], rights::FLAT | rights::DATA, 0x7, 0x7FFD, false));
    cases.push(access(&ACCESSES[0], UP, 0, 0, true));
    cases.push(access(&ACCESSES[2], UP, 0, 0, false));
    cases
}

/// Real mode: offsets end at FFFFh, and 16-bit addresses wrap before they are checked.
fn real() -> Vec<Case> {
    let rows: [(&str, Program, Option<u8>); 8] = [
        ("byte at FFFFh", |a| a.mov(al, byte_ptr(di)), None),
        ("word at FFFFh", |a| a.mov(ax, word_ptr(di)), Some(GP)),
        ("word write at FFFFh", |a| a.mov(word_ptr(di), ax), Some(GP)),
        ("dword at FFFFh", |a| a.mov(eax, dword_ptr(di)), Some(GP)),
        ("word at FFFFh + 1, which is 0", |a| a.mov(ax, word_ptr(di + 1)), None),
        ("byte at 10000h by a 32-bit address", |a| a.mov(al, byte_ptr(edi + 1)), Some(GP)),
        ("word at FFFFh through SS", |a| a.mov(ax, word_ptr(di).ss()), Some(SS)),
        ("word at BP + 1", |a| a.mov(ax, word_ptr(bp + 0)), Some(SS)),
    ];
    rows.into_iter()
        .map(|(name, program, fault)| {
            let mut guest = Guest::real();
            guest.cpu.gpr[RDI] = 0xFFFF;
            guest.cpu.gpr[RBP] = 0xFFFF;
            guest.code(|a| {
                program(a)?;
                a.hlt()
            });
            let case = Case::new(FAMILY, format!("real mode: {name}"), WRAP, guest);
            match fault {
                None => case,
                Some(vector) => case.event(vector).rip(0),
            }
        })
        .collect()
}

/// A 16-bit stack pointer wraps from 0 to FFFEh.
fn stack_wrap() -> Case {
    let mut guest = Guest::real();
    guest.cpu.gpr[RSP] = 0xABCD_0000;
    guest.cpu.gpr[RAX] = 0x1234;
    guest.code(|a| {
        a.push(ax)?;
        a.hlt()
    });
    Case::new(
        FAMILY,
        "real mode: PUSH with SP = 0",
        sdm("2", "", "PUSH-Push Word, Doubleword, or Quadword Onto the Stack"),
        guest,
    )
    .all(&[(Probe::Gpr(RSP), 0xABCD_FFFE), (Probe::Memory(CODE + 0xFFFE, 2), 0x1234)])
}

/// Code runs up to its limit, not beyond it.
fn code() -> Vec<Case> {
    let mut cases = Vec::new();
    // NOPs up to the limit: the one behind it faults with its own address.
    let mut guest = Guest::protected();
    guest.descriptor(selector::SPARE, descriptor(CODE, 3, rights::BIG | rights::CODE));
    guest = guest.with_segments(selector::SPARE, selector::DATA0, STACK0);
    guest.code(|a| {
        a.nop()?;
        a.nop()?;
        a.nop()?;
        a.nop()
    });
    cases.push(Case::new(FAMILY, "code: the byte behind the limit", LIMITS, guest).fault(GP, 0, 4));
    let mut guest = Guest::protected();
    guest.descriptor(selector::SPARE, descriptor(CODE, 5, rights::BIG | rights::CODE));
    guest = guest.with_segments(selector::SPARE, selector::DATA0, STACK0);
    guest.code(|a| {
        a.nop()?;
        a.nop()?;
        a.mov(eax, 0x1234_5678)
    });
    cases.push(
        Case::new(FAMILY, "code: an instruction that goes beyond the limit", LIMITS, guest).fault(GP, 0, 2),
    );
    let mut guest = Guest::protected();
    guest.descriptor(selector::SPARE, descriptor(CODE, 0xFFF, rights::BIG | rights::CODE));
    guest = guest.with_segments(selector::SPARE, selector::DATA0, STACK0);
    guest.code(|a| {
        a.mov(eax, 0x1000)?;
        a.jmp(eax)
    });
    cases.push(
        Case::new(FAMILY, "code: a jump beyond the limit faults on the jump", LIMITS, guest).fault(GP, 0, 1),
    );
    cases.push(before_the_page_fault());
    cases.push(real_wrap());
    cases
}

/// The limit is looked at before the page: no #PF for bytes that are outside the segment.
fn before_the_page_fault() -> Case {
    let mut guest = Guest::paged();
    guest.descriptor(selector::SPARE, descriptor(CODE, 0xFFF, rights::BIG | rights::CODE));
    guest = guest.with_segments(selector::SPARE, selector::DATA0, STACK0);
    guest.page(CODE + 0x1000, 0);
    guest.cpu.rip = 0xFFE;
    guest.code(|a| a.mov(eax, 0x1234_5678));
    Case::new(FAMILY, "code: limit before page fault", FETCH, guest).fault(GP, 0, 0)
}

/// IP does not wrap: the instruction behind offset FFFFh is outside the segment.
fn real_wrap() -> Case {
    let mut guest = Guest::real();
    guest.cpu.rip = 0xFFFF;
    guest.cpu.gpr[RSP] = 0x8000;
    guest.code(|a| a.nop());
    Case::new(FAMILY, "real mode: IP does not wrap", LIMITS, guest).event(GP).is(Probe::SavedRip, 0)
}

pub(super) fn cases() -> Vec<Case> {
    [edges(), real(), vec![stack_wrap()], code()].concat()
}
