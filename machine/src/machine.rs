//! One machine: a board, a vCPU, and the engine that runs it.

use crate::board::{Blocks, Board, BoardError, Record};
use crate::boot::{BootError, Entry};
use crate::clock::{Clock, TimeMode};
use crate::config::{ConfigError, Cpu, Linux, MachineConfig};
use crate::host::Handle;
use crate::pc::{self, layout::Layout};
use emu_core::memory::{BlockId, MemoryError};
use emu_core::{Bus, Engine, Forget, HostEvent, HostRequest, MemoryMap, Reset, Tick, VcpuState};
use std::collections::VecDeque;

/// Why a machine could not be built.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error("the engine cannot count instructions, so it cannot run deterministically")]
    EngineCannotCount,
    #[error(transparent)]
    Board(#[from] BoardError),
}

/// A complete PC.
pub struct Machine {
    pub(crate) layout: Layout,
    pub(crate) cpu_model: Cpu,
    pub(crate) linux: Option<Linux>,
    /// The kernel is entered directly, without firmware.
    pub(crate) direct: bool,
    pub(crate) stop_at_reset: bool,
    pub(crate) blocks: Vec<BlockId>,
    pub(crate) flash: u64,

    pub(crate) handle: Handle,
    pub(crate) engine: Box<dyn Engine>,
    /// Host events for a given guest time, earliest first.
    pub(crate) script: VecDeque<(Tick, HostEvent)>,

    pub(crate) board: Board,
    pub(crate) cpu: VcpuState,
    /// The memory map that the engine knows.
    pub(crate) generation: u64,
    pub(crate) resets: u64,
    pub(crate) off: bool,
}

fn must_count(time: TimeMode, engine: &dyn Engine) -> Result<(), MachineError> {
    let able = time != TimeMode::Deterministic || engine.caps().counts;
    if able { Ok(()) } else { Err(MachineError::EngineCannotCount) }
}

impl Machine {
    /// Builds the machine and powers it on. Nothing runs until [`Self::run`].
    ///
    /// # Errors
    /// The configuration cannot work, the host has not enough memory, or the kernel cannot be started.
    pub fn new(config: MachineConfig, engine: Box<dyn Engine>) -> Result<Self, MachineError> {
        config.check()?;
        let rtc = config.rtc();
        let firmware = config.firmware.as_ref().map(|firmware| firmware.image.clone());
        let flash = firmware.as_ref().map_or(0, |image| image.len() as u64);
        let mut machine = Self::assemble(config, flash, engine)?;
        if let Some(image) = firmware {
            machine.burn(&image);
        }
        machine.power_on(rtc)?;
        Ok(machine)
    }

    /// All parts in place, memory zero, power off.
    pub(crate) fn assemble(
        mut config: MachineConfig,
        flash: u64,
        engine: Box<dyn Engine>,
    ) -> Result<Self, MachineError> {
        must_count(config.time, &*engine)?;
        let layout = Layout::new(config.memory);
        let memory = layout.build(flash)?;
        let handle = Handle::default();
        let Blocks { ram, rom, video, .. } = memory.blocks;
        let blocks = [Some(ram), Some(rom), Some(video), memory.flash];
        let mut board = Board::new(
            pc::sockets::chips(&mut config, &layout, video, &handle)?,
            &pc::wiring::wiring(config.cpu.apic),
            memory.map,
            memory.blocks,
            Clock::new(config.time, Tick::ZERO, 0),
            handle.attention(),
        );
        board.trace_mut().enable(config.trace);
        Ok(Self {
            layout,
            cpu: VcpuState::at_reset(config.cpu.model, config.cpu.signature),
            cpu_model: config.cpu,
            direct: flash == 0,
            linux: config.linux,
            stop_at_reset: config.stop_at_reset,
            blocks: blocks.into_iter().flatten().collect(),
            flash,
            handle,
            engine,
            script: VecDeque::new(),
            board,
            generation: 0,
            resets: 0,
            off: false,
        })
    }

    fn burn(&mut self, image: &[u8]) {
        let (rom, flash) = (self.blocks[1], self.blocks.get(3).copied());
        pc::layout::burn(Bus::memory(&self.board), rom, flash, image);
    }

    fn power_on(&mut self, rtc: i64) -> Result<(), BootError> {
        self.reset_parts(Reset::PowerOn)?;
        self.board.host_event(HostEvent::WallClock(rtc));
        Ok(())
    }

