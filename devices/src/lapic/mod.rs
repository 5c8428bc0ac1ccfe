//! Local APIC with x2APIC and the TSC-deadline timer.
//!
//! Follows the Intel SDM Vol. 3A, chapter 11 (edition 081; "Advanced Programmable Interrupt Controller").
//! Version 14h with six LVT entries; EOI-broadcast suppression and the CMCI entry are not offered. The chip
//! is that of the boot processor and today the only one: interrupts to other destinations go nowhere.
//!
//! Polarity bits are kept and have no effect, because lines are active high in this model. Delivery is
//! immediate, so delivery-status bits read idle. The arbitration-priority and remote-read registers read
//! zero, as on every CPU since the Pentium 4.
//!
//! | access | meaning |
//! |---|---|
//! | region 0, [`Space::Memory`] | the 4 KiB register page, wherever IA32_APIC_BASE puts it |
//! | [`Space::Msr`] 1Bh, 6E0h, 800h-8FFh | IA32_APIC_BASE, IA32_TSC_DEADLINE, x2APIC; a fault is #GP |
//! | [`Space::Msr`] [`CR8`] | the task priority as CR8 shows it |
//! | [`Space::Message`] | an interrupt message arrives |
//! | [`Space::IntAck`] read | the vector, or a fault: it is an ExtINT, ask the 8259A |
//!
//! IA32_TSC_DEADLINE is compared with guest time in periods of [`Tick::TSC`]; an engine whose vCPU has a TSC
//! offset takes it off before the write and adds it after the read.

mod priority;
mod receive;
mod registers;
mod send;
mod state;
#[cfg(test)]
mod tests;
mod timer;

use crate::bits::{low8, low32};
use emu_core::{
    Access, BusFault, CpuSignal, Cx, Device, Level, Pin, Reset, RestoreError, Saved, Space, Tick, TimerId,
    Width,
};
use priority::Vectors;
use registers::{ApicBase, Entry, Icr, Lvt, Register, Svr, TimerMode, error};
use timer::Timer;

/// Input: local interrupt 0, wired to the 8259A's INTR.
pub const LINT0: Pin = Pin(0);
/// Input: local interrupt 1, wired to the platform's NMI.
pub const LINT1: Pin = Pin(1);
/// Output: the CPU has an interrupt to acknowledge.
pub const INTR: Pin = Pin(2);

/// The "MSR" number under which the board reaches CR8.
pub const CR8: u64 = 0x1_0808;
/// Where the register page is after reset.
pub const BASE: u64 = 0xFEE0_0000;

const IA32_APIC_BASE: u64 = 0x1B;
const IA32_TSC_DEADLINE: u64 = 0x6E0;
const X2APIC: u64 = 0x800;
/// Version 14h, highest LVT entry 5. Intel SDM Vol. 3A 11.4.8.
const VERSION: u32 = 0x0005_0014;
const COUNTDOWN: TimerId = TimerId(0);

/// What the CPU model says of its local APIC in CPUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    pub x2apic: bool,
    pub tsc_deadline: bool,
}

/// The local APIC of one CPU.
pub struct Lapic {
    /// The initial APIC ID, which is the x2APIC ID.
    id: u8,
    features: Features,
    base: ApicBase,
    /// The xAPIC ID; software can write it.
    xapic_id: u8,
    tpr: u8,
    /// Logical destination register, bits 31:24 (xAPIC mode).
    ldr: u8,
    /// Destination format register, bits 31:28 (xAPIC mode).
    dfr: u8,
    svr: Svr,
    isr: Vectors,
    tmr: Vectors,
    irr: Vectors,
    /// ESR as software reads it: the errors up to the last write of the register.
    esr: u8,
    /// Errors since the last write of the ESR.
    errors: u8,
    icr: Icr,
    /// The destination of the ICR: 8 bits in xAPIC mode, 32 in x2APIC mode.
    icr_destination: u32,
    lvt: [Lvt; 6],
    timer: Timer,
    /// The countdown deadline now armed. Armed only while the interrupt would be seen.
    armed: Option<Tick>,
    lint: [Level; 2],
    /// An ExtINT message waits for its acknowledge cycle.
    ext_int: bool,
}

