//! `posada lockstep`: a whole guest under two engines at once, and where they part.

pub mod options;
mod recipe;
mod report;
mod subject;

use crate::session;
use anyhow::{Result, bail};
use options::Lockstep;
use std::process::ExitCode;
use subject::Together;

pub fn run(options: &mut Lockstep) -> Result<ExitCode> {
    let run = &mut options.run;
    if run.pc.engine.is_some() {
        bail!("lockstep runs two engines: choose them with --engines A,B instead of --engine");
    }
    if run.observe.is_anything() {
        bail!("lockstep makes its engines again and again; watch one with `posada run`");
    }
    run.time.deterministic = true;
    let options = &*options;
    session::run_subject(&options.run, || {
        let (together, summary) = Together::new(&options.run, &options.compare)?;
        Ok((Box::new(together), summary))
    })
}
