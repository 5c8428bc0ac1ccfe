//! Names and bit layouts of the local APIC's registers.

use bitfield_struct::bitfield;

/// How an interrupt is delivered. Intel SDM Vol. 3A 11.6.1, "Delivery Mode".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Fixed,
    LowestPriority,
    Smi,
    Reserved,
    Nmi,
    Init,
    StartUp,
    ExtInt,
}

impl Delivery {
    const fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            0 => Self::Fixed,
            1 => Self::LowestPriority,
            2 => Self::Smi,
            3 => Self::Reserved,
            4 => Self::Nmi,
            5 => Self::Init,
            6 => Self::StartUp,
            _ => Self::ExtInt,
        }
    }

    const fn into_bits(self) -> u8 {
        match self {
            Self::Fixed => 0,
            Self::LowestPriority => 1,
            Self::Smi => 2,
            Self::Reserved => 3,
            Self::Nmi => 4,
            Self::Init => 5,
            Self::StartUp => 6,
            Self::ExtInt => 7,
        }
    }
}

/// Bits 18:17 of the timer's LVT entry. Intel SDM Vol. 3A 11.5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimerMode {
    OneShot,
    Periodic,
    TscDeadline,
    Reserved,
}

impl TimerMode {
    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::OneShot,
            1 => Self::Periodic,
            2 => Self::TscDeadline,
            _ => Self::Reserved,
        }
    }

    const fn into_bits(self) -> u8 {
        match self {
            Self::OneShot => 0,
            Self::Periodic => 1,
            Self::TscDeadline => 2,
            Self::Reserved => 3,
        }
    }
}

/// One entry of the local vector table. Intel SDM Vol. 3A figure 11-8.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub(super) struct Lvt {
    pub vector: u8,
    #[bits(3)]
    pub delivery: Delivery,
    #[bits(1)]
    __: u8,
    pub send_pending: bool,
    /// Kept but without effect: lines are active high in this model.
    pub active_low: bool,
    pub remote_irr: bool,
    pub level: bool,
    pub masked: bool,
    #[bits(2)]
    pub timer_mode: TimerMode,
    #[bits(13)]
    __: u32,
}

impl Lvt {
    /// Intel SDM Vol. 3A 11.4.7.1: after power-up every entry is masked and otherwise zero.
    pub(super) const POWER_ON: Self = Self::new().with_masked(true);
}

/// The entries of the local vector table, in register order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Timer,
    Thermal,
    Performance,
    Lint0,
    Lint1,
    Error,
}

impl Entry {
    pub(super) const ALL: [Self; 6] =
        [Self::Timer, Self::Thermal, Self::Performance, Self::Lint0, Self::Lint1, Self::Error];

    /// The bits software can write. Intel SDM Vol. 3A figure 11-8.
    pub(super) const fn writable(self) -> u32 {
        match self {
            Self::Timer => 0x0007_00FF,
            Self::Thermal | Self::Performance => 0x0001_07FF,
            Self::Lint0 | Self::Lint1 => 0x0001_A7FF,
            Self::Error => 0x0001_00FF,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// Low half of the interrupt command register. Intel SDM Vol. 3A figure 11-12.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub(super) struct Icr {
    pub vector: u8,
    #[bits(3)]
    pub delivery: Delivery,
    pub logical: bool,
    pub send_pending: bool,
    __: bool,
    pub assert: bool,
    pub level: bool,
    #[bits(2)]
    __: u8,
    #[bits(2)]
    pub shorthand: Shorthand,
    #[bits(12)]
    __: u16,
}

impl Icr {
    /// The bits software can write.
    pub(super) const WRITABLE: u32 = 0x000C_CFFF;
}

/// Bits 19:18 of the ICR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shorthand {
    None,
    OnlySelf,
    All,
    AllButSelf,
}

impl Shorthand {
    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::OnlySelf,
            2 => Self::All,
            _ => Self::AllButSelf,
        }
    }

    const fn into_bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::OnlySelf => 1,
            Self::All => 2,
            Self::AllButSelf => 3,
        }
    }
}

