//! 64-bit interrupt and trap gates: frames, interrupt stacks, and what is wrong with them.

use super::board::INTR_PORT;
use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::{FLAT_LIMIT, descriptor, gate, gate_type, idt_error, vector::*};
use super::guest::{Guest, handler, layout::*, reg::*, selector};
use super::interrupt::{Flaw, N, flaw};
use emu_core::vcpu::{SegmentName, rflags};
use iced_x86::code_asm::*;

const FAMILY: &str = "64-bit gates";
const STACK64: Citation = sdm("3A", "6.14.2", "64-Bit Mode Stack Frame");
const GATE64: Citation = sdm("3A", "6.14.1", "64-Bit Mode IDT");
const SWITCH64: Citation = sdm("3A", "6.14.4", "Stack Switching in IA-32e Mode");
const IST: Citation = sdm("3A", "6.14.5", "Interrupt Stack Table");

/// Frames of 64-bit gates: RSP aligned to 16, SS:RSP always saved, SS null after a change of the CPL.
fn long_frames() -> Vec<Case> {
    let mut cases = Vec::new();
    for (cpl, offset) in [(0u64, 0u64), (0, 8), (0, 15), (3, 0), (3, 5)] {
        for (kind, keeps_if) in [(gate_type::INTERRUPT32, false), (gate_type::TRAP32, true)] {
            let set = rflags::IF | rflags::NT | rflags::DF | rflags::AC;
            let mut guest = Guest::long().at_ring(cpl as u8).flags(set);
            guest.cpu.gpr[RSP] -= offset;
            let (before, old_ss) = (guest.cpu.gpr[RSP], u64::from(guest.cpu.seg[2].selector));
            guest.gate(N, gate(selector::CODE0, handler(N), kind | gate_type::DPL3, 0));
            guest.code(|a| a.int(i32::from(N)));
            let name = format!("64-bit gate of type {:x}h from CPL {cpl}, RSP {before:x}h", kind & 0xF);
            let low = (if cpl == 0 { before & !15 } else { STACK0 }) - 40;
            let kept = set & !rflags::NT & if keeps_if { u64::MAX } else { !rflags::IF };
            cases.push(Case::new(FAMILY, name, STACK64, guest).event(N).rip(1).all(&[
                (Probe::Gpr(RSP), low),
                (Probe::SavedCs, if cpl == 0 { 8 } else { 0x1B }),
                (Probe::SavedFlags(u64::MAX), set | 2),
                (Probe::SavedRsp, before),
                (Probe::SavedSs, old_ss),
                (Probe::Flags(0x3F_FFFF), kept | 2),
                (Probe::Segment(SegmentName::Ss, Part::Selector), if cpl == 0 { old_ss } else { 0 }),
                (Probe::Cpl, 0),
            ]));
        }
    }
    cases
}

/// From compatibility mode the same frame is pushed, in 64-bit words.
fn from_compatibility() -> Vec<Case> {
    [0u64, 3]
        .into_iter()
        .map(|cpl| {
            let mut guest = Guest::long().compatibility(cpl as u8);
            guest.cpu.gpr[RSP] -= 4;
            let before = guest.cpu.gpr[RSP];
            let (old_cs, old_ss) = (guest.cpu.seg[1].selector, guest.cpu.seg[2].selector);
            guest.code(|a| a.int(i32::from(N)));
            let low = if cpl == 0 { before & !15 } else { STACK0 } - 40;
            Case::new(FAMILY, format!("INT from compatibility mode at CPL {cpl}"), SWITCH64, guest)
                .event(N)
                .rip(1)
                .all(&[
                    (Probe::Gpr(RSP), low),
                    (Probe::SavedCs, u64::from(old_cs)),
                    (Probe::SavedSs, u64::from(old_ss)),
                    (Probe::SavedRsp, before),
                    (Probe::Segment(SegmentName::Cs, Part::Selector), u64::from(selector::CODE0)),
                ])
        })
        .collect()
}

