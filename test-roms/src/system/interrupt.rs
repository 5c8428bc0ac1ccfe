//! Interrupt, trap and task gates: frames, flags, stack switches, interrupt stacks, and every way to fail.

use super::board::INTR_PORT;
use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::{EXT, FLAT_LIMIT, descriptor, gate, gate_type, idt_error, rights, vector::*};
use super::guest::{Guest, Program, handler, layout::*, reg::*, selector};
use emu_core::vcpu::{Segment, SegmentName, rflags};
use iced_x86::code_asm::*;

const FAMILY: &str = "interrupts and gates";
const FLAGS: Citation = sdm("3A", "6.12.1.3", "Flag Usage By Exception- or Interrupt-Handler Procedure");
const PROTECTION: Citation =
    sdm("3A", "6.12.1.2", "Protection of Exception- and Interrupt-Handler Procedures");
const STACK: Citation = sdm("3A", "6.12.1", "Exception- or Interrupt-Handler Procedures");
const ERRORS: Citation = sdm("3A", "6.13", "Error Code");
const INT: Citation = sdm("2", "", "INT n/INTO/INT3/INT1-Call to Interrupt Procedure");
const REAL: Citation = sdm("3B", "20.1.4", "Interrupt and Exception Handling");

/// A vector of the case's own.
pub(super) const N: u8 = 0x44;

/// Gate type, word size, whether IF stays.
const KINDS: [(&str, u64, u64, bool); 4] = [
    ("16-bit interrupt gate", gate_type::INTERRUPT16, 2, false),
    ("16-bit trap gate", gate_type::TRAP16, 2, true),
    ("32-bit interrupt gate", gate_type::INTERRUPT32, 4, false),
    ("32-bit trap gate", gate_type::TRAP32, 4, true),
];

/// INT n through every kind of gate from every level to every inner level.
fn frames() -> Vec<Case> {
    let mut cases = Vec::new();
    let levels = [
        (0u64, selector::CODE0, selector::DATA0, STACK0),
        (1, selector::CODE1, selector::DATA1, STACK1),
        (2, selector::CODE2, selector::DATA2, STACK2),
        (3, selector::CODE3, selector::DATA3, STACK3),
    ];
    for (kind, gate_kind, size, keeps_if) in KINDS {
        for (from, from_code, from_data, from_top) in levels {
            for (to, to_code, to_data, to_top) in levels.into_iter().filter(|(to, ..)| *to <= from) {
                let set = rflags::IF | rflags::NT | rflags::DF | 3 << 12 | rflags::CF;
                let mut guest = Guest::protected().at_ring(from as u8).flags(set);
                guest.gate(N, gate(to_code, handler(N), gate_kind | gate_type::DPL3, 0));
                guest.code(|a| a.int(i32::from(N)));
                let name = format!("INT through a {kind} from CPL {from} to {to}");
                let case = Case::new(FAMILY, name, FLAGS, guest);
                // HLT needs CPL 0: at the others it is a #GP whose frame tells of the handler.
                let kept = set & !rflags::NT & if keeps_if { u64::MAX } else { !rflags::IF };
                let top = if to == from { from_top } else { to_top };
                let low = top - size * if to == from { 3 } else { 5 };
                let back = case.at(1) & (u64::MAX >> (64 - 8 * size));
                let frame = [
                    (Probe::Memory(low, size), back),
                    (Probe::Memory(low + size, 2), u64::from(from_code)),
                    (Probe::Memory(low + 2 * size, size), (set | 2) & (u64::MAX >> (64 - 8 * size))),
                ];
                let old_stack = [
                    (Probe::Memory(to_top - 2 * size, size), from_top & (u64::MAX >> (64 - 8 * size))),
                    (Probe::Memory(to_top - size, 2), u64::from(from_data)),
                ];
                let case = if to == 0 {
                    case.event(N).is(Probe::Flags(0x3_FFFF), kept | 2).is(Probe::Gpr(RSP), low).all(&[
                        (Probe::Segment(SegmentName::Cs, Part::Selector), u64::from(to_code)),
                        (Probe::Segment(SegmentName::Ss, Part::Selector), u64::from(to_data)),
                    ])
                } else {
                    case.event(GP)
                        .is(Probe::SavedRip, handler(N))
                        .is(Probe::SavedCs, u64::from(to_code))
                        .is(Probe::SavedSs, u64::from(to_data))
                        .is(Probe::SavedRsp, low)
                        .is(Probe::SavedFlags(0xFFFF), kept | 2)
                };
                let case = case.all(&frame);
                cases.push(if to == from { case } else { case.all(&old_stack) });
            }
        }
    }
    cases
}

