//! Display memory as the CPU sees it: four planes behind the graphics controller's latches.

use super::Vga;
use crate::bits::{low8, low32};

/// Bytes in a plane. Without VBE modes only the first 64 KiB can be reached.
pub(super) const PLANE: usize = 0x4_0000;

/// The planes and the latches. One word holds the byte of plane 0 in its low 8 bits, up to plane 3.
pub(super) struct Memory {
    words: Box<[u32; PLANE]>,
    /// How often anything may have changed, for pictures.
    pub(super) changes: u64,
    pub(super) latches: u32,
}

impl Memory {
    pub(super) fn new() -> Self {
        let words = vec![0; PLANE].into_boxed_slice();
        Self { words: words.try_into().expect("the length is PLANE"), changes: 0, latches: 0 }
    }

    pub(super) fn word(&self, address: impl Into<u32>) -> u32 {
        self.words[place(address)]
    }

    pub(super) fn set_word(&mut self, address: impl Into<u32>, word: u32) {
        let place = place(address);
        self.changes += u64::from(self.words[place] != word);
        self.words[place] = word;
    }

    pub(super) fn clear(&mut self) {
        self.changes += 1;
        self.words.fill(0);
    }

    /// Up to the last word that is not zero.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let used = self.words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        self.words[..used].iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// `None` unless there are four bytes for each word, and not too many.
    pub(super) fn from_bytes(bytes: &[u8], latches: u32) -> Option<Self> {
        let mut memory = Self { latches, ..Self::new() };
        if bytes.len() > 4 * PLANE || !bytes.len().is_multiple_of(4) {
            return None;
        }
        for (word, bytes) in memory.words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        Some(memory)
    }
}

/// The index of an address; they wrap at the end of the planes.
fn place(address: impl Into<u32>) -> usize {
    usize::try_from(address.into()).unwrap_or(0) % PLANE
}

/// Eight ones for every set bit of a 4-bit plane mask.
fn expand(planes: u8) -> u32 {
    (0..4).filter(|plane| planes >> plane & 1 != 0).fold(0, |mask, plane| mask | 0xFF << (8 * plane))
}

/// The same byte for every plane.
fn replicate(byte: u8) -> u32 {
    u32::from(byte) * 0x0101_0101
}

/// Where an access lands: the address in the planes, and the planes it may write and the one it reads.
struct Place {
    address: u32,
    writes: u8,
    reads: u8,
}

/// Odd/even chaining: address bit 0 selects planes, and address bit 16 takes its place. The page select bit
/// of the miscellaneous output register, which does so where there is no bit 16, is left out: sources
/// disagree on it.
fn chained(address: u16, inside: u64) -> u16 {
    address & !1 | u16::from(inside >> 16 & 1 != 0)
}

impl Vga {
    /// The offset in display memory of an offset from A0000h, by the graphics controller's memory map select.
    fn window(&self, offset: u64) -> Option<u64> {
        let (start, len) = match self.graphics.memory_map() {
            0 => (0, 0x2_0000),
            1 => (0, 0x1_0000),
            2 => (0x1_0000, 0x8000),
            _ => (0x1_8000, 0x8000),
        };
        let enabled = self.miscellaneous & 1 << 1 != 0;
        offset.checked_sub(start).filter(|inside| enabled && *inside < len)
    }

    /// VBE modes with four planes have banks.
    fn locate(&self, offset: u64) -> Option<Place> {
        let bank = if self.vbe.is_enabled() { low32(self.vbe.bank_start()) } else { 0 };
        let inside = self.window(offset)?;
        let address = u16::from_le_bytes([low8(inside), low8(inside >> 8)]);
        let map_mask = self.sequencer.map_mask();
        if self.sequencer.is_chain_4() {
            let plane = low8(inside & 3);
            return Some(Place {
                address: bank | u32::from(address & !3),
                writes: map_mask & 1 << plane,
                reads: plane,
            });
        }
        let odd = low8(inside & 1);
        let writes = if self.sequencer.is_odd_even() { map_mask & 0b0101 << odd } else { map_mask };
        let read_map = self.graphics.read_map();
        let reads = if self.graphics.reads_odd_even() { read_map & 2 | odd } else { read_map };
        let address = if self.graphics.chains_odd_even() { chained(address, inside) } else { address };
        Some(Place { address: bank | u32::from(address), writes, reads })
    }

    /// `None` where the adapter does not answer.
    pub(super) fn read_memory(&mut self, offset: u64) -> Option<u8> {
        let place = self.locate(offset)?;
        let latches = self.memory.word(place.address);
        self.memory.latches = latches;
        if self.graphics.compares_colours() {
            let differs =
                (latches ^ expand(self.graphics.colour_compare())) & expand(self.graphics.colour_care());
            return Some(!differs.to_le_bytes().into_iter().fold(0, |any, plane| any | plane));
        }
        Some(latches.to_le_bytes()[usize::from(place.reads & 3)])
    }

    pub(super) fn write_memory(&mut self, offset: u64, value: u8) {
        let Some(place) = self.locate(offset) else { return };
        let planes = expand(place.writes);
        let old = self.memory.word(place.address);
        let new = self.modified(value);
        self.memory.set_word(place.address, old & !planes | new & planes);
    }

    /// What the graphics controller makes of a written byte.
    fn modified(&self, value: u8) -> u32 {
        let rotated = value.rotate_right(self.graphics.rotate_count());
        let set_reset = expand(self.graphics.set_reset());
        let (data, bit_mask) = match self.graphics.write_mode() {
            0 => {
                let enable = expand(self.graphics.enable_set_reset());
                (replicate(rotated) & !enable | set_reset & enable, self.graphics.bit_mask())
            }
            1 => return self.memory.latches,
            2 => (expand(value & 0xF), self.graphics.bit_mask()),
            _ => (set_reset, self.graphics.bit_mask() & rotated),
        };
        let latches = self.memory.latches;
        let combined = match self.graphics.function() {
            0 => data,
            1 => data & latches,
            2 => data | latches,
            _ => data ^ latches,
        };
        let bit_mask = replicate(bit_mask);
        combined & bit_mask | latches & !bit_mask
    }
}
