//! Translations that have been used, and what makes a new mapping seen: INVLPG, CR3, CR4.PGE, INVPCID. Only what the
//! architecture guarantees: after the invalidation the new mapping counts.

use super::case::{Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*};
use emu_core::vcpu::{cr0, cr4};
use iced_x86::code_asm::*;

const FAMILY: &str = "translation caches";
const INVALIDATE: Citation =
    sdm("3A", "4.10.4.1", "Operations that Invalidate TLBs and Paging-Structure Caches");
const LARGE: Citation = sdm("3A", "4.10.2.3", "Details of TLB Use");
const INVPCID: Citation = sdm("2", "", "INVPCID-Invalidate Process-Context Identifier");
const PERMIT: Citation = sdm("3A", "4.10.4.3", "Optional Invalidation");
const PDPTES: Citation = sdm("3A", "4.4.1", "PDPTE Registers");
const CR3: Citation = sdm("2", "", "MOV-Move to/from Control Registers");

/// The page that is mapped anew: DATA at first, then [`OTHER`].
const OTHER: u64 = 0x20_0000;
const OLD_VALUE: u64 = 0x1111;
const NEW_VALUE: u64 = 0x2222;
const P: u64 = 1;
const RW: u64 = 2;
const PS: u64 = 0x80;
const G: u64 = 0x100;
/// CR4 with and without PGE is kept here for the programs.
const CR4_VALUES: u64 = DATA + 0x8000;
/// INVPCID descriptors.
const DESCRIPTOR: u64 = DATA + 0x9000;

/// How the new mapping is made to count.
struct Way {
    name: &'static str,
    /// Also for global pages.
    global: bool,
    program: Program,
}

const WAYS: [Way; 7] = [
    Way { name: "INVLPG", global: true, program: |a| a.invlpg(byte_ptr(DATA)) },
    Way {
        name: "MOV CR3",
        global: false,
        program: |a| {
            a.mov(rdx, cr3)?;
            a.mov(cr3, rdx)
        },
    },
    Way {
        name: "CR4.PGE cleared",
        global: true,
        program: |a| {
            a.mov(rdx, qword_ptr(CR4_VALUES))?;
            a.mov(cr4, rdx)
        },
    },
    Way {
        name: "paging mode bits of CR4 changed (PSE)",
        global: false,
        program: |a| {
            a.mov(rdx, cr4)?;
            a.xor(rdx, 0x80)?;
            a.mov(cr4, rdx)
        },
    },
    Way {
        name: "INVPCID of an address",
        global: false,
        program: |a| {
            a.xor(edx, edx)?;
            a.invpcid(rdx, xmmword_ptr(DESCRIPTOR))
        },
    },
    Way {
        name: "INVPCID of all contexts and global pages",
        global: true,
        program: |a| {
            a.mov(edx, 2)?;
            a.invpcid(rdx, xmmword_ptr(DESCRIPTOR))
        },
    },
    Way {
        name: "INVPCID of all contexts",
        global: false,
        program: |a| {
            a.mov(edx, 3)?;
            a.invpcid(rdx, xmmword_ptr(DESCRIPTOR))
        },
    },
];

fn guest() -> Guest {
    let mut guest = Guest::long();
    guest.cpu.cr4 |= cr4::PGE;
    guest.poke32(DATA, OLD_VALUE as u32);
    guest.poke32(OTHER, NEW_VALUE as u32);
    guest.poke64(CR4_VALUES, guest.cpu.cr4 & !cr4::PGE);
    guest.poke64(DESCRIPTOR, 0);
    guest.poke64(DESCRIPTOR + 8, DATA);
    guest.cpu.gpr[RSI] = PAGES + 0x3000 + 8 * (DATA >> 12);
    guest
}