/// A conforming handler runs at the level of what it interrupts, on its stack.
fn conforming() -> Vec<Case> {
    [0u64, 3]
        .into_iter()
        .map(|cpl| {
            let mut guest = Guest::protected().at_ring(cpl as u8);
            guest.descriptor(selector::SPARE, descriptor(0, FLAT_LIMIT, rights::FLAT | 0x9E));
            guest.gate(N, gate(selector::SPARE, CODE + 0x400, 0xEE, 0));
            guest.code(|a| a.int(i32::from(N)));
            guest.code_at(0, CODE + 0x400, 32, |a| a.int(i32::from(END)));
            let top = guest.cpu.gpr[RSP];
            Case::new(FAMILY, format!("conforming handler at CPL {cpl}"), PROTECTION, guest)
                .event(END)
                .is(Probe::SavedCs, u64::from(selector::SPARE) | cpl)
                .is(Probe::SavedRsp, top - 12)
        })
        .collect()
}

/// Who may use which gate: the DPL counts for INT n, INT3 and INTO, not for exceptions, interrupts and INT1.
fn privilege() -> Vec<Case> {
    let rows: [(&str, u8, Program, bool); 7] = [
        ("INT n", N, |a| a.int(i32::from(N)), true),
        ("INT3", BP, |a| a.int3(), true),
        ("INTO", OF, |a| a.into(), true),
        ("INT1", DB, |a| a.int1(), false),
        ("UD2", UD, |a| a.ud2(), false),
        ("DIV", DE, |a| a.div(bl), false),
        ("BOUND", BR, |a| a.bound(eax, qword_ptr(DATA as u32)), false),
    ];
    let mut cases = Vec::new();
    for (name, vector, program, counts) in rows {
        for dpl in [0u64, 2, 3] {
            let mut guest = Guest::protected().at_ring(3).flags(rflags::OF);
            guest.cpu.gpr[RAX] = 9;
            guest.gate(vector, gate(selector::CODE0, handler(vector), gate_type::INTERRUPT32 | dpl << 5, 0));
            guest.code(program);
            let case =
                Case::new(FAMILY, format!("{name} at CPL 3 with a gate of DPL {dpl}"), PROTECTION, guest);
            let trap = usize::from(matches!(vector, N | BP | OF | DB));
            cases.push(if counts && dpl < 3 {
                case.fault(GP, idt_error(vector), 0)
            } else {
                case.event(vector).rip(trap)
            });
        }
    }
    cases
}

/// What raises the event that fails to be delivered, its EXT bit, and where the frame of the failure points to.
#[derive(Clone, Copy)]
enum Source {
    Software,
    External,
    Exception,
}

/// One thing wrong with a gate or with what it leads to, in protected mode from CPL 3.
pub(super) struct Flaw {
    pub(super) name: &'static str,
    pub(super) change: fn(&mut Guest, u8),
    pub(super) vector: u8,
    /// Without EXT; `None` is the IDT entry itself.
    pub(super) error: Option<u16>,
}

pub(super) const fn flaw(
    name: &'static str,
    vector: u8,
    error: Option<u16>,
    change: fn(&mut Guest, u8),
) -> Flaw {
    Flaw { name, change, vector, error }
}

fn spare_stack(guest: &mut Guest, limit: u64, rights: u64) {
    guest.descriptor(0xB0, descriptor(0, limit, rights));
    guest.poke16(TSS + 8, 0xB0);
}

const STACK_DATA: u64 = rights::FLAT | rights::DATA;

