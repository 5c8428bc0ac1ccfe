//! Registers and commands, PS/2 Technical Reference, "Keyboard and Auxiliary Device Controller".

use bitfield_struct::bitfield;

/// Status register, port 64h.
#[bitfield(u8)]
pub(super) struct Status {
    /// Output buffer full.
    pub obf: bool,
    /// Input buffer full: never, the controller takes bytes at once.
    ibf: bool,
    pub sys: bool,
    pub command: bool,
    /// The keyboard lock is open.
    pub not_inhibited: bool,
    /// The output buffer holds a byte of the auxiliary device.
    pub aux_obf: bool,
    timeout: bool,
    parity: bool,
}

impl Status {
    /// While port P1 is polled, four of its bits take the place of bits 4 to 7.
    pub(super) fn with_polled(self, nibble: u8) -> Self {
        Self::from_bits(self.into_bits() & 0x0F | nibble << 4)
    }
}

/// Controller command byte.
#[bitfield(u8)]
pub(super) struct CommandByte {
    pub keyboard_interrupt: bool,
    pub mouse_interrupt: bool,
    pub sys: bool,
    __: bool,
    pub keyboard_disabled: bool,
    pub mouse_disabled: bool,
    pub translate: bool,
    __: bool,
}

impl CommandByte {
    /// What PC firmware leaves, so that a guest started without one finds a keyboard that speaks set 1.
    pub(super) const FIRMWARE: Self =
        Self::new().with_keyboard_interrupt(true).with_sys(true).with_translate(true);
}

/// Output port P2.
#[bitfield(u8)]
pub(super) struct OutputPort {
    /// 0 resets the processor.
    pub not_reset: bool,
    pub a20: bool,
    mouse_data: bool,
    mouse_clock: bool,
    pub obf: bool,
    pub aux_obf: bool,
    keyboard_clock: bool,
    keyboard_data: bool,
}

impl OutputPort {
    pub(super) const IDLE: Self =
        Self::new().with_not_reset(true).with_keyboard_clock(true).with_keyboard_data(true);
}

/// Half of port P1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// Bits 0 to 3.
    Low,
    /// Bits 4 to 7.
    High,
}

/// A byte written to port 64h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    ReadRam(u8),
    WriteRam(u8),
    TestPassword,
    DisableMouse,
    EnableMouse,
    TestMouse,
    SelfTest,
    TestKeyboard,
    DisableKeyboard,
    EnableKeyboard,
    ReadInputPort,
    PollInputPort(Half),
    ReadOutputPort,
    WriteOutputPort,
    WriteKeyboardBuffer,
    WriteMouseBuffer,
    WriteMouse,
    DisableA20,
    EnableA20,
    ReadTestInputs,
    Pulse { reset: bool },
    Unknown,
}

impl Command {
    pub(super) fn decode(byte: u8) -> Self {
        match byte {
            0x20..=0x3F => Self::ReadRam(byte & 0x1F),
            0x60..=0x7F => Self::WriteRam(byte & 0x1F),
            0xA4 => Self::TestPassword,
            0xA7 => Self::DisableMouse,
            0xA8 => Self::EnableMouse,
            0xA9 => Self::TestMouse,
            0xAA => Self::SelfTest,
            0xAB => Self::TestKeyboard,
            0xAD => Self::DisableKeyboard,
            0xAE => Self::EnableKeyboard,
            0xC0 => Self::ReadInputPort,
            0xC1 => Self::PollInputPort(Half::Low),
            0xC2 => Self::PollInputPort(Half::High),
            0xD0 => Self::ReadOutputPort,
            0xD1 => Self::WriteOutputPort,
            0xD2 => Self::WriteKeyboardBuffer,
            0xD3 => Self::WriteMouseBuffer,
            0xD4 => Self::WriteMouse,
            0xDD => Self::DisableA20,
            0xDF => Self::EnableA20,
            0xE0 => Self::ReadTestInputs,
            0xF0..=0xFF => Self::Pulse { reset: byte & 1 == 0 },
            _ => Self::Unknown,
        }
    }
}
