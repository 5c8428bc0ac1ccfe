//! High-precision event timer block with three comparators.
//!
//! Follows the IA-PC HPET (High Precision Event Timers) Specification, revision 1.0a. The counter is 64 bits
//! wide and runs at 100 MHz; all comparators are 64 bits wide and can be periodic; FSB (message) delivery is
//! not offered.
//!
//! Two liberties. An edge-triggered output goes low and high again when its comparator matches and then stays
//! high (like OUT of an 8254 in mode 2), so that an 8259A still sees the request when it is acknowledged. And
//! periods under 1 us are served at the smallest multiple that reaches 1 us: no guest can take interrupts
//! that fast.
//!
//! Region 0 ([`Space::Memory`], at FED00000h): 1 KiB of registers, read and written as 32 or 64 bits.

mod comparator;
mod state;
#[cfg(test)]
mod tests;

use bitfield_struct::bitfield;
use comparator::{Comparator, Counter};
use emu_core::{Access, BusFault, Cx, Device, Pin, Reset, RestoreError, Saved, Space, Tick, TimerId, Width};

/// Outputs 0 to 23 go to the IOAPIC inputs of the same number.
pub const OUTPUTS: u8 = 24;
/// Output: high while legacy replacement is on; the 8254's IRQ 0 and the RTC's IRQ 8 are then cut off.
pub const LEGACY: Pin = Pin(OUTPUTS);
/// Where the board puts region 0.
pub const BASE: u64 = 0xFED0_0000;
/// One count of the main counter: 10 ns.
pub const PERIOD: Tick = Tick(630);

/// The IOAPIC inputs that a comparator can be routed to: 20 to 23, which nothing else uses.
const ROUTES: u32 = 0x00F0_0000;
const TIMERS: usize = 3;

/// Specification 2.3.4: 10 000 000 fs, vendor 8086h, legacy replacement, 64 bits, 3 timers, revision 1.
const CAPABILITIES: u64 = 0x0098_9680_8086_A201;

/// General configuration register. Specification 2.3.5.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
struct General {
    enabled: bool,
    legacy: bool,
    #[bits(62)]
    __: u64,
}

impl General {
    const WRITABLE: u64 = 0b11;
}

/// The registers by name. Specification 2.3.2.
#[derive(Clone, Copy)]
enum Register {
    Capabilities,
    Configuration,
    Status,
    Counter,
    TimerConfiguration(usize),
    Comparator(usize),
    Reserved,
}

impl Register {
    fn decode(offset: u64) -> Self {
        let timer = (offset.wrapping_sub(0x100) >> 5 & 3) as usize;
        match (offset, offset & 0x18) {
            (0x000, _) => Self::Capabilities,
            (0x010, _) => Self::Configuration,
            (0x020, _) => Self::Status,
            (0x0F0, _) => Self::Counter,
            (0x100..0x160, 0x00) => Self::TimerConfiguration(timer),
            (0x100..0x160, 0x08) => Self::Comparator(timer),
            _ => Self::Reserved,
        }
    }
}

/// A 32- or 64-bit access: the register, and where in it the access lies.
struct Part {
    register: Register,
    shift: u32,
    mask: u64,
}

impl Part {
    /// Specification 2.1: accesses are aligned, and 32 or 64 bits wide.
    fn decode(at: Access) -> Result<Self, BusFault> {
        let shift = match (at.space, at.width, at.offset & 7) {
            (Space::Memory, Width::Dword | Width::Qword, 0) => 0,
            (Space::Memory, Width::Dword, 4) => 32,
            _ => return Err(BusFault),
        };
        Ok(Self { register: Register::decode(at.offset & !7), shift, mask: at.width.mask() << shift })
    }
}

/// The timer block.
pub struct Hpet {
    general: General,
    /// Interrupt status of level-triggered timers, one bit each. Specification 2.3.6.
    status: u8,
    counter: Counter,
    timers: [Comparator; TIMERS],
    /// Levels driven onto the outputs, one bit each.
    driven: u32,
}

impl Default for Hpet {
    fn default() -> Self {
        Self::new()
    }
}

impl Hpet {
    pub fn new() -> Self {
        Self {
            general: General::new(),
            status: 0,
            counter: Counter::default(),
            timers: [Comparator::RESET; TIMERS],
            driven: 0,
        }
    }

    fn legacy(&self) -> bool {
        // Specification 2.3.5: only with both bits set.
        self.general.enabled() && self.general.legacy()
    }

    /// The output that a timer drives.
    fn output(&self, timer: usize) -> Option<u8> {
        let route = self.timers[timer].config.route();
        match timer {
            0 if self.legacy() => Some(2),
            1 if self.legacy() => Some(8),
            _ => (ROUTES >> route & 1 != 0).then_some(route),
        }
    }

    fn is_asserted(&self, timer: usize) -> bool {
        let Comparator { config, edge_high, .. } = &self.timers[timer];
        let request = if config.level() { self.status >> timer & 1 != 0 } else { *edge_high };
        request && config.interrupts()
    }

