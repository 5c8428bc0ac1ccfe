//! A case: where it starts, which events it must see, and what must hold at each of them and at the end.

use super::guest::Guest;
use emu_core::vcpu::SegmentName;
use std::fmt;

/// The passage of the manual that a case follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Citation {
    /// "2", "3A", "3B".
    pub volume: &'static str,
    pub section: &'static str,
    pub title: &'static str,
}

impl fmt::Display for Citation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { volume, section, title } = self;
        let dot = if section.is_empty() { "" } else { " " };
        write!(f, "Intel SDM Vol. {volume}{dot}{section}, \"{title}\"")
    }
}

/// Names a passage of the manual.
pub const fn sdm(volume: &'static str, section: &'static str, title: &'static str) -> Citation {
    Citation { volume, section, title }
}

/// A part of a segment register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Selector,
    Rights,
    Limit,
    Base,
    /// Bit P of the rights: loaded with something usable.
    Usable,
}

/// Something that can be looked at, at an event or at the end. "Saved" is what delivery has put on the stack; the
/// rest is the state of the handler, or of the halted program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    SavedError,
    SavedRip,
    SavedCs,
    SavedFlags(u64),
    SavedSs,
    SavedRsp,
    /// The n-th word of the frame, from its top.
    Frame(u64),
    /// A general register by its number.
    Gpr(usize),
    Rip,
    Flags(u64),
    Cpl,
    Segment(SegmentName, Part),
    Tr(Part),
    Ldtr(Part),
    Cr0(u64),
    Cr2,
    Cr3,
    Cr4(u64),
    Efer(u64),
    Dr6(u64),
    Dr7(u64),
    GdtrBase,
    GdtrLimit,
    KernelGsBase,
    NmiBlocked,
    /// Little-endian memory: address and bytes.
    Memory(u64, u64),
    /// Some bits of the four bytes at an address.
    Bits(u64, u64),
    /// How many port writes there have been.
    PortWrites,
    /// Value of the n-th port write.
    PortWrite(usize),
}

/// A probe and what it must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub probe: Probe,
    pub expected: u64,
}

/// What the host does at an event before the handler returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Puts bytes into memory.
    Poke(u64, Vec<u8>),
    /// Changes the saved RIP.
    ReturnTo(u64),
    /// Sets bits in the saved flags.
    SetFlags(u64),
    /// Raises a maskable interrupt.
    Interrupt(u8),
    Nmi,
}

/// One event a case must see.
#[derive(Clone, Debug)]
pub struct Step {
    pub vector: u8,
    pub checks: Vec<Check>,
    pub actions: Vec<Action>,
}

/// How a case ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In the handler of its last event.
    Handler,
    /// At a HLT of its own, after the handler of its last event has returned.
    Halt,
    /// Triple fault.
    Shutdown,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handler => "in a handler",
            Self::Halt => "halted by the program",
            Self::Shutdown => "shutdown",
        })
    }
}

/// One case of the suite.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub family: &'static str,
    pub citation: Citation,
    pub(super) guest: Guest,
    pub(super) steps: Vec<Step>,
    pub(super) ending: Ending,
    /// What must hold at the end, for [`Ending::Halt`].
    pub(super) checks: Vec<Check>,
    /// What the host raises when the program first halts by itself.
    pub(super) on_halt: Option<Action>,
    /// Vectors that come without an error code although their exception has one: INT n and interrupts.
    pub(super) bare: Vec<u8>,
}

impl Case {
    /// A case that must run to its own HLT without any event.
    pub fn new(family: &'static str, name: impl Into<String>, citation: Citation, guest: Guest) -> Self {
        Self {
            name: name.into(),
            family,
            citation,
            guest,
            steps: Vec::new(),
            ending: Ending::Halt,
            checks: Vec::new(),
            on_halt: None,
            bare: Vec::new(),
        }
    }

    /// An event. The case ends in its handler, unless there is another one or [`Case::ends`] follows; checks and
    /// actions that follow belong to it.
    pub fn event(mut self, vector: u8) -> Self {
        self.steps.push(Step { vector, checks: Vec::new(), actions: Vec::new() });
        self.ending = Ending::Handler;
        self
    }

    /// A fault of instruction number `n` with an error code.
    pub fn fault(self, vector: u8, error: u64, n: usize) -> Self {
        self.event(vector).is(Probe::SavedError, error).rip(n)
    }

    /// After its last event the program goes on to its own HLT; checks that follow are about that.
    pub fn ends(mut self) -> Self {
        self.ending = Ending::Halt;
        self
    }

    /// The case ends by a triple fault.
    pub fn shuts_down(mut self) -> Self {
        self.ending = Ending::Shutdown;
        self
    }

    /// A check of the last event, or of the end.
    pub fn is(mut self, probe: Probe, expected: u64) -> Self {
        let check = Check { probe, expected };
        match (self.ending, self.steps.last_mut()) {
            (Ending::Handler, Some(step)) => step.checks.push(check),
            _ => self.checks.push(check),
        }
        self
    }

    /// Several checks.
    pub fn all(self, checks: &[(Probe, u64)]) -> Self {
        checks.iter().fold(self, |case, (probe, expected)| case.is(*probe, *expected))
    }

    /// The saved RIP is that of instruction number `n` (as many as there are: the end of the code).
    pub fn rip(self, n: usize) -> Self {
        let at = self.at(n);
        self.is(Probe::SavedRip, at)
    }

    /// RIP of instruction number `n`.
    pub fn at(&self, n: usize) -> u64 {
        self.guest.starts[n]
    }

    /// What the host does at the last event.
    pub fn then(mut self, action: Action) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.actions.push(action);
        }
        self
    }

    /// The handler of the last event returns to instruction number `n`.
    pub fn returns_to(self, n: usize) -> Self {
        let at = self.at(n);
        self.then(Action::ReturnTo(at))
    }

    /// What the host raises when the program first halts.
    pub fn raise_at_halt(mut self, action: Action) -> Self {
        self.on_halt = Some(action);
        self
    }

    /// This vector comes without an error code.
    pub fn without_error(mut self, vector: u8) -> Self {
        self.bare.push(vector);
        self
    }
}
