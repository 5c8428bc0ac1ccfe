//! Intel 82371AB (PIIX4) power management, function 0:1.3.
//!
//! Follows the data sheet "82371AB PCI-to-ISA/IDE Xcelerator (PIIX4)", order number 290562, and the
//! ACPI Specification 2.0, chapter 4.7. As on the boards of QEMU it sits beside a PIIX3.
//!
//! What a FADT has to say: PM1a_EVT at PMBASE+0 (4 bytes), PM1a_CNT at PMBASE+4 (2), PM_TMR at PMBASE+8 (4, a
//! 24-bit counter), GPE0 at region 2 (4), SMI_CMD B2h with ACPI_ENABLE [`ACPI_ENABLE`] and ACPI_DISABLE
//! [`ACPI_DISABLE`], SCI on IRQ 9. `_S5` has SLP_TYPa = [`S5`] (data sheet, "PMCNTRL", SUS_TYP "soft off").
//!
//! There is no system-management mode: SMI_CMD sets SCI_EN itself, DEVACTB.APMC_EN reads as set from reset
//! (the firmware's sign that SMM is not to be set up), and nothing raises an SMI. The SMBus host controller
//! is left out (its enable bit stays clear), and so are device monitoring, bursts and sleep states other than
//! S5.
//!
//! [`Space::Config`]: the configuration registers. Region 0: the 64 ports of the power-management window,
//! placed by PMBA. Region 1: ports B2h-B3h. Region 2: the GPE0 block, the same registers as PMBASE+0Ch.

mod registers;
mod state;
#[cfg(test)]
mod tests;

use crate::bits::{low8, low16};
use crate::pci_config::{PciConfig, Register};
use emu_core::{
    Access, BusFault, Cx, Device, HostEvent, Pin, Power, Reset, RestoreError, Saved, Space, Tick, TimerId,
    Width,
};
use registers::{PmControl, PmRegister, event};

/// Output: the system control interrupt, wired to IRQ 9.
pub const SCI: Pin = Pin(0);
/// Where firmware for this board puts PMBA.
pub const PMBASE: u16 = 0x600;
/// Where the board puts region 2.
pub const GPE0_BASE: u16 = 0xAFE0;
/// Written to SMI_CMD: take over power management (set SCI_EN).
pub const ACPI_ENABLE: u8 = 0xF1;
/// Written to SMI_CMD: give power management back.
pub const ACPI_DISABLE: u8 = 0xF0;
/// SLP_TYP of soft-off.
pub const S5: u8 = 0;

const PMBA: u8 = 0x40;
const PMREGMISC: u8 = 0x80;
const OVERFLOW: TimerId = TimerId(0);

