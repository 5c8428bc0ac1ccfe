//! The board: chips in their sockets, and everything between them.
//!
//! Devices never call devices. A call of a device leaves effects, which go into one work queue and are carried out
//! in the order they were made, never nested; the effects of what they cause go to the end of the queue. So a
//! low-high pulse inside one call is two calls of whoever feels the line, in that order.

mod access;
mod address;
mod bus;
mod effects;
mod frame_buffer;
mod nets;
mod pci;
mod queue;
mod shadow;
mod state;
#[cfg(test)]
mod tests;
mod trace;
pub mod wiring;

pub use shadow::{LEN as SHADOW_LEN, START as SHADOW_START};
pub use state::BoardError;
pub(crate) use state::SavedDevice;
pub use trace::{Notice, Record, Trace};

use crate::clock::Clock;
use address::AddressMap;
use emu_core::memory::BlockId;
use emu_core::{
    Access, Attention, BusFault, Cx, Device, Effect, HostEvent, HostRequest, MemoryMap, Power, Reset, Tick,
};
use frame_buffer::FrameBuffer;
use nets::{Feels, Nets};
use pci::Pci;
use queue::Queue;
use shadow::ShadowArea;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use wiring::Wiring;

/// Index of a device on its board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Socket(pub(crate) u8);

/// Requests to the host that are kept until somebody takes them; more stop the run.
const MAX_REQUESTS: usize = 1 << 16;

/// Deadlines fired in one go. A guest that asks for more gets them late: the board rests for [`REST`] first, so that
/// the guest can go on.
const MAX_FIRED: u32 = 4096;
const REST: Tick = crate::clock::INSTRUCTION.times(256);

/// What waits for the run loop: the board cannot do it while an engine runs.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) power: Option<Power>,
    pub(crate) exit: Option<u32>,
    pub(crate) init: bool,
}

/// Until when the present run goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) until: Tick,
    /// Instructions left.
    pub(crate) instructions: u64,
}

/// The block of RAM, the image of the shadow area, and the display's memory.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    /// RAM; offset 0 is guest-physical address 0.
    pub ram: BlockId,
    /// ROM image of [`SHADOW_START`]`..+`[`SHADOW_LEN`].
    pub rom: BlockId,
    /// Where in the shadow area there is ROM: start address and length.
    pub rom_at: (u64, u64),
    /// The display adapter's memory.
    pub video: BlockId,
}

/// The board and its bus; one vCPU.
pub struct Board {
    devices: Vec<Box<dyn Device>>,
    addresses: AddressMap,
    pci: Pci,
    nets: Nets,
    local_apic: Option<Socket>,
    pic: Option<Socket>,
    io_apics: Vec<Socket>,
    host: fn(&HostEvent) -> &'static str,

    memory: MemoryMap,
    attention: Arc<AtomicU32>,
    trace: Trace,

    clock: Clock,
    /// What devices see as now: the clock, or the time of the deadline being served. It never goes back.
    time: Tick,
    queue: Queue,
    shadow: ShadowArea,
    frame_buffer: FrameBuffer,
    a20: bool,
    work: VecDeque<(Socket, Effect)>,
    scratch: Vec<Effect>,
    requests: VecDeque<HostRequest>,
    signals: Signals,
    limit: Limit,
    /// No deadline fires before this, see [`MAX_FIRED`].
    rest_until: Tick,
}