impl Lapic {
    /// The local APIC with this initial APIC ID, with x2APIC and the TSC-deadline timer.
    pub fn new(id: u8) -> Self {
        Self::with_features(id, Features { x2apic: true, tsc_deadline: true })
    }

    pub fn with_features(id: u8, features: Features) -> Self {
        Self {
            id,
            features,
            base: ApicBase::POWER_ON,
            xapic_id: id,
            tpr: 0,
            ldr: 0,
            dfr: 0xF,
            svr: Svr::POWER_ON,
            isr: Vectors::default(),
            tmr: Vectors::default(),
            irr: Vectors::default(),
            esr: 0,
            errors: 0,
            icr: Icr::new(),
            icr_destination: 0,
            lvt: [Lvt::POWER_ON; 6],
            timer: Timer::default(),
            armed: None,
            lint: [Level::Low; 2],
            ext_int: false,
        }
    }

    /// Puts the APIC where a firmware leaves it for a kernel: enabled, the 8259A behind LINT0 (virtual wire
    /// mode, MultiProcessor Specification 3.6.2.2), NMI behind LINT1. For direct kernel boot, after reset.
    pub fn set_virtual_wire(&mut self) {
        self.svr = Svr::POWER_ON.with_enabled(true);
        self.lvt[Entry::Lint0.index()] = Lvt::new().with_delivery(registers::Delivery::ExtInt);
        self.lvt[Entry::Lint1.index()] = Lvt::new().with_delivery(registers::Delivery::Nmi);
    }

    /// The CPU received INIT#: all but IDs, IA32_APIC_BASE and the input pins goes back to power-up values.
    /// Intel SDM Vol. 3A 11.4.7.3.
    pub fn init(&mut self, cx: &mut Cx<'_>) {
        self.power_up();
        self.update(cx);
    }

    fn power_up(&mut self) {
        let Self { id, features, base, xapic_id, lint, armed, .. } = *self;
        *self = Self { base, xapic_id, lint, armed, ..Self::with_features(id, features) };
    }

    fn x2apic_mode(&self) -> bool {
        self.base.enabled() && self.base.extd()
    }

    fn timer_mode(&self) -> TimerMode {
        self.lvt[Entry::Timer.index()].timer_mode()
    }

    /// Whether the timer's next expiry would change anything: what nobody can see is not armed.
    fn expiry_is_visible(&self) -> bool {
        let entry = self.lvt[Entry::Timer.index()];
        let seen = match entry.vector() {
            0..=15 => self.errors & error::RECEIVE_ILLEGAL_VECTOR != 0,
            vector => self.irr.holds(vector),
        };
        self.base.enabled() && !entry.masked() && !seen
    }

