//! The system tables under which the guest's user mode looks like Linux's: descriptors, gates, page tables.

use crate::conform::layout::*;
use emu_core::memory::MemoryMap;
use emu_core::vcpu::Segment;

/// Guest-physical address of the window's first page.
pub const WINDOW_FRAME: u64 = 0x1_0000;
/// Bytes of guest RAM.
pub const RAM_BYTES: u64 = 0x2_0000;

/// The system's pages, for supervisors only, are seen at this linear address plus their physical one: in a part of
/// the upper half where Linux has nothing.
pub const SYSTEM: u64 = 0xFFFF_A5A5_0000_0000;

pub const PML4: u64 = 0x1000;
const LOW: [u64; 3] = [0x2000, 0x3000, 0x4000];
const HIGH: [u64; 3] = [0x5000, 0x6000, 0x7000];
const GDT: u64 = 0x8000;
const LDT: u64 = 0x8100;
const TSS: u64 = 0x8200;
const IDT: u64 = 0x9000;
/// 256 HLT instructions: vector n starts at the nth.
const HANDLERS: u64 = 0xA000;
/// One past the stack on which every exception arrives.
pub const STACK_TOP: u64 = 0xC000;

const HLT: u8 = 0xF4;
const KERNEL_CODE: u16 = 0x10;
const TSS_SELECTOR: u16 = 0x40;
const LDT_SELECTOR: u16 = 0x50;

const fn descriptor(base: u64, limit: u32, access: u64, flags: u64) -> u64 {
    let (base, limit) = (base & 0xFFFF_FFFF, limit as u64);
    limit & 0xFFFF
        | (base & 0xFF_FFFF) << 16
        | access << 40
        | (limit >> 16) << 48
        | flags << 52
        | base >> 24 << 56
}

/// Present, DPL 3, accessed; then data or code, and its bits.
const DATA_RIGHTS: u64 = 0xF3;
const CODE_RIGHTS: u64 = 0xFB;

/// Linux's GDT of a 64-bit process, as far as user mode can tell (arch/x86/kernel/cpu/common.c, `gdt_page`).
const GDT_ROWS: [(u16, u64); 6] = [
    (0x08, descriptor(0, 0xF_FFFF, 0x9B, 0xC)),
    (0x10, descriptor(0, 0xF_FFFF, 0x9B, 0xA)),
    (0x18, descriptor(0, 0xF_FFFF, 0x93, 0xC)),
    (selector::CODE_32, descriptor(0, 0xF_FFFF, CODE_RIGHTS, 0xC)),
    (selector::DATA, descriptor(0, 0xF_FFFF, DATA_RIGHTS, 0xC)),
    (selector::CODE_64, descriptor(0, 0xF_FFFF, CODE_RIGHTS, 0xA)),
];
const GDT_LIMIT: u16 = 16 * 8 - 1;

/// As `native::arena` describes them to Linux, which marks them available to software (AVL) only where asked to.
const LDT_ROWS: [(u16, u64); 6] = [
    (selector::CODE_16, descriptor(WINDOW, 0xFFFF, CODE_RIGHTS, 0)),
    (selector::DATA_16, descriptor(WINDOW, 0xFFFF, DATA_RIGHTS, 0)),
    (selector::FS, descriptor(FS_BASE, 0xFFF, DATA_RIGHTS, 0)),
    (selector::GS, descriptor(GS_BASE, 0xFFF, DATA_RIGHTS, 0)),
    (selector::READ_ONLY, descriptor(DATA, 0xFFF, 0xF1, 0)),
    (selector::EXPAND_DOWN, descriptor(DATA, 0xFFF, 0xF7, 0)),
];

/// The segment register's content after a load of `selector`; null selectors and unknown ones give an unusable one.
pub fn segment(selector: u16) -> Segment {
    let rows = GDT_ROWS.iter().chain(&LDT_ROWS);
    let found = rows.clone().find(|(name, _)| *name == selector);
    found.map_or(Segment { selector, ..Segment::default() }, |(_, row)| {
        Segment::from_descriptor(selector, *row as u32, (row >> 32) as u32)
    })
}

