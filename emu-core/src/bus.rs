//! What an engine knows of the board, and the words for one access to it.

use crate::{MemoryMap, Tick};
use std::sync::atomic::AtomicU32;

/// The address spaces and special cycles of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// I/O ports, 0 to 0xFFFF.
    Port,
    /// Guest-physical addresses that are not memory.
    Memory,
    /// PCI configuration registers of one function; the offset is the register number.
    Config,
    /// Model-specific registers that live outside the core (local APIC).
    Msr,
    /// The interrupt-acknowledge cycle; the value read is the vector.
    IntAck,
    /// Interrupt messages (MSI, IOAPIC to LAPIC): the offset is the low 20 bits of the address FEEx_xxxxh.
    Message,
    /// A DMA cycle on the ISA bus (DACK asserted). The region is the channel; the offset is 1 on the last byte
    /// (terminal count) and 0 before. For the 8237A itself: a write tells how many bytes were transferred.
    Dma,
    /// End-of-interrupt broadcast from a LAPIC; the value written is the vector.
    Eoi,
}

/// The size of an access in bytes: 1, 2, 4 or 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    Byte = 1,
    Word = 2,
    Dword = 4,
    Qword = 8,
}

impl Width {
    pub const fn bytes(self) -> u64 {
        self as u64
    }

    /// All ones in this width: what a floating bus reads.
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self as u32)
    }

    /// The width of `bytes` bytes; `None` unless 1, 2, 4 or 8.
    pub const fn from_bytes(bytes: u64) -> Option<Self> {
        match bytes {
            1 => Some(Self::Byte),
            2 => Some(Self::Word),
            4 => Some(Self::Dword),
            8 => Some(Self::Qword),
            _ => None,
        }
    }
}

/// One access as a device sees it: which of its regions, and where inside it.
///
/// A chip in its socket does not know its address: the board's wiring table gives each region of each device a
/// number, and the board subtracts the region's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub space: Space,
    /// The device's own region number, as its documentation and the wiring table agree.
    pub region: u8,
    /// Offset in bytes from the start of the region (for [`Space::Msr`]: the MSR number itself).
    pub offset: u64,
    pub width: Width,
}

/// A device does not answer this access: the bus floats (reads give all ones) and the board logs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusFault;

/// Bits of the attention word, see [`Bus::attention`].
pub struct Attention;

impl Attention {
    /// The interrupt line to the CPU is asserted (8259A INTR through LINT0, or the LAPIC).
    pub const INTR: u32 = 1 << 0;
    /// An NMI is latched. The engine clears the bit when it takes it.
    pub const NMI: u32 = 1 << 1;
    /// A system-management interrupt is latched.
    pub const SMI: u32 = 1 << 2;
    /// INIT is latched: the engine stops, the board resets the CPU.
    pub const INIT: u32 = 1 << 3;
    /// A start-up IPI is latched: the engine stops, the board starts the CPU.
    pub const SIPI: u32 = 1 << 4;
    /// The board wants the engine to return from `run`.
    pub const STOP: u32 = 1 << 5;
}

/// All that an engine knows of the board; one face per vCPU.
///
/// Engines that count tell [`Bus::retire`] of all earlier instructions before any other call that can see time
/// (ports, memory, MSRs, `tsc`, `acknowledge`), and ask [`Bus::allowance`] again after it.
pub trait Bus {
    /// How many instructions may retire until time must be seen to move. 0 means: return now.
    fn allowance(&mut self) -> u64;
    /// `n` more instructions have retired.
    fn retire(&mut self, n: u64);
    /// Reads an I/O port. `width` is at most [`Width::Dword`].
    fn port_read(&mut self, port: u16, width: Width) -> u64;
    fn port_write(&mut self, port: u16, width: Width, value: u64);
    /// Reads a guest-physical address that is not readable memory. Never crosses an aligned 8-byte word.
    fn memory_read(&mut self, gpa: u64, width: Width) -> u64;
    /// Writes a guest-physical address that is not writable memory.
    fn memory_write(&mut self, gpa: u64, width: Width, value: u64);
    /// Reads an MSR that the board owns (IA32_APIC_BASE, x2APIC 800h-8FFh, IA32_TSC_DEADLINE); `None` is #GP.
    fn msr_read(&mut self, msr: u32) -> Option<u64>;
    /// Writes an MSR that the board owns; `None` is #GP.
    fn msr_write(&mut self, msr: u32, value: u64) -> Option<()>;
    /// The task-priority register of the local APIC as CR8 shows it, 0 to 15.
    fn cr8(&mut self) -> u8;
    fn set_cr8(&mut self, priority: u8);
    /// Guest time now. The engine derives the time-stamp counter from it.
    fn now(&mut self) -> Tick;
    /// INTR, NMI, SMI, INIT, SIPI and STOP in one word, see [`Attention`].
    fn attention(&self) -> &AtomicU32;
    /// The interrupt-acknowledge cycle: takes the highest-priority vector.
    fn acknowledge(&mut self) -> u8;
    fn memory(&self) -> &MemoryMap;
}