/// IST: the stack is taken from the TSS whatever the CPL, and aligned.
fn interrupt_stacks() -> Vec<Case> {
    let mut cases = Vec::new();
    for n in 1..=7u64 {
        for cpl in [0u64, 3] {
            let mut guest = Guest::long().at_ring(cpl as u8);
            let before = guest.cpu.gpr[RSP];
            let old_ss = u64::from(guest.cpu.seg[2].selector);
            guest.poke64(TSS + 0x1C + 8 * n, STACK2 - 0x100 * n - 7);
            guest.gate(N, gate(selector::CODE0, handler(N), 0xEE, n));
            guest.code(|a| a.int(i32::from(N)));
            cases.push(Case::new(FAMILY, format!("IST {n} from CPL {cpl}"), IST, guest).event(N).all(&[
                (Probe::Gpr(RSP), STACK2 - 0x100 * n - 16 - 40),
                (Probe::SavedRsp, before),
                (Probe::SavedSs, old_ss),
                (Probe::Segment(SegmentName::Ss, Part::Selector), if cpl == 0 { old_ss } else { 0 }),
            ]));
        }
    }
    cases
}

/// What is wrong with 64-bit gates. The failure itself is handled on IST 1, which is good.
const LONG_FLAWS: [Flaw; 12] = [
    flaw("16-bit gate", GP, None, |g, n| g.gate(n, gate(8, handler(n), 0xE6, 0))),
    flaw("task gate", GP, None, |g, n| g.gate(n, gate(8, handler(n), 0xE5, 0))),
    flaw("gate not present", NP, None, |g, n| g.gate(n, gate(8, handler(n), 0x6E, 0))),
    flaw("null code segment", GP, Some(0), |g, n| g.gate(n, gate(0, handler(n), 0xEE, 0))),
    flaw("32-bit code segment", GP, Some(selector::CODE32), |g, n| {
        g.gate(n, gate(selector::CODE32, handler(n), 0xEE, 0));
    }),
    flaw("code segment with L and D", GP, Some(0x90), |g, n| {
        g.descriptor(0x90, descriptor(0, FLAT_LIMIT, 0xE09A));
        g.gate(n, gate(0x90, handler(n), 0xEE, 0));
    }),
    flaw("code segment not present", NP, Some(0x90), |g, n| {
        g.descriptor(0x90, descriptor(0, FLAT_LIMIT, 0xA01A));
        g.gate(n, gate(0x90, handler(n), 0xEE, 0));
    }),
    flaw("entry not canonical", GP, Some(0), |g, n| g.poke64(IDT + 16 * u64::from(n) + 8, 0x8000)),
    flaw("RSP0 not canonical", SS, Some(0), |g, _| g.poke64(TSS + 4, 0x8000_0000_0000)),
    flaw("IST not canonical", SS, Some(0), |g, n| {
        g.poke64(TSS + 0x2C, 0x8000_0000_0000);
        g.gate(n, gate(8, handler(n), 0xEE, 2));
    }),
    flaw("IST beyond the TSS", TS, Some(selector::TASK), |g, n| {
        g.cpu.tr.limit = 0x52;
        g.gate(n, gate(8, handler(n), 0xEE, 7));
    }),
    flaw("DPL 0", GP, None, |g, n| g.gate(n, gate(8, handler(n), 0x8E, 0))),
];

fn long_flaws() -> Vec<Case> {
    let mut cases = Vec::new();
    for flaw in &LONG_FLAWS {
        for external in [false, true] {
            if external && flaw.name == "DPL 0" {
                continue;
            }
            let mut guest = Guest::long().at_ring(3).flags(rflags::IF | 3 << 12);
            guest.poke64(TSS + 0x24, STACK1);
            guest.gate(flaw.vector, gate(selector::CODE0, handler(flaw.vector), 0xEE, 1));
            (flaw.change)(&mut guest, N);
            guest.code(|a| {
                if external {
                    a.mov(al, i32::from(N))?;
                    a.out(i32::from(INTR_PORT), al)?;
                    return a.nop();
                }
                a.int(i32::from(N))
            });
            let source = if external { "interrupt" } else { "INT n" };
            let case = Case::new(FAMILY, format!("long mode: {} met by {source}", flaw.name), GATE64, guest);
            let error = flaw.error.map_or(idt_error(N), u64::from) | u64::from(external);
            cases.push(case.fault(flaw.vector, error, if external { 2 } else { 0 }));
        }
    }
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [long_frames(), from_compatibility(), interrupt_stacks(), long_flaws()].concat()
}