    fn drive_outputs(&mut self, cx: &mut Cx<'_>) {
        let mut levels = u32::from(self.legacy()) << LEGACY.0;
        for timer in 0..TIMERS {
            if let Some(output) = self.output(timer).filter(|_| self.is_asserted(timer)) {
                levels |= 1 << output;
            }
        }
        let changed = levels ^ self.driven;
        self.driven = levels;
        for pin in (0..=LEGACY.0).filter(|pin| changed >> pin & 1 != 0) {
            cx.drive(Pin(pin), (levels >> pin & 1 != 0).into());
        }
    }

    /// Carries out the matches up to now.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        for timer in 0..TIMERS {
            if self.timers[timer].next_match.is_some_and(|at| at <= cx.now()) {
                let count = self.count(cx.now());
                self.timers[timer].pass(count);
                self.timers[timer].schedule(&self.counter, cx.now());
                self.interrupt(timer, cx);
            }
        }
    }

    fn interrupt(&mut self, timer: usize, cx: &mut Cx<'_>) {
        if self.timers[timer].config.level() {
            self.status |= 1 << timer;
        } else if self.timers[timer].config.interrupts() {
            self.timers[timer].edge_high = false;
            self.drive_outputs(cx);
            self.timers[timer].edge_high = true;
        }
        self.drive_outputs(cx);
    }

    /// Arms the matches that would be seen and drives the outputs; ends every entry point.
    fn update(&mut self, cx: &mut Cx<'_>) {
        for (id, timer) in (0..).zip(&mut self.timers) {
            let pending = timer.config.level() && self.status >> id & 1 != 0;
            let wanted = timer.next_match.filter(|_| timer.config.interrupts() && !pending);
            if wanted != timer.armed {
                timer.armed = wanted;
                match wanted {
                    Some(at) => cx.arm(TimerId(id), at),
                    None => cx.disarm(TimerId(id)),
                }
            }
        }
        self.drive_outputs(cx);
    }

    fn count(&self, now: Tick) -> u64 {
        self.counter.value(now)
    }

    /// After a change of the counter: every comparator looks for its match anew.
    fn schedule_all(&mut self, now: Tick) {
        for timer in &mut self.timers {
            timer.schedule(&self.counter, now);
        }
    }

    fn read_register(&self, register: Register, now: Tick) -> u64 {
        match register {
            Register::Capabilities => CAPABILITIES,
            Register::Configuration => self.general.into_bits(),
            Register::Status => self.status.into(),
            Register::Counter => self.count(now),
            Register::TimerConfiguration(timer) => self.timers[timer].configuration(),
            Register::Comparator(timer) => self.timers[timer].comparator,
            Register::Reserved => 0,
        }
    }

    fn write_register(&mut self, register: Register, value: u64, mask: u64, now: Tick) {
        let merged = self.read_register(register, now) & !mask | value & mask;
        match register {
            Register::Configuration => {
                self.general = General::from_bits(merged & General::WRITABLE);
                self.counter.run(self.general.enabled(), now);
                self.schedule_all(now);
            }
            Register::Status => self.status &= !crate::bits::low8(value & mask),
            Register::Counter => {
                self.counter.set(merged, now);
                self.schedule_all(now);
            }
            Register::TimerConfiguration(timer) => {
                self.timers[timer].configure(merged);
                if !self.timers[timer].config.level() {
                    self.status &= !(1 << timer);
                }
                self.timers[timer].schedule(&self.counter, now);
            }
            Register::Comparator(timer) => {
                self.timers[timer].write_comparator(value, mask);
                self.timers[timer].schedule(&self.counter, now);
            }
            Register::Capabilities | Register::Reserved => {}
        }
    }
}

impl Device for Hpet {
    fn name(&self) -> &'static str {
        "hpet"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        let armed = self.timers.each_ref().map(|timer| timer.armed);
        *self = Self { driven: self.driven, ..Self::new() };
        for (timer, armed) in self.timers.iter_mut().zip(armed) {
            timer.armed = armed;
        }
        self.update(cx);
    }

    fn widest(&self, _region: u8) -> Width {
        Width::Qword
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        let Part { register, shift, mask } = Part::decode(at)?;
        self.settle(cx);
        self.update(cx);
        Ok((self.read_register(register, cx.now()) & mask) >> shift)
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let Part { register, shift, mask } = Part::decode(at)?;
        self.settle(cx);
        self.write_register(register, value << shift, mask, cx.now());
        self.update(cx);
        Ok(())
    }

    fn deadline(&mut self, timer: TimerId, cx: &mut Cx<'_>) {
        self.settle(cx);
        // The board has spent the deadline: arm afresh even if the same one is wanted.
        if let Some(timer) = self.timers.get_mut(usize::from(timer.0)) {
            timer.armed = None;
        }
        self.update(cx);
    }

    fn save(&self) -> Saved {
        state::save(self)
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        state::restore(self, saved)
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
