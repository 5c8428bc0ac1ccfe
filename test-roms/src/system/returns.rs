//! RETF and IRET: to the same and to outer levels, in all modes, with everything that may be wrong on the stack.

use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::{FLAT_LIMIT, descriptor, rights, vector::*};
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use emu_core::vcpu::{SegmentName, rflags};
use iced_x86::code_asm::*;

const FAMILY: &str = "far returns";
const RET: Citation = sdm("2", "", "RET-Return From Procedure");
const IRET: Citation = sdm("2", "", "IRET/IRETD/IRETQ-Interrupt Return");
const NULLING: Citation = sdm("3A", "5.8.6", "Returning from a Called Procedure");
const IRET64: Citation = sdm("3A", "6.14.3", "IRET in IA-32e Mode");

/// Where the program returns to: INT 80h.
const TARGET: u64 = CODE + 0x800;
const CODE_SELECTOR: u16 = selector::SPARE;
const STACK_SELECTOR: u16 = selector::SPARE2;

/// One row of the matrix: what CS descriptor is returned to.
#[derive(Clone, Copy)]
struct Row {
    iret: bool,
    cpl: u64,
    rpl: u64,
    kind: u64,
    dpl: u64,
    present: bool,
}

impl Row {
    fn expected(&self) -> Option<u8> {
        let code = self.kind & 0x18 == 0x18;
        let conforming = self.kind & 4 != 0;
        let entitled = if conforming { self.dpl <= self.rpl } else { self.dpl == self.rpl };
        match (code && self.rpl >= self.cpl && entitled, self.present) {
            (false, _) => Some(GP),
            (true, false) => Some(NP),
            (true, true) => None,
        }
    }

    fn case(&self) -> Case {
        let Self { iret, cpl, rpl, kind, dpl, present } = *self;
        let name = format!(
            "{} from CPL {cpl}: type {kind:02x}h, RPL {rpl}, DPL {dpl}, P {}",
            if iret { "IRETD" } else { "RETF" },
            u8::from(present)
        );
        let mut guest = Guest::protected().at_ring(cpl as u8);
        let rights = rights::FLAT | rights::dpl(kind, dpl) | u64::from(present) << 7;
        guest.descriptor(CODE_SELECTOR, descriptor(0, FLAT_LIMIT, rights));
        let (data, top) = match rpl {
            1 => (selector::DATA1, STACK1),
            2 => (selector::DATA2, STACK2),
            _ => (selector::DATA3, STACK3 - 0x100),
        };
        let (back, flags) = (u64::from(CODE_SELECTOR) | rpl, 2 | 3 << 12);
        if iret {
            guest.stack(4, &[TARGET, back, flags, top, u64::from(data)]);
        } else {
            guest.stack(4, &[TARGET, back, top, u64::from(data)]);
        }
        let before = guest.cpu.gpr[RSP];
        guest.code(|a| if iret { a.iretd() } else { a.retf() });
        guest.code_at(0, TARGET, 32, |a| a.int(i32::from(END)));
        let case = Case::new(FAMILY, name, if iret { IRET } else { RET }, guest);
        if let Some(vector) = self.expected() {
            return case.fault(vector, u64::from(CODE_SELECTOR), 0);
        }
        let outer = rpl > cpl;
        let inner_sp = before + if iret { 12 } else { 8 };
        let case = case.event(END).is(Probe::SavedCs, back).is(Probe::SavedRip, TARGET + 2);
        if outer {
            case.is(Probe::SavedRsp, top).is(Probe::SavedSs, u64::from(data))
        } else {
            case.is(Probe::SavedRsp, inner_sp)
        }
    }
}

fn matrix() -> Vec<Case> {
    let mut cases = Vec::new();
    for iret in [false, true] {
        for cpl in [0, 1, 3] {
            for rpl in 0..4 {
                for (kind, dpls) in
                    [(0x1A, 0..4), (0x18, rpl..rpl + 1), (0x1E, 0..4), (0x12, rpl..rpl + 1), (0x0C, 0..1)]
                {
                    for dpl in dpls {
                        for present in [true, false] {
                            cases.push(Row { iret, cpl, rpl, kind, dpl, present }.case());
                        }
                    }
                }
            }
        }
    }
    cases
}

/// What is wrong with the stack of a return to CPL 3.
struct Flaw {
    name: &'static str,
    /// Selector on the stack, and rights of [`STACK_SELECTOR`].
    ss: u64,
    rights: u64,
    vector: u8,
    error: u64,
}

const STACK: u64 = STACK_SELECTOR as u64;
const GOOD: u64 = rights::FLAT | rights::DATA | 0x60;

