//! Hardware task switches: what is saved and loaded, busy bits and links, and faults before and after the switch.

use super::board::INTR_PORT;
use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::{FLAT_LIMIT, descriptor, gate, gate_type, rights, vector::*};
use super::guest::{Guest, layout::*, reg::*, selector};
use emu_core::vcpu::{SegmentName, cr0, rflags};
use iced_x86::code_asm::*;
use iced_x86::{Code, Instruction};

const FAMILY: &str = "task switches";
const SWITCH: Citation = sdm("3A", "7.3", "Task Switching");
const LINK: Citation = sdm("3A", "7.4", "Task Linking");
const BUSY: Citation = sdm("3A", "7.4.1", "Use of Busy Flag To Prevent Recursive Task Switching");
const TSS16: Citation = sdm("3A", "7.6", "16-Bit Task-State Segment (TSS)");
const GATE: Citation = sdm("3A", "7.2.5", "Task-Gate Descriptor");
const TRAP: Citation = sdm("3B", "17.3.1.5", "Task-Switch Exception Condition");
const INT_TASK: Citation = sdm("3A", "6.12.2", "Interrupt Tasks");

/// Where the second task starts.
pub(super) const ENTRY: u64 = CODE + 0x800;
pub(super) const OLD: u16 = selector::TASK;
pub(super) const NEW: u16 = selector::TASK2;
/// Fields of a TSS.
pub(super) const TSS_CS: u64 = 0x4C;
pub(super) const TSS_SS: u64 = 0x50;
pub(super) const TSS_DS: u64 = 0x54;
pub(super) const TSS_LDT: u64 = 0x60;
/// A task gate to [`NEW`].
const TASK_GATE: u16 = selector::SPARE;

pub(super) fn far(a: &mut CodeAssembler, code: Code, selector: u16) -> Result<(), iced_x86::IcedError> {
    a.add_instruction(Instruction::with_far_branch(code, selector, 0xFFFF_FFFF)?)
}

/// A guest whose second task halts, with registers that can be told apart.
pub(super) fn two_tasks() -> Guest {
    let mut guest = Guest::protected();
    guest.task(TSS2, ENTRY, STACK1);
    for n in 0..8u64 {
        if n != RSP as u64 {
            guest.poke32(TSS2 + 0x28 + 4 * n, 0x2222_0000 | n as u32);
            guest.cpu.gpr[n as usize] = 0x1111_0000 | n;
        }
    }
    guest.descriptor(TASK_GATE, gate(NEW, 0, gate_type::TASK, 0));
    guest.code_at(0, ENTRY, 32, |a| a.hlt());
    guest
}

