//! Questions about selectors: LAR, LSL, VERR, VERW and ARPL, for every descriptor type.

use super::case::{Case, Citation, Probe, sdm};
use super::encode::{descriptor, rights, vector::*};
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use emu_core::vcpu::rflags;
use iced_x86::code_asm::*;

const FAMILY: &str = "selector questions";
const LAR: Citation = sdm("2", "", "LAR-Load Access Rights Byte");
const LSL: Citation = sdm("2", "", "LSL-Load Segment Limit");
const VERR: Citation = sdm("2", "", "VERR/VERW-Verify a Segment for Reading or Writing");
const ARPL: Citation = sdm("2", "", "ARPL-Adjust RPL Field of Segment Selector");

const LIMIT: u64 = 0x1_2345;
/// Left in a register that an instruction does not load.
const UNTOUCHED: u64 = 0xDEAD_BEEF;

/// A descriptor and who asks about it.
#[derive(Clone, Copy)]
struct Question {
    long: bool,
    /// Type and S: bits 0 to 4 of the rights.
    kind: u64,
    dpl: u64,
    cpl: u64,
    rpl: u64,
}

impl Question {
    fn rights(&self) -> u64 {
        rights::FLAT | 0x80 | self.kind | self.dpl << 5
    }

    fn is_segment(&self) -> bool {
        self.kind & 0x10 != 0
    }

    fn visible(&self) -> bool {
        let conforming = self.kind & 0x1C == 0x1C;
        conforming || (self.cpl <= self.dpl && self.rpl <= self.dpl)
    }

    /// LAR, table "Segment and Gate Types".
    fn lar(&self) -> bool {
        let known: &[u64] =
            if self.long { &[0x2, 0x9, 0xB, 0xC] } else { &[0x1, 0x2, 0x3, 0x4, 0x5, 0x9, 0xB, 0xC] };
        self.visible() && (self.is_segment() || known.contains(&self.kind))
    }

    /// LSL, table "Segment and Gate Descriptor Types".
    fn lsl(&self) -> bool {
        let known: &[u64] = if self.long { &[0x2, 0x9, 0xB] } else { &[0x1, 0x2, 0x3, 0x9, 0xB] };
        self.visible() && (self.is_segment() || known.contains(&self.kind))
    }

    fn verr(&self) -> bool {
        let code = self.kind & 0x8 != 0;
        self.visible() && self.is_segment() && (!code || self.kind & 2 != 0)
    }

    fn verw(&self) -> bool {
        let code = self.kind & 0x8 != 0;
        self.visible() && self.is_segment() && !code && self.kind & 2 != 0
    }

    fn case(&self) -> Case {
        let Self { long, kind, dpl, cpl, rpl } = *self;
        let mode = if long { "long mode" } else { "protected mode" };
        let name = format!("{mode}: type {kind:02x}h, DPL {dpl}, at CPL {cpl} with RPL {rpl}");
        let mut guest = if long { Guest::long() } else { Guest::protected() }.at_ring(cpl as u8);
        let raw = descriptor(0, LIMIT, self.rights());
        guest.descriptor(selector::SPARE, raw);
        guest.poke64(GDT + u64::from(selector::SPARE) + 8, 0);
        guest.cpu.gpr[RAX] = u64::from(selector::SPARE) | rpl;
        guest.cpu.gpr[RCX] = UNTOUCHED;
        guest.cpu.gpr[RDX] = UNTOUCHED;
        guest.code(|a| {
            a.lar(ecx, eax)?;
            a.sete(byte_ptr(DATA as u32))?;
            a.lsl(edx, eax)?;
            a.sete(byte_ptr(DATA as u32 + 1))?;
            a.verr(ax)?;
            a.sete(byte_ptr(DATA as u32 + 2))?;
            a.verw(ax)?;
            a.sete(byte_ptr(DATA as u32 + 3))?;
            a.int(i32::from(END))
        });
        let answer = |yes: bool, value: u64| if yes { value } else { UNTOUCHED };
        Case::new(FAMILY, name, LAR, guest).event(END).all(&[
            (Probe::Memory(DATA, 1), u64::from(self.lar())),
            (Probe::Gpr(RCX), answer(self.lar(), raw >> 32 & 0x00FF_FF00)),
            (Probe::Memory(DATA + 1, 1), u64::from(self.lsl())),
            (Probe::Gpr(RDX), answer(self.lsl(), LIMIT << 12 | 0xFFF)),
            (Probe::Memory(DATA + 2, 1), u64::from(self.verr())),
            (Probe::Memory(DATA + 3, 1), u64::from(self.verw())),
        ])
    }
}

