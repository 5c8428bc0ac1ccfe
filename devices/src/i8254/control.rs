//! The control word, 8254 data sheet, "Control Word Format".

use bitfield_struct::bitfield;

/// Control word; bits 0-5 are kept by the counter and read back in its status byte.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub(super) struct Control {
    pub bcd: bool,
    #[bits(3)]
    mode_bits: u8,
    #[bits(2)]
    rw_bits: u8,
    #[bits(2)]
    address_bits: u8,
}

/// Whom a control word is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Counter(usize),
    ReadBack,
}

/// Which bytes of the count are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rw {
    Latch,
    Lsb,
    Msb,
    /// Least significant byte first, then most significant byte.
    Word,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    InterruptOnTerminalCount,
    OneShot,
    RateGenerator,
    SquareWave,
    SoftwareStrobe,
    HardwareStrobe,
}

impl Control {
    pub(super) fn address(self) -> Address {
        match self.address_bits() {
            3 => Address::ReadBack,
            n => Address::Counter(n.into()),
        }
    }

    pub(super) fn rw(self) -> Rw {
        match self.rw_bits() {
            0 => Rw::Latch,
            1 => Rw::Lsb,
            2 => Rw::Msb,
            _ => Rw::Word,
        }
    }

    /// M2 does not matter in modes 2 and 3.
    pub(super) fn mode(self) -> Mode {
        match self.mode_bits() {
            0 => Mode::InterruptOnTerminalCount,
            1 => Mode::OneShot,
            2 | 6 => Mode::RateGenerator,
            3 | 7 => Mode::SquareWave,
            4 => Mode::SoftwareStrobe,
            _ => Mode::HardwareStrobe,
        }
    }

    /// The part that a counter keeps, "exactly as written".
    pub(super) fn kept(self) -> Self {
        self.with_address_bits(0)
    }
}