pub(super) fn type_of(selector: u16) -> Probe {
    Probe::Memory(GDT + u64::from(selector & !7) + 5, 1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    Jump,
    Call,
    JumpGate,
    CallGate,
    Interrupt,
    External,
    Fault,
}

const WAYS: [(&str, Via); 7] = [
    ("JMP to a TSS", Via::Jump),
    ("CALL to a TSS", Via::Call),
    ("JMP to a task gate", Via::JumpGate),
    ("CALL to a task gate", Via::CallGate),
    ("INT n", Via::Interrupt),
    ("an interrupt", Via::External),
    ("a fault", Via::Fault),
];

impl Via {
    fn nests(self) -> bool {
        !matches!(self, Self::Jump | Self::JumpGate)
    }

    fn program(self, a: &mut CodeAssembler) -> Result<(), iced_x86::IcedError> {
        match self {
            Self::Jump => far(a, Code::Jmp_ptr1632, NEW)?,
            Self::Call => far(a, Code::Call_ptr1632, NEW)?,
            Self::JumpGate => far(a, Code::Jmp_ptr1632, TASK_GATE)?,
            Self::CallGate => far(a, Code::Call_ptr1632, TASK_GATE)?,
            Self::Interrupt => a.int(0x44)?,
            Self::External => {
                a.push(eax)?;
                a.mov(al, 0x44)?;
                a.out(i32::from(INTR_PORT), al)?;
                a.pop(eax)?;
            }
            Self::Fault => a.ud2()?,
        }
        a.hlt()
    }

    /// The instruction whose address the old task keeps.
    fn resumes(self) -> usize {
        match self {
            Self::External => 3,
            Self::Fault => 0,
            _ => 1,
        }
    }
}

/// Everything a switch saves, loads and marks.
fn ways() -> Vec<Case> {
    WAYS.iter()
        .map(|(name, via)| {
            let mut guest = two_tasks().flags(rflags::IF | rflags::CF | rflags::DF);
            for vector in [0x44, UD] {
                guest.gate(vector, gate(NEW, 0, gate_type::TASK, 0));
            }
            guest.cpu.dr7 = 0x4FF;
            guest.cpu.dr = [0xFFFF_0000; 4];
            guest.code(|a| via.program(a));
            let case = Case::new(FAMILY, *name, SWITCH, guest);
            let resumes = case.at(via.resumes());
            let nests = via.nests();
            let rf = if *via == Via::Fault { rflags::RF } else { 0 };
            let pushed = if *via == Via::External { 4 } else { 0 };
            let mut case = case.all(&[
                (Probe::Rip, ENTRY + 1),
                (Probe::Tr(Part::Selector), u64::from(NEW)),
                (Probe::Tr(Part::Base), TSS2),
                (Probe::Gpr(RSP), STACK1),
                (Probe::Cr0(cr0::TS), cr0::TS),
                (Probe::Dr7(0xFF), 0xAA),
                (Probe::Flags(0x3F_FFFF), 2 | if nests { rflags::NT } else { 0 }),
                (type_of(OLD), if nests { 0x8B } else { 0x89 }),
                (type_of(NEW), 0x8B),
                (Probe::Memory(TSS2, 2), if nests { u64::from(OLD) } else { 0 }),
                (Probe::Memory(TSS + 0x20, 4), resumes),
                (Probe::Memory(TSS + 0x24, 4), 2 | rflags::IF | rflags::CF | rflags::DF | rf),
                (Probe::Memory(TSS + 0x38, 4), STACK0 - pushed),
                (Probe::Memory(TSS + 0x48, 2), u64::from(selector::DATA0)),
                (Probe::Memory(TSS + 0x4C, 2), u64::from(selector::CODE0)),
                (Probe::Memory(TSS + 0x50, 2), u64::from(selector::DATA0)),
                (Probe::Segment(SegmentName::Fs, Part::Selector), 0),
            ]);
            for n in (0..8usize).filter(|n| *n != RSP) {
                case = case.is(Probe::Gpr(n), 0x2222_0000 | n as u64);
                let saved = match (via, n) {
                    (Via::External, RAX) => continue, // used to raise it
                    _ => 0x1111_0000 | n as u64,
                };
                case = case.is(Probe::Memory(TSS + 0x28 + 4 * n as u64, 4), saved);
            }
            case
        })
        .collect()
}

/// IRET with NT goes back along the link; the task that is left is no longer busy and its saved NT is clear.
fn iret() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, via) in WAYS.iter().filter(|(_, via)| via.nests() && *via != Via::Fault) {
        let mut guest = two_tasks().flags(rflags::IF);
        guest.gate(0x44, gate(NEW, 0, gate_type::TASK, 0));
        guest.code(|a| via.program(a));
        guest.code_at(0, ENTRY, 32, |a| {
            a.inc(eax)?;
            a.iretd()?;
            a.hlt()
        });
        let case = Case::new(FAMILY, format!("{name}, and IRET"), LINK, guest);
        let end = case.at(if *via == Via::External { 5 } else { 2 });
        cases.push(case.all(&[
            (Probe::Rip, end),
            (Probe::Tr(Part::Selector), u64::from(OLD)),
            (Probe::Flags(rflags::NT | rflags::IF), rflags::IF),
            (type_of(OLD), 0x8B),
            (type_of(NEW), 0x89),
            // The second task goes on behind its IRET next time.
            (Probe::Memory(TSS2 + 0x20, 4), ENTRY + 2),
            (Probe::Memory(TSS2 + 0x24, 4), 2),
            (Probe::Memory(TSS2 + 0x28, 4), 0x2222_0001),
        ]));
    }
    cases
}

