//! Control and model-specific registers: reserved bits, forbidden combinations, privilege; system instructions that
//! CPL 3 may not use.

use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::{descriptor, rights, vector::*};
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use emu_core::vcpu::{SegmentName, cr0, cr4, efer};
use iced_x86::code_asm::*;

const FAMILY: &str = "control registers and MSRs";
const MOV_CR: Citation = sdm("2", "", "MOV-Move to/from Control Registers");
const CR4: Citation = sdm("3A", "2.5", "Control Registers");
const EFER: Citation = sdm("3A", "2.2.1", "Extended Feature Enable Register");
const WRMSR: Citation = sdm("2", "", "WRMSR-Write to Model Specific Register");
const RDMSR: Citation = sdm("2", "", "RDMSR-Read From Model Specific Register");
const PRIVILEGED: Citation = sdm("3A", "5.9", "Privileged Instructions");
const LMSW: Citation = sdm("2", "", "LMSW-Load Machine Status Word");
const LGDT: Citation = sdm("2", "", "LGDT/LIDT-Load Global/Interrupt Descriptor Table Register");
const SGDT: Citation = sdm("2", "", "SGDT-Store Global Descriptor Table Register");
const LLDT: Citation = sdm("2", "", "LLDT-Load Local Descriptor Table Register");
const LTR: Citation = sdm("2", "", "LTR-Load Task Register");
const XSETBV: Citation = sdm("2", "", "XSETBV-Set Extended Control Register");
const UMIP: Citation = sdm("3A", "2.5", "Control Registers: CR4.UMIP");
const TIME: Citation = sdm("3A", "2.5", "Control Registers: CR4.TSD");

/// MOV of RAX to a control register, or WRMSR of EDX:EAX.
struct Write {
    name: &'static str,
    guest: fn() -> Guest,
    value: fn(&Guest) -> u64,
    good: bool,
}

const fn write(name: &'static str, guest: fn() -> Guest, value: fn(&Guest) -> u64, good: bool) -> Write {
    Write { name, guest, value, good }
}

const CR0_WRITES: [Write; 8] = [
    write("PG without PE", Guest::protected, |g| (g.cpu.cr0 | cr0::PG) & !cr0::PE, false),
    write("NW without CD", Guest::protected, |g| g.cpu.cr0 | cr0::NW, false),
    write("CD without NW", Guest::protected, |g| g.cpu.cr0 | cr0::CD, true),
    write(
        "reserved bits below 32 are ignored",
        Guest::protected,
        |g| g.cpu.cr0 | 0x1FF8_0000 & !(1 << 18),
        true,
    ),
    write("bit 32", Guest::long, |g| g.cpu.cr0 | 1 << 32, false),
    write("PG cleared in 64-bit mode", Guest::long, |g| g.cpu.cr0 & !cr0::PG, false),
    write("PE cleared under paging", Guest::paged, |g| g.cpu.cr0 & !cr0::PE, false),
    write(
        "PG with EFER.LME and without PAE",
        || {
            let mut guest = Guest::protected();
            guest.cpu.efer = efer::LME;
            guest
        },
        |g| g.cpu.cr0 | cr0::PG,
        false,
    ),
];

const CR4_WRITES: [Write; 7] = [
    write("bit 13 (VMXE)", Guest::long, |g| g.cpu.cr4 | 1 << 13, false),
    write("bit 15", Guest::long, |g| g.cpu.cr4 | 1 << 15, false),
    write("bit 31", Guest::protected, |g| g.cpu.cr4 | 1 << 31, false),
    write("bit 63", Guest::long, |g| g.cpu.cr4 | 1 << 63, false),
    write("PAE cleared in long mode", Guest::long, |g| g.cpu.cr4 & !cr4::PAE, false),
    write("VME, PVI, TSD, DE", Guest::long, |g| g.cpu.cr4 | 0xF, true),
    write("SMEP, SMAP", Guest::protected, |g| g.cpu.cr4 | cr4::SMEP | cr4::SMAP, true),
];

