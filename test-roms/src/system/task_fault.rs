//! Faults of hardware task switches: those of the old task, and those that find the new one already current.

use super::board::INTR_PORT;
use super::case::{Case, Citation, Probe, sdm};
use super::encode::{EXT, FLAT_LIMIT, descriptor, gate, gate_type, rights, vector::*};
use super::guest::{Guest, handler, layout::*, selector};
use super::task::*;
use emu_core::vcpu::rflags;
use iced_x86::Code;
use iced_x86::code_asm::*;

const FAMILY: &str = "task switch faults";
const CHECKS: Citation =
    sdm("3A", "7.3", "Task Switching: Exception Conditions Checked During a Task Switch");

/// One thing wrong, and where the fault finds the processor: still in the old task, or already in the new one.
struct Flaw {
    name: &'static str,
    change: fn(&mut Guest),
    vector: u8,
    error: u16,
    switched: bool,
}

const fn flaw(name: &'static str, vector: u8, error: u16, switched: bool, change: fn(&mut Guest)) -> Flaw {
    Flaw { name, change, vector, error, switched }
}

/// A segment with these rights in the new task's field.
fn spare(guest: &mut Guest, offset: u64, rights: u64, rpl: u32) {
    guest.descriptor(selector::SPARE2, descriptor(0, FLAT_LIMIT, rights::FLAT | rights));
    guest.poke32(TSS2 + offset, u32::from(selector::SPARE2) | rpl);
}

const S2: u16 = selector::SPARE2;

const FLAWS: [Flaw; 26] = [
    flaw("TSS not present", NP, NEW, false, |g| g.descriptor(NEW, descriptor(TSS2, 0x67, 0x09))),
    flaw("TSS busy", GP, NEW, false, |g| g.descriptor(NEW, descriptor(TSS2, 0x67, 0x8B))),
    flaw("TSS too small", TS, NEW, false, |g| g.descriptor(NEW, descriptor(TSS2, 0x66, 0x89))),
    flaw("16-bit TSS too small", TS, NEW, false, |g| g.descriptor(NEW, descriptor(TSS2, 0x2A, 0x81))),
    flaw("LDT is local", TS, 0x0C, true, |g| g.poke32(TSS2 + TSS_LDT, 0x0C)),
    flaw("LDT outside the GDT", TS, 0x1F8, true, |g| g.poke32(TSS2 + TSS_LDT, 0x1F8)),
    flaw("LDT is not an LDT", TS, 0x10, true, |g| g.poke32(TSS2 + TSS_LDT, 0x10)),
    flaw("LDT not present", TS, S2, true, |g| {
        g.descriptor(S2, descriptor(LDT, 0xFF, 0x02));
        g.poke32(TSS2 + TSS_LDT, u32::from(S2));
    }),
    flaw("null CS", TS, 0, true, |g| g.poke32(TSS2 + TSS_CS, 0)),
    flaw("CS outside the GDT", TS, 0x1F8, true, |g| g.poke32(TSS2 + TSS_CS, 0x1F8)),
    flaw("CS is data", TS, 0x10, true, |g| g.poke32(TSS2 + TSS_CS, 0x10)),
    flaw("CS of another DPL", TS, S2, true, |g| spare(g, TSS_CS, 0xFA, 0)),
    flaw("conforming CS of a higher DPL", TS, S2, true, |g| spare(g, TSS_CS, 0xFE, 0)),
    flaw("CS not present", NP, S2, true, |g| spare(g, TSS_CS, 0x1A, 0)),
    flaw("null SS", TS, 0, true, |g| g.poke32(TSS2 + TSS_SS, 0)),
    flaw("SS read-only", TS, S2, true, |g| spare(g, TSS_SS, 0x90, 0)),
    flaw("SS of another RPL", TS, 0x10, true, |g| g.poke32(TSS2 + TSS_SS, 0x13)),
    flaw("SS of another DPL", TS, S2, true, |g| spare(g, TSS_SS, 0xF2, 0)),
    flaw("SS not present", SS, S2, true, |g| spare(g, TSS_SS, 0x12, 0)),
    flaw("DS outside the GDT", TS, 0x1F8, true, |g| g.poke32(TSS2 + TSS_DS, 0x1F8)),
    flaw("DS is a TSS", TS, OLD, true, |g| g.poke32(TSS2 + TSS_DS, u32::from(OLD))),
    flaw("DS is execute-only", TS, S2, true, |g| spare(g, TSS_DS, 0x98, 0)),
    flaw("DS of a higher RPL", TS, 0x10, true, |g| g.poke32(TSS2 + TSS_DS, 0x13)),
    flaw("DS not present", NP, S2, true, |g| spare(g, TSS_DS, 0x12, 0)),
    flaw("EIP beyond the limit", GP, 0, true, |g| {
        g.descriptor(S2, descriptor(0, 0xFFF, rights::BIG | 0x9A));
        g.poke32(TSS2 + TSS_CS, u32::from(S2));
    }),
    flaw("FS outside the GDT", TS, 0x1F8, true, |g| g.poke32(TSS2 + 0x58, 0x1F8)),
];

/// Every flaw met by a JMP and by an interrupt (EXT). The fault is handled by a third task, which sees both others.
fn flaws() -> Vec<Case> {
    const THIRD: u16 = 0xB8;
    const TSS3: u64 = 0x8A00;
    let mut cases = Vec::new();
    for flaw in &FLAWS {
        for external in [false, true] {
            let mut guest = two_tasks().flags(rflags::IF);
            guest.descriptor(THIRD, descriptor(TSS3, 0x67, rights::TSS32));
            guest.task(TSS3, handler(flaw.vector), STACK2);
            guest.gate(flaw.vector, gate(THIRD, 0, gate_type::TASK, 0));
            guest.gate(0x44, gate(NEW, 0, gate_type::TASK, 0));
            (flaw.change)(&mut guest);
            guest.code(|a| {
                if external {
                    a.mov(al, 0x44)?;
                    a.out(i32::from(INTR_PORT), al)?;
                    return a.nop();
                }
                far(a, Code::Jmp_ptr1632, NEW)
            });
            let how = if external { "an interrupt" } else { "JMP" };
            let case = Case::new(FAMILY, format!("{how}: {}", flaw.name), CHECKS, guest);
            let rip = case.at(if external { 2 } else { 0 });
            let ext = if external { EXT } else { 0 };
            let case = case.event(flaw.vector).is(Probe::SavedError, u64::from(flaw.error) | ext);
            cases.push(if flaw.switched {
                case.is(Probe::Memory(TSS3, 2), u64::from(NEW))
                    .is(Probe::Memory(TSS2 + 0x20, 4), ENTRY)
                    .is(Probe::Memory(TSS2 + 0x38, 4), STACK1)
                    .is(type_of(OLD), if external { 0x8B } else { 0x89 })
                    .is(type_of(NEW), 0x8B)
            } else {
                case.is(Probe::Memory(TSS3, 2), u64::from(OLD))
                    .is(Probe::Memory(TSS + 0x20, 4), rip)
                    .is(type_of(OLD), 0x8B)
            });
        }
    }
    cases
}

pub(super) fn cases() -> Vec<Case> {
    flaws()
}
