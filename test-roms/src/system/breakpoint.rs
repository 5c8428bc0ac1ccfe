//! Hardware breakpoints and the debug registers: execution, data and ports, lengths, RF, GD.

use super::case::{Action, Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, PAGE, Program, layout::*, reg::*, selector};
use emu_core::vcpu::{cr4, rflags};
use iced_x86::code_asm::*;

const FAMILY: &str = "breakpoints";
const CODE_BP: Citation = sdm("3B", "17.3.1.1", "Instruction-Breakpoint Exception Condition");
const DATA_BP: Citation = sdm("3B", "17.3.1.2", "Data Memory and I/O Breakpoint Exception Conditions");
const DETECT: Citation = sdm("3B", "17.3.1.3", "General-Detect Exception Condition");
const FIELDS: Citation = sdm("3B", "17.2.5", "Breakpoint Field Recognition");
const CONTROL: Citation = sdm("3B", "17.2.4", "Debug Control Register (DR7)");
const STATUS: Citation = sdm("3B", "17.2.3", "Debug Status Register (DR6)");
const ALIASES: Citation = sdm("3B", "17.2.2", "Debug Registers DR4 and DR5");
const SHADOW: Citation = sdm("3A", "6.8.3", "Masking Exceptions and Interrupts When Switching Stacks");

const WHY: u64 = 0xE00F;
const RF: u64 = rflags::RF;
const BD: u64 = 1 << 13;
const GD: u64 = 1 << 13;

/// R/W fields.
const EXECUTE: u64 = 0;
const WRITE: u64 = 1;
const PORT: u64 = 2;
const READ_WRITE: u64 = 3;

/// DR7 with breakpoint `n` locally enabled; `len` is the field, not the length.
const fn control(n: u64, kind: u64, len: u64) -> u64 {
    0x400 | 1 << (2 * n) | (kind | len << 2) << (16 + 4 * n)
}

/// The field that says `bytes`.
const fn len_field(bytes: u64) -> u64 {
    match bytes {
        1 => 0,
        2 => 1,
        8 => 2,
        _ => 3,
    }
}

fn three_nops(mut guest: Guest) -> Guest {
    guest.code(|a| {
        a.nop()?;
        a.nop()?;
        a.nop()?;
        a.hlt()
    });
    guest
}

/// Execution breakpoints are faults before the instruction; RF lets it run once.
fn execution() -> Vec<Case> {
    let mut cases = Vec::new();
    for n in 0..4u64 {
        for (enable, name) in [(1u64, "L"), (2, "G"), (0, "disabled")] {
            let mut guest = three_nops(Guest::protected());
            guest.cpu.dr[n as usize] = CODE + 1;
            guest.cpu.dr7 = 0x400 | enable << (2 * n);
            let case = Case::new(FAMILY, format!("execution, DR{n} {name}"), CODE_BP, guest);
            cases.push(if enable == 0 {
                case
            } else {
                case.event(DB)
                    .rip(1)
                    .is(Probe::Dr6(WHY), 1 << n)
                    .is(Probe::SavedFlags(RF), 0)
                    .then(Action::SetFlags(RF))
                    .ends()
            });
        }
    }
    let mut again = three_nops(Guest::protected());
    (again.cpu.dr[0], again.cpu.dr7) = (CODE + 1, control(0, EXECUTE, 0));
    cases.push(
        Case::new(FAMILY, "execution: without RF it hits again", CODE_BP, again)
            .event(DB)
            .rip(1)
            .event(DB)
            .rip(1),
    );
    let mut both = three_nops(Guest::protected());
    (both.cpu.dr[1], both.cpu.dr[3], both.cpu.dr7) =
        (CODE + 1, CODE + 1, control(1, EXECUTE, 0) | control(3, EXECUTE, 0));
    cases.push(
        Case::new(FAMILY, "execution: two at one address", CODE_BP, both)
            .event(DB)
            .rip(1)
            .is(Probe::Dr6(WHY), 0xA),
    );
    let mut middle = Guest::protected();
    middle.code(|a| {
        a.mov(eax, 0x9090_9090u32)?;
        a.hlt()
    });
    (middle.cpu.dr[0], middle.cpu.dr7) = (CODE + 1, control(0, EXECUTE, 0));
    cases.push(Case::new(FAMILY, "execution: inside an instruction", CODE_BP, middle));
    let mut with_rf = three_nops(Guest::protected().flags(RF));
    (with_rf.cpu.dr[0], with_rf.cpu.dr[1]) = (CODE, CODE + 1);
    with_rf.cpu.dr7 = control(0, EXECUTE, 0) | control(1, EXECUTE, 0);
    // RF holds for one instruction only.
    cases.push(
        Case::new(FAMILY, "execution: RF holds for one instruction", CODE_BP, with_rf)
            .event(DB)
            .rip(1)
            .is(Probe::Dr6(WHY), 2),
    );
    for (name, guest) in [
        ("real mode", Guest::real()),
        ("64-bit mode", Guest::long()),
        ("V86 mode", Guest::protected().v86(3)),
    ] {
        let mut guest = three_nops(guest);
        (guest.cpu.dr[0], guest.cpu.dr7) = (CODE + 1, control(0, EXECUTE, 0));
        cases.push(Case::new(FAMILY, format!("execution: {name}"), CODE_BP, guest).event(DB).rip(1));
    }
    cases.extend([fault_at_breakpoint(), behind_mov_ss(), fault_sets_rf(), rf_of_a_trap()]);
    cases
}

