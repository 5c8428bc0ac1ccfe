//! The indexed register files. Bits that do not exist read zero; indices that do not exist read zero.

use serde::{Deserialize, Serialize};

/// Registers by index, with the writable bits of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File<const N: usize>(#[serde(with = "array")] [u8; N]);

/// Serde knows arrays of up to 32 elements only by size; this stores any as a sequence.
mod array {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer, const N: usize>(
        array: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        array.as_slice().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        <[u8; N]>::try_from(bytes).map_err(|bytes| D::Error::invalid_length(bytes.len(), &"register file"))
    }
}

impl<const N: usize> Default for File<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> File<N> {
    /// `index` is a constant or masked by the caller; beyond the file there is nothing.
    pub(super) fn get(&self, index: u8) -> u8 {
        self.0.get(usize::from(index)).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, index: u8, value: u8, writable: &[u8; N]) {
        let index = usize::from(index);
        if let (Some(register), Some(writable)) = (self.0.get_mut(index), writable.get(index)) {
            *register = value & writable;
        }
    }

    pub(super) fn is_legal(&self, writable: &[u8; N]) -> bool {
        self.0.iter().zip(writable).all(|(value, writable)| value & !writable == 0)
    }
}

/// Sequencer, 3C4h-3C5h.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sequencer {
    pub(super) index: u8,
    pub(super) file: File<5>,
}

impl Sequencer {
    pub(super) const INDEX: u8 = 0x07;
    pub(super) const WRITABLE: [u8; 5] = [0x03, 0x3D, 0x0F, 0x3F, 0x0E];

    pub(super) fn read(&self) -> u8 {
        self.file.get(self.index)
    }

    pub(super) fn write(&mut self, value: u8) {
        self.file.set(self.index, value, &Self::WRITABLE);
    }

    /// Reset register: both resets released.
    pub(super) fn runs(&self) -> bool {
        self.file.get(0) == 3
    }

    pub(super) fn clocking_mode(&self) -> u8 {
        self.file.get(1)
    }

    pub(super) fn map_mask(&self) -> u8 {
        self.file.get(2)
    }

    pub(super) fn is_odd_even(&self) -> bool {
        self.file.get(4) & 1 << 2 == 0
    }

    pub(super) fn is_chain_4(&self) -> bool {
        self.file.get(4) & 1 << 3 != 0
    }
}

/// CRT controller, 3D4h-3D5h or 3B4h-3B5h.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Crtc {
    pub(super) index: u8,
    pub(super) file: File<25>,
}

impl Crtc {
    pub(super) const INDEX: u8 = 0x3F;
    pub(super) const WRITABLE: [u8; 25] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0x3F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xEF, 0xFF,
    ];

    pub(super) fn read(&self) -> u8 {
        self.file.get(self.index)
    }

    pub(super) fn write(&mut self, value: u8) {
        /// Bit 4 of the overflow register (line compare) is not protected.
        const LINE_COMPARE_8: u8 = 1 << 4;
        let protects = self.file.get(0x11) & 0x80 != 0;
        let value = match self.index {
            0x07 if protects => self.file.get(0x07) & !LINE_COMPARE_8 | value & LINE_COMPARE_8,
            0x00..=0x06 if protects => return,
            _ => value,
        };
        self.file.set(self.index, value, &Self::WRITABLE);
    }

    /// A value whose bits 8 and 9 are in the overflow register.
    fn with_overflow(&self, low: u8, bit_8: u8, bit_9: u8) -> u32 {
        let overflow = u32::from(self.file.get(0x07));
        u32::from(low) | (overflow >> bit_8 & 1) << 8 | (overflow >> bit_9 & 1) << 9
    }

    /// Character clocks in a line.
    pub(super) fn horizontal_total(&self) -> u32 {
        u32::from(self.file.get(0x00)) + 5
    }

    pub(super) fn columns(&self) -> u32 {
        u32::from(self.file.get(0x01)) + 1
    }

    /// Lines in a frame.
    pub(super) fn vertical_total(&self) -> u32 {
        self.with_overflow(self.file.get(0x06), 0, 5) + 2
    }

    pub(super) fn vertical_retrace_start(&self) -> u32 {
        self.with_overflow(self.file.get(0x10), 2, 7)
    }

    /// The retrace ends when the low four bits of the line counter match.
    pub(super) fn vertical_retrace_lines(&self) -> u32 {
        let end = u32::from(self.file.get(0x11));
        (end.wrapping_sub(self.vertical_retrace_start() + 1) & 0xF) + 1
    }

    pub(super) fn displayed_lines(&self) -> u32 {
        self.with_overflow(self.file.get(0x12), 1, 6) + 1
    }

    /// Scan lines of one character row.
    pub(super) fn cell_lines(&self) -> u32 {
        let maximum_scan_line = self.file.get(0x09);
        (u32::from(maximum_scan_line & 0x1F) + 1) << (maximum_scan_line >> 7)
    }

    pub(super) fn start_address(&self) -> u16 {
        u16::from_be_bytes([self.file.get(0x0C), self.file.get(0x0D)])
    }

    pub(super) fn cursor_address(&self) -> u16 {
        u16::from_be_bytes([self.file.get(0x0E), self.file.get(0x0F)])
    }

    pub(super) fn cursor_start(&self) -> u8 {
        self.file.get(0x0A)
    }

    pub(super) fn cursor_end(&self) -> u8 {
        self.file.get(0x0B)
    }

    /// Address steps from one row to the next.
    pub(super) fn row_offset(&self) -> u16 {
        u16::from(self.file.get(0x13)) * 2
    }

    /// The display memory address of a counter value, by the byte, word or doubleword mode.
    pub(super) fn memory_address(&self, counter: u16) -> u16 {
        let mode = self.file.get(0x17);
        if self.file.get(0x14) & 0x40 != 0 {
            counter.rotate_left(2)
        } else if mode & 0x40 != 0 {
            counter
        } else {
            let wrapped = if mode & 0x20 != 0 { counter >> 15 } else { counter >> 13 & 1 };
            counter << 1 | wrapped
        }
    }
}

