//! 8259A programmable interrupt controllers: the cascaded pair of the PC/AT, with the edge/level registers of the
//! PIIX3.
//!
//! Follows Intel 8259A data sheet (231468) and 82371SB PIIX3 data sheet (290550), "Interrupt Controller" and "ELCR".
//! Left out: MCS-80/85 vectors (ICW4.uPM = 0 behaves as 8086 mode) and buffered mode, which need pins the PC does not
//! connect. As in the PIIX3 the cascade is hard-wired, so ICW3 is accepted and its value ignored, and ICW1.LTIM gives
//! way to the ELCR.

mod chip;
mod registers;
mod state;
#[cfg(test)]
mod tests;

use chip::I8259a;
use emu_core::{Access, BusFault, Cx, Device, Level, Pin, Reset, RestoreError, Saved, Space};

/// INTR of the master, to the CPU (or LINT0). Inputs are `Pin(0)` to `Pin(15)` for IRQ0-15; IRQ2 is the cascade.
pub const INTR: Pin = Pin(16);

/// The master's input that takes the slave's INT.
const CASCADE: u8 = 2;
/// ELCR bits that exist: IRQ0-2, IRQ8 and IRQ13 are always edge triggered (PIIX3, "ELCR1", "ELCR2").
const ELCR_MASK: [u8; 2] = [0xF8, 0xDE];

/// Both 8259As of a PC.
#[derive(Debug)]
pub struct I8259aPair {
    master: I8259a,
    slave: I8259a,
}

/// What an access names.
#[derive(Clone, Copy)]
enum Register {
    Master { a0: bool },
    Slave { a0: bool },
    Elcr { slave: bool },
}

impl Register {
    fn decode(at: Access) -> Option<Self> {
        let high = at.offset == 1;
        match (at.space, at.region, at.offset) {
            (Space::Port, 0, 0 | 1) => Some(Self::Master { a0: high }),
            (Space::Port, 1, 0 | 1) => Some(Self::Slave { a0: high }),
            (Space::Port, 2, 0 | 1) => Some(Self::Elcr { slave: high }),
            _ => None,
        }
    }
}

impl I8259aPair {
    pub fn new() -> Self {
        Self { master: I8259a::new(1 << CASCADE), slave: I8259a::new(0) }
    }

    /// Brings the cascade and INTR to what the chips ask for.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        self.master.set_cascade(CASCADE, self.slave.int());
        cx.drive(INTR, self.master.int().into());
    }

    /// The INTA cycle: both pulses, and the vector of the second.
    fn acknowledge(&mut self, cx: &mut Cx<'_>) -> u8 {
        // INT of a chip falls with INTA even if another request follows at once: an edge-triggered receiver (the
        // master's IR2, an IOAPIC input in ExtINT mode) sees that request only by a new edge.
        cx.drive(INTR, Level::Low);
        let (level, vector) = self.master.acknowledge();
        let vector = if level == Some(CASCADE) {
            self.master.set_cascade(CASCADE, false);
            self.slave.acknowledge().1
        } else {
            vector
        };
        self.settle(cx);
        vector
    }
}

impl Default for I8259aPair {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for I8259aPair {
    fn name(&self) -> &'static str {
        "i8259a"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        self.master.reset();
        self.slave.reset();
        self.settle(cx);
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        if at.space == Space::IntAck {
            return Ok(self.acknowledge(cx).into());
        }
        let value = match Register::decode(at).ok_or(BusFault)? {
            Register::Master { a0 } => self.master.read(a0),
            Register::Slave { a0 } => self.slave.read(a0),
            Register::Elcr { slave: false } => self.master.elcr(),
            Register::Elcr { slave: true } => self.slave.elcr(),
        };
        // A poll acknowledges.
        self.settle(cx);
        Ok(value.into())
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let [value, ..] = value.to_le_bytes();
        match Register::decode(at).ok_or(BusFault)? {
            Register::Master { a0 } => self.master.write(a0, value),
            Register::Slave { a0 } => self.slave.write(a0, value),
            Register::Elcr { slave: false } => self.master.set_elcr(value & ELCR_MASK[0]),
            Register::Elcr { slave: true } => self.slave.set_elcr(value & ELCR_MASK[1]),
        }
        self.settle(cx);
        Ok(())
    }

    fn pin(&mut self, Pin(irq): Pin, level: Level, cx: &mut Cx<'_>) {
        match irq {
            CASCADE => return, // no such pin on a PC: the slave sits there
            0..=7 => self.master.set_input(irq, level.is_high()),
            8..=15 => self.slave.set_input(irq - 8, level.is_high()),
            _ => return,
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