/// The instruction runs with RF and faults: RF is in that image too, so its retry does not hit again.
fn fault_at_breakpoint() -> Case {
    let mut guest = Guest::paged();
    guest.page(DATA, 0);
    guest.code(|a| {
        a.mov(eax, dword_ptr(DATA as u32))?;
        a.hlt()
    });
    (guest.cpu.dr[0], guest.cpu.dr7) = (CODE, control(0, EXECUTE, 0));
    let entry = PAGES + 0x1000 + 4 * (DATA >> 12);
    Case::new(FAMILY, "execution: the instruction then faults", CODE_BP, guest)
        .event(DB)
        .rip(0)
        .is(Probe::SavedFlags(RF), 0)
        .then(Action::SetFlags(RF))
        .fault(PF, 0, 0)
        .is(Probe::SavedFlags(RF), RF)
        .then(Action::Poke(entry, ((DATA | PAGE) as u32).to_le_bytes().to_vec()))
        .ends()
}

fn behind_mov_ss() -> Case {
    let mut guest = Guest::protected();
    guest.cpu.gpr[RAX] = u64::from(selector::DATA0);
    guest.code(|a| {
        a.mov(ss, ax)?;
        a.nop()?;
        a.hlt()
    });
    (guest.cpu.dr[0], guest.cpu.dr7) = (CODE + 3, control(0, EXECUTE, 0));
    guest.cpu.dr[0] = guest.starts[1];
    Case::new(FAMILY, "execution: not behind MOV SS", SHADOW, guest)
}

/// Any other fault pushes RF, with and without breakpoints.
fn fault_sets_rf() -> Case {
    let mut guest = Guest::protected();
    guest.code(|a| a.ud2());
    Case::new(FAMILY, "a fault pushes RF", CODE_BP, guest)
        .event(UD)
        .is(Probe::SavedFlags(RF), RF)
        .is(Probe::Flags(RF), 0)
}

/// RF set by IRET is gone after the next instruction, whatever breakpoints there are.
fn rf_of_a_trap() -> Case {
    let mut guest = Guest::protected();
    guest.stack(4, &[CODE + 0x100, u64::from(selector::CODE0), RF | 2]);
    guest.code(|a| a.iretd());
    guest.code_at(0, CODE + 0x100, 32, |a| {
        a.nop()?;
        a.mov(dword_ptr(DATA as u32), eax)
    });
    (guest.cpu.dr[0], guest.cpu.dr7) = (DATA, control(0, WRITE, 3));
    Case::new(FAMILY, "RF is gone after one instruction", CODE_BP, guest)
        .event(DB)
        .is(Probe::SavedFlags(RF), 0)
        .is(Probe::Dr6(WHY), 1)
}