const STACK_FLAWS: [Flaw; 8] = [
    Flaw { name: "null SS", ss: 3, rights: GOOD, vector: GP, error: 0 },
    Flaw { name: "SS outside the GDT", ss: 0x1FB, rights: GOOD, vector: GP, error: 0x1F8 },
    Flaw { name: "SS of another RPL", ss: STACK | 2, rights: GOOD, vector: GP, error: STACK },
    Flaw { name: "SS of another DPL", ss: STACK | 3, rights: GOOD & !0x40, vector: GP, error: STACK },
    Flaw { name: "SS read-only", ss: STACK | 3, rights: GOOD & !2, vector: GP, error: STACK },
    Flaw { name: "SS is code", ss: STACK | 3, rights: GOOD | 8, vector: GP, error: STACK },
    Flaw { name: "SS not present", ss: STACK | 3, rights: GOOD & !0x80, vector: SS, error: STACK },
    Flaw { name: "SS of no LDT", ss: 0x0F, rights: GOOD, vector: GP, error: 0x0C },
];

fn stack_flaws() -> Vec<Case> {
    let mut cases = Vec::new();
    for flaw in &STACK_FLAWS {
        for (name, long) in [("RETF", false), ("IRETD", false), ("IRETQ", true)] {
            let mut guest = if long { Guest::long() } else { Guest::protected() };
            guest.descriptor(STACK_SELECTOR, descriptor(0, FLAT_LIMIT, flaw.rights));
            let code = u64::from(selector::CODE3);
            match name {
                "RETF" => guest.stack(4, &[TARGET, code, STACK3, flaw.ss]),
                "IRETD" => guest.stack(4, &[TARGET, code, 2, STACK3, flaw.ss]),
                _ => guest.stack(8, &[TARGET, code, 2, STACK3, flaw.ss]),
            }
            guest.code(|a| match name {
                "RETF" => a.retf(),
                "IRETD" => a.iretd(),
                _ => a.iretq(),
            });
            let citation = if name == "RETF" { RET } else { IRET };
            cases.push(
                Case::new(FAMILY, format!("{name} with {}", flaw.name), citation, guest)
                    .fault(flaw.vector, flaw.error, 0)
                    .is(Probe::Segment(SegmentName::Cs, Part::Selector), u64::from(selector::CODE0)),
            );
        }
    }
    cases
}

/// Other things that make a return fail, and nothing has happened then.
fn other_flaws() -> Vec<Case> {
    let limited = |guest: &mut Guest| {
        guest.descriptor(CODE_SELECTOR, descriptor(0, 0xFFFF, rights::BIG | rights::CODE));
    };
    let mut cases = Vec::new();
    for (name, iret, code, error) in [
        ("null CS", false, 0u64, 0u64),
        ("null CS", true, 3, 0),
        ("CS outside the GDT", false, 0x1F8, 0x1F8),
        ("CS outside the GDT", true, 0x1F8, 0x1F8),
        ("EIP beyond the limit", false, u64::from(CODE_SELECTOR), 0),
        ("EIP beyond the limit", true, u64::from(CODE_SELECTOR), 0),
    ] {
        let mut guest = Guest::protected();
        limited(&mut guest);
        guest.stack(4, &[TARGET, code, 2]);
        let before = guest.cpu.gpr[RSP];
        guest.code(|a| if iret { a.iretd() } else { a.retf() });
        let (instruction, citation) = if iret { ("IRETD", IRET) } else { ("RETF", RET) };
        cases.push(
            Case::new(FAMILY, format!("{instruction} with {name}"), citation, guest)
                .fault(GP, error, 0)
                .is(Probe::SavedRsp, before),
        );
    }
    cases
}

