//! What arrives: messages, the two local inputs, and interrupts of the APIC's own.

use super::registers::{Delivery, Entry, MessageAddress, MessageData, error};
use super::{Lapic, cpu_signal};
use emu_core::{CpuSignal, Cx, Level};

impl Lapic {
    /// An interrupt message on the bus; every local APIC sees it and compares the destination.
    pub(super) fn receive(&mut self, address: u32, data: u32, cx: &mut Cx<'_>) {
        let address = MessageAddress::from_bits(address);
        let data = MessageData::from_bits(data);
        let deasserts = data.level() && !data.assert();
        if deasserts || !self.base.enabled() || !self.message_matches(address) {
            return;
        }
        match data.delivery() {
            Delivery::ExtInt => self.ext_int = true,
            delivery => self.deliver(delivery, data.vector(), data.level(), cx),
        }
    }

    fn message_matches(&self, address: MessageAddress) -> bool {
        let destination = u32::from(address.destination());
        if destination == 0xFF {
            true
        } else if address.logical() {
            self.matches_logical(destination)
        } else {
            self.matches_physical(destination)
        }
    }

    /// An interrupt for this CPU. Lowest-priority arbitration has been won by being the only CPU.
    pub(super) fn deliver(&mut self, delivery: Delivery, vector: u8, level: bool, cx: &mut Cx<'_>) {
        match delivery {
            Delivery::Fixed | Delivery::LowestPriority => self.accept(vector, level, cx),
            Delivery::Init => {
                self.power_up();
                cx.cpu(CpuSignal::Init);
            }
            Delivery::Smi | Delivery::Nmi | Delivery::StartUp | Delivery::Reserved | Delivery::ExtInt => {
                if let Some(signal) = cpu_signal(delivery, vector) {
                    cx.cpu(signal);
                }
            }
        }
    }

    /// Sets the IRR bit of a fixed interrupt. A software-disabled APIC takes none (Intel SDM Vol. 3A
    /// 11.4.7.2).
    pub(super) fn accept(&mut self, vector: u8, level: bool, cx: &mut Cx<'_>) {
        if vector < 16 {
            self.raise_error(error::RECEIVE_ILLEGAL_VECTOR, cx);
        } else if self.svr.enabled() {
            self.irr.set(vector);
            if level {
                self.tmr.set(vector);
            } else {
                self.tmr.clear(vector);
            }
        }
    }

    /// Notes an error; a new one interrupts through the error entry. Intel SDM Vol. 3A 11.5.3.
    pub(super) fn raise_error(&mut self, bit: u8, cx: &mut Cx<'_>) {
        let is_new = self.errors & bit == 0;
        self.errors |= bit;
        if is_new {
            self.deliver_entry(Entry::Error, cx);
        }
    }

    /// Delivers through an LVT entry, on an edge or when the APIC's own source fires.
    pub(super) fn deliver_entry(&mut self, entry: Entry, cx: &mut Cx<'_>) {
        let lvt = self.lvt[entry.index()];
        if !lvt.masked() {
            self.deliver(lvt.delivery(), lvt.vector(), false, cx);
        }
    }

    pub(super) fn input(&mut self, entry: Entry, level: Level, cx: &mut Cx<'_>) {
        let input = usize::from(entry == Entry::Lint1);
        let rises = level.is_high() && !self.lint[input].is_high();
        self.lint[input] = level;
        if !rises {
            return;
        }
        if !self.base.enabled() {
            // Intel SDM Vol. 3A 11.4.3: the pins are INTR (a level, see `ext_int_waits`) and NMI.
            if entry == Entry::Lint1 {
                cx.cpu(CpuSignal::Nmi);
            }
        } else if self.is_level_sensitive(entry) {
            self.sample_level_input(entry, cx);
        } else {
            self.deliver_entry(entry, cx);
        }
    }

    /// Intel SDM Vol. 3A 11.5.1: the trigger mode counts only for fixed delivery.
    fn is_level_sensitive(&self, entry: Entry) -> bool {
        let lvt = self.lvt[entry.index()];
        lvt.level() && lvt.delivery() == Delivery::Fixed
    }

    /// Accepts a level-triggered local interrupt again while its input stays asserted.
    pub(super) fn sample_level_input(&mut self, entry: Entry, cx: &mut Cx<'_>) {
        let asserted = self.lint[usize::from(entry == Entry::Lint1)].is_high();
        let lvt = self.lvt[entry.index()];
        if asserted && self.is_level_sensitive(entry) && !lvt.masked() && !lvt.remote_irr() {
            self.lvt[entry.index()].set_remote_irr(lvt.vector() >= 16);
            self.accept(lvt.vector(), true, cx);
        }
    }
}
