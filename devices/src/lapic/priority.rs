//! Which interrupt the CPU gets next. Intel SDM Vol. 3A 11.8.

use super::Lapic;
use super::registers::{Delivery, Entry};
use emu_core::Cx;
use serde::{Deserialize, Serialize};

/// One bit for each of the 256 vectors: ISR, TMR or IRR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vectors([u32; 8]);

impl Vectors {
    pub(super) fn word(&self, index: usize) -> u32 {
        self.0[index & 7]
    }

    pub(super) fn holds(&self, vector: u8) -> bool {
        self.0[usize::from(vector >> 5)] >> (vector & 31) & 1 != 0
    }

    pub(super) fn set(&mut self, vector: u8) {
        self.0[usize::from(vector >> 5)] |= 1 << (vector & 31);
    }

    pub(super) fn clear(&mut self, vector: u8) {
        self.0[usize::from(vector >> 5)] &= !(1 << (vector & 31));
    }

    pub(super) fn highest(&self) -> Option<u8> {
        let (index, word) = (0u32..8).zip(self.0).rev().find(|(_, word)| *word != 0)?;
        u8::try_from(index * 32 + (31 - word.leading_zeros())).ok()
    }
}

/// The priority class of a vector.
const fn class(vector: u8) -> u8 {
    vector >> 4
}

impl Lapic {
    /// Processor priority. Intel SDM Vol. 3A 11.8.3.1.
    pub(super) fn ppr(&self) -> u8 {
        let serviced = self.isr.highest().unwrap_or(0);
        if class(self.tpr) >= class(serviced) { self.tpr } else { serviced & 0xF0 }
    }

    /// The interrupt that the processor priority lets through.
    pub(super) fn deliverable(&self) -> Option<u8> {
        let ppr = self.ppr();
        self.irr.highest().filter(|vector| class(*vector) > class(ppr) && self.base.enabled())
    }

    /// An interrupt of the 8259A waits to be acknowledged. A disabled local APIC passes LINT0 on as INTR.
    pub(super) fn ext_int_waits(&self) -> bool {
        let lint0 = self.lvt[Entry::Lint0.index()];
        let open = !self.base.enabled() || lint0.delivery() == Delivery::ExtInt && !lint0.masked();
        self.ext_int || open && self.lint[0].is_high()
    }

    /// Intel SDM Vol. 3A 11.8.5.
    pub(super) fn end_of_interrupt(&mut self, cx: &mut Cx<'_>) {
        let Some(vector) = self.isr.highest() else { return };
        self.isr.clear(vector);
        if !self.tmr.holds(vector) {
            return;
        }
        for entry in [Entry::Lint0, Entry::Lint1] {
            let lvt = &mut self.lvt[entry.index()];
            if lvt.vector() == vector {
                lvt.set_remote_irr(false);
            }
            self.sample_level_input(entry, cx);
        }
        cx.eoi(vector);
    }
}
