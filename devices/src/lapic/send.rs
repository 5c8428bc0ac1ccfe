//! Interprocessor interrupts, and who is meant by a destination. Intel SDM Vol. 3A 11.6.

use super::Lapic;
use super::registers::{Delivery, Icr, Shorthand, error};
use crate::bits::low8;
use emu_core::Cx;

impl Lapic {
    pub(super) fn write_icr(&mut self, value: u32, cx: &mut Cx<'_>) {
        self.icr = Icr::from_bits(value & Icr::WRITABLE);
        let icr = self.icr;
        let is_fixed = matches!(icr.delivery(), Delivery::Fixed | Delivery::LowestPriority);
        if is_fixed && icr.vector() < 16 {
            self.raise_error(error::SEND_ILLEGAL_VECTOR, cx);
        } else if self.addresses_self(icr) && Self::is_deliverable(icr) {
            self.deliver(icr.delivery(), icr.vector(), false, cx);
        }
    }

    fn addresses_self(&self, icr: Icr) -> bool {
        match icr.shorthand() {
            Shorthand::OnlySelf | Shorthand::All => true,
            Shorthand::AllButSelf => false,
            Shorthand::None if icr.logical() => self.matches_logical(self.icr_destination),
            Shorthand::None => self.matches_physical(self.icr_destination),
        }
    }

    /// Intel SDM Vol. 3A table 11-3: which combinations a CPU can send to itself.
    fn is_deliverable(icr: Icr) -> bool {
        match icr.delivery() {
            Delivery::Fixed | Delivery::LowestPriority | Delivery::Smi | Delivery::Nmi => true,
            Delivery::Init | Delivery::StartUp => {
                let deasserts = icr.level() && !icr.assert();
                icr.shorthand() == Shorthand::None && !deasserts
            }
            Delivery::Reserved | Delivery::ExtInt => false,
        }
    }

    /// Intel SDM Vol. 3A 11.6.2.1.
    pub(super) fn matches_physical(&self, destination: u32) -> bool {
        if self.x2apic_mode() {
            destination == u32::MAX || destination == u32::from(self.id)
        } else {
            destination == 0xFF || destination == u32::from(self.xapic_id)
        }
    }

    /// Intel SDM Vol. 3A 11.6.2.2 (flat and cluster model) and 11.12.10.2 (x2APIC: cluster only).
    pub(super) fn matches_logical(&self, destination: u32) -> bool {
        if self.x2apic_mode() {
            let own = self.x2apic_logical_id();
            return destination == u32::MAX
                || destination >> 16 == own >> 16 && destination & own & 0xFFFF != 0;
        }
        let destination = low8(destination.into());
        match self.dfr {
            0xF => self.ldr & destination != 0,
            0x0 => {
                let same_cluster = destination >> 4 == self.ldr >> 4 || destination >> 4 == 0xF;
                same_cluster && self.ldr & destination & 0xF != 0
            }
            _ => false,
        }
    }
}
