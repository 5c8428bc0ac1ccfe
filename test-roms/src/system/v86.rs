//! V86 mode, with and without VME: what traps, what is virtualised, and how interrupts leave and come back.

use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::{descriptor, gate, gate_type, idt_error, rights, vector::*};
use super::guest::{Guest, Program, handler, layout::*, reg::*, selector};
use emu_core::vcpu::rflags;
use emu_core::vcpu::rflags::{CF, IF, IOPL, NT, TF, VIF, VIP, VM};
use emu_core::vcpu::{SegmentName, cr4};
use iced_x86::code_asm::*;

const FAMILY: &str = "V86 mode";
const SENSITIVE: Citation = sdm("3B", "20.2.7", "Sensitive Instructions");
const ENTER: Citation = sdm("3B", "20.2.5", "Entering Virtual-8086 Mode");
const LEAVE: Citation = sdm("3B", "20.2.6", "Leaving Virtual-8086 Mode");
const CLASS2: Citation =
    sdm("3B", "20.3.2", "Class 2-Maskable Hardware Interrupt Handling Using the Virtual Interrupt Mechanism");
const CLASS3: Citation = sdm("3B", "20.3.3", "Class 3-Software Interrupt Handling in Virtual-8086 Mode");
const PRIVILEGED: Citation = sdm("3A", "5.9", "Privileged Instructions");

/// A vector of the case's own, and where its 8086 handler is.
const N: u8 = 0x44;
const HANDLER_8086: u32 = 0x1200_0010;

fn guest(iopl: u64, vme: bool, flags: u64) -> Guest {
    let mut guest = Guest::protected().v86(iopl).flags(flags);
    guest.cpu.cr4 |= if vme { cr4::VME } else { 0 };
    guest
}

/// What an instruction that minds IOPL does.
struct Sensitive {
    name: &'static str,
    program: Program,
    /// Also works below IOPL 3 with VME.
    virtualised: bool,
}

const SENSITIVES: [Sensitive; 9] = [
    Sensitive { name: "CLI", program: |a| a.cli(), virtualised: true },
    Sensitive { name: "STI", program: |a| a.sti(), virtualised: true },
    Sensitive { name: "PUSHF", program: |a| a.pushf(), virtualised: true },
    Sensitive { name: "POPF", program: |a| a.popf(), virtualised: true },
    Sensitive { name: "IRET", program: |a| a.iret(), virtualised: true },
    Sensitive { name: "PUSHFD", program: |a| a.pushfd(), virtualised: false },
    Sensitive { name: "POPFD", program: |a| a.popfd(), virtualised: false },
    Sensitive { name: "IRETD", program: |a| a.iretd(), virtualised: false },
    Sensitive { name: "INT n", program: |a| a.int(i32::from(N)), virtualised: false },
];

/// Sensitive instructions at every IOPL, with and without VME: allowed or #GP(0).
fn sensitive() -> Vec<Case> {
    let mut cases = Vec::new();
    for row in &SENSITIVES {
        for iopl in 0..4u64 {
            for vme in [false, true] {
                let mut guest = guest(iopl, vme, 0);
                // INT n is not redirected.
                guest.poke(TSS + IO_MAP - 32, &[0xFF; 32]);
                // A frame for what pops: IP, CS, FLAGS in words or dwords.
                let size = if row.name.ends_with('D') { 4 } else { 2 };
                let words: &[u64] = if row.name.starts_with('I') { &[0x80, CODE >> 4, 2] } else { &[2] };
                guest.stack(size, words);
                guest.code(|a| {
                    (row.program)(a)?;
                    a.nop()?;
                    a.int3()
                });
                guest.code_at(CODE, 0x80, 16, |a| a.int3());
                let name = format!("{} at IOPL {iopl}{}", row.name, if vme { " with VME" } else { "" });
                let case = Case::new(FAMILY, name, SENSITIVE, guest);
                let good = iopl == 3 || (vme && row.virtualised);
                cases.push(match (good, row.name) {
                    (false, _) => case.fault(GP, 0, 0),
                    (true, "INT n") => case.event(N).rip(1),
                    (true, _) => case.event(BP),
                });
            }
        }
    }
    cases
}