/// Graphics controller, 3CEh-3CFh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Graphics {
    pub(super) index: u8,
    pub(super) file: File<9>,
}

impl Graphics {
    pub(super) const INDEX: u8 = 0x0F;
    pub(super) const WRITABLE: [u8; 9] = [0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF];

    pub(super) fn read(&self) -> u8 {
        self.file.get(self.index)
    }

    pub(super) fn write(&mut self, value: u8) {
        self.file.set(self.index, value, &Self::WRITABLE);
    }

    pub(super) fn set_reset(&self) -> u8 {
        self.file.get(0)
    }

    pub(super) fn enable_set_reset(&self) -> u8 {
        self.file.get(1)
    }

    pub(super) fn colour_compare(&self) -> u8 {
        self.file.get(2)
    }

    pub(super) fn rotate_count(&self) -> u32 {
        (self.file.get(3) & 7).into()
    }

    pub(super) fn function(&self) -> u8 {
        self.file.get(3) >> 3
    }

    pub(super) fn read_map(&self) -> u8 {
        self.file.get(4)
    }

    pub(super) fn write_mode(&self) -> u8 {
        self.file.get(5) & 3
    }

    pub(super) fn compares_colours(&self) -> bool {
        self.file.get(5) & 1 << 3 != 0
    }

    pub(super) fn reads_odd_even(&self) -> bool {
        self.file.get(5) & 1 << 4 != 0
    }

    pub(super) fn is_graphics_mode(&self) -> bool {
        self.file.get(6) & 1 != 0
    }

    pub(super) fn chains_odd_even(&self) -> bool {
        self.file.get(6) & 1 << 1 != 0
    }

    pub(super) fn memory_map(&self) -> u8 {
        self.file.get(6) >> 2
    }

    pub(super) fn colour_care(&self) -> u8 {
        self.file.get(7)
    }

    pub(super) fn bit_mask(&self) -> u8 {
        self.file.get(8)
    }
}

/// Attribute controller, 3C0h-3C1h.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attribute {
    /// With bit 5, "palette address source": the display has the palette.
    pub(super) index: u8,
    /// The flip-flop: the next write to 3C0h is data.
    pub(super) expects_data: bool,
    pub(super) file: File<21>,
}

impl Attribute {
    pub(super) const INDEX: u8 = 0x3F;
    pub(super) const WRITABLE: [u8; 21] = [
        0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0xEF,
        0xFF, 0x3F, 0x0F, 0x0F,
    ];

    pub(super) fn read(&self) -> u8 {
        self.file.get(self.index & 0x1F)
    }

    pub(super) fn write(&mut self, value: u8) {
        if self.expects_data {
            self.file.set(self.index & 0x1F, value, &Self::WRITABLE);
        } else {
            self.index = value & Self::INDEX;
        }
        self.expects_data = !self.expects_data;
    }
}

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