const FLAWS: [Flaw; 19] = [
    flaw("type 0", GP, None, |g, n| g.gate(n, gate(8, handler(n), 0xE0, 0))),
    flaw("call gate in the IDT", GP, None, |g, n| g.gate(n, gate(8, handler(n), 0xEC, 0))),
    flaw("data segment in the IDT", GP, None, |g, n| g.gate(n, gate(8, handler(n), 0xF2, 0))),
    flaw("gate not present", NP, None, |g, n| g.gate(n, gate(8, handler(n), 0x6E, 0))),
    flaw("null code segment", GP, Some(0), |g, n| g.gate(n, gate(0, handler(n), 0xEE, 0))),
    flaw("code segment outside the GDT", GP, Some(0x1F8), |g, n| g.gate(n, gate(0x1F8, handler(n), 0xEE, 0))),
    flaw("code segment of no LDT", GP, Some(0x0C), |g, n| g.gate(n, gate(0x0C, handler(n), 0xEE, 0))),
    flaw("code segment is data", GP, Some(0x10), |g, n| g.gate(n, gate(0x10, handler(n), 0xEE, 0))),
    flaw("code segment not present", NP, Some(0x90), |g, n| {
        g.descriptor(0x90, descriptor(0, FLAT_LIMIT, rights::FLAT | 0x1A));
        g.gate(n, gate(0x90, handler(n), 0xEE, 0));
    }),
    flaw("entry beyond the limit", GP, Some(0), |g, n| {
        g.descriptor(0x90, descriptor(0, 0xFFF, rights::BIG | 0x9A));
        g.gate(n, gate(0x90, 0x1000, 0xEE, 0));
    }),
    flaw("null stack", TS, Some(0), |g, _| g.poke16(TSS + 8, 0)),
    flaw("stack outside the GDT", TS, Some(0x1F8), |g, _| g.poke16(TSS + 8, 0x1F8)),
    flaw("stack of another RPL", TS, Some(0x10), |g, _| g.poke16(TSS + 8, 0x11)),
    flaw("stack of another DPL", TS, Some(0x20), |g, _| g.poke16(TSS + 8, 0x20)),
    flaw("stack read-only", TS, Some(0xB0), |g, _| spare_stack(g, FLAT_LIMIT, rights::FLAT | 0x91)),
    flaw("stack not present", SS, Some(0xB0), |g, _| spare_stack(g, FLAT_LIMIT, STACK_DATA & !0x80)),
    flaw("stack too small", SS, Some(0xB0), |g, _| {
        spare_stack(g, 19, rights::BIG | rights::DATA | 4);
        g.poke32(TSS + 4, 39);
    }),
    flaw("TSS too small", TS, Some(0x28), |g, _| g.cpu.tr.limit = 8),
    // Intel SDM Vol. 2, "INT n", INTER-PRIVILEGE-LEVEL-INTERRUPT: the stack comes before the entry point.
    flaw("null stack and an entry beyond the limit", TS, Some(0), |g, n| {
        g.descriptor(0x90, descriptor(0, 0xFFF, rights::BIG | 0x9A));
        g.gate(n, gate(0x90, 0x1000, 0xEE, 0));
        g.poke16(TSS + 8, 0);
    }),
];

/// Each flaw met by INT n (EXT = 0), by an interrupt and by an exception (EXT = 1).
fn flaws() -> Vec<Case> {
    let sources = [
        ("INT n", Source::Software),
        ("interrupt", Source::External),
        ("benign exception", Source::Exception),
    ];
    let mut cases = Vec::new();
    for flaw in &FLAWS {
        for (source_name, source) in sources {
            let mut guest = Guest::protected().at_ring(3).flags(rflags::IF | 3 << 12);
            guest = guest.through_task(flaw.vector);
            let n = if matches!(source, Source::Exception) { UD } else { N };
            (flaw.change)(&mut guest, n);
            guest.code(|a| match source {
                Source::Software => a.int(i32::from(n)),
                Source::External => {
                    a.mov(al, i32::from(n))?;
                    a.out(i32::from(INTR_PORT), al)?;
                    a.nop()
                }
                Source::Exception => a.ud2(),
            });
            let case = Case::new(FAMILY, format!("{} met by {source_name}", flaw.name), ERRORS, guest);
            let (ext, at) = match source {
                Source::Software => (0, 0),
                Source::External => (EXT, 2),
                Source::Exception => (EXT, 0),
            };
            let rip = case.at(at);
            let error = flaw.error.map_or(idt_error(n), u64::from) | ext;
            cases.push(
                case.event(flaw.vector)
                    .is(Probe::SavedError, error)
                    .is(Probe::Memory(TSS + 0x20, 4), rip)
                    .is(Probe::Memory(TSS + 0x38, 4), STACK3),
            );
        }
    }
    cases
}