/// A fault's error code goes onto the stack of the new task.
fn error_code() -> Vec<Case> {
    [(0x1FCu64, 0x1FCu64), (0x10, 0x10)]
        .into_iter()
        .map(|(chosen, error)| {
            let mut guest = two_tasks().through_task(GP);
            guest.cpu.gpr[RAX] = chosen;
            if chosen == 0x10 {
                guest.descriptor(0x10, descriptor(0, FLAT_LIMIT, rights::FLAT | 0x98));
                guest.descriptor(selector::SPARE2, descriptor(0, FLAT_LIMIT, rights::FLAT | rights::DATA));
                for offset in [0x48, 0x50, 0x54] {
                    guest.poke32(TSS2 + offset, u32::from(selector::SPARE2));
                }
            }
            guest.code(|a| a.mov(ds, ax));
            let case = Case::new(FAMILY, format!("#GP({error:x}h) through a task gate"), INT_TASK, guest);
            let rip = case.at(0);
            case.event(GP).all(&[
                (Probe::SavedError, error),
                (Probe::Gpr(RSP), STACK1 - 4),
                (Probe::Memory(TSS + 0x20, 4), rip),
            ])
        })
        .collect()
}

/// A 16-bit task: narrow fields, and back into a 32-bit one.
fn narrow() -> Vec<Case> {
    let mut guest = two_tasks();
    guest.descriptor(NEW, descriptor(TSS2, 0x2B, rights::TSS16));
    guest.poke(TSS2, &[0; 0x68]);
    guest.poke16(TSS2 + 0x0E, (ENTRY & 0xFFFF) as u16);
    guest.poke16(TSS2 + 0x10, 0x0203);
    for n in 0..8u16 {
        guest.poke16(TSS2 + 0x12 + 2 * u64::from(n), 0x3300 | n);
    }
    for (offset, chosen) in
        [(0x22, selector::DATA0), (0x24, selector::CODE16), (0x26, selector::DATA16), (0x28, 0)]
    {
        guest.poke16(TSS2 + offset, chosen);
    }
    guest.code_at(CODE, ENTRY & 0xFFFF, 16, |a| a.hlt());
    guest.code(|a| far(a, Code::Call_ptr1632, NEW));
    let case = Case::new(FAMILY, "CALL to a 16-bit TSS", TSS16, guest);
    let rip = case.at(1);
    let mut case = case.all(&[
        (Probe::Rip, (ENTRY & 0xFFFF) + 1),
        (Probe::Flags(0x3F_FFFF), 0x0203 | rflags::NT),
        (Probe::Segment(SegmentName::Cs, Part::Selector), u64::from(selector::CODE16)),
        (Probe::Segment(SegmentName::Ss, Part::Selector), u64::from(selector::DATA16)),
        (Probe::Memory(TSS2, 2), u64::from(OLD)),
        (Probe::Memory(TSS + 0x20, 4), rip),
        (type_of(NEW), 0x83),
    ]);
    for n in 0..8 {
        case = case.is(Probe::Memory(TSS + 0x28 + 4 * n, 4), if n == 4 { STACK0 } else { 0x1111_0000 | n });
    }
    vec![case, from_narrow()]
}