/// VME at IOPL 0: CLI, STI, PUSHF, POPF and IRET act on VIF.
fn virtual_flag() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, program, before, after) in
        [("CLI", (|a| a.cli()) as Program, IF | VIF, IF), ("STI", |a| a.sti(), IF, IF | VIF)]
    {
        let mut guest = guest(0, true, before);
        guest.code(|a| {
            program(a)?;
            a.int3()
        });
        cases.push(
            Case::new(FAMILY, format!("VME: {name}"), CLASS2, guest)
                .event(BP)
                .is(Probe::SavedFlags(IF | VIF), after),
        );
    }
    for (vif, image) in [(0, 0x3002u64), (VIF, 0x3202)] {
        let mut guest = guest(0, true, IF | vif);
        let top = guest.cpu.gpr[RSP];
        guest.code(|a| {
            a.pushf()?;
            a.int3()
        });
        let at = (STACK3 - 0x1_0000) + top - 2;
        let name = format!("VME: PUSHF with VIF {}", u8::from(vif != 0));
        cases.push(Case::new(FAMILY, name, CLASS2, guest).event(BP).is(Probe::Memory(at, 2), image));
    }
    for (name, iret) in [("POPF", false), ("IRET", true)] {
        for (image, vip, expected) in [
            (IF | 2, 0, Some(VIF)),
            (2, 0, Some(0)),
            (IF | 2, VIP, None),
            (2, VIP, Some(0)),
            (TF | 2, 0, None),
            (CF | rflags::DF | NT | 3 << 12 | 2, 0, Some(CF | rflags::DF | NT)),
        ] {
            let mut guest = guest(0, true, IF | if vip == 0 { VIF } else { VIP });
            if iret {
                guest.stack(2, &[0x80, CODE >> 4, image]);
            } else {
                guest.stack(2, &[image]);
            }
            guest.code(|a| {
                if iret {
                    a.iret()?;
                } else {
                    a.popf()?;
                }
                a.int3()
            });
            guest.code_at(CODE, 0x80, 16, |a| a.int3());
            let name = format!("VME: {name} of {image:x}h{}", if vip != 0 { " with VIP" } else { "" });
            let case = Case::new(FAMILY, name, CLASS2, guest);
            cases.push(match expected {
                None => case.fault(GP, 0, 0),
                // IF itself and IOPL stay.
                Some(flags) => {
                    case.event(BP).is(Probe::SavedFlags(CF | rflags::DF | NT | IF | IOPL | VIF), flags | IF)
                }
            });
        }
    }
    let mut pending = guest(0, true, IF | VIP);
    pending.code(|a| a.sti());
    cases.push(Case::new(FAMILY, "VME: STI with VIP", CLASS2, pending).fault(GP, 0, 0));
    cases
}

/// INT n by VME, IOPL and the redirection bitmap (the manual's six methods).
fn software_interrupts() -> Vec<Case> {
    let mut cases = Vec::new();
    for vme in [false, true] {
        for iopl in [0u64, 3] {
            for bit in [false, true] {
                let mut guest = guest(iopl, vme, IF | VIF | NT | CF);
                guest.poke(TSS + IO_MAP - 32, &[0; 32]);
                guest.poke(TSS + IO_MAP - 32 + u64::from(N / 8), &[u8::from(bit) << (N % 8)]);
                guest.poke32(IVT + 4 * u64::from(N), HANDLER_8086);
                guest.code_at(0x1_2000, 0x10, 16, |a| a.int3());
                guest.code(|a| a.int(i32::from(N)));
                let top = guest.cpu.gpr[RSP];
                let name = format!(
                    "INT n: IOPL {iopl}, {}, redirection bit {}",
                    if vme { "VME" } else { "no VME" },
                    u8::from(bit)
                );
                let case = Case::new(FAMILY, name, CLASS3, guest);
                let at = STACK3 - 0x1_0000 + top - 6;
                let back = case.at(1);
                cases.push(match (vme && !bit, iopl) {
                    (false, 3) => case.event(N).rip(1).is(Probe::SavedFlags(VM), VM),
                    (false, _) => case.fault(GP, 0, 0),
                    (true, iopl) => {
                        // Below IOPL 3 the image shows VIF as IF and IOPL as 3, and VIF is cleared instead of IF.
                        let image = IF | NT | CF | 3 << 12 | 2;
                        let left = if iopl == 3 { VIF } else { IF };
                        case.event(BP)
                            .is(Probe::SavedCs, 0x1200)
                            .is(Probe::SavedRip, 0x11)
                            .is(Probe::SavedRsp, top - 6)
                            .is(Probe::SavedFlags(IF | VIF), left)
                            .is(Probe::Memory(at, 2), back)
                            .is(Probe::Memory(at + 2, 2), CODE >> 4)
                            .is(Probe::Memory(at + 4, 2), image)
                    }
                });
            }
        }
    }
    cases
}

