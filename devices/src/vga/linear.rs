//! VBE modes with a linear frame buffer: rows of packed pixels in the video memory block.
//!
//! Who writes the block is not told to us; each row is compared with what the picture shows.

use super::Vga;
use super::look::{LinearLook, Look};
use super::picture::{Drawn, Picture};
use super::vbe::{Layout, VIDEO_MEMORY};
use emu_core::MemoryMap;

/// Bits of a packed pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// An index into the DAC.
    Eight,
    Fifteen,
    Sixteen,
    TwentyFour,
    ThirtyTwo,
}

impl Depth {
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Fifteen | Self::Sixteen => 2,
            Self::TwentyFour => 3,
            Self::ThirtyTwo => 4,
        }
    }
}

/// Five or six bits widened to eight.
const fn wide5(bits: u32) -> u32 {
    (bits & 0x1F) << 3 | (bits & 0x1F) >> 2
}

const fn wide6(bits: u32) -> u32 {
    (bits & 0x3F) << 2 | (bits & 0x3F) >> 4
}

fn fifteen(bytes: [u8; 2]) -> u32 {
    let value = u32::from(u16::from_le_bytes(bytes));
    wide5(value >> 10) << 16 | wide5(value >> 5) << 8 | wide5(value)
}

fn sixteen(bytes: [u8; 2]) -> u32 {
    let value = u32::from(u16::from_le_bytes(bytes));
    wide5(value >> 11) << 16 | wide6(value >> 5) << 8 | wide5(value)
}

fn each<const N: usize>(bytes: &[u8], into: &mut [u32], pixel: impl Fn([u8; N]) -> u32) {
    for (into, bytes) in into.iter_mut().zip(bytes.as_chunks().0) {
        *into = pixel(*bytes);
    }
}

impl LinearLook {
    fn expand(&self, bytes: &[u8], into: &mut [u32]) {
        match self.depth {
            Depth::Eight => each(bytes, into, |[index]| self.palette[usize::from(index)]),
            Depth::Fifteen => each(bytes, into, fifteen),
            Depth::Sixteen => each(bytes, into, sixteen),
            Depth::TwentyFour => each(bytes, into, |[b, g, r]| u32::from_le_bytes([b, g, r, 0])),
            Depth::ThirtyTwo => each(bytes, into, |[b, g, r, _]| u32::from_le_bytes([b, g, r, 0])),
        }
    }
}

impl Vga {
    /// The look of the present mode, if it is one with packed pixels.
    pub(super) fn linear_look(&self) -> Option<LinearLook> {
        let Layout::Linear(depth) = self.vbe.layout() else { return None };
        (self.vbe.is_enabled() && self.vbe.has_size()).then(|| LinearLook {
            width: self.vbe.width.into(),
            height: self.vbe.height.into(),
            depth,
            dark: self.is_dark(),
            palette: if depth == Depth::Eight { self.dac_colours() } else { Vec::new() },
        })
    }

    pub(super) fn draw_linear(&self, look: LinearLook, picture: &mut Picture, memory: &MemoryMap) -> Drawn {
        let mut drawn = Drawn::default();
        let (width, height, len) = (look.width, look.height, look.width * look.depth.bytes());
        let all = picture.begin(width, height, Look::Linear(look.clone()), &mut drawn);
        if look.dark {
            drawn.rows = if all { 0..height } else { 0..0 };
            return drawn;
        }
        picture.shown.bytes.resize(len * height, 0);
        let block = memory.block(self.video_memory);
        let end = VIDEO_MEMORY.min(block.len());
        let mut row = vec![0; len];
        for (y, at) in (0..height).zip(self.row_starts(look.depth)) {
            let shown = &mut picture.shown.bytes[y * len..(y + 1) * len];
            match at.checked_add(len as u64) {
                Some(stop) if stop <= end => block.read(at, &mut row),
                _ => row.fill(0),
            }
            if all || shown != row {
                shown.copy_from_slice(&row);
                look.expand(&row, &mut picture.pixels[y * width..(y + 1) * width]);
                drawn.row(y);
            }
        }
        drawn
    }

    /// Where in video memory each row begins.
    fn row_starts(&self, depth: Depth) -> impl Iterator<Item = u64> + use<> {
        let bytes = depth.bytes() as u64;
        let row = u64::from(self.vbe.virtual_width) * bytes;
        let first = u64::from(self.vbe.y_offset) * row + u64::from(self.vbe.x_offset) * bytes;
        (0..).map(move |y| first + y * row)
    }
}
