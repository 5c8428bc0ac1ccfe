//! Loading segment registers: every descriptor type against every privilege, presence and the accessed bit.

use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::{FLAT_LIMIT, descriptor, rights, vector::*};
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use emu_core::vcpu::SegmentName;
use iced_x86::code_asm::*;

const FAMILY: &str = "segment loads";
const CHECKS: Citation = sdm("2", "", "MOV-Move: Loading a Segment Register While in Protected Mode");
const NULL: Citation = sdm("3A", "3.4.2", "Segment Selectors");
const TYPES: Citation = sdm("3A", "3.4.5.1", "Code- and Data-Segment Descriptor Types");
const LONG: Citation = sdm("3A", "3.4.4", "Segment Loading Instructions in IA-32e Mode");
const LDT_USE: Citation = sdm("3A", "3.5.1", "Segment Descriptor Tables");

/// A descriptor and who loads it.
#[derive(Clone, Copy)]
struct Load {
    stack: bool,
    /// Type and S: bits 0 to 4 of the rights.
    kind: u64,
    present: bool,
    dpl: u64,
    cpl: u64,
    rpl: u64,
}

impl Load {
    fn rights(&self) -> u64 {
        self.kind | self.dpl << 5 | u64::from(self.present) << 7
    }

    /// What the manual says: the exception, if any.
    fn expected(&self) -> Option<u8> {
        let segment = self.kind & 0x10 != 0;
        let code = self.kind & 0x8 != 0;
        let bit1 = self.kind & 0x2 != 0;
        let conforming = code && self.kind & 0x4 != 0;
        if self.stack {
            let good = segment && !code && bit1 && self.rpl == self.cpl && self.dpl == self.cpl;
            return match (good, self.present) {
                (false, _) => Some(GP),
                (true, false) => Some(SS),
                (true, true) => None,
            };
        }
        let readable = segment && (!code || bit1);
        let entitled = conforming || (self.rpl <= self.dpl && self.cpl <= self.dpl);
        match (readable && entitled, self.present) {
            (false, _) => Some(GP),
            (true, false) => Some(NP),
            (true, true) => None,
        }
    }

    fn case(&self) -> Case {
        let Self { stack, kind, present, dpl, cpl, rpl } = *self;
        let register = if stack { "SS" } else { "DS" };
        let p = u8::from(present);
        let name = format!("MOV {register}: type {kind:02x}h, P {p}, DPL {dpl}, at CPL {cpl} with RPL {rpl}");
        let mut guest = Guest::protected().at_ring(cpl as u8);
        // An expand-down stack is what lies above its limit.
        let limit = if kind & 0x1C == 0x14 { 0 } else { FLAT_LIMIT };
        guest.descriptor(selector::SPARE, descriptor(0, limit, rights::FLAT | self.rights()));
        let chosen = u64::from(selector::SPARE) | rpl;
        guest.cpu.gpr[RAX] = chosen;
        guest.code(|a| {
            if stack {
                a.mov(ss, ax)?;
            } else {
                a.mov(ds, ax)?;
            }
            a.nop()?;
            a.int(i32::from(END))
        });
        let rights_at = Probe::Memory(GDT + u64::from(selector::SPARE) + 5, 1);
        let case = Case::new(FAMILY, name, CHECKS, guest);
        let loaded = if stack { SegmentName::Ss } else { SegmentName::Ds };
        match self.expected() {
            Some(vector) => case.fault(vector, u64::from(selector::SPARE), 0).is(rights_at, self.rights()),
            None if stack && cpl == 3 => {
                case.event(END).is(Probe::SavedSs, chosen).is(rights_at, self.rights() | 1)
            }
            None => case
                .event(END)
                .is(Probe::Segment(loaded, Part::Selector), chosen)
                .is(Probe::Segment(loaded, Part::Rights), 0xC000 | self.rights() | 1)
                .is(rights_at, self.rights() | 1),
        }
    }
}

fn matrix() -> Vec<Case> {
    let mut cases = Vec::new();
    for stack in [false, true] {
        for kind in 0..0x20 {
            for bits in 0..16u64 {
                let level = |bit: u64| if bits >> bit & 1 != 0 { 3 } else { 0 };
                let load =
                    Load { stack, kind, present: bits & 1 != 0, dpl: level(1), cpl: level(2), rpl: level(3) };
                cases.push(load.case());
            }
        }
    }
    cases
}

