//! Registers A to D, MC146818A data sheet, "Registers".

use bitfield_struct::bitfield;

/// Register A.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub(super) struct A {
    /// Rate of the periodic interrupt.
    #[bits(4)]
    pub rs: u8,
    /// Divider.
    #[bits(3)]
    pub dv: u8,
    /// Update in progress; read only.
    pub uip: bool,
}

impl A {
    /// The divider for a 32.768 kHz crystal, and a periodic rate of 1024 Hz, as PC firmware sets them.
    pub(super) const RUNNING: Self = Self::new().with_dv(0b010).with_rs(6);

    pub(super) fn runs(self) -> bool {
        self.dv() == 0b010
    }
}

/// Register B.
#[bitfield(u8)]
pub(super) struct B {
    /// Daylight saving enable.
    dse: bool,
    /// 24-hour format.
    pub h24: bool,
    /// Data mode: binary instead of BCD.
    pub dm: bool,
    pub sqwe: bool,
    /// Update-ended interrupt enable.
    pub uie: bool,
    /// Alarm interrupt enable.
    pub aie: bool,
    /// Periodic interrupt enable.
    pub pie: bool,
    /// No updates.
    pub set: bool,
}

/// Register C.
#[bitfield(u8)]
pub(super) struct C {
    #[bits(4)]
    __: u8,
    pub uf: bool,
    pub af: bool,
    pub pf: bool,
    pub irqf: bool,
}

/// What an index names.
#[derive(Clone, Copy)]
pub(super) enum Register {
    A,
    B,
    C,
    D,
    /// Time, alarm and memory: 0 to 127.
    Ram(usize),
}

impl Register {
    pub(super) fn decode(index: u8) -> Self {
        match index & 0x7F {
            0x0A => Self::A,
            0x0B => Self::B,
            0x0C => Self::C,
            0x0D => Self::D,
            ram => Self::Ram(ram.into()),
        }
    }
}
