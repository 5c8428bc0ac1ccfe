//! The engine: the interpreter with the translator plugged in.

use crate::arena::Arena;
use crate::compiler::{OptLevel, Workshop};
use crate::entry::{Report, Translations};
use crate::observe::Observer;
use emu_core::interpreter::{Counters, Interpreter};
use emu_core::{Bus, Caps, Engine, Exit, Forget, Stop, VcpuState};
use std::sync::Arc;

/// When and how code is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Instructions from one sample to the next.
    pub slice: i64,
    /// Translate hot code directly first.
    pub direct: bool,
    /// Samples of a block that make it hot.
    pub threshold: u32,
    /// Samples of a block that make it worth Cranelift's time.
    pub optimise: u32,
    /// Let Cranelift work on a thread of its own.
    pub background: bool,
    pub level: OptLevel,
    /// Let Cranelift check its input: for tests.
    pub verify: bool,
    /// Bytes for machine code.
    pub arena: usize,
}

impl Options {
    /// Cold code is interpreted, hot code translated at once where it can be done directly.
    pub const AUTO: Self = Self {
        slice: 2048,
        direct: cfg!(target_arch = "x86_64"),
        threshold: 2,
        optimise: u32::MAX,
        background: true,
        level: OptLevel::None,
        verify: false,
        arena: 256 << 20,
    };
    /// Compiles early.
    pub const EAGER: Self = Self { slice: 2048, threshold: 1, ..Self::AUTO };
    /// Compiles at once, on the guest's thread: equal runs compile equally.
    pub const AT_ONCE: Self = Self { slice: 256, threshold: 1, background: false, ..Self::AUTO };
}

/// See the module.
pub struct Jit {
    interpreter: Interpreter,
    report: Arc<Report>,
}

impl Jit {
    /// Where the host cannot run compiled code, this is the interpreter alone.
    pub fn new(options: Options) -> Self {
        Self::make(options, None)
    }

    /// As [`Self::new`]; `observer` hears of every region.
    pub fn observed(options: Options, observer: Box<dyn Observer>) -> Self {
        Self::make(options, Some(observer))
    }

    fn make(options: Options, observer: Option<Box<dyn Observer>>) -> Self {
        let report = Arc::new(Report::default());
        let arena = Arena::new(options.arena).ok();
        let workshop = Workshop::new(options.level, options.background, options.verify).ok();
        let tier =
            arena.and_then(|arena| Translations::new(options, arena, workshop, report.clone(), observer));
        let interpreter = match tier {
            Some(tier) => Interpreter::with_tier(Box::new(tier)),
            None => Interpreter::new(),
        };
        Self { interpreter, report }
    }

    pub fn report(&self) -> Arc<Report> {
        self.report.clone()
    }

    /// What the interpreter and the compiled code have done.
    pub fn counters(&self) -> Arc<Counters> {
        self.interpreter.counters()
    }

    /// Instructions that compiled code has retired, and how often it was entered.
    pub fn work(&self) -> (u64, u64) {
        self.interpreter.tier_work()
    }
}

impl Engine for Jit {
    fn caps(&self) -> Caps {
        self.interpreter.caps()
    }

    fn run(&mut self, cpu: &mut VcpuState, bus: &mut dyn Bus, stop: &Stop) -> Exit {
        self.interpreter.run(cpu, bus, stop)
    }

    fn forget(&mut self, what: Forget) {
        self.interpreter.forget(what);
    }
}
