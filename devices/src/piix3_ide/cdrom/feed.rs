//! Bytes on their way to the host: those at hand, and blocks of the disc that follow.

use super::sector::Parts;
use super::tray::{ReadError, Tray};
use serde::{Deserialize, Serialize};

/// The most blocks one command may ask for: what a host can wait for without noticing.
pub(super) const MOST_BLOCKS: u32 = 0xFFFF;

/// The most that is at hand: a DRQ block, and the rest of what was read from the disc with its end.
const MOST_AT_HAND: usize = 0x1_0000 + 64 * 2352;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Feed {
    at_hand: Vec<u8>,
    /// How many of them the host has.
    at: usize,
    lba: u32,
    blocks: u32,
    parts: Parts,
}

impl Feed {
    pub(super) fn reply(bytes: Vec<u8>) -> Self {
        Self { at_hand: bytes, at: 0, lba: 0, blocks: 0, parts: Parts::DATA }
    }

    /// `blocks` is at most [`MOST_BLOCKS`].
    pub(super) fn blocks(lba: u32, blocks: u32, parts: Parts) -> Self {
        Self { at_hand: Vec::new(), at: 0, lba, blocks, parts }
    }

    /// Bytes that the host does not have yet.
    pub(super) fn left(&self) -> u64 {
        (self.at_hand.len() - self.at) as u64 + u64::from(self.blocks) * self.parts.len() as u64
    }

    /// Reads from the disc until `bytes` bytes are at hand. What has come stays, also if the disc is not ready with more.
    pub(super) fn stock(&mut self, bytes: usize, tray: &mut Tray) -> Result<(), ReadError> {
        if self.at_hand.len() - self.at < bytes {
            self.at_hand.drain(..self.at);
            self.at = 0;
        }
        while self.at_hand.len() - self.at < bytes && self.blocks > 0 {
            let read = tray.read(self.lba, self.blocks, self.parts, &mut self.at_hand)?;
            self.lba += read;
            self.blocks -= read;
        }
        Ok(())
    }

    /// The next bytes, of those at hand.
    pub(super) fn take(&mut self, most: usize) -> &mut [u8] {
        let from = self.at;
        self.at = from.saturating_add(most).min(self.at_hand.len());
        &mut self.at_hand[from..self.at]
    }

    /// Takes all of it away.
    pub(super) fn rest(&mut self) -> Self {
        std::mem::replace(self, Self::reply(Vec::new()))
    }

    /// Whether blocks are still to come from the disc.
    pub(super) fn reads_disc(&self) -> bool {
        self.blocks > 0
    }

    /// Calls `memory` with the next `bytes` bytes, piece by piece. How many have moved, and why no more.
    pub(super) fn move_to(
        &mut self,
        bytes: u64,
        tray: &mut Tray,
        memory: &mut dyn FnMut(&mut [u8]),
    ) -> (u64, Result<(), ReadError>) {
        let bytes = bytes.min(self.left());
        let mut moved = 0;
        while moved < bytes {
            if let Err(why) = self.stock(1, tray) {
                return (moved, Err(why));
            }
            let piece = self.take(usize::try_from(bytes - moved).unwrap_or(usize::MAX));
            moved += piece.len() as u64;
            memory(piece);
        }
        (moved, Ok(()))
    }

    /// Whether a saved one can have been: with `block` bytes at hand.
    pub(super) fn is_possible(&self, block: usize) -> bool {
        let Self { at_hand, at, lba, blocks, parts } = self;
        *at <= at_hand.len()
            && at_hand.len() <= MOST_AT_HAND
            && at_hand.len() - at >= block
            && *blocks <= MOST_BLOCKS
            && lba.checked_add(*blocks).is_some()
            && parts.into_bits() & !Parts::ALL == 0
    }
}