/// The other way: a 16-bit TSS takes the low words.
fn from_narrow() -> Case {
    let mut guest = two_tasks();
    guest.descriptor(OLD, descriptor(TSS, 0x2B, rights::TSS16 | 2));
    guest.cpu.tr = guest.segment(OLD);
    guest.code(|a| far(a, Code::Jmp_ptr1632, NEW));
    let case = Case::new(FAMILY, "JMP from a 16-bit TSS", TSS16, guest);
    let rip = case.at(1) & 0xFFFF;
    case.all(&[
        (Probe::Rip, ENTRY + 1),
        (Probe::Memory(TSS + 0x0E, 2), rip),
        (Probe::Memory(TSS + 0x12, 2), 0),
        (Probe::Memory(TSS + 0x14, 2), 1),
        (Probe::Memory(TSS + 0x1A, 2), STACK0 & 0xFFFF),
        (Probe::Memory(TSS + 0x22, 2), u64::from(selector::DATA0)),
        (Probe::Memory(TSS + 0x24, 2), u64::from(selector::CODE0)),
        (type_of(OLD), 0x81),
    ])
}

/// Who may switch: DPL of the TSS or gate against CPL and RPL.
fn privilege() -> Vec<Case> {
    let mut cases = Vec::new();
    for gate_used in [false, true] {
        for (cpl, rpl, dpl) in
            [(0u64, 0u16, 0u64), (3, 3, 0), (3, 3, 2), (3, 3, 3), (0, 3, 0), (0, 3, 3), (3, 0, 3)]
        {
            let mut guest = two_tasks().at_ring(cpl as u8);
            guest.descriptor(TASK_GATE, gate(NEW, 0, gate_type::TASK | dpl << 5, 0));
            // Through a gate the DPL of the TSS does not count.
            let tss_dpl = if gate_used { 0 } else { dpl };
            guest.descriptor(NEW, descriptor(TSS2, 0x67, rights::TSS32 | tss_dpl << 5));
            let chosen = if gate_used { TASK_GATE } else { NEW };
            guest.code(|a| far(a, Code::Jmp_ptr1632, chosen | rpl));
            let what = if gate_used { "task gate" } else { "TSS" };
            let name = format!("JMP at CPL {cpl} to a {what} of DPL {dpl} with RPL {rpl}");
            let case = Case::new(FAMILY, name, GATE, guest);
            let good = dpl >= cpl && dpl >= u64::from(rpl);
            let loaded = if gate_used { NEW } else { NEW | rpl };
            cases.push(if good {
                case.is(Probe::Tr(Part::Selector), u64::from(loaded)).is(Probe::Cpl, 0)
            } else {
                case.fault(GP, u64::from(chosen), 0)
            });
        }
    }
    cases
}

/// Gates and links that lead nowhere.
fn bad_links() -> Vec<Case> {
    let mut cases = Vec::new();
    let gates: [(&str, u64, u8, u16); 5] = [
        ("not present", gate(NEW, 0, 0x05, 0), NP, TASK_GATE),
        ("to a local selector", gate(0x0C, 0, 0x85, 0), GP, 0x0C),
        ("to a null selector", gate(0, 0, 0x85, 0), GP, 0),
        ("to a segment", gate(selector::CODE0, 0, 0x85, 0), GP, selector::CODE0),
        ("to a busy TSS", gate(OLD, 0, 0x85, 0), GP, OLD),
    ];
    for (name, raw, vector, error) in gates {
        let mut guest = two_tasks();
        guest.descriptor(TASK_GATE, raw);
        guest.code(|a| far(a, Code::Jmp_ptr1632, TASK_GATE));
        cases.push(Case::new(FAMILY, format!("task gate {name}"), GATE, guest).fault(
            vector,
            u64::from(error),
            0,
        ));
    }
    let links: [(&str, u16, u8, u16); 5] = [
        ("null", 0, TS, 0),
        ("local", 0x0C, TS, 0x0C),
        ("outside the GDT", 0x1F8, TS, 0x1F8),
        ("to a TSS that is not busy", NEW, TS, NEW),
        ("to a segment", selector::DATA0, TS, selector::DATA0),
    ];
    for (name, link, vector, error) in links {
        let mut guest = two_tasks().flags(rflags::NT);
        guest.poke16(TSS, link);
        guest.code(|a| a.iretd());
        cases.push(
            Case::new(FAMILY, format!("IRET with a back link {name}"), BUSY, guest)
                .fault(vector, u64::from(error), 0)
                .is(Probe::SavedFlags(rflags::NT), rflags::NT),
        );
    }
    cases
}