    /// Resets chips and CPU and puts the guest where it starts.
    pub(crate) fn reset_parts(&mut self, how: Reset) -> Result<(), BootError> {
        self.board.reset(how);
        self.cpu = VcpuState::at_reset(self.cpu_model.model, self.cpu_model.signature);
        pc::sockets::set_cmos(&mut self.board, &self.layout);
        if self.direct
            && let Some(linux) = &self.linux
        {
            pc::firmware::stand_in(&mut self.board);
            let entry = Entry::load(linux, &self.layout, &self.cpu_model, Bus::memory(&self.board))?;
            self.burn_rsdp(&entry);
            entry.apply(&mut self.cpu);
        }
        self.cpu.a20 = self.board.a20();
        self.engine.forget(Forget::All);
        Ok(())
    }

    /// The direct start's root pointer, where a guest without boot parameters looks for it
    /// (ACPI 6.5, 5.2.5.1, "Finding the RSDP on IA-PC Systems").
    fn burn_rsdp(&self, entry: &Entry) {
        let offset = pc::layout::BIOS_START - crate::board::SHADOW_START;
        Bus::memory(&self.board).fill_block(self.blocks[1], offset, entry.rsdp());
    }

    /// Another engine goes on where this one has stopped: the guest cannot tell. The old one is given back.
    ///
    /// # Errors
    /// Time is deterministic and the engine cannot count; the old engine stays.
    pub fn set_engine(&mut self, mut engine: Box<dyn Engine>) -> Result<Box<dyn Engine>, MachineError> {
        must_count(self.board.clock().mode(), &*engine)?;
        engine.forget(Forget::All);
        Ok(std::mem::replace(&mut self.engine, engine))
    }

    /// A handle for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Has `event` happen when guest time reaches `at` (at once if that is past): for scripts that must give
    /// the same run every time. Events that have not happened yet are not part of a saved machine.
    pub fn schedule(&mut self, at: Tick, event: HostEvent) {
        let place = self.script.partition_point(|(other, _)| *other <= at);
        self.script.insert(place, (at, event));
    }

    /// Takes what the guest asked of the host since the last call: serial bytes, debug bytes, speaker edges.
    pub fn take_requests(&mut self) -> VecDeque<HostRequest> {
        self.board.take_requests()
    }

    /// Takes the notices recorded since the last call.
    pub fn take_trace(&mut self) -> Vec<Record> {
        self.board.trace_mut().take()
    }

    /// The text screen, while the VGA is in a text mode.
    pub fn text_screen(&mut self) -> Option<devices::vga::TextScreen> {
        pc::sockets::text_screen(&mut self.board)
    }

    /// The keyboard's lights: Scroll Lock, Num Lock and Caps Lock in bits 0 to 2.
    pub fn keyboard_leds(&mut self) -> u8 {
        pc::sockets::keyboard_leds(&mut self.board)
    }

    /// Whether the guest has taken every key from the keyboard and will take another.
    pub fn keyboard_is_idle(&mut self) -> bool {
        pc::sockets::keyboard_is_idle(&mut self.board)
    }

    /// Brings a picture of the monitor up to date; what the guest sees does not change. A picture may be drawn as
    /// often or as rarely as its owner likes.
    pub fn draw(&mut self, picture: &mut devices::vga::Picture) -> devices::vga::Drawn {
        pc::sockets::draw(&mut self.board, picture)
    }

    /// How many more bytes ([`HostEvent::Serial`]) COM1 can take before some are lost.
    pub fn serial_room(&mut self) -> usize {
        pc::sockets::serial_room(&mut self.board)
    }

    /// Bytes of RAM.
    pub fn memory_size(&self) -> u64 {
        self.layout.memory()
    }

    /// Guest time.
    pub fn now(&self) -> Tick {
        self.board.clock().now()
    }

    /// Instructions retired since power-on.
    pub fn retired(&self) -> u64 {
        self.board.clock().retired()
    }

    /// How often the platform was reset since power-on or restore.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    /// Accesses that no chip answered.
    pub fn floats(&self) -> u64 {
        self.board.trace().floats()
    }

    pub fn cpu(&self) -> &VcpuState {
        &self.cpu
    }

    /// For a debugger. The next run starts from the changed state.
    pub fn cpu_mut(&mut self) -> &mut VcpuState {
        self.engine.forget(Forget::All);
        &mut self.cpu
    }

    pub fn memory(&self) -> &MemoryMap {
        Bus::memory(&self.board)
    }

    pub fn board(&self) -> &Board {
        &self.board
    }

    #[cfg(test)]
    pub(crate) fn board_mut(&mut self) -> &mut Board {
        &mut self.board
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// The kernel cannot be started.
    pub fn reset(&mut self) -> Result<(), BootError> {
        self.off = false;
        self.resets += 1;
        self.reset_parts(Reset::Hard)
    }
}
