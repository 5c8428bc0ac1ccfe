//! Paging-structure entries: absent ones, reserved bits, accessed and dirty flags over several accesses, addresses
//! beyond 4 GiB, and the accesses that the processor makes by itself.

use super::board::HIGH;
use super::case::{Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*};
use super::paging::*;
use emu_core::vcpu::{cr0, cr4, efer, rflags};
use iced_x86::code_asm::*;

const FAMILY: &str = "paging entries";
const RIGHTS: Citation = sdm("3A", "4.6.1", "Determination of Access Rights");
const ERROR: Citation = sdm("3A", "4.7", "Page-Fault Exceptions");
const DIRTY: Citation = sdm("3A", "4.8", "Accessed and Dirty Flags");
const BITS32: Citation = sdm("3A", "4.3", "32-Bit Paging");
const PAE: Citation = sdm("3A", "4.4.2", "Linear-Address Translation with PAE Paging");
const LONG: Citation =
    sdm("3A", "4.5.4", "Linear-Address Translation with 4-Level Paging and 5-Level Paging");
const IMPLICIT: Citation = sdm("3A", "4.6", "Access Rights");

/// Absent entries at every level: no P in the error code, whatever else the entry says.
fn absent() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in KINDS {
        for level in 0..kind.mapping().entries.len() {
            for access in [Access::Read, Access::Write, Access::Fetch] {
                for user in [false, true] {
                    let mut guest = kind.guest().at_ring(if user { 3 } else { 0 });
                    let mapping = kind.mapping();
                    // Reserved bits do not count in an entry that is not present.
                    let junk = if kind.is_32_bit() { 0xFE } else { 0x7FFF_0000_0000_00FE };
                    mapping.write(&mut guest, kind.is_32_bit(), level, junk);
                    guest.cpu.gpr[RBX] = mapping.linear;
                    let long = guest.bits() == 64;
                    guest.code(access.program(long));
                    let who = if user { "user" } else { "supervisor" };
                    let name = format!("{} {access:?} by {who}, entry {level} absent", kind.name());
                    cases.push(
                        Case::new(FAMILY, name, ERROR, guest)
                            .event(PF)
                            .is(Probe::SavedError, access.code(user, !kind.is_32_bit()))
                            .is(Probe::Cr2, mapping.linear),
                    );
                }
            }
        }
    }
    cases
}

/// One bit set in one entry: reserved or not.
struct Bit {
    kind: Kind,
    level: usize,
    bit: u32,
    reserved: bool,
    citation: Citation,
}

/// The CPU's physical addresses have 40 bits (CPUID leaf 80000008h).
fn reserved_rows() -> Vec<Bit> {
    let mut rows = Vec::new();
    let mut row =
        |kind, level, bit, reserved, citation| rows.push(Bit { kind, level, bit, reserved, citation });
    row(Kind::Bits32Large, 0, 21, true, BITS32);
    for (kind, levels) in [(Kind::PaeSmall, 2), (Kind::PaeLarge, 1)] {
        for level in 0..levels {
            for bit in [40, 51, 52, 58, 62] {
                row(kind, level, bit, true, PAE);
            }
            for bit in [9, 11] {
                row(kind, level, bit, false, PAE);
            }
        }
    }
    for (kind, levels) in [(Kind::Long4K, 4), (Kind::Long2M, 3), (Kind::Long1G, 2)] {
        for level in 0..levels {
            for bit in [40, 51] {
                row(kind, level, bit, true, LONG);
            }
            for bit in [9, 11, 52, 58, 62] {
                row(kind, level, bit, false, LONG);
            }
        }
    }
    for bit in [13, 20] {
        row(Kind::PaeLarge, 0, bit, true, PAE);
        row(Kind::Long2M, 2, bit, true, LONG);
    }
    for bit in [13, 21, 29] {
        row(Kind::Long1G, 1, bit, true, LONG);
    }
    row(Kind::Long4K, 0, 7, true, LONG);
    rows
}