/// From V86 mode to CPL 0: nine words, data segments become null; and back by IRETD.
fn frames() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, kind, size) in
        [("32-bit", gate_type::INTERRUPT32, 4u64), ("16-bit", gate_type::INTERRUPT16, 2)]
    {
        let mut guest = guest(3, false, IF | NT | CF);
        for (n, chosen) in [(0usize, 0x1111u16), (3, 0x2222), (4, 0x3333), (5, 0x4444)] {
            guest.cpu.seg[n] =
                emu_core::vcpu::Segment { rights: 0xF3, ..emu_core::vcpu::Segment::real(chosen) };
        }
        guest.gate(N, gate(selector::CODE0, handler(N), kind | gate_type::DPL3, 0));
        guest.code(|a| a.int(i32::from(N)));
        let low = STACK0 - 9 * size;
        let word = |n: u64| Probe::Memory(low + n * size, size.min(2));
        let mut case = Case::new(FAMILY, format!("frame of a {name} gate"), LEAVE, guest)
            .event(N)
            .is(Probe::Gpr(RSP), low)
            .is(Probe::Flags(0x3_FFFF), CF | 3 << 12 | 2)
            .is(Probe::Segment(SegmentName::Ss, Part::Selector), u64::from(selector::DATA0));
        let saved = [2, CODE >> 4, 0, 0xFF00, (STACK3 - 0x1_0000) >> 4, 0x1111, 0x2222, 0x3333, 0x4444];
        for (n, value) in (0..).zip(saved).filter(|(n, _)| *n != 2) {
            case = case.is(word(n), value);
        }
        case = case.is(Probe::Bits(low + 2 * size, 0xFFFF), IF | NT | CF | 3 << 12 | 2);
        for segment in [SegmentName::Es, SegmentName::Ds, SegmentName::Fs, SegmentName::Gs] {
            case = case
                .is(Probe::Segment(segment, Part::Selector), 0)
                .is(Probe::Segment(segment, Part::Usable), 0);
        }
        cases.push(case);
    }
    cases.push(round_trip());
    cases.push(entry());
    cases
}

/// The handler's IRETD restores all of it.
fn round_trip() -> Case {
    let mut guest = guest(3, false, IF);
    guest.code(|a| {
        a.int(i32::from(N))?;
        a.mov(ax, ds)?;
        a.int3()
    });
    Case::new(FAMILY, "INT, and IRETD back", LEAVE, guest)
        .event(N)
        .event(BP)
        .rip(3)
        .is(Probe::Gpr(RAX), DATA >> 4)
        .is(Probe::SavedFlags(VM | IF), VM | IF)
        .is(Probe::SavedRsp, 0xFF00)
}

/// IRETD at CPL 0 with VM in the image.
fn entry() -> Case {
    let mut guest = Guest::protected();
    guest.stack(4, &[0x80, CODE >> 4, VM | IF | 2, 0x9_FF00, 0x2000, 0x1111, 0x2222, 0x3333, 0x4444]);
    guest.code(|a| a.iretd());
    guest.code_at(CODE, 0x80, 16, |a| a.int3());
    let case = Case::new(FAMILY, "IRETD enters it", ENTER, guest).event(BP).all(&[
        (Probe::SavedRip, 0x81),
        (Probe::SavedCs, CODE >> 4),
        (Probe::SavedSs, 0x2000),
        (Probe::SavedRsp, 0x9_FF00),
    ]);
    (0..).zip([0x1111u64, 0x2222, 0x3333, 0x4444]).fold(case, |case, (n, s)| case.is(Probe::Frame(5 + n), s))
}