/// The T flag: a debug trap before the first instruction of the new task.
fn trap() -> Case {
    let mut guest = two_tasks();
    guest.poke32(TSS2 + 0x64, 0x0068_0001);
    guest.code(|a| far(a, Code::Jmp_ptr1632, NEW));
    Case::new(FAMILY, "T flag of the new TSS", TRAP, guest)
        .event(DB)
        .is(Probe::SavedRip, ENTRY)
        .is(Probe::Dr6(0xE00F), 0x8000)
}

/// The new task may run at CPL 3, in V86 mode, in another address space.
fn destinations() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut guest = two_tasks();
    for (offset, chosen) in [
        (0x48, selector::DATA3),
        (TSS_CS, selector::CODE3),
        (TSS_SS, selector::DATA3),
        (TSS_DS, selector::DATA3),
    ] {
        guest.poke32(TSS2 + offset, u32::from(chosen));
    }
    guest.poke32(TSS2 + 0x24, 0x3002);
    guest.code_at(0, ENTRY, 32, |a| a.int(i32::from(END)));
    guest.code(|a| far(a, Code::Jmp_ptr1632, NEW));
    cases.push(
        Case::new(FAMILY, "to a task at CPL 3", SWITCH, guest)
            .event(END)
            .is(Probe::SavedCs, u64::from(selector::CODE3))
            .is(Probe::SavedFlags(0x3000), 0x3000)
            .is(Probe::SavedRsp, STACK1)
            .is(Probe::Gpr(RSP), STACK0 - 20),
    );
    let mut guest = two_tasks();
    for (offset, value) in [
        (0x20, ENTRY - CODE),
        (0x24, rflags::VM | 0x3002),
        (0x38, 0xFF00),
        (TSS_CS, CODE >> 4),
        (TSS_SS, 0x2000),
        (TSS_DS, 0x4321),
    ] {
        guest.poke32(TSS2 + offset, value as u32);
    }
    guest.code_at(CODE, ENTRY - CODE, 16, |a| a.int(i32::from(END)));
    guest.code(|a| far(a, Code::Jmp_ptr1632, NEW));
    cases.push(
        Case::new(FAMILY, "to a task in V86 mode", SWITCH, guest)
            .event(END)
            .is(Probe::SavedCs, CODE >> 4)
            .is(Probe::SavedFlags(rflags::VM), rflags::VM)
            .is(Probe::SavedSs, 0x2000)
            .is(Probe::Frame(6), 0x4321),
    );
    let mut guest = Guest::paged();
    guest.task(TSS2, ENTRY, STACK1);
    let directory = 0x10_0000;
    // The second address space shows another frame at DATA.
    guest.poke32(directory, 0x10_1007);
    for n in 0..512u64 {
        let frame = if n == DATA >> 12 { DATA + 0x1000 } else { n << 12 };
        guest.poke32(directory + 0x1000 + 4 * n, (frame | 7) as u32);
    }
    guest.poke32(TSS2 + 0x1C, directory as u32);
    guest.poke32(DATA, 0x1111);
    guest.poke32(DATA + 0x1000, 0x2222);
    guest.code_at(0, ENTRY, 32, |a| {
        a.mov(ebx, dword_ptr(DATA as u32))?;
        a.hlt()
    });
    guest.code(|a| {
        a.mov(eax, dword_ptr(DATA as u32))?;
        far(a, Code::Jmp_ptr1632, NEW)
    });
    cases.push(
        Case::new(FAMILY, "to a task in another address space", SWITCH, guest)
            .is(Probe::Cr3, directory)
            .is(Probe::Gpr(RBX), 0x2222),
    );
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [ways(), iret(), error_code(), narrow(), privilege(), bad_links(), vec![trap()], destinations()].concat()
}
