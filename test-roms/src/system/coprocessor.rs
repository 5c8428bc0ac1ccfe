//! Floating point and the system: CR0.EM, TS, MP and NE, CR4.OSFXSR and OSXMMEXCPT, and alignment checks.

use super::case::{Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*};
use emu_core::vcpu::{cr0, cr4, rflags};
use iced_x86::code_asm::*;

const FAMILY: &str = "coprocessor and alignment";
const NM_FAULT: Citation = sdm("3A", "6.15", "Interrupt 7-Device Not Available Exception (#NM)");
const MMX: Citation = sdm("3A", "12.1", "Emulation of the MMX Instruction Set");
const SSE: Citation = sdm("3A", "13.1.4", "Initialization of the SSE Extensions");
const MF_FAULT: Citation = sdm("3A", "6.15", "Interrupt 16-x87 FPU Floating-Point Error (#MF)");
const XM_FAULT: Citation = sdm("3A", "6.15", "Interrupt 19-SIMD Floating-Point Exception (#XM)");
const AC_FAULT: Citation = sdm("3A", "6.15", "Interrupt 17-Alignment Check Exception (#AC)");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    X87,
    Wait,
    Mmx,
    Sse,
}

const UNITS: [(&str, Unit, Program); 4] = [
    ("x87", Unit::X87, |a| a.fld1()),
    ("WAIT", Unit::Wait, |a| a.wait()),
    ("MMX", Unit::Mmx, |a| a.pxor(mm0, mm0)),
    ("SSE", Unit::Sse, |a| a.xorps(xmm0, xmm0)),
];

/// Every unit under every combination of EM, MP, TS and OSFXSR.
fn availability() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, unit, program) in UNITS {
        for bits in 0..16u64 {
            let bit = |n: u64| bits >> n & 1 != 0;
            let (em, mp, ts, fxsr) = (bit(0), bit(1), bit(2), bit(3));
            let mut guest = Guest::protected();
            let set = |on: bool, bit: u64| if on { bit } else { 0 };
            guest.cpu.cr0 |= set(em, cr0::EM) | set(mp, cr0::MP) | set(ts, cr0::TS);
            guest.cpu.cr4 |= set(fxsr, cr4::OSFXSR);
            guest.cpu.x87.control = 0x37F;
            guest.cpu.x87.empty = 0xFF;
            guest.code(|a| {
                program(a)?;
                a.hlt()
            });
            let name = format!(
                "{name}: EM {}, MP {}, TS {}, OSFXSR {}",
                u8::from(em),
                u8::from(mp),
                u8::from(ts),
                u8::from(fxsr)
            );
            let (citation, fault) = match unit {
                Unit::X87 => (NM_FAULT, (em || ts).then_some(NM)),
                Unit::Wait => (NM_FAULT, (mp && ts).then_some(NM)),
                Unit::Mmx if em => (MMX, Some(UD)),
                Unit::Mmx => (MMX, ts.then_some(NM)),
                Unit::Sse if em || !fxsr => (SSE, Some(UD)),
                Unit::Sse => (SSE, ts.then_some(NM)),
            };
            let case = Case::new(FAMILY, name, citation, guest);
            cases.push(fault.map_or(case.clone(), |vector| case.event(vector).rip(0)));
        }
    }
    cases
}

/// An unmasked x87 exception is reported by the next waiting instruction, not by those that do not wait.
fn deferred() -> Vec<Case> {
    let rows: [(&str, Program, bool); 8] = [
        ("FLD1", |a| a.fld1(), true),
        ("WAIT", |a| a.wait(), true),
        ("MMX", |a| a.pxor(mm0, mm0), true),
        ("FNSTSW", |a| a.fnstsw(ax), false),
        ("FNCLEX", |a| a.fnclex(), false),
        ("FNINIT", |a| a.fninit(), false),
        ("FNSTCW", |a| a.fnstcw(word_ptr(DATA as u32)), false),
        ("integer ADD", |a| a.add(eax, ecx), false),
    ];
    rows.into_iter()
        .map(|(name, program, waits)| {
            let mut guest = Guest::protected();
            guest.cpu.x87.control = 0x37B; // #Z unmasked
            guest.cpu.x87.empty = 0xFF;
            guest.code(|a| {
                a.fld1()?;
                a.fldz()?;
                a.fdivp(st1, st0)?;
                program(a)?;
                a.hlt()
            });
            let case =
                Case::new(FAMILY, format!("{name} behind an unmasked division by zero"), MF_FAULT, guest);
            if waits { case.event(MF).rip(3) } else { case }
        })
        .collect()
}