const CR3_WRITES: [Write; 5] = [
    write("bit 40, beyond the physical width", Guest::long, |_| PAGES | 1 << 40, false),
    write("bit 52", Guest::long, |_| PAGES | 1 << 52, false),
    write("bit 63 without PCIDE", Guest::long, |_| PAGES | 1 << 63, false),
    write("PWT and PCD", Guest::long, |_| PAGES | 0x18, true),
    write("32-bit paging", Guest::paged, |_| PAGES, true),
];

fn control_writes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (n, rows) in [(0u8, &CR0_WRITES[..]), (3, &CR3_WRITES), (4, &CR4_WRITES)] {
        for row in rows {
            let mut guest = (row.guest)();
            guest.cpu.gpr[RAX] = (row.value)(&guest);
            let before = [guest.cpu.cr0, 0, 0, guest.cpu.cr3, guest.cpu.cr4][usize::from(n)];
            guest.code(|a| {
                a.db(&[0x0F, 0x22, 0xC0 | n << 3])?;
                a.hlt()
            });
            let case = Case::new(FAMILY, format!("MOV CR{n}: {}", row.name), MOV_CR, guest);
            let probe = match n {
                0 => Probe::Cr0(u64::MAX),
                3 => Probe::Cr3,
                _ => Probe::Cr4(u64::MAX),
            };
            cases.push(if row.good { case } else { case.fault(GP, 0, 0).is(probe, before) });
        }
    }
    for n in [1u8, 5, 6, 7] {
        for (name, opcode) in [("to", 0x22u8), ("from", 0x20)] {
            let mut guest = Guest::protected();
            guest.code(|a| a.db(&[0x0F, opcode, 0xC0 | n << 3]));
            cases.push(Case::new(FAMILY, format!("MOV {name} CR{n}"), MOV_CR, guest).event(UD).rip(0));
        }
    }
    for (value, good) in [(0u64, true), (15, true), (16, false), (1 << 63, false)] {
        let mut guest = Guest::long();
        guest.cpu.gpr[RAX] = value;
        guest.code(|a| {
            a.db(&[0x44, 0x0F, 0x22, 0xC0])?;
            a.hlt()
        });
        let case = Case::new(FAMILY, format!("MOV CR8 of {value:x}h"), MOV_CR, guest);
        cases.push(if good { case } else { case.fault(GP, 0, 0) });
    }
    cases
}

/// Register number, value, whether it is taken.
const MSRS: [(&str, u32, u64, bool); 30] = [
    ("EFER bit 1", 0xC000_0080, 0xD02, false),
    ("EFER bit 12", 0xC000_0080, 0x1D01, false),
    ("EFER bit 63", 0xC000_0080, 1 << 63 | 0xD01, false),
    ("EFER.LME cleared under paging", 0xC000_0080, 0xC01, false),
    ("EFER.SCE cleared", 0xC000_0080, 0xD00, true),
    ("LSTAR not canonical", 0xC000_0082, 1 << 47, false),
    ("LSTAR", 0xC000_0082, 0xFFFF_8000_0000_0000, true),
    ("CSTAR not canonical", 0xC000_0083, 1 << 47, false),
    ("FS_BASE not canonical", 0xC000_0100, 1 << 47, false),
    ("GS_BASE not canonical", 0xC000_0101, 1 << 47, false),
    ("KERNEL_GS_BASE not canonical", 0xC000_0102, 1 << 47, false),
    ("KERNEL_GS_BASE", 0xC000_0102, 0x1234, true),
    ("TSC_AUX beyond 32 bits", 0xC000_0103, 1 << 32, false),
    ("TSC_AUX", 0xC000_0103, 0xFFFF_FFFF, true),
    ("SYSENTER_ESP not canonical", 0x175, 1 << 47, false),
    ("SYSENTER_EIP not canonical", 0x176, 1 << 47, false),
    ("SYSENTER_EIP", 0x176, 0xFFFF_8000_0000_0000, true),
    ("PAT of type 2", 0x277, 0x0007_0406_0007_0402, false),
    ("PAT of type 8", 0x277, 0x0807_0406_0007_0406, false),
    ("PAT", 0x277, 0x0007_0106_0007_0406, true),
    ("MTRR_DEF_TYPE of type 2", 0x2FF, 2, false),
    ("MTRR_DEF_TYPE bit 8", 0x2FF, 0x106, false),
    ("MTRR_DEF_TYPE", 0x2FF, 0xC06, true),
    ("MTRR_PHYSBASE0 bit 40", 0x200, 1 << 40, false),
    ("MTRR_PHYSBASE0 bit 8", 0x200, 0x100, false),
    ("MTRR_PHYSMASK0 bit 10", 0x201, 0x400, false),
    ("MTRR_FIX64K of type 3", 0x250, 3, false),
    ("MTRRCAP is read-only", 0xFE, 0, false),
    ("SPEC_CTRL bit 5", 0x48, 0x20, false),
    ("an unknown register", 0x1234_5678, 0, false),
];

