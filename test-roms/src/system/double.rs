//! Faults while a fault is being delivered, and which of several faults of one instruction comes first.

use super::board::INTR_PORT;
use super::case::{Case, Citation, Probe, sdm};
use super::encode::{EXT, descriptor, gate, idt_error, rights, vector::*};
use super::guest::{Guest, PAGE, Program, handler, layout::*, reg::*, selector};
use emu_core::vcpu::{cr0, rflags};
use iced_x86::code_asm::*;
use iced_x86::{Code, Instruction};

const FAMILY: &str = "double faults and priority";
const DOUBLE: Citation = sdm("3A", "6.15", "Interrupt 8-Double Fault Exception (#DF)");
const PRIORITY: Citation = sdm("3A", "6.9", "Priority Among Simultaneous Exceptions and Interrupts");

/// A first event, and what it counts as.
struct First {
    name: &'static str,
    vector: u8,
    class: Class,
    program: Program,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Benign,
    Contributory,
    PageFault,
}

const fn first(name: &'static str, vector: u8, class: Class, program: Program) -> First {
    First { name, vector, class, program }
}

/// A page that is not mapped.
const HOLE: u32 = 0x8_0000;

const FIRSTS: [First; 12] = [
    first("#DE", DE, Class::Contributory, |a| a.div(bl)),
    first("#TS", TS, Class::Contributory, |a| {
        a.add_instruction(Instruction::with_far_branch(Code::Jmp_ptr1632, selector::TASK2, 0)?)
    }),
    first("#NP", NP, Class::Contributory, |a| a.mov(ds, cx)),
    first("#SS", SS, Class::Contributory, |a| a.mov(ss, dx)),
    first("#GP", GP, Class::Contributory, |a| a.mov(ds, si)),
    first("#PF", PF, Class::PageFault, |a| a.mov(eax, dword_ptr(HOLE))),
    first("#UD", UD, Class::Benign, |a| a.ud2()),
    first("#NM", NM, Class::Benign, |a| a.fld1()),
    first("#BR", BR, Class::Benign, |a| a.bound(edi, qword_ptr(DATA as u32))),
    first("INT1", DB, Class::Benign, |a| a.int1()),
    first("INT n", 0x44, Class::Benign, |a| a.int(0x44)),
    first("interrupt", 0x45, Class::Benign, |a| {
        a.mov(al, 0x45)?;
        a.out(i32::from(INTR_PORT), al)?;
        a.nop()
    }),
];

/// What goes wrong on the way to the first handler.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Second {
    /// The gate is not present: #NP.
    Gate,
    /// The gate's code segment is not in the GDT: #GP.
    Code,
    /// The gate itself is in a page that is not present: #PF.
    Page,
}

fn guest(cpl: u8) -> Guest {
    let mut guest = Guest::paged().at_ring(cpl).flags(rflags::IF | 3 << 12);
    guest.cpu.cr0 |= cr0::TS;
    guest.page(u64::from(HOLE), 0);
    guest.descriptor(0x90, descriptor(0, 0xF_FFFF, rights::FLAT | 0x12)); // data, not present
    guest.descriptor(0x98, descriptor(0, 0xF_FFFF, rights::FLAT | 0x72)); // the same of DPL 3
    guest.descriptor(selector::TASK2, descriptor(TSS2, 0x66, rights::TSS32 | 0x60)); // too small
    let rpl = u64::from(cpl);
    guest.cpu.gpr[RCX] = 0x98 | rpl;
    guest.cpu.gpr[RDX] = if cpl == 0 { 0x90 } else { 0x9B };
    guest.cpu.gpr[RSI] = 0x1F8;
    guest.cpu.gpr[RDI] = 0xFFFF_FFFF;
    guest
}

/// What the second fault pushes as its error code for the first vector; EXT unless the first was INT n.
fn second_error(first: &First, second: Second) -> u64 {
    let ext = if first.name == "INT n" { 0 } else { EXT };
    match second {
        Second::Gate => idt_error(first.vector) | ext,
        Second::Code => 0x1F8 | ext,
        Second::Page => 0,
    }
}

fn combination(first: &First, second: Second, cpl: u8) -> Case {
    let (name, vector, citation) = match second {
        Second::Gate => ("a gate not present", NP, DOUBLE),
        Second::Code => ("a bad code segment", GP, DOUBLE),
        Second::Page => ("a page of the IDT not present", PF, DOUBLE),
    };
    let mut guest = guest(cpl);
    let n = first.vector;
    match second {
        Second::Gate => guest.gate(n, gate(selector::CODE0, handler(n), 0x6E, 0)),
        Second::Code => guest.gate(n, gate(0x1F8, handler(n), 0xEE, 0)),
        Second::Page => {
            // The IDT moves so that only this gate is in a page of its own.
            let base = u64::from(HOLE) - 8 * u64::from(n);
            for other in 0..=255u8 {
                guest.poke64(base + 8 * u64::from(other), gate(selector::CODE0, handler(other), 0xEE, 0));
            }
            guest.cpu.idtr.base = base;
            // Vectors before it are in the mapped page below; those behind it are on other pages of the table.
            guest.page(u64::from(HOLE), 0);
        }
    }
    guest.code(first.program);
    let case = Case::new(FAMILY, format!("{} and then {name}, at CPL {cpl}", first.name), citation, guest);
    let second_class = if second == Second::Page { Class::PageFault } else { Class::Contributory };
    let double = matches!(
        (first.class, second_class),
        (Class::Contributory, Class::Contributory) | (Class::PageFault, _)
    );
    if double {
        case.event(DF).is(Probe::SavedError, 0)
    } else {
        let case = case.event(vector).is(Probe::SavedError, second_error(first, second));
        if second == Second::Page { case.is(Probe::Cr2, u64::from(HOLE)) } else { case }
    }
}