/// Read, change the entry, invalidate, read again.
fn remapped() -> Vec<Case> {
    let mut cases = Vec::new();
    for way in &WAYS {
        for global in [false, true] {
            if global && !way.global {
                continue;
            }
            let mut guest = guest();
            let flag = if global { G } else { 0 };
            guest.page(DATA, DATA | P | RW | flag);
            guest.code(|a| {
                a.mov(eax, dword_ptr(DATA))?;
                a.mov(rbx, OTHER | P | RW | flag)?;
                a.mov(qword_ptr(rsi), rbx)?;
                (way.program)(a)?;
                a.mov(ecx, dword_ptr(DATA))?;
                a.hlt()
            });
            let name = format!("{}{}", way.name, if global { ", global page" } else { "" });
            cases.push(
                Case::new(FAMILY, name, INVALIDATE, guest)
                    .is(Probe::Gpr(RAX), OLD_VALUE)
                    .is(Probe::Gpr(RCX), NEW_VALUE),
            );
        }
    }
    cases
}

/// Less permission than before counts after the invalidation, too.
fn restricted() -> Vec<Case> {
    WAYS.iter()
        .map(|way| {
            let mut guest = guest();
            guest.code(|a| {
                a.mov(dword_ptr(DATA), eax)?;
                a.mov(rbx, DATA | P)?;
                a.mov(qword_ptr(rsi), rbx)?;
                (way.program)(a)?;
                a.mov(dword_ptr(DATA), eax)
            });
            let n = guest.starts.len() - 2;
            Case::new(FAMILY, format!("{}: read-only from then on", way.name), INVALIDATE, guest)
                .fault(PF, 3, n)
                .is(Probe::Cr2, DATA)
        })
        .collect()
}

/// More permission counts without any invalidation: a fault has forgotten what was known.
fn permitted() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, first, error) in [("present", 0u64, 2u64), ("writable", DATA | P, 3)] {
        let mut guest = guest();
        guest.page(DATA, first);
        guest.code(|a| {
            a.mov(dword_ptr(DATA), ebx)?;
            a.hlt()
        });
        let entry = PAGES + 0x3000 + 8 * (DATA >> 12);
        let action = super::case::Action::Poke(entry, (DATA | P | RW).to_le_bytes().to_vec());
        cases.push(
            Case::new(FAMILY, format!("made {name} in the handler of the fault"), PERMIT, guest)
                .fault(PF, error, 0)
                .then(action)
                .ends(),
        );
    }
    cases
}

/// A large page may be cached in pieces: INVLPG of any address in it forgets all of them.
fn large_pages() -> Vec<Case> {
    let mut cases = Vec::new();
    const HERE: u64 = 0x40_0000;
    const FAR: u64 = HERE + 0x12_3000;
    for (name, long) in [("2 MiB", true), ("4 MiB", false)] {
        let mut guest = if long { Guest::long() } else { Guest::paged() };
        let entry = if long { PAGES + 0x1010 } else { PAGES + 4 };
        if long {
            guest.poke64(entry, HERE | PS | P | RW);
        } else {
            guest.poke32(entry, (HERE | PS | P | RW) as u32);
        }
        guest.poke32(FAR, OLD_VALUE as u32);
        guest.poke32(FAR + 0x40_0000, NEW_VALUE as u32);
        guest.code(|a| {
            a.mov(eax, dword_ptr(HERE as u32))?;
            a.mov(eax, dword_ptr(FAR as u32))?;
            a.add(byte_ptr(entry as u32 + 2), 0x40)?;
            a.invlpg(byte_ptr(HERE as u32))?;
            a.mov(ecx, dword_ptr(FAR as u32))?;
            a.hlt()
        });
        cases.push(
            Case::new(FAMILY, format!("INVLPG of another address of a {name} page"), LARGE, guest)
                .is(Probe::Gpr(RAX), OLD_VALUE)
                .is(Probe::Gpr(RCX), NEW_VALUE),
        );
        // The same for code: two functions in one large page.
        let mut guest = if long { Guest::long() } else { Guest::paged() };
        if long {
            guest.poke64(entry, HERE | PS | P | RW);
        } else {
            guest.poke32(entry, (HERE | PS | P | RW) as u32);
        }
        let bits = guest.bits();
        for (at, value) in [(FAR, OLD_VALUE), (FAR + 0x40_0000, NEW_VALUE)] {
            guest.code_at(0, at, bits, |a| {
                a.mov(ecx, value as u32)?;
                a.ret()
            });
        }
        guest.cpu.gpr[RSI] = FAR;
        guest.code(|a| {
            for _ in 0..2 {
                if long {
                    a.call(rsi)?;
                } else {
                    a.call(esi)?;
                }
                a.mov(ebx, eax)?;
                a.mov(eax, ecx)?;
                a.add(byte_ptr(entry as u32 + 2), 0x40)?;
                a.invlpg(byte_ptr(HERE as u32))?;
            }
            a.hlt()
        });
        cases.push(
            Case::new(FAMILY, format!("INVLPG of another address of a {name} page of code"), LARGE, guest)
                .is(Probe::Gpr(RBX), OLD_VALUE)
                .is(Probe::Gpr(RAX), NEW_VALUE),
        );
    }
    cases.push(gigabyte());
    cases
}

