//! Intel 82371SB PCI ISA IDE Xcelerator (PIIX3), function 0:1.0: the PCI-to-ISA bridge.
//!
//! Follows the data sheet "82371FB (PIIX) and 82371SB (PIIX3) PCI ISA IDE Xcelerator", order number 290550.
//! Here are the interrupt steering of PIRQA#-PIRQD# and the reset control register; the 8259As with their
//! ELCR, the 8254, the 8237As and the IDE function are modules of their own. Bus timing, positive decode and
//! power-management registers are kept and have no effect.
//!
//! [`Space::Config`]: the configuration registers. Region 0: port CF9h.

mod state;
#[cfg(test)]
mod tests;

use crate::bits::low8;
use crate::pci_config::{PciConfig, Register};
use emu_core::{Access, BusFault, Cx, Device, Level, Pin, Power, Reset, RestoreError, Saved, Space, Width};

/// Inputs: PIRQA# to PIRQD#, asserted high in this model.
pub const PIRQ: [Pin; 4] = [Pin(0), Pin(1), Pin(2), Pin(3)];

/// Output: what the interrupt steering drives onto ISA interrupt `irq` (0-15).
pub const fn irq(irq: u8) -> Pin {
    Pin(16 + (irq & 15))
}

/// Data sheet, "PIRQRC\[A:D\] - PIRQx Route Control Registers".
const PIRQRC: u8 = 0x60;

/// Data sheet, "PCI to ISA Bridge Configuration Registers (Function 0)".
const REGISTERS: &[Register] = &[
    Register::read_only(0x00, Width::Dword, 0x7000_8086),
    // I/O, memory and bus master are hardwired on.
    Register::writable(0x04, Width::Word, 0x0007, 0x0108),
    Register::read_only(0x06, Width::Word, 0x0200),
    // Revision 0, class "ISA bridge".
    Register::read_only(0x08, Width::Dword, 0x0601_0000),
    // Multifunction device.
    Register::read_only(0x0E, Width::Byte, 0x80),
    Register::read_only(0x2C, Width::Dword, 0x1100_1AF4),
    Register::writable(0x4C, Width::Byte, 0x4D, 0xFF),
    Register::writable(0x4E, Width::Word, 0x0003, 0x01FF),
    Register::writable(PIRQRC, Width::Dword, 0x8080_8080, 0x8F8F_8F8F),
    Register::writable(0x69, Width::Byte, 0x02, 0xFE),
    Register::writable(0x6A, Width::Word, 0x0000, 0x0056),
    Register::writable(0x70, Width::Byte, 0x80, 0xEF),
    Register::writable(0x76, Width::Word, 0x0C0C, 0x8F8F),
    Register::writable(0x78, Width::Word, 0x0002, 0xFFFF),
    Register::writable(0x80, Width::Byte, 0x00, 0x7F),
    Register::writable(0x82, Width::Byte, 0x00, 0x0F),
    Register::writable(0xA0, Width::Byte, 0x08, 0x1F),
    Register::writable(0xA2, Width::Word, 0x0000, 0x01FF),
    Register::writable(0xA4, Width::Dword, 0x0000_0000, 0xFFFF_FFFF),
    Register::writable(0xA8, Width::Byte, 0x0F, 0xFF),
    Register::writable(0xAA, Width::Word, 0x0000, 0x01FF),
    Register::writable(0xAC, Width::Byte, 0x00, 0xFF),
    Register::writable(0xAE, Width::Byte, 0x00, 0xFF),
];

/// ISA interrupts that a PIRQ can be steered to; 0, 1, 2, 8 and 13 are reserved. Data sheet, "PIRQRC\[A:D\]".
const STEERABLE: u16 = 0b1101_1110_1111_1000;

/// The PCI-to-ISA bridge.
pub struct Piix3 {
    config: PciConfig,
    /// Levels of PIRQA to PIRQD.
    pirq: [bool; 4],
    /// Reset control register, bit 1: the kind of reset.
    reset_control: u8,
}

impl Default for Piix3 {
    fn default() -> Self {
        Self::new()
    }
}

impl Piix3 {
    pub fn new() -> Self {
        Self { config: PciConfig::new(REGISTERS), pirq: [false; 4], reset_control: 0 }
    }

    /// The ISA interrupts that the steering asserts, one bit each.
    fn steered(&self) -> u16 {
        let routes = self.config.dword(PIRQRC).to_le_bytes();
        let asserted = routes.into_iter().zip(self.pirq).filter(|(_, level)| *level);
        let irqs = asserted.filter(|(route, _)| route & 0x80 == 0).map(|(route, _)| 1 << (route & 0xF));
        irqs.fold(0, |irqs: u16, irq: u16| irqs | irq) & STEERABLE
    }

    /// Drives the ISA interrupts that changed since `old`.
    fn drive_changes(&self, old: u16, cx: &mut Cx<'_>) {
        let new = self.steered();
        for number in 0..16 {
            if (old ^ new) >> number & 1 != 0 {
                cx.drive(irq(number), (new >> number & 1 != 0).into());
            }
        }
    }

    /// Data sheet, "RC - Reset Control Register": a reset starts when bit 2 goes from 0 to 1.
    fn write_reset_control(&mut self, value: u8, cx: &mut Cx<'_>) {
        const HARD: u8 = 1 << 1;
        const RESET_CPU: u8 = 1 << 2;
        self.reset_control = value & HARD;
        if value & RESET_CPU != 0 {
            cx.power(if value & HARD != 0 { Power::Reset } else { Power::CpuReset });
        }
    }
}

impl Device for Piix3 {
    fn name(&self) -> &'static str {
        "piix3"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        let old = self.steered();
        self.config.reset();
        self.reset_control = 0;
        self.drive_changes(old, cx);
    }

    fn widest(&self, _region: u8) -> Width {
        Width::Dword
    }

    fn read(&mut self, at: Access, _cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        match at.space {
            Space::Config => self.config.read(at),
            Space::Port if (at.offset, at.width) == (0, Width::Byte) => Ok(self.reset_control.into()),
            _ => Err(BusFault),
        }
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match at.space {
            Space::Config => {
                let old = self.steered();
                self.config.write(at, value)?;
                self.drive_changes(old, cx);
            }
            Space::Port if (at.offset, at.width) == (0, Width::Byte) => {
                self.write_reset_control(low8(value), cx);
            }
            _ => return Err(BusFault),
        }
        Ok(())
    }

    fn pin(&mut self, pin: Pin, level: Level, cx: &mut Cx<'_>) {
        let old = self.steered();
        if let Some(pirq) = self.pirq.get_mut(usize::from(pin.0)) {
            *pirq = level.is_high();
        }
        self.drive_changes(old, cx);
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