impl Board {
    /// A board with these chips, before power-on. `attention` is shared with whoever may stop the engine.
    ///
    /// # Panics
    /// There are more than 255 devices, or two with the same name: a model's own mistake.
    pub fn new(
        devices: Vec<Box<dyn Device>>,
        wiring: &Wiring,
        memory: MemoryMap,
        blocks: Blocks,
        clock: Clock,
        attention: Arc<AtomicU32>,
    ) -> Self {
        let names: Vec<_> = devices.iter().map(|device| device.name()).collect();
        assert!(names.len() < 256, "a socket is numbered by a byte");
        assert!((1..names.len()).all(|n| !names[..n].contains(&names[n])), "devices have different names");
        let socket = |name: &str| {
            let place = names.iter().position(|known| *known == name)?;
            Some(Socket(u8::try_from(place).expect("fewer than 256 devices")))
        };
        let local_apic = socket(wiring.local_apic);
        let nets = Nets::new(&wiring.wires, socket);
        let (start, len) = blocks.rom_at;
        let time = clock.now();
        Self {
            addresses: AddressMap::new(&wiring.regions, socket),
            pci: Pci::new(&wiring.functions, socket),
            nets,
            local_apic,
            pic: socket(wiring.pic),
            io_apics: wiring.io_apics.iter().filter_map(|name| socket(name)).collect(),
            host: wiring.host,
            devices,
            memory,
            attention,
            trace: Trace::default(),
            clock,
            time,
            queue: Queue::default(),
            shadow: ShadowArea::new(blocks.ram, blocks.rom, shadow::mask(start, len)),
            frame_buffer: FrameBuffer::new(blocks.video),
            a20: true,
            work: VecDeque::new(),
            scratch: Vec::new(),
            requests: VecDeque::new(),
            signals: Signals::default(),
            limit: Limit { until: Tick::NEVER, instructions: u64::MAX },
            rest_until: Tick::ZERO,
        }
    }