fn msr_writes() -> Vec<Case> {
    let mut cases: Vec<Case> = MSRS
        .iter()
        .map(|(name, number, value, good)| {
            let mut guest = Guest::long();
            guest.cpu.gpr[RCX] = u64::from(*number) | 0xABCD << 32;
            guest.cpu.gpr[RAX] = value & 0xFFFF_FFFF;
            guest.cpu.gpr[RDX] = value >> 32;
            guest.code(|a| {
                a.wrmsr()?;
                a.hlt()
            });
            let case = Case::new(FAMILY, format!("WRMSR: {name}"), WRMSR, guest);
            if *good { case } else { case.fault(GP, 0, 0) }
        })
        .collect();
    let mut unknown = Guest::long();
    unknown.cpu.gpr[RCX] = 0x1234_5678;
    unknown.code(|a| a.rdmsr());
    cases.push(Case::new(FAMILY, "RDMSR: an unknown register", RDMSR, unknown).fault(GP, 0, 0));
    let mut clears = Guest::long();
    clears.cpu.gpr = [u64::MAX; 16];
    clears.cpu.gpr[RSP] = STACK0;
    clears.cpu.gpr[RCX] = 0xC000_0082;
    clears.cpu.lstar = 0xFFFF_8000_1234_5678;
    clears.code(|a| {
        a.rdmsr()?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "RDMSR clears the upper halves", RDMSR, clears)
            .is(Probe::Gpr(RAX), 0x1234_5678)
            .is(Probe::Gpr(RDX), 0xFFFF_8000),
    );
    let mut lma = Guest::long();
    lma.cpu.gpr[RCX] = 0xC000_0080;
    lma.code(|a| {
        a.rdmsr()?;
        a.hlt()
    });
    cases.push(Case::new(FAMILY, "EFER.LMA reads as one", EFER, lma).is(Probe::Gpr(RAX), 0xD01));
    cases
}