/// Loads of a null selector, by register and mode.
fn null() -> Vec<Case> {
    let rows: [(&str, Guest, Program, Option<u8>); 7] = [
        ("DS", Guest::protected(), |a| a.mov(ds, ax), None),
        ("ES", Guest::protected(), |a| a.mov(es, ax), None),
        ("FS", Guest::protected(), |a| a.mov(fs, ax), None),
        ("GS", Guest::protected(), |a| a.mov(gs, ax), None),
        ("SS", Guest::protected(), |a| a.mov(ss, ax), Some(GP)),
        ("SS, 64-bit code at CPL 0", Guest::long(), |a| a.mov(ss, ax), None),
        ("SS, compatibility mode", Guest::long().compatibility(0), |a| a.mov(ss, ax), Some(GP)),
    ];
    rows.into_iter()
        .map(|(name, mut guest, load, fault)| {
            guest.code(|a| {
                load(a)?;
                a.hlt()
            });
            let case = Case::new(FAMILY, format!("null selector to {name}"), NULL, guest);
            fault.map_or(case.clone(), |vector| case.fault(vector, 0, 0))
        })
        .collect()
}

/// A null segment faults when it is used, not when it is loaded.
fn null_use() -> Vec<Case> {
    let rows: [(&str, Program, u8); 4] = [
        ("read through DS", |a| a.mov(eax, dword_ptr(DATA as u32)), GP),
        ("write through DS", |a| a.mov(dword_ptr(DATA as u32), eax), GP),
        ("read through FS", |a| a.mov(eax, dword_ptr(DATA as u32).fs()), GP),
        ("REP MOVSB to ES", |a| a.rep().movsb(), GP),
    ];
    rows.into_iter()
        .map(|(name, access, vector)| {
            let mut guest = Guest::protected();
            guest.cpu.gpr[RCX] = 1;
            guest.code(|a| {
                a.xor(eax, eax)?;
                a.mov(ds, ax)?;
                a.mov(es, ax)?;
                a.mov(fs, ax)?;
                access(a)
            });
            Case::new(FAMILY, format!("null segment: {name}"), NULL, guest).fault(vector, 0, 4)
        })
        .collect()
}

/// What a loaded segment allows.
fn uses() -> Vec<Case> {
    let rows: [(&str, u64, Program, bool); 7] = [
        ("read of read-only data", 0x91, |a| a.mov(eax, dword_ptr(DATA as u32)), true),
        ("write to read-only data", 0x91, |a| a.mov(dword_ptr(DATA as u32), eax), false),
        ("ADD to read-only data", 0x91, |a| a.add(dword_ptr(DATA as u32), eax), false),
        ("read of readable code", 0x9B, |a| a.mov(eax, dword_ptr(DATA as u32)), true),
        ("write to readable code", 0x9B, |a| a.mov(dword_ptr(DATA as u32), eax), false),
        ("read of conforming readable code", 0x9F, |a| a.mov(eax, dword_ptr(DATA as u32)), true),
        ("write to conforming readable code", 0x9F, |a| a.mov(dword_ptr(DATA as u32), eax), false),
    ];
    let mut cases: Vec<Case> = rows
        .into_iter()
        .map(|(name, rights, access, good)| {
            let mut guest = Guest::protected();
            guest.descriptor(selector::SPARE, descriptor(0, FLAT_LIMIT, rights::FLAT | rights));
            guest.code(|a| {
                a.mov(ecx, u32::from(selector::SPARE))?;
                a.mov(ds, cx)?;
                access(a)?;
                a.hlt()
            });
            let case = Case::new(FAMILY, name, TYPES, guest);
            if good { case } else { case.fault(GP, 0, 2) }
        })
        .collect();
    cases.push(execute_only());
    cases.push(from_the_ldt());
    cases.push(no_ldt());
    cases
}

