//! Paging permissions: every combination that decides about an access, for every page size, with error code and CR2;
//! reserved bits, absent entries, accessed and dirty flags.

use super::board::HIGH;
use super::case::{Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*};
use emu_core::vcpu::{cr0, cr4, efer, rflags};
use iced_x86::code_asm::*;

const FAMILY: &str = "paging";
const RIGHTS: Citation = sdm("3A", "4.6.1", "Determination of Access Rights");
const ERROR: Citation = sdm("3A", "4.7", "Page-Fault Exceptions");
const DIRTY: Citation = sdm("3A", "4.8", "Accessed and Dirty Flags");
const BITS32: Citation = sdm("3A", "4.3", "32-Bit Paging");
const PAE: Citation = sdm("3A", "4.4.2", "Linear-Address Translation with PAE Paging");
const LONG: Citation =
    sdm("3A", "4.5.4", "Linear-Address Translation with 4-Level Paging and 5-Level Paging");
const IMPLICIT: Citation = sdm("3A", "4.6", "Access Rights");

const P: u64 = 1;
const RW: u64 = 2;
const US: u64 = 4;
const A: u64 = 0x20;
const D: u64 = 0x40;
const PS: u64 = 0x80;
const XD: u64 = 1 << 63;

/// Bits of the error code.
mod error {
    pub const P: u64 = 1;
    pub const W: u64 = 2;
    pub const U: u64 = 4;
    pub const RSVD: u64 = 8;
    pub const ID: u64 = 16;
}

/// Tables of the page under test.
const TABLES: u64 = 0x10_0000;
const FRAME_4K: u64 = 0x20_0000;
const FRAME_LARGE: u64 = 0x40_0000;

/// A paging mode with a page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bits32Small,
    Bits32Large,
    PaeSmall,
    PaeLarge,
    Long4K,
    Long2M,
    Long1G,
}

const KINDS: [Kind; 7] = [
    Kind::Bits32Small,
    Kind::Bits32Large,
    Kind::PaeSmall,
    Kind::PaeLarge,
    Kind::Long4K,
    Kind::Long2M,
    Kind::Long1G,
];

/// The page under test: its entries from the top down, without flags.
struct Mapping {
    linear: u64,
    physical: u64,
    entries: Vec<(u64, u64)>,
}

impl Kind {
    fn guest(self) -> Guest {
        match self {
            Self::Bits32Small | Self::Bits32Large => Guest::paged(),
            Self::PaeSmall | Self::PaeLarge => Guest::pae(),
            _ => Guest::long(),
        }
    }

    fn is_32_bit(self) -> bool {
        matches!(self, Self::Bits32Small | Self::Bits32Large)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bits32Small => "32-bit 4 KiB",
            Self::Bits32Large => "32-bit 4 MiB",
            Self::PaeSmall => "PAE 4 KiB",
            Self::PaeLarge => "PAE 2 MiB",
            Self::Long4K => "4-level 4 KiB",
            Self::Long2M => "4-level 2 MiB",
            Self::Long1G => "4-level 1 GiB",
        }
    }

    fn mapping(self) -> Mapping {
        let low = 0x40_0000;
        let high = 0x80_0000_0000;
        let (linear, physical, entries) = match self {
            Self::Bits32Small => (low, FRAME_4K, vec![(PAGES + 4, TABLES), (TABLES, FRAME_4K)]),
            Self::Bits32Large => (low, FRAME_LARGE, vec![(PAGES + 4, FRAME_LARGE | PS)]),
            Self::PaeSmall => (low, FRAME_4K, vec![(PAGES + 0x1010, TABLES), (TABLES, FRAME_4K)]),
            Self::PaeLarge => (low, FRAME_LARGE, vec![(PAGES + 0x1010, FRAME_LARGE | PS)]),
            Self::Long4K => (high, FRAME_4K, chain(3, FRAME_4K)),
            Self::Long2M => (high, FRAME_LARGE, chain(2, FRAME_LARGE | PS)),
            Self::Long1G => (high + FRAME_LARGE, FRAME_LARGE, chain(1, PS)),
        };
        Mapping { linear, physical, entries }
    }
}

/// PML4E 1, `tables` tables below it, and the leaf's content.
fn chain(tables: u64, leaf: u64) -> Vec<(u64, u64)> {
    let mut at = PAGES + 8;
    let mut entries = Vec::new();
    for n in 0..tables {
        entries.push((at, TABLES + n * 0x1000));
        at = TABLES + n * 0x1000;
    }
    entries.push((at, leaf));
    entries
}

impl Mapping {
    /// Writes the entries: `flags` into entry number `level`, everything allowed in the others.
    fn write(&self, guest: &mut Guest, narrow: bool, level: usize, flags: u64) -> Vec<(u64, u64)> {
        let mut written = Vec::new();
        for (n, (at, value)) in self.entries.iter().enumerate() {
            let value = value | if n == level { flags } else { P | RW | US };
            if narrow {
                guest.poke32(*at, value as u32)
            } else {
                guest.poke64(*at, value)
            }
            written.push((*at, value));
        }
        written
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    Fetch,
}

impl Access {
    fn program(self, long: bool) -> Program {
        match (self, long) {
            (Self::Read, false) => |a| a.mov(eax, dword_ptr(ebx)),
            (Self::Write, false) => |a| a.mov(dword_ptr(ebx), eax),
            (Self::Fetch, false) => |a| a.jmp(ebx),
            (Self::Read, true) => |a| a.mov(eax, dword_ptr(rbx)),
            (Self::Write, true) => |a| a.mov(dword_ptr(rbx), eax),
            (Self::Fetch, true) => |a| a.jmp(rbx),
        }
    }