/// Instructions of CPL 0, at CPL 3 (and 1): #GP(0).
fn privileged() -> Vec<Case> {
    let rows: [(&str, Program); 19] = [
        ("HLT", |a| a.hlt()),
        ("LGDT", |a| a.lgdt(fword_ptr(DATA as u32))),
        ("LIDT", |a| a.lidt(fword_ptr(DATA as u32))),
        ("LLDT", |a| a.lldt(ax)),
        ("LTR", |a| a.ltr(ax)),
        ("LMSW", |a| a.lmsw(ax)),
        ("CLTS", |a| a.clts()),
        ("MOV from CR0", |a| a.mov(eax, cr0)),
        ("MOV to CR0", |a| a.mov(cr0, eax)),
        ("MOV from CR3", |a| a.mov(eax, cr3)),
        ("MOV to CR4", |a| a.mov(cr4, eax)),
        ("MOV from DR0", |a| a.mov(eax, dr0)),
        ("INVD", |a| a.invd()),
        ("WBINVD", |a| a.wbinvd()),
        ("INVLPG", |a| a.invlpg(byte_ptr(DATA as u32))),
        ("RDMSR", |a| a.rdmsr()),
        ("WRMSR", |a| a.wrmsr()),
        ("RDPMC", |a| a.rdpmc()),
        ("INVPCID", |a| a.invpcid(eax, xmmword_ptr(DATA as u32))),
    ];
    let mut cases = Vec::new();
    for (name, program) in rows {
        for cpl in [1u8, 3] {
            let mut guest = Guest::protected().at_ring(cpl);
            guest.code(program);
            cases.push(Case::new(FAMILY, format!("{name} at CPL {cpl}"), PRIVILEGED, guest).fault(GP, 0, 0));
        }
    }
    cases
}

/// What CPL 3 may do unless CR4 says otherwise.
fn optional() -> Vec<Case> {
    let rows: [(&str, u64, Citation, Program); 8] = [
        ("SGDT", cr4::UMIP, UMIP, |a| a.sgdt(fword_ptr(DATA as u32))),
        ("SIDT", cr4::UMIP, UMIP, |a| a.sidt(fword_ptr(DATA as u32))),
        ("SLDT", cr4::UMIP, UMIP, |a| a.sldt(eax)),
        ("STR", cr4::UMIP, UMIP, |a| a.str(eax)),
        ("SMSW", cr4::UMIP, UMIP, |a| a.smsw(eax)),
        ("SMSW to memory", cr4::UMIP, UMIP, |a| a.smsw(word_ptr(DATA as u32))),
        ("RDTSC", cr4::TSD, TIME, |a| a.rdtsc()),
        ("RDTSCP", cr4::TSD, TIME, |a| a.rdtscp()),
    ];
    let mut cases = Vec::new();
    for (name, bit, citation, program) in rows {
        for set in [false, true] {
            for cpl in [0u8, 3] {
                let mut guest = Guest::protected().at_ring(cpl);
                guest.cpu.cr4 |= if set { bit } else { 0 };
                guest.code(|a| {
                    program(a)?;
                    a.int(i32::from(END))
                });
                let name = format!("{name} at CPL {cpl}, CR4 bit {}", if set { "set" } else { "clear" });
                let case = Case::new(FAMILY, name, citation, guest);
                cases.push(if set && cpl == 3 { case.fault(GP, 0, 0) } else { case.event(END) });
            }
        }
    }
    cases
}

/// LMSW sets PE and cannot clear it; SMSW shows it.
fn machine_status() -> Vec<Case> {
    let mut set = Guest::real();
    set.cpu.gpr[RAX] = 0xFFFF;
    set.code(|a| {
        a.lmsw(ax)?;
        a.hlt()
    });
    let mut clear = Guest::protected();
    clear.cpu.gpr[RAX] = 0;
    clear.code(|a| {
        a.lmsw(ax)?;
        a.hlt()
    });
    let mut show = Guest::protected();
    show.cpu.gpr[RAX] = 0xFFFF_FFFF;
    show.cpu.cr0 |= cr0::WP;
    show.code(|a| {
        a.smsw(ax)?;
        a.smsw(ecx)?;
        a.hlt()
    });
    vec![
        Case::new(FAMILY, "LMSW of ones in real mode", LMSW, set)
            .is(Probe::Cr0(0xFFFF_FFFF), 0x3F & !0x20 | 0x10),
        Case::new(FAMILY, "LMSW of zeros", LMSW, clear).is(Probe::Cr0(0xF), 1),
        Case::new(FAMILY, "SMSW", LMSW, show).is(Probe::Gpr(RAX), 0xFFFF_0031).is(Probe::Gpr(RCX), 0x1_0031),
    ]
}

