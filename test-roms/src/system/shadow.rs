//! When interrupts are taken: shadows of STI and MOV SS, NMI blocking, HLT, and between iterations of a string.

use super::board::{INTR_MEMORY, INTR_PORT, MEMORY_VECTOR, NMI_MEMORY, NMI_PORT};
use super::case::{Action, Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use emu_core::vcpu::rflags;
use iced_x86::code_asm::*;

const FAMILY: &str = "interrupt boundaries";
const STI: Citation = sdm("2", "", "STI-Set Interrupt Flag");
const SHADOW: Citation = sdm("3A", "6.8.3", "Masking Exceptions and Interrupts When Switching Stacks");
const MASK: Citation = sdm("3A", "6.8.1", "Masking Maskable Hardware Interrupts");
const NMIS: Citation = sdm("3A", "6.7.1", "Handling Multiple NMIs");
const HLT: Citation = sdm("2", "", "HLT-Halt");
const PRIORITY: Citation = sdm("3A", "6.9", "Priority Among Simultaneous Exceptions and Interrupts");
const REP: Citation = sdm("2", "", "REP/REPE/REPZ/REPNE/REPNZ-Repeat String Operation Prefix");

const IF: u64 = rflags::IF;
const RF: u64 = rflags::RF;

/// An interrupt waits with IF clear; then the program.
fn pending(flags: u64, program: impl FnOnce(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>) -> Guest {
    let mut guest = Guest::protected().flags(flags);
    guest.cpu.gpr[RAX] = u64::from(INTR);
    guest.cpu.gpr[RBX] = u64::from(selector::DATA0);
    guest.code(|a| {
        a.out(i32::from(INTR_PORT), al)?;
        program(a)
    });
    guest
}

fn maskable() -> Vec<Case> {
    let taken = pending(0, |a| {
        a.sti()?;
        a.nop()?;
        a.nop()?;
        a.hlt()
    });
    let mut cases = vec![
        Case::new(FAMILY, "STI: one instruction later", STI, taken)
            .event(INTR)
            .rip(3)
            .is(Probe::SavedFlags(IF), IF)
            .is(Probe::Flags(IF), 0)
            .ends(),
    ];
    let rows: [(&str, u64, Citation, Program, Option<usize>); 6] = [
        ("IF set: at once", IF, MASK, |a| a.nop(), Some(1)),
        ("IF clear: not at all", 0, MASK, |a| a.nop(), None),
        (
            "STI, CLI: not at all",
            0,
            STI,
            |a| {
                a.sti()?;
                a.cli()?;
                a.nop()
            },
            None,
        ),
        (
            "POPF with IF: at once",
            0,
            MASK,
            |a| {
                a.push(0x202)?;
                a.popfd()?;
                a.nop()
            },
            Some(3),
        ),
        (
            "STI, HLT: HLT is left",
            0,
            STI,
            |a| {
                a.sti()?;
                a.hlt()
            },
            Some(3),
        ),
        (
            "STI, STI: the second is not a shadow",
            0,
            STI,
            |a| {
                a.sti()?;
                a.sti()?;
                a.nop()
            },
            Some(3),
        ),
    ];
    for (name, flags, citation, program, at) in rows {
        let guest = pending(flags, |a| {
            program(a)?;
            a.hlt()
        });
        let case = Case::new(FAMILY, name, citation, guest);
        cases.push(match at {
            Some(n) => case.event(INTR).rip(n).ends(),
            None => case,
        });
    }
    cases
}

/// An interrupt that arises while SS is loaded waits for one instruction; so does an NMI.
fn stack_loads() -> Vec<Case> {
    let mut cases = Vec::new();
    for (device, memory, vector) in [("interrupt", INTR_MEMORY, MEMORY_VECTOR), ("NMI", NMI_MEMORY, NMI)] {
        let rows: [(&str, bool, usize); 3] =
            [("MOV SS", true, 2), ("MOV DS", false, 1), ("MOV AX", false, 1)];
        for (name, citation_of_shadow, at) in rows {
            let mut guest = Guest::protected().flags(IF);
            guest.cpu.gpr[RDI] = memory;
            guest.code(|a| {
                match name {
                    "MOV SS" => a.mov(ss, word_ptr(edi))?,
                    "MOV DS" => a.mov(ds, word_ptr(edi))?,
                    _ => a.mov(ax, word_ptr(edi))?,
                }
                a.nop()?;
                a.nop()?;
                a.hlt()
            });
            let citation = if citation_of_shadow { SHADOW } else { MASK };
            cases.push(
                Case::new(FAMILY, format!("{device} during {name}"), citation, guest)
                    .event(vector)
                    .rip(at)
                    .ends(),
            );
        }
    }
    cases
}

fn nmis() -> Vec<Case> {
    let mut cases = Vec::new();
    let program: Program = |a| {
        a.out(i32::from(NMI_PORT), al)?;
        a.nop()?;
        a.hlt()
    };
    let mut masked = Guest::protected();
    masked.code(program);
    cases.push(
        Case::new(FAMILY, "NMI does not mind IF", NMIS, masked)
            .event(NMI)
            .rip(1)
            .is(Probe::NmiBlocked, 1)
            .ends()
            .is(Probe::NmiBlocked, 0),
    );
    let mut second = Guest::protected();
    second.code(program);
    cases.push(
        Case::new(FAMILY, "a second NMI waits for IRET", NMIS, second)
            .event(NMI)
            .rip(1)
            .then(Action::Nmi)
            .event(NMI)
            .rip(1)
            .is(Probe::NmiBlocked, 1)
            .ends(),
    );
    // IRET out of another handler inside the NMI handler unblocks, too.
    let mut nested = Guest::protected();
    nested.code_at(0, CODE + 0x400, 32, |a| {
        a.int(0x44)?;
        a.hlt()
    });
    nested.gate(NMI, super::encode::gate(selector::CODE0, CODE + 0x400, 0x8E, 0));
    nested.code(program);
    cases.push(
        Case::new(FAMILY, "any IRET unblocks NMIs", NMIS, nested)
            .event(0x44)
            .is(Probe::NmiBlocked, 1)
            .ends()
            .is(Probe::NmiBlocked, 0)
            .is(Probe::Rip, CODE + 0x403),
    );
    let mut long = Guest::long();
    long.code(program);
    cases.push(
        Case::new(FAMILY, "NMI in 64-bit mode", NMIS, long)
            .event(NMI)
            .rip(1)
            .then(Action::Nmi)
            .event(NMI)
            .rip(1)
            .ends(),
    );
    // Both wait at one boundary, behind the shadow of STI.
    let both = pending(0, |a| {
        a.sti()?;
        a.out(i32::from(NMI_PORT), al)?;
        a.nop()?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "NMI before the interrupt", PRIORITY, both)
            .event(NMI)
            .rip(3)
            .event(INTR)
            .rip(3)
            .ends(),
    );
    cases
}

fn halts() -> Vec<Case> {
    let program: Program = |a| {
        a.hlt()?;
        a.nop()?;
        a.hlt()
    };
    let rows = [
        ("woken by an interrupt", IF, Action::Interrupt(INTR), Some(INTR)),
        ("not woken by a masked interrupt", 0, Action::Interrupt(INTR), None),
        ("woken by an NMI", 0, Action::Nmi, Some(NMI)),
    ];
    rows.into_iter()
        .map(|(name, flags, action, vector)| {
            let mut guest = Guest::protected().flags(flags);
            guest.code(program);
            let case = Case::new(FAMILY, format!("HLT {name}"), HLT, guest).raise_at_halt(action);
            let (first, second) = (case.at(1), case.at(3));
            match vector {
                Some(vector) => case.event(vector).rip(1).ends().is(Probe::Rip, second),
                None => case.is(Probe::Rip, first),
            }
        })
        .collect()
}

/// REP OUTS raises an interrupt by each iteration: it is taken before the next one, with RF while it is unfinished.
fn repeated() -> Vec<Case> {
    [("protected mode", false), ("64-bit mode", true)]
        .into_iter()
        .map(|(mode, long)| {
            let mut guest = if long { Guest::long() } else { Guest::protected() }.flags(IF);
            guest.poke(DATA, &[INTR, INTR + 1, INTR + 2]);
            guest.cpu.gpr[RCX] = 3;
            guest.cpu.gpr[RDX] = u64::from(INTR_PORT);
            guest.cpu.gpr[RSI] = DATA;
            guest.code(|a| {
                a.rep().outsb()?;
                a.nop()?;
                a.hlt()
            });
            let mut case = Case::new(FAMILY, format!("REP OUTSB, {mode}"), REP, guest);
            for n in 0..3u8 {
                let last = n == 2;
                case = case
                    .event(INTR + n)
                    .rip(usize::from(last))
                    .is(Probe::Gpr(RCX), 2 - u64::from(n))
                    .is(Probe::Gpr(RSI), DATA + 1 + u64::from(n))
                    .is(Probe::SavedFlags(RF), if last { 0 } else { RF });
            }
            case.ends()
        })
        .collect()
}

pub(super) fn cases() -> Vec<Case> {
    [maskable(), stack_loads(), nmis(), halts(), repeated()].concat()
}