fn reserved() -> Vec<Case> {
    let mut cases = Vec::new();
    for row in reserved_rows() {
        for (access, user) in [(Access::Read, false), (Access::Write, true), (Access::Fetch, true)] {
            let mut guest = row.kind.guest().at_ring(if user { 3 } else { 0 });
            let mapping = row.kind.mapping();
            let flags = P | RW | US | 1 << row.bit;
            mapping.write(&mut guest, row.kind.is_32_bit(), row.level, flags);
            guest.poke(mapping.physical, &[0xCD, END]);
            guest.cpu.gpr[RBX] = mapping.linear;
            let long = guest.bits() == 64;
            guest.code(|a| {
                access.program(long)(a)?;
                a.int(i32::from(END))
            });
            let says = if row.reserved { "reserved" } else { "ignored" };
            let name =
                format!("{} entry {}: bit {} is {says}, {access:?}", row.kind.name(), row.level, row.bit);
            let case = Case::new(FAMILY, name, row.citation, guest);
            let error = error::P | error::RSVD | access.code(user, !row.kind.is_32_bit());
            cases.push(match (row.reserved, access) {
                (true, _) => case.event(PF).is(Probe::SavedError, error).is(Probe::Cr2, mapping.linear),
                (false, Access::Write) => case.event(END),
                (false, _) => case.event(END),
            });
        }
    }
    cases.extend(xd_without_nxe());
    cases
}

/// XD is a reserved bit while EFER.NXE is clear.
fn xd_without_nxe() -> Vec<Case> {
    [Kind::PaeSmall, Kind::PaeLarge, Kind::Long4K, Kind::Long2M, Kind::Long1G]
        .into_iter()
        .map(|kind| {
            let mut guest = kind.guest();
            guest.cpu.efer &= !efer::NXE;
            let mapping = kind.mapping();
            let leaf = mapping.entries.len() - 1;
            mapping.write(&mut guest, false, leaf, P | RW | US | XD);
            guest.cpu.gpr[RBX] = mapping.linear;
            let long = guest.bits() == 64;
            guest.code(Access::Read.program(long));
            Case::new(FAMILY, format!("{}: XD without NXE", kind.name()), ERROR, guest).fault(
                PF,
                error::P | error::RSVD,
                0,
            )
        })
        .collect()
}

/// Accessed and dirty flags over several accesses, and what a change of CR0.WP does.
fn sequences() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in KINDS {
        let mut guest = kind.guest();
        let mapping = kind.mapping();
        let leaf = mapping.entries.len() - 1;
        let written = mapping.write(&mut guest, kind.is_32_bit(), leaf, P | RW | US);
        let leaf_at = written[leaf].0;
        guest.cpu.gpr[RBX] = mapping.linear;
        let long = guest.bits() == 64;
        let probe = leaf_at as u32;
        guest.code(|a| {
            // After a read D is clear; the write through the same, now known, translation sets it.
            Access::Read.program(long)(a)?;
            a.mov(cl, byte_ptr(probe))?;
            Access::Write.program(long)(a)?;
            a.mov(dl, byte_ptr(probe))?;
            a.hlt()
        });
        let base = written[leaf].1 & 0xFF;
        cases.push(
            Case::new(FAMILY, format!("{}: D is set by the first write", kind.name()), DIRTY, guest)
                .is(Probe::Gpr(RCX), base | A)
                .is(Probe::Gpr(RDX), base | A | D),
        );
        let mut guest = kind.guest();
        mapping.write(&mut guest, kind.is_32_bit(), leaf, P);
        guest.cpu.cr0 &= !cr0::WP;
        guest.cpu.gpr[RBX] = mapping.linear;
        guest.code(|a| {
            Access::Write.program(long)(a)?;
            if long {
                a.mov(rcx, cr0)?;
                a.or(ecx, 1 << 16)?;
                a.mov(cr0, rcx)?;
            } else {
                a.mov(ecx, cr0)?;
                a.or(ecx, 1 << 16)?;
                a.mov(cr0, ecx)?;
            }
            Access::Write.program(long)(a)
        });
        cases.push(
            Case::new(FAMILY, format!("{}: WP counts from when it is set", kind.name()), RIGHTS, guest)
                .fault(PF, error::P | error::W, 4)
                .is(Probe::Cr2, mapping.linear),
        );
    }
    cases
}