/// Writes all tables.
pub fn build(memory: &MemoryMap) {
    let put = |at: u64, value: u64| memory.write(at, &value.to_le_bytes());
    for (base, rows) in [(GDT, &GDT_ROWS), (LDT, &LDT_ROWS)] {
        for (selector, row) in rows {
            put(base + u64::from(selector & !7), *row);
        }
    }
    put(TSS + 36, SYSTEM + STACK_TOP); // IST1
    memory.write(TSS + 102, &0x68u16.to_le_bytes()); // no I/O permission bitmap
    for vector in 0..256 {
        gate(memory, vector);
    }
    memory.write(HANDLERS, &[HLT; 256]);
    map_pages(memory);
}

/// Linux lets user mode call vectors 3 and 4 (and 80h, which the suite leaves alone).
fn gate(memory: &MemoryMap, vector: u64) {
    let offset = SYSTEM + HANDLERS + vector;
    let rights: u64 = if matches!(vector, 3 | 4) { 0xEE01 } else { 0x8E01 };
    let low = offset & 0xFFFF | u64::from(KERNEL_CODE) << 16 | rights << 32 | (offset >> 16 & 0xFFFF) << 48;
    memory.write(IDT + 16 * vector, &low.to_le_bytes());
    memory.write(IDT + 16 * vector + 8, &(offset >> 32).to_le_bytes());
}

/// The vector whose handler has halted with this RIP.
pub fn vector_of(rip: u64) -> u8 {
    rip.wrapping_sub(SYSTEM + HANDLERS + 1) as u8
}

// Bits of page-table entries; accessed and dirty are set.
const P: u64 = 0x61;
const RW: u64 = 2;
const US: u64 = 4;
const NX: u64 = 1 << 63;

fn map_pages(memory: &MemoryMap) {
    let put = |table: u64, index: u64, value: u64| memory.write(table + 8 * index, &value.to_le_bytes());
    let part = |linear: u64, level: u32| linear >> (12 + 9 * level) & 511;
    for (linear, [pdpt, pd, pt]) in [(WINDOW, LOW), (SYSTEM, HIGH)] {
        put(PML4, part(linear, 3), pdpt | P | RW | US);
        put(pdpt, part(linear, 2), pd | P | RW | US);
        put(pd, part(linear, 1), pt | P | RW | US);
    }
    for page in GDT >> 12..STACK_TOP >> 12 {
        put(HIGH[2], page, page << 12 | P | RW);
    }
    let user = [(CODE, CODE_BYTES, US), (DATA, DATA_BYTES, US | RW | NX), (FIXED, FIXED_BYTES, US | NX)];
    for (start, bytes, rights) in user.into_iter().chain([(STACK, STACK_BYTES, US | RW | NX)]) {
        for linear in (start..start + bytes as u64).step_by(0x1000) {
            put(LOW[2], part(linear, 0), (linear - WINDOW + WINDOW_FRAME) | P | rights);
        }
    }
}

/// Task and LDT registers, GDT and IDT limits with their bases.
pub struct Registers {
    pub tr: Segment,
    pub ldtr: Segment,
    pub gdt: (u64, u16),
    pub idt: (u64, u16),
}

pub fn registers() -> Registers {
    let system = |selector, rights, base, limit| Segment { selector, rights, limit, base: SYSTEM + base };
    Registers {
        tr: system(TSS_SELECTOR, 0x8B, TSS, 0x67),
        ldtr: system(LDT_SELECTOR, 0x82, LDT, LDT_ROWS.len() as u32 * 8 - 1),
        gdt: (SYSTEM + GDT, GDT_LIMIT),
        idt: (SYSTEM + IDT, 0xFFF),
    }
}
