//! Flushing before the guest asks for it.
//!
//! A guest that makes each write safe (O_DSYNC, a database, a journal) writes and then has the disk flushed, time and
//! again with as many writes before each flush. On its way from one to the other it has some ten thousand instructions
//! to run. So once such a habit was seen, the disk begins to flush when the last of these writes is done, and is often
//! ready when the guest asks. Nothing is said to be safe before it is: a flush ends early only if one that began after the
//! last write has succeeded.

use devices::disk::DiskError;
use std::time::Duration;

/// A flush that takes less is not worth waking a thread.
const WORTHWHILE: Duration = Duration::from_micros(40);

/// A habit is what was done so often in a row.
const HABIT: u32 = 4;

/// What was written and flushed.
#[derive(Debug)]
pub(super) struct Ahead {
    /// Something may have been written since the last flush that succeeded; not known at first.
    dirty: bool,
    /// Why a flush failed that the guest has not heard of. The host tells of lost writes only once.
    untold: Option<DiskError>,
    /// Writes since the guest's last flush.
    writes: u32,
    /// The same before that flush, and how often in a row it was so many.
    usual: u32,
    times: u32,
    /// How long the last flush took.
    took: Duration,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { dirty: true, untold: None, writes: 0, usual: 0, times: 0, took: Duration::ZERO }
    }
}

impl Ahead {
    /// The disk begins to write or discard something.
    pub(super) fn changes(&mut self) {
        self.dirty = true;
    }

    /// The guest has written something.
    pub(super) fn wrote(&mut self) {
        self.writes = self.writes.saturating_add(1);
    }

    /// The guest has had the disk flushed.
    pub(super) fn flushed(&mut self) {
        self.times = if self.writes == self.usual { self.times.saturating_add(1) } else { 0 };
        self.usual = std::mem::take(&mut self.writes);
    }

    /// A flush has ended; nothing was written meanwhile.
    pub(super) fn ended(&mut self, result: &Result<(), DiskError>, took: Duration) {
        if result.is_ok() {
            (self.dirty, self.took) = (false, took);
        }
    }

    /// A flush has failed that the guest does not wait for.
    pub(super) fn failed(&mut self, why: DiskError) {
        self.untold = Some(why);
    }

    /// How a flush ends for which nothing has to be done.
    pub(super) fn known(&mut self) -> Option<Result<(), DiskError>> {
        match self.untold.take() {
            Some(why) => Some(Err(why)),
            None => (!self.dirty).then_some(Ok(())),
        }
    }

    /// Whether the guest is thought to ask for a flush next, which is worth beginning with.
    pub(super) fn is_due(&self) -> bool {
        let habit = self.times >= HABIT && self.writes == self.usual;
        habit && self.dirty && self.untold.is_none() && self.took >= WORTHWHILE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_millis(1);

    fn write(ahead: &mut Ahead) {
        ahead.changes();
        ahead.wrote();
    }

    fn flush(ahead: &mut Ahead, took: Duration) {
        ahead.ended(&Ok(()), took);
        ahead.flushed();
    }

    #[test]
    fn a_flush_is_due_after_as_many_writes_as_ever() {
        let mut ahead = Ahead::default();
        for _ in 0..=HABIT {
            write(&mut ahead);
            write(&mut ahead);
            assert!(!ahead.is_due());
            flush(&mut ahead, SLOW);
        }
        write(&mut ahead);
        assert!(!ahead.is_due(), "one more is to come");
        write(&mut ahead);
        assert!(ahead.is_due());
        ahead.ended(&Ok(()), SLOW);
        assert!(!ahead.is_due(), "it is done");
        write(&mut ahead);
        assert!(!ahead.is_due(), "that was not the end of it");
        flush(&mut ahead, SLOW);
        write(&mut ahead);
        write(&mut ahead);
        assert!(!ahead.is_due(), "the habit is broken");
    }

    #[test]
    fn fast_flushes_are_not_worth_it() {
        let mut ahead = Ahead::default();
        for _ in 0..2 * HABIT {
            write(&mut ahead);
            assert!(!ahead.is_due());
            flush(&mut ahead, Duration::from_micros(10));
        }
    }

    #[test]
    fn only_a_clean_disk_is_known_to_be_safe_and_a_failure_is_told_once() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.known(), None);
        ahead.ended(&Err(DiskError::ReadOnly), SLOW);
        assert_eq!(ahead.known(), None);
        ahead.ended(&Ok(()), SLOW);
        assert_eq!(ahead.known(), Some(Ok(())));
        ahead.changes();
        assert_eq!(ahead.known(), None);
        ahead.failed(DiskError::ReadOnly);
        ahead.ended(&Ok(()), SLOW);
        assert_eq!(ahead.known(), Some(Err(DiskError::ReadOnly)));
        assert_eq!(ahead.known(), Some(Ok(())));
    }
}
