//! 8254 programmable interval timer, with the PC's port 61h around counter 2.
//!
//! Follows Intel 8254 data sheet (231164) and 82371SB PIIX3 data sheet (290550), "NMI Status and Control Register".
//! The counters do not tick: each knows the clock at which its present count was loaded, and everything else (count,
//! OUT, next edge) is a closed form of the clock number. Deadlines exist only for OUT0, and for OUT2 while the speaker
//! listens to it. Left out: NMI sources of port 61h (no parity or IOCHK# errors happen here) and the refresh of
//! counter 1, whose rate port 61h shows as the usual 18 clocks whatever counter 1 is programmed to.

mod control;
mod counter;
mod element;
mod state;
#[cfg(test)]
mod tests;

use control::{Address, Control, Rw};
use counter::Counter;
use emu_core::{
    Access, BusFault, Cx, Device, HostRequest, Level, Pin, Reset, RestoreError, Saved, Space, Tick, TimerId,
};

/// OUT of counter 0, to IRQ0.
pub const OUT0: Pin = Pin(0);

/// Next change of OUT0.
const OUT0_TIMER: TimerId = TimerId(0);
/// Next change of OUT2, only while the speaker is on.
const SPEAKER_TIMER: TimerId = TimerId(1);

/// Clocks between two refresh requests: 15.09 us.
const REFRESH: u64 = 18;

/// The timer chip and port 61h.
#[derive(Debug)]
pub struct I8254 {
    counters: [Counter; 3],
    /// Port 61h, bits 0-3: timer 2 gate, speaker data, and the two error enables, which are stored only.
    port61: u8,
    /// What the speaker was last told.
    speaker: bool,
}

/// What an access names.
#[derive(Clone, Copy)]
enum Register {
    Counter(usize),
    Control,
    Port61,
}

impl Register {
    fn decode(at: Access) -> Option<Self> {
        match (at.space, at.region, at.offset) {
            (Space::Port, 0, 0) => Some(Self::Counter(0)),
            (Space::Port, 0, 1) => Some(Self::Counter(1)),
            (Space::Port, 0, 2) => Some(Self::Counter(2)),
            (Space::Port, 0, 3) => Some(Self::Control),
            (Space::Port, 1, 0) => Some(Self::Port61),
            _ => None,
        }
    }
}

/// The number of CLK pulses up to `now`.
fn clock(now: Tick) -> u64 {
    now.periods(Tick::PIT)
}

impl I8254 {
    pub fn new() -> Self {
        // GATE0 and GATE1 are tied high on the board; GATE2 is bit 0 of port 61h.
        Self {
            counters: [Counter::new(true), Counter::new(true), Counter::new(false)],
            port61: 0,
            speaker: false,
        }
    }

    /// Drives the outputs for the present, and arms for their next change.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        let clock = clock(cx.now());
        for counter in &mut self.counters {
            counter.settle(clock);
        }
        cx.drive(OUT0, self.counters[0].out(clock).into());
        arm(OUT0_TIMER, self.counters[0].until_event(clock), clock, cx);
        let listening = self.port61 & 2 != 0;
        let speaker = listening && self.counters[2].out(clock);
        if speaker != self.speaker {
            self.speaker = speaker;
            cx.host(HostRequest::Speaker(speaker.into()));
        }
        let event = if listening { self.counters[2].until_event(clock) } else { None };
        arm(SPEAKER_TIMER, event, clock, cx);
    }

    fn write_control(&mut self, value: u8, clock: u64) {
        let control = Control::from_bits(value);
        match control.address() {
            Address::Counter(n) => match control.rw() {
                Rw::Latch => self.counters[n].latch_count(clock),
                Rw::Lsb | Rw::Msb | Rw::Word => self.counters[n].program(control, clock),
            },
            Address::ReadBack => self.read_back(value, clock),
        }
    }

    /// 8254, "Read-Back Command": D5 = 0 latches counts, D4 = 0 latches status, D1-D3 select counters.
    fn read_back(&mut self, value: u8, clock: u64) {
        for (n, counter) in self.counters.iter_mut().enumerate() {
            if value & 2 << n == 0 {
                continue;
            }
            if value & 0x20 == 0 {
                counter.latch_count(clock);
            }
            if value & 0x10 == 0 {
                counter.latch_status(clock);
            }
        }
    }

    fn read_port61(&self, clock: u64) -> u8 {
        let refresh = u8::from(clock / REFRESH % 2 == 1);
        let out2 = u8::from(self.counters[2].out(clock));
        self.port61 | refresh << 4 | out2 << 5
    }
}

fn arm(timer: TimerId, clocks: Option<u64>, clock: u64, cx: &mut Cx<'_>) {
    match clocks {
        Some(clocks) => cx.arm(timer, Tick::PIT.times(clock.saturating_add(clocks))),
        None => cx.disarm(timer),
    }
}

impl Default for I8254 {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for I8254 {
    fn name(&self) -> &'static str {
        "i8254"
    }

    /// The 8254 has no reset pin and the data sheet leaves its power-on state open; here both resets leave all
    /// counters unprogrammed in mode 0, OUT low, so that nothing interrupts before it is asked to.
    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        *self = Self { speaker: self.speaker, ..Self::new() };
        self.settle(cx);
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        let clock = clock(cx.now());
        let value = match Register::decode(at).ok_or(BusFault)? {
            Register::Counter(n) => {
                self.counters[n].settle(clock);
                self.counters[n].read(clock)
            }
            Register::Control => return Err(BusFault), // "No-Operation (3-State)"
            Register::Port61 => {
                self.counters[2].settle(clock);
                self.read_port61(clock)
            }
        };
        Ok(value.into())
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let [value, ..] = value.to_le_bytes();
        let clock = clock(cx.now());
        let register = Register::decode(at).ok_or(BusFault)?;
        for counter in &mut self.counters {
            counter.settle(clock);
        }
        match register {
            Register::Counter(n) => self.counters[n].write(value, clock),
            Register::Control => self.write_control(value, clock),
            Register::Port61 => {
                self.port61 = value & 0x0F;
                self.counters[2].set_gate(value & 1 != 0, clock);
            }
        }
        self.settle(cx);
        Ok(())
    }

    fn deadline(&mut self, _timer: TimerId, cx: &mut Cx<'_>) {
        self.settle(cx);
    }

    fn pin(&mut self, _pin: Pin, _level: Level, _cx: &mut Cx<'_>) {}

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
