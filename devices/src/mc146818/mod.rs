//! MC146818 real-time clock with 128 bytes of battery-backed memory, and the NMI mask beside its index register.
//!
//! Follows Motorola MC146818A data sheet (ADI856R2) and 82371SB PIIX3 data sheet (290550), "Real-Time Clock Index".
//! The clock runs on guest time from a 32.768 kHz crystal; the host sets it by [`HostEvent::WallClock`]. Nothing
//! ticks: time, flags and the next interrupt are closed forms, and a deadline is armed only for an interrupt that is
//! enabled and would change the line. Left out: the square-wave pin, daylight saving (DSE is stored), and other
//! crystals (any divider but 010 holds the clock, as 11x does).

mod calendar;
mod divider;
mod registers;
mod state;
#[cfg(test)]
mod tests;

use calendar::{Calendar, Format};
use divider::Divider;
use emu_core::{
    Access, BusFault, Cx, Device, HostEvent, Pin, Reset, RestoreError, Saved, Space, Tick, TimerId,
};
use registers::{A, B, C, Register};

/// The interrupt, to IRQ8.
pub const IRQ: Pin = Pin(0);

/// The next interrupt.
const TIMER: TimerId = TimerId(0);

const RAM: usize = 128;
/// First byte of plain memory.
const USER_RAM: u8 = 0x0E;
/// Where PC firmware keeps the century, in BCD. The chip does not count it.
const CENTURY: usize = 0x32;

/// From UIP rising to the new time being there: t_BUC (244 us) and the update cycle (1984 us), in crystal periods.
const UPDATE_CYCLE: u128 = 8 + 65;

/// The clock and its memory.
#[derive(Debug)]
pub struct Mc146818 {
    /// Port 70h as written: NMI mask and index.
    index: u8,
    /// Time, alarm and memory; bytes 0Ah to 0Dh are not used.
    ram: [u8; RAM],
    a: A,
    b: B,
    /// PF, AF and UF as far as they have been worked out.
    c: C,
    divider: Divider,
    /// When the next update cycle ends; `None` while the divider is held.
    next_update: Option<Tick>,
}

impl Mc146818 {
    /// A clock that shows 2000-01-01 00:00 (a Saturday), in BCD and 24-hour format, with its memory clear.
    pub fn new() -> Self {
        let mut ram = [0; RAM];
        [ram[6], ram[7], ram[8], ram[CENTURY]] = [0x07, 0x01, 0x01, 0x20];
        Self {
            index: 0,
            ram,
            a: A::RUNNING,
            b: B::new().with_h24(true),
            c: C::new(),
            divider: Divider::started(Tick::ZERO),
            next_update: Some(Tick::SECOND),
        }
    }

    /// Sets a byte of memory (index 0Eh to 7Fh) for the board, which plays the firmware set-up that came before.
    pub fn set_cmos(&mut self, index: u8, value: u8) {
        if let Some(byte) = self.ram.get_mut(usize::from(index)).filter(|_| index >= USER_RAM) {
            *byte = value;
        }
    }

    /// Bit 7 of port 70h: NMI does not reach the processor.
    pub fn nmi_masked(&self) -> bool {
        self.index & 0x80 != 0
    }

    fn format(&self) -> Format {
        Format { binary: self.b.dm(), h24: self.b.h24() }
    }

    fn calendar(&self) -> Calendar {
        Calendar::decode(self.format(), &self.ram)
    }

    /// Works out what has happened up to `now`.
    fn catch_up(&mut self, now: Tick) {
        if self.divider.passed(self.a.rs(), now) {
            self.c.set_pf(true);
        }
        let Some(next) = self.next_update.filter(|&next| next <= now) else { return };
        let updates = 1 + now.saturating_sub(next).periods(Tick::SECOND);
        self.next_update = Some(next + Tick::SECOND.times(updates));
        // "SET: any update cycle in progress is aborted and the program may initialize the time."
        if !self.b.set() {
            self.update(updates);
        }
    }

    fn update(&mut self, seconds: u64) {
        let mut calendar = self.calendar();
        if calendar.until_alarm(self.format(), &self.ram).is_some_and(|until| u64::from(until) <= seconds) {
            self.c.set_af(true);
        }
        calendar.advance(seconds);
        calendar.encode(self.format(), &mut self.ram);
        self.c.set_uf(true);
    }

    fn irqf(&self) -> bool {
        (self.c.pf() && self.b.pie()) || (self.c.af() && self.b.aie()) || (self.c.uf() && self.b.uie())
    }

