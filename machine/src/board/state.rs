//! The board's own saved state: what lies between the chips.

use super::queue::{Queue, SavedDeadline};
use super::shadow::Enabled;
use super::{Board, Feels, nets::SavedHigh};
use crate::clock::Clock;
use emu_core::{Attention, Level, RestoreError, Saved, Tick};
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct State {
    now: Tick,
    time: Tick,
    rest_until: Tick,
    retired: u64,
    deadlines: Vec<SavedDeadline>,
    high: Vec<SavedHigh>,
    windows: Vec<Option<u64>>,
    shadow: Enabled,
    config_address: u32,
    nmi: bool,
}

/// One chip's state under its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedDevice {
    pub(crate) name: String,
    pub(crate) state: Saved,
}

/// Why a saved board does not fit this board.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoardError {
    #[error("the saved machine has the chips [{saved}], this one has [{here}]")]
    Devices { saved: String, here: String },
    #[error("chip {name}: {error}")]
    Device { name: String, error: RestoreError },
    #[error("board: {0}")]
    Board(#[from] RestoreError),
}

impl Board {
    /// The state between the chips. Taken between runs: no work and no signal is pending then.
    pub(crate) fn save(&self) -> Saved {
        let Self {
            addresses,
            pci,
            nets,
            clock,
            time,
            queue,
            shadow,
            attention,
            devices: _,      // saved one by one
            frame_buffer: _, // follows from `addresses`
            local_apic: _,   // wiring
            pic: _,
            io_apics: _,
            host: _,
            memory: _, // saved as blocks; the map follows from `shadow`
            trace: _,  // for people
            a20: _,    // follows from the nets
            work: _,   // empty between calls
            scratch: _,
            requests: _, // already left the machine
            signals: _,  // answered before a run returns
            limit: _,    // belongs to one run
            rest_until,
        } = self;
        let nmi = attention.load(Ordering::Acquire) & Attention::NMI != 0;
        let state = State {
            now: clock.now(),
            time: *time,
            rest_until: *rest_until,
            retired: clock.retired(),
            deadlines: queue.save(),
            high: nets.save(),
            windows: addresses.save(),
            shadow: shadow.save(),
            config_address: pci.address(),
            nmi,
        };
        Saved::pack(VERSION, &state)
    }

    pub(crate) fn save_devices(&self) -> Vec<SavedDevice> {
        self.devices
            .iter()
            .map(|device| SavedDevice { name: device.name().to_owned(), state: device.save() })
            .collect()
    }

    /// Takes a saved state over. On error this board is of no further use: restore into a fresh one.
    pub(crate) fn restore(&mut self, saved: &Saved, devices: &[SavedDevice]) -> Result<(), BoardError> {
        self.restore_devices(devices)?;
        Ok(self.restore_between(saved)?)
    }

    fn restore_devices(&mut self, saved: &[SavedDevice]) -> Result<(), BoardError> {
        if !saved.iter().map(|device| device.name.as_str()).eq(self.names()) {
            let saved = saved.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join(", ");
            let here = self.names().collect::<Vec<_>>().join(", ");
            return Err(BoardError::Devices { saved, here });
        }
        for (device, saved) in self.devices.iter_mut().zip(saved) {
            let fail = |error| BoardError::Device { name: saved.name.clone(), error };
            device.restore(&saved.state).map_err(fail)?;
        }
        Ok(())
    }

    fn restore_between(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        let State { now, time, rest_until, retired, deadlines, high, windows, shadow, config_address, nmi } =
            saved.unpack(VERSION)?;
        let queue = Queue::restored(&deadlines, self.devices.len())
            .ok_or(RestoreError::Value("a deadline of a device that is not there"))?;
        if !self.nets.restore(&high) {
            return Err(RestoreError::Value("a line that is not wired"));
        }
        if !self.addresses.restore(&windows) {
            return Err(RestoreError::Value("a different number of regions"));
        }
        self.queue = queue;
        self.clock = Clock::new(self.clock.mode(), now, retired);
        self.time = time;
        self.rest_until = rest_until;
        self.shadow.restore(&self.memory, shadow);
        self.frame_buffer.place(&self.memory, self.addresses.frame_buffer());
        self.pci.set_address(config_address);
        self.restore_cpu_pins(nmi);
        Ok(())
    }

    fn restore_cpu_pins(&mut self, nmi: bool) {
        let high = |level: Option<Level>| level.is_some_and(Level::is_high);
        let mut attention = 0;
        if high(self.nets.level(Feels::Intr)) {
            attention |= Attention::INTR;
        }
        if nmi {
            attention |= Attention::NMI;
        }
        self.attention.store(attention, Ordering::Release);
        // Without a wire to it the gate is open, as on a new board.
        self.a20 = self.nets.level(Feels::A20).is_none_or(Level::is_high);
    }
}
