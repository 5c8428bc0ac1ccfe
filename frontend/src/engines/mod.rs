//! The engines a person can choose, and what is watched of them.

mod dump;
mod stats;

pub use dump::Which;

use crate::files;
use crate::options::Observe;
use anyhow::{Context, Result};
use clap::ValueEnum;
use emu_core::Engine;
use emu_core::interpreter::{Counters, Interpreter};
use jit::observe::{All, Observer, PerfMap, Placed, Symbols};
use jit::{Jit, Options, Report};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// The reference interpreter
    Interpreter,
    /// The interpreter for cold code, compiled code where it is hot
    Auto,
    /// As auto, but compiled as early as can be
    Jit,
}

impl EngineChoice {
    /// The next one, in the order in which the escape key goes through them.
    pub fn next(self) -> Self {
        match self {
            Self::Interpreter => Self::Auto,
            Self::Auto => Self::Jit,
            Self::Jit => Self::Interpreter,
        }
    }

    /// How it compiles, if it does.
    fn options(self) -> Option<Options> {
        match self {
            Self::Interpreter => None,
            Self::Auto => Some(Options::AUTO),
            Self::Jit => Some(Options::EAGER),
        }
    }

    /// A new engine that nobody watches; `background` lets it compile on a thread of its own.
    pub fn plain(self, background: bool) -> Box<dyn Engine> {
        match self.options() {
            None => Box::new(Interpreter::new()),
            Some(options) => Box::new(Jit::new(Options { background, ..options })),
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interpreter => "interpreter",
            Self::Auto => "auto",
            Self::Jit => "jit",
        })
    }
}

/// What can be read of one engine while it runs and when it is gone.
struct Gauge {
    choice: EngineChoice,
    counters: Arc<Counters>,
    report: Option<Arc<Report>>,
}

/// Makes engines that are watched as the command line says.
pub struct Engines {
    observer: Option<Shared>,
    gauges: Vec<Gauge>,
}

impl Engines {
    /// Reads what must be read, then opens the outputs.
    pub fn open(observe: &Observe) -> Result<Self> {
        let symbols = Arc::new(observe.symbols.as_deref().map_or(Ok(Symbols::default()), read_symbols)?);
        let mut all = All::default();
        if let Some(which) = observe.dump_region {
            all.0.push(Box::new(dump::RegionDump::open(which, observe.dump_to.as_deref())?));
        }
        if observe.perf_map {
            let map = PerfMap::create(symbols).context("cannot write the map for perf in /tmp")?;
            all.0.push(Box::new(map));
        }
        let observer = (!all.0.is_empty()).then(|| Shared(Arc::new(Mutex::new(all))));
        Ok(Self { observer, gauges: Vec::new() })
    }

    pub fn make(&mut self, choice: EngineChoice) -> Box<dyn Engine> {
        let (engine, gauge): (Box<dyn Engine>, Gauge) = match (choice.options(), &self.observer) {
            (None, _) => {
                let engine = Interpreter::new();
                let counters = engine.counters();
                (Box::new(engine), Gauge { choice, counters, report: None })
            }
            (Some(options), observer) => {
                let engine = match observer {
                    Some(observer) => Jit::observed(options, Box::new(observer.clone())),
                    None => Jit::new(options),
                };
                let (counters, report) = (engine.counters(), Some(engine.report()));
                (Box::new(engine), Gauge { choice, counters, report })
            }
        };
        self.gauges.push(gauge);
        engine
    }
}

fn read_symbols(path: &Path) -> Result<Symbols> {
    let text = String::from_utf8_lossy(&files::read("symbol file", path)?).into_owned();
    Symbols::parse(&text).with_context(|| format!("the symbol file {}", path.display()))
}

/// One observer for all engines of a run.
#[derive(Clone)]
struct Shared(Arc<Mutex<All>>);

impl Observer for Shared {
    fn wants_notes(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wants_notes()
    }

    fn placed(&mut self, region: &Placed<'_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).placed(region);
    }
}
