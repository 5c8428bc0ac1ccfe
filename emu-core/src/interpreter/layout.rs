//! Where in a [`Cpu`] compiled code finds what it may touch, in bytes. All of it is little endian and naturally aligned.

use super::cpu::Cpu;
use super::tlb::{ENTRIES, Entry, Tlb};
use crate::isa::flags::LazyFlags;
use std::mem::offset_of;

/// [`crate::isa::flags::Kind`], one byte.
pub const FLAGS_KIND: usize = offset_of!(Cpu, flags) + offset_of!(LazyFlags, kind);
pub const FLAGS_A: usize = offset_of!(Cpu, flags) + offset_of!(LazyFlags, a);
pub const FLAGS_B: usize = offset_of!(Cpu, flags) + offset_of!(LazyFlags, b);
pub const FLAGS_R: usize = offset_of!(Cpu, flags) + offset_of!(LazyFlags, r);
/// Instructions that may still retire, signed.
pub const BUDGET: usize = offset_of!(Cpu, budget);
/// To be set when leaving.
pub const RIP: usize = offset_of!(Cpu, rip);
/// The sixteen general registers.
pub const REGISTERS: usize = offset_of!(Cpu, r);
/// RIP of byte 0 of the page of the region's entry. Read only.
pub const RIP_BASE: usize = REGISTERS + 8 * super::word::RIP_BASE as usize;
/// The six segment bases, in the order of [`crate::vcpu::SegmentName`]. Read only.
pub const SEGMENT_BASES: usize = REGISTERS + 8 * super::word::SEG_BASE as usize;
/// Pointers to the TLB entries of the current bank, for reads and for writes. Read only, the entries too.
pub const TLB_READ: usize = offset_of!(Cpu, tlb) + Tlb::READ;
pub const TLB_WRITE: usize = offset_of!(Cpu, tlb) + Tlb::WRITE;
/// Entries of a bank; bits 12 and up of a linear address choose one.
pub const TLB_ENTRIES: usize = ENTRIES;
/// A TLB entry: `(linear ^ tag) <= 4096 - size` is a hit, at `linear + addend` in this process.
pub const TLB_ENTRY_BYTES: usize = size_of::<Entry>();
pub const TLB_TAG: usize = offset_of!(Entry, tag);
pub const TLB_ADDEND: usize = offset_of!(Entry, addend);