/// PS of a PDPTE is reserved where CPUID does not tell of 1 GiB pages.
fn without_gib_pages() -> Case {
    let kind = Kind::Long1G;
    let mut guest = kind.guest();
    guest.cpu.model = emu_core::isa::cpuid::by_name("x86-64").unwrap_or_default();
    let mapping = kind.mapping();
    mapping.write(&mut guest, false, 1, P | RW | US);
    guest.cpu.gpr[RBX] = mapping.linear;
    guest.code(Access::Read.program(true));
    Case::new(FAMILY, "a CPU without 1 GiB pages", LONG, guest).fault(PF, error::P | error::RSVD, 0)
}

/// Pages beyond 4 GiB, and PS where it means nothing.
fn addresses() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut guest = Guest::paged();
    // PSE-36: bits 13 to 20 of the PDE are address bits 32 to 39.
    guest.poke32(PAGES + 4, (PS | 1 << 13 | P | RW) as u32);
    guest.poke32(HIGH + 0x1234, 0x0123_4567);
    guest.code(|a| {
        a.mov(eax, dword_ptr(0x40_1234))?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "PSE-36: a page beyond 4 GiB", BITS32, guest).is(Probe::Gpr(RAX), 0x0123_4567),
    );
    let mut guest = Guest::pae();
    guest.poke64(PAGES + 0x1010, HIGH | PS | P | RW);
    guest.poke32(HIGH + 0x1234, 0x89AB_CDEF);
    guest.code(|a| {
        a.mov(eax, dword_ptr(0x40_1234))?;
        a.hlt()
    });
    cases.push(Case::new(FAMILY, "PAE: a page beyond 4 GiB", PAE, guest).is(Probe::Gpr(RAX), 0x89AB_CDEF));
    let mut guest = Guest::paged();
    guest.cpu.cr4 &= !cr4::PSE;
    guest.poke32(PAGES + 4, (TABLES | PS | P | RW) as u32);
    guest.poke32(TABLES + 4, (FRAME_4K | P | RW) as u32);
    guest.poke32(FRAME_4K + 0x234, 0x1111_2222);
    guest.code(|a| {
        a.mov(eax, dword_ptr(0x40_1234))?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "PS is ignored without CR4.PSE", BITS32, guest).is(Probe::Gpr(RAX), 0x1111_2222),
    );
    cases
}

/// Accesses that the processor makes by itself are the supervisor's, whatever the CPL.
fn implicit() -> Vec<Case> {
    let load: Program = |a| a.mov(ds, ax);
    type Change = fn(&mut Guest);
    let rows: [(&str, Change, Option<u64>); 5] = [
        ("the LDT is the supervisor's", |g| g.page(LDT, LDT | P | RW), None),
        ("the LDT is not present", |g| g.page(LDT, 0), Some(0)),
        ("the LDT is read-only: accessed bit", |g| g.page(LDT, LDT | P | US), Some(error::P | error::W)),
        (
            "the LDT is read-only, without WP: accessed bit",
            |g| {
                g.page(LDT, LDT | P | US);
                g.cpu.cr0 &= !cr0::WP;
            },
            None,
        ),
        (
            "the LDT is a user page under SMAP, AC or not",
            |g| {
                g.supervisor_pages(true);
                g.page(LDT, LDT | P | RW | US);
                g.cpu.cr4 |= cr4::SMAP;
                g.cpu.rflags |= rflags::AC;
            },
            Some(error::P),
        ),
    ];
    let mut cases = Vec::new();
    for (name, change, fault) in rows {
        let mut guest = Guest::long().at_ring(3);
        // Not accessed yet, of DPL 3.
        guest.poke64(LDT + 8, super::encode::descriptor(0, 0xF_FFFF, 0xC0F2));
        guest.cpu.ldtr = guest.segment(super::guest::selector::LDT);
        guest.cpu.gpr[RAX] = 0xF;
        change(&mut guest);
        guest.code(|a| {
            load(a)?;
            a.int(i32::from(END))
        });
        let case = Case::new(FAMILY, format!("CPL 3 loads DS: {name}"), IMPLICIT, guest);
        cases.push(match fault {
            None => case.event(END).is(Probe::Memory(LDT + 8 + 5, 1), 0xF3),
            Some(error) => {
                let case = case.event(PF).is(Probe::SavedError, error).rip(0);
                // Which byte of the descriptor is written is up to the processor.
                if error & error::W != 0 { case } else { case.is(Probe::Cr2, LDT + 8) }
            }
        });
    }
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [absent(), reserved(), sequences(), addresses(), implicit(), vec![without_gib_pages()]].concat()
}
