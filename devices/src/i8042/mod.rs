//! 8042 keyboard controller with the PS/2 auxiliary port; keyboard and mouse are plugged in.
//!
//! Follows IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller". The controller
//! answers its own commands at once; a byte from a device takes its time on the cable. Left out: passwords (A4h says
//! that there is none), and time-out and parity errors, which cables of this kind do not have.

mod registers;
mod state;
#[cfg(test)]
mod tests;

use crate::ps2_keyboard::{Keyboard, translate};
use crate::ps2_mouse::Mouse;
use emu_core::{
    Access, BusFault, Cx, Device, HostEvent, Pin, Power, Reset, RestoreError, Saved, Space, Tick, TimerId,
};
use registers::{Command, CommandByte, Half, OutputPort, Status};

/// Output buffer full with a keyboard byte.
pub const IRQ1: Pin = Pin(0);
/// Output buffer full with a mouse byte.
pub const IRQ12: Pin = Pin(1);
/// A20 gate (output port bit 1). The board ORs it with port 92h's.
pub const A20: Pin = Pin(2);

/// A byte from a device has arrived.
const TRANSFER: TimerId = TimerId(0);
/// The held key repeats.
const TYPEMATIC: TimerId = TimerId(1);

/// Eleven bits at 16.7 kHz: the time of one byte on the cable.
const BYTE: Tick = Tick::MICROSECOND.times(660);
/// Input port P1: keyboard not locked, manufacturing jumper not installed.
const INPUT_PORT: u8 = 0xA0;

/// Where a byte in the output buffer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Keyboard,
    Mouse,
}

/// Whom the next byte written to port 60h is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Keyboard,
    Ram(u8),
    OutputPort,
    /// Commands D2h and D3h: back to the output buffer.
    OutputBuffer(Source),
    Mouse,
}

/// The controller, the keyboard and the mouse.
#[derive(Debug)]
pub struct I8042 {
    keyboard: Keyboard,
    mouse: Mouse,

    /// Controller RAM, of which byte 0 is `command_byte`.
    ram: [u8; 32],
    command_byte: CommandByte,
    a20: bool,
    /// Commands C1h and C2h: the status register shows a half of port P1 until the next command.
    polled: Option<Half>,
    /// The last write went to port 64h.
    command_written: bool,
    expect: Expect,
    output: u8,
    output_source: Option<Source>,
    /// The controller's own answer, until the output buffer is free.
    answer: Option<(u8, Source)>,
    /// Translation has seen F0h, the release prefix of set 2.
    release: bool,
    /// When the byte on the cable will have arrived.
    arrives: Option<Tick>,
}

/// What an access names.
#[derive(Clone, Copy)]
enum Register {
    Data,
    StatusCommand,
}

impl Register {
    fn decode(at: Access) -> Option<Self> {
        match (at.space, at.region, at.offset) {
            (Space::Port, 0, 0) => Some(Self::Data),
            (Space::Port, 1, 0) => Some(Self::StatusCommand),
            _ => None,
        }
    }
}

impl I8042 {
    pub fn new() -> Self {
        Self {
            keyboard: Keyboard::new(),
            mouse: Mouse::new(),
            ram: [0; 32],
            command_byte: CommandByte::FIRMWARE,
            a20: true,
            polled: None,
            command_written: false,
            expect: Expect::Keyboard,
            output: 0,
            output_source: None,
            answer: None,
            release: false,
            arrives: None,
        }
    }

    /// The keyboard's lights: Scroll Lock, Num Lock and Caps Lock in bits 0 to 2.
    pub fn leds(&self) -> u8 {
        self.keyboard.leds()
    }

    /// Whether the guest has taken all keys and will take another: the host's cue to type on.
    pub fn keyboard_is_idle(&self) -> bool {
        let buffered = self.output_source == Some(Source::Keyboard) || self.answer.is_some();
        !buffered && !self.command_byte.keyboard_disabled() && self.keyboard.is_idle()
    }

    fn status(&self) -> Status {
        let status = Status::new()
            .with_obf(self.output_source.is_some())
            .with_sys(self.command_byte.sys())
            .with_command(self.command_written)
            .with_not_inhibited(true)
            .with_aux_obf(self.output_source == Some(Source::Mouse));
        match self.polled {
            None => status,
            Some(Half::Low) => status.with_polled(INPUT_PORT & 0x0F),
            Some(Half::High) => status.with_polled(INPUT_PORT >> 4),
        }
    }

