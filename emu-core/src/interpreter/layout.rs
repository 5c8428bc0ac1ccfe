//! Where in a [`Cpu`] compiled code finds what it may touch, in bytes. All of it is little endian and naturally aligned.

use super::cache::CodeCache;
use super::cpu::Cpu;
use super::jumps::{self, Jump};
use super::tlb::{self, ENTRIES, Entry, Tlb};
use crate::isa::flags::LazyFlags;
use crate::vcpu::{Segment, SegmentName, VcpuState, X87};
use std::mem::offset_of;

/// [`crate::isa::flags::Kind`], one byte.
pub const FLAGS_KIND: usize = offset_of!(Cpu, flags) + offset_of!(LazyFlags, kind);
pub const FLAGS_A: usize = offset_of!(Cpu, flags) + offset_of!(LazyFlags, a);
pub const FLAGS_B: usize = offset_of!(Cpu, flags) + offset_of!(LazyFlags, b);
pub const FLAGS_R: usize = offset_of!(Cpu, flags) + offset_of!(LazyFlags, r);
/// A byte: how the flags stand in [`FLAGS_A`] and [`FLAGS_B`], see [`crate::isa::flags::Deferred`]. 0 when compiled code
/// is entered from Rust.
pub const DEFERRED: usize = offset_of!(Cpu, deferred);
/// Instructions that may still retire, signed.
pub const BUDGET: usize = offset_of!(Cpu, budget);
/// All ones, or 32 bits: what addresses are cut to. Read only.
pub const ADDRESS_MASK: usize = offset_of!(Cpu, addr_mask);
/// The generation, as links and the jump cache name it. Read only.
pub const GENERATION: usize = offset_of!(Cpu, generation);
/// A pointer to the jump cache: [`JUMPS`] entries, that of `linear` at index
/// `(linear ^ linear >> 8) & (JUMPS - 1)`, or at that
/// `^ JUMP_TURN ^ (linear >> JUMP_TURN_SHIFT & JUMP_TURN_MASK)`.
pub const JUMP_CACHE: usize = offset_of!(Cpu, cache) + offset_of!(CodeCache, jumps);
pub const JUMPS: usize = jumps::JUMPS;
pub const JUMP_TURN: usize = jumps::TURN;
pub const JUMP_TURN_MASK: usize = jumps::TURN_MASK;
pub const JUMP_TURN_SHIFT: u32 = jumps::TURN_SHIFT;
pub const JUMP_BYTES: usize = size_of::<Jump>();
pub const JUMP_LINEAR: usize = offset_of!(Jump, linear);
pub const JUMP_GENERATION: usize = offset_of!(Jump, generation);
/// The code of a region, or of [`super::tier::Region::nowhere`].
pub const JUMP_CODE: usize = offset_of!(Jump, code);
/// The [`super::tier::Link`] that led nowhere, to be set when leaving for it.
pub const LINK: usize = offset_of!(Cpu, link);
/// The region's [`super::tier::Seen`], to be set when leaving with [`super::tier::Leave::Straddle`].
pub const STRADDLER: usize = offset_of!(Cpu, straddler);
/// A byte: not 0 if SSE instructions must be left to the interpreter. Read only.
pub const SSE_TRAP: usize = offset_of!(Cpu, sse_trap);
/// The guest's MXCSR. Read only.
pub const MXCSR: usize = offset_of!(Cpu, s) + offset_of!(VcpuState, mxcsr);
/// A byte: 1 if the host's MXCSR is the guest's, see [`super::tier::Leave::Float`]. To be set when loading it.
pub const FLOAT_LOADED: usize = offset_of!(Cpu, float_loaded);
/// A byte: not 0 if x87 instructions must be left to the interpreter. Read only.
pub const FPU_TRAP: usize = offset_of!(Cpu, fpu_trap);
/// A byte: 1 if the host's x87 unit holds the guest's state, see [`super::tier::Leave::X87`]. Read only.
pub const X87_LOADED: usize = offset_of!(Cpu, x87_loaded);
const X87_STATE: usize = offset_of!(Cpu, s) + offset_of!(VcpuState, x87);
/// The control word, which is never in the host's unit alone: the value that FLDCW has loaded.
pub const X87_CONTROL: usize = X87_STATE + offset_of!(X87, control);
/// The last x87 instruction and its operand: FIP, FCS, FDP, FDS and FOP.
pub const X87_IP: usize = X87_STATE + offset_of!(X87, ip);
pub const X87_CS: usize = X87_STATE + offset_of!(X87, cs);
pub const X87_DP: usize = X87_STATE + offset_of!(X87, dp);
pub const X87_DS: usize = X87_STATE + offset_of!(X87, ds);
pub const X87_OPCODE: usize = X87_STATE + offset_of!(X87, opcode);
/// The selector of segment register 0, in the order of [`crate::vcpu::SegmentName`], and the distance between two. Read
/// only.
pub const SELECTORS: usize = offset_of!(Cpu, s) + offset_of!(VcpuState, seg) + offset_of!(Segment, selector);
pub const SELECTOR_BYTES: usize = size_of::<Segment>();
/// The sixteen XMM registers of 16 bytes.
pub const XMM: usize = offset_of!(Cpu, s) + offset_of!(VcpuState, xmm);
/// RFLAGS but for the status flags; compiled code may clear IF.
pub const RFLAGS: usize = offset_of!(Cpu, s) + offset_of!(VcpuState, rflags);
/// A byte: the current privilege level. Read only.
pub const CPL: usize = offset_of!(Cpu, cpl);
/// The other base of GS, and the base in the segment's state, which is the same as that of [`SEGMENT_BASES`].
pub const KERNEL_GS_BASE: usize = offset_of!(Cpu, s) + offset_of!(VcpuState, kernel_gs_base);
pub const GS_BASE: usize = offset_of!(Cpu, s)
    + offset_of!(VcpuState, seg)
    + SegmentName::Gs as usize * size_of::<Segment>()
    + offset_of!(Segment, base);
