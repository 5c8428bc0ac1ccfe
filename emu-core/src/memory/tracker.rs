//! Which frames hold compiled code, and which were written: one mechanism for all who must hear of writes.

use super::Frame;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

/// The frame holds bytes that an engine has decoded.
pub const CODE: u8 = 1 << 0;
/// The frame was written since the flag was last cleared.
pub const DIRTY: u8 = 1 << 1;

/// A byte of flags per frame, and the list of code frames that someone other than the engine has written.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    flags: Vec<AtomicU8>,
    any_code_written: AtomicBool,
    code_written: Mutex<Vec<Frame>>,
}

impl Tracker {
    pub(super) fn grow(&mut self, frames: usize) {
        self.flags.resize_with(frames, AtomicU8::default);
    }

    pub(super) fn flags(&self, frame: Frame) -> u8 {
        self.flags[frame.0 as usize].load(Relaxed)
    }

    pub(super) fn set(&self, frame: Frame, flags: u8) {
        self.flags[frame.0 as usize].fetch_or(flags, Relaxed);
    }

    pub(super) fn clear(&self, frame: Frame, flags: u8) {
        self.flags[frame.0 as usize].fetch_and(!flags, Relaxed);
    }

    /// Notes a write by the board (DMA, loader).
    pub(super) fn written(&self, frame: Frame) {
        let flags = &self.flags[frame.0 as usize];
        if flags.fetch_or(DIRTY, Relaxed) & CODE != 0 {
            self.code_written.lock().push(frame);
            self.any_code_written.store(true, Relaxed);
        }
    }

    pub(super) fn any_code_written(&self) -> bool {
        self.any_code_written.load(Relaxed)
    }

    pub(super) fn take_code_written(&self) -> Vec<Frame> {
        self.any_code_written.store(false, Relaxed);
        std::mem::take(&mut *self.code_written.lock())
    }
}