/// A handler of less privilege than the program, and vectors beyond the IDT.
fn other_flaws() -> Vec<Case> {
    let mut outer = Guest::protected();
    outer.gate(N, gate(selector::CODE3, handler(N), 0xEE, 0));
    outer.code(|a| a.int(i32::from(N)));
    let mut cases =
        vec![Case::new(FAMILY, "handler of less privilege", PROTECTION, outer).fault(GP, 0x18, 0)];
    for (limit, good) in [(0x227u16, true), (0x226, false)] {
        for external in [false, true] {
            let mut guest = Guest::protected().flags(rflags::IF);
            guest.cpu.idtr.limit = limit;
            guest.code(|a| {
                if external {
                    a.mov(al, i32::from(N))?;
                    a.out(i32::from(INTR_PORT), al)?;
                } else {
                    a.nop()?;
                    a.int(i32::from(N))?;
                }
                a.nop()
            });
            let name =
                format!("IDT limit {limit:x}h, vector 44h, {}", if external { "interrupt" } else { "INT n" });
            let case = Case::new(FAMILY, name, ERRORS, guest);
            cases.push(match (good, external) {
                (true, _) => case.event(N).rip(2),
                (false, true) => case.fault(GP, idt_error(N) | EXT, 2),
                (false, false) => case.fault(GP, idt_error(N), 1),
            });
        }
    }
    cases
}

fn real() -> Vec<Case> {
    let mut cases = Vec::new();
    let set = rflags::IF | rflags::AC | rflags::DF | rflags::CF;
    let mut guest = Guest::real().flags(set);
    guest.code(|a| a.int(i32::from(N)));
    cases.push(Case::new(FAMILY, "real mode: INT", REAL, guest).event(N).rip(1).all(&[
        (Probe::SavedCs, CODE >> 4),
        (Probe::SavedFlags(0xFFFF), (set | 2) & 0xFFFF),
        (Probe::Flags(0x3F_FFFF), 2 | rflags::DF | rflags::CF),
        (Probe::Gpr(RSP), 0xFF00 - 6),
    ]));
    for (limit, good) in [(0x113u16, true), (0x112, false)] {
        let mut guest = Guest::real();
        guest.cpu.idtr.limit = limit;
        guest.code(|a| a.int(i32::from(N)));
        let case = Case::new(FAMILY, format!("real mode: IVT limit {limit:x}h"), REAL, guest);
        cases.push(if good { case.event(N).rip(1) } else { case.event(GP).rip(0) });
    }
    let mut guest = Guest::real();
    guest.cpu.gpr[RSP] = 1;
    guest.code(|a| a.int(i32::from(N)));
    cases.push(Case::new(FAMILY, "real mode: no room for the frame", REAL, guest).shuts_down());
    let mut guest = Guest::real();
    guest.cpu.idtr.base = DATA;
    guest.poke32(DATA + 4 * u64::from(N), ((HANDLERS as u32) >> 4) << 16 | 0x440);
    guest.code(|a| a.int(i32::from(N)));
    cases.push(Case::new(FAMILY, "real mode: LIDT moves the vector table", REAL, guest).event(N));
    cases
}

/// An interrupt that is acknowledged comes without an error code, whatever its vector.
fn no_error_code() -> Vec<Case> {
    [("INT 13", false), ("interrupt 13", true)]
        .into_iter()
        .map(|(name, external)| {
            let mut guest = Guest::protected().flags(rflags::IF);
            guest.code(|a| {
                if external {
                    a.mov(al, i32::from(GP))?;
                    a.out(i32::from(INTR_PORT), al)?;
                } else {
                    a.nop()?;
                    a.int(i32::from(GP))?;
                }
                a.nop()
            });
            Case::new(FAMILY, format!("{name} has no error code"), STACK, guest)
                .without_error(GP)
                .event(GP)
                .rip(2)
                .is(Probe::Gpr(RSP), STACK0 - 12)
        })
        .collect()
}

/// A 16-bit stack segment: only SP moves.
fn small_stack() -> Case {
    let mut guest = Guest::protected();
    let narrow = guest.segment(selector::DATA16);
    guest.cpu.seg[2] = Segment { selector: selector::DATA16, ..narrow };
    guest.cpu.gpr[RSP] = 0x1234_0004;
    guest.code(|a| a.int(i32::from(N)));
    Case::new(FAMILY, "a 16-bit stack wraps under a 32-bit frame", STACK, guest)
        .event(N)
        .is(Probe::Gpr(RSP), 0x1234_FFF8)
        .is(Probe::Memory(CODE, 4), 2)
        .is(Probe::Memory(CODE + 0xFFFC, 2), u64::from(selector::CODE0))
}

pub(super) fn cases() -> Vec<Case> {
    [
        frames(),
        conforming(),
        privilege(),
        flaws(),
        other_flaws(),
        real(),
        no_error_code(),
        vec![small_stack(), into_not_taken()],
    ]
    .concat()
}

fn into_not_taken() -> Case {
    let mut guest = Guest::protected();
    guest.code(|a| {
        a.into()?;
        a.hlt()
    });
    Case::new(FAMILY, "INTO without OF", INT, guest)
}