/// GDTR and IDTR in all operand sizes.
fn tables() -> Vec<Case> {
    let mut cases = Vec::new();
    let operand = [0xFF, 0x01, 0x00, 0x10, 0x00, 0x12, 0, 0, 0, 0];
    for (name, guest, bytes, base) in [
        ("32-bit operand", Guest::protected(), 6u64, 0x1200_1000u64),
        ("16-bit operand: 24 bits of base", Guest::protected(), 5, 0x00_1000),
        ("64-bit mode", Guest::long(), 10, 0x1200_1000),
    ] {
        let mut guest = guest;
        guest.poke(DATA, &operand);
        let narrow = bytes == 5;
        guest.code(|a| {
            if narrow {
                a.db(&[0x66])?;
            }
            a.lgdt(fword_ptr(DATA as u32))?;
            a.sgdt(fword_ptr(DATA as u32 + 0x10))?;
            a.hlt()
        });
        cases.push(Case::new(FAMILY, format!("LGDT and SGDT, {name}"), SGDT, guest).all(&[
            (Probe::GdtrBase, base),
            (Probe::GdtrLimit, 0x1FF),
            (Probe::Memory(DATA + 0x10, 2), 0x1FF),
            (Probe::Memory(DATA + 0x12, 4), base),
        ]));
    }
    let mut wild = Guest::long();
    wild.poke64(DATA + 2, 1 << 47);
    wild.code(|a| a.lgdt(fword_ptr(DATA)));
    cases.push(
        Case::new(FAMILY, "LGDT of a base that is not canonical", LGDT, wild)
            .fault(GP, 0, 0)
            .is(Probe::GdtrBase, GDT),
    );
    let mut short = Guest::protected();
    short.descriptor(selector::SPARE, descriptor(DATA, 4, rights::BIG | rights::DATA));
    let small = short.segment(selector::SPARE);
    short.cpu.seg[SegmentName::Ds as usize] = small;
    short.code(|a| a.lgdt(fword_ptr(0)));
    cases.push(
        Case::new(FAMILY, "LGDT across the segment's limit", LGDT, short)
            .fault(GP, 0, 0)
            .is(Probe::GdtrBase, GDT),
    );
    cases
}