    fn output_port(&self) -> OutputPort {
        OutputPort::IDLE
            .with_a20(self.a20)
            .with_obf(self.output_source == Some(Source::Keyboard))
            .with_aux_obf(self.output_source == Some(Source::Mouse))
    }

    fn fill(&mut self, byte: u8, source: Source) {
        self.output = byte;
        self.output_source = Some(source);
    }

    /// When a device that may send has a byte ready.
    fn device_ready_at(&self, now: Tick) -> Option<Tick> {
        let keyboard = (!self.command_byte.keyboard_disabled() && self.keyboard.has_output()).then_some(now);
        let mouse = if self.command_byte.mouse_disabled() { None } else { self.mouse.ready_at(now) };
        [keyboard, mouse].into_iter().flatten().min()
    }

    fn settle(&mut self, cx: &mut Cx<'_>) {
        if self.output_source.is_none()
            && let Some((byte, source)) = self.answer.take()
        {
            self.fill(byte, source);
        }
        let irq = |source, enabled: bool| (enabled && self.output_source == Some(source)).into();
        cx.drive(IRQ1, irq(Source::Keyboard, self.command_byte.keyboard_interrupt()));
        cx.drive(IRQ12, irq(Source::Mouse, self.command_byte.mouse_interrupt()));
        cx.drive(A20, self.a20.into());
        self.arm(cx);
    }

    fn arm(&mut self, cx: &mut Cx<'_>) {
        let ready = if self.output_source.is_none() { self.device_ready_at(cx.now()) } else { None };
        let arrives = ready.map(|at| self.arrives.unwrap_or(at.max(cx.now() + BYTE)));
        if arrives != self.arrives {
            self.arrives = arrives;
            match arrives {
                Some(at) => cx.arm(TRANSFER, at),
                None => cx.disarm(TRANSFER),
            }
        }
        match self.keyboard.repeats_at() {
            Some(at) => cx.arm(TYPEMATIC, at),
            None => cx.disarm(TYPEMATIC),
        }
    }

    /// The byte on the cable goes into the output buffer; the keyboard's go first.
    fn transfer(&mut self, now: Tick) {
        self.arrives = None;
        if self.output_source.is_some() {
            return;
        }
        if !self.command_byte.keyboard_disabled() {
            while let Some(byte) = self.keyboard.take() {
                if let Some(byte) = self.translated(byte) {
                    return self.fill(byte, Source::Keyboard);
                }
            }
        }
        if !self.command_byte.mouse_disabled()
            && let Some(byte) = self.mouse.take(now)
        {
            self.fill(byte, Source::Mouse);
        }
    }

    /// "Scan Code Translation": set 2 to set 1; the release prefix becomes bit 7 of the byte after it.
    fn translated(&mut self, byte: u8) -> Option<u8> {
        if !self.command_byte.translate() {
            return Some(byte);
        }
        if byte == 0xF0 {
            self.release = true;
            return None;
        }
        let release = if std::mem::take(&mut self.release) { 0x80 } else { 0 };
        Some(translate(byte) | release)
    }

    fn write_data(&mut self, byte: u8, cx: &mut Cx<'_>) {
        match std::mem::replace(&mut self.expect, Expect::Keyboard) {
            Expect::Keyboard => {
                // "Writing to the keyboard enables its interface."
                self.command_byte.set_keyboard_disabled(false);
                self.keyboard.write(byte);
            }
            Expect::Ram(0) => self.command_byte = CommandByte::from_bits(byte),
            Expect::Ram(n) => {
                if let Some(cell) = self.ram.get_mut(usize::from(n)) {
                    *cell = byte;
                }
            }
            Expect::OutputPort => self.write_output_port(OutputPort::from_bits(byte), cx),
            Expect::OutputBuffer(source) => self.answer = Some((byte, source)),
            Expect::Mouse => {
                self.command_byte.set_mouse_disabled(false);
                self.mouse.write(byte);
            }
        }
    }

