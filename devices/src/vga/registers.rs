//! The indexed register files. Bits that do not exist read zero; indices that do not exist read zero.

use serde::{Deserialize, Serialize};

/// Registers by index, with the writable bits of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File<const N: usize>(#[serde(with = "array")] [u8; N]);

/// Serde knows arrays of up to 32 elements only by size; this stores any as a sequence.
pub(super) mod array {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(in crate::vga) fn serialize<S: Serializer, const N: usize>(
        array: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        array.as_slice().serialize(serializer)
    }

    pub(in crate::vga) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
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

    /// Each character is eight dots wide, not nine.
    pub(super) fn has_eight_dots(&self) -> bool {
        self.clocking_mode() & 1 != 0
    }

    /// Each dot takes two clocks.
    pub(super) fn halves_dot_clock(&self) -> bool {
        self.clocking_mode() & 1 << 3 != 0
    }

    pub(super) fn is_screen_off(&self) -> bool {
        self.clocking_mode() & 1 << 5 != 0
    }

    /// Where in plane 2 the fonts begin: for attributes with bit 3 clear (map B), and set (map A).
    pub(super) fn fonts(&self) -> [u16; 2] {
        let select = self.file.get(3);
        let at = |low: u8, high: u8| u16::from(low & 3) << 14 | u16::from(high & 1) << 13;
        [at(select, select >> 4), at(select >> 2, select >> 5)]
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

    /// The register that a write would go to is half of the start address.
    pub(super) fn is_start_address(&self) -> bool {
        matches!(self.index, 0x0C | 0x0D)
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

    pub(super) fn maximum_scan_line(&self) -> u8 {
        self.file.get(0x09) & 0x1F
    }

    /// Each line is shown twice.
    pub(super) fn double_scans(&self) -> bool {
        self.file.get(0x09) & 0x80 != 0
    }

    pub(super) fn preset_row_scan(&self) -> u8 {
        self.file.get(0x08) & 0x1F
    }

    pub(super) fn byte_panning(&self) -> u8 {
        self.file.get(0x08) >> 5 & 3
    }

    pub(super) fn line_compare(&self) -> u32 {
        let bit_9 = u32::from(self.file.get(0x09)) << 3 & 0x200;
        let bit_8 = u32::from(self.file.get(0x07)) << 4 & 0x100;
        bit_9 | bit_8 | u32::from(self.file.get(0x18))
    }

    pub(super) fn underline_location(&self) -> u8 {
        self.file.get(0x14) & 0x1F
    }

    /// Mode control, bit 7: the retrace signals run.
    pub(super) fn retraces(&self) -> bool {
        self.file.get(0x17) & 0x80 != 0
    }

    /// The address counter counts every character clock, or every second (mode control, bit 3), or every
    /// fourth (underline location, bit 5): the shift from clocks to counts.
    pub(super) fn counter_shift(&self) -> u32 {
        if self.file.get(0x14) & 0x20 != 0 { 2 } else { (self.file.get(0x17) >> 3 & 1).into() }
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

    /// The display memory address of a counter value in a line of a character row. Mode control, bits 0 and 1:
    /// the row scan counter may take the place of address bits 13 and 14, as on the CGA and the Hercules card.
    pub(super) fn address(&self, counter: u16, scan: u8) -> u16 {
        let mode = self.file.get(0x17);
        let mut address = self.memory_address(counter);
        for bit in [0, 1] {
            if mode & 1 << bit == 0 {
                address = address & !(1 << (13 + bit)) | u16::from(scan >> bit & 1) << (13 + bit);
            }
        }
        address
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

    /// The shift registers are loaded for CGA's 4 colours.
    pub(super) fn shifts_pairs(&self) -> bool {
        self.file.get(5) & 1 << 5 != 0
    }

    /// The shift registers are loaded for 256 colours.
    pub(super) fn shifts_nibbles(&self) -> bool {
        self.file.get(5) & 1 << 6 != 0
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

    /// The display, not the CPU, has the palette; without it the screen is dark.
    pub(super) fn shows_palette(&self) -> bool {
        self.index & 1 << 5 != 0
    }

    pub(super) fn palette(&self, attribute: u8) -> u8 {
        self.file.get(attribute & 0xF)
    }

    fn mode(&self) -> u8 {
        self.file.get(0x10)
    }

    pub(super) fn continues_line_graphics(&self) -> bool {
        self.mode() & 1 << 2 != 0
    }

    pub(super) fn blinks(&self) -> bool {
        self.mode() & 1 << 3 != 0
    }

    pub(super) fn split_stops_panning(&self) -> bool {
        self.mode() & 1 << 5 != 0
    }

    pub(super) fn has_eight_bits(&self) -> bool {
        self.mode() & 1 << 6 != 0
    }

    pub(super) fn selects_colour_bits(&self) -> bool {
        self.mode() & 1 << 7 != 0
    }

    pub(super) fn plane_enable(&self) -> u8 {
        self.file.get(0x12) & 0xF
    }

    pub(super) fn panning(&self) -> u8 {
        self.file.get(0x13)
    }

    pub(super) fn colour_select(&self) -> u8 {
        self.file.get(0x14)
    }
}
