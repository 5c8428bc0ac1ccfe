//! What the board noticed and a person may want to know: counted always, recorded (rate-limited) on demand.

use emu_core::{CpuSignal, Power, Space, Tick, Width};
use std::collections::{HashMap, VecDeque};
use std::fmt;

/// Something worth a line in the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nobody answered; reads gave all ones.
    Float { space: Space, address: u64, width: Width, written: Option<u64> },
    /// A signal that no engine here can take.
    Ignored(CpuSignal),
    /// A platform power change.
    Power(Power),
    /// The CPU shut down (triple fault); the board resets.
    TripleFault,
    /// One call of a chip led to more effects than a chip can mean; its remaining DMA was dropped.
    Runaway,
}

/// A notice with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub at: Tick,
    pub notice: Notice,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:>12} us] ", self.at.as_nanos() / 1000)?;
        match &self.notice {
            Notice::Float { space, address, width, written: None } => {
                write!(f, "nobody answers a {}-byte read of {space:?} {address:#x}", width.bytes())
            }
            Notice::Float { space, address, width, written: Some(value) } => {
                write!(
                    f,
                    "nobody answers a {}-byte write of {value:#x} to {space:?} {address:#x}",
                    width.bytes()
                )
            }
            Notice::Ignored(signal) => write!(f, "{signal:?} ignored"),
            Notice::Power(power) => write!(f, "power: {power:?}"),
            Notice::TripleFault => write!(f, "triple fault"),
            Notice::Runaway => write!(f, "runaway DMA stopped"),
        }
    }
}

/// Notices per guest second; what is more is only counted.
const PER_SECOND: u32 = 100;
/// Records of the same address and direction; a guest that polls a port nobody has would fill the trace with it.
const PER_ADDRESS: u32 = 4;
/// Addresses that are told apart.
const ADDRESSES: usize = 4096;
/// Records kept until somebody takes them.
const KEPT: usize = 4096;

/// The board's notebook.
#[derive(Debug, Default)]
pub struct Trace {
    enabled: bool,
    records: VecDeque<Record>,
    second: u64,
    in_second: u32,
    floats: u64,
    suppressed: u64,
    seen: HashMap<(Space, u64, bool), u32>,
}

impl Trace {
    pub(crate) fn enable(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Accesses that nobody answered, since power-on or restore.
    pub fn floats(&self) -> u64 {
        self.floats
    }

    /// Notices that the rate limit kept out of the records.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    pub(crate) fn take(&mut self) -> Vec<Record> {
        self.records.drain(..).collect()
    }

    pub(crate) fn note(&mut self, at: Tick, notice: Notice) {
        self.floats += u64::from(matches!(notice, Notice::Float { .. }));
        if !self.enabled {
            return;
        }
        let second = at.periods(Tick::SECOND);
        if second != self.second {
            (self.second, self.in_second) = (second, 0);
        }
        if self.is_news(&notice) && self.in_second < PER_SECOND && self.records.len() < KEPT {
            self.in_second += 1;
            self.records.push_back(Record { at, notice });
        } else {
            self.suppressed += 1;
        }
    }

    fn is_news(&mut self, notice: &Notice) -> bool {
        let Notice::Float { space, address, written, .. } = notice else { return true };
        let key = (*space, *address, written.is_some());
        if self.seen.len() >= ADDRESSES && !self.seen.contains_key(&key) {
            return false;
        }
        let times = self.seen.entry(key).or_default();
        *times = times.saturating_add(1);
        *times <= PER_ADDRESS
    }
}