    /// Delivers the expiry that is due, for accesses that come before the board's deadline call.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        if self.armed.is_some_and(|at| at <= cx.now()) {
            if self.timer_mode() == TimerMode::TscDeadline {
                self.timer.deadline = 0;
            }
            self.deliver_entry(Entry::Timer, cx);
        }
    }

    /// Re-arms the timer and drives INTR; ends every entry point.
    fn update(&mut self, cx: &mut Cx<'_>) {
        let wanted =
            if self.expiry_is_visible() { self.timer.next_expiry(self.timer_mode(), cx.now()) } else { None };
        if wanted != self.armed {
            self.armed = wanted;
            match wanted {
                Some(at) => cx.arm(COUNTDOWN, at),
                None => cx.disarm(COUNTDOWN),
            }
        }
        cx.drive(INTR, (self.deliverable().is_some() || self.ext_int_waits()).into());
    }

    fn read_register(&self, register: Register, now: Tick) -> u32 {
        match register {
            Register::Id => self.id_register(),
            Register::Version => VERSION,
            Register::Tpr => self.tpr.into(),
            Register::Ppr => self.ppr().into(),
            Register::Ldr => self.ldr_register(),
            Register::Dfr => u32::from(self.dfr) << 28 | 0x0FFF_FFFF,
            Register::Svr => self.svr.into_bits(),
            Register::Isr(word) => self.isr.word(word),
            Register::Tmr(word) => self.tmr.word(word),
            Register::Irr(word) => self.irr.word(word),
            Register::Esr => self.esr.into(),
            Register::IcrLow => self.icr.into_bits(),
            Register::IcrHigh => self.icr_destination << 24,
            Register::Lvt(entry) => self.lvt[entry.index()].into_bits(),
            Register::InitialCount => self.timer.initial,
            Register::CurrentCount => self.timer.current(self.timer_mode(), now),
            Register::DivideConfiguration => self.timer.divide.into(),
            Register::Eoi | Register::SelfIpi | Register::Apr | Register::RemoteRead => 0,
        }
    }

    /// What both modes do with a written value; bits that cannot be written are dropped here.
    fn write_register(&mut self, register: Register, value: u32, cx: &mut Cx<'_>) {
        match register {
            Register::Id => self.xapic_id = low8((value >> 24).into()),
            Register::Tpr => self.tpr = low8(value.into()),
            Register::Eoi => self.end_of_interrupt(cx),
            Register::Ldr => self.ldr = low8((value >> 24).into()),
            Register::Dfr => self.dfr = low8((value >> 28).into()),
            Register::Svr => self.write_svr(value),
            Register::Esr => self.esr = std::mem::take(&mut self.errors),
            Register::IcrLow => self.write_icr(value, cx),
            Register::IcrHigh => self.icr_destination = value >> 24,
            Register::Lvt(entry) => self.write_lvt(entry, value, cx),
            Register::InitialCount => self.write_initial_count(value, cx.now()),
            Register::DivideConfiguration => {
                let divide = low8((value & Timer::DIVIDE_WRITABLE).into());
                self.timer.set_divide(divide, self.timer_mode(), cx.now());
            }
            Register::SelfIpi => self.accept(low8(value.into()), false, cx),
            Register::Version
            | Register::Apr
            | Register::Ppr
            | Register::RemoteRead
            | Register::Isr(_)
            | Register::Tmr(_)
            | Register::Irr(_)
            | Register::CurrentCount => {}
        }
    }

    fn id_register(&self) -> u32 {
        if self.x2apic_mode() { self.id.into() } else { u32::from(self.xapic_id) << 24 }
    }

    fn ldr_register(&self) -> u32 {
        if self.x2apic_mode() { self.x2apic_logical_id() } else { u32::from(self.ldr) << 24 }
    }

    /// Intel SDM Vol. 3A 11.12.10.2: derived from the x2APIC ID.
    fn x2apic_logical_id(&self) -> u32 {
        u32::from(self.id >> 4) << 16 | 1 << (self.id & 0xF)
    }

    fn write_svr(&mut self, value: u32) {
        self.svr = Svr::from_bits(value & Svr::WRITABLE);
        if !self.svr.enabled() {
            // Intel SDM Vol. 3A 11.4.7.2: the mask bits of all LVT entries are set.
            for entry in &mut self.lvt {
                entry.set_masked(true);
            }
        }
    }

    fn write_lvt(&mut self, entry: Entry, value: u32, cx: &mut Cx<'_>) {
        let old = self.lvt[entry.index()];
        let mut new = Lvt::from_bits(value & entry.writable());
        new.set_masked(new.masked() || !self.svr.enabled());
        new.set_remote_irr(old.remote_irr() && new.level());
        if entry == Entry::Timer {
            self.timer.set_mode(old.timer_mode(), new.timer_mode(), cx.now());
        }
        self.lvt[entry.index()] = new;
        match entry {
            Entry::Lint0 | Entry::Lint1 => self.sample_level_input(entry, cx),
            Entry::Timer | Entry::Thermal | Entry::Performance | Entry::Error => {}
        }
    }

    fn write_initial_count(&mut self, value: u32, now: Tick) {
        match self.timer_mode() {
            // Intel SDM Vol. 3A 11.5.4.1: writes to the initial-count register are ignored.
            TimerMode::TscDeadline => {}
            TimerMode::OneShot | TimerMode::Periodic | TimerMode::Reserved => self.timer.start(value, now),
        }
    }

    fn write_deadline(&mut self, value: u64, cx: &mut Cx<'_>) {
        if self.timer_mode() != TimerMode::TscDeadline {
            return;
        }
        self.timer.deadline = value;
        let past = self.timer.deadline_tick().is_some_and(|at| at <= cx.now());
        if past {
            self.timer.deadline = 0;
            self.deliver_entry(Entry::Timer, cx);
        }
    }

    /// Intel SDM Vol. 3A figure 11-27: the legal transitions between disabled, xAPIC and x2APIC mode.
    fn write_base(&mut self, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let new = ApicBase::from_bits(value);
        let legal = match (self.base.enabled(), self.base.extd(), new.enabled(), new.extd()) {
            (_, _, false, true) => false,
            (false, _, true, true) => false,
            (true, true, true, false) => false,
            (_, _, _, extd) => !extd || self.features.x2apic,
        };
        if value & !ApicBase::WRITABLE != 0 || !legal {
            return Err(BusFault);
        }
        let old = std::mem::replace(&mut self.base, new);
        if !new.enabled() {
            // Intel SDM Vol. 3A 11.4.3: the APIC returns to its state after power-up.
            self.power_up();
            self.xapic_id = self.id;
        } else if new.extd() && !old.extd() {
            self.icr_destination = 0;
        }
        self.place_window(cx);
        Ok(())
    }

    fn place_window(&self, cx: &mut Cx<'_>) {
        let answers = self.base.enabled() && !self.base.extd();
        cx.window(0, answers.then(|| self.base.address()));
    }

    fn read_memory(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        if !self.base.enabled() || self.base.extd() || at.offset & 3 != 0 || at.width != Width::Dword {
            return Err(BusFault);
        }
        if at.offset & 0xC != 0 {
            return Ok(0);
        }
        let register = Register::decode(at.offset >> 4).filter(|register| *register != Register::SelfIpi);
        let Some(register) = register else {
            self.raise_error(error::ILLEGAL_REGISTER, cx);
            return Ok(0);
        };
        Ok(self.read_register(register, cx.now()).into())
    }

    fn write_memory(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        if !self.base.enabled() || self.base.extd() || at.offset & 3 != 0 || at.width != Width::Dword {
            return Err(BusFault);
        }
        if at.offset & 0xC != 0 {
            return Ok(());
        }
        match Register::decode(at.offset >> 4).filter(|register| *register != Register::SelfIpi) {
            Some(register) => self.write_register(register, low32(value), cx),
            None => self.raise_error(error::ILLEGAL_REGISTER, cx),
        }
        Ok(())
    }

    fn read_msr(&mut self, msr: u64, now: Tick) -> Result<u64, BusFault> {
        match msr {
            IA32_APIC_BASE => Ok(self.base.into_bits()),
            IA32_TSC_DEADLINE if self.features.tsc_deadline => Ok(self.timer.deadline_msr(now)),
            CR8 => Ok(u64::from(self.tpr >> 4)),
            X2APIC..=0x8FF if self.x2apic_mode() => self.read_x2apic(msr, now),
            _ => Err(BusFault),
        }
    }

    fn write_msr(&mut self, msr: u64, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match msr {
            IA32_APIC_BASE => self.write_base(value, cx)?,
            IA32_TSC_DEADLINE if self.features.tsc_deadline => self.write_deadline(value, cx),
            CR8 if value <= 0xF => self.tpr = low8(value << 4),
            X2APIC..=0x8FF if self.x2apic_mode() => self.write_x2apic(msr, value, cx)?,
            _ => return Err(BusFault),
        }
        Ok(())
    }

    /// Intel SDM Vol. 3A table 11-6.
    fn read_x2apic(&mut self, msr: u64, now: Tick) -> Result<u64, BusFault> {
        match Register::decode(msr - X2APIC).ok_or(BusFault)? {
            Register::Eoi
            | Register::SelfIpi
            | Register::Apr
            | Register::RemoteRead
            | Register::Dfr
            | Register::IcrHigh => Err(BusFault),
            Register::IcrLow => Ok(u64::from(self.icr_destination) << 32 | u64::from(self.icr.into_bits())),
            register => Ok(self.read_register(register, now).into()),
        }
    }

    /// Intel SDM Vol. 3A table 11-6 and 11.12.1.3: setting a reserved bit is a #GP.
    fn write_x2apic(&mut self, msr: u64, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let register = Register::decode(msr - X2APIC).ok_or(BusFault)?;
        let writable = match register {
            Register::Tpr | Register::SelfIpi => 0xFF,
            Register::Eoi | Register::Esr => 0,
            Register::Svr => Svr::WRITABLE.into(),
            Register::IcrLow => 0xFFFF_FFFF_0000_0000 | u64::from(Icr::WRITABLE),
            // The read-only bits 12 and 14 are ignored, not reserved.
            Register::Lvt(entry) => u64::from(entry.writable()) | 0x5000,
            Register::InitialCount => 0xFFFF_FFFF,
            Register::DivideConfiguration => Timer::DIVIDE_WRITABLE.into(),
            Register::Id
            | Register::Version
            | Register::Apr
            | Register::Ppr
            | Register::RemoteRead
            | Register::Ldr
            | Register::Dfr
            | Register::Isr(_)
            | Register::Tmr(_)
            | Register::Irr(_)
            | Register::IcrHigh
            | Register::CurrentCount => return Err(BusFault),
        };
        if value & !writable != 0 {
            return Err(BusFault);
        }
        if register == Register::IcrLow {
            self.icr_destination = low32(value >> 32);
        }
        self.write_register(register, low32(value), cx);
        Ok(())
    }

    fn acknowledge(&mut self) -> Result<u64, BusFault> {
        if let Some(vector) = self.deliverable() {
            self.irr.clear(vector);
            self.isr.set(vector);
            return Ok(vector.into());
        }
        if self.ext_int_waits() {
            self.ext_int = false;
            return Err(BusFault);
        }
        // Intel SDM Vol. 3A 11.9: the interrupt went away between INTR and the acknowledge cycle.
        Ok(self.svr.vector().into())
    }
}