fn combinations() -> Vec<Case> {
    let mut cases = Vec::new();
    for first in &FIRSTS {
        for second in [Second::Gate, Second::Code, Second::Page] {
            for cpl in [0, 3] {
                // The second fault's own gate must be good, and in the mapped page: below the first one's.
                let own = match second {
                    Second::Gate => NP,
                    Second::Code => GP,
                    Second::Page => PF,
                };
                // A far JMP to a TSS of DPL 3 is #TS at both levels; IDT pages end above vector #PF.
                let reachable = second != Second::Page || first.vector > own;
                if first.vector != own && reachable {
                    cases.push(combination(first, second, cpl));
                }
            }
        }
    }
    cases.push(page_fault_twice());
    cases
}

/// #PF whose handler's stack is not there: double fault, on a stack of its own.
fn page_fault_twice() -> Case {
    let mut guest = guest(3).through_task(DF);
    guest.descriptor(selector::TASK2, descriptor(TSS2, 0x67, rights::TSS32));
    guest.page(STACK0 - 0x1000, 0);
    guest.code(|a| a.mov(eax, dword_ptr(HOLE)));
    Case::new(FAMILY, "#PF and then #PF on the handler's stack", DOUBLE, guest)
        .event(DF)
        .is(Probe::SavedError, 0)
        .is(Probe::Cr2, STACK0 - 4)
}

/// What fails while a double fault is being delivered ends in shutdown.
fn triple() -> Vec<Case> {
    type Change = fn(&mut Guest);
    let rows: [(&str, Change); 4] = [
        ("its gate not present", |g| g.gate(DF, gate(selector::CODE0, handler(DF), 0x6E, 0))),
        ("its code segment bad", |g| g.gate(DF, gate(0x1F8, handler(DF), 0xEE, 0))),
        ("its stack not there", |g| g.cpu.gpr[RSP] = u64::from(HOLE) + 0x800),
        ("no IDT at all", |g| g.cpu.idtr.limit = 0),
    ];
    rows.into_iter()
        .map(|(name, change)| {
            let mut guest = guest(0);
            guest.gate(GP, gate(selector::CODE0, handler(GP), 0x6E, 0));
            change(&mut guest);
            guest.code(|a| a.mov(ds, si));
            Case::new(FAMILY, format!("double fault with {name}"), DOUBLE, guest).shuts_down()
        })
        .collect()
}

/// Instructions that could fault in two ways at once.
fn priority() -> Vec<Case> {
    let mut cases = Vec::new();
    // The fetch comes before the decoder, the decoder before the operands.
    let mut undefined = guest(0);
    undefined.cpu.rip = CODE + 0xFFF;
    undefined.page(CODE + 0x1000, 0);
    undefined.code(|a| a.db(&[0x0F, 0x0B]));
    cases.push(
        Case::new(FAMILY, "#PF of the fetch before #UD", PRIORITY, undefined)
            .fault(PF, 0, 0)
            .is(Probe::Cr2, CODE + 0x1000),
    );
    let rows: [(&str, Program, u8, u64); 8] = [
        ("#UD of LOCK before #PF of the operand", |a| a.db(&[0xF0, 0x8B, 0x05, 0, 0, 8, 0]), UD, 0),
        ("more than 15 bytes: #GP", |a| a.db(&[0x66; 16]), GP, 0),
        ("#NM before #PF of the operand", |a| a.fld(dword_ptr(HOLE)), NM, 0),
        ("#GP of the privilege before #PF of the operand", |a| a.lgdt(fword_ptr(HOLE)), GP, 0),
        ("#GP of the privilege before #PF: LMSW", |a| a.lmsw(word_ptr(HOLE)), GP, 0),
        (
            "#GP of the selector before the offset is stored: LFS",
            |a| a.lfs(ecx, fword_ptr(DATA as u32 + 8)),
            GP,
            0x1F8,
        ),
        ("#PF of the operand before #DE", |a| a.div(dword_ptr(HOLE)), PF, 4),
        ("#PF of the second page before #DE", |a| a.div(dword_ptr(HOLE - 2)), PF, 4),
    ];
    for (name, program, vector, error) in rows {
        let mut guest = guest(3).flags(0);
        guest.poke(DATA + 8, &[0, 0, 0, 0, 0xF8, 1]);
        guest.code(program);
        let case = Case::new(FAMILY, name, PRIORITY, guest);
        cases.push(match vector {
            UD | NM => case.event(vector).rip(0),
            PF => case.fault(vector, error, 0).is(Probe::Cr2, u64::from(HOLE)),
            _ => case.fault(vector, error, 0),
        });
    }
    cases.push(segment_before_page());
    cases
}

/// A limit violation beats the page that would have been missing.
fn segment_before_page() -> Case {
    let mut guest = guest(0);
    guest.descriptor(selector::SPARE2, descriptor(0, u64::from(HOLE) - 1, rights::BIG | rights::DATA));
    let small = guest.segment(selector::SPARE2);
    guest.cpu.seg[3] = small;
    guest.page(DATA, PAGE);
    guest.code(|a| a.mov(eax, dword_ptr(HOLE)));
    Case::new(FAMILY, "#GP of the limit before #PF", PRIORITY, guest).fault(GP, 0, 0)
}

pub(super) fn cases() -> Vec<Case> {
    [combinations(), triple(), priority()].concat()
}