/// An access of some size, and whether it reads and writes.
struct Access {
    name: &'static str,
    bytes: u64,
    writes: bool,
    program: Program,
}

const ACCESSES: [Access; 9] = [
    Access { name: "byte read", bytes: 1, writes: false, program: |a| a.mov(al, byte_ptr(edi)) },
    Access { name: "byte write", bytes: 1, writes: true, program: |a| a.mov(byte_ptr(edi), al) },
    Access { name: "word read", bytes: 2, writes: false, program: |a| a.mov(ax, word_ptr(edi)) },
    Access { name: "word write", bytes: 2, writes: true, program: |a| a.mov(word_ptr(edi), ax) },
    Access { name: "dword read", bytes: 4, writes: false, program: |a| a.mov(eax, dword_ptr(edi)) },
    Access { name: "dword write", bytes: 4, writes: true, program: |a| a.mov(dword_ptr(edi), eax) },
    Access { name: "read-modify-write", bytes: 4, writes: true, program: |a| a.lock().inc(dword_ptr(edi)) },
    Access { name: "qword write", bytes: 8, writes: true, program: |a| a.fistp(qword_ptr(edi)) },
    Access { name: "STOSW", bytes: 2, writes: true, program: |a| a.stosw() },
];

/// Data breakpoints: traps after every access that overlaps the watched bytes.
fn data() -> Vec<Case> {
    let mut cases = Vec::new();
    for access in &ACCESSES {
        for kind in [WRITE, READ_WRITE] {
            for len in [1u64, 2, 4] {
                for offset in [-8i64, -4, -2, -1, 0, 1, 2, 3, 4] {
                    let watched = DATA + 0x10;
                    let at = watched.wrapping_add_signed(offset);
                    let mut guest = Guest::protected();
                    guest.cpu.gpr[RDI] = at;
                    guest.cpu.x87.control = 0x37F;
                    guest.cpu.x87.empty = 0xFE;
                    (guest.cpu.dr[2], guest.cpu.dr7) = (watched, control(2, kind, len_field(len)));
                    guest.code(|a| {
                        (access.program)(a)?;
                        a.hlt()
                    });
                    let overlaps = at < watched + len && watched < at + access.bytes;
                    let hits = overlaps && (access.writes || kind == READ_WRITE);
                    let what = if kind == WRITE { "writes" } else { "reads and writes" };
                    let name = format!("{} at {offset:+} of {len} bytes watched for {what}", access.name);
                    let case = Case::new(FAMILY, name, FIELDS, guest);
                    cases.push(if hits {
                        case.event(DB).rip(1).is(Probe::Dr6(WHY), 4).is(Probe::SavedFlags(RF), 0).ends()
                    } else {
                        case
                    });
                }
            }
        }
    }
    cases
}

