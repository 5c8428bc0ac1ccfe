//! PCI configuration registers of function 1: 82371SB (PIIX3), "IDE Configuration Registers".

use emu_core::Width;
use serde::{Deserialize, Serialize};

/// 7010h, Intel.
const ID: u32 = 0x7010_8086;
/// PCISTS: DEVSEL medium, fast back-to-back.
const STATUS: u32 = 0x0280_0000;
/// IDE, prog-if 80h: bus master, both channels at the legacy addresses for good.
const CLASS: u32 = 0x0101_8000;

const COMMAND: u64 = 0x04;
const BMIBA: u64 = 0x20;

/// What can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) pcicmd: u32,
    pub(super) mlt: u32,
    pub(super) bmiba: u32,
    /// IDETIM of both channels.
    pub(super) idetim: u32,
    pub(super) sidetim: u32,
}

impl Config {
    /// The register at a dword offset, and which of its bits can be written.
    fn register(&mut self, dword: u64) -> Option<(&mut u32, u32)> {
        match dword {
            COMMAND => Some((&mut self.pcicmd, 0x0000_0005)),
            0x0C => Some((&mut self.mlt, 0x0000_F000)),
            BMIBA => Some((&mut self.bmiba, 0x0000_FFF0)),
            0x40 => Some((&mut self.idetim, 0xF3FF_F3FF)),
            0x44 => Some((&mut self.sidetim, 0x0000_00FF)),
            _ => None,
        }
    }

    fn read_dword(&mut self, dword: u64) -> u32 {
        let fixed = match dword {
            0x00 => ID,
            COMMAND => STATUS,
            0x08 => CLASS,
            BMIBA => 1, // I/O space
            _ => 0,
        };
        fixed | self.register(dword).map_or(0, |(register, _)| *register)
    }

    pub(super) fn read(&mut self, offset: u64, width: Width) -> u64 {
        (u64::from(self.read_dword(offset & 0xFC)) >> (8 * (offset & 3))) & width.mask()
    }

    pub(super) fn write(&mut self, offset: u64, width: Width, value: u64) {
        let shift = 8 * (offset & 3);
        if let Some((register, writable)) = self.register(offset & 0xFC) {
            let mask = ((width.mask() << shift) & u64::from(writable)) as u32;
            *register = (*register & !mask) | ((value << shift) as u32 & mask);
        }
    }

    /// Whether every bit is one that can be written.
    pub(super) fn is_possible(mut self) -> bool {
        [COMMAND, 0x0C, BMIBA, 0x40, 0x44]
            .into_iter()
            .all(|dword| self.register(dword).is_some_and(|(register, writable)| *register & !writable == 0))
    }

    /// IOSE and the channel's IDE decode enable bit.
    pub(super) fn decodes(&self, channel: usize) -> bool {
        self.pcicmd & 1 != 0 && self.idetim >> (16 * channel) & 0x8000 != 0
    }

    pub(super) fn is_bus_master(&self) -> bool {
        self.pcicmd & 4 != 0
    }

    /// Where the bus-master registers are. An address of 0 counts as "not yet given".
    pub(super) fn bus_master_base(&self) -> Option<u64> {
        (self.pcicmd & 1 != 0 && self.bmiba != 0).then_some(self.bmiba.into())
    }
}