/// Code that is not readable runs, but its constants cannot be read.
fn execute_only() -> Case {
    let mut guest = Guest::protected();
    guest.descriptor(selector::SPARE, descriptor(0, FLAT_LIMIT, rights::FLAT | 0x99));
    guest = guest.with_segments(selector::SPARE, selector::DATA0, STACK0);
    guest.code(|a| {
        a.mov(eax, 7)?;
        a.mov(ebx, dword_ptr(DATA as u32).cs())
    });
    Case::new(FAMILY, "read of execute-only code through CS", TYPES, guest)
        .fault(GP, 0, 1)
        .is(Probe::Gpr(RAX), 7)
}

fn from_the_ldt() -> Case {
    let mut guest = Guest::protected();
    guest.poke64(LDT + 8, descriptor(DATA, 0xFFF, rights::BIG | 0x92));
    guest.poke32(DATA + 0x10, 0xFEED_F00D);
    guest.code(|a| {
        a.mov(eax, u32::from(selector::LDT))?;
        a.lldt(ax)?;
        a.mov(eax, 0x0C)?;
        a.mov(ds, ax)?;
        a.mov(ebx, dword_ptr(0x10))?;
        a.hlt()
    });
    Case::new(FAMILY, "a segment of the LDT", LDT_USE, guest).all(&[
        (Probe::Gpr(RBX), 0xFEED_F00D),
        (Probe::Segment(SegmentName::Ds, Part::Base), DATA),
        (Probe::Memory(LDT + 8 + 5, 1), 0x93),
        (Probe::Ldtr(Part::Selector), u64::from(selector::LDT)),
    ])
}

fn no_ldt() -> Case {
    let mut guest = Guest::protected();
    guest.cpu.gpr[RAX] = 0x0C;
    guest.code(|a| a.mov(ds, ax));
    Case::new(FAMILY, "a segment of the LDT while there is none", LDT_USE, guest).fault(GP, 0x0C, 0)
}

/// Beyond the limit of its table: the last byte of the descriptor counts.
fn outside() -> Vec<Case> {
    [(0x9E, true), (0x9F, false)]
        .into_iter()
        .flat_map(|(limit, outside)| {
            [("DS", false), ("SS", true)].map(|(register, stack)| {
                let mut guest = Guest::protected();
                guest.descriptor(0x98, descriptor(0, FLAT_LIMIT, rights::FLAT | rights::DATA));
                guest.cpu.gdtr.limit = limit;
                guest.cpu.gpr[RAX] = 0x98;
                guest.code(|a| {
                    if stack {
                        a.mov(ss, ax)?;
                    } else {
                        a.mov(ds, ax)?;
                    }
                    a.hlt()
                });
                let name = format!("{register} from a GDT with limit {limit:x}h");
                let case = Case::new(FAMILY, name, CHECKS, guest);
                if outside { case.fault(GP, 0x98, 0) } else { case }
            })
        })
        .collect()
}

/// In 64-bit mode bases of DS, ES and SS do not count, those of FS and GS do.
fn long_bases() -> Vec<Case> {
    let rows: [(&str, Program, u64); 3] = [
        ("DS", |a| a.mov(ebx, dword_ptr(DATA)), 0x1111),
        ("FS", |a| a.mov(ebx, dword_ptr(DATA).fs()), 0x2222),
        ("GS", |a| a.mov(ebx, dword_ptr(DATA).gs()), 0x2222),
    ];
    rows.into_iter()
        .map(|(name, access, value)| {
            let mut guest = Guest::long();
            // Limit 0: it does not count either.
            guest.descriptor(selector::SPARE, descriptor(0x1000, 0, rights::DATA));
            guest.poke32(DATA, 0x1111);
            guest.poke32(DATA + 0x1000, 0x2222);
            guest.cpu.gpr[RAX] = u64::from(selector::SPARE);
            guest.code(|a| {
                a.mov(ds, ax)?;
                a.mov(fs, ax)?;
                a.mov(gs, ax)?;
                access(a)?;
                a.hlt()
            });
            Case::new(FAMILY, format!("64-bit mode: base and limit of {name}"), LONG, guest)
                .is(Probe::Gpr(RBX), value)
        })
        .collect()
}

pub(super) fn cases() -> Vec<Case> {
    [matrix(), null(), null_use(), uses(), outside(), long_bases()].concat()
}