/// LLDT and LTR: types, presence, tables, the busy bit; 16-byte descriptors in long mode.
fn system_segments() -> Vec<Case> {
    let mut cases = Vec::new();
    for long in [false, true] {
        for kind in 0..0x20u64 {
            for present in [true, false] {
                for (name, is_ldt) in [("LLDT", true), ("LTR", false)] {
                    let mut guest = if long { Guest::long() } else { Guest::protected() };
                    let raw = descriptor(0x1234_5000, 0x67, kind | u64::from(present) << 7);
                    guest.descriptor(selector::SPARE, raw);
                    guest.poke64(GDT + u64::from(selector::SPARE) + 8, 0x7FFF);
                    guest.cpu.gpr[RAX] = u64::from(selector::SPARE);
                    guest.code(|a| {
                        if is_ldt {
                            a.lldt(ax)?;
                        } else {
                            a.ltr(ax)?;
                        }
                        a.hlt()
                    });
                    let good = match (is_ldt, kind) {
                        (true, 0x2) | (false, 0x9) => true,
                        (false, 0x1) => !long,
                        _ => false,
                    };
                    let mode = if long { "long mode" } else { "protected mode" };
                    let case_name = format!("{name} of type {kind:02x}h, P {}, {mode}", u8::from(present));
                    let case = Case::new(FAMILY, case_name, if is_ldt { LLDT } else { LTR }, guest);
                    let base = 0x1234_5000 | if long { 0x7FFF << 32 } else { 0 };
                    let type_at = Probe::Memory(GDT + u64::from(selector::SPARE) + 5, 1);
                    cases.push(match (good, present, is_ldt) {
                        (false, ..) => case.fault(GP, u64::from(selector::SPARE), 0),
                        (true, false, _) => case.fault(NP, u64::from(selector::SPARE), 0),
                        (true, true, true) => case
                            .is(Probe::Ldtr(Part::Selector), u64::from(selector::SPARE))
                            .is(Probe::Ldtr(Part::Base), base)
                            .is(type_at, 0x82),
                        (true, true, false) => case
                            .is(Probe::Tr(Part::Selector), u64::from(selector::SPARE))
                            .is(Probe::Tr(Part::Base), base)
                            .is(Probe::Tr(Part::Limit), 0x67)
                            .is(type_at, kind | 0x82),
                    });
                }
            }
        }
    }
    let rows: [(&str, bool, u64, Option<u64>); 6] = [
        ("LLDT of null", true, 3, None),
        ("LTR of null", false, 0, Some(0)),
        ("LLDT of a local selector", true, 0x0C, Some(0x0C)),
        ("LTR of a local selector", false, 0x0C, Some(0x0C)),
        ("LLDT outside the GDT", true, 0x1F8, Some(0x1F8)),
        ("LTR outside the GDT", false, 0x1F8, Some(0x1F8)),
    ];
    for (name, is_ldt, chosen, error) in rows {
        let mut guest = Guest::protected();
        guest.cpu.gpr[RAX] = chosen;
        guest.code(|a| {
            if is_ldt {
                a.lldt(ax)?;
            } else {
                a.ltr(ax)?;
            }
            a.hlt()
        });
        let case = Case::new(FAMILY, name, if is_ldt { LLDT } else { LTR }, guest);
        cases.push(match error {
            None => case.is(Probe::Ldtr(Part::Usable), 0),
            Some(error) => case.fault(GP, error, 0),
        });
    }
    cases
}

/// XSETBV: XCR0 keeps x87, AVX needs SSE.
fn extended() -> Vec<Case> {
    let rows: [(&str, u64, u64, bool, bool, u8); 6] = [
        ("x87 and SSE", 0, 3, true, false, 0),
        ("without x87", 0, 2, true, true, 0),
        ("bit 63", 0, 1 << 63 | 3, true, true, 0),
        ("XCR1", 1, 3, true, true, 0),
        ("at CPL 3", 0, 3, true, true, 3),
        ("without OSXSAVE", 0, 3, false, true, 0),
    ];
    rows.into_iter()
        .map(|(name, number, value, osxsave, faults, cpl)| {
            let mut guest = Guest::long().at_ring(cpl);
            guest.cpu.cr4 |= if osxsave { cr4::OSXSAVE } else { 0 };
            guest.cpu.gpr[RCX] = number;
            guest.cpu.gpr[RAX] = value & 0xFFFF_FFFF;
            guest.cpu.gpr[RDX] = value >> 32;
            guest.code(|a| {
                a.xsetbv()?;
                a.hlt()
            });
            let case = Case::new(FAMILY, format!("XSETBV: {name}"), XSETBV, guest);
            match (faults, osxsave) {
                (false, _) => case,
                (true, true) => case.fault(GP, 0, 0),
                (true, false) => case.event(UD).rip(0),
            }
        })
        .collect()
}

pub(super) fn cases() -> Vec<Case> {
    let mut shown = Guest::long();
    shown.code(|a| {
        a.mov(rax, cr4)?;
        a.hlt()
    });
    let value = shown.cpu.cr4;
    let show = Case::new(FAMILY, "MOV from CR4", CR4, shown).is(Probe::Gpr(RAX), value);
    [
        control_writes(),
        msr_writes(),
        privileged(),
        optional(),
        machine_status(),
        tables(),
        system_segments(),
        extended(),
        vec![show],
    ]
    .concat()
}
