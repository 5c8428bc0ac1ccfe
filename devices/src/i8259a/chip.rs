//! One 8259A.

use super::registers::{Icw1, Icw4, Ocw2, Ocw3};

/// The initialization word that the next write with A0 = 1 carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    Icw2,
    Icw3,
    Icw4,
    /// Initialized: OCW1.
    Ocw1,
}

#[derive(Clone, Debug)]
pub(super) struct I8259a {
    /// Wiring: inputs that have a slave.
    pub(super) cascaded: u8,

    /// Levels of the inputs.
    pub(super) lines: u8,
    pub(super) irr: u8,
    pub(super) isr: u8,
    pub(super) imr: u8,
    /// Level-triggered inputs.
    pub(super) elcr: u8,
    pub(super) expect: Expect,
    pub(super) icw1: Icw1,
    /// Vector of IR0; the low three bits are zero.
    pub(super) icw2: u8,
    pub(super) icw4: Icw4,
    /// The level that has the lowest priority; 7 after initialization.
    pub(super) lowest: u8,
    pub(super) rotate_in_aeoi: bool,
    pub(super) special_mask: bool,
    pub(super) read_isr: bool,
    /// The next read is a poll.
    pub(super) poll: bool,
}

impl I8259a {
    pub(super) fn new(cascaded: u8) -> Self {
        Self {
            cascaded,
            lines: 0,
            irr: 0,
            isr: 0,
            // The data sheet leaves the power-on state open; masked, the chip keeps quiet until it is initialized.
            imr: 0xFF,
            elcr: 0,
            expect: Expect::Ocw1,
            icw1: Icw1::new(),
            icw2: 0,
            icw4: Icw4::new(),
            lowest: 7,
            rotate_in_aeoi: false,
            special_mask: false,
            read_isr: false,
            poll: false,
        }
    }

    /// Back to power-on, but for the inputs, which belong to the outside.
    pub(super) fn reset(&mut self) {
        *self = Self { lines: self.lines, ..Self::new(self.cascaded) };
    }

    pub(super) fn elcr(&self) -> u8 {
        self.elcr
    }

    pub(super) fn set_elcr(&mut self, value: u8) {
        let was_level = self.elcr & !value;
        self.elcr = value;
        self.irr = self.irr & !was_level | self.lines & value;
    }

    /// An input changes level.
    ///
    /// In edge mode the request is held until acknowledged even if the input falls before: the discrete 8259A would
    /// then answer with a spurious IR7, but the PC's chip sets keep the request, and sources that pulse their line
    /// (HPET) depend on it.
    pub(super) fn set_input(&mut self, ir: u8, high: bool) {
        let bit = 1 << ir;
        let rising = high && self.lines & bit == 0;
        self.lines = if high { self.lines | bit } else { self.lines & !bit };
        if rising {
            self.irr |= bit;
        } else if !high && self.elcr & bit != 0 {
            self.irr &= !bit;
        }
    }

    /// INT of a slave. It stays up until acknowledged, so a fall means that the request is gone.
    pub(super) fn set_cascade(&mut self, ir: u8, high: bool) {
        self.set_input(ir, high);
        if !high {
            self.irr &= !(1 << ir);
        }
    }

    /// Priority of a level: 0 is the highest.
    fn priority(&self, ir: u8) -> u8 {
        ir.wrapping_sub(self.lowest).wrapping_sub(1) & 7
    }

    /// The set bit with the highest priority.
    fn highest(&self, bits: u8) -> Option<u8> {
        (0..8).filter(|ir| bits & 1 << ir != 0).min_by_key(|&ir| self.priority(ir))
    }

    /// The request that INT stands for.
    fn request(&self) -> Option<u8> {
        let ir = self.highest(self.irr & !self.imr)?;
        // "Special Mask Mode": a masked level in service does not hold back others.
        let mut in_service = if self.special_mask { self.isr & !self.imr } else { self.isr };
        // "Special Fully Nested Mode": a slave in service does not hold back its own further requests.
        if self.icw4.sfnm() {
            in_service &= !(self.cascaded & 1 << ir);
        }
        match self.highest(in_service) {
            Some(serving) if self.priority(serving) <= self.priority(ir) => None,
            _ => Some(ir),
        }
    }

    pub(super) fn int(&self) -> bool {
        self.request().is_some()
    }