    /// The names of the devices, in socket order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.devices.iter().map(|device| device.name())
    }

    pub(crate) fn socket(&self, name: &str) -> Option<Socket> {
        let place = self.devices.iter().position(|device| device.name() == name)?;
        u8::try_from(place).ok().map(Socket)
    }

    /// Calls a chip by its type: for the board's few typed connections (text screen, CMOS).
    pub(crate) fn on_chip<T: Device + 'static, R>(
        &mut self,
        f: impl FnOnce(&mut T, &mut Cx<'_>) -> R,
    ) -> Option<R> {
        let place = self.devices.iter_mut().position(|device| device.as_any().is::<T>())?;
        let socket = Socket(u8::try_from(place).ok()?);
        let mut cx = Cx::new(self.time, &mut self.scratch, &self.memory);
        let result = self.devices[place].as_any().downcast_mut::<T>().map(|chip| f(chip, &mut cx));
        self.work.extend(self.scratch.drain(..).map(|effect| (socket, effect)));
        self.settle();
        result
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    pub(crate) fn trace_mut(&mut self) -> &mut Trace {
        &mut self.trace
    }

    /// Takes what the devices asked of the host, in order.
    pub(crate) fn take_requests(&mut self) -> VecDeque<HostRequest> {
        std::mem::take(&mut self.requests)
    }

    pub(crate) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    pub(crate) fn requests_full(&self) -> bool {
        self.requests.len() >= MAX_REQUESTS
    }

    /// The level of the A20 gate.
    pub(crate) fn a20(&self) -> bool {
        self.a20
    }

    pub(crate) fn take_signals(&mut self) -> Signals {
        std::mem::take(&mut self.signals)
    }

    /// A run begins that goes until a guest time or a count of instructions.
    pub(crate) fn begin_run(&mut self, until: Tick, instructions: u64) {
        self.limit = Limit { until, instructions };
    }

    pub(crate) fn set_until(&mut self, until: Tick) {
        self.limit.until = until;
    }

    pub(crate) fn limit_reached(&self) -> bool {
        self.limit.instructions == 0 || self.clock.now() >= self.limit.until
    }

    /// The next moment at which something happens without the CPU: a deadline, or the end of the run.
    pub(crate) fn next_moment(&self) -> Tick {
        self.queue.next().max(self.rest_until).min(self.limit.until)
    }

    /// Nothing happens until `at`: a deterministic clock goes there.
    pub(crate) fn skip_to(&mut self, at: Tick) {
        self.clock.skip_to(at);
    }

    /// How long a paced machine may sleep when nothing happens until `at`.
    pub(crate) fn sleep(&mut self, at: Tick) -> std::time::Duration {
        self.clock.sleep(at)
    }

    pub(crate) fn note(&mut self, notice: Notice) {
        self.trace.note(self.time, notice);
    }

    /// Makes the engine return after the present instruction.
    fn stop_engine(&self) {
        self.attention.fetch_or(Attention::STOP, Ordering::Release);
    }

    /// Resets all chips, with power-on levels on all lines, and tells every input its level.
    pub(crate) fn reset(&mut self, how: Reset) {
        self.signals = Signals::default();
        self.attention.fetch_and(Attention::STOP, Ordering::AcqRel);
        self.queue.clear();
        self.shadow.reset(&self.memory);
        self.pci.set_address(0);
        for socket in self.sockets() {
            self.call(socket, |device, cx| device.reset(how, cx));
        }
        self.settle();
        // A chip may have forgotten the level of an input whose driver had no reason to change it.
        let levels: Vec<_> = self.nets.levels().collect();
        for (feels, level) in levels {
            self.feel(feels, level);
        }
        self.settle();
    }

    fn sockets(&self) -> impl Iterator<Item = Socket> + use<> {
        (0..u8::try_from(self.devices.len()).expect("fewer than 256 devices")).map(Socket)
    }

    /// Brings an event from the host side to its device, now.
    pub(crate) fn host_event(&mut self, event: HostEvent) {
        self.catch_up();
        if let Some(socket) = self.socket((self.host)(&event)) {
            self.call(socket, |device, cx| device.host(event, cx));
        }
        self.settle();
    }

    /// Calls a device; what it does to the world joins the work queue.
    fn call<R>(&mut self, socket: Socket, f: impl FnOnce(&mut dyn Device, &mut Cx<'_>) -> R) -> R {
        let mut cx = Cx::new(self.time, &mut self.scratch, &self.memory);
        let result = f(&mut *self.devices[usize::from(socket.0)], &mut cx);
        self.work.extend(self.scratch.drain(..).map(|effect| (socket, effect)));
        result
    }

    fn device_read(&mut self, socket: Socket, at: Access) -> Result<u64, BusFault> {
        self.call(socket, |device, cx| device.read(at, cx))
    }

    fn device_write(&mut self, socket: Socket, at: Access, value: u64) -> Result<(), BusFault> {
        self.call(socket, |device, cx| device.write(at, value, cx))
    }

    /// Time moves on to what the clock shows; what has come due happens at its own time.
    pub(crate) fn catch_up(&mut self) {
        self.clock.sample();
        self.settle();
    }

    /// Carries out all work, and fires all that is due.
    fn settle(&mut self) {
        self.carry_out();
        if self.clock.now() >= self.rest_until {
            self.fire();
        }
        self.time = self.time.max(self.clock.now());
    }

    fn fire(&mut self) {
        for _ in 0..MAX_FIRED {
            let Some(due) = self.queue.pop_due(self.clock.now()) else { return };
            self.time = self.time.max(due.at);
            self.call(due.socket, |device, cx| device.deadline(due.timer, cx));
            self.carry_out();
        }
        self.rest_until = self.clock.now() + REST;
    }

    /// A line changed: tells whoever feels it.
    fn feel(&mut self, feels: Feels, level: emu_core::Level) {
        match feels {
            Feels::Pin(socket, pin) => self.call(socket, |device, cx| device.pin(pin, level, cx)),
            Feels::Intr if level.is_high() => {
                self.attention.fetch_or(Attention::INTR, Ordering::AcqRel);
            }
            Feels::Intr => {
                self.attention.fetch_and(!Attention::INTR, Ordering::AcqRel);
            }
            Feels::A20 => {
                self.a20 = level.is_high();
                self.stop_engine();
            }
        }
    }
}