impl Device for Lapic {
    fn name(&self) -> &'static str {
        "lapic"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        self.base = ApicBase::POWER_ON;
        self.xapic_id = self.id;
        self.power_up();
        self.place_window(cx);
        self.update(cx);
    }

    fn widest(&self, _region: u8) -> Width {
        Width::Dword
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        self.settle(cx);
        let result = match at.space {
            Space::Memory => self.read_memory(at, cx),
            Space::Msr => self.read_msr(at.offset, cx.now()),
            Space::IntAck => self.acknowledge(),
            Space::Port | Space::Config | Space::Message | Space::Dma | Space::Eoi => Err(BusFault),
        };
        self.update(cx);
        result
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        self.settle(cx);
        let result = match at.space {
            Space::Memory => self.write_memory(at, value, cx),
            Space::Msr => self.write_msr(at.offset, value, cx),
            Space::Message => {
                self.receive(low32(at.offset), low32(value), cx);
                Ok(())
            }
            Space::Port | Space::Config | Space::IntAck | Space::Dma | Space::Eoi => Err(BusFault),
        };
        self.update(cx);
        result
    }

    fn deadline(&mut self, _timer: TimerId, cx: &mut Cx<'_>) {
        self.settle(cx);
        // The board has spent the deadline: arm afresh even if the same one is wanted.
        self.armed = None;
        self.update(cx);
    }

    fn pin(&mut self, pin: Pin, level: Level, cx: &mut Cx<'_>) {
        self.settle(cx);
        match pin {
            LINT0 => self.input(Entry::Lint0, level, cx),
            LINT1 => self.input(Entry::Lint1, level, cx),
            Pin(_) => {}
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

/// A signal to the CPU for each delivery mode that is one.
fn cpu_signal(delivery: registers::Delivery, vector: u8) -> Option<CpuSignal> {
    use registers::Delivery;
    match delivery {
        Delivery::Smi => Some(CpuSignal::Smi),
        Delivery::Nmi => Some(CpuSignal::Nmi),
        Delivery::Init => Some(CpuSignal::Init),
        Delivery::StartUp => Some(CpuSignal::Sipi(vector)),
        Delivery::Fixed | Delivery::LowestPriority | Delivery::Reserved | Delivery::ExtInt => None,
    }
}
