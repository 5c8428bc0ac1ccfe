//! Scattered guest memory, used up from its front.

use emu_core::MemoryMap;
use emu_core::memory::{PAGE_MASK, PAGE_SIZE};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A piece of guest memory. It does not pass the end of the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Segment {
    pub(crate) gpa: u64,
    pub(crate) len: u32,
}

/// Some of the addresses are not memory that can be used so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outside;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
}

/// A row of segments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Segments(VecDeque<Segment>);

impl Segments {
    /// Adds a segment at the end, unless it is empty.
    pub(crate) fn push(&mut self, segment: Segment) {
        if segment.len > 0 {
            self.0.push_back(segment);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Bytes in all of them.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.iter().map(|segment| u64::from(segment.len)).sum()
    }

    /// Whether every segment is one that a chain can have.
    pub(crate) fn is_possible(&self) -> bool {
        self.0.iter().all(|segment| segment.len > 0 && segment.gpa.checked_add(segment.len.into()).is_some())
    }

    /// Takes the last byte off, and gives its address.
    pub(crate) fn take_last_byte(&mut self) -> Option<u64> {
        let last = self.0.back_mut()?;
        last.len -= 1;
        let at = last.gpa + u64::from(last.len);
        if last.len == 0 {
            self.0.pop_back();
        }
        Some(at)
    }

    /// Takes as many bytes off the front as `into` holds, as far as there are so many.
    pub(crate) fn read(&mut self, memory: &MemoryMap, into: &mut [u8]) -> Result<(), Outside> {
        let mut at = 0;
        self.along(into.len(), |gpa, len| {
            let part = &mut into[at..at + len];
            at += len;
            all_pages(memory, gpa, len, Use::Read)?;
            memory.read(gpa, part);
            Ok(())
        })
    }

    /// Fills the front with `from`, as far as there is room.
    pub(crate) fn write(&mut self, memory: &MemoryMap, from: &[u8]) -> Result<(), Outside> {
        let mut at = 0;
        self.along(from.len(), |gpa, len| {
            let part = &from[at..at + len];
            at += len;
            all_pages(memory, gpa, len, Use::Write)?;
            memory.write(gpa, part);
            Ok(())
        })
    }

    fn along(
        &mut self,
        bytes: usize,
        mut piece: impl FnMut(u64, usize) -> Result<(), Outside>,
    ) -> Result<(), Outside> {
        let mut left = bytes;
        while let Some(front) = self.0.front_mut().filter(|_| left > 0) {
            let len = left.min(front.len as usize);
            piece(front.gpa, len)?;
            left -= len;
            let used = u32::try_from(len).expect("no longer than the segment");
            front.gpa += u64::from(used);
            front.len -= used;
            if front.len == 0 {
                self.0.pop_front();
            }
        }
        Ok(())
    }
}

/// Every page of the piece is memory.
fn all_pages(memory: &MemoryMap, gpa: u64, len: usize, purpose: Use) -> Result<(), Outside> {
    let end = gpa.saturating_add(len as u64);
    let mut at = gpa & !PAGE_MASK;
    while at < end {
        let page = memory.page(at);
        let answers = if purpose == Use::Read { page.read } else { page.write };
        if answers.is_none() {
            return Err(Outside);
        }
        let Some(next) = at.checked_add(PAGE_SIZE) else { return Ok(()) };
        at = next;
    }
    Ok(())
}
