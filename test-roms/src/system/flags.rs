//! Who may change which flags: POPF, IRET, PUSHF, CLI and STI, by mode, CPL, IOPL and operand size.

use super::case::{Case, Citation, Probe, sdm};
use super::encode::vector::{END, GP};
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use emu_core::vcpu::{cr4, rflags::*};

const FAMILY: &str = "flag privileges";
const POPF: Citation = sdm("2", "", "POPF/POPFD/POPFQ-Pop Stack Into EFLAGS Register");
const PUSHF: Citation = sdm("2", "", "PUSHF/PUSHFD/PUSHFQ-Push EFLAGS Register Onto the Stack");
const IRET: Citation = sdm("2", "", "IRET/IRETD/IRETQ-Interrupt Return");
const CLI: Citation = sdm("2", "", "CLI-Clear Interrupt Flag");
const STI: Citation = sdm("2", "", "STI-Set Interrupt Flag");
const PVI: Citation = sdm("3B", "20.4", "Protected-Mode Virtual Interrupts");

/// Flags that any program may change; TF is left alone here.
const USER: u64 = STATUS | DF | NT;
const USER_HIGH: u64 = AC | ID;

/// The image that is popped: everything but TF, VM and RF.
const ONES: u64 = USER | USER_HIGH | IF | IOPL | VIF | VIP;

/// POPF of 2, 4 or 8 bytes at every CPL and IOPL: what changes from all clear to all set.
fn popf() -> Vec<Case> {
    let mut cases = Vec::new();
    for (mode, size) in [("protected", 2u64), ("protected", 4), ("64-bit", 2), ("64-bit", 8)] {
        for cpl in 0..4u64 {
            for iopl in 0..4u64 {
                let guest = if mode == "64-bit" { Guest::long() } else { Guest::protected() };
                let mut guest = guest.at_ring(cpl as u8).flags(iopl << 12);
                guest.stack(size, &[ONES]);
                guest.code(|a| {
                    match (mode, size) {
                        ("protected", 4) => a.popfd()?,
                        ("64-bit", 8) => a.popfq()?,
                        _ => a.db(&[0x66, 0x9D])?,
                    }
                    a.int(i32::from(END))
                });
                let mut may = USER | if size > 2 { USER_HIGH } else { 0 };
                may |= if cpl <= iopl { IF } else { 0 } | if cpl == 0 { IOPL } else { 0 };
                let expected = ONES & may | (iopl << 12) & !may | 2;
                let name = format!("POPF of {size} bytes, {mode} mode, CPL {cpl}, IOPL {iopl}");
                cases.push(
                    Case::new(FAMILY, name, POPF, guest).event(END).is(Probe::SavedFlags(u64::MAX), expected),
                );
            }
        }
    }
    cases
}

/// IRETD and IRETQ to the same level or outwards.
fn iret() -> Vec<Case> {
    let mut cases = Vec::new();
    for (mode, size) in [("protected", 2u64), ("protected", 4), ("64-bit", 8)] {
        for cpl in [0u64, 3] {
            for iopl in [0u64, 3] {
                let guest = if mode == "64-bit" { Guest::long() } else { Guest::protected() };
                let mut guest = guest.at_ring(cpl as u8).flags(iopl << 12);
                let (code, data) = if cpl == 0 {
                    (selector::CODE0, selector::DATA0)
                } else {
                    (selector::CODE3, selector::DATA3)
                };
                let target = (CODE + 0x100) & if size == 2 { 0xFFFF } else { u64::MAX };
                // RF would be gone after the next instruction.
                guest.stack(size, &[target, u64::from(code), ONES & !VIP, 0x2_F000, u64::from(data)]);
                guest.code(|a| match (mode, size) {
                    ("protected", 2) => a.iret(),
                    ("protected", _) => a.iretd(),
                    _ => a.iretq(),
                });
                let bits = guest.bits();
                guest.code_at(0, target, bits, |a| a.int(i32::from(END)));
                let mut may = USER | if size > 2 { USER_HIGH } else { 0 };
                may |= if cpl <= iopl { IF } else { 0 } | if cpl == 0 { IOPL } else { 0 };
                may |= if cpl == 0 && size > 2 { VIF | VIP } else { 0 };
                let expected = ONES & !VIP & may | (iopl << 12) & !may | 2;
                let name = format!("IRET of {size} bytes, {mode} mode, CPL {cpl}, IOPL {iopl}");
                cases.push(
                    Case::new(FAMILY, name, IRET, guest).event(END).is(Probe::SavedFlags(u64::MAX), expected),
                );
            }
        }
    }
    cases
}

/// PUSHF shows neither VM nor RF.
fn pushf() -> Vec<Case> {
    let rows: [(&str, Guest, u64, Program); 3] = [
        ("PUSHFD", Guest::protected().at_ring(3), 4, |a| a.pushfd()),
        ("PUSHFQ", Guest::long().at_ring(3), 8, |a| a.pushfq()),
        ("PUSHFW", Guest::protected().at_ring(3), 2, |a| a.db(&[0x66, 0x9C])),
    ];
    rows.into_iter()
        .map(|(name, guest, size, program)| {
            let set = STATUS | DF | IF | NT | AC | ID | RF | 1 << 12;
            let mut guest = guest.flags(set);
            guest.code(|a| {
                program(a)?;
                a.int(i32::from(END))
            });
            let top = guest.cpu.gpr[RSP];
            let image = (set & !RF | 2) & (u64::MAX >> (64 - 8 * size));
            Case::new(FAMILY, name, PUSHF, guest)
                .event(END)
                .is(Probe::Memory(top - size, size), image)
                .is(Probe::SavedRsp, top - size)
        })
        .collect()
}

/// CLI and STI at every CPL and IOPL, with and without PVI.
fn interrupt_flag() -> Vec<Case> {
    let mut cases = Vec::new();
    for pvi in [false, true] {
        for cpl in 0..4u64 {
            for iopl in 0..4u64 {
                for sets in [false, true] {
                    let before = if sets { 0 } else { IF | VIF };
                    let mut guest = Guest::protected().at_ring(cpl as u8).flags(iopl << 12 | before);
                    guest.cpu.cr4 |= if pvi { cr4::PVI } else { 0 };
                    guest.code(|a| {
                        if sets {
                            a.sti()?;
                        } else {
                            a.cli()?;
                        }
                        a.int(i32::from(END))
                    });
                    let instruction = if sets { "STI" } else { "CLI" };
                    let name =
                        format!("{instruction}, CPL {cpl}, IOPL {iopl}{}", if pvi { ", PVI" } else { "" });
                    let citation = match (pvi, sets) {
                        (true, _) => PVI,
                        (_, true) => STI,
                        _ => CLI,
                    };
                    let case = Case::new(FAMILY, name, citation, guest);
                    let flag = match (cpl <= iopl, pvi && cpl == 3) {
                        (true, _) => IF,
                        (false, true) => VIF,
                        (false, false) => {
                            cases.push(case.fault(GP, 0, 0).is(Probe::SavedFlags(IF | VIF), before));
                            continue;
                        }
                    };
                    let after = if sets { before | flag } else { before & !flag };
                    cases.push(case.event(END).is(Probe::SavedFlags(IF | VIF), after));
                }
            }
        }
    }
    let mut guest = Guest::protected().at_ring(3).flags(VIP);
    guest.cpu.cr4 |= cr4::PVI;
    guest.code(|a| a.sti());
    cases.push(Case::new(FAMILY, "STI under PVI with an interrupt pending", PVI, guest).fault(GP, 0, 0));
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [popf(), iret(), pushf(), interrupt_flag()].concat()
}