    /// When the next interrupt comes, if one is enabled.
    fn next_interrupt(&self) -> Option<Tick> {
        let periodic = if self.b.pie() { self.divider.next(self.a.rs()) } else { None };
        let update = self.next_update.filter(|_| !self.b.set());
        let ended = update.filter(|_| self.b.uie());
        let alarm = update.filter(|_| self.b.aie()).and_then(|next| {
            let until = self.calendar().until_alarm(self.format(), &self.ram)?;
            Some(next + Tick::SECOND.times(u64::from(until) - 1))
        });
        [periodic, ended, alarm].into_iter().flatten().min()
    }

    fn settle(&mut self, cx: &mut Cx<'_>) {
        let irqf = self.irqf();
        cx.drive(IRQ, irqf.into());
        // While the line is up no further interrupt can change it.
        match self.next_interrupt().filter(|_| !irqf) {
            Some(at) => cx.arm(TIMER, at),
            None => cx.disarm(TIMER),
        }
    }

    /// "UIP: the update cycle is in progress or will begin soon."
    fn update_in_progress(&self, now: Tick) -> bool {
        self.next_update
            .filter(|_| !self.b.set())
            .is_some_and(|next| divider::crystal_periods(next.saturating_sub(now)) < UPDATE_CYCLE)
    }

    fn read_data(&mut self, cx: &mut Cx<'_>) -> u8 {
        self.catch_up(cx.now());
        match Register::decode(self.index) {
            Register::A => self.a.with_uip(self.update_in_progress(cx.now())).into_bits(),
            Register::B => self.b.into_bits(),
            Register::C => {
                let value = self.c.with_irqf(self.irqf()).into_bits();
                self.c = C::new();
                self.settle(cx);
                value
            }
            Register::D => 0x80, // VRT: the battery is good
            Register::Ram(index) => self.ram[index],
        }
    }

    fn write_data(&mut self, value: u8, cx: &mut Cx<'_>) {
        self.catch_up(cx.now());
        match Register::decode(self.index) {
            Register::A => self.write_a(A::from_bits(value), cx.now()),
            Register::B => {
                let b = B::from_bits(value);
                // "UIE is cleared by the SET bit going high."
                self.b = b.with_uie(b.uie() && !b.set());
            }
            Register::C | Register::D => return, // read only
            Register::Ram(index) => {
                self.ram[index] = value;
                if index >= USER_RAM.into() {
                    return;
                }
            }
        }
        self.settle(cx);
    }

    fn write_a(&mut self, a: A, now: Tick) {
        let ran = self.a.runs();
        self.a = a.with_uip(false);
        if !a.runs() {
            self.divider = Divider::held();
            self.next_update = None;
        } else if !ran {
            self.divider = Divider::started(now);
            // "When the divider is changed from reset to an operating time base, the first update cycle begins
            // one-half second later."
            self.next_update = Some(now + Tick::MILLISECOND.times(500));
        } else {
            self.divider.skip(a.rs(), now);
        }
    }

    fn set_wall_clock(&mut self, unix: i64, now: Tick) {
        self.catch_up(now);
        let (calendar, century) = Calendar::from_unix(unix);
        calendar.encode(self.format(), &mut self.ram);
        self.ram[CENTURY] = calendar::to_bcd(century);
        if self.a.runs() {
            self.divider = Divider::started(now);
            self.next_update = Some(now + Tick::SECOND);
        }
    }
}

impl Default for Mc146818 {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for Mc146818 {
    fn name(&self) -> &'static str {
        "mc146818"
    }

    /// RESET# "does not affect the clock, calendar, or RAM functions"; the battery keeps them through power-off too.
    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        self.catch_up(cx.now());
        self.index = 0;
        self.b = self.b.with_pie(false).with_aie(false).with_uie(false).with_sqwe(false);
        self.c = C::new();
        self.settle(cx);
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        match (at.space, at.region, at.offset) {
            (Space::Port, 0, 1) => Ok(self.read_data(cx).into()),
            _ => Err(BusFault), // 70h is write only
        }
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let [value, ..] = value.to_le_bytes();
        match (at.space, at.region, at.offset) {
            (Space::Port, 0, 0) => self.index = value,
            (Space::Port, 0, 1) => self.write_data(value, cx),
            _ => return Err(BusFault),
        }
        Ok(())
    }

    fn deadline(&mut self, _timer: TimerId, cx: &mut Cx<'_>) {
        self.catch_up(cx.now());
        self.settle(cx);
    }

    fn host(&mut self, event: HostEvent, cx: &mut Cx<'_>) {
        match event {
            HostEvent::WallClock(unix) => self.set_wall_clock(unix, cx.now()),
            HostEvent::Serial(_)
            | HostEvent::Key { .. }
            | HostEvent::Mouse { .. }
            | HostEvent::PowerButton
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