/// The data of an interrupt message. Intel SDM Vol. 3A 11.11.2.
#[bitfield(u32)]
pub(super) struct MessageData {
    pub vector: u8,
    #[bits(3)]
    pub delivery: Delivery,
    #[bits(3)]
    __: u8,
    pub assert: bool,
    pub level: bool,
    __: u16,
}

/// The low 20 bits of an interrupt message's address. Intel SDM Vol. 3A 11.11.1.
#[bitfield(u32)]
pub(super) struct MessageAddress {
    #[bits(2)]
    __: u8,
    pub logical: bool,
    pub redirection_hint: bool,
    #[bits(8)]
    __: u8,
    pub destination: u8,
    #[bits(12)]
    __: u16,
}

/// Spurious-interrupt vector register. Intel SDM Vol. 3A figure 11-23. EOI-broadcast suppression is not
/// offered.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub(super) struct Svr {
    pub vector: u8,
    pub enabled: bool,
    pub focus_checking_off: bool,
    #[bits(22)]
    __: u32,
}

impl Svr {
    /// Intel SDM Vol. 3A 11.4.7.1.
    pub(super) const POWER_ON: Self = Self::from_bits(0xFF);
    pub(super) const WRITABLE: u32 = 0x3FF;
}

/// IA32_APIC_BASE. Intel SDM Vol. 3A figure 11-26.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub(super) struct ApicBase {
    __: u8,
    pub bsp: bool,
    __: bool,
    pub extd: bool,
    pub enabled: bool,
    #[bits(40)]
    pub page: u64,
    #[bits(12)]
    __: u16,
}

impl ApicBase {
    pub(super) const POWER_ON: Self = Self::from_bits(0xFEE0_0900);
    /// The bits that may be set: 52 is the architectural limit of physical addresses.
    pub(super) const WRITABLE: u64 = 0x000F_FFFF_FFFF_FD00;

    pub(super) const fn address(self) -> u64 {
        self.page() << 12
    }
}

/// Bits of the error status register. Intel SDM Vol. 3A figure 11-9.
pub(super) mod error {
    pub(in super::super) const SEND_ILLEGAL_VECTOR: u8 = 1 << 5;
    pub(in super::super) const RECEIVE_ILLEGAL_VECTOR: u8 = 1 << 6;
    pub(in super::super) const ILLEGAL_REGISTER: u8 = 1 << 7;
}

/// The registers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    Id,
    Version,
    Tpr,
    Apr,
    Ppr,
    Eoi,
    RemoteRead,
    Ldr,
    Dfr,
    Svr,
    Isr(usize),
    Tmr(usize),
    Irr(usize),
    Esr,
    IcrLow,
    IcrHigh,
    Lvt(Entry),
    InitialCount,
    CurrentCount,
    DivideConfiguration,
    SelfIpi,
}

impl Register {
    /// The register at `index`: MMIO offset / 16, or MSR - 800h. Intel SDM Vol. 3A tables 11-1 and 11-6.
    pub(super) fn decode(index: u64) -> Option<Self> {
        let word = (index & 7) as usize;
        Some(match index {
            0x02 => Self::Id,
            0x03 => Self::Version,
            0x08 => Self::Tpr,
            0x09 => Self::Apr,
            0x0A => Self::Ppr,
            0x0B => Self::Eoi,
            0x0C => Self::RemoteRead,
            0x0D => Self::Ldr,
            0x0E => Self::Dfr,
            0x0F => Self::Svr,
            0x10..=0x17 => Self::Isr(word),
            0x18..=0x1F => Self::Tmr(word),
            0x20..=0x27 => Self::Irr(word),
            0x28 => Self::Esr,
            0x30 => Self::IcrLow,
            0x31 => Self::IcrHigh,
            0x32 => Self::Lvt(Entry::Timer),
            0x33 => Self::Lvt(Entry::Thermal),
            0x34 => Self::Lvt(Entry::Performance),
            0x35 => Self::Lvt(Entry::Lint0),
            0x36 => Self::Lvt(Entry::Lint1),
            0x37 => Self::Lvt(Entry::Error),
            0x38 => Self::InitialCount,
            0x39 => Self::CurrentCount,
            0x3E => Self::DivideConfiguration,
            0x3F => Self::SelfIpi,
            _ => return None,
        })
    }
}
