//! One 8237A: its sixteen registers, and which channel may have the bus.

use super::channel::{Channel, ServiceMode};
use bitfield_struct::bitfield;

/// 8237A, "Command Register". Timing and acknowledge polarity have no effect in this model.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub(super) struct Command {
    pub(super) memory_to_memory: bool,
    pub(super) channel_0_address_hold: bool,
    pub(super) controller_disable: bool,
    pub(super) compressed_timing: bool,
    pub(super) rotating_priority: bool,
    pub(super) extended_write: bool,
    pub(super) dreq_active_low: bool,
    pub(super) dack_active_high: bool,
}

/// 8237A, "Register Codes": what an address means. Reads and writes of one code may be different registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    Address(usize),
    Count(usize),
    /// Write command, read status.
    CommandStatus,
    Request,
    SingleMask,
    Mode,
    ClearBytePointer,
    /// Write master clear, read temporary register.
    MasterClearTemporary,
    ClearMask,
    AllMask,
}

impl Register {
    /// `code` is A3-A0.
    pub(super) fn decode(code: u64) -> Self {
        let channel = (code as usize >> 1) & 3;
        match code & 0xF {
            0 | 2 | 4 | 6 => Self::Address(channel),
            1 | 3 | 5 | 7 => Self::Count(channel),
            8 => Self::CommandStatus,
            9 => Self::Request,
            0xA => Self::SingleMask,
            0xB => Self::Mode,
            0xC => Self::ClearBytePointer,
            0xD => Self::MasterClearTemporary,
            0xE => Self::ClearMask,
            _ => Self::AllMask,
        }
    }
}

/// What the pair must do after a register was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    /// Channels may have become ready: serve those with a DREQ.
    Serve,
    /// This channel was requested by software.
    SoftwareRequest(usize),
}

/// The live state of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Controller {
    pub(super) channels: [Channel; 4],
    pub(super) command: Command,
    /// Status bits 3-0: terminal count reached.
    pub(super) terminal_count: u8,
    /// Software requests, one bit a channel.
    pub(super) request: u8,
    pub(super) mask: u8,
    /// Levels of the DREQ pins.
    pub(super) dreq: u8,
    /// The first/last flip-flop: the next byte of a 16-bit register is the high one.
    pub(super) byte_pointer: bool,
    pub(super) temporary: u8,
    /// The channel with the highest priority; 0 unless priority rotates.
    pub(super) first: u8,
}

impl Controller {
    /// 8237A, "Master Clear": command, status, request, temporary and byte pointer clear, all channels masked.
    pub(super) const RESET: Self = Self {
        channels: [Channel { base_address: 0, base_count: 0, current_address: 0, current_count: 0, mode: 0 };
            4],
        command: Command::new(),
        terminal_count: 0,
        request: 0,
        mask: 0xF,
        dreq: 0,
        byte_pointer: false,
        temporary: 0,
        first: 0,
    };

    pub(super) fn master_clear(&mut self) {
        *self = Self { channels: self.channels, dreq: self.dreq, ..Self::RESET };
    }

    /// DREQ as the chip understands it.
    fn requested(&self) -> u8 {
        if self.command.dreq_active_low() { !self.dreq & 0xF } else { self.dreq }
    }

    /// Whether a DREQ on this channel gets the bus.
    pub(super) fn is_ready(&self, channel: usize) -> bool {
        let free = self.requested() & !self.mask & (1 << channel) != 0;
        let cascade = self.channels[channel].mode().service() == ServiceMode::Cascade;
        free && !cascade && !self.command.controller_disable()
    }

    /// The channels, highest priority first.
    pub(super) fn priority(&self) -> [usize; 4] {
        std::array::from_fn(|n| (usize::from(self.first) + n) & 3)
    }

    /// 8237A, "Rotating Priority": the channel just served becomes the lowest.
    pub(super) fn rotate(&mut self, served: usize) {
        let next = ((served + 1) & 3) as u8;
        self.first = if self.command.rotating_priority() { next } else { 0 };
    }

    /// Counts a transfer of `units` along, with all that happens at terminal count.
    pub(super) fn transferred(&mut self, channel: usize, units: u32) {
        if self.channels[channel].count(units) {
            self.end_of_process(channel);
        }
        self.rotate(channel);
    }

    pub(super) fn end_of_process(&mut self, channel: usize) {
        let bit = 1 << channel;
        self.terminal_count |= bit;
        self.request &= !bit;
        if self.channels[channel].mode().autoinitialize() {
            self.channels[channel].reload();
        } else {
            self.mask |= bit;
        }
    }

    pub(super) fn read(&mut self, register: Register) -> u8 {
        match register {
            Register::Address(n) => self.read_half(self.channels[n].current_address),
            Register::Count(n) => self.read_half(self.channels[n].current_count),
            Register::CommandStatus => {
                let pending = (self.requested() | self.request) << 4;
                pending | std::mem::take(&mut self.terminal_count)
            }
            Register::MasterClearTemporary => self.temporary,
            // 82371SB (PIIX3), "RWAMB: Read/Write All Mask Bits". An 8237A alone does not drive the bus here.
            Register::AllMask => self.mask | 0xF0,
            // 8237A, "Software Command Codes": reading these is illegal; the bus floats.
            Register::Request
            | Register::SingleMask
            | Register::Mode
            | Register::ClearBytePointer
            | Register::ClearMask => 0xFF,
        }
    }

    fn read_half(&mut self, value: u16) -> u8 {
        let [low, high] = value.to_le_bytes();
        self.byte_pointer = !self.byte_pointer;
        if self.byte_pointer { low } else { high }
    }

    pub(super) fn write(&mut self, register: Register, value: u8) -> After {
        let channel = usize::from(value & 3);
        match register {
            Register::Address(n) => {
                self.write_half(n, value, |c| (&mut c.base_address, &mut c.current_address))
            }
            Register::Count(n) => self.write_half(n, value, |c| (&mut c.base_count, &mut c.current_count)),
            Register::CommandStatus => return self.write_command(Command::from_bits(value)),
            Register::Request if value & 4 != 0 => {
                self.request |= 1 << channel;
                return After::SoftwareRequest(channel);
            }
            Register::Request => self.request &= !(1 << channel),
            Register::SingleMask if value & 4 != 0 => self.mask |= 1 << channel,
            Register::SingleMask => return self.write_mask(self.mask & !(1 << channel)),
            Register::Mode => self.channels[channel].mode = value,
            Register::ClearBytePointer => self.byte_pointer = false,
            Register::MasterClearTemporary => self.master_clear(),
            Register::ClearMask => return self.write_mask(0),
            Register::AllMask => return self.write_mask(value & 0xF),
        }
        After::Nothing
    }

    fn write_half(&mut self, n: usize, value: u8, pair: impl Fn(&mut Channel) -> (&mut u16, &mut u16)) {
        let (base, current) = pair(&mut self.channels[n]);
        for register in [base, current] {
            let [low, high] = register.to_le_bytes();
            *register = u16::from_le_bytes(if self.byte_pointer { [low, value] } else { [value, high] });
        }
        self.byte_pointer = !self.byte_pointer;
    }

    fn write_command(&mut self, command: Command) -> After {
        self.command = command;
        if !command.rotating_priority() {
            self.first = 0;
        }
        After::Serve
    }

    fn write_mask(&mut self, mask: u8) -> After {
        self.mask = mask;
        After::Serve
    }
}
