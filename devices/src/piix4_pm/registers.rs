//! The power-management I/O window: names, places and the timer. Data sheet, "Power Management I/O
//! Registers".

use crate::bits::low32;
use bitfield_struct::bitfield;
use emu_core::{Tick, Width};

/// Bits of PMSTS and PMEN.
pub(super) mod event {
    pub(in super::super) const TIMER: u16 = 1 << 0;
    pub(in super::super) const GLOBAL: u16 = 1 << 5;
    pub(in super::super) const POWER_BUTTON: u16 = 1 << 8;
    pub(in super::super) const RTC: u16 = 1 << 10;
    pub(in super::super) const ALL: u16 = TIMER | GLOBAL | POWER_BUTTON | RTC;
}

/// Data sheet, "PMCNTRL - Power Management Control Register".
#[bitfield(u16)]
#[derive(PartialEq, Eq)]
pub(super) struct PmControl {
    pub sci_enabled: bool,
    pub bus_master_reload: bool,
    pub global_release: bool,
    #[bits(7)]
    __: u8,
    #[bits(3)]
    pub suspend_type: u8,
    pub suspend_enable: bool,
    #[bits(2)]
    __: u8,
}

impl PmControl {
    pub(super) const WRITABLE: u16 = 0b0011_1100_0000_0011;
}

pub(super) const PCNTRL_WRITABLE: u32 = 0x0002_3E1E;
pub(super) const GPOREG_WRITABLE: u32 = 0x7FFF_FFFF;
/// Data sheet, "GPOREG - General Purpose Output Register".
pub(super) const GPOREG_RESET: u32 = 0x7FFF_BFFF;

/// The registers of the window by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PmRegister {
    Status,
    Enable,
    Control,
    Timer,
    GpStatus,
    GpEnable,
    ProcessorControl,
    Level2,
    Level3,
    GlobalStatus,
    DeviceStatus,
    GlobalEnable,
    GlobalControl,
    DeviceControl,
    GpInput,
    GpOutput,
}

/// Offset of the general-purpose event registers.
pub(super) const GPE0: u64 = 0x0C;

/// Register, offset in the window, size in bytes.
const LAYOUT: [(PmRegister, u64, u64); 16] = [
    (PmRegister::Status, 0x00, 2),
    (PmRegister::Enable, 0x02, 2),
    (PmRegister::Control, 0x04, 2),
    (PmRegister::Timer, 0x08, 4),
    (PmRegister::GpStatus, GPE0, 2),
    (PmRegister::GpEnable, 0x0E, 2),
    (PmRegister::ProcessorControl, 0x10, 4),
    (PmRegister::Level2, 0x14, 1),
    (PmRegister::Level3, 0x15, 1),
    (PmRegister::GlobalStatus, 0x18, 2),
    (PmRegister::DeviceStatus, 0x1C, 4),
    (PmRegister::GlobalEnable, 0x20, 2),
    (PmRegister::GlobalControl, 0x28, 4),
    (PmRegister::DeviceControl, 0x2C, 4),
    (PmRegister::GpInput, 0x30, 3),
    (PmRegister::GpOutput, 0x34, 4),
];

/// A register that an access touches, in whole or in part.
pub(super) struct Piece {
    pub(super) register: PmRegister,
    /// Bits from the start of the access to the start of the register; negative if the access starts inside.
    shift: i64,
    bits: u64,
}

impl Piece {
    /// The register's value as it stands in the access.
    pub(super) fn place(&self, value: u32) -> u64 {
        let value = u64::from(value) & ((1 << self.bits) - 1);
        shift_left(value, self.shift)
    }

    /// The written bits as they stand in the register, and which of them are written.
    pub(super) fn take(&self, value: u64, width: Width) -> (u32, u32) {
        let register = (1 << self.bits) - 1;
        let mask = shift_left(width.mask(), -self.shift) & register;
        (low32(shift_left(value, -self.shift) & mask), low32(mask))
    }
}

/// Shifts are under 64: an access and a register that meet are less than 4 bytes apart.
fn shift_left(value: u64, by: i64) -> u64 {
    let amount = u32::try_from(by.unsigned_abs()).unwrap_or(u32::MAX);
    let shifted = if by < 0 { value.checked_shr(amount) } else { value.checked_shl(amount) };
    shifted.unwrap_or(0)
}

/// The registers that an access of the window touches.
pub(super) fn pieces(offset: u64, width: Width) -> impl Iterator<Item = Piece> {
    let end = offset.saturating_add(width.bytes());
    LAYOUT.into_iter().filter(move |(_, at, size)| *at < end && offset < at + size).map(
        move |(register, at, size)| Piece {
            register,
            shift: 8 * at.wrapping_sub(offset).cast_signed(),
            bits: 8 * size,
        },
    )
}

/// Bits of the timer. ACPI 4.7.3.3: the status bit is set when the top one changes.
const TIMER_BITS: u32 = 24;

/// Data sheet, "PMTMR - Power Management Timer Register"; it counts from power-on.
pub(super) fn timer(now: Tick) -> u32 {
    low32(now.periods(Tick::PM_TIMER) & ((1 << TIMER_BITS) - 1))
}

/// How often the timer's top bit has changed.
pub(super) fn overflows(now: Tick) -> u64 {
    now.periods(Tick::PM_TIMER) >> (TIMER_BITS - 1)
}

/// When it changes next.
pub(super) fn next_overflow(now: Tick) -> Tick {
    Tick::PM_TIMER.times((overflows(now) + 1) << (TIMER_BITS - 1))
}