/// Data segments that the outer level may not use become null.
fn nulling() -> Vec<Case> {
    let rows: [(&str, u64, u64, bool); 6] = [
        ("data of DPL 0", 0x93, 0, true),
        ("data of DPL 2", 0x93, 2, true),
        ("data of DPL 3", 0x93, 3, false),
        ("readable code of DPL 0", 0x9B, 0, true),
        ("conforming code of DPL 0", 0x9F, 0, false),
        ("readable code of DPL 3", 0x9B, 3, false),
    ];
    let mut cases = Vec::new();
    for (name, kind, dpl, becomes_null) in rows {
        for iret in [false, true] {
            let mut guest = Guest::protected();
            let rights = rights::FLAT | rights::dpl(kind, dpl);
            guest.descriptor(CODE_SELECTOR, descriptor(0, FLAT_LIMIT, rights));
            let loaded = guest.segment(CODE_SELECTOR);
            for n in [0, 3, 4, 5] {
                guest.cpu.seg[n] = loaded;
            }
            let (code, data) = (u64::from(selector::CODE3), u64::from(selector::DATA3));
            if iret {
                guest.stack(4, &[TARGET, code, 2, STACK3, data]);
            } else {
                guest.stack(4, &[TARGET, code, STACK3, data]);
            }
            guest.code(|a| if iret { a.iretd() } else { a.retf() });
            guest.code_at(0, TARGET, 32, |a| a.int(i32::from(END)));
            let instruction = if iret { "IRETD" } else { "RETF" };
            let mut case =
                Case::new(FAMILY, format!("{instruction} to CPL 3 with {name}"), NULLING, guest).event(END);
            for n in [SegmentName::Es, SegmentName::Ds, SegmentName::Fs, SegmentName::Gs] {
                let chosen = if becomes_null { 0 } else { u64::from(CODE_SELECTOR) };
                case = case
                    .is(Probe::Segment(n, Part::Selector), chosen)
                    .is(Probe::Segment(n, Part::Usable), u64::from(!becomes_null));
            }
            cases.push(case);
        }
    }
    cases
}

/// RETF imm16 drops parameters from both stacks; 16-bit and 64-bit forms.
fn forms() -> Vec<Case> {
    let mut cases = Vec::new();
    let (code, data) = (u64::from(selector::CODE3), u64::from(selector::DATA3));
    let mut guest = Guest::protected();
    guest.stack(4, &[TARGET, code, 0xAAAA, 0xBBBB, STACK3 - 0x40, data]);
    guest.code(|a| a.retf_1(8));
    guest.code_at(0, TARGET, 32, |a| a.int(i32::from(END)));
    cases.push(
        Case::new(FAMILY, "RETF 8 to CPL 3", RET, guest).event(END).is(Probe::SavedRsp, STACK3 - 0x40 + 8),
    );
    let mut guest = Guest::protected();
    guest.stack(4, &[TARGET, u64::from(selector::CODE0), 0xAAAA, 0xBBBB]);
    guest.code(|a| a.retf_1(8));
    guest.code_at(0, TARGET, 32, |a| a.hlt());
    cases.push(Case::new(FAMILY, "RETF 8 to the same level", RET, guest).is(Probe::Gpr(RSP), STACK0));
    let mut guest = Guest::protected();
    guest.stack(2, &[TARGET & 0xFFFF, code, STACK3 & 0xFFFF, data]);
    guest.code(|a| a.db(&[0x66, 0xCB]));
    guest.code_at(0, TARGET & 0xFFFF, 32, |a| a.int(i32::from(END)));
    // The new SS is big: the whole of ESP comes from a word.
    cases.push(
        Case::new(FAMILY, "16-bit RETF to CPL 3", RET, guest)
            .event(END)
            .is(Probe::SavedRip, (TARGET & 0xFFFF) + 2)
            .is(Probe::SavedRsp, STACK3 & 0xFFFF),
    );
    for (name, words, program) in [
        ("RETFQ", vec![TARGET, code, STACK3, data], (|a| a.db(&[0x48, 0xCB])) as Program),
        ("IRETQ", vec![TARGET, code, 0x202, STACK3, data], |a| a.iretq()),
    ] {
        let mut guest = Guest::long();
        guest.stack(8, &words);
        guest.code(program);
        guest.code_at(0, TARGET, 64, |a| a.int(i32::from(END)));
        cases.push(
            Case::new(FAMILY, format!("{name} to CPL 3"), RET, guest)
                .event(END)
                .is(Probe::SavedRsp, STACK3)
                .is(Probe::SavedCs, code)
                .is(Probe::SavedSs, data),
        );
    }
    cases
}