fn gigabyte() -> Case {
    let mut guest = Guest::long();
    // Virtual 1 GiB: a page of 1 GiB, then one that shows the tables' own 2 MiB page instead.
    let entry = PAGES + 0x2008;
    let table = 0x10_0000;
    guest.poke64(entry, PS | P | RW);
    guest.poke64(table + 8, 0x60_0000 | PS | P | RW);
    guest.poke32(0x20_0000, OLD_VALUE as u32);
    guest.poke32(0x60_0000, NEW_VALUE as u32);
    guest.cpu.gpr[RSI] = 0x4000_0000;
    guest.code(|a| {
        a.mov(eax, dword_ptr(rsi + 0x20_0000))?;
        a.mov(rbx, table | P | RW)?;
        a.mov(qword_ptr(entry), rbx)?;
        a.invlpg(byte_ptr(rsi + 0x3000_0000))?;
        a.mov(ecx, dword_ptr(rsi + 0x20_0000))?;
        a.hlt()
    });
    Case::new(FAMILY, "INVLPG of another address of a 1 GiB page", LARGE, guest)
        .is(Probe::Gpr(RAX), OLD_VALUE)
        .is(Probe::Gpr(RCX), NEW_VALUE)
}

/// PCIDs: another context shows its own mapping, with and without bit 63 of the source.
fn contexts() -> Vec<Case> {
    let mut cases = Vec::new();
    for no_flush in [false, true] {
        let mut guest = guest();
        guest.cpu.cr4 |= cr4::PCIDE;
        // A second tree: the same but for DATA's page.
        let root = 0x10_0000;
        guest.poke64(root, (root + 0x1000) | 7);
        guest.poke64(root + 0x1000, (root + 0x2000) | 7);
        guest.poke64(root + 0x2000, (root + 0x3000) | 7);
        let table: Vec<u8> = (0..512u64)
            .flat_map(|n| (if n == DATA >> 12 { OTHER } else { n << 12 } | 7).to_le_bytes())
            .collect();
        guest.poke(root + 0x3000, &table);
        let flag = if no_flush { 1 << 63 } else { 0 };
        guest.code(|a| {
            a.mov(eax, dword_ptr(DATA))?;
            a.mov(rdx, root | 1 | flag)?;
            a.mov(cr3, rdx)?;
            a.mov(ecx, dword_ptr(DATA))?;
            a.mov(rdi, cr3)?;
            a.mov(rdx, PAGES | flag)?;
            a.mov(cr3, rdx)?;
            a.mov(ebx, dword_ptr(DATA))?;
            a.hlt()
        });
        cases.push(Case::new(FAMILY, format!("PCIDs, bit 63 {}", u8::from(no_flush)), CR3, guest).all(&[
            (Probe::Gpr(RAX), OLD_VALUE),
            (Probe::Gpr(RCX), NEW_VALUE),
            (Probe::Gpr(RBX), OLD_VALUE),
            (Probe::Gpr(RDI), root | 1),
            (Probe::Cr3, PAGES),
        ]));
    }
    cases
}

