//! A test bench: one chip in a socket, driven by a register script.
//!
//! `bench.outb(0x3, 0x34).outb(0x0, 0).advance(Tick::PIT.times(65_536)).expect(OUT0, Level::High)`

use emu_core::{
    Access, Cx, Device, Effect, HostEvent, Level, MemoryMap, Pin, Reset, Space, Tick, TimerId, Width,
};
use std::collections::BTreeMap;

/// One device with its timers, its lines and 1 MiB of guest RAM at address 0.
pub(crate) struct Bench<D: Device> {
    pub(crate) device: D,
    pub(crate) now: Tick,
    pub(crate) memory: MemoryMap,
    /// Effects other than timers and lines, in order, since the bench was built or they were taken.
    pub(crate) effects: Vec<Effect>,
    timers: BTreeMap<TimerId, Tick>,
    levels: BTreeMap<Pin, Level>,
    /// Every change of an output pin, in order.
    pub(crate) edges: Vec<(Tick, Pin, Level)>,
}

impl<D: Device> Bench<D> {
    /// A bench with the device just powered on.
    pub(crate) fn new(device: D) -> Self {
        let mut memory = MemoryMap::new();
        let block = memory.add_block("bench", 1 << 20).expect("host memory");
        let ram = emu_core::memory::Target::Block { block, offset: 0 };
        memory.map(emu_core::memory::Range { start: 0, len: 1 << 20, read: ram, write: ram });
        let mut bench = Self {
            device,
            now: Tick::ZERO,
            memory,
            effects: Vec::new(),
            timers: BTreeMap::new(),
            levels: BTreeMap::new(),
            edges: Vec::new(),
        };
        bench.call(|device, cx| device.reset(Reset::PowerOn, cx));
        bench
    }

    /// Calls the device and carries out what it did.
    pub(crate) fn call<R>(&mut self, f: impl FnOnce(&mut D, &mut Cx<'_>) -> R) -> R {
        let mut effects = Vec::new();
        let result = f(&mut self.device, &mut Cx::new(self.now, &mut effects, &self.memory));
        for effect in effects {
            match effect {
                Effect::Arm { timer, at } => drop(self.timers.insert(timer, at)),
                Effect::Disarm { timer } => drop(self.timers.remove(&timer)),
                Effect::Line { pin, level } => {
                    if self.levels.insert(pin, level).unwrap_or(Level::Low) != level {
                        self.edges.push((self.now, pin, level));
                    }
                }
                other => self.effects.push(other),
            }
        }
        result
    }

    pub(crate) fn access(space: Space, region: u8, offset: u64, width: Width) -> Access {
        Access { space, region, offset, width }
    }

    /// Reads; a bus fault floats to all ones.
    pub(crate) fn read(&mut self, space: Space, region: u8, offset: u64, width: Width) -> u64 {
        let at = Self::access(space, region, offset, width);
        self.call(|device, cx| device.read(at, cx)).unwrap_or(width.mask())
    }

    pub(crate) fn write(
        &mut self,
        space: Space,
        region: u8,
        offset: u64,
        width: Width,
        value: u64,
    ) -> &mut Self {
        let at = Self::access(space, region, offset, width);
        let _floats = self.call(|device, cx| device.write(at, value, cx));
        self
    }

    /// Reads a byte from a port of region 0.
    pub(crate) fn inb(&mut self, offset: u64) -> u8 {
        self.read(Space::Port, 0, offset, Width::Byte) as u8
    }

    /// Writes a byte to a port of region 0.
    pub(crate) fn outb(&mut self, offset: u64, value: u8) -> &mut Self {
        self.write(Space::Port, 0, offset, Width::Byte, value.into())
    }

    pub(crate) fn pin(&mut self, pin: Pin, level: Level) -> &mut Self {
        self.call(|device, cx| device.pin(pin, level, cx));
        self
    }

    pub(crate) fn host(&mut self, event: HostEvent) -> &mut Self {
        self.call(|device, cx| device.host(event, cx));
        self
    }

    /// Lets `span` of guest time pass, each deadline at its own time.
    pub(crate) fn advance(&mut self, span: Tick) -> &mut Self {
        let end = self.now + span;
        while let Some((&timer, &at)) =
            self.timers.iter().min_by_key(|(_, at)| **at).filter(|(_, at)| **at <= end)
        {
            self.timers.remove(&timer);
            self.now = self.now.max(at);
            self.call(|device, cx| device.deadline(timer, cx));
        }
        self.now = end;
        self
    }

    pub(crate) fn level(&self, pin: Pin) -> Level {
        self.levels.get(&pin).copied().unwrap_or(Level::Low)
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, pin: Pin, level: Level) -> &mut Self {
        assert_eq!(self.level(pin), level, "level of {pin:?} at {:?}", self.now);
        self
    }

    /// Saves, restores into `fresh`, and checks that saving again gives the same; returns the restored bench.
    #[track_caller]
    pub(crate) fn check_save_restore(&self, mut fresh: D) {
        let saved = self.device.save();
        fresh.restore(&saved).expect("own state restores");
        assert_eq!(fresh.save(), saved, "save = save after restore");
    }
}