/// IRETQ: SS:RSP always, null SS below CPL 3, to compatibility mode, targets that are not canonical.
fn long_iret() -> Vec<Case> {
    const HERE: u64 = selector::CODE0 as u64;
    const USER: u64 = selector::CODE3 as u64;
    const USER_SS: u64 = selector::DATA3 as u64;
    let mut cases = Vec::new();
    for (name, cs_there, ss_there, good) in [
        ("null SS to 64-bit code of CPL 0", HERE, 0, true),
        ("null SS with RPL 3 to CPL 0", HERE, 3, false),
        ("null SS to CPL 3", USER, 3, false),
        ("null SS to compatibility mode at CPL 0", u64::from(selector::CODE32), 0, false),
        ("SS of CPL 0", HERE, u64::from(selector::DATA0), true),
        ("SS of RPL 3 to CPL 0", HERE, USER_SS, false),
    ] {
        let mut guest = Guest::long();
        guest.stack(8, &[TARGET, cs_there, 2, STACK1, ss_there]);
        guest.code(|a| a.iretq());
        guest.code_at(0, TARGET, 64, |a| a.hlt());
        let case = Case::new(FAMILY, format!("IRETQ: {name}"), IRET64, guest);
        cases.push(if good {
            case.is(Probe::Gpr(RSP), STACK1)
                .is(Probe::Segment(SegmentName::Ss, Part::Selector), ss_there)
                .is(Probe::Cpl, 0)
        } else {
            case.fault(GP, ss_there & !3, 0)
        });
    }
    for (name, rip, code, good) in [
        ("last canonical address", 0x7FFF_FFFF_FFFF, USER, true),
        ("not canonical", 0x8000_0000_0000, USER, false),
        ("not canonical, high", 0xFFFF_7FFF_FFFF_FFFF, USER, false),
        ("beyond 4 GiB to compatibility mode", 0x1_0000_0000, u64::from(selector::CODE32_3), false),
    ] {
        let mut guest = Guest::long();
        guest.stack(8, &[rip, code, 2, STACK3, USER_SS]);
        guest.code(|a| a.iretq());
        let case = Case::new(FAMILY, format!("IRETQ to RIP {rip:x}h: {name}"), IRET64, guest);
        cases.push(if good {
            // Nothing is mapped there.
            case.event(PF).is(Probe::SavedError, 0x14).is(Probe::SavedRip, rip).is(Probe::Cr2, rip)
        } else {
            case.fault(GP, 0, 0)
        });
    }
    let mut guest = Guest::long().flags(rflags::NT);
    guest.stack(8, &[TARGET, HERE, 2, STACK1, 0]);
    guest.code(|a| a.iretq());
    cases.push(Case::new(FAMILY, "IRETQ with NT", IRET64, guest).fault(GP, 0, 0));
    cases.push(to_compatibility());
    cases.push(within_compatibility());
    cases
}

fn to_compatibility() -> Case {
    let mut guest = Guest::long();
    guest.cpu.gpr[RAX] = u64::MAX;
    let (code, data) = (u64::from(selector::CODE32_3), u64::from(selector::DATA3));
    guest.stack(8, &[TARGET, code, 0x202, STACK3, data]);
    guest.code(|a| a.iretq());
    guest.code_at(0, TARGET, 32, |a| {
        a.inc(eax)?;
        a.int(i32::from(END))
    });
    Case::new(FAMILY, "IRETQ to compatibility mode", IRET64, guest)
        .event(END)
        .is(Probe::SavedRip, TARGET + 3)
        .is(Probe::SavedCs, code)
        .is(Probe::Gpr(RAX), 0)
}

/// IRETD of compatibility mode at one level does not touch SS:ESP.
fn within_compatibility() -> Case {
    let mut guest = Guest::long().compatibility(0);
    guest.stack(4, &[TARGET, u64::from(selector::CODE32), 2, 0xDEAD, 0xBEEF]);
    guest.code(|a| a.iretd());
    guest.code_at(0, TARGET, 32, |a| a.hlt());
    Case::new(FAMILY, "IRETD inside compatibility mode", IRET64, guest).is(Probe::Gpr(RSP), STACK0 - 8)
}

/// Real mode takes whatever there is.
fn real() -> Vec<Case> {
    let there = (CODE >> 4) + 0x10;
    let rows: [(&str, u64, Vec<u64>, Program); 4] = [
        ("RETF", 2, vec![0x20, there], |a| a.retf()),
        ("RETF 6", 2, vec![0x20, there, 1, 2, 3], |a| a.retf_1(6)),
        ("IRET", 2, vec![0x20, there, 0x7202], |a| a.iret()),
        ("IRETD", 4, vec![0x20, there, 0x20_7202], |a| a.iretd()),
    ];
    rows.into_iter()
        .map(|(name, size, words, program)| {
            let mut guest = Guest::real();
            let top = guest.cpu.gpr[RSP];
            guest.stack(size, &words);
            guest.code(program);
            guest.code_at(CODE, 0x120, 16, |a| a.hlt());
            let case = Case::new(FAMILY, format!("real mode: {name}"), RET, guest).all(&[
                (Probe::Gpr(RSP), top),
                (Probe::Segment(SegmentName::Cs, Part::Selector), there),
                (Probe::Rip, 0x21),
            ]);
            if name.starts_with('I') { case.is(Probe::Flags(0x7FFF), 0x7202) } else { case }
        })
        .collect()
}

pub(super) fn cases() -> Vec<Case> {
    [matrix(), stack_flaws(), other_flaws(), nulling(), forms(), long_iret(), real()].concat()
}
