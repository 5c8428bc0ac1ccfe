//! One chip in a socket, poked at random.

use crate::chips::{CHIPS, Chip, Region, VIDEO, Write};
use crate::input::Input;
use crate::mutate::mutate;
use emu_core::memory::{Range, Target};
use emu_core::{
    Access, Cx, Device, DiskController, Effect, HostEvent, Level, MemoryMap, Pin, Reset, Saved, Space, Tick,
    TimerId, Width,
};
use std::collections::BTreeMap;

/// Guest memory of the socket.
const RAM: u64 = 1 << 18;
/// More effects than this from one call would drown the board.
const MAX_EFFECTS: usize = 100_000;
/// Deadlines that come due without time going on: more than this many and the board would hang.
const MAX_STANDSTILL: u32 = 1000;
/// Deadlines carried out in one step of time; a fast timer and a long step would take for ever.
const MAX_DEADLINES: u32 = 2000;

/// How often an access is made where a data register wants a whole sector.
const MANY: u32 = 512;

const WIDTHS: [Width; 4] = [Width::Byte, Width::Word, Width::Dword, Width::Qword];
const SPACES: [Space; 8] = [
    Space::Port,
    Space::Memory,
    Space::Config,
    Space::Msr,
    Space::IntAck,
    Space::Message,
    Space::Dma,
    Space::Eoi,
];

struct Socket {
    chip: &'static Chip,
    device: Box<dyn Device>,
    now: Tick,
    memory: MemoryMap,
    timers: BTreeMap<TimerId, Tick>,
}

/// Lets a guest made of `data` loose on one chip.
///
/// # Panics
/// The chip has a bug: it panicked, its state does not survive a save and restore, a refused restore changed it, or
/// it would drown the board in effects or deadlines.
pub fn fuzz_devices(data: &[u8]) {
    let input = &mut Input::new(data);
    let mut socket = Socket::new(&CHIPS[input.below(CHIPS.len() as u64) as usize]);
    if input.bool() {
        socket.play(0, usize::MAX, 0);
    }
    while !input.is_empty() {
        socket.step(input);
    }
    socket.save_and_restore();
}

impl Socket {
    fn new(chip: &'static Chip) -> Self {
        let mut memory = MemoryMap::new();
        let block = memory.add_block("fuzz", RAM).expect("host memory");
        let ram = Target::Block { block, offset: 0 };
        memory.map(Range { start: 0, len: RAM, read: ram, write: ram });
        let video = memory.add_block("video", devices::vga::VIDEO_MEMORY).expect("host memory");
        assert_eq!(video, VIDEO, "the second block");
        let mut socket =
            Self { chip, device: (chip.new)(), now: Tick::ZERO, memory, timers: BTreeMap::new() };
        socket.call(|device, cx| device.reset(Reset::PowerOn, cx));
        socket
    }