/// Configuration registers. Data sheet, "Power Management PCI Configuration Registers".
const REGISTERS: &[Register] = &[
    Register::read_only(0x00, Width::Dword, 0x7113_8086),
    Register::writable(0x04, Width::Word, 0x0000, 0x0001),
    Register::read_only(0x06, Width::Word, 0x0280),
    // Revision 3, class "other bridge".
    Register::read_only(0x08, Width::Dword, 0x0680_0003),
    Register::read_only(0x2C, Width::Dword, 0x1100_1AF4),
    Register::writable(0x3C, Width::Byte, 0x00, 0xFF),
    Register::read_only(0x3D, Width::Byte, 0x01),
    Register::writable(PMBA, Width::Dword, 0x0000_0001, 0x0000_FFC0),
    Register::writable(0x44, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x48, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x4C, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x50, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x54, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    // DEVACTB with APMC_EN (bit 25) set, see above.
    Register::writable(0x58, Width::Dword, 0x0200_0000, 0xFDFF_FFFF),
    Register::writable(0x5C, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x60, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x64, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x68, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x6C, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x70, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x74, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x78, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0x7C, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(PMREGMISC, Width::Byte, 0x00, 0x01),
    Register::writable(0x90, Width::Dword, 0x0000_0001, 0x0000_FFF0),
];

/// The power-management function.
pub struct Piix4Pm {
    config: PciConfig,
    /// PMSTS without TMROF_STS, which follows from time.
    status: u16,
    enable: u16,
    control: PmControl,
    /// How often the timer's top bit had changed when TMROF_STS was last cleared.
    overflows_seen: u64,
    gp_enable: u16,
    processor_control: u32,
    global_enable: u16,
    global_control: u32,
    device_control: u32,
    gp_output: u32,
    apm_control: u8,
    apm_status: u8,
    /// The timer-overflow deadline now armed.
    armed: Option<Tick>,
}

impl Default for Piix4Pm {
    fn default() -> Self {
        Self::new()
    }
}

impl Piix4Pm {
    pub fn new() -> Self {
        Self {
            config: PciConfig::new(REGISTERS),
            status: 0,
            enable: 0,
            control: PmControl::new(),
            overflows_seen: 0,
            gp_enable: 0,
            processor_control: 0,
            global_enable: 0,
            global_control: 0,
            device_control: 0,
            gp_output: registers::GPOREG_RESET,
            apm_control: 0,
            apm_status: 0,
            armed: None,
        }
    }

    /// Data sheet, "PMSTS - Power Management Status Register".
    fn status(&self, now: Tick) -> u16 {
        let overflowed = registers::overflows(now) != self.overflows_seen;
        self.status | if overflowed { event::TIMER } else { 0 }
    }

    fn clear_status(&mut self, bits: u16, now: Tick) {
        self.status &= !bits;
        if bits & event::TIMER != 0 {
            self.overflows_seen = registers::overflows(now);
        }
    }

    /// Arms the timer overflow if it would interrupt, and drives SCI; ends every entry point.
    fn update(&mut self, cx: &mut Cx<'_>) {
        let status = self.status(cx.now());
        let waits_for_overflow = self.enable & !status & event::TIMER != 0;
        let wanted = waits_for_overflow.then(|| registers::next_overflow(cx.now()));
        if wanted != self.armed {
            self.armed = wanted;
            match wanted {
                Some(at) => cx.arm(OVERFLOW, at),
                None => cx.disarm(OVERFLOW),
            }
        }
        cx.drive(SCI, (self.control.sci_enabled() && status & self.enable != 0).into());
    }

    fn place_window(&self, cx: &mut Cx<'_>) {
        let base = u64::from(self.config.dword(PMBA) & 0xFFC0);
        cx.window(0, (self.config.byte(PMREGMISC) & 1 != 0).then_some(base));
    }

    fn read_pm(&self, register: PmRegister, now: Tick) -> u32 {
        match register {
            PmRegister::Status => self.status(now).into(),
            PmRegister::Enable => self.enable.into(),
            PmRegister::Control => self.control.into_bits().into(),
            PmRegister::Timer => registers::timer(now),
            PmRegister::GpEnable => self.gp_enable.into(),
            PmRegister::ProcessorControl => self.processor_control,
            PmRegister::GlobalEnable => self.global_enable.into(),
            PmRegister::GlobalControl => self.global_control,
            PmRegister::DeviceControl => self.device_control,
            PmRegister::GpOutput => self.gp_output,
            // Nothing is monitored, and reading a level register finds no sleep state to enter.
            PmRegister::GpStatus
            | PmRegister::Level2
            | PmRegister::Level3
            | PmRegister::GlobalStatus
            | PmRegister::DeviceStatus
            | PmRegister::GpInput => 0,
        }
    }

    /// Writes the bits of `mask`.
    fn write_pm(&mut self, register: PmRegister, value: u32, mask: u32, cx: &mut Cx<'_>) {
        let merged = self.read_pm(register, cx.now()) & !mask | value & mask;
        let half = low16(merged.into());
        match register {
            PmRegister::Status => self.clear_status(low16((value & mask).into()), cx.now()),
            PmRegister::Enable => self.enable = half & event::ALL,
            PmRegister::Control => self.write_control(half, cx),
            PmRegister::GpEnable => self.gp_enable = half,
            PmRegister::ProcessorControl => self.processor_control = merged & registers::PCNTRL_WRITABLE,
            PmRegister::GlobalEnable => self.global_enable = half,
            PmRegister::GlobalControl => self.global_control = merged,
            PmRegister::DeviceControl => self.device_control = merged,
            PmRegister::GpOutput => self.gp_output = merged & registers::GPOREG_WRITABLE,
            PmRegister::Timer
            | PmRegister::GpStatus
            | PmRegister::Level2
            | PmRegister::Level3
            | PmRegister::GlobalStatus
            | PmRegister::DeviceStatus
            | PmRegister::GpInput => {}
        }
    }

    /// Data sheet, "PMCNTRL - Power Management Control Register": writing SUS_EN enters the state of SUS_TYP;
    /// it always reads zero.
    fn write_control(&mut self, value: u16, cx: &mut Cx<'_>) {
        let control = PmControl::from_bits(value & PmControl::WRITABLE);
        if control.suspend_enable() && control.suspend_type() == S5 {
            cx.power(Power::Off);
        }
        self.control = control.with_suspend_enable(false);
    }

    fn write_apm_control(&mut self, value: u8) {
        self.apm_control = value;
        match value {
            ACPI_ENABLE => self.control.set_sci_enabled(true),
            ACPI_DISABLE => self.control.set_sci_enabled(false),
            _ => {}
        }
    }

    fn read_port(&self, at: Access, now: Tick) -> Result<u64, BusFault> {
        match (at.region, at.offset) {
            (0, _) => Ok(registers::pieces(at.offset, at.width)
                .fold(0, |all, piece| all | piece.place(self.read_pm(piece.register, now)))
                & at.width.mask()),
            (1, 0) => Ok(self.apm_control.into()),
            (1, 1) => Ok(self.apm_status.into()),
            (2, 0..4) => self.read_port(Access { region: 0, offset: at.offset + registers::GPE0, ..at }, now),
            _ => Err(BusFault),
        }
    }

    fn write_port(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match (at.region, at.offset) {
            (0, _) => {
                for piece in registers::pieces(at.offset, at.width) {
                    let (bits, mask) = piece.take(value, at.width);
                    self.write_pm(piece.register, bits, mask, cx);
                }
            }
            (1, 0) => self.write_apm_control(low8(value)),
            (1, 1) => self.apm_status = low8(value),
            (2, 0..4) => {
                let aliased = Access { region: 0, offset: at.offset + registers::GPE0, ..at };
                return self.write_port(aliased, value, cx);
            }
            _ => return Err(BusFault),
        }
        Ok(())
    }
}

impl Device for Piix4Pm {
    fn name(&self) -> &'static str {
        "piix4_pm"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        let overflows_seen = registers::overflows(cx.now());
        *self = Self { overflows_seen, armed: self.armed, ..Self::new() };
        self.place_window(cx);
        self.update(cx);
    }

    fn widest(&self, region: u8) -> Width {
        if region == 1 { Width::Byte } else { Width::Dword }
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        match at.space {
            Space::Config => self.config.read(at),
            Space::Port => self.read_port(at, cx.now()),
            _ => Err(BusFault),
        }
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let result = match at.space {
            Space::Config => self.config.write(at, value).map(|()| self.place_window(cx)),
            Space::Port => self.write_port(at, value, cx),
            _ => Err(BusFault),
        };
        self.update(cx);
        result
    }

    fn deadline(&mut self, _timer: TimerId, cx: &mut Cx<'_>) {
        self.armed = None;
        self.update(cx);
    }

    fn host(&mut self, event: HostEvent, cx: &mut Cx<'_>) {
        match event {
            HostEvent::PowerButton => self.status |= event::POWER_BUTTON,
            HostEvent::Serial(_)
            | HostEvent::Key { .. }
            | HostEvent::Mouse { .. }
            | HostEvent::WallClock(_)
            | HostEvent::DiskReady(_) => {}
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
