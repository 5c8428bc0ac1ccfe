//! Intel 82093AA I/O advanced programmable interrupt controller (IOAPIC).
//!
//! Follows the data sheet "82093AA I/O Advanced Programmable Interrupt Controller (IOAPIC)", order number
//! 290566. Messages go out at once, so delivery status reads idle. The arbitration ID is that of the bus of
//! its time and only kept. Polarity bits are kept and have no effect, because lines are active high in this
//! model.
//!
//! Region 0 ([`Space::Memory`], at FEC00000h): IOREGSEL at 00h, IOWIN at 10h. [`Space::Eoi`] write: the
//! vector of a LAPIC's end-of-interrupt broadcast.

mod state;
#[cfg(test)]
mod tests;

use crate::bits::{low8, low32};
use bitfield_struct::bitfield;
use emu_core::{Access, BusFault, Cx, Device, Level, Pin, Reset, RestoreError, Saved, Space, Width};

/// Interrupt inputs 0 to 23 are `Pin(0)` to `Pin(23)`.
pub const INPUTS: u8 = 24;
/// Where the board puts region 0.
pub const BASE: u64 = 0xFEC0_0000;

/// Version 11h, maximum redirection entry 23. Data sheet 3.2.2.
const VERSION: u32 = 0x0017_0011;

/// A redirection table entry. Data sheet 3.2.4.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
struct Redirection {
    vector: u8,
    #[bits(3)]
    delivery_mode: u8,
    logical: bool,
    send_pending: bool,
    active_low: bool,
    remote_irr: bool,
    level: bool,
    masked: bool,
    #[bits(39)]
    __: u64,
    destination: u8,
}

impl Redirection {
    /// Data sheet 3.2.4: masked; the other bits are undefined at reset.
    const RESET: Self = Self::new().with_masked(true);
    /// All but delivery status, remote IRR and the reserved bits.
    const WRITABLE: u64 = 0xFF00_0000_0001_AFFF;
    const REMOTE_IRR: u64 = 1 << 14;
}

/// The registers behind IOWIN. Data sheet table 2.
#[derive(Clone, Copy)]
enum Register {
    Id,
    Version,
    Arbitration,
    EntryLow(usize),
    EntryHigh(usize),
}

impl Register {
    fn decode(select: u8) -> Option<Self> {
        let entry = usize::from(select.wrapping_sub(0x10) >> 1);
        Some(match select {
            0x00 => Self::Id,
            0x01 => Self::Version,
            0x02 => Self::Arbitration,
            0x10..0x40 if select & 1 == 0 => Self::EntryLow(entry),
            0x10..0x40 => Self::EntryHigh(entry),
            _ => return None,
        })
    }
}

/// The two registers in the memory window. Data sheet table 1.
enum Window {
    Select,
    Data,
}

impl Window {
    fn decode(at: Access) -> Result<Self, BusFault> {
        match (at.space, at.offset, at.width) {
            (Space::Memory, 0x00, Width::Byte | Width::Word | Width::Dword) => Ok(Self::Select),
            (Space::Memory, 0x10, Width::Dword) => Ok(Self::Data),
            _ => Err(BusFault),
        }
    }
}

/// The I/O APIC.
pub struct I82093aa {
    select: u8,
    id: u8,
    arbitration: u8,
    entries: [Redirection; INPUTS as usize],
    /// Levels of the inputs, one bit each.
    inputs: u32,
}

impl Default for I82093aa {
    fn default() -> Self {
        Self::new()
    }
}

impl I82093aa {
    pub fn new() -> Self {
        Self { select: 0, id: 0, arbitration: 0, entries: [Redirection::RESET; INPUTS as usize], inputs: 0 }
    }

    fn read_register(&self) -> u32 {
        match Register::decode(self.select) {
            Some(Register::Id) => u32::from(self.id) << 24,
            Some(Register::Version) => VERSION,
            Some(Register::Arbitration) => u32::from(self.arbitration) << 24,
            Some(Register::EntryLow(entry)) => low32(self.entries[entry].into_bits()),
            Some(Register::EntryHigh(entry)) => low32(self.entries[entry].into_bits() >> 32),
            None => 0,
        }
    }