/// Data breakpoints together with other things.
fn data_and_more() -> Vec<Case> {
    let mut cases = Vec::new();
    let watch = |mut guest: Guest, kind: u64, bytes: u64| {
        (guest.cpu.dr[0], guest.cpu.dr7) = (DATA, control(0, kind, len_field(bytes)));
        guest
    };
    let mut with_step = watch(Guest::protected().flags(rflags::TF), WRITE, 4);
    with_step.code(|a| a.mov(dword_ptr(DATA as u32), eax));
    cases.push(
        Case::new(FAMILY, "data and single step are one trap", DATA_BP, with_step)
            .event(DB)
            .rip(1)
            .is(Probe::Dr6(WHY), 0x4001),
    );
    let mut eight = watch(Guest::long(), WRITE, 8);
    eight.code(|a| {
        a.mov(byte_ptr(DATA + 7), al)?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "eight bytes in 64-bit mode", FIELDS, eight)
            .event(DB)
            .rip(1)
            .is(Probe::Dr6(WHY), 1),
    );
    let mut stack_guest = watch(Guest::protected(), READ_WRITE, 4);
    stack_guest.cpu.gpr[RSP] = DATA + 4;
    stack_guest.code(|a| {
        a.push(eax)?;
        a.hlt()
    });
    cases.push(Case::new(FAMILY, "PUSH", DATA_BP, stack_guest).event(DB).rip(1).is(Probe::Dr6(WHY), 1));
    let mut fetch = Guest::protected();
    fetch.code(|a| {
        a.nop()?;
        a.hlt()
    });
    (fetch.cpu.dr[0], fetch.cpu.dr7) = (CODE, control(0, READ_WRITE, 3));
    cases.push(Case::new(FAMILY, "a fetch is not a read", DATA_BP, fetch));
    let mut held = watch(Guest::protected(), READ_WRITE, 2);
    held.poke16(DATA, selector::DATA0);
    held.code(|a| {
        a.mov(ss, word_ptr(DATA as u32))?;
        a.nop()?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "MOV SS from watched memory", SHADOW, held).event(DB).rip(2).is(Probe::Dr6(WHY), 1),
    );
    cases.push(not_by_a_fault());
    for (name, program) in
        [("REP LODSB", (|a| a.rep().lodsb()) as Program), ("REPNE SCASB", |a| a.repne().scasb())]
    {
        let mut guest = Guest::protected();
        (guest.cpu.dr[0], guest.cpu.dr7) = (DATA + 3, control(0, READ_WRITE, 0));
        guest.cpu.gpr[RSI] = DATA;
        guest.cpu.gpr[RDI] = DATA;
        guest.cpu.gpr[RAX] = 0xEE;
        guest.cpu.gpr[RCX] = 10;
        guest.code(|a| {
            program(a)?;
            a.hlt()
        });
        cases.push(
            Case::new(FAMILY, format!("{name} stops at the iteration"), DATA_BP, guest)
                .event(DB)
                .rip(0)
                .is(Probe::Gpr(RCX), 6)
                .is(Probe::SavedFlags(RF), RF)
                .ends()
                .is(Probe::Gpr(RCX), 0),
        );
    }
    cases
}

/// An access of an instruction that faults afterwards is no hit; its retry is.
fn not_by_a_fault() -> Case {
    let mut guest = Guest::paged();
    (guest.cpu.dr[0], guest.cpu.dr7) = (DATA, control(0, READ_WRITE, 3));
    guest.cpu.gpr[RSI] = DATA;
    guest.cpu.gpr[RDI] = DATA + 0x1000;
    guest.page(DATA + 0x1000, 0);
    guest.code(|a| {
        a.movsd()?;
        a.hlt()
    });
    let entry = PAGES + 0x1000 + 4 * ((DATA >> 12) + 1);
    Case::new(FAMILY, "no hit by an instruction that faults", DATA_BP, guest)
        .fault(PF, 2, 0)
        .is(Probe::Dr6(WHY), 0)
        .then(Action::Poke(entry, ((DATA + 0x1000) as u32 | PAGE as u32).to_le_bytes().to_vec()))
        .event(DB)
        .rip(1)
        .is(Probe::Dr6(WHY), 1)
}

/// Port breakpoints need CR4.DE.
fn ports() -> Vec<Case> {
    let mut cases = Vec::new();
    let rows: [(&str, Program, u64, bool); 8] = [
        ("OUT to the port", |a| a.out(0x80, al), 1, true),
        ("IN from the port", |a| a.in_(al, 0x80), 1, true),
        ("OUT to the next port", |a| a.out(0x81, al), 1, false),
        ("word OUT below the port", |a| a.out(0x7F, ax), 1, true),
        ("OUT to the last of four", |a| a.out(0x83, al), 4, true),
        ("OUT behind four", |a| a.out(0x84, al), 4, false),
        ("OUTSB", |a| a.outsb(), 1, true),
        ("INSB", |a| a.insb(), 1, true),
    ];
    for (name, program, bytes, overlaps) in rows {
        for de in [true, false] {
            let mut guest = Guest::protected();
            (guest.cpu.dr[1], guest.cpu.dr7) = (0x80, control(1, PORT, len_field(bytes)));
            guest.cpu.cr4 |= if de { cr4::DE } else { 0 };
            guest.cpu.gpr[RDX] = 0x80;
            guest.cpu.gpr[RSI] = DATA;
            guest.cpu.gpr[RDI] = DATA;
            guest.code(|a| {
                program(a)?;
                a.hlt()
            });
            let name = format!("port: {name}{}", if de { "" } else { " without DE" });
            let case = Case::new(FAMILY, name, DATA_BP, guest);
            cases.push(if overlaps && de {
                case.event(DB).rip(1).is(Probe::Dr6(WHY), 2).ends()
            } else {
                case
            });
        }
    }
    cases
}

