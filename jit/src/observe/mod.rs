//! Looking at compiled code from outside: what a producer of region code leaves for a reader, and who reads it.
//!
//! Nothing here is done unless somebody asked for it when the engine was made.

mod listing;
mod perf_map;
mod symbols;

pub use listing::Listing;
pub(crate) use listing::{location_of, offset_of};
pub use perf_map::PerfMap;
pub use symbols::Symbols;

use crate::region::Region;
use emu_core::interpreter::tier::{Place, Span};
use emu_core::memory::{PAGE_MASK, PAGE_SIZE};

/// Hears of every region whose code has been put in place.
pub trait Observer: Send {
    /// Whether [`Placed::notes`] are of use to it: making them takes time.
    fn wants_notes(&self) -> bool;
    fn placed(&mut self, region: &Placed<'_>);
}

/// What a producer of code notes of its work.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// The intermediate code as text, if the producer has one: Cranelift's.
    pub ir: Option<String>,
    /// Which host code was made for which guest instruction, ascending.
    pub marks: Vec<Mark>,
}

/// Host code of one guest instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Offsets in the host code.
    pub start: u32,
    pub end: u32,
    /// Offset of the guest instruction from the start of the page of the region's entry.
    pub guest: i64,
}

/// The guest code that a region is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Linear address of the page of the entry, where the code was sampled; it may be mapped elsewhere too.
    pub page: u64,
    pub entry: u64,
    /// 16, 32 or 64.
    pub bits: u32,
    /// Offset from the page and bytes of each instruction, ascending.
    pub instructions: Vec<(i64, Vec<u8>)>,
}

impl Source {
    pub(crate) fn of(place: &Place<'_>, region: &Region, spans: &[Span]) -> Self {
        let bits = match (place.mode.long, place.mode.code32) {
            (true, _) => 64,
            (false, true) => 32,
            (false, false) => 16,
        };
        let mut instructions: Vec<(i64, Vec<u8>)> = region
            .blocks
            .iter()
            .flat_map(|block| &block.insns)
            .filter_map(|insn| {
                let (pages, offset) = (insn.off >> PAGE_SIZE.trailing_zeros(), insn.off as u64 & PAGE_MASK);
                let other = region.other_pages.iter().find(|(other, _)| *other == pages);
                let frame = other.map_or(place.frame, |(_, frame)| *frame);
                let span = spans.iter().find(|span| span.frame == frame && holds(span, offset))?;
                let at = (offset - span.offset) as usize;
                Some((insn.off, span.bytes[at..].iter().take(insn.instruction.len()).copied().collect()))
            })
            .collect();
        // The entry block of a loop is there twice.
        instructions.sort_unstable();
        instructions.dedup();
        Self { page: place.linear & !PAGE_MASK, entry: place.linear, bits, instructions }
    }

    /// The linear address of an offset.
    pub fn linear(&self, offset: i64) -> u64 {
        let mask = if self.bits == 64 { u64::MAX } else { u64::from(u32::MAX) };
        self.page.wrapping_add_signed(offset) & mask
    }

    /// Whether an instruction of the region begins at, or holds, this linear address.
    pub fn holds(&self, linear: u64) -> bool {
        let inside =
            |(off, bytes): &(i64, Vec<u8>)| linear.wrapping_sub(self.linear(*off)) < bytes.len() as u64;
        self.instructions.iter().any(inside)
    }
}

fn holds(span: &Span, offset: u64) -> bool {
    offset.wrapping_sub(span.offset) < span.bytes.len() as u64
}

/// A region in place.
pub struct Placed<'a> {
    pub source: &'a Source,
    pub notes: &'a Notes,
    pub code: &'a [u8],
    /// Where the code runs.
    pub address: u64,
}

/// Several observers as one.
#[derive(Default)]
pub struct All(pub Vec<Box<dyn Observer>>);

impl Observer for All {
    fn wants_notes(&self) -> bool {
        self.0.iter().any(|observer| observer.wants_notes())
    }

    fn placed(&mut self, region: &Placed<'_>) {
        for observer in &mut self.0 {
            observer.placed(region);
        }
    }
}