    /// Takes the pending request into service.
    fn take(&mut self) -> Option<u8> {
        let ir = self.request()?;
        let bit = 1 << ir;
        if self.elcr & bit == 0 {
            self.irr &= !bit;
        }
        if !self.icw4.aeoi() {
            self.isr |= bit;
        } else if self.rotate_in_aeoi {
            self.lowest = ir;
        }
        Some(ir)
    }

    /// INTA: the level taken and its vector; if the request has gone, the vector of IR7 and nothing in service
    /// ("a DEFAULT IR7 will occur").
    pub(super) fn acknowledge(&mut self) -> (Option<u8>, u8) {
        let ir = self.take();
        (ir, self.icw2 | ir.unwrap_or(7))
    }

    pub(super) fn read(&mut self, a0: bool) -> u8 {
        if std::mem::take(&mut self.poll) {
            return self.take().map_or(0x07, |ir| 0x80 | ir);
        }
        match (a0, self.read_isr) {
            (true, _) => self.imr,
            (false, true) => self.isr,
            (false, false) => self.irr,
        }
    }

    pub(super) fn write(&mut self, a0: bool, value: u8) {
        if a0 {
            self.write_data(value);
        } else if Icw1::from_bits(value).is_icw1() {
            self.initialize(Icw1::from_bits(value));
        } else if Ocw3::from_bits(value).is_ocw3() {
            self.write_ocw3(Ocw3::from_bits(value));
        } else {
            self.write_ocw2(Ocw2::from_bits(value));
        }
    }

    fn write_data(&mut self, value: u8) {
        self.expect = match self.expect {
            Expect::Icw2 => {
                self.icw2 = value & 0xF8;
                if self.icw1.sngl() { self.after_icw3() } else { Expect::Icw3 }
            }
            // Hard-wired in the PIIX3.
            Expect::Icw3 => self.after_icw3(),
            Expect::Icw4 => {
                self.icw4 = Icw4::from_bits(value);
                Expect::Ocw1
            }
            Expect::Ocw1 => {
                self.imr = value;
                Expect::Ocw1
            }
        };
    }

    fn after_icw3(&self) -> Expect {
        if self.icw1.ic4() { Expect::Icw4 } else { Expect::Ocw1 }
    }

    /// "Initialization Command Words 1 and 2", a to f.
    fn initialize(&mut self, icw1: Icw1) {
        self.icw1 = icw1;
        self.icw4 = Icw4::new();
        self.expect = Expect::Icw2;
        // The edge sense circuit is reset: an edge input needs a new rising edge.
        self.irr = self.lines & self.elcr;
        self.isr = 0;
        self.imr = 0;
        self.lowest = 7;
        self.rotate_in_aeoi = false;
        self.special_mask = false;
        self.read_isr = false;
        self.poll = false;
    }

    /// One row per line of the table in "Operation Control Word 2".
    fn write_ocw2(&mut self, ocw2: Ocw2) {
        match ocw2.command() {
            0b001 => drop(self.end_of_interrupt(None)),
            0b011 => drop(self.end_of_interrupt(Some(ocw2.l()))),
            0b101 => self.rotate_on_end(None),
            0b111 => self.rotate_on_end(Some(ocw2.l())),
            0b100 => self.rotate_in_aeoi = true,
            0b000 => self.rotate_in_aeoi = false,
            0b110 => self.lowest = ocw2.l(),
            _ => {} // 0b010, no operation
        }
    }

    /// Ends the given level, or the highest one in service; says which it was.
    fn end_of_interrupt(&mut self, specific: Option<u8>) -> Option<u8> {
        // "Special Mask Mode": a non-specific EOI does not clear a level that is masked.
        let ends = if self.special_mask { self.isr & !self.imr } else { self.isr };
        let ir = specific.or_else(|| self.highest(ends))?;
        self.isr &= !(1 << ir);
        Some(ir)
    }

    fn rotate_on_end(&mut self, specific: Option<u8>) {
        if let Some(ir) = self.end_of_interrupt(specific) {
            self.lowest = ir;
        }
    }

    fn write_ocw3(&mut self, ocw3: Ocw3) {
        if ocw3.esmm() {
            self.special_mask = ocw3.smm();
        }
        // "If both P and RR are set, poll overrides the read-register command."
        self.poll = ocw3.p();
        if ocw3.rr() && !ocw3.p() {
            self.read_isr = ocw3.ris();
        }
    }
}
