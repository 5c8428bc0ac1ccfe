//! The video DAC: the colours.

use super::registers::array;
use serde::{Deserialize, Serialize};

/// Video DAC, 3C6h-3C9h: 256 colours of three 6-bit components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dac {
    pub(super) mask: u8,
    /// The colour that 3C9h accesses next, and which of its components.
    index: u8,
    component: u8,
    /// 3C7h was the last index written.
    reads: bool,
    #[serde(with = "array")]
    colours: [u8; 768],
}

impl Dac {
    pub(super) fn new() -> Self {
        Self { mask: 0xFF, index: 0, component: 0, reads: false, colours: [0; 768] }
    }

    /// DAC state register: 3 after 3C7h was written, 0 after 3C8h.
    pub(super) fn state(&self) -> u8 {
        if self.reads { 3 } else { 0 }
    }

    pub(super) fn write_index(&self) -> u8 {
        self.index
    }

    pub(super) fn set_read_index(&mut self, index: u8) {
        (self.index, self.component, self.reads) = (index, 0, true);
    }

    pub(super) fn set_write_index(&mut self, index: u8) {
        (self.index, self.component, self.reads) = (index, 0, false);
    }

    /// The components of a colour, widened to eight bits.
    pub(super) fn colour(&self, index: u8) -> [u8; 3] {
        let at = usize::from(index) * 3;
        [0, 1, 2].map(|component| {
            let six = self.colours[at + component];
            six << 2 | six >> 4
        })
    }

    pub(super) fn read(&mut self) -> u8 {
        let place = self.step();
        self.colours[place]
    }

    pub(super) fn write(&mut self, value: u8) {
        let place = self.step();
        self.colours[place] = value & 0x3F;
    }

    /// The place of the current component; moves on to the next.
    fn step(&mut self) -> usize {
        let place = usize::from(self.index) * 3 + usize::from(self.component);
        self.component += 1;
        if self.component == 3 {
            self.component = 0;
            self.index = self.index.wrapping_add(1);
        }
        place
    }

    pub(super) fn is_legal(&self) -> bool {
        self.component < 3 && self.colours.iter().all(|component| component & !0x3F == 0)
    }
}
