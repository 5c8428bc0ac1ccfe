//! Paging permissions: every combination that decides about an access, for every page size, with error code, CR2, and
//! the accessed and dirty flags.

use super::case::{Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*};
use emu_core::vcpu::{cr0, cr4, rflags};
use iced_x86::code_asm::*;

const FAMILY: &str = "paging";
const RIGHTS: Citation = sdm("3A", "4.6.1", "Determination of Access Rights");

pub(super) const P: u64 = 1;
pub(super) const RW: u64 = 2;
pub(super) const US: u64 = 4;
pub(super) const A: u64 = 0x20;
pub(super) const D: u64 = 0x40;
pub(super) const PS: u64 = 0x80;
pub(super) const XD: u64 = 1 << 63;

/// Bits of the error code.
pub(super) mod error {
    pub const P: u64 = 1;
    pub const W: u64 = 2;
    pub const U: u64 = 4;
    pub const RSVD: u64 = 8;
    pub const ID: u64 = 16;
}

/// Tables of the page under test.
pub(super) const TABLES: u64 = 0x10_0000;
pub(super) const FRAME_4K: u64 = 0x20_0000;
const FRAME_LARGE: u64 = 0x40_0000;

/// A paging mode with a page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bits32Small,
    Bits32Large,
    PaeSmall,
    PaeLarge,
    Long4K,
    Long2M,
    Long1G,
}

pub(super) const KINDS: [Kind; 7] = [
    Kind::Bits32Small,
    Kind::Bits32Large,
    Kind::PaeSmall,
    Kind::PaeLarge,
    Kind::Long4K,
    Kind::Long2M,
    Kind::Long1G,
];

/// The page under test: its entries from the top down, without flags.
pub(super) struct Mapping {
    pub(super) linear: u64,
    pub(super) physical: u64,
    pub(super) entries: Vec<(u64, u64)>,
}

impl Kind {
    pub(super) fn guest(self) -> Guest {
        match self {
            Self::Bits32Small | Self::Bits32Large => Guest::paged(),
            Self::PaeSmall | Self::PaeLarge => Guest::pae(),
            _ => Guest::long(),
        }
    }

    pub(super) fn is_32_bit(self) -> bool {
        matches!(self, Self::Bits32Small | Self::Bits32Large)
    }

    pub(super) fn name(self) -> &'static str {
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

    pub(super) fn mapping(self) -> Mapping {
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
    pub(super) fn write(&self, guest: &mut Guest, narrow: bool, level: usize, flags: u64) -> Vec<(u64, u64)> {
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
pub(super) enum Access {
    Read,
    Write,
    Fetch,
}

impl Access {
    pub(super) fn program(self, long: bool) -> Program {
        match (self, long) {
            (Self::Read, false) => |a| a.mov(eax, dword_ptr(ebx)),
            (Self::Write, false) => |a| a.mov(dword_ptr(ebx), eax),
            (Self::Fetch, false) => |a| a.jmp(ebx),
            (Self::Read, true) => |a| a.mov(eax, dword_ptr(rbx)),
            (Self::Write, true) => |a| a.mov(dword_ptr(rbx), eax),
            (Self::Fetch, true) => |a| a.jmp(rbx),
        }
    }

    pub(super) fn code(self, user: bool, distinguishes: bool) -> u64 {
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

pub(super) fn cases() -> Vec<Case> {
    matrix()
}
