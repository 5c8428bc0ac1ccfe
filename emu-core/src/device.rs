//! The device seam: a chip in its socket, and all it may do to the world.

use crate::{Access, BusFault, MemoryMap, RestoreError, Saved, Tick, Width};

/// A signal pin of a device, numbered by the device (its module gives the names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pin(pub u8);

/// The logical level of a line. Lines are active high in this model; wired-OR is done by the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    Low,
    High,
}

impl Level {
    pub const fn is_high(self) -> bool {
        matches!(self, Self::High)
    }
}

impl From<bool> for Level {
    fn from(high: bool) -> Self {
        if high { Self::High } else { Self::Low }
    }
}

/// One of a device's own timers, numbered by the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId(pub u8);

/// Why a device is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Power has just come on: everything takes its power-on value.
    PowerOn,
    /// The platform reset line: battery-backed state survives.
    Hard,
}

/// Signals to a CPU core that are not levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuSignal {
    Nmi,
    Smi,
    Init,
    /// Start-up IPI with its vector (page number of the start address).
    Sipi(u8),
}

/// A change of the platform's power state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Soft-off (ACPI S5).
    Off,
    /// Platform reset.
    Reset,
    /// Reset of the processor only (8042 pulse, port 92h, PIIX3 soft reset).
    CpuReset,
}

/// What the board asks of the host side, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRequest {
    /// A UART has sent a byte. `port` is 0 for COM1.
    Serial { port: u8, byte: u8 },
    /// A byte for the firmware debug console (port 402h).
    Debug(u8),
    /// The guest asks the program to end with this value (isa-debug-exit).
    Exit(u32),
    /// The PC speaker's output changed level.
    Speaker(Level),
}

/// What the host side tells a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// A byte has arrived at a UART.
    Serial(u8),
    /// A key: set-1 make code (with E0h in the high byte for extended keys), pressed or released.
    Key { code: u16, pressed: bool },
    /// Relative mouse movement, wheel and buttons (bit 0 left, 1 right, 2 middle, 3 fourth, 4 fifth).
    Mouse { dx: i16, dy: i16, wheel: i8, buttons: u8 },
    /// The ACPI power button.
    PowerButton,
    /// The host's wall-clock time at guest time "now", as seconds since 1970-01-01 00:00 UTC.
    WallClock(i64),
    /// A disk behind this controller may be asked again for what it was not ready with.
    DiskReady(DiskController),
}

/// What a disk is plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskController {
    Ide,
    Floppy,
    /// The virtio block device with this number.
    Virtio(u8),
}

/// One thing a device did to the world. The board carries effects out in the order they were made, so that a
/// low-high pulse inside one call does not vanish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Call [`Device::deadline`] at this time; replaces an earlier deadline of the same timer.
    Arm {
        timer: TimerId,
        at: Tick,
    },
    Disarm {
        timer: TimerId,
    },
    Line {
        pin: Pin,
        level: Level,
    },
    /// An interrupt message: a write of `data` to FEEx_xxxxh.
    Message {
        address: u64,
        data: u32,
    },
    /// A granted ISA DMA request: the board moves up to `len` bytes between the requesting device
    /// ([`crate::Space::Dma`] reads and writes, a fault ends the transfer early) and memory at `gpa` (descending if
    /// `down`), then writes the count of bytes done to the DMA controller as [`crate::Space::Dma`].
    Dma {
        channel: u8,
        gpa: u64,
        len: u32,
        to_memory: bool,
        down: bool,
    },
    /// End of interrupt, to the IOAPICs.
    Eoi {
        vector: u8,
    },
    Cpu(CpuSignal),
    /// Region `region` of this device now answers at `base` (`None`: nowhere).
    Window {
        region: u8,
        base: Option<u64>,
    },
    /// A range of guest-physical addresses below 1 MiB reads from RAM or ROM/PCI, and writes to RAM or nowhere
    /// (82441FX PAM registers).
    Shadow {
        start: u64,
        len: u64,
        read_ram: bool,
        write_ram: bool,
    },
    Host(HostRequest),
    Power(Power),
}