    fn write_output_port(&mut self, port: OutputPort, cx: &mut Cx<'_>) {
        self.a20 = port.a20();
        if !port.not_reset() {
            cx.power(Power::CpuReset);
        }
    }

    fn command(&mut self, byte: u8, cx: &mut Cx<'_>) {
        self.expect = Expect::Keyboard;
        self.polled = None;
        match Command::decode(byte) {
            Command::ReadRam(0) => self.reply(self.command_byte.into_bits()),
            Command::ReadRam(n) => self.reply(self.ram.get(usize::from(n)).copied().unwrap_or(0)),
            Command::WriteRam(n) => self.expect = Expect::Ram(n),
            Command::TestPassword => self.reply(0xF1), // none installed
            Command::DisableMouse => self.command_byte.set_mouse_disabled(true),
            Command::EnableMouse => self.command_byte.set_mouse_disabled(false),
            Command::TestMouse | Command::TestKeyboard => self.reply(0x00), // no error
            Command::SelfTest => {
                self.command_byte.set_sys(true);
                self.reply(0x55);
            }
            Command::DisableKeyboard => self.command_byte.set_keyboard_disabled(true),
            Command::EnableKeyboard => self.command_byte.set_keyboard_disabled(false),
            Command::ReadInputPort => self.reply(INPUT_PORT),
            Command::PollInputPort(half) => self.polled = Some(half),
            Command::ReadOutputPort => self.reply(self.output_port().into_bits()),
            Command::WriteOutputPort => self.expect = Expect::OutputPort,
            Command::WriteKeyboardBuffer => self.expect = Expect::OutputBuffer(Source::Keyboard),
            Command::WriteMouseBuffer => self.expect = Expect::OutputBuffer(Source::Mouse),
            Command::WriteMouse => self.expect = Expect::Mouse,
            Command::DisableA20 => self.a20 = false,
            Command::EnableA20 => self.a20 = true,
            Command::ReadTestInputs => self.reply(u8::from(!self.command_byte.keyboard_disabled())),
            // Bits 0-3 that are 0 are pulsed low for 6 us; only bit 0 has an effect that outlasts the pulse.
            Command::Pulse { reset: true } => cx.power(Power::CpuReset),
            Command::Pulse { reset: false } | Command::Unknown => {}
        }
    }

    fn reply(&mut self, byte: u8) {
        self.answer = Some((byte, Source::Keyboard));
    }
}

impl Default for I8042 {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for I8042 {
    fn name(&self) -> &'static str {
        "i8042"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        *self = Self::new();
        cx.disarm(TRANSFER);
        self.settle(cx);
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        match Register::decode(at).ok_or(BusFault)? {
            Register::StatusCommand => Ok(self.status().into_bits().into()),
            Register::Data => {
                let byte = self.output;
                if self.output_source.take().is_some() {
                    // An answer that waits makes a new edge.
                    cx.drive(IRQ1, false.into());
                    cx.drive(IRQ12, false.into());
                    self.settle(cx);
                }
                Ok(byte.into())
            }
        }
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let [value, ..] = value.to_le_bytes();
        let register = Register::decode(at).ok_or(BusFault)?;
        self.command_written = matches!(register, Register::StatusCommand);
        match register {
            Register::Data => self.write_data(value, cx),
            Register::StatusCommand => self.command(value, cx),
        }
        self.settle(cx);
        Ok(())
    }

    fn deadline(&mut self, timer: TimerId, cx: &mut Cx<'_>) {
        match timer {
            TRANSFER => self.transfer(cx.now()),
            _ => self.keyboard.repeat(cx.now()),
        }
        self.settle(cx);
    }

    fn host(&mut self, event: HostEvent, cx: &mut Cx<'_>) {
        match event {
            HostEvent::Key { code, pressed } => self.keyboard.key(code, pressed, cx.now()),
            HostEvent::Mouse { dx, dy, wheel, buttons } => self.mouse.movement(dx, dy, wheel, buttons),
            HostEvent::Serial(_)
            | HostEvent::PowerButton
            | HostEvent::WallClock(_)
            | HostEvent::DiskReady(_) => return,
        }
        self.settle(cx);
    }

    fn save(&self) -> Saved {
        state::save(self)
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        *self = state::restore(saved)?;
        Ok(())
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