/// What INVPCID and PCIDE do not take.
fn refused() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, kind, pcid, linear, good) in [
        ("type 4", 4u64, 0u64, 0u64, false),
        ("reserved bits of the descriptor", 2, 0x1000, 0, false),
        ("an address that is not canonical", 0, 0, 1 << 47, false),
        ("an address that does not count", 3, 0, 1 << 47, true),
        ("a PCID without PCIDE", 1, 1, 0, false),
    ] {
        let mut guest = guest();
        guest.poke64(DESCRIPTOR, pcid);
        guest.poke64(DESCRIPTOR + 8, linear);
        guest.cpu.gpr[RDX] = kind;
        guest.code(|a| {
            a.invpcid(rdx, xmmword_ptr(DESCRIPTOR))?;
            a.hlt()
        });
        let case = Case::new(FAMILY, format!("INVPCID: {name}"), INVPCID, guest);
        cases.push(if good { case } else { case.fault(GP, 0, 0) });
    }
    for (name, program) in [
        ("INVLPG", (|a| a.invlpg(byte_ptr(DATA))) as Program),
        ("INVPCID", |a| a.invpcid(rdx, xmmword_ptr(DESCRIPTOR))),
        ("MOV CR3", |a| a.mov(cr3, rdx)),
    ] {
        let mut guest = guest().at_ring(3);
        guest.code(program);
        cases.push(Case::new(FAMILY, format!("{name} at CPL 3"), INVALIDATE, guest).fault(GP, 0, 0));
    }
    let mut enable = Guest::long();
    enable.cpu.cr3 |= 8;
    enable.cpu.gpr[RDX] = enable.cpu.cr4 | cr4::PCIDE;
    enable.code(|a| a.mov(cr4, rdx));
    cases.push(Case::new(FAMILY, "CR4.PCIDE with a PCID in CR3", CR3, enable).fault(GP, 0, 0));
    let mut legacy = Guest::pae();
    legacy.cpu.gpr[RDX] = legacy.cpu.cr4 | cr4::PCIDE;
    legacy.code(|a| a.mov(cr4, edx));
    cases.push(Case::new(FAMILY, "CR4.PCIDE outside of long mode", CR3, legacy).fault(GP, 0, 0));
    let mut off = Guest::long().compatibility(0);
    off.cpu.cr4 |= cr4::PCIDE;
    off.cpu.gpr[RDX] = off.cpu.cr0 & !cr0::PG;
    off.code(|a| a.mov(cr0, edx));
    cases.push(Case::new(FAMILY, "CR0.PG cleared under PCIDE", CR3, off).fault(GP, 0, 0));
    cases
}

/// PAE keeps its four top entries in registers: a change in memory counts from the next MOV CR3.
fn registers() -> Vec<Case> {
    let mut loaded = Guest::pae();
    loaded.poke64(PAGES + 8, 0);
    loaded.poke32(0x20_0000, NEW_VALUE as u32);
    loaded.poke64(0x10_0000, 0x20_0000 | PS | P | RW);
    loaded.code(|a| {
        a.mov(dword_ptr(PAGES as u32 + 8), 0x10_0001u32)?;
        a.mov(eax, cr3)?;
        a.mov(cr3, eax)?;
        a.mov(ecx, dword_ptr(0x4000_0000))?;
        a.hlt()
    });
    let mut stale = Guest::pae();
    stale.poke64(0x10_0000, 0x20_0000 | PS | P | RW);
    stale.code(|a| {
        a.mov(dword_ptr(PAGES as u32 + 8), 0x10_0001u32)?;
        a.mov(ecx, dword_ptr(0x4000_0000))
    });
    let mut bad = Vec::new();
    for bit in [1u32, 2, 5, 8, 40, 63] {
        let mut guest = Guest::pae();
        guest.poke64(PAGES + 8, 1 | 1 << bit);
        guest.code(|a| {
            a.mov(eax, cr3)?;
            a.mov(cr3, eax)
        });
        bad.push(Case::new(FAMILY, format!("PDPTE with bit {bit}"), PDPTES, guest).fault(GP, 0, 1));
    }
    bad.push(Case::new(FAMILY, "PDPTE changed, and MOV CR3", PDPTES, loaded).is(Probe::Gpr(RCX), NEW_VALUE));
    bad.push(Case::new(FAMILY, "PDPTE changed in memory only", PDPTES, stale).fault(PF, 0, 1));
    bad
}

pub(super) fn cases() -> Vec<Case> {
    [remapped(), restricted(), permitted(), large_pages(), contexts(), refused(), registers()].concat()
}