/// What V86 mode never allows, whatever the IOPL.
fn privileged() -> Vec<Case> {
    let rows: [(&str, Program); 12] = [
        ("HLT", |a| a.hlt()),
        ("MOV CR0", |a| a.mov(eax, cr0)),
        ("MOV to CR3", |a| a.mov(cr3, eax)),
        ("MOV DR7", |a| a.mov(eax, dr7)),
        ("LGDT", |a| a.lgdt(fword_ptr(0))),
        ("LIDT", |a| a.lidt(fword_ptr(0))),
        ("LMSW", |a| a.lmsw(ax)),
        ("CLTS", |a| a.clts()),
        ("INVLPG", |a| a.invlpg(byte_ptr(0))),
        ("WBINVD", |a| a.wbinvd()),
        ("RDMSR", |a| a.rdmsr()),
        ("WRMSR", |a| a.wrmsr()),
    ];
    rows.into_iter()
        .map(|(name, program)| {
            let mut guest = guest(3, false, 0);
            guest.code(program);
            Case::new(FAMILY, format!("{name} at IOPL 3"), PRIVILEGED, guest).fault(GP, 0, 0)
        })
        .collect()
}

/// Gates that V86 mode cannot use.
fn gates() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut low = guest(3, false, 0);
    low.gate(N, gate(selector::CODE0, handler(N), gate_type::INTERRUPT32, 0));
    low.code(|a| a.int(i32::from(N)));
    cases.push(Case::new(FAMILY, "INT n through a gate of DPL 0", CLASS3, low).fault(GP, idt_error(N), 0));
    for (name, kind, dpl) in [("conforming", 0x9E, 0), ("of DPL 1", 0x9A, 1), ("of DPL 3", 0x9A, 3)] {
        let mut guest = guest(3, false, 0);
        guest.descriptor(selector::SPARE, descriptor(0, 0xF_FFFF, rights::FLAT | rights::dpl(kind, dpl)));
        guest.gate(N, gate(selector::SPARE, handler(N), gate_type::INTERRUPT32 | gate_type::DPL3, 0));
        guest.code(|a| a.int(i32::from(N)));
        let name = format!("a handler that is {name}");
        cases.push(Case::new(FAMILY, name, LEAVE, guest).fault(GP, u64::from(selector::SPARE), 0));
    }
    for (name, program, vector) in
        [("INT3", (|a| a.int3()) as Program, BP), ("INTO", |a| a.into(), OF), ("INT1", |a| a.int1(), DB)]
    {
        let mut guest = guest(0, false, rflags::OF);
        guest.code(program);
        cases.push(
            Case::new(FAMILY, format!("{name} does not mind IOPL"), CLASS3, guest).event(vector).rip(1),
        );
    }
    cases
}

/// Segments are 8086 ones: base and limit from the selector.
fn segments() -> Vec<Case> {
    let mut loads = guest(0, false, 0);
    loads.poke16(DATA + 0x34, 0xCAFE);
    loads.code(|a| {
        a.mov(ax, 0x4001u32)?;
        a.mov(es, ax)?;
        a.mov(bx, word_ptr(0x24).es())?;
        a.int3()
    });
    let mut beyond = guest(0, false, 0);
    beyond.cpu.gpr[RDI] = 0xFFFF;
    beyond.code(|a| a.mov(ax, word_ptr(di)));
    let mut far = guest(0, false, 0);
    far.code(|a| a.db(&[0xEA, 0x20, 0, 0x10, 0x10]));
    far.code_at(CODE + 0x100, 0x20, 16, |a| a.int3());
    vec![
        Case::new(FAMILY, "MOV to ES", ENTER, loads).event(BP).is(Probe::Gpr(RBX), 0xCAFE),
        Case::new(FAMILY, "limit FFFFh", ENTER, beyond).fault(GP, 0, 0),
        Case::new(FAMILY, "far JMP", ENTER, far)
            .event(BP)
            .is(Probe::SavedCs, 0x1010)
            .is(Probe::SavedRip, 0x21),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [sensitive(), virtual_flag(), software_interrupts(), frames(), privileged(), gates(), segments()].concat()
}