fn matrix() -> Vec<Case> {
    let mut cases = Vec::new();
    for long in [false, true] {
        for kind in 0..0x20 {
            for bits in 0..8u64 {
                let level = |bit: u64| if bits >> bit & 1 != 0 { 3 } else { 0 };
                cases.push(Question { long, kind, dpl: level(0), cpl: level(1), rpl: level(2) }.case());
            }
        }
    }
    cases
}

/// Selectors that name nothing: ZF = 0 and no fault.
fn nothing() -> Vec<Case> {
    let rows: [(&str, u64, Citation); 3] =
        [("null", 3, LAR), ("outside the GDT", 0x1F8, LSL), ("of an LDT that is not there", 0x0C, VERR)];
    rows.into_iter()
        .map(|(name, chosen, citation)| {
            let mut guest = Guest::protected().flags(rflags::ZF);
            guest.cpu.gpr[RAX] = chosen;
            guest.cpu.gpr[RCX] = UNTOUCHED;
            guest.poke32(DATA, 0xFFFF_FFFF);
            guest.code(|a| {
                a.lar(ecx, eax)?;
                a.sete(byte_ptr(DATA as u32))?;
                a.lsl(ecx, eax)?;
                a.sete(byte_ptr(DATA as u32 + 1))?;
                a.verr(ax)?;
                a.sete(byte_ptr(DATA as u32 + 2))?;
                a.verw(ax)?;
                a.sete(byte_ptr(DATA as u32 + 3))?;
                a.hlt()
            });
            Case::new(FAMILY, format!("a selector {name}"), citation, guest)
                .is(Probe::Memory(DATA, 4), 0)
                .is(Probe::Gpr(RCX), UNTOUCHED)
        })
        .collect()
}

fn adjust() -> Vec<Case> {
    let mut cases = Vec::new();
    for old in 0..4u64 {
        for wanted in 0..4u64 {
            let mut guest = Guest::protected();
            guest.cpu.gpr[RAX] = 0x1238 | old;
            guest.cpu.gpr[RCX] = 0x4560 | wanted;
            guest.poke16(DATA, 0x9990 | old as u16);
            guest.code(|a| {
                a.arpl(ax, cx)?;
                a.sete(dl)?;
                a.arpl(word_ptr(DATA as u32), cx)?;
                a.sete(dh)?;
                a.hlt()
            });
            let raised = u64::from(old < wanted);
            cases.push(Case::new(FAMILY, format!("ARPL from {old} to {wanted}"), ARPL, guest).all(&[
                (Probe::Gpr(RAX), 0x1238 | old.max(wanted)),
                (Probe::Memory(DATA, 2), 0x9990 | old.max(wanted)),
                (Probe::Gpr(RDX), raised | raised << 8),
            ]));
        }
    }
    cases
}

/// Outside of protected mode these instructions do not exist.
fn undefined() -> Vec<Case> {
    let rows: [(&str, Citation, Program); 9] = [
        ("LAR", LAR, |a| a.lar(ax, cx)),
        ("LSL", LSL, |a| a.lsl(ax, cx)),
        ("VERR", VERR, |a| a.verr(ax)),
        ("VERW", VERR, |a| a.verw(ax)),
        ("ARPL", ARPL, |a| a.arpl(ax, cx)),
        ("SLDT", sdm("2", "", "SLDT-Store Local Descriptor Table Register"), |a| a.sldt(ax)),
        ("STR", sdm("2", "", "STR-Store Task Register"), |a| a.str(ax)),
        ("LLDT", sdm("2", "", "LLDT-Load Local Descriptor Table Register"), |a| a.lldt(ax)),
        ("LTR", sdm("2", "", "LTR-Load Task Register"), |a| a.ltr(ax)),
    ];
    rows.into_iter()
        .flat_map(|(name, citation, program)| {
            [("real", Guest::real()), ("V86", Guest::protected().v86(3))].map(|(mode, mut guest)| {
                guest.code(program);
                Case::new(FAMILY, format!("{name} in {mode} mode"), citation, guest).event(UD).rip(0)
            })
        })
        .collect()
}

pub(super) fn cases() -> Vec<Case> {
    [matrix(), nothing(), adjust(), undefined()].concat()
}