    fn write_register(&mut self, value: u32, cx: &mut Cx<'_>) {
        match Register::decode(self.select) {
            Some(Register::Id) => {
                self.id = low8((value >> 24 & 0xF).into());
                // Data sheet 3.2.3: loaded whenever the ID register is.
                self.arbitration = self.id;
            }
            Some(Register::EntryLow(entry)) => self.write_entry(entry, 0xFFFF_FFFF, value.into(), cx),
            Some(Register::EntryHigh(entry)) => {
                self.write_entry(entry, 0xFFFF_FFFF << 32, u64::from(value) << 32, cx);
            }
            Some(Register::Version | Register::Arbitration) | None => {}
        }
    }

    fn write_entry(&mut self, entry: usize, half: u64, value: u64, cx: &mut Cx<'_>) {
        let writable = Redirection::WRITABLE & half;
        let merged = self.entries[entry].into_bits() & !writable | value & writable;
        let mut new = Redirection::from_bits(merged);
        // Remote IRR is meaningless for edges: system software writes the entry as edge to clear it.
        new.set_remote_irr(new.remote_irr() && new.level());
        self.entries[entry] = new;
        self.sample_level(entry, cx);
    }

    fn is_asserted(&self, entry: usize) -> bool {
        self.inputs >> entry & 1 != 0
    }

    /// Requests a level interrupt that is asserted and not being serviced.
    fn sample_level(&mut self, entry: usize, cx: &mut Cx<'_>) {
        let redirection = self.entries[entry];
        let ready = redirection.level() && !redirection.masked() && !redirection.remote_irr();
        if ready && self.is_asserted(entry) {
            self.entries[entry].set_remote_irr(true);
            Self::send(redirection, cx);
        }
    }

    /// Intel SDM Vol. 3A 11.11: the form of an interrupt message.
    fn send(redirection: Redirection, cx: &mut Cx<'_>) {
        /// Delivery mode "lowest priority" also sets the redirection hint.
        const LOWEST_PRIORITY: u8 = 1;
        let hint = redirection.delivery_mode() == LOWEST_PRIORITY;
        let address = 0xFEE0_0000
            | u64::from(redirection.destination()) << 12
            | u64::from(hint) << 3
            | u64::from(redirection.logical()) << 2;
        let data = u32::from(redirection.vector())
            | u32::from(redirection.delivery_mode()) << 8
            | 1 << 14
            | u32::from(redirection.level()) << 15;
        cx.message(address, data);
    }

    fn end_of_interrupt(&mut self, vector: u8, cx: &mut Cx<'_>) {
        for entry in 0..self.entries.len() {
            let redirection = self.entries[entry];
            if redirection.remote_irr() && redirection.vector() == vector {
                self.entries[entry].set_remote_irr(false);
                self.sample_level(entry, cx);
            }
        }
    }
}

impl Device for I82093aa {
    fn name(&self) -> &'static str {
        "i82093aa"
    }

    fn reset(&mut self, _how: Reset, _cx: &mut Cx<'_>) {
        // The lines belong to the sources and stay as they are.
        *self = Self { inputs: self.inputs, ..Self::new() };
    }

    fn widest(&self, _region: u8) -> Width {
        Width::Dword
    }

    fn read(&mut self, at: Access, _cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        Ok(match Window::decode(at)? {
            Window::Select => self.select.into(),
            Window::Data => self.read_register().into(),
        })
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        if at.space == Space::Eoi {
            self.end_of_interrupt(low8(value), cx);
            return Ok(());
        }
        match Window::decode(at)? {
            Window::Select => self.select = low8(value),
            Window::Data => self.write_register(low32(value), cx),
        }
        Ok(())
    }

    fn pin(&mut self, pin: Pin, level: Level, cx: &mut Cx<'_>) {
        let entry = usize::from(pin.0);
        let Some(redirection) = self.entries.get(entry).copied() else { return };
        let rises = level.is_high() && !self.is_asserted(entry);
        self.inputs = self.inputs & !(1 << entry) | u32::from(level.is_high()) << entry;
        if redirection.level() {
            self.sample_level(entry, cx);
        } else if rises && !redirection.masked() {
            // Data sheet 3.2.4, "Interrupt Mask": an edge on a masked input is not held pending.
            Self::send(redirection, cx);
        }
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
