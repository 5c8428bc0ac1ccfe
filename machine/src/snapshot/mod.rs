//! Saved machines: a file that holds all of a machine but its disks, and its hash.
//!
//! The file is a magic number, a version, and sections; each has a tag, a length, a CRC-32 over both and the content.
//! Nothing is taken from a section before its sum was found right, and a machine is only handed out when the last
//! section has been read: a flipped byte anywhere gives an error and no machine.

mod file;
mod hash;
mod machine;
mod ram;
mod sections;

pub use machine::{SavedMachine, describe};

#[cfg(test)]
pub(crate) use sections::check_sections;

use crate::machine::MachineError;
use std::io;

/// Why a machine could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("cannot write the saved machine: {0}")]
    Write(#[from] io::Error),
    #[error("cannot write the saved machine to {path}: {error}")]
    File { path: String, error: io::Error },
}

/// Why a saved machine could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreMachineError {
    #[error("cannot read the saved machine: {0}")]
    Read(#[from] io::Error),
    #[error("this is not a saved machine")]
    NotOne,
    #[error("the saved machine is of format version {0}; this build knows version {known}", known = sections::VERSION)]
    Version(u32),
    #[error("the saved machine is damaged: {0}")]
    Damaged(String),
    #[error("the machine was saved with {saved} bytes of memory, but {asked} are asked for")]
    Memory { saved: u64, asked: u64 },
    #[error("the machine was saved with the CPU model {saved}, but {asked} is asked for")]
    Cpu { saved: String, asked: String },
    #[error(transparent)]
    Machine(#[from] MachineError),
}