    /// Calls the chip, and carries out what a board would.
    fn call<R>(&mut self, f: impl FnOnce(&mut dyn Device, &mut Cx<'_>) -> R) -> R {
        let mut effects = Vec::new();
        let result = f(&mut *self.device, &mut Cx::new(self.now, &mut effects, &self.memory));
        assert!(effects.len() <= MAX_EFFECTS, "{} effects from one call", effects.len());
        for effect in effects {
            match effect {
                Effect::Arm { timer, at } => drop(self.timers.insert(timer, at)),
                Effect::Disarm { timer } => drop(self.timers.remove(&timer)),
                Effect::Dma { len, .. } => assert!(len <= 0x2_0000, "a grant of {len} bytes"),
                Effect::Line { .. }
                | Effect::Message { .. }
                | Effect::Eoi { .. }
                | Effect::Cpu(_)
                | Effect::Window { .. }
                | Effect::Shadow { .. }
                | Effect::Host(_)
                | Effect::Power(_) => {}
            }
        }
        result
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.u8() & 0x3F {
            0..=19 => self.write(input, 1),
            20..=35 => self.read(input, 1),
            36 => self.write(input, MANY),
            37 => self.read(input, MANY),
            38..=41 => {
                let script = input.below(self.chip.scripts.len() as u64) as usize;
                self.play(script, input.u8().into(), input.u8().into());
            }
            42..=47 => self.advance(Tick(input.magnitude() >> 8)),
            48..=51 => {
                let (pin, level) = (Pin(input.u8() & 0x1F), Level::from(input.bool()));
                self.call(|device, cx| device.pin(pin, level, cx));
            }
            52..=55 => {
                let event = event(input);
                self.call(|device, cx| device.host(event, cx));
            }
            56 | 57 => self.save_and_restore(),
            58..=60 => self.restore_changed(input),
            61 => {
                let (at, value) = (input.below(RAM), input.magnitude());
                self.memory.write(at, &value.to_le_bytes());
            }
            62 => {
                // A deadline nobody armed: a board with a damaged state could make one.
                let timer = TimerId(input.u8() & 7);
                self.call(|device, cx| device.deadline(timer, cx));
            }
            _ => {
                let how = input.pick(&[Reset::PowerOn, Reset::Hard]);
                self.call(|device, cx| device.reset(how, cx));
            }
        }
    }

    /// Mostly where and as wide as the chip answers; sometimes anywhere.
    fn access(&self, input: &mut Input<'_>) -> Access {
        let kind = input.u8();
        let width = input.pick(&WIDTHS);
        if kind < 8 {
            let space = input.pick(&SPACES);
            return Access { space, region: input.u8() & 7, offset: input.magnitude(), width };
        }
        let Region { space, number: region, start, len } = input.pick(self.chip.regions);
        let offset = start + input.below(len);
        let widest = self.device.widest(region);
        match kind {
            8..32 => Access { space, region, offset, width },
            // The board never asks for more than a region takes in one piece.
            32..96 => Access { space, region, offset, width: width.min(widest) },
            _ => Access { space, region, offset: offset & !(widest.bytes() - 1), width: widest },
        }
    }

    fn read(&mut self, input: &mut Input<'_>, times: u32) {
        let at = self.access(input);
        for _ in 0..times {
            let _may_fault = self.call(|device, cx| device.read(at, cx));
        }
    }

    fn write(&mut self, input: &mut Input<'_>, times: u32) {
        let at = self.access(input);
        let value = if input.u8() < 0xC0 { input.u8().into() } else { input.magnitude() };
        for _ in 0..times {
            let _may_fault = self.call(|device, cx| device.write(at, value & at.width.mask(), cx));
        }
    }

    /// One of the chip's scripts, with the value at `changed` another one; then whatever DMA it asked for.
    fn play(&mut self, script: usize, changed: usize, other: u64) {
        let script: &[Write] = self.chip.scripts.get(script).copied().unwrap_or_default();
        for (n, &(space, region, offset, width, value)) in script.iter().enumerate() {
            let value = if n == changed { other } else { value };
            let at = Access { space, region, offset, width };
            let _may_fault = self.call(|device, cx| device.write(at, value, cx));
        }
        self.advance(Tick::MILLISECOND.times(2));
        for region in self.chip.regions.iter().filter(|region| region.space == Space::Dma) {
            let at =
                Access { space: Space::Dma, region: region.number, offset: other & 1, width: Width::Byte };
            for _ in 0..MANY {
                let _may_fault = self.call(|device, cx| device.read(at, cx));
                let _may_fault = self.call(|device, cx| device.write(at, other, cx));
            }
        }
    }

    fn advance(&mut self, span: Tick) {
        let end = self.now + span;
        let mut standstill = 0;
        for _ in 0..MAX_DEADLINES {
            let next = self.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at));
            let Some((timer, at)) = next.filter(|(_, at)| *at <= end) else { break };
            self.timers.remove(&timer);
            standstill = if at <= self.now { standstill + 1 } else { 0 };
            assert!(standstill < MAX_STANDSTILL, "{timer:?} is always due");
            self.now = self.now.max(at);
            self.call(|device, cx| device.deadline(timer, cx));
        }
        self.now = self.now.max(end);
    }

    /// What is saved restores, and saves the same again.
    fn save_and_restore(&mut self) {
        let saved = self.device.save();
        let mut fresh = (self.chip.new)();
        fresh.restore(&saved).expect("a chip takes its own state");
        assert_eq!(fresh.save(), saved, "save = save after restore");
        self.device = fresh;
    }

    /// A state with changes in it is taken as a whole, or not at all.
    fn restore_changed(&mut self, input: &mut Input<'_>) {
        let before = self.device.save();
        let Saved { mut version, mut body } = before.clone();
        for _ in 0..=input.u8() & 3 {
            mutate(&mut body, input);
        }
        if input.u8() == 0 {
            version = input.u32();
        }
        let taken = self.device.restore(&Saved { version, body });
        let after = self.device.save();
        match taken {
            Ok(()) => self.save_and_restore(),
            Err(_) => assert_eq!(after, before, "a refused state changed something"),
        }
    }
}

fn event(input: &mut Input<'_>) -> HostEvent {
    match input.u8() % 6 {
        0 => HostEvent::Serial(input.u8()),
        1 => HostEvent::Key { code: input.u16(), pressed: input.bool() },
        2 => {
            let (dx, dy) = (input.u16().cast_signed(), input.u16().cast_signed());
            HostEvent::Mouse { dx, dy, wheel: input.u8().cast_signed(), buttons: input.u8() }
        }
        3 => HostEvent::PowerButton,
        4 => HostEvent::DiskReady(DiskController::Ide),
        _ => HostEvent::WallClock(input.magnitude().cast_signed()),
    }
}
