//! From regions to machine code by Cranelift: on the calling thread, or on a thread of its own.

use crate::facts::Facts;
use crate::observe::{Mark, Notes, offset_of};
use crate::region::Region;
use crate::translate::translate;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable, Flags};
use cranelift_codegen::{CompiledCode, Context};
use cranelift_frontend::FunctionBuilderContext;
use emu_core::interpreter::tier::Seen;
use rustix::time::{ClockId, clock_gettime};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How hard Cranelift tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptLevel {
    None,
    Speed,
}

/// A region with its number.
pub struct Job {
    pub id: u64,
    pub region: Region,
    /// Somebody wants to know how the code came about.
    pub notes: bool,
}

/// What has become of a job.
pub struct Done {
    pub id: u64,
    /// `None` if the region was refused.
    pub code: Option<Vec<u8>>,
    /// The code refers to it by address.
    pub seen: Box<Seen>,
    pub need: i64,
    pub instructions: usize,
    pub took: Duration,
    /// Empty unless they were asked for.
    pub notes: Notes,
}

/// What this thread has used of a CPU.
pub fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Turns regions into code.
struct Compiler {
    isa: OwnedTargetIsa,
    context: Context,
    builder: FunctionBuilderContext,
}

/// This host has no back end, or no thread for it.
#[derive(Debug)]
pub struct NoBackEnd;

impl Compiler {
    fn new(level: OptLevel, verify: bool) -> Result<Self, NoBackEnd> {
        let mut flags = settings::builder();
        let level = if level == OptLevel::None { "none" } else { "speed" };
        let verify = if verify { "true" } else { "false" };
        for (name, value) in [
            ("opt_level", level),
            ("enable_verifier", verify),
            ("unwind_info", "false"),
            ("enable_probestack", "false"),
            ("is_pic", "false"),
        ] {
            flags.set(name, value).map_err(|_| NoBackEnd)?;
        }
        let builder = cranelift_native::builder().map_err(|_| NoBackEnd)?;
        let isa = builder.finish(Flags::new(flags)).map_err(|_| NoBackEnd)?;
        Ok(Self { isa, context: Context::new(), builder: FunctionBuilderContext::new() })
    }

    fn run(&mut self, job: &Job) -> Done {
        let start = cpu_time();
        let facts = Facts::of(&job.region);
        let seen = Box::default();
        let mut notes = Notes::default();
        let code = self.compile(&job.region, &facts, &seen, job.notes.then_some(&mut notes));
        Done {
            id: job.id,
            code,
            seen,
            notes,
            need: facts.need,
            instructions: job.region.instructions(),
            took: cpu_time().saturating_sub(start),
        }
    }

    fn compile(
        &mut self,
        region: &Region,
        facts: &Facts,
        seen: &Seen,
        mut notes: Option<&mut Notes>,
    ) -> Option<Vec<u8>> {
        self.context.clear();
        let (function, marks) = (&mut self.context.func, notes.is_some());
        let translated = translate(region, facts, &*self.isa, seen, function, &mut self.builder, marks);
        if translated.is_err() {
            self.builder = FunctionBuilderContext::new();
            return None;
        }
        if let Some(notes) = notes.as_deref_mut() {
            notes.ir = Some(self.context.func.display().to_string());
        }
        match self.context.compile(&*self.isa, &mut ControlPlane::default()) {
            Ok(code) if code.buffer.relocs().is_empty() => {
                if let Some(notes) = notes {
                    notes.marks = marks_of(code);
                }
                Some(code.code_buffer().to_vec())
            }
            Ok(_) => None,
            Err(error) => {
                debug_assert!(false, "Cranelift: {:?}\n{}", error.inner, error.func);
                None
            }
        }
    }
}

/// Which host code was made for which guest instruction.
fn marks_of(code: &CompiledCode) -> Vec<Mark> {
    let located = code.buffer.get_srclocs_sorted().iter().filter(|range| !range.loc.is_default());
    located.map(|range| Mark { start: range.start, end: range.end, guest: offset_of(range.loc) }).collect()
}

/// Where jobs go.
pub enum Workshop {
    /// Done when they are asked for.
    Here {
        compiler: Box<Here>,
        done: Vec<Done>,
    },
    There {
        jobs: Option<Sender<Job>>,
        done: Receiver<Done>,
        thread: Option<JoinHandle<()>>,
    },
}

/// A compiler on the calling thread.
pub struct Here(Compiler);

impl Workshop {
    /// # Errors
    /// This host has no back end, or no thread.
    pub fn new(level: OptLevel, background: bool, verify: bool) -> Result<Self, NoBackEnd> {
        let mut compiler = Compiler::new(level, verify)?;
        if !background {
            return Ok(Self::Here { compiler: Box::new(Here(compiler)), done: Vec::new() });
        }
        let (jobs, work) = channel::<Job>();
        let (results, done) = channel();
        let thread = std::thread::Builder::new()
            .name("compiler".to_owned())
            .spawn(move || {
                for job in work {
                    if results.send(compiler.run(&job)).is_err() {
                        return;
                    }
                }
            })
            .map_err(|_| NoBackEnd)?;
        Ok(Self::There { jobs: Some(jobs), done, thread: Some(thread) })
    }

    pub fn submit(&mut self, job: Job) {
        match self {
            Self::Here { compiler, done } => done.push(compiler.0.run(&job)),
            // A compiler that is gone compiles nothing; the interpreter goes on.
            Self::There { jobs, .. } => drop(jobs.as_ref().map(|jobs| jobs.send(job))),
        }
    }

    /// A finished job.
    pub fn take(&mut self) -> Option<Done> {
        match self {
            Self::Here { done, .. } => done.pop(),
            Self::There { done, .. } => done.try_recv().ok(),
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if let Self::There { jobs, thread, .. } = self {
            drop(jobs.take());
            if let Some(thread) = thread.take() {
                // It ends after the job in hand: nobody sends more.
                let _ = thread.join();
            }
        }
    }
}
