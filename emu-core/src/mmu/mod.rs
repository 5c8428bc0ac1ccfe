//! Paging: the translation of linear to guest-physical addresses (Intel SDM Vol. 3A chapter 4).
//!
//! A walk is a function of the paging registers and memory. It sets accessed and dirty flags only once the access is
//! known to be allowed, and reports what a TLB may remember.

mod walk;

pub use walk::walk;

use crate::isa::cpuid::{self, feature};
use crate::vcpu::{VcpuState, cr0, cr4, efer};

/// Error-code bits of #PF (Intel SDM Vol. 3A 4.7).
pub mod error {
    pub const PRESENT: u32 = 1 << 0;
    pub const WRITE: u32 = 1 << 1;
    pub const USER: u32 = 1 << 2;
    pub const RESERVED: u32 = 1 << 3;
    pub const FETCH: u32 = 1 << 4;
}

/// What an access wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Read,
    Write,
    Fetch,
}

/// On whose behalf an access is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// CPL 3.
    User,
    /// CPL below 3, by an instruction's operand; SMAP is suspended if `ac` (RFLAGS.AC) is set.
    Supervisor { ac: bool },
    /// Descriptor tables, TSS, interrupt stacks: supervisor whatever the CPL, never exempt from SMAP.
    Implicit,
}

/// The paging mode and permission bits, from the control registers.
#[derive(Clone, Copy, Debug)]
pub struct Paging {
    pub mode: Mode,
    pub root: u64,
    pub pdpte: [u64; 4],
    pub pse: bool,
    pub nx: bool,
    pub wp: bool,
    pub smep: bool,
    pub smap: bool,
    pub global: bool,
    pub gib_pages: bool,
    /// Physical address bits: 32 to 52.
    pub physical_bits: u32,
    /// All ones, or with bit 20 clear while the A20 gate is closed.
    pub a20_mask: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Off,
    /// Two levels of 32-bit entries.
    Bits32,
    /// Three levels, the first in registers.
    Pae,
    /// Four levels.
    Long,
}

/// Physical address bits of every CPU model that has long mode or PAE.
pub const PHYSICAL_BITS: u32 = 40;

impl Paging {
    pub fn of(cpu: &VcpuState) -> Self {
        let mode = match (cpu.cr0 & cr0::PG != 0, cpu.cr4 & cr4::PAE != 0, cpu.efer & efer::LMA != 0) {
            (false, ..) => Mode::Off,
            (true, false, _) => Mode::Bits32,
            (true, true, false) => Mode::Pae,
            (true, true, true) => Mode::Long,
        };
        Self {
            mode,
            root: cpu.cr3,
            pdpte: cpu.pdpte,
            pse: cpu.cr4 & cr4::PSE != 0,
            nx: cpu.efer & efer::NXE != 0,
            wp: cpu.cr0 & cr0::WP != 0,
            smep: cpu.cr4 & cr4::SMEP != 0,
            smap: cpu.cr4 & cr4::SMAP != 0,
            global: cpu.cr4 & cr4::PGE != 0,
            gib_pages: cpuid::model(cpu.model).features.has(feature::GIB_PAGES),
            physical_bits: PHYSICAL_BITS,
            a20_mask: if cpu.a20 { u64::MAX } else { !(1 << 20) },
        }
    }
}

/// Where paging structures are read and written.
pub trait Tables {
    /// Reads an entry of 8 bytes, or of 4 (zero-extended).
    fn entry(&self, gpa: u64, wide: bool) -> u64;
    /// Writes an entry back with more flags set.
    fn update(&self, gpa: u64, value: u64, wide: bool);
}

impl Tables for crate::MemoryMap {
    fn entry(&self, gpa: u64, wide: bool) -> u64 {
        if wide {
            u64::from_le_bytes(self.read_array(gpa))
        } else {
            u64::from(u32::from_le_bytes(self.read_array(gpa)))
        }
    }

    fn update(&self, gpa: u64, value: u64, wide: bool) {
        self.write(gpa, &value.to_le_bytes()[..if wide { 8 } else { 4 }]);
    }
}

/// A translation that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Guest-physical address of the byte (A20 applied).
    pub gpa: u64,
    /// A write by the same privilege would succeed without touching the tables (permission and D = 1).
    pub writable: bool,
    /// The page survives a CR3 write.
    pub global: bool,
    /// The page's size less one.
    pub offset_mask: u64,
}

/// A translation that failed: the error code of the #PF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFault(pub u32);