/// All that a device may do to the world while it is called.
pub struct Cx<'a> {
    now: Tick,
    effects: &'a mut Vec<Effect>,
    memory: &'a MemoryMap,
}

impl<'a> Cx<'a> {
    pub fn new(now: Tick, effects: &'a mut Vec<Effect>, memory: &'a MemoryMap) -> Self {
        Self { now, effects, memory }
    }

    /// Guest time. In a deadline call this is the deadline's own time, not a later one.
    pub fn now(&self) -> Tick {
        self.now
    }

    /// Guest memory, for DMA. Addresses that are not RAM read as ones and swallow writes.
    pub fn memory(&self) -> &'a MemoryMap {
        self.memory
    }

    /// Arms a timer; a deadline that is already past fires as soon as the call returns.
    pub fn arm(&mut self, timer: TimerId, at: Tick) {
        self.effects.push(Effect::Arm { timer, at });
    }

    pub fn disarm(&mut self, timer: TimerId) {
        self.effects.push(Effect::Disarm { timer });
    }

    /// Drives an output pin. Driving the level it already has is allowed and does nothing.
    pub fn drive(&mut self, pin: Pin, level: Level) {
        self.effects.push(Effect::Line { pin, level });
    }

    pub fn message(&mut self, address: u64, data: u32) {
        self.effects.push(Effect::Message { address, data });
    }

    pub fn dma(&mut self, channel: u8, gpa: u64, len: u32, to_memory: bool, down: bool) {
        self.effects.push(Effect::Dma { channel, gpa, len, to_memory, down });
    }

    pub fn eoi(&mut self, vector: u8) {
        self.effects.push(Effect::Eoi { vector });
    }

    pub fn cpu(&mut self, signal: CpuSignal) {
        self.effects.push(Effect::Cpu(signal));
    }

    pub fn window(&mut self, region: u8, base: Option<u64>) {
        self.effects.push(Effect::Window { region, base });
    }

    pub fn shadow(&mut self, start: u64, len: u64, read_ram: bool, write_ram: bool) {
        self.effects.push(Effect::Shadow { start, len, read_ram, write_ram });
    }

    pub fn host(&mut self, request: HostRequest) {
        self.effects.push(Effect::Host(request));
    }

    pub fn power(&mut self, power: Power) {
        self.effects.push(Effect::Power(power));
    }
}

/// A chip in its socket.
///
/// A device never calls another device and never sees the host: it acts on the world only through [`Cx`]. It
/// cannot tell deterministic from paced time. Nothing a guest does to it may panic.
pub trait Device: Send {
    /// The key in the wiring table, trace, monitor and saved state, for example `"i8254"`.
    fn name(&self) -> &'static str;

    fn reset(&mut self, how: Reset, cx: &mut Cx<'_>);

    /// The widest access that this region takes in one piece; the board splits wider ones into pieces of this
    /// size, in ascending order.
    fn widest(&self, _region: u8) -> Width {
        Width::Byte
    }

    /// # Errors
    /// [`BusFault`] where the chip does not answer: the board lets the bus float (all ones).
    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault>;

    /// # Errors
    /// [`BusFault`] where the chip does not answer.
    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault>;

    /// An armed timer has come due; `cx.now()` is its deadline.
    fn deadline(&mut self, _timer: TimerId, _cx: &mut Cx<'_>) {}

    /// An input pin has changed level.
    fn pin(&mut self, _pin: Pin, _level: Level, _cx: &mut Cx<'_>) {}

    fn host(&mut self, _event: HostEvent, _cx: &mut Cx<'_>) {}

    /// The chip's whole state. Armed timers are saved by the board, not by the chip.
    fn save(&self) -> Saved;

    /// Takes a saved state over, without making any edge on any line. On error nothing has changed.
    ///
    /// # Errors
    /// The state is of an unknown version, has the wrong shape, or holds a value the chip can never have.
    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError>;

    /// For the board's few typed connections (text screen, boot files); not for use between devices.
    fn as_any(&mut self) -> &mut dyn std::any::Any;
}
