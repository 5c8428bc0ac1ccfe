//! Registers, PC16550D data sheet, "Registers".

use bitfield_struct::bitfield;

/// Interrupt Enable Register.
#[bitfield(u8)]
pub(super) struct Ier {
    /// Received data available, and character timeout.
    pub erbfi: bool,
    /// Transmitter holding register empty.
    pub etbei: bool,
    /// Receiver line status.
    pub elsi: bool,
    /// Modem status.
    pub edssi: bool,
    #[bits(4)]
    __: u8,
}

/// FIFO Control Register.
#[bitfield(u8)]
pub(super) struct Fcr {
    pub fifo_enable: bool,
    pub rcvr_fifo_reset: bool,
    xmit_fifo_reset: bool,
    dma_mode_select: bool,
    #[bits(2)]
    __: u8,
    #[bits(2)]
    rcvr_trigger: u8,
}

impl Fcr {
    /// Bytes in the receiver FIFO that raise the interrupt.
    pub(super) fn trigger(self) -> u8 {
        match self.rcvr_trigger() {
            0 => 1,
            1 => 4,
            2 => 8,
            _ => 14,
        }
    }
}

/// Line Control Register.
#[bitfield(u8)]
pub(super) struct Lcr {
    /// Word length less 5.
    #[bits(2)]
    wls: u8,
    /// Two stop bits (one and a half with 5 data bits).
    stb: bool,
    /// Parity enable.
    pen: bool,
    eps: bool,
    stick_parity: bool,
    set_break: bool,
    /// Divisor latch access.
    pub dlab: bool,
}

impl Lcr {
    /// Bits of one character on the line; one and a half stop bits count as two.
    pub(super) fn bits_per_character(self) -> u64 {
        1 + 5 + u64::from(self.wls()) + u64::from(self.pen()) + 1 + u64::from(self.stb())
    }
}

/// Modem Control Register.
#[bitfield(u8)]
pub(super) struct Mcr {
    pub dtr: bool,
    pub rts: bool,
    pub out1: bool,
    pub out2: bool,
    pub loopback: bool,
    #[bits(3)]
    __: u8,
}

/// Line Status Register.
#[bitfield(u8)]
pub(super) struct Lsr {
    /// Data ready.
    pub dr: bool,
    /// Overrun error.
    pub oe: bool,
    pe: bool,
    fe: bool,
    bi: bool,
    /// Transmitter holding register empty.
    pub thre: bool,
    /// Transmitter empty.
    pub temt: bool,
    error_in_fifo: bool,
}

/// Modem Status Register: inputs in the high half, their changes in the low half.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub(super) struct Msr {
    pub dcts: bool,
    pub ddsr: bool,
    /// Trailing edge of RI only.
    pub teri: bool,
    pub ddcd: bool,
    pub cts: bool,
    pub dsr: bool,
    pub ri: bool,
    pub dcd: bool,
}

impl Msr {
    /// A far end that is always ready.
    pub(super) const CONNECTED: Self = Self::new().with_cts(true).with_dsr(true).with_dcd(true);

    /// Loopback: "the four modem control outputs are internally connected to the four modem control inputs".
    pub(super) fn looped(mcr: Mcr) -> Self {
        Self::new().with_cts(mcr.rts()).with_dsr(mcr.dtr()).with_ri(mcr.out1()).with_dcd(mcr.out2())
    }

    /// These deltas with those of one more change of the inputs.
    pub(super) fn with_changes(self, from: Self, to: Self) -> Self {
        self.with_dcts(self.dcts() | (from.cts() != to.cts()))
            .with_ddsr(self.ddsr() | (from.dsr() != to.dsr()))
            .with_teri(self.teri() | (from.ri() && !to.ri()))
            .with_ddcd(self.ddcd() | (from.dcd() != to.dcd()))
    }

    pub(super) fn any_delta(self) -> bool {
        self.into_bits() & 0x0F != 0
    }
}

/// What the Interrupt Identification Register says, highest priority first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Iir {
    LineStatus,
    ReceivedData,
    CharacterTimeout,
    TransmitterEmpty,
    ModemStatus,
    None,
}

impl Iir {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::LineStatus => 0x06,
            Self::ReceivedData => 0x04,
            Self::CharacterTimeout => 0x0C,
            Self::TransmitterEmpty => 0x02,
            Self::ModemStatus => 0x00,
            Self::None => 0x01,
        }
    }
}