/// SIMD exceptions come at once: #XM, or #UD where the operating system does not expect them.
fn simd() -> Vec<Case> {
    let mut cases = Vec::new();
    for (expects, vector) in [(true, XM), (false, UD)] {
        for masked in [false, true] {
            let mut guest = Guest::protected();
            guest.cpu.cr4 |= cr4::OSFXSR | if expects { cr4::OSXMMEXCPT } else { 0 };
            guest.cpu.mxcsr = if masked { 0x1F80 } else { 0x1D80 }; // #Z
            guest.cpu.xmm[0] = 0x3F80_0000;
            guest.code(|a| {
                a.divss(xmm0, xmm1)?;
                a.hlt()
            });
            let name = format!(
                "division by zero, {}, OSXMMEXCPT {}",
                if masked { "masked" } else { "unmasked" },
                u8::from(expects)
            );
            let case = Case::new(FAMILY, name, XM_FAULT, guest);
            cases.push(if masked { case } else { case.event(vector).rip(0) });
        }
    }
    cases
}

/// An access, and what its address must be a multiple of (SDM, "Alignment Requirements by Data Type").
struct Access {
    name: &'static str,
    align: u64,
    program: Program,
}

const ACCESSES: [Access; 17] = [
    Access { name: "byte read", align: 1, program: |a| a.mov(al, byte_ptr(edi)) },
    Access { name: "word read", align: 2, program: |a| a.mov(ax, word_ptr(edi)) },
    Access { name: "word write", align: 2, program: |a| a.mov(word_ptr(edi), ax) },
    Access { name: "dword read", align: 4, program: |a| a.mov(eax, dword_ptr(edi)) },
    Access { name: "dword write", align: 4, program: |a| a.mov(dword_ptr(edi), eax) },
    Access { name: "dword read-modify-write", align: 4, program: |a| a.inc(dword_ptr(edi)) },
    Access { name: "XCHG", align: 4, program: |a| a.xchg(dword_ptr(edi), eax) },
    Access { name: "single", align: 4, program: |a| a.fld(dword_ptr(edi)) },
    Access { name: "double", align: 8, program: |a| a.fld(qword_ptr(edi)) },
    Access { name: "MMX", align: 8, program: |a| a.movq(mm0, qword_ptr(edi)) },
    Access { name: "extended real", align: 8, program: |a| a.fld(tbyte_ptr(edi)) },
    Access { name: "extended real store", align: 8, program: |a| a.fstp(tbyte_ptr(edi)) },
    Access { name: "FNSAVE", align: 4, program: |a| a.db(&[0xDD, 0x37]) },
    Access { name: "FNSTENV", align: 4, program: |a| a.db(&[0xD9, 0x37]) },
    Access { name: "FRSTOR", align: 4, program: |a| a.db(&[0xDD, 0x27]) },
    Access {
        name: "PUSH",
        align: 4,
        program: |a| {
            a.lea(esp, ptr(edi + 4))?;
            a.push(eax)
        },
    },
    Access { name: "STOSD", align: 4, program: |a| a.stosd() },
];

/// Which offsets of a 16-byte line an access is refused at, with and without each of its three conditions.
fn alignment() -> Vec<Case> {
    let mut cases = Vec::new();
    for access in &ACCESSES {
        for offset in [0u64, 1, 2, 4, 8] {
            let aligned = offset % access.align == 0;
            for (what, am, ac, cpl) in [
                ("CPL 3, AM, AC", true, true, 3),
                ("no AM", false, true, 3),
                ("no AC", true, false, 3),
                ("CPL 0", true, true, 0),
            ] {
                if aligned && what != "CPL 3, AM, AC" {
                    continue;
                }
                let mut guest = Guest::protected().at_ring(cpl);
                guest.cpu.cr0 |= if am { cr0::AM } else { 0 };
                guest.cpu.rflags |= if ac { rflags::AC } else { 0 };
                guest.cpu.x87.control = 0x37F;
                guest.cpu.x87.empty = 0xFE;
                guest.cpu.gpr[RDI] = DATA + offset;
                guest.code(|a| {
                    (access.program)(a)?;
                    a.int(i32::from(END))
                });
                let n = guest.starts.len() - 3;
                let name = format!("{} at offset {offset}, {what}", access.name);
                let case = Case::new(FAMILY, name, AC_FAULT, guest);
                let refused = !aligned && what == "CPL 3, AM, AC";
                cases.push(if refused { case.fault(AC, 0, n) } else { case.event(END) });
            }
        }
    }
    cases
}

/// The processor's own accesses on behalf of CPL 3 are the supervisor's: no #AC.
fn implicit() -> Case {
    let mut guest = Guest::protected().at_ring(3).flags(rflags::AC);
    guest.cpu.cr0 |= cr0::AM;
    guest.cpu.idtr.base = IDT + 0x801;
    for vector in 0..=255u8 {
        let gate = super::encode::gate(8, super::guest::handler(vector), 0xEE, 0);
        guest.poke64(IDT + 0x801 + 8 * u64::from(vector), gate);
    }
    guest.code(|a| a.int(i32::from(END)));
    Case::new(FAMILY, "an IDT that is not aligned", AC_FAULT, guest)
        .event(END)
        .is(Probe::SavedFlags(rflags::AC), rflags::AC)
}

pub(super) fn cases() -> Vec<Case> {
    [availability(), deferred(), simd(), alignment(), vec![implicit()]].concat()
}