/// To be set when leaving.
pub const RIP: usize = offset_of!(Cpu, rip);
/// The sixteen general registers.
pub const REGISTERS: usize = offset_of!(Cpu, r);
/// RIP of byte 0 of the page of the region's entry. To be set when another region is entered.
pub const RIP_BASE: usize = REGISTERS + 8 * super::word::RIP_BASE as usize;
/// The six segment bases, in the order of [`crate::vcpu::SegmentName`]. Read only, but for SWAPGS.
pub const SEGMENT_BASES: usize = REGISTERS + 8 * super::word::SEG_BASE as usize;
/// Pointers to the TLB entries of the current bank, for reads and for writes. Read only, the entries too.
pub const TLB_READ: usize = offset_of!(Cpu, tlb) + Tlb::READ;
pub const TLB_WRITE: usize = offset_of!(Cpu, tlb) + Tlb::WRITE;
/// Entries of a bank; bits 12 and up of a linear address choose one.
pub const TLB_ENTRIES: usize = ENTRIES;
/// The cells: TLB entries of the last pages that addresses of a kind have led to, [`CELLS`] for each direction. Compiled
/// code fills them from the TLB, for the privilege it runs with.
pub const fn cell(user: bool, write: bool, cell: usize) -> usize {
    let of_privilege = Tlb::CELLS + if user { Tlb::CELLS_BYTES } else { 0 };
    offset_of!(Cpu, tlb) + of_privilege + TLB_ENTRY_BYTES * (cell + if write { CELLS } else { 0 })
}
pub const CELLS: usize = tlb::CELLS;
/// A TLB entry: `(linear ^ tag) <= 4096 - size` is a hit, at `linear + addend` in this process.
pub const TLB_ENTRY_BYTES: usize = size_of::<Entry>();
pub const TLB_TAG: usize = offset_of!(Entry, tag);
pub const TLB_ADDEND: usize = offset_of!(Entry, addend);