    fn code(self, user: bool, distinguishes: bool) -> u64 {
        let intent = match self {
            Self::Read => 0,
            Self::Write => error::W,
            Self::Fetch if distinguishes => error::ID,
            Self::Fetch => 0,
        };
        intent | if user { error::U } else { 0 }
    }
}

/// One access to one page under one setting of the control bits.
#[derive(Clone, Copy, Debug)]
struct Row {
    kind: Kind,
    /// Which entry of the mapping has the flags below.
    level: usize,
    rw: bool,
    us: bool,
    xd: bool,
    wp: bool,
    smep: bool,
    smap: bool,
    ac: bool,
    user: bool,
    access: Access,
}

impl Row {
    /// SDM 4.6.1.
    fn allowed(&self) -> bool {
        let data_of_user = self.us && !self.user && self.smap && !self.ac;
        match (self.access, self.user) {
            (Access::Read, true) => self.us,
            (Access::Write, true) => self.us && self.rw,
            (Access::Fetch, true) => self.us && !self.xd,
            (Access::Read, false) => !data_of_user,
            (Access::Write, false) => !data_of_user && (self.rw || !self.wp),
            (Access::Fetch, false) => !(self.xd || (self.us && self.smep)),
        }
    }

    fn name(&self) -> String {
        let mut name = format!("{} {:?}", self.kind.name(), self.access);
        name += if self.user { " by user" } else { " by supervisor" };
        let flags = [
            (self.rw, "R/W"),
            (self.us, "U/S"),
            (self.xd, "XD"),
            (self.wp, "WP"),
            (self.smep, "SMEP"),
            (self.smap, "SMAP"),
            (self.ac, "AC"),
        ];
        for (set, flag) in flags {
            if set {
                name += " ";
                name += flag;
            }
        }
        format!("{name}, entry {}", self.level)
    }

    fn guest(&self) -> Guest {
        let mut guest = self.kind.guest().at_ring(if self.user { 3 } else { 0 });
        guest.supervisor_pages(self.user);
        let set = |on: bool, bit: u64| if on { bit } else { 0 };
        guest.cpu.cr0 = guest.cpu.cr0 & !cr0::WP | set(self.wp, cr0::WP);
        guest.cpu.cr4 |= set(self.smep, cr4::SMEP) | set(self.smap, cr4::SMAP);
        guest.cpu.rflags |= set(self.ac, rflags::AC);
        guest
    }

    fn case(&self) -> Case {
        let mut guest = self.guest();
        let mapping = self.kind.mapping();
        let set = |on: bool, bit: u64| if on { bit } else { 0 };
        let flags = P | set(self.rw, RW) | set(self.us, US) | set(self.xd, XD);
        let written = mapping.write(&mut guest, self.kind.is_32_bit(), self.level, flags);
        guest.poke(mapping.physical, &[0xCD, END]);
        guest.cpu.gpr[RBX] = mapping.linear;
        guest.cpu.gpr[RAX] = u64::from(END) << 8 | 0xCD;
        let long = guest.bits() == 64;
        guest.code(|a| {
            self.access.program(long)(a)?;
            a.int(i32::from(END))
        });
        let case = Case::new(FAMILY, self.name(), RIGHTS, guest);
        let (leaf_at, _) = written[written.len() - 1];
        if !self.allowed() {
            let distinguishes = self.smep || !self.kind.is_32_bit();
            let error = error::P | self.access.code(self.user, distinguishes);
            let case = case.event(PF).is(Probe::SavedError, error).is(Probe::Cr2, mapping.linear);
            let case = if self.access == Access::Fetch {
                case.is(Probe::SavedRip, mapping.linear)
            } else {
                case.rip(0)
            };
            return case.is(Probe::Bits(leaf_at, D), 0);
        }
        let mut case = case.event(END);
        for (n, (at, value)) in written.iter().enumerate() {
            let leaf = n + 1 == written.len();
            let dirty = if leaf && self.access == Access::Write { D } else { 0 };
            let bytes = if self.kind.is_32_bit() { 4 } else { 8 };
            case = case.is(Probe::Memory(*at, bytes), value | A | dirty);
        }
        if self.access == Access::Fetch {
            case.is(Probe::SavedRip, mapping.linear + 2)
        } else {
            case.is(Probe::Gpr(RAX), u64::from(END) << 8 | 0xCD)
        }
    }
}

/// The matrix; what does not bear on an access stays off.
fn matrix() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in KINDS {
        for level in 0..kind.mapping().entries.len() {
            for bits in 0..256u64 {
                let bit = |n: u64| bits >> n & 1 != 0;
                let user = bit(0);
                let row = |access| Row {
                    kind,
                    level,
                    rw: bit(1),
                    us: bit(2),
                    xd: bit(3),
                    wp: bit(4),
                    smep: bit(5),
                    smap: bit(6),
                    ac: bit(7),
                    user,
                    access,
                };
                if (bit(3) && kind.is_32_bit()) || (bit(7) && (user || !bit(6))) || (bit(5) && bit(6)) {
                    continue;
                }
                if !bit(4) && !bit(5) {
                    cases.push(row(Access::Read).case());
                }
                if !bit(5) {
                    cases.push(row(Access::Write).case());
                }
                if !bit(4) && !bit(6) {
                    cases.push(row(Access::Fetch).case());
                }
            }
        }
    }
    cases
}

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
    [matrix(), absent(), reserved(), sequences(), addresses(), implicit(), vec![without_gib_pages()]].concat()
}