/// The registers themselves: privilege, aliases, reserved bits, general detect.
fn registers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, program) in [
        ("MOV DR7, EAX", (|a| a.mov(dr7, eax)) as Program),
        ("MOV EAX, DR6", |a| a.mov(eax, dr6)),
        ("MOV EAX, DR0", |a| a.mov(eax, dr0)),
    ] {
        let mut detect = Guest::protected();
        detect.cpu.dr7 = 0x400 | GD;
        detect.code(|a| {
            program(a)?;
            a.hlt()
        });
        cases.push(
            Case::new(FAMILY, format!("{name} with GD"), DETECT, detect)
                .event(DB)
                .rip(0)
                .is(Probe::Dr6(WHY), BD)
                .is(Probe::SavedFlags(RF), RF)
                .is(Probe::Dr7(GD), 0)
                .ends(),
        );
        let mut user = Guest::protected().at_ring(3);
        user.cpu.dr7 = 0x400 | GD;
        user.code(program);
        cases.push(Case::new(FAMILY, format!("{name} at CPL 3"), DETECT, user).fault(GP, 0, 0));
    }
    for (n, de) in [(4u8, false), (5, false), (4, true), (5, true)] {
        let mut guest = Guest::protected();
        guest.cpu.cr4 |= if de { cr4::DE } else { 0 };
        guest.code(|a| {
            a.db(&[0x0F, 0x21, 0xC0 | n << 3])?;
            a.hlt()
        });
        let name = format!("MOV EAX, DR{n}{}", if de { " with DE" } else { "" });
        let case = Case::new(FAMILY, name, ALIASES, guest);
        let value = if n == 4 { 0xFFFF_0FF0 } else { 0x400 };
        cases.push(if de { case.event(UD).rip(0) } else { case.is(Probe::Gpr(RAX), value) });
    }
    for (name, citation, dr, value, back) in [
        ("DR6 of zeros", STATUS, 6u8, 0u64, 0xFFFF_0FF0u64),
        ("DR6 of ones", STATUS, 6, 0xFFFF_FFFF, 0xFFFF_EFFF),
        ("DR7 of zeros", CONTROL, 7, 0, 0x400),
        ("DR7 of ones but GD", CONTROL, 7, 0xFFFF_DFFF, 0xFFFF_07FF),
    ] {
        let mut guest = Guest::protected();
        guest.cpu.dr = [0xFFFF_0000; 4];
        guest.cpu.gpr[RAX] = value;
        guest.code(|a| {
            a.db(&[0x0F, 0x23, 0xC0 | dr << 3])?;
            a.db(&[0x0F, 0x21, 0xC1 | dr << 3])?;
            a.hlt()
        });
        cases.push(
            Case::new(FAMILY, format!("reserved bits: {name}"), citation, guest).is(Probe::Gpr(RCX), back),
        );
    }
    for dr in [6u8, 7] {
        let mut guest = Guest::long();
        guest.cpu.gpr[RAX] = 1 << 32;
        guest.code(|a| a.db(&[0x0F, 0x23, 0xC0 | dr << 3]));
        cases.push(Case::new(FAMILY, format!("DR{dr} beyond 32 bits"), CONTROL, guest).fault(GP, 0, 0));
    }
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [execution(), data(), data_and_more(), ports(), registers()].concat()
}
